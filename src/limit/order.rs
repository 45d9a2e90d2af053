//! What a replica asks of the one who sells tokens, and what it is told: plain data.
//!
//! A *lane* is the part of the counters that lives under one hash tag of Redis, so on one primary
//! at a time: its members, its counters, its clock. A replica speaks to each lane on its own; one
//! Redis that is no cluster has one lane. An order is carried out by the lane's primary in one
//! step: nobody sees the middle of it.
//!
//! Times are microseconds of the clock of that primary (`TIME`), unless a name says otherwise.
//! Amounts are tokens: calls, or whatever unit the limit counts.
//!
//! # What may happen to an order
//! It is carried out and the reply comes in time; it is carried out, now or much later, and the
//! reply is lost; or it is never carried out. The last two look the same from here and are both
//! [`Outcome::Unanswered`]. So no order may do harm when it is late, and none is sent twice by
//! whoever carries it, except [`Ledger`], which says by itself that it is a repetition.

pub mod durability;
pub mod members;

use crate::limit::key::CounterKey;
use crate::limit::order::durability::Durability;
use crate::limit::order::members::{Beat, Beaten, Epoch, Probe, Probed};

/// The most that one fixed window can have sold: a counter and its number of returns
/// ([`FixedSold::returns`]) then fit into 53 bits, which Lua's numbers hold exactly.
pub const FIXED_SOLD_MAX: u64 = (1 << 42) - 1;

/// How many returns a fixed window's counter can tell apart.
pub const FIXED_RETURNS_MAX: u64 = (1 << 11) - 1;

/// How many marks one [`Ring`] order carries at most.
pub const MARKS_MAX: usize = 64;

/// How many entries one [`Ledger`] order carries at most.
pub const LEDGER_ENTRIES_MAX: usize = 64;

/// How many floors one [`Raise`] order carries at most.
pub const FLOORS_MAX: usize = 64;

/// How long after its end a [`HeldBack`](members::HeldBack) is still told: longer than the longest window that is
/// rate-limited from allotments.
pub const HELD_BACK_KEPT_MICROS: u64 = 700_000_000;

/// An order and the mark by which its outcome finds its way back.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Errand {
    /// Whose it is; nobody but its maker reads it.
    pub ticket: Ticket,
    /// What is asked.
    pub order: Order,
}

/// The mark of one [`Errand`].
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Ticket {
    /// A place in the tables of the maker.
    pub place: u32,
    /// Tells apart what was at that place one after the other.
    pub serial: u32,
}

/// What became of an [`Errand`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It was carried out, and this is the answer.
    Answered(Reply),
    /// It was carried out, but no replica of the primary said in time that it has it, and it was
    /// not to be answered before ([`Durability::Replicated`]). To its maker it is as unanswered.
    Unconfirmed,
    /// No answer came in time, or the connection broke: carried out or not, nobody knows.
    Unanswered,
}

/// What a replica asks of a lane.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Order {
    /// Says what time it is there, and whose data are kept.
    Probe(Probe),
    /// Shows that the replica lives.
    Beat(Beat),
    /// Buys in a fixed window.
    Fixed(Fixed),
    /// Buys in a sub-window of a sliding window.
    Ring(Ring),
    /// Buys from a token bucket.
    Bucket(Bucket),
    /// Buys from, and reports to, ledgers of quotas.
    Ledger(Ledger),
    /// Lifts counters of fixed windows to what a replica saw.
    Raise(Raise),
    /// Takes, renews or gives back permits of a shared concurrency limit.
    Permits(Permits),
}

/// The answer to an [`Order`], of the same name. Whatever sells says of which epoch the data are
/// that it sold from, as it is after the sale: who knows of another epoch does not spend them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reply {
    /// To [`Order::Probe`].
    Probe(Probed),
    /// To [`Order::Beat`].
    Beat(Beaten),
    /// To [`Order::Fixed`].
    Fixed(FixedSold, Epoch),
    /// To [`Order::Ring`].
    Ring(RingSold, Epoch),
    /// To [`Order::Bucket`].
    Bucket(BucketSold, Epoch),
    /// To [`Order::Ledger`].
    Ledger(LedgerSold, Epoch),
    /// To [`Order::Raise`].
    Raise,
    /// To [`Order::Permits`].
    Permits(PermitsHeld),
}

/// One replica: a digest of the name under which it comes back after a restart.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ReplicaId(pub u128);

/// One counter: the same key with other periods or origins is another one.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Meter {
    /// What is counted.
    pub key: CounterKey,
    /// The length of its windows in microseconds; zero: one window that never ends.
    pub period: u64,
}

/// One window of a fixed grid.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Span {
    /// Its first microsecond.
    pub starts: u64,
    /// The first microsecond that is no longer in it; [`u64::MAX`]: it never ends.
    pub ends: u64,
}

// ---- fixed windows ---------------------------------------------------------------------------

/// Buys in a fixed window: the counter becomes `counter - back + want`, in one step, and lives
/// until a while after the window. Nobody looks at a limit there: whoever ordered works out from
/// the reply how much of `want` lies under it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Fixed {
    /// Which counter.
    pub meter: Meter,
    /// Which window of it.
    pub span: Span,
    /// How much is asked for; or, on the way back from a loss, how much was admitted without it.
    pub want: u64,
    /// How much of what was bought before in this window is handed back, never to be spent.
    pub back: u64,
}

/// The answer to [`Order::Fixed`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FixedSold {
    /// The counter afterwards. Below zero only after a loss of data.
    pub sold: i64,
    /// How many orders with a `back` this window has seen, this one included; at most
    /// [`FIXED_RETURNS_MAX`]. Who sees a counter fall while this number does not change knows that
    /// data was lost.
    pub returns: u64,
}

/// Lifts counters to at least what a replica has seen: `counter = max(counter, floor)`, the number
/// of returns as it is. Up to [`FLOORS_MAX`] at once.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Raise {
    /// Counters and their floors.
    pub floors: Vec<Floor>,
}

/// The least that a counter of a fixed window has sold.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Floor {
    /// Which counter.
    pub meter: Meter,
    /// Which window of it.
    pub span: Span,
    /// How much it had sold, returns taken off.
    pub sold: u64,
}

// ---- sliding windows -------------------------------------------------------------------------

/// Buys in one sub-window of a ring. With `length` = period/parts rounded up, sub-window x covers
/// the `length` microseconds from x·length on, and an interval as long as the period touches at
/// most `parts + 1` of them; so the sum of no `parts + 1` neighbours may pass the bound.
///
/// In this order: the marks are applied; then up to `want` is granted in `at` as far as every sum
/// of `parts + 1` neighbours that contains `at` and ends no later than the newest sub-window stays
/// within `bound`.
///
/// The ring keeps the newest `parts + 3` sub-windows; a mark outside of
/// `newest - parts - 2 ..= newest + 2` is ignored, and so is a `want` in a sub-window before
/// `newest - 2`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ring {
    /// Which counter.
    pub meter: Meter,
    /// Into how many sub-windows the period is divided.
    pub parts: u32,
    /// The sub-window in which tokens are wanted.
    pub at: u64,
    /// How much is wanted.
    pub want: u64,
    /// The limit less what is held back.
    pub bound: u64,
    /// What is to be noted first, in this order; at most [`MARKS_MAX`].
    pub marks: Vec<Mark>,
}

/// A correction of one sub-window of a ring.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Mark {
    /// Which sub-window.
    pub at: u64,
    /// What about it.
    pub change: Change,
}

/// What a [`Mark`] says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Change {
    /// So much was bought there and will never be spent. The sum never falls below zero.
    Back(u64),
    /// So much was admitted there without having been bought.
    Charge(u64),
    /// At least so much had been sold there.
    Floor(u64),
}

/// The answer to [`Order::Ring`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RingSold {
    /// How much was granted.
    pub granted: u64,
    /// The largest of the sums that contain `at`, the grant included.
    pub used: u64,
    /// How much is sold in `at` itself, the grant included.
    pub here: u64,
    /// The fewest sub-windows after `at` in which one token could be granted if nobody bought
    /// meanwhile: zero if one could be granted in `at`, at most `parts + 1` (also if `bound` is 0).
    pub wait: u64,
}

// ---- token bucket ----------------------------------------------------------------------------

/// Buys from a bucket that holds `burst` tokens and gains one each `token_nanos`: the generic cell
/// rate algorithm over a theoretical arrival time (TAT), which never looks back over the largest
/// time it has seen.
///
/// `tat = max(tat - back·token, now) + charge·token`, then up to `want` is granted as far as
/// `tat + granted·token <= now + burst·token`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Bucket {
    /// Which bucket; `meter.period` is the time in which it fills up.
    pub meter: Meter,
    /// Nanoseconds in which one token is gained; never zero.
    pub token_nanos: u64,
    /// How many tokens it holds, already without those that may be out on their way.
    pub burst: u64,
    /// How much is wanted.
    pub want: u64,
    /// How much is handed back, never to be spent.
    pub back: u64,
    /// How much was admitted without having been bought.
    pub charge: u64,
}

/// The answer to [`Order::Bucket`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BucketSold {
    /// How much was granted.
    pub granted: u64,
    /// How many whole tokens are left.
    pub left: u64,
    /// Microseconds until there is one more; zero if there is.
    pub wait: u64,
}

// ---- quotas ----------------------------------------------------------------------------------

/// Buys from and reports to ledgers, exactly once: the primary keeps for each session the last
/// `seq` and its reply. The same `seq` again changes nothing and is answered with that reply; a
/// smaller one changes nothing and is answered with [`LedgerSold::Stale`].
///
/// A ledger holds `floor` (what was asserted since this primary took over), `added` (what came
/// since) and the run id of the primary; its total is `floor + added`. For each entry, in order:
/// under another run id `added` is folded into `floor` first; then
/// `floor = max(floor, entry.floor)`; then `added += delta`; then up to `want` is granted as far as the total stays within `bound`,
/// and the grant is added too.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ledger {
    /// Who reports.
    pub session: Session,
    /// Which report of that session; each one is larger than those before.
    pub seq: u64,
    /// The ledgers, at most [`LEDGER_ENTRIES_MAX`], each at most once.
    pub entries: Vec<LedgerEntry>,
    /// Who must have what is sold before it is answered.
    pub durability: Durability,
}

/// A stream of reports of which at most one is on its way at any time.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Session {
    /// Whose.
    pub replica: ReplicaId,
    /// Of which life. After a restart the last report of the life before is repeated as it was.
    pub incarnation: u64,
    /// Which of the parts into which the replica divides its keys.
    pub desk: u32,
}

/// What is asked of one ledger.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LedgerEntry {
    /// Which counter.
    pub meter: Meter,
    /// Which period of it.
    pub span: Span,
    /// The quota less what is held back.
    pub bound: u64,
    /// How much is wanted.
    pub want: u64,
    /// Used without having been bought (above zero), or bought and handed back (below).
    pub delta: i64,
    /// The least that the ledger's total had been under an earlier primary, as far as this replica
    /// knows; zero for what was seen under this one.
    pub floor: u64,
}

/// The answer to [`Order::Ledger`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum LedgerSold {
    /// One for each entry, in their order.
    Sold(Vec<EntrySold>),
    /// A later report of this session was carried out before.
    Stale,
}

/// The answer to one [`LedgerEntry`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct EntrySold {
    /// How much was granted.
    pub granted: u64,
    /// The total afterwards.
    pub total: u64,
}

// ---- concurrency -----------------------------------------------------------------------------

/// Takes, renews or gives back permits that expire: what a replica holds under a key becomes
/// `want`, as far as all replicas together then hold no more than `max`; what it holds already is
/// never taken from it by this, and it never becomes less than `inside`. Holdings whose time is
/// over are dropped first. It all expires `life` after it was last renewed. An order that comes
/// after a later one of the same holder changes nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Permits {
    /// What is limited.
    pub key: CounterKey,
    /// Who holds; another incarnation of a replica is another holder.
    pub replica: ReplicaId,
    /// Which life of it.
    pub incarnation: u64,
    /// Which order of that life; each one is larger than those before.
    pub seq: u64,
    /// How many requests are inside already: these hold a permit each, whatever `max` says.
    pub inside: u64,
    /// How many it needs in all, at most `want`; if it gets fewer, others are told that it lacks
    /// some.
    pub need: u64,
    /// How many it wants in all, those included that it holds; zero gives all back.
    pub want: u64,
    /// How many there are.
    pub max: u64,
    /// Microseconds after which they expire.
    pub life: u64,
}

/// The answer to [`Order::Permits`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PermitsHeld {
    /// How many the replica holds now: `want`, or fewer.
    pub held: u64,
    /// How many all replicas hold together.
    pub taken: u64,
    /// Whether another one has lacked some lately.
    pub is_wanted: bool,
}
