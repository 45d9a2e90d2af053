//! Signs of life: what a replica says of itself, and what it learns of the others.

use super::ReplicaId;

/// One life of the data of a lane: from when there are none until they are lost. It is kept in the
/// table of members, so that it is lost with them, and every sale tells it: who had bought before
/// the loss, or reported what it knew, finds another one. It lies below 2^52.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Epoch(pub u64);

impl Epoch {
    /// There are no data, or nothing is known of them.
    pub const NONE: Self = Self(0);
}

/// Asks for the time and the epoch. Where there is none, `begins` is the epoch from now on: so
/// reports that are made afterwards are known to be lost if the epoch is another one later.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Probe {
    /// One that nobody else ever proposes.
    pub begins: Epoch,
}

/// The answer to [`Order::Probe`](super::Order::Probe).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Probed {
    /// What time it is.
    pub now: u64,
    /// Whose data are there.
    pub epoch: Epoch,
}

/// A sign of life. The table of members holds, for each replica that ever beat: its seat if it has
/// one, when and to which primary (run id) it last beat, its incarnation, its held-back intervals,
/// and whether it was expelled; and for all together how many seats there are, the epoch, when its
/// first member beat, and who is on its way back.
///
/// # What one does, in this order, at `now`
/// 1. `not_after < now`, or the own entry is of the same incarnation and has seen this `seq` or a
///    larger one: nothing is changed, the answer is [`Beaten::Late`]. The `epoch` is not that of the
///    table: nothing is changed, the answer is [`Beaten::Strange`]. If nobody beat in this epoch
///    before, it begins `now`. With `heals` it is noted that the replica is on its way back since
///    `now`, and no more; the answer is [`Beaten::Noted`].
/// 2. Who beats is on its way back no more. Every other member whose last beat is more than `member_ttl` old is *expelled*: it is no
///    member any more; if it had a seat, the interval from its last beat `+ unsure_after` to `now`
///    is held back for that seat, and the seat is free.
/// 3. The own entry: if there is one of another incarnation with a seat, whose last beat is more
///    than `unsure_after` old, the interval from that beat `+ unsure_after` to `now` is held back
///    for that seat. The last beat (time, primary, incarnation, `seq`) is noted; who was expelled
///    is a member again. With `leave` the replica is no member any more, at once and without
///    anything held back; the answer then has no seat, and the rest is skipped but for 5.
/// 4. Seats. `stands` frees the own seat. Then, with R members and S seats:
///    * If no member has a seat, S becomes R.
///    * If R > S or R < S/2, and nobody is missing, who beats is told to stand: the reply has no
///      seat, but the seat stays its own in the table until it says that it stands. (So everybody
///      stands up within two beats, and then all sit down again by the new number.)
///    * Otherwise it keeps its seat; who has none takes the lowest below S that no member has, if
///      there is one, and is a holder from then on, whether the reply arrives or not.
/// 5. *Missing* is every other member whose last beat is more than `miss` old, or went to a
///    primary with another run id than this one.
///
/// Held-back intervals are told until [`HELD_BACK_KEPT_MICROS`](super::HELD_BACK_KEPT_MICROS) after their end, and then forgotten
/// (with the entry of a replica that is no member any more).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Beat {
    /// Who beats.
    pub replica: ReplicaId,
    /// Which life of that replica: larger after each start of the process.
    pub incarnation: u64,
    /// Which beat of that life: each is larger than those before.
    pub seq: u64,
    /// Carried out later than this it is void, so that a beat that was held up somewhere does not
    /// make a replica look alive which has already turned to its local share.
    pub not_after: u64,
    /// Without a beat for this many microseconds a member is missing.
    pub miss: u64,
    /// This many microseconds after its last beat a member may have begun to use its local share.
    pub unsure_after: u64,
    /// Without a beat for this many microseconds a member is expelled.
    pub member_ttl: u64,
    /// The replica knows that it has no seat: none was told to it in this life, or the last reply
    /// that it has seen told it to stand.
    pub stands: bool,
    /// It leaves for good, and has handed in or used up everything.
    pub leave: bool,
    /// In which epoch it has reported what it knew.
    pub epoch: Epoch,
    /// It is about to, or waits for others to be: whoever reported before waits for it.
    pub heals: bool,
}

/// The place of a replica in the division of limits: of N tokens of a window with number w, seat i
/// of S owns the positions from N·x/S to N·(x+1)/S, x = (i + w) mod S, rounded down.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Seat {
    /// Which seat, from 0.
    pub index: u32,
    /// Of how many.
    pub of: u32,
}

/// The answer to [`Order::Beat`](super::Order::Beat).
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Beaten {
    /// It counted.
    Alive(Alive),
    /// It came after its `not_after` and changed nothing.
    Late {
        /// What time it is.
        now: u64,
    },
    /// The data are of another epoch, and it changed nothing.
    Strange {
        /// What time it is.
        now: u64,
    },
    /// It is noted that the replica is on its way back.
    Noted {
        /// What time it is.
        now: u64,
        /// When the first beat of any kind came in this epoch.
        began: u64,
        /// How many are on their way back, this one included.
        coming: u32,
        /// How many others are members, have beaten in time and to this primary.
        here: u32,
    },
}

/// What a replica learns from its beat.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Alive {
    /// What time it is.
    pub now: u64,
    /// The seat of this replica; none: it stands, and owns no share.
    pub seat: Option<Seat>,
    /// How many members there are, this one included.
    pub members: u32,
    /// The other members that are missing, those without a seat too.
    pub missing: Vec<Missing>,
    /// Intervals whose windows are held back, this replica's own included.
    pub held_back: Vec<HeldBack>,
    /// When the first beat of any kind came in this epoch.
    pub began: u64,
    /// How many others are on their way back.
    pub healing: u32,
}

/// A member that did not beat in time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Missing {
    /// Its seat, if it may believe that it has one.
    pub seat: Option<Seat>,
    /// When it last beat.
    pub since: u64,
}

/// The share of a life that ended out of touch: it may have used it, and cannot say so.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HeldBack {
    /// The seat of that life.
    pub seat: Seat,
    /// Windows are held back that start at this time or later ...
    pub from: u64,
    /// ... and before this one.
    pub to: u64,
}
