//! What must never happen, and what must have come about in the end.

use super::super::replica::Replica;
use super::{LEFT_MAX, Shared, World};
use crate::configuration::cluster::publication::KEPT_MIN;
use crate::configuration::cluster::record::{
    CURRENT, Current, GENERATIONS, LEADER, PARTS, Record, SWITCH, Stage, WISH, number_of, read,
};
use crate::configuration::cluster::wish::{What, Wish};
use crate::configuration::switch::orders::Orders;

impl World {
    fn broke(&mut self, told: String) {
        self.broken.get_or_insert(told);
    }

    pub(super) fn judge_write(&mut self, key: &str, bytes: &[u8]) {
        let lies = self.values.get(key).map(|lying| lying.bytes.clone());
        if key == SWITCH {
            let before = lies.as_deref().and_then(read::<Orders>).unwrap_or_default();
            if !read::<Orders>(bytes).unwrap().is_after(&before) {
                self.broke("C14: older orders of a control plane are left after newer ones".into());
            }
            return;
        }
        if key == CURRENT {
            self.judge_current(&read::<Current>(bytes).unwrap());
        } else if key.starts_with(GENERATIONS) && lies.is_some() {
            self.broke(format!("C2: {key} is written again"));
        } else if lies.is_some_and(|lies| lies != bytes) && self.is_part_of_any(key) {
            self.broke(format!("C2: {key} changes after it was published"));
        }
    }

    /// Whether a generation has the part that this key is of, or one that keys begin with.
    fn is_part_of_any(&self, key: &str) -> bool {
        let Some(digest) = key.strip_prefix(PARTS).and_then(|rest| rest.split('/').next()) else {
            return false;
        };
        let generations = self.values.iter().filter(|(key, _)| key.starts_with(GENERATIONS));
        let mut records = generations.filter_map(|(_, lying)| read::<Record>(&lying.bytes));
        records.any(|record| record.parts.iter().any(|part| part.digest == digest))
    }

    fn judge_current(&mut self, next: &Current) {
        let leads = self.values.get(LEADER).map(|lying| lying.created);
        if leads != Some(next.epoch) {
            self.broke(format!("C1: {next:?} is written while {leads:?} leads"));
        }
        if let Some(last) = self.currents.last().cloned() {
            if next.number < last.number || next.epoch < last.epoch {
                self.broke(format!("C1: {next:?} after {last:?}"));
            }
            if next.number == last.number && next.digest != last.digest {
                self.broke(format!("C2: {next:?} is another than {last:?}"));
            }
            let is_wish = self.judge_wish(&last, next);
            self.judge_stage(&last, next, is_wish);
            let is_forced = is_wish && wants(next, |what| matches!(what, What::Force(_)));
            let is_emptied = self.text(&next.digest).starts_with("empty")
                && !self.text(&last.digest).starts_with("empty");
            if is_emptied && !is_forced && next.reason.is_none() {
                self.broke(format!("C13: {next:?} after {last:?}"));
            }
            let (newest, was) = (next.newest_origin(), last.newest_origin());
            let is_back = next.reason.is_some() || is_forced;
            let is_new = last.number < next.number && !is_back;
            if newest < was || (is_new && self.is_streamed && newest <= was) {
                self.broke(format!("C4: {next:?} is older at its control plane than {last:?}"));
            }
        }
        self.currents.push(next.clone());
    }

    /// Whether `next` sees to a wish that `last` did not.
    fn judge_wish(&mut self, last: &Current, next: &Current) -> bool {
        let id = |current: &Current| current.wish.as_ref().map(|done| done.wish.id);
        let Some(now) = id(next).filter(|now| Some(*now) != id(last)) else { return false };
        let lies = self.value(WISH).and_then(|value| read::<Wish>(&value.bytes));
        if lies.is_none_or(|lies| lies.id != now) || !self.wishes.insert(now) {
            self.broke(format!("{next:?} sees to a wish that is not there"));
        }
        true
    }

    /// Whether enough requests were told of generation `number`, and meanwhile of the one before,
    /// to whoever writes.
    fn is_busy(&self, number: u64, previous: u64) -> bool {
        let shares = self.deciding.iter().filter_map(|member| member.share);
        let (mut canaries, mut others) = (0, 0);
        for share in shares.filter(|share| share.rollout == number) {
            if share.serving == number {
                canaries += share.requests;
            } else if share.serving == previous {
                others += share.requests;
            }
        }
        // One of two fails: forty say it among five replicas.
        40 <= canaries.min(others)
    }

    fn judge_stage(&mut self, last: &Current, next: &Current, is_new: bool) {
        let goes =
            next.number == last.number && last.stage != next.stage && next.stage == Stage::All;
        let before = self.currents.iter().rfind(|current| current.number == next.previous);
        let erred = before.is_some_and(|before| self.text(&before.digest).starts_with("errs"));
        let is_worse = !erred && self.text(&next.digest).starts_with("errs");
        let errs = is_worse && self.is_busy(next.number, next.previous);
        let is_wanted = is_new && wants(next, |what| matches!(what, What::Now(_)));
        if goes && errs && !is_wanted {
            self.broke(format!("C12: {next:?} makes requests fail"));
        }
    }

    pub(super) fn judge_removal(&mut self, key: &str) {
        if self.is_part_of_any(key) {
            self.broke(format!("C3: {key} is taken away, and a generation has it"));
        }
        let Some(number) = number_of(key) else { return };
        let Some(current) = self.currents.last() else { return };
        let is_needed =
            current.number <= number.saturating_add(KEPT_MIN) || current.previous == number;
        if is_needed {
            let told = format!("C3: {key} is taken away while {} is in force", current.number);
            self.broke(told);
        }
    }
}

impl Shared {
    /// Whether everybody serves what they should at the end.
    pub(super) fn converged(&self, replicas: &[Replica]) -> Result<(), String> {
        let world = self.lock();
        let Some(current) = world.currents.last() else {
            return Err("C11: nothing was ever published".to_owned());
        };
        // What only one replica refuses may have gone to all while it was away.
        let in_force =
            world.sources.iter().find(|(_, bundle)| bundle.digest().to_string() == current.digest);
        let is_bad_for_first =
            in_force.is_some_and(|(_, bundle)| bundle.entries()[0].text().starts_with("bad"));
        for replica in replicas.iter().skip(usize::from(is_bad_for_first)) {
            if replica.serves() != current.number {
                let (number, serves) = (replica.number(), replica.serves());
                let text = in_force.map(|(_, bundle)| bundle.entries()[0].text());
                return Err(format!("C11: {number} serves {serves}, not {text:?}: {current:?}"));
            }
        }
        let is_kept = |key: &&String| world.is_part_of_any(key);
        let parts = world.values.keys().filter(|key| key.starts_with(PARTS));
        let (kept, left): (Vec<_>, Vec<_>) = parts.partition(is_kept);
        // Some of what was tried last, which nobody publishes any more, and what the store wrote
        // long after all of that was swept away.
        if LEFT_MAX < left.len() {
            return Err(format!("C3: {} parts are left beside {}", left.len(), kept.len()));
        }
        let lies = world.values.get(SWITCH).and_then(|lying| read::<Orders>(&lying.bytes));
        let lies = lies.unwrap_or_default();
        if let Some(late) = replicas.iter().find(|replica| lies.is_after(&replica.obeys())) {
            return Err(format!("C14: {} does not know {lies:?}", late.number()));
        }
        let source = world.sources.last().map(|(_, bundle)| bundle);
        let Some(source) = source else { return Ok(()) };
        let newest = source.digest().to_string();
        // What an operator went back from is held, and so is what takes too much away.
        let withheld = current.withheld.as_ref().map(|withheld| &withheld.digest);
        let is_held = current.held.as_ref() == Some(&newest) || withheld == Some(&newest);
        let is_empty = source.entries()[0].text().starts_with("empty");
        if is_empty && current.digest != newest && !is_held {
            return Err(format!("C13: {current:?} does not say why {newest} is not published"));
        }
        let is_good = source.entries()[0].text().starts_with("good");
        if is_good && current.digest != newest && current.held.as_ref() != Some(&newest) {
            let has = source.entries()[0].text();
            return Err(format!("C11: {current:?} is not what the source has, {has} {newest}"));
        }
        let is_poison = source.entries()[0].text().starts_with("poison");
        if is_poison && current.digest == newest && 0 < current.previous {
            return Err(format!("C11: {current:?} is what somebody refuses"));
        }
        Ok(())
    }
}

/// Whether what somebody wanted last is such a thing.
fn wants(current: &Current, is_such: impl Fn(&What) -> bool) -> bool {
    current.wish.as_ref().is_some_and(|done| is_such(&done.wish.what))
}
