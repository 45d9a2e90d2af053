//! What was admitted, measured as each kind of limit counts.

use std::collections::BTreeMap;

use crate::limit::engine::rule::{Rule, Shape};

/// What one limiter without a network would admit.
pub(super) fn ideal(rule: &Rule, offered: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let mut admitted: Vec<(u64, u64)> = Vec::new();
    let grid = rule.grid();
    let (mut first, mut sum, mut level, mut last) = (0, 0, 0_u128, 0);
    for (there, cost) in offered {
        let fits = match rule.shape() {
            Shape::Fixed { .. } | Shape::Quota { .. } => {
                if admitted.last().is_none_or(|(at, _)| grid.number(*at) != grid.number(*there)) {
                    sum = 0;
                }
                sum + cost <= rule.limit()
            }
            Shape::Sliding { .. } => {
                while first < admitted.len() && admitted[first].0 + grid.period <= *there {
                    sum -= admitted[first].1;
                    first += 1;
                }
                sum + cost <= rule.limit()
            }
            Shape::Bucket { burst, .. } => {
                let drained = u128::from(there - last) * u128::from(rule.limit());
                level = level.saturating_sub(drained);
                last = *there;
                let more = u128::from(*cost) * u128::from(grid.period);
                let fits = level + more <= u128::from(burst) * u128::from(grid.period);
                level += if fits { more } else { 0 };
                fits
            }
        };
        if fits {
            sum += cost;
            admitted.push((*there, *cost));
        }
    }
    admitted
}

pub(super) fn worst_window(admitted: &[(u64, u64, u64)]) -> (u64, u64) {
    let mut windows: BTreeMap<u64, u64> = BTreeMap::new();
    for (_, window, cost) in admitted {
        *windows.entry(*window).or_default() += cost;
    }
    windows.into_iter().max_by_key(|(_, sum)| *sum).unwrap_or((0, 0))
}

pub(super) fn worst_interval(admitted: &[(u64, u64, u64)], period: u64) -> u64 {
    let mut sorted = admitted.to_vec();
    sorted.sort_unstable();
    let (mut first, mut sum, mut worst) = (0, 0, 0);
    for (there, _, cost) in &sorted {
        sum += cost;
        while sorted[first].0 + period <= *there {
            sum -= sorted[first].2;
            first += 1;
        }
        worst = worst.max(sum);
    }
    worst
}

/// The fullest that a bucket would have been which drains `limit` each `period`.
pub(super) fn worst_fill(admitted: &[(u64, u64, u64)], limit: u64, period: u64) -> u64 {
    let mut sorted = admitted.to_vec();
    sorted.sort_unstable();
    // In parts of a token: `period` of them are one.
    let (mut level, mut last, mut worst) = (0_u128, 0, 0_u128);
    for (there, _, cost) in &sorted {
        level = level.saturating_sub(u128::from(there - last) * u128::from(limit));
        level += u128::from(*cost) * u128::from(period);
        last = *there;
        worst = worst.max(level);
    }
    u64::try_from(worst.div_ceil(u128::from(period.max(1)))).unwrap()
}
