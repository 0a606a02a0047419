//! Markdown tables.

use loggia_benches::load::Measured;

/// Print the title and the head of a table.
pub(crate) fn head(title: &str, columns: &[&str]) {
    println!("\n## {title}\n\n| {} |", columns.join(" | "));
    // The first column holds names, the others figures.
    println!("|---|{}", "---:|".repeat(columns.len() - 1));
}

pub(crate) fn row(cells: &[String]) {
    println!("| {} |", cells.join(" | "));
}

/// Operations in a second, p50, p95 and p99.
pub(crate) fn figures(measured: &mut Measured) -> Vec<String> {
    let mut figures = vec![format!("{:.0}", measured.per_second())];
    figures.extend([0.5, 0.95, 0.99].map(|part| ms(measured.percentile_ms(part))));
    figures
}

pub(crate) fn ms(time: f64) -> String {
    if time < 10.0 { format!("{time:.3}") } else { format!("{time:.1}") }
}
