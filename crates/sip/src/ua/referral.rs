//! Those who ask us to call somebody (REFER, RFC 3515): what they want is told to the program, and they are told how it
//! goes by the subscription that comes with it. Whoever wants none (RFC 4488) gets none.

use super::{
    CallId, Referred, RequestId, SipEvent, SubscriptionId, UserAgent,
    body::{self, Body},
    message::{self, Side},
    server::required,
    subscription::{Package, SUBSCRIPTIONS_MAX},
};
use sipx_sip::{Address, HeaderName, Request, TransactionKey};
use std::time::Duration;

/// How long a call that was asked for may take to succeed or fail, in seconds.
const REFERRAL_S: u32 = 300;

impl UserAgent {
    pub(super) fn on_refer(
        &mut self,
        key: &TransactionKey,
        request: &Request,
        call: Option<CallId>,
        now: Duration,
    ) {
        if let Some(unsupported) = required(request) {
            let extra = [(HeaderName::Unsupported, unsupported)];
            return self.respond_with(key, request, 420, None, &extra, now);
        }
        let headers = &request.headers;
        // What comes along, as a proof of who asks (RFC 3892, section 3), is not looked at, unless it has to be.
        if body::find(headers, request.body(), body::SIPFRAG) == Body::Refused {
            return self.refuse_body(key, request, body::SIPFRAG, now);
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
            Err((status, why)) => return self.respond_with(key, request, status, why, &[], now),
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
                    return self.respond_with(key, request, 400, why, &[], now);
                }
            },
        };
        for (name, _) in &carried {
            uri.remove_header(name);
        }
        let method = uri.params().and_then(|params| params.value("method")).map(lossy);
        uri.remove_param("method");
        if self.is_overloaded || self.is_draining || self.subscriptions.len() >= SUBSCRIPTIONS_MAX {
            let extra = [(HeaderName::RetryAfter, super::RETRY_AFTER_S.to_owned())];
            return self.respond_with(key, request, 503, None, &extra, now);
        }
        let Some(flow) = self.transactions.get(key).map(|transaction| transaction.flow) else { return };
        let referred_by = message::text(headers, &HeaderName::ReferredBy)
            .and_then(|value| Address::parse(value.as_bytes(), "Referred-By").ok())
            .map(|address| message::uri_text(&address.uri));
        self.next_request += 1;
        let id = RequestId(self.next_request);
        self.requests.insert(id, (key.clone(), Box::new(request.clone())));
        let replaces_call = replaces.as_ref().and_then(|replaces| self.call_named(replaces));
        self.event(SipEvent::Referred(Box::new(Referred {
            request: id,
            call,
            target: message::target(&request.uri),
            from: message::party(headers, Side::From),
            refer_to: message::uri_text(&uri),
            refer_target: message::target(&uri),
            method: method.map_or_else(|| "INVITE".to_owned(), |method| method.to_ascii_uppercase()),
            replaces,
            replaces_call,
            referred_by,
            asserted: message::asserted(headers),
            authorizations: super::registration::authorizations(request),
            caller: super::registration::caller(request),
            flow,
        })));
    }

    /// Agrees to call whom somebody asks for: 202, and the first word on how that goes. [`Self::report_referral`] tells the
    /// rest.
    pub fn accept_referral(&mut self, id: RequestId, now: Duration) {
        let Some((key, request)) = self.requests.remove(&id) else { return };
        let Some(transaction) = self.transactions.get(&key) else { return };
        let (flow, call) = (transaction.flow, transaction.call.filter(|call| self.calls.contains_key(call)));
        let wants_none = message::text(&request.headers, &HeaderName::ReferSub).is_some_and(|value| {
            value.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("false")
        });
        let cseq = message::cseq(&request.headers).unwrap_or_default();
        let (tag, contact, user, number) = match call.and_then(|call| self.calls.get_mut(&call)) {
            Some(call) => {
                call.referrals += 1;
                let (tag, user, number) =
                    (call.dialog.local_tag.clone(), call.contact_user.clone(), call.referrals);
                let is_focus = call.is_focus;
                (tag, self.contact(flow, &user, is_focus), user, number)
            }
            None => {
                let user = message::target(&request.uri).user;
                (self.token(8), self.contact(flow, &user, false), user, 1)
            }
        };
        let Some(mut response) =
            message::response(&request, 202, Some("Accepted"), Some(&tag), &self.config.product)
        else {
            return;
        };
        for header in request.headers.get_all(&HeaderName::RecordRoute) {
            response.headers.push(header.clone());
        }
        message::push(&mut response.headers, HeaderName::Contact, contact);
        if wants_none {
            message::push(&mut response.headers, HeaderName::ReferSub, "false");
        }
        self.respond(&key, response, now);
        if wants_none {
            return;
        }
        // From the second REFER of a dialog on, the event has to say which one it is about (RFC 3515, section 2.4.6).
        let event = if number == 1 { "refer".to_owned() } else { format!("refer;id={cseq}") };
        let package = Package::Referral { cseq };
        if self.subscribe(id, package, &request, call, &tag, user, flow, REFERRAL_S, event, now).is_some() {
            self.report_referral(id, 100, message::phrase(100), now);
        }
    }

    /// Tells who asked for a call how it goes, by the status that it has: final from 200 on.
    pub fn report_referral(&mut self, id: RequestId, status: u16, phrase: &str, now: Duration) {
        let id = SubscriptionId(id.0);
        let is_referral = |one: &super::Subscription| matches!(one.package, Package::Referral { .. });
        let Some(subscription) = self.subscriptions.get(&id).filter(|one| is_referral(one)) else { return };
        let left = subscription.expires_at.saturating_sub(now).as_secs().max(1);
        let body = format!("SIP/2.0 {} {}\r\n", status.clamp(100, 699), crate::text::line(phrase));
        if status < 200 {
            return self.send_notify(id, &format!("active;expires={left}"), Some(body), now);
        }
        self.send_notify(id, "terminated;reason=noresource", Some(body), now);
        self.forget_subscription(id);
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What `%xx` stands for (RFC 3261, section 19.1.1). What is not one is left as it is.
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
