//! Outgoing calls, trunks and transfers: baresip and SIPp are called, and where a test has to see or say every
//! message, a provider and a desk phone that speak SIP over UDP by hand.
#![allow(missing_docs)]

mod support;

use serde_json::{Value, json};
use std::{
    net::UdpSocket,
    process::{Child, Command, Stdio},
};
use support::{
    Phone, Server, assert_hears, free_port,
    peer::{Peer, SDP, header},
    wait_for,
};

fn put_trunk(server: &Server, name: &str, body: &Value) {
    let body = body.to_string();
    let (status, answer) = server.curl(&["-X", "PUT", "-d", &body], &format!("/v1/trunks/{name}"));
    assert!(matches!(status, 200 | 201), "{status} {answer}");
}

fn invite(server: &Server, body: &Value) -> (u16, Value) {
    server.curl(&["-d", &body.to_string()], "/v1/conferences/Tea/participants")
}

/// Begins to call; the path of the participant.
#[track_caller]
fn begin(server: &Server, body: &Value) -> String {
    let (status, participant) = invite(server, body);
    assert_eq!(status, 202, "{participant}");
    format!("/v1/conferences/Tea/participants/{}", participant["participant_id"].as_str().unwrap())
}

#[track_caller]
fn wait_for_state(server: &Server, path: &str, state: &str) -> Value {
    wait_for(state, || {
        let participant = server.get(path);
        (participant["state"] == state).then_some(participant)
    })
}

#[track_caller]
fn wait_for_answer(server: &Server, path: &str) -> Value {
    wait_for("an answer", || {
        let participant = server.get(path);
        (participant["state"] == "in" || participant["state"] == "waiting").then_some(participant)
    })
}

/// A trunk that is this peer and serves everything that a test calls.
fn trunk_to(peer: &Peer) -> Value {
    json!({ "uri": format!("sip:{}", peer.me), "prefixes": ["*"], "hosts": ["127.0.0.1"] })
}

#[test]
fn a_called_participant_answers_hears_and_is_heard() {
    let server = Server::start("");
    let ann = Phone::call(&server.uri("conf-Tea"), 500, "PCMU");
    server.wait_for_participants("Tea", 1);
    let (ben, address) = Phone::listen("<sip:ben@127.0.0.1>;regint=0", 1100);
    // Nothing is called that no trunk serves.
    let to = json!({ "to": format!("sip:ben@{address}") });
    assert_eq!(invite(&server, &to).1["code"], "1301");
    assert_eq!(invite(&server, &json!({ "to": "tel:+441908273800" })).1["code"], "1301");
    put_trunk(&server, "office", &json!({ "uri": "sip:127.0.0.1", "hosts": ["127.0.0.1"] }));
    assert_eq!(invite(&server, &json!({ "to": "sip:ben@elsewhere.example" })).1["code"], "1301");
    let path = begin(&server, &to);
    let participant = wait_for_answer(&server, &path);
    assert_eq!((&participant["trunk"], &participant["direction"]), (&json!("office"), &json!("out")));
    let ids = server.wait_for_participants("Tea", 2);
    assert_eq!(participant["participant_id"], ids[1]);
    assert_hears(&ann, &[1100], &[500, 1100]);
    assert_hears(&ben, &[500], &[500, 1100]);
    assert_eq!(server.get("/v1/trunks/office")["status"]["calls"], 1);
    assert_eq!(server.curl(&["-X", "DELETE"], &path).0, 204);
    server.wait_for_participants("Tea", 1);
    assert_eq!(wait_for_state(&server, &path, "ended")["reason"], "Ejected from the conference");
}

#[test]
fn refusals_end_as_states_and_redirections_lead_nowhere_else() {
    let server = Server::start("[conferences]\nunreserved_max_participants = 1\n");
    let provider = Peer::new(&server);
    put_trunk(&server, "provider", &trunk_to(&provider));
    for (status, extra, code) in [
        ("486 Busy Here", "", 486),
        ("603 Decline", "", 603),
        ("302 Moved Temporarily", "Contact: <sip:premium@192.0.2.1>\r\n", 302),
    ] {
        let path = begin(&server, &json!({ "to": "tel:+441908273800", "from": "1234" }));
        let request = provider.wait("INVITE");
        assert!(request.starts_with(&format!("INVITE sip:+441908273800@{}", provider.me)), "{request}");
        assert!(header(&request, "From").starts_with("<sip:1234@127.0.0.1>"), "{request}");
        // Its seat is taken while it is called.
        let (full, answer) = invite(&server, &json!({ "to": "tel:+44" }));
        assert_eq!((full, &answer["code"]), (409, &json!("1206")));
        provider.answer(&request, status, extra, "");
        provider.wait("ACK");
        let participant = wait_for_state(&server, &path, "failed");
        assert_eq!(participant["status"], code, "{participant}");
    }
    wait_for("nothing to stay behind", || (server.get("/conference_list") == json!([])).then_some(()));
}

#[test]
fn who_does_not_answer_in_time_or_is_not_wanted_any_more_is_cancelled() {
    let server = Server::start("");
    let provider = Peer::new(&server);
    put_trunk(&server, "provider", &trunk_to(&provider));
    let phone = Peer::new(&server);
    let cancelled = |path: &str, request: &str, state: &str| {
        let cancel = provider.wait("CANCEL");
        provider.answer(&cancel, "200 OK", "", "");
        provider.answer(request, "487 Request Terminated", "", "");
        provider.wait("ACK");
        wait_for_state(&server, path, state)
    };
    let path = begin(&server, &json!({ "to": "tel:+44", "ring_s": 5 }));
    let request = provider.wait("INVITE");
    // Those who may call a conference may follow it: they see who is being called.
    phone.say("SUBSCRIBE", "conf-Tea", "follow", 1, "", "Event: conference\r\nExpires: 300\r\n", "");
    let document = phone.wait("NOTIFY");
    assert!(
        document.contains("<display-text>+…4<") && document.contains("<status>dialing-out<"),
        "{document}"
    );
    provider.answer(&request, "180 Ringing", "", "");
    wait_for_state(&server, &path, "ringing");
    let document = phone.wait("NOTIFY");
    assert!(document.contains("<status>alerting<"), "{document}");
    assert_eq!(cancelled(&path, &request, "failed")["status"], 408);

    let path = begin(&server, &json!({ "to": "tel:+44" }));
    let request = provider.wait("INVITE");
    provider.answer(&request, "183 Session Progress", "", SDP);
    wait_for_state(&server, &path, "ringing");
    assert_eq!(server.curl(&["-X", "DELETE"], &path).0, 204);
    assert_eq!(cancelled(&path, &request, "ended")["reason"], "Ejected from the conference");
}

#[test]
fn a_provider_that_asks_for_a_password_gets_the_answer() {
    let server = Server::start("");
    let provider = Peer::new(&server);
    let mut trunk = trunk_to(&provider);
    trunk["user"] = json!("me");
    trunk["password"] = json!("open sesame");
    trunk["asserted_identity"] = json!("tel:+441908000000");
    trunk["plus"] = json!(false);
    put_trunk(&server, "provider", &trunk);
    let path = begin(&server, &json!({ "to": "tel:+441908273800" }));
    let first = provider.wait("INVITE sip:441908273800@");
    assert!(header(&first, "P-Asserted-Identity").contains("+441908000000"), "{first}");
    let challenge =
        "Proxy-Authenticate: Digest realm=\"provider\", nonce=\"abc\", algorithm=MD5, qop=\"auth\"\r\n";
    provider.answer(&first, "407 Proxy Authentication Required", challenge, "");
    let second = provider.wait("INVITE");
    let answer = header(&second, "Proxy-Authorization");
    assert!(answer.contains("username=\"me\"") && answer.contains("realm=\"provider\""), "{answer}");
    provider.answer(&second, "200 OK", "", SDP);
    wait_for_answer(&server, &path);
    assert_eq!(server.curl(&["-X", "DELETE"], &path).0, 204);
    provider.wait("BYE");
}

#[test]
fn a_trunk_registers_renews_and_unregisters() {
    let mut server = Server::start("");
    let provider = Peer::new(&server);
    let mut trunk = trunk_to(&provider);
    trunk["user"] = json!("me");
    trunk["password"] = json!("open sesame");
    trunk["register"] = json!(true);
    put_trunk(&server, "provider", &trunk);
    let status = || server.get("/v1/trunks/provider")["status"].clone();
    let first = provider.wait("REGISTER");
    let challenge =
        "WWW-Authenticate: Digest realm=\"provider\", nonce=\"abc\", algorithm=MD5, qop=\"auth\"\r\n";
    provider.answer(&first, "401 Unauthorized", challenge, "");
    let second = provider.wait("REGISTER");
    assert!(header(&second, "Authorization").contains("username=\"me\""), "{second}");
    let confirm = |request: &str, seconds: u32| {
        let (contact, _) = header(request, "Contact").split_once('>').unwrap();
        let answer = format!("Contact: {contact}>;expires={seconds}\r\n");
        provider.answer(request, "200 OK", &answer, "");
    };
    // Short ones are renewed after half of their time.
    confirm(&second, 12);
    wait_for("the registration", || (status()["registration"] == "registered").then_some(()));
    let renewed = provider.wait("REGISTER");
    confirm(&renewed, 3600);
    let until = status()["registered_until"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert!(until > jiff::Timestamp::now(), "{until}");
    std::thread::scope(|scope| {
        scope.spawn(|| server.terminate());
        let last = wait_for("the registration to be taken back", || {
            let request = provider.wait("REGISTER");
            let gone = request.contains("Expires: 0") || request.contains("expires=0");
            gone.then_some(request)
        });
        confirm(&last, 0);
    });
}

/// SIPp that answers calls, at its address.
fn sipp_answers() -> (Child, String) {
    sipp_plays(&["-sn", "uas"])
}

/// SIPp with a scenario in which it is called, at its address.
fn sipp_plays(scenario: &[&str]) -> (Child, String) {
    let port = free_port();
    let child = Command::new("sipp")
        .args(["-i", "127.0.0.1", "-p", &port.to_string(), "-nostdin", "-timeout", "60"])
        .args(scenario)
        .env("TERM", "xterm")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("SIPp is installed (make test does that)");
    (child, format!("127.0.0.1:{port}"))
}

#[test]
fn where_the_first_trunk_is_dead_the_second_is_taken() {
    let server = Server::start("");
    let (mut sipp, address) = sipp_answers();
    // It takes everything and says nothing.
    let dead = UdpSocket::bind("127.0.0.1:0").unwrap();
    let body = |uri: String, priority| json!({ "uri": uri, "prefixes": ["+44"], "priority": priority });
    put_trunk(&server, "first", &body(format!("sip:{}", dead.local_addr().unwrap()), 1));
    put_trunk(&server, "second", &body(format!("sip:{address}"), 2));
    let path = begin(&server, &json!({ "to": "tel:+441908273800" }));
    let participant = wait_for_answer(&server, &path);
    assert_eq!(participant["trunk"], "second", "{participant}");
    let error = server.get("/v1/trunks/first")["status"]["last_error"].clone();
    assert!(error.as_str().unwrap().contains("408"), "{error}");
    // The one that is named is the only one.
    let busy = Peer::new(&server);
    put_trunk(&server, "first", &body(format!("sip:{}", busy.me), 1));
    let path = begin(&server, &json!({ "to": "tel:+44", "trunk": "first" }));
    busy.answer(&busy.wait("INVITE"), "503 Service Unavailable", "", "");
    assert_eq!(wait_for_state(&server, &path, "failed")["status"], 503);
    // Both ways count where calls are few.
    let mut few = body(format!("sip:{address}"), 2);
    few["calls_max"] = json!(1);
    put_trunk(&server, "second", &few);
    let (status, answer) = invite(&server, &json!({ "to": "tel:+44", "trunk": "second" }));
    assert_eq!((status, &answer["code"]), (409, &json!("1209")), "{answer}");
    let _ = sipp.kill();
    let _ = sipp.wait();
}

#[test]
fn a_redirection_is_followed_until_a_telephone_answers() {
    let server = Server::start("");
    let scenario = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sipp/uas_redirect.xml");
    let (mut sipp, address) = sipp_plays(&["-sf", scenario, "-m", "1"]);
    put_trunk(&server, "provider", &json!({ "uri": format!("sip:{address}"), "prefixes": ["*"] }));
    let path = begin(&server, &json!({ "to": "tel:+441908273800" }));
    wait_for_answer(&server, &path);
    assert_eq!(server.curl(&["-X", "DELETE"], &path).0, 204);
    let status = wait_for("SIPp to end", || sipp.try_wait().unwrap());
    assert!(status.success(), "SIPp was called as its scenario says: {status}");
}

#[test]
fn a_participant_of_sipp_is_transferred() {
    let server = Server::start("");
    let (mut bob, address) = sipp_answers();
    let trunk = json!({ "uri": format!("sip:{address}"), "hosts": ["127.0.0.1"] });
    put_trunk(&server, "provider", &trunk);
    server.put_service("lead", r#"{"conference": {"name": "Tea", "refer": "all"}}"#);
    support::sipp(&server, "lead", &["-sf", "refer.xml", "-m", "1", "-key", "target", &address]);
    server.wait_for_participants("Tea", 1);
    let _ = bob.kill();
    let _ = bob.wait();
}

#[test]
fn a_user_who_registered_over_tcp_is_called_over_that_connection() {
    let server = Server::start("");
    let put = |name: &str| {
        let path = format!("/v1/users/{name}");
        assert_eq!(server.curl(&["-X", "PUT", "-d", r#"{"password": "correct-horse"}"#], &path).0, 201);
    };
    let to = json!({ "to": "user:alice" });
    assert_eq!(invite(&server, &to).1["code"], "1105");
    put("alice");
    assert_eq!(invite(&server, &to).1["code"], "1210");
    let ann = Phone::call(&server.uri("conf-Tea"), 500, "PCMU");
    let account = format!("<sip:alice@{};transport=tcp>;auth_pass=correct-horse;regint=60", server.sip);
    let (alice, _) = Phone::listen(&account, 1100);
    let path = wait_for("alice to be registered", || {
        let (status, participant) = invite(&server, &to);
        let id = participant["participant_id"].as_str().unwrap_or_default();
        (status == 202).then(|| format!("/v1/conferences/Tea/participants/{id}"))
    });
    wait_for_answer(&server, &path);
    assert_hears(&ann, &[1100], &[500, 1100]);
    assert_hears(&alice, &[500], &[500, 1100]);
    let log = std::fs::read_to_string(server.folder.path().join("server.log")).unwrap();
    assert!(log.contains("registered user=alice flow=tcp"), "by TCP");
}

#[test]
fn a_participant_sends_its_place_on_where_its_service_says_so() {
    let server = Server::start("");
    let (provider, phone) = (Peer::new(&server), Peer::new(&server));
    put_trunk(&server, "provider", &trunk_to(&provider));
    // Not where nothing is said.
    let tag = phone.call("conf-Tea", "none", "");
    let refer_to = format!("Refer-To: <sip:bob@{}>\r\n", provider.me);
    phone.say("REFER", "conf-Tea", "none", 2, &tag, &refer_to, "");
    phone.wait("SIP/2.0 403");
    phone.say("BYE", "conf-Tea", "none", 3, &tag, "", "");
    phone.wait("SIP/2.0 200");
    server.put_service(
        "lead",
        r#"{"conference": {"name": "Tea", "refer": "all", "participant": {"destroy_on_exit": true}}}"#,
    );
    let member = Peer::new(&server);
    member.call("conf-Tea", "member", "");
    // Blind: the telephone stays until the call is answered.
    let tag = phone.call("lead", "blind", "");
    server.wait_for_participants("Tea", 2);
    phone.say("REFER", "lead", "blind", 2, &tag, &refer_to, "");
    phone.wait("SIP/2.0 202");
    assert!(phone.wait("NOTIFY").contains("SIP/2.0 100"));
    let request = provider.wait("INVITE sip:bob@");
    provider.answer(&request, "180 Ringing", "", "");
    assert!(phone.wait("NOTIFY").contains("SIP/2.0 180"));
    provider.answer(&request, "200 OK", "", SDP);
    provider.wait("ACK");
    let last = phone.wait("NOTIFY");
    assert!(
        last.contains("SIP/2.0 200") && header(&last, "Subscription-State").starts_with("terminated"),
        "{last}"
    );
    assert!(phone.wait("BYE").contains("taken the place"));
    server.wait_for_participants("Tea", 2);

    // One that is refused: the telephone stays.
    let tag = phone.call("lead", "refused", "");
    server.wait_for_participants("Tea", 3);
    phone.say("REFER", "lead", "refused", 2, &tag, &refer_to, "");
    provider.answer(&provider.wait("INVITE"), "486 Busy Here", "", "");
    wait_for("the refusal to be reported", || phone.wait("NOTIFY").contains("SIP/2.0 486").then_some(()));
    server.wait_for_participants("Tea", 3);

    // Attended: the other one is told whose place our call takes.
    let replaces =
        format!("Refer-To: <sip:bob@{}?Replaces=abc%3Bto-tag%3D1%3Bfrom-tag%3D2>\r\n", provider.me);
    phone.say("REFER", "lead", "refused", 3, &tag, &replaces, "");
    let request = provider.wait("INVITE");
    assert_eq!(header(&request, "Replaces"), "abc;to-tag=1;from-tag=2");
    provider.answer(&request, "200 OK", "", SDP);
    phone.wait("BYE");
    server.wait_for_participants("Tea", 3);
}

#[test]
fn a_leader_removes_a_member_and_a_member_nobody() {
    let server = Server::start("");
    server
        .put_service("lead", r#"{"conference": {"name": "Tea", "participant": {"destroy_on_exit": true}}}"#);
    let (leader, member) = (Peer::new(&server), Phone::call(&server.uri("conf-Tea"), 500, "PCMU"));
    server.wait_for_participants("Tea", 1);
    let other = Peer::new(&server);
    let tag = other.call("conf-Tea", "other", "");
    let refer_to = "Refer-To: <sip:tone500@127.0.0.1;method=BYE>\r\n";
    other.say("REFER", "conf-Tea", "other", 2, &tag, refer_to, "");
    other.wait("SIP/2.0 403");
    let tag = leader.call("lead", "leader", "");
    server.wait_for_participants("Tea", 3);
    leader.say("REFER", "lead", "leader", 2, &tag, refer_to, "");
    leader.wait("SIP/2.0 202");
    server.wait_for_participants("Tea", 2);
    assert!(member.log().contains("terminated") || member.log().contains("closed"), "{}", member.log());
}

#[test]
fn a_caller_outside_a_conference_has_it_invite() {
    let server = Server::start("");
    server.put_service("open-*", r#"{"conference": {"name": "{rest}", "refer": "all"}}"#);
    let (provider, phone) = (Peer::new(&server), Peer::new(&server));
    put_trunk(&server, "provider", &trunk_to(&provider));
    let refer_to = format!("Refer-To: <sip:bob@{}>\r\n", provider.me);
    phone.say("REFER", "conf-Tea", "denied", 1, "", &refer_to, "");
    phone.wait("SIP/2.0 403");
    phone.say("REFER", "open-Tea", "asked", 1, "", &refer_to, "");
    phone.wait("SIP/2.0 202");
    provider.answer(&provider.wait("INVITE"), "200 OK", "", SDP);
    wait_for("the answer to be reported", || phone.wait("NOTIFY").contains("SIP/2.0 200").then_some(()));
    server.wait_for_participants("Tea", 1);
}

#[test]
fn a_telephone_is_sent_elsewhere() {
    let server = Server::start("");
    let phone = Peer::new(&server);
    let tag = phone.call("conf-Tea", "moves", "");
    let id = server.wait_for_participants("Tea", 1).remove(0);
    let path = format!("/v1/conferences/Tea/participants/{id}");
    let (status, participant) =
        server.curl(&["-d", r#"{"to": "sip:bob@elsewhere.example"}"#], &format!("{path}/transfer"));
    assert_eq!((status, &participant["transfer"]["state"]), (202, &json!("asked")), "{participant}");
    let refer = phone.wait("REFER");
    assert_eq!(header(&refer, "Refer-To"), "<sip:bob@elsewhere.example>");
    phone.answer(&refer, "202 Accepted", "", "");
    let notify = |cseq: u32, state: &str, body: &str| {
        let extra =
            format!("Event: refer\r\nSubscription-State: {state}\r\nContent-Type: message/sipfrag\r\n");
        phone.say("NOTIFY", "conf-Tea", "moves", cseq, &tag, &extra, body);
        phone.wait("SIP/2.0 200");
    };
    notify(2, "active;expires=60", "SIP/2.0 180 Ringing\r\n");
    wait_for("the progress", || (server.get(&path)["transfer"]["state"] == "trying").then_some(()));
    notify(3, "terminated;reason=noresource", "SIP/2.0 200 OK\r\n");
    phone.wait("BYE");
    let participant = wait_for_state(&server, &path, "ended");
    assert_eq!(
        (&participant["transfer"]["state"], &participant["transfer"]["status"]),
        (&json!("done"), &json!(200))
    );
}

#[test]
fn a_trunk_may_call_in_and_say_who_calls() {
    let server = Server::start("[signalling]\ntrusted = []\n");
    let provider = Peer::new(&server);
    let refused = |user: &str, call_id: &str| {
        provider.say("INVITE", user, call_id, 1, "", "Content-Type: application/sdp\r\n", SDP);
        provider.wait("SIP/2.0 403");
    };
    refused("conf-Tea", "stranger");
    let mut trunk = trunk_to(&provider);
    trunk["networks"] = json!(["127.0.0.1"]);
    put_trunk(&server, "provider", &trunk);
    server.put_service("closed", r#"{"conference": {"name": "Closed"}, "access": {"trunks": false}}"#);
    refused("closed", "closed");
    provider.call("conf-Tea", "shown", "P-Asserted-Identity: <sip:+441908000000@provider.example>\r\n");
    provider.call(
        "conf-Tea",
        "hidden",
        "P-Asserted-Identity: <sip:+441908111111@p.example>\r\nPrivacy: id\r\n",
    );
    server.wait_for_participants("Tea", 2);
    let participants = server.get("/v1/conferences/Tea/participants")["items"].take();
    assert_eq!(
        (&participants[0]["from"], &participants[1]["from"]),
        (&json!("+441908000000"), &json!("anonymous"))
    );
    assert_eq!(server.get("/v1/trunks/provider")["status"]["calls"], 2);
    let log = std::fs::read_to_string(server.folder.path().join("server.log")).unwrap();
    assert!(!log.contains("441908111111"), "not in the log either");
}

#[test]
fn a_trunk_is_tested_by_options_and_by_a_call_that_is_answered_and_ended() {
    let server = Server::start("");
    let (_ben, address) = Phone::listen("<sip:ben@127.0.0.1>;regint=0", 1100);
    put_trunk(&server, "office", &json!({ "uri": format!("sip:{address}"), "hosts": ["127.0.0.1"] }));
    let test = |trunk: &str, body: Value| {
        server.curl(&["-d", &body.to_string()], &format!("/v1/trunks/{trunk}/test"))
    };
    let (status, tested) = test("office", json!({}));
    assert_eq!((status, &tested["call"]), (200, &Value::Null), "{tested}");
    assert!(tested["options"]["status"].is_number() && tested["options"]["error"].is_null(), "{tested}");
    let (status, tested) = test("office", json!({ "to": format!("sip:ben@{address}") }));
    assert_eq!(status, 200, "{tested}");
    let call = &tested["call"];
    assert_eq!((&call["outcome"], &call["status"]), (&json!("answered"), &json!(200)), "{tested}");
    let times = ["answered_after_ms", "ended_after_ms"].map(|member| call[member].as_u64().expect("a time"));
    assert!(times[0] <= times[1], "{tested}");
    wait_for("its call to be over", || {
        (server.get("/v1/trunks/office")["status"]["calls"] == 0).then_some(())
    });
    // Nobody is there.
    put_trunk(&server, "gone", &json!({ "uri": "sip:127.0.0.1:9;transport=tcp", "hosts": ["127.0.0.1"] }));
    let (status, tested) = test("gone", json!({ "to": "sip:ben@127.0.0.1:9", "wait_s": 5 }));
    assert_eq!(status, 200, "{tested}");
    assert!(tested["options"]["status"].is_null() && tested["options"]["error"].is_string(), "{tested}");
    assert_ne!(tested["call"]["outcome"], "answered", "{tested}");
    assert_eq!(test("office", json!({ "to": "sip:ben@elsewhere.example" })).1["code"], "1301");
    assert_eq!(test("office", json!({ "wait_s": 4 })).1["errors"][0]["pointer"], "/wait_s");
    assert_eq!(test("nothing", json!({})).1["code"], "1106");
}
