//! Amounts by window: what a slot has seen, used or lost in windows before the current one.

/// How many sub-windows of a ring are remembered: those that still count, and the next one.
const SUBWINDOWS_MAX: usize = 34;

/// Amounts by window, oldest first; few.
#[derive(Debug, Default)]
pub(super) struct Tally(Vec<(u64, u64)>);

impl IntoIterator for Tally {
    type Item = (u64, u64);
    type IntoIter = std::vec::IntoIter<(u64, u64)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl Tally {
    pub(super) fn add(&mut self, window: u64, amount: u64) {
        if amount > 0 {
            self.change(window, |value| value.saturating_add(amount));
        }
    }

    pub(super) fn raise(&mut self, window: u64, amount: u64) {
        if amount > 0 {
            self.change(window, |value| value.max(amount));
        }
    }

    pub(super) fn take(&mut self, window: u64, amount: u64) {
        if self.of(window) > 0 {
            self.change(window, |value| value.saturating_sub(amount));
        }
        self.0.retain(|(_, value)| *value > 0);
    }

    pub(super) fn of(&self, window: u64) -> u64 {
        self.0.iter().find(|(at, _)| *at == window).map_or(0, |(_, value)| *value)
    }

    /// The sum from window `oldest` on.
    pub(super) fn since(&self, oldest: u64) -> u64 {
        let counts = self.0.iter().filter(|(at, _)| *at >= oldest);
        counts.map(|(_, value)| *value).fold(0, u64::saturating_add)
    }

    pub(super) fn forget_before(&mut self, oldest: u64) {
        self.0.retain(|(at, _)| *at >= oldest);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, u64)> {
        self.0.iter().copied()
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    fn change(&mut self, window: u64, change: impl FnOnce(u64) -> u64) {
        if let Some((_, value)) = self.0.iter_mut().find(|(at, _)| *at == window) {
            *value = change(*value);
            return;
        }
        if self.0.len() >= SUBWINDOWS_MAX {
            self.0.remove(0);
        }
        let place = self.0.partition_point(|(at, _)| *at < window);
        // Most are of one or two windows, and there are as many as keys.
        self.0.reserve_exact(1);
        self.0.insert(place, (window, change(0)));
    }
}
