//! RTP and RTCP packets, jitter buffer, loss concealment, telephone events, statistics.
