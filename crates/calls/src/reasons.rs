//! Why a call ends, as its telephone reads it.

use plenary_sip::Reason;

/// Both names of a cause, so that phones (Q.850) and programs (SIP) find the one they know (RFC 3326).
pub(crate) fn reasons(sip_cause: u16, text: &str) -> Vec<Reason> {
    let q850 = match sip_cause {
        486 => (17, "User busy"),
        408 => (102, "Recovery on timer expiry"),
        488 => (88, "Incompatible destination"),
        500..=599 => (41, "Temporary failure"),
        _ => (16, "Normal call clearing"),
    };
    vec![
        Reason { protocol: "SIP".to_owned(), cause: Some(sip_cause), text: Some(text.to_owned()) },
        Reason { protocol: "Q.850".to_owned(), cause: Some(q850.0), text: Some(q850.1.to_owned()) },
    ]
}
