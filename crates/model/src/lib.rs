//! The nouns that people and programs configure, what of them is allowed, and when two of them mean the same. Pure: no clock,
//! no socket, no store.
//!
//! Each is a serde type; its JSON Schema is derived from it. [`read()`] reads one from a body and names all that is wrong with
//! it, member by member. Whatever compares names that may be numbers (services by what was dialled, users, targets, rules of
//! trunks, callers) does it here.

#![forbid(unsafe_code)]

mod audio;
mod audit;
mod call_record;
mod call_samples;
mod clip;
mod de;
mod entry;
mod event;
mod fields;
mod guest;
mod history;
mod icalendar;
pub mod id;
mod key;
mod language;
mod mail;
mod media;
mod menu;
mod merge;
mod number;
mod ongoing;
pub mod participant;
mod person;
mod personal_data;
mod playback;
mod read;
mod recording;
mod room;
mod series;
mod service;
mod statistics;
mod time;
mod token;
mod transfer;
mod trunk;
mod usage;
mod user;
mod webhook;
mod webrtc_key;
mod zone;

pub use audio::{AudioOwner, AudioProcessing, StoredAudio};
pub use audit::{AUDIT_COMMAND, AuditEntry, remove_secrets};
pub use call_record::{CallEntry, CallQuality, CallRecord, CallRecordEntry, EndedBy};
pub use call_samples::{CALL_SAMPLES_MAX, CallSample, CallSamples, SAMPLE_INTERVAL_S};
pub use clip::{Clip, NameId, RecordingId};
pub use de::nearest;
pub use entry::{EntryAction, EntryRooms};
pub use event::{
    AccountEvent, Actor, ActorKind, CallDirection, Decibels, EVENT_TYPES, EventKind, EventRecord,
    INTERRUPTED, Introduction, MutedBy, ParticipantUpdate, Presence, ReservationData, VoiceSound,
};
pub use fields::{Selection, is_user};
pub use guest::{GUESTS_MAX, Guest, check_guests};
pub use history::{HistoryEntry, HistoryReason, PastConference, PastParticipant, RecordEntry};
pub use icalendar::{CalendarAddress, CalendarDate, CalendarEvent, CalendarMethod, calendar};
pub use id::{AccountId, ConferenceKey, ConferenceName, ParticipantId, ReservationToken, ServiceName};
pub use key::{KEY_LABEL_CHARS_MAX, KeySettings, Scope, Scopes, UnknownScope};
pub use language::{BadLanguageCode, LanguageCode};
pub use mail::{MailKind, MailState};
pub use media::{StoredMedia, check_media_name};
pub use menu::{KeySequence, LeaderMenu, MENU_SEQUENCES_MAX, Menu, MenuAction, SEQUENCE_KEYS_MAX};
pub use merge::merge;
pub use number::{Likeness, Number, attempted, is_same_name, likeness, mask_number, spelled, without_tel};
pub use ongoing::{Ongoing, OngoingKind};
pub use participant::{Digit, InbandDtmf, ParticipantOptions, PlayList};
pub use person::{
    MAIL_CHARS_MAX, PASSWORD_CHARS, PERSON_NAME_CHARS_MAX, PERSON_ROLES_MAX, PersonSettings, Role,
    UnknownRole, check_password, is_mail, login_of,
};
pub use personal_data::{Redaction, Said, is_of_person, redact_json};
pub use playback::PlaybackRequest;
pub use read::{FieldError, HAS_NUL, json, read, read_parameters, read_value};
pub use recording::{
    ConferenceRecordingId, RecordedParticipant, RecordedTrack, RecordedTracks, RecordingEnd,
    RecordingFailure, RecordingFormat, RecordingManifest, RecordingPause, RecordingSettings, RecordingState,
    TranscriptState,
};
pub use room::{
    Announce, AutoRecord, Early, GivenPin, GivenPins, PIN_DIGITS, Pin, ROOM_NUMBER_DIGITS, Room,
    RoomSettings, StoredRoom, is_room_number, same_pins,
};
pub use series::{Occurrence, Repeat, SERIES_DATES_MAX, SeriesSettings};
pub use service::{
    Access, Action, Announcement, ConferenceAction, InboundService, Refer, SERVICE_NAME_CHARS_MAX,
    ServiceBody, Srtp, StoredService, is_service_name,
};
pub use statistics::{CallStats, OneWay};
pub use time::{Civil, Timestamp};
pub use token::{CallToken, ClientToken, GuestToken, Token};
pub use transfer::TransferProgress;
pub use trunk::{GivenPassword, SipUri, StoredTrunk, Trunk, TrunkRegistration, TrunkSettings, is_host};
pub use usage::{Usage, UsageBy, UsageKey, UsageTable, UsedCall, UsedConference, UsedSeat};
pub use user::{SipSecret, SipUser, check_user, check_user_name};
pub use webhook::{
    Delivery, DeliveryState, StoredWebhook, WEBHOOK_NAME_CHARS_MAX, WebhookSettings, WebhookUrl,
    is_webhook_name,
};
pub use webrtc_key::{WEBRTC_KEY_SERVICES_MAX, WebRtcKey, are_webrtc_key_services, is_webrtc_key};
pub use zone::{LocalTime, TimeZone, UnknownTimeZone, ZoneOffset};
