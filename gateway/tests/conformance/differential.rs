//! Random sequences of storage calls give the same results on both databases.
//!
//! A sequence is a list of sessions (`sequence.rs`). It is run on `SQLite` and on `PostgreSQL`,
//! each time for a tenant that has nothing yet, and what is seen is written down as text
//! (`trace.rs`): the two texts must be equal, line by line. A sequence that fails is made smaller
//! until nothing can be left out.
//!
//! To add an operation: a case of `Call`, how it is made up in `sequence.rs`, and how it is run
//! and written down in `trace.rs`.
//!
//! `LOGGIA_DIFFERENTIAL_SEED` repeats a run, and `LOGGIA_DIFFERENTIAL_SEQUENCES` sets its length.

mod declared;
mod sequence;
mod trace;

use std::cell::Cell;

use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};

use crate::harness::Database;
use crate::harness::store::TestStore;
use sequence::Sequence;

/// How many there are unless the environment says otherwise.
const SEQUENCES: u32 = 2_000;
/// Every run makes up others; this many steps make a failing one smaller.
const SHRINKS: u32 = 2_000;

/// Both databases with the same collections and statements.
struct Pair {
    sqlite: TestStore,
    postgres: TestStore,
}

#[test]
fn random_sequences_give_equal_results() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let pair = runtime.block_on(async {
        Pair {
            sqlite: TestStore::open(Database::sqlite(), &declared::manifest()).await,
            postgres: TestStore::open(Database::postgres().await, &declared::manifest()).await,
        }
    });
    let seed = number("LOGGIA_DIFFERENTIAL_SEED").unwrap_or_else(fresh_seed);
    let sequences = number("LOGGIA_DIFFERENTIAL_SEQUENCES").and_then(|n| u32::try_from(n).ok());
    let config = Config {
        cases: sequences.unwrap_or(SEQUENCES),
        max_shrink_iters: SHRINKS,
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        ..Config::default()
    };
    let run = Cell::new(0_u32);
    let done = TestRunner::new(config).run(&sequence::strategy(), |sequence| {
        run.set(run.get() + 1);
        runtime.block_on(compare(&pair, &sequence, run.get()))
    });
    drop(pair);
    if let Err(failure) = done {
        panic!("LOGGIA_DIFFERENTIAL_SEED={seed}: {failure}");
    }
}

async fn compare(pair: &Pair, sequence: &Sequence, run: u32) -> Result<(), TestCaseError> {
    let tenant = format!("t{run}");
    let sqlite = pair.sqlite.as_tenant(&tenant).await;
    let postgres = pair.postgres.as_tenant(&tenant).await;
    let (left, right) =
        tokio::join!(trace::run(&sqlite, sequence), trace::run(&postgres, sequence));
    let different = left.iter().zip(&right).position(|(left, right)| left != right);
    match different {
        None if left.len() == right.len() => Ok(()),
        place => {
            let place = place.unwrap_or(left.len().min(right.len()));
            let line = |lines: &[String]| lines.get(place).cloned().unwrap_or_default();
            let before = left[..place].join("\n");
            Err(TestCaseError::fail(format!(
                "after\n{before}\nSQLite:     {}\nPostgreSQL: {}",
                line(&left),
                line(&right)
            )))
        }
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap())
}

fn fresh_seed() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one("seed")
}
