//! Sequences of sessions, made up at random.

use loggia::manifest::Mode;
use loggia::storage::{Expiry, Otherwise, Value};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::declared::{DECLARED, DELETES, STATEMENTS, UPDATES};

/// Sessions, one after the other.
pub(super) type Sequence = Vec<Step>;

#[derive(Clone, Debug)]
pub(super) enum Step {
    Session {
        mode: Mode,
        /// Its time, in seconds after the beginning.
        at: i64,
        calls: Vec<Call>,
        commits: bool,
    },
    /// The background sweeps at this time.
    Sweep { at: i64 },
}

/// One storage call.
#[derive(Clone, Debug)]
pub(super) enum Call {
    Get { collection: &'static str, ids: Vec<&'static str> },
    Apply(Vec<WriteOf>),
    Select { statement: &'static str, arguments: Vec<(&'static str, Value)>, page: Option<PageOf> },
    Sweep(Vec<&'static str>),
    Update { statement: &'static str, arguments: Vec<(&'static str, Value)>, limit: u32 },
    Delete { statement: &'static str, arguments: Vec<(&'static str, Value)>, limit: u32 },
}

/// A write whose version is not known yet.
#[derive(Clone, Debug)]
pub(super) struct WriteOf {
    pub(super) collection: &'static str,
    pub(super) id: &'static str,
    pub(super) change: ChangeOf,
    pub(super) condition: Condition,
    pub(super) otherwise: Otherwise,
    pub(super) expiry: Expiry,
}

#[derive(Clone, Debug)]
pub(super) enum ChangeOf {
    Put(String),
    Merge(String),
    Delete,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Condition {
    Any,
    Absent,
    Present,
    /// The version that the document had when it was last seen; any before that.
    Seen,
    /// One of those that were seen of any document.
    Other(u8),
}

/// Pages of a result, followed to their end.
#[derive(Clone, Copy, Debug)]
pub(super) struct PageOf {
    pub(super) limit: u32,
    pub(super) offset: u32,
    /// The place in the statement's orders; beyond them, none is named.
    pub(super) order: usize,
    pub(super) total: bool,
}

/// The beginning of all sequences: 2026-03-01T00:00:00Z.
pub(super) const BEGINNING: i64 = 1_772_323_200_000_000;

pub(super) fn strategy() -> impl Strategy<Value = Sequence> {
    let session = (
        prop_oneof![4 => Just(Mode::Write), 2 => Just(Mode::Autocommit), 1 => Just(Mode::Read)],
        time(),
        vec(call(), 1..5),
        prop::bool::weighted(0.8),
    );
    let session =
        session.prop_map(|(mode, at, calls, commits)| Step::Session { mode, at, calls, commits });
    let sweep = time().prop_map(|at| Step::Sweep { at });
    let steps = vec(prop_oneof![12 => session, 1 => sweep], 1..12);
    (filling(), steps).prop_map(|(first, mut steps)| {
        steps.insert(0, first);
        steps
    })
}

/// Something to begin with: on nothing, most calls do nothing.
fn filling() -> impl Strategy<Value = Step> {
    let places =
        ["thing", "note", "timed"].map(|collection| ["a", "b", "c"].map(|id| (collection, id)));
    let put = |(collection, id): (&'static str, &'static str)| {
        (body(), expiry(collection)).prop_map(move |(body, expiry)| WriteOf {
            collection,
            id,
            change: ChangeOf::Put(body),
            condition: Condition::Any,
            otherwise: Otherwise::Skip,
            expiry,
        })
    };
    let writes: Vec<_> = places.into_iter().flatten().map(put).collect();
    writes.prop_map(|writes| Step::Session {
        mode: Mode::Write,
        at: 0,
        calls: vec![Call::Apply(writes)],
        commits: true,
    })
}

/// Around the times at which documents expire, backwards as well.
fn time() -> impl Strategy<Value = i64> {
    select(vec![0_i64, 0, 0, 1, 10, 99, 100, 101, 200, 250, -50])
}

fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        3 => (collection(), vec(id(), 0..4))
            .prop_map(|(collection, ids)| Call::Get { collection, ids }),
        8 => (vec(write(), 0..6), 0..30).prop_map(|(writes, twice)| Call::Apply(apart(writes, twice == 0))),
        4 => prop_oneof![60 => 0..STATEMENTS.len() - 1, 1 => Just(STATEMENTS.len() - 1)].prop_flat_map(select_call),
        1 => vec(collection(), 0..3).prop_map(Call::Sweep),
        3 => (0..UPDATES.len() * 8, given(), limit()).prop_map(|(place, arguments, limit)| {
            // The last one is to be rare.
            let statement = UPDATES[(place / 8).min(place % UPDATES.len())];
            let arguments = fitting(statement, arguments);
            Call::Update { statement, arguments, limit }
        }),
        1 => (0..DELETES.len() * 8, given(), limit()).prop_map(|(place, arguments, limit)| {
            let statement = DELETES[(place / 8).min(place % DELETES.len())];
            let arguments = fitting(statement, arguments);
            Call::Delete { statement, arguments, limit }
        }),
    ]
}

/// No document may be named twice in one call; now and then one is.
fn apart(mut writes: Vec<WriteOf>, may_repeat: bool) -> Vec<WriteOf> {
    let mut seen = std::collections::HashSet::new();
    writes.retain(|write| seen.insert((write.collection, write.id)) || may_repeat);
    writes
}

/// Arguments of statements that change documents, all or only some of which are declared.
fn given() -> impl Strategy<Value = Vec<(&'static str, Value)>> {
    let text = |text: &str| Value::Text(text.to_owned());
    let kind = select(vec![text("x"), text("a"), text("k"), text("é"), Value::Null]);
    let id = select(vec![text("a"), text("b"), text("c")]);
    let by = select(vec![Value::Integer(1), Value::Integer(-3), Value::Null]);
    (option::weighted(0.8, kind), option::weighted(0.7, id), by).prop_map(|(kind, id, by)| {
        let kind = kind.map(|value| ("kind", value));
        let id = id.map(|value| ("id", value));
        kind.into_iter().chain(id).chain([("by", by)]).collect()
    })
}

/// Those that the statement declares; what it needs may be missing.
fn fitting(statement: &str, arguments: Vec<(&'static str, Value)>) -> Vec<(&'static str, Value)> {
    let names: &[&str] = match statement {
        "raise" => &["kind", "by"],
        "rename" | "point" => &["kind", "id"],
        "reword" | "clear" => &["kind"],
        "clear-notes" => &["id"],
        _ => &[],
    };
    arguments.into_iter().filter(|(name, _)| names.contains(name)).collect()
}

fn limit() -> impl Strategy<Value = u32> {
    prop_oneof![2 => Just(0_u32), 1 => 1_u32..3]
}

fn collection() -> impl Strategy<Value = &'static str> {
    let [thing, note, timed, part] = DECLARED;
    prop_oneof![50 => Just(thing), 20 => Just(note), 20 => Just(timed), 20 => Just(part), 1 => Just("nothing")]
}

fn id() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        120 => select(vec!["a", "b", "c", "d"]),
        12 => select(vec!["ä/ü %", "\u{10ffff}", "A"]),
        1 => select(vec!["a\u{0}", ""]),
    ]
}

fn write() -> impl Strategy<Value = WriteOf> {
    let condition = prop_oneof![
        16 => Just(Condition::Any),
        2 => Just(Condition::Absent),
        3 => Just(Condition::Present),
        6 => Just(Condition::Seen),
        1 => any::<u8>().prop_map(Condition::Other),
    ];
    let otherwise = prop_oneof![1 => Just(Otherwise::Fail), 1 => Just(Otherwise::Skip)];
    (collection(), id(), change(), condition, otherwise).prop_flat_map(
        |(collection, id, change, condition, otherwise)| {
            expiry(collection).prop_map(move |expiry| WriteOf {
                collection,
                id,
                change: change.clone(),
                condition,
                otherwise,
                expiry,
            })
        },
    )
}

/// Where documents do not expire, a time is refused: now and then.
fn expiry(collection: &str) -> impl Strategy<Value = Expiry> + use<> {
    let at = select(vec![0_i64, 1, 100, 150]);
    prop_oneof![
        60 => Just(Expiry::Keep),
        10 => Just(Expiry::Default),
        5 => Just(Expiry::Never),
        if ["note", "part"].contains(&collection) { 1 } else { 30 } =>
            at.prop_map(|seconds| Expiry::At(BEGINNING + seconds * 1_000_000)),
    ]
}

fn change() -> impl Strategy<Value = ChangeOf> {
    let wrong = vec!["{", "[1]", "null", r#"{"a":1,"a":2}"#, r#"{"a":1e400}"#];
    let patches = vec!["{", "5", r#"{"kind":{"deep":null}}"#, r#"{"more":{"extra":null}}"#];
    prop_oneof![
        60 => body().prop_map(ChangeOf::Put),
        25 => body().prop_map(ChangeOf::Merge),
        10 => Just(ChangeOf::Delete),
        1 => select(wrong).prop_map(|text| ChangeOf::Put(text.to_owned())),
        1 => select(patches).prop_map(|text| ChangeOf::Merge(text.to_owned())),
    ]
}

/// Members by name with texts of JSON; mostly of the declared type.
const MEMBERS: [(&str, &[&str]); 10] = [
    ("kind", &["\"x\"", "\"a\"", "\"b\"", "\"y\"", "\"X\"", "\"é\"", "\"\"", "null", "5"]),
    ("amount", &["0", "1", "-1", "2.0", "3e0", "null", "2.5", "\"1\""]),
    ("ratio", &["0.5", "-0.0", "1e10", "3", "0.1", "-2.5e-3", "1e308", "null", "true"]),
    ("done", &["true", "false", "null", "0"]),
    (
        "due",
        &[
            "\"2026-03-01T00:00:00Z\"",
            "\"2026-03-01T01:00:00.001+01:00\"",
            "\"1969-12-31T23:59:59.999999Z\"",
            "null",
            "\"yesterday\"",
        ],
    ),
    ("tags", &["[]", "[\"a\"]", "[\"a\",\"b\"]", "[\"b\",\"b\",\"é\"]", "null", "[1]"]),
    (
        "big",
        &[
            "1",
            "2",
            "9223372036854775807",
            "-9223372036854775808",
            "9007199254740993",
            "null",
            "1e30",
        ],
    ),
    ("key", &["\"k\"", "\"l\"", "\"K\"", "null"]),
    ("extra", &["null", "{\"a\":[1,{\"b\":null}]}", "[1,2.50,1e2]", "\"\\u00e9\\n\"", "0.1"]),
    (
        "more",
        &[
            "\"a\"",
            "\"b\"",
            "{\"extra\":{\"z\":1,\"a\":2}}",
            "{}",
            "null",
            "\"\\ud83d\\ude00\"",
            "1.0",
            "[]",
        ],
    ),
];

fn body() -> impl Strategy<Value = String> {
    let member = (0..MEMBERS.len()).prop_flat_map(|place| {
        let (name, texts) = MEMBERS[place];
        // The last text is of another type.
        let last = texts.len() - 1;
        (Just(name), prop_oneof![150 => 0..last, 1 => Just(last)])
    });
    vec(member, 0..6).prop_map(|members| {
        let mut seen = Vec::new();
        for (name, place) in members {
            if seen.iter().all(|(known, _)| *known != name) {
                seen.push((name, place));
            }
        }
        let text = |(name, place): &(&str, usize)| {
            let texts = MEMBERS.iter().find(|(known, _)| known == name).unwrap().1;
            format!("\"{name}\":{}", texts[*place])
        };
        format!("{{{}}}", seen.iter().map(text).collect::<Vec<_>>().join(","))
    })
}

fn select_call(place: usize) -> impl Strategy<Value = Call> {
    let (statement, orders) = STATEMENTS[place];
    let page = (
        prop_oneof![30 => 1_u32..4, 1 => Just(0), 3 => Just(1_000)],
        prop_oneof![9 => Just(0), 1 => 0_u32..4],
        prop_oneof![20 => 0..orders.len().max(1), 1 => Just(orders.len())],
        any::<bool>(),
    );
    let page =
        page.prop_map(|(limit, offset, order, total)| PageOf { limit, offset, order, total });
    (vec(argument(), 0..3), option::of(page)).prop_map(move |(extra, page)| {
        let mut arguments = required(statement);
        for (name, value) in extra {
            if arguments.iter().all(|(known, _)| *known != name) && takes(statement, name) {
                arguments.push((name, value));
            }
        }
        Call::Select { statement, arguments, page }
    })
}

/// Parameters outside of optional conditions.
fn required(statement: &str) -> Vec<(&'static str, Value)> {
    let tags = Value::Texts(vec!["a".to_owned()]);
    match statement {
        "sums" => vec![("more", Value::Integer(0))],
        "tagged" => vec![("tags", tags), ("part", Value::Json("{\"a\":[1]}".to_owned()))],
        _ => Vec::new(),
    }
}

/// Whether to give it an argument; now and then one that it does not have.
fn takes(statement: &str, name: &str) -> bool {
    match statement {
        "list" => true,
        "joined" => name == "kind",
        _ => name == "nothing",
    }
}

fn argument() -> impl Strategy<Value = (&'static str, Value)> {
    let text = |text: &str| Value::Text(text.to_owned());
    prop_oneof![
        6 => select(vec![text("x"), text("é"), text(""), Value::Null]).prop_map(|v| ("kind", v)),
        3 => select(vec![0_i64, 1, i64::MIN]).prop_map(|n| ("least", Value::Integer(n))),
        3 => select(vec![vec![], vec!["a"], vec!["b", "é"]]).prop_map(|tags| {
            ("tags", Value::Texts(tags.into_iter().map(str::to_owned).collect()))
        }),
        3 => select(vec![BEGINNING, BEGINNING + 1, 0]).prop_map(|t| ("before", Value::Timestamp(t))),
        2 => any::<bool>().prop_map(|done| ("done", Value::Boolean(done))),
        2 => select(vec![0.0_f64, -1.0, 0.1, 1e300]).prop_map(|n| ("ratio", Value::Number(n))),
        1 => select(vec![text("1"), Value::Integer(1), Value::Number(f64::NAN)])
            .prop_map(|value| ("done", value)),
        1 => Just(("nothing", Value::Integer(1))),
    ]
}
