//! Each way by which a caller may be admitted, and how the others are refused.

mod support;

use plenary_calls::question::{Answer, ParticipantsQuestion, Question};
use plenary_conference::{AccountId, ConferenceName, conferences::ConferenceRef};
use plenary_model::{Access, Action, CallEntry, EndedBy, InboundService, Token, WebRtcKey};
use plenary_sip::{CallId, Flow, SipEvent, Transport, digest::Authorization};
use support::{
    ACCOUNT, EPOCH, From, PASSWORD, World, all_users, announcement, bearer, browser, entry, flow,
    from_networks, from_trunks, guest, no_access, service, token, trunk,
};

/// What admitted each participant, and who they are.
fn admitted_by(world: &mut World) -> Vec<(String, Option<&'static str>)> {
    let which = ConferenceRef::Name(ConferenceName::new("Tea"));
    let question =
        world.ask(Question::Participants { account: ACCOUNT, which, what: ParticipantsQuestion::Roster });
    match world.answer_to(question) {
        Answer::Roster(reports) => {
            reports.unwrap().into_iter().map(|report| (report.from, report.admitted_by)).collect()
        }
        other => panic!("{other:?}"),
    }
}

fn at(ip: [u8; 4]) -> From {
    From { flow: flow(Transport::Udp, ip, 5060), ..From::default() }
}

#[test]
fn callers_come_in_by_the_networks_of_the_service() {
    let mut world = World::new();
    let call = world.incoming("conf-Tea", From::default());
    assert_eq!(world.said(), ["ring 1", "answer 1"]);
    assert!(world.roster("Tea").is_empty(), "not before the ACK");
    world.confirm(call);
    assert_eq!(world.roster("Tea"), [1]);
    assert_eq!(admitted_by(&mut world), [("bob".to_owned(), Some("network"))]);
    world.bye(call);
    world.assert_clean();
}

#[test]
fn a_service_without_networks_takes_those_of_trusted_ones() {
    let mut world = World::new();
    world.store.services.push(service("open", Access::default()));
    world.incoming("open", at([127, 0, 0, 1]));
    assert_eq!(world.said(), ["ring 1", "answer 1"]);
    world.incoming("open", at([10, 0, 0, 1]));
    assert_eq!(world.said(), ["failure", "reject 2 403"]);
}

#[test]
fn a_network_counts_for_nothing_behind_a_page_of_another_site() {
    let mut world = World::new();
    let mut foreign = flow(Transport::Wss, [10, 0, 0, 1], 9000);
    foreign.is_foreign = true;
    world.incoming("conf-Tea", From { flow: foreign, ..From::default() });
    assert_eq!(world.said(), ["failure", "reject 1 403"]);
}

#[test]
fn strangers_learn_nothing_of_which_services_there_are() {
    let mut world = World::new();
    world.incoming("conf-Tea", at([203, 0, 113, 1]));
    world.incoming("nothing", at([203, 0, 113, 1]));
    assert_eq!(world.said(), ["failure", "reject 1 403", "failure", "reject 2 403"]);
    world.store.users.insert("alice".to_owned(), ACCOUNT);
    world.incoming("conf-Tea", at([203, 0, 113, 1]));
    world.incoming("nothing", at([203, 0, 113, 1]));
    assert_eq!(world.said(), ["reject 3 401", "reject 4 401"], "asking is no failure");
    world.incoming("nothing", at([127, 0, 0, 1]));
    assert_eq!(world.said(), ["reject 5 404"], "whom we trust may know");
    world.assert_clean();
}

#[test]
fn trunks_bring_callers_up_to_their_number_of_calls_and_say_who_they_are() {
    let mut world = World::new();
    world.store.services.push(service("lines", from_trunks()));
    let mut provider = trunk("provider", 1);
    (provider.settings.networks, provider.settings.calls_max) = (vec!["172.16.0.0/12".parse().unwrap()], 1);
    world.set_trunks(vec![provider]);
    let by_trunk = || From { asserted: Some("+4930123456"), ..at([172, 16, 0, 9]) };
    let first = world.incoming("lines", by_trunk());
    world.confirm(first);
    let second = world.incoming("lines", by_trunk());
    assert_eq!(world.said(), ["ring 1", "answer 1", "reject 2 503"]);
    let question = world.ask(Question::Participants {
        account: ACCOUNT,
        which: ConferenceRef::Name(ConferenceName::new("lines")),
        what: ParticipantsQuestion::Roster,
    });
    let Answer::Roster(Ok(reports)) = world.answer_to(question) else { panic!("no reports") };
    assert_eq!((reports[0].from.as_str(), reports[0].admitted_by), ("+4930123456", Some("trunk")));
    world.bye(first);
    world.incoming("lines", by_trunk());
    assert_eq!(world.said(), ["ring 3", "answer 3"], "the line is free again");
    assert_ne!(first, second);
}

#[test]
fn users_show_who_they_are_by_their_password() {
    let mut world = World::new();
    world.store.services.push(service("members-*", all_users()));
    world.store.users.insert("alice".to_owned(), ACCOUNT);
    world.store.users.insert("eve".to_owned(), AccountId(2));
    let with = |world: &World, user, password| From {
        authorizations: world.answer_to_challenge(user, password, "INVITE"),
        ..at([203, 0, 113, 1])
    };
    world.incoming("members-Tea", at([203, 0, 113, 1]));
    assert_eq!(world.said(), ["reject 1 401"]);
    let from = with(&world, "alice", "wrong");
    world.incoming("members-Tea", from);
    assert_eq!(world.said(), ["failure", "reject 2 401"]);
    let from = with(&world, "eve", PASSWORD);
    world.incoming("members-Tea", from);
    assert_eq!(world.said(), ["failure", "reject 3 403"], "a user of another account");
    assert_eq!(world.successes.len(), 1, "whose password is right");
    // A nonce is good for one answer without a count.
    world.incoming("members-Tea", at([203, 0, 113, 1]));
    let from = with(&world, "alice", PASSWORD);
    let call = world.incoming("members-Tea", from);
    assert_eq!(world.said().last().unwrap(), &format!("answer {call}"));
    world.confirm(call);
    assert_eq!(admitted_by(&mut world), [("alice".to_owned(), Some("user"))]);
}

/// Where a known caller is permitted, those who guess names there do not shut the others out. A scanner that calls what is open to
/// all is not known by that.
#[test]
fn a_caller_is_known_by_a_trunk_or_a_network_of_few_and_not_by_what_is_open_to_all() {
    let mut world = World::new();
    let mut line = trunk("one", 1);
    line.settings.networks = vec!["203.0.113.0/24".parse().unwrap()];
    world.set_trunks(vec![line]);
    world.store.services.push(service("Trunked", from_trunks()));
    for (name, networks) in [
        ("Open", &["0.0.0.0/0", "::/0"][..]),
        ("Region", &["198.51.0.0/16", "2001:db8::/32"]),
        ("Office", &["192.0.2.0/24", "2001:db8:1::/48"]),
        ("Both", &["0.0.0.0/0", "192.0.2.0/24"]),
    ] {
        let networks = networks.iter().map(|network| network.parse().unwrap()).collect();
        world.store.services.push(service(name, Access { networks: Some(networks), ..no_access() }));
    }
    world.store.services.push(service("web-*", Access { webrtc: true, ..no_access() }));
    world.store.keys = vec![access_key("k3y", None, false)];
    let by_key = || From {
        user: "anna",
        host: "k3y.webrtc-1-2-0.example.org",
        flow: browser(9000),
        ..From::default()
    };
    let over_ipv6 = |ip: &str| From {
        flow: Flow { remote: format!("[{ip}]:5060").parse().unwrap(), ..flow(Transport::Udp, [0; 4], 5060) },
        ..From::default()
    };
    // Permitted and known, permitted alone.
    let reported = |world: &mut World, dialled: &str, from: From| {
        world.successes.clear();
        world.unknown.clear();
        world.incoming(dialled, from);
        (world.successes.len(), world.unknown.len())
    };
    let (known, permitted, neither) = ((1, 0), (0, 1), (0, 0));
    assert_eq!(reported(&mut world, "Trunked", at([203, 0, 113, 1])), known, "by its trunk");
    assert_eq!(reported(&mut world, "Open", at([203, 0, 113, 1])), permitted);
    assert_eq!(reported(&mut world, "Open", over_ipv6("2001:db8::1")), permitted);
    assert_eq!(reported(&mut world, "Region", at([198, 51, 100, 1])), permitted);
    assert_eq!(reported(&mut world, "Region", over_ipv6("2001:db8::1")), permitted);
    assert_eq!(reported(&mut world, "Office", at([192, 0, 2, 1])), known, "by its network");
    assert_eq!(reported(&mut world, "Office", over_ipv6("2001:db8:1::1")), known);
    assert_eq!(reported(&mut world, "Both", at([192, 0, 2, 1])), known);
    assert_eq!(reported(&mut world, "Both", at([198, 51, 100, 1])), permitted);
    assert_eq!(reported(&mut world, "web-Tea", by_key()), permitted, "an access key is no secret");
    assert_eq!(reported(&mut world, "web-Tea", by_key()), permitted);
    assert_eq!(reported(&mut world, "web-Tea", by_key()), neither, "it is beyond its limit");
    assert_eq!(reported(&mut world, "conf-Tea", at([203, 0, 113, 1])), neither, "a stranger");
    let source = "192.0.2.1".parse().unwrap();
    world.sip_event(SipEvent::Permitted { source });
    assert_eq!(world.permitted, [source], "it is kept over restarts");
}

/// A client sends the tokens of all realms that it knows.
#[test]
fn of_several_tokens_the_one_that_is_good_here_counts_wherever_it_stands() {
    let mut world = World::new();
    world.store.services.push(service("shop-*", Access { tokens: true, ..no_access() }));
    world.store.tokens.insert("old".to_owned(), Token::Expired);
    world.store.tokens.insert("coffee".to_owned(), token(ACCOUNT, "shop-Coffee"));
    world.store.tokens.insert("tea".to_owned(), token(ACCOUNT, "shop-Tea"));
    let with = |tokens: &[&str]| {
        let all: Vec<_> = tokens.iter().map(|token| Authorization::Bearer((*token).to_owned())).collect();
        From { authorizations: all.into(), ..at([203, 0, 113, 1]) }
    };
    for tokens in [["theirs", "tea"], ["tea", "theirs"], ["old", "tea"], ["coffee", "tea"]] {
        let call = world.incoming("shop-Tea", with(&tokens));
        assert_eq!(world.said(), [format!("ring {call}"), format!("answer {call}")], "{tokens:?}");
        world.confirm(call);
        world.bye(call);
    }
    // Who brings one that is too old is told so, and has not guessed.
    let call = world.incoming("shop-Tea", with(&["theirs", "old"]));
    assert_eq!(world.said(), [format!("reject {call} 401")]);
    let call = world.incoming("shop-Tea", with(&["theirs", "others"]));
    assert_eq!(world.said(), ["failure".to_owned(), format!("reject {call} 401")]);
}

#[test]
fn an_answer_to_a_challenge_of_another_address_is_worth_nothing() {
    let mut world = World::new();
    world.store.services.push(service("members-*", all_users()));
    world.store.users.insert("alice".to_owned(), ACCOUNT);
    world.incoming("members-Tea", at([203, 0, 113, 1]));
    let authorizations = world.answer_to_challenge("alice", PASSWORD, "INVITE");
    world.said();
    world.incoming("members-Tea", From { authorizations, ..at([203, 0, 113, 2]) });
    assert_eq!(world.said().last().unwrap(), "reject 2 401");
}

#[test]
fn tokens_open_the_name_that_they_were_made_for() {
    let mut world = World::new();
    world.store.services.push(service("shop-*", Access { tokens: true, ..no_access() }));
    world.store.tokens.insert("good".to_owned(), token(ACCOUNT, "shop-Tea"));
    world.store.tokens.insert("foreign".to_owned(), token(AccountId(2), "shop-Tea"));
    let with = |token: &str| From { authorizations: bearer(token), ..at([203, 0, 113, 1]) };
    world.incoming("shop-Coffee", with("good"));
    assert_eq!(world.said(), ["failure", "reject 1 403"]);
    world.incoming("shop-Tea", with("foreign"));
    assert_eq!(world.said(), ["failure", "reject 2 403"]);
    world.incoming("shop-Tea", with("made up"));
    assert_eq!(world.said(), ["failure", "reject 3 401"]);
    let call = world.incoming("shop-Tea", with("good"));
    assert_eq!(world.said(), ["ring 4", "answer 4"]);
    assert_eq!(world.successes.len(), 1);
    world.confirm(call);
    assert_eq!(admitted_by(&mut world), [("bob".to_owned(), Some("token"))]);
}

#[test]
fn the_code_of_a_guests_link_opens_its_conference_alone() {
    let mut world = World::new();
    let for_guests = Access { tokens: true, ..no_access() };
    world.store.services.push(service("open-*", for_guests.clone()));
    world.store.services.push(service("closed-*", no_access()));
    world.store.services.push(InboundService { access: for_guests, ..entry("rooms") });
    world.store.tokens.insert("tea".to_owned(), guest(ACCOUNT, "Tea", None));
    world.store.tokens.insert("foreign".to_owned(), guest(AccountId(2), "Tea", None));
    world.store.tokens.insert("over".to_owned(), Token::Expired);
    let with = |token: &str| From { authorizations: bearer(token), ..at([203, 0, 113, 1]) };
    for (number, dialled, code, said) in [
        (1, "open-Coffee", "tea", "reject 1 403"),
        (2, "closed-Tea", "tea", "reject 2 403"),
        (3, "rooms", "tea", "reject 3 403"),
        (4, "open-Tea", "foreign", "reject 4 403"),
    ] {
        world.incoming(dialled, with(code));
        assert_eq!(world.said(), ["failure", said], "{number}: {dialled} with {code}");
    }
    world.incoming("open-Tea", with("over"));
    assert_eq!(world.said(), ["reject 5 401"], "an old link is no guess");
    world.incoming("open-Tea", with("made up"));
    assert_eq!(world.said(), ["failure", "reject 6 401"]);
    let call = world.incoming("open-Tea", with("tea"));
    assert_eq!(world.said(), ["ring 7", "answer 7"]);
    assert_eq!(world.successes.len(), 1);
    world.confirm(call);
    assert_eq!(admitted_by(&mut world), [("bob".to_owned(), Some("guest"))]);
    // A telephone does not register with it.
    world.register("bob", flow(Transport::Udp, [203, 0, 113, 1], 5060), bearer("tea"));
    assert_eq!(world.said(), ["failure", "refuse 101 403"]);
}

#[test]
fn a_guest_is_no_leader_by_whichever_service() {
    let mut world = World::new();
    let mut leads = service("lead-*", Access { tokens: true, ..no_access() });
    let Action::Conference(action) = &mut leads.action else { panic!() };
    action.participant.destroy_on_exit = true;
    world.store.services.push(leads);
    world.store.tokens.insert("guest".to_owned(), guest(ACCOUNT, "Tea", None));
    world.store.tokens.insert("token".to_owned(), token(ACCOUNT, "lead-Tea"));
    let with = |token: &str| From { authorizations: bearer(token), ..at([203, 0, 113, 1]) };
    for token in ["guest", "token"] {
        let call = world.incoming("lead-Tea", with(token));
        world.confirm(call);
    }
    let which = ConferenceRef::Name(ConferenceName::new("Tea"));
    let question =
        world.ask(Question::Participants { account: ACCOUNT, which, what: ParticipantsQuestion::Roster });
    let Answer::Roster(Ok(reports)) = world.answer_to(question) else { panic!() };
    let leaders: Vec<_> = reports.into_iter().map(|report| (report.admitted_by, report.is_leader)).collect();
    assert_eq!(leaders, [(Some("guest"), false), (Some("token"), true)]);
}

#[test]
fn a_guest_who_is_early_is_diverted_or_hears_that_it_has_not_started() {
    let mut world = World::new();
    world.store.services.push(service("open-*", Access { tokens: true, ..no_access() }));
    world.store.services.push(announcement("later", &["wait.wav"]));
    world.store.tokens.insert("early".to_owned(), guest(ACCOUNT, "Tea", Some(None)));
    world.store.tokens.insert("diverted".to_owned(), guest(ACCOUNT, "Tea", Some(Some("later"))));
    let with = |token: &str| From { authorizations: bearer(token), ..at([203, 0, 113, 1]) };
    // Another conference of this name takes place now.
    let call = world.incoming("conf-Tea", From::default());
    world.confirm(call);
    world.said();
    world.successes.clear();
    world.incoming("open-Tea", with("early"));
    assert_eq!(world.said(), ["reject 2 486"]);
    world.incoming("open-Tea", with("diverted"));
    assert_eq!(world.said(), ["ring 3", "answer 3"]);
    assert_eq!(world.successes.len(), 2, "their links are good");
    assert_eq!(world.roster("Tea"), [1], "neither is in it");
    // Who may come without the link comes without it.
    world.incoming("conf-Tea", From { authorizations: bearer("early"), ..From::default() });
    assert_eq!(world.said(), ["ring 4", "answer 4"]);
}

fn access_key(key: &str, services: Option<&[&str]>, revoked: bool) -> (WebRtcKey, String) {
    let key = WebRtcKey {
        key: key.to_owned(),
        account: ACCOUNT,
        services: services.map(|names| names.iter().map(|name| (*name).to_owned()).collect()),
        created_at: EPOCH,
        updated_at: EPOCH,
        revoked_at: revoked.then_some(EPOCH),
    };
    (key, "1-2-0".to_owned())
}

#[test]
fn browsers_come_in_by_an_access_key_within_limits_of_their_own() {
    let mut world = World::new();
    world.store.services.push(service("web-*", Access { webrtc: true, ..no_access() }));
    world.store.services.push(service("other", Access { webrtc: true, ..no_access() }));
    world.store.keys = vec![access_key("k3y", Some(&["web-*"]), false), access_key("old", None, true)];
    let with = |host| From { user: "anna", host, flow: browser(9000), ..From::default() };
    let good = "k3y.webrtc-1-2-0.example.org";
    world.incoming("web-Tea", with("n0ne.webrtc-1-2-0.example.org"));
    assert_eq!(world.said(), ["failure", "reject 1 403"], "a guess");
    world.incoming("web-Tea", with("old.webrtc-1-2-0.example.org"));
    assert_eq!(world.said(), ["reject 2 403"], "revoked, which counts as no failure");
    world.incoming("other", with(good));
    assert_eq!(world.said(), ["reject 3 404"], "the key does not name it");
    let over_udp = From { flow: flow(Transport::Udp, [198, 51, 100, 7], 9000), ..with(good) };
    world.incoming("web-Tea", over_udp);
    assert_eq!(world.said(), ["failure", "reject 4 403"], "a key counts over WebSockets only");
    let first = world.incoming("web-Tea", with(good));
    world.incoming("web-Tea", with(good));
    world.incoming("web-Tea", with(good));
    assert_eq!(world.said(), ["ring 5", "answer 5", "ring 6", "answer 6", "reject 7 503"]);
    world.confirm(first);
    assert_eq!(admitted_by(&mut world), [("anna".to_owned(), Some("webrtc"))]);
    world.bye(first);
    world.incoming("web-Tea", with(good));
    assert_eq!(world.said(), ["ring 8", "answer 8"], "one has left");
}

#[test]
fn an_announcement_is_heard_and_ends_its_call() {
    let mut world = World::new();
    world.store.services.push(announcement("closed", &["closed.wav"]));
    let call = world.incoming("closed", From::default());
    world.confirm(call);
    assert!(world.media.contains(&"play call 1 closed.wav".to_owned()), "{:?}", world.media);
    world.said();
    world.play_finished();
    assert_eq!(world.said(), ["hang up 1: The announcement is over"]);
    world.ended(call);
    world.assert_clean();
    assert_eq!(world.records.len(), 2, "{:?}", world.records);
}

/// What the records say of a call that is over and was not answered: conference, trunk, cause and who ended it.
fn not_answered(world: &mut World) -> Vec<(Option<String>, String, EndedBy)> {
    let records = std::mem::take(&mut world.records);
    let whole = records.chunks(2).map(|entries| match entries {
        [
            CallEntry::Started { call, dialog: None },
            CallEntry::Ended { id, cause, ended_by, stats: None, .. },
        ] => {
            assert_eq!((&call.id, call.answered_at, call.account), (id, None, ACCOUNT));
            (call.conference.clone(), cause.clone(), *ended_by)
        }
        other => panic!("{other:?}"),
    });
    whole.collect()
}

#[test]
fn a_call_that_is_refused_or_given_up_is_on_record_if_it_got_to_a_service() {
    let mut world = World::new();
    world.reserve("Tea", 60, None);
    world.incoming("conf-Tea", From::default());
    let early = (Some("Tea".to_owned()), "486 The conference has not started".to_owned(), EndedBy::Service);
    assert_eq!(not_answered(&mut world), [early]);
    // Given up before it was up.
    let call = world.incoming("conf-Board", From::default());
    world.sip_event(SipEvent::Cancelled { call: CallId(call), reasons: Vec::new() });
    let given_up = (Some("Board".to_owned()), "cancelled".to_owned(), EndedBy::Remote);
    assert_eq!(not_answered(&mut world), [given_up]);
    // One who gets to no service leaves nothing: no account's records fill up with what strangers try.
    world.incoming("nowhere", From::default());
    world.incoming("conf-Tea", at([192, 0, 2, 1]));
    assert_eq!(world.records, []);
}

#[test]
fn early_callers_go_where_the_reservation_says_once() {
    let mut world = World::new();
    world.store.services.push(announcement("early", &["early.wav"]));
    world.reserve("Tea", 60, Some("early"));
    world.reserve("Loop", 60, Some("conf-Loop"));
    world.reserve("Gone", 60, Some("nothing"));
    world.reserve("Bare", 60, None);
    world.incoming("conf-Tea", From::default());
    assert_eq!(world.said(), ["ring 1", "answer 1"]);
    for name in ["conf-Loop", "conf-Gone", "conf-Bare"] {
        let call = world.incoming(name, From::default());
        assert_eq!(world.said(), [format!("ring {call}"), format!("reject {call} 486")], "{name}");
    }
    world.pass_ms(60 * 60_000);
    let call = world.enter("conf-Tea");
    assert_eq!(world.roster("Tea"), [call]);
}

#[test]
fn a_caller_without_a_seat_hears_that_it_is_full_and_a_seat_is_free_when_a_participant_leaves() {
    let mut world = World::new();
    let calls = [world.enter("conf-Tea"), world.enter("conf-Tea"), world.enter("conf-Tea")];
    world.said();
    world.incoming("conf-Tea", From::default());
    assert_eq!(world.said(), ["ring 4", "reject 4 486"]);
    world.bye(calls[1]);
    let last = world.enter("conf-Tea");
    assert_eq!(world.roster("Tea"), [calls[0], calls[2], last]);
}

#[test]
fn a_conference_that_is_not_one_and_an_offer_that_is_none_are_refused() {
    let mut world = World::new();
    world.incoming("conf-", From::default());
    assert_eq!(world.said(), ["ring 1", "reject 1 404"]);
    world.incoming("conf-Tea", From { offer: Some("nonsense".to_owned()), ..From::default() });
    assert_eq!(world.said()[..1], ["ring 2"]);
    world.assert_clean();
}

#[test]
fn another_network_of_the_same_service_does_not_open_it() {
    let mut world = World::new();
    world.store.services.push(service("narrow", from_networks("10.1.0.0/16")));
    world.incoming("narrow", at([10, 1, 0, 1]));
    world.incoming("narrow", at([10, 2, 0, 1]));
    assert_eq!(world.said(), ["ring 1", "answer 1", "failure", "reject 2 403"]);
}
