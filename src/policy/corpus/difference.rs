//! How two texts differ, line by line.

use std::fmt::Write as _;

/// The lines around a difference that are shown.
const CONTEXT_LINES: usize = 3;

/// The lines of both, with `-` before those that only `expected` has and `+` before those that
/// only `found` has; what both have is shown near a difference.
pub(super) fn of(expected: &str, found: &str) -> String {
    let (old, new): (Vec<_>, Vec<_>) = (expected.lines().collect(), found.lines().collect());
    let lines = script(&old, &new);
    let changed: Vec<usize> = (0..lines.len()).filter(|at| lines[*at].0 != ' ').collect();
    let near = |at: usize| changed.iter().any(|change| change.abs_diff(at) <= CONTEXT_LINES);
    let mut out = String::new();
    let mut skipping = false;
    for (at, (mark, line)) in lines.iter().enumerate() {
        if near(at) {
            writeln!(out, "  {mark} {line}").unwrap();
        } else if !skipping {
            out.push_str("    ⋮\n");
        }
        skipping = !near(at);
    }
    out
}

/// The shortest way from `old` to `new`, by their longest common subsequence.
fn script<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<(char, &'a str)> {
    let mut common = vec![vec![0_usize; new.len() + 1]; old.len() + 1];
    for (row, line) in old.iter().enumerate().rev() {
        for (column, other) in new.iter().enumerate().rev() {
            common[row][column] = if line == other {
                common[row + 1][column + 1] + 1
            } else {
                common[row + 1][column].max(common[row][column + 1])
            };
        }
    }
    let (mut row, mut column) = (0, 0);
    let mut lines = Vec::new();
    while row < old.len() || column < new.len() {
        if row < old.len() && column < new.len() && old[row] == new[column] {
            lines.push((' ', old[row]));
            (row, column) = (row + 1, column + 1);
        } else if column == new.len()
            || row < old.len() && common[row][column + 1] <= common[row + 1][column]
        {
            lines.push(('-', old[row]));
            row += 1;
        } else {
            lines.push(('+', new[column]));
            column += 1;
        }
    }
    lines
}

#[test]
fn a_difference_shows_what_is_near() {
    let shown = of("a\nb\nc\nd\ne\nold\nf", "a\nb\nc\nd\ne\nnew\nf");
    assert_eq!(shown, "    ⋮\n    c\n    d\n    e\n  - old\n  + new\n    f\n");
    assert_eq!(of("a\n", "a\n"), "    ⋮\n");
}
