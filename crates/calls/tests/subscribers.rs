//! What telephones that follow a conference are told of it (RFC 4575).

mod support;

use plenary_calls::{
    CallNumber, Input,
    media::MediaEvent,
    question::{EdgeQuestion, Question},
};
use plenary_conference::{Event, ParticipantChange};
use plenary_sip::{SipEvent, SubscriptionId};
use serde_json::json;
use support::{From, World, entry, key, room, trunk};

/// What comes after a change is noticed.
const GATHERED_MS: u64 = 500;

/// The conference Tea by an entry at 100, with a leader, who is called Ina, and a caller with a number.
fn two() -> (World, u64, u64) {
    let mut world = World::new();
    world.reserve("Tea", 0, None);
    world.store.services.push(entry("100"));
    world.store.rooms.insert("1".into(), (room("1", json!({}), false, true), None, Some("70215548")));
    world.set_trunks(vec![trunk("one", 1)]);
    let leader = caller(&mut world, From { display_name: Some("Ina"), ..From::default() }, "70215548#");
    let other = caller(&mut world, From { user: "+441908273073", ..From::default() }, "#");
    assert_eq!(world.roster("Tea"), [leader, other]);
    (world, leader, other)
}

fn caller(world: &mut World, from: From, keys: &str) -> u64 {
    let call = world.incoming("100", from);
    world.confirm(call);
    world.press(call, keys);
    world.listen();
    call
}

fn rename(world: &mut World, call: u64, name: Option<&str>) {
    let (conference, participant) = (key("Tea"), world.participant(call));
    let display_name = name.map(str::to_owned);
    let question = world.ask(Question::Edge(EdgeQuestion::Rename { conference, participant, display_name }));
    assert_eq!(world.done(question), Ok(()));
}

fn talk(world: &mut World, call: u64, talking: bool) {
    world.input(Input::Media(MediaEvent::Talking { call: CallNumber(call), talking }));
}

/// A conference as a reader of documents knows it (RFC 4575, section 4.6).
#[derive(Debug, Default, PartialEq)]
struct Reading {
    version: u32,
    state: String,
    /// By their URIs.
    users: Vec<(String, String)>,
    own: Option<String>,
}

impl Reading {
    fn take(&mut self, document: &str) {
        let root = between(document, "<conference-info", ">").unwrap();
        let version: u32 = between(root, " version=\"", "\"").unwrap().parse().unwrap();
        let is_whole = root.contains("state=\"full\"");
        assert!(is_whole || version == self.version + 1, "{document}");
        if is_whole {
            *self = Self::default();
        }
        self.version = version;
        if let Some(state) = between(document, "<conference-state>", "</conference-state>") {
            state.clone_into(&mut self.state);
        }
        if let Some(users) = between(document, "<users", "</users>") {
            assert_eq!(users.starts_with(" state=\"full\""), is_whole, "{document}");
            for user in users.split("<user ").skip(1) {
                let entity = between(user, "entity=\"", "\"").unwrap().to_owned();
                let known = self.users.iter().position(|(of, _)| *of == entity);
                match (known, user.contains("state=\"deleted\"")) {
                    (Some(at), true) => drop(self.users.remove(at)),
                    (None, true) => {}
                    (Some(at), false) => user.clone_into(&mut self.users[at].1),
                    (None, false) => self.users.push((entity, user.to_owned())),
                }
            }
        }
        self.own = between(document, "<p:self>", "</p:self>").map(str::to_owned);
    }

    /// What is said of a call's participant.
    fn of(&self, call: u64) -> &str {
        let end = format!(".{call}@anonymous.invalid");
        &self.users.iter().find(|(entity, _)| entity.ends_with(&end)).expect("is listed").1
    }

    fn names(&self) -> Vec<&str> {
        self.users
            .iter()
            .map(|(_, user)| between(user, "<display-text>", "</display-text>").unwrap())
            .collect()
    }
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    rest.split_once(end).map(|(found, _)| found)
}

/// Takes what a subscription was sent; the documents.
fn read(world: &mut World, subscription: u64, reading: &mut Reading) -> Vec<String> {
    let documents = world.documents_of(subscription);
    documents.iter().for_each(|document| reading.take(document));
    documents
}

fn after_a_moment(world: &mut World, subscription: u64, reading: &mut Reading) -> Vec<String> {
    world.pass_ms(GATHERED_MS);
    read(world, subscription, reading)
}

#[test]
fn the_first_document_says_who_is_in_and_who_of_them_reads_it() {
    let (mut world, leader, other) = two();
    let subscription = world.subscribe(Some(other), "100");
    let documents = world.documents_of(subscription);
    let id = |call| format!("0123456789abcdef.{call}");
    let user = |call, name: &str| {
        format!(
            "<user entity=\"sip:{id}@anonymous.invalid\" state=\"full\"><display-text>{name}</display-text>\
             <endpoint entity=\"{id}\"><status>connected</status><joining-method>dialed-in</joining-method>\
             <media id=\"1\"><type>audio</type><status>sendrecv</status><p:talking>false</p:talking></media>\
             </endpoint></user>",
            id = id(call),
        )
    };
    let whole = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <conference-info xmlns=\"urn:ietf:params:xml:ns:conference-info\" xmlns:p=\"urn:plenary:conference-info\" \
         entity=\"sip:100@192.0.2.1\" state=\"full\" version=\"1\">\
         <conference-description><display-text>Tea</display-text></conference-description>\
         <conference-state><user-count>2</user-count><active>true</active></conference-state>\
         <users state=\"full\">{}{}</users><p:self>{}</p:self></conference-info>",
        user(leader, "Ina"),
        user(other, "+44…073"),
        id(other),
    );
    assert_eq!(documents, [whole]);
}

#[test]
fn who_is_asked_whether_it_joins_stays_in_the_document() {
    let (mut world, leader, _) = two();
    let question = world.invite_to_confirm("tel:+4930123456", '1');
    world.call_of(question).unwrap();
    let called = *world.dials.keys().last().unwrap();
    world.answered(called);
    let subscription = world.subscribe(Some(leader), "100");
    let mut reading = Reading::default();
    read(&mut world, subscription, &mut reading);
    assert!(reading.of(called).contains("<status>alerting</status>"), "{reading:?}");
    assert!(reading.state.contains("<user-count>2</user-count>"), "{reading:?}");
    world.press(called, "1");
    world.pass_ms(GATHERED_MS);
    read(&mut world, subscription, &mut reading);
    assert!(reading.of(called).contains("<status>connected</status>"), "{reading:?}");
}

#[test]
fn only_leaders_see_numbers_and_nobody_sees_addresses() {
    let (mut world, leader, other) = two();
    world.invite("tel:+4930123456");
    let called = *world.dials.keys().last().unwrap();
    let hidden =
        From { display_name: Some("Zoë"), user: "+4955512345", is_private: true, ..From::default() };
    caller(&mut world, hidden, "#");
    let by_name = From { display_name: Some("+44 1908 555 222"), user: "+441908555222", ..From::default() };
    caller(&mut world, by_name, "#");
    let (for_leader, for_other) = (world.subscribe(Some(leader), "100"), world.subscribe(Some(other), "100"));
    let (mut leaders, mut others) = (Reading::default(), Reading::default());
    read(&mut world, for_leader, &mut leaders);
    read(&mut world, for_other, &mut others);
    assert_eq!(leaders.names(), ["Ina", "+441908273073", "anonymous", "+44 1908 555 222", "+4930123456"]);
    assert_eq!(others.names(), ["Ina", "+44…073", "anonymous", "+44…222", "+49…456"]);
    assert!(leaders.of(other).contains("<uri>tel:+441908273073</uri>"), "{leaders:?}");
    assert!(leaders.of(called).contains("<uri>tel:+4930123456</uri>"), "{leaders:?}");
    let all = format!("{leaders:?}{others:?}");
    for secret in ["10.0.0.1", "example", "Zoë", "55512345"] {
        assert!(!all.contains(secret), "{secret}: {all}");
    }
    assert!(!format!("{others:?}").contains("1908273073"), "{others:?}");
    // Who is not in sees what others see.
    let outside = world.subscribe(None, "conf-Tea");
    let mut reading = Reading::default();
    read(&mut world, outside, &mut reading);
    assert_eq!((reading.names(), &reading.own), (others.names(), &None));
}

#[test]
fn a_name_that_a_leader_sets_is_seen_by_all() {
    let (mut world, leader, other) = two();
    let subscription = world.subscribe(Some(leader), "100");
    let by_other = world.subscribe(Some(other), "100");
    let (mut leaders, mut others) = (Reading::default(), Reading::default());
    for (name, shown) in [
        (Some("Line <1>"), ["Line &lt;1&gt;"; 2]),
        (Some("+44 1908 000"), ["+44 1908 000"; 2]),
        (None, ["+441908273073", "+44…073"]),
    ] {
        rename(&mut world, other, name);
        after_a_moment(&mut world, subscription, &mut leaders);
        read(&mut world, by_other, &mut others);
        assert_eq!([leaders.names()[1], others.names()[1]], shown);
    }
}

#[test]
fn what_changes_is_told_alone_and_together() {
    let (mut world, leader, other) = two();
    let subscription = world.subscribe(Some(other), "100");
    let mut reading = Reading::default();
    read(&mut world, subscription, &mut reading);
    // A leader mutes, a caller raises the hand, and talks in vain: one document.
    let (conference, participant) = (key("Tea"), world.participant(other));
    let change = ParticipantChange { muted: Some(true), ..ParticipantChange::default() };
    world.control(Event::ChangeParticipant { conference, participant, change }).unwrap();
    world.press(other, "*9");
    talk(&mut world, other, true);
    let documents = after_a_moment(&mut world, subscription, &mut reading);
    assert_eq!(documents.len(), 1);
    assert!(!documents[0].contains("Ina") && !documents[0].contains("conference-state"), "{documents:?}");
    let own = reading.of(other);
    assert!(own.contains("<status>recvonly</status><p:talking>false</p:talking>"), "{own}");
    assert!(own.contains("</endpoint><p:hand>true</p:hand>"), "{own}");
    // The hand goes down by the one who lowers it.
    let (conference, participant) = (key("Tea"), world.participant(other));
    let change = ParticipantChange { lower_hand: true, ..ParticipantChange::default() };
    world.control(Event::ChangeParticipant { conference, participant, change }).unwrap();
    assert_eq!(after_a_moment(&mut world, subscription, &mut reading).len(), 1);
    assert!(!reading.of(other).contains("p:hand"));
    // What is as it was before is not told.
    talk(&mut world, leader, true);
    talk(&mut world, leader, false);
    assert!(after_a_moment(&mut world, subscription, &mut reading).is_empty());
    // Who leaves is named, and the number of the others told.
    world.bye(leader);
    let documents = after_a_moment(&mut world, subscription, &mut reading);
    let gone =
        format!("<user entity=\"sip:0123456789abcdef.{leader}@anonymous.invalid\" state=\"deleted\"/>");
    assert!(documents[0].contains(&gone) && documents[0].contains("<user-count>1<"), "{documents:?}");
    assert_eq!(reading.users.len(), 1);
}

#[test]
fn a_recording_is_told_from_its_start_to_its_end() {
    let (mut world, leader, other) = two();
    let subscription = world.subscribe(Some(other), "100");
    let mut reading = Reading::default();
    read(&mut world, subscription, &mut reading);
    for (keys, shown) in [
        ("*21", "<p:recording>on</p:recording>"),
        ("*2", "<p:recording>paused</p:recording>"),
        ("*2", "<p:recording>on</p:recording>"),
    ] {
        world.press(leader, keys);
        world.listen();
        after_a_moment(&mut world, subscription, &mut reading);
        assert!(reading.state.ends_with(shown), "{keys}: {reading:?}");
    }
    // Who comes while it is recorded is told at once.
    let late = caller(&mut world, From { user: "carl", ..From::default() }, "#");
    let own = world.subscribe(Some(late), "100");
    assert!(world.documents_of(own)[0].contains("<p:recording>on</p:recording>"));
    world.control(Event::StopRecording { conference: key("Tea") }).unwrap();
    after_a_moment(&mut world, subscription, &mut reading);
    assert!(!reading.state.contains("recording"), "{reading:?}");
}

#[test]
fn who_becomes_a_leader_is_told_everything_as_a_leader() {
    let (mut world, _, other) = two();
    let third = caller(&mut world, From { user: "+4930123456", ..From::default() }, "#");
    let subscription = world.subscribe(Some(third), "100");
    let mut reading = Reading::default();
    read(&mut world, subscription, &mut reading);
    assert_eq!(reading.names()[1], "+44…073");
    for (leader, shown) in [(true, "+441908273073"), (false, "+44…073")] {
        let (conference, participant) = (key("Tea"), world.participant(third));
        let change = ParticipantChange { leader: Some(leader), ..ParticipantChange::default() };
        world.control(Event::ChangeParticipant { conference, participant, change }).unwrap();
        let documents = after_a_moment(&mut world, subscription, &mut reading);
        assert!(documents.last().unwrap().contains("<users state=\"full\">"), "{documents:?}");
        assert_eq!(reading.names()[1], shown);
    }
    assert!(reading.of(other).contains("+44…073"));
}

#[test]
fn who_is_moved_follows_the_conference_that_it_is_in() {
    let (mut world, leader, other) = two();
    let subscription = world.subscribe(Some(other), "100");
    let mut reading = Reading::default();
    read(&mut world, subscription, &mut reading);
    let participant = world.participant(other);
    world.control(Event::Move { conference: key("Tea"), participant, to: key("Annex") }).unwrap();
    let documents = after_a_moment(&mut world, subscription, &mut reading);
    assert!(documents[0].contains("<display-text>Annex</display-text>"), "{documents:?}");
    assert_eq!(reading.names(), ["+44…073"]);
    // What goes on in the other one is none of its business any more.
    world.press(leader, "*9");
    assert!(after_a_moment(&mut world, subscription, &mut reading).is_empty());
}

#[test]
fn a_refresh_is_answered_by_everything() {
    let (mut world, leader, other) = two();
    let subscription = world.subscribe(Some(other), "100");
    let mut reading = Reading::default();
    read(&mut world, subscription, &mut reading);
    talk(&mut world, leader, true);
    after_a_moment(&mut world, subscription, &mut reading);
    world.sip_event(SipEvent::Resubscribed(SubscriptionId(subscription)));
    let mut again = Reading::default();
    let documents = read(&mut world, subscription, &mut again);
    assert_eq!(documents.len(), 1);
    assert_eq!(Reading { version: again.version, ..reading }, again);
    assert_eq!(again.version, 3);
    // Nobody follows it any more: nothing is written.
    world.sip_event(SipEvent::Unsubscribed(SubscriptionId(subscription)));
    talk(&mut world, leader, false);
    assert!(after_a_moment(&mut world, subscription, &mut again).is_empty());
}

#[test]
fn who_comes_back_by_another_call_has_the_name_that_a_leader_set() {
    let mut world = World::new();
    let (first, other) = (world.enter("conf-Tea"), world.enter("conf-Tea"));
    rename(&mut world, first, Some("Dr. Lee"));
    let again = world.incoming("conf-Tea", From { replaces: Some(first), ..From::default() });
    world.confirm(again);
    world.ended(first);
    let subscription = world.subscribe(Some(other), "conf-Tea");
    let mut reading = Reading::default();
    read(&mut world, subscription, &mut reading);
    assert_eq!(reading.names(), ["bob", "Dr. Lee"]);
}

/// Whatever happens, who puts the documents together knows what the first document of another subscriber says.
#[test]
fn the_parts_make_up_the_whole() {
    let (mut world, leader, other) = two();
    let subscription = world.subscribe(Some(other), "100");
    let mut reading = Reading::default();
    read(&mut world, subscription, &mut reading);
    let mut callers = vec![leader, other];
    let mut random = 1_u64;
    for _ in 0..300 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let dice = usize::try_from(random >> 33).unwrap();
        let one = callers[dice % callers.len()];
        match dice / 7 % 8 {
            0 if callers.len() < 6 => callers.push(caller(&mut world, From::default(), "#")),
            1 if one != leader && one != other => {
                world.bye(one);
                callers.retain(|call| *call != one);
            }
            2 => world.press(one, "*6"),
            3 => world.press(one, "*9"),
            4 => rename(&mut world, one, Some(&format!("Caller {dice}"))),
            5 => world.press(leader, "*21"),
            6 => talk(&mut world, one, dice % 2 == 0),
            _ => world.pass_ms(200),
        }
        world.listen();
        read(&mut world, subscription, &mut reading);
    }
    after_a_moment(&mut world, subscription, &mut reading);
    world.sip_event(SipEvent::Resubscribed(SubscriptionId(subscription)));
    let mut whole = Reading::default();
    read(&mut world, subscription, &mut whole);
    reading.version = whole.version;
    reading.users.sort();
    whole.users.sort();
    assert_eq!(reading, whole);
}

/// What 350 browsers are sent while one talks is small, and the whole picture fits into what transports carry.
#[test]
fn documents_stay_small_where_many_are_in() {
    let mut world = World::new();
    world.reserve("Tea", 0, None);
    let calls: Vec<u64> = (0..40)
        .map(|_| {
            let from = From { display_name: Some("Alexandra Müller-Lüdenscheidt"), ..From::default() };
            let call = world.incoming("conf-Tea", from);
            world.confirm(call);
            call
        })
        .collect();
    let subscription = world.subscribe(Some(calls[0]), "conf-Tea");
    let whole = world.documents_of(subscription).remove(0);
    assert!(whole.len() / calls.len() < 380, "{} octets for each", whole.len() / calls.len());
    for call in &calls[1..3] {
        talk(&mut world, *call, true);
    }
    world.pass_ms(GATHERED_MS);
    let change = world.documents_of(subscription).remove(0);
    assert!(change.len() < 1_200, "{} octets: {change}", change.len());
}
