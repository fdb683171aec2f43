//! What of a SIP message the reader of a trace does not need to see.

/// Headers whose values are credentials, or let one test guesses of them.
const SECRET_HEADERS: [&[u8]; 4] =
    [b"authorization", b"proxy-authorization", b"authentication-info", b"proxy-authentication-info"];
/// Lines of session descriptions that hold keys: SDES (RFC 4568), the older `k=` (RFC 4566, 5.12), MIKEY (RFC 4567), ICE.
const SECRET_LINES: [&[u8]; 4] = [b"a=crypto:", b"k=", b"a=key-mgmt:", b"a=ice-pwd:"];
const CUT: u8 = b'*';

/// The message without credentials (`Authorization`, `Proxy-Authorization`, passwords in URIs), keys of its audio (`a=crypto`,
/// `k=`, `a=key-mgmt`, `a=ice-pwd`), credentials of TURN servers, and digits in the body of an INFO, which may be a PIN.
/// Stars of the same length are in their place, so lengths stay right.
#[must_use]
pub fn redact(message: &[u8]) -> Vec<u8> {
    let mut message = message.to_vec();
    let body = body_of(&message);
    let (head, body) = message.split_at_mut(body);
    let is_info = head.get(..5).is_some_and(|start| start.eq_ignore_ascii_case(b"INFO "));
    let is_json = header(head, b"content-type", Some(b"c")).is_some_and(|kind| is_json(&kind));
    cut_headers(head);
    cut_passwords(head);
    if is_info {
        cut_digits(body);
    } else if is_json {
        // What a browser is told of TURN servers.
        body.fill(CUT);
    } else {
        for line in lines_mut(body) {
            cut_line_of_body(line);
        }
        cut_passwords(body);
    }
    message
}

/// Where the body begins; at the end, if there is none.
fn body_of(message: &[u8]) -> usize {
    let after =
        |end: &[u8]| message.windows(end.len()).position(|window| window == end).map(|at| at + end.len());
    let ends = [after(b"\r\n\r\n"), after(b"\n\n")];
    ends.into_iter().flatten().min().unwrap_or(message.len())
}

/// The value of a header, by its name or its short form, both in small letters.
pub(crate) fn header(head: &[u8], name: &[u8], short: Option<&[u8]>) -> Option<Vec<u8>> {
    head.split(|octet| *octet == b'\n').skip(1).find_map(|line| {
        let colon = line.iter().position(|octet| *octet == b':')?;
        let found = line[..colon].trim_ascii().to_ascii_lowercase();
        let is_it = found == name || short.is_some_and(|short| found == short);
        is_it.then(|| line[colon + 1..].trim_ascii().to_vec())
    })
}

fn is_json(content_type: &[u8]) -> bool {
    content_type.to_ascii_lowercase().windows(4).any(|window| window == b"json")
}

/// The lines, each with its end.
fn lines_mut(bytes: &mut [u8]) -> impl Iterator<Item = &mut [u8]> {
    bytes.split_inclusive_mut(|octet| *octet == b'\n')
}

/// Values of secret headers, also where they go on in further lines.
fn cut_headers(head: &mut [u8]) {
    let mut is_secret = false;
    for line in lines_mut(head).skip(1) {
        let goes_on = matches!(line.first(), Some(b' ' | b'\t'));
        if goes_on {
            if is_secret {
                cut(line);
            }
            continue;
        }
        let colon = line.iter().position(|octet| *octet == b':');
        let name = colon.map(|colon| line[..colon].trim_ascii().to_ascii_lowercase()).unwrap_or_default();
        is_secret = SECRET_HEADERS.contains(&name.as_slice());
        if is_secret {
            cut_value(&mut line[colon.map_or(0, |colon| colon + 1)..]);
        }
    }
}

/// All but the scheme, such as `Digest`.
fn cut_value(value: &mut [u8]) {
    let start = value.iter().take_while(|octet| octet.is_ascii_whitespace()).count();
    let scheme = value[start..].iter().take_while(|octet| octet.is_ascii_alphabetic()).count();
    let is_scheme = value.get(start + scheme).is_some_and(|octet| *octet == b' ');
    let from = if is_scheme { start + scheme } else { start };
    cut(&mut value[from..]);
}

/// Stars for everything but white space.
fn cut(bytes: &mut [u8]) {
    bytes.iter_mut().filter(|octet| !octet.is_ascii_whitespace()).for_each(|octet| *octet = CUT);
}

fn cut_line_of_body(line: &mut [u8]) {
    let starts_with =
        |start: &[u8]| line.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start));
    if let Some(start) = SECRET_LINES.into_iter().find(|start| starts_with(start)) {
        // The tag and the cipher of SDES say what was negotiated.
        const KEY: &[u8] = b"inline:";
        let key = line.windows(KEY.len()).position(|window| window.eq_ignore_ascii_case(KEY));
        let from = key.map_or(start.len(), |at| at + KEY.len());
        return cut(&mut line[from..]);
    }
    // A message in a message, as in the progress of a transfer.
    let colon = line.iter().position(|octet| *octet == b':').unwrap_or(0);
    if SECRET_HEADERS.contains(&line[..colon].trim_ascii().to_ascii_lowercase().as_slice()) {
        cut_value(&mut line[colon + 1..]);
    }
}

/// Keys that were pressed; how long they were is left. A line that is neither may be both in another encoding, such as Base64.
fn cut_digits(body: &mut [u8]) {
    for line in lines_mut(body) {
        let equals = line.iter().position(|octet| *octet == b'=');
        let name = line[..equals.unwrap_or(0)].trim_ascii().to_ascii_lowercase();
        match (name.as_slice(), equals) {
            (b"duration", _) => {}
            (b"signal", Some(at)) => cut(&mut line[at + 1..]),
            _ => cut(line),
        }
    }
}

/// The password of `sip:user:password@host`, and credentials among the headers of a URI (`?Authorization=…`).
fn cut_passwords(bytes: &mut [u8]) {
    let ends = |octet: &u8| octet.is_ascii_whitespace() || b"<>\",".contains(octet);
    for scheme in [&b"sip:"[..], b"sips:"] {
        let mut at = 0;
        while let Some(found) = find(&bytes[at..], scheme) {
            let start = at + found + scheme.len();
            at = start;
            let end = bytes[start..].iter().position(ends).map_or(bytes.len(), |length| start + length);
            let Some(host) = bytes[start..end].iter().position(|octet| *octet == b'@') else { continue };
            if let Some(colon) = bytes[start..start + host].iter().position(|octet| *octet == b':') {
                cut(&mut bytes[start + colon + 1..start + host]);
            }
        }
    }
    const NAME: &[u8] = b"authorization=";
    let mut at = 0;
    while let Some(found) = find(&bytes[at..], NAME) {
        let start = at + found + NAME.len();
        let ends = |octet: &u8| octet.is_ascii_whitespace() || b"&<>\"".contains(octet);
        let end = bytes[start..].iter().position(ends).map_or(bytes.len(), |length| start + length);
        cut(&mut bytes[start..end]);
        at = start;
    }
}

/// Where `wanted`, in small letters, is found, whatever the case.
fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window.eq_ignore_ascii_case(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(message: &str) -> String {
        String::from_utf8(redact(message.replace('\n', "\r\n").as_bytes()))
            .expect("text")
            .replace("\r\n", "\n")
    }

    #[test]
    fn credentials_are_cut_and_their_scheme_is_not() {
        let message = "REGISTER sip:bob:hunter2@example.com SIP/2.0\nVia: SIP/2.0/UDP h:5060;branch=z9\n\
             AUTHORIZATION : Digest username=\"bob\",\n response=\"0123\"\nproxy-authorization: Bearer tok.en\n\
             Authorization:opaque\nContact: \"Bob\" <sip:bob:pw@h:5060>;q=1\n\
             Refer-To: <sips:a@b?Authorization=Digest%20x&Subject=s>\nCall-ID: 1@h\n\n";
        let expected = "REGISTER sip:bob:*******@example.com SIP/2.0\nVia: SIP/2.0/UDP h:5060;branch=z9\n\
             AUTHORIZATION : Digest ***************\n ***************\nproxy-authorization: Bearer ******\n\
             Authorization:******\nContact: \"Bob\" <sip:bob:**@h:5060>;q=1\n\
             Refer-To: <sips:a@b?Authorization=**********&Subject=s>\nCall-ID: 1@h\n\n";
        assert_eq!(text(message), expected);
    }

    #[test]
    fn keys_of_the_audio_are_cut_and_the_cipher_is_not() {
        let message = "INVITE sip:a@b SIP/2.0\nContent-Type: application/sdp\n\nv=0\n\
             a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:32\n\
             k=base64:c2VjcmV0\na=ice-ufrag:abcd\na=ice-pwd:0123456789\na=fingerprint:sha-256 00:11\n";
        let expected = "INVITE sip:a@b SIP/2.0\nContent-Type: application/sdp\n\nv=0\n\
             a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:**************************************************\n\
             k=***************\na=ice-ufrag:abcd\na=ice-pwd:**********\na=fingerprint:sha-256 00:11\n";
        assert_eq!(text(message), expected);
    }

    #[test]
    fn pressed_keys_are_cut() {
        let relay =
            "INFO sip:a@b SIP/2.0\nContent-Type: application/dtmf-relay\n\nSignal= 5\nDuration= 160\n";
        assert_eq!(text(relay), relay.replace("Signal= 5", "Signal= *"));
        let plain = "INFO sip:a@b SIP/2.0\nc: application/dtmf\n\n5";
        assert_eq!(text(plain), plain.replace("\n\n5", "\n\n*"));
        // "Signal=5" in Base64, of which the padding is no value.
        let head = "INFO sip:a@b SIP/2.0\nContent-Type: application/dtmf-relay\nContent-Transfer-Encoding: base64\n\n";
        assert_eq!(text(&format!("{head}U2lnbmFsPTU=\n")), format!("{head}************\n"));
    }

    #[test]
    fn credentials_of_relays_are_cut() {
        let message = "SIP/2.0 200 OK\nContent-Type: application/json\n\n{\"credential\":\"s3\"}";
        assert!(text(message).ends_with("\n\n*******************"), "{}", text(message));
    }

    #[test]
    fn a_message_within_a_message_keeps_no_credentials() {
        let message = "NOTIFY sip:a@b SIP/2.0\nContent-Type: message/sip\n\nINVITE sip:x@y SIP/2.0\nAuthorization: Digest r=\"1\"\n";
        assert!(text(message).ends_with("Authorization: Digest *****\n"), "{}", text(message));
    }

    proptest! {
        #[test]
        fn any_bytes_keep_their_length(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            prop_assert_eq!(redact(&bytes).len(), bytes.len());
        }

        #[test]
        fn a_secret_is_nowhere_in_the_result(secret in "[A-Za-z0-9]{12}", fold in any::<bool>(), end in "\r\n|\n") {
            let fold = if fold { format!(",{end}\t") } else { ", ".to_owned() };
            let message = format!(
                "INVITE sip:u:{secret}@h SIP/2.0{end}Proxy-Authorization: Digest username=\"u\"{fold}response=\"{secret}\"{end}\
                 Call-ID: 1{end}{end}a=crypto:2 X inline:{secret}{end}a=ice-pwd:{secret}{end}"
            );
            let redacted = redact(message.as_bytes());
            prop_assert!(!redacted.windows(12).any(|window| window == secret.as_bytes()));
        }
    }
}
