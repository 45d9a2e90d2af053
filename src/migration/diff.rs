//! The difference between two texts, line by line, as `diff -u` shows it.

use std::fmt::Write as _;

/// How many lines are shown around a change.
const CONTEXT: usize = 3;
/// How many lines may differ before they are shown as one change: what it takes to compare grows
/// with the square of that.
const DIFFERENT_MAX: usize = 2_000;

/// One line of the difference.
#[derive(Clone, Copy)]
enum Step<'t> {
    Same(&'t str),
    Gone(&'t str),
    New(&'t str),
}

/// `before` against `after`, which both are called `name`; empty if they are the same.
pub fn unified(name: &str, before: &str, after: &str) -> String {
    if before == after {
        return String::new();
    }
    let old: Vec<&str> = before.split_inclusive('\n').collect();
    let new: Vec<&str> = after.split_inclusive('\n').collect();
    let steps = steps(&old, &new);
    let mut out = format!("--- {name}\n+++ {name}\n");
    let changed: Vec<usize> = steps
        .iter()
        .enumerate()
        .filter(|(_, step)| !matches!(step, Step::Same(_)))
        .map(|(nth, _)| nth)
        .collect();
    let mut rest = changed.as_slice();
    while let Some(first) = rest.first() {
        // Changes that are near to each other are one hunk.
        let near = rest.windows(2).take_while(|pair| match pair {
            [one, other] => other - one <= 2 * CONTEXT + 1,
            _ => false,
        });
        let count = near.count() + 1;
        let last = rest.get(count - 1).copied().unwrap_or(*first);
        let from = first.saturating_sub(CONTEXT);
        let to = (last + CONTEXT + 1).min(steps.len());
        hunk(&mut out, &steps, from, to);
        rest = rest.get(count..).unwrap_or_default();
    }
    out
}

fn hunk(out: &mut String, steps: &[Step<'_>], from: usize, to: usize) {
    let (before, inside) = (steps.get(..from), steps.get(from..to));
    let (before, inside) = (before.unwrap_or_default(), inside.unwrap_or_default());
    let old = |steps: &[Step<'_>]| steps.iter().filter(|it| !matches!(it, Step::New(_))).count();
    let new = |steps: &[Step<'_>]| steps.iter().filter(|it| !matches!(it, Step::Gone(_))).count();
    let begins = |before: usize, inside: usize| if inside == 0 { before } else { before + 1 };
    let _ = writeln!(
        out,
        "@@ -{},{} +{},{} @@",
        begins(old(before), old(inside)),
        old(inside),
        begins(new(before), new(inside)),
        new(inside),
    );
    for step in inside {
        let (sign, line) = match step {
            Step::Same(line) => (' ', line),
            Step::Gone(line) => ('-', line),
            Step::New(line) => ('+', line),
        };
        let _ = write!(out, "{sign}{line}");
        if !line.ends_with('\n') {
            out.push_str("\n\\ No newline at end of file\n");
        }
    }
}

/// The longest common sequence of lines, by a table, between what is the same at both ends.
fn steps<'t>(old: &[&'t str], new: &[&'t str]) -> Vec<Step<'t>> {
    let head = old.iter().zip(new).take_while(|(one, other)| one == other).count();
    let (old_rest, new_rest) = (old.get(head..).unwrap_or(&[]), new.get(head..).unwrap_or(&[]));
    let tail =
        old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(|(one, other)| one == other);
    let tail = tail.count();
    let (old_mid, old_tail) = old_rest.split_at(old_rest.len() - tail);
    let (new_mid, _) = new_rest.split_at(new_rest.len() - tail);
    let mut steps: Vec<Step<'t>> = old.iter().take(head).map(|line| Step::Same(line)).collect();
    middle(old_mid, new_mid, &mut steps);
    steps.extend(old_tail.iter().map(|line| Step::Same(line)));
    steps
}

fn middle<'t>(old: &[&'t str], new: &[&'t str], steps: &mut Vec<Step<'t>>) {
    if DIFFERENT_MAX < old.len() || DIFFERENT_MAX < new.len() {
        steps.extend(old.iter().map(|line| Step::Gone(line)));
        steps.extend(new.iter().map(|line| Step::New(line)));
        return;
    }
    let width = new.len() + 1;
    // How many lines `old` from i on and `new` from j on have in common.
    let mut table = vec![0_u16; (old.len() + 1) * width];
    let read = |table: &[u16], i: usize, j: usize| table.get(i * width + j).copied().unwrap_or(0);
    for (i, one) in old.iter().enumerate().rev() {
        for (j, other) in new.iter().enumerate().rev() {
            let best = if one == other {
                read(&table, i + 1, j + 1).saturating_add(1)
            } else {
                read(&table, i + 1, j).max(read(&table, i, j + 1))
            };
            if let Some(cell) = table.get_mut(i * width + j) {
                *cell = best;
            }
        }
    }
    let (mut i, mut j) = (0, 0);
    loop {
        match (old.get(i), new.get(j)) {
            (Some(one), Some(other)) if one == other => {
                steps.push(Step::Same(one));
                (i, j) = (i + 1, j + 1);
            }
            (Some(one), other)
                if other.is_none() || read(&table, i, j + 1) <= read(&table, i + 1, j) =>
            {
                steps.push(Step::Gone(one));
                i += 1;
            }
            (_, Some(other)) => {
                steps.push(Step::New(other));
                j += 1;
            }
            (_, None) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_same_is_not_shown() {
        assert_eq!(unified("f", "a\n", "a\n"), "");
    }

    #[test]
    fn a_change_has_three_lines_around_it() {
        let before = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n";
        let after = "1\n2\n3\n4\nfive\n6\n7\n8\n9\n10\n11\n12\n13\n";
        assert_eq!(
            unified("f", before, after),
            "--- f\n+++ f\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n@@ -10,3 +10,4 @@\n 10\n \
             11\n 12\n+13\n"
        );
        assert_eq!(
            unified("f", "a\nb", "b"),
            "--- f\n+++ f\n@@ -1,2 +1,1 @@\n-a\n b\n\\ No newline at end of file\n"
        );
    }
}
