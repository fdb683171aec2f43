//! What Prometheus reads (`docs/monitoring.md` lists the names, which are a contract).
//!
//! Most values are asked for when Prometheus reads them. What only happens once, the end of a call for one, is counted in
//! [`Meters`] where it happens. The media threads count in atomics of their own, which are read from outside. No label grows
//! with calls, participants or conferences.

pub(crate) mod meters;
mod text;

use crate::{config::Config, engine::EngineHandle, tls::Tls, trace::Trace};
use async_trait::async_trait;
use meters::Meters;
use plenary_api::{ConferenceControl, Counters};
use plenary_calls::Totals;
use plenary_conference::{State, Timestamp};
use plenary_media::{JITTER_BOUNDS_US, LATENESS_BOUNDS_US, MediaHandle, PlaneCounts};
use plenary_model::OneWay;
use plenary_sip::{SipCounts, SipHandle};
use plenary_store::Store;
use prometheus_client::metrics::MetricType;
use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, atomic::Ordering::Relaxed},
    time::{Duration, SystemTime},
};
use text::{Family, Histogram, Label, Sample};

/// How long the engine may take to say what goes on; without its answer the other values are shown.
const TOTALS_WITHIN: Duration = Duration::from_secs(2);

/// Everything that is asked for its values.
pub(crate) struct Metrics {
    pub(crate) meters: Arc<Meters>,
    pub(crate) engine: EngineHandle,
    pub(crate) sip: SipHandle,
    pub(crate) media: MediaHandle,
    pub(crate) store: Store,
    pub(crate) web: Arc<Counters>,
    pub(crate) tls: Tls,
    pub(crate) trace: Trace,
    pub(crate) config: Config,
}

#[async_trait]
impl plenary_api::Metrics for Metrics {
    async fn text(&self) -> String {
        let totals = tokio::time::timeout(TOTALS_WITHIN, self.engine.totals());
        let (totals, sold, bans, accounts) =
            tokio::join!(totals, self.seats_sold(), self.sip.bans(), self.account_names());
        let mut families = Vec::new();
        installation(&mut families);
        if let Ok(Ok(totals)) = &totals {
            in_progress(&mut families, totals, &accounts.unwrap_or_default());
        }
        let taken = totals.ok().and_then(Result::ok).map(|totals| totals.home.seats_taken as f64);
        let capacity = f64::from(self.config.reservations.capacity);
        let seats = [("capacity", Some(capacity)), ("sold", sold), ("taken", taken)];
        let seats =
            seats.into_iter().filter_map(|(kind, seats)| Some((label("kind", kind), Sample::Gauge(seats?))));
        families.push(gauge(
            "seats",
            "Seats that there are, that are sold for this moment, and that are taken",
            seats,
        ));
        calls(&mut families, &self.meters);
        media(&mut families, &self.media.counts(), &self.meters);
        signalling(&mut families, &self.sip.counts());
        self.doors(&mut families, bans.len());
        self.resources(&mut families);
        self.tracing(&mut families);
        text::text(families)
    }
}

impl Metrics {
    async fn seats_sold(&self) -> Option<f64> {
        let now = self.engine.now();
        let moment = now..Timestamp(now.0 + 1);
        let available = self.engine.availability(moment, now, 1).await.ok()?;
        Some(f64::from(self.config.reservations.capacity.saturating_sub(available.least)))
    }

    async fn account_names(&self) -> Option<HashMap<i64, String>> {
        let accounts = self.store.list_accounts().await.ok()?;
        Some(
            accounts
                .into_iter()
                .map(|one| (one.id.0, format!("{}/{}", one.cloud_id, one.username)))
                .collect(),
        )
    }

    fn doors(&self, families: &mut Vec<Family>, bans: usize) {
        let web = self.web.counts();
        let answers = web.answers.into_iter().map(|((route, class), count)| {
            (vec![("route", route), ("class", format!("{class}xx"))], Sample::Counter(count))
        });
        families.push(counter("http_requests", "Requests of web services answered", answers));
        families.push(single("bans", "Sources and callers that SIP does not answer", bans as f64));
        let doors = [
            ("sip", self.sip.counts().refused),
            ("http", web.refused),
            ("pin", self.meters.wrong_pins.load(Relaxed)),
        ];
        let doors = doors.into_iter().map(|(door, count)| (label("door", door), Sample::Counter(count)));
        let help = "Requests with wrong credentials or for what the caller may not have, and wrong PINs";
        families.push(counter("auth_failures", help, doors));
    }

    fn tracing(&self, families: &mut Vec<Family>) {
        let counts = self.trace.counts();
        families.push(single("ladder_calls", "Calls whose messages are kept", counts.calls as f64));
        families.push(single("ladder_bytes", "Memory that these messages take", counts.bytes as f64));
        let one = |count| [(Vec::new(), Sample::Counter(count))];
        let help = "Messages that are missing there, since too many waited";
        families.push(counter("sip_messages_unseen", help, one(self.sip.counts().unseen)));
        families.push(counter("hep_sent", "Datagrams sent to the capture server", one(counts.hep_sent)));
        let help = "Datagrams for the capture server that could not be sent";
        families.push(counter("hep_dropped", help, one(counts.hep_dropped)));
    }

    fn resources(&self, families: &mut Vec<Family>) {
        let meters = &self.meters;
        let one = |count| [(Vec::new(), Sample::Counter(count))];
        let waiting = meters.records.waiting() as f64;
        families.push(single(
            "records_waiting",
            "Entries of call records that wait for the database",
            waiting,
        ));
        let help = "Entries of call records that were lost because too many waited for the database";
        families.push(counter("records_dropped", help, one(meters.records.lost())));
        let waiting = meters.events.waiting() as f64;
        families.push(single("events_waiting", "Events that wait for the database", waiting));
        let help = "Events that were lost because too many waited for the database";
        families.push(counter("events_dropped", help, one(meters.events.lost())));
        let help = "How long after it happened an event was in the log";
        families.push(histogram("event_log_seconds", help, meters.event_log_seconds.read()));
        if let Ok(space) = plenary_net::disk_space(&self.config.data) {
            families.push(single(
                "disk_free_bytes",
                "Free space where the data folder is",
                space.free as f64,
            ));
            families.push(single("disk_size_bytes", "All space where the data folder is", space.size as f64));
        }
        if let Some(expires_at) = self.tls.expires_at() {
            let left = expires_at
                .duration_since(SystemTime::now())
                .map_or_else(|since| -since.duration().as_secs_f64(), |left| left.as_secs_f64());
            let help = "Seconds until the certificate of the service expires; negative once it has";
            families.push(single("certificate_expires_seconds", help, left));
        }
    }
}

fn label(name: &'static str, value: &str) -> Vec<Label> {
    vec![(name, value.to_owned())]
}

fn family(
    name: &'static str,
    help: &'static str,
    kind: MetricType,
    samples: impl IntoIterator<Item = (Vec<Label>, Sample)>,
) -> Family {
    Family { name, help, kind, samples: samples.into_iter().collect() }
}

/// The name gets `_total` at its end.
fn counter(
    name: &'static str,
    help: &'static str,
    samples: impl IntoIterator<Item = (Vec<Label>, Sample)>,
) -> Family {
    family(name, help, MetricType::Counter, samples)
}

fn gauge(
    name: &'static str,
    help: &'static str,
    samples: impl IntoIterator<Item = (Vec<Label>, Sample)>,
) -> Family {
    family(name, help, MetricType::Gauge, samples)
}

fn single(name: &'static str, help: &'static str, value: f64) -> Family {
    gauge(name, help, [(Vec::new(), Sample::Gauge(value))])
}

fn histogram(name: &'static str, help: &'static str, sample: Sample) -> Family {
    family(name, help, MetricType::Histogram, [(Vec::new(), sample)])
}

fn installation(families: &mut Vec<Family>) {
    let version = label("version", env!("CARGO_PKG_VERSION"));
    families.push(family("build", "The program", MetricType::Info, [(version, Sample::Info)]));
}

fn in_progress(families: &mut Vec<Family>, totals: &Totals, accounts: &HashMap<i64, String>) {
    let states = [State::Reserved, State::Holding, State::Active, State::Completed];
    let conferences = states.into_iter().map(|state| {
        let count = totals.home.conferences.get(&state).copied().unwrap_or_default();
        (label("state", &state.to_string().to_ascii_lowercase()), Sample::Gauge(count as f64))
    });
    families.push(gauge("conferences", "Conferences that are reserved or in progress", conferences));
    let participants = totals.participants.iter().map(|(kind, count)| {
        let transport = kind.transport.name().to_ascii_lowercase();
        let labels = vec![
            ("transport", transport),
            ("codec", kind.codec.to_ascii_lowercase()),
            ("srtp", kind.srtp.to_owned()),
        ];
        (labels, Sample::Gauge(*count as f64))
    });
    families.push(gauge("participants", "Participants who are in", participants));
    let one_way = [("none_received", OneWay::NoneReceived), ("none_delivered", OneWay::NoneDelivered)];
    let one_way = one_way.into_iter().map(|(kind, one_way)| {
        let count = totals.one_way.get(&one_way).copied().unwrap_or_default();
        (label("kind", kind), Sample::Gauge(count as f64))
    });
    families.push(gauge("one_way_calls", "Calls in which audio goes one way", one_way));
    let trunk = |trunk: &plenary_calls::TrunkTotals| {
        let account = accounts.get(&trunk.account.0).cloned().unwrap_or_else(|| trunk.account.0.to_string());
        vec![("account", account), ("trunk", trunk.name.clone())]
    };
    let registered = totals.trunks.iter().filter_map(|one| {
        let is_registered = one.is_registered?;
        Some((trunk(one), Sample::Gauge(f64::from(u8::from(is_registered)))))
    });
    let help = "Whether a trunk that wants registration is registered with";
    families.push(gauge("trunk_registered", help, registered));
    let calls = totals.trunks.iter().map(|one| (trunk(one), Sample::Gauge(one.calls as f64)));
    families.push(gauge("trunk_calls", "Calls of a trunk that are up or being placed, both ways", calls));
}

fn calls(families: &mut Vec<Family>, meters: &Meters) {
    let ended = meters.calls.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let ended = ended.into_iter().map(|((direction, outcome), count)| {
        (vec![("direction", direction.to_owned()), ("outcome", outcome.to_owned())], Sample::Counter(count))
    });
    families.push(counter("calls", "Calls that are over", ended));
    families.push(histogram("call_seconds", "How long answered calls lasted", meters.call_seconds.read()));
    let mos = [("narrowband", &meters.mos_narrowband), ("wideband", &meters.mos_wideband)];
    let mos = mos.into_iter().map(|(scale, mos)| (label("scale", scale), mos.read()));
    let help =
        "Mean opinion score of what callers sent, at the end of their calls, on the scale of their codec";
    families.push(family("call_mos", help, MetricType::Histogram, mos));
    let answer = meters.engine_answer_seconds.read();
    families.push(histogram(
        "engine_answer_seconds",
        "How long the engine took to answer, four times a second",
        answer,
    ));
}

fn media(families: &mut Vec<Family>, counts: &PlaneCounts, meters: &Meters) {
    let packets = [("received", counts.packets_received), ("sent", counts.packets_sent)];
    let packets =
        packets.into_iter().map(|(direction, count)| (label("direction", direction), Sample::Counter(count)));
    families.push(counter("rtp_packets", "RTP packets of calls", packets));
    let one = |count| [(Vec::new(), Sample::Counter(count))];
    families.push(counter("rtp_lost", "RTP packets of callers that never came", one(counts.packets_lost)));
    let help = "Frames of 20 ms that were concealed because a packet was missing";
    families.push(counter("frames_concealed", help, one(counts.frames_concealed)));
    let jitter = Sample::Histogram(Histogram::of_micros(&JITTER_BOUNDS_US, &counts.jitter));
    families.push(histogram("jitter_seconds", "Interarrival jitter of calls, every five seconds", jitter));
    let late = Sample::Histogram(Histogram::of_micros(&LATENESS_BOUNDS_US, &counts.lateness));
    families.push(histogram(
        "tick_late_seconds",
        "By how much rooms were mixed late, 50 times a second each",
        late,
    ));
    let busy = meters.busy_shares.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let busy = busy.into_iter().enumerate();
    let busy = busy.map(|(worker, share)| (label("worker", &worker.to_string()), Sample::Gauge(share)));
    let help = "Share of its time that a media thread was at work in the last quarter of a second";
    families.push(gauge("worker_busy_ratio", help, busy));
}

fn signalling(families: &mut Vec<Family>, counts: &SipCounts) {
    let requests = counts.requests.iter().map(|(method, transport, count)| {
        let transport = transport.name().to_ascii_lowercase();
        (vec![("method", (*method).to_owned()), ("transport", transport)], Sample::Counter(*count))
    });
    families.push(counter("sip_requests", "SIP requests received", requests));
    let responses = counts
        .responses
        .iter()
        .enumerate()
        .map(|(class, count)| (label("class", &format!("{}xx", class + 1)), Sample::Counter(*count)));
    families.push(counter("sip_responses", "SIP responses sent", responses));
}
