//! What lies in the store: where, and in which form.
//!
//! ```text
//! leader                       who leads; its store revision of creation is the epoch
//! current                      which generation is in force, and for whom
//! generation/{number}          what a generation is: the parts of its bundle; never changed
//! part/{digest}/{i}            a part, packed and in pieces, for all generations that have it
//! press                        what is being published, or was last: its parts may be in no generation
//! leftover/{name}              what was published or begun and is not needed: some of its parts are not either
//! member/{replica}             how a replica is doing; ends with its lease
//! switch                       what a control plane has switched off
//! wish                         what an operator wants, until the leader has seen to it
//! ```
//!
//! Numbers have sixteen hexadecimal digits, so that keys are in the order of numbers.

use serde::{Deserialize, Serialize};

use super::rise::Share;
use super::wish::{Done, Wish};
use crate::configuration::bundle::Digest;
use crate::configuration::generation::Generation;
use crate::configuration::offer::State;
use crate::time::date;
use crate::token::credential::Expiry;

/// The key of who leads.
pub(super) const LEADER: &str = "leader";
/// The key of what is in force.
pub(super) const CURRENT: &str = "current";
/// What keys of generations begin with.
pub(super) const GENERATIONS: &str = "generation/";
/// What keys of parts begin with.
pub(super) const PARTS: &str = "part/";
/// The key of what is being published.
pub(super) const PRESS: &str = "press";
/// What keys of leftovers begin with.
pub(super) const LEFTOVERS: &str = "leftover/";
/// What keys of members begin with.
pub(super) const MEMBERS: &str = "member/";

/// The key of what a control plane has switched off.
pub(super) const SWITCH: &str = "switch";
/// The key of what an operator wants.
pub(super) const WISH: &str = "wish";

/// The largest value other than a piece of a part that is read: a list of [`PARTS_MAX`] parts.
///
/// [`PARTS_MAX`]: crate::configuration::bundle::PARTS_MAX
const RECORD_BYTES_MAX: usize = 512 << 10;
/// How many generations that were for all are remembered: more than are kept.
const SOUND_MAX: usize = 8;
/// How many faults a member tells of.
const FAULTS_TOLD_MAX: usize = 3;
/// How long a told sentence may be, in characters.
const TOLD_CHARACTERS_MAX: usize = 500;

/// Which generation is in force, and for whom.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Current {
    /// Which one.
    pub number: u64,
    /// When the history of this cluster began, in milliseconds since the Unix epoch.
    pub history: u64,
    /// The digest of its bundle.
    pub digest: String,
    /// The store revision at which the leader that wrote this began to lead.
    pub epoch: i64,
    /// For whom.
    pub stage: Stage,
    /// The generation that everybody else serves meanwhile; 0 if there is none.
    pub previous: u64,
    /// What is not published again until the source has something else: it was taken back.
    pub held: Option<String>,
    /// Why it is in force, where that is not simply that the source has it.
    pub reason: Option<String>,
    /// The replica that wrote this.
    pub by: String,
    /// Which generations of a control plane these are; none if they come from a folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// What the source has and the leader does not publish, because it takes too much away.
    pub withheld: Option<Withheld>,
    /// What an operator wanted last, and what became of it.
    pub wish: Option<Done>,
    /// The generations that were for all and were not taken back, ascending: what can be gone back
    /// to, as long as it is kept.
    #[serde(default)]
    pub sound: Vec<u64>,
    /// Whether whoever serves it to others is to have all of them serve it at once.
    #[serde(default, skip_serializing_if = "is_no")]
    pub now: bool,
}

/// A configuration that is not published until somebody says that it is meant.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Withheld {
    /// The digest of its bundle.
    pub digest: String,
    /// What it takes away.
    pub why: String,
    /// Since when, in milliseconds since the Unix epoch.
    pub since: u64,
}

/// Which generations of a control plane those of a cluster are.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Origin {
    /// The one that is in force.
    pub current: Generation,
    /// The one that everybody else serves meanwhile; none if there is none.
    pub previous: Generation,
    /// The newest that was ever in force here, also if it was taken back: nothing older comes after
    /// it.
    pub newest: Generation,
}

/// For whom a generation is in force.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Stage {
    /// For some replicas, by name; the others make it ready.
    Canaries(Vec<String>),
    /// For all.
    All,
}

/// What a generation is.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// The digest of its bundle.
    pub digest: String,
    /// Its parts, in order.
    pub parts: Vec<Piled>,
    /// The replica that published it.
    pub by: String,
    /// When, in milliseconds since the Unix epoch.
    #[serde(default)]
    pub published: u64,
    /// Whose content it has, if somebody went back to that.
    #[serde(default)]
    pub like: Option<u64>,
    /// Who wanted it to be published, if somebody had to.
    pub wish: Option<Wish>,
    /// See [`Current::now`].
    #[serde(default, skip_serializing_if = "is_no")]
    pub now: bool,
}

/// A part of a bundle, as it lies in the store.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Piled {
    /// Its digest.
    pub digest: String,
    /// In how many pieces it lies there.
    pub pieces: usize,
}

/// How a replica is doing.
///
/// Replicas of several versions see each other while one replaces another: what one does not tell,
/// counts as nothing.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Member {
    /// Its name.
    pub replica: String,
    /// The version of Weir that it runs.
    pub version: String,
    /// The newest generation that it heard of.
    pub observed: u64,
    /// The newest that it has ready.
    pub prepared: u64,
    /// The one that it serves.
    pub serving: u64,
    /// The history that this one is of.
    pub history: u64,
    /// Why nothing comes from the control plane, if it leads and that is so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut_off: Option<String>,
    /// Whether that has been so for long, and it makes room for a replica that reaches it.
    #[serde(skip_serializing_if = "is_no")]
    pub gives_way: bool,
    /// Whether it reaches the control plane, as it found out because the leader gives way.
    #[serde(skip_serializing_if = "is_no")]
    pub reaches: bool,
    /// The newest that it refused; 0 for none.
    pub refused: u64,
    /// Why it does not serve the newest that its source or the cluster has.
    pub faults: Vec<String>,
    /// What happens to its requests while a rollout is on; one of an older version does not tell.
    pub share: Option<Share>,
    /// The token by which the control plane knows it; none if it shows none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<Token>,
}

/// How long a token is good, as whoever has it told it.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Token {
    /// Until when: a date.
    pub expires: String,
    /// `fine`; `near` if it should be replaced; `expired`.
    pub state: String,
}

impl From<Expiry> for Token {
    fn from(expiry: Expiry) -> Self {
        Self { expires: date(expiry.at), state: expiry.state.word().to_owned() }
    }
}

impl Current {
    /// Its generation.
    pub const fn generation(&self) -> Generation {
        Generation { history: self.history, number: self.number }
    }

    /// The newest generation of a control plane that was ever in force here.
    pub fn newest_origin(&self) -> Generation {
        self.origin.map_or(Generation::NONE, |origin| origin.newest)
    }

    /// The generation of a control plane that `number` is, which is this one or the one before.
    pub fn origin_of(&self, number: u64) -> Generation {
        let Some(origin) = self.origin else { return Generation::NONE };
        if number == self.number {
            origin.current
        } else if number == self.previous {
            origin.previous
        } else {
            Generation::NONE
        }
    }

    /// The generation that all serve, but for canaries; one that all of `members` refuse is none.
    pub fn served_by_all(&self, members: &[Member]) -> u64 {
        let is_refused =
            !members.is_empty() && members.iter().all(|member| member.refuses(self.number));
        match self.stage {
            Stage::All if !is_refused => self.number,
            Stage::All | Stage::Canaries(_) => self.previous,
        }
    }

    /// Notes for whom it is.
    pub fn stage(&mut self, stage: Stage) {
        if stage == Stage::All && !self.sound.contains(&self.number) {
            self.sound.push(self.number);
            let more = self.sound.len().saturating_sub(SOUND_MAX);
            self.sound.drain(..more);
        }
        self.stage = stage;
    }

    /// Whether `replica` is to serve it.
    pub fn is_for(&self, replica: &str) -> bool {
        match &self.stage {
            Stage::All => true,
            Stage::Canaries(names) => names.iter().any(|name| name == replica),
        }
    }
}

impl Record {
    /// The digest, if it is one.
    pub fn digest(&self) -> Option<Digest> {
        Digest::from_hex(&self.digest)
    }
}

impl Member {
    /// How `replica` is doing.
    pub fn of(replica: &str, state: &State) -> Self {
        Self {
            replica: replica.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            observed: state.observed.number,
            prepared: state.prepared.number,
            serving: state.serving.number,
            history: state.serving.history,
            cut_off: state.cut_off.as_deref().map(told),
            gives_way: state.gives_way,
            reaches: state.reaches,
            refused: state.refused_offer.number,
            faults: state
                .refusal
                .iter()
                .take(FAULTS_TOLD_MAX)
                .map(ToString::to_string)
                .map(|fault| told(&fault))
                .collect(),
            share: Some(Share::default()),
            token: None,
        }
    }

    /// What it serves.
    pub const fn served(&self) -> Generation {
        Generation { history: self.history, number: self.serving }
    }

    /// Whether it refuses the generation `number`.
    pub const fn refuses(&self, number: u64) -> bool {
        self.refused == number
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde asks")]
const fn is_no(flag: &bool) -> bool {
    !*flag
}

/// `text` as far as it is told.
pub(super) fn told(text: &str) -> String {
    text.chars().take(TOLD_CHARACTERS_MAX).collect()
}

/// As it lies in the store.
pub(super) fn written(record: &impl Serialize) -> Vec<u8> {
    // Plain structures of texts and numbers are always JSON.
    serde_json::to_vec(record).unwrap_or_default()
}

/// What lies in the store; nothing if it is not of that form.
pub(super) fn read<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Option<T> {
    serde_json::from_slice(bytes.get(..bytes.len().min(RECORD_BYTES_MAX))?).ok()
}

/// The key of a generation.
pub(super) fn generation_key(number: u64) -> String {
    format!("{GENERATIONS}{number:016x}")
}

/// What the keys of all pieces of a part begin with.
pub(super) fn pieces_of(digest: &str) -> String {
    format!("{PARTS}{digest}/")
}

/// The key of a piece.
pub(super) fn piece_key(digest: &str, index: usize) -> String {
    format!("{PARTS}{digest}/{index:04}")
}

/// The key of a replica.
pub(super) fn member_key(replica: &str) -> String {
    format!("{MEMBERS}{replica}")
}

/// The number in a key that [`generation_key`] made.
pub(super) fn number_of(key: &str) -> Option<u64> {
    u64::from_str_radix(key.strip_prefix(GENERATIONS)?.get(..16)?, 16).ok()
}
