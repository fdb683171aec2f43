//! The rules of reservations and conferences, compared with each other.

use anyhow::bail;
use plenary_conference::{ConferenceLimits, ReservationLimits, limits::DAYS_AHEAD_MAX};

pub(super) fn check(limits: &ReservationLimits, conferences: &ConferenceLimits) -> anyhow::Result<()> {
    let ordered = |low_name: &str, low: u32, high_name: &str, high: u32| {
        if low > high {
            bail!(
                "[reservations] {low_name} is {low} and {high_name} is {high}: the first may not exceed the second"
            );
        }
        Ok(())
    };
    ordered(
        "min_notice_minutes",
        limits.min_notice_minutes,
        "max_notice_minutes",
        limits.max_notice_minutes,
    )?;
    ordered(
        "min_duration_minutes",
        limits.min_duration_minutes,
        "max_duration_minutes",
        limits.max_duration_minutes,
    )?;
    ordered(
        "min_extend_minutes",
        limits.min_extend_minutes,
        "max_extend_minutes",
        limits.max_extend_minutes,
    )?;
    ordered("min_participants", limits.min_participants, "max_participants", limits.max_participants)?;
    if !(1..=DAYS_AHEAD_MAX).contains(&limits.max_days_ahead) {
        bail!(
            "[reservations] max_days_ahead is {}: 1 to {DAYS_AHEAD_MAX} are allowed",
            limits.max_days_ahead
        );
    }
    if limits.min_duration_minutes == 0 {
        bail!("[reservations] min_duration_minutes is 0: a conference lasts at least 1 minute");
    }
    if limits.max_participants == 0 || conferences.unreserved_max_participants == 0 {
        bail!("max_participants and unreserved_max_participants may not be 0: no caller could enter");
    }
    Ok(())
}
