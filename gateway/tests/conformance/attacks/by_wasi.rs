//! What a component tries by WASI, beside a victim.

use loggia::config::Config;

use super::list::Expected;
use super::{check, two_tenants, withstand_hand_made};
use crate::harness::component::ATTACK;
use crate::harness::{TestGateway, on_both_databases};
use crate::wasi;

on_both_databases! {
    random_bytes_without_end with a_gambler,
    hoarding_handles with a_hoarder,
    files_sockets_and_the_environment with a_burglar,
    printing_without_end with a_printer,
}

fn a_gambler(config: &mut Config) {
    wasi::taking_too_many_random_bytes(config);
    two_tenants(config);
}

async fn random_bytes_without_end(gateway: &TestGateway) {
    withstand_hand_made(gateway, Expected::Problem(502, "plugin-trap")).await;
}

fn a_hoarder(config: &mut Config) {
    wasi::hoarding_timers(config);
    two_tenants(config);
}

async fn hoarding_handles(gateway: &TestGateway) {
    let expected = Expected::Limit(502, "plugin-resource-limit", "handles");
    withstand_hand_made(gateway, expected).await;
}

fn a_burglar(config: &mut Config) {
    wasi::looking_around(config);
    two_tenants(config);
}

/// It would trap if it found anything.
async fn files_sockets_and_the_environment(gateway: &TestGateway) {
    let attacker = gateway.with_key("attacker");
    let send = || async { check(&attacker.post(ATTACK).await, Expected::Harmless) };
    super::beside_a_victim(gateway, send).await;
}

fn a_printer(config: &mut Config) {
    wasi::printing_much(config);
    two_tenants(config);
}

/// All but the first lines are lost: `wasi.rs` counts them.
async fn printing_without_end(gateway: &TestGateway) {
    let attacker = gateway.with_key("attacker");
    let send = || async { check(&attacker.post(ATTACK).await, Expected::Harmless) };
    super::beside_a_victim(gateway, send).await;
}
