//! Received registrations (RFC 3261, section 10.3): the program decides whether they are permitted.

use super::{Pending, Requests, authorizations, caller};
use crate::ua::{
    Registration, RequestId, SipEvent,
    context::{Context, RETRY_AFTER_S, Received},
    message,
};
use sipx_sip::{HeaderName, headers::ContactValue};

/// Default expiry in seconds.
const EXPIRES_DEFAULT: u32 = 3600;
/// Every contact of the address of record (section 10.2.2).
const ALL: &str = "*";

impl Requests {
    /// `is_overloaded`: the program accepts nothing new.
    pub(in crate::ua) fn handle_register(
        &mut self,
        cx: &mut Context,
        received: Received,
        is_overloaded: bool,
    ) {
        if is_overloaded {
            let extra = [(HeaderName::RetryAfter, RETRY_AFTER_S.to_owned())];
            return cx.respond_with(&received, 503, None, &extra);
        }
        let (request, flow) = (&received.request, received.flow);
        let headers = &request.headers;
        let of_message = message::text(headers, &HeaderName::Expires).and_then(|text| text.parse().ok());
        let mut contacts: Vec<(String, u32)> = Vec::new();
        for contact in headers.typed_all::<ContactValue>() {
            match contact {
                Ok(ContactValue::Address(address)) => {
                    let own = address
                        .param("expires")
                        .and_then(|value| std::str::from_utf8(value).ok()?.trim().parse::<u32>().ok());
                    contacts.push((
                        String::from_utf8_lossy(&address.uri.to_bytes()).into_owned(),
                        own.or(of_message).unwrap_or(EXPIRES_DEFAULT),
                    ));
                }
                Ok(ContactValue::Wildcard) => contacts.push((ALL.to_owned(), 0)),
                Err(_) => {
                    return cx.respond_with(&received, 400, Some("Malformed Contact header"), &[]);
                }
            }
        }
        // `*` removes every contact and can do nothing else (section 10.3, step 6).
        if contacts.iter().any(|(contact, _)| contact == ALL) && (contacts.len() > 1 || of_message != Some(0))
        {
            let why = "Contact: * needs Expires: 0 and no other contact";
            return cx.respond_with(&received, 400, Some(why), &[]);
        }
        let Some(path) = message::route_uris(headers, &HeaderName::Path) else {
            return cx.respond_with(&received, 400, Some("Malformed Path header"), &[]);
        };
        let to = message::name_addr(headers, message::Side::To);
        let mut registration = Registration {
            request: RequestId(0),
            user: to.user,
            host: to.host,
            sip_call_id: message::call_id(headers),
            contacts,
            path,
            authorizations: authorizations(request),
            caller: caller(request),
            flow,
        };
        registration.request = self.wait(Pending { received, call: None });
        cx.event(SipEvent::Registering(Box::new(registration)));
    }

    /// Accepts a registration: its contacts, each with its remaining seconds.
    pub(in crate::ua) fn answer_registration(
        &mut self,
        cx: &mut Context,
        id: RequestId,
        contacts: &[(String, u32)],
    ) {
        let Some(Pending { received, .. }) = self.take(id) else { return };
        let mut extra: Vec<(HeaderName, String)> = contacts
            .iter()
            .map(|(uri, seconds)| {
                (HeaderName::Contact, format!("<{}>;expires={seconds}", crate::text::uri(uri)))
            })
            .collect();
        // The proxies in Path learn that it is stored (RFC 3327, section 5.3).
        let path = message::route_list(&received.request.headers, &HeaderName::Path);
        extra.extend(path.into_iter().map(|route| (HeaderName::Path, route)));
        cx.respond_with(&received, 200, None, &extra);
    }
}
