//! Received REFERs (RFC 3515): the program gets the target, and the referrer is notified of the progress by the
//! implicit subscription, unless it wants none (RFC 4488).

use super::{Pending, Requests, authorizations, caller};
use crate::ua::{
    CallId, Referred, Replaces, RequestId, SipEvent,
    body::{self, Body},
    context::{Context, RETRY_AFTER_S},
    message::{self, Side, required},
};
use sipx_sip::{Address, HeaderName};

impl Requests {
    /// `has_room`: another subscription is accepted. `call_named`: the local call whose dialog is named.
    pub(in crate::ua) fn handle_refer(
        &mut self,
        cx: &mut Context,
        pending: Pending,
        has_room: bool,
        call_named: impl FnOnce(&Replaces) -> Option<CallId>,
    ) {
        let (received, request) = (&pending.received, &pending.received.request);
        if let Some(unsupported) = required(request) {
            let extra = [(HeaderName::Unsupported, unsupported)];
            return cx.respond_with(received, 420, None, &extra);
        }
        let headers = &request.headers;
        // A proof of the referrer's identity (RFC 3892, section 3) is ignored unless it is required.
        if body::find(headers, request.body(), body::SIPFRAG) == Body::Refused {
            return cx.refuse_body(received, body::SIPFRAG);
        }
        let bad = |why: &'static str| (400_u16, Some(why));
        let found = match headers.count(&HeaderName::ReferTo) {
            1 => message::text(headers, &HeaderName::ReferTo)
                .and_then(|value| Address::parse(value.as_bytes(), "Refer-To").ok())
                .ok_or_else(|| bad("Malformed Refer-To header")),
            0 => Err(bad("Missing Refer-To header")),
            _ => Err(bad("More than one Refer-To header")),
        };
        let uri = found.and_then(|address| match address.uri {
            uri if uri.scheme().is_sip() || uri.tel_parts().is_some() => Ok(uri),
            _ => Err((416, None)),
        });
        let mut uri = match uri {
            Ok(uri) => uri,
            Err((status, why)) => return cx.respond_with(received, status, why, &[]),
        };
        let carried: Vec<(String, String)> = uri
            .headers()
            .into_iter()
            .flat_map(sipx_sip::Params::iter)
            .map(|header| (lossy(header.name()), unescape(header.value().unwrap_or_default())))
            .collect();
        let replaces = match carried.iter().find(|(name, _)| name.eq_ignore_ascii_case("Replaces")) {
            None => None,
            Some((_, value)) => match message::replaces_of(value) {
                Ok(replaces) => Some(replaces),
                Err(()) => {
                    let why = Some("Malformed Replaces in Refer-To");
                    return cx.respond_with(received, 400, why, &[]);
                }
            },
        };
        for (name, _) in &carried {
            uri.remove_header(name);
        }
        let method = uri.params().and_then(|params| params.value("method")).map(lossy);
        uri.remove_param("method");
        if !has_room {
            let extra = [(HeaderName::RetryAfter, RETRY_AFTER_S.to_owned())];
            return cx.respond_with(received, 503, None, &extra);
        }
        let referred_by = message::text(headers, &HeaderName::ReferredBy)
            .and_then(|value| Address::parse(value.as_bytes(), "Referred-By").ok())
            .map(|address| message::uri_text(&address.uri));
        let replaces_call = replaces.as_ref().and_then(call_named);
        let mut referred = Referred {
            request: RequestId(0),
            call: pending.call,
            target: message::target(&request.uri),
            from: message::name_addr(headers, Side::From),
            refer_to: message::uri_text(&uri),
            refer_target: message::target(&uri),
            method: method.map_or_else(|| "INVITE".to_owned(), |method| method.to_ascii_uppercase()),
            replaces,
            replaces_call,
            referred_by,
            asserted: message::asserted(headers),
            authorizations: authorizations(request),
            caller: caller(request),
            flow: received.flow,
        };
        referred.request = self.wait(pending);
        cx.event(SipEvent::Referred(Box::new(referred)));
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Decodes `%xx` (RFC 3261, section 19.1.1). Invalid escapes are left as they are.
fn unescape(bytes: &[u8]) -> String {
    let mut plain = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((first, behind)) = rest.split_first() {
        let digits = behind.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match digits.filter(|_| *first == b'%').and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) => {
                plain.push(byte);
                rest = &behind[2..];
            }
            None => {
                plain.push(*first);
                rest = behind;
            }
        }
    }
    lossy(&plain)
}
