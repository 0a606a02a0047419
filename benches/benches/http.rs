//! G1, G2, G3 one by one: GET and PUT of a 1 kB document through a whole server, on one
//! connection and on 32. `compare.rs` measures the servers against each other.

use anyhow::Result;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};
use loggia_benches::database::Database;
use loggia_benches::document::Method;
use loggia_benches::load::{Load, fill};
use loggia_benches::server::{Kind, Server, served};

fn main() -> Result<()> {
    if served() {
        return Ok(());
    }
    let mut criterion = Criterion::default().sample_size(20).configure_from_args();
    let postgres = Database::postgres()?;
    // The gateway first: the native handler uses its tables.
    bench(&mut criterion, "postgres", Kind::Warm, &postgres)?;
    bench(&mut criterion, "postgres", Kind::Fresh, &postgres)?;
    bench(&mut criterion, "postgres", Kind::Native, &postgres)?;
    bench(&mut criterion, "sqlite", Kind::Warm, &Database::sqlite()?)?;
    criterion.final_summary();
    Ok(())
}

fn bench(criterion: &mut Criterion, name: &str, kind: Kind, database: &Database) -> Result<()> {
    let server = Server::start(kind, &database.url())?;
    fill(server.address)?;
    let mut group = criterion.benchmark_group(format!("{name}/{}", kind.name()));
    group.throughput(Throughput::Elements(1));
    for method in [Method::Get, Method::Put] {
        for connections in [1, 32] {
            bench_method(&mut group, &server, method, connections)?;
        }
    }
    group.finish();
    Ok(())
}

fn bench_method(
    group: &mut BenchmarkGroup<'_, WallTime>,
    server: &Server,
    method: Method,
    connections: usize,
) -> Result<()> {
    let mut load = Load::open(server.address, method, connections)?;
    let mut failed = Ok(());
    group.bench_function(format!("{}/{connections}", method.name()), |bencher| {
        bencher.iter_custom(|times| match load.run_times(times) {
            Ok(measured) => measured.elapsed,
            Err(error) => {
                failed = Err(error);
                // Criterion takes no zero.
                std::time::Duration::from_nanos(1)
            }
        });
    });
    failed
}
