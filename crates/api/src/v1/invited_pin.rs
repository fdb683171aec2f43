//! The PIN that who invites gives, so that mails and links name it: of a room's PIN only a hash is stored, with which it is compared first.

use super::access::Caller;
use crate::{
    error::{ApiError, Field, WRONG_PIN},
    state::App,
    time::seconds_until,
};
use plenary_model::{ConferenceName, FieldError, Pin};
use plenary_store::{Authenticated, PinCaller, PinOutcome, PinSource};

/// The PIN if it is that of the conference's participants. A wrong one counts as a guess of who asks.
pub(super) async fn check_pin<S>(
    caller: &Caller<S>,
    state: &App,
    conference: &ConferenceName,
    given: Option<Pin>,
) -> Result<Option<Pin>, ApiError> {
    let Some(pin) = given else { return Ok(None) };
    let wrong = |text: &str| ApiError::fields(WRONG_PIN, vec![Field::Member(FieldError::new("/pin", text))]);
    let Some((room, true)) = state.store.room_of(caller.account, conference).await? else {
        return Err(wrong("is asked of nobody: no room of the conference has a PIN of participants"));
    };
    let who = match &caller.access.by {
        Authenticated::Key(key) | Authenticated::Leader { link: key, .. } => format!("key {}", key.0),
        Authenticated::Person { person, .. } => format!("person {}", person.0),
    };
    let asks = PinCaller { source: PinSource::Web(&who), name: None, call: None };
    let now = state.control.now();
    match state.store.check_pin(caller.account, &room, pin.digits(), asks, now).await?.outcome {
        PinOutcome::Right { leader: false } => Ok(Some(pin)),
        PinOutcome::Right { leader: true } => Err(wrong("is the PIN of leaders, which guests do not get")),
        PinOutcome::Wrong | PinOutcome::NoRoom => Err(wrong("is not the PIN of the room's participants")),
        PinOutcome::TooMany { retry_at } => {
            let seconds = seconds_until(retry_at, now);
            let text = format!("too many wrong PINs: try again in {seconds} s");
            Err(ApiError::wait(seconds, text))
        }
    }
}
