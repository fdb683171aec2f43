//! RTP for a conference bridge: packets, RTCP, jitter buffer, telephone events, statistics.
//!
//! Everything here is plain data and arithmetic. No socket is opened, no clock is read, no thread is
//! started: bytes come in as slices and time as nanoseconds of any monotonic clock. Bytes from the network
//! are never trusted: whatever they are, nothing here panics.
//!
//! | module | what it does | RFC |
//! |---|---|---|
//! | [`packet`] | reads and writes RTP headers, distinguishes RTP from RTCP, STUN and DTLS | 3550, 7983 |
//! | [`extension`] | elements of header extensions, and the audio level of a packet | 8285, 6464 |
//! | [`rtcp`] | reports and BYE | 3550 |
//! | [`jitter`] | restores order and timing of packets, with as little delay as the network allows | – |
//! | [`dtmf`] | telephone keys as events, received and sent | 4733 |
//! | [`stats`] | packets received and lost, and their jitter | 3550, A.1, A.3, A.8 |
//! | [`stun`] | answers the connectivity checks of ICE | 8445, 8489 |
//! | [`quality`] | the mean opinion score of a stream | – (ITU-T G.107) |
//! | [`srtp`] | protects and opens packets | 3711, 7714 |
//! | [`source`] | sequence numbers and timestamps of a sent stream | 3550 |

#![forbid(unsafe_code)]

pub mod dtmf;
pub mod extension;
pub mod jitter;
pub mod packet;
pub mod quality;
pub mod rtcp;
pub mod source;
pub mod srtp;
pub mod stats;
pub mod stun;
