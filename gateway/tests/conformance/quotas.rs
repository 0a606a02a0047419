//! Limits of what a tenant has under way and stored: each is hit, is counted, and holds for its own
//! tenant alone.

use std::cell::Cell;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use loggia::config::Config;
use serde_json::{Value, json};

use crate::harness::component::{self, ATTACK, Guest, STORED};
use crate::harness::faults::{document, patient, route};
use crate::harness::tenants::add;
use crate::harness::{Answer, Database, TestGateway, on_both_databases, send, until};

on_both_databases! {
    a_full_queue_refuses_its_own_tenant_and_delays_no_other with short_queue,
    a_tenant_runs_no_more_than_its_limit with one_at_a_time,
    a_reload_forgets_no_request_under_way with one_at_a_time,
    an_operation_may_ask_to_write_more with an_operation_that_writes_more,
    requests_over_the_rate_are_told_when_to_come_back with one_in_a_second,
    a_reload_keeps_the_count_of_requests with one_at_first,
    a_tenant_stores_no_more_documents_than_its_limit with few_documents,
    a_tenant_stores_no_more_bytes_than_its_limit with few_bytes,
    a_limit_that_a_reload_brings_holds with without_limits,
}

/// With calls of 15 seconds, what is true of them now stays true until the test has looked.
const CALL_MS: u64 = 15_000;

fn short_queue(config: &mut Config) {
    patient(config);
    config.limits.request_ms = CALL_MS;
    add(config, "one").limits.concurrent_requests = Some(2);
    add(config, "one").limits.queued_requests = Some(200);
    add(config, "two");
}

async fn a_full_queue_refuses_its_own_tenant_and_delays_no_other(gateway: &TestGateway) {
    let (one, two) = (gateway.with_key("one"), gateway.with_key("two"));
    let (path, nothing) = (route("loop"), route("nothing"));
    let slow = join_all((0..202).map(|_| one.post(&path)));
    let others = async {
        until(|| gateway.under_way().0 == 202).await;
        let refused = join_all((0..5).map(|_| one.get(&nothing))).await;
        for answer in &refused {
            assert_quota(answer, "queued_requests");
        }
        for n in 0..20 {
            two.get(&nothing).await.assert_status(204);
            two.get(&route("documents")).await.assert_status(200);
            if !gateway.is_sqlite() {
                two.put(&document(&n.to_string()), &json!({})).await.assert_status(201);
            }
        }
        assert_eq!(gateway.under_way().0, 202, "the others wait all the time");
        assert_eq!(gateway.counted("one", "queued_requests"), 5);
        assert_eq!(gateway.counted("two", "queued_requests"), 0);
    };
    let (answers, ()) = tokio::join!(slow, others);
    // Those that ran, and at most those that came to run as they ended.
    let stopped = answers.iter().filter(|answer| answer.status.as_u16() == 504).count();
    assert!(stopped >= 2, "{stopped}");
    for answer in answers.iter().filter(|answer| answer.status.as_u16() != 504) {
        assert_quota(answer, "concurrent_requests");
    }
    assert_eq!(gateway.counted("one", "concurrent_requests"), 202 - stopped as u64);
}

#[track_caller]
fn assert_quota(answer: &Answer, limit: &str) -> Value {
    let problem = answer.assert_problem(429, "tenant-quota");
    assert_eq!(problem["limit"], limit, "{problem}");
    assert_eq!(problem["retryable"], true, "{problem}");
    assert_eq!(answer.header("retry-after"), Some("1"), "{answer:?}");
    problem
}

/// What is stored is looked for in a hurry.
fn one_at_a_time(config: &mut Config) {
    patient(config);
    config.limits.request_ms = CALL_MS;
    config.limits.concurrent_requests = 1;
    add(config, "one");
    add(config, "two");
    let mut manifest = component::manifest();
    manifest["operations"][1]["limits"] = json!({"request_ms": 200});
    let endless = Guest { handle: "(loop $again (br $again))", ..component::EMPTY };
    endless.serve_declaring(config, &manifest);
}

async fn a_tenant_runs_no_more_than_its_limit(gateway: &TestGateway) {
    let (one, two) = (gateway.with_key("one"), gateway.with_key("two"));
    let others = async {
        until(|| gateway.under_way().0 == 1).await;
        assert_quota(&one.get(STORED).await, "concurrent_requests");
        assert_eq!(gateway.counted_in(component::NAME, "one", "concurrent_requests"), 1);
        // Another plugin's requests are counted apart, and so are another tenant's.
        one.get(&route("nothing")).await.assert_status(204);
        two.get(&route("nothing")).await.assert_status(204);
    };
    let (slow, ()) = tokio::join!(one.post(ATTACK), others);
    assert_eq!(slow.assert_problem(504, "plugin-timeout")["limit"], "request_ms");
    one.get(STORED).await.assert_status(404);
}

async fn reload(gateway: &TestGateway) {
    send(gateway.admin, "POST", "/admin/v1/reload", &[], "").await.assert_status(200);
}

/// What runs on an earlier generation holds its place.
async fn a_reload_forgets_no_request_under_way(gateway: &TestGateway) {
    let one = gateway.with_key("one");
    let others = async {
        until(|| gateway.under_way().0 == 1).await;
        reload(gateway).await;
        assert_quota(&one.get(STORED).await, "concurrent_requests");
        assert_eq!(gateway.under_way().0, 1, "the first one runs all the time");
    };
    let (slow, ()) = tokio::join!(one.post(ATTACK), others);
    assert_eq!(slow.assert_problem(504, "plugin-timeout")["limit"], "request_ms");
    one.get(STORED).await.assert_status(404);
}

fn an_operation_that_writes_more(config: &mut Config) {
    patient(config);
    config.limits.documents_written = 1;
    let mut manifest = component::manifest();
    manifest["operations"][0]["limits"] = json!({"documents_written": 2});
    let twice = Guest { handle: "(call $write) (call $write)", ..component::EMPTY };
    twice.serve_declaring(config, &manifest);
    add(config, "one");
    add(config, "two").limits.documents_written = Some(1);
}

/// What the operator says for a tenant goes before it.
async fn an_operation_may_ask_to_write_more(gateway: &TestGateway) {
    gateway.with_key("one").post(ATTACK).await.assert_status(204);
    let refused = gateway.with_key("two").post(ATTACK).await;
    let problem = refused.assert_problem(502, "plugin-resource-limit");
    assert_eq!(problem["limit"], "documents_written");
    gateway.with_key("two").get(STORED).await.assert_status(404);
}

fn one_in_a_second(config: &mut Config) {
    patient(config);
    add(config, "one").limits.requests_per_second = Some(1);
    add(config, "two");
}

async fn requests_over_the_rate_are_told_when_to_come_back(gateway: &TestGateway) {
    let (one, two) = (gateway.with_key("one"), gateway.with_key("two"));
    let nothing = route("nothing");
    let began = Instant::now();
    let answers = join_all((0..30).map(|_| one.get(&nothing))).await;
    let most = 1 + began.elapsed().as_secs();
    let (done, refused): (Vec<_>, Vec<_>) =
        answers.into_iter().partition(|answer| answer.status.as_u16() == 204);
    assert!((1..=most).contains(&(done.len() as u64)), "{} of at most {most}", done.len());
    for answer in &done {
        assert_eq!(answer.header("ratelimit-policy"), Some("\"requests\";q=1;w=1"));
        assert_eq!(answer.header("ratelimit"), Some("\"requests\";r=0;t=1"));
    }
    for answer in &refused {
        assert_quota(answer, "requests_per_second");
        assert_eq!(answer.header("ratelimit"), Some("\"requests\";r=0;t=1"));
    }
    assert_eq!(gateway.counted("one", "requests_per_second"), refused.len() as u64);
    for answer in join_all((0..30).map(|_| two.get(&nothing))).await {
        assert_eq!(answer.assert_status(204).header("ratelimit"), None);
    }
    // Whoever comes back is served.
    until_served(async || one.get(&nothing).await.status.as_u16() == 204).await;
}

fn one_at_first(config: &mut Config) {
    patient(config);
    add(config, "one").limits.requests_per_second = Some(1);
}

/// Neither a burst at each reload nor an old number.
async fn a_reload_keeps_the_count_of_requests(gateway: &TestGateway) {
    let (one, nothing) = (gateway.with_key("one"), route("nothing"));
    let began = Instant::now();
    let mut done = 0;
    for _ in 0..5 {
        done += u64::from(one.get(&nothing).await.status.as_u16() == 204);
        reload(gateway).await;
    }
    assert!(done <= 1 + began.elapsed().as_secs(), "{done} in {:?}", began.elapsed());
    add(&mut gateway.configuration.lock().unwrap(), "one").limits.requests_per_second = Some(50);
    reload(gateway).await;
    let answer = one.get(&nothing).await;
    assert_eq!(answer.assert_status(204).header("ratelimit"), Some("\"requests\";r=49;t=1"));
}

async fn until_served(mut served: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !served().await {
        assert!(Instant::now() < deadline, "never served");
    }
}

fn few_documents(config: &mut Config) {
    patient(config);
    add(config, "one").limits.stored_documents = Some(3);
    add(config, "two");
}

async fn a_tenant_stores_no_more_documents_than_its_limit(gateway: &TestGateway) {
    let (one, two) = (gateway.with_key("one"), gateway.with_key("two"));
    for id in ["a", "b", "c"] {
        one.put(&document(id), &json!({})).await.assert_status(201);
    }
    assert_stored(&one.put(&document("d"), &json!({})).await, "stored_documents");
    assert_stored(&one.post(&route("many-calls?calls=1")).await, "stored_documents");
    assert_eq!(gateway.counted("one", "stored_documents"), 2);
    one.put(&document("a"), &json!({"title": "replaced"})).await.assert_status(200);
    one.send("DELETE", &document("a"), &[], "").await.assert_status(204);
    one.put(&document("d"), &json!({})).await.assert_status(201);
    for n in 0..5 {
        two.put(&document(&n.to_string()), &json!({})).await.assert_status(201);
    }
}

fn without_limits(config: &mut Config) {
    patient(config);
    add(config, "one");
    add(config, "two");
}

/// What is there counts for it from the reload on; it can be raised, and taken away.
async fn a_limit_that_a_reload_brings_holds(gateway: &TestGateway) {
    let (one, two) = (gateway.with_key("one"), gateway.with_key("two"));
    let limit = async |most| {
        add(&mut gateway.configuration.lock().unwrap(), "one").limits.stored_documents = most;
        reload(gateway).await;
    };
    let (a, b, c, d) = (document("a"), document("b"), document("c"), document("d"));
    one.put(&a, &json!({})).await.assert_status(201);
    one.put(&b, &json!({})).await.assert_status(201);
    limit(Some(2)).await;
    assert_stored(&one.put(&c, &json!({})).await, "stored_documents");
    two.put(&a, &json!({})).await.assert_status(201);
    limit(Some(3)).await;
    one.put(&c, &json!({})).await.assert_status(201);
    assert_stored(&one.put(&d, &json!({})).await, "stored_documents");
    limit(None).await;
    one.put(&d, &json!({})).await.assert_status(201);
}

#[track_caller]
fn assert_stored(answer: &Answer, limit: &str) {
    let problem = answer.assert_problem(507, "tenant-storage-full");
    assert_eq!(problem["limit"], limit, "{problem}");
}

fn few_bytes(config: &mut Config) {
    patient(config);
    add(config, "one").limits.stored_bytes = Some(1_000);
    add(config, "two");
}

async fn a_tenant_stores_no_more_bytes_than_its_limit(gateway: &TestGateway) {
    let (one, two) = (gateway.with_key("one"), gateway.with_key("two"));
    let body = |bytes: usize| json!({"a": "x".repeat(bytes - 9)});
    one.put(&document("a"), &body(600)).await.assert_status(201);
    assert_stored(&one.put(&document("b"), &body(600)).await, "stored_bytes");
    one.put(&document("b"), &body(300)).await.assert_status(201);
    assert_stored(&one.put(&document("b"), &body(500)).await, "stored_bytes");
    assert_eq!(one.get(&document("b")).await.json(), body(300));
    one.put(&document("a"), &body(400)).await.assert_status(200);
    one.put(&document("b"), &body(500)).await.assert_status(200);
    assert_eq!(gateway.counted("one", "stored_bytes"), 2);
    two.put(&document("a"), &body(5_000)).await.assert_status(201);
}

fn few_connections(config: &mut Config) {
    patient(config);
    // Whoever waits gives up before those that run end, and a new connection is made before that.
    config.limits.guest_cpu_ms = 3_000;
    config.storage.acquire_timeout_ms = 2_000;
    add(config, "one").limits.connections = Some(2);
    add(config, "two");
}

/// `SQLite` has no connections to share.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_has_no_more_connections_than_its_limit() {
    let gateway = TestGateway::start(Database::postgres().await, few_connections).await;
    let (one, two) = (gateway.with_key("one"), gateway.with_key("two"));
    let (path, done) = (route("loop"), Cell::new(false));
    let slow = async {
        let answers = join_all((0..20).map(|_| one.post(&path))).await;
        done.set(true);
        answers
    };
    let most = async {
        let mut most = 0;
        while !done.get() {
            most = most.max(gateway.under_way().1);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        most
    };
    let (answers, most) = tokio::join!(slow, most);
    assert_eq!(most, 2);
    let (refused, stopped): (Vec<_>, Vec<_>) =
        answers.into_iter().partition(|answer| answer.status.as_u16() == 429);
    assert!(!refused.is_empty() && !stopped.is_empty());
    for answer in &refused {
        assert_quota(answer, "connections");
    }
    assert_eq!(gateway.counted("one", "connections"), refused.len() as u64);
    // What is left is for others.
    let put = async {
        until(|| gateway.under_way().1 == 2).await;
        two.put(&document("d"), &json!({})).await.assert_status(201);
    };
    tokio::join!(join_all((0..2).map(|_| one.post(&path))), put);
}

fn alone(config: &mut Config) {
    patient(config);
    config.limits.guest_cpu_ms = 3_000;
    config.limits.request_ms = 6_000;
}

/// More than the limit of one tenant among others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_tenants_one_has_all_connections() {
    let gateway = TestGateway::start(Database::postgres().await, alone).await;
    let path = route("loop");
    let loops = join_all((0..8).map(|_| gateway.post(&path)));
    let all = until(|| gateway.under_way().1 == 8);
    let (answers, ()) = tokio::join!(loops, all);
    // They compute, or wait for the document of one that does, and none for a connection.
    for answer in answers {
        assert_eq!(answer.status, 504, "{answer:?}");
    }
}
