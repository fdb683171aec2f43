//! Lines of the log about a call name its account and its conference as soon as they are known, so that those of one of them can be
//! looked for.

use crate::{call::Call, calls::Calls, number::CallNumber};

/// A line about a call: `of_call!(info, self, number, "answered")`, or where that call is at hand, `of_call!(info, in call, …)`.
macro_rules! of_call {
    ($level:ident, in $call:expr, $number:expr, $($rest:tt)+) => {{
        let (account, conference) = $call.belongs_to();
        let conference = conference.map(tracing::field::display);
        tracing::$level!(call = $number.0, conference, account, $($rest)+);
    }};
    ($level:ident, $calls:expr, $number:expr, $($rest:tt)+) => {{
        let (account, conference) = $calls.belongs_to($number);
        let conference = conference.map(tracing::field::display);
        tracing::$level!(call = $number.0, conference, account, $($rest)+);
    }};
}

impl Calls {
    /// The account of a call and the name of its conference.
    pub(crate) fn belongs_to(&self, number: CallNumber) -> (Option<i64>, Option<&str>) {
        self.calls.get(&number).map_or((None, None), Call::belongs_to)
    }
}

impl Call {
    pub(crate) fn belongs_to(&self) -> (Option<i64>, Option<&str>) {
        let key = self.conference().or(self.seat.as_ref()).or(self.sought.as_ref());
        (
            key.map(|key| key.account).or(self.account).map(|account| account.0),
            key.map(|key| key.name.as_str()),
        )
    }
}
