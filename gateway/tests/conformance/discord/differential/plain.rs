//! Ordinary tables, and what each analytic is in SQL on them. The same SQL runs on both databases:
//! on `SQLite` in one of its own, in memory.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::Value;
use tokio_postgres::{NoTls, SimpleQueryMessage};

use super::super::{DAY, HOUR, NOW};
use crate::harness::TestGateway;

/// The parameters of an analytic; times are so many milliseconds ago.
#[derive(Clone, Debug, Default)]
pub(super) struct Window {
    pub(super) since: Option<i64>,
    pub(super) until: Option<i64>,
    pub(super) exclude: Vec<&'static str>,
    pub(super) limit: Option<usize>,
}

impl Window {
    pub(super) fn query(&self) -> String {
        let time = |name: &str, time: Option<i64>| {
            time.map(|time| format!("{name}={}", super::super::ago(time)))
        };
        let limit = self.limit.map(|limit| format!("limit={limit}"));
        let users = self.exclude.iter().map(|user| format!("exclude_users={user}"));
        let parts = [time("since", self.since), time("until", self.until), limit];
        parts.into_iter().flatten().chain(users).collect::<Vec<_>>().join("&")
    }
}

/// A database with the tables `happened` and `was_on`.
pub(super) enum Plain<'a> {
    Sqlite(rusqlite::Connection),
    Postgres(&'a TestGateway),
}

const TABLES: &str = "
    CREATE TABLE happened (what text, guild text, who text, called text, ms bigint, room text,
        room_called text, age bigint, took bigint, number bigint);
    CREATE TABLE was_on (number bigint, client text);";

type Row = Vec<Option<String>>;

impl<'a> Plain<'a> {
    /// Events with their times before now.
    pub(super) async fn fill(gateway: &'a TestGateway, events: &[(i64, Value)]) -> Self {
        let plain = if gateway.is_sqlite() {
            Self::Sqlite(rusqlite::Connection::open_in_memory().unwrap())
        } else {
            Self::Postgres(gateway)
        };
        let mut sql = TABLES.to_owned();
        for (number, (ago, event)) in events.iter().enumerate() {
            let text = |name: &str| match &event[name] {
                Value::String(text) => format!("'{text}'"),
                Value::Number(number) => number.to_string(),
                _ => "NULL".to_owned(),
            };
            let members = ["type", "guildId", "userId", "username"].map(text).join(", ");
            let more = ["channelId", "channel", "accountAgeDays", "deltaMs"].map(text).join(", ");
            let _ = write!(
                sql,
                "INSERT INTO happened VALUES ({members}, {}, {more}, {number});",
                now() - ago
            );
            let mut clients: Vec<&str> = Vec::new();
            for client in event["clients"].as_array().into_iter().flatten() {
                clients.push(client.as_str().unwrap());
            }
            clients.sort_unstable();
            clients.dedup();
            for client in clients {
                let _ = write!(sql, "INSERT INTO was_on VALUES ({number}, '{client}');");
            }
        }
        plain.execute(&sql).await;
        plain
    }

    async fn execute(&self, sql: &str) {
        match self {
            Self::Sqlite(connection) => connection.execute_batch(sql).unwrap(),
            Self::Postgres(_) => drop(self.rows(sql).await),
        }
    }

    async fn rows(&self, sql: &str) -> Vec<Row> {
        match self {
            Self::Sqlite(connection) => sqlite_rows(connection, sql),
            Self::Postgres(gateway) => postgres_rows(&gateway.database().url(), sql).await,
        }
    }

    /// Fail unless the answer has the rows of the analytic, in their order.
    pub(super) async fn assert_equal(
        &self,
        name: &str,
        guild: &str,
        window: &Window,
        came: &Value,
        path: &str,
    ) {
        let sql = analytic(name, guild, window);
        let rows = self.rows(&sql).await;
        let came = came.as_array().unwrap();
        assert_eq!(came.len(), rows.len(), "{path}\n{sql}");
        if window.since.is_none() && window.until.is_none() {
            assert!(!rows.is_empty(), "{path} says nothing");
        }
        for (place, (row, came)) in rows.iter().zip(came).enumerate() {
            assert_row(row, came, columns(name), &format!("row {place} of {path}"));
        }
    }

    pub(super) async fn assert_activity(&self, guild: &str, came: &Value) {
        let (since, until, width) = (now() - 20 * DAY, now() - 5 * DAY, 6 * HOUR);
        let sql = format!(
            "SELECT ms - ms % {width}, count(*) FROM happened WHERE guild = '{guild}' AND what IN \
             ('message', 'join') AND ms >= {since} AND ms < {until} GROUP BY 1 ORDER BY 1"
        );
        let rows = self.rows(&sql).await.into_iter().map(|row| {
            let [bucket, count] = [0, 1].map(|place| row[place].clone().unwrap());
            (time(bucket.parse().unwrap()), count)
        });
        let came =
            came.as_array().unwrap().iter().map(|item| {
                (item["bucket"].as_str().unwrap().to_owned(), item["count"].to_string())
            });
        assert!(rows.eq(came), "{guild}");
    }

    pub(super) async fn assert_times(&self, guild: &str, user: &str, came: &[Value]) {
        let sql = format!(
            "SELECT ms FROM happened WHERE guild = '{guild}' AND who = '{user}' \
             AND what IN ('typing', 'join') ORDER BY ms DESC"
        );
        let rows = self.rows(&sql).await.into_iter();
        let rows: Vec<Value> =
            rows.map(|row| time(row[0].as_ref().unwrap().parse().unwrap()).into()).collect();
        assert_eq!(came, rows, "{guild} {user}");
    }

    pub(super) async fn assert_stats(&self, came: &Value) {
        let sql = "SELECT guild, what, count(*), min(ms), max(ms) FROM happened \
                   GROUP BY guild, what ORDER BY guild, what";
        let rows = self.rows(sql).await;
        let came = came.as_array().unwrap();
        assert_eq!((rows.len(), came.len()), (21, 21));
        for (row, came) in rows.iter().zip(came) {
            let text = |place: usize| row[place].clone().unwrap();
            assert_eq!(
                (came["guildId"].as_str(), came["type"].as_str()),
                (row[0].as_deref(), row[1].as_deref())
            );
            assert_eq!(came["count"].to_string(), text(2));
            let times = [3, 4].map(|place| time(text(place).parse().unwrap()));
            assert_eq!([&came["oldest"], &came["newest"]], [&times[0], &times[1]]);
        }
    }
}

fn now() -> i64 {
    NOW.parse::<Timestamp>().unwrap().as_millisecond()
}

fn time(milliseconds: i64) -> String {
    format!("{:.3}", Timestamp::from_millisecond(milliseconds).unwrap())
}

fn sqlite_rows(connection: &rusqlite::Connection, sql: &str) -> Vec<Row> {
    use rusqlite::types::Value as Sql;
    let mut prepared = connection.prepare(sql).unwrap();
    let width = prepared.column_count();
    let text = |value: Sql| match value {
        Sql::Null => None,
        Sql::Text(text) => Some(text),
        Sql::Integer(number) => Some(number.to_string()),
        Sql::Real(number) => Some(number.to_string()),
        Sql::Blob(_) => panic!("the tables have no blobs"),
    };
    let rows = prepared
        .query_map([], |row| Ok((0..width).map(|n| text(row.get(n).unwrap())).collect::<Row>()));
    rows.unwrap().map(Result::unwrap).collect()
}

async fn postgres_rows(url: &str, sql: &str) -> Vec<Row> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    let driver = tokio::spawn(connection);
    let messages = client.simple_query(sql).await.unwrap();
    drop(client);
    driver.await.unwrap().ok();
    let rows = messages.into_iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => {
            Some((0..row.len()).map(|n| row.get(n).map(str::to_owned)).collect())
        }
        _ => None,
    });
    rows.collect()
}

/// Numbers may differ in their last digit, and by how they are written.
fn assert_row(row: &Row, came: &Value, columns: &[&str], context: &str) {
    assert_eq!(came.as_object().unwrap().len(), columns.len(), "{context}: {came}");
    for (column, expected) in columns.iter().zip(row) {
        let equal = match (&came[*column], expected) {
            (Value::Null, None) => true,
            (Value::String(text), Some(expected)) => text == expected,
            (Value::Number(number), Some(expected)) => {
                let (came, expected) = (number.as_f64().unwrap(), expected.parse::<f64>().unwrap());
                (came - expected).abs() <= 1e-9 * expected.abs().max(1.0)
            }
            (Value::Array(list), Some(expected)) => {
                let list: Vec<&str> = list.iter().map(|item| item.as_str().unwrap()).collect();
                list.join("+") == *expected
            }
            _ => false,
        };
        assert!(equal, "{context}: {column} is {} and not {expected:?}", came[*column]);
    }
}

/// The columns of the SQL of an analytic.
fn columns(name: &str) -> &'static [&'static str] {
    match name {
        "ghosts" => &["userId", "username", "typingCount", "messageCount", "ghostScore"],
        "lurkers" => &["userId", "username", "lurkerScore", "presenceCount"],
        "heatmap" => &["userId", "username", "channelId", "channel", "count"],
        "channels" => &["userId", "username", "channelCount"],
        "presence" => &["userId", "username", "multiClientCount"],
        "clients" => &["userId", "username", "clientDriftScore", "oldClients", "newClients"],
        "shifts" => &["userId", "username", "behaviorShiftScore", "messageDrop", "typingSpike"],
        "reactions" => &["userId", "username", "avgReactionTime", "fastReactionCount"],
        "roles" => &["userId", "username", "roleChangeCount", "roleDriftScore"],
        _ => &[
            "userId",
            "username",
            "suspicionScore",
            "typingCount",
            "messageCount",
            "ghostScore",
            "lurkerScore",
            "presenceCount",
            "channelCount",
            "multiClientCount",
            "clientDriftScore",
            "oldClients",
            "newClients",
            "behaviorShiftScore",
            "messageDrop",
            "typingSpike",
            "avgReactionTime",
            "fastReactionCount",
            "roleChangeCount",
            "roleDriftScore",
            "accountAgeDays",
        ],
    }
}

/// What each analytic is made of: a table expression for each, of those in the guild and the window.
fn analytic(name: &str, guild: &str, window: &Window) -> String {
    let (week, two_weeks) = (now() - 7 * DAY, now() - 14 * DAY);
    let since = match (window.since, name) {
        (Some(since), _) => now() - since,
        (None, "suspicion") => week,
        (None, _) => i64::MIN,
    };
    let until = window.until.map_or(i64::MAX, |until| now() - until);
    let excluded: Vec<String> = window.exclude.iter().map(|user| format!("'{user}'")).collect();
    let excluded = if excluded.is_empty() { "''".to_owned() } else { excluded.join(", ") };
    let limit = window.limit.unwrap_or(match name {
        "ghosts" | "channels" | "presence" | "roles" => 100,
        "heatmap" => 500,
        "shifts" => 200,
        _ => 100_000,
    });
    let select = select(name);
    format!(
        "WITH here AS (SELECT * FROM happened WHERE guild = '{guild}'),
        named AS (SELECT who, called FROM here
            JOIN (SELECT who, max(ms) AS ms FROM here GROUP BY who) l USING (who, ms)),
        rooms AS (SELECT room, room_called FROM here
            JOIN (SELECT room, max(ms) AS ms FROM here WHERE room_called IS NOT NULL
                GROUP BY room) l USING (room, ms)),
        theirs AS (SELECT * FROM here WHERE who NOT IN ({excluded})),
        inside AS (SELECT * FROM theirs WHERE ms >= {since} AND ms < {until}),
        before AS (SELECT * FROM theirs WHERE ms >= {two_weeks} AND ms < {week}),
        lately AS (SELECT * FROM theirs WHERE ms >= {week}),
        per_user AS (SELECT who,
            sum(CASE WHEN what = 'typing' THEN 1 ELSE 0 END) AS typed,
            sum(CASE WHEN what = 'message' THEN 1 ELSE 0 END) AS sent,
            sum(CASE WHEN what = 'presence' THEN 1 ELSE 0 END) AS seen
            FROM inside GROUP BY who),
        ghost AS (SELECT who, typed, sent,
            CASE WHEN sent = 0 THEN typed * 1.0 ELSE typed * 1.0 / sent END AS score
            FROM per_user WHERE typed > 0),
        lurker AS (SELECT who, seen, CASE WHEN seen >= 5 THEN 1 ELSE 0 END AS score
            FROM per_user WHERE seen > 0 AND typed = 0 AND sent = 0),
        roomy AS (SELECT who, count(DISTINCT room) AS rooms FROM inside
            WHERE what = 'typing' GROUP BY who),
        several AS (SELECT who, count(*) AS n FROM inside
            JOIN (SELECT number FROM was_on GROUP BY number HAVING count(*) >= 2) w
            USING (number) GROUP BY who),
        old_set AS (SELECT DISTINCT who, client FROM before JOIN was_on USING (number)),
        new_set AS (SELECT DISTINCT who, client FROM lately JOIN was_on USING (number)),
        people AS (SELECT DISTINCT who FROM theirs),
        sets AS (SELECT who,
            (SELECT count(*) FROM old_set s WHERE s.who = p.who) AS old_n,
            (SELECT count(*) FROM new_set s WHERE s.who = p.who) AS new_n FROM people p),
        drifted AS (SELECT who FROM sets WHERE new_n > old_n),
        old_of AS (SELECT who, sum(CASE WHEN what = 'message' THEN 1 ELSE 0 END) AS sent,
            sum(CASE WHEN what = 'typing' THEN 1 ELSE 0 END) AS typed FROM before
            WHERE what IN ('message', 'typing') GROUP BY who),
        new_of AS (SELECT who, sum(CASE WHEN what = 'message' THEN 1 ELSE 0 END) AS sent,
            sum(CASE WHEN what = 'typing' THEN 1 ELSE 0 END) AS typed FROM lately
            WHERE what IN ('message', 'typing') GROUP BY who),
        shifted AS (SELECT p.who,
            CASE WHEN coalesce(o.sent, 0) > 0 AND coalesce(n.sent, 0) = 0 THEN 1 ELSE 0 END AS fell,
            CASE WHEN o.typed >= 5 AND coalesce(n.typed, 0) > 2 * o.typed THEN 1 ELSE 0 END AS rose
            FROM people p LEFT JOIN old_of o ON o.who = p.who LEFT JOIN new_of n ON n.who = p.who
            WHERE o.who IS NOT NULL OR n.who IS NOT NULL),
        reacted AS (SELECT who, avg(took * 1.0) AS mean,
            sum(CASE WHEN took < 3000 THEN 1 ELSE 0 END) AS fast FROM inside
            WHERE what = 'reaction_time' GROUP BY who),
        roles AS (SELECT who, count(*) AS n, CASE WHEN count(*) >= 2 THEN 1 ELSE 0 END AS score
            FROM inside WHERE what = 'role_change' GROUP BY who),
        joined AS (SELECT who, age FROM theirs
            JOIN (SELECT who, max(ms) AS ms FROM theirs WHERE what = 'join' GROUP BY who) l
            USING (who, ms))
        {select} LIMIT {limit}"
    )
}

fn select(name: &str) -> String {
    let plain = match name {
        "ghosts" => {
            "SELECT who, called, typed, sent, score FROM ghost NATURAL JOIN named \
             ORDER BY score DESC, who"
        }
        "lurkers" => {
            "SELECT who, called, score, seen FROM lurker NATURAL JOIN named \
             ORDER BY seen DESC, who"
        }
        "heatmap" => {
            "SELECT who, called, room, room_called, n FROM \
             (SELECT who, room, count(*) AS n FROM inside WHERE what = 'typing' \
              GROUP BY who, room) t NATURAL JOIN named NATURAL JOIN rooms \
             ORDER BY n DESC, who, room"
        }
        "channels" => {
            "SELECT who, called, rooms FROM roomy NATURAL JOIN named \
             ORDER BY rooms DESC, who"
        }
        "presence" => "SELECT who, called, n FROM several NATURAL JOIN named ORDER BY n DESC, who",
        "shifts" => {
            "SELECT who, called, fell + rose, fell, rose FROM shifted NATURAL JOIN named \
             ORDER BY fell + rose DESC, who"
        }
        "reactions" => {
            "SELECT who, called, mean, fast FROM reacted NATURAL JOIN named \
             ORDER BY mean, who"
        }
        "roles" => {
            "SELECT who, called, n, score FROM roles NATURAL JOIN named \
             ORDER BY n DESC, who"
        }
        "clients" => {
            let sets = sets_of("drifted.who");
            return format!(
                "SELECT who, called, 1, {sets} FROM drifted NATURAL JOIN named ORDER BY who"
            );
        }
        _ => return suspicion(),
    };
    plain.to_owned()
}

/// The old and the new set of a user's clients, as text.
fn sets_of(user: &str) -> String {
    let member = |table: &str, client: &str| {
        format!(
            "CASE WHEN EXISTS (SELECT 1 FROM {table} s WHERE s.who = {user} AND s.client = '{client}') THEN '+{client}' ELSE '' END"
        )
    };
    let set = |table: &str| {
        let parts = ["desktop", "mobile", "web"].map(|client| member(table, client)).join(" || ");
        format!("substr({parts}, 2)")
    };
    format!("{}, {}", set("old_set"), set("new_set"))
}

fn suspicion() -> String {
    let sets = sets_of("p.who");
    format!(
        "SELECT p.who, called,
            coalesce(g.score, 0) * 2 + coalesce(m.n, 0) * 1.5 + coalesce(c.rooms, 0)
            + CASE WHEN j.age < 14 THEN 3 ELSE 0 END + coalesce(r.fast, 0) * 0.5
            + CASE WHEN r.mean < 3000 THEN 2 ELSE 0 END + coalesce(l.score, 0) * 4
            + coalesce(o.score, 0) * 2 + coalesce(s.fell + s.rose, 0) * 2
            + CASE WHEN d.who IS NULL THEN 0 ELSE 2 END AS total,
            coalesce(u.typed, 0), coalesce(u.sent, 0), coalesce(g.score, 0), coalesce(l.score, 0),
            coalesce(u.seen, 0), coalesce(c.rooms, 0), coalesce(m.n, 0),
            CASE WHEN d.who IS NULL THEN 0 ELSE 1 END, {sets},
            coalesce(s.fell + s.rose, 0), coalesce(s.fell, 0), coalesce(s.rose, 0),
            r.mean, coalesce(r.fast, 0), coalesce(o.n, 0), coalesce(o.score, 0), j.age
        FROM people p NATURAL JOIN named
            LEFT JOIN per_user u ON u.who = p.who LEFT JOIN ghost g ON g.who = p.who
            LEFT JOIN lurker l ON l.who = p.who LEFT JOIN roomy c ON c.who = p.who
            LEFT JOIN several m ON m.who = p.who LEFT JOIN drifted d ON d.who = p.who
            LEFT JOIN shifted s ON s.who = p.who LEFT JOIN reacted r ON r.who = p.who
            LEFT JOIN roles o ON o.who = p.who LEFT JOIN joined j ON j.who = p.who
        WHERE g.who IS NOT NULL OR l.who IS NOT NULL OR c.who IS NOT NULL OR m.who IS NOT NULL
            OR d.who IS NOT NULL OR s.who IS NOT NULL OR r.who IS NOT NULL OR o.who IS NOT NULL
        ORDER BY total DESC, p.who"
    )
}
