//! Components that are refused before a request can reach them, each with a text that says why; and
//! what an instance may hold. Some come from `attacks/refused.rs`: `attacks/at_load.rs` reloads with
//! them beside a victim.

use std::time::Duration;

use loggia::config::Config;
use loggia::plugin::{CompileBounds, Compiler, LoadError, Runtime, describe};

use crate::attacks::refused::{self, Refused, component_of};
use crate::harness::component::{ATTACK, Guest, STORED};
use crate::harness::faults::patient;
use crate::harness::{TestGateway, compiler, engine, on_both_databases};

const MEMORY_BYTES: usize = 4 << 20;

/// Why it cannot be loaded.
async fn refusal(component: &[u8]) -> String {
    let described = describe(engine(), component, MEMORY_BYTES).await;
    described.expect_err("it is to be refused").to_string()
}

async fn assert_refused(Refused { component, why }: Refused) -> String {
    let text = refusal(&component()).await;
    assert!(text.contains(why), "{text}");
    text
}

async fn assert_too_large(guest: Guest) {
    let text = refusal(&guest.component()).await;
    assert!(text.contains("larger than plugin_memory_bytes (4194304)"), "{text}");
}

#[tokio::test]
async fn a_handwritten_component_describes_itself() {
    let text = describe(engine(), &Guest::default().component(), MEMORY_BYTES).await.unwrap();
    assert!(text.contains("by-hand"), "{text}");
}

#[tokio::test]
async fn an_unknown_import_is_refused_with_the_list_of_what_is_offered() {
    let text = assert_refused(refused::UNKNOWN_IMPORT).await;
    for named in [
        "wasi:http/types@0.2.0",
        "test:other/thing",
        "loggia:plugin@0.1.0: checkpoints, logging, settings, storage",
        "wasi:clocks@0.2.12: monotonic-clock, wall-clock",
    ] {
        assert!(text.contains(named), "{named} is not in: {text}");
    }
}

fn later_export() -> Vec<u8> {
    let text = r#"(component (instance $i) (export "loggia:plugin/handler@9.0.0" (instance $i)))"#;
    component_of(text)
}

#[tokio::test]
async fn another_version_of_the_interface_is_named() {
    assert_refused(refused::LATER_VERSION).await;
    let why = "it is made for loggia:plugin@9.0.0, and this gateway has loggia:plugin@0.1.0";
    assert_refused(Refused { component: later_export, why }).await;
}

#[tokio::test]
async fn a_preview_of_wasi_is_no_wasi() {
    let text = r#"(component (import "wasi:io/poll@0.2.0-rc-2023-11-10" (instance)))"#;
    let text = refusal(&component_of(text)).await;
    assert!(text.contains("it imports wasi:io/poll@0.2.0-rc-2023-11-10"), "{text}");
}

#[tokio::test]
async fn a_component_without_the_export_is_refused() {
    let text = refusal(&component_of("(component)")).await;
    assert!(text.contains("it does not export loggia:plugin/handler@0.1.0"), "{text}");
}

#[tokio::test]
async fn what_is_no_component_is_refused() {
    let module = component_of("(module)");
    for (bytes, why) in [
        (&module[..], "it is a core WebAssembly module, not a component"),
        (b"(component)", "it is not WebAssembly"),
        (b"", "it is not WebAssembly"),
        (b"\0asm\x0d\0\x01\0\xff\xff\xff", "it is not a plugin of this gateway"),
    ] {
        let text = refusal(bytes).await;
        assert!(text.contains(why), "{text}");
    }
}

#[tokio::test]
async fn memory_of_64_bits_is_refused() {
    assert_refused(refused::MEMORY_OF_64_BITS).await;
}

#[tokio::test]
async fn shared_memory_is_refused() {
    assert_refused(refused::SHARED_MEMORY).await;
}

#[tokio::test]
async fn a_start_function_that_loops_is_stopped() {
    assert_refused(refused::LOOPING_START).await;
}

#[tokio::test]
async fn a_memory_that_begins_too_large_is_refused() {
    let guest = Guest { memory: "65", ..Guest::default() };
    assert_too_large(guest).await;
    let guest = Guest { memory: "64", ..Guest::default() };
    describe(engine(), &guest.component(), MEMORY_BYTES + (1 << 16)).await.unwrap();
}

/// The handler is none, which shows only after the instance was made.
#[tokio::test]
async fn several_memories_are_counted_together() {
    let memories = |pages: usize| {
        let text = format!(
            "(component
              (core module $m (memory {pages}) (func (export \"f\")))
              (core instance $a (instantiate $m)) (core instance (instantiate $m))
              (func $f (canon lift (core func $a \"f\")))
              (instance $i (export \"describe\" (func $f)) (export \"handle\" (func $f))
                (export \"upgrade\" (func $f)))
              (export \"loggia:plugin/handler@0.1.0\" (instance $i)))"
        );
        component_of(&text)
    };
    let text = refusal(&memories(32)).await;
    assert!(!text.contains("plugin_memory_bytes"), "{text}");
    let text = refusal(&memories(33)).await;
    assert!(text.contains("larger than plugin_memory_bytes (4194304)"), "{text}");
}

/// Each would fit, and not both.
#[tokio::test]
async fn what_an_instance_begins_with_is_counted_together() {
    let guest = Guest { memory: "62", module: "(table 8192 funcref)", ..Guest::default() };
    describe(engine(), &guest.component(), MEMORY_BYTES).await.unwrap();
    let guest = Guest { memory: "62", module: "(table 16384 funcref)", ..Guest::default() };
    assert_too_large(guest).await;
}

#[tokio::test]
async fn a_table_that_begins_too_large_is_refused() {
    let text =
        "(component (core module $m (table 20001 funcref)) (core instance (instantiate $m)))";
    let text = refusal(&component_of(text)).await;
    assert!(text.contains("table"), "{text}");
}

#[tokio::test]
async fn many_memories_are_refused() {
    assert_refused(refused::MANY_MEMORIES).await;
}

on_both_databases! {
    memory_and_tables_grow_together_to_the_limit with growing_both,
    what_is_passed_in_one_call_has_a_limit with passing_too_much,
    an_answer_too_large_for_the_guest_is_a_breach with asking_for_too_much,
    a_guest_that_was_refused_memory_may_go_on with growing_and_going_on,
}

fn serve(config: &mut Config, guest: Guest) {
    patient(config);
    config.limits.plugin_memory_bytes = MEMORY_BYTES;
    guest.serve(config);
}

async fn assert_memory_breach(gateway: &TestGateway) {
    for _ in 0..2 {
        let problem = gateway.post(ATTACK).await.assert_problem(502, "plugin-resource-limit");
        assert_eq!(problem["limit"], "plugin_memory_bytes", "{problem}");
        gateway.get(STORED).await.assert_status(404);
    }
}

/// The table takes what the memory would have had.
fn growing_both(config: &mut Config) {
    let guest = Guest {
        module: "(table $t 1 funcref)",
        memory: "62",
        handle: "
            (call $write)
            (drop (table.grow $t (ref.null func) (i32.const 8192)))
            (if (i32.eq (i32.const -1) (memory.grow (i32.const 1))) (then unreachable))
            ;; What is left for the table is not enough for another page.
            (if (i32.eq (i32.const -1) (memory.grow (i32.const 1))) (then unreachable))",
        ..Guest::default()
    };
    serve(config, guest);
}

async fn memory_and_tables_grow_together_to_the_limit(gateway: &TestGateway) {
    assert_memory_breach(gateway).await;
}

/// 32,768 ids of 64 KiB, all at the same place.
fn passing_too_much(config: &mut Config) {
    let guest = Guest {
        memory: "8",
        handle: "
            (local $at i32)
            (call $write)
            (local.set $at (i32.const 0x20000))
            (loop $again
              (i32.store (local.get $at) (i32.const 0x60000))
              (i32.store offset=4 (local.get $at) (i32.const 0x10000))
              (local.set $at (i32.add (local.get $at) (i32.const 8)))
              (br_if $again (i32.lt_u (local.get $at) (i32.const 0x60000))))
            (call $get (i32.const 512) (i32.const 8) (i32.const 0x20000) (i32.const 0x8000)
              (i32.const 128))",
        ..Guest::default()
    };
    serve(config, guest);
}

async fn what_is_passed_in_one_call_has_a_limit(gateway: &TestGateway) {
    assert_memory_breach(gateway).await;
}

/// 60,000 times the document: the records alone are 4.3 MB.
fn asking_for_too_much(config: &mut Config) {
    let guest = Guest {
        memory: "12",
        handle: "
            (local $at i32)
            (call $write)
            (local.set $at (i32.const 0x20000))
            (loop $again
              (i32.store (local.get $at) (i32.const 520))
              (i32.store offset=4 (local.get $at) (i32.const 1))
              (local.set $at (i32.add (local.get $at) (i32.const 8)))
              (br_if $again (i32.lt_u (local.get $at) (i32.const 0xa0000))))
            (call $get (i32.const 512) (i32.const 8) (i32.const 0x20000) (i32.const 60000)
              (i32.const 128))",
        ..Guest::default()
    };
    serve(config, guest);
}

async fn an_answer_too_large_for_the_guest_is_a_breach(gateway: &TestGateway) {
    assert_memory_breach(gateway).await;
}

/// The first request is refused memory, and answers; a later trap has another reason.
fn growing_and_going_on(config: &mut Config) {
    let guest = Guest {
        module: "(global $called (mut i32) (i32.const 0))",
        handle: "
            (if (global.get $called) (then unreachable))
            (global.set $called (i32.const 1))
            (drop (memory.grow (i32.const 1000)))",
        ..Guest::default()
    };
    serve(config, guest);
}

async fn a_guest_that_was_refused_memory_may_go_on(gateway: &TestGateway) {
    gateway.post(ATTACK).await.assert_status(204);
    gateway.post(ATTACK).await.assert_problem(502, "plugin-trap");
}

/// How a compiler with these bounds ends.
pub(crate) async fn compile_within(bounds: CompileBounds, component: &[u8]) -> LoadError {
    let compiler = Compiler { bounds, ..compiler() };
    let runtime = Runtime::new(compiler, None).unwrap();
    describe(&runtime, component, MEMORY_BYTES).await.expect_err("it is to be refused")
}

#[tokio::test]
async fn a_compile_bomb_is_stopped_at_each_bound() {
    let bomb = refused::bomb();
    let usual = CompileBounds::default();
    let seconds = Duration::from_millis(300);
    for (bounds, why) in [
        (CompileBounds { cpu_seconds: 1, ..usual }, "it took more than 1 s of computing"),
        (CompileBounds { time: seconds, ..usual }, "it took more than 300ms"),
        (CompileBounds { memory_bytes: 256 << 20, ..usual }, "it took more than 256 MiB of memory"),
    ] {
        let error = compile_within(bounds, &bomb).await;
        assert!(matches!(error, LoadError::Compile(_)), "{error}");
        assert!(error.to_string().contains(why), "{error}");
    }
}

#[tokio::test]
async fn a_compiler_that_is_not_there_is_named() {
    let compiler = Compiler { program: "/nothing/loggia".into(), ..compiler() };
    let runtime = Runtime::new(compiler, None).unwrap();
    let described = describe(&runtime, &Guest::default().component(), MEMORY_BYTES).await;
    let text = described.expect_err("there is no compiler").to_string();
    assert!(text.contains("/nothing/loggia cannot be run"), "{text}");
}
