//! What the operator's services show of a made-up installation.

use super::{BANNED, CALLED, NOW};
use async_trait::async_trait;
use plenary_api::{Ban, BanReason, DiskSpace, Health, KeptCall, MediaThread, OperatorControl, Ping};
use plenary_conference::{AccountId, Timestamp};
use plenary_model::{CallSamples, Trunk};
use plenary_store::StoreError;
use plenary_trace::{Kind, Ladder, Message};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    net::IpAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

/// An installation of which one source is banned. The calls whose messages it was to forget.
#[derive(Default)]
pub struct Installation(pub Mutex<BTreeSet<String>>);

#[async_trait]
impl OperatorControl for Installation {
    async fn bans(&self) -> Vec<Ban> {
        let source = BANNED.parse().unwrap();
        let (left, reason) = (Duration::from_millis(1500), BanReason::Guessing);
        vec![Ban { source, left, doubtful: false, caller: None, reason }]
    }

    async fn lift_ban(&self, source: IpAddr) -> bool {
        source.to_string() == BANNED
    }

    async fn health(&self) -> Health {
        Health {
            started_at: NOW,
            is_draining: false,
            is_overloaded: true,
            engine_answer: Some(Duration::from_micros(250)),
            database_error: None,
            disk: Some(DiskSpace { free: 7_000, size: 9_000, needed_to_record: Some(1_000) }),
            certificate_expires_at: None,
            media: vec![MediaThread { calls: 1, ticks: 50, ticks_late: 0, busy: Duration::from_millis(7) }],
        }
    }

    fn settings(&self) -> Value {
        json!({ "http": "127.0.0.1:8080" })
    }

    async fn ladder(&self, participant: &str) -> Result<Option<Ladder>, StoreError> {
        let message = |at_us, kind, is_sent, bytes: &[u8]| Message {
            at_us,
            kind,
            is_sent,
            transport: "udp",
            local: ([192, 0, 2, 1], 5060).into(),
            remote: ([198, 51, 100, 9], 5060).into(),
            bytes: bytes.into(),
        };
        let messages = vec![
            message(1_500_000, Kind::Sip, false, b"BYE sip:a@b SIP/2.0\r\nCall-ID: 1@h\r\n\r\n"),
            message(1_600_000, Kind::Rtcp, true, &[0x80, 201, 0, 1, 0, 0, 0, 7, 0x81, 203, 0, 1, 0, 0, 0, 7]),
        ];
        Ok((participant == CALLED).then(|| Ladder {
            sip_call_ids: vec!["1@h".to_owned()],
            is_over: true,
            has_failed: false,
            messages: messages.into_iter().map(Arc::new).collect(),
            left_out: 3,
        }))
    }

    async fn ladders(
        &self,
        before: Option<(Timestamp, &str)>,
        limit: usize,
    ) -> Result<Vec<KeptCall>, StoreError> {
        let kept = (1..=3).rev().map(|number| KeptCall {
            id: format!("01234567a1b1c1c2.{number}"),
            last_at: NOW.plus_minutes(number),
            is_over: number < 3,
            has_failed: number == 1,
            people: vec!["+4930123456".to_owned()],
        });
        let is_before = |one: &KeptCall| before.is_none_or(|before| (one.last_at, one.id.as_str()) < before);
        Ok(kept.filter(is_before).take(limit).collect())
    }

    fn forget_ladders(&self, participants: &BTreeSet<String>) {
        self.0.lock().unwrap().extend(participants.iter().cloned());
    }

    async fn ping(&self, _: &Trunk) -> Ping {
        Ping { outcome: Ok((200, "OK".to_owned())), took: Duration::from_millis(12) }
    }

    fn call_samples(&self, _: &str) -> Option<(AccountId, CallSamples)> {
        None
    }

    fn log(&self, lines: usize) -> Vec<String> {
        (0..lines.min(3)).map(|number| format!("line {number}")).collect()
    }
}
