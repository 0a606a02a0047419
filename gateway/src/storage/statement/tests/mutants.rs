//! Mutants of valid statements: tokens left out, doubled, swapped and replaced, halves of two
//! statements put together, and hostile fragments put in between. The same seed gives the same.

use serde_json::{Value, json};

/// What an attacker would like to get past the checker.
const FRAGMENTS: &[&str] = &[
    "; DROP TABLE session",
    "-- x",
    "/* x */",
    "UNION ALL SELECT value FROM loggia_secret",
    "UNION SELECT id FROM event",
    "FROM pg_catalog.pg_class",
    "FROM sqlite_master",
    "FROM test__session",
    "FROM \"test__session\"",
    "JOIN session AS x ON true",
    "JOIN loggia_tenant AS x ON true",
    "LEFT JOIN event AS x ON x.id = id",
    "pg_sleep(10)",
    "load_extension('x')",
    "pg_read_file('/etc/passwd')",
    "readfile('/etc/passwd')",
    "current_setting('x')",
    "query_to_xml('SELECT 1', true, true, '')",
    "nextval('loggia_version')",
    "loggia_version()",
    "loggia_add(1, 2)",
    "loggia_set_members(id)",
    "json_each('[1]')",
    "generate_series(1, 2)",
    "\"pg_sleep\"(1)",
    "randomblob(10)",
    "tenant",
    "d.tenant",
    "t0.tenant",
    "rid",
    "rowid",
    "ctid",
    "body",
    "f__state",
    "\"#0\"",
    "c0",
    "t1",
    "picked",
    "OR true",
    "AND NOT false",
    "') OR ('1' = '1",
    "'\\'",
    "'it''s'",
    "E'\\''",
    "U&'x'",
    "$$x$$",
    "$1",
    "?1",
    "::regclass",
    "CAST(id AS regclass)",
    "COLLATE \"C\"",
    "AT TIME ZONE 'x'",
    "LIMIT 1",
    "FOR UPDATE",
    "INTO t",
    "RETURNING id",
    "OVER (ORDER BY id)",
    "FILTER (WHERE true)",
    "EXISTS (SELECT id FROM event)",
    "(SELECT count(*) FROM event)",
    "(SELECT title FROM session)",
    "IN (SELECT id FROM event)",
    "= ANY(tags)",
    "*",
    "session.*",
    "(",
    ")",
    ",",
    "NULL",
    ":state",
    ":x",
    "id",
    "size + 1",
    "coalesce(id, '')",
    "WITH x AS (SELECT 1)",
    "DELETE FROM session",
    "PRAGMA query_only",
    "ATTACH 'x' AS y",
];

/// A source of mutants without an end.
#[derive(Debug)]
pub(super) struct Mutants {
    state: u64,
    /// Declarations as they are valid, in tokens.
    seeds: Vec<Seed>,
}

#[derive(Clone, Debug)]
struct Seed {
    select: Vec<String>,
    conditions: Vec<Vec<String>>,
    orders: Vec<Vec<String>>,
}

impl Mutants {
    /// Mutants of these declarations, which have members as in a manifest.
    pub(super) fn new(seed: u64, declarations: &[Value]) -> Self {
        let seeds = declarations.iter().map(Seed::new).collect();
        Self { state: seed | 1, seeds }
    }

    /// The next one.
    pub(super) fn next(&mut self) -> Value {
        let other = self.below(self.seeds.len());
        let other = self.seeds[other].clone();
        let place = self.below(self.seeds.len());
        let mut seed = self.seeds[place].clone();
        for _ in 0..=self.below(3) {
            let part = self.below(4);
            let tokens = match part {
                0 if !seed.conditions.is_empty() => &mut seed.conditions[0],
                1 if !seed.orders.is_empty() => &mut seed.orders[0],
                _ => &mut seed.select,
            };
            let mut changed = std::mem::take(tokens);
            self.mutate(&mut changed, &other.select);
            match part {
                0 if !seed.conditions.is_empty() => seed.conditions[0] = changed,
                1 if !seed.orders.is_empty() => seed.orders[0] = changed,
                _ => seed.select = changed,
            }
        }
        seed.declaration()
    }

    fn mutate(&mut self, tokens: &mut Vec<String>, other: &[String]) {
        let (one, two) = (self.below(tokens.len()), self.below(tokens.len()));
        let foreign = self.below(other.len());
        match self.below(7) {
            0 if tokens.len() > 1 => drop(tokens.remove(one)),
            1 if !tokens.is_empty() => tokens.insert(one, tokens[two].clone()),
            2 if !tokens.is_empty() => tokens.swap(one, two),
            3 if !tokens.is_empty() => tokens[one].clone_from(&other[foreign]),
            4 => {
                tokens.truncate(one);
                tokens.extend_from_slice(&other[foreign..]);
            }
            5 if !tokens.is_empty() => tokens[one] = self.fragment(),
            _ => {
                let fragment = self.fragment();
                tokens.insert(one, fragment);
            }
        }
    }

    fn fragment(&mut self) -> String {
        FRAGMENTS[self.below(FRAGMENTS.len())].to_owned()
    }

    /// A number below this one; 0 below 0. Xorshift, so that it is the same everywhere.
    fn below(&mut self, limit: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        usize::try_from(self.state >> 33).unwrap_or(0) % limit.max(1)
    }
}

impl Seed {
    fn new(declaration: &Value) -> Self {
        let text = |value: &Value| tokens(value.as_str().unwrap_or_default());
        let conditions = declaration["where"].as_array();
        let orders = declaration["order"].as_object();
        Self {
            select: text(&declaration["select"]),
            conditions: conditions.map(|all| all.iter().map(text).collect()).unwrap_or_default(),
            orders: orders.map(|all| all.values().map(text).collect()).unwrap_or_default(),
        }
    }

    fn declaration(&self) -> Value {
        let texts = |all: &[Vec<String>]| all.iter().map(|t| t.join(" ")).collect::<Vec<_>>();
        let mut declaration = json!({"name": "mutant", "select": self.select.join(" ")});
        if !self.conditions.is_empty() {
            declaration["where"] = json!(texts(&self.conditions));
        }
        for (place, order) in texts(&self.orders).into_iter().enumerate() {
            declaration["order"][format!("o{place}")] = json!(order);
        }
        declaration
    }
}

/// Words, numbers, texts and operators, without the spaces between.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
        let end = match first {
            '\'' | '"' => quoted(rest, first),
            ':' => 1 + rest[1..].find(|c| !word(c)).unwrap_or(rest.len() - 1),
            _ if word(first) => rest.find(|c| !word(c)).unwrap_or(rest.len()),
            _ if ["<=", ">=", "<>", "||"].iter().any(|op| rest.starts_with(op)) => 2,
            _ => first.len_utf8(),
        };
        tokens.push(rest[..end].to_owned());
        rest = rest[end..].trim_start();
    }
    tokens
}

/// Where a quoted text ends; a doubled quote stands for itself.
fn quoted(text: &str, quote: char) -> usize {
    let mut end = 1;
    loop {
        match text[end..].find(quote) {
            None => return text.len(),
            Some(place) if text[end + place + 1..].starts_with(quote) => end += place + 2,
            Some(place) => return end + place + 1,
        }
    }
}
