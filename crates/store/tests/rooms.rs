//! Rooms and their PINs: stored as hashes, compared, and slow to guess without keeping out the callers who know them.
#![allow(missing_docs)]

#[macro_use]
mod support;

use plenary_model::{AccountId, ConferenceName, EventKind, GivenPins, StoredRoom, Timestamp};
use plenary_store::{
    Change, ChangeError, Changed, PinCaller, PinCheck, PinOutcome, PinSource, RoomError, Store,
};
use serde_json::{Value, json};
use std::net::IpAddr;
use support::Database;

on_both![
    a_room_is_put_patched_and_deleted,
    a_pin_is_right_for_its_room_alone,
    what_is_wrong_with_a_room_is_told,
    a_caller_who_guesses_waits_and_mistakes_outlast_a_restart,
    a_caller_who_was_right_before_is_not_locked_out_by_others,
    places_are_given_in_the_order_in_which_pins_wait,
    leaders_are_told_of_guesses_and_another_pin_ends_them,
    many_calls_at_once_guess_no_more_than_one,
    rooms_belong_to_their_account,
];

const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);
const WRONG: PinOutcome = PinOutcome::Wrong;
const RIGHT: PinOutcome = PinOutcome::Right { leader: false };

async fn bob(store: &Store) -> AccountId {
    store.create_account_login("1-2-0/bob@example.com").await.unwrap().0.id
}

fn from(address: &str) -> PinCaller<'static> {
    PinCaller {
        source: PinSource::Address(address.parse::<IpAddr>().unwrap()),
        name: Some("1001"),
        call: None,
    }
}

fn later(seconds: i64) -> Timestamp {
    Timestamp(NOW.0 + seconds * 1000)
}

struct Asking<'a> {
    store: &'a Store,
    account: AccountId,
}

impl Asking<'_> {
    async fn check(&self, pin: &str, caller: PinCaller<'_>, now: Timestamp) -> PinCheck {
        self.store.check_pin(self.account, "1001", pin, caller, now).await.unwrap()
    }

    async fn outcome(&self, pin: &str, caller: PinCaller<'_>, now: Timestamp) -> PinOutcome {
        self.check(pin, caller, now).await.outcome
    }
}

async fn a_room_is_put_patched_and_deleted(database: &Database) {
    let store = database.open().await;
    let bob = bob(&store).await;
    assert_eq!(store.stored_room(bob, "1001").await.unwrap(), None);
    let body = json!({ "conference": "Board", "pin": "4711", "leader_pin": "081508", "lobby": true });
    let made = support::put_room(&store, bob, "1001", body.clone()).await;
    assert!(matches!(made, Ok(Changed::Created(_))), "{made:?}");
    let room = store.room(bob, "1001").await.unwrap().unwrap();
    assert_eq!((room.settings.conference.as_str(), room.settings.lobby), ("Board", true));
    assert!(room.has_pin && room.has_leader_pin);
    let before = store.stored_room(bob, "1001").await.unwrap().unwrap();
    assert_eq!(before.body, json!({ "conference": "Board", "lobby": true }), "without the PINs");

    // A patch that names one PIN keeps the other.
    let asking = Asking { store: &store, account: bob };
    let patch = async |mut patch: Value| {
        let pins = GivenPins::of_patch(&mut patch).unwrap();
        let decide = |before: Option<&StoredRoom>| {
            let mut body = before.unwrap().body.clone();
            plenary_model::merge(&mut body, &patch);
            Ok::<_, RoomError>(Change::Put(body))
        };
        store.change_room(bob, "1001", &pins, decide).await
    };
    let changed = patch(json!({ "pin": null, "lobby": null })).await.unwrap();
    let Changed::Replaced(room) = changed else { panic!("{changed:?}") };
    assert_eq!(
        (room.body, room.has_pin, room.has_leader_pin),
        (json!({ "conference": "Board" }), false, true)
    );
    assert!(room.updated_at > before.updated_at && room.created_at == before.created_at);
    assert_eq!(asking.outcome("4711", from("192.0.2.1"), NOW).await, WRONG);
    assert_eq!(asking.outcome("081508", from("192.0.2.1"), NOW).await, PinOutcome::Right { leader: true });
    // The PIN that is kept is not known, and all the same it cannot be set for the others too.
    let same = patch(json!({ "pin": "081508" })).await;
    let Err(ChangeError::Store(RoomError::Invalid(errors))) = same else { panic!("{same:?}") };
    assert_eq!(errors[0].pointer, "/leader_pin");

    // A whole body without PINs takes them away, unless it says that they are to stay.
    let kept = json!({ "conference": "Board", "has_pin": false, "has_leader_pin": true });
    let put = support::put_room(&store, bob, "1001", kept).await;
    assert!(matches!(put, Ok(Changed::Replaced(_))), "{put:?}");
    assert!(store.room(bob, "1001").await.unwrap().unwrap().has_leader_pin);
    support::put_room(&store, bob, "1001", json!({ "conference": "Board" })).await.unwrap();
    assert_eq!(
        asking.outcome("", from("192.0.2.1"), NOW).await,
        RIGHT,
        "without a PIN every caller is right"
    );

    for number in ["9", "10", "1002"] {
        support::put_room(&store, bob, number, json!({ "conference": "Tea" })).await.unwrap();
    }
    assert_eq!(store.room_numbers(bob).await.unwrap(), ["10", "1001", "1002", "9"]);
    let page = store.rooms_after(bob, Some("10"), 2).await.unwrap();
    assert_eq!(page.iter().map(|room| room.number.as_str()).collect::<Vec<_>>(), ["1001", "1002"]);
    // One that cannot be read is replaced, and keeps its PINs where it is said so.
    let body = json!({ "conference": "Board", "pin": "4711" });
    support::put_room(&store, bob, "1001", body).await.unwrap();
    database.execute("UPDATE rooms SET body = 'x' WHERE number = '1001'").await;
    assert!(store.stored_room(bob, "1001").await.is_err());
    let put = support::put_room(&store, bob, "1001", json!({ "conference": "Tea", "has_pin": true })).await;
    assert!(matches!(&put, Ok(Changed::Replaced(room)) if room.has_pin), "{put:?}");
    assert!(store.delete_room(bob, "1001").await.unwrap());
    assert!(!store.delete_room(bob, "1001").await.unwrap());
    assert_eq!(asking.outcome("4711", from("192.0.2.1"), NOW).await, PinOutcome::NoRoom);
}

async fn a_pin_is_right_for_its_room_alone(database: &Database) {
    let store = database.open().await;
    let bob = bob(&store).await;
    let body = json!({ "conference": "A", "pin": "4711", "leader_pin": "4712" });
    support::put_room(&store, bob, "1001", body).await.unwrap();
    support::put_room(&store, bob, "1002", json!({ "conference": "B", "pin": "4712" })).await.unwrap();
    let check = async |room: &str, pin: &str| {
        store.check_pin(bob, room, pin, from("192.0.2.1"), NOW).await.unwrap().outcome
    };
    assert_eq!(check("1001", "4711").await, RIGHT);
    assert_eq!(check("1001", "4712").await, PinOutcome::Right { leader: true });
    assert_eq!(check("1002", "4712").await, RIGHT);
    assert_eq!(check("1002", "4711").await, WRONG);
    for odd in ["", "4", "47110", "*711", "4711471147114711", "\0"] {
        let caller = PinCaller { source: PinSource::User(odd), name: None, call: None };
        assert_eq!(store.check_pin(bob, "1001", odd, caller, NOW).await.unwrap().outcome, WRONG, "{odd:?}");
    }
    for none in ["1003", "", "x", "1001\0"] {
        assert_eq!(check(none, "4711").await, PinOutcome::NoRoom, "{none:?}");
    }
    // Another process finds the same, and what is in the database are no PINs.
    let other = database.open().await;
    assert_eq!(
        other.check_pin(bob, "1001", "4712", from("192.0.2.1"), NOW).await.unwrap().outcome,
        PinOutcome::Right { leader: true }
    );
    let stored = store.stored_room(bob, "1001").await.unwrap().unwrap();
    assert!(!format!("{stored:?}").contains("471"), "{stored:?}");
}

async fn what_is_wrong_with_a_room_is_told(database: &Database) {
    let store = database.open().await;
    let bob = bob(&store).await;
    for (number, body, pointers) in [
        ("1001", json!({}), &["/conference"][..]),
        ("x", json!({ "conference": "A", "pin": "4711" }), &["/number"]),
        ("1001", json!({ "conference": "A", "pin": "47" }), &["/pin"]),
        ("1001", json!({ "conference": "A", "pin": "4711", "leader_pin": "4711" }), &["/leader_pin"]),
        (
            "1001",
            json!({ "conference": "A", "has_pin": true, "has_leader_pin": true }),
            &["/pin", "/leader_pin"],
        ),
        ("1001", json!({ "conference": "A", "colour": 1 }), &["/colour"]),
    ] {
        let refused = support::put_room(&store, bob, number, body.clone()).await;
        let Err(RoomError::Invalid(errors)) = refused else { panic!("{body}: {refused:?}") };
        assert_eq!(errors.iter().map(|error| error.pointer.as_str()).collect::<Vec<_>>(), pointers, "{body}");
    }
    assert_eq!(store.room_numbers(bob).await.unwrap(), [""; 0]);
}

async fn a_caller_who_guesses_waits_and_mistakes_outlast_a_restart(database: &Database) {
    let store = database.open().await;
    let bob = bob(&store).await;
    support::put_room(&store, bob, "1001", json!({ "conference": "A", "pin": "4711" })).await.unwrap();
    let asking = Asking { store: &store, account: bob };
    let caller = from("192.0.2.1");
    for _ in 0..3 {
        assert_eq!(asking.outcome("0000", caller, NOW).await, WRONG);
    }
    // Right or wrong, it is not looked at.
    let too_many = |seconds| PinOutcome::TooMany { retry_at: later(seconds) };
    assert_eq!(asking.outcome("4711", caller, NOW).await, too_many(30));
    store.close().await;

    let store = database.open().await;
    let asking = Asking { store: &store, account: bob };
    assert_eq!(asking.outcome("4711", caller, later(29)).await, too_many(30));
    assert_eq!(asking.outcome("0000", caller, later(30)).await, WRONG);
    assert_eq!(asking.outcome("4711", caller, later(89)).await, too_many(90));
    // Others are not held up, nor is the same caller elsewhere.
    for other in [from("192.0.2.2"), PinCaller { name: Some("1002"), ..caller }] {
        assert_eq!(asking.outcome("4711", other, later(31)).await, RIGHT, "{other:?}");
    }
    support::put_room(&store, bob, "1002", json!({ "conference": "B", "pin": "4711" })).await.unwrap();
    assert_eq!(store.check_pin(bob, "1002", "4711", caller, later(31)).await.unwrap().outcome, RIGHT);
    assert_eq!(asking.outcome("4711", caller, later(90)).await, RIGHT);
    // Having been right does not wipe out mistakes: a participant could guess the leader's PIN in between.
    assert_eq!(asking.outcome("0000", caller, later(91)).await, WRONG);
    assert_eq!(asking.outcome("4711", caller, later(92)).await, too_many(91 + 60));
}

async fn a_caller_who_was_right_before_is_not_locked_out_by_others(database: &Database) {
    let store = database.open().await;
    let bob = bob(&store).await;
    support::put_room(&store, bob, "1001", json!({ "conference": "A", "pin": "4711" })).await.unwrap();
    let asking = Asking { store: &store, account: bob };
    fn number(name: Option<&str>) -> PinCaller<'_> {
        PinCaller { source: PinSource::Trunk("office"), name, call: None }
    }
    assert_eq!(asking.outcome("4711", number(Some("+441")), NOW).await, RIGHT);
    // Calls by the same trunk, each with another forged number.
    let mut wrong = 0;
    for forged in 0..70 {
        let forged = format!("+49{forged}");
        wrong += usize::from(asking.outcome("0000", number(Some(&forged)), NOW).await == WRONG);
    }
    assert_eq!(wrong, 60, "so many by one trunk at once");
    assert_eq!(asking.outcome("4711", number(Some("+441")), NOW).await, RIGHT, "who was right before");
    let PinOutcome::TooMany { retry_at } = asking.outcome("4711", number(Some("+442")), NOW).await else {
        panic!("who was not shares what the trunk may do")
    };
    assert_eq!(retry_at, later(30), "and waits for the next place");
    assert_eq!(asking.outcome("4711", number(Some("+442")), retry_at).await, RIGHT);
    // Callers who hide their number are never known, and none of them waits for what another one has keyed in: they cannot be
    // told apart. What they share is what the trunk, or the address, may do.
    let place = PinSource::Address("192.0.2.7".parse().unwrap());
    for (source, most) in [(PinSource::Trunk("office"), 60), (place, 20)] {
        let hidden = PinCaller { source, name: None, call: None };
        assert_eq!(asking.outcome("4711", hidden, later(7200)).await, RIGHT);
        let mut wrong = 0;
        while asking.outcome("0000", hidden, later(7200)).await == WRONG {
            wrong += 1;
        }
        assert_eq!(wrong, most);
        let PinOutcome::TooMany { retry_at } = asking.outcome("4711", hidden, later(7200)).await else {
            panic!("the place is used up")
        };
        assert!(retry_at <= later(7260), "{retry_at:?}");
        assert_eq!(asking.outcome("4711", hidden, retry_at).await, RIGHT);
        // Room enough for the next one.
        support::put_room(&store, bob, "1001", json!({ "conference": "A", "pin": "5711" })).await.unwrap();
        support::put_room(&store, bob, "1001", json!({ "conference": "A", "pin": "4711" })).await.unwrap();
    }
    // A user who has shown a password is one caller, with or without a number.
    let user = PinCaller { source: PinSource::User("eve"), name: None, call: None };
    for _ in 0..3 {
        assert_eq!(asking.outcome("0000", user, later(7200)).await, WRONG);
    }
    assert!(matches!(asking.outcome("4711", user, later(7200)).await, PinOutcome::TooMany { .. }));
}

async fn places_are_given_in_the_order_in_which_pins_wait(database: &Database) {
    let store = database.open().await;
    let bob = bob(&store).await;
    support::put_room(&store, bob, "1001", json!({ "conference": "A", "pin": "4711" })).await.unwrap();
    let asking = Asking { store: &store, account: bob };
    // All of them by one trunk, without a number.
    let hidden = |call| PinCaller { source: PinSource::Trunk("office"), name: None, call: Some(call) };
    while asking.outcome("0000", hidden(1), NOW).await == WRONG {}
    let (member, other) = (hidden(2), hidden(3));
    let too_many = |ms| PinOutcome::TooMany { retry_at: Timestamp(NOW.0 + ms) };
    for waits in [member, other] {
        assert_eq!(asking.outcome("4711", waits, NOW).await, too_many(30_500), "behind the first one");
    }
    // The guesser was first and gets the first place; then it is the member's turn, however early others ask.
    assert_eq!(asking.outcome("0000", hidden(1), later(30)).await, WRONG);
    let again = Timestamp(NOW.0 + 30_500);
    assert_eq!(asking.outcome("4711", member, again).await, too_many(60_000));
    assert_eq!(asking.outcome("0000", other, again).await, too_many(60_500));
    for call in [1, 3] {
        assert_eq!(asking.outcome("0000", hidden(call), later(60)).await, too_many(60_500), "{call}");
    }
    assert_eq!(asking.outcome("4711", member, later(60)).await, RIGHT);
    assert_eq!(asking.outcome("0000", other, later(60)).await, WRONG);
}

async fn leaders_are_told_of_guesses_and_another_pin_ends_them(database: &Database) {
    let store = database.open().await;
    let bob = bob(&store).await;
    let body = json!({ "conference": "A", "pin": "4711" });
    support::put_room(&store, bob, "1001", body.clone()).await.unwrap();
    let asking = Asking { store: &store, account: bob };
    assert_eq!(asking.outcome("4711", from("198.51.100.1"), NOW).await, RIGHT);
    let mut told = Vec::new();
    for host in 1..=100 {
        let caller = format!("192.0.2.{host}");
        let check = asking.check("0000", from(&caller), NOW).await;
        told.extend(check.guessing.map(|count| (host, count)));
    }
    assert_eq!(told, [(20, 20), (40, 40)], "after the sixtieth nothing is looked at");
    // Programs are told by events, which are there as soon as the PIN has counted.
    let events = store.events_after(bob, 0, 10).await.unwrap();
    let events: Vec<_> = events.iter().map(|event| event.record().unwrap()).collect();
    let kinds = [20, 40].map(|wrong| EventKind::RoomGuessing { room: "1001".to_owned(), wrong });
    assert_eq!(events.iter().map(|event| &event.kind).collect::<Vec<_>>(), kinds.iter().collect::<Vec<_>>());
    assert!(events.iter().all(|event| event.at == NOW && event.conference == Some(ConferenceName::new("A"))));
    let unknown = from("203.0.113.1");
    assert_eq!(asking.outcome("4711", unknown, NOW).await, PinOutcome::TooMany { retry_at: later(6) });
    assert_eq!(asking.outcome("4711", from("198.51.100.1"), NOW).await, RIGHT);
    // The same PIN again changes nothing; another one makes a new start.
    support::put_room(&store, bob, "1001", body).await.unwrap();
    assert!(matches!(asking.outcome("4711", unknown, NOW).await, PinOutcome::TooMany { .. }));
    support::put_room(&store, bob, "1001", json!({ "conference": "A", "pin": "5711" })).await.unwrap();
    assert_eq!(asking.outcome("5711", unknown, NOW).await, RIGHT);
    assert_eq!(asking.outcome("4711", from("198.51.100.1"), NOW).await, WRONG);
}

async fn many_calls_at_once_guess_no_more_than_one(database: &Database) {
    let store = database.open().await;
    let bob = bob(&store).await;
    support::put_room(&store, bob, "1001", json!({ "conference": "A", "pin": "4711" })).await.unwrap();
    let tasks: Vec<_> = (0..20)
        .map(|number| {
            let store = store.clone();
            let pin = format!("{number:04}");
            tokio::spawn(async move {
                store.check_pin(bob, "1001", &pin, from("192.0.2.1"), NOW).await.unwrap().outcome
            })
        })
        .collect();
    let mut wrong = 0;
    for task in tasks {
        wrong += usize::from(task.await.unwrap() == WRONG);
    }
    assert_eq!(wrong, 3);
}

async fn rooms_belong_to_their_account(database: &Database) {
    let store = database.open().await;
    let bob = bob(&store).await;
    let eve = store.create_account_login("3-4-5/eve@example.com").await.unwrap().0.id;
    support::put_room(&store, bob, "1001", json!({ "conference": "A", "pin": "4711" })).await.unwrap();
    assert_eq!(store.room(eve, "1001").await.unwrap(), None);
    assert!(!store.delete_room(eve, "1001").await.unwrap());
    support::put_room(&store, eve, "1001", json!({ "conference": "B", "pin": "0815" })).await.unwrap();
    let check = async |account, pin| {
        store.check_pin(account, "1001", pin, from("192.0.2.1"), NOW).await.unwrap().outcome
    };
    assert_eq!((check(bob, "4711").await, check(eve, "4711").await), (RIGHT, WRONG));
    assert_eq!((check(bob, "0815").await, check(eve, "0815").await), (WRONG, RIGHT));
}
