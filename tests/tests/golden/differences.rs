//! The table of deliberate differences, and the judgement of those that were found.

use std::collections::BTreeSet;

use crate::facts::{Difference, LeftOut, Side};

/// One row of `golden/DIFFERENCES.md`.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    line: usize,
    cases: Vec<String>,
    paths: Vec<String>,
    golden: Option<String>,
    ours: Option<String>,
    pub(crate) why: String,
}

impl Row {
    fn allows(&self, case: &str, difference: &Difference) -> bool {
        let what = match difference.side {
            Side::Golden => &self.golden,
            Side::Ours => &self.ours,
        };
        self.cases.iter().any(|known| known == case)
            && self.paths.contains(&difference.path)
            && what.as_ref() == Some(&difference.what)
    }
}

/// The rows of a table with the columns cases, paths, golden, ours and why.
pub(crate) fn read(page: &str) -> Vec<Row> {
    let lines = page.lines().enumerate().map(|(index, line)| (index + 1, line));
    let rows = lines.filter(|(_, line)| line.starts_with("| ") && !line.starts_with("| Cases "));
    rows.map(|(line, text)| {
        let cells: Vec<_> = text.trim_matches('|').split('|').map(str::trim).collect();
        let [cases, paths, golden, ours, why] = cells[..] else { panic!("line {line} has not 5 cells") };
        Row {
            line,
            cases: cases.split(' ').flat_map(numbers).collect(),
            paths: quoted(paths),
            golden: quoted(golden).pop(),
            ours: quoted(ours).pop(),
            why: why.to_owned(),
        }
    })
    .collect()
}

/// The paths that the page lists as not compared.
pub(crate) fn left_out(page: &str) -> LeftOut {
    let lines = page.lines().filter(|line| line.starts_with("- `"));
    LeftOut(lines.flat_map(quoted).collect())
}

/// `02`, or `40-44`.
fn numbers(cases: &str) -> Vec<String> {
    let (first, last) = cases.split_once('-').unwrap_or((cases, cases));
    let (first, last): (u8, u8) = (first.parse().unwrap(), last.parse().unwrap());
    (first..=last).map(|number| format!("{number:02}")).collect()
}

/// What stands between backticks.
fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// What is wrong: a difference that no row allows, and a row, a case, a path or a side of it that nothing needs.
pub(crate) fn judge(rows: &[Row], found: &[(String, BTreeSet<Difference>)]) -> Vec<String> {
    let mut problems = Vec::new();
    let all: Vec<_> = found.iter().flat_map(|(case, found)| found.iter().map(move |d| (case, d))).collect();
    for (case, Difference { path, side, what }) in
        all.iter().filter(|(case, difference)| !rows.iter().any(|row| row.allows(case, difference)))
    {
        problems.push(format!("twin {case}: only {side:?} has {path}: {what}"));
    }
    for row in rows {
        let used: Vec<_> = all.iter().filter(|(case, difference)| row.allows(case, difference)).collect();
        let mut unused =
            |what: &str| problems.push(format!("DIFFERENCES.md:{}: no twin needs {what}", row.line));
        for case in row.cases.iter().filter(|case| !used.iter().any(|(used, _)| used == case)) {
            unused(&format!("case {case}"));
        }
        for path in row.paths.iter().filter(|path| !used.iter().any(|(_, used)| used.path == **path)) {
            unused(&format!("path {path}"));
        }
        for (side, what) in [(Side::Golden, &row.golden), (Side::Ours, &row.ours)] {
            if what.is_some() && !used.iter().any(|(_, used)| used.side == side) {
                unused(&format!("its cell {side:?}"));
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "\
| Cases | Paths | Golden | Ours | Why |
|---|---|---|---|---|
| 01-02 | `a` `b` | `= 1` | `= 2` | why |
";

    fn found(case: &str, differences: &[(&str, Side, &str)]) -> (String, BTreeSet<Difference>) {
        let difference =
            |&(path, side, what): &_| Difference { path: String::from(path), side, what: String::from(what) };
        (case.to_owned(), differences.iter().map(difference).collect())
    }

    #[test]
    fn what_a_row_allows_is_no_problem() {
        let first = [("a", Side::Golden, "= 1"), ("a", Side::Ours, "= 2")];
        let second = [("b", Side::Golden, "= 1"), ("b", Side::Ours, "= 2")];
        assert_eq!(judge(&read(PAGE), &[found("01", &first), found("02", &second)]), Vec::<String>::new());
    }

    #[test]
    fn what_no_row_allows_is_a_problem() {
        let all = [("a", Side::Golden, "= 1"), ("b", Side::Golden, "= 1"), ("a", Side::Ours, "= 2")];
        for wrong in [("a", Side::Ours, "= 1"), ("c", Side::Golden, "= 1"), ("b", Side::Ours, "string")] {
            let mut first = all.to_vec();
            first.push(wrong);
            let problems = judge(&read(PAGE), &[found("01", &first), found("02", &all)]);
            let (path, side, what) = wrong;
            assert_eq!(problems, [format!("twin 01: only {side:?} has {path}: {what}")]);
        }
    }

    #[test]
    fn what_no_twin_needs_is_a_problem() {
        let problems = judge(&read(PAGE), &[found("01", &[("a", Side::Golden, "= 1")]), found("02", &[])]);
        let needless = ["case 02", "path b", "its cell Ours"];
        assert_eq!(problems, needless.map(|what| format!("DIFFERENCES.md:3: no twin needs {what}")));
    }

    #[test]
    fn the_paths_that_are_left_out_are_read() {
        assert_eq!(left_out("- `a.b`: the moment\n- none\n").0, ["a.b"]);
    }
}
