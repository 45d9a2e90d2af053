//! A list whose items come from several files: one shared piece for each, so that two lists can be
//! compared by their pieces, and a piece that did not change is kept and not copied.

use std::fmt;
use std::sync::Arc;

/// A list in pieces. An item's index counts all pieces before its own.
pub struct Items<T>(Vec<Piece<T>>);

/// What one file gives to a list; never empty.
pub struct Piece<T> {
    /// The number of the file.
    pub file: u32,
    /// The index of its first item.
    pub start: usize,
    /// Its items.
    pub items: Arc<[T]>,
}

impl<T> Items<T> {
    /// Adds what the file numbered `file` gives.
    pub fn add(&mut self, file: u32, items: &Arc<[T]>) {
        if !items.is_empty() {
            let (start, items) = (self.len(), Arc::clone(items));
            self.0.push(Piece { file, start, items });
        }
    }

    /// How many items there are.
    pub fn len(&self) -> usize {
        self.0.last().map_or(0, |last| last.start.saturating_add(last.items.len()))
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The item at `index`.
    pub fn get(&self, index: usize) -> Option<&T> {
        let after = self.0.partition_point(|piece| piece.start <= index);
        let piece = self.0.get(after.checked_sub(1)?)?;
        piece.items.get(index.checked_sub(piece.start)?)
    }

    /// All items.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> + Clone {
        self.0.iter().flat_map(|piece| piece.items.iter())
    }

    /// The pieces.
    pub fn pieces(&self) -> &[Piece<T>] {
        &self.0
    }

    /// Whether both are made of the same pieces: not only equal, but the very same.
    pub fn is_same(&self, other: &Self) -> bool {
        let same = |(one, other): (&Piece<T>, &Piece<T>)| {
            one.file == other.file && Arc::ptr_eq(&one.items, &other.items)
        };
        self.0.len() == other.0.len() && self.0.iter().zip(&other.0).all(same)
    }
}

impl<T> Default for Items<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Clone for Items<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Clone for Piece<T> {
    fn clone(&self) -> Self {
        Self { file: self.file, start: self.start, items: Arc::clone(&self.items) }
    }
}

impl<T: fmt::Debug> fmt::Debug for Items<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_found_by_its_index_over_all_pieces() {
        let mut items = Items::default();
        let pieces: [Arc<[u8]>; 4] = [[1, 2].into(), [].into(), [3].into(), [4, 5, 6].into()];
        for (file, piece) in (0..).zip(&pieces) {
            items.add(file, piece);
        }
        let all: Vec<u8> = items.iter().copied().collect();
        assert_eq!((all.as_slice(), items.len()), (&[1, 2, 3, 4, 5, 6][..], 6));
        let got: Vec<u8> = (0..9).filter_map(|index| items.get(index).copied()).collect();
        assert_eq!(got, all);
        assert!(items.is_same(&items.clone()));
        let mut others = Items::default();
        for (file, piece) in (0..).zip(&pieces[..3]) {
            others.add(file, piece);
        }
        assert!(!items.is_same(&others));
        others.add(3, &Arc::from([4, 5, 6]));
        assert!(!items.is_same(&others), "equal, but not the same");
    }
}
