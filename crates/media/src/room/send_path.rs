//! The send path: from encoded frames to packets of the length that the other side wants.

use super::settings::Settings;
use plenary_audio::{
    codec::{Codec, Encoder},
    opus,
};
use plenary_rtp::source::Source;

/// Octets of the longest payload sent: 60 ms of Opus at its highest bit rate fit.
pub(super) const PAYLOAD_BYTES_MAX: usize = 1400;
/// A frame of Opus no longer than this is not sent (RFC 6716, 2.1.9).
const DTX_BYTES_MAX: usize = 2;

/// Collects the frames of one stream.
#[derive(Debug)]
pub(super) struct SendPath {
    codec: Codec,
    pub(super) source: Source,
    /// Length of a packet in RTP clock units.
    packet_units: u32,
    gathered: Gathered,
    dtx: bool,
    /// Encodes this stream separately, always, because its settings differ from all others.
    pub(super) own_encoder: Option<Box<OwnEncoder>>,
}

#[derive(Debug)]
enum Gathered {
    Octets { octets: Box<[u8]>, length: usize },
    Frames { packer: Box<opus::Packer>, units: u32, packet: Box<[u8]> },
}

/// An encoder with settings of its own, and the length of its frames in samples.
#[derive(Debug)]
pub(super) struct OwnEncoder {
    pub(super) encoder: Encoder,
    pub(super) frame: usize,
}

impl SendPath {
    pub(super) fn new(
        codec: Codec,
        source: Source,
        ptime_ms: u32,
        bitrate_max: Option<u32>,
        settings: &Settings,
    ) -> Self {
        let ptime_ms = if matches!(ptime_ms, 10 | 20 | 30 | 40 | 60) { ptime_ms } else { 20 };
        let packet_units = codec.clock_rate() / 1000 * ptime_ms;
        let gathered = match codec {
            Codec::Pcmu | Codec::Pcma | Codec::G722 => {
                Gathered::Octets { octets: vec![0; 480 + 160].into(), length: 0 }
            }
            Codec::Opus => {
                // Packets of one frame need no collecting, and most are.
                let bytes = if ptime_ms == 20 { 0 } else { PAYLOAD_BYTES_MAX };
                let packer = Box::new(opus::Packer::new(bytes));
                Gathered::Frames { packer, units: 0, packet: vec![0; bytes].into() }
            }
        };
        // Shared frames are 20 ms long and of the common bit rate.
        let slower = bitrate_max.filter(|most| *most < settings.opus.bitrate);
        let is_special = codec == Codec::Opus && (slower.is_some() || !ptime_ms.is_multiple_of(20));
        let own_encoder = is_special.then(|| {
            let bitrate = slower.unwrap_or(settings.opus.bitrate);
            let encoder = Encoder::new(codec, &opus::Settings { bitrate, ..settings.opus });
            Box::new(OwnEncoder { encoder, frame: if ptime_ms.is_multiple_of(20) { 960 } else { 480 } })
        });
        Self { codec, source, packet_units, gathered, dtx: settings.opus.dtx, own_encoder }
    }

    /// Takes an encoded frame that lasts `units`; passes complete packets to `send`.
    pub(super) fn take(
        &mut self,
        frame: &[u8],
        units: u32,
        payload_type: u8,
        mut send: impl FnMut(&[u8], &[u8]),
    ) {
        let source = &mut self.source;
        match &mut self.gathered {
            Gathered::Octets { octets, length } => {
                let size = self.packet_units as usize;
                if *length == 0 && frame.len() == size {
                    let header = source.next_header(payload_type, self.packet_units, size);
                    return send(&header.to_bytes(), frame);
                }
                octets[*length..*length + frame.len()].copy_from_slice(frame);
                *length += frame.len();
                let mut sent = 0;
                while *length - sent >= size {
                    let header = source.next_header(payload_type, self.packet_units, size);
                    send(&header.to_bytes(), &octets[sent..sent + size]);
                    sent += size;
                }
                octets.copy_within(sent..*length, 0);
                *length -= sent;
            }
            Gathered::Frames { packer, units: gathered, packet } => {
                let mut flush = |packer: &mut opus::Packer, gathered: &mut u32| {
                    let length = packer.finish(packet);
                    let units = std::mem::take(gathered);
                    if length > 0 {
                        let header = source.next_header(payload_type, units, length);
                        send(&header.to_bytes(), &packet[..length]);
                    } else {
                        source.skip(units);
                    }
                    source.timestamp()
                };
                if self.dtx && frame.len() <= DTX_BYTES_MAX {
                    flush(packer, gathered);
                    source.pause(units);
                    return;
                }
                if *gathered == 0 && units == self.packet_units {
                    let header = source.next_header(payload_type, units, frame.len());
                    return send(&header.to_bytes(), frame);
                }
                if !packer.push(frame) {
                    flush(packer, gathered);
                    packer.push(frame);
                }
                *gathered += units;
                if *gathered >= self.packet_units {
                    flush(packer, gathered);
                }
            }
        }
    }

    /// A packet is exactly one shared frame, and nothing is being collected.
    pub(super) fn passes_frames(&self) -> bool {
        let is_empty = match &self.gathered {
            Gathered::Octets { length, .. } => *length == 0,
            Gathered::Frames { units, .. } => *units == 0,
        };
        is_empty && self.own_encoder.is_none() && self.packet_units == self.codec.clock_rate() / 50
    }

    /// Advances by `frames` of 20 ms of silence. What was collected for an unfinished packet took its time too.
    pub(super) fn stay_silent(&mut self, frames: u32) {
        let gathered = self.drop_gathered();
        self.source.pause(frames * self.codec.clock_rate() / 50 + gathered);
    }

    fn drop_gathered(&mut self) -> u32 {
        match &mut self.gathered {
            Gathered::Octets { length, .. } => std::mem::take(length) as u32,
            Gathered::Frames { packer, units, packet } => {
                packer.finish(packet);
                std::mem::take(units)
            }
        }
    }

    /// The stream continues in another form; its sequence numbers and clock continue past what was collected.
    pub(super) fn into_source(mut self) -> Source {
        let gathered = self.drop_gathered();
        self.source.skip(gathered);
        self.source
    }
}
