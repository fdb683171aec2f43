//! Offers of telephones and browsers with their answers, as texts: `tests/sdp/*.txt`.
//!
//! A file has one or several offers, each followed by its result: the answer, or the status and Warning of a refusal,
//! and the negotiated stream in one line. `BLESS=1 cargo test -p plenary-sip --test sdp_pairs` rewrites them; read
//! the result before you commit it.
#![allow(missing_docs)]

use plenary_sip::sdp::{
    Codec, Direction, IceCredentials, Levels, LocalMedia, LocalSecurity, Policy, Preference, Protection,
    Setup, Stream, answer,
};
use std::{fmt::Write, fs, path::Path};

fn local() -> LocalMedia {
    LocalMedia {
        rtp: "192.0.2.1:20000".parse().unwrap(),
        session_id: 7,
        version: 1,
        codecs: vec![Codec::Opus, Codec::G722, Codec::Pcmu, Codec::Pcma],
        preference: Preference::Theirs,
        dtmf: true,
        direction: Direction::SendRecv,
        security: LocalSecurity {
            policy: Policy::Preferred,
            seed: std::array::from_fn(|n| n as u8),
            fingerprint: Some([0xab; 32]),
            offers_keys: false,
            offers_dtls: false,
        },
        ice: Some(IceCredentials { ufrag: "ours".into(), pwd: "0123456789abcdefghijkl".into() }),
        levels: Levels::Read,
    }
}

/// The negotiated stream in one line.
fn agreed(stream: &Stream) -> String {
    let protection = match &stream.protection {
        Protection::None => "plain".to_owned(),
        Protection::Sdes { suite, tag, .. } => format!("{} by line {tag}", suite.name()),
        Protection::Dtls { setup: Setup::Active, .. } => "DTLS, we begin".to_owned(),
        Protection::Dtls { setup: Setup::Passive, .. } => "DTLS, they begin".to_owned(),
    };
    let ice = stream.ice.as_ref().map_or("no ICE".to_owned(), |ice| format!("ICE with {}", ice.ufrag));
    let levels = stream.levels.map_or(String::new(), |levels| format!(", levels in {}", levels.id));
    let rtcp = stream.remote_rtcp.map_or("nowhere".to_owned(), |to| to.to_string());
    format!(
        "{} {} to {}, RTCP to {rtcp}, {}, {} ms, keys {:?}, {protection}, {ice}{levels}",
        stream.codec.name(),
        stream.payload_type,
        stream.remote_rtp,
        stream.direction.name(),
        stream.ptime_ms,
        stream.dtmf.map(|dtmf| dtmf.receive),
    )
}

/// A file as it should be: its comments and offers, each with its result.
fn with_answers(text: &str) -> String {
    let mut parts: Vec<(&str, String)> = vec![("", String::new())];
    for line in text.lines() {
        match line.strip_prefix("-- ") {
            Some(kind) => parts.push((kind, String::new())),
            // A comment on the offer that follows.
            None if line.starts_with("# ") && parts.len() > 1 => parts.push(("", format!("{line}\n"))),
            None => parts.last_mut().expect("the first").1 += &format!("{line}\n"),
        }
    }
    let mut out = String::new();
    for (kind, content) in parts {
        match kind {
            "" => out += &content,
            "offer" => {
                let _ = write!(out, "-- offer\n{content}");
                match answer(&content.replace('\n', "\r\n"), &local()) {
                    Ok(answer) => {
                        let _ = write!(out, "-- answer\n{}", answer.sdp.replace("\r\n", "\n"));
                        let _ = writeln!(out, "-- agreed\n{}", agreed(&answer.stream));
                    }
                    Err(error) => {
                        let _ = writeln!(
                            out,
                            "-- refused\n{} {}",
                            error.status(),
                            error.warning().unwrap_or_default()
                        );
                    }
                }
            }
            _ => {}
        }
    }
    out
}

#[test]
fn every_offer_gets_its_answer() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdp");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 11, "{files:?}");
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let expected = with_answers(&text);
        if std::env::var_os("BLESS").is_some() {
            fs::write(&file, expected).unwrap();
        } else {
            assert_eq!(text, expected, "{}", file.display());
        }
    }
}
