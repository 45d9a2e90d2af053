//! Short texts with a bound, kept where they stand: to make one asks for no memory.

use std::fmt::{self, Debug, Display, Write};
use std::ops::Deref;

/// A text of at most `BYTES` bytes.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Short<const BYTES: usize> {
    bytes: [u8; BYTES],
    length: usize,
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

impl<const BYTES: usize> Short<BYTES> {
    /// What `shown` is as a text; empty if that is too long.
    pub fn of(shown: impl Display) -> Self {
        let mut short = Self::default();
        match write!(short, "{shown}") {
            Ok(()) => short,
            Err(fmt::Error) => Self::default(),
        }
    }

    /// Adds the last `digits` digits of a number, with zeros in front.
    pub fn decimal(&mut self, number: u64, digits: usize) {
        let mut rest = number;
        for byte in self.room(digits).iter_mut().rev() {
            *byte = digit(rest % 10);
            rest /= 10;
        }
    }

    /// Adds the last `digits` hexadecimal digits of a number, with zeros in front.
    pub fn hex(&mut self, number: u128, digits: usize) {
        let mut rest = number;
        for byte in self.room(digits).iter_mut().rev() {
            *byte = u64::try_from(rest & 0xf).map_or(b'0', digit);
            rest >>= 4;
        }
    }

    /// Adds a text, if it fits.
    pub fn text(&mut self, text: &str) -> fmt::Result {
        if BYTES.saturating_sub(self.length) < text.len() {
            return Err(fmt::Error);
        }
        self.room(text.len()).copy_from_slice(text.as_bytes());
        Ok(())
    }

    /// The next `bytes` bytes, or as many as there are.
    fn room(&mut self, bytes: usize) -> &mut [u8] {
        let from = self.length;
        self.length = from.saturating_add(bytes).min(BYTES);
        self.bytes.get_mut(from..self.length).unwrap_or_default()
    }
}

fn digit(number: u64) -> u8 {
    usize::try_from(number).ok().and_then(|at| DIGITS.get(at)).copied().unwrap_or(b'0')
}

impl<const BYTES: usize> Default for Short<BYTES> {
    fn default() -> Self {
        Self { bytes: [0; BYTES], length: 0 }
    }
}

impl<const BYTES: usize> Deref for Short<BYTES> {
    type Target = str;

    fn deref(&self) -> &str {
        let written = self.bytes.get(..self.length).unwrap_or_default();
        // Only whole texts are added.
        std::str::from_utf8(written).unwrap_or_default()
    }
}

impl<const BYTES: usize> Write for Short<BYTES> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.text(text)
    }
}

impl<const BYTES: usize> Display for Short<BYTES> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self)
    }
}

impl<const BYTES: usize> Debug for Short<BYTES> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        Debug::fmt(&**self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_digits_and_texts_are_added_whole() {
        let mut short = Short::<12>::default();
        short.decimal(7, 3);
        short.text("-é-").unwrap();
        short.hex(0xabc, 4);
        assert_eq!(&*short, "007-é-0abc");
        assert_eq!((short.text("xyz"), short.text("é")), (Err(fmt::Error), Err(fmt::Error)));
        short.decimal(15, 9);
        assert_eq!(short.to_string(), "007-é-0abc5");
        assert_eq!(&*Short::<4>::of(1_234), "1234");
        assert_eq!(&*Short::<4>::of(12_345), "");
    }
}
