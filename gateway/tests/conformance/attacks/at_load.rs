//! What a component tries when it is loaded: the reload fails and says why, the gateway goes on
//! with what it had, and a victim is served meanwhile.

use std::path::PathBuf;
use std::time::Duration;

use loggia::config::Plugin;
use loggia::plugin::CompileBounds;

use super::refused::{self, Refused};
use super::{beside_a_victim, two_tenants};
use crate::harness::component::NAME;
use crate::harness::{TestGateway, on_both_databases, send};
use crate::runtime::compile_within;

/// One case for each component.
macro_rules! attacks {
    ($($case:ident = $component:ident),+ $(,)?) => {
        on_both_databases! { $($case with two_tenants),+ }
        $(async fn $case(gateway: &TestGateway) {
            withstand(gateway, refused::$component).await;
        })+
    };
}

attacks! {
    a_start_function_that_loops = LOOPING_START,
    memories_of_64_bits = MEMORY_OF_64_BITS,
    memory_shared_between_threads = SHARED_MEMORY,
    many_memories_at_once = MANY_MEMORIES,
    an_import_that_nobody_offers = UNKNOWN_IMPORT,
    another_version_of_the_interface = LATER_VERSION,
}

on_both_databases! { a_compile_bomb with two_tenants }

async fn withstand(gateway: &TestGateway, Refused { component, why }: Refused) {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("attack-{:032x}.wasm", rand::random::<u128>()));
    std::fs::write(&file, component()).unwrap();
    let plugin = Plugin::at(file.clone());
    gateway.configuration.lock().unwrap().plugins.insert(NAME.to_owned(), plugin);
    let reload = || async {
        let answer = send(gateway.admin, "POST", "/admin/v1/reload", &[], "").await;
        let problem = answer.assert_problem(422, "reload-failed").to_string();
        assert!(problem.contains(why), "{problem}");
    };
    beside_a_victim(gateway, reload).await;
    std::fs::remove_file(file).unwrap();
}

/// The bounds of the gateway's own compiler leave room for the largest languages; here they are
/// those of one who waits less.
async fn a_compile_bomb(gateway: &TestGateway) {
    let bomb = refused::bomb();
    let bounds = CompileBounds { time: Duration::from_millis(300), ..CompileBounds::default() };
    let load = || async {
        let error = compile_within(bounds, &bomb).await.to_string();
        assert!(error.contains("it took more than 300ms"), "{error}");
    };
    beside_a_victim(gateway, load).await;
}
