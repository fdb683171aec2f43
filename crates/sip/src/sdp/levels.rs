//! The audio level of each packet (RFC 6464), negotiated by `a=extmap` (RFC 8285, 5 and 6).
//!
//! Ids 1 to 14 and 16 to 255 are accepted: a reader of these elements reads both forms, so either will do, and both
//! in one stream (`a=extmap-allow-mixed`) too. Id 15 ends an extension of one-byte elements and is never accepted;
//! from 4096 on, with which more extensions are offered than there are ids, they are ignored. An error in an
//! attribute costs the attribute, never the call.
//!
//! Levels are used only if packets have to be decoded to detect speech: with G.711 they are of no use, and cost eight
//! octets per packet.

use super::{Codec, Direction, Levels, security::Role};
use sdp_types::{Media, Session};
use std::fmt::Write;

const URI: &str = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";
/// The id under which it is offered.
const OFFERED_ID: u8 = 1;

/// The negotiated extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LevelExtension {
    /// The id of the element in each packet, 1 to 255 and never 15. From 16 on elements have the two-byte form.
    pub id: u8,
    /// The element also says whether the sender considers the packet speech.
    pub vad: bool,
    /// One-byte and two-byte elements may be mixed in one stream.
    mixed: bool,
}

/// A value of `a=extmap`: `ID[/direction] URI words…`, the direction as the other side sees it. `None` if it is not
/// one that can be accepted.
fn parse(value: &str) -> Option<(u8, Direction, &str, impl Iterator<Item = &str>)> {
    let mut words = value.split_ascii_whitespace();
    let first = words.next()?;
    let (id, direction) = first.split_once('/').unwrap_or((first, Direction::SendRecv.name()));
    let all = [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive];
    let direction = all.into_iter().find(|known| known.name() == direction)?;
    let id = id.parse().ok().filter(|id| !matches!(id, 0 | 15))?;
    Some((id, direction, words.next()?, words))
}

/// The result of the other side's description. `None`: no levels are sent.
pub(super) fn negotiate(
    session: &Session,
    media: &Media,
    codec: Codec,
    ours: Levels,
    role: Role,
) -> Option<LevelExtension> {
    if !is_of_use(codec) {
        return None;
    }
    // Attributes of the stream take precedence.
    let values = || {
        let of_media = media.get_attribute_values("extmap").flatten();
        of_media.chain(session.get_attribute_values("extmap").flatten())
    };
    let (id, vad) = values().filter_map(parse).find_map(|(id, direction, uri, mut words)| {
        let fits = match ours {
            Levels::Off => false,
            Levels::Read => direction.sends(),
            Levels::Send => direction.receives(),
        };
        let vad = match words.find_map(|word| word.strip_prefix("vad=")) {
            None | Some("on") => true,
            Some("off") => false,
            Some(_) => return None,
        };
        (uri == URI && fits).then_some((id, vad))
    })?;
    // An id with two meanings has none.
    let is_ambiguous = values().filter_map(parse).any(|(other, _, uri, _)| other == id && uri != URI);
    if is_ambiguous || (role == Role::Offerer && id != OFFERED_ID) {
        return None;
    }
    let mixed = media.has_attribute("extmap-allow-mixed") || session.has_attribute("extmap-allow-mixed");
    Some(LevelExtension { id, vad, mixed })
}

/// Packets of this codec have to be decoded to detect speech.
fn is_of_use(codec: Codec) -> bool {
    match codec {
        Codec::Pcmu | Codec::Pcma => false,
        Codec::G722 | Codec::Opus => true,
    }
}

/// The lines of an answer that accepts it.
pub(super) fn write_answer(sdp: &mut String, agreed: &LevelExtension, ours: Levels) {
    let Some(direction) = direction(ours) else { return };
    if agreed.mixed {
        sdp.push_str("a=extmap-allow-mixed\r\n");
    }
    let vad = if agreed.vad { "" } else { " vad=off" };
    let _ = write!(sdp, "a=extmap:{}/{direction} {URI}{vad}\r\n", agreed.id);
}

/// The line of an offer.
pub(super) fn write_offer(sdp: &mut String, codecs: &[Codec], ours: Levels) {
    if let Some(direction) = direction(ours)
        && codecs.iter().any(|codec| is_of_use(*codec))
    {
        let _ = write!(sdp, "a=extmap:{OFFERED_ID}/{direction} {URI}\r\n");
    }
}

fn direction(ours: Levels) -> Option<&'static str> {
    match ours {
        Levels::Off => None,
        Levels::Read => Some(Direction::RecvOnly.name()),
        Levels::Send => Some(Direction::SendOnly.name()),
    }
}
