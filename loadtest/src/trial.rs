//! A fleet under load while some weather happens: what clients were told before, during and after.

use std::time::Duration;

use serde::Serialize;

use crate::clock::{Deadline, micros};
use crate::failure::Failure;
use crate::fleet::Fleet;
use crate::load::{Asked, Clients, Load, Told};
use crate::watch::{self, Watch};
use crate::weather::Weather;

/// How often the gateways are asked whether they are in touch.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// The clients' connections are there, and the first allotments are bought, after this.
const WARM_UP: Duration = Duration::from_secs(1);

/// How long everything takes.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Times {
    /// The time before it happens, and the time after it.
    pub(crate) around: Duration,
    /// How long it lasts.
    pub(crate) lasts: Duration,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Trial {
    /// From here on figures count.
    pub(crate) begun: u64,
    /// When the weather began to happen.
    pub(crate) broke: u64,
    /// When it was over.
    pub(crate) over: u64,
    /// When the clients stopped.
    pub(crate) ended: u64,
    /// What each load was told.
    pub(crate) asked: Vec<Vec<Asked>>,
    /// How long after it was over all gateways were in touch, if they were.
    pub(crate) in_touch_after: Option<Duration>,
    /// What the gateways said of themselves meanwhile.
    pub(crate) watched: watch::Told,
}

/// What clients were told in the three parts of a trial.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Phases {
    /// Before it happened.
    pub(crate) before: Told,
    /// While it did.
    pub(crate) during: Told,
    /// After it was over.
    pub(crate) after: Told,
}

/// Has clients load `fleet` while `weather` happens.
pub(crate) fn run(
    fleet: &mut Fleet,
    loads: &[Load],
    weather: Weather,
    times: Times,
) -> Result<Trial, Failure> {
    let (dates, addresses) = (fleet.dates, fleet.addresses());
    let clients: Vec<_> =
        loads.iter().map(|load| Clients::start(dates, &addresses, load)).collect();
    let watch = Watch::begin(dates, &fleet.admins());
    Deadline::pause(WARM_UP);
    let begun = dates.now();
    Deadline::pause(times.around);
    let broke = dates.now();
    weather.happen(fleet, times.lasts)?;
    let over = dates.now();
    let (end, mut in_touch_after) = (Deadline::after(times.around), None);
    while !end.has_passed() {
        if in_touch_after.is_none() && fleet.all_in_touch() {
            in_touch_after = Some(Duration::from_micros(dates.now().saturating_sub(over)));
        }
        Deadline::pause(LOOK_AGAIN);
    }
    let ended = dates.now();
    let asked = clients.into_iter().map(Clients::stop).collect();
    Ok(Trial { begun, broke, over, ended, asked, in_touch_after, watched: watch.end() })
}

impl Trial {
    /// What load `number` was told.
    pub(crate) fn phases(&self, number: usize) -> Phases {
        let asked = self.asked.get(number).map(Vec::as_slice).unwrap_or_default();
        Phases {
            before: Told::between(asked, self.begun, self.broke),
            during: Told::between(asked, self.broke, self.over),
            after: Told::between(asked, self.over, self.ended),
        }
    }

    /// Of what load `number` asked for of a limit of `calls` in `period` for `gateways`: what was
    /// refused by those in touch while more was asked of them in the period before it than the shares
    /// that they do not hold back for missing ones, before, during and after. That is not for sale.
    pub(crate) fn not_for_sale(
        &self,
        number: usize,
        (calls, gateways): (u64, u32),
        period: Duration,
    ) -> [u64; 3] {
        let asked = self.asked.get(number).map(Vec::as_slice).unwrap_or_default();
        let counts =
            |one: &&Asked| one.status.is_some() && self.watched.is_in_touch(one.gateway, one.due);
        let answered: Vec<&Asked> = asked.iter().filter(counts).collect();
        let parts = [self.begun..self.broke, self.broke..self.over, self.over..self.ended];
        let (mut oldest, mut refused) = (0_usize, [0_u64; 3]);
        for (at, one) in answered.iter().enumerate() {
            let from = one.due.saturating_sub(micros(period));
            while answered.get(oldest).is_some_and(|old| old.due <= from) {
                oldest = oldest.saturating_add(1);
            }
            if one.status != Some(429) {
                continue;
            }
            let held = self.watched.held_back(one.gateway, one.due).min(gateways.into());
            let shares = u64::from(gateways).saturating_sub(held);
            let sold = calls.saturating_mul(shares).checked_div(gateways.into()).unwrap_or(calls);
            let wanted = u64::try_from(at.saturating_sub(oldest)).unwrap_or(u64::MAX);
            let part = parts.iter().position(|part| part.contains(&one.due));
            if 0 < held
                && sold <= wanted
                && let Some(count) = part.and_then(|part| refused.get_mut(part))
            {
                *count = count.saturating_add(1);
            }
        }
        refused
    }

    /// When load `number` was refused: in spans of `every` microseconds after it broke, how often.
    pub(crate) fn refused_at(&self, number: usize, every: u64) -> Vec<(u64, u64)> {
        let asked = self.asked.get(number).map(Vec::as_slice).unwrap_or_default();
        let refused = asked.iter().filter(|one| self.broke <= one.due && one.status == Some(429));
        let span = |one: &Asked| one.due.saturating_sub(self.broke).checked_div(every).unwrap_or(0);
        let mut told: Vec<(u64, u64)> = Vec::new();
        for at in refused.map(span) {
            match told.last_mut() {
                Some((last, count)) if *last == at => *count = count.saturating_add(1),
                _ => told.push((at, 1)),
            }
        }
        told
    }

    /// Which metrics moved from when it broke on, and not before.
    pub(crate) fn story(&self) -> Vec<String> {
        self.watched.story(&(self.begun..self.broke), &(self.broke..self.ended))
    }

    /// What load `number` was told from `after` its end on.
    pub(crate) fn settled(&self, number: usize, after: Duration) -> Told {
        let asked = self.asked.get(number).map(Vec::as_slice).unwrap_or_default();
        Told::between(asked, self.over.saturating_add(micros(after)), self.ended)
    }

    /// How long after it was over the last request of load `number` was due that was not admitted;
    /// zero if all of them were.
    pub(crate) fn admitted_after(&self, number: usize) -> Duration {
        let asked = self.asked.get(number).map(Vec::as_slice).unwrap_or_default();
        let odd =
            |one: &&Asked| (self.over..self.ended).contains(&one.due) && one.status != Some(200);
        let last = asked.iter().rfind(odd).map(|one| one.due.saturating_sub(self.over));
        last.map_or(Duration::ZERO, |after| Duration::from_micros(after.max(1)))
    }
}

impl Phases {
    /// The sum of a figure over all of them.
    pub(crate) fn sum(&self, figure: fn(&Told) -> u64) -> u64 {
        [&self.before, &self.during, &self.after].map(figure).iter().sum()
    }
}

impl Times {
    /// How long a trial takes in all, in microseconds.
    pub(crate) fn whole(&self) -> u64 {
        micros(WARM_UP + self.around * 2 + self.lasts)
    }
}

#[cfg(test)]
mod tests {
    use super::Trial;
    use crate::load::Asked;
    use crate::watch;
    use std::time::Duration;

    #[test]
    fn all_is_admitted_after_the_last_request_that_was_not() {
        let asked =
            |due, answered, status| Asked { gateway: 0, due, answered, status: Some(status) };
        let trial = Trial {
            begun: 0,
            broke: 10,
            over: 20,
            ended: 90_000,
            asked: vec![vec![
                asked(15, 99_000, 503),
                asked(30, 31, 429),
                asked(50, 9_050, 200),
                asked(60, 1_060, 200),
            ]],
            in_touch_after: None,
            watched: watch::Told::default(),
        };
        assert_eq!(trial.admitted_after(0), Duration::from_micros(10));
        assert_eq!(trial.settled(0, Duration::from_micros(11)).answered(), 2);
        assert_eq!(trial.phases(0).during.server_errors, 1);
    }
}
