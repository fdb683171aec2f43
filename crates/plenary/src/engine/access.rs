//! Who may call what. Nobody may, unless the service says so: by the network a call comes from, by user name and
//! password, or by a token. Those who may not learn nothing of which names there are.

use super::{
    Command, Engine,
    bindings::Registering,
    call::{CallNumber, Stage},
    incoming::find_service,
    wall_now,
};
use plenary_conference::{AccountId, ServiceName};
use plenary_sip::{
    Registration, Transport,
    digest::{Algorithm, Authenticator, Authorizations, DigestAnswer, Verdict},
    ua::Flow,
};
use plenary_store::{CallToken, InboundService, SipSecret, Store, StoreError};
use std::{net::IpAddr, time::Duration};
use tracing::{info, warn};

/// How long a registration lasts at the least and at the most, in seconds.
const REGISTRATION_S: std::ops::RangeInclusive<u32> = 60..=3600;

/// What was looked up for a call or a registration.
#[derive(Debug)]
pub(crate) struct Looked {
    /// The service of the dialled name, and what its `*` stood for.
    pub(super) service: Option<(InboundService, String)>,
    pub(super) claims: Claims,
    /// Somebody may call by password at all.
    has_users: bool,
}

/// Who the caller says it is, and what the store holds to check that: at most one password and one token.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    password: Option<(DigestAnswer, Option<SipSecret>)>,
    /// The token that was brought, as the store knows it; `Some(None)`: it does not, or it has expired.
    token: Option<Option<CallToken>>,
}

impl Claims {
    /// Something was brought that is meant for us. What is meant for other realms says nothing.
    fn is_empty(&self) -> bool {
        self.password.is_none() && self.token.is_none()
    }
}

/// What there is to look up of a request's credentials.
#[derive(Debug)]
pub(super) struct Brought {
    answer: Option<DigestAnswer>,
    token: Option<String>,
}

/// What becomes of a call.
enum Decision {
    Welcome,
    /// The name is not there; said only to those who may know.
    NoSuchService,
    /// Who is it?
    Challenge {
        stale: bool,
    },
    No,
}

pub(super) async fn look_up(
    store: &Store,
    dialled: Option<&str>,
    brought: Brought,
) -> Result<Looked, StoreError> {
    let service = match dialled {
        Some(dialled) => find_service(store, dialled).await?,
        None => None,
    };
    let mut claims = Claims::default();
    if let Some(answer) = brought.answer {
        let secret = store.sip_secret(&answer.username).await?;
        claims.password = Some((answer, secret));
    }
    if let Some(token) = brought.token {
        claims.token = Some(store.check_call_token(&token, wall_now()).await?);
    }
    Ok(Looked { service, claims, has_users: store.has_sip_users().await? })
}

/// A user who knows its password.
#[derive(Debug, Clone)]
struct KnownUser {
    account: AccountId,
    name: String,
}

/// What the credentials of a request have shown.
#[derive(Debug, Default)]
struct Known {
    user: Option<KnownUser>,
    token: Option<CallToken>,
    /// Something was brought that is no good.
    wrong: Option<Wrong>,
}

#[derive(Debug, Clone, Copy)]
struct Wrong {
    /// The password is right, and a new nonce is all that is needed.
    stale: bool,
}

impl Known {
    /// It is known who this is.
    fn is_somebody(&self) -> bool {
        self.user.is_some() || self.token.is_some()
    }

    /// Whether the challenge that follows says that only the nonce was too old.
    fn is_stale(&self) -> bool {
        self.wrong.is_some_and(|wrong| wrong.stale)
    }
}

impl Engine {
    /// What of a request's credentials is meant for us: the answer to a challenge of our realm, and a token.
    pub(super) fn brought(&self, authorizations: &Authorizations, source: IpAddr) -> Brought {
        let is_ours = |answer: &DigestAnswer| self.authenticator.has_asked(answer, source);
        Brought {
            answer: authorizations.digest(self.authenticator.realm(), is_ours).cloned(),
            token: authorizations.bearer().map(str::to_owned),
        }
    }

    fn know(&mut self, claims: Claims, source: IpAddr) -> Known {
        let mut known = Known::default();
        match claims.token {
            Some(Some(token)) => known.token = Some(token),
            Some(None) => known.wrong = Some(Wrong { stale: false }),
            None => {}
        }
        if let Some((answer, secret)) = claims.password {
            let secret = secret.filter(|secret| secret.realm == self.authenticator.realm());
            let ha1 = secret.as_ref().map(|secret| match answer.algorithm() {
                Algorithm::Md5 => secret.ha1_md5.as_str(),
                Algorithm::Sha256 => secret.ha1_sha256.as_str(),
            });
            let now = self.authenticator_now();
            match (self.authenticator.judge(&answer, ha1, source, now), secret) {
                (Verdict::Right, Some(secret)) => {
                    known.user = Some(KnownUser { account: secret.account, name: answer.username });
                }
                (Verdict::Stale, _) => known.wrong = Some(Wrong { stale: true }),
                (Verdict::Right | Verdict::Wrong, _) => known.wrong = Some(Wrong { stale: false }),
            }
        }
        known
    }

    fn authenticator_now(&self) -> Duration {
        Duration::from_millis(self.clock.now().mono.0)
    }

    /// What we send is known to reach this address: it has a connection, or it answers a challenge of ours. Else somebody
    /// may have written another's address on a datagram.
    fn is_reached(&self, looked: &Looked, flow: Flow) -> bool {
        let by_answer = looked
            .claims
            .password
            .as_ref()
            .is_some_and(|(answer, _)| self.authenticator.has_asked(answer, flow.remote.ip()));
        by_answer || flow.transport != Transport::Udp
    }

    pub(super) fn is_trusted(&self, source: IpAddr) -> bool {
        let source = source.to_canonical();
        self.settings.trusted.iter().any(|net| net.contains(&source))
    }

    /// Decides whether whoever calls may reach the service that was found.
    fn decide(&mut self, looked: Looked, dialled: &str, source: IpAddr) -> (Decision, Option<String>) {
        let source = source.to_canonical();
        let (is_trusted, has_users) = (self.is_trusted(source), looked.has_users);
        let known = self.know(looked.claims, source);
        let user = known.user.as_ref().map(|user| user.name.clone());
        let Some((service, _)) = &looked.service else {
            let may_know = is_trusted || self.trunks.is_known(source) || known.is_somebody();
            let decision = match may_know {
                true => Decision::NoSuchService,
                false if has_users => Decision::Challenge { stale: known.is_stale() },
                false => Decision::No,
            };
            return (decision, user);
        };
        let access = &service.access;
        let by_network = match &access.networks {
            Some(networks) => networks.iter().any(|net| net.contains(&source)),
            None => is_trusted,
        };
        let trunk = self.trunks.at(service.account, source);
        let by_trunk = trunk.is_some_and(|trunk| access.includes_trunk(&trunk.name));
        let by_password = known
            .user
            .as_ref()
            .is_some_and(|user| user.account == service.account && access.users.includes(&user.name));
        let by_token = known.token.as_ref().is_some_and(|token| {
            access.tokens && token.account == service.account && token.service == dialled
        });
        let decision = match by_network || by_trunk || by_password || by_token {
            true => Decision::Welcome,
            // Not for this one, and who it is is known: no password helps.
            false if known.is_somebody() || !has_users => Decision::No,
            false => Decision::Challenge { stale: known.is_stale() },
        };
        (decision, user)
    }

    /// What was looked up for a call that came in is here.
    pub(super) fn handle_looked_up(&mut self, number: CallNumber, looked: Result<Looked, StoreError>) {
        // It may have been cancelled meanwhile.
        let Some(call) = self.calls.get(&number) else { return };
        let Stage::Routing { .. } = call.stage else { return };
        let (flow, dialled) = (call.flow, call.dialled.clone());
        let source = flow.remote.ip();
        let looked = match looked {
            Ok(looked) => looked,
            Err(error) => {
                warn!(call = number.0, %error, "the inbound service could not be looked up");
                return self.refuse(number, 503, "The service is not available");
            }
        };
        let had_credentials = !looked.claims.is_empty();
        let is_reached = self.is_reached(&looked, flow);
        let service = looked.service.clone();
        let (decision, user) = self.decide(looked, &dialled, source);
        if user.is_some() {
            self.sip.report_success(source);
        }
        match decision {
            Decision::Welcome => {
                let account = service.as_ref().map(|(service, _)| service.account);
                let trunk = account.and_then(|account| self.trunks.at(account, source));
                if trunk.as_ref().is_some_and(|trunk| !self.has_free_line(trunk)) {
                    info!(call = number.0, "the trunk has as many calls as it may");
                    return self.refuse(number, 503, "All lines of the trunk are in use");
                }
                if let Some(call) = self.calls.get_mut(&number) {
                    match (user, trunk) {
                        // What a caller has shown counts more than what it says.
                        (Some(user), _) => call.from = user,
                        // A trunk may say who somebody else is (RFC 3325, 5).
                        (None, Some(trunk)) => {
                            if let Some(asserted) = call.asserted.take() {
                                call.from = asserted;
                            }
                            call.trunk = Some(trunk.name.clone());
                        }
                        (None, None) => {}
                    }
                }
                self.sip.ring(number.sip(), None);
                self.handle_routed(number, Ok(service));
            }
            Decision::NoSuchService => self.handle_routed(number, Ok(None)),
            Decision::Challenge { stale } => {
                // The first question is no failure: every phone asks like that. A wrong answer is one.
                if had_credentials && !stale {
                    info!(call = number.0, %source, "wrong user name or password");
                    self.sip.report_failure(source, is_reached);
                }
                let challenges = self.challenges(source, stale);
                self.sip.reject(number.sip(), 401, None, challenges);
                self.call_is_over(number, "asked for a password");
            }
            Decision::No => {
                info!(call = number.0, %source, %dialled, "not permitted");
                self.sip.report_failure(source, is_reached);
                self.refuse(number, 403, "Forbidden");
            }
        }
    }

    /// Whether somebody outside of a call may reach what it asks for. `Err`: status and headers of the refusal.
    pub(super) fn may_reach(
        &mut self,
        looked: Looked,
        dialled: &str,
        flow: Flow,
    ) -> Result<(), (u16, Vec<(String, String)>)> {
        let (source, is_reached) = (flow.remote.ip(), self.is_reached(&looked, flow));
        let had_credentials = !looked.claims.is_empty();
        match self.decide(looked, dialled, source).0 {
            Decision::Welcome => Ok(()),
            Decision::NoSuchService => Err((404, Vec::new())),
            Decision::Challenge { stale } => {
                if had_credentials && !stale {
                    self.sip.report_failure(source, is_reached);
                }
                Err((401, self.challenges(source, stale)))
            }
            Decision::No => {
                self.sip.report_failure(source, is_reached);
                Err((403, Vec::new()))
            }
        }
    }

    fn challenges(&mut self, source: IpAddr, stale: bool) -> Vec<(String, String)> {
        let now = self.authenticator_now();
        self.authenticator
            .challenge(source, stale, now)
            .into_iter()
            .map(|challenge| ("WWW-Authenticate".to_owned(), challenge))
            .collect()
    }

    /// Somebody registers: phones want to before they call.
    pub(super) fn handle_registering(&mut self, registration: Registration) {
        let (store, commands) = (self.store.clone(), self.commands.clone());
        let brought = self.brought(&registration.authorizations, registration.flow.remote.ip());
        tokio::spawn(async move {
            let looked = look_up(&store, None, brought).await;
            let _ =
                commands.send(Command::Registering { registration: Box::new(registration), looked }).await;
        });
    }

    pub(super) fn handle_registration(
        &mut self,
        registration: Registration,
        looked: Result<Looked, StoreError>,
    ) {
        let (id, flow) = (registration.request, registration.flow);
        let source = flow.remote.ip();
        let Ok(looked) = looked else {
            let later = vec![("Retry-After".to_owned(), "30".to_owned())];
            return self.sip.refuse_request(id, 503, later);
        };
        let is_reached = self.is_reached(&looked, flow);
        let (has_users, had_credentials) = (looked.has_users, !looked.claims.is_empty());
        let known = self.know(looked.claims, source);
        match known.user.clone() {
            Some(KnownUser { account, name }) if name == registration.user => {
                self.sip.report_success(source);
                let expires = match registration.expires {
                    0 => 0,
                    seconds => seconds.clamp(*REGISTRATION_S.start(), *REGISTRATION_S.end()),
                };
                info!(user = %name, flow = %registration.flow, expires, "registered");
                let asked = Registering {
                    account,
                    user: &name,
                    contacts: &registration.contacts,
                    seconds: expires,
                    path: &registration.path,
                    flow: registration.flow,
                };
                let contacts = self.bindings.register(asked, self.clock.now().mono);
                self.sip.answer_registration(id, contacts);
            }
            None if has_users && !known.is_somebody() => {
                let stale = known.is_stale();
                if had_credentials && !stale {
                    info!(%source, user = %registration.user, "a registration with a wrong user name or password");
                    self.sip.report_failure(source, is_reached);
                }
                let challenges = self.challenges(source, stale);
                self.sip.refuse_request(id, 401, challenges);
            }
            None | Some(_) => {
                self.sip.report_failure(source, is_reached);
                self.sip.refuse_request(id, 403, Vec::new());
            }
        }
    }

    /// An early caller goes to the service that the reservation names: of the same account, and the caller may reach the
    /// conference, so it may hear why it does not.
    pub(super) fn look_up_divert(&mut self, number: CallNumber, account: AccountId, service: ServiceName) {
        let (store, commands) = (self.store.clone(), self.commands.clone());
        tokio::spawn(async move {
            // Only the account's own services: a reservation must not reach into another account.
            let found = match store.match_service(service.as_str()).await {
                Ok(Some((found, rest))) if found.account == account => Ok(Some((found, rest))),
                Ok(_) => Ok(None),
                Err(error) => Err(error),
            };
            let _ = commands.send(Command::Diverted { call: number, found }).await;
        });
    }
}

/// Makes what judges passwords.
pub(super) fn authenticator(realm: String, algorithms: Vec<Algorithm>) -> anyhow::Result<Authenticator> {
    let mut key = [0; 32];
    getrandom::fill(&mut key)
        .map_err(|error| anyhow::anyhow!("no random numbers from the system: {error}"))?;
    Ok(Authenticator::new(realm, algorithms, key))
}
