//! The queue of one logger: what is sent next, and when again after a failure. It awaits nothing and
//! reads no clock.

use std::collections::{HashMap, VecDeque};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use super::batch::{BATCH_BYTES_MAX, BATCH_EVENTS_MAX, Batch, weight, written_bytes};
use crate::backend::event_hub::EventHub;
use crate::policy::logging::event_hub::Partition;
use crate::time::Timestamp;

/// The most events of one logger that are queued.
pub(super) const EVENTS_MAX: u64 = 20_000;
/// The most bytes that those take up.
pub(super) const BYTES_MAX: usize = 16 << 20;
/// How many requests of one logger are on their way at once.
pub(super) const SENDS_MAX: usize = 4;
/// How long an event waits for others to be sent with it.
pub(super) const LINGER: Duration = Duration::from_millis(100);
/// How often it is tried to send an event.
pub(super) const TRIES_MAX: u32 = 12;
/// How long it is until the first try after a failure; twice as long after each further one.
const PAUSE_FIRST: Duration = Duration::from_secs(1);
/// How long it is at most.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// The same, while the gateway is on its way down.
const PAUSE_HURRIED: Duration = Duration::from_millis(200);

/// What became of the events of a logger.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// How many there were.
    pub emitted: u64,
    /// How many the event hub has.
    pub sent: u64,
    /// How many nobody has: there was no room, the event hub refused them, it was tried too often.
    pub dropped: [u64; 3],
}

/// Why events are dropped, in the order in which they are counted.
pub const DROPPED: [&str; 3] = ["full", "refused", "failed"];
const FULL: usize = 0;
const REFUSED: usize = 1;
const FAILED: usize = 2;

/// The queue of one logger.
#[derive(Debug)]
pub(super) struct Outbox {
    hub: Arc<EventHub>,
    /// By partition, oldest first; no list is empty.
    lines: HashMap<Partition, VecDeque<Held>>,
    /// Which partition's turn it is.
    turns: VecDeque<Partition>,
    /// What is to be sent again.
    again: VecDeque<Batch>,
    /// How many batches are on their way.
    away: usize,
    queued: u64,
    bytes: usize,
    counts: Counts,
    /// Failures since the last success, and when it is tried again.
    failures: u32,
    until: Timestamp,
}

#[derive(Debug)]
struct Held {
    text: Arc<str>,
    since: Timestamp,
}

/// What an outbox wants done.
#[derive(Debug)]
pub(super) enum Next {
    /// Send this, and say what became of it.
    Send(Batch),
    /// Ask again after this time.
    Wait(Duration),
    /// Ask again when something has happened.
    Nothing,
}

impl Outbox {
    /// An empty queue.
    pub(super) fn new(hub: Arc<EventHub>) -> Self {
        Self {
            hub,
            lines: HashMap::new(),
            turns: VecDeque::new(),
            again: VecDeque::new(),
            away: 0,
            queued: 0,
            bytes: 0,
            counts: Counts::default(),
            failures: 0,
            until: Timestamp::default(),
        }
    }

    /// What is queued goes to `hub` from now on.
    pub(super) fn leads_to(&mut self, hub: &Arc<EventHub>) {
        if Arc::ptr_eq(&self.hub, hub) {
            return;
        }
        if self.hub != *hub {
            // Perhaps what was wrong is mended.
            self.until = Timestamp::default();
        }
        self.hub = Arc::clone(hub);
    }

    /// How many bytes are queued.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many events are queued or on their way.
    pub(super) const fn queued(&self) -> u64 {
        self.queued
    }

    /// What became of the others.
    pub(super) const fn counts(&self) -> Counts {
        self.counts
    }

    /// Queues an event if it fits and takes no more than `room` bytes; whether somebody should look
    /// what is to be sent.
    pub(super) fn take(
        &mut self,
        partition: Partition,
        text: Arc<str>,
        room: usize,
        now: Timestamp,
    ) -> bool {
        self.counts.emitted = self.counts.emitted.saturating_add(1);
        let bytes = weight(&partition, &text);
        let total = self.bytes.saturating_add(bytes);
        if EVENTS_MAX <= self.queued || BYTES_MAX < total || room < bytes {
            self.drop_all(FULL, 1);
            return false;
        }
        self.bytes = total;
        self.queued = self.queued.saturating_add(1);
        let held = Held { text, since: now };
        if let Some(line) = self.lines.get_mut(&partition) {
            line.push_back(held);
            return line.len() == BATCH_EVENTS_MAX;
        }
        self.turns.push_back(partition.clone());
        self.lines.insert(partition, VecDeque::from([held]));
        true
    }

    /// What to do now; `is_hurried` if nothing should wait for long.
    pub(super) fn next(&mut self, now: Timestamp, is_hurried: bool) -> Next {
        // After a failure one batch tries whether it goes again.
        let sends_max = if self.failures == 0 { SENDS_MAX } else { 1 };
        if sends_max <= self.away || self.queued == 0 {
            return Next::Nothing;
        }
        let pause = self.until.since(now);
        let pause = if is_hurried { pause.min(PAUSE_HURRIED) } else { pause };
        if !pause.is_zero() {
            if is_hurried {
                self.until = self.until.min(now + PAUSE_HURRIED);
            }
            return Next::Wait(pause);
        }
        if let Some(batch) = self.again.pop_front() {
            self.away = self.away.saturating_add(1);
            return Next::Send(Batch { hub: Arc::clone(&self.hub), ..batch });
        }
        let Some(partition) = self.turns.front() else { return Next::Nothing };
        let Some(line) = self.lines.get(partition) else { return Next::Nothing };
        let age = line.front().map_or(LINGER, |held| now.since(held.since));
        if age < LINGER && line.len() < BATCH_EVENTS_MAX && !is_hurried {
            return Next::Wait(LINGER.saturating_sub(age));
        }
        match self.batch() {
            Some(batch) => {
                self.away = self.away.saturating_add(1);
                Next::Send(batch)
            }
            None => Next::Nothing,
        }
    }

    /// The next batch of the partition whose turn it is.
    fn batch(&mut self) -> Option<Batch> {
        let partition = self.turns.pop_front()?;
        let line = self.lines.get_mut(&partition)?;
        let (mut texts, mut bytes) = (Vec::new(), 0_usize);
        let mut written = 2_usize;
        while let Some(held) = line.front() {
            written = written.saturating_add(written_bytes(&partition, &held.text));
            let is_full = BATCH_BYTES_MAX < written || BATCH_EVENTS_MAX <= texts.len();
            if is_full && !texts.is_empty() {
                break;
            }
            bytes = bytes.saturating_add(weight(&partition, &held.text));
            texts.extend(line.pop_front().map(|held| held.text));
        }
        if line.is_empty() {
            self.lines.remove(&partition);
        } else {
            self.turns.push_back(partition.clone());
        }
        Some(Batch { hub: Arc::clone(&self.hub), partition, texts, tries: 0, bytes })
    }

    /// The event hub has them; `Some(true)` if it had failed before.
    pub(super) fn sent(&mut self, batch: &Batch) -> Option<bool> {
        self.away = self.away.saturating_sub(1);
        self.counts.sent = self.counts.sent.saturating_add(events(batch));
        self.forget(batch);
        self.until = Timestamp::default();
        (0 < mem::take(&mut self.failures)).then_some(true)
    }

    /// The event hub takes them neither now nor later: each half is tried by itself, so that one
    /// event cannot take others along.
    pub(super) fn refused(&mut self, batch: Batch) -> Option<bool> {
        self.away = self.away.saturating_sub(1);
        if batch.texts.len() < 2 {
            self.drop_all(REFUSED, events(&batch));
            self.forget(&batch);
        }
        self.again.extend(batch.halves().into_iter().flatten());
        // Somebody is there.
        (0 < mem::take(&mut self.failures)).then_some(true)
    }

    /// They could not be sent; `Some(false)` if it had worked before. `spread` makes any time up to
    /// the one that it is given.
    pub(super) fn failed(
        &mut self,
        mut batch: Batch,
        now: Timestamp,
        spread: impl FnOnce(Duration) -> Duration,
    ) -> Option<bool> {
        self.away = self.away.saturating_sub(1);
        batch.tries = batch.tries.saturating_add(1);
        if TRIES_MAX <= batch.tries {
            self.drop_all(FAILED, events(&batch));
            self.forget(&batch);
        } else {
            self.again.push_back(batch);
        }
        let doubled = 1_u32.checked_shl(self.failures).unwrap_or(u32::MAX);
        let pause = PAUSE_FIRST.saturating_mul(doubled).min(PAUSE_MAX);
        self.until = now + pause / 2 + spread(pause / 2);
        self.failures = self.failures.saturating_add(1);
        (self.failures == 1).then_some(false)
    }

    fn forget(&mut self, batch: &Batch) {
        self.queued = self.queued.saturating_sub(events(batch));
        self.bytes = self.bytes.saturating_sub(batch.bytes);
    }

    fn drop_all(&mut self, why: usize, events: u64) {
        if let Some(count) = self.counts.dropped.get_mut(why) {
            *count = count.saturating_add(events);
        }
    }
}

fn events(batch: &Batch) -> u64 {
    u64::try_from(batch.texts.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
