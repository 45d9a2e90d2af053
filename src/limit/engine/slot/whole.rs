//! What a replica has seen of a whole sliding window: more than the sum of what it saw in each of
//! its sub-windows, because others go on buying in a sub-window after the last look into it.

use crate::limit::engine::slot::Slot;

/// What the fullest interval of a ring had sold when it was last seen.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Whole {
    /// In which sub-window that was: the lower half of its number.
    window: u32,
    /// Zero: never; at most as much as can be told apart.
    sold: u32,
}

impl Slot {
    /// Notes what the current sub-window was seen to be the last of, before the next one begins.
    pub(super) fn note_whole(&mut self) {
        if self.sold > 0 {
            let window = lower_half(self.window);
            let sold = u32::try_from(self.sold).unwrap_or(u32::MAX);
            self.more.get_or_insert_default().whole = Whole { window, sold };
        }
    }

    /// In which sub-window the whole of a ring was last seen, and what its fullest interval had sold
    /// then.
    pub(in crate::limit::engine) fn whole(&self) -> Option<(u64, u64)> {
        if self.sold > 0 {
            return Some((self.window, self.sold));
        }
        let whole = self.more.as_ref().map(|more| more.whole).filter(|whole| whole.sold > 0)?;
        let age = lower_half(self.window).wrapping_sub(whole.window);
        Some((self.window.saturating_sub(u64::from(age)), u64::from(whole.sold)))
    }

    /// What the sub-windows from `oldest` to `newest` were seen to have sold.
    pub(in crate::limit::engine) fn seen_within(&self, oldest: u64, newest: u64) -> u64 {
        let counts = |at: u64| oldest <= at && at <= newest;
        let others = self.seen().filter(|(at, _)| *at != self.window && counts(*at));
        let now = self.here.max(self.seen_in(self.window));
        let now = if counts(self.window) { now } else { 0 };
        others.map(|(_, seen)| seen).fold(now, u64::saturating_add)
    }
}

fn lower_half(number: u64) -> u32 {
    u32::try_from(number & u64::from(u32::MAX)).unwrap_or(0)
}
