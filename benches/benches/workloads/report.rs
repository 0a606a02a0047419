//! A table of workloads: what was reached, beside what came before.

use loggia_benches::load::Measured;

/// The table of one plugin, printed row by row.
pub(crate) struct Report;

impl Report {
    pub(crate) fn new(title: &str) -> Self {
        println!(
            "\n## {title}\n\n| | workload | forerunner, in process | here | p50 ms | p95 ms | \
             p99 ms |\n|---|---|---:|---:|---:|---:|---:|"
        );
        Self
    }

    /// A workload whose figure is the time of one operation.
    pub(crate) fn latency(&mut self, id: &str, what: &str, before: &str, mut measured: Measured) {
        let p50 = format!("{} ms", ms(measured.percentile_ms(0.5)));
        row(id, what, before, &p50, &mut measured);
    }

    /// A workload whose figure is how many operations are done in a second.
    pub(crate) fn rate(&mut self, id: &str, what: &str, before: &str, mut measured: Measured) {
        let rate = format!("{:.0}/s", measured.per_second());
        row(id, what, before, &rate, &mut measured);
    }

    /// The same where each operation is a batch of so many events.
    pub(crate) fn events(
        &mut self,
        id: &str,
        what: &str,
        before: &str,
        batch: usize,
        mut measured: Measured,
    ) {
        let rate = format!("{:.0}/s", measured.per_second() * batch as f64);
        row(id, what, before, &rate, &mut measured);
    }

    /// A workload whose figure is the time until all operations are done.
    pub(crate) fn elapsed(&mut self, id: &str, what: &str, before: &str, mut measured: Measured) {
        let elapsed = format!("{} ms in all", ms(measured.elapsed.as_secs_f64() * 1e3));
        row(id, what, before, &elapsed, &mut measured);
    }
}

fn row(id: &str, what: &str, before: &str, figure: &str, measured: &mut Measured) {
    let [p50, p95, p99] = [0.5, 0.95, 0.99].map(|part| ms(measured.percentile_ms(part)));
    println!("| {id} | {what} | {before} | {figure} | {p50} | {p95} | {p99} |");
}

fn ms(time: f64) -> String {
    if time < 10.0 { format!("{time:.2}") } else { format!("{time:.1}") }
}
