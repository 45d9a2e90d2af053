//! How the cluster is doing, as the status page shows it.

use serde::Serialize;

use crate::configuration::cluster::Standing;
use crate::configuration::cluster::record::{Current, Member, Stage, Withheld};
use crate::configuration::cluster::wish::Done;
use crate::time::{Timestamp, date};

/// How the cluster is doing, as this replica sees it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Together {
    replica: String,
    /// Who leads, and since when; nobody while it is not known.
    leader: Option<String>,
    leader_since: Option<String>,
    is_leading: bool,
    /// What is wrong with the store that replicas share.
    trouble: Option<String>,
    in_force: Option<InForce>,
    replicas: Vec<Member>,
}

/// The generation that is in force.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InForce {
    generation: u64,
    /// Which generation of the control plane it is, if it came from one.
    #[serde(skip_serializing_if = "Option::is_none")]
    control_generation: Option<u64>,
    digest: String,
    /// `all`, or `canaries`.
    stage: &'static str,
    canaries: Vec<String>,
    /// What the others serve meanwhile.
    previous: u64,
    /// Why it is in force, where that is not simply that the source has it.
    reason: Option<String>,
    published_by: String,
    /// What the source has and is not published, and why.
    withheld: Option<HeldBack>,
    /// The digest of what was taken back: it is not published until the source has something else.
    held: Option<String>,
    /// What an operator wanted last.
    wish: Option<Wish>,
    /// The generations that can be gone back to, as long as they are kept.
    sound: Vec<u64>,
}

/// What is not published, because it takes too much away.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HeldBack {
    digest: String,
    why: String,
    since: String,
}

/// What an operator wanted, and what became of it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Wish {
    /// `now`, `force` or `back`.
    what: &'static str,
    who: String,
    when: String,
    reason: String,
    done: bool,
    outcome: String,
}

impl Together {
    /// How the cluster is doing, as `replica` sees it.
    pub fn of(replica: &str, standing: &Standing) -> Self {
        Self {
            replica: replica.to_owned(),
            leader_since: standing.leader.as_ref().map(|_leader| date(standing.since)),
            leader: standing.leader.clone(),
            is_leading: standing.is_leading,
            trouble: standing.trouble.clone(),
            in_force: standing.current.as_ref().map(InForce::of),
            replicas: standing.members.clone(),
        }
    }
}

impl InForce {
    fn of(current: &Current) -> Self {
        let (stage, canaries) = match &current.stage {
            Stage::All => ("all", Vec::new()),
            Stage::Canaries(names) => ("canaries", names.clone()),
        };
        Self {
            generation: current.number,
            control_generation: current.origin.map(|origin| origin.current.number),
            digest: current.digest.clone(),
            stage,
            canaries,
            previous: current.previous,
            reason: current.reason.clone(),
            published_by: current.by.clone(),
            withheld: current.withheld.as_ref().map(HeldBack::of),
            held: current.held.clone(),
            wish: current.wish.as_ref().map(Wish::of),
            sound: current.sound.clone(),
        }
    }
}

impl HeldBack {
    fn of(withheld: &Withheld) -> Self {
        let Withheld { digest, why, since } = withheld.clone();
        Self { digest, why, since: moment(since) }
    }
}

impl Wish {
    fn of(done: &Done) -> Self {
        let Done { wish, is_done, outcome } = done;
        Self {
            what: wish.what.word(),
            who: wish.who.clone(),
            when: moment(wish.at),
            reason: wish.reason.clone(),
            done: *is_done,
            outcome: outcome.clone(),
        }
    }
}

/// The date of so many milliseconds since the Unix epoch.
fn moment(millis: u64) -> String {
    date(Timestamp::from_micros(millis.saturating_mul(1_000)))
}
