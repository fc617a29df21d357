//! The documents of the Cruddur app hold against their golden twins: what the X-Ray SDK for Python sent when the
//! original app was asked the same. Where they differ on purpose, `golden/DIFFERENCES.md` says so, and why.
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod app;
mod differences;
mod facts;
mod twin;

use std::path::{Path, PathBuf};

use differences::judge;
use twin::Twin;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

fn page() -> String {
    std::fs::read_to_string(golden().join("DIFFERENCES.md")).unwrap()
}

/// The twins whose routes our app has.
const TWINS: [&str; 32] = [
    "01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "11", "12", "13", "14", "15", "20", "21",
    "22", "23", "24", "25", "30", "31", "32", "34", "40", "41", "42", "43", "44", "50", "51",
];

#[test]
fn the_documents_hold_against_their_golden_twins() {
    let twins = twin::read_all(&golden().join("xray"));
    assert_eq!(twins.iter().map(|twin| twin.number.as_str()).collect::<Vec<_>>(), TWINS);

    let left_out = differences::left_out(&page());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut found = Vec::new();
    let mut unneeded = left_out.0.clone();
    for Twin { number, request, golden } in twins {
        let ours = app::answer(&runtime, &request);
        let facts = |exchange| facts::of(exchange, request.trace_header(), &left_out);
        let (golden, ours) = (facts(&golden), facts(&ours));
        unneeded.retain(|end| !golden.has(end));
        found.push((number, facts::differences(&golden, &ours)));
    }
    let mut problems = judge(&differences::read(&page()), &found);
    problems.extend(unneeded.iter().map(|end| format!("DIFFERENCES.md: no twin has {end}")));
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn each_difference_quotes_the_line_that_it_follows() {
    for row in differences::read(&page()) {
        let quotes = row.why.matches('"').count();
        let named = row.why.contains('§') || row.why.starts_with("Row ");
        assert!(named && quotes >= 2 && quotes % 2 == 0, "{row:?}");
    }
}
