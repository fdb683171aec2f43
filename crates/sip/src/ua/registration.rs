//! Those who register with us (RFC 3261, section 10.3): whether they may is the program's decision.

use super::{Registration, RequestId, SipEvent, UserAgent, message};
use crate::{
    digest::{Authorization, Authorizations},
    guard::Caller,
};
use sipx_sip::{HeaderName, Method, Request, TransactionKey, headers::ContactValue};
use std::time::Duration;

/// Where a phone does not say for how long, in seconds.
const EXPIRES_DEFAULT: u32 = 3600;
/// Every contact of the address of record (section 10.2.2).
const ALL: &str = "*";

impl UserAgent {
    pub(super) fn on_register(&mut self, key: &TransactionKey, request: &Request, now: Duration) {
        let Some(flow) = self.transactions.get(key).map(|transaction| transaction.flow) else { return };
        if self.is_overloaded {
            let extra = [(HeaderName::RetryAfter, super::RETRY_AFTER_S.to_owned())];
            return self.respond_with(key, request, 503, None, &extra, now);
        }
        let headers = &request.headers;
        let of_message = message::text(headers, &HeaderName::Expires).and_then(|text| text.parse().ok());
        let mut expires: Option<u32> = None;
        let mut contacts = Vec::new();
        for contact in headers.typed_all::<ContactValue>() {
            match contact {
                Ok(ContactValue::Address(address)) => {
                    contacts.push(String::from_utf8_lossy(&address.uri.to_bytes()).into_owned());
                    let own = address
                        .param("expires")
                        .and_then(|value| std::str::from_utf8(value).ok()?.trim().parse::<u32>().ok());
                    expires = expires.or(own);
                }
                Ok(ContactValue::Wildcard) => contacts.push(ALL.to_owned()),
                Err(_) => {
                    return self.respond_with(key, request, 400, Some("Malformed Contact header"), &[], now);
                }
            }
        }
        // `*` takes back every contact and can do nothing else (section 10.3, step 6).
        if contacts.iter().any(|contact| contact == ALL) && (contacts.len() > 1 || of_message != Some(0)) {
            let why = "Contact: * needs Expires: 0 and no other contact";
            return self.respond_with(key, request, 400, Some(why), &[], now);
        }
        let Some(path) = message::route_uris(headers, &HeaderName::Path) else {
            return self.respond_with(key, request, 400, Some("Malformed Path header"), &[], now);
        };
        let to = message::party(headers, message::Side::To);
        self.next_request += 1;
        let id = RequestId(self.next_request);
        self.requests.insert(id, (key.clone(), Box::new(request.clone())));
        self.event(SipEvent::Registering(Box::new(Registration {
            request: id,
            user: to.user,
            host: to.host,
            sip_call_id: message::call_id(headers),
            contacts,
            expires: expires.or(of_message).unwrap_or(EXPIRES_DEFAULT),
            path,
            authorizations: authorizations(request),
            caller: caller(request),
            flow,
        })));
    }

    /// Says which contacts are registered, each with its seconds.
    pub fn answer_registration(&mut self, id: RequestId, contacts: &[(String, u32)], now: Duration) {
        let Some((key, request)) = self.requests.remove(&id) else { return };
        let mut extra: Vec<(HeaderName, String)> = contacts
            .iter()
            .map(|(uri, seconds)| {
                (HeaderName::Contact, format!("<{}>;expires={seconds}", crate::text::uri(uri)))
            })
            .collect();
        // The proxies that added themselves learn that it is kept (RFC 3327, section 5.3).
        let path = message::route_list(&request.headers, &HeaderName::Path);
        extra.extend(path.into_iter().map(|route| (HeaderName::Path, route)));
        self.respond_with(&key, &request, 200, None, &extra, now);
    }

    /// Refuses a registration or a subscription, or asks who it is (401 with WWW-Authenticate).
    pub fn refuse_request(&mut self, id: RequestId, status: u16, extra: &[(String, String)], now: Duration) {
        let Some((key, request)) = self.requests.remove(&id) else { return };
        let extra = message::named(extra);
        self.respond_with(&key, &request, status.clamp(300, 699), None, &extra, now);
    }
}

/// What a request brings to show who sent it. We ask as the server that is called (401), but a client that takes us for its
/// proxy answers in Proxy-Authorization.
pub(super) fn authorizations(request: &Request) -> Authorizations {
    let method = String::from_utf8_lossy(request.method.as_bytes()).into_owned();
    let own = request.headers.get_all(&HeaderName::Authorization);
    let of_proxies = request.headers.get_all(&HeaderName::ProxyAuthorization);
    Authorizations::parse(own.chain(of_proxies).map(sipx_sip::Header::value), &method)
}

/// Who sent a request, by its own word, and what for.
pub(super) fn caller(request: &Request) -> Caller {
    // Of several passwords the first: whichever it is for, the same client says the same.
    for one in authorizations(request).iter() {
        if let Authorization::Digest(answer) = one {
            return Caller::with_password(&answer.username);
        }
    }
    match request.method {
        Method::Register => Caller::with_password(&message::party(&request.headers, message::Side::To).user),
        _ => {
            let from = message::party(&request.headers, message::Side::From).user;
            Caller::asking_for(&from, &message::target(&request.uri).user)
        }
    }
}
