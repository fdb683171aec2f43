//! A telephone whose keys come from a DTLS handshake hears and is heard; one with another certificate does neither.
#![allow(missing_docs)]

mod support;

use dimpl::{Config, Dtls, DtlsCertificate, Output, SrtpProfile};
use plenary_media::{
    CallStats, Codec, DtlsIdentity, MediaCallId, MediaConfig, MediaEvent, MediaHandle, MediaPlane, OnMove,
    Protection, RoomId, StreamParams,
};
use plenary_rtp::{
    packet::Packet,
    source::Source,
    srtp::{MasterKey, Receiver, Sender, Suite},
};
use rtc_dtls::{
    config::{ClientAuthType, ConfigBuilder},
    crypto::Certificate,
    crypto_provider::{SignatureScheme, default_provider},
    endpoint::{Endpoint, EndpointEvent},
    extension::extension_use_srtp::SrtpProtectionProfile,
};
use rtc_shared::TransportProtocol;
use sha2::{Digest, Sha256};
use std::{
    net::{SocketAddr, UdpSocket},
    sync::Arc,
    time::{Duration, Instant},
};

fn identity() -> DtlsIdentity {
    let made = rcgen::generate_simple_self_signed(["a".to_owned()]).unwrap();
    DtlsIdentity { certificate: made.cert.der().to_vec(), key: made.signing_key.serialize_der() }
}

/// Waits until the statistics of a call satisfy `is_enough`, for at most ten seconds: packets count when the worker reads
/// them.
async fn stats_when(
    media: &MediaHandle,
    call: MediaCallId,
    is_enough: impl Fn(&CallStats) -> bool,
) -> CallStats {
    let began = Instant::now();
    loop {
        let stats = media.stats(call).await.unwrap();
        if is_enough(&stats) {
            return stats;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "{stats:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

struct Phone {
    socket: UdpSocket,
    dtls: Dtls,
    keys: Option<(Sender, Receiver)>,
}

impl Phone {
    fn new(server: SocketAddr, socket: UdpSocket, identity: &DtlsIdentity, is_13: bool) -> Self {
        socket.connect(server).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
        let provider = dimpl::crypto::rust_crypto::default_provider();
        let config = Arc::new(Config::builder().with_crypto_provider(provider).build().unwrap());
        let certificate =
            DtlsCertificate { certificate: identity.certificate.clone(), private_key: identity.key.clone() };
        let new = if is_13 { Dtls::new_13 } else { Dtls::new_12 };
        let mut dtls = new(config, certificate, Instant::now());
        dtls.set_active(true);
        dtls.handle_timeout(Instant::now()).unwrap();
        Self { socket, dtls, keys: None }
    }

    /// Advances the handshake, and returns a received packet that is not DTLS.
    fn step(&mut self) -> Option<Vec<u8>> {
        let mut buffer = vec![0; 4096];
        loop {
            match self.dtls.poll_output(&mut buffer) {
                Output::Packet(packet) => drop(self.socket.send(packet).unwrap()),
                Output::Timeout(_) => break,
                Output::KeyingMaterial(material, profile) => {
                    let suite = match profile {
                        SrtpProfile::AES128_CM_SHA1_80 => Suite::AesCm128HmacSha1_80,
                        SrtpProfile::AEAD_AES_128_GCM => Suite::AeadAes128Gcm,
                        _ => Suite::AeadAes256Gcm,
                    };
                    let (key, salt) = (suite.key_bytes(), suite.salt_bytes());
                    let master = |side: usize| {
                        let salt_at = 2 * key + side * salt;
                        let parts = [&material[side * key..][..key], &material[salt_at..][..salt]];
                        MasterKey::new(suite, &parts.concat()).unwrap()
                    };
                    self.keys = Some((Sender::new(&master(0)), Receiver::new(&master(1))));
                }
                _ => {}
            }
        }
        let _ = self.dtls.handle_timeout(Instant::now());
        let length = self.socket.recv(&mut buffer).ok()?;
        if (20..64).contains(&buffer[0]) {
            // It may be an alert.
            let _ = self.dtls.handle_packet(&buffer[..length]);
            return None;
        }
        Some(buffer[..length].to_vec())
    }
}

fn start(announced: &DtlsIdentity, used: &DtlsIdentity, is_13: bool) -> (MediaHandle, Phone) {
    let (media, events, phone) = start_followed(announced, used, is_13);
    std::mem::forget(events);
    (media, phone)
}

/// The same, with the events of the media plane.
fn start_followed(
    announced: &DtlsIdentity,
    used: &DtlsIdentity,
    is_13: bool,
) -> (MediaHandle, tokio::sync::mpsc::Receiver<MediaEvent>, Phone) {
    let config = MediaConfig { dtls: Some(identity()), rtp_ports: 41_300..=41_399, ..MediaConfig::default() };
    let (media, events) = MediaPlane::start(config).unwrap();
    let call = MediaCallId(1);
    let server = media.open(call, RoomId(1)).unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    media.set_voice(call, true, true);
    media.set_stream(call, params(socket.local_addr().unwrap(), announced, false, None));
    (media, events, Phone::new(server, socket, used, is_13))
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_a_handshake_protect_both_ways() {
    for is_13 in [false, true] {
        keys_protect_both_ways(is_13).await;
    }
}

async fn keys_protect_both_ways(is_13: bool) {
    let mine = identity();
    let (media, mut phone) = start(&mine, &mine, is_13);
    let (began, mut heard, mut source) = (Instant::now(), 0, Source::new(7, 0, 0));
    while heard < 20 && began.elapsed() < Duration::from_secs(10) {
        let Some(mut packet) = phone.step() else { continue };
        let Some((sender, receiver)) = &mut phone.keys else { panic!("a packet before there were keys") };
        if packet[1] & 0x7f >= 64 {
            receiver.open_rtcp(&mut packet).expect("authentic");
            continue;
        }
        let length = receiver.open_rtp(&mut packet).expect("authentic");
        assert_eq!(Packet::parse(&packet[..length]).unwrap().payload.len(), 160);
        heard += 1;
        let mut said = [&source.next_header(0, 160, 160).to_bytes()[..], &[0xff; 160]].concat();
        sender.protect_rtp(&mut said, 0);
        phone.socket.send(&said).unwrap();
        // A sender without the keys.
        phone
            .socket
            .send(&[&source.clone().next_header(0, 160, 160).to_bytes()[..], &[0; 160]].concat())
            .unwrap();
    }
    assert_eq!(heard, 20, "packets in ten seconds");
    let stats = stats_when(&media, MediaCallId(1), |stats| {
        stats.packets_received >= 15 && stats.packets_not_authentic >= 15
    })
    .await;
    assert!(stats.srtp.is_some());
    media.shutdown();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_moves_to_another_worker_during_its_handshake_and_after_it() {
    for is_13 in [false, true] {
        let mine = identity();
        let config = MediaConfig {
            workers: 2,
            dtls: Some(identity()),
            rtp_ports: 41_700..=41_799,
            ..MediaConfig::default()
        };
        let (media, events) = MediaPlane::start(config).unwrap();
        std::mem::forget(events);
        let (call, other) = (MediaCallId(1), MediaCallId(2));
        let server = media.open(call, RoomId(1)).unwrap();
        media.open(other, RoomId(2)).unwrap();
        assert_ne!(media.worker_of(call), media.worker_of(other));
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        media.set_voice(call, true, true);
        media.set_stream(call, params(socket.local_addr().unwrap(), &mine, false, None));
        let mut phone = Phone::new(server, socket, &mine, is_13);
        // The first flight is out, and the answer is on its way.
        assert_eq!(phone.step(), None);
        media.move_call(call, RoomId(2), OnMove::KeepPlaying);
        assert_eq!(media.worker_of(call), media.worker_of(other));
        let (began, mut source) = (Instant::now(), Source::new(7, 0, 0));
        let mut heard: Vec<plenary_rtp::packet::Header> = Vec::new();
        while heard.len() < 60 && began.elapsed() < Duration::from_secs(10) {
            let Some(mut packet) = phone.step() else { continue };
            let (sender, receiver) = phone.keys.as_mut().expect("keys before audio");
            if packet[1] & 0x7f >= 64 {
                receiver.open_rtcp(&mut packet).expect("authentic");
                continue;
            }
            let length = receiver.open_rtp(&mut packet).expect("authentic");
            heard.push(Packet::parse(&packet[..length]).unwrap().header);
            if heard.len() == 30 {
                media.move_call(call, RoomId(3), OnMove::KeepPlaying);
            }
            let mut said = [&source.next_header(0, 160, 160).to_bytes()[..], &[0xff; 160]].concat();
            sender.protect_rtp(&mut said, 0);
            phone.socket.send(&said).unwrap();
        }
        assert_eq!(heard.len(), 60, "packets in ten seconds");
        assert_ne!(media.worker_of(call), media.worker_of(other), "it has moved back");
        for pair in heard.windows(2) {
            assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1));
            assert_eq!(pair[1].timestamp, pair[0].timestamp.wrapping_add(160));
        }
        let stats = stats_when(&media, call, |stats| stats.packets_received >= 55).await;
        assert_eq!(stats.packets_not_authentic, 0, "{stats:?}");
        media.shutdown();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_with_another_certificate_gets_nothing() {
    for is_13 in [false, true] {
        let (media, mut phone) = start(&identity(), &identity(), is_13);
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(1) {
            assert_eq!(phone.step(), None, "audio for a stranger");
        }
        assert_eq!(media.stats(MediaCallId(1)).await.unwrap().srtp, None);
        media.shutdown();
    }
}

/// A browser does so when its page is closed or loaded again.
#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_closes_its_session_is_reported_and_one_in_whose_name_that_is_said_is_not() {
    for is_13 in [false, true] {
        let mine = identity();
        let (media, mut events, mut phone) = start_followed(&mine, &mine, is_13);
        let server = phone.socket.peer_addr().unwrap();
        let hear = |phone: &mut Phone, packets: usize| {
            let (began, mut heard) = (Instant::now(), 0);
            while heard < packets && began.elapsed() < Duration::from_secs(10) {
                heard += usize::from(phone.step().is_some());
            }
            assert_eq!(heard, packets, "in ten seconds, 1.3: {is_13}");
        };
        hear(&mut phone, 5);
        // close_notify as it is before there are keys (RFC 6347, 4.1), and what only looks encrypted; also from the address of the
        // telephone, which can be forged.
        let plain = [21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 1, 0];
        let next_epoch = [&[21, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 9, 0, 26][..], &[7; 26]].concat();
        let unified = [&[0b0010_1111, 0, 9, 0, 19][..], &[7; 19]].concat();
        let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
        for forged in [&plain[..], &next_epoch, &unified, &[&unified[..], &plain].concat()] {
            stranger.send_to(forged, server).unwrap();
            phone.socket.send(forged).unwrap();
        }
        hear(&mut phone, 20);
        let closed = MediaEvent::PeerClosed { call: MediaCallId(1) };
        while let Ok(event) = events.try_recv() {
            assert_ne!(event, closed, "1.3: {is_13}");
        }
        phone.dtls.close().unwrap();
        phone.step();
        let is_reported = async { while events.recv().await != Some(closed.clone()) {} };
        tokio::time::timeout(Duration::from_secs(10), is_reported).await.expect("it is reported");
        media.shutdown();
    }
}

/// A telephone of DTLS 1.2 whose certificate is RSA, in either role.
struct RsaPhone {
    socket: UdpSocket,
    dtls: Endpoint,
    /// The crate identifies sessions by address; there is one.
    there: SocketAddr,
    keys: Option<(Sender, Receiver)>,
}

/// A certificate for these tests: RSA, 2048 bits.
fn rsa() -> DtlsIdentity {
    DtlsIdentity {
        certificate: include_bytes!("rsa/certificate.der").to_vec(),
        key: include_bytes!("rsa/key.der").to_vec(),
    }
}

impl RsaPhone {
    fn new(server: SocketAddr, socket: UdpSocket, identity: &DtlsIdentity, active: bool) -> Self {
        socket.connect(server).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
        let provider = default_provider().unwrap();
        let key =
            provider.crypto().import_signing_key(SignatureScheme::RsaPkcs1Sha256, &identity.key).unwrap();
        let certificate = Certificate::from_signing_key(vec![identity.certificate.clone().into()], key);
        let config = ConfigBuilder::default()
            .with_crypto_provider(provider)
            .with_certificates(vec![certificate])
            .with_srtp_protection_profiles(vec![SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80])
            .with_client_auth(ClientAuthType::RequireAnyClientCert)
            .with_insecure_skip_verify(true)
            .build(active, None)
            .unwrap();
        let config = Arc::new(config);
        let mut dtls = Endpoint::new(server, TransportProtocol::UDP, (!active).then(|| config.clone()));
        if active {
            dtls.connect(Instant::now(), server, config, None).unwrap();
        }
        Self { socket, dtls, there: server, keys: None }
    }

    /// Advances the handshake, and returns a received packet that is not DTLS.
    fn step(&mut self) -> Option<Vec<u8>> {
        let _ = self.dtls.handle_timeout(self.there, Instant::now());
        while let Some(packet) = self.dtls.poll_transmit() {
            self.socket.send(&packet.message).unwrap();
        }
        let mut buffer = vec![0; 4096];
        let length = self.socket.recv(&mut buffer).ok()?;
        let bytes = buffer[..length].to_vec();
        if !(20..64).contains(&bytes[0]) {
            return Some(bytes);
        }
        let events = self.dtls.read(Instant::now(), self.there, None, bytes[..].into());
        for event in events.unwrap_or_default() {
            if let EndpointEvent::HandshakeComplete = event {
                let state = self.dtls.get_connection_state(self.there).unwrap();
                let material = state.export_keying_material("EXTRACTOR-dtls_srtp", &[], 60).unwrap();
                let material = material.as_ref();
                let master = |side: usize| {
                    let parts = [&material[side * 16..][..16], &material[32 + side * 14..][..14]];
                    MasterKey::new(Suite::AesCm128HmacSha1_80, &parts.concat()).unwrap()
                };
                let (mine, ours) = if state.is_client() { (0, 1) } else { (1, 0) };
                self.keys = Some((Sender::new(&master(mine)), Receiver::new(&master(ours))));
            }
        }
        None
    }
}

fn params(to: SocketAddr, identity: &DtlsIdentity, active: bool, rtcp: Option<SocketAddr>) -> StreamParams {
    StreamParams {
        remote_rtcp: rtcp,
        rtcp_mux: rtcp.is_none(),
        protection: Protection::Dtls { active, fingerprint: Sha256::digest(&identity.certificate).into() },
        ..StreamParams::new(to, Codec::Pcmu, 0)
    }
}

fn plane(ports: std::ops::RangeInclusive<u16>) -> plenary_media::MediaHandle {
    let config = MediaConfig {
        dtls: Some(identity()),
        rtp_ports: ports,
        rtcp_interval_ms: 300,
        ..MediaConfig::default()
    };
    let (media, events) = MediaPlane::start(config).unwrap();
    std::mem::forget(events);
    media
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_with_an_rsa_certificate_in_either_role() {
    let media = plane(41_400..=41_499);
    for (call, active) in [(MediaCallId(1), false), (MediaCallId(2), true)] {
        let server = media.open(call, RoomId(1)).unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut phone = RsaPhone::new(server, socket, &rsa(), !active);
        media.set_voice(call, true, true);
        media.set_stream(call, params(phone.socket.local_addr().unwrap(), &rsa(), active, None));
        let (began, mut heard, mut source) = (Instant::now(), 0, Source::new(7, 0, 0));
        while heard < 20 && began.elapsed() < Duration::from_secs(10) {
            let Some(mut packet) = phone.step() else { continue };
            let (sender, receiver) = phone.keys.as_mut().expect("keys before audio");
            if packet[1] & 0x7f >= 64 {
                receiver.open_rtcp(&mut packet).expect("authentic");
                continue;
            }
            receiver.open_rtp(&mut packet).expect("authentic");
            heard += 1;
            let mut said = [&source.next_header(0, 160, 160).to_bytes()[..], &[0xff; 160]].concat();
            sender.protect_rtp(&mut said, 0);
            phone.socket.send(&said).unwrap();
        }
        assert_eq!(heard, 20, "packets in ten seconds, we begin: {active}");
        let stats = stats_when(&media, call, |stats| stats.packets_received >= 15).await;
        assert_eq!(stats.packets_not_authentic, 0, "{stats:?}");
        assert_eq!(stats.srtp, Some("AES_CM_128_HMAC_SHA1_80"));
    }
    media.shutdown();
}

#[tokio::test(flavor = "multi_thread")]
async fn rtcp_on_a_port_of_its_own_has_a_handshake_of_its_own() {
    let media = plane(41_500..=41_599);
    let call = MediaCallId(1);
    let server = media.open(call, RoomId(1)).unwrap();
    let rtcp_server = SocketAddr::new(server.ip(), server.port() + 1);
    let socket = || UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut rtp = RsaPhone::new(server, socket(), &rsa(), true);
    let mut rtcp = RsaPhone::new(rtcp_server, socket(), &rsa(), true);
    media.set_voice(call, true, true);
    let (to, rtcp_to) = (rtp.socket.local_addr().unwrap(), rtcp.socket.local_addr().unwrap());
    media.set_stream(call, params(to, &rsa(), false, Some(rtcp_to)));
    let (began, mut reports) = (Instant::now(), 0);
    while reports < 3 && began.elapsed() < Duration::from_secs(10) {
        if let Some(mut packet) = rtp.step() {
            assert!(packet[1] & 0x7f < 64, "RTCP on the port of RTP");
            rtp.keys.as_mut().expect("keys before audio").1.open_rtp(&mut packet).expect("authentic");
        }
        if let Some(mut packet) = rtcp.step() {
            rtcp.keys.as_mut().expect("keys before reports").1.open_rtcp(&mut packet).expect("its own keys");
            reports += 1;
        }
    }
    assert_eq!(reports, 3, "in ten seconds");
    media.shutdown();
}

#[tokio::test(flavor = "multi_thread")]
async fn datagrams_of_strangers_do_not_end_a_handshake() {
    let media = plane(41_600..=41_699);
    let call = MediaCallId(1);
    let server = media.open(call, RoomId(1)).unwrap();
    let mut phone = RsaPhone::new(server, UdpSocket::bind("127.0.0.1:0").unwrap(), &rsa(), true);
    media.set_voice(call, true, true);
    media.set_stream(call, params(phone.socket.local_addr().unwrap(), &rsa(), false, None));
    // Forged before the handshake begins: a fatal alert that looks like a genuine one, cut records, and noise.
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    let alert = [21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40];
    let noise: Vec<u8> = (0..200_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 11) as u8).collect();
    for first in [20, 22, 23, 25, 44, 63] {
        stranger.send_to(&[&[first][..], &noise].concat(), server).unwrap();
        stranger.send_to(&[first, 0xfe, 0xfd], server).unwrap();
    }
    stranger.send_to(&alert, server).unwrap();
    let began = Instant::now();
    let mut heard = false;
    while !heard && began.elapsed() < Duration::from_secs(10) {
        heard = phone.step().is_some();
    }
    assert!(heard, "audio within ten seconds");
    media.shutdown();
}
