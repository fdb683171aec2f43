//! Each way by which a caller may be admitted, and how the others are refused.

mod support;

use plenary_calls::question::{Answer, ParticipantsQuestion, Question};
use plenary_conference::{AccountId, ConferenceName, conferences::ConferenceRef};
use plenary_model::{Access, CallEntry, EndedBy, WebRtcKey};
use plenary_sip::{CallId, SipEvent, Transport};
use support::{
    ACCOUNT, EPOCH, From, PASSWORD, World, all_users, announcement, bearer, browser, flow, from_networks,
    from_trunks, no_access, service, token, trunk,
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
    assert_eq!(world.said(), ["success", "failure", "reject 3 403"], "a user of another account");
    // A nonce is good for one answer without a count.
    world.incoming("members-Tea", at([203, 0, 113, 1]));
    let from = with(&world, "alice", PASSWORD);
    let call = world.incoming("members-Tea", from);
    assert_eq!(world.said().last().unwrap(), &format!("answer {call}"));
    world.confirm(call);
    assert_eq!(admitted_by(&mut world), [("alice".to_owned(), Some("user"))]);
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
    assert_eq!(world.said(), ["success", "ring 4", "answer 4"]);
    world.confirm(call);
    assert_eq!(admitted_by(&mut world), [("bob".to_owned(), Some("token"))]);
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
    // Whoever gets to no service leaves nothing: nobody's records fill up with what strangers try.
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
