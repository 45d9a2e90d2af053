//! Where something stands in a document of JSON.

use super::Key;

/// Where something stands in its document.
#[derive(Clone, Copy, Debug)]
pub struct Path<'a> {
    pub(super) frames: &'a [Frame],
    pub(super) key: Key,
}

/// An object or a list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    /// Under which name it stands; in a list, under that of the list.
    pub(super) key: Key,
    pub(super) is_list: bool,
}

impl Path<'_> {
    /// The name under which it stands; in a list, that of the list.
    pub const fn key(&self) -> Key {
        self.key
    }

    /// The name of the member of the whole document that it is, or is in. Where that is a list, as
    /// of answers that come one by one, each of its items is such a document.
    pub fn top(&self) -> Key {
        self.inner().get(1).map_or(self.key, |frame| frame.key)
    }

    /// How many objects and lists it is in, without a list that is the whole document.
    pub const fn depth(&self) -> usize {
        self.inner().len()
    }

    const fn inner(&self) -> &[Frame] {
        match self.frames {
            [Frame { is_list: true, .. }, inner @ ..] => inner,
            all => all,
        }
    }

    /// The name of the object or list it is in.
    pub fn parent(&self) -> Key {
        self.frames.last().map_or(Key::Other, |frame| frame.key)
    }

    /// Whether it is directly in a list.
    pub fn is_in_list(&self) -> bool {
        self.frames.last().is_some_and(|frame| frame.is_list)
    }

    /// Whether an object or list around it has this name.
    pub fn is_within(&self, key: Key) -> bool {
        self.frames.iter().any(|frame| frame.key == key)
    }
}
