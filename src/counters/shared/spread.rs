//! How many there were of which size: counts between fixed bounds, and the sum.

use std::array;

/// How many bounds there are; above the last there is one more count.
const BOUNDS: usize = 12;

/// Bounds for times, in microseconds: from a tenth of a millisecond to half a second.
pub const MICROS: [u64; BOUNDS] =
    [100, 200, 500, 1_000, 2_000, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000];

/// Bounds for amounts of tokens.
pub const TOKENS: [u64; BOUNDS] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 10_000, 100_000];

/// Counts between bounds.
#[derive(Clone, Debug)]
pub struct Spread {
    bounds: [u64; BOUNDS],
    counts: [u64; BOUNDS],
    above: u64,
    /// The sum of all.
    pub sum: u64,
}

impl Spread {
    /// Nothing yet.
    pub const fn new(bounds: [u64; BOUNDS]) -> Self {
        Self { bounds, counts: [0; BOUNDS], above: 0, sum: 0 }
    }

    /// One of this size.
    pub fn note(&mut self, size: u64) {
        let place = self.bounds.partition_point(|bound| *bound < size);
        let count = self.counts.get_mut(place).unwrap_or(&mut self.above);
        *count = count.saturating_add(1);
        self.sum = self.sum.saturating_add(size);
    }

    /// Those of another one with the same bounds too.
    pub fn add(&mut self, other: &Self) {
        self.counts = array::from_fn(|place| {
            let of = |spread: &Self| spread.counts.get(place).copied().unwrap_or(0);
            of(self).saturating_add(of(other))
        });
        self.above = self.above.saturating_add(other.above);
        self.sum = self.sum.saturating_add(other.sum);
    }

    /// Each count with its upper bound; none: above all.
    pub fn parts(&self) -> impl Iterator<Item = (Option<u64>, u64)> {
        let bounded = self.bounds.into_iter().map(Some).zip(self.counts);
        bounded.chain([(None, self.above)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_size_counts_under_the_first_bound_that_it_does_not_pass() {
        let mut spread = Spread::new(TOKENS);
        for size in [0, 1, 2, 3, 5, 100_000, 100_001] {
            spread.note(size);
        }
        let mut twice = spread.clone();
        twice.add(&spread);
        let counts: Vec<_> = twice.parts().map(|(_, count)| count).collect();
        assert_eq!(counts, [4, 2, 4, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2]);
        assert_eq!(twice.sum, 2 * 200_012);
    }
}
