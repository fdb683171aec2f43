//! Why a call ends: as its telephone reads it, and as it is read from its telephone.

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

/// What failed, where the other side has ended a call because something did; `None`: a person hung up. A cause of Q.850 comes from
/// the telephone network behind a gateway, so it counts more than a SIP status beside it.
pub(crate) fn failure_of(reasons: &[Reason]) -> Option<String> {
    let cause_of = |protocol: &str| {
        let reason = reasons.iter().find(|reason| reason.protocol.eq_ignore_ascii_case(protocol));
        reason.and_then(|reason| reason.cause)
    };
    match (cause_of("Q.850"), cause_of("SIP")) {
        // Destination out of order; resources not available; errors of the protocol and its timers.
        (Some(cause @ (27 | 34..=47 | 95..=111)), _) => Some(format!("Q.850 cause {cause}")),
        (None, Some(status @ (408 | 500..=599))) => Some(format!("SIP status {status}")),
        (Some(_), _) | (None, _) => None,
    }
}
