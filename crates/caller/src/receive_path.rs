//! The receive path of a call: jitter buffer and decoder, at the rate of the codec.
//!
//! Not that of `media`: a caller that measured a room with the room's own code would share its faults.

use plenary_audio::{codec::Codec, opus, repair::Repairer};
use plenary_rtp::jitter::{Frame, JitterBuffer, JitterConfig};
use std::collections::VecDeque;

/// How much decoded audio is kept, in seconds.
const HEARD_SECONDS: usize = 4;

#[derive(Debug)]
enum Decoder {
    Telephony(Box<Repairer>),
    Opus(opus::Decoder),
}

/// The receive path of one call. Decoding costs CPU time, so only calls that listen or record have one.
#[derive(Debug)]
pub(crate) struct ReceivePath {
    codec: Codec,
    pub(crate) jitter: JitterBuffer,
    decoder: Decoder,
    decoded: Vec<i16>,
    /// Decoded, and less than a frame.
    waiting: VecDeque<i16>,
    heard: VecDeque<i16>,
    /// Samples decoded so far.
    position: u64,
    recording: Option<(Vec<i16>, usize)>,
}

impl ReceivePath {
    pub(crate) fn new(codec: Codec, record_seconds: usize) -> Self {
        let rate = codec.rate().hz();
        let config = if codec == Codec::Opus { JitterConfig::OPUS } else { JitterConfig::G711 };
        Self {
            codec,
            jitter: JitterBuffer::new(config),
            decoder: match codec.law() {
                Some(law) => Decoder::Telephony(Box::new(Repairer::g711(law))),
                None if codec == Codec::G722 => Decoder::Telephony(Box::new(Repairer::g722())),
                None => Decoder::Opus(opus::Decoder::new()),
            },
            decoded: vec![0; opus::PACKET_SAMPLES_MAX],
            waiting: VecDeque::new(),
            position: 0,
            heard: VecDeque::with_capacity(HEARD_SECONDS * rate as usize),
            recording: (record_seconds > 0).then(|| (Vec::new(), record_seconds * rate as usize)),
        }
    }

    /// The sample rate of the decoded audio, in Hz.
    pub(crate) fn rate_hz(&self) -> u32 {
        self.codec.rate().hz()
    }

    /// Decodes the next 20 ms.
    pub(crate) fn listen(&mut self, at_ns: u64) {
        let frame = self.codec.rate().frame();
        let per_unit = (self.codec.rate().hz() / self.codec.clock_rate()) as usize;
        while self.waiting.len() < frame {
            let count = match self.jitter.pull(at_ns) {
                Frame::Packet { payload, samples, joins, .. } => match &mut self.decoder {
                    Decoder::Telephony(repairer) => {
                        let count = (samples as usize * per_unit).min(self.decoded.len());
                        repairer.decode(payload, joins, &mut self.decoded[..count]);
                        count
                    }
                    Decoder::Opus(opus) => opus.decode(payload, &mut self.decoded),
                },
                Frame::Missing { samples, next } => {
                    let count = (samples as usize * per_unit).clamp(1, frame);
                    let decoded = &mut self.decoded[..count];
                    match &mut self.decoder {
                        Decoder::Telephony(repairer) => repairer.conceal(next, decoded),
                        Decoder::Opus(opus) => {
                            let written = opus.conceal(decoded);
                            decoded[written..].fill(0);
                        }
                    }
                    count
                }
                Frame::Nothing => {
                    self.decoded[..frame].fill(0);
                    frame
                }
            };
            // A packet that cannot be decoded still takes its time.
            let count = if count == 0 { frame } else { count };
            self.waiting.extend(&self.decoded[..count]);
        }
        let frame: Vec<i16> = self.waiting.drain(..frame).collect();
        if let Some((recording, most)) = &mut self.recording
            && recording.len() < *most
        {
            recording.extend(&frame);
        }
        self.position += frame.len() as u64;
        self.heard.extend(&frame);
        let surplus = self.heard.len().saturating_sub(HEARD_SECONDS * self.rate_hz() as usize);
        self.heard.drain(..surplus);
    }

    /// The last `last_ms` of decoded audio.
    pub(crate) fn heard(&self, last_ms: u32) -> Vec<i16> {
        let samples = last_ms as usize * self.rate_hz() as usize / 1000;
        self.heard.iter().skip(self.heard.len().saturating_sub(samples)).copied().collect()
    }

    /// How much has been received, in samples.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// The recording from a position on.
    pub(crate) fn recorded_from(&self, position: u64) -> Option<Vec<i16>> {
        let (samples, _) = self.recording.as_ref()?;
        let from = usize::try_from(position).unwrap_or(usize::MAX).min(samples.len());
        Some(samples[from..].to_vec())
    }

    pub(crate) fn recorded(&self) -> Option<Vec<i16>> {
        self.recording.as_ref().map(|(samples, _)| samples.clone())
    }
}
