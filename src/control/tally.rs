//! What a control plane has counted since it started, for whoever scrapes it.

use std::array;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts.
#[derive(Debug, Default)]
pub struct Tally {
    opened: AtomicU64,
    refused: [AtomicU64; REFUSALS.len()],
    sent: [AtomicU64; FORMS.len()],
    sent_bytes: [AtomicU64; FORMS.len()],
    accepted: AtomicU64,
    rejected: AtomicU64,
}

/// Why a stream was not opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// The credential is good for nothing.
    Credential,
    /// The address shows such credentials too often.
    TooOften,
    /// There is no room.
    Crowded,
    /// The control plane is about to end.
    Stopping,
}

/// How a configuration was sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Form {
    /// All of it.
    Whole,
    /// What changed.
    Change,
    /// That it has not changed.
    Current,
}

/// The words for the reasons, in their order.
pub const REFUSALS: [&str; 4] = ["credential", "too-often", "crowded", "stopping"];
/// The words for the forms, in their order.
pub const FORMS: [&str; 3] = ["whole", "change", "current"];

/// Counts at one moment.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// Streams that were opened.
    pub opened: u64,
    /// Streams that were not, by reason.
    pub refused: [u64; REFUSALS.len()],
    /// Configurations that were sent, by form.
    pub sent: [u64; FORMS.len()],
    /// Their bytes.
    pub sent_bytes: [u64; FORMS.len()],
    /// Configurations that replicas accepted.
    pub accepted: u64,
    /// Configurations that they refused.
    pub rejected: u64,
}

impl Tally {
    /// A stream was opened.
    pub fn open(&self) {
        add(&self.opened, 1);
    }

    /// A stream was not opened.
    pub fn refuse(&self, refusal: Refusal) {
        let [credential, too_often, crowded, stopping] = &self.refused;
        let count = match refusal {
            Refusal::Credential => credential,
            Refusal::TooOften => too_often,
            Refusal::Crowded => crowded,
            Refusal::Stopping => stopping,
        };
        add(count, 1);
    }

    /// A configuration was sent, in so many bytes.
    pub fn send(&self, form: Form, bytes: usize) {
        let ([whole, change, current], [w, c, n]) = (&self.sent, &self.sent_bytes);
        let (count, sum) = match form {
            Form::Whole => (whole, w),
            Form::Change => (change, c),
            Form::Current => (current, n),
        };
        add(count, 1);
        add(sum, u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    /// A replica said what became of a configuration.
    pub fn judge(&self, is_accepted: bool) {
        add(if is_accepted { &self.accepted } else { &self.rejected }, 1);
    }

    /// All counts.
    pub fn now(&self) -> Counts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counts {
            opened: read(&self.opened),
            refused: all(&self.refused),
            sent: all(&self.sent),
            sent_bytes: all(&self.sent_bytes),
            accepted: read(&self.accepted),
            rejected: read(&self.rejected),
        }
    }
}

fn all<const COUNT: usize>(counts: &[AtomicU64; COUNT]) -> [u64; COUNT] {
    let mut counts = counts.iter();
    array::from_fn(|_| counts.next().map_or(0, |count| count.load(Ordering::Relaxed)))
}

fn add(count: &AtomicU64, more: u64) {
    count.fetch_add(more, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_and_each_form_is_counted_as_its_own() {
        let tally = Tally::default();
        let refusals =
            [Refusal::Credential, Refusal::TooOften, Refusal::Crowded, Refusal::Stopping];
        for (refusal, times) in refusals.into_iter().zip(1..) {
            (0..times).for_each(|_| tally.refuse(refusal));
        }
        for (form, bytes) in [(Form::Whole, 100), (Form::Change, 10), (Form::Current, 0)] {
            tally.send(form, bytes);
            tally.send(form, bytes);
        }
        tally.judge(true);
        let counts = tally.now();
        assert_eq!((counts.refused, counts.sent), ([1, 2, 3, 4], [2, 2, 2]));
        assert_eq!((counts.sent_bytes, counts.accepted), ([200, 20, 0], 1));
        assert_eq!((counts.opened, counts.rejected), (0, 0));
    }
}
