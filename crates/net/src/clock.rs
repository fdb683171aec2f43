//! The clock of the system.

use std::mem::MaybeUninit;

/// Whether the system's clock is kept right (by NTP or PTP); `None`: the kernel does not say.
#[must_use]
pub fn is_clock_synchronised() -> Option<bool> {
    let mut state = MaybeUninit::<libc::timex>::zeroed();
    // SAFETY: all zeroes is a valid `timex`, with which nothing is changed; it lives through the call.
    let outcome = unsafe { libc::adjtimex(state.as_mut_ptr()) };
    if outcome < 0 {
        return None;
    }
    // SAFETY: the call has filled it in; it was valid before.
    let state = unsafe { state.assume_init() };
    Some(outcome != libc::TIME_ERROR && state.status & libc::STA_UNSYNC == 0)
}
