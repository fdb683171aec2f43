//! Answers to challenges (RFC 3261, section 22; RFC 7616; RFC 8760).

use super::{message, types::Credentials};
use sipx_sip::{HeaderName, Request, Response, auth::Challenge};

/// Challenges of one realm answered in one exchange: the first one, and one for a nonce that was too old.
const ANSWERS_MAX: u8 = 2;
/// Realms that may challenge in one dialog.
const REALMS_MAX: usize = 4;

/// The challenges of a dialog or registration, and how often each was answered.
#[derive(Debug, Default, Clone)]
pub(super) struct Answers(Vec<Answered>);

#[derive(Debug, Clone)]
struct Answered {
    challenge: Challenge,
    /// Requests that were signed with its nonce.
    count: u32,
    /// Challenges of its realm in this exchange.
    in_exchange: u8,
}

impl Answers {
    /// Another request: a server that has accepted one may challenge again.
    pub(super) fn begin(&mut self) {
        self.0.iter_mut().for_each(|answered| answered.in_exchange = 0);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes the challenges of a 401 or 407. False if another answer would not help.
    pub(super) fn learn(&mut self, response: &Response) -> bool {
        let of = |name: &HeaderName, from_proxy: bool| {
            let headers = response.headers.get_all(name);
            headers.filter_map(|header| Challenge::parse(&header.value(), from_proxy)).collect::<Vec<_>>()
        };
        let mut challenges = of(&HeaderName::WwwAuthenticate, false);
        challenges.extend(of(&HeaderName::ProxyAuthenticate, true));
        let mut has_new = false;
        while let Some(first) = challenges.first() {
            let (realm, from_proxy) = (first.realm.clone(), first.from_proxy);
            let of_realm =
                |challenge: &Challenge| challenge.realm == realm && challenge.from_proxy == from_proxy;
            let (same, others): (Vec<_>, Vec<_>) = challenges.into_iter().partition(of_realm);
            challenges = others;
            let Some(best) = sipx_sip::auth::strongest(same) else { continue };
            let known = self.0.iter().position(|answered| of_realm(&answered.challenge));
            match known {
                Some(at) => {
                    let answered = &mut self.0[at];
                    // The same challenge again means that the password is wrong.
                    let is_wrong = answered.challenge.nonce == best.nonce
                        || answered.in_exchange >= ANSWERS_MAX
                        || (answered.in_exchange > 0 && !best.stale);
                    if is_wrong {
                        return false;
                    }
                    *answered = Answered { challenge: best, count: 0, in_exchange: answered.in_exchange + 1 };
                }
                None if self.0.len() >= REALMS_MAX => return false,
                None => self.0.push(Answered { challenge: best, count: 0, in_exchange: 1 }),
            }
            has_new = true;
        }
        has_new
    }

    /// Writes the answers into a request, replacing earlier ones.
    pub(super) fn sign(&mut self, request: &mut Request, credentials: &Credentials, cnonce: &str) {
        request.headers.remove_all(&HeaderName::Authorization);
        request.headers.remove_all(&HeaderName::ProxyAuthorization);
        let uri = String::from_utf8_lossy(&request.uri.to_bytes()).into_owned();
        let method = String::from_utf8_lossy(request.method.as_bytes()).into_owned();
        let known = sipx_sip::auth::Credentials::new(&credentials.user, &credentials.password);
        for answered in &mut self.0 {
            answered.count += 1;
            let value =
                sipx_sip::auth::respond(&answered.challenge, &known, &method, &uri, answered.count, cnonce);
            message::push(&mut request.headers, answered.challenge.response_header(), value);
        }
    }
}
