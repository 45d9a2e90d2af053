//! A till: tokens of one counter that requests take without a lock, by one compare-and-swap.
//!
//! Whoever holds the lock of a desk lends tokens to a till and takes them back; anybody takes from
//! it meanwhile. There is no clock and no runtime in here.
//!
//! # Why it holds
//! One word says how many tokens are left, how many claims took of them, and in which *generation*
//! of the till. Beside it stands what they may be taken for: the label of the counter, until when,
//! and what a client is told. These are written only while the till is empty, and read between
//! the first look at the word and its exchange. Taking back ends the generation. So an exchange
//! that succeeds found the word in the generation in which it read the rest: who is slow takes
//! nothing from tokens that were lent for another counter, window or time. Within a generation no
//! word comes twice, because each claim is counted. A generation of 28 bits comes again only after
//! a quarter of a billion lendings of one till.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::limit::manner::Course;
use crate::limit::{Charge, Terms};
use crate::time::Timestamp;

/// How many bits of the word count tokens, and claims; the others count generations.
const TOKENS_BITS: u32 = 22;
const CLAIMS_BITS: u32 = 14;

/// The most tokens that a till holds.
pub const TOKENS_MAX: u64 = (1 << TOKENS_BITS) - 1;

/// The most claims that take from what was lent at once.
const CLAIMS_MAX: u64 = (1 << CLAIMS_BITS) - 1;

/// How often a claim tries again that others come before; then it is told that there is nothing,
/// and takes the other way.
const TRIES_MAX: usize = 64;

/// How many tills a desk has: a power of two.
pub const TILLS: usize = 64;

/// One word that threads share. What is written before it is set is seen by who gets it.
pub trait Word {
    /// A word.
    fn new(value: u64) -> Self;
    /// What it is.
    fn get(&self) -> u64;
    /// Changes it.
    fn set(&self, value: u64);
    /// Changes it; says what it was.
    fn swap(&self, value: u64) -> u64;
    /// Changes it to `to` if it is `from`; else says what it is. May fail for no reason.
    fn exchange(&self, from: u64, to: u64) -> Result<(), u64>;
}

impl Word for AtomicU64 {
    fn new(value: u64) -> Self {
        Self::new(value)
    }

    fn get(&self) -> u64 {
        self.load(Ordering::Acquire)
    }

    fn set(&self, value: u64) {
        self.store(value, Ordering::Release);
    }

    fn swap(&self, value: u64) -> u64 {
        self.swap(value, Ordering::AcqRel)
    }

    fn exchange(&self, from: u64, to: u64) -> Result<(), u64> {
        self.compare_exchange_weak(from, to, Ordering::AcqRel, Ordering::Acquire).map(|_| ())
    }
}

/// Which counter tokens are of, and against which limit they are held; compared whole.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Label<const WORDS: usize = 5>([u64; WORDS]);

/// Tokens to be lent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Loan {
    /// How many; at most [`TOKENS_MAX`].
    pub tokens: u64,
    /// They are of this window.
    pub window: u64,
    /// They may be taken before this.
    pub until: Timestamp,
    /// How much more than these is left of the limit, as far as is known.
    pub rest: u64,
}

/// What a claim has taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Taken {
    /// Of which window.
    pub window: u64,
    /// How much is left of the limit, as far as was known when it was lent.
    pub remaining: u64,
}

/// What became of a loan.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Returned {
    /// The tokens that nobody took.
    pub tokens: u64,
    /// How many claims took the others.
    pub claims: u64,
}

/// A till. On a pair of cache lines of its own: its neighbours are in use too.
#[derive(Debug)]
#[repr(align(128))]
pub struct Till<W = AtomicU64, const WORDS: usize = 5> {
    word: W,
    label: [W; WORDS],
    window: W,
    until: W,
    rest: W,
}

/// The tills of one desk.
#[derive(Debug)]
pub struct Tills(Vec<Till>);

/// The word of a till, taken apart.
#[derive(Clone, Copy)]
struct State {
    generation: u64,
    claims: u64,
    tokens: u64,
}

impl State {
    const fn of(word: u64) -> Self {
        Self {
            generation: word >> (CLAIMS_BITS + TOKENS_BITS),
            claims: word >> TOKENS_BITS & CLAIMS_MAX,
            tokens: word & TOKENS_MAX,
        }
    }

    const fn word(self) -> u64 {
        // What is shifted out of the generation begins it again.
        let counts = self.claims << TOKENS_BITS | self.tokens;
        self.generation << (CLAIMS_BITS + TOKENS_BITS) | counts
    }

    /// After one more claim has taken `cost`; none if it cannot.
    fn after(self, cost: u64) -> Option<Self> {
        let tokens = self.tokens.checked_sub(cost)?;
        let claims = self.claims.checked_add(1).filter(|claims| *claims <= CLAIMS_MAX)?;
        Some(Self { claims, tokens, ..self })
    }
}

impl Label {
    /// The label of the counter of `charge`, under its limit; none: nothing is lent for it.
    pub fn of(charge: &Charge) -> Option<Self> {
        let Terms { limit, period, .. } = charge.terms;
        let course = match charge.terms.course() {
            _ if charge.terms.is_local() => return None,
            Course::Sliding => 0,
            Course::Fixed { origin } => origin.micros().checked_add(1)?,
            Course::Bucket { .. } => return None,
        };
        let key = charge.key.to_bytes();
        let (high, low) = key.split_first_chunk::<8>()?;
        let low = low.first_chunk::<8>()?;
        let period = u64::try_from(period.as_micros()).ok()?;
        Some(Self([u64::from_ne_bytes(*high), u64::from_ne_bytes(*low), limit, period, course]))
    }
}

impl<W: Word, const WORDS: usize> Till<W, WORDS> {
    /// An empty till.
    pub fn new() -> Self {
        let word = || W::new(0);
        let label = std::array::from_fn(|_| word());
        Self { word: word(), label, window: word(), until: word(), rest: word() }
    }

    /// Takes `cost` tokens at `now`, if they are of the counter of `label` and there are so many;
    /// nothing is taken for a cost of zero. None: it is not known whether there is room.
    pub fn take(&self, label: &Label<WORDS>, cost: u64, now: Timestamp) -> Option<Taken> {
        let mut seen = self.word.get();
        let first = State::of(seen);
        if cost == 0 || first.tokens < cost {
            return None;
        }
        let is_for = self.label.iter().zip(label.0).all(|(mine, asked)| mine.get() == asked);
        if !is_for || self.until.get() <= now.micros() {
            return None;
        }
        let (window, rest) = (self.window.get(), self.rest.get());
        for _ in 0..TRIES_MAX {
            let state = State::of(seen);
            if state.generation != first.generation {
                return None;
            }
            let after = state.after(cost)?;
            match self.word.exchange(seen, after.word()) {
                Ok(()) => {
                    return Some(Taken { window, remaining: rest.saturating_add(after.tokens) });
                }
                Err(other) => seen = other,
            }
        }
        None
    }

    /// Lends to an empty till: one that is new, or whose tokens were taken back. To be called by
    /// one at a time, who takes back too.
    pub fn lend(&self, label: &Label<WORDS>, loan: &Loan) {
        for (mine, value) in self.label.iter().zip(label.0) {
            mine.set(value);
        }
        self.window.set(loan.window);
        self.until.set(loan.until.micros());
        self.rest.set(loan.rest);
        // Empty as it is, nobody else changes it.
        let generation = State::of(self.word.get()).generation;
        let tokens = loan.tokens.min(TOKENS_MAX);
        self.word.set(State { generation, claims: 0, tokens }.word());
    }

    /// Takes back what is left. From now on nothing is taken of it.
    pub fn take_back(&self) -> Returned {
        // Others change the counts only.
        let generation = State::of(self.word.get()).generation.wrapping_add(1);
        let before = self.word.swap(State { generation, claims: 0, tokens: 0 }.word());
        let State { claims, tokens, .. } = State::of(before);
        Returned { tokens, claims }
    }
}

impl<W: Word, const WORDS: usize> Default for Till<W, WORDS> {
    fn default() -> Self {
        Self::new()
    }
}

impl Tills {
    /// Empty ones.
    pub fn new() -> Self {
        Self((0..TILLS).map(|_| Till::new()).collect())
    }

    /// The number of the till of the key with these bytes.
    pub fn number_of(key: [u8; 16]) -> usize {
        // Part of a digest, and another one than desks and lanes are told by.
        let [.., part, _, _, _] = key;
        usize::from(part) & (TILLS - 1)
    }

    /// The till of this number.
    pub fn get(&self, number: usize) -> Option<&Till> {
        self.0.get(number)
    }
}

impl Default for Tills {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
