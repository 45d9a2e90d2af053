//! The decimal digits of a number, and rounding them as .NET does: a five goes away from zero.

use rust_decimal::Decimal;

/// More digits than asked for that are taken from a binary number before it is rounded, so that a
/// five followed by something is told from a five followed by nothing.
const GUARD_DIGITS: usize = 25;

/// Decimal digits: `0.d₁d₂d₃… × 10^point`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Digits {
    /// Whether the number is below zero (or the negative zero).
    pub negative: bool,
    /// The digits as ASCII, the first and the last of which are not zero; none for zero.
    pub digits: Vec<u8>,
    /// Where the decimal point is, counted from before the first digit.
    pub point: i32,
}

impl Digits {
    /// The digits of a whole number.
    pub fn whole(number: i128) -> Self {
        Self::read(&number.to_string())
    }

    /// The digits of a `decimal`.
    pub fn decimal(number: Decimal) -> Self {
        Self::read(&number.to_string())
    }

    /// The fewest digits that read back as `number`.
    pub fn shortest(number: f64) -> Self {
        Self::read(&format!("{number:e}"))
    }

    /// The same for a `float`.
    pub fn shortest_float(number: f32) -> Self {
        Self::read(&format!("{number:e}"))
    }

    /// The first `count` digits of `number`.
    pub fn significant(number: f64, count: usize) -> Self {
        let precision = count.saturating_add(GUARD_DIGITS);
        let mut digits = Self::read(&format!("{number:.precision$e}"));
        digits.round_to(count);
        digits
    }

    /// The digits of `number` up to `decimals` after the point.
    pub fn fixed(number: f64, decimals: usize) -> Self {
        let precision = decimals.saturating_add(GUARD_DIGITS);
        let mut digits = Self::read(&format!("{number:.precision$}"));
        digits.round_after_point(decimals);
        digits
    }

    /// Reads `-12.5`, `1e-7` and the like, as Rust writes them.
    fn read(text: &str) -> Self {
        let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
        let negative = mantissa.starts_with('-');
        let mantissa = mantissa.trim_start_matches('-');
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let exponent: i32 = exponent.parse().unwrap_or(0);
        let digits = whole.bytes().chain(fraction.bytes()).collect();
        let point = length(whole.len()).saturating_add(exponent);
        let mut read = Self { negative, digits, point };
        read.trim();
        read
    }

    /// Whether the number is zero.
    pub fn is_zero(&self) -> bool {
        self.digits.is_empty()
    }

    /// The digit at `place`, counted from the first one; zero outside.
    pub fn digit(&self, place: i32) -> char {
        let digit = usize::try_from(place).ok().and_then(|place| self.digits.get(place));
        digit.map_or('0', |digit| char::from(*digit))
    }

    /// Rounds to `count` digits.
    pub fn round_to(&mut self, count: usize) {
        let goes_up = self.digits.get(count).is_some_and(|digit| *digit >= b'5');
        self.digits.truncate(count);
        if goes_up {
            self.go_up();
        }
        self.trim();
    }

    /// Rounds to `decimals` digits after the point.
    pub fn round_after_point(&mut self, decimals: usize) {
        let count = self.point.saturating_add(length(decimals));
        match usize::try_from(count) {
            Ok(count) => self.round_to(count),
            Err(_) => self.digits.clear(),
        }
        self.trim();
    }

    /// Moves the point `places` to the right.
    pub fn shift(&mut self, places: i32) {
        if !self.is_zero() {
            self.point = self.point.saturating_add(places);
        }
    }

    /// The digits before the point, at least one.
    pub fn whole_text(&self) -> String {
        if self.point <= 0 {
            return "0".to_owned();
        }
        (0..self.point).map(|place| self.digit(place)).collect()
    }

    /// `decimals` digits after the point.
    pub fn fraction_text(&self, decimals: usize) -> String {
        let end = self.point.saturating_add(length(decimals));
        (self.point..end).map(|place| self.digit(place)).collect()
    }

    /// Adds one to the last digit.
    fn go_up(&mut self) {
        while let Some(digit) = self.digits.pop() {
            if digit < b'9' {
                self.digits.push(digit.saturating_add(1));
                return;
            }
        }
        self.digits.push(b'1');
        self.point = self.point.saturating_add(1);
    }

    /// Takes away zeros at both ends.
    fn trim(&mut self) {
        while self.digits.last() == Some(&b'0') {
            self.digits.pop();
        }
        let zeros = self.digits.iter().take_while(|digit| **digit == b'0').count();
        self.digits.drain(..zeros);
        self.point = self.point.saturating_sub(length(zeros));
        if self.digits.is_empty() {
            self.point = 0;
        }
    }
}

/// A count of digits as a place.
pub fn length(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
