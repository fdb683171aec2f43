//! What a test configures, and who calls.

use super::*;

pub fn key(name: &str) -> ConferenceKey {
    ConferenceKey { account: ACCOUNT, name: ConferenceName::new(name) }
}

pub fn plain() -> ParticipantOptions {
    ParticipantOptions { beep_on_entry: false, ..ParticipantOptions::default() }
}

pub fn flow(transport: Transport, ip: [u8; 4], port: u16) -> Flow {
    let local = SocketAddr::from(([192, 0, 2, 1], 5060));
    Flow { transport, local, remote: SocketAddr::from((ip, port)), is_foreign: false }
}

/// A service that leads to the conference of its rest.
pub fn service(name: &str, access: Access) -> InboundService {
    let conference = ConferenceAction {
        name: if name.ends_with('*') { "{rest}".to_owned() } else { name.to_owned() },
        participant: plain(),
        refer: Refer::All,
        menu: None,
        leader_menu: None,
        language: None,
    };
    InboundService {
        account: ACCOUNT,
        name: ServiceName::new(name),
        action: Action::Conference(Box::new(conference)),
        access,
        srtp: None,
    }
}

pub fn announcement(name: &str, files: &[&str]) -> InboundService {
    let play = PlayList(files.iter().map(|file| (*file).to_owned()).collect());
    InboundService {
        action: Action::Announcement(Announcement { play }),
        ..service(name, from_networks("10.0.0.0/8"))
    }
}

pub fn no_access() -> Access {
    Access { networks: Some(Vec::new()), ..Access::default() }
}

pub fn from_networks(network: &str) -> Access {
    Access { networks: Some(vec![network.parse().unwrap()]), ..Access::default() }
}

pub fn trunk(name: &str, priority: u32) -> Trunk {
    let settings = TrunkSettings {
        uri: SipUri::parse(&format!("sip:{name}.example")).unwrap(),
        outbound_proxy: None,
        user: None,
        password: None,
        register: false,
        register_seconds: 300,
        from_user: None,
        asserted_identity: None,
        privacy: false,
        networks: Vec::new(),
        prefixes: vec!["*".to_owned()],
        hosts: vec!["*.example".to_owned()],
        plus: true,
        priority,
        calls_max: 10,
        srtp: None,
    };
    Trunk { account: ACCOUNT, name: name.to_owned(), settings, password: None }
}

pub fn token(account: AccountId, service: &str) -> Token {
    Token::Call(CallToken { account, service: service.to_owned() })
}

pub fn guest(account: AccountId, conference: &str, early: Option<Option<&str>>) -> Token {
    Token::Guest(GuestToken {
        account,
        conference: ConferenceName::new(conference),
        is_early: early.is_some(),
        divert: early.flatten().map(ServiceName::new),
    })
}

pub fn client(id: &str, may_call: Option<&str>) -> Token {
    Token::Client(ClientToken {
        account: ACCOUNT,
        client: id.to_owned(),
        incoming: true,
        call_client: may_call.map(str::to_owned),
        expires: Timestamp(EPOCH.0 + 3_600_000),
    })
}

pub fn bearer(token: &str) -> Authorizations {
    Authorization::Bearer(token.to_owned()).into()
}

pub fn replaces() -> Replaces {
    Replaces {
        call_id: "there".to_owned(),
        to_tag: "t".to_owned(),
        from_tag: "f".to_owned(),
        early_only: false,
    }
}

pub fn browser(port: u16) -> Flow {
    flow(Transport::Wss, [198, 51, 100, 7], port)
}

pub fn all_users() -> Access {
    Access { users: Selection::All, ..no_access() }
}

pub fn from_trunks() -> Access {
    Access { trunks: Some(Selection::All), ..no_access() }
}

/// An entry to all rooms.
pub fn entry(name: &str) -> InboundService {
    InboundService { action: Action::Entry(Box::default()), ..service(name, from_networks("10.0.0.0/8")) }
}

/// A room of the conference Tea.
pub fn room(number: &str, mut body: serde_json::Value, has_pin: bool, has_leader_pin: bool) -> Room {
    body["conference"] = "Tea".into();
    Room::new(ACCOUNT, number, &body, (has_pin, has_leader_pin)).unwrap()
}
