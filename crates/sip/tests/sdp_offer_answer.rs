//! Offers as telephones send them, and the answers they get, side by side.

use plenary_sip::sdp::{
    Codec, Direction, IceCredentials, Levels, LocalMedia, LocalSecurity, Policy, Preference, Protection,
    SdesKey, SdpError, Setup, Stream, Suite, accept, answer, has_no_audio, offer, without_audio,
};

/// SRTP if it is offered, with the same keys in each run.
fn security() -> LocalSecurity {
    let seed = std::array::from_fn(|n| n as u8);
    LocalSecurity {
        policy: Policy::Preferred,
        seed,
        fingerprint: Some([0xab; 32]),
        offers_keys: false,
        offers_dtls: false,
    }
}

fn local() -> LocalMedia {
    LocalMedia {
        rtp: "192.0.2.1:20000".parse().unwrap(),
        session_id: 7,
        version: 1,
        codecs: vec![Codec::Pcmu, Codec::Pcma],
        preference: Preference::Theirs,
        dtmf: true,
        direction: Direction::SendRecv,
        security: security(),
        ice: None,
        levels: Levels::Read,
    }
}

/// The same with every codec, best first.
fn all_codecs(preference: Preference) -> LocalMedia {
    LocalMedia { codecs: vec![Codec::Opus, Codec::G722, Codec::Pcmu, Codec::Pcma], preference, ..local() }
}

const SESSION: &str = "v=0\r\no=- 7 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n";

/// The media lines of the answer to an offer whose session part is the usual one.
#[track_caller]
fn answered(media: &str) -> (String, Stream) {
    let offer =
        format!("v=0\r\no=alice 1 1 IN IP4 198.51.100.9\r\ns=-\r\nc=IN IP4 198.51.100.9\r\nt=0 0\r\n{media}");
    let answer = answer(&offer.replace('\n', "\r\n").replace("\r\r", "\r"), &local()).unwrap();
    let media = answer.sdp.strip_prefix(SESSION).expect("the session part is ours").replace("\r\n", "\n");
    (media, answer.stream)
}

#[track_caller]
fn refused(media: &str) -> SdpError {
    let offer =
        format!("v=0\r\no=a 1 1 IN IP4 198.51.100.9\r\ns=-\r\nc=IN IP4 198.51.100.9\r\nt=0 0\r\n{media}");
    answer(&offer, &local()).unwrap_err()
}

/// A stream that is removed in mid-call keeps its place, with port 0 (RFC 3264, sections 6 and 8.2).
#[test]
fn audio_that_is_removed_is_answered_with_port_0() {
    let described = |media: &str| {
        format!("v=0\r\no=a 1 2 IN IP4 198.51.100.9\r\ns=-\r\nc=IN IP4 198.51.100.9\r\nt=0 0\r\n{media}")
    };
    let removed = described("m=video 0 RTP/AVP 34\r\nm=audio 0 RTP/AVP 0 8\r\na=mid:a1\r\n");
    let expected = format!("{SESSION}m=video 0 RTP/AVP 34\r\nm=audio 0 RTP/AVP 0 8\r\na=mid:a1\r\n");
    assert_eq!(without_audio(&removed, &local()), Some(expected));
    assert!(has_no_audio(&removed));
    for other in [
        "m=audio 4000 RTP/AVP 0\r\n",
        "m=audio 0 RTP/AVP 0\r\nm=audio 4000 RTP/AVP 0\r\n",
        "m=video 0 RTP/AVP 34\r\n",
        "",
    ] {
        assert_eq!(without_audio(&described(other), &local()), None, "{other}");
        assert!(!has_no_audio(&described(other)), "{other}");
    }
    assert_eq!(without_audio("nonsense", &local()), None);
    // A call does not begin like this.
    assert_eq!(answer(&removed, &local()).unwrap_err().status(), 488);
}

#[test]
fn a_desk_phone() {
    let (media, stream) = answered(
        "m=audio 11784 RTP/AVP 18 0 8 101
a=rtpmap:18 G729/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-16
a=ptime:20
a=sendrecv
",
    );
    assert_eq!(
        media,
        "m=audio 20000 RTP/AVP 0 101
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=ptime:20
a=maxptime:60
a=sendrecv
"
    );
    assert_eq!(stream.remote_rtp, "198.51.100.9:11784".parse().unwrap());
    assert_eq!(stream.remote_rtcp, Some("198.51.100.9:11785".parse().unwrap()));
    assert_eq!((stream.codec, stream.payload_type), (Codec::Pcmu, 0));
    assert_eq!(stream.dtmf.unwrap().receive, 101);
}

#[test]
fn static_types_without_rtpmap_in_the_offers_order() {
    let (media, stream) = answered("m=audio 4000 RTP/AVP 8 0\n");
    assert_eq!(
        media,
        "m=audio 20000 RTP/AVP 8\na=rtpmap:8 PCMA/8000\na=ptime:20\na=maxptime:60\na=sendrecv\n"
    );
    assert_eq!((stream.codec, stream.dtmf), (Codec::Pcma, None));
}

#[test]
fn a_dynamic_number_for_a_static_codec() {
    let (media, stream) =
        answered("m=audio 4000 RTP/AVP 98 97\na=rtpmap:98 pcma/8000/1\na=rtpmap:97 telephone-event/8000\n");
    assert!(media.starts_with("m=audio 20000 RTP/AVP 98 97\na=rtpmap:98 PCMA/8000\n"), "{media}");
    assert_eq!((stream.payload_type, stream.receive_payload_type), (98, 98));
}

#[test]
fn video_beside_audio_is_declined_in_its_place() {
    let (media, _) = answered(
        "m=video 5000 RTP/AVP 96
a=rtpmap:96 H264/90000
m=audio 4000 RTP/AVP 0
a=mid:sound
m=audio 4002 RTP/AVP 0
",
    );
    assert_eq!(
        media,
        "m=video 0 RTP/AVP 96
m=audio 20000 RTP/AVP 0
a=rtpmap:0 PCMU/8000
a=mid:sound
a=ptime:20
a=maxptime:60
a=sendrecv
m=audio 0 RTP/AVP 0
"
    );
}

#[test]
fn hold_in_its_three_manners_and_resume() {
    let direction = |line: &str| answered(&format!("m=audio 4000 RTP/AVP 0\n{line}")).1.direction;
    assert_eq!(direction("a=sendonly\n"), Direction::RecvOnly);
    assert_eq!(direction("a=inactive\n"), Direction::Inactive);
    assert_eq!(direction("a=recvonly\n"), Direction::SendOnly);
    assert_eq!(direction("c=IN IP4 0.0.0.0\n"), Direction::RecvOnly);
    assert_eq!(direction(""), Direction::SendRecv);
    assert!(answered("m=audio 4000 RTP/AVP 0\na=sendonly\n").0.contains("a=recvonly"));
}

#[test]
fn a_direction_of_the_whole_session_counts() {
    let offer = "v=0\r\no=a 1 1 IN IP4 198.51.100.9\r\ns=-\r\nc=IN IP4 198.51.100.9\r\nt=0 0\r\na=sendonly\r\nm=audio 4000 RTP/AVP 0\r\n";
    assert_eq!(answer(offer, &local()).unwrap().stream.direction, Direction::RecvOnly);
}

#[test]
fn the_address_of_the_media_line_wins() {
    let (_, stream) =
        answered("m=audio 4000 RTP/AVP 0\nc=IN IP4 203.0.113.5/127\na=rtcp:4010 IN IP4 203.0.113.6\n");
    assert_eq!(stream.remote_rtp, "203.0.113.5:4000".parse().unwrap());
    assert_eq!(stream.remote_rtcp, Some("203.0.113.6:4010".parse().unwrap()));
}

#[test]
fn rtcp_shares_the_port_when_offered() {
    let (media, stream) = answered("m=audio 4000 RTP/AVPF 0\na=rtcp-mux\n");
    assert!(media.contains("a=rtcp-mux") && media.starts_with("m=audio 20000 RTP/AVPF 0"));
    assert!(stream.rtcp_mux && stream.remote_rtcp == Some(stream.remote_rtp));
}

#[test]
fn packet_times_are_what_is_asked_for_within_reason() {
    let ptime = |lines: &str| answered(&format!("m=audio 4000 RTP/AVP 0\n{lines}")).1.ptime_ms;
    assert_eq!(ptime("a=ptime:30\n"), 30);
    assert_eq!(ptime("a=ptime:10\n"), 10);
    assert_eq!(ptime("a=ptime:200\n"), 60);
    assert_eq!(ptime("a=ptime:60\na=maxptime:40\n"), 40);
    assert_eq!(ptime("a=ptime:none\n"), 20);
    assert_eq!(ptime("a=maxptime:5\n"), 10);
}

#[test]
fn ipv6() {
    let offer = "v=0\r\no=a 1 1 IN IP6 2001:db8::9\r\ns=-\r\nc=IN IP6 2001:db8::9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
    let ours = LocalMedia { rtp: "[2001:db8::1]:20000".parse().unwrap(), ..local() };
    let answer = answer(offer, &ours).unwrap();
    assert_eq!(answer.stream.remote_rtp, "[2001:db8::9]:4000".parse().unwrap());
    assert!(answer.sdp.contains("c=IN IP6 2001:db8::1\r\n"));
}

#[test]
fn what_cannot_be_done_is_refused_with_its_reason() {
    for (media, status, code) in [
        ("m=audio 4000 RTP/AVP 18\r\na=rtpmap:18 G729/8000\r\n", 488, "305"),
        ("m=audio 4000 RTP/AVP 96\r\na=rtpmap:96 PCMU/16000\r\n", 488, "305"),
        ("m=audio 4000 RTP/SAVP 0\r\n", 488, "302"),
        ("m=video 4000 RTP/AVP 31\r\n", 488, "304"),
        ("m=audio 0 RTP/AVP 0\r\n", 488, "304"),
        ("m=audio 4000 RTP/AVP 0\r\nc=IN IP4 224.2.0.1\r\n", 488, "301"),
        ("m=audio 4000 RTP/AVP 0\r\nc=IN IP4 198.51.100\r\n", 488, "301"),
        ("m=audio 4000 RTP/AVP 0\r\nc=IN IP4 -\u{e9}.com\r\n", 488, "301"),
        ("", 400, "399"),
    ] {
        let error = refused(media);
        assert_eq!(error.status(), status, "{media}: {error}");
        assert!(error.warning().unwrap().starts_with(code), "{media}: {:?}", error.warning());
    }
    for garbage in ["", "hello", "v=0", "\0\0\0", "v=0\r\nm=audio x RTP/AVP 0\r\n"] {
        assert_eq!(answer(garbage, &local()).unwrap_err().status(), 400, "{garbage:?}");
    }
    let no_address = "v=0\r\no=a 1 1 IN IP4 1.2.3.4\r\ns=-\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
    assert_eq!(answer(no_address, &local()).unwrap_err().status(), 400);
}

/// Errors in unused lines are ignored, and plainly meant input is read.
#[test]
fn descriptions_are_read_liberally() {
    let proper = "v=0\r\no=- 1 1 IN IP4 198.51.100.9\r\ns=-\r\nc=IN IP4 198.51.100.9\r\nb=AS:64\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
    let expected = answer(proper, &local()).unwrap();
    for (from, to) in [
        ("v=0", "v=0 "),
        ("v=0", "\r\nv=0"),
        ("o=- 1 1", "o=My Phone 1 1"),
        ("o=- 1 1", "o=- 1 -1"),
        ("o=- 1 1 IN IP4 198.51.100.9", "o="),
        ("s=-", "s="),
        ("t=0 0", "t=now"),
        ("t=0 0\r\n", ""),
        ("t=0 0\r\n", "t=0 0\r\nr=weekly\r\nz=x\r\nk=y\r\n"),
        ("b=AS:64", "b=AS:64.5"),
        ("b=AS:64", "b=64"),
        ("c=IN IP4", "c=IN  IP4 "),
        ("m=audio 4000 RTP/AVP 0", "m=audio  4000 RTP/AVP 0 "),
        ("\r\n", "\n"),
    ] {
        let odd = proper.replace(from, to);
        assert_ne!(odd, proper);
        assert_eq!(answer(&odd, &local()).as_ref(), Ok(&expected), "{odd}");
    }
}

/// A space at the end of an attribute, or around its colon, is no part of it.
#[test]
fn attributes_are_read_without_stray_spaces() {
    let offer = "v=0\r\no=- 1 2 IN IP4 198.51.100.9\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\nm=audio 4000 UDP/TLS/RTP/SAVPF 96 101\r\nc=IN IP4 198.51.100.9\r\na=rtcp:4010\r\na=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\na=fingerprint:sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF\r\na=setup:active\r\na=mid:0\r\na=sendonly\r\na=rtcp-mux\r\na=ptime:30\r\na=rtpmap:96 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-11\r\n";
    let ice = Some(IceCredentials { ufrag: "abcd".into(), pwd: "0123456789abcdefghijkl".into() });
    let ours = LocalMedia { ice, ..local() };
    let expected = answer(offer, &ours).unwrap();
    assert_eq!(expected.stream.direction, Direction::RecvOnly);
    for line in offer.lines().filter(|line| line.starts_with("a=")) {
        let mut odd = vec![format!("{line} "), format!("{line}\t"), line.replacen("a=", "a= ", 1)];
        odd.extend(line.contains(':').then(|| line.replacen(':', ": ", 1)));
        for odd in odd {
            let odd = offer.replace(&format!("{line}\r\n"), &format!("{odd}\r\n"));
            assert_eq!(answer(&odd, &ours).as_ref(), Ok(&expected), "{odd}");
        }
    }
}

/// A name is not resolved: audio goes to where theirs comes from, and this is not hold.
#[test]
fn an_address_may_be_a_name() {
    for name in ["phone.example.com", "localhost", "a-b_c.Example.", "1.2.3.x"] {
        let (_, stream) = answered(&format!("m=audio 4000 RTP/AVP 0\r\nc=IN IP4 {name}\r\n"));
        assert_eq!(stream.remote_rtp, "0.0.0.0:4000".parse().unwrap(), "{name}");
        assert_eq!(stream.direction, Direction::SendRecv, "{name}");
    }
}

#[test]
fn telephone_events_of_another_clock_are_taken_where_there_is_no_better_one() {
    let of = |numbers: &str, attributes: &str| {
        let (media, stream) = answered(&format!("m=audio 4000 RTP/AVP 0 {numbers}\r\n{attributes}"));
        let line = media.lines().find(|line| line.contains("telephone-event")).unwrap_or_default().to_owned();
        (stream.dtmf.map(|dtmf| (dtmf.send, dtmf.receive)), line)
    };
    let (wide, narrow) = ("a=rtpmap:101 telephone-event/48000\r\n", "a=rtpmap:102 telephone-event/8000\r\n");
    assert_eq!(of("101", wide), (Some((101, 101)), "a=rtpmap:101 telephone-event/48000".to_owned()));
    let both = format!("{wide}{narrow}");
    assert_eq!(of("101 102", &both), (Some((102, 102)), "a=rtpmap:102 telephone-event/8000".to_owned()));
    let odd = "a=rtpmap:101 telephone-event/16000\r\n";
    assert_eq!(of("101", odd), (Some((101, 101)), "a=rtpmap:101 telephone-event/16000".to_owned()));
    assert_eq!(of("101", "a=rtpmap:101 CN/8000\r\n"), (None, String::new()));
}

#[test]
fn our_offer_is_answered_by_ourselves() {
    let ours = offer(&local());
    assert_eq!(
        ours.strip_prefix(SESSION).unwrap().replace("\r\n", "\n"),
        "m=audio 20000 RTP/AVP 0 8 101
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=ptime:20
a=maxptime:60
a=sendrecv
"
    );
    let theirs =
        LocalMedia { rtp: "198.51.100.9:4000".parse().unwrap(), codecs: vec![Codec::Pcma], ..local() };
    let answer = answer(&ours, &theirs).unwrap();
    let stream = accept(&local(), &answer.sdp).unwrap();
    assert_eq!((stream.codec, stream.remote_rtp), (Codec::Pcma, theirs.rtp));
    assert_eq!(stream.dtmf, answer.stream.dtmf);
}

const BROWSER_LIKE: &str = "v=0\r\no=a 1 1 IN IP4 198.51.100.9\r\ns=-\r\nc=IN IP4 198.51.100.9\r\nt=0 0\r\n\
m=audio 4000 RTP/AVP 0 9 120 121 101\r\n\
a=rtpmap:9 G722/8000\r\n\
a=rtpmap:120 opus/48000/2\r\n\
a=fmtp:120 stereo=1; maxaveragebitrate=20000;useinbandfec=1\r\n\
a=rtpmap:121 telephone-event/48000\r\n\
a=rtpmap:101 telephone-event/8000\r\n";

#[test]
fn whose_order_decides_is_ours_to_say() {
    let theirs = answer(BROWSER_LIKE, &all_codecs(Preference::Theirs)).unwrap().stream;
    assert_eq!((theirs.codec, theirs.payload_type, theirs.opus_bitrate_max), (Codec::Pcmu, 0, None));
    let ours = answer(BROWSER_LIKE, &all_codecs(Preference::Ours)).unwrap();
    assert_eq!(
        ours.sdp.strip_prefix(SESSION).unwrap().replace("\r\n", "\n"),
        "m=audio 20000 RTP/AVP 120 121
a=rtpmap:120 opus/48000/2
a=fmtp:120 minptime=10;useinbandfec=1;stereo=0
a=rtpmap:121 telephone-event/48000
a=fmtp:121 0-15
a=ptime:20
a=maxptime:60
a=sendrecv
"
    );
    assert_eq!((ours.stream.codec, ours.stream.payload_type), (Codec::Opus, 120));
    assert_eq!(ours.stream.opus_bitrate_max, Some(20_000));
}

#[test]
fn events_have_the_clock_of_the_codec_or_that_of_telephony() {
    let wide = LocalMedia { codecs: vec![Codec::G722], ..local() };
    assert_eq!(answer(BROWSER_LIKE, &wide).unwrap().stream.dtmf.unwrap().receive, 101);
    let only_8000 = BROWSER_LIKE.replace("a=rtpmap:121 telephone-event/48000\r\n", "");
    let stream = answer(&only_8000, &all_codecs(Preference::Ours)).unwrap();
    assert_eq!(stream.stream.dtmf.unwrap().receive, 101);
    assert!(stream.sdp.contains("a=rtpmap:101 telephone-event/8000\r\n"));
}

#[test]
fn opus_of_another_clock_or_g722_of_its_true_rate_is_not_ours() {
    for rtpmap in ["opus/16000/2", "opus/16000", "opus/48000/6", "opus/48000/", "G722/16000", "G722/8000/2"] {
        let offer = format!(
            "v=0\r\no=a 1 1 IN IP4 198.51.100.9\r\ns=-\r\nc=IN IP4 198.51.100.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 99\r\na=rtpmap:99 {rtpmap}\r\n"
        );
        assert_eq!(answer(&offer, &all_codecs(Preference::Ours)).unwrap_err().status(), 488, "{rtpmap}");
    }
}

/// RFC 7587, section 7: always `/2`, but some implementations leave it out.
#[test]
fn opus_without_its_channels_is_opus_and_named_with_them() {
    for rtpmap in ["opus/48000", "OPUS/48000/1", "opus/48000/2"] {
        let theirs = format!(
            "v=0\r\no=a 1 1 IN IP4 198.51.100.9\r\ns=-\r\nc=IN IP4 198.51.100.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 99 98\r\na=rtpmap:99 {rtpmap}\r\na=rtpmap:98 telephone-event/48000\r\n"
        );
        let ours = all_codecs(Preference::Ours);
        let answered = answer(&theirs, &ours).unwrap();
        for line in ["a=rtpmap:99 opus/48000/2\r\n", "a=rtpmap:98 telephone-event/48000\r\n"] {
            assert!(answered.sdp.contains(line), "{rtpmap}: {}", answered.sdp);
        }
        assert_eq!((answered.stream.codec, answered.stream.payload_type), (Codec::Opus, 99), "{rtpmap}");
        let stream = accept(&ours, &theirs).unwrap();
        assert_eq!((stream.codec, stream.payload_type), (Codec::Opus, 99), "{rtpmap}");
    }
}

#[test]
fn an_answer_with_other_numbers_than_the_offer_is_sent_its_own_and_received_under_ours() {
    let ours = all_codecs(Preference::Theirs);
    let sdp = offer(&ours);
    assert!(sdp.contains("m=audio 20000 RTP/AVP 111 9 0 8 101 110\r\n"), "{sdp}");
    assert!(sdp.contains("a=rtpmap:111 opus/48000/2\r\n") && sdp.contains("a=rtpmap:9 G722/8000\r\n"));
    let theirs = "v=0\r\no=b 1 1 IN IP4 198.51.100.9\r\ns=-\r\nc=IN IP4 198.51.100.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 96 97\r\na=rtpmap:96 opus/48000/2\r\na=rtpmap:97 telephone-event/48000\r\n";
    let stream = accept(&ours, theirs).unwrap();
    assert_eq!((stream.payload_type, stream.receive_payload_type), (96, 111));
    let dtmf = stream.dtmf.unwrap();
    assert_eq!((dtmf.send, dtmf.receive), (97, 110));
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in "(v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\ns=-\r\n)?[ -~\r\n]{0,200}") {
        let _ = answer(&text, &local());
        let _ = accept(&local(), &text);
    }

    #[test]
    fn no_broken_offer_panics(cut in 0..200_usize, byte: u8, at in 0..200_usize) {
        let mut offer = offer(&local()).into_bytes();
        let length = offer.len();
        offer[at % length] = byte;
        offer.truncate(length - cut % length);
        let _ = answer(&String::from_utf8_lossy(&offer), &local());
    }
}

fn answered_by(media: &str, security: LocalSecurity) -> Result<(String, Stream), SdpError> {
    let offer =
        format!("v=0\r\no=alice 1 1 IN IP4 198.51.100.9\r\ns=-\r\nc=IN IP4 198.51.100.9\r\nt=0 0\r\n{media}");
    let answer =
        answer(&offer.replace('\n', "\r\n").replace("\r\r", "\r"), &LocalMedia { security, ..local() })?;
    let media = answer.sdp.strip_prefix(SESSION).expect("the session part is ours").replace("\r\n", "\n");
    Ok((media, answer.stream))
}

/// Two supported suites and an unsupported one; the lifetime is ignored, the first that fits is used.
const SAVP: &str = "m=audio 4000 RTP/SAVP 0
a=crypto:1 F8_128_HMAC_SHA1_80 inline:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
a=crypto:2 AES_CM_128_HMAC_SHA1_32 inline:EBESExQVFhcYGRobHB0eHyAhIiMkJSYnKCkqKywt|2^20
a=crypto:3 AES_CM_128_HMAC_SHA1_80 inline:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd|2^20|1:4
";

#[test]
fn keys_in_the_offer_are_answered_with_keys() {
    let (media, stream) = answered_by(SAVP, security()).unwrap();
    assert_eq!(
        media,
        "m=audio 20000 RTP/SAVP 0
a=rtpmap:0 PCMU/8000
a=crypto:2 AES_CM_128_HMAC_SHA1_32 inline:hIWGh4iJiouMjY6PkJGSk5SVlpeYmZqbnJ2en6Ch
a=ptime:20
a=maxptime:60
a=sendrecv
"
    );
    let Protection::Sdes { suite, tag, send, receive, .. } = stream.protection else {
        panic!("not protected")
    };
    assert_eq!((suite, tag), (Suite::AesCm128HmacSha1_32, 2));
    let key = |first: u8| SdesKey { bytes: (first..first + 30).collect(), mki: Vec::new() };
    assert!(send == key(0x84) && receive == [key(0x10)]);
}

const KEY: &str = "AES_CM_128_HMAC_SHA1_80 inline:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd";
const OURS: &str = "AES_CM_128_HMAC_SHA1_80 inline:WFlaW1xdXl9gYWJjZGVmZ2hpamtsbW5vcHFyc3R1";

/// Our line for an offer with this one, and the MKIs of our key and of theirs. `None` if it is not accepted.
#[track_caller]
fn keys_for(crypto: &str) -> Option<(String, Vec<u8>, Vec<Vec<u8>>)> {
    let offer = format!("m=audio 4000 RTP/SAVP 0\na=crypto:{crypto}\n");
    let (media, stream) = match answered_by(&offer, security()) {
        Ok(answered) => answered,
        Err(error) => {
            assert_eq!(error.status(), 488);
            return None;
        }
    };
    let Protection::Sdes { send, receive, .. } = stream.protection else { panic!("not protected") };
    let line = media.lines().find_map(|line| line.strip_prefix("a=crypto:")).expect("a line");
    Some((line.to_owned(), send.mki, receive.into_iter().map(|key| key.mki).collect()))
}

#[test]
fn keys_with_identifiers_are_answered_with_a_key_that_has_one() {
    for (theirs, ours, mki) in [
        ("|2^31|1:1", "|2^31|1:1", &[1][..]),
        ("|1:4", "|1:4", &[0, 0, 0, 1]),
        ("|2^20|66051:4", "|2^20|66051:4", &[0, 1, 2, 3]),
        ("|1048576|255:1", "|1048576|255:1", &[255]),
        ("|2^48|0:1", "|2^48|0:1", &[0]),
        // A lifetime alone limits their key, and need not be repeated by ours.
        ("|2^20", "", &[]),
    ] {
        let (line, send, receive) = keys_for(&format!("7 {KEY}{theirs}")).expect(theirs);
        assert_eq!(line, format!("7 {OURS}{ours}"));
        assert_eq!((send.as_slice(), receive), (mki, vec![mki.to_vec()]));
    }
    // The longest that there is.
    let (line, send, _) = keys_for(&format!("1 {KEY}|2^31|1:128")).expect("128 octets");
    assert!(line.ends_with("|2^31|1:128"), "{line}");
    assert_eq!((send.len(), send[126], send[127]), (128, 0, 1));
    for wrong in [
        "|2^31|256:1",
        "|2^31|1:0",
        "|2^31|1:129",
        "|2^31|x:1",
        "|2^31|1:1|1",
        "|x|1:1",
        "|0",
        "|2^0",
        "|2^x",
        "|",
    ] {
        assert_eq!(keys_for(&format!("1 {KEY}{wrong}")), None, "{wrong}");
    }
}

#[test]
fn of_several_keys_in_a_line_all_are_taken_where_their_identifiers_tell_them_apart() {
    let other = "inline:EBESExQVFhcYGRobHB0eHyAhIiMkJSYnKCkqKywt";
    let (line, send, receive) = keys_for(&format!("1 {KEY}|2^20|1:2;{other}|2^20|2:2")).expect("two keys");
    assert_eq!(line, format!("1 {OURS}|2^20|1:2"));
    assert_eq!((send, receive), (vec![0, 1], vec![vec![0, 1], vec![0, 2]]));
    for wrong in [
        format!("1 {KEY};{other}"),
        format!("1 {KEY}|2^20|1:2;{other}"),
        format!("1 {KEY}|2^20|1:2;{other}|2^20|1:2"),
        format!("1 {KEY}|2^20|1:2;{other}|2^20|2:1"),
        format!("1 {KEY}|2^20|1:2;"),
        format!("1 {KEY}|2^20|1:2;inline:AAAA|2^20|2:2"),
    ] {
        assert_eq!(keys_for(&wrong), None, "{wrong}");
    }
}

#[test]
fn parameters_that_change_nothing_are_taken_and_others_are_not() {
    for (theirs, ours) in [
        ("WSH=64", ""),
        ("WSH=1024", ""),
        ("KDR=0", " KDR=0"),
        ("KDR=0 WSH=128", " KDR=0"),
        ("-whatever=1 wsh=64", ""),
    ] {
        let (line, ..) = keys_for(&format!("1 {KEY} {theirs}")).expect(theirs);
        assert_eq!(line, format!("1 {OURS}{ours}"));
    }
    for wrong in [
        "WSH=63",
        "WSH=many",
        "KDR=1",
        "KDR=24",
        "UNENCRYPTED_SRTCP",
        "UNENCRYPTED_SRTP",
        "UNAUTHENTICATED_SRTP",
        "X=1",
    ] {
        assert_eq!(keys_for(&format!("1 {KEY} {wrong}")), None, "{wrong}");
    }
    // Another acceptable line is used.
    let two = format!("1 {KEY} UNENCRYPTED_SRTCP\na=crypto:2 {KEY}");
    assert_eq!(keys_for(&two).expect("the second").0, format!("2 {OURS}"));
}

#[test]
fn an_answer_may_have_identifiers_though_our_offer_has_none() {
    let secret = LocalMedia { security: LocalSecurity { offers_keys: true, ..security() }, ..local() };
    let answer = format!(
        "v=0\r\no=a 1 1 IN IP4 198.51.100.9\r\ns=-\r\nc=IN IP4 198.51.100.9\r\nt=0 0\r\nm=audio 4000 RTP/SAVP 0\r\na=crypto:3 {KEY}|2^31|1:1\r\n"
    );
    let Protection::Sdes { send, receive, .. } = accept(&secret, &answer).unwrap().protection else {
        panic!("not protected")
    };
    assert_eq!((send.mki.as_slice(), receive[0].mki.as_slice()), (&[][..], &[1][..]));
}

#[test]
fn what_a_service_asks_for_decides() {
    let with = |policy| LocalSecurity { policy, ..security() };
    let plain = "m=audio 4000 RTP/AVP 0\n";
    assert_eq!(answered_by(SAVP, with(Policy::Off)).unwrap_err().status(), 488);
    assert_eq!(answered_by(plain, with(Policy::Required)).unwrap_err().status(), 488);
    assert!(!answered_by(plain, with(Policy::Preferred)).unwrap().1.protection.is_on());
    assert!(answered_by(SAVP, with(Policy::Required)).unwrap().1.protection.is_on());
    // Unusable keys in a profile that promises protection.
    let unknown = "m=audio 4000 RTP/SAVP 0\na=crypto:1 X inline:AAAA\n";
    assert_eq!(answered_by(unknown, with(Policy::Preferred)).unwrap_err().status(), 488);
    // Keys beside the plain profile (as telephones send that prefer SRTP without requiring it).
    let best_effort = SAVP.replace("RTP/SAVP", "RTP/AVP");
    let (media, stream) = answered_by(&best_effort, with(Policy::Preferred)).unwrap();
    assert!(media.starts_with("m=audio 20000 RTP/AVP 0\n") && media.contains("a=crypto:2 "), "{media}");
    assert!(stream.protection.is_on());
    assert!(!answered_by(&best_effort, with(Policy::Off)).unwrap().1.protection.is_on());
}

#[test]
fn of_a_stream_offered_twice_the_protected_one_is_taken() {
    let (media, stream) = answered_by(&format!("m=audio 4002 RTP/AVP 0\n{SAVP}"), security()).unwrap();
    assert!(media.starts_with("m=audio 0 RTP/AVP 0\nm=audio 20000 RTP/SAVP 0\n"), "{media}");
    assert_eq!(stream.remote_rtp.port(), 4000);
    let off = LocalSecurity { policy: Policy::Off, ..security() };
    let (media, stream) = answered_by(&format!("{SAVP}m=audio 4002 RTP/AVP 0\n"), off).unwrap();
    assert!(media.starts_with("m=audio 0 RTP/SAVP 0\nm=audio 20000 RTP/AVP 0\n"), "{media}");
    assert_eq!(stream.remote_rtp.port(), 4002);
}

#[test]
fn a_browser() {
    let offer = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111 0 126\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\na=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\na=fingerprint:sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF\r\na=setup:actpass\r\na=mid:0\r\na=sendrecv\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:126 telephone-event/8000\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\n";
    let ice = Some(IceCredentials { ufrag: "abcd".into(), pwd: "0123456789abcdefghijkl".into() });
    let answer = answer(offer, &LocalMedia { ice, ..local() }).unwrap();
    let ab = ["AB"; 32].join(":");
    assert_eq!(
        answer.sdp.replace("\r\n", "\n"),
        format!(
            "v=0
o=- 7 1 IN IP4 192.0.2.1
s=-
c=IN IP4 192.0.2.1
t=0 0
a=ice-lite
a=group:BUNDLE 0
m=audio 20000 UDP/TLS/RTP/SAVPF 0 126
a=rtpmap:0 PCMU/8000
a=rtpmap:126 telephone-event/8000
a=fmtp:126 0-15
a=mid:0
a=rtcp-mux
a=fingerprint:sha-256 {ab}
a=setup:passive
a=ice-ufrag:abcd
a=ice-pwd:0123456789abcdefghijkl
a=candidate:1 1 UDP 2130706431 192.0.2.1 20000 typ host
a=end-of-candidates
a=ptime:20
a=maxptime:60
a=sendrecv
m=video 0 UDP/TLS/RTP/SAVPF 96
a=mid:1
"
        )
    );
    let Protection::Dtls { setup, fingerprint } = answer.stream.protection else { panic!("no DTLS") };
    assert_eq!((setup, fingerprint[1]), (Setup::Passive, 0x11));
    assert_eq!(answer.stream.ice.unwrap().ufrag, "EsAw");
    // Its address is one of ICE, not a hold.
    assert_eq!(answer.stream.direction, Direction::SendRecv);
}

#[test]
fn an_offer_of_ours_brings_keys_where_nobody_reads_them_on_their_way() {
    let secret = LocalMedia { security: LocalSecurity { offers_keys: true, ..security() }, ..local() };
    let ours = offer(&secret);
    assert!(ours.contains("m=audio 20000 RTP/SAVP 0 8 101\r\n"), "{ours}");
    assert!(ours.contains("a=crypto:1 AEAD_AES_256_GCM inline:"), "{ours}");
    assert!(offer(&local()).contains("RTP/AVP") && !offer(&local()).contains("crypto"));
    let answer = |tag: u32| {
        format!(
            "v=0\r\no=a 1 1 IN IP4 198.51.100.9\r\ns=-\r\nc=IN IP4 198.51.100.9\r\nt=0 0\r\nm=audio 4000 RTP/SAVP 0\r\na=crypto:{tag} AES_CM_128_HMAC_SHA1_80 inline:EBESExQVFhcYGRobHB0eHyAhIiMkJSYnKCkqKywt\r\n"
        )
    };
    let stream = accept(&secret, &answer(3)).unwrap();
    assert!(matches!(stream.protection, Protection::Sdes { suite: Suite::AesCm128HmacSha1_80, tag: 3, .. }));
    assert!(accept(&secret, &answer(1)).is_err(), "another suite than that of the line");
}

#[test]
fn an_offer_of_ours_to_a_browser_is_dtls_with_ice_on_one_port() {
    let names = IceCredentials { ufrag: "ours".to_owned(), pwd: "x".repeat(22) };
    let security = LocalSecurity { offers_dtls: true, ..security() };
    let ours = LocalMedia { security, ice: Some(names.clone()), ..all_codecs(Preference::Ours) };
    let text = offer(&ours);
    assert!(text.contains("m=audio 20000 UDP/TLS/RTP/SAVPF 111 9 0 8 101 110\r\n"), "{text}");
    for line in ["a=ice-lite\r\n", "a=rtcp-mux\r\n", "a=setup:actpass\r\n", "a=ice-ufrag:ours\r\n"] {
        assert!(text.contains(line), "{line} in {text}");
    }
    assert!(!text.contains("a=crypto") && text.matches("a=candidate").count() == 1, "{text}");
    let fingerprint = vec!["11"; 32].join(":");
    let answer = format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\n\
         a=rtpmap:111 opus/48000/2\r\na=rtcp-mux\r\na=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n\
         a=fingerprint:sha-256 {fingerprint}\r\na=setup:active\r\na=sendrecv\r\n"
    );
    let stream = accept(&ours, &answer).unwrap();
    assert_eq!((stream.codec, stream.rtcp_mux, stream.direction), (Codec::Opus, true, Direction::SendRecv));
    assert_eq!(stream.ice.unwrap().ufrag, "EsAw");
    assert!(matches!(stream.protection, Protection::Dtls { setup: Setup::Passive, .. }));
    // Others may share a port or not, and are not offered ICE.
    let plain = offer(&LocalMedia { ice: Some(names), ..all_codecs(Preference::Ours) });
    assert!(plain.contains("RTP/AVP 111 9 0 8") && plain.contains("a=rtcp-mux") && !plain.contains("a=ice"));
}

/// The negotiated levels, and the lines of our answer for them, for an offer of Opus with these additional lines, the
/// first of the session and the second of the stream.
#[track_caller]
fn levels(of_session: &str, of_media: &str) -> (Option<(u8, bool)>, Vec<String>) {
    let offer = format!(
        "v=0\r\no=a 1 1 IN IP4 198.51.100.9\r\ns=-\r\nc=IN IP4 198.51.100.9\r\nt=0 0\r\n{of_session}\
         m=audio 4000 RTP/AVP 111\r\na=rtpmap:111 opus/48000/2\r\n{of_media}"
    );
    let answer = answer(&offer, &all_codecs(Preference::Theirs)).unwrap();
    let lines = answer.sdp.lines().filter(|line| line.starts_with("a=extmap")).map(str::to_owned);
    (answer.stream.levels.map(|levels| (levels.id, levels.vad)), lines.collect())
}

const LEVEL: &str = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";

#[test]
fn levels_are_agreed_on_under_the_number_that_was_offered() {
    let answered = |id: u8, rest: &str| vec![format!("a=extmap:{id}/recvonly {LEVEL}{rest}")];
    for (offered, id, vad, rest) in [
        (format!("1 {LEVEL}"), 1, true, ""),
        (format!("14/sendrecv {LEVEL} vad=on"), 14, true, ""),
        (format!("3/sendonly {LEVEL} vad=off"), 3, false, " vad=off"),
        (format!("16 {LEVEL} future=yes"), 16, true, ""),
        (format!("255 {LEVEL}"), 255, true, ""),
    ] {
        let line = format!("a=extmap:{offered}\r\n");
        assert_eq!(levels("", &line), (Some((id, vad)), answered(id, rest)), "{offered}");
        assert_eq!(levels(&line, "").0, Some((id, vad)), "{offered} for the session");
    }
    let both = levels(&format!("a=extmap:9 {LEVEL}\r\n"), &format!("a=extmap:2 {LEVEL}\r\n"));
    assert_eq!(both.0, Some((2, true)), "what stands at the stream comes first");
    let mixed = levels("a=extmap-allow-mixed\r\n", &format!("a=extmap:1 {LEVEL}\r\n"));
    assert_eq!(mixed.1, ["a=extmap-allow-mixed".to_owned(), format!("a=extmap:1/recvonly {LEVEL}")]);
}

#[test]
fn a_wrong_offer_of_levels_costs_the_levels_and_not_the_call() {
    for offered in [
        format!("0 {LEVEL}"),
        format!("15 {LEVEL}"),
        format!("256 {LEVEL}"),
        format!("4096 {LEVEL}"),
        format!("-1 {LEVEL}"),
        format!("x {LEVEL}"),
        format!("1/sideways {LEVEL}"),
        // They want to receive ours and do not send theirs.
        format!("1/recvonly {LEVEL}"),
        format!("1/inactive {LEVEL}"),
        format!("1 {LEVEL} vad=badger"),
        format!("1 {LEVEL}s"),
        format!("1 urn:ietf:params:rtp-hdrext:encrypt {LEVEL}"),
        "1".to_owned(),
        String::new(),
        format!("1 {LEVEL}\r\na=extmap:1 urn:example:other"),
    ] {
        assert_eq!(levels("", &format!("a=extmap:{offered}\r\n")), (None, vec![]), "{offered}");
        assert_eq!(levels(&format!("a=extmap:{offered}\r\n"), ""), (None, vec![]), "{offered}");
    }
    assert_eq!(levels("a=extmap-allow-mixed\r\n", "a=extmap\r\n"), (None, vec![]));
    // The next one may be better.
    let second = format!("a=extmap:15 {LEVEL}\r\na=extmap:5 {LEVEL}\r\n");
    assert_eq!(levels("", &second).0, Some((5, true)));
    // With G.711 they are of no use.
    let (media, stream) = answered(&format!("m=audio 4000 RTP/AVP 0\r\na=extmap:1 {LEVEL}\r\n"));
    assert!(stream.levels.is_none() && !media.contains("extmap"), "{media}");
}

#[test]
fn levels_that_we_offer_are_read_where_the_answer_sends_them() {
    let reads = all_codecs(Preference::Ours);
    let line = format!("a=extmap:1/recvonly {LEVEL}\r\n");
    let text = offer(&reads);
    assert!(text.contains(&line), "{text}");
    assert!(!offer(&local()).contains("extmap"), "G.711 has no use for them");
    assert!(!offer(&LocalMedia { levels: Levels::Off, ..reads.clone() }).contains("extmap"));
    let sends = LocalMedia { levels: Levels::Send, ..all_codecs(Preference::Theirs) };
    let answer_of_theirs = answer(&text, &sends).unwrap();
    let agreed = accept(&reads, &answer_of_theirs.sdp).unwrap().levels.expect("agreed on");
    assert_eq!((agreed.id, agreed.vad, answer_of_theirs.stream.levels), (1, true, Some(agreed)));
    // Peers that would send them to one that does not read them, or under another id, do not.
    for other in ["a=extmap:1/recvonly", "a=extmap:2/sendonly", "a=extmap:1/inactive"] {
        let changed = answer_of_theirs.sdp.replace("a=extmap:1/sendonly", other);
        assert_ne!(changed, answer_of_theirs.sdp);
        assert_eq!(accept(&reads, &changed).unwrap().levels, None, "{other}");
    }
    // The other direction, as the callers of a load test do.
    let answer_of_ours = answer(&offer(&sends), &reads).unwrap();
    assert!(
        accept(&sends, &answer_of_ours.sdp).unwrap().levels.is_some() && answer_of_ours.sdp.contains(&line)
    );
    assert_eq!(answer(&offer(&sends), &sends).unwrap().stream.levels, None);
}
