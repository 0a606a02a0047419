//! WASI with nothing in it: what a component that imports it can do, and what it cannot.
//! What does harm comes from `attacks/by_hand.rs`: `attacks/by_wasi.rs` does it beside a victim.

use loggia::config::Config;
use serde_json::json;

use crate::attacks::by_hand;
use crate::harness::component::{ATTACK, Guest, NAME, STORED};
use crate::harness::faults::patient;
use crate::harness::{TestGateway, log, on_both_databases};

on_both_databases! {
    what_is_printed_becomes_lines_of_the_log with printing,
    printing_ends_at_log_bytes with printing_much,
    nothing_is_given with looking_around,
    clocks_show_milliseconds with looking_at_clocks,
    random_bytes_have_a_limit with taking_random_bytes,
    random_without_end_is_a_trap with taking_too_many_random_bytes,
    a_sleep_ends_with_the_request with sleeping,
    a_sleep_with_a_lock_ends_at_transaction_ms with sleeping_with_a_lock,
    handles_end_at_their_limit with hoarding_timers,
    leaked_handles_do_not_meet_later_requests with leaking_timers,
}

fn serve(config: &mut Config, guest: Guest) {
    patient(config);
    guest.serve(config);
}

/// Two streams, of which each has a line of its own.
fn printing(config: &mut Config) {
    let guest = Guest {
        world: "import wasi:cli/stdout@0.2.0; import wasi:cli/stderr@0.2.0;",
        module: r#"
            (import "wasi:cli/stdout@0.2.0" "get-stdout" (func $stdout (result i32)))
            (import "wasi:cli/stderr@0.2.0" "get-stderr" (func $stderr (result i32)))
            (import "wasi:io/streams@0.2.0" "[method]output-stream.blocking-write-and-flush"
              (func $print (param i32 i32 i32 i32)))
            (data (i32.const 4096) "one\n\1b[31mtwo\r\nth" "ree\n\n" "\ff" "rest")"#,
        handle: "
            (local $out i32)
            (local.set $out (call $stdout))
            (call $print (local.get $out) (i32.const 4096) (i32.const 16) (i32.const 128))
            (call $print (call $stderr) (i32.const 4117) (i32.const 5) (i32.const 128))
            (call $print (local.get $out) (i32.const 4112) (i32.const 5) (i32.const 128))",
        ..Guest::default()
    };
    serve(config, guest);
}

async fn what_is_printed_becomes_lines_of_the_log(gateway: &TestGateway) {
    // What is left on a line is logged at the end of its request, and is no part of the next.
    for _ in 0..2 {
        let lines = attack_and_read_log(gateway).await;
        let printed = ["one", "\u{fffd}[31mtwo\u{fffd}", "three", "\u{fffd}rest"];
        assert_eq!(lines, printed);
    }
}

async fn attack_and_read_log(gateway: &TestGateway) -> Vec<String> {
    log::capture();
    let trace_id = format!("{:032x}", rand::random::<u128>());
    let traceparent = format!("00-{trace_id}-00f067aa0ba902b7-01");
    let answer = gateway.send("POST", ATTACK, &[("traceparent", &traceparent)], "").await;
    answer.assert_status(204);
    log::lines(&trace_id)
}

fn printing_much(config: &mut Config) {
    serve(config, by_hand::PRINTING.guest);
    config.limits.log_bytes = 105;
}

async fn printing_ends_at_log_bytes(gateway: &TestGateway) {
    assert_eq!(attack_and_read_log(gateway).await, ["123456789"; 10]);
}

/// It traps where it finds something.
fn looking_around(config: &mut Config) {
    serve(config, by_hand::LOOKING_AROUND.guest);
}

async fn nothing_is_given(gateway: &TestGateway) {
    gateway.post(ATTACK).await.assert_status(204);
}

/// It traps where a clock shows more than milliseconds, or stands still.
fn looking_at_clocks(config: &mut Config) {
    let guest = Guest {
        world: "import wasi:clocks/monotonic-clock@0.2.0; import wasi:clocks/wall-clock@0.2.0;",
        module: r#"
            (import "wasi:clocks/monotonic-clock@0.2.0" "now" (func $monotonic (result i64)))
            (import "wasi:clocks/wall-clock@0.2.0" "now" (func $wall (param i32)))"#,
        handle: "
            (local $first i64)
            (local.set $first (call $monotonic))
            (loop $again
              (if (i64.ne (i64.const 0) (i64.rem_u (call $monotonic) (i64.const 1000000)))
                (then unreachable))
              (call $wall (i32.const 128))
              (if (i32.rem_u (i32.load (i32.const 136)) (i32.const 1000000)) (then unreachable))
              ;; 2026-01-01
              (if (i64.lt_u (i64.load (i32.const 128)) (i64.const 1767225600)) (then unreachable))
              (br_if $again (i64.lt_u (i64.sub (call $monotonic) (local.get $first))
                (i64.const 3000000))))",
        ..Guest::default()
    };
    serve(config, guest);
}

async fn clocks_show_milliseconds(gateway: &TestGateway) {
    gateway.post(ATTACK).await.assert_status(204);
}

fn taking_random_bytes(config: &mut Config) {
    let guest = Guest {
        handle: "
            (call $random (i64.const 65536) (i32.const 128))
            (if (i32.ne (i32.load (i32.const 132)) (i32.const 65536)) (then unreachable))",
        ..by_hand::RANDOM
    };
    serve(config, guest);
}

async fn random_bytes_have_a_limit(gateway: &TestGateway) {
    gateway.post(ATTACK).await.assert_status(204);
}

fn taking_too_many_random_bytes(config: &mut Config) {
    serve(config, by_hand::TAKING_RANDOM_BYTES.guest);
}

async fn random_without_end_is_a_trap(gateway: &TestGateway) {
    gateway.post(ATTACK).await.assert_problem(502, "plugin-trap");
    gateway.get(STORED).await.assert_status(404);
}

fn sleeping(config: &mut Config) {
    let guest = Guest {
        handle: "(call $write) (call $block (call $timer (i64.const -1)))",
        ..by_hand::TIMERS
    };
    serve(config, guest);
    config.limits.request_ms = 500;
}

async fn a_sleep_ends_with_the_request(gateway: &TestGateway) {
    for _ in 0..2 {
        let problem = gateway.post(ATTACK).await.assert_problem(504, "plugin-timeout");
        assert_eq!(
            (&problem["limit"], &problem["committed"]),
            (&"request_ms".into(), &false.into())
        );
        gateway.get(STORED).await.assert_status(404);
    }
}

fn sleeping_with_a_lock(config: &mut Config) {
    sleeping(config);
    config.limits.request_ms = 60_000;
    config.limits.transaction_ms = Some(300);
}

/// The second request waits for what the first one holds, and gets it long before their time is
/// over: both end at the limit, none at `request_ms`. What is free again can be written by others.
async fn a_sleep_with_a_lock_ends_at_transaction_ms(gateway: &TestGateway) {
    let body = json!({});
    for id in ["a", "b"] {
        let (one, other, written) = tokio::join!(
            gateway.post(ATTACK),
            gateway.post(ATTACK),
            gateway.put_document(id, &body),
        );
        written.assert_status(201);
        for answer in [one, other] {
            let problem = answer.assert_problem(504, "plugin-timeout");
            assert_eq!(problem["limit"], "transaction_ms", "{problem}");
            assert_eq!(problem["committed"], false, "{problem}");
        }
        gateway.get(STORED).await.assert_status(404);
    }
    assert_eq!(gateway.counted_in(NAME, "default", "transaction_ms"), 4);
}

fn hoarding_timers(config: &mut Config) {
    serve(config, by_hand::HOARDING_TIMERS.guest);
}

async fn handles_end_at_their_limit(gateway: &TestGateway) {
    let problem = gateway.post(ATTACK).await.assert_problem(502, "plugin-resource-limit");
    assert_eq!(problem["limit"], "handles");
    gateway.get(STORED).await.assert_status(404);
}

/// 200 timers of two handles each: the third request would find no room for them.
fn leaking_timers(config: &mut Config) {
    let guest = Guest {
        handle: "
            (local $left i32)
            (local.set $left (i32.const 200))
            (loop $again
              (drop (call $timer (i64.const 0)))
              (local.set $left (i32.sub (local.get $left) (i32.const 1)))
              (br_if $again (local.get $left)))",
        ..by_hand::TIMERS
    };
    serve(config, guest);
}

async fn leaked_handles_do_not_meet_later_requests(gateway: &TestGateway) {
    for _ in 0..10 {
        gateway.post(ATTACK).await.assert_status(204);
    }
}
