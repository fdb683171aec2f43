//! What each of the seven services takes.

use plenary_model::Scope;

/// One of the seven.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) path: &'static str,
    pub(crate) kind: Kind,
    /// It changes something, by whatever method it is asked.
    pub(crate) changes: bool,
    /// What the key needs.
    pub(crate) scope: Scope,
    pub(crate) parameters: &'static [Parameter],
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    ReservationCreate,
    ReservationModify,
    ReservationRemove,
    List,
    ParticipantList,
    ParticipantSetOptions,
    ParticipantEject,
}

#[derive(Debug)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) of: Type,
    pub(crate) need: Need,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Type {
    Text,
    /// A whole number above zero.
    Number,
    /// UTC, in either of the two forms.
    Time,
    Truth,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    Required,
    Optional,
    /// One at least of the parameters beside each other that need the same.
    One,
}

const fn parameter(name: &'static str, of: Type, need: Need) -> Parameter {
    Parameter { name, of, need }
}

const CONFERENCE_NAME: Parameter = parameter("conference_name", Type::Text, Need::One);
const RESERVATION_TOKEN: Parameter = parameter("reservation_token", Type::Text, Need::One);
const TOKEN: Parameter = parameter("reservation_token", Type::Text, Need::Required);
const PARTICIPANT: Parameter = parameter("participant_id", Type::Text, Need::Required);

pub(crate) static SERVICES: [Service; 7] = [
    Service {
        path: "/conference_reservation_create",
        kind: Kind::ReservationCreate,
        changes: true,
        scope: Scope::Book,
        parameters: &[
            parameter("conference_name", Type::Text, Need::Required),
            parameter("max_participants", Type::Number, Need::Required),
            parameter("start_time", Type::Time, Need::Required),
            parameter("duration", Type::Number, Need::Required),
            parameter("divert", Type::Text, Need::Optional),
        ],
    },
    Service {
        path: "/conference_reservation_modify",
        kind: Kind::ReservationModify,
        changes: true,
        scope: Scope::Book,
        parameters: &[TOKEN, parameter("duration", Type::Number, Need::Required)],
    },
    Service {
        path: "/conference_reservation_remove",
        kind: Kind::ReservationRemove,
        changes: true,
        scope: Scope::Book,
        parameters: &[TOKEN],
    },
    Service {
        path: "/conference_list",
        kind: Kind::List,
        changes: false,
        scope: Scope::Read,
        parameters: &[],
    },
    Service {
        path: "/conference_participant_list",
        kind: Kind::ParticipantList,
        changes: false,
        scope: Scope::Read,
        parameters: &[CONFERENCE_NAME, RESERVATION_TOKEN],
    },
    Service {
        path: "/conference_participant_set_options",
        kind: Kind::ParticipantSetOptions,
        changes: true,
        scope: Scope::Control,
        parameters: &[
            CONFERENCE_NAME,
            RESERVATION_TOKEN,
            PARTICIPANT,
            parameter("muted", Type::Truth, Need::One),
            parameter("dtmf_enabled", Type::Truth, Need::One),
        ],
    },
    Service {
        path: "/conference_participant_eject",
        kind: Kind::ParticipantEject,
        changes: true,
        scope: Scope::Control,
        parameters: &[CONFERENCE_NAME, RESERVATION_TOKEN, PARTICIPANT],
    },
];

/// The service at a path.
pub(crate) fn at(path: &str) -> Option<&'static Service> {
    SERVICES.iter().find(|service| service.path == path)
}
