use super::*;
use sipx_sip::Header;

fn found(headers: &[(&str, &str)], body: &str) -> Body {
    let mut all = Headers::new();
    for (name, value) in headers {
        let name = HeaderName::parse(&Bytes::copy_from_slice(name.as_bytes()));
        all.push(Header::build(name, value.to_string()).unwrap());
    }
    find(&all, &Bytes::from(body.replace('\n', "\r\n")), SESSION)
}

fn of_type(content_type: &str, body: &str) -> Body {
    found(&[("Content-Type", content_type)], body)
}

fn sdp(text: &str) -> Body {
    Body::Known { media_type: SDP_TYPE, text: text.replace('\n', "\r\n") }
}

const MIXED: &str = "multipart/mixed;boundary=b";

#[test]
fn a_body_of_one_part() {
    assert_eq!(of_type("application/sdp", "v=0\n"), sdp("v=0\n"));
    assert_eq!(of_type("Application / SDP ; charset=utf-8", "v=0\n"), sdp("v=0\n"));
    assert_eq!(found(&[], "v=0\n"), Body::Unknown);
    assert_eq!(of_type("text/plain", "v=0\n"), Body::Unknown);
    assert_eq!(of_type("text/plain", ""), Body::None);
    let disposed =
        |disposition| found(&[("Content-Type", "text/plain"), ("Content-Disposition", disposition)], "hello");
    assert_eq!(disposed("render"), Body::Unknown);
    assert_eq!(disposed("render;handling=required"), Body::Refused);
    assert_eq!(disposed("render; Handling = \"Optional\""), Body::None);
    for (encoding, expected) in [("gzip", Body::Unknown), ("identity", sdp("v=0\n"))] {
        let headers = [("Content-Type", "application/sdp"), ("Content-Encoding", encoding)];
        assert_eq!(found(&headers, "v=0\n"), expected, "{encoding}");
    }
}

/// As carriers send it: ISUP beside the session description (RFC 3204), the caller's location (RFC 6442), or nothing
/// else.
#[test]
fn the_session_description_is_found_among_other_parts() {
    let isup = "Content-Type: application/isup;version=itu-t92+\nContent-Disposition: signal;handling=optional\n\n\u{1}\0";
    let place = "Content-Type: application/pidf+xml\nContent-ID: <a@b>\n\n<presence/>";
    let session = "Content-Type: application/sdp\nContent-Disposition: session;handling=required\n\nv=0\n";
    for parts in [
        vec![session],
        vec![session, isup],
        vec![isup, session],
        vec![place, session],
        vec!["\nsome text of no type", session, place],
        vec![session, "Content-Type: application/sdp\n\nanother one"],
        vec!["c: application/sdp\n\nv=0\n"],
        vec!["Content-Type:\n application/sdp;\n\tcharset=x\n\nv=0\n"],
        vec!["Content-Type: application/sdp\nContent-Transfer-Encoding: base64\n\ndj0w\nDQo="],
        vec!["Content-Type: application/sdp\nContent-Transfer-Encoding: quoted-printable\n\nv=\n=3D0=0D=0A"],
    ] {
        let lines: String = parts.iter().map(|part| format!("--b\n{part}\n")).collect();
        for (before, after) in [("", "--b--"), ("a preamble\n--bc\n", "--b--\n--b\nan epilogue")] {
            assert_eq!(
                of_type(MIXED, &format!("{before}{lines}{after}")),
                sdp("v=0\n"),
                "{before}{lines}{after}"
            );
        }
    }
    // A body that is cut off behind its last part.
    assert_eq!(of_type(MIXED, "--b\nContent-Type: application/sdp\n\nv=0\n"), sdp("v=0\n"));
}

#[test]
fn boundaries_may_be_quoted_and_followed_by_space() {
    let body = "--a b;c\" \t\nContent-Type: application/sdp\n\nv=0\n\n--a b;c\"--  \n";
    assert_eq!(of_type("multipart/mixed; charset=x; BOUNDARY = \"a b;c\\\"\"", body), sdp("v=0\n"));
    for wrong in ["multipart/mixed", "multipart/mixed;boundary=", "multipart/mixed;boundary=other"] {
        assert_eq!(of_type(wrong, body), Body::Refused, "{wrong}");
    }
    let long = "x".repeat(BOUNDARY_CHARS_MAX + 1);
    let body = format!("--{long}\nContent-Type: application/sdp\n\nv=0\n--{long}--");
    assert_eq!(of_type(&format!("multipart/mixed;boundary={long}"), &body), Body::Refused);
}

#[test]
fn what_has_to_be_understood_is_refused_and_the_rest_passed_over() {
    let body = |disposition: &str| {
        format!(
            "--b\nContent-Type: application/sdp\n\nv=0\n\n--b\nContent-Type: application/x-odd\n\
             Content-Disposition: {disposition}\n\nodd\n--b--\n"
        )
    };
    assert_eq!(of_type(MIXED, &body("signal;handling=required")), Body::Refused);
    assert_eq!(of_type(MIXED, &body("signal;handling=optional")), sdp("v=0\n"));
    assert_eq!(of_type(MIXED, &body("signal")), sdp("v=0\n"));
    // On its own it cannot be ignored, unless it says so.
    let alone = |disposition: &str| {
        format!("--b\nContent-Type: a/b\nContent-Disposition: {disposition}\n\nx\n--b--\n")
    };
    assert_eq!(of_type(MIXED, &alone("render")), Body::Unknown);
    assert_eq!(of_type(MIXED, &alone("render;handling=optional")), Body::None);
    // A description of early media is not the session's (RFC 3959).
    let early = "--b\nContent-Type: application/sdp\nContent-Disposition: early-session;handling=optional\n\nv=early\n\
         --b\nContent-Type: application/sdp\n\nv=0\n\n--b--\n";
    assert_eq!(of_type(MIXED, early), sdp("v=0\n"));
    // The multipart itself may be optional.
    let headers = [("Content-Type", MIXED), ("Content-Disposition", "session;handling=optional")];
    assert_eq!(found(&headers, &alone("render;handling=required")), Body::None);
}

#[test]
fn of_alternatives_the_last_that_is_understood_is_taken() {
    let alternative = "multipart/alternative;boundary=b";
    let body = "--b\nContent-Type: application/sdp\n\nv=1\n--b\nContent-Type: application/sdp\n\nv=2\n\
         --b\nContent-Type: application/x-better\nContent-Disposition: session;handling=required\n\nbest\n--b--\n";
    assert_eq!(of_type(alternative, body), sdp("v=2"));
    assert_eq!(of_type(MIXED, body), Body::Refused);
    assert_eq!(of_type(alternative, "--b\nContent-Type: a/b\n\nx\n--b--\n"), Body::Unknown);
}

#[test]
fn multiparts_within_multiparts_are_read_to_a_bound() {
    let nested = |depth: usize| {
        let mut body = "v=0\n".to_owned();
        let mut content_type = SDP_TYPE.to_owned();
        for level in 0..depth {
            body = format!("--b{level}\nContent-Type: {content_type}\n\n{body}\n--b{level}--\n");
            content_type = format!("multipart/mixed;boundary=b{level}");
        }
        of_type(&content_type, &body)
    };
    assert_eq!(nested(DEPTH_MAX), sdp("v=0\n"));
    assert_eq!(nested(DEPTH_MAX + 1), Body::Refused);
    let many = |count: usize| {
        let parts = "--b\nContent-Type: application/sdp\n\nv=0\n".repeat(count);
        of_type(MIXED, &format!("{parts}--b--\n"))
    };
    assert_eq!(many(PARTS_MAX), sdp("v=0"));
    assert_eq!(many(PARTS_MAX + 1), Body::Refused);
    assert_eq!(many(10_000), Body::Refused);
}

#[test]
fn nothing_that_comes_makes_it_panic() {
    let whole =
        "--b\nContent-Type: application/sdp\nContent-Transfer-Encoding: base64\n\ndj0w\n\n--b\n\n--b--\n";
    for cut in 0..whole.len() {
        of_type(MIXED, &whole[..cut]);
        of_type(MIXED, &whole[cut..]);
        of_type(&format!("multipart/mixed;boundary=\"{}", &whole[..cut].replace('\n', "\\")), whole);
    }
    for odd in ["=", "==", "a=3", "=3", "é=\n"] {
        let body = format!(
            "--b\nContent-Type: application/sdp\nContent-Transfer-Encoding: quoted-printable\n\n{odd}\n--b--"
        );
        assert!(matches!(of_type(MIXED, &body), Body::Known { .. }), "{odd}");
    }
}
