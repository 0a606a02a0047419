//! `clients`: who was online with more kinds of clients in the last week than in the week before.

use loggia_plugin_sdk::{Failure, Request, Response, Select, declare};
use serde::{Deserialize, Serialize};

use super::{MAX_ROWS, Weeks};
use crate::event::Client;
use crate::name::username;

/// For each client how many presences had it in the old and in the new week; lists of one client
/// are parameters, since statements have no literals of them.
macro_rules! client_counts {
    () => {
        "count(*) FILTER (WHERE array_has_any(clients, :desktop) \
          AND created_at >= :old AND created_at < :new) AS old_desktop, \
         count(*) FILTER (WHERE array_has_any(clients, :mobile) \
          AND created_at >= :old AND created_at < :new) AS old_mobile, \
         count(*) FILTER (WHERE array_has_any(clients, :web) \
          AND created_at >= :old AND created_at < :new) AS old_web, \
         count(*) FILTER (WHERE array_has_any(clients, :desktop) \
          AND created_at >= :new) AS new_desktop, \
         count(*) FILTER (WHERE array_has_any(clients, :mobile) \
          AND created_at >= :new) AS new_mobile, \
         count(*) FILTER (WHERE array_has_any(clients, :web) \
          AND created_at >= :new) AS new_web"
    };
}
pub(super) use client_counts;

/// 1 where the new set of clients of a relation `g` is larger, else 0. A larger one is another one.
macro_rules! client_drift {
    () => {
        "CASE WHEN CASE WHEN g.new_desktop > 0 THEN 1 ELSE 0 END \
          + CASE WHEN g.new_mobile > 0 THEN 1 ELSE 0 END \
          + CASE WHEN g.new_web > 0 THEN 1 ELSE 0 END \
          > CASE WHEN g.old_desktop > 0 THEN 1 ELSE 0 END \
          + CASE WHEN g.old_mobile > 0 THEN 1 ELSE 0 END \
          + CASE WHEN g.old_web > 0 THEN 1 ELSE 0 END THEN 1 ELSE 0 END"
    };
}
pub(super) use client_drift;

declare! { STORAGE:
    const CLIENTS: Select<Query<'_>, Row> = select("clients", concat!(
        "SELECT t.user_id AS \"userId\", ", username!("t.user_id"), " AS username, \
         t.old_desktop AS old_desktop, t.old_mobile AS old_mobile, t.old_web AS old_web, \
         t.new_desktop AS new_desktop, t.new_mobile AS new_mobile, t.new_web AS new_web \
         FROM (SELECT s.user_id AS user_id, s.old_desktop AS old_desktop, \
          s.old_mobile AS old_mobile, s.old_web AS old_web, s.new_desktop AS new_desktop, \
          s.new_mobile AS new_mobile, s.new_web AS new_web, \
          row_number() OVER (ORDER BY s.user_id) AS place \
          FROM (SELECT g.user_id AS user_id, g.old_desktop AS old_desktop, \
           g.old_mobile AS old_mobile, g.old_web AS old_web, g.new_desktop AS new_desktop, \
           g.new_mobile AS new_mobile, g.new_web AS new_web, ", client_drift!(), " AS drift \
           FROM (SELECT user_id, ", client_counts!(), " FROM event \
            WHERE guild_id = :guild AND type = 'presence' AND created_at >= :old \
            AND NOT user_id = ANY(:exclude) GROUP BY user_id) AS g) AS s \
          WHERE s.drift = 1) AS t \
         WHERE t.place <= :limit",
    )).orders(&[("place", "t.place")]);
}

#[derive(Serialize)]
struct Query<'a> {
    guild: &'a str,
    old: loggia_plugin_sdk::Timestamp,
    new: loggia_plugin_sdk::Timestamp,
    exclude: Vec<&'a str>,
    limit: i64,
    desktop: [&'a str; 1],
    mobile: [&'a str; 1],
    web: [&'a str; 1],
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    user_id: String,
    username: String,
    #[serde(flatten)]
    counts: ClientCounts,
}

/// How many presences had each client.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) struct ClientCounts {
    old_desktop: u64,
    old_mobile: u64,
    old_web: u64,
    new_desktop: u64,
    new_mobile: u64,
    new_web: u64,
}

impl ClientCounts {
    pub(super) fn old_clients(&self) -> Vec<Client> {
        set([self.old_desktop, self.old_mobile, self.old_web])
    }

    pub(super) fn new_clients(&self) -> Vec<Client> {
        set([self.new_desktop, self.new_mobile, self.new_web])
    }
}

fn set(counts: [u64; 3]) -> Vec<Client> {
    let all = [Client::Desktop, Client::Mobile, Client::Web].into_iter().zip(counts);
    all.filter(|(_, count)| *count > 0).map(|(client, _)| client).collect()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Drift {
    user_id: String,
    username: String,
    client_drift_score: u32,
    old_clients: Vec<Client>,
    new_clients: Vec<Client>,
}

pub(super) fn clients(request: &Request) -> Result<Response, Failure> {
    let Weeks { guild, old, new, exclude, limit } = Weeks::of(request, MAX_ROWS)?;
    let [desktop, mobile, web] = [["desktop"], ["mobile"], ["web"]];
    let query = Query { guild, old, new, exclude, limit, desktop, mobile, web };
    let drift = |Row { user_id, username, counts }: Row| Drift {
        user_id,
        username,
        client_drift_score: 1,
        old_clients: counts.old_clients(),
        new_clients: counts.new_clients(),
    };
    let rows: Vec<Drift> = CLIENTS.rows(&query)?.into_iter().map(drift).collect();
    Response::serialize(200, &rows)
}
