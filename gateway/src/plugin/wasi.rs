//! WASI 0.2 with nothing in it, for components whose language has a runtime that asks for it.
//!
//! There are no files, no arguments, no environment and no network; standard input has ended; the
//! clocks show milliseconds. What a plugin prints becomes lines of its log. Begin reading at
//! [`Wasi::new`].

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use wasmtime::component::ResourceTable;
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxView};

use super::bindings::loggia::plugin::logging::Level;
use super::log::{LogRoom, Printed};

/// Streams, timers and whatever else an instance holds of WASI at a time.
const MAX_HANDLES: usize = 1_024;

/// An instance that holds more than this between two requests forgets to give back.
const MAX_IDLE_HANDLES: usize = MAX_HANDLES / 2;

/// In one call; more is a trap. It is what a browser gives at a time.
const MAX_RANDOM_BYTES: u64 = 65_536;

/// What a timer of a plugin can tell at most: enough for time-outs, too little to measure caches.
const RESOLUTION: Duration = Duration::from_millis(1);

/// What one instance has of WASI.
pub(super) struct Wasi {
    context: WasiCtx,
    table: ResourceTable,
    printed: [Printed; 2],
}

impl std::fmt::Debug for Wasi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wasi")
    }
}

impl Wasi {
    /// What the builder is not told of, it leaves empty or refuses.
    pub(super) fn new(room: &Arc<LogRoom>) -> Self {
        let stdout = Printed::new(Level::Info, room);
        let stderr = Printed::new(Level::Warn, room);
        let context = WasiCtx::builder()
            .stdout(stdout.clone())
            .stderr(stderr.clone())
            .monotonic_clock(Monotonic(Instant::now()))
            .wall_clock(Wall)
            .max_random_size(MAX_RANDOM_BYTES)
            .build();
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_HANDLES);
        Self { context, table, printed: [stdout, stderr] }
    }

    pub(super) fn view(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.context, table: &mut self.table }
    }

    /// Log the lines that were begun and not ended.
    pub(super) fn end_lines(&self) {
        self.printed.iter().for_each(Printed::end_line);
    }

    /// Whether it holds few enough handles for another request.
    pub(super) fn is_tidy(&mut self) -> bool {
        self.table.iter_mut().count() <= MAX_IDLE_HANDLES
    }
}

/// Since the instance was made.
struct Monotonic(Instant);

impl HostMonotonicClock for Monotonic {
    fn resolution(&self) -> u64 {
        nanoseconds(RESOLUTION)
    }

    fn now(&self) -> u64 {
        nanoseconds(coarse(self.0.elapsed()))
    }
}

/// The gateway's own, not the database's: `request.now` is the one that counts.
struct Wall;

impl HostWallClock for Wall {
    fn resolution(&self) -> Duration {
        RESOLUTION
    }

    fn now(&self) -> Duration {
        coarse(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
    }
}

fn coarse(time: Duration) -> Duration {
    time - Duration::from_nanos(nanoseconds(time) % nanoseconds(RESOLUTION))
}

/// They last for 584 years.
fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
