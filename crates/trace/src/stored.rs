//! Ladders in JSON, as they are stored, and who stands in them.

use crate::{Kind, Ladder, Message};
use serde_json::{Value, json};
use std::{collections::BTreeSet, sync::Arc};

/// The transports by their names.
const TRANSPORTS: [&str; 5] = ["udp", "tcp", "tls", "ws", "wss"];

impl Ladder {
    /// All of it. What is no UTF-8 is in hexadecimal digits.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let messages = self.messages.iter().map(|message| message.to_json()).collect::<Vec<_>>();
        json!({
            "sip_call_ids": self.sip_call_ids,
            "is_over": self.is_over,
            "has_failed": self.has_failed,
            "left_out": self.left_out,
            "messages": messages,
        })
    }

    /// What [`Self::to_json`] has made; `None`: something else has.
    #[must_use]
    pub fn from_json(value: &Value) -> Option<Self> {
        let call_id = |id: &Value| id.as_str().map(str::to_owned);
        Some(Self {
            sip_call_ids: value["sip_call_ids"].as_array()?.iter().map(call_id).collect::<Option<_>>()?,
            is_over: value["is_over"].as_bool()?,
            has_failed: value["has_failed"].as_bool()?,
            left_out: value["left_out"].as_u64()?,
            messages: value["messages"]
                .as_array()?
                .iter()
                .map(|message| Message::from_json(message).map(Arc::new))
                .collect::<Option<_>>()?,
        })
    }

    /// Numbers and names of those who call and are called: the users of all URIs, and the names beside them.
    #[must_use]
    pub fn people(&self) -> BTreeSet<String> {
        let of_sip = self.messages.iter().filter(|message| message.kind == Kind::Sip);
        of_sip.flat_map(|message| people_of(&String::from_utf8_lossy(&message.bytes))).collect()
    }
}

impl Message {
    fn to_json(&self) -> Value {
        let (text, hex) = match std::str::from_utf8(&self.bytes) {
            Ok(text) if self.kind == Kind::Sip => (Some(text), None),
            _ => (None, Some(to_hex(&self.bytes))),
        };
        json!({
            "at_us": self.at_us,
            "is_rtcp": self.kind == Kind::Rtcp,
            "is_sent": self.is_sent,
            "transport": self.transport,
            "local": self.local.to_string(),
            "remote": self.remote.to_string(),
            "text": text,
            "hex": hex,
        })
    }

    fn from_json(value: &Value) -> Option<Self> {
        let address = |name: &str| value[name].as_str()?.parse().ok();
        let transport = value["transport"].as_str()?;
        let bytes = match value["text"].as_str() {
            Some(text) => text.as_bytes().to_vec(),
            None => of_hex(value["hex"].as_str()?)?,
        };
        Some(Self {
            at_us: value["at_us"].as_i64()?,
            kind: if value["is_rtcp"].as_bool()? { Kind::Rtcp } else { Kind::Sip },
            is_sent: value["is_sent"].as_bool()?,
            transport: TRANSPORTS.into_iter().find(|known| *known == transport)?,
            local: address("local")?,
            remote: address("remote")?,
            bytes: bytes.into(),
        })
    }
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn of_hex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).ok());
    pairs.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect()
}

/// Users of URIs, and quoted names, of a SIP message.
fn people_of(message: &str) -> Vec<String> {
    let head = message.split("\r\n\r\n").next().unwrap_or_default();
    let mut people = Vec::new();
    for line in head.lines() {
        let mut rest = line;
        while let Some((before, at)) = next_uri(rest) {
            let quoted = before.trim_end_matches([' ', '<']).strip_suffix('"');
            if let Some((_, name)) = quoted.and_then(|quoted| quoted.rsplit_once('"'))
                && !name.is_empty()
            {
                people.push(name.to_owned());
            }
            let end = at.find(['>', '?', ' ', '"', ',', '\t']).unwrap_or(at.len());
            let uri = &at[..end];
            // A `tel:` URI has no host.
            let user = uri.split_once('@').map_or(uri, |(user, _)| user);
            let user = user.split([';', ':']).next().unwrap_or_default();
            if !user.is_empty() {
                people.push(user.to_owned());
            }
            rest = &at[end..];
        }
    }
    people
}

/// What stands before the next URI of a line, and what follows its scheme.
fn next_uri(line: &str) -> Option<(&str, &str)> {
    let schemes = ["sip:", "sips:", "tel:"].into_iter();
    let found = schemes.filter_map(|scheme| {
        let at = line.match_indices(scheme).map(|(at, _)| at).find(|at| {
            let before = line[..*at].chars().next_back();
            before.is_none_or(|before| !before.is_ascii_alphanumeric())
        })?;
        Some((at, scheme.len()))
    });
    let (at, length) = found.min()?;
    Some((&line[..at], &line[at + length..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: Kind, bytes: &[u8]) -> Arc<Message> {
        Arc::new(Message {
            at_us: 1_500_000,
            kind,
            is_sent: true,
            transport: "tls",
            local: ([192, 0, 2, 1], 5061).into(),
            remote: "[2001:db8::1]:5061".parse().unwrap(),
            bytes: bytes.into(),
        })
    }

    fn ladder() -> Ladder {
        let invite = "INVITE sip:conf-Board@example.com SIP/2.0\r\nFrom: \"Alice B\" <sip:+49-30-123456@p.example;user=phone>;tag=1\r\n\
            P-Asserted-Identity: <tel:+4930123456>, \"A\" <sips:alice:x@p.example>\r\nContact: <sip:10.0.0.1:5060>\r\n\r\nv=0\r\ns=sip:nobody@x\r\n";
        Ladder {
            sip_call_ids: vec!["1@h".into(), "\u{e9}".into()],
            is_over: true,
            has_failed: true,
            messages: vec![
                message(Kind::Sip, invite.as_bytes()),
                message(Kind::Sip, b"SIP/2.0 486 Busy\xff\r\n\r\n"),
                message(Kind::Rtcp, &[0x80, 201, 0, 255]),
            ],
            left_out: 7,
        }
    }

    #[test]
    fn a_ladder_is_the_same_after_it_was_stored() {
        let text = ladder().to_json().to_string();
        let read = Ladder::from_json(&serde_json::from_str(&text).unwrap());
        assert_eq!(read, Some(ladder()));
        for odd in [
            "{}",
            "[]",
            "null",
            r#"{"sip_call_ids":[1],"is_over":true,"has_failed":true,"left_out":0,"messages":[]}"#,
        ] {
            assert_eq!(Ladder::from_json(&serde_json::from_str(odd).unwrap()), None, "{odd}");
        }
        assert_eq!((of_hex("0g"), of_hex("f"), of_hex("\u{e9}")), (None, Some(vec![15]), None));
    }

    #[test]
    fn who_calls_and_who_is_called_stands_in_it() {
        let people: Vec<_> = ladder().people().into_iter().collect();
        // A host alone is told too: it does no harm.
        assert_eq!(
            people,
            ["+49-30-123456", "+4930123456", "10.0.0.1", "A", "Alice B", "alice", "conf-Board"]
        );
    }
}
