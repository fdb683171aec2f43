//! The messages of a call, for the operator: what was said in its signalling, and the reports on its audio.

use super::{
    access::{Caller, Operator},
    list::{List, Page, Query},
};
use crate::{
    KeptCall as Kept,
    answer::Answer,
    error::{ApiError, UNKNOWN_MESSAGES},
    extract::Segments,
    json::json,
    state::App,
    time,
};
use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, Response, StatusCode, header},
};
use plenary_model::Timestamp;
use plenary_trace::{Kind, Ladder, Message, pcap, rtcp};
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(calls)).routes(routes!(messages))
}

/// A call whose messages are kept.
#[derive(Debug, Serialize, ToSchema)]
struct KeptCall {
    /// Its id, which is its participant's.
    #[schema(example = "01234567a1b1c1c2.234")]
    id: String,
    /// When it said something last.
    #[schema(format = DateTime)]
    last_at: String,
    /// It is over.
    over: bool,
    /// It was refused, or broke off.
    failed: bool,
    /// Numbers and names that stand in its messages.
    #[schema(example = json!(["+4930123456", "conf-Board"]))]
    people: Vec<String>,
}

impl From<Kept> for KeptCall {
    fn from(Kept { id, last_at, is_over, has_failed, people }: Kept) -> Self {
        Self { id, last_at: time::rfc3339(last_at), over: is_over, failed: has_failed, people }
    }
}

/// The messages of a call.
#[derive(Debug, Serialize, ToSchema)]
struct CallMessages {
    /// Its Call-IDs; several where it was placed by one route after the other.
    sip_call_ids: Vec<String>,
    /// It is over.
    over: bool,
    /// It was refused, or broke off.
    failed: bool,
    /// Earlier messages that are no longer kept.
    left_out: u64,
    /// The oldest first.
    messages: Vec<CallMessage>,
}

/// A message of a call.
#[derive(Debug, Serialize, ToSchema)]
struct CallMessage {
    /// When it was received or sent.
    #[schema(format = DateTime)]
    at: String,
    /// What it is.
    kind: MessageKind,
    /// Which way it went.
    direction: MessageDirection,
    /// `udp`, `tcp`, `tls`, `ws` or `wss`.
    #[schema(pattern = "^(udp|tcp|tls|ws|wss)$")]
    transport: &'static str,
    /// Where it came from.
    #[schema(example = "192.0.2.10:5060")]
    from: String,
    /// Where it went.
    #[schema(example = "192.0.2.1:5060")]
    to: String,
    /// Its first line, or what kind of report it is.
    #[schema(example = "INVITE sip:conf-Board@192.0.2.1 SIP/2.0")]
    summary: String,
    /// A SIP message, with stars for credentials, keys and digits; null for RTCP.
    text: Option<String>,
    /// An RTCP report; null for SIP, and where there is none in the datagram.
    report: Option<RtcpReport>,
}

/// What a message is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum MessageKind {
    /// A SIP message.
    Sip,
    /// An RTCP datagram.
    Rtcp,
}

/// Which way a message went.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum MessageDirection {
    /// It came.
    Received,
    /// We sent it.
    Sent,
}

/// A report of RTCP (RFC 3550, 6.4).
#[derive(Debug, Serialize, ToSchema)]
struct RtcpReport {
    /// The reporting stream.
    ssrc: u32,
    /// Packets that it sent; null: it does not say.
    packets_sent: Option<u32>,
    /// Octets of their payload.
    bytes_sent: Option<u32>,
    /// How it receives others.
    received: Vec<ReportedStream>,
    /// It ends.
    goodbye: bool,
}

/// How a stream is received.
#[derive(Debug, Serialize, ToSchema)]
struct ReportedStream {
    /// The stream.
    ssrc: u32,
    /// The share of packets lost since the last report, 0 to 1.
    loss: f64,
    /// Packets lost since the beginning; negative where some came twice.
    packets_lost: i32,
    /// Interarrival jitter, in units of the stream's clock.
    jitter: u32,
}

/// Lists calls whose messages are kept
///
/// Those that said something last come first: of all accounts, and such as were refused before they got to one. A call in progress may be
/// on a later page again.
#[utoipa::path(get, path = "/v1/operator/calls", operation_id = "list_kept_calls", tag = "operator", params(Page),
    security(("bearer" = ["operator"])),
    responses((status = 200, description = "Some of the calls.", body = List<KeptCall>)))]
async fn calls(_: Caller<Operator>, State(state): State<App>, Query(page): Query<Page>) -> Answer {
    let after = page.after_as(|key| {
        let (at, id) = key.split_once(' ')?;
        Some((Timestamp(at.parse().ok()?), id.to_owned()))
    })?;
    let before = after.as_ref().map(|(at, id)| (*at, id.as_str()));
    let found = state.operator.ladders(before, page.to_fetch()).await?;
    page.answer(found, |one| format!("{} {}", one.last_at.0, one.id), KeptCall::from)
}

/// Shows the messages of a call
///
/// The last 64 SIP messages and the last 64 RTCP datagrams of a call, by its participant id. They are kept for ten minutes after
/// its end, those of a call that was refused or broke off for a week, also across restarts. With `Accept: application/vnd.tcpdump.pcap` the
/// answer is a packet capture, whose headers below SIP and RTCP are made up.
#[utoipa::path(get, path = "/v1/operator/calls/{id}/messages", operation_id = "list_call_messages", tag = "operator",
    params(("id" = String, Path, description = "The participant id.", example = "01234567a1b1c1c2.234")),
    security(("bearer" = ["operator"])),
    responses((status = 200, description = "The messages.", content(
        (CallMessages = "application/json"),
        (Vec<u8> = "application/vnd.tcpdump.pcap"),
    ))))]
async fn messages(
    _: Caller<Operator>,
    State(state): State<App>,
    Segments([id]): Segments<1>,
    headers: HeaderMap,
) -> Answer {
    let ladder = state.operator.ladder(&id).await?;
    let ladder = ladder.ok_or_else(|| {
        let text = "there is no call of this id whose messages are kept";
        ApiError::coded(UNKNOWN_MESSAGES, text)
    })?;
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if accept
        .split(',')
        .any(|kind| kind.split(';').next().is_some_and(|kind| kind.trim() == pcap::MEDIA_TYPE))
    {
        return Ok(capture(&ladder, &id));
    }
    Ok(json(StatusCode::OK, &CallMessages::from(ladder)))
}

fn capture(ladder: &Ladder, id: &str) -> Response<Body> {
    let file = pcap::pcap(ladder.messages.iter().map(Arc::as_ref));
    let mut response = Response::new(Body::from(file));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(pcap::MEDIA_TYPE));
    // Of a participant id, so that nothing in it needs quoting.
    if let Ok(name) = HeaderValue::from_str(&format!("attachment; filename=\"{id}.pcap\"")) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, name);
    }
    response
}

impl From<Ladder> for CallMessages {
    fn from(ladder: Ladder) -> Self {
        let Ladder { sip_call_ids, is_over, has_failed, messages, left_out } = ladder;
        let messages = messages.iter().map(|message| CallMessage::from(message.as_ref())).collect();
        Self { sip_call_ids, over: is_over, failed: has_failed, left_out, messages }
    }
}

impl From<&Message> for CallMessage {
    fn from(message: &Message) -> Self {
        let (from, to) = message.from_to();
        let text = match message.kind {
            Kind::Sip => Some(String::from_utf8_lossy(&message.bytes).into_owned()),
            Kind::Rtcp => None,
        };
        let report = match message.kind {
            Kind::Sip => None,
            Kind::Rtcp => rtcp::read(&message.bytes).map(RtcpReport::from),
        };
        let summary = match (&text, &report) {
            (Some(text), _) => text.lines().next().unwrap_or_default().to_owned(),
            (None, Some(RtcpReport { goodbye: true, .. })) => "RTCP BYE".to_owned(),
            (None, Some(RtcpReport { packets_sent: Some(_), .. })) => "RTCP sender report".to_owned(),
            (None, Some(_)) => "RTCP receiver report".to_owned(),
            (None, None) => "RTCP".to_owned(),
        };
        Self {
            at: time::rfc3339_with_micros(message.at_us),
            kind: match message.kind {
                Kind::Sip => MessageKind::Sip,
                Kind::Rtcp => MessageKind::Rtcp,
            },
            direction: match message.is_sent {
                true => MessageDirection::Sent,
                false => MessageDirection::Received,
            },
            transport: message.transport,
            from: from.to_string(),
            to: to.to_string(),
            summary,
            text,
            report,
        }
    }
}

impl From<rtcp::Report> for RtcpReport {
    fn from(report: rtcp::Report) -> Self {
        let stream = |one: &rtcp::Received| ReportedStream {
            ssrc: one.ssrc,
            loss: f64::from(one.fraction_lost) / 256.0,
            packets_lost: one.lost,
            jitter: one.jitter,
        };
        Self {
            ssrc: report.ssrc,
            packets_sent: report.sent.map(|sent| sent.packets),
            bytes_sent: report.sent.map(|sent| sent.octets),
            received: report.received.iter().map(stream).collect(),
            goodbye: report.is_goodbye,
        }
    }
}
