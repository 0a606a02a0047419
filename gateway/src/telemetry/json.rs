//! A line of the log for machines: one JSON object, with the fields of an event and of the span,
//! such as a request, that it belongs to.
//!
//! tracing-subscriber brings such a format. It keeps a span's fields as a JSON text, and parses and
//! writes that again for each field that comes later and twice for each line: for a small request
//! that was more work than all else the gateway does. Here a field is written once, as the text
//! that stands in the line.

use std::fmt;

use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::span::Record;
use tracing::{Event, Subscriber};
use tracing_log::NormalizeEvent as _;
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// The object of one event.
pub(super) struct Line;

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        // A line that came through the crate `log` names its origin among its fields.
        let of_log = event.normalized_metadata();
        let metadata = of_log.as_ref().unwrap_or_else(|| event.metadata());
        writer.write_str("{\"timestamp\":\"")?;
        SystemTime.format_time(&mut writer)?;
        write!(writer, "\",\"level\":\"{}\"", metadata.level())?;
        context.format_fields(writer.by_ref(), event)?;
        write_text(&mut writer, "target", metadata.target())?;
        if let Some(span) = context.parent_span() {
            write!(writer, ",\"span\":{{\"name\":\"{}\"", span.name())?;
            if let Some(fields) = span.extensions().get::<FormattedFields<N>>() {
                writer.write_str(fields)?;
            }
            writer.write_char('}')?;
        }
        writer.write_str("}\n")
    }
}

/// Fields as members of an object, each with a comma before it, so that more can follow.
pub(super) struct Members;

impl<'writer> FormatFields<'writer> for Members {
    fn format_fields<R: RecordFields>(
        &self,
        mut writer: Writer<'writer>,
        fields: R,
    ) -> fmt::Result {
        let mut visitor = Visitor { writer: &mut writer, written: Ok(()) };
        fields.record(&mut visitor);
        visitor.written
    }

    fn add_fields(
        &self,
        known: &'writer mut FormattedFields<Self>,
        fields: &Record<'_>,
    ) -> fmt::Result {
        self.format_fields(known.as_writer(), fields)
    }
}

struct Visitor<'a, 'writer> {
    writer: &'a mut Writer<'writer>,
    written: fmt::Result,
}

impl Visitor<'_, '_> {
    fn write(&mut self, field: &Field, value: impl fmt::Display) {
        if self.is_wanted(field) {
            self.written =
                write_name(self.writer, field.name()).and_then(|()| write!(self.writer, "{value}"));
        }
    }

    /// The origin of a line that came through `log` stands in the line already.
    fn is_wanted(&self, field: &Field) -> bool {
        self.written.is_ok() && !field.name().starts_with("log.")
    }
}

impl Visit for Visitor<'_, '_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no infinity.
        self.write(field, Value::from(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.write(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.write(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.write(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if self.is_wanted(field) {
            self.written = write_text(self.writer, field.name(), value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

fn write_text(writer: &mut Writer<'_>, name: &str, text: &str) -> fmt::Result {
    write_name(writer, name)?;
    if text.bytes().any(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
        // It escapes what would end the text or the line.
        return write!(writer, "{}", Value::from(text));
    }
    writer.write_char('"')?;
    writer.write_str(text)?;
    writer.write_char('"')
}

fn write_name(writer: &mut Writer<'_>, name: &str) -> fmt::Result {
    writer.write_str(",\"")?;
    writer.write_str(name.trim_start_matches("r#"))?;
    writer.write_str("\":")
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::fmt;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no writer panics").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is logged meanwhile, line by line.
    fn logged(log: impl FnOnce()) -> Vec<Value> {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = fmt()
            .fmt_fields(Members)
            .event_format(Line)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, log);
        let text = lines.0.lock().expect("no writer panics");
        let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| serde_json::from_slice(line).expect("a line is JSON")).collect()
    }

    #[test]
    fn a_line_has_the_fields_of_its_event_and_of_its_span() {
        let lines = logged(|| {
            let span =
                tracing::info_span!("request", trace_id = %"abc", plugin = tracing::field::Empty);
            span.record("plugin", "notes");
            span.in_scope(|| tracing::info!(status = 200_u16, whole = true, "answered"));
            tracing::warn!(error = ?Some(1), "by itself");
        });
        let [answered, by_itself] = lines.as_slice() else { panic!("{lines:?}") };
        assert_eq!(answered["level"], "INFO");
        assert_eq!(answered["message"], "answered");
        assert_eq!(answered["status"], 200);
        assert_eq!(answered["whole"], true);
        assert_eq!(answered["target"], module_path!());
        let span = serde_json::json!({"name": "request", "trace_id": "abc", "plugin": "notes"});
        assert_eq!(answered["span"], span);
        assert!(answered["timestamp"].as_str().is_some_and(|time| time.ends_with('Z')));
        assert_eq!(by_itself["error"], "Some(1)");
        assert_eq!(by_itself.get("span"), None);
    }

    #[test]
    fn no_text_breaks_out_of_its_line() {
        let text = "a\"b\\c\n{\"level\":\"ERROR\"}\u{1}";
        let lines = logged(|| tracing::info!(said = text, also = %text, "{text}"));
        let [line] = lines.as_slice() else { panic!("{lines:?}") };
        assert_eq!(
            (&line["said"], &line["also"], &line["message"]),
            (&text.into(), &text.into(), &text.into())
        );
    }
}
