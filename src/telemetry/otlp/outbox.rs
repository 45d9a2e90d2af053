//! Records that wait to be sent: pieces of bounded size, of which there is a bounded number of bytes.
//!
//! What was emitted is, exactly, what was exported, what was dropped and what is held still: every
//! record is counted once when it comes and once when it leaves.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The most bytes that are held, what is on its way included.
pub const HELD_BYTES_MAX: usize = 16 << 20;
/// When a piece has so many bytes, another one is begun: collectors refuse messages of some MiB.
pub const PIECE_BYTES: usize = 512 << 10;

/// Why records were dropped.
pub const REASONS: [&str; 4] = ["full", "refused", "failed", "stopped"];

/// Why records are dropped.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Dropped {
    /// There was no room.
    Full,
    /// The collector does not want them.
    Refused,
    /// The collector did not take them for too long.
    Failed,
    /// The gateway stops.
    Stopped,
}

/// Records of one kind.
#[derive(Debug, Default)]
pub struct Outbox {
    held: Mutex<Held>,
}

/// Those of the three kinds.
#[derive(Clone, Debug, Default)]
pub struct Outboxes {
    /// Spans.
    pub spans: Arc<Outbox>,
    /// Log records.
    pub logs: Arc<Outbox>,
    /// Requests with all metrics.
    pub metrics: Arc<Outbox>,
}

impl Outboxes {
    /// Each with the name of its signal.
    pub fn by_signal(&self) -> [(&'static str, &Outbox); 3] {
        [("traces", &self.spans), ("logs", &self.logs), ("metrics", &self.metrics)]
    }
}

/// What has become of records.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// All that came.
    pub emitted: u64,
    /// Those that the collector has taken.
    pub exported: u64,
    /// Those that nobody has, in the order of [`REASONS`].
    pub dropped: [u64; REASONS.len()],
    /// Those that are held still.
    pub held: u64,
    /// How many bytes those have.
    pub held_bytes: usize,
}

/// Some records, one behind the other.
#[derive(Debug, Default)]
pub struct Piece {
    /// The fields of the message that holds them.
    pub bytes: Vec<u8>,
    /// How many there are.
    pub records: u64,
}

#[derive(Debug, Default)]
struct Held {
    /// Grows.
    open: Piece,
    /// The oldest first.
    full: VecDeque<Piece>,
    counts: Counts,
}

impl Outbox {
    /// Takes a record, if there is room.
    pub fn put(&self, record: &[u8]) {
        let mut held = self.held();
        held.counts.emitted = held.counts.emitted.saturating_add(1);
        if HELD_BYTES_MAX < held.counts.held_bytes.saturating_add(record.len()) {
            held.lose(Dropped::Full, 1);
            return;
        }
        held.counts.held = held.counts.held.saturating_add(1);
        held.counts.held_bytes = held.counts.held_bytes.saturating_add(record.len());
        held.open.bytes.extend_from_slice(record);
        held.open.records = held.open.records.saturating_add(1);
        if PIECE_BYTES <= held.open.bytes.len() {
            let full = std::mem::take(&mut held.open);
            held.full.push_back(full);
        }
    }

    /// The oldest piece, to be sent; its records are held until [`done`](Self::done).
    pub fn take(&self) -> Option<Piece> {
        let mut held = self.held();
        if let Some(oldest) = held.full.pop_front() {
            return Some(oldest);
        }
        let open = std::mem::take(&mut held.open);
        (0 < open.records).then_some(open)
    }

    /// `piece` was sent, and the collector refused so many of its records.
    pub fn done(&self, piece: &Piece, refused: u64) {
        let refused = refused.min(piece.records);
        let mut held = self.held();
        held.leave(piece);
        let exported = piece.records.saturating_sub(refused);
        held.counts.exported = held.counts.exported.saturating_add(exported);
        held.lose(Dropped::Refused, refused);
    }

    /// `piece` will not be sent.
    pub fn give_up(&self, piece: &Piece, reason: Dropped) {
        let mut held = self.held();
        held.leave(piece);
        held.lose(reason, piece.records);
    }

    /// What has become of records.
    pub fn counts(&self) -> Counts {
        self.held().counts
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn leave(&mut self, piece: &Piece) {
        self.counts.held = self.counts.held.saturating_sub(piece.records);
        self.counts.held_bytes = self.counts.held_bytes.saturating_sub(piece.bytes.len());
    }

    fn lose(&mut self, reason: Dropped, records: u64) {
        let [full, refused, failed, stopped] = &mut self.counts.dropped;
        let count = match reason {
            Dropped::Full => full,
            Dropped::Refused => refused,
            Dropped::Failed => failed,
            Dropped::Stopped => stopped,
        };
        *count = count.saturating_add(records);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(counts: &Counts) -> u64 {
        counts.exported + counts.dropped.iter().sum::<u64>() + counts.held
    }

    #[test]
    fn every_record_is_accounted_for() {
        let (outbox, record) = (Outbox::default(), vec![0; PIECE_BYTES / 2]);
        for _ in 0..100 {
            outbox.put(&record);
        }
        let counts = outbox.counts();
        assert_eq!((counts.emitted, counts.held), (100, 64));
        assert_eq!((counts.held_bytes, counts.dropped[0]), (HELD_BYTES_MAX, 36));
        let first = outbox.take().unwrap();
        assert_eq!(first.records, 2);
        // What is on its way takes up room.
        outbox.put(&record);
        assert_eq!(outbox.counts().dropped[0], 37);
        outbox.done(&first, 1);
        outbox.put(&record);
        let second = outbox.take().unwrap();
        outbox.give_up(&second, Dropped::Failed);
        let counts = outbox.counts();
        assert_eq!((counts.exported, counts.dropped), (1, [37, 1, 2, 0]));
        assert_eq!((sum(&counts), counts.emitted), (102, 102));
    }

    #[test]
    fn a_collector_cannot_refuse_more_than_it_got() {
        let outbox = Outbox::default();
        outbox.put(b"x");
        let piece = outbox.take().unwrap();
        assert!(outbox.take().is_none());
        outbox.done(&piece, 1_000);
        let counts = outbox.counts();
        assert_eq!((counts.exported, counts.dropped[1], counts.held_bytes), (0, 1, 0));
    }
}
