//! Calls into a conference, to baresip: by a leader's key and by a program; confirmed, refused, busy, unanswered, given up, answered
//! by a machine, and called again when they are cut off.

use super::{room, support};
use plenary_audio::goertzel::power_dbov;
use serde_json::{Value, json};
use support::{
    Phone,
    entry::{World, speech, wait_for_tone},
    free_address,
    peer::{Peer, SDP},
    wait_for,
};

const NUMBER: &str = "01632960001";
const MACHINE: &str = "01632960002";
const LEADER_HZ: u16 = 500;

fn account(number: &str) -> String {
    format!("<sip:{number}@127.0.0.1>;regint=0")
}

/// A trunk that leads each call of this number to a telephone at this address.
fn put_trunk(world: &World, name: &str, number: &str, address: &str) {
    let trunk = json!({ "uri": format!("sip:{address};transport=tcp"), "prefixes": [number], "hosts": [] });
    world.send("PUT", &format!("/v1/trunks/{name}"), &trunk);
}

/// The state of a participant who is called, once it is this one.
#[track_caller]
fn wait_for_state(world: &World, id: &str, state: &str) -> Value {
    wait_for(state, || {
        let shown = world.server.get(&format!("/v1/conferences/Board/participants/{id}"));
        (shown["state"] == state).then_some(shown)
    })
}

#[track_caller]
fn invite(world: &World, body: &Value) -> String {
    let answer = world.send("POST", "/v1/conferences/Board/participants", body);
    answer["participant_id"].as_str().unwrap().to_owned()
}

#[test]
fn who_is_called_joins_by_key_and_no_machine_does() {
    let settings = json!({"leader_pin": "70215548", "announce": "none"});
    let mut world = World::new("[media]\nrtp_timeout_seconds = 5\n", &[("1001", room("Board", settings))]);
    let leader = world.enter("Board", LEADER_HZ, "70215548#");
    let other = world.enter("Board", 0, "#");
    let (address, machine_address) = (free_address(), free_address());
    put_trunk(&world, "office", NUMBER, &address);
    put_trunk(&world, "machine", MACHINE, &machine_address);

    // A machine answers, and plays what it has to say; it goes on for as long as it is asked.
    let (machine, _control) = Phone::listen_at(&machine_address, &account(MACHINE), 1900, "auto");
    let machine_id = invite(&world, &json!({ "to": format!("tel:{MACHINE}"), "confirm": "1", "ring_s": 30 }));
    wait_for("the machine to answer", || machine.log().contains("Call established").then_some(()));

    // By the leader's key: it rings, it is answered, it asks, and the key brings it in.
    let (mut phone, control) = Phone::listen_at(&address, &account(NUMBER), 1100, "manual");
    let call = |world: &mut World| {
        let since = leader.position();
        leader.press("*1").unwrap();
        world.prompts.wait_since(&leader, since, "dial.number");
        leader.press(&format!("{NUMBER}#")).unwrap();
        let at = world.prompts.wait_since(&leader, since, "dial.calling");
        world.prompts.wait_since(&leader, at, "dial.ringing")
    };
    let mut at = call(&mut world);
    Phone::command(&control, "accept", "");
    wait_for("the question", || {
        let heard = phone.heard();
        world.prompts.find(&heard, "dial.invited").and(world.prompts.find(&heard, "dial.accept"))
    });
    assert_eq!(world.server.participants("Board").len(), 2, "nobody joins by answering");
    assert!(!leader.hears_tones(&[1100.0], 600, -45.0)[0], "nor is heard");
    assert!(power_dbov(&phone.heard(), 8000, 500.0) < -45.0, "nor hears the conference");
    Phone::command(&control, "sndcode", "1");
    at = world.prompts.wait_since(&leader, at, "dial.joined");
    world.server.wait_for_participants("Board", 3);
    wait_for_tone(&leader, 1100.0, true);
    wait_for_tone(&other, 1100.0, true);
    wait_for("the leader to be heard", || (phone.level(500) > -25.0).then_some(()));
    // It has the keys of the conference.
    Phone::command(&control, "sndcode", "*");
    Phone::command(&control, "sndcode", "6");
    wait_for_tone(&leader, 1100.0, false);
    Phone::command(&control, "sndcode", "*");
    Phone::command(&control, "sndcode", "6");
    wait_for_tone(&leader, 1100.0, true);

    // It fails: its audio stops, it does not answer when it is asked, and it is called again, in vain.
    phone.kill();
    at = world.prompts.wait_since(&leader, at, "dial.redial");
    at = world.prompts.wait_since(&leader, at, "dial.failed");
    world.server.wait_for_participants("Board", 2);

    // Busy, and refused by the key that refuses.
    let (mut phone, control) = Phone::listen_at(&address, &account(NUMBER), 1100, "manual");
    at = call(&mut world).max(at);
    Phone::command(&control, "hangup", "");
    at = world.prompts.wait_since(&leader, at, "dial.busy");
    leader.say(&speech(0)).unwrap();
    at = call(&mut world).max(at);
    Phone::command(&control, "accept", "");
    wait_for("the call", || phone.log().contains("Call established").then_some(()));
    Phone::command(&control, "sndcode", "2");
    world.prompts.wait_since(&leader, at, "dial.refused");

    // By a program: nobody answers in time, and one that is given up rings no more.
    let unanswered = invite(&world, &json!({ "to": format!("tel:{NUMBER}"), "ring_s": 5 }));
    let shown = wait_for_state(&world, &unanswered, "failed");
    assert_eq!((&shown["status"], &shown["reason"]), (&json!(408), &json!("No answer")), "{shown}");
    let given_up = invite(&world, &json!({ "to": format!("tel:{NUMBER}"), "ring_s": 60 }));
    wait_for_state(&world, &given_up, "ringing");
    let path = format!("/v1/conferences/Board/participants/{given_up}");
    assert_eq!(world.server.curl(&["-X", "DELETE"], &path).0, 204);
    wait_for("the telephone to be silent", || {
        (phone.log().matches("session closed").count() >= 1 || phone.log().contains("Call cancelled"))
            .then_some(())
    });
    phone.hang_up();

    // The machine has heard the question all the while, was never in, and was heard by nobody.
    let shown = wait_for_state(&world, &machine_id, "failed");
    assert_eq!(shown["status"], 408, "{shown}");
    assert!(world.prompts.find(&machine.heard(), "dial.accept").is_some());
    for call in [&leader, &other] {
        let heard = call.recorded_from(0);
        let level = |part: &[i16]| power_dbov(part, 8000, 1900.0);
        let loudest = heard.chunks_exact(1600).map(level).fold(f32::MIN, f32::max);
        // It speaks at -16 dBov; voices have as little as this of its frequency.
        assert!(loudest < -30.0, "the machine is heard: {loudest} dBov");
    }
    assert_eq!(world.server.participants("Board").len(), 2);
}

/// How often a participant was called again.
fn times_called_again(world: &World) -> usize {
    world.server.log().matches("the call was cut off: calling again").count()
}

#[test]
fn who_is_cut_off_is_called_again_and_is_in_again_and_who_hangs_up_is_not() {
    let settings = json!({"leader_pin": "70215548", "announce": "none"});
    let mut world = World::new("", &[("1001", room("Board", settings))]);
    let leader = world.enter("Board", LEADER_HZ, "70215548#");
    // A gateway, which answers by itself first and then sends the call on to a telephone.
    let gateway = Peer::new(&world.server);
    let address = free_address();
    let (mut phone, control) = Phone::listen_at(&address, &account(NUMBER), 1100, "auto");
    let trunk = json!({ "uri": format!("sip:{}", gateway.me), "prefixes": [NUMBER], "hosts": ["127.0.0.1"] });
    world.send("PUT", "/v1/trunks/gateway", &trunk);
    let contact = format!("Contact: <sip:{NUMBER}@{address};transport=tcp>\r\n");

    let since = leader.position();
    leader.press("*1").unwrap();
    world.prompts.wait_since(&leader, since, "dial.number");
    leader.press(&format!("{NUMBER}#")).unwrap();
    let presses_one = |request: &_| {
        let body = "Signal=1\r\nDuration=160\r\n";
        gateway.say_within(request, "INFO", 1, "Content-Type: application/dtmf-relay\r\n", body);
    };
    let first = gateway.wait("INVITE");
    gateway.answer(&first, "200 OK", "", SDP);
    gateway.wait("ACK");
    presses_one(&first);
    let mut at = world.prompts.wait_since(&leader, since, "dial.joined");
    world.server.wait_for_participants("Board", 2);

    // The telephone network behind the gateway fails: "temporary failure".
    gateway.say_within(&first, "BYE", 2, "Reason: Q.850;cause=41;text=\"Temporary failure\"\r\n", "");
    at = world.prompts.wait_since(&leader, at, "dial.redial");
    gateway.answer(&gateway.wait("INVITE"), "302 Moved Temporarily", &contact, "");
    // A mailbox may answer now: the key is asked for again.
    wait_for("the question", || world.prompts.find(&phone.heard(), "dial.accept"));
    assert_eq!(world.server.participants("Board").len(), 1, "nobody joins by answering");
    assert!(!leader.hears_tones(&[1100.0], 600, -45.0)[0], "nor is heard");
    Phone::command(&control, "sndcode", "1");
    world.prompts.wait_since(&leader, at, "dial.joined");
    world.server.wait_for_participants("Board", 2);
    wait_for_tone(&leader, 1100.0, true);
    wait_for("the leader to be heard", || (phone.level(LEADER_HZ.into()) > -25.0).then_some(()));
    assert_eq!(times_called_again(&world), 1);
    phone.hang_up();
    world.server.wait_for_participants("Board", 1);

    // By a program: one whose gateway fails is called again, once; one who hangs up is not.
    for (reason, is_again) in [("Q.850;cause=27", true), ("Q.850;cause=16", false), ("SIP;cause=200", false)]
    {
        let before = times_called_again(&world);
        let id = invite(&world, &json!({ "to": format!("tel:{NUMBER}"), "redial": true }));
        let request = gateway.wait("INVITE");
        gateway.answer(&request, "200 OK", "", SDP);
        gateway.wait("ACK");
        world.server.wait_for_participants("Board", 2);
        gateway.say_within(&request, "BYE", 1, &format!("Reason: {reason}\r\n"), "");
        let ended = wait_for_state(&world, &id, "ended");
        assert_eq!(times_called_again(&world) - before, usize::from(is_again), "{reason}: {ended}");
        if is_again {
            assert_eq!(ended["reason"], "cut off: Q.850 cause 27");
            let again = gateway.wait("INVITE");
            gateway.answer(&again, "200 OK", "", SDP);
            gateway.wait("ACK");
            world.server.wait_for_participants("Board", 2);
            gateway.say_within(&again, "BYE", 1, &format!("Reason: {reason}\r\n"), "");
        } else {
            assert_eq!(ended["reason"], "caller hung up");
        }
        world.server.wait_for_participants("Board", 1);
        assert_eq!(times_called_again(&world) - before, usize::from(is_again), "{reason}: no more than once");
    }
}

#[test]
fn several_are_called_at_once_and_each_succeeds_or_fails_on_its_own() {
    let world = World::new("", &[("1001", room("Board", json!({"announce": "none"})))]);
    let one = world.enter("Board", LEADER_HZ, "");
    let numbers = [NUMBER, MACHINE];
    let phones = [700_u16, 1100].map(|hz| {
        let number = numbers[usize::from(hz == 1100)];
        let address = free_address();
        put_trunk(&world, &format!("to{hz}"), number, &address);
        Phone::listen_at(&address, &account(number), hz.into(), "auto")
    });
    let calls = [NUMBER, MACHINE, "02079460000"].map(|number| json!({ "to": format!("tel:{number}") }));
    let answer = world.send("POST", "/v1/conferences/Board/participants", &json!({ "calls": calls }));
    let items = answer["items"].as_array().unwrap();
    assert_eq!(items.len(), 3, "{answer}");
    for (place, item) in items.iter().enumerate().take(2) {
        assert!(item["participant"]["participant_id"].is_string(), "{place}: {answer}");
    }
    assert_eq!(items[2]["problem"]["code"], "1301", "no trunk leads there: {answer}");
    world.server.wait_for_participants("Board", 3);
    for hz in [700.0, 1100.0] {
        wait_for_tone(&one, hz, true);
    }
    for ((phone, _), other) in phones.iter().zip([1100, 700]) {
        wait_for("the leader to be heard", || (phone.level(LEADER_HZ.into()) > -25.0).then_some(()));
        wait_for("the other one to be heard", || (phone.level(other) > -25.0).then_some(()));
    }
}
