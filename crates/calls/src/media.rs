//! What is said to the media plane and heard from it, as plain values. Calls have the same numbers there as here.

use crate::number::CallNumber;
use plenary_model::OneWay;
pub use plenary_model::{AudioProcessing, Clip, InbandDtmf, RecordingId};
use plenary_sip::sdp::{Codec, IceCredentials, Stream};
use std::net::{IpAddr, SocketAddr};

/// The participants who can hear each other: a conference's place in the media plane. Drawn by [`crate::Calls`], never twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RoomNumber(pub u64);

/// Something that is being played. Drawn by [`crate::Calls`], never twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PlayNumber(pub u64);

/// Who hears what is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlayTo {
    /// One call.
    Call(CallNumber),
    /// All calls of a room, also those that enter while it is going on.
    Room(RoomNumber),
    /// All calls of a room but one.
    RoomBut(RoomNumber, CallNumber),
}

/// The address of ours at which a call's RTP has to arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Where the call's signalling arrives.
    At(IpAddr),
    /// The one by which the system reaches this address; nothing has come from there yet. `None`: it is not known yet.
    Towards(Option<IpAddr>),
}

/// What the work for a call depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallKind {
    /// The codec; where we made the offer, the one that was offered first.
    pub codec: Codec,
    /// Its audio is protected.
    pub is_encrypted: bool,
    /// Steady noise is taken out of its voice.
    pub noise_suppression: bool,
}

/// What the media plane is to do.
#[derive(Debug, Clone, PartialEq)]
pub enum MediaCommand {
    /// Opens the ports of a call in a room. [`MediaEvent::Opened`] answers.
    Open {
        /// The call that the ports are for.
        call: CallNumber,
        /// Where its audio is mixed.
        room: RoomNumber,
        /// Where its RTP has to arrive.
        reach: Reach,
    },
    /// Asks whether there is time enough for the work of a call, which counts from now on if so. [`MediaEvent::Weighed`]
    /// answers.
    Weigh {
        /// The call under whose number the work counts.
        call: CallNumber,
        /// What its work depends on.
        kind: CallKind,
    },
    /// Counts the work of a call that cannot be refused.
    Count {
        /// The call under whose number the work counts.
        call: CallNumber,
        /// What its work depends on.
        kind: CallKind,
    },
    /// The work of a call that counts has begun.
    Began {
        /// The call, weighed or counted before.
        call: CallNumber,
    },
    /// Sets or changes what was agreed on.
    SetStream {
        /// The call, whose ports are open.
        call: CallNumber,
        /// What was agreed on.
        stream: Box<Stream>,
        /// Our names in ICE; used where the stream has ICE.
        ice: Option<IceCredentials>,
    },
    /// Who is heard, and who hears.
    SetVoice {
        /// The call that speaks and listens.
        call: CallNumber,
        /// The others hear it.
        speaks: bool,
        /// It hears the others.
        listens: bool,
    },
    /// What is done to the voice of a call.
    SetProcessing {
        /// The call whose voice it is.
        call: CallNumber,
        /// What is on from now on.
        processing: AudioProcessing,
    },
    /// Whether keys are also looked for as tones in the audio of a call.
    SetInbandDtmf {
        /// The call in whose audio they are looked for.
        call: CallNumber,
        /// `None`: as configured.
        inband_dtmf: Option<InbandDtmf>,
    },
    /// Takes a call into another room: its ports, its keys and its packets go on as they are.
    Move {
        /// The call that moves.
        call: CallNumber,
        /// Where its audio is mixed from now on.
        room: RoomNumber,
    },
    /// Puts a call on hold: it hears this over and over, and is not heard. What is said to it alone is heard.
    Hold {
        /// The call that is put on hold.
        call: CallNumber,
        /// What it hears meanwhile.
        music: Vec<Clip>,
    },
    /// Takes a call off hold.
    Resume {
        /// The call that was on hold.
        call: CallNumber,
    },
    /// How loud a call is heard, and hears, in dB against what it would be.
    SetLevels {
        /// The call whose volumes are set.
        call: CallNumber,
        /// Of its voice for the others.
        talk_db: f32,
        /// Of what it hears.
        hear_db: f32,
    },
    /// Who hears a call while it speaks.
    SetHeardBy {
        /// The call that speaks.
        call: CallNumber,
        /// These alone; `None`: all of the room.
        by: Option<Vec<CallNumber>>,
    },
    /// Records what a caller says as its name. [`MediaEvent::Recorded`] follows.
    RecordName {
        /// The call of the caller.
        call: CallNumber,
        /// Its number. Drawn by [`crate::Calls`], never twice.
        id: RecordingId,
    },
    /// Ends the recording of a name.
    StopName {
        /// The call whose name is being recorded.
        call: CallNumber,
    },
    /// A recorded name is not played any more.
    ForgetName {
        /// The name, by what recording it gave.
        id: RecordingId,
    },
    /// A key came by signalling. [`MediaEvent::KeyPressed`] answers, unless the same press has come with the media.
    PressKey {
        /// The call by whose signalling it came.
        call: CallNumber,
        /// `0` to `9`, `*`, `#`, `A` to `D`.
        key: char,
    },
    /// The connection of the call's signalling is closed: no RTP for five seconds ends it.
    CutOff {
        /// The call that has lost its connection.
        call: CallNumber,
    },
    /// Plays a list over whatever else is heard.
    Play {
        /// The call or the room that hears it.
        to: PlayTo,
        /// Under which number.
        play: PlayNumber,
        /// What, in order.
        clips: Vec<Clip>,
        /// From the beginning again until it is stopped.
        repeat: bool,
        /// How much louder, in dB.
        gain_db: f32,
        /// To one call: at once, before what else is said to it and to all.
        is_urgent: bool,
    },
    /// Stops what is being played.
    StopPlay {
        /// What plays, by the number that it was given.
        play: PlayNumber,
    },
    /// Closes the ports of a call. [`MediaEvent::Closed`] follows.
    Close {
        /// The call that is over for the media plane.
        call: CallNumber,
    },
}

/// Why a call has no ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoMedia {
    /// The same may succeed once other calls have ended.
    pub is_temporary: bool,
    /// For the log.
    pub text: String,
}

/// What the media plane says.
#[derive(Debug, Clone, PartialEq)]
pub enum MediaEvent {
    /// The ports of a call are open, or cannot be had.
    Opened {
        /// The call that asked for ports.
        call: CallNumber,
        /// The address that RTP is received at, where it is not all of them, and the address of ours that the other side
        /// reaches it by.
        at: Result<OpenedAt, NoMedia>,
    },
    /// There is time enough for the work of a call, or not.
    Weighed {
        /// The call whose work was weighed.
        call: CallNumber,
        /// `Err`: the share of its time that a media thread would be at work, 1 being all of it.
        afforded: Result<(), f64>,
    },
    /// A telephone key was pressed, whichever way it came.
    KeyPressed {
        /// The call on whose telephone it was.
        call: CallNumber,
        /// `0` to `9`, `*`, `#`, `A` to `D`.
        key: char,
    },
    /// The participant has begun or stopped talking.
    Talking {
        /// The call of the participant.
        call: CallNumber,
        /// It has begun.
        talking: bool,
    },
    /// ICE or DTLS did not get through in time, or no RTP came after RTCP's goodbye.
    RtpTimeout {
        /// The call that no media reaches.
        call: CallNumber,
    },
    /// Audio is expected, and nothing has ever come, for long.
    NeverHeard {
        /// The call that was never heard.
        call: CallNumber,
    },
    /// The other side has closed its DTLS session.
    PeerClosed {
        /// The call whose session it was.
        call: CallNumber,
    },
    /// Nothing came for long; the call is on hold.
    HoldTimeout {
        /// The call that is on hold.
        call: CallNumber,
    },
    /// No RTP comes, be it that it has ceased or never began; the call is not on hold.
    SilenceTimeout {
        /// The call that has fallen silent.
        call: CallNumber,
    },
    /// Audio goes one way, or both again.
    OneWay {
        /// The call whose audio it is.
        call: CallNumber,
        /// Which way it does not go; `None`: it goes both ways.
        one_way: Option<OneWay>,
    },
    /// The recording of a name has ended.
    Recorded {
        /// Of which call.
        call: CallNumber,
        /// Its number.
        id: RecordingId,
        /// Something was said.
        is_speech: bool,
    },
    /// What was played is over.
    PlayFinished {
        /// What played, by the number that it was given.
        play: PlayNumber,
    },
    /// Something of a play list is left out.
    PlayFailed {
        /// Of which.
        play: PlayNumber,
        /// What is wrong, for the operator.
        text: String,
    },
    /// The ports of a call are closed.
    Closed {
        /// The call whose ports they were.
        call: CallNumber,
        /// Its statistics, as they are kept in the record of the call.
        stats: String,
    },
    /// A room was given up because of an error of ours, and its calls are closed.
    RoomFailed {
        /// The room that is gone.
        room: RoomNumber,
        /// The calls that were in it.
        calls: Vec<CallNumber>,
    },
}

/// Where a call's RTP is received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenedAt {
    /// Address and port; the address may be that of all interfaces.
    pub rtp: SocketAddr,
    /// The address of ours that the other side reaches it by.
    pub local: IpAddr,
}

impl OpenedAt {
    /// Address and port of ours that the other side reaches.
    #[must_use]
    pub fn reached_at(&self) -> SocketAddr {
        let ip = if self.rtp.ip().is_unspecified() { self.local } else { self.rtp.ip() };
        SocketAddr::new(ip, self.rtp.port())
    }
}
