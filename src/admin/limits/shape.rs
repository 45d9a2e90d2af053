//! What the limits of a gateway look like on the wire: written by the admin listener, read by
//! `weir limits`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::counters::reset::{CounterReset, Reach};
use crate::counters::view::{Room, Row, Windows, digits};
use crate::limit::engine::census::Sight;
use crate::limit::engine::rule::Rule;
use crate::limit::key::{CounterKey, Kind};
use crate::limit::names::{Named, Names};
use crate::time::date;

/// `GET /limits`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Top {
    /// `memory`, or `redis` where replicas share.
    pub home: String,
    /// How many counters this replica holds.
    pub counters: usize,
    /// Those nearest to their limits.
    pub limits: Vec<Counter>,
    /// The keys of `limit-concurrency` nearest to their limits.
    #[serde(default)]
    pub permits: Vec<Permits>,
}

/// One counter.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counter {
    /// The digest of its key: 32 hexadecimal digits.
    pub key: String,
    /// The policy that counts.
    pub policy: String,
    /// What it counts.
    pub counts: String,
    /// How much is admitted.
    pub limit: Option<u64>,
    /// In what time; 0: once and for all.
    pub period_seconds: f64,
    /// `sliding`, `fixed`, `bucket` or `quota`.
    pub window: String,
    /// `exact`, `fast`, or `local` where this replica counts alone.
    pub mode: String,
    /// How much is used, as far as this replica knows.
    pub used: u64,
    /// Tokens that this replica has bought and not spent; below zero: owed.
    pub in_hand: Option<i64>,
    /// How much is left: of the limit, or of this replica's own share.
    pub remaining: Option<u64>,
    /// How many requests this replica refused in this period.
    pub refused: u32,
    /// Until the window ends; none: each moment ends one, or it never does.
    pub ends_in_seconds: Option<f64>,
    /// Who says so: `redis`, `own-share` while out of touch, `memory`.
    pub as_of: String,
    /// Which part of the Redis.
    pub lane: Option<u16>,
    /// Who stands behind it; none: this replica does not remember that it refused.
    #[serde(default)]
    pub name: Option<Name>,
}

/// Who stands behind a key that refused.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Name {
    /// The id of a subscription, or the beginning of the key's text; `[secret]` where that is one.
    pub who: String,
    /// The policy that refused last.
    pub policy: String,
    /// Where it is written.
    pub place: String,
    /// When that was.
    pub refused: String,
}

/// One key of `limit-concurrency`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Permits {
    /// The digest of the key: 32 hexadecimal digits.
    pub key: String,
    /// How many requests may be inside, as a policy said last.
    pub limit: u64,
    /// How many are inside of this replica.
    pub inside: u64,
    /// How many permits it was lent; none: it counts alone.
    pub lent: Option<u64>,
    /// How many all replicas were lent at most, when these were.
    pub lent_to_all: Option<u64>,
    /// How many requests wait here for a permit.
    pub waiting: u64,
    /// Who says so: `redis`, `own-share` while out of touch, `memory`.
    pub as_of: String,
    /// Which part of the Redis.
    pub lane: Option<u16>,
    /// Who stands behind it; none: this replica does not remember that it refused.
    pub name: Option<Name>,
}

/// `GET /limits/{key}`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    /// The digest of the key.
    pub key: String,
    /// Its counters: one for each period and kind of window.
    pub counters: Vec<Detail>,
    /// If it is a key of `limit-concurrency`: who is inside.
    #[serde(default)]
    pub permits: Option<Permits>,
}

/// One counter in full.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Detail {
    /// What `GET /limits` shows of it.
    #[serde(flatten)]
    pub counter: Counter,
    /// What is admitted at most, in words.
    pub bound: String,
    /// What this replica holds of a counter that is shared.
    pub slot: Option<Slot>,
}

/// What a replica holds of a shared counter, in tokens.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Slot {
    /// Seen sold in this window, over all replicas.
    pub sold: u64,
    /// Bought by this replica.
    pub bought: u64,
    /// Bought for the next window.
    pub ahead: u64,
    /// Admitted without having been bought, and not yet reported.
    pub alone: u64,
    /// May be bought: the limit less the shares held back for replicas that are missing.
    pub for_sale: u64,
    /// What this replica admits of a window on its own while out of touch.
    pub share: u64,
    /// What it may owe.
    pub debt_max: u64,
    /// For how long no more is asked for.
    pub denied_for_seconds: Option<f64>,
    /// The window (the sub-window) by Redis's clock, in seconds since 1970.
    pub window_starts: Option<f64>,
    /// Its end.
    pub window_ends: Option<f64>,
}

/// `POST /limits/{key}/reset`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResetDone {
    /// The digest of the key.
    pub key: String,
    /// Its counters.
    pub counters: Vec<OneReset>,
}

/// One counter that was set back.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OneReset {
    /// The policy that counts.
    pub policy: String,
    /// How much is admitted.
    pub limit: Option<u64>,
    /// In what time.
    pub period_seconds: f64,
    /// In which windows.
    pub window: String,
    /// How much was used.
    pub used: u64,
    /// How much still counts: what replicas may hold and hand back.
    pub left: u64,
    /// `all-replicas` or `this-replica`.
    pub reach: String,
    /// When the last replica that refuses asks again, at the latest.
    pub known_within_seconds: Option<f64>,
    /// Replicas that are out of touch: they may lift it again when they come back.
    pub replicas_out_of_touch: usize,
}

/// `GET /limits/bound`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Bounds {
    /// `memory`, or `redis` where replicas share.
    pub home: String,
    /// How many replicas share, as last heard.
    pub replicas: Option<u32>,
    /// The limits of the configuration, by place.
    pub limits: Vec<Bound>,
    /// How many more there are than are shown.
    pub more: usize,
}

/// A limit of the configuration.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Bound {
    /// Where it is written.
    pub place: String,
    /// The policy.
    pub policy: String,
    /// What it counts.
    pub counts: String,
    /// How much is admitted; none: it is computed for each request.
    pub limit: Option<u64>,
    /// In what time.
    pub period_seconds: Option<f64>,
    /// In which windows.
    pub window: Option<String>,
    /// How sure it is.
    pub mode: String,
    /// How much more all replicas together may admit.
    pub over: Option<u64>,
    /// What is admitted at most, in words.
    pub bound: String,
}

/// The name of the policy that counts under keys of a kind, and what it counts.
pub(in crate::admin) const fn words(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Rate => ("rate-limit", "calls"),
        Kind::RateByKey => ("rate-limit-by-key", "calls"),
        Kind::QuotaCalls => ("quota", "calls"),
        Kind::QuotaBandwidth => ("quota", "bytes"),
        Kind::QuotaByKeyCalls => ("quota-by-key", "calls"),
        Kind::QuotaByKeyBandwidth => ("quota-by-key", "bytes"),
        Kind::Concurrency => ("limit-concurrency", "requests inside"),
        Kind::Tokens | Kind::QuotaTokens => ("llm-token-limit", "tokens"),
    }
}

impl Counter {
    /// What is shown of `row`; `names` knows who refused.
    pub(super) fn of(row: &Row, names: &Names) -> Self {
        let (policy, counts) = words(row.key.kind());
        let mode = row.rule.as_ref().map_or("local", |rule| mode(rule));
        Self {
            key: digits(&row.key),
            policy: policy.to_owned(),
            counts: counts.to_owned(),
            limit: row.limit,
            period_seconds: row.period.as_secs_f64(),
            window: row.windows.word().to_owned(),
            mode: if row.shared.is_some() && row.rule.is_none() { "unknown" } else { mode }.into(),
            used: row.used,
            in_hand: row.shared.as_ref().map(|sight| sight.in_hand),
            remaining: row.remaining,
            refused: row.refused,
            ends_in_seconds: row.ends_in.map(|span| span.as_secs_f64()),
            as_of: row.as_of.word().to_owned(),
            lane: row.lane,
            name: Name::of(&row.key, names),
        }
    }
}

impl Name {
    fn of(key: &CounterKey, names: &Names) -> Option<Self> {
        let Named { site, who, at } = names.of(key)?;
        Some(Self {
            who: who.as_ref().to_owned(),
            policy: site.policy.to_owned(),
            place: site.place.to_string(),
            refused: date(at),
        })
    }
}

impl Permits {
    /// What is shown of `room`; `names` knows who refused.
    pub(super) fn of(room: &Room, names: &Names) -> Self {
        let Room { key, known, as_of, lane } = room;
        Self {
            key: digits(key),
            limit: known.max,
            inside: known.inside,
            lent: known.lent.map(|lent| lent.here),
            lent_to_all: known.lent.map(|lent| lent.all),
            waiting: known.lent.map_or(0, |lent| lent.waiting),
            as_of: as_of.word().to_owned(),
            lane: *lane,
            name: Name::of(key, names),
        }
    }
}

const fn mode(rule: &Rule) -> &'static str {
    if rule.is_exact() { "exact" } else { "fast" }
}

impl Detail {
    pub(super) fn of(row: &Row, names: &Names) -> Self {
        let bound = match (&row.rule, row.limit) {
            (Some(rule), _) => rule.bound_in_words(),
            (None, Some(limit)) => alone_in_words(limit, row.period, row.windows),
            (None, None) => "not known before a request uses it".to_owned(),
        };
        let slot = row.shared.as_deref().map(Slot::of);
        Self { counter: Counter::of(row, names), bound, slot }
    }
}

/// What a gateway admits that counts alone.
pub(super) fn alone_in_words(limit: u64, period: Duration, windows: Windows) -> String {
    let seconds = period.as_secs_f64();
    match windows {
        _ if period.is_zero() => format!("at most {limit} in all, by each gateway alone"),
        Windows::Sliding => format!("at most {limit} in any {seconds} s, by each gateway alone"),
        Windows::Bucket => {
            format!(
                "what its bucket holds, and {limit} more each {seconds} s, by each gateway alone"
            )
        }
        Windows::Fixed | Windows::Quota => {
            format!("at most {limit} per {seconds} s, by each gateway alone")
        }
    }
}

impl Slot {
    fn of(sight: &Sight) -> Self {
        let seconds = |micros: u64| Duration::from_micros(micros).as_secs_f64();
        let ends = sight.window.map(|span| span.ends).filter(|ends| *ends != u64::MAX);
        Self {
            sold: sight.sold,
            bought: sight.own,
            ahead: sight.ahead,
            alone: sight.alone,
            for_sale: sight.for_sale,
            share: sight.share,
            debt_max: sight.debt,
            denied_for_seconds: sight.denied_for.map(|span| span.as_secs_f64()),
            window_starts: sight.window.map(|span| seconds(span.starts)),
            window_ends: ends.map(seconds),
        }
    }
}

impl OneReset {
    pub(super) fn of(done: &CounterReset) -> Self {
        let (reach, known, missing) = match done.reach {
            Reach::ThisReplica => ("this-replica", None, 0),
            Reach::AllReplicas { known_within, missing } => {
                ("all-replicas", Some(known_within.as_secs_f64()), missing)
            }
        };
        Self {
            policy: words(done.before.key.kind()).0.to_owned(),
            limit: done.before.limit,
            period_seconds: done.before.period.as_secs_f64(),
            window: done.before.windows.word().to_owned(),
            used: done.used,
            left: done.left,
            reach: reach.to_owned(),
            known_within_seconds: known,
            replicas_out_of_touch: missing,
        }
    }
}
