//! People: made, invited, signed in, signed out, changed and removed; and how fast passwords can be guessed.
#![allow(missing_docs)]

#[macro_use]
mod support;

use plenary_model::{AccountId, LanguageCode, PersonSettings, Role, Scope, Scopes, Timestamp};
use plenary_store::{
    AcceptError, Authenticated, ChangeError, Person, PersonError, PersonId, ProviderPerson, ProviderSignIn,
    SESSION_IDLE_MS, SESSION_MS, SessionSecret, SignIn, SignInFrom, Store, StoreError,
};
use std::{collections::BTreeMap, net::IpAddr};
use support::Database;

on_both![
    an_invitation_sets_a_password_once_and_signs_in,
    a_session_ends_when_it_is_not_used_and_after_twelve_hours,
    what_ends_a_session_ends_it_at_once_in_every_process,
    a_role_is_what_a_session_lets_do,
    who_guesses_passwords_waits_and_others_are_not_held_up,
    people_are_changed_by_a_decision_about_what_they_are,
    people_who_are_not_allowed_are_refused_by_name,
    a_person_has_so_many_sessions_and_no_more,
    a_provider_makes_links_and_knows_people_by_its_own_name_for_them,
    what_groups_give_is_renewed_and_what_hands_gave_stays,
    who_signs_in_at_a_provider_has_no_password,
    an_invitation_knows_whether_it_was_made_on_the_machine,
];

const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);
const MAIL: &str = "Eve@Example.com";
const PASSWORD: &str = "correct horse";

fn later(ms: i64) -> Timestamp {
    Timestamp(NOW.0 + ms)
}

fn eve(account: AccountId) -> PersonSettings {
    PersonSettings {
        name: "Eve".to_owned(),
        mail: MAIL.to_owned(),
        language: LanguageCode::english(),
        is_operator: false,
        is_disabled: false,
        roles: BTreeMap::from([(account, Role::Organiser)]),
    }
}

fn from(address: &str) -> SignInFrom<'static> {
    SignInFrom { address: Some(address.parse::<IpAddr>().unwrap()), user_agent: Some("Browser/1.0 (ä)") }
}

const HOME: &str = "192.0.2.7";

async fn account(store: &Store) -> AccountId {
    store.create_account_login("1-2-0/bob@example.com").await.unwrap().0.id
}

/// A person with a password.
async fn made(store: &Store) -> Person {
    let account = account(store).await;
    let person = store.person_new(&eve(account), NOW).await.unwrap();
    let (code, _) = store.invite(person.id, NOW).await.unwrap().unwrap();
    let accepted = store.accept_invitation(code.as_str(), PASSWORD, from(HOME), NOW).await.unwrap();
    assert!(matches!(accepted, Some(SignIn::Right(_))), "{accepted:?}");
    store.person(person.id).await.unwrap().unwrap()
}

#[track_caller]
fn right(outcome: SignIn) -> SessionSecret {
    let SignIn::Right(right) = outcome else { panic!("{outcome:?}") };
    right.0
}

async fn is_valid(store: &Store, secret: &SessionSecret, now: Timestamp) -> bool {
    store.session(secret.as_str(), now).await.unwrap().is_some()
}

async fn an_invitation_sets_a_password_once_and_signs_in(database: &Database) {
    let store = database.open().await;
    let person = store.person_new(&eve(account(&store).await), NOW).await.unwrap();
    assert!(!person.has_password && person.invited_until.is_none());
    assert_eq!(
        store.sign_in(MAIL, "", from(HOME), NOW).await.unwrap(),
        SignIn::Wrong,
        "there is no password"
    );
    let (first, _) = store.invite(person.id, NOW).await.unwrap().unwrap();
    let (code, ends) = store.invite(person.id, NOW).await.unwrap().unwrap();
    assert_eq!(ends, later(7 * 24 * 3_600_000));
    assert_eq!(store.person(person.id).await.unwrap().unwrap().invited_until, Some(ends));
    let accept = async |code: &str, password: &str, now: Timestamp| {
        store.accept_invitation(code, password, from(HOME), now).await
    };
    for wrong in ["", "\0", first.as_str(), &code.as_str().to_uppercase()] {
        assert_eq!(accept(wrong, PASSWORD, NOW).await.unwrap(), None, "{wrong:?}");
    }
    assert_eq!(accept(code.as_str(), PASSWORD, ends).await.unwrap(), None, "a week later");
    let refused = accept(code.as_str(), "too short", NOW).await;
    assert!(
        matches!(&refused, Err(AcceptError::Password(error)) if error.pointer == "/password"),
        "{refused:?}"
    );
    let secret = right(accept(code.as_str(), PASSWORD, NOW).await.unwrap().unwrap());
    assert_eq!(accept(code.as_str(), "another horse", NOW).await.unwrap(), None, "it counts once");
    let (session, found) = store.session(secret.as_str(), NOW).await.unwrap().unwrap();
    assert_eq!((found.id, found.has_password, found.invited_until), (person.id, true, None));
    assert_eq!(session.address.as_deref(), Some(HOME));
    assert_eq!(session.user_agent.as_deref(), Some("Browser/1.0 (ä)"));

    // By the mail address in whichever case, and by nothing else.
    for login in [MAIL, "eve@example.com", " EVE@EXAMPLE.COM "] {
        let outcome = store.sign_in(login, PASSWORD, from(HOME), NOW).await.unwrap();
        let again = right(outcome);
        assert_ne!(again, secret);
        assert!(is_valid(&store, &again, NOW).await);
    }
    for (login, password) in [(MAIL, "another horse"), ("eve", PASSWORD), ("eve\0@example.com", PASSWORD)] {
        assert_eq!(store.sign_in(login, password, from("192.0.2.8"), NOW).await.unwrap(), SignIn::Wrong);
    }
    // A new password ends what the old one began.
    let (code, _) = store.invite(person.id, NOW).await.unwrap().unwrap();
    let old = right(store.sign_in(MAIL, PASSWORD, from(HOME), NOW).await.unwrap());
    let new = right(accept(code.as_str(), "another horse", NOW).await.unwrap().unwrap());
    assert!(!is_valid(&store, &old, NOW).await && !is_valid(&store, &secret, NOW).await);
    assert!(is_valid(&store, &new, NOW).await);
    assert_eq!(store.sign_in(MAIL, PASSWORD, from(HOME), NOW).await.unwrap(), SignIn::Wrong);
    assert!(store.invite(PersonId(99), NOW).await.unwrap().is_none());
}

async fn a_session_ends_when_it_is_not_used_and_after_twelve_hours(database: &Database) {
    let store = database.open().await;
    let person = made(&store).await;
    let secret = right(store.sign_in(MAIL, PASSWORD, from(HOME), NOW).await.unwrap());
    assert!(is_valid(&store, &secret, later(SESSION_IDLE_MS - 1)).await);
    let other = right(store.sign_in(MAIL, PASSWORD, from(HOME), NOW).await.unwrap());
    assert!(!is_valid(&store, &other, later(SESSION_IDLE_MS)).await);
    for wrong in ["", "\0", &other.as_str()[1..], &other.as_str().to_uppercase()] {
        assert!(store.session(wrong, NOW).await.unwrap().is_none(), "{wrong:?}");
    }
    // Used each hour, it lasts for twelve. What notes a use may be passed over where others write; a later one will do.
    let mut now = NOW.0;
    let third = right(store.sign_in(MAIL, PASSWORD, from(HOME), NOW).await.unwrap());
    while now + 3_600_000 < NOW.0 + SESSION_MS {
        now += 3_600_000;
        loop {
            let (session, _) =
                store.session(third.as_str(), Timestamp(now)).await.unwrap().expect("it is used");
            if session.last_used_at.0 == now {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    assert!(is_valid(&store, &third, later(SESSION_MS - 1)).await);
    assert!(!is_valid(&store, &third, later(SESSION_MS)).await);
    // What is over is listed no more, and deleted by the next.
    assert!(store.sessions_after(person.id, None, 100, later(SESSION_MS)).await.unwrap().is_empty());
    right(store.sign_in(MAIL, PASSWORD, from(HOME), later(SESSION_MS)).await.unwrap());
    assert_eq!(store.sessions_after(person.id, None, 100, NOW).await.unwrap().len(), 1);
}

async fn what_ends_a_session_ends_it_at_once_in_every_process(database: &Database) {
    let (store, other) = (database.open().await, database.open().await);
    let person = made(&store).await;
    let mut secrets = Vec::new();
    for _ in 0..3 {
        secrets.push(right(store.sign_in(MAIL, PASSWORD, from(HOME), NOW).await.unwrap()));
    }
    let (session, _) = other.session(secrets[0].as_str(), NOW).await.unwrap().unwrap();
    assert!(other.session_access(session.id, NOW).await.unwrap().is_some());
    assert!(!store.end_session(PersonId(99), session.id).await.unwrap(), "it is another person's");
    assert!(store.end_session(person.id, session.id).await.unwrap());
    assert!(!store.end_session(person.id, session.id).await.unwrap());
    assert!(!is_valid(&other, &secrets[0], NOW).await && is_valid(&other, &secrets[1], NOW).await);
    assert_eq!(other.session_access(session.id, NOW).await.unwrap(), None);
    let disabled = |person: &Person| Ok::<_, ()>(PersonSettings { is_disabled: true, ..person.settings() });
    store.change_person(person.id, disabled).await.unwrap().unwrap();
    assert!(!is_valid(&other, &secrets[1], NOW).await);
    assert_eq!(other.sign_in(MAIL, PASSWORD, from(HOME), NOW).await.unwrap(), SignIn::Wrong);
    let enabled = |person: &Person| Ok::<_, ()>(PersonSettings { is_disabled: false, ..person.settings() });
    store.change_person(person.id, enabled).await.unwrap().unwrap();
    assert!(!is_valid(&other, &secrets[1], NOW).await, "what has ended stays so");
    let again = right(other.sign_in(MAIL, PASSWORD, from(HOME), NOW).await.unwrap());
    let removed = store.remove_person(person.id, |_| Ok::<_, ()>(())).await.unwrap();
    assert!(removed.is_some() && !is_valid(&other, &again, NOW).await);
    assert!(store.remove_person(person.id, |_| Ok::<_, ()>(())).await.unwrap().is_none());
}

async fn a_role_is_what_a_session_lets_do(database: &Database) {
    let store = database.open().await;
    let person = made(&store).await;
    let (second, _) = store.create_account_login("0-0-1/first@example.com").await.unwrap();
    let secret = right(store.sign_in(MAIL, PASSWORD, from(HOME), NOW).await.unwrap());
    let access = async || {
        let (session, person) = store.session(secret.as_str(), NOW).await.unwrap().unwrap();
        let account = store.account_of(&session, &person).await.unwrap()?;
        Some(session.access(&person, account))
    };
    let set = async |is_operator, roles: &[(AccountId, Role)]| {
        let roles: BTreeMap<_, _> = roles.iter().copied().collect();
        let change =
            |person: &Person| Ok::<_, ()>(PersonSettings { is_operator, roles, ..person.settings() });
        store.change_person(person.id, change).await.unwrap().unwrap();
    };
    let own = person.roles[0].account.id;
    let found = access().await.unwrap();
    assert_eq!((found.account.id, found.scopes, found.only_reads), (own, Role::Organiser.scopes(), false));
    assert!(
        matches!(&found.by, Authenticated::Person { person: id, mail, .. } if *id == person.id && mail == MAIL)
    );
    set(false, &[(own, Role::Auditor)]).await;
    let found = access().await.unwrap();
    assert_eq!((found.scopes, found.only_reads), (Role::Auditor.scopes(), true));
    // The first by login, unless another is chosen, and as long as it may be.
    set(false, &[(own, Role::Admin), (second.id, Role::Auditor)]).await;
    assert_eq!(access().await.unwrap().account.id, second.id);
    let (session, _) = store.session(secret.as_str(), NOW).await.unwrap().unwrap();
    store.work_in(session.id, own).await.unwrap();
    let found = access().await.unwrap();
    assert_eq!((found.account.id, found.scopes), (own, Scopes::account()));
    set(false, &[(second.id, Role::Organiser)]).await;
    assert_eq!(access().await.unwrap().account.id, second.id);
    // Operators may work in every account.
    set(true, &[]).await;
    let found = access().await.unwrap();
    assert_eq!(found.account.id, own, "the chosen one");
    assert!(
        found.scopes.includes(Scope::Operator) && found.scopes.includes(Scope::Config) && !found.only_reads
    );
}

async fn who_guesses_passwords_waits_and_others_are_not_held_up(database: &Database) {
    let store = database.open().await;
    made(&store).await;
    // Eve was right from home before.
    right(store.sign_in(MAIL, PASSWORD, from(HOME), NOW).await.unwrap());
    let guess =
        async |address: &str, now| store.sign_in(MAIL, "a wrong guess", from(address), now).await.unwrap();
    for _ in 0..3 {
        assert_eq!(guess("198.51.100.9", NOW).await, SignIn::Wrong);
    }
    let waits = SignIn::TooMany { retry_at: later(30_000) };
    assert_eq!(guess("198.51.100.9", NOW).await, waits);
    let right_one = store.sign_in(MAIL, PASSWORD, from("198.51.100.9"), NOW).await.unwrap();
    assert_eq!(right_one, waits, "it is not looked at");
    // In another process too, and for each spelling.
    let other = database.open().await;
    assert_eq!(other.sign_in("EVE@example.com", PASSWORD, from("198.51.100.9"), NOW).await.unwrap(), waits);
    right(other.sign_in(MAIL, PASSWORD, from(HOME), NOW).await.unwrap());
    assert_eq!(guess("198.51.100.9", later(30_000)).await, SignIn::Wrong);
    assert_eq!(guess("198.51.100.9", later(30_000)).await, SignIn::TooMany { retry_at: later(90_000) });
    // An address with a new login each time is held up as well; twenty it may.
    for number in 0..20 {
        let login = format!("nobody{number}@example.com");
        let outcome = store.sign_in(&login, "x", from("198.51.100.77"), NOW).await.unwrap();
        assert_eq!(outcome, SignIn::Wrong, "{number}");
    }
    let outcome = store.sign_in("somebody@example.com", "x", from("198.51.100.77"), NOW).await.unwrap();
    assert!(matches!(outcome, SignIn::TooMany { .. }), "{outcome:?}");
}

async fn people_are_changed_by_a_decision_about_what_they_are(database: &Database) {
    let store = database.open().await;
    let account = account(&store).await;
    let (other, _) = store.create_account_login("3-4-5/ann@example.com").await.unwrap();
    let first = store.person_new(&eve(account), NOW).await.unwrap();
    let ann = PersonSettings {
        name: "Ann".to_owned(),
        mail: "ann@example.com".to_owned(),
        language: LanguageCode::new("de").unwrap(),
        roles: BTreeMap::from([(account, Role::Admin), (other.id, Role::Auditor)]),
        ..eve(account)
    };
    let second = store.person_new(&ann, NOW).await.unwrap();
    assert_eq!(second.settings(), ann);
    assert_eq!(store.find_person("ANN@example.com").await.unwrap().as_ref(), Some(&second));
    assert_eq!(store.find_person("an\0n@example.com").await.unwrap(), None);
    let all = store.people_after(None, None, 10).await.unwrap();
    assert_eq!(all, [first.clone(), second.clone()]);
    assert_eq!(store.people_after(None, None, 1).await.unwrap(), all[..1]);
    assert_eq!(store.people_after(None, Some(first.id), 10).await.unwrap(), all[1..]);
    assert_eq!(store.people_after(Some(other.id), None, 10).await.unwrap(), all[1..]);
    let refused = store.change_person(first.id, |_| Err("no")).await;
    assert!(matches!(refused, Err(ChangeError::Refused("no"))), "{refused:?}");
    let renamed = |person: &Person| Ok::<_, ()>(PersonSettings { name: "Eva".into(), ..person.settings() });
    let changed = store.change_person(first.id, renamed).await.unwrap().unwrap();
    assert!(changed.name == "Eva" && changed.updated_at > first.updated_at);
    assert_eq!(store.person(first.id).await.unwrap().unwrap(), changed);
    assert!(store.change_person(PersonId(99), renamed).await.unwrap().is_none());
}

async fn people_who_are_not_allowed_are_refused_by_name(database: &Database) {
    let store = database.open().await;
    let account = account(&store).await;
    store.person_new(&eve(account), NOW).await.unwrap();
    let again = PersonSettings { mail: "eve@EXAMPLE.com".into(), ..eve(account) };
    let taken = store.person_new(&again, NOW).await;
    assert!(matches!(&taken, Err(PersonError::MailTaken { mail }) if mail == "eve@EXAMPLE.com"), "{taken:?}");
    let odd = PersonSettings { mail: "nowhere".into(), name: String::new(), ..eve(account) };
    let Err(PersonError::Invalid(errors)) = store.person_new(&odd, NOW).await else { panic!("{odd:?}") };
    assert_eq!(errors.iter().map(|error| &*error.pointer).collect::<Vec<_>>(), ["/name", "/mail"]);
    let unknown = PersonSettings { mail: "x@example.com".into(), ..eve(AccountId(99)) };
    let refused = store.person_new(&unknown, NOW).await;
    assert!(matches!(refused, Err(PersonError::Store(StoreError::UnknownAccount))), "{refused:?}");
    assert_eq!(store.find_person("x@example.com").await.unwrap(), None, "nothing was made");
    let other = PersonSettings { mail: "x@example.com".into(), ..eve(account) };
    let other = store.person_new(&other, NOW).await.unwrap();
    let takes = |person: &Person| Ok::<_, ()>(PersonSettings { mail: MAIL.into(), ..person.settings() });
    let taken = store.change_person(other.id, takes).await;
    assert!(matches!(taken, Err(ChangeError::Store(PersonError::MailTaken { .. }))), "{taken:?}");
}

async fn a_person_has_so_many_sessions_and_no_more(database: &Database) {
    let store = database.open().await;
    let person = made(&store).await;
    let mut secrets = Vec::new();
    for _ in 0..11 {
        secrets.push(right(store.sign_in(MAIL, PASSWORD, from(HOME), NOW).await.unwrap()));
    }
    let sessions = store.sessions_after(person.id, None, 100, NOW).await.unwrap();
    assert_eq!(sessions.len(), 10);
    assert!(!is_valid(&store, &secrets[0], NOW).await, "the oldest has ended");
    assert!(is_valid(&store, &secrets[1], NOW).await && is_valid(&store, &secrets[10], NOW).await);
    let page = store.sessions_after(person.id, Some(sessions[4].id), 5, NOW).await.unwrap();
    assert_eq!(page, sessions[5..10]);
}

const BOB: &str = "1-2-0/bob@example.com";

/// What a provider says of Eve.
fn described(subject: &str, mail: Option<&str>, roles: &[(&str, Role)]) -> ProviderPerson {
    ProviderPerson {
        issuer: "https://id.example.com".to_owned(),
        subject: subject.to_owned(),
        verified_mail: mail.map(str::to_owned),
        name: "Eve Ünal".to_owned(),
        language: LanguageCode::new("de").unwrap(),
        roles: roles.iter().map(|(account, role)| ((*account).to_owned(), *role)).collect(),
        is_operator: false,
    }
}

async fn by_provider(store: &Store, who: &ProviderPerson) -> ProviderSignIn {
    store.sign_in_by_provider(who, from(HOME), NOW).await.unwrap()
}

#[track_caller]
fn let_in(outcome: ProviderSignIn) -> (SessionSecret, Person) {
    let ProviderSignIn::Right(right) = outcome else { panic!("{outcome:?}") };
    (right.0, right.2)
}

async fn a_provider_makes_links_and_knows_people_by_its_own_name_for_them(database: &Database) {
    let store = database.open().await;
    let bob = account(&store).await;
    let organiser = [(BOB, Role::Organiser)];
    // Nobody is made without a verified address, a role, or an address that is one.
    for (who, expected) in [
        (described("e", None, &organiser), ProviderSignIn::NoMail),
        (described("e", Some("eve"), &organiser), ProviderSignIn::NoMail),
        (described("e", Some("eve@example.com\0"), &organiser), ProviderSignIn::NoMail),
        (described("e", Some(MAIL), &[]), ProviderSignIn::NoRole),
        (
            described("e", Some(MAIL), &[("7-7-7/nobody", Role::Admin), ("odd", Role::Admin)]),
            ProviderSignIn::NoRole,
        ),
    ] {
        assert_eq!(by_provider(&store, &who).await, expected, "{who:?}");
    }
    assert!(store.people_after(None, None, 10).await.unwrap().is_empty());

    let (secret, eve) = let_in(by_provider(&store, &described("e", Some(MAIL), &organiser)).await);
    assert_eq!((eve.name.as_str(), eve.language.as_str(), eve.mail.as_str()), ("Eve Ünal", "de", MAIL));
    assert!(eve.is_linked && !eve.has_password && !eve.is_operator && eve.roles[0].is_by_group);
    assert_eq!((eve.role_in(bob), eve.signed_in_at), (Some(Role::Organiser), Some(NOW)));
    assert!(is_valid(&store, &secret, NOW).await);
    // Known by the subject from then on, with whatever address.
    let (_, again) = let_in(by_provider(&store, &described("e", None, &organiser)).await);
    assert_eq!((again.id, again.updated_at), (eve.id, eve.updated_at), "nothing has changed");
    // Subjects differ in case, and by provider.
    let other = described("E", Some("eve@EXAMPLE.com"), &organiser);
    assert_eq!(by_provider(&store, &other).await, ProviderSignIn::OtherSubject(eve.id));
    let elsewhere = ProviderPerson { issuer: "https://other.example.com".to_owned(), ..other.clone() };
    assert_eq!(let_in(by_provider(&store, &elsewhere).await).1.id, eve.id);
    assert!(store.unlink_person(eve.id).await.unwrap() && !store.unlink_person(eve.id).await.unwrap());
    assert!(!is_valid(&store, &secret, NOW).await);
    assert!(!store.person(eve.id).await.unwrap().unwrap().is_linked);
    assert_eq!(let_in(by_provider(&store, &other).await).1.id, eve.id);

    let disabled = |person: &Person| Ok::<_, ()>(PersonSettings { is_disabled: true, ..person.settings() });
    store.change_person(eve.id, disabled).await.unwrap();
    assert_eq!(by_provider(&store, &other).await, ProviderSignIn::Disabled);
    store.remove_person(eve.id, |_| Ok::<_, ()>(())).await.unwrap();
    let (_, new) = let_in(by_provider(&store, &other).await);
    assert_ne!(new.id, eve.id);
}

async fn what_groups_give_is_renewed_and_what_hands_gave_stays(database: &Database) {
    let store = database.open().await;
    let bob = account(&store).await;
    let ann = store.create_account_login("1-2-0/ann@example.com").await.unwrap().0.id;
    let gives = |roles: &[(&str, Role)], is_operator| ProviderPerson {
        is_operator,
        ..described("e", Some(MAIL), roles)
    };
    let roles = |person: &Person| {
        person.roles.iter().map(|role| (role.account.id, role.role, role.is_by_group)).collect::<Vec<_>>()
    };
    const ANN: &str = "1-2-0/ann@example.com";
    // By hand in Bob's account, where it counts instead of a group's.
    let by_hand = store.person_new(&eve(bob), NOW).await.unwrap();
    let (_, eve) =
        let_in(by_provider(&store, &gives(&[(BOB, Role::Admin), (ANN, Role::Auditor)], false)).await);
    assert_eq!(eve.id, by_hand.id);
    assert_eq!(roles(&eve), [(ann, Role::Auditor, true), (bob, Role::Organiser, false)]);
    // The first rule for an account; operating comes and goes.
    let two = [(ANN, Role::Admin), (ANN, Role::Auditor)];
    let (_, eve) = let_in(by_provider(&store, &gives(&two, true)).await);
    assert_eq!(roles(&eve)[0], (ann, Role::Admin, true));
    assert!(eve.is_operator && eve.is_operator_by_group);
    // A change by hand of something else does not make it a hand's.
    let named = |person: &Person| Ok::<_, ()>(PersonSettings { name: "E.".to_owned(), ..person.settings() });
    let eve = store.change_person(eve.id, named).await.unwrap().unwrap();
    assert_eq!((roles(&eve)[0], eve.is_operator_by_group), ((ann, Role::Admin, true), true));
    let (_, eve) = let_in(by_provider(&store, &gives(&[], false)).await);
    assert_eq!((roles(&eve), eve.is_operator), (vec![(bob, Role::Organiser, false)], false));
    assert_eq!(eve.name, "E.", "the name is not renewed");
    // What a hand changes is a hand's.
    let_in(by_provider(&store, &gives(&[(ANN, Role::Admin)], false)).await);
    let changed = |person: &Person| {
        let mut settings = person.settings();
        settings.roles = BTreeMap::from([(ann, Role::Auditor)]);
        Ok::<_, ()>(settings)
    };
    store.change_person(eve.id, changed).await.unwrap();
    let (secret, eve) = let_in(by_provider(&store, &gives(&[(ANN, Role::Admin)], false)).await);
    assert_eq!(roles(&eve), [(ann, Role::Auditor, false)]);
    // An operator by hand stays one.
    let operates = |person: &Person| Ok::<_, ()>(PersonSettings { is_operator: true, ..person.settings() });
    store.change_person(eve.id, operates).await.unwrap();
    let (_, eve) = let_in(by_provider(&store, &gives(&[], true)).await);
    assert!(eve.is_operator && !eve.is_operator_by_group);
    // Nothing by hand, and no group any more.
    let nothing = |person: &Person| {
        let mut settings = person.settings();
        (settings.is_operator, settings.roles) = (false, BTreeMap::from([(bob, Role::Auditor)]));
        Ok::<_, ()>(settings)
    };
    let id =
        let_in(by_provider(&store, &described("a", Some("ann@example.com"), &[(BOB, Role::Auditor)])).await)
            .1
            .id;
    store.change_person(id, nothing).await.unwrap();
    assert_eq!(
        by_provider(&store, &described("a", None, &[])).await,
        ProviderSignIn::NoRole,
        "it stays what a group gives where it is the same"
    );
    assert!(store.sessions_after(id, None, 10, NOW).await.unwrap().is_empty());
    assert!(is_valid(&store, &secret, NOW).await, "of another person");
    assert!(store.person(id).await.unwrap().unwrap().roles.is_empty());
}

async fn who_signs_in_at_a_provider_has_no_password(database: &Database) {
    let store = database.open().await;
    // A stranger makes a person by the address of another, sets the password, and keeps a further link.
    let person = made(&store).await;
    let theirs = right(store.sign_in(MAIL, PASSWORD, from(HOME), NOW).await.unwrap());
    let (code, _) = store.invite(person.id, NOW).await.unwrap().unwrap();
    let vouched = described("e", Some(MAIL), &[(BOB, Role::Admin)]);
    let (own, eve) = let_in(by_provider(&store, &vouched).await);
    assert_eq!((eve.id, eve.has_password, eve.invited_until), (person.id, false, None));
    assert!(!is_valid(&store, &theirs, NOW).await && is_valid(&store, &own, NOW).await);
    assert_eq!(store.sign_in(MAIL, PASSWORD, from(HOME), NOW).await.unwrap(), SignIn::Wrong);
    let accepted = store.accept_invitation(code.as_str(), PASSWORD, from(HOME), NOW).await.unwrap();
    assert_eq!(accepted, None);
    // A link of later, too: until the person signs in at the provider again, who may do more then.
    let (code, _) = store.invite(eve.id, NOW).await.unwrap().unwrap();
    let accepted = store.accept_invitation(code.as_str(), PASSWORD, from(HOME), NOW).await.unwrap();
    let theirs = right(accepted.unwrap());
    let (_, eve) =
        let_in(by_provider(&store, &ProviderPerson { is_operator: true, ..vouched.clone() }).await);
    assert!(eve.is_operator && !is_valid(&store, &theirs, NOW).await);
    // Without one, other browsers stay signed in.
    let (first, _) = let_in(by_provider(&store, &vouched).await);
    let_in(by_provider(&store, &vouched).await);
    assert!(is_valid(&store, &first, NOW).await);
}

async fn an_invitation_knows_whether_it_was_made_on_the_machine(database: &Database) {
    let store = database.open().await;
    let person = store.person_new(&eve(account(&store).await), NOW).await.unwrap();
    let (first, _) = store.invite_on_machine(person.id, NOW).await.unwrap().unwrap();
    assert!(store.is_invited_on_machine(first.as_str(), NOW).await.unwrap());
    assert!(!store.is_invited_on_machine("x", NOW).await.unwrap());
    assert!(!store.is_invited_on_machine(first.as_str(), later(7 * 24 * 3_600_000)).await.unwrap());
    let (second, _) = store.invite(person.id, NOW).await.unwrap().unwrap();
    assert!(!store.is_invited_on_machine(first.as_str(), NOW).await.unwrap(), "it was replaced");
    assert!(!store.is_invited_on_machine(second.as_str(), NOW).await.unwrap());
}
