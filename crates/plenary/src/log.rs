//! The log: lines on standard error, for standard output belongs to what a command prints. What strangers wrote into a field
//! cannot begin a line of its own or move the cursor of who reads it.

use crate::text;
use std::{
    collections::VecDeque,
    fmt, io,
    sync::{Mutex, PoisonError},
};
use tracing::{Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{
    field::MakeExt,
    filter::Targets,
    fmt::{
        FormatFields, MakeWriter,
        format::{Writer, debug_fn},
    },
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

/// Starts it. `PLENARY_LOG` sets the level, as in `PLENARY_LOG=debug` or `PLENARY_LOG=info,plenary_sip=trace`.
pub(crate) fn start(default: LevelFilter) {
    let wanted = std::env::var_os("PLENARY_LOG").map(|text| text.to_string_lossy().into_owned());
    let (filter, error) = filter(wanted.as_deref(), default);
    let ansi = std::io::IsTerminal::is_terminal(&std::io::stderr());
    subscriber(|| Tee, ansi, filter).init();
    if let Some(error) = error {
        tracing::warn!("{error}");
    }
}

/// What is logged, and what is wrong with what was asked for.
fn filter(wanted: Option<&str>, default: LevelFilter) -> (Targets, Option<String>) {
    let default = Targets::new().with_default(default);
    match wanted.filter(|text| !text.trim().is_empty()).map(|text| (text, text.replace(' ', "").parse())) {
        None => (default, None),
        Some((_, Ok(filter))) => (filter, None),
        Some((text, Err(error))) => {
            let known = "a level (off, error, warn, info, debug, trace), or also levels of modules, as in info,plenary_sip=debug";
            (default, Some(format!("PLENARY_LOG is `{text}`, which is not valid ({error}): name {known}")))
        }
    }
}

/// Lines that are kept for the operator.
const KEPT_LINES: usize = 1000;
/// A line is kept up to here.
const KEPT_BYTES: usize = 2000;

static KEPT: Mutex<VecDeque<String>> = Mutex::new(VecDeque::new());

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

fn subscriber<W>(writer: W, ansi: bool, filter: Targets) -> impl Subscriber + Send + Sync + 'static
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(ansi).fmt_fields(fields());
    tracing_subscriber::registry().with(lines).with(filter)
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
        let subscriber = subscriber(move || writer.clone(), false, "info".parse().unwrap());
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
        let shown = |wanted: Option<&str>| {
            let kept = Kept::default();
            let writer = kept.clone();
            let (filter, error) = filter(wanted, LevelFilter::INFO);
            tracing::subscriber::with_default(subscriber(move || writer.clone(), false, filter), || {
                tracing::debug!(target: "plenary_sip::ua", "sip");
                tracing::debug!(target: "plenary_media", "media");
                tracing::info!(target: "plenary_media", "up");
            });
            let log = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
            let last = |line: &str| line.rsplit(' ').next().unwrap().to_owned();
            (log.lines().map(last).collect::<Vec<_>>(), error)
        };
        let lines = |wanted| shown(wanted).0;
        assert_eq!(lines(None), ["up"]);
        assert_eq!(lines(Some("")), ["up"]);
        assert_eq!(lines(Some("debug")), ["sip", "media", "up"]);
        assert_eq!(lines(Some("info, plenary_sip=debug")), ["sip", "up"]);
        assert_eq!(lines(Some("off")), [""; 0]);
        let (lines, error) = shown(Some("plenary_sip=loud"));
        assert_eq!(lines, ["up"]);
        let error = error.unwrap();
        assert!(error.contains("`plenary_sip=loud`") && error.contains("info,plenary_sip=debug"), "{error}");
    }
}
