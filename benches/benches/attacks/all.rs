//! All attacks of the conformance suite, one after the other.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use loggia::config::Plugin;
use loggia::plugin::CompileBounds;
use loggia_benches::gateway::runtime_within;

use crate::attack::{Attack, NO_BODY, Step, What, request};
use crate::by_hand::{self, ByHand};
use crate::component::{ATTACK, NAME};
use crate::gateway::{Gateway, reload};
use crate::list::{self, Expected};
use crate::refused::{self, Refused};

/// As in the conformance suite, where the same attacks are tests.
pub(crate) const ATTACKERS: usize = 4;

/// By one request to the plugin `faults`, of which nothing depends on another.
const BY_A_REQUEST: [list::Attack; 19] = [
    list::ENDLESS_LOOP,
    list::RECURSION,
    list::MEMORY,
    list::TRAPPING,
    list::TRAP_AFTER_WRITES,
    list::TRAP_WITH_A_LOCK,
    list::STORAGE_CALLS,
    list::GIANT_ID,
    list::GIANT_BODY,
    list::GIANT_LIST,
    list::LOST_RACES,
    list::LOG_FLOOD,
    list::GIANT_LOG,
    list::FORGED_LOG,
    list::MANY_HEADERS,
    list::SPLIT_HEADER,
    list::BAD_STATUS,
    list::LARGE_BODY,
    list::BODY_OF_A_GIGABYTE,
];

/// By a component that is served.
const BY_HAND: [(&str, ByHand); 7] = [
    ("sleep by WASI", by_hand::SLEEPING),
    ("tables that grow", by_hand::GROWING_TABLES),
    ("memory.grow to 4 GiB", by_hand::GROWING_MEMORY),
    ("2^40 random bytes by WASI", by_hand::TAKING_RANDOM_BYTES),
    ("timers without end by WASI", by_hand::HOARDING_TIMERS),
    ("files, sockets, environment", by_hand::LOOKING_AROUND),
    ("1,000 printed lines by WASI", by_hand::PRINTING),
];

/// By a component that a reload refuses.
const REFUSED: [(&str, Refused); 6] = [
    ("load: start function that loops", refused::LOOPING_START),
    ("load: memory64", refused::MEMORY_OF_64_BITS),
    ("load: shared memory", refused::SHARED_MEMORY),
    ("load: many memories", refused::MANY_MEMORIES),
    ("load: unknown import", refused::UNKNOWN_IMPORT),
    ("load: wrong version of the WIT", refused::LATER_VERSION),
];

/// Give each to `measure`, with its name, when the gateway is ready for it.
pub(crate) fn each(gateway: &Gateway, measure: impl Fn(&str, Attack) -> Result<()>) -> Result<()> {
    let key = &gateway.attacker;
    let json = ("application/json", r#"{"title":"free"}"#);
    let held = request("PUT", "/v1/faults/documents/held", key, json);
    Gateway::ask(gateway.address, &[Step { request: held, status: 201, told: vec![] }])?;
    for attack in BY_A_REQUEST {
        let request = request(attack.method, &format!("/v1/faults/{}", attack.path), key, NO_BODY);
        measure(attack.path, by_requests(gateway, vec![Step::new(request, attack.expected)]))?;
    }
    measure("a secret left in memory", by_requests(gateway, leaving_a_secret(key)))?;
    for (name, ByHand { guest, expected }) in BY_HAND {
        gateway.configure(|config| guest.serve(config));
        Gateway::ask(gateway.admin, &[reload(200, "")])?;
        let request = request("POST", ATTACK, key, NO_BODY);
        measure(name, by_requests(gateway, vec![Step::new(request, expected)]))?;
    }
    for (name, Refused { component, why }) in REFUSED {
        let file = tempfile::NamedTempFile::new_in(Path::new(env!("CARGO_TARGET_TMPDIR")))?;
        std::fs::write(&file, component())?;
        let plugin = Plugin::at(file.path().to_owned());
        gateway.configure(|config| drop(config.plugins.insert(NAME.to_owned(), plugin)));
        measure(name, by_one(What::Requests(gateway.admin, vec![reload(422, why)])))?;
    }
    gateway.configure(|config| drop(config.plugins.remove(NAME)));
    Gateway::ask(gateway.admin, &[reload(200, "")])?;
    measure("load: compile bomb", by_one(compiling()?))
}

fn by_requests(gateway: &Gateway, steps: Vec<Step>) -> Attack {
    let what = Arc::new(What::Requests(gateway.address, steps));
    Attack { attackers: ATTACKERS, what }
}

/// One reload or compilation at a time is under way, whoever asks.
fn by_one(what: What) -> Attack {
    Attack { attackers: 1, what: Arc::new(what) }
}

/// Keep a text, throw the instance away that has it, and look through the memory of the next.
fn leaving_a_secret(key: &str) -> Vec<Step> {
    let text = ("text/plain", "secret-of-the-attacker");
    let remember = request("POST", "/v1/faults/remember", key, text);
    let trap = request("POST", "/v1/faults/trap", key, NO_BODY);
    let backwards: String = text.1.chars().rev().collect();
    let recall = format!("/v1/faults/recall?backwards={backwards}");
    let recall = request("GET", &recall, key, NO_BODY);
    vec![
        Step::new(remember, Expected::Harmless),
        Step::new(trap, list::TRAPPING.expected),
        Step { request: recall, status: 200, told: vec!["found"] },
    ]
}

/// With bounds of one who waits less, as in the conformance suite.
fn compiling() -> Result<What> {
    let bounds = CompileBounds { time: Duration::from_millis(300), ..CompileBounds::default() };
    Ok(What::Compile(runtime_within(bounds)?, refused::bomb()))
}
