//! All analytics, lists and counts on generated data, against SQL on ordinary tables: equal row for
//! row. `differential/generated.rs` makes the data, and `differential/plain.rs` has the SQL, which was
//! written without that of the plugin.

mod generated;
mod plain;

use serde_json::{Value, json};

use super::{DAY, ago, each};
use crate::harness::faults::patient;
use crate::harness::{TestGateway, on_both_databases};
use generated::{GUILDS, Sent};
use plain::{Plain, Window};

on_both_databases! {
    every_analytic_is_that_of_plain_sql with patient,
    lists_and_counts_are_those_of_plain_sql with patient,
}

/// The names of all analytics.
pub(super) const NAMES: [&str; 10] = [
    "ghosts",
    "lurkers",
    "heatmap",
    "channels",
    "presence",
    "clients",
    "shifts",
    "reactions",
    "roles",
    "suspicion",
];

/// Send all events, some of them again, and hold them in ordinary tables.
async fn both(gateway: &TestGateway) -> Plain<'_> {
    let sent = Sent::generate();
    gateway.at_noon();
    let mut duplicates = 0;
    for batch in sent.batches() {
        let answer = gateway.send_events("", &batch).await.assert_status(200).json();
        assert_eq!(answer["rejected"], json!([]));
        duplicates += answer["duplicates"].as_u64().unwrap();
    }
    assert_eq!(duplicates, sent.repeated());
    Plain::fill(gateway, &sent.events).await
}

async fn every_analytic_is_that_of_plain_sql(gateway: &TestGateway) {
    let plain = both(gateway).await;
    for guild in GUILDS {
        for name in NAMES {
            for window in windows(name) {
                let path = format!("guilds/{guild}/analytics/{name}?{}", window.query());
                let came = gateway.seen(&path).await;
                plain.assert_equal(name, guild, &window, &came, &path).await;
            }
        }
    }
}

/// From when to when, without whom, and how many rows at most.
fn windows(name: &str) -> Vec<Window> {
    let all = Window::default();
    let without = Window { exclude: vec!["u03", "u07"], limit: Some(5), ..Window::default() };
    if ["clients", "shifts"].contains(&name) {
        return vec![all, without];
    }
    let since = Window { since: Some(20 * DAY), ..Window::default() };
    let within = Window { since: Some(10 * DAY), until: Some(3 * DAY), ..without.clone() };
    vec![all, without, since, within]
}

async fn lists_and_counts_are_those_of_plain_sql(gateway: &TestGateway) {
    let plain = both(gateway).await;
    for guild in GUILDS {
        let (since, until) = (ago(20 * DAY), ago(5 * DAY));
        let path = format!(
            "guilds/{guild}/activity?bucket=6h&type=message&type=join&limit=1000&since={since}&until={until}"
        );
        let came = gateway.seen(&path).await["items"].clone();
        plain.assert_activity(guild, &came).await;
        for user in ["u01", "u02"] {
            let path =
                format!("guilds/{guild}/events?user_id={user}&type=typing&type=join&limit=1000");
            let came = gateway.seen(&path).await["items"].clone();
            plain.assert_times(guild, user, &each(&came, "createdAt")).await;
        }
    }
    let stats = gateway.seen("stats").await;
    plain.assert_stats(&stats["items"]).await;
    assert_eq!(stats["count"], Value::from(generated::EVENTS));
}
