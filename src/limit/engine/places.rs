//! A map of slots that gives each a place, costs little more than the slots, and does not allocate
//! to find one.

/// The mark of a cell that holds no place.
const EMPTY: u32 = u32::MAX;

/// How many slots lie together. More room is made for so many at once: nothing that is there is
/// copied for it. Slots of 160 bytes fill 32 KiB with so many, and an allocator rounds little up.
const CHUNK: usize = 204;

/// What a [`Places`] holds.
pub(super) trait Placed {
    /// What it is found by.
    type Key: Copy + Eq;
    /// Its own.
    fn key(&self) -> Self::Key;
}

/// Slots by place, and their places by key: open addressing over numbers, no more than half full.
#[derive(Debug)]
pub(super) struct Places<S> {
    /// Chunks, all but the last one full.
    slots: Vec<Vec<Option<S>>>,
    end: usize,
    free: Vec<u32>,
    /// A power of two of them, or none.
    cells: Vec<u32>,
    hash: Hash,
}

/// Spreads keys over the cells in a way that nobody who does not know the seed can foresee.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hash(pub u64);

impl Hash {
    /// Of 16 bytes, and two numbers with them.
    pub(super) fn of(self, bytes: [u8; 16], more: u64) -> u64 {
        let number = u128::from_le_bytes(bytes);
        let low = u64::try_from(number & u128::from(u64::MAX)).unwrap_or(0);
        let high = u64::try_from(number >> 64).unwrap_or(0);
        let first = fold(low ^ self.0, high ^ 0x9E37_79B9_7F4A_7C15);
        fold(first ^ more, self.0 | 1)
    }
}

/// Both halves of a product, in one.
fn fold(left: u64, right: u64) -> u64 {
    let product = u128::from(left).wrapping_mul(u128::from(right));
    let low = u64::try_from(product & u128::from(u64::MAX)).unwrap_or(0);
    low ^ u64::try_from(product >> 64).unwrap_or(0)
}

impl<S: Placed> Places<S> {
    pub(super) const fn new(seed: u64) -> Self {
        Self { slots: Vec::new(), end: 0, free: Vec::new(), cells: Vec::new(), hash: Hash(seed) }
    }

    pub(super) const fn hash(&self) -> Hash {
        self.hash
    }

    /// How many slots there are.
    pub(super) const fn len(&self) -> usize {
        self.end.saturating_sub(self.free.len())
    }

    /// One past the last place in use.
    pub(super) const fn end(&self) -> usize {
        self.end
    }

    pub(super) fn get(&self, place: u32) -> Option<&S> {
        let (chunk, at) = parts(place)?;
        self.slots.get(chunk)?.get(at)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, place: u32) -> Option<&mut S> {
        self.cell(place)?.as_mut()
    }

    /// The place of `key`, whose hash is `hash`.
    pub(super) fn find(&self, key: &S::Key, hash: u64) -> Option<u32> {
        let mask = self.cells.len().checked_sub(1)?;
        let mut cell = first(hash, mask);
        loop {
            let place = *self.cells.get(cell)?;
            if place == EMPTY {
                return None;
            }
            if self.get(place).is_some_and(|slot| slot.key() == *key) {
                return Some(place);
            }
            cell = cell.wrapping_add(1) & mask;
        }
    }

    /// Puts in a slot whose key is not there yet; `hash_of` gives the hash of any key. None if
    /// there is no place left.
    pub(super) fn insert(&mut self, slot: S, hash_of: impl Fn(&S::Key) -> u64) -> Option<u32> {
        if self.cells.len() < self.len().saturating_add(1).saturating_mul(2) {
            self.grow(&hash_of);
        }
        let hash = hash_of(&slot.key());
        let place = if let Some(place) = self.free.pop() {
            *self.cell(place)? = Some(slot);
            place
        } else {
            let place = u32::try_from(self.end).ok().filter(|place| *place != EMPTY)?;
            if self.end.is_multiple_of(CHUNK) {
                self.slots.push(Vec::with_capacity(CHUNK));
            }
            self.slots.last_mut()?.push(Some(slot));
            self.end = self.end.saturating_add(1);
            place
        };
        self.note(hash, place);
        Some(place)
    }

    /// Takes a slot out.
    pub(super) fn remove(&mut self, place: u32, hash_of: impl Fn(&S::Key) -> u64) -> Option<S> {
        let slot = self.cell(place)?.take()?;
        self.free.push(place);
        let mask = self.cells.len().checked_sub(1)?;
        let mut hole = first(hash_of(&slot.key()), mask);
        while self.cells.get(hole).is_some_and(|cell| *cell != place) {
            hole = hole.wrapping_add(1) & mask;
        }
        // Whoever sits behind the hole and could not sit nearer to its own cell because of it
        // moves up, so that no search ends too early.
        let mut next = hole;
        loop {
            next = next.wrapping_add(1) & mask;
            let sitting = self.cells.get(next).copied().unwrap_or(EMPTY);
            let Some(neighbour) = self.get(sitting) else { break };
            let own = first(hash_of(&neighbour.key()), mask);
            // How far it sits from its own cell, and from the hole.
            let displaced = next.wrapping_sub(own) & mask;
            if next.wrapping_sub(hole) & mask <= displaced {
                self.set(hole, sitting);
                hole = next;
            }
        }
        self.set(hole, EMPTY);
        Some(slot)
    }

    fn grow(&mut self, hash_of: &impl Fn(&S::Key) -> u64) {
        let cells = self.cells.len().saturating_mul(2).max(16);
        self.cells = vec![EMPTY; cells];
        for place in 0..self.end {
            let Ok(place) = u32::try_from(place) else { return };
            if let Some(hash) = self.get(place).map(|slot| hash_of(&slot.key())) {
                self.note(hash, place);
            }
        }
    }

    fn cell(&mut self, place: u32) -> Option<&mut Option<S>> {
        let (chunk, at) = parts(place)?;
        self.slots.get_mut(chunk)?.get_mut(at)
    }

    fn note(&mut self, hash: u64, place: u32) {
        let Some(mask) = self.cells.len().checked_sub(1) else { return };
        let mut cell = first(hash, mask);
        while self.cells.get(cell).is_some_and(|found| *found != EMPTY) {
            cell = cell.wrapping_add(1) & mask;
        }
        self.set(cell, place);
    }

    fn set(&mut self, cell: usize, place: u32) {
        if let Some(found) = self.cells.get_mut(cell) {
            *found = place;
        }
    }
}

/// The chunk of a place, and which one it is in there.
fn parts(place: u32) -> Option<(usize, usize)> {
    let place = usize::try_from(place).ok()?;
    Some((place / CHUNK, place % CHUNK))
}

fn first(hash: u64, mask: usize) -> usize {
    usize::try_from(hash).unwrap_or(0) & mask
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    impl Placed for u64 {
        type Key = Self;
        fn key(&self) -> Self {
            *self
        }
    }

    proptest! {
        #[test]
        fn what_was_put_in_is_found_until_it_is_taken_out(
            steps in prop::collection::vec((any::<bool>(), 0_u64..40), 1..400),
            crowded in any::<bool>(),
        ) {
            // A poor hash makes long runs of neighbours.
            let hash = |key: &u64| if crowded { *key / 8 } else { key.wrapping_mul(0x9E37) };
            let mut places = Places::new(1);
            let mut known: HashMap<u64, u32> = HashMap::new();
            for (put, key) in steps {
                if let Some(place) = known.get(&key).copied() {
                    if !put {
                        prop_assert_eq!(places.remove(place, hash), Some(key));
                        known.remove(&key);
                    }
                } else if put {
                    known.insert(key, places.insert(key, hash).unwrap());
                }
                prop_assert_eq!(places.len(), known.len());
                for key in 0..40 {
                    prop_assert_eq!(places.find(&key, hash(&key)), known.get(&key).copied());
                }
            }
        }
    }
}
