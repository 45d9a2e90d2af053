//! How the sharing of limits is doing, as the status page shows it.

use serde::Serialize;

use crate::counters::redis::Copies;
use crate::counters::shared::{CopiesReport, LaneReport, Report, Touch};

/// What a replica does over Redis, in tokens unless said otherwise.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Sharing {
    keys: usize,
    requests_waiting: usize,
    bought: u64,
    spent: u64,
    returned: u64,
    expired: u64,
    /// Admitted from this replica's own share while Redis was out of touch.
    from_share: u64,
    /// Admitted without limit meanwhile.
    unlimited: u64,
    refused: u64,
    unavailable: u64,
    waited: u64,
    timed_out: u64,
    orders: u64,
    orders_unanswered: u64,
    rollbacks: u64,
    debt_max: u64,
    /// The copy of the totals of quotas in etcd; none if no etcd is named.
    copy_in_etcd: Option<Copy>,
    lanes: Vec<Lane>,
}

/// How the copy of the totals of quotas in etcd is doing.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Copy {
    /// `kept` or `broken`.
    state: &'static str,
    /// Why it is broken.
    trouble: Option<String>,
    /// How long ago it was last brought up to date; none: not yet.
    age_seconds: Option<u64>,
}

/// One primary, or one of the parts of a cluster.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Lane {
    number: u16,
    /// `in-touch`, `out-of-touch` or `healing`.
    state: &'static str,
    for_seconds: u64,
    redis: Option<String>,
    /// Why it is out of touch.
    trouble: Option<String>,
    /// Who has what is sold of quotas: `replicated`, or `memory` and why.
    durability: Option<String>,
    replicas: u32,
    shares_held_back: usize,
    /// How far apart the bounds of Redis's clock are.
    clock_width_micros: Option<u64>,
}

impl Sharing {
    pub(super) fn of(report: &Report) -> Self {
        let facts = &report.facts;
        Self {
            keys: report.counters,
            requests_waiting: report.waiting,
            bought: facts.bought,
            spent: facts.spent,
            returned: facts.returned,
            expired: facts.expired,
            from_share: facts.shared,
            unlimited: facts.open,
            refused: facts.refused,
            unavailable: facts.unavailable,
            waited: facts.waited,
            timed_out: facts.timed_out,
            orders: facts.orders,
            orders_unanswered: facts.unanswered,
            rollbacks: facts.rollbacks,
            debt_max: facts.debt_max,
            copy_in_etcd: report.copies.as_ref().map(Copy::of),
            lanes: report.lanes.iter().map(Lane::of).collect(),
        }
    }
}

fn durability(copies: &Copies) -> String {
    match copies {
        Copies::Confirmed => "replicated".to_owned(),
        Copies::NoReplica => "memory: no replica of Redis is connected".to_owned(),
        Copies::Late => "memory: no replica of Redis confirms in time".to_owned(),
        Copies::Unknown(trouble) => format!("memory: replicas cannot be asked: {trouble}"),
    }
}

impl Copy {
    fn of(copies: &CopiesReport) -> Self {
        Self {
            state: if copies.fault.is_some() { "broken" } else { "kept" },
            trouble: copies.fault.clone(),
            age_seconds: copies.age.map(|age| age.as_secs()),
        }
    }
}

impl Lane {
    fn of(lane: &LaneReport) -> Self {
        let width = lane.clock_width.map(|width| u64::try_from(width.as_micros()));
        Self {
            number: lane.lane,
            state: match lane.touch {
                Touch::In => "in-touch",
                Touch::Out => "out-of-touch",
                Touch::Healing => "healing",
            },
            for_seconds: lane.since.as_secs(),
            redis: lane.place.clone(),
            trouble: lane.trouble.clone(),
            durability: lane.copies.as_ref().map(durability),
            replicas: lane.replicas,
            shares_held_back: lane.held_back,
            clock_width_micros: width.and_then(Result::ok),
        }
    }
}
