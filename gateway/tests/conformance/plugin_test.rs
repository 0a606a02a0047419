//! `loggia plugin test`, as an author runs it: on both databases, with the tests of a plugin that
//! does wrong what the tests are to find.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::harness::plugin_path;

/// Run tests of the plugin `faults` on `SQLite` and on `PostgreSQL`.
fn run(tests: &str) -> Output {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("tests/some.toml");
    std::fs::create_dir(folder.path().join("tests")).unwrap();
    std::fs::write(file, tests).unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_loggia"));
    program.args(["plugin", "test"]).arg(folder.path()).arg("--component");
    program.arg(plugin_path("faults")).output().unwrap()
}

#[track_caller]
fn printed(output: &Output, code: i32) -> String {
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{printed}{errors}");
    printed
}

/// Fail unless all pass on both databases.
#[track_caller]
fn pass(tests: &str) -> String {
    let printed = printed(&run(tests), 0);
    assert!(printed.contains("\nSQLite: ") && printed.contains("\nPostgreSQL: "), "{printed}");
    assert!(!printed.contains("FAILED"), "{printed}");
    printed
}

/// On `SQLite` the second waits for its turn to write; on `PostgreSQL` both read, and the one that
/// writes last is run again.
#[test]
fn every_order_of_two_requests_is_run() {
    let printed = pass(
        r#"
        [[test]]
        name = "two increments"
        [[test.step]]
        interleave = [{ request = "POST /increment/a" }, { request = "POST /increment/a" }]
        outcomes = [
            [{ json = { amount = 1 } }, { json = { amount = 2 } }],
            [{ json = { amount = 2 } }, { json = { amount = 1 } }],
        ]
        [[test.step]]
        request = "GET /documents/a"
        expect = { json = { amount = 2 } }
        "#,
    );
    let runs = |line: &str| line.contains("two increments (") && line.ends_with(" runs)");
    assert_eq!(printed.lines().filter(|line| runs(line)).count(), 2, "{printed}");
}

/// `SQLite` alone would hide it.
#[test]
fn an_update_that_postgres_loses_is_found_with_its_order() {
    let output = run(r#"
        [[test]]
        name = "two careless increments"
        [[test.step]]
        interleave = [{ request = "POST /lose/a" }, { request = "POST /lose/a" }]
        [[test.step]]
        request = "GET /documents/a"
        expect = { json = { amount = 2 } }

        [[test]]
        name = "the order that loses one"
        [[test.step]]
        interleave = [{ request = "POST /lose/a" }, { request = "POST /lose/a" }]
        order = [1, 2, 1, 2]
        [[test.step]]
        request = "GET /documents/a"
        expect = { json = { amount = 2 } }
        "#);
    let printed = printed(&output, 1);
    assert_eq!(printed.matches("ok      two careless increments").count(), 1, "{printed}");
    let failed = "FAILED  two careless increments, on PostgreSQL";
    assert!(printed.contains(failed), "{printed}");
    assert!(printed.contains("json/amount: expected 2, came 1"), "{printed}");
    assert!(printed.contains("in the order [1, 2"), "{printed}");
    assert!(printed.contains("FAILED  the order that loses one, on PostgreSQL"), "{printed}");
    assert!(printed.contains("ok      the order that loses one"), "{printed}");
}

#[test]
fn what_is_to_go_wrong_goes_wrong() {
    pass(
        r#"
        [[test]]
        name = "a lost race at the commit"
        [[test.step]]
        request = "POST /increment/a"
        fail = [{ at = "commit", with = "conflict", times = 2 }]
        expect = { json = { amount = 1 }, runs = 3 }

        [[test]]
        name = "a trap wherever it can be"
        [[test.step]]
        request = "POST /increment/a"
        fail = [{ at = "each", with = "trap" }]
        expect = { status = 502, contains = { code = "plugin-trap", committed = false } }
        [[test.step]]
        request = "GET /documents/a"
        expect = { status = 404 }

        [[test]]
        name = "the database goes away before the second call"
        [[test.step]]
        request = "POST /increment/a"
        fail = [{ at = 2, with = "unavailable" }]
        expect = { status = 503, contains = { code = "storage-unavailable" }, headers = { retry-after = "1" } }
        "#,
    );
}

#[test]
fn the_clock_and_the_random_bits_are_the_tests() {
    pass(
        r#"
        clock = "2030-01-01T00:00:00Z"
        [[test]]
        name = "a document expires when the test says so"
        [[test.step]]
        request = "PUT /documents/a?ttl_seconds=60"
        json = '{"title": null}'
        [[test.step]]
        advance = "59s"
        [[test.step]]
        request = "GET /documents/a"
        [[test.step]]
        advance = "1s"
        [[test.step]]
        request = "GET /documents/a"
        expect = { status = 404 }

        [[test]]
        name = "a request is told the time of the test, and ids that are the same each time"
        [[test.step]]
        request = "POST /echo/1/2"
        text = "hello"
        expect = { contains = { now = "2030-01-01T00:00:00.000Z", ids = ["5692161d-100b-45e5-bab4-0e090f363a7d", "910a2dec-8902-4cc1-9dc1-ed05282d1d64"] } }
        "#,
    );
}

#[test]
fn a_request_that_waits_is_woken_in_every_order() {
    pass(
        r#"
        [[test]]
        name = "a long poll"
        [[test.step]]
        interleave = [
            { request = "POST /wait/a?changed=document", expect = { contains = { found = true } } },
            { request = "PUT /documents/a", json = { title = "there" }, expect = { status = 201 } },
        ]
        "#,
    );
}

#[test]
fn settings_are_those_of_the_file_and_the_manifests_defaults() {
    pass(
        r#"
        [settings]
        max_limited = 1
        [[test]]
        name = "one is the most"
        [[test.step]]
        request = "GET /settings"
        expect = { json = { color = "red", max_limited = 1 } }
        [[test.step]]
        request = "PUT /documents/a"
        json = { title = "limited" }
        expect = { status = 201 }
        [[test.step]]
        request = "PUT /documents/b"
        tenant = "two"
        json = { title = "limited" }
        expect = { status = 201 }
        "#,
    );
    let output = run(r#"
        [settings]
        colour = "blue"
        max_limited = "many"
        [[test]]
        name = "none of these"
        [[test.step]]
        request = "GET /settings"
        "#);
    let printed = printed(&output, 1);
    for told in ["there is no colour; there are max_limited, color", "/max_limited: "] {
        assert!(printed.contains(told), "{told} is not in:\n{printed}");
    }
}

/// What `expect` says may hold all the same.
#[test]
fn an_answer_that_is_not_what_the_manifest_declares_fails_the_test() {
    let output = run(r#"
        [[test]]
        name = "a text that is declared"
        [[test.step]]
        request = "GET /big-response?bytes=100"

        [[test]]
        name = "a text that is too long"
        [[test.step]]
        request = "GET /big-response?bytes=200"
        expect = { status = 200 }

        [[test]]
        name = "two of them"
        [[test.step]]
        interleave = [
            { request = "GET /big-response?bytes=100" },
            { request = "GET /big-response?bytes=200" },
        ]
        "#);
    let printed = printed(&output, 1);
    let differs = "not what big-response declares to answer: json: ";
    for (told, times) in [
        ("ok      a text that is declared", 2),
        ("FAILED  a text that is too long", 2),
        ("FAILED  two of them", 2),
        (differs, 4),
        (&format!("2: {differs}"), 2),
    ] {
        assert_eq!(printed.matches(told).count(), times, "{told} in:\n{printed}");
    }
}

#[test]
fn a_test_that_fails_says_where_and_what_came() {
    let output = run("\
[[test]]
name = \"one\"

[[test.step]]
request = \"PUT /documents/a\"
json = { title = \"one\", tags = [\"x\"] }
expect = { status = 201, headers = { etag = { capture = \"etag\" } } }

[[test.step]]
request = \"GET /documents/a\"
expect = { json = { title = \"two\", tags = [\"x\", \"y\"], more = true }, headers = { etag = \"\\\"${etag}\" } }

[[test]]
name = \"two\"

[[test.step]]
request = \"GET /documents/a\"
fail = [{ at = 7, with = \"trap\" }]
expect = { status = 404 }
");
    let printed = printed(&output, 1);
    for line in [
        "tests/some.toml:9: GET /documents/a",
        "  json/title: expected \"two\", came \"one\"",
        "  json/tags: expected 2 elements, came 1: [\"x\"]",
        "  json/more: missing",
        "  header etag: expected \"\\\"\\\"",
        "  came: 200 {",
        "tests/some.toml:16: GET /documents/a\n  it makes no storage call for the fault",
    ] {
        assert!(printed.contains(line), "{line} is not in:\n{printed}");
    }
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(message.contains("4 of 4 tests failed"), "{message}");
}

#[test]
fn faults_of_a_file_come_at_once() {
    let output = run("\
[[test]]
name = \"one\"
[[test.step]]
request = \"GET\"
[[test.step]]
request = \"GET /documents/a\"
expects = 3
[[test.step]]
interleave = [{ request = \"GET /a\" }, { request = \"GET /a\", expect = { status = 200 } }]
outcomes = [[{ status = 200 }, { status = 200 }]]
");
    printed(&output, 78);
    let message = String::from_utf8_lossy(&output.stderr);
    for line in
        ["some.toml:3: ", "some.toml:5: ", "`expects`", "some.toml:8: ", "expect or outcomes"]
    {
        assert!(message.contains(line), "{line} is not in:\n{message}");
    }
}

/// Of every plugin that has some.
#[test]
fn plugins_pass_their_own_tests() {
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins");
    let folders = std::fs::read_dir(plugins).unwrap().map(|entry| entry.unwrap().path());
    let with_tests: Vec<PathBuf> = folders.filter(|folder| folder.join("tests").is_dir()).collect();
    assert!(!with_tests.is_empty());
    for folder in with_tests {
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let mut program = Command::new(env!("CARGO_BIN_EXE_loggia"));
        program.args(["plugin", "test"]).arg(&folder).arg("--component").arg(plugin_path(&name));
        let printed = printed(&program.output().unwrap(), 0);
        assert!(printed.contains("\nPostgreSQL: "), "{printed}");
    }
}
