//! A phone whose keys come from a DTLS handshake: it hears and is heard, and one with another certificate does not.
#![allow(missing_docs)]

mod support;

use dimpl::{Config, Dtls, DtlsCertificate, Output, SrtpProfile};
use plenary_media::{
    Codec, DtlsIdentity, MediaCallId, MediaConfig, MediaPlane, Protection, RoomId, StreamParams,
};
use plenary_rtp::{
    packet::Packet,
    source::Source,
    srtp::{MasterKey, Receiver, Sender, Suite},
};
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

struct Phone {
    socket: UdpSocket,
    dtls: Dtls,
    keys: Option<(Sender, Receiver)>,
}

impl Phone {
    fn new(server: SocketAddr, socket: UdpSocket, identity: &DtlsIdentity) -> Self {
        socket.connect(server).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
        let provider = dimpl::crypto::rust_crypto::default_provider();
        let config = Arc::new(Config::builder().with_crypto_provider(provider).build().unwrap());
        let certificate =
            DtlsCertificate { certificate: identity.certificate.clone(), private_key: identity.key.clone() };
        let mut dtls = Dtls::new_12(config, certificate, Instant::now());
        dtls.set_active(true);
        dtls.handle_timeout(Instant::now()).unwrap();
        Self { socket, dtls, keys: None }
    }

    /// Moves the handshake on, and hands over what comes that is none of it.
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

fn start(announced: &DtlsIdentity, used: &DtlsIdentity) -> (plenary_media::MediaHandle, Phone) {
    let config = MediaConfig { dtls: Some(identity()), rtp_ports: 41_300..=41_399, ..MediaConfig::default() };
    let (media, events) = MediaPlane::start(config).unwrap();
    std::mem::forget(events);
    let call = MediaCallId(1);
    let server = media.open(call, RoomId(1)).unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    media.set_voice(call, true, true);
    media.set_stream(
        call,
        StreamParams {
            remote_rtp: socket.local_addr().unwrap(),
            remote_rtcp: None,
            rtcp_mux: true,
            codec: Codec::Pcmu,
            opus_bitrate_max: None,
            send_payload_type: 0,
            receive_payload_type: 0,
            dtmf_payload_type: None,
            ptime_ms: 20,
            send: true,
            receive: true,
            protection: Protection::Dtls {
                active: false,
                fingerprint: Sha256::digest(&announced.certificate).into(),
            },
            ice: None,
        },
    );
    (media, Phone::new(server, socket, used))
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_a_handshake_protect_both_ways() {
    let mine = identity();
    let (media, mut phone) = start(&mine, &mine);
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
        // Somebody who has not the keys.
        phone
            .socket
            .send(&[&source.clone().next_header(0, 160, 160).to_bytes()[..], &[0; 160]].concat())
            .unwrap();
    }
    assert_eq!(heard, 20, "packets in ten seconds");
    tokio::time::sleep(Duration::from_millis(100)).await;
    let stats = media.stats(MediaCallId(1)).await.unwrap();
    assert!(stats.packets_received >= 15 && stats.packets_not_authentic >= 15, "{stats:?}");
    assert!(stats.srtp.is_some());
    media.shutdown();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_was_not_announced_gets_nothing() {
    let (media, mut phone) = start(&identity(), &identity());
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(1) {
        assert_eq!(phone.step(), None, "audio for a stranger");
    }
    assert_eq!(media.stats(MediaCallId(1)).await.unwrap().srtp, None);
    media.shutdown();
}
