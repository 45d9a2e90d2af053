//! Token buckets: tokens that were bought may be spent for a short time only, and Redis holds
//! back from the burst what can be out on its way, so that the arrival curve holds over all
//! replicas.

use std::sync::Arc;
use std::time::Duration;

use crate::limit::engine::decide::Verdict;
use crate::limit::engine::errands::{Buy, What};
use crate::limit::engine::reference::Moment;
use crate::limit::engine::rule::{BUCKET_LIFE, Rule, Shape};
use crate::limit::engine::sizing::{self, Supply, span_of_demand};
use crate::limit::engine::slot::{OwnBucket, Slot};
use crate::limit::engine::standing::Standing;
use crate::limit::engine::{Claim, Engine, Receipt, Source};
use crate::limit::order::{Bucket, BucketSold, Order};
use crate::time::Timestamp;

/// A bucket in numbers.
#[derive(Clone, Copy, Debug)]
struct Measure {
    /// Nanoseconds in which one token is gained.
    token_nanos: u64,
    /// How many tokens it holds.
    burst: u64,
    /// How long a token that was bought may be spent, in microseconds.
    life: u64,
}

impl Measure {
    /// A bucket that gains `limit` tokens each period and holds `burst`.
    fn of(rule: &Rule, limit: u64, burst: u64) -> Option<Self> {
        let period = rule.grid().period;
        let token_nanos = period.checked_mul(1_000)?.div_ceil(limit.max(1));
        // At most a quarter of the burst is out on its way.
        let quarter = token_nanos.saturating_mul(burst) / 4_000;
        let life = quarter.min(u64::try_from(BUCKET_LIFE.as_micros()).unwrap_or(0));
        (limit > 0 && burst > 0).then_some(Self { token_nanos, burst, life })
    }

    /// The whole one.
    fn whole(rule: &Rule) -> Option<Self> {
        let Shape::Bucket { burst, .. } = rule.shape() else { return None };
        Self::of(rule, rule.limit(), burst)
    }

    /// What is for sale of the whole one.
    fn for_sale(rule: &Rule, standing: &Standing, at: u64) -> Option<Self> {
        let Shape::Bucket { burst, .. } = rule.shape() else { return None };
        let limit = standing.for_sale(rule, 0, at, 0);
        Self::of(rule, limit, standing.for_sale_of(burst, rule, 0, at))
    }

    /// What belongs to this replica.
    fn own(rule: &Rule, standing: &Standing, at: u64) -> Option<Self> {
        let Shape::Bucket { burst, .. } = rule.shape() else { return None };
        let limit = standing.own_share(rule, (0, at), rule.limit());
        Self::of(rule, limit, standing.own_share(rule, (0, at), burst))
    }

    /// The burst without what can be out on its way.
    fn sold_burst(&self) -> u64 {
        let out = self.life.saturating_mul(1_000).div_ceil(self.token_nanos.max(1));
        self.burst.saturating_sub(out)
    }
}

impl Engine {
    /// Orders from a bucket.
    pub(super) fn ask_bucket(&mut self, place: u32, moment: Moment, rule: &Arc<Rule>, need: u64) {
        let now = moment.local;
        let measure = Measure::for_sale(rule, &self.standing, moment.early);
        let Some(slot) = self.slots.get_mut(place) else { return };
        if slot.flags.asking {
            return;
        }
        let Some(measure) = measure.filter(|measure| measure.sold_burst() > 0) else {
            let denied = slot.denied_mut();
            denied.bound = self.standing.for_sale(rule, 0, moment.early, 0);
            denied.until = moment.early.saturating_add(1_000_000);
            denied.retry_at = denied.until;
            self.waiting.alarm(now, place);
            return;
        };
        let grid = rule.grid();
        let demand = slot.demand(now.micros(), span_of_demand(rule));
        let supply = Supply { for_sale: measure.sold_burst(), demand, left: measure.life };
        // What was left when it was last seen, and what came in since.
        let since = moment.early.saturating_sub(slot.here).saturating_mul(1_000);
        let gained = since.checked_div(measure.token_nanos).unwrap_or(0);
        let left = slot.own.saturating_add(gained).min(measure.sold_burst());
        slot.sold = measure.sold_burst().saturating_sub(left);
        let want = sizing::want(slot, rule, supply, need).min(measure.burst.max(need));
        // What was drawn alone while Redis seemed to be gone.
        let own = slot.extra().and_then(|extra| extra.bucket.as_ref());
        let drawn = own.map_or(0, |own| own.drawn);
        let order = Order::Bucket(Bucket {
            meter: grid.meter(slot.key.key),
            token_nanos: measure.token_nanos,
            burst: measure.sold_burst(),
            want,
            // The bucket has filled up again meanwhile with what died: to hand it back as well
            // would count it twice.
            back: 0,
            charge: drawn,
        });
        slot.flags.asking = true;
        let bound = self.standing.for_sale(rule, 0, moment.early, 0);
        let rule = Arc::clone(rule);
        let (window, seen) = (measure.life, (0, 0));
        let buy = Buy { place, window, want, back: drawn, bound, seen, is_ahead: false, rule };
        if !self.send(now, What::Buy(buy), order)
            && let Some(slot) = self.slots.get_mut(place)
        {
            slot.flags.asking = false;
        }
    }

    /// Takes what a bucket sold.
    pub(super) fn bought_bucket(
        &mut self,
        now: Timestamp,
        sent: Timestamp,
        buy: &Buy,
        reply: BucketSold,
    ) {
        let Some(moment) = self.standing.clock.at(now) else { return };
        self.turn(buy.place, moment, buy.rule.grid(), 0);
        let Some(slot) = self.slots.get_mut(buy.place) else { return };
        let granted = reply.granted.min(buy.want);
        if let Some(extra) = slot.extra_if()
            && let Some(own) = extra.bucket.as_mut()
        {
            own.drawn = own.drawn.saturating_sub(buy.back);
            if own.drawn == 0 {
                extra.bucket = None;
            }
        }
        let expires = sent.micros().saturating_add(buy.window);
        slot.own = reply.left;
        slot.here = moment.early;
        slot.window = if slot.balance > 0 { slot.window.min(expires) } else { expires };
        slot.balance = slot.balance.saturating_add_unsigned(granted);
        self.facts.bought = self.facts.bought.saturating_add(granted);
        if granted < buy.want {
            let denied = slot.denied_mut();
            denied.bound = buy.bound;
            denied.retry_at = moment.early.saturating_add(reply.wait.max(1));
            // Nothing is lost by letting some tokens come together.
            denied.until = denied.retry_at.max(moment.early.saturating_add(buy.window / 8));
        }
        slot.refill_below = i64::MAX;
    }

    /// Out of touch: from the replica's own share of the bucket.
    pub(super) fn decide_alone_by_bucket(
        &mut self,
        place: u32,
        moment: Moment,
        claim: &Claim<'_>,
        standing: &Standing,
    ) -> Verdict {
        match self.draw_alone(place, moment, claim, standing) {
            Ok(receipt) => Verdict::admitted(receipt),
            Err(_) if standing.seat.is_none() => Verdict::Is(self.cannot_judge()),
            Err(wait) => Verdict::Is(self.refuse(wait)),
        }
    }

    /// Takes from the replica's own share of a bucket, or says after how long there may be enough
    /// in it. Of an exact limit it is empty when its time comes, because what was in the bucket may
    /// just have been sold; in the fast mode its time is now, and what was in it is estimated.
    pub(super) fn draw_alone(
        &mut self,
        place: u32,
        moment: Moment,
        claim: &Claim<'_>,
        standing: &Standing,
    ) -> Result<Receipt, Duration> {
        let rule = claim.rule;
        let is_over = rule.is_exact() && standing.share_to <= moment.late;
        let own = Measure::own(rule, standing, moment.early).filter(|_| !is_over);
        let own = own.ok_or(Duration::from_secs(1))?;
        let lost = self.lost_at(moment, standing);
        let slot = self.slots.get_mut(place).ok_or(Duration::from_secs(1))?;
        let token = u128::from(own.token_nanos);
        let burst = token.saturating_mul(u128::from(own.burst));
        let now = u128::from(moment.early).saturating_mul(1_000);
        let begins = u128::from(standing.share_from.max(standing.surrendered));
        let begins = begins.saturating_mul(1_000);
        let before = slot.extra().and_then(|extra| extra.bucket.as_ref());
        let before = before.map(|bucket| (bucket.full_at, bucket.drawn));
        let drawn = before.map_or(0, |(_, drawn)| drawn);
        let full_at = if rule.is_exact() {
            before.map_or(0, |(full_at, _)| full_at).max(begins.saturating_add(burst))
        } else if let Some((full_at, _)) = before {
            full_at
        } else {
            let left = left_of_bucket(slot, moment, rule, (lost, standing.members));
            let mine = standing.own_share(rule, (0, moment.early), left).min(own.burst);
            let missing = u128::from(own.burst.saturating_sub(mine));
            now.saturating_add(missing.saturating_mul(token))
        };
        let cost = u128::from(claim.need.max(claim.cost)).saturating_mul(token);
        let after = full_at.max(now).saturating_add(cost);
        let most = now.saturating_add(burst);
        if rule.is_exact() && now < begins || most < after {
            let wait = after.saturating_sub(most).div_ceil(1_000);
            let wait = Duration::from_micros(u64::try_from(wait).unwrap_or(u64::MAX));
            if before.is_none() && !rule.is_exact() {
                let rule = Arc::clone(rule);
                slot.extra_mut().bucket = Some(OwnBucket { full_at, rule, drawn });
            }
            return Err(wait.max(Duration::from_millis(1)));
        }
        let full_at = full_at.max(now).saturating_add(u128::from(claim.cost).saturating_mul(token));
        let (rule, drawn) = (Arc::clone(rule), drawn.saturating_add(claim.cost));
        slot.extra_mut().bucket = Some(OwnBucket { full_at, rule, drawn });
        self.facts.shared = self.facts.shared.saturating_add(claim.cost);
        let left = most.saturating_sub(full_at).checked_div(token).unwrap_or(0);
        Ok(Receipt {
            window: 0,
            cost: claim.cost,
            source: Source::Share,
            remaining: u64::try_from(left).unwrap_or(u64::MAX),
        })
    }

    /// What is to be charged for what was admitted from the own share: what was drawn from it and has
    /// not come back by itself.
    pub(super) fn bucket_charge(&self, place: u32, moment: Moment) -> Option<Bucket> {
        let slot = self.slots.get(place)?;
        let own = slot.extra()?.bucket.as_ref()?;
        // After a loss of data nothing of an exact limit may be for sale for a while.
        let whole = Measure::for_sale(&own.rule, &self.standing, moment.early);
        let whole = whole.or_else(|| Measure::whole(&own.rule))?;
        let share = Measure::own(&own.rule, &self.standing, moment.early).unwrap_or(whole);
        let missing = own.full_at.saturating_sub(u128::from(moment.early).saturating_mul(1_000));
        let charge = missing.div_ceil(u128::from(share.token_nanos.max(1)));
        let charge = u64::try_from(charge).unwrap_or(u64::MAX).min(share.burst).min(own.drawn);
        Some(Bucket {
            meter: own.rule.grid().meter(slot.key.key),
            token_nanos: whole.token_nanos,
            burst: whole.sold_burst(),
            want: 0,
            back: 0,
            charge,
        })
    }
}

/// What can be left in a bucket now that Redis fell silent when it was `lost`: what it was seen to
/// hold, and gained since, without what all `members` together may have bought by then, were they
/// all like this one. One that was never seen is full.
fn left_of_bucket(
    slot: &mut Slot,
    moment: Moment,
    rule: &Rule,
    (lost, members): (u64, u32),
) -> u64 {
    let Shape::Bucket { burst, .. } = rule.shape() else { return 0 };
    let Some(whole) = Measure::of(rule, rule.limit(), burst).filter(|_| slot.here > 0) else {
        return burst;
    };
    let gained = |micros: u64| {
        micros.saturating_mul(1_000).checked_div(whole.token_nanos).unwrap_or(u64::MAX)
    };
    let age = lost.saturating_sub(slot.here);
    let mine = sizing::tokens(slot.demand(moment.local.micros(), span_of_demand(rule)), age);
    let all = mine.saturating_mul(u64::from(members.max(1)));
    let then = slot.own.saturating_add(gained(age)).min(burst).saturating_sub(all);
    then.saturating_add(gained(moment.early.saturating_sub(lost))).min(burst)
}
