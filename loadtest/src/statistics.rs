//! Medians: the machine wobbles, and a mean would let one bad round speak for all.

use serde::{Deserialize, Serialize};

/// The middle of some figures, and how far they reach.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Spread {
    /// The middle one, or the mean of the two middle ones.
    pub(crate) median: f64,
    /// The least.
    pub(crate) min: f64,
    /// The greatest.
    pub(crate) max: f64,
}

impl Spread {
    /// The spread of `figures`; `None` when there are none.
    pub(crate) fn of(figures: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = figures.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let upper = *sorted.get(sorted.len() / 2)?;
        let lower = *sorted.get((sorted.len() - 1) / 2)?;
        Some(Self { median: f64::midpoint(lower, upper), min, max })
    }
}

/// The figure that `part` of `figures` do not exceed; 0 of none. Sorts them.
pub(crate) fn percentile(figures: &mut [f64], part: f64) -> f64 {
    figures.sort_by(f64::total_cmp);
    let place = |at: &usize| float(*at) < part * float(figures.len()) - 1.0;
    let at = (0..figures.len()).find(|at| !place(at)).unwrap_or(0);
    figures.get(at).copied().unwrap_or(0.0)
}

/// A count as a figure; counts here are far below where that loses digits.
pub(crate) fn float(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}

/// The same.
pub(crate) fn count(count: u64) -> f64 {
    usize::try_from(count).map_or(f64::MAX, float)
}

/// `part` of `whole`; 0 of nothing.
pub(crate) fn fraction(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { count(part) / count(whole) }
}

#[cfg(test)]
mod tests {
    use super::{Spread, percentile};

    #[test]
    fn a_percentile_is_one_of_the_figures() {
        let mut figures: Vec<f64> = (1..=200).map(f64::from).collect();
        let of = |figures: &mut [f64], part| percentile(figures, part).to_string();
        assert_eq!(of(&mut figures, 0.99), "198");
        assert_eq!(of(&mut figures, 0.5), "100");
        assert_eq!(of(&mut figures[..1], 0.99), "1");
        assert_eq!(of(&mut [], 0.99), "0");
    }

    #[test]
    fn the_median_of_an_odd_number_is_the_middle_one() {
        let spread = Spread::of([3.0, 1.0, 9.0]).unwrap();
        assert_eq!(spread, Spread { median: 3.0, min: 1.0, max: 9.0 });
    }

    #[test]
    fn the_median_of_an_even_number_lies_between_the_two_middle_ones() {
        let spread = Spread::of([4.0, 1.0, 2.0, 9.0]).unwrap();
        assert_eq!(spread, Spread { median: 3.0, min: 1.0, max: 9.0 });
    }

    #[test]
    fn nothing_has_no_median() {
        assert_eq!(Spread::of([]), None);
    }
}
