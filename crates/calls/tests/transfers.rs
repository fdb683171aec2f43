//! Transfers of every kind: asked for by a telephone (REFER) or by a web service, and calls that take another's place.

mod support;

use plenary_calls::question::{EdgeQuestion, Question};
use plenary_conference::{ConferenceName, ParticipantOptions};
use plenary_model::{Action, CallEntry, InboundService, Refer, TransferProgress};
use plenary_sip::{CallId, SipEvent};
use support::{ACCOUNT, From, World, plain, replaces, service, trunk};

const NUMBER: &str = "tel:+441908273800";

/// Two are in, and there is a trunk.
fn with_two() -> (World, u64, u64) {
    let mut world = World::new();
    world.set_trunks(vec![trunk("one", 1)]);
    let (a, b) = (world.enter("conf-Tea"), world.enter("conf-Tea"));
    world.said();
    (world, a, b)
}

fn called(world: &World) -> u64 {
    *world.dials.keys().last().unwrap()
}

fn with_refer(refer: Refer, options: ParticipantOptions) -> World {
    let mut world = World::new();
    world.set_trunks(vec![trunk("one", 1)]);
    let service = &mut world.store.services[0];
    if let Action::Conference(conference) = &mut service.action {
        (conference.refer, conference.participant) = (refer, options);
    }
    world
}

#[test]
fn a_telephone_hands_its_place_to_whom_it_names() {
    let (mut world, a, b) = with_two();
    let request = world.refer(Some(a), NUMBER, |_| {});
    let new = called(&world);
    assert_eq!(
        world.said(),
        [format!("accept referral {request}"), format!("dial {new} sip:+441908273800@one.example")]
    );
    world.progress(new, 180);
    assert_eq!(world.said(), [format!("report referral {request} 180")]);
    assert_eq!(world.roster("Tea"), [a, b], "until the other answers");
    world.answered(new);
    assert_eq!(
        world.said(),
        [
            format!("report referral {request} 200"),
            format!("hang up {a}: Another call has taken the place of this one")
        ]
    );
    assert_eq!(world.roster("Tea"), [b, new]);
    world.ended(a);
    world.bye(b);
    world.bye(new);
    world.assert_clean();
}

#[test]
fn a_leader_who_hands_its_place_over_and_hangs_up_ends_nothing() {
    let mut world = with_refer(Refer::All, ParticipantOptions { destroy_on_exit: true, ..plain() });
    let (a, b) = (world.enter("conf-Tea"), world.enter("conf-Tea"));
    world.refer(Some(a), NUMBER, |_| {});
    let new = called(&world);
    world.said();
    world.bye(a);
    assert_eq!(world.roster("Tea"), [b]);
    assert!(world.said().is_empty(), "no call is ended");
    world.answered(new);
    assert_eq!(world.roster("Tea"), [b, new]);
    world.bye(b);
    assert_eq!(world.said().last().unwrap(), &format!("hang up {new}: The leader has ended the conference"));
    world.ended(new);
    world.assert_clean();
}

#[test]
fn a_transfer_that_fails_leaves_all_where_they_are() {
    let (mut world, a, b) = with_two();
    let request = world.refer(Some(a), NUMBER, |_| {});
    let new = called(&world);
    world.said();
    world.rejected(new, 486);
    assert_eq!(world.said(), [format!("report referral {request} 486")]);
    assert_eq!(world.roster("Tea"), [a, b]);
}

/// RFC 3515, section 2.4.5: the sender hears how it ended, once.
#[test]
fn however_a_referral_fails_its_sender_hears_it_once_and_all_stay_where_they_are() {
    type Fail = fn(&mut World, u64);
    let failures: [(u16, Fail); 4] = [
        (486, |world, new| world.rejected(new, 486)),
        (603, |world, new| {
            world.progress(new, 180);
            world.rejected(new, 603);
        }),
        (408, |world, new| {
            world.progress(new, 180);
            world.pass_ms(44_999);
            assert!(!world.sip.iter().any(|line| line.starts_with("hang up")), "it rings for 45 s");
            world.pass_ms(1);
            assert_eq!(world.sip.last(), Some(&format!("hang up {new}: No answer")));
            world.ended(new);
        }),
        // It answers with something that cannot be used.
        (488, |world, new| {
            let (call, dialog) = (CallId(new), format!("d{new}"));
            world.sip_event(SipEvent::Answered { call, sdp: None, fork: 0, dialog });
            world.ended(new);
        }),
    ];
    for (status, fail) in failures {
        let (mut world, a, b) = with_two();
        let request = world.refer(Some(a), NUMBER, |_| {});
        let new = called(&world);
        world.said();
        fail(&mut world, new);
        let mut said = world.said();
        said.retain(|line| line.starts_with("report") && !line.ends_with("180"));
        assert_eq!(said, [format!("report referral {request} {status}")]);
        assert_eq!(world.roster("Tea"), [a, b], "{status}");
        world.pass_ms(600_000);
        assert_eq!(world.said(), [""; 0], "{status}");
        world.bye(a);
        world.bye(b);
        world.assert_clean();
    }
}

#[test]
fn a_referral_that_the_end_of_the_conference_cuts_off_is_reported_as_such() {
    let mut world = World::new();
    world.set_trunks(vec![trunk("one", 1)]);
    world.reserve("Tea", 0, None);
    let (a, b) = (world.enter("conf-Tea"), world.enter("conf-Tea"));
    world.pass_ms(30 * 60_000 - 10_000);
    let request = world.refer(Some(a), NUMBER, |_| {});
    let new = called(&world);
    world.progress(new, 180);
    world.said();
    world.pass_ms(10_000);
    let said = world.said();
    let reports: Vec<_> = said.iter().filter(|line| line.starts_with("report")).collect();
    assert_eq!(reports, [&format!("report referral {request} 487")]);
    for call in [a, b, new] {
        assert!(said.iter().any(|line| line.starts_with(&format!("hang up {call}:"))), "{said:?}");
        world.ended(call);
    }
    world.assert_no_call_left();
}

#[test]
fn a_referrer_who_hangs_up_hears_the_outcome_all_the_same() {
    for (is_answered, status) in [(true, 200), (false, 486)] {
        let (mut world, a, b) = with_two();
        let request = world.refer(Some(a), NUMBER, |_| {});
        let new = called(&world);
        world.progress(new, 180);
        world.bye(a);
        world.said();
        match is_answered {
            true => world.answered(new),
            false => world.rejected(new, status),
        }
        assert_eq!(world.said(), [format!("report referral {request} {status}")]);
        assert_eq!(world.roster("Tea"), if is_answered { vec![b, new] } else { vec![b] });
        world.bye(b);
        if is_answered {
            world.bye(new);
        }
        world.assert_clean();
    }
}

/// The called side hangs up as soon as it is in: the referrer has left by then, as it wanted.
#[test]
fn one_who_answers_a_referral_and_hangs_up_at_once_is_gone_like_any_participant() {
    let (mut world, a, b) = with_two();
    let request = world.refer(Some(a), NUMBER, |_| {});
    let new = called(&world);
    world.said();
    world.answered(new);
    world.bye(new);
    world.ended(a);
    let reports: Vec<_> = world.said().into_iter().filter(|line| line.starts_with("report")).collect();
    assert_eq!(reports, [format!("report referral {request} 200")]);
    assert_eq!(world.roster("Tea"), [b]);
    world.bye(b);
    world.assert_clean();
}

/// Two are being called in the place of one who is in with another.
fn with_two_referrals(dialled: &str) -> (World, [u64; 2], [u64; 2], [u64; 2]) {
    let mut world = World::new();
    world.set_trunks(vec![trunk("one", 1)]);
    world.store.services.push(chair());
    world.reserve("Tea", 0, None);
    let (a, b) = (world.enter(dialled), world.enter("conf-Tea"));
    let mut refer = |to: &str| (world.refer(Some(a), to, |_| {}), called(&world));
    let ((first, x), (second, y)) = (refer("tel:+441908273801"), refer("tel:+441908273802"));
    world.said();
    (world, [a, b], [first, second], [x, y])
}

#[test]
fn two_referrals_in_one_dialog_go_on_each_for_itself() {
    for is_second_answered in [true, false] {
        let (mut world, [a, b], [first, second], [x, y]) = with_two_referrals("conf-Tea");
        world.progress(y, 180);
        world.answered(x);
        assert_eq!(
            world.said(),
            [
                format!("report referral {second} 180"),
                format!("report referral {first} 200"),
                format!("hang up {a}: Another call has taken the place of this one")
            ]
        );
        world.ended(a);
        let status = if is_second_answered { 200 } else { 486 };
        match is_second_answered {
            true => world.answered(y),
            false => world.rejected(y, status),
        }
        assert_eq!(world.said(), [format!("report referral {second} {status}")]);
        assert_eq!(world.roster("Tea"), if is_second_answered { vec![b, x, y] } else { vec![b, x] });
        for call in world.roster("Tea") {
            world.bye(call);
        }
        world.assert_no_call_left();
    }
}

/// What a leader's leaving means waits for the last call that is on the way to its place.
#[test]
fn a_leader_who_hangs_up_has_left_once_nobody_comes_in_its_place() {
    let (mut world, [a, b], [first, second], [x, y]) = with_two_referrals("chair-Tea");
    world.bye(a);
    assert_eq!((world.said(), world.roster("Tea")), (vec![], vec![b]));
    world.rejected(x, 486);
    assert_eq!(world.said(), [format!("report referral {first} 486")], "another one is on its way");
    world.rejected(y, 603);
    let over = format!("hang up {b}: The leader has ended the conference");
    assert_eq!(world.said(), [format!("report referral {second} 603"), over]);
    world.ended(b);
    world.assert_no_call_left();
    // One of two comes: with that the place is taken, whatever becomes of the other.
    let (mut world, [a, b], _, [x, y]) = with_two_referrals("chair-Tea");
    world.bye(a);
    world.answered(x);
    world.rejected(y, 486);
    assert_eq!(world.roster("Tea"), [b, x]);
    world.bye(x);
    world.ended(b);
    world.assert_no_call_left();
}

#[test]
fn an_attended_transfer_takes_the_dialog_along() {
    let (mut world, a, _) = with_two();
    world.refer(Some(a), NUMBER, |referred| {
        referred.replaces = Some(replaces());
        referred.referred_by = Some("sip:bob@example.com".to_owned());
    });
    let spec = &world.dials[&called(&world)];
    assert_eq!(spec.replaces, Some(replaces()));
    assert_eq!(spec.referred_by.as_deref(), Some("sip:bob@example.com"));
}

#[test]
fn of_two_calls_with_us_one_takes_the_place_of_the_other() {
    let (mut world, a, b) = with_two();
    let request =
        world.refer(Some(a), "sip:x@192.0.2.1", |referred| referred.replaces_call = Some(CallId(b)));
    assert_eq!(
        world.said(),
        [
            format!("accept referral {request}"),
            format!("report referral {request} 200"),
            format!("hang up {a}: Another call has taken the place of this one")
        ]
    );
    assert_eq!(world.roster("Tea"), [b]);
}

#[test]
fn whom_a_service_lets_be_called_by_refer() {
    for (refer, to, status) in [
        (Refer::None, NUMBER, Some(403)),
        (Refer::Members, NUMBER, Some(403)),
        (Refer::All, NUMBER, None),
        (Refer::All, "sip:bob@elsewhere.invalid", Some(403)),
        (Refer::Members, "user:alice", Some(480)),
        (Refer::All, "nonsense:x", Some(400)),
    ] {
        let mut world = with_refer(refer, plain());
        let a = world.enter("conf-Tea");
        world.said();
        let request = world.refer(Some(a), to, |_| {});
        match status {
            Some(status) => assert_eq!(world.said(), [format!("refuse {request} {status}")], "{to}"),
            None => assert_eq!(world.said()[0], format!("accept referral {request}"), "{to}"),
        }
    }
}

#[test]
fn a_caller_outside_may_have_a_participant_invited_where_they_may_call() {
    let (mut world, a, b) = with_two();
    let request = world.refer(None, NUMBER, |_| {});
    let new = called(&world);
    assert_eq!(world.said()[0], format!("accept referral {request}"));
    world.answered(new);
    assert_eq!(world.roster("Tea"), [a, b, new], "beside the participants");
    let request = world.refer(None, NUMBER, |referred| {
        referred.flow.remote = "203.0.113.1:5060".parse().unwrap();
    });
    assert_eq!(world.said().last().unwrap(), &format!("refuse {request} 403"));
}

#[test]
fn where_there_is_no_seat_a_referral_says_so() {
    let (mut world, _, _) = with_two();
    world.enter("conf-Tea");
    world.said();
    let request = world.refer(None, NUMBER, |_| {});
    assert_eq!(
        world.said(),
        [format!("accept referral {request}"), format!("report referral {request} 486")]
    );
}

/// Who comes by it leads.
fn chair() -> InboundService {
    let mut chair = service("chair-*", support::from_networks("10.0.0.0/8"));
    if let Action::Conference(conference) = &mut chair.action {
        conference.participant = ParticipantOptions { destroy_on_exit: true, ..plain() };
    }
    chair
}

#[test]
fn a_leader_removes_a_participant_and_others_only_themselves() {
    let mut world = with_refer(Refer::All, plain());
    world.store.services.push(chair());
    let (leader, member, other) =
        (world.enter("chair-Tea"), world.enter("conf-Tea"), world.enter("conf-Tea"));
    let remove = |world: &mut World, who: u64, whom: u64| {
        world.said();
        let id = world.participant(whom).to_string();
        world.refer(Some(who), &format!("sip:{id}@192.0.2.1"), |referred| referred.method = "BYE".to_owned())
    };
    let request = remove(&mut world, member, other);
    assert_eq!(world.said(), [format!("refuse {request} 403")]);
    remove(&mut world, leader, other);
    assert_eq!(world.said().last().unwrap(), &format!("hang up {other}: Removed by the leader"));
    remove(&mut world, member, member);
    assert_eq!(world.roster("Tea"), [leader]);
    let request = remove(&mut world, leader, other);
    assert_eq!(world.said(), [format!("refuse {request} 404")], "it is gone");
}

/// RFC 3966, section 5.1.5.
#[test]
fn a_number_names_a_participant_in_every_spelling_and_is_on_record_in_one() {
    for written in ["+49-30-123456", "+49(30)123456", "+4930123456"] {
        let mut world = with_refer(Refer::All, plain());
        world.store.services.push(chair());
        let leader = world.enter("chair-Tea");
        let caller = world.incoming("conf-Tea", From { user: "+4930-123456", ..From::default() });
        world.confirm(caller);
        let request = world.refer(Some(leader), &format!("sip:{written}@192.0.2.1"), |referred| {
            referred.method = "BYE".to_owned()
        });
        assert_eq!(
            world.said().last().unwrap(),
            &format!("hang up {caller}: Removed by the leader"),
            "{written} {request}"
        );
        // One that we have called, too.
        let question = world.invite("sip:%2B44-19-1@one.example");
        world.call_of(question).unwrap();
        let new = called(&world);
        world.answered(new);
        world.refer(Some(leader), "sip:+44191@192.0.2.1", |referred| referred.method = "BYE".to_owned());
        assert_eq!(world.said().last().unwrap(), &format!("hang up {new}: Removed by the leader"));
    }
    let mut world = World::new();
    world.store.services.push(support::announcement("+49-30-77", &["closed.wav"]));
    let call = world.enter("+49-30-77");
    let to = world.records.iter().find_map(|entry| match entry {
        CallEntry::Started { call, .. } => Some(call.to.as_str()),
        CallEntry::Answered { .. } | CallEntry::Entered { .. } | CallEntry::Ended { .. } => None,
    });
    assert_eq!(to, Some("+493077"), "{call}");
}

#[test]
fn a_web_service_has_a_telephone_call_another_target() {
    let (mut world, a, b) = with_two();
    let transfer = |world: &mut World| {
        let (conference, participant) = (ConferenceName::new("Tea"), world.participant(a));
        let to = NUMBER.to_owned();
        let question = EdgeQuestion::Transfer { account: ACCOUNT, conference, participant, to };
        let question = world.ask(Question::Edge(question));
        world.call_of(question)
    };
    let participant = transfer(&mut world).unwrap();
    let state = world.shown(&participant).transfer.unwrap();
    assert_eq!((state.state, state.to.as_str()), (TransferProgress::Asked, NUMBER));
    assert_eq!(world.said(), [format!("refer {a} to {NUMBER}")]);
    assert!(transfer(&mut world).is_err(), "one at a time");
    let progress = |world: &mut World, status, is_final| {
        world.sip_event(SipEvent::ReferralProgress {
            call: CallId(a),
            status,
            phrase: "x".to_owned(),
            is_final,
        });
        let state = world.shown(&world.participant(a)).transfer.unwrap();
        (state.state, state.status)
    };
    assert_eq!(progress(&mut world, 180, false), (TransferProgress::Trying, Some(180)));
    assert_eq!(progress(&mut world, 486, true), (TransferProgress::Failed, Some(486)));
    assert_eq!(world.roster("Tea"), [a, b]);
    transfer(&mut world).unwrap();
    world.said();
    assert_eq!(progress(&mut world, 200, true), (TransferProgress::Done, Some(200)));
    assert_eq!(world.said(), [format!("hang up {a}: Transferred")]);
    assert_eq!(world.roster("Tea"), [b]);
}

#[test]
fn a_call_with_replaces_has_the_seat_of_the_other_also_where_all_are_taken() {
    let (mut world, a, b) = with_two();
    let c = world.enter("conf-Tea");
    world.said();
    let new = world.incoming("anything", From { replaces: Some(b), ..From::default() });
    assert_eq!(world.said(), [format!("ring {new}"), format!("answer {new}")]);
    assert_eq!(world.roster("Tea"), [a, b, c], "until the new one is up");
    world.confirm(new);
    assert_eq!(world.said(), [format!("hang up {b}: Another call has taken the place of this one")]);
    assert_eq!(world.roster("Tea"), [a, c, new]);
}
