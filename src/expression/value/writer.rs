//! Objects with a state of their own: string builders and random numbers.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::bounded_string;
use super::thrown::Thrown;

/// `System.Text.StringBuilder`.
#[derive(Debug, Default)]
pub struct StringBuilder(Mutex<String>);

/// `System.Random`: the subtractive generator that .NET uses when it is given a seed, so that the
/// same seed gives the same numbers as there.
#[derive(Debug)]
pub struct Random(Mutex<Subtractive>);

#[derive(Debug)]
struct Subtractive {
    seeds: [i32; 56],
    next: usize,
    next_beside: usize,
}

/// Where the numbers of the generator come from: the golden ratio, as Knuth has it.
const SEED: i32 = 161_803_398;

impl StringBuilder {
    /// The builder that holds `text`.
    pub fn new(text: &str) -> Self {
        Self(Mutex::new(text.to_owned()))
    }

    /// `Append(text)`.
    pub fn append(&self, text: &str) -> Result<(), Thrown> {
        let mut held = self.lock();
        bounded_string(held.len().saturating_add(text.len()))?;
        held.push_str(text);
        Ok(())
    }

    /// Puts `text` in place of all that it holds.
    pub fn replace_all(&self, text: String) -> Result<(), Thrown> {
        bounded_string(text.len())?;
        *self.lock() = text;
        Ok(())
    }

    /// How many bytes of UTF-8 it holds.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes its first `bytes` bytes away and gives them back; all where there are not so many.
    pub fn take(&self, bytes: usize) -> String {
        let mut held = self.lock();
        let rest = held.get(bytes..).map(str::to_owned).unwrap_or_default();
        let mut taken = std::mem::replace(&mut *held, rest);
        taken.truncate(bytes.min(taken.len()));
        taken
    }

    /// `ToString()`.
    pub fn text(&self) -> String {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Random {
    /// `new Random(seed)`. Where C# has no seed, the caller takes one from a source of randomness.
    pub fn new(seed: i32) -> Self {
        Self(Mutex::new(Subtractive::new(seed)))
    }

    /// The next number from 0 to `i32::MAX - 1`.
    pub fn draw(&self) -> i32 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).draw()
    }
}

impl Subtractive {
    fn new(seed: i32) -> Self {
        let mut seeds = [0_i32; 56];
        let mut last = SEED.wrapping_sub(seed.checked_abs().unwrap_or(i32::MAX));
        set(&mut seeds, 55, last);
        let mut other: i32 = 1;
        for step in 1..55_usize {
            let place = step.wrapping_mul(21) % 55;
            set(&mut seeds, place, other);
            other = wrap(last.wrapping_sub(other));
            last = get(&seeds, place);
        }
        for _ in 1..5 {
            for place in 1..56_usize {
                let beside = place.wrapping_add(30) % 55;
                let from = get(&seeds, beside.wrapping_add(1));
                let mixed = wrap(get(&seeds, place).wrapping_sub(from));
                set(&mut seeds, place, mixed);
            }
        }
        Self { seeds, next: 0, next_beside: 21 }
    }

    fn draw(&mut self) -> i32 {
        self.next = if self.next >= 55 { 1 } else { self.next.wrapping_add(1) };
        self.next_beside =
            if self.next_beside >= 55 { 1 } else { self.next_beside.wrapping_add(1) };
        let mut drawn =
            get(&self.seeds, self.next).wrapping_sub(get(&self.seeds, self.next_beside));
        if drawn == i32::MAX {
            drawn = drawn.wrapping_sub(1);
        }
        let drawn = wrap(drawn);
        set(&mut self.seeds, self.next, drawn);
        drawn
    }
}

/// A negative number moved up by `i32::MAX`.
const fn wrap(number: i32) -> i32 {
    if number < 0 { number.wrapping_add(i32::MAX) } else { number }
}

/// Place `place`, which is always below 56.
fn get(seeds: &[i32; 56], place: usize) -> i32 {
    seeds.get(place).copied().unwrap_or(0)
}

fn set(seeds: &mut [i32; 56], place: usize, number: i32) {
    if let Some(slot) = seeds.get_mut(place) {
        *slot = number;
    }
}
