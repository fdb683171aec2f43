use super::{caller::CALLER_CHARS_MAX, *};

fn guard() -> Guard {
    Guard::new(GuardConfig {
        exempt: vec!["10.0.0.0/8".parse().unwrap()],
        requests_per_second: 2,
        ..GuardConfig::default()
    })
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn alice() -> Caller {
    Caller::with_password("alice")
}

/// As many names as lead to a ban.
fn guess_names(guard: &mut Guard, source: IpAddr, proof: Proof, at: Duration) {
    for n in 0..10 {
        guard.failed_as(source, &Caller::with_password(&n.to_string()), proof, at);
    }
}

const OFFICE: &str = "192.0.2.1";
const TEN_MINUTES: Duration = Duration::from_secs(600);

/// A client with an old token, or a forgotten password, retries for ever; its neighbours call as usual.
#[test]
fn who_fails_often_is_blocked_and_the_neighbours_are_not() {
    let mut guard = guard();
    let (office, at) = (ip(OFFICE), Duration::from_secs(1));
    let (old, new) = (Caller::asking_for("web", "conf-Tea"), Caller::asking_for("bob", "conf-Tea"));
    let mut consequences = (0..100).filter_map(|_| guard.failed_as(office, &old, Proof::Reached, at));
    assert_eq!(consequences.next(), Some(Consequence::Blocked(TEN_MINUTES)));
    assert_eq!(consequences.next(), None, "once");
    assert!(guard.is_blocked(office, &old, true, at) && !guard.is_blocked(ip("192.0.2.2"), &old, true, at));
    assert!(!guard.is_banned(office, at) && guard.may_connect(office, 3));
    for other in [&new, &alice()] {
        assert!(!guard.is_blocked(office, other, true, at));
    }
    assert_eq!(guard.admit(office, false, at), Admission::Admitted);
    assert_eq!(
        guard.bans(at),
        [Ban {
            source: office,
            left: TEN_MINUTES,
            doubtful: false,
            caller: Some(old.clone()),
            reason: BanReason::Refused
        }]
    );
    assert!(!guard.is_blocked(office, &old, true, at + TEN_MINUTES), "it may try again");
    assert!(guard.lift(office, at) && !guard.is_blocked(office, &old, true, at));
}

#[test]
fn many_names_in_vain_ban_the_address() {
    let numbers = |n: u32| Caller::asking_for("100", &format!("900{n}"));
    let users = |n: u32| Caller::with_password(&format!("10{n}"));
    let froms = |n: u32| Caller::asking_for(&format!("f{n}"), "conf-Tea");
    let kinds: [(&dyn Fn(u32) -> Caller, u32); 3] = [(&numbers, 10), (&users, 10), (&froms, 64)];
    for (kind, names) in kinds {
        let (mut guard, source, at) = (guard(), ip(OFFICE), Duration::from_secs(1));
        let mut tried = 0;
        let banned = (0..1000).find_map(|n| {
            tried += 1;
            guard.failed_as(source, &kind(n), Proof::Reached, at)
        });
        assert_eq!((banned, tried), (Some(Consequence::Banned(TEN_MINUTES)), names));
        assert!(guard.is_banned(source, at) && !guard.is_banned(source, at + TEN_MINUTES));
        assert_eq!(guard.admit(source, true, at), Admission::Ignored);
    }
    // Slowly, over an hour, it is not guessing.
    let (mut guard, source) = (guard(), ip(OFFICE));
    for n in 0..100 {
        let at = Duration::from_secs(u64::from(n) * 61);
        assert_eq!(guard.failed_as(source, &numbers(n), Proof::Reached, at), None);
    }
}

#[test]
fn where_a_known_caller_was_permitted_of_late_guesses_of_others_do_not_ban_the_address() {
    let mut guard = guard();
    let (office, at) = (ip(OFFICE), Duration::from_secs(1));
    guard.succeeded(office, &alice(), true, at);
    let guess = |n: u32| Caller::with_password(&format!("10{n}"));
    for n in 0..1000 {
        let outcome = guard.failed_as(office, &guess(n), Proof::Reached, at);
        assert!(!matches!(outcome, Some(Consequence::Banned(_))), "{n}: {outcome:?}");
    }
    assert!(!guard.is_banned(office, at) && !guard.is_blocked(office, &alice(), true, at));
    assert!(!guard.is_blocked(office, &Caller::with_password("new"), true, at), "nor does a new one");
    assert!(guard.is_blocked(office, &guess(999), true, at), "each guess is followed by silence");
    assert!(!guard.is_blocked(office, &guess(999), true, at + DOUBTFUL_BAN_MAX), "a short one");
    // A day later there is nobody known there.
    let later = at + PERMITTED_FOR + Duration::from_secs(1);
    let outcome = (0..1000).find_map(|n| guard.failed_as(office, &guess(n), Proof::Reached, later));
    assert_eq!(outcome, Some(Consequence::Banned(TEN_MINUTES)));
}

/// A scanner that knows a service which everyone may call gains nothing by calling it.
#[test]
fn who_calls_what_is_open_to_all_is_banned_for_guessing_like_a_stranger() {
    let mut guard = guard();
    let (scanner, at) = (ip(OFFICE), Duration::from_secs(1));
    let open = Caller::asking_for("100", "conf-Open");
    for _ in 0..5 {
        guard.failed_as(scanner, &open, Proof::Reached, at);
    }
    assert_eq!(guard.succeeded(scanner, &open, false, at), None, "nothing to write down");
    for n in 0..9 {
        let outcome =
            guard.failed_as(scanner, &Caller::asking_for("100", &format!("900{n}")), Proof::Reached, at);
        assert_eq!(outcome, None, "{n}: its failures before are forgiven");
    }
    guard.succeeded(scanner, &open, false, at);
    let tenth = guard.failed_as(scanner, &Caller::asking_for("100", "9009"), Proof::Reached, at);
    assert_eq!(tenth, Some(Consequence::Banned(TEN_MINUTES)));
    guard.succeeded(scanner, &open, false, at);
    assert!(guard.is_banned(scanner, at), "nor does it end the ban");
}

/// A browser that came in by an access key, which stands in the source of a page.
#[test]
fn who_was_permitted_by_whatever_passes_a_ban_that_its_neighbours_caused() {
    let mut guard = guard();
    let (office, at) = (ip(OFFICE), Duration::from_secs(1));
    let colleague = Caller::asking_for("web", "conf-Tea").bringing("key");
    let admit = |guard: &mut Guard, caller: &Caller, at| guard.admit_caller(office, caller, true, at);
    assert_eq!(guard.succeeded(office, &colleague, false, at), None, "nothing to write down");
    for proof in [Proof::Reached, Proof::Doubtful] {
        guess_names(&mut guard, office, proof, at);
    }
    assert!(guard.is_banned(office, at));
    assert_eq!(guard.admit_caller(office, &colleague, false, at), Admission::Admitted);
    // Nobody else there does, nor the same one for another name or by another key.
    let others = [
        Caller::asking_for("web", "conf-Two").bringing("key"),
        Caller::asking_for("web", "conf-Tea"),
        alice(),
    ];
    for other in &others {
        assert_eq!(admit(&mut guard, other, at), Admission::Ignored, "{other}");
    }
    assert_eq!(guard.admit_caller(ip("192.0.2.2"), &alice(), true, at), Admission::Admitted, "elsewhere");
    // The rate counts, and what it does itself.
    let admitted = (0..100).filter(|_| admit(&mut guard, &colleague, at) == Admission::Admitted).count();
    assert_eq!(admitted, 19, "of a burst of 20");
    for _ in 0..10 {
        guard.failed_as(office, &colleague, Proof::Reached, at);
    }
    assert!(guard.is_blocked(office, &colleague, true, at));
    // Other limits take nothing from who was permitted.
    guard.set_config(guard.config.clone());
    guess_names(&mut guard, office, Proof::Reached, at);
    assert_eq!(admit(&mut guard, &colleague, at), Admission::Admitted);
    let later = at + PERMITTED_FOR + Duration::from_secs(1);
    guess_names(&mut guard, office, Proof::Reached, later);
    assert_eq!(admit(&mut guard, &colleague, later), Admission::Ignored, "a day later");
}

#[test]
fn who_was_known_before_a_restart_is_not_banned_by_its_neighbours_after_it() {
    let (office, site) = (ip(OFFICE), ip("2001:db8::7"));
    let hour = Duration::from_secs(3600);
    let mut before = guard();
    assert_eq!(before.succeeded(office, &alice(), true, hour), Some(office));
    assert_eq!(before.succeeded(office, &alice(), true, hour * 2), None, "not for each call");
    assert_eq!(before.succeeded(site, &alice(), true, hour), Some(ip("2001:db8::")));
    assert_eq!(before.succeeded(ip("10.0.0.1"), &alice(), true, hour), None, "it has no limits");

    // The clock of the new run has begun anew.
    let (mut after, at) = (guard(), Duration::from_secs(1));
    after.remember(office, hour * 3, at);
    after.remember(ip("2001:db8::"), hour * 25, at);
    for (source, is_banned) in [(office, false), (site, true)] {
        guess_names(&mut after, source, Proof::Reached, at);
        assert_eq!(after.is_banned(source, at), is_banned, "{source}");
    }
    guess_names(&mut after, office, Proof::Reached, at + hour * 22);
    assert!(after.is_banned(office, at + hour * 22), "a day later nobody is known there");
    // Other limits take nothing from who is known.
    after.succeeded(site, &alice(), true, at);
    after.set_config(after.config.clone());
    guess_names(&mut after, site, Proof::Reached, at);
    assert!(!after.is_banned(site, at));
}

#[test]
fn a_number_in_all_its_spellings_is_one_guess() {
    let spellings = ["+4930123456", "+49-30-123456", "+49(30)123.456", "+49 30 123456", "4930123456"];
    let (mut one_number, source, at) = (guard(), ip(OFFICE), Duration::from_secs(1));
    let asks = |name: &str| Caller::asking_for("100", name);
    let outcomes: Vec<_> =
        (0..10).map(|n| one_number.failed_as(source, &asks(spellings[n % 5]), Proof::Reached, at)).collect();
    assert!(outcomes[..9].iter().all(Option::is_none), "{outcomes:?}");
    assert_eq!(outcomes[9], Some(Consequence::Blocked(TEN_MINUTES)), "one caller, who failed ten times");
    assert!(spellings.iter().all(|spelling| one_number.is_blocked(source, &asks(spelling), true, at)));
    assert!(!one_number.is_blocked(source, &asks("+4930123457"), true, at));
    assert!(!one_number.is_banned(source, at));
    // So is the caller's own number; names are what they are.
    assert_eq!(Caller::with_password("+49-30-1"), Caller::with_password("+49301"));
    assert_ne!(asks("conf-Tea"), asks("confTea"));
    assert_ne!(Caller::with_password("+49301"), Caller::with_password("49301"), "two users");
}

#[test]
fn a_datagram_in_anothers_name_blocks_nobody_who_has_a_password() {
    let mut guard = guard();
    let (victim, at) = (ip(OFFICE), Duration::from_secs(1));
    let outcome = (0..100).find_map(|_| guard.failed_as(victim, &alice(), Proof::Doubtful, at));
    assert_eq!(outcome, Some(Consequence::Blocked(DOUBTFUL_BAN_MAX)));
    assert!(guard.is_blocked(victim, &alice(), false, at) && !guard.is_blocked(victim, &alice(), true, at));
    for n in 0..1000 {
        guard.failed_as(victim, &Caller::asking_for("100", &n.to_string()), Proof::Doubtful, at);
    }
    assert!(!guard.is_banned(victim, at) && guard.admit(victim, true, at) == Admission::Admitted);
    assert_eq!(guard.admit(victim, false, at), Admission::Ignored);
    assert_eq!(guard.admit(victim, false, at + DOUBTFUL_BAN_MAX), Admission::Admitted);
}

#[test]
fn a_success_takes_back_what_the_caller_did_before_and_networks_without_limits_have_none() {
    let mut guard = guard();
    let (office, at) = (ip(OFFICE), Duration::from_secs(1));
    for _ in 0..5 {
        for _ in 0..9 {
            assert_eq!(guard.failed_as(office, &alice(), Proof::Reached, at), None);
        }
        guard.succeeded(office, &alice(), true, at);
    }
    for n in 0..1000 {
        let caller = Caller::with_password(&n.to_string());
        assert_eq!(guard.failed_as(ip("10.0.0.1"), &caller, Proof::Reached, at), None);
    }
    // A page of another site does not belong to that network.
    let page = Whence { source: ip("10.0.0.1"), is_foreign: true };
    let outcome = (0..1000).find_map(|_| guard.failed_as(page, &alice(), Proof::Reached, at));
    assert_eq!(outcome, Some(Consequence::Blocked(TEN_MINUTES)));
    assert!(
        guard.is_blocked(page, &alice(), true, at) && !guard.is_blocked(ip("10.0.0.1"), &alice(), true, at)
    );
}

#[test]
fn memory_is_bounded_however_many_callers_fail() {
    let mut guard = guard();
    let mut most = 0;
    for n in 0..300_000_u32 {
        let source = IpAddr::V4(std::net::Ipv4Addr::from(0xc000_0000 + n / 9));
        guard.failed_as(source, &Caller::with_password(&n.to_string()), Proof::Reached, Duration::ZERO);
        most = most.max(guard.callers);
    }
    let followed: usize = guard.sources.values().map(|source| source.failing.len()).sum();
    assert_eq!(followed, guard.callers);
    assert!(most <= CALLERS_MAX && guard.sources.len() <= SOURCES_MAX);
    let (mut guard, source) = (super::Guard::new(guard.config.clone()), ip(OFFICE));
    guard.succeeded(source, &alice(), true, Duration::ZERO);
    for n in 0..10_000 {
        guard.failed_as(source, &Caller::with_password(&n.to_string()), Proof::Reached, Duration::ZERO);
    }
    assert!(guard.callers <= *CALLERS_OF_SOURCE.start());
    let long = Caller::asking_for(&"x".repeat(10_000), "\r\n");
    assert_eq!((long.who.len(), long.what.len()), (CALLER_CHARS_MAX, 0));
}

#[test]
fn a_source_may_burst_and_then_keeps_to_its_rate() {
    let mut guard = guard();
    let mut admitted = |source: &str, tries: usize, at: u64| {
        let at = Duration::from_secs(at);
        (0..tries).filter(|_| guard.admit(ip(source), true, at) == Admission::Admitted).count()
    };
    assert_eq!(admitted("192.0.2.1", 100, 0), 20);
    assert_eq!(admitted("192.0.2.1", 100, 3), 6);
    assert_eq!(admitted("192.0.2.2", 100, 3), 20, "each source for itself");
    assert_eq!(admitted("192.0.2.1", 100, 3600), 20, "never more than the burst");
    assert_eq!(admitted("10.1.2.3", 1000, 0), 1000, "a trunk has no limit");
    assert_eq!(admitted("2001:db8::1", 20, 0), 20);
    assert_eq!(admitted("2001:db8::2", 20, 0), 0, "the same network of IPv6");
    assert_eq!(admitted("2001:db8:0:1::1", 20, 0), 20);
}

#[test]
fn what_cannot_be_read_gets_no_answer_after_a_while_and_the_neighbours_do() {
    let mut guard = guard();
    let source = ip("192.0.2.1");
    let nobody = Caller::unreadable();
    for second in 0..9 {
        assert_eq!(
            guard.failed(source, Proof::Reached, BanReason::Unreadable, Duration::from_secs(second)),
            None
        );
    }
    let at = Duration::from_secs(9);
    assert_eq!(
        guard.failed(source, Proof::Reached, BanReason::Unreadable, at),
        Some(Consequence::Blocked(TEN_MINUTES))
    );
    assert!(guard.is_blocked(source, &nobody, true, at) && !guard.is_blocked(source, &alice(), false, at));
    assert!(
        !guard.is_blocked(source, &Caller::with_password("unreadable requests"), false, at),
        "it may be a name"
    );
    assert!(!guard.is_banned(source, at) && guard.admit(source, false, at) == Admission::Admitted);
    assert!(!guard.is_blocked(source, &nobody, true, at + TEN_MINUTES));
    // Nor does it count as a name that was tried out.
    for n in 0..9 {
        assert_eq!(guard.failed_as(source, &Caller::with_password(&n.to_string()), Proof::Reached, at), None);
    }
    assert!(!guard.is_banned(source, at));
}

#[test]
fn mistakes_now_and_then_do_not_count() {
    let mut guard = guard();
    let source = ip("192.0.2.1");
    for minute in 0..100 {
        assert_eq!(
            guard.failed(source, Proof::Reached, BanReason::Unreadable, Duration::from_secs(minute * 61)),
            None
        );
    }
    let at = Duration::from_secs(7000);
    assert_eq!(
        (0..1000)
            .filter_map(|_| guard.failed(ip("10.0.0.1"), Proof::Reached, BanReason::Unreadable, at))
            .count(),
        0
    );
}

/// Anonymous callers, and those who are called like their program.
#[test]
fn who_brings_a_right_token_is_not_who_brings_a_wrong_one_under_the_same_name() {
    let mut guard = guard();
    let (office, at) = (ip(OFFICE), Duration::from_secs(1));
    let with = |token: &str| Caller::asking_for("anonymous", "conf-Tea").bringing(token);
    for _ in 0..10 {
        guard.failed_as(office, &with("old"), Proof::Reached, at);
    }
    assert!(
        guard.is_blocked(office, &with("old"), true, at) && !guard.is_blocked(office, &with("new"), true, at)
    );
    assert_eq!(
        guard.bans(at)[0].caller.as_ref().unwrap().to_string(),
        "anonymous to conf-Tea",
        "no token is shown"
    );
}

#[test]
fn a_token_is_looked_at_where_names_were_tried_out_and_a_good_one_ends_the_ban() {
    let mut guard = guard();
    let (office, at) = (ip(OFFICE), Duration::from_secs(1));
    for n in 0..10 {
        guard.failed_as(office, &Caller::with_password(&n.to_string()), Proof::Reached, at);
    }
    assert!(guard.is_banned(office, at) && guard.may_connect(office, 3));
    assert_eq!(guard.admit(office, true, at), Admission::Ignored);
    assert_eq!(guard.admit_with_tokens(office, at), Admission::Admitted);
    guard.succeeded(office, &alice(), true, at);
    assert!(!guard.is_banned(office, at) && guard.admit(office, true, at) == Admission::Admitted);
}

#[test]
fn memory_is_bounded_however_many_sources_come() {
    let mut guard = guard();
    for n in 0..250_000_u32 {
        let source = IpAddr::V4(std::net::Ipv4Addr::from(0xc000_0000 + n));
        guard.admit(source, true, Duration::from_millis(u64::from(n)));
    }
    assert!(guard.sources.len() <= SOURCES_MAX);
}

#[test]
fn refusals_are_no_tool_against_others() {
    let mut guard = guard();
    let mut answers = |kind| {
        let at = Duration::from_secs(5);
        (0..1000).filter(|_| guard.admit(ip("192.0.2.1"), false, at) == kind).count()
    };
    assert_eq!(answers(Admission::TooMany), 20, "however many come");
    assert_eq!(answers(Admission::Ignored), 1000);
}

#[test]
fn connections_of_a_source_are_counted_and_a_ban_ends_with_new_limits() {
    let mut guard = guard();
    let (source, at) = (ip("192.0.2.1"), Duration::from_secs(1));
    assert!(guard.may_connect(source, 255) && !guard.may_connect(source, 256));
    assert!(guard.may_connect(ip("10.0.0.1"), 4000), "a trunk has no limit");
    assert!(guard.is_same(ip("2001:db8::1"), ip("2001:db8::2")) && !guard.is_same(source, ip("192.0.2.2")));
    guess_names(&mut guard, source, Proof::Reached, at);
    assert!(guard.is_banned(source, at) && guard.may_connect(source, 0), "its calls go on over connections");
    guard.set_config(guard.config.clone());
    assert!(!guard.is_banned(source, at));
}

#[test]
fn bans_are_listed_with_what_is_left_of_them_and_can_be_lifted() {
    let mut guard = guard();
    let (first, second, doubtful) = (ip("192.0.2.1"), ip("2001:db8::7"), ip("192.0.2.3"));
    let at = Duration::from_secs;
    for (source, proof, second) in
        [(first, Proof::Reached, 1), (second, Proof::Reached, 5), (doubtful, Proof::Doubtful, 5)]
    {
        guess_names(&mut guard, source, proof, at(second));
    }
    guard.failed(ip("192.0.2.4"), Proof::Reached, BanReason::Unreadable, at(5));
    let reason = BanReason::Guessing;
    let ban = |source, left, doubtful| Ban { source, left: at(left), doubtful, caller: None, reason };
    assert_eq!(
        guard.bans(at(11)),
        [ban(ip("2001:db8::"), 594, false), ban(first, 590, false), ban(doubtful, 24, true)]
    );
    assert!(!guard.lift(ip("192.0.2.4"), at(11)), "it is not banned");
    assert!(!guard.lift(ip("10.0.0.1"), at(11)), "a trunk never is");
    // By another address of its network.
    assert!(guard.lift(ip("2001:db8::1"), at(11)) && !guard.lift(second, at(11)));
    assert!(!guard.is_banned(second, at(11)) && guard.is_banned(first, at(11)));
    assert_eq!(
        guard.failed_as(second, &alice(), Proof::Reached, at(11)),
        None,
        "its failures are forgotten too"
    );
    assert!(guard.lift(doubtful, at(11)));
    assert_eq!(guard.admit(doubtful, false, at(11)), Admission::Admitted);
    assert_eq!(guard.bans(at(601)), []);
}

#[test]
fn a_ban_says_why() {
    let (office, at) = (ip(OFFICE), Duration::from_secs(1));
    let why = |guard: &Guard| guard.bans(at).into_iter().map(|ban| ban.reason).collect::<Vec<_>>();
    let repeat = |once: &dyn Fn(&mut Guard, u32)| {
        let mut guard = guard();
        (0..10).for_each(|n| once(&mut guard, n));
        why(&guard)
    };
    for reason in [BanReason::Unreadable, BanReason::AttackTool] {
        let once = |guard: &mut Guard, _| {
            guard.failed(office, Proof::Reached, reason, at);
        };
        assert_eq!(repeat(&once), [reason]);
    }
    let once = |guard: &mut Guard, _| {
        guard.failed_as(office, &alice(), Proof::Reached, at);
    };
    assert_eq!(repeat(&once), [BanReason::Refused]);
    let name = |n: u32| Caller::with_password(&format!("10{n}"));
    let once = |guard: &mut Guard, n| {
        guard.failed_as(office, &name(n), Proof::Reached, at);
    };
    assert_eq!(repeat(&once), [BanReason::Guessing]);
    // Where others were permitted, the tenth name is blocked for a moment, and for the same reason.
    let mut guard = guard();
    guard.succeeded(office, &alice(), true, at);
    for n in 0..11 {
        guard.failed_as(office, &name(n), Proof::Reached, at);
    }
    assert!(why(&guard).iter().all(|reason| *reason == BanReason::Guessing) && !why(&guard).is_empty());
}
