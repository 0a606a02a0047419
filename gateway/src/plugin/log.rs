//! Lines that a plugin adds to the operator's log: by calling `log`, or by printing.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use super::bindings::loggia::plugin::logging::Level;

/// What an instance may log before its first request, while it starts or describes itself.
const START_BYTES: usize = 64 << 10;

/// The bytes that a call may still log.
#[derive(Debug)]
pub(super) struct LogRoom {
    left: AtomicUsize,
    /// Set when something did not fit.
    dropped: AtomicBool,
}

impl LogRoom {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { left: AtomicUsize::new(START_BYTES), dropped: AtomicBool::new(false) })
    }

    /// For a new call.
    pub(super) fn refill(&self, bytes: usize) {
        self.left.store(bytes, Ordering::Relaxed);
        self.dropped.store(false, Ordering::Relaxed);
    }

    /// Whether something did not fit since the call began.
    pub(super) fn has_dropped(&self) -> bool {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Whether a message of this length still fits. After one that does not, none does.
    fn take(&self, length: usize) -> bool {
        // Only the instance's own task gets here, so nothing is lost between the two.
        let left = self.left.load(Ordering::Relaxed).checked_sub(length);
        self.left.store(left.unwrap_or(0), Ordering::Relaxed);
        if left.is_none() {
            self.dropped.store(true, Ordering::Relaxed);
        }
        left.is_some()
    }

    /// Log a message of the plugin. It belongs to the span of the request that is polled.
    pub(super) fn log(&self, level: Level, message: &str) {
        if self.take(message.len()) {
            log_line(level, message);
        }
    }
}

fn log_line(level: Level, message: &str) {
    let message = without_controls(message);
    match level {
        Level::Trace => tracing::trace!(target: "plugin", "{message}"),
        Level::Debug => tracing::debug!(target: "plugin", "{message}"),
        Level::Info => tracing::info!(target: "plugin", "{message}"),
        Level::Warn => tracing::warn!(target: "plugin", "{message}"),
        Level::Error => tracing::error!(target: "plugin", "{message}"),
    }
}

/// Control characters could forge lines of the log or steer a terminal.
fn without_controls(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// A text with names out of a component in it, for the log or for an operator: line breaks may be
/// ours, and it is cut where it is too long to be.
pub(super) fn printable(text: &str) -> String {
    let cut = text.char_indices().nth(MAX_TEXT).map_or(text, |(end, _)| &text[..end]);
    cut.split('\n').map(without_controls).collect::<Vec<_>>().join("\n")
}

/// Characters of such a text.
const MAX_TEXT: usize = 4_096;

/// Standard output or standard error, as lines of the log. Its clones are the same stream.
#[derive(Clone)]
pub(super) struct Printed(Arc<Line>);

struct Line {
    level: Level,
    room: Arc<LogRoom>,
    /// What was printed since the last line break. It is within the room, which counts it first.
    text: Mutex<Vec<u8>>,
}

impl Printed {
    pub(super) fn new(level: Level, room: &Arc<LogRoom>) -> Self {
        Self(Arc::new(Line { level, room: Arc::clone(room), text: Mutex::default() }))
    }

    fn print(&self, bytes: &[u8]) {
        if !self.0.room.take(bytes.len()) {
            return;
        }
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let ended = piece.strip_suffix(b"\n");
            self.text().extend_from_slice(ended.unwrap_or(piece));
            if ended.is_some() {
                self.end_line();
            }
        }
    }

    /// Log what stands on the line, if anything does.
    pub(super) fn end_line(&self) {
        let text = std::mem::take(&mut *self.text());
        if !text.is_empty() {
            log_line(self.0.level, &String::from_utf8_lossy(&text));
        }
    }

    fn text(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.text.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StdoutStream for Printed {
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }

    /// For versions of WASI that are not offered.
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(tokio::io::sink())
    }
}

impl IsTerminal for Printed {
    fn is_terminal(&self) -> bool {
        false
    }
}

/// It is ready at any time: what does not fit is dropped.
impl OutputStream for Printed {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.print(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(AT_A_TIME)
    }
}

#[async_trait]
impl Pollable for Printed {
    async fn ready(&mut self) {}
}

/// What a plugin is told that it can write in one call.
const AT_A_TIME: usize = 64 << 10;
