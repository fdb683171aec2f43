//! Keys that are sent by INFO, in the two bodies that telephones use. No RFC defines them; RFC 6086, section 1, knows of such use.

use super::{CallId, Calls, State};
use crate::ua::{
    body,
    context::{Context, Owner},
    message,
    types::KeyBody,
};
use sipx_sip::{HeaderName, Method};

/// How long a key is said to have been pressed, in milliseconds.
const PRESSED_MS: u32 = 160;

impl Calls {
    /// Presses a key. What the other side answers changes nothing.
    pub(in crate::ua) fn send_key(&mut self, cx: &mut Context, id: CallId, key: char, body: KeyBody) {
        let Some(call) = self.open.get(&id) else { return };
        if !matches!(call.state, State::Established { .. }) {
            return;
        }
        let flow = call.dialog.next_hop();
        let (contact, via) = (call.contact(cx, flow), cx.via(flow));
        let Some(call) = self.open.get_mut(&id) else { return };
        let mut request = call.dialog.request(Method::Info, via, contact, &cx.product);
        let (content_type, text) = match body {
            KeyBody::Relay => (body::DTMF_RELAY, format!("Signal={key}\r\nDuration={PRESSED_MS}\r\n")),
            KeyBody::Plain => (body::DTMF, key.to_string()),
        };
        message::push(&mut request.headers, HeaderName::ContentType, content_type);
        message::set(&mut request.headers, &HeaderName::ContentLength, text.len().to_string());
        request.set_body(text.into());
        call.answers.begin();
        self.sign(cx, id, &mut request);
        cx.send_request(request, flow, Owner::Call(id));
    }
}
