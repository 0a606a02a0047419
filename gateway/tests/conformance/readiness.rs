//! `/readyz` while the database is away, stands still, or is held by one writer: not ready, and
//! ready again afterwards. The process lives all the time.

use std::time::{Duration, Instant};

use loggia::config::Config;
use serde_json::Value;

use crate::attacks::by_hand;
use crate::harness::cluster::Cluster;
use crate::harness::component::ATTACK;
use crate::harness::faults::{document, patient};
use crate::harness::{Answer, Database, TestGateway, send, until};

async fn ask(gateway: &TestGateway, path: &str) -> Answer {
    send(gateway.admin, "GET", path, &[], "").await
}

async fn assert_not_ready(gateway: &TestGateway) -> Value {
    let problem = ask(gateway, "/readyz").await.assert_problem(503, "not-ready");
    ask(gateway, "/livez").await.assert_status(200);
    problem
}

async fn until_ready(gateway: &TestGateway) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while ask(gateway, "/readyz").await.status.as_u16() != 200 {
        assert!(Instant::now() < deadline, "it is never ready");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_or_stands_still_is_told() {
    let cluster = Cluster::start("", &[]).await;
    let database = Database::on_server(cluster.url()).await;
    let gateway = TestGateway::start(database, patient).await;
    until_ready(&gateway).await;

    cluster.stop();
    assert_not_ready(&gateway).await;
    cluster.launch();
    until_ready(&gateway).await;

    cluster.crash();
    assert_not_ready(&gateway).await;
    cluster.launch();
    until_ready(&gateway).await;

    cluster.signal("STOP");
    let problem = assert_not_ready(&gateway).await;
    assert_eq!(problem["detail"], "the database took longer than 2s");
    cluster.signal("CONT");
    until_ready(&gateway).await;
    gateway.get(&document("a")).await.assert_problem(404, "not-found");
}

fn a_writer_that_sleeps(config: &mut Config) {
    patient(config);
    by_hand::SLEEPING.guest.serve(config);
    config.limits.transaction_ms = Some(10_000);
}

/// The file is there as long as the machine is; what can be away is the turn to write.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_whose_writer_is_held_is_told() {
    let gateway = TestGateway::start(Database::sqlite(), a_writer_that_sleeps).await;
    until_ready(&gateway).await;
    let sleeping = gateway.post(ATTACK);
    let asking = async {
        until(|| gateway.under_way().1 == 1).await;
        assert_not_ready(&gateway).await;
    };
    let (slept, ()) = tokio::join!(sleeping, asking);
    slept.assert_problem(504, "plugin-timeout");
    until_ready(&gateway).await;
}
