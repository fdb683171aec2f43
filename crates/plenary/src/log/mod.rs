//! The log: lines on standard error, for standard output belongs to what a command prints. What strangers wrote into a field
//! cannot begin a line of its own or move the cursor of who reads it.

mod json;

use crate::{
    config::{LogFormat, levels_of},
    text,
};
use json::JsonLines;
use std::{
    collections::VecDeque,
    fmt, io,
    sync::{Mutex, OnceLock, PoisonError, RwLock},
};
use tokio::sync::mpsc;
use tracing::Subscriber;
use tracing_subscriber::{
    Layer, Registry,
    field::MakeExt,
    filter::Targets,
    fmt::{
        FormatFields, MakeWriter,
        format::{Writer, debug_fn},
    },
    layer::SubscriberExt,
    reload,
    util::SubscriberInitExt,
};

/// What sets the level, whatever command runs.
const VARIABLE: &str = "PLENARY_LOG";
/// Commands that end by themselves say only what is wrong.
const LEVEL_OF_COMMANDS: &str = "warn";

/// Changes what is logged, once the log has started.
static LEVELS: OnceLock<reload::Handle<Targets, Registry>> = OnceLock::new();

/// Starts it for `plenary serve`.
pub(crate) fn start(levels: &str, format: LogFormat) {
    let (filter, handle) = reload::Layer::new(levels_of(levels).unwrap_or_default());
    let ansi = std::io::IsTerminal::is_terminal(&std::io::stderr());
    subscriber(|| Tee, ansi, format, filter).init();
    let _ = LEVELS.set(handle);
}

/// Starts it for a command that ends by itself, by `PLENARY_LOG`. One that is not valid is what the configuration is refused
/// for.
pub(crate) fn start_for_command() {
    let wanted = std::env::var(VARIABLE).unwrap_or_default();
    let is_valid = !wanted.trim().is_empty() && levels_of(&wanted).is_ok();
    start(if is_valid { &wanted } else { LEVEL_OF_COMMANDS }, LogFormat::Text);
}

/// Logs this from now on.
pub(crate) fn set_levels(levels: &str) {
    if let (Some(handle), Ok(levels)) = (LEVELS.get(), levels_of(levels)) {
        // Fails only where the log is gone.
        let _ = handle.reload(levels);
    }
}

/// Lines that are kept for the operator.
const KEPT_LINES: usize = 1000;
/// A line is kept up to here.
const KEPT_BYTES: usize = 2000;

static KEPT: Mutex<VecDeque<String>> = Mutex::new(VecDeque::new());

/// Who is sent every line as well.
static FOLLOWER: RwLock<Option<mpsc::Sender<String>>> = RwLock::new(None);

/// Sends every line there as well; lines that find no room are left out.
pub(crate) fn follow(lines: mpsc::Sender<String>) {
    *FOLLOWER.write().unwrap_or_else(PoisonError::into_inner) = Some(lines);
}

/// The last lines of the log, so many at the most, the oldest first.
pub(crate) fn recent(lines: usize) -> Vec<String> {
    let kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    kept.iter().skip(kept.len().saturating_sub(lines)).cloned().collect()
}

/// Standard error, and the lines that are kept. A line comes in one piece.
struct Tee;

impl io::Write for Tee {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let line = String::from_utf8_lossy(&bytes[..bytes.len().min(KEPT_BYTES)]);
        let line = without_colours(line.trim_end());
        if let Some(follower) = &*FOLLOWER.read().unwrap_or_else(PoisonError::into_inner) {
            let _ = follower.try_send(line.clone());
        }
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT_LINES {
            kept.pop_front();
        }
        kept.push_back(line);
        drop(kept);
        io::stderr().write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// The text without `ESC [ … m`.
fn without_colours(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut parts = text.split("\u{1b}[");
    plain.push_str(parts.next().unwrap_or_default());
    for part in parts {
        plain.push_str(part.split_once('m').map_or("", |(_, rest)| rest));
    }
    plain
}

fn subscriber<W, F>(
    writer: W,
    ansi: bool,
    format: LogFormat,
    filter: F,
) -> impl Subscriber + Send + Sync + 'static
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
    F: Layer<Registry> + Send + Sync + 'static,
{
    let lines = match format {
        LogFormat::Text => {
            let lines = tracing_subscriber::fmt::layer().with_writer(writer);
            lines.with_ansi(ansi).fmt_fields(fields()).boxed()
        }
        LogFormat::Json => JsonLines(writer).boxed(),
    };
    tracing_subscriber::registry().with(filter).with(lines)
}

/// `message field=value …`, as the library writes them.
fn fields() -> impl for<'a> FormatFields<'a> + Send + Sync + 'static {
    debug_fn(|writer: &mut Writer<'_>, field: &tracing::field::Field, value: &dyn fmt::Debug| {
        let value = text::line(&format!("{value:?}"));
        match field.name() {
            "message" => writer.write_str(&value),
            name if writer.has_ansi_escapes() => {
                write!(writer, "\u{1b}[3m{name}\u{1b}[0m\u{1b}[2m=\u{1b}[0m{value}")
            }
            name => write!(writer, "{name}={value}"),
        }
    })
    .delimited(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    #[test]
    fn the_last_lines_are_kept_without_colours() {
        for number in 0..KEPT_LINES + 5 {
            let line = format!("\u{1b}[2m2026\u{1b}[0m \u{1b}[32m INFO\u{1b}[0m line {number}\n");
            io::Write::write_all(&mut Tee, line.as_bytes()).unwrap();
        }
        let last = KEPT_LINES + 4;
        assert_eq!(recent(2), [format!("2026  INFO line {}", last - 1), format!("2026  INFO line {last}")]);
        assert_eq!(recent(usize::MAX).len(), KEPT_LINES);
    }

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_strangers_write_stays_in_its_line() {
        let kept = Kept::default();
        let writer = kept.clone();
        let levels = levels_of("info").unwrap();
        let subscriber = subscriber(move || writer.clone(), false, LogFormat::Text, levels);
        tracing::subscriber::with_default(subscriber, || {
            let from = "eve\n2026-01-01T00:00:00Z ERROR all is lost\u{1b}[2J\u{202e}";
            tracing::info!(call = 7, from = %from, text = "a \"b\"\n", "incoming call");
        });
        let log = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        let expected = "incoming call call=7 from=eve\\n2026-01-01T00:00:00Z ERROR all is lost\\u{1b}[2J\\u{202e} text=\"a \\\"b\\\"\\n\"\n";
        assert!(log.ends_with(expected), "{log:?}");
        assert_eq!(log.lines().count(), 1, "{log:?}");
    }

    #[test]
    fn levels_are_set_for_all_or_for_modules() {
        let lines = |wanted: &str| {
            let kept = Kept::default();
            let writer = kept.clone();
            let levels = levels_of(wanted).unwrap();
            let subscriber = subscriber(move || writer.clone(), false, LogFormat::Text, levels);
            tracing::subscriber::with_default(subscriber, || {
                tracing::debug!(target: "plenary_sip::ua", "sip");
                tracing::debug!(target: "plenary_media", "media");
                tracing::info!(target: "plenary_media", "up");
            });
            let log = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
            let last = |line: &str| line.rsplit(' ').next().unwrap().to_owned();
            log.lines().map(last).collect::<Vec<_>>()
        };
        assert_eq!(lines("info"), ["up"]);
        assert_eq!(lines("debug"), ["sip", "media", "up"]);
        assert_eq!(lines("info, plenary_sip=debug"), ["sip", "up"]);
        assert_eq!(lines("off"), [""; 0]);
        let error = levels_of("plenary_sip=loud").unwrap_err();
        assert!(error.contains("`plenary_sip=loud`") && error.contains("info,plenary_sip=debug"), "{error}");
    }

    #[test]
    fn json_has_the_members_of_events_and_of_spans_around_them() {
        let kept = Kept::default();
        let writer = kept.clone();
        let levels = levels_of("info").unwrap();
        let subscriber = subscriber(move || writer.clone(), false, LogFormat::Json, levels);
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::info_span!("request", request_id = "00ab", account = tracing::field::Empty);
            span.record("account", 7);
            let _inside = span.enter();
            let from = "eve\n\u{202e}";
            tracing::info!(target: "audit", call = 3, conference = %"Board", from, is_held = true, "came \"in\"");
        });
        let log = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        assert!(log.is_ascii() && log.lines().count() == 1, "{log:?}");
        let mut line: serde_json::Value = serde_json::from_str(&log).unwrap();
        let at = line.as_object_mut().unwrap().remove("at").unwrap();
        assert!(at.as_str().unwrap().parse::<jiff::Timestamp>().is_ok(), "{at}");
        let expected = serde_json::json!({
            "level": "info", "target": "audit", "message": "came \"in\"", "request_id": "00ab", "account": 7,
            "call": 3, "conference": "Board", "from": "eve\n\u{202e}", "is_held": true,
        });
        assert_eq!(line, expected);
    }
}
