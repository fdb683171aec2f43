//! Who may call what. No caller may, unless the service says so: by the network a call comes from, by user name and
//! password, or by a token. Callers who are refused do not learn which names exist.

use crate::{
    Calls,
    bindings::Registrant,
    browser_keys::BrowserClaim,
    call::{AdmittedBy, Call, Stage},
    lookup::{CallerLookup, CallerQuery, Claims, Lookup, NamedKey, Pending, StoreFailed},
    number::CallNumber,
    registrations::{REGISTRATION_S, TokenFault},
};
use ipnet::IpNet;
use plenary_conference::{AccountId, ConferenceKey};
use plenary_model::{
    Action, CallToken, ClientToken, EndedBy, GuestToken, InboundService, ServiceName, Token, WebRtcKey,
    is_same_name, spelled,
};
use plenary_sip::{
    AddrSpec, Caller, Registration, Transport,
    digest::{Algorithm, Authenticator, Authorizations, DigestAnswer, Verdict},
    ua::Flow,
};
use std::{net::IpAddr, time::Duration};
use tracing::info;

/// What judges passwords and says what of a request's credentials is meant for us.
#[derive(Debug)]
pub(crate) struct Access {
    authenticator: Authenticator,
}

impl Access {
    /// `key`: random, for the nonces of challenges.
    pub(crate) fn new(realm: String, algorithms: Vec<Algorithm>, key: [u8; 32]) -> Self {
        Self { authenticator: Authenticator::new(realm, algorithms, key) }
    }

    /// Another realm and other hashes from now on.
    pub(crate) fn set(&mut self, realm: String, algorithms: Vec<Algorithm>) {
        self.authenticator.set(realm, algorithms);
    }

    /// What the store has to be asked for a request: of its credentials the answer to a challenge of our realm, and a token.
    pub(crate) fn query(
        &self,
        target: Option<AddrSpec>,
        claim: Option<BrowserClaim>,
        authorizations: &Authorizations,
        flow: Flow,
        caller: Caller,
    ) -> CallerQuery {
        let is_ours = |answer: &DigestAnswer| self.authenticator.has_asked(answer, flow.remote.ip());
        CallerQuery {
            target,
            claim,
            answer: authorizations.digest(self.authenticator.realm(), is_ours).cloned(),
            tokens: authorizations.bearers().map(str::to_owned).collect(),
            caller,
        }
    }
}

/// What becomes of a call.
pub(crate) enum Decision {
    Admission {
        by: AdmittedBy,
        /// The access key, where nothing else admits the caller.
        key: Option<String>,
    },
    /// The name does not exist; said only to callers who may know.
    NoSuchService,
    /// Who is it?
    Challenge {
        stale: bool,
    },
    /// It brings nothing but an access key, which does not lead there.
    NotByKey(KeyRefusal),
    /// What it brought as a token is not good.
    InvalidToken(TokenFault),
    /// A guest of a conference that has not started; early callers go to that service.
    TooEarly {
        conference: ConferenceKey,
        divert: Option<ServiceName>,
    },
    No,
}

/// Why an access key does not lead where it is to.
pub(crate) struct KeyRefusal {
    status: u16,
    phrase: &'static str,
    /// For the log, which may say more than the caller learns.
    why: &'static str,
    /// It may be a guess.
    is_failure: bool,
}

/// What was decided, and the user who has shown who it is.
pub(crate) struct Decided {
    pub(crate) decision: Decision,
    pub(crate) user: Option<String>,
}

/// A user who knows its password.
#[derive(Debug, Clone)]
pub(crate) struct KnownUser {
    pub(crate) account: AccountId,
    pub(crate) name: String,
}

/// What the credentials of a request have shown.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) user: Option<KnownUser>,
    token: Option<CallToken>,
    pub(crate) client: Option<ClientToken>,
    guest: Option<GuestToken>,
    pub(crate) fault: Option<TokenFault>,
    /// Something was brought that is no good.
    wrong: Option<Wrong>,
}

#[derive(Debug, Clone, Copy)]
struct Wrong {
    /// The password is right, and a new nonce is all that is needed.
    stale: bool,
}

impl Known {
    /// It is known who this is.
    pub(crate) fn is_known(&self) -> bool {
        self.user.is_some() || self.token.is_some() || self.client.is_some() || self.guest.is_some()
    }

    /// The decision about a caller whose token is not valid.
    pub(crate) fn refusal(&self) -> Decision {
        self.fault.map_or(Decision::No, Decision::InvalidToken)
    }

    /// Whether the challenge that follows says that only the nonce was too old.
    pub(crate) fn is_stale(&self) -> bool {
        self.wrong.is_some_and(|wrong| wrong.stale)
    }
}

impl Calls {
    pub(crate) fn know(&mut self, claims: Claims, source: IpAddr) -> Known {
        let mut known = Known::default();
        match claims.token {
            Some(Token::Call(token)) => known.token = Some(token),
            Some(Token::Client(token)) => known.client = Some(token),
            Some(Token::Guest(guest)) => known.guest = Some(guest),
            Some(Token::Expired) => known.fault = Some(TokenFault::Expired),
            Some(Token::Unknown) => known.fault = Some(TokenFault::Unknown),
            None => {}
        }
        if let Some((answer, secret)) = claims.password {
            let secret = secret.filter(|secret| secret.realm == self.access.authenticator.realm());
            let ha1 = secret.as_ref().map(|secret| match answer.algorithm() {
                Algorithm::Md5 => secret.ha1_md5.as_str(),
                Algorithm::Sha256 => secret.ha1_sha256.as_str(),
            });
            let now = self.authenticator_now();
            match (self.access.authenticator.judge(&answer, ha1, source, now), secret) {
                (Verdict::Right, Some(secret)) => {
                    known.user = Some(KnownUser { account: secret.account, name: answer.username });
                }
                (Verdict::Stale, _) => known.wrong = Some(Wrong { stale: true }),
                (Verdict::Right | Verdict::Wrong, _) => known.wrong = Some(Wrong { stale: false }),
            }
        }
        known
    }

    fn authenticator_now(&self) -> Duration {
        Duration::from_millis(self.now.mono.0)
    }

    /// What we send is known to reach this address: it has a connection, or it answers a challenge of ours. Otherwise the
    /// source address of the datagram may be forged.
    fn is_reached(&self, looked: &CallerLookup, flow: Flow) -> bool {
        let by_answer = looked
            .claims
            .password
            .as_ref()
            .is_some_and(|(answer, _)| self.access.authenticator.has_asked(answer, flow.remote.ip()));
        by_answer || flow.transport != Transport::Udp
    }

    pub(crate) fn is_trusted(&self, flow: Flow) -> bool {
        network_of(flow).is_some_and(|source| self.settings.trusted.iter().any(|net| net.contains(&source)))
    }

    /// Decides whether the caller may reach the service that was found.
    fn decide(&mut self, looked: CallerLookup, dialled: &str, flow: Flow) -> Decided {
        let (source, network) = (flow.remote.ip().to_canonical(), network_of(flow));
        let (is_trusted, has_users) = (self.is_trusted(flow), looked.has_users);
        // A caller that brings nothing but an access key gets an answer that names what is wrong with the key.
        let is_by_key = looked.claims.is_empty() && !matches!(looked.key, NamedKey::None);
        let dialled_cloud_id = looked.dialled_cloud_id.as_deref();
        let (known, caller) = (self.know(looked.claims, source), looked.caller);
        let user = known.user.as_ref().map(|user| user.name.clone());
        let Some((service, rest)) = &looked.service else {
            if user.is_some() {
                self.out.report_success(flow, caller, true);
            }
            let is_trunk = network.is_some_and(|source| self.trunks.is_known(source));
            let may_know = is_trusted || is_trunk || known.is_known();
            let decision = match may_know {
                // A caller with an invalid token needs another one, whatever they call.
                _ if known.fault.is_some() && !known.is_known() => known.refusal(),
                true => Decision::NoSuchService,
                false if is_by_key => refused_key(&looked.key, None, dialled_cloud_id),
                false if has_users => Decision::Challenge { stale: known.is_stale() },
                false => Decision::No,
            };
            return Decided { decision, user };
        };
        let access = &service.access;
        let has_network = |is_meant: &dyn Fn(&IpNet) -> bool| {
            let mut networks = access.networks.iter().flatten();
            network.is_some_and(|source| networks.any(|net| net.contains(&source) && is_meant(net)))
        };
        let by_network = if access.networks.is_some() { has_network(&|_| true) } else { is_trusted };
        let trunk = network.and_then(|source| self.trunks.at(service.account, source));
        let by_trunk = trunk.is_some_and(|trunk| access.includes_trunk(&trunk.name));
        let by_password = known
            .user
            .as_ref()
            .is_some_and(|user| user.account == service.account && access.includes_user(&user.name));
        let by_token = known.token.as_ref().is_some_and(|token| {
            access.tokens && token.account == service.account && is_for(token, dialled, service)
        });
        let guest = known.guest.as_ref().filter(|guest| access.tokens && is_guest_of(guest, service, rest));
        let by_guest = guest.is_some_and(|guest| !guest.is_early);
        // What a caller has shown says more than where it comes from.
        let ways = [
            (by_password, AdmittedBy::User),
            (by_token, AdmittedBy::Token),
            (by_guest, AdmittedBy::Guest),
            (by_trunk, AdmittedBy::Trunk),
            (by_network, AdmittedBy::Network),
        ];
        let by = ways.into_iter().find_map(|(is_open, by)| is_open.then_some(by));
        // The access key shows nothing, so it comes last.
        let by_key = match &looked.key {
            NamedKey::Known(key, _) if access.webrtc && key_opens(key, service) => Some(key.key.clone()),
            NamedKey::Known(..) | NamedKey::Unknown(_) | NamedKey::None => None,
        };
        let decision = match (by, by_key, guest) {
            (Some(by), ..) => Decision::Admission { by, key: None },
            (None, Some(key), _) => Decision::Admission { by: AdmittedBy::WebRtc, key: Some(key) },
            (None, None, Some(early)) => Decision::TooEarly {
                conference: ConferenceKey { account: early.account, name: early.conference.clone() },
                divert: early.divert.clone(),
            },
            // Not for this one, and who it is is known: no password helps.
            (None, None, None) if known.is_known() => Decision::No,
            (None, None, None) if known.fault.is_some() => known.refusal(),
            (None, None, None) if is_by_key => refused_key(&looked.key, Some(service), dialled_cloud_id),
            (None, None, None) if !has_users => Decision::No,
            (None, None, None) => Decision::Challenge { stale: known.is_stale() },
        };
        // Who is known shows that others than those who fail are behind an address: by what not everyone has, or by an address that
        // the account names, and a guest who is early as well. A service that whole regions may call is called by those who guess too.
        if user.is_some() || by.is_some() || guest.is_some() {
            let by_secret = user.is_some() || by_token || guest.is_some();
            let is_known = by_secret || by_trunk || has_network(&is_of_few);
            self.out.report_success(flow, caller, is_known);
        }
        Decided { decision, user }
    }

    /// What was looked up for a call that came in is here.
    pub(crate) fn handle_looked_up(&mut self, number: CallNumber, looked: Result<CallerLookup, StoreFailed>) {
        // It may have been cancelled meanwhile.
        let Some(call) = self.calls.get(&number) else { return };
        let Stage::Routing { .. } = call.stage else { return };
        let (flow, dialled) = (call.flow, call.dialled.clone());
        let source = flow.remote.ip();
        let looked = match looked {
            Ok(looked) => looked,
            Err(error) => {
                of_call!(warn, self, number, %error, "the inbound service could not be looked up");
                return self.refuse(number, 503, "The service is not available");
            }
        };
        let replaced = self.called_that_is_replaced(number);
        if replaced.is_none()
            && let Some(Token::Client(token)) = &looked.claims.token
        {
            return self.call_client(number, token, looked.caller);
        }
        let had_credentials = !looked.claims.is_empty();
        let is_reached = self.is_reached(&looked, flow);
        let (service, caller) = (looked.service.clone(), looked.caller.clone());
        let claimed = match &looked.key {
            NamedKey::Known(key, _) => Some(key.key.clone()),
            NamedKey::Unknown(claim) => Some(claim.key.clone()),
            NamedKey::None => None,
        };
        let Decided { decision, user } = match replaced {
            Some(replaced) => self.decide_on_called(number, replaced, looked, flow),
            None => self.decide(looked, &dialled, flow),
        };
        match decision {
            Decision::Admission { by, key } => {
                let of_replaced = || self.calls.get(&replaced?)?.account;
                let account = service.as_ref().map(|(service, _)| service.account).or_else(of_replaced);
                let trunk = account
                    .zip(network_of(flow))
                    .and_then(|(account, source)| self.trunks.at(account, source));
                // From here on it is a call of this account, whatever becomes of it.
                if let Some(call) = self.calls.get_mut(&number) {
                    call.service = service.as_ref().map(|(service, _)| service.name.clone());
                    call.account = account;
                }
                if let Some(trunk) = trunk.as_ref().filter(|trunk| !self.has_line_for(number, trunk)) {
                    if let Some(call) = self.calls.get_mut(&number) {
                        call.trunk = Some(trunk.name.clone());
                    }
                    of_call!(info, self, number, "the trunk has as many calls as it may");
                    return self.refuse(number, 503, "All lines of the trunk are in use");
                }
                if let Some(key) = key {
                    // Networks that are trusted have no limits of their own.
                    let limited = Some(source).filter(|_| !self.is_trusted(flow));
                    let now = self.now.mono;
                    let replaced = self.calls.get(&number).and_then(Call::comes_after);
                    let limits = &self.settings.key_limits;
                    if let Err(reason) = self.key_calls.begin(number, replaced, (&key, limited), limits, now)
                    {
                        of_call!(warn, self, number, %source, %key, "a browser is refused: {reason}");
                        return self.refuse(number, 503, "Too many calls");
                    }
                    // The key is in the source of a page.
                    self.out.report_success(flow, caller, false);
                    of_call!(info, self, number, %source, %key, "admitted by an access key");
                }
                if let Some(call) = self.calls.get_mut(&number) {
                    call.admitted_by = Some(by);
                    match (user, trunk) {
                        // What a caller has shown counts more than what it says.
                        (Some(user), _) => call.from = spelled(&user),
                        // A trunk may assert another identity (RFC 3325, 5).
                        (None, Some(trunk)) => {
                            if let Some(asserted) = call.asserted.take() {
                                call.from = asserted;
                            }
                            call.trunk = Some(trunk.name.clone());
                        }
                        (None, None) => {}
                    }
                }
                self.out.ring(number);
                match replaced {
                    Some(replaced) => self.take_place_of_called(number, replaced),
                    None => self.handle_routed(number, Ok(service)),
                }
            }
            Decision::NoSuchService => self.handle_routed(number, Ok(None)),
            Decision::Challenge { stale } => {
                // The first question is no failure: every phone asks like that. A wrong answer is one.
                if had_credentials && !stale {
                    of_call!(info, self, number, %source, "wrong user name or password");
                    self.out.report_failure(flow, caller, is_reached);
                }
                let challenges = self.challenges(source, stale);
                self.out.reject(number, 401, None, challenges);
                self.call_is_over(number, EndedBy::Service, "asked for a password");
            }
            Decision::NotByKey(KeyRefusal { status, phrase, why, is_failure }) => {
                let key = claimed.unwrap_or_default();
                of_call!(info, self, number, %source, %key, %dialled, "a browser is refused: {why}");
                if is_failure {
                    self.out.report_failure(flow, caller, is_reached);
                }
                self.refuse(number, status, phrase);
            }
            Decision::InvalidToken(fault) => {
                of_call!(info, self, number, %source, %dialled, fault = fault.text(), "not permitted");
                self.refuse_token(number, fault, caller, is_reached);
            }
            Decision::TooEarly { conference, divert } => {
                info!(call = number.0, %source, conference = %conference.name, account = conference.account.0, "a guest is early");
                if let Some(call) = self.calls.get_mut(&number) {
                    call.service = service.as_ref().map(|(service, _)| service.name.clone());
                    (call.account, call.sought) = (Some(conference.account), Some(conference.clone()));
                    call.admitted_by = Some(AdmittedBy::Guest);
                }
                match divert {
                    Some(service) => {
                        self.out.ring(number);
                        self.divert(number, &conference, service);
                    }
                    None => self.refuse(number, 486, "The conference has not started"),
                }
            }
            Decision::No => {
                of_call!(info, self, number, %source, %dialled, "not permitted");
                self.out.report_failure(flow, caller, is_reached);
                self.refuse(number, 403, "Forbidden");
            }
        }
    }

    /// Whether a request outside of a call may reach its target. `Err`: status and headers of the refusal.
    pub(crate) fn may_reach(
        &mut self,
        looked: CallerLookup,
        dialled: &str,
        flow: Flow,
    ) -> Result<(), (u16, Vec<(String, String)>)> {
        let (source, is_reached) = (flow.remote.ip(), self.is_reached(&looked, flow));
        let caller = looked.caller.clone();
        let had_credentials = !looked.claims.is_empty();
        match self.decide(looked, dialled, flow).decision {
            Decision::Admission { .. } => Ok(()),
            Decision::NoSuchService => Err((404, Vec::new())),
            Decision::Challenge { stale } => {
                if had_credentials && !stale {
                    self.out.report_failure(flow, caller, is_reached);
                }
                Err((401, self.challenges(source, stale)))
            }
            Decision::InvalidToken(fault) => {
                if fault.is_suspicious() {
                    self.out.report_failure(flow, caller, is_reached);
                }
                Err((401, fault.challenge(&self.settings.realm)))
            }
            // Nothing can be followed of what has not begun.
            Decision::TooEarly { .. } => Err((403, Vec::new())),
            Decision::No | Decision::NotByKey(_) => {
                self.out.report_failure(flow, caller, is_reached);
                Err((403, Vec::new()))
            }
        }
    }

    fn challenges(&mut self, source: IpAddr, stale: bool) -> Vec<(String, String)> {
        let now = self.authenticator_now();
        self.access
            .authenticator
            .challenge(source, stale, now)
            .into_iter()
            .map(|challenge| ("WWW-Authenticate".to_owned(), challenge))
            .collect()
    }

    /// A REGISTER: telephones register before they call.
    pub(crate) fn handle_registering(&mut self, registration: Registration) {
        let query = self.access.query(
            None,
            None,
            &registration.authorizations,
            registration.flow,
            registration.caller.clone(),
        );
        self.look_up(Pending::Registering(Box::new(registration)), Lookup::Caller(Box::new(query)));
    }

    pub(crate) fn handle_registration(
        &mut self,
        registration: &Registration,
        looked: Result<CallerLookup, StoreFailed>,
    ) {
        let (id, flow) = (registration.request, registration.flow);
        let source = flow.remote.ip();
        let Ok(looked) = looked else {
            let later = vec![("Retry-After".to_owned(), "30".to_owned())];
            return self.out.refuse_request(id, 503, later);
        };
        let is_reached = self.is_reached(&looked, flow);
        let (has_users, had_credentials) = (looked.has_users, !looked.claims.is_empty());
        let known = self.know(looked.claims, source);
        if let Some(token) = &known.client {
            return self.register_client(token, registration);
        }
        match known.user.clone() {
            Some(KnownUser { account, name }) if is_same_name(&name, &registration.user) => {
                self.bind(account, Registrant::User(name), registration, *REGISTRATION_S.end());
            }
            None if known.fault.is_some() => {
                let fault = known.fault.unwrap_or(TokenFault::Unknown);
                info!(%source, client = %registration.user, fault = fault.text(), "a registration was refused");
                if fault.is_suspicious() {
                    self.out.report_failure(flow, registration.caller.clone(), is_reached);
                }
                self.out.refuse_request(id, 401, fault.challenge(&self.settings.realm));
            }
            None if !had_credentials && self.unbind(registration) => {}
            None if has_users && !known.is_known() => {
                let stale = known.is_stale();
                if had_credentials && !stale {
                    info!(%source, user = %registration.user, "a registration with a wrong user name or password");
                    self.out.report_failure(flow, registration.caller.clone(), is_reached);
                }
                let challenges = self.challenges(source, stale);
                self.out.refuse_request(id, 401, challenges);
            }
            None | Some(_) => {
                self.out.report_failure(flow, registration.caller.clone(), is_reached);
                self.out.refuse_request(id, 403, Vec::new());
            }
        }
    }
}

/// The key is valid, and leads to this service.
fn key_opens(key: &WebRtcKey, service: &InboundService) -> bool {
    key.revoked_at.is_none() && key.account == service.account && key.includes(service.name.as_str())
}

/// Why a caller that brings nothing but an access key is refused. `found`: the service of the name that it dials.
///
/// Only what does not happen by mistake counts as a failure of its source. Others behind the same address are not to suffer for a
/// page that is wrong about a name, or older than a revocation; attempts are bounded by the limits of a source.
fn refused_key(key: &NamedKey, found: Option<&InboundService>, dialled_cloud_id: Option<&str>) -> Decision {
    let refusal =
        |status, phrase, why, is_failure| Decision::NotByKey(KeyRefusal { status, phrase, why, is_failure });
    let (key, cloud_id) = match key {
        NamedKey::None => return Decision::No,
        NamedKey::Unknown(_) => {
            let why = "there is no such access key, or not with an account of this cloud id";
            return refusal(403, "Unknown access key", why, true);
        }
        NamedKey::Known(key, cloud_id) => (key, cloud_id),
    };
    if key.revoked_at.is_some() {
        return refusal(403, "The access key is revoked", "the access key is revoked", false);
    }
    if dialled_cloud_id.is_some_and(|dialled| dialled != cloud_id) {
        let why = "the dialled host names the cloud id of another account than the access key";
        return refusal(403, "The access key is of another cloud id", why, true);
    }
    let why = match found.filter(|service| service.account == key.account) {
        None => "the account of the access key has no inbound service of this name",
        Some(service) if !service.access.webrtc => {
            "the service does not admit browsers by access key (access.webrtc)"
        }
        Some(_) => "the access key does not name the service",
    };
    // All three look the same to the caller: it learns no names.
    refusal(404, "No such service", why, false)
}

/// The address by whose network a caller may be admitted. `None`: a page of another site is behind it, and the network that
/// its reader sits in is none of its own.
pub(crate) fn network_of(flow: Flow) -> Option<IpAddr> {
    (!flow.is_foreign).then(|| flow.remote.ip().to_canonical())
}

/// So few addresses are in it that they are those of an office rather than of everyone: 256 of IPv4, a site of IPv6.
fn is_of_few(network: &IpNet) -> bool {
    match network {
        IpNet::V4(network) => network.prefix_len() >= 24,
        IpNet::V6(network) => network.prefix_len() >= 48,
    }
}

/// A token is good for the name that it was made for: as it was dialled, or as the service that was found is called, unless
/// that takes many names.
fn is_for(token: &CallToken, dialled: &str, service: &InboundService) -> bool {
    let name = service.name.as_str();
    is_same_name(&token.service, dialled) || (!name.ends_with('*') && is_same_name(&token.service, name))
}

/// A guest's link is good for the services that lead to its conference, and for none that asks where to.
fn is_guest_of(guest: &GuestToken, service: &InboundService, rest: &str) -> bool {
    let Action::Conference(action) = &service.action else { return false };
    guest.account == service.account && action.conference_name(rest).as_ref() == Some(&guest.conference)
}
