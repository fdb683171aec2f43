//! The trunks of all accounts as calls need them: which of them serve a target, how many calls they have, and whether we
//! are registered there.

use crate::{
    Calls, call::Call, control::TrunkState, lookup::StoreFailed, number::CallNumber, totals::TrunkTotals,
};
use plenary_conference::{AccountId, Timestamp};
use plenary_model::{Trunk, TrunkRegistration};
use plenary_sip::{Credentials, RegistrationId, RegistrationSpec};
use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Duration};
use tracing::{info, warn};

type Key = (AccountId, String);

/// Every trunk.
#[derive(Debug, Default)]
pub(crate) struct Trunks {
    of: BTreeMap<Key, Line>,
    registrations: BTreeMap<RegistrationId, Key>,
}

/// A trunk and how it does.
#[derive(Debug)]
struct Line {
    trunk: Arc<Trunk>,
    registration: Option<RegistrationId>,
    state: TrunkRegistration,
    registered_until: Option<Timestamp>,
    last_error: Option<(String, Timestamp)>,
    /// Proxies that calls should go by (Service-Route, RFC 3608).
    service_route: Vec<String>,
}

impl Trunks {
    pub(crate) fn get(&self, account: AccountId, name: &str) -> Option<Arc<Trunk>> {
        self.of.get(&(account, name.to_owned())).map(|line| line.trunk.clone())
    }

    /// Those of the account that serve what `serves` asks for, the one to be tried first first.
    pub(crate) fn serving(&self, account: AccountId, serves: impl Fn(&Trunk) -> bool) -> Vec<Arc<Trunk>> {
        let mut found: Vec<Arc<Trunk>> = self
            .of
            .range((account, String::new())..)
            .take_while(|((owner, _), _)| *owner == account)
            .map(|(_, line)| line.trunk.clone())
            .filter(|trunk| serves(trunk))
            .collect();
        found.sort_by_key(|trunk| trunk.settings.priority);
        found
    }

    /// The trunk of the account whose networks this address is of.
    pub(crate) fn at(&self, account: AccountId, source: IpAddr) -> Option<Arc<Trunk>> {
        let source = source.to_canonical();
        self.serving(account, |trunk| trunk.settings.networks.iter().any(|net| net.contains(&source)))
            .into_iter()
            .next()
    }

    /// Some account has a trunk there.
    pub(crate) fn is_known(&self, source: IpAddr) -> bool {
        let source = source.to_canonical();
        self.of.values().any(|line| line.trunk.settings.networks.iter().any(|net| net.contains(&source)))
    }

    /// All of them, with so many calls each.
    pub(crate) fn totals(&self, calls: &BTreeMap<(AccountId, &str), usize>) -> Vec<TrunkTotals> {
        let totals = self.of.iter().map(|((account, name), line)| TrunkTotals {
            account: *account,
            name: name.clone(),
            calls: calls.get(&(*account, name.as_str())).copied().unwrap_or_default(),
            is_registered: line
                .trunk
                .settings
                .register
                .then_some(line.state == TrunkRegistration::Registered),
            last_error: line.last_error.as_ref().map(|(text, _)| text.clone()),
        });
        totals.collect()
    }

    pub(crate) fn service_route(&self, trunk: &Trunk) -> Vec<String> {
        let line = self.of.get(&(trunk.account, trunk.name.clone()));
        line.map(|line| line.service_route.clone()).unwrap_or_default()
    }

    /// A call through it failed, or a registration.
    pub(crate) fn note_error(&mut self, account: AccountId, name: &str, text: String, at: Timestamp) {
        if let Some(line) = self.of.get_mut(&(account, name.to_owned())) {
            line.last_error = Some((text, at));
        }
    }
}

impl Calls {
    /// Reads the trunks again, registers where it is new, and takes back what is no more.
    pub(crate) fn set_trunks(&mut self, trunks: Result<Vec<Trunk>, StoreFailed>) {
        let trunks = match trunks {
            Ok(trunks) => trunks,
            Err(error) => return warn!(%error, "the trunks cannot be read: they stay as they were"),
        };
        let mut old = std::mem::take(&mut self.trunks.of);
        for trunk in trunks {
            let key = (trunk.account, trunk.name.clone());
            let line = match old.remove(&key) {
                Some(line) if *line.trunk == trunk => line,
                before => {
                    if let Some(before) = before {
                        self.unregister(&before);
                    }
                    self.register(trunk)
                }
            };
            self.trunks.of.insert(key, line);
        }
        old.values().for_each(|line| self.unregister(line));
    }

    fn register(&mut self, trunk: Trunk) -> Line {
        let mut line = Line {
            trunk: Arc::new(trunk),
            registration: None,
            state: TrunkRegistration::Off,
            registered_until: None,
            last_error: None,
            service_route: Vec::new(),
        };
        let trunk = line.trunk.clone();
        if let (true, Some(user)) = (trunk.settings.register, &trunk.settings.user) {
            let spec = RegistrationSpec {
                registrar: trunk.settings.uri.to_string(),
                address_of_record: format!(
                    "{}:{user}@{}",
                    trunk.settings.uri.scheme, trunk.settings.uri.host
                ),
                credentials: credentials(&trunk),
                expires: Some(Duration::from_secs(trunk.settings.register_seconds.into())),
                route: outbound_route(&trunk),
                ..RegistrationSpec::default()
            };
            match plenary_sip::check_registration(&spec) {
                Ok(()) => {
                    let id = RegistrationId(self.registration_numbers.draw());
                    self.out.register(id, spec);
                    self.trunks.registrations.insert(id, (trunk.account, trunk.name.clone()));
                    (line.registration, line.state) = (Some(id), TrunkRegistration::Registering);
                }
                Err(error) => {
                    warn!(trunk = %trunk.name, %error, "a trunk cannot be registered with");
                    (line.state, line.last_error) =
                        (TrunkRegistration::Failed, Some((error.to_string(), self.now.wall)));
                }
            }
        }
        line
    }

    fn unregister(&mut self, line: &Line) {
        if let Some(id) = line.registration {
            self.trunks.registrations.remove(&id);
            self.out.unregister(id);
        }
    }

    fn line_of(&mut self, id: RegistrationId) -> Option<&mut Line> {
        let key = self.trunks.registrations.get(&id)?;
        self.trunks.of.get_mut(key).filter(|line| line.registration == Some(id))
    }

    pub(crate) fn handle_registered(&mut self, id: RegistrationId, expires: Duration, route: Vec<String>) {
        let now = self.now.wall;
        let Some(line) = self.line_of(id) else { return };
        if line.state != TrunkRegistration::Registered {
            info!(trunk = %line.trunk.name, account = line.trunk.account.0, ?expires, "registered with a trunk");
        }
        let until = now.0 + i64::try_from(expires.as_millis()).unwrap_or(i64::MAX / 2);
        (line.state, line.registered_until, line.service_route) =
            (TrunkRegistration::Registered, Some(Timestamp(until)), route);
    }

    pub(crate) fn handle_registration_failed(
        &mut self,
        id: RegistrationId,
        status: u16,
        phrase: &str,
        retry_in: Duration,
    ) {
        let now = self.now.wall;
        let Some(line) = self.line_of(id) else { return };
        warn!(trunk = %line.trunk.name, account = line.trunk.account.0, status, phrase, ?retry_in, "registration with a trunk failed");
        (line.state, line.registered_until) = (TrunkRegistration::Failed, None);
        line.last_error = Some((format!("registration: {status} {phrase}"), now));
    }

    /// Calls of a trunk that are up or being placed, both ways.
    pub(crate) fn calls_of(&self, account: AccountId, name: &str) -> u32 {
        let is_of = |call: &&Call| call.trunk.as_deref() == Some(name) && call.account == Some(account);
        u32::try_from(self.calls.values().filter(is_of).count()).unwrap_or(u32::MAX)
    }

    pub(crate) fn has_free_line(&self, trunk: &Trunk) -> bool {
        self.calls_of(trunk.account, &trunk.name) < trunk.settings.calls_max
    }

    /// The same for a call that came in: the line of the call that it replaces is about to be free.
    pub(crate) fn has_line_for(&self, number: CallNumber, trunk: &Trunk) -> bool {
        let replaced = self.calls.get(&number).and_then(|call| self.calls.get(&call.replaces?));
        let is_freed = replaced.is_some_and(|call| {
            call.account == Some(trunk.account) && call.trunk.as_ref() == Some(&trunk.name)
        });
        self.calls_of(trunk.account, &trunk.name) - u32::from(is_freed) < trunk.settings.calls_max
    }

    pub(crate) fn trunk_states(&self, account: AccountId) -> BTreeMap<String, TrunkState> {
        self.trunks
            .of
            .range((account, String::new())..)
            .take_while(|((owner, _), _)| *owner == account)
            .map(|((_, name), line)| {
                let seconds = |at: Timestamp| at.0.div_euclid(1000);
                let state = TrunkState {
                    calls: self.calls_of(account, name),
                    registration: line.state,
                    registered_until: line.registered_until.map(seconds),
                    last_error: line.last_error.as_ref().map(|(text, _)| text.clone()),
                    last_error_at: line.last_error.as_ref().map(|(_, at)| seconds(*at)),
                };
                (name.clone(), state)
            })
            .collect()
    }
}

pub(crate) fn credentials(trunk: &Trunk) -> Option<Credentials> {
    let user = trunk.settings.user.clone()?;
    Some(Credentials { user, password: trunk.password.clone()? })
}

/// The proxy that everything goes by, as a loose route.
pub(crate) fn outbound_route(trunk: &Trunk) -> Vec<String> {
    trunk.settings.outbound_proxy.iter().map(|proxy| format!("{proxy};lr")).collect()
}
