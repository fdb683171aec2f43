//! The log as JSON, an object in each line. Members of the spans around an event (`request_id` for one) stand beside its own.

use crate::text;
use serde_json::{Map, Value};
use std::{fmt, io::Write};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{
    Layer,
    fmt::{
        MakeWriter,
        format::Writer,
        time::{FormatTime, SystemTime},
    },
    layer::Context,
    registry::{LookupSpan, Scope},
};

/// Writes each event as a line.
pub(super) struct JsonLines<W>(pub(super) W);

/// The members of a span or an event.
#[derive(Default)]
struct Members(Map<String, Value>);

impl Visit for Members {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}").into());
    }
}

impl Members {
    fn put(&mut self, field: &Field, value: Value) {
        self.0.insert(field.name().to_owned(), value);
    }
}

impl<S, W> Layer<S> for JsonLines<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut members = Members::default();
        attributes.record(&mut members);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(members);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(members) = span.extensions_mut().get_mut::<Members>()
        {
            values.record(members);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut line = Members::default();
        for span in context.event_scope(event).into_iter().flat_map(Scope::from_root) {
            if let Some(Members(members)) = span.extensions().get() {
                line.0.extend(members.clone());
            }
        }
        event.record(&mut line);
        let metadata = event.metadata();
        let mut at = String::new();
        let _ = SystemTime.format_time(&mut Writer::new(&mut at));
        line.0.insert("at".to_owned(), at.into());
        line.0.insert("level".to_owned(), metadata.level().as_str().to_ascii_lowercase().into());
        line.0.insert("target".to_owned(), metadata.target().into());
        let line = format!("{}\n", text::json_line(&Value::Object(line.0).to_string()));
        // Where standard error cannot be written to, there is no place to say so.
        let _ = self.0.make_writer_for(metadata).write_all(line.as_bytes());
    }
}
