//! Where registered telephones and browsers are (RFC 3261, 10.3; RFC 3327; RFC 5626): by what connection they
//! registered, and until when. What registered over a connection is reached over it and forgotten with it. Kept in memory:
//! after a restart telephones register again.

use plenary_conference::{AccountId, Mono};
use plenary_model::is_same_name;
use plenary_sip::ua::{Flow, Transport};
use std::collections::BTreeMap;

/// Telephones of one user at the most; beyond that the oldest is forgotten.
const PER_USER_MAX: usize = 10;

/// Who registered.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Registrant {
    /// A SIP user, by name.
    User(String),
    /// A client in a browser that came with a token, by the id in it.
    Client(String),
}

/// One telephone.
#[derive(Debug, Clone)]
pub(crate) struct Binding {
    /// Its URI, which goes into the request line.
    pub(crate) contact: String,
    /// Proxies to go by.
    pub(crate) path: Vec<String>,
    /// The connection or address from which it registered, and on which it is called.
    pub(crate) flow: Flow,
    /// The domain that it registered with.
    pub(crate) domain: String,
    sip_call_id: String,
    expires_at: Mono,
}

/// The registered telephones.
#[derive(Debug, Default)]
pub(crate) struct Bindings {
    of: BTreeMap<(AccountId, Registrant), Vec<Binding>>,
}

/// What a telephone says when it registers.
pub(crate) struct Registering<'a> {
    pub(crate) account: AccountId,
    pub(crate) who: Registrant,
    /// Each with its seconds, none: it goes. Empty: a question; `*` with no seconds: all go.
    pub(crate) contacts: &'a [(String, u32)],
    pub(crate) path: &'a [String],
    pub(crate) flow: Flow,
    pub(crate) domain: &'a str,
    pub(crate) sip_call_id: &'a str,
}

impl Bindings {
    /// Takes a registration in, and says which contacts the user has now, each with its seconds.
    pub(crate) fn register(&mut self, asked: Registering<'_>, now: Mono) -> Vec<(String, u32)> {
        let Registering { account, who, contacts, path, flow, domain, sip_call_id } = asked;
        let key = (account, who);
        let known = self.of.entry(key.clone()).or_default();
        known.retain(|binding| binding.expires_at > now);
        for (contact, seconds) in contacts {
            if contact == "*" {
                if *seconds == 0 {
                    known.clear();
                }
                continue;
            }
            known.retain(|binding| binding.contact != *contact);
            if *seconds > 0 {
                known.push(Binding {
                    contact: contact.clone(),
                    path: path.to_vec(),
                    flow,
                    domain: domain.to_owned(),
                    sip_call_id: sip_call_id.to_owned(),
                    expires_at: now.plus_ms(u64::from(*seconds) * 1000),
                });
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
            self.of.remove(&key);
        }
        shown
    }

    /// Removes these contacts, each asked for with no seconds, of a registration for the client that made it: over that very connection and with the same Call-ID,
    /// which no other client can use. Returns the contacts that are left; `None`: another client made it.
    pub(crate) fn unregister_own(
        &mut self,
        user: &str,
        flow: Flow,
        sip_call_id: &str,
        contacts: &[(String, u32)],
        now: Mono,
    ) -> Option<Vec<(String, u32)>> {
        if !is_connection(flow) {
            return None;
        }
        let is_own = |binding: &Binding| {
            same_connection(binding.flow, flow)
                && binding.sip_call_id == sip_call_id
                && contacts.iter().any(|(contact, _)| *contact == binding.contact)
        };
        let of_user = |(_, who): &(AccountId, Registrant)| match who {
            Registrant::User(name) => is_same_name(name, user),
            Registrant::Client(id) => id == user,
        };
        let (account, who) = self
            .of
            .iter()
            .find(|(key, known)| of_user(key) && known.iter().any(is_own))
            .map(|(key, _)| key.clone())?;
        let asked = Registering { account, who, contacts, path: &[], flow, domain: "", sip_call_id };
        Some(self.register(asked, now))
    }

    /// A user's registered telephones, the latest registration first.
    pub(crate) fn of(&self, account: AccountId, who: &Registrant, now: Mono) -> Vec<Binding> {
        let found = self.of.get(&(account, who.clone())).or_else(|| match who {
            // The same number in another spelling; the lowest name where there are several.
            Registrant::User(wanted) => {
                let alike = self.of.iter().filter_map(|((owner, who), known)| match who {
                    Registrant::User(name) if *owner == account && is_same_name(name, wanted) => {
                        Some((name, known))
                    }
                    Registrant::User(_) | Registrant::Client(_) => None,
                });
                alike.min_by_key(|(name, _)| *name).map(|(_, known)| known)
            }
            // The id of a client is no number.
            Registrant::Client(_) => None,
        });
        let Some(known) = found else { return Vec::new() };
        known.iter().rev().filter(|binding| binding.expires_at > now).cloned().collect()
    }

    /// Who of the account has a telephone with this URI.
    pub(crate) fn registrant_at(&self, account: AccountId, uri: &str, now: Mono) -> Option<&Registrant> {
        let bare = |text: &str| text.split(';').next().unwrap_or_default().to_ascii_lowercase();
        let wanted = bare(uri);
        self.of.iter().find_map(|((owner, who), known)| {
            let is_it = |binding: &Binding| binding.expires_at > now && bare(&binding.contact) == wanted;
            (*owner == account && known.iter().any(is_it)).then_some(who)
        })
    }

    /// A connection is closed: no contact is reached over it any more. Returns how many were.
    pub(crate) fn forget_connection(&mut self, flow: Flow) -> usize {
        let mut count = 0;
        if is_connection(flow) {
            self.of.retain(|_, known| {
                let before = known.len();
                known.retain(|binding| !same_connection(binding.flow, flow));
                count += before - known.len();
                !known.is_empty()
            });
        }
        count
    }

    /// Those whose time is up.
    pub(crate) fn forget_expired(&mut self, now: Mono) {
        self.of.retain(|_, known| {
            known.retain(|binding| binding.expires_at > now);
            !known.is_empty()
        });
    }
}

fn is_connection(flow: Flow) -> bool {
    flow.transport != Transport::Udp
}

fn same_connection(one: Flow, other: Flow) -> bool {
    (one.transport, one.remote) == (other.transport, other.remote)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(transport: Transport, port: u16) -> Flow {
        let at = |port| std::net::SocketAddr::from(([127, 0, 0, 1], port));
        Flow { transport, local: at(5060), remote: at(port), is_foreign: false }
    }

    fn alice() -> Registrant {
        Registrant::User("alice".to_owned())
    }

    fn asked(contacts: &[(String, u32)]) -> Registering<'_> {
        Registering {
            account: AccountId(1),
            who: alice(),
            contacts,
            path: &[],
            flow: flow(Transport::Tcp, 9),
            domain: "example.com",
            sip_call_id: "c1",
        }
    }

    #[test]
    fn telephones_come_are_renewed_expire_and_go() {
        let (mut bindings, a, b) =
            (Bindings::default(), [("sip:alice@a".to_owned(), 60)], [("sip:alice@b;ob".to_owned(), 120)]);
        assert_eq!(bindings.register(asked(&a), Mono(0)), [("sip:alice@a".to_owned(), 60)]);
        bindings.register(asked(&b), Mono(1000));
        let of = |bindings: &Bindings, now| {
            bindings.of(AccountId(1), &alice(), Mono(now)).into_iter().map(|b| b.contact).collect::<Vec<_>>()
        };
        assert_eq!(of(&bindings, 2000), ["sip:alice@b;ob", "sip:alice@a"], "the last one first");
        assert!(bindings.of(AccountId(2), &alice(), Mono(0)).is_empty(), "not another account's");
        let client = Registrant::Client("alice".to_owned());
        assert!(bindings.of(AccountId(1), &client, Mono(0)).is_empty(), "a client is not a user's telephone");
        assert_eq!(bindings.registrant_at(AccountId(1), "sip:ALICE@b", Mono(2000)), Some(&alice()));
        assert_eq!(of(&bindings, 60_000), ["sip:alice@b;ob"], "a minute is over");
        assert_eq!(bindings.register(asked(&[]), Mono(61_000)), [("sip:alice@b;ob".to_owned(), 60)]);
        assert_eq!(bindings.register(asked(&[("*".to_owned(), 0)]), Mono(62_000)), []);
        assert!(bindings.of.is_empty());
    }

    #[test]
    fn a_user_whose_name_is_a_number_is_found_in_every_spelling() {
        let mut bindings = Bindings::default();
        let contacts = [("sip:phone@a".to_owned(), 60)];
        bindings.register(
            Registering { who: Registrant::User("+4930123456".to_owned()), ..asked(&contacts) },
            Mono(0),
        );
        for (account, user, telephones) in [
            (1, "+4930123456", 1),
            (1, "+49-30-123456", 1),
            (2, "+49-30-123456", 0),
            (1, "+493012345", 0),
            (1, "4930123456", 0),
        ] {
            assert_eq!(
                bindings.of(AccountId(account), &Registrant::User(user.to_owned()), Mono(0)).len(),
                telephones,
                "{user}"
            );
        }
    }

    #[test]
    fn a_telephone_whose_address_changed_takes_back_the_old_one_as_it_registers_the_new_one() {
        let mut bindings = Bindings::default();
        let old = [("sip:alice@old".to_owned(), 60)];
        bindings.register(asked(&old), Mono(0));
        let moved = [("sip:alice@new".to_owned(), 300), ("sip:alice@old".to_owned(), 0)];
        assert_eq!(bindings.register(asked(&moved), Mono(0)), [("sip:alice@new".to_owned(), 300)]);
        let back = [("sip:alice@new".to_owned(), 0), ("sip:alice@old".to_owned(), 120)];
        assert_eq!(bindings.register(asked(&back), Mono(0)), [("sip:alice@old".to_owned(), 120)]);
    }

    #[test]
    fn a_user_has_no_more_than_ten() {
        let mut bindings = Bindings::default();
        for number in 0..15 {
            let contacts = [(format!("sip:alice@{number}"), 60)];
            bindings.register(asked(&contacts), Mono(0));
        }
        let kept = bindings.of(AccountId(1), &alice(), Mono(0));
        assert_eq!((kept.len(), kept[0].contact.as_str()), (10, "sip:alice@14"));
    }

    #[test]
    fn what_registered_over_a_connection_goes_with_it_and_with_no_other() {
        let mut bindings = Bindings::default();
        let contacts: Vec<[(String, u32); 1]> =
            (0..4).map(|number| [(format!("sip:alice@{number}"), 60)]).collect();
        let flows = [
            flow(Transport::Wss, 9),
            flow(Transport::Wss, 10),
            flow(Transport::Tcp, 9),
            flow(Transport::Udp, 9),
        ];
        for (contact, flow) in contacts.iter().zip(flows) {
            bindings.register(Registering { flow, ..asked(contact) }, Mono(0));
        }
        assert_eq!(bindings.forget_connection(flow(Transport::Udp, 9)), 0, "UDP has no connections");
        // Our own address may be written in two ways.
        let other_local = "127.0.0.1:443".parse().unwrap();
        assert_eq!(bindings.forget_connection(Flow { local: other_local, ..flows[0] }), 1);
        let left: Vec<String> =
            bindings.of(AccountId(1), &alice(), Mono(0)).into_iter().map(|binding| binding.contact).collect();
        assert_eq!(left, ["sip:alice@3", "sip:alice@2", "sip:alice@1"]);
        assert_eq!(bindings.forget_connection(flow(Transport::Wss, 10)), 1);
        assert_eq!(bindings.forget_connection(flow(Transport::Tcp, 9)), 1);
        assert_eq!(bindings.forget_connection(flow(Transport::Tcp, 9)), 0);
    }

    #[test]
    fn who_registered_over_a_connection_may_take_that_back_over_it_without_a_password() {
        let mut bindings = Bindings::default();
        let (contact, other) = ("sip:a@x.invalid", "sip:b@x.invalid");
        let wss = flow(Transport::Wss, 9);
        let for_a_minute = |contact: &str| [(contact.to_owned(), 60)];
        bindings.register(Registering { flow: wss, ..asked(&for_a_minute(contact)) }, Mono(0));
        let udp = flow(Transport::Udp, 9);
        bindings.register(Registering { flow: udp, ..asked(&for_a_minute(other)) }, Mono(0));
        let mut take = |user: &str, flow, id: &str, contact: &str| {
            bindings.unregister_own(user, flow, id, &[(contact.to_owned(), 0)], Mono(0))
        };
        assert_eq!(take("bob", wss, "c1", contact), None, "another user");
        assert_eq!(take("alice", flow(Transport::Wss, 10), "c1", contact), None, "another connection");
        assert_eq!(take("alice", wss, "c2", contact), None, "another registration");
        assert_eq!(take("alice", wss, "c1", other), None, "another telephone");
        assert_eq!(take("alice", wss, "c1", "*"), None, "all of them");
        assert_eq!(take("alice", udp, "c1", other), None, "a datagram shows nothing");
        assert_eq!(take("alice", wss, "c1", contact), Some(vec![("sip:b@x.invalid".to_owned(), 60)]));
        assert_eq!(take("alice", wss, "c1", contact), None, "it is gone");
    }
}
