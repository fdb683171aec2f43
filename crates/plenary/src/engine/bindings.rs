//! Where the telephones of registered users are (RFC 3261, 10.3; RFC 3327; RFC 5626): by what connection they registered,
//! and until when. Kept in memory: after a restart telephones register again.

use plenary_conference::{AccountId, Mono};
use plenary_sip::ua::Flow;
use std::collections::HashMap;

/// Telephones of one user at the most; beyond that the oldest is forgotten.
const PER_USER_MAX: usize = 10;

/// One telephone.
#[derive(Debug, Clone)]
pub(super) struct Binding {
    /// Its URI, which goes into the request line.
    pub(super) contact: String,
    /// Proxies to go by.
    pub(super) path: Vec<String>,
    /// The way by which it registered, and by which it is called.
    pub(super) flow: Flow,
    expires_at: Mono,
}

/// The telephones of all users, by user name (unique over the installation).
#[derive(Debug, Default)]
pub(super) struct Bindings {
    of: HashMap<String, (AccountId, Vec<Binding>)>,
}

/// What a telephone says when it registers.
pub(super) struct Registering<'a> {
    pub(super) account: AccountId,
    pub(super) user: &'a str,
    /// Empty: a question; `*` with no seconds: all go.
    pub(super) contacts: &'a [String],
    pub(super) seconds: u32,
    pub(super) path: &'a [String],
    pub(super) flow: Flow,
}

impl Bindings {
    /// Takes a registration in, and says which contacts the user has now, each with its seconds.
    pub(super) fn register(&mut self, asked: Registering<'_>, now: Mono) -> Vec<(String, u32)> {
        let Registering { account, user, contacts, seconds, path, flow } = asked;
        let (owner, known) = self.of.entry(user.to_owned()).or_insert_with(|| (account, Vec::new()));
        if *owner != account {
            (*owner, *known) = (account, Vec::new());
        }
        known.retain(|binding| binding.expires_at > now);
        for contact in contacts {
            if contact == "*" {
                if seconds == 0 {
                    known.clear();
                }
                continue;
            }
            known.retain(|binding| binding.contact != *contact);
            if seconds > 0 {
                let expires_at = now.plus_ms(u64::from(seconds) * 1000);
                let (contact, path) = (contact.clone(), path.to_vec());
                known.push(Binding { contact, path, flow, expires_at });
            }
        }
        let surplus = known.len().saturating_sub(PER_USER_MAX);
        known.drain(..surplus);
        let left = |binding: &Binding| {
            let seconds = binding.expires_at.0.saturating_sub(now.0).div_ceil(1000);
            (binding.contact.clone(), u32::try_from(seconds).unwrap_or(u32::MAX))
        };
        let shown = known.iter().map(left).collect();
        if known.is_empty() {
            self.of.remove(user);
        }
        shown
    }

    /// The telephones of a user of the account, the one that registered last first.
    pub(super) fn of(&self, account: AccountId, user: &str, now: Mono) -> Vec<Binding> {
        let Some((owner, known)) = self.of.get(user) else { return Vec::new() };
        let is_good = |binding: &&Binding| *owner == account && binding.expires_at > now;
        known.iter().rev().filter(is_good).cloned().collect()
    }

    /// The user of the account whose telephone has this URI.
    pub(super) fn user_at(&self, account: AccountId, uri: &str, now: Mono) -> Option<&str> {
        let bare = |text: &str| text.split(';').next().unwrap_or_default().to_ascii_lowercase();
        let wanted = bare(uri);
        self.of.iter().find_map(|(user, (owner, known))| {
            let is_it = |binding: &Binding| binding.expires_at > now && bare(&binding.contact) == wanted;
            (*owner == account && known.iter().any(is_it)).then_some(user.as_str())
        })
    }

    /// Those whose time is up.
    pub(super) fn forget_expired(&mut self, now: Mono) {
        self.of.retain(|_, (_, known)| {
            known.retain(|binding| binding.expires_at > now);
            !known.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plenary_sip::ua::Transport;

    fn flow(port: u16) -> Flow {
        let at = |port| std::net::SocketAddr::from(([127, 0, 0, 1], port));
        Flow { transport: Transport::Tcp, local: at(5060), remote: at(port) }
    }

    fn asked<'a>(contacts: &'a [String], seconds: u32) -> Registering<'a> {
        Registering { account: AccountId(1), user: "alice", contacts, seconds, path: &[], flow: flow(9) }
    }

    #[test]
    fn telephones_come_are_renewed_expire_and_go() {
        let (mut bindings, a, b) =
            (Bindings::default(), ["sip:alice@a".to_owned()], ["sip:alice@b;ob".to_owned()]);
        assert_eq!(bindings.register(asked(&a, 60), Mono(0)), [("sip:alice@a".to_owned(), 60)]);
        bindings.register(asked(&b, 120), Mono(1000));
        let of = |bindings: &Bindings, now| {
            bindings.of(AccountId(1), "alice", Mono(now)).into_iter().map(|b| b.contact).collect::<Vec<_>>()
        };
        assert_eq!(of(&bindings, 2000), ["sip:alice@b;ob", "sip:alice@a"], "the last one first");
        assert!(bindings.of(AccountId(2), "alice", Mono(0)).is_empty(), "not another account's");
        assert_eq!(bindings.user_at(AccountId(1), "sip:ALICE@b", Mono(2000)), Some("alice"));
        assert_eq!(of(&bindings, 60_000), ["sip:alice@b;ob"], "a minute is over");
        assert_eq!(bindings.register(asked(&[], 0), Mono(61_000)), [("sip:alice@b;ob".to_owned(), 60)]);
        assert_eq!(bindings.register(asked(&["*".to_owned()], 0), Mono(62_000)), []);
        assert!(bindings.of.is_empty());
    }

    #[test]
    fn a_user_has_no_more_than_ten() {
        let mut bindings = Bindings::default();
        for number in 0..15 {
            let contacts = [format!("sip:alice@{number}")];
            bindings.register(asked(&contacts, 60), Mono(0));
        }
        let kept = bindings.of(AccountId(1), "alice", Mono(0));
        assert_eq!((kept.len(), kept[0].contact.as_str()), (10, "sip:alice@14"));
    }
}
