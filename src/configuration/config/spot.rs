//! Where something was written, and how much of it.

use crate::fault::{Fault, Place};

/// Where something was written, and how much of it.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Spot {
    /// Where it begins.
    pub place: Place,
    /// How many characters of it stand on that line, at least 1.
    pub width: u32,
}

/// A value and where it was written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Written<T> {
    /// The value.
    pub value: T,
    /// Where it was written.
    pub spot: Spot,
}

impl Spot {
    /// A fault that underlines this.
    pub fn fault(&self, message: impl Into<String>) -> Fault {
        let mut fault = Fault::new(self.place.clone(), message);
        fault.width = self.width.max(1);
        fault
    }
}
