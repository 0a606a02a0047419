//! What a component tries by WASI, beside a victim.

use loggia::config::Config;

use super::{by_hand, serve_by_hand, withstand_by_hand};
use crate::harness::{TestGateway, on_both_databases};

on_both_databases! {
    random_bytes_without_end with a_gambler,
    hoarding_handles with a_hoarder,
    files_sockets_and_the_environment with a_burglar,
    printing_without_end with a_printer,
}

fn a_gambler(config: &mut Config) {
    serve_by_hand(config, by_hand::TAKING_RANDOM_BYTES);
}

async fn random_bytes_without_end(gateway: &TestGateway) {
    withstand_by_hand(gateway, by_hand::TAKING_RANDOM_BYTES).await;
}

fn a_hoarder(config: &mut Config) {
    serve_by_hand(config, by_hand::HOARDING_TIMERS);
}

async fn hoarding_handles(gateway: &TestGateway) {
    withstand_by_hand(gateway, by_hand::HOARDING_TIMERS).await;
}

fn a_burglar(config: &mut Config) {
    serve_by_hand(config, by_hand::LOOKING_AROUND);
}

/// It would trap if it found anything.
async fn files_sockets_and_the_environment(gateway: &TestGateway) {
    withstand_by_hand(gateway, by_hand::LOOKING_AROUND).await;
}

fn a_printer(config: &mut Config) {
    serve_by_hand(config, by_hand::PRINTING);
    config.limits.log_bytes = 105;
}

/// All but the first lines are lost: `wasi.rs` counts them.
async fn printing_without_end(gateway: &TestGateway) {
    withstand_by_hand(gateway, by_hand::PRINTING).await;
}
