//! Numbers and names of people in records, and how they are taken out of them.

use crate::{
    CallDirection, EventKind, EventRecord, Introduction, Number, Presence, RecordedParticipant,
    RecordingManifest, is_same_name,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Digits of a number that are not shown any more.
const MASKED_DIGITS: usize = 4;
/// What stands for a name.
const MASK: &str = "****";

/// What becomes of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Redaction {
    /// Its last four digits are replaced by `*`; a name is replaced as a whole.
    Mask,
    /// It is removed.
    Drop,
}

impl Redaction {
    /// What is left of what a record says of a person.
    #[must_use]
    pub fn apply(self, text: &str) -> String {
        match self {
            Self::Drop => String::new(),
            Self::Mask => match Number::parse(user_of(text)) {
                Some(number) => {
                    let mut shown: Vec<char> = number.subscriber().chars().collect();
                    let digits = shown.len() - usize::from(number.is_global());
                    let kept = shown.len() - digits.min(MASKED_DIGITS);
                    shown[kept..].fill('*');
                    shown.into_iter().collect()
                }
                None if text.is_empty() => String::new(),
                None => MASK.to_owned(),
            },
        }
    }
}

/// Whether a record's text, a number, a name or a URI, is of this person: letter by letter, or as numbers (RFC 3966, section 5.1.5).
#[must_use]
pub fn is_of_person(text: &str, number: &str) -> bool {
    !text.is_empty() && is_same_name(user_of(text), user_of(number))
}

impl RecordingManifest {
    /// Takes the names of those out of it for whom `is_them` says so; returns each name with what is left of it.
    pub fn redact(
        &mut self,
        how: Redaction,
        is_them: impl Fn(&RecordedParticipant) -> bool,
    ) -> Vec<(String, Option<String>)> {
        let mut taken = Vec::new();
        for participant in self.participants.iter_mut().filter(|one| is_them(one)) {
            let Some(name) = participant.display_name.take() else { continue };
            participant.display_name = Some(how.apply(&name)).filter(|left| !left.is_empty());
            if participant.display_name.as_ref() != Some(&name) {
                taken.push((name, participant.display_name.clone()));
            }
        }
        taken
    }
}

/// A number or a name that an event says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Said<'a> {
    /// It.
    pub text: &'a str,
    /// It is the other side's, and not this installation's.
    pub is_theirs: bool,
    /// It is a name that others see.
    pub is_name: bool,
}

impl EventRecord {
    /// Takes numbers and names out of it, those for which `takes` says so. `false`: there were none.
    pub fn redact(&mut self, how: Redaction, takes: impl Fn(Said<'_>) -> bool) -> bool {
        let name = |name: &mut Option<String>| {
            let Some(text) = name.as_deref() else { return false };
            let is_taken = takes(Said { text, is_theirs: true, is_name: true });
            if is_taken {
                *name = Some(how.apply(text)).filter(|left| !left.is_empty());
            }
            is_taken
        };
        match &mut self.kind {
            EventKind::ParticipantCalling(who)
            | EventKind::ParticipantWaiting(who)
            | EventKind::ParticipantEntered(Presence { who, .. })
            | EventKind::ParticipantMoved { presence: Presence { who, .. }, .. } => {
                let has_name = name(&mut who.display_name);
                let Introduction { from, to, direction, .. } = who;
                let is_called = *direction == CallDirection::Out;
                let number = |text: &mut String, is_theirs| {
                    let is_taken =
                        !text.is_empty() && takes(Said { text: text.as_str(), is_theirs, is_name: false });
                    if is_taken {
                        *text = how.apply(text);
                    }
                    is_taken
                };
                let numbers = [number(from, !is_called), number(to, is_called)];
                has_name || numbers.contains(&true)
            }
            EventKind::ParticipantChanged(update) => update.display_name.as_mut().is_some_and(name),
            _ => false,
        }
    }

    /// Its other side is this person.
    #[must_use]
    pub fn is_from(&self, number: &str) -> bool {
        match &self.kind {
            EventKind::ParticipantCalling(who)
            | EventKind::ParticipantWaiting(who)
            | EventKind::ParticipantEntered(Presence { who, .. })
            | EventKind::ParticipantMoved { presence: Presence { who, .. }, .. } => {
                let theirs = if who.direction == CallDirection::Out { &who.to } else { &who.from };
                is_of_person(theirs, number)
            }
            _ => false,
        }
    }
}

/// Takes out of JSON every text for which `takes` says so, by the name of its member. `false`: there was none.
pub fn redact_json(value: &mut Value, how: Redaction, takes: &impl Fn(&str, &str) -> bool) -> bool {
    redact_member("", value, how, takes)
}

fn redact_member(name: &str, value: &mut Value, how: Redaction, takes: &impl Fn(&str, &str) -> bool) -> bool {
    match value {
        Value::String(text) => {
            let is_taken = takes(name, text);
            if is_taken {
                *text = how.apply(text);
            }
            is_taken
        }
        // All of them, not only the first.
        Value::Array(items) => {
            let taken = items.iter_mut().map(|item| redact_member(name, item, how, takes));
            taken.filter(|is_taken| *is_taken).count() > 0
        }
        Value::Object(members) => {
            let taken = members.iter_mut().map(|(name, value)| redact_member(name, value, how, takes));
            taken.filter(|is_taken| *is_taken).count() > 0
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The part of a URI that says who: `tel:+44…`, `sip:+44…@host`.
fn user_of(text: &str) -> &str {
    let rest = ["sip:", "sips:", "tel:"].into_iter().find_map(|scheme| {
        let (start, rest) = text.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    });
    rest.map_or(text, |rest| rest.rsplit_once('@').map_or(rest, |(user, _)| user))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_digits_of_numbers_and_all_of_names_are_masked() {
        for (text, masked) in [
            ("+4930123456", "+493012****"),
            ("+49-30-12 3456", "****"),
            ("+49-30-123456", "+493012****"),
            ("tel:+4930123456", "+493012****"),
            ("sip:+4930123456@example.com", "+493012****"),
            ("112", "***"),
            ("alice", "****"),
            ("", ""),
        ] {
            assert_eq!(Redaction::Mask.apply(text), masked, "{text}");
            assert_eq!(Redaction::Drop.apply(text), "");
        }
    }

    #[test]
    fn numbers_and_names_are_taken_out_of_events() {
        let who = Introduction {
            display_name: Some("Alice".into()),
            from: "sip:+49-30-123456@example.com".into(),
            to: "conf-Board".into(),
            direction: CallDirection::In,
            trunk: None,
        };
        let event = |kind| EventRecord {
            at: crate::Timestamp(0),
            conference: None,
            participant_id: None,
            actor: crate::Actor::system(),
            reason: None,
            kind,
        };
        let mut waiting = event(EventKind::ParticipantWaiting(who.clone()));
        assert!(waiting.is_from("+4930123456") && !waiting.is_from("conf-Board"));
        assert!(!waiting.redact(Redaction::Mask, |said| said.text == "nobody"));
        assert!(waiting.redact(Redaction::Mask, |said| said.is_theirs));
        let masked =
            Introduction { display_name: Some("****".into()), from: "+493012****".into(), ..who.clone() };
        assert_eq!(waiting.kind, EventKind::ParticipantWaiting(masked));
        let called = Introduction { direction: CallDirection::Out, to: "+4930123456".into(), ..who };
        let mut calling = event(EventKind::ParticipantCalling(called.clone()));
        assert!(calling.redact(Redaction::Drop, |said| said.is_theirs));
        let dropped = Introduction { display_name: None, to: String::new(), ..called };
        assert_eq!(calling.kind, EventKind::ParticipantCalling(dropped));
        assert!(!event(EventKind::ParticipantRinging {}).redact(Redaction::Drop, |_| true));
    }

    #[test]
    fn numbers_are_taken_out_of_json_wherever_they_are() {
        let mut value = serde_json::json!({
            "to": ["+49-30-123456", "+441908"], "display_name": "Alice", "n": 1, "of": { "from": "tel:+4930123456" },
        });
        let takes = |name: &str, text: &str| name == "display_name" || is_of_person(text, "+4930123456");
        assert!(redact_json(&mut value, Redaction::Mask, &takes));
        let left = serde_json::json!({
            "to": ["+493012****", "+441908"], "display_name": "****", "n": 1, "of": { "from": "+493012****" },
        });
        assert_eq!(value, left);
        assert!(!redact_json(&mut value, Redaction::Mask, &|_, text| is_of_person(text, "+4930123456")));
    }

    #[test]
    fn one_number_has_several_spellings() {
        for text in ["+4930123456", "+49-30-123456", "tel:+49(30)123456", "sip:+4930123456@example.com"] {
            assert!(is_of_person(text, "+4930123456"), "{text}");
        }
        for text in ["4930123456", "+493012345", "+4930123456;ext=7", "alice", "", "sip:alice@+4930123456"] {
            assert!(!is_of_person(text, "+4930123456"), "{text}");
        }
        assert!(is_of_person("alice", "alice") && !is_of_person("", ""));
    }
}
