//! What a component may try that no compiler would make: each is served as the plugin `by-hand` and
//! attacks at `POST /attack`. Those that do harm write a document first, which may not be there
//! afterwards.

use super::component::{EMPTY, Guest};
use super::list::Expected::{self, Harmless, Limit, Problem};

/// One attack by a component of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ByHand {
    pub(crate) guest: Guest,
    /// How its request is answered.
    pub(crate) expected: Expected,
}

/// What imports timers and waits for them.
pub(crate) const TIMERS: Guest = Guest {
    world: "import wasi:clocks/monotonic-clock@0.2.0;",
    module: r#"
        (import "wasi:clocks/monotonic-clock@0.2.0" "subscribe-duration"
          (func $timer (param i64) (result i32)))
        (import "wasi:io/poll@0.2.0" "[method]pollable.block" (func $block (param i32)))"#,
    ..EMPTY
};

/// What imports random bytes.
pub(crate) const RANDOM: Guest = Guest {
    world: "import wasi:random/random@0.2.0;",
    module: r#"
        (import "wasi:random/random@0.2.0" "get-random-bytes" (func $random (param i64 i32)))"#,
    ..EMPTY
};

/// For an hour. On `SQLite` it holds the writer meanwhile.
pub(crate) const SLEEPING: ByHand = ByHand {
    guest: Guest {
        handle: "(call $write) (call $block (call $timer (i64.const 3600000000000)))",
        ..TIMERS
    },
    expected: Limit(504, "plugin-timeout", "transaction_ms"),
};

/// A table has room for 20,000 elements, whatever the limit of memory is.
pub(crate) const GROWING_TABLES: ByHand = ByHand {
    guest: Guest {
        module: "(table $t 1 funcref)",
        handle: "
            (call $write)
            (loop $again
              (br_if $again (i32.ne
                (table.grow $t (ref.null func) (i32.const 1000)) (i32.const -1))))
            unreachable",
        ..EMPTY
    },
    expected: Problem(502, "plugin-trap"),
};

/// To 4 GiB, at once.
pub(crate) const GROWING_MEMORY: ByHand = ByHand {
    guest: Guest {
        handle: "
            (call $write)
            (if (i32.ne (memory.grow (i32.const 65534)) (i32.const -1)) (then return))
            unreachable",
        ..EMPTY
    },
    expected: Limit(502, "plugin-resource-limit", "plugin_memory_bytes"),
};

/// 2^40 of them.
pub(crate) const TAKING_RANDOM_BYTES: ByHand = ByHand {
    guest: Guest {
        handle: "(call $write) (call $random (i64.const 0x10000000000) (i32.const 128))",
        ..RANDOM
    },
    expected: Problem(502, "plugin-trap"),
};

/// Timers without end, none of which it gives back.
pub(crate) const HOARDING_TIMERS: ByHand = ByHand {
    guest: Guest {
        handle: "(call $write) (loop $again (drop (call $timer (i64.const 0))) (br $again))",
        ..TIMERS
    },
    expected: Limit(502, "plugin-resource-limit", "handles"),
};

/// For files, sockets and the environment. It traps where it finds something.
pub(crate) const LOOKING_AROUND: ByHand = ByHand {
    guest: Guest {
        world: "import wasi:cli/environment@0.2.0; import wasi:cli/stdin@0.2.0;
            import wasi:filesystem/preopens@0.2.0; import wasi:sockets/tcp-create-socket@0.2.0;",
        module: r#"
            (import "wasi:cli/environment@0.2.0" "get-environment" (func $environment (param i32)))
            (import "wasi:cli/environment@0.2.0" "get-arguments" (func $arguments (param i32)))
            (import "wasi:filesystem/preopens@0.2.0" "get-directories" (func $folders (param i32)))
            (import "wasi:cli/stdin@0.2.0" "get-stdin" (func $stdin (result i32)))
            (import "wasi:io/streams@0.2.0" "[method]input-stream.blocking-read"
              (func $read (param i32 i64 i32)))
            (import "wasi:sockets/tcp-create-socket@0.2.0" "create-tcp-socket"
              (func $connect (param i32 i32)))
            (func $expect (param i32 i32)
              (if (i32.ne (local.get 0) (local.get 1)) (then unreachable)))"#,
        handle: "
            (i64.store (i32.const 128) (i64.const -1))
            (call $environment (i32.const 128))
            (call $expect (i32.load (i32.const 132)) (i32.const 0))
            (i64.store (i32.const 128) (i64.const -1))
            (call $arguments (i32.const 128))
            (call $expect (i32.load (i32.const 132)) (i32.const 0))
            (i64.store (i32.const 128) (i64.const -1))
            (call $folders (i32.const 128))
            (call $expect (i32.load (i32.const 132)) (i32.const 0))
            ;; An error, and which: closed, access-denied.
            (call $read (call $stdin) (i64.const 100) (i32.const 128))
            (call $expect (i32.load8_u (i32.const 128)) (i32.const 1))
            (call $expect (i32.load8_u (i32.const 132)) (i32.const 1))
            (call $connect (i32.const 0) (i32.const 128))
            (call $expect (i32.load8_u (i32.const 128)) (i32.const 1))
            (call $expect (i32.load8_u (i32.const 132)) (i32.const 1))",
        ..EMPTY
    },
    expected: Harmless,
};

/// 1,000 lines of ten bytes.
pub(crate) const PRINTING: ByHand = ByHand {
    guest: Guest {
        world: "import wasi:cli/stdout@0.2.0;",
        module: r#"
            (import "wasi:cli/stdout@0.2.0" "get-stdout" (func $stdout (result i32)))
            (import "wasi:io/streams@0.2.0" "[method]output-stream.blocking-write-and-flush"
              (func $print (param i32 i32 i32 i32)))
            (data (i32.const 4096) "123456789\n")"#,
        handle: "
            (local $left i32)
            (local.set $left (i32.const 1000))
            (loop $again
              (call $print (call $stdout) (i32.const 4096) (i32.const 10) (i32.const 128))
              (local.set $left (i32.sub (local.get $left) (i32.const 1)))
              (br_if $again (local.get $left)))",
        ..EMPTY
    },
    expected: Harmless,
};
