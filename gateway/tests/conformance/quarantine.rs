//! `quarantine_traps`: a plugin that traps too often for a tenant is closed to it for a while, and
//! to nobody else.

use std::time::{Duration, Instant};

use loggia::config::Config;

use crate::harness::component::{self, ATTACK};
use crate::harness::faults::{patient, route};
use crate::harness::tenants::{Client, add};
use crate::harness::{Answer, TestGateway, on_both_databases, send};

on_both_databases! {
    a_plugin_that_traps_too_often_is_closed_to_its_tenant with for_long,
    it_is_open_again_after_its_time with for_a_moment,
    a_reload_opens_it with for_long,
    by_default_no_number_of_traps_closes_it with two_tenants,
}

fn two_tenants(config: &mut Config) {
    patient(config);
    for name in ["one", "two"] {
        add(config, name);
    }
}

fn for_long(config: &mut Config) {
    two_tenants(config);
    component::EMPTY.serve(config);
    config.limits.quarantine_traps = 3;
    config.limits.quarantine_ms = 600_000;
}

async fn trap(client: &Client<'_>, times: usize) {
    for _ in 0..times {
        client.post(&route("trap")).await.assert_problem(502, "plugin-trap");
    }
}

#[track_caller]
fn assert_closed(answer: &Answer, most_seconds: u32) {
    let problem = answer.assert_problem(503, "plugin-quarantined");
    assert_eq!(problem["limit"], "quarantine_traps", "{problem}");
    assert_eq!(problem["committed"], false, "{problem}");
    let seconds: u32 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=most_seconds).contains(&seconds), "{seconds}");
}

async fn a_plugin_that_traps_too_often_is_closed_to_its_tenant(gateway: &TestGateway) {
    let (one, two) = (gateway.with_key("one"), gateway.with_key("two"));
    trap(&one, 2).await;
    one.get(&route("nothing")).await.assert_status(204);
    // Neither another's traps nor other failures count.
    trap(&two, 1).await;
    one.get(&route("bad-status")).await.assert_problem(502, "plugin-bad-output");
    one.get(&route("nothing")).await.assert_status(204);
    trap(&one, 1).await;
    for (method, path) in [("GET", "nothing"), ("POST", "trap"), ("GET", "documents")] {
        assert_closed(&one.send(method, &route(path), &[], "").await, 600);
    }
    two.get(&route("nothing")).await.assert_status(204);
    one.post(ATTACK).await.assert_status(204);
    assert_eq!(gateway.counted("one", "quarantine_traps"), 3);
    assert_eq!(gateway.counted("two", "quarantine_traps"), 0);
}

fn for_a_moment(config: &mut Config) {
    for_long(config);
    config.limits.quarantine_ms = 1_000;
}

/// It is closed once more until a client has seen it closed: on a busy machine the time may be over
/// before the first request after the trap.
async fn it_is_open_again_after_its_time(gateway: &TestGateway) {
    let one = gateway.with_key("one");
    let nothing = route("nothing");
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut closed = 0;
    while closed < 2 {
        assert!(Instant::now() < deadline, "it was seen closed {closed} times");
        trap(&one, 3).await;
        let mut answer = one.get(&nothing).await;
        closed += u32::from(answer.status.as_u16() != 204);
        while answer.status.as_u16() != 204 {
            assert_closed(&answer, 1);
            assert!(Instant::now() < deadline, "it stays closed");
            tokio::time::sleep(Duration::from_millis(10)).await;
            answer = one.get(&nothing).await;
        }
    }
    assert!(gateway.counted("one", "quarantine_traps") >= 2);
}

/// It may bring a version that does not trap.
async fn a_reload_opens_it(gateway: &TestGateway) {
    let one = gateway.with_key("one");
    trap(&one, 3).await;
    assert_closed(&one.get(&route("nothing")).await, 600);
    send(gateway.admin, "POST", "/admin/v1/reload", &[], "").await.assert_status(200);
    one.get(&route("nothing")).await.assert_status(204);
}

async fn by_default_no_number_of_traps_closes_it(gateway: &TestGateway) {
    let one = gateway.with_key("one");
    trap(&one, 20).await;
    one.get(&route("nothing")).await.assert_status(204);
}
