//! The membership of a lane, what is known of its Redis, and what people are told about it.

use std::sync::Arc;

use crate::counters::redis::Copies;
use crate::counters::redis::trouble::Trouble;
use crate::counters::shared::desk::Round;
use crate::counters::shared::spread::{MICROS, Spread};
use crate::limit::engine::members::{Identity, Membership};
use crate::limit::engine::standing::{Standing, Touch};
use crate::limit::order::{Outcome, Ticket};
use crate::time::Timestamp;

/// The membership and what else is known of the lane.
#[derive(Debug)]
pub(super) struct Member {
    lane: u16,
    pub(super) membership: Membership,
    /// The connection that orders go over.
    pub(super) connection: u64,
    /// Where the primary is, or was.
    pub(super) place: Option<String>,
    /// What is wrong with it.
    pub(super) trouble: Option<Trouble>,
    /// Who has what is sold besides the primary; none: nobody asked yet.
    pub(super) copies: Option<Copies>,
    /// Since when it is in touch, or out of it.
    pub(super) since: Timestamp,
    /// Whether it was in touch when that was last said; none: it never was.
    said_in: Option<bool>,
    parting: Option<Parting>,
    /// How long answers took, in microseconds.
    pub(super) latency: Spread,
}

/// How far a good-bye is.
#[derive(Clone, Copy, Debug, Default)]
struct Parting {
    is_heard: bool,
    is_over: bool,
}

impl Member {
    pub(super) fn new(lane: u16, identity: Identity, now: Timestamp) -> Self {
        Self {
            lane,
            membership: Membership::new(identity, now),
            connection: 0,
            place: None,
            trouble: None,
            copies: None,
            since: now,
            said_in: None,
            parting: None,
            latency: Spread::new(MICROS),
        }
    }

    /// Desks have reported, or failed to.
    pub(super) fn rounds(&mut self, now: Timestamp, rounds: &[Round]) {
        for Round { desk, number, is_whole } in rounds {
            if *is_whole {
                self.membership.healed(now, u32::from(*desk), *number);
            } else {
                self.membership.unhealed(now, *number);
            }
        }
    }

    /// What became of an order of the membership.
    pub(super) fn outcome(&mut self, now: Timestamp, ticket: Ticket, outcome: Outcome) {
        if let Some(parting) = &mut self.parting {
            parting.is_heard |= matches!(outcome, Outcome::Answered(_));
        }
        self.membership.outcome(now, ticket, outcome);
    }

    /// Says good-bye, once.
    pub(super) fn leave(&mut self, now: Timestamp) {
        if self.parting.is_none() {
            self.parting = Some(Parting::default());
            self.membership.leave(now);
        }
    }

    /// It has left.
    pub(super) fn left(&mut self) {
        self.parting.get_or_insert_default().is_over = true;
    }

    /// Whether it has left.
    pub(super) fn has_left(&self) -> bool {
        self.parting.is_some_and(|parting| parting.is_over)
    }

    /// Whether Redis has heard that it left.
    pub(super) fn has_said_good_bye(&self) -> bool {
        self.parting.is_some_and(|parting| parting.is_over && parting.is_heard)
    }

    /// Tells people when the lane comes in touch or gets out of it.
    pub(super) fn note(&mut self, standing: &Arc<Standing>, now: Timestamp) {
        let (lane, members) = (self.lane, standing.members);
        let place = self.place.as_deref().unwrap_or("an unknown place");
        match (self.said_in, standing.touch) {
            (Some(true), Touch::In) | (Some(false) | None, Touch::Out | Touch::Healing) => return,
            (None, Touch::In) => {
                tracing::info!(
                    lane,
                    replicas = members,
                    "limits are shared: in touch with Redis at {place}"
                );
            }
            (Some(false), Touch::In) => {
                let out = now.since(self.since);
                tracing::info!(
                    lane,
                    replicas = members,
                    "limits are shared again: in touch with Redis at {place} after {out:.1?}; \
                     what was admitted meanwhile is counted"
                );
            }
            (Some(true), Touch::Out | Touch::Healing) if self.parting.is_some() => {}
            (Some(true), Touch::Out | Touch::Healing) => {
                let why = self
                    .trouble
                    .as_ref()
                    .map_or_else(|| "it gives no answers in time".to_owned(), ToString::to_string);
                tracing::warn!(
                    lane,
                    replicas = members,
                    "out of touch with Redis at {place}: {why}. Until that is over each replica \
                     admits its own share of a limit, or what the limit says for this case"
                );
            }
        }
        self.said_in = Some(standing.touch == Touch::In);
        self.since = now;
    }

    /// Tells people who has what is sold of quotas. Where something is not spent unless a replica
    /// has it (`is_required`), nobody having it is a fault.
    pub(super) fn learn(&mut self, copies: Copies, is_required: bool) {
        let lane = self.lane;
        let place = self.place.as_deref().unwrap_or("an unknown place");
        let missed = match &copies {
            Copies::Confirmed => {
                tracing::info!(
                    lane,
                    "what is sold of quotas is on a replica of Redis at {place} before it is spent"
                );
                None
            }
            Copies::NoReplica => Some("no replica is connected to it".to_owned()),
            Copies::Late => Some("no replica of it confirms within 20 ms what it wrote".to_owned()),
            Copies::Unknown(trouble) => Some(format!("its replicas cannot be asked: {trouble}")),
        };
        if let Some(missed) = missed.as_ref().filter(|_| is_required) {
            tracing::warn!(
                lane,
                "Redis at {place} alone has what is sold of quotas: {missed}. Quotas with the \
                 durability `replicated` sell nothing until that is over: see to its replicas, or \
                 write `memory`"
            );
        } else if let Some(missed) = missed {
            tracing::info!(
                lane,
                "Redis at {place} alone has what is sold of quotas: {missed}. What it loses then \
                 is lost with the gateways that bought it"
            );
        }
        self.copies = Some(copies);
    }

    /// Something is wrong with Redis.
    pub(super) fn suffer(&mut self, trouble: Trouble) {
        tracing::warn!(lane = self.lane, "{trouble}");
        self.trouble = Some(trouble);
    }
}
