//! `docs/metrics.md`, the table of all metrics, as it is written from the code.

use std::fmt::Write as _;
use std::path::Path;

use super::table::TABLE;
use super::{Kind, Metric};

/// What stands before the table.
const BEFORE: &str = include_str!("manual.md");

fn page() -> String {
    let mut page = BEFORE.to_owned();
    page.push_str("| `/metrics` | OpenTelemetry | kind | unit | |\n|---|---|---|---|---|\n");
    for metric in TABLE {
        let Metric { meaning, .. } = metric;
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Balance => "up-down counter",
            Kind::Histogram => "histogram",
        };
        let (scraped, semantic) = (metric.scraped(), metric.semantic_name());
        let unit = metric.semantic_unit();
        let _ = writeln!(page, "| `{scraped}` | `{semantic}` | {kind} | `{unit}` | {meaning} |");
    }
    page
}

#[test]
fn the_table_is_what_the_code_says() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
    if std::env::vars_os().any(|(name, _)| name == "WEIR_WRITE_EXPECTED") {
        std::fs::write(&file, page()).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(written == page(), "run the tests once with WEIR_WRITE_EXPECTED=1");
}
