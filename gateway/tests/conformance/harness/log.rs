//! What plugins have written to the log, by the trace of the request.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{Mutex, Once, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry};

static LINES: Mutex<Option<HashMap<String, Vec<String>>>> = Mutex::new(None);

/// Begin to keep the lines of plugins. A trace that began before is not seen.
pub(crate) fn capture() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Everything else stays off, or the whole suite would pay for it.
        let kept =
            filter_fn(|metadata| metadata.target() == "plugin" || metadata.name() == "request");
        let subscriber = Registry::default().with(Capture.with_filter(kept));
        tracing::subscriber::set_global_default(subscriber).expect("nobody else sets one");
    });
}

/// The lines that belong to a trace.
pub(crate) fn lines(trace_id: &str) -> Vec<String> {
    let lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    lines.as_ref().and_then(|lines| lines.get(trace_id)).cloned().unwrap_or_default()
}

struct Capture;

/// The trace of a span.
struct Trace(String);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Capture {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut text = Text { name: "trace_id", value: None };
        attributes.record(&mut text);
        if let (Some(span), Some(trace)) = (context.span(id), text.value) {
            span.extensions_mut().insert(Trace(trace));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut text = Text { name: "message", value: None };
        event.record(&mut text);
        let spans = context.event_scope(event).into_iter().flatten();
        let trace = spans
            .into_iter()
            .find_map(|span| span.extensions().get::<Trace>().map(|Trace(trace)| trace.clone()));
        if let (Some(trace), Some(line)) = (trace, text.value) {
            let mut lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
            lines.get_or_insert_default().entry(trace).or_default().push(line);
        }
    }
}

/// Takes one field out of a span or an event.
struct Text {
    name: &'static str,
    value: Option<String>,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == self.name {
            self.value = Some(format!("{value:?}"));
        }
    }
}
