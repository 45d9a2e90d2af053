//! What gateways say of themselves while a trial runs: their metrics, several times a second, and
//! which of them tell the story of what happened.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::client::{Connection, Request};
use crate::clock::{Dates, micros};
use crate::statistics::count;

/// How often each gateway is asked.
const ASK_EVERY: Duration = Duration::from_millis(200);

/// What is heard so near to a date holds at it.
const NEAR: Duration = Duration::from_secs(1);

/// How many shares are not for sale.
const HELD_BACK: &str = "weir_limit_shares_held_back{lane=\"0\"}";

/// Whether a gateway is in touch.
const IN_TOUCH: &str = "weir_limit_lane_state{lane=\"0\",state=\"in-touch\"}";

/// What all metrics here begin with.
const PREFIX: &str = "weir_limit_";

/// Somebody who asks, a thread for each gateway.
#[derive(Debug)]
pub(crate) struct Watch {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Vec<Scrape>>>,
}

/// What one gateway said at one date.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scrape {
    date: u64,
    values: BTreeMap<String, f64>,
}

/// What all of them said, a list for each.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told(Vec<Vec<Scrape>>);

impl Watch {
    /// Begins to ask the admin listeners at `addresses`.
    pub(crate) fn begin(dates: Dates, addresses: &[SocketAddr]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let ask = |address: &SocketAddr| {
            let (address, stop) = (*address, Arc::clone(&stop));
            thread::spawn(move || {
                let mut told = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let date = dates.now();
                    // One that was killed or stopped says nothing.
                    told.extend(values(address).map(|values| Scrape { date, values }));
                    thread::sleep(ASK_EVERY);
                }
                told
            })
        };
        let threads = addresses.iter().map(ask).collect();
        Self { stop, threads }
    }

    /// Ends it.
    pub(crate) fn end(self) -> Told {
        self.stop.store(true, Ordering::Relaxed);
        Told(self.threads.into_iter().filter_map(|thread| thread.join().ok()).collect())
    }
}

/// The value of each sample, without those of the parts of a histogram.
fn values(address: SocketAddr) -> Option<BTreeMap<String, f64>> {
    let mut connection = Connection::open(address).ok()?;
    let answer = connection.ask(Request { path: "/metrics", header: None }).ok()?;
    let lines = answer.body.lines().filter(|line| !line.starts_with('#'));
    let lines = lines.filter(|line| !line.contains("_bucket{"));
    let value = |line: &str| {
        let (name, value) = line.rsplit_once(' ')?;
        Some((name.to_owned(), value.parse().ok()?))
    };
    Some(lines.filter_map(value).collect())
}

impl Told {
    /// How many shares a gateway held back at `date`.
    pub(crate) fn held_back(&self, gateway: usize, date: u64) -> u64 {
        let held = self.value(gateway, date, HELD_BACK).unwrap_or(0.0);
        // There are few gateways.
        (0..u64::from(u16::MAX)).find(|shares| held <= count(*shares)).unwrap_or(0)
    }

    /// Whether a gateway was in touch with Redis at `date`, as far as it said so.
    pub(crate) fn is_in_touch(&self, gateway: usize, date: u64) -> bool {
        self.value(gateway, date, IN_TOUCH).is_some_and(|value| 0.0 < value)
    }

    /// The value that a gateway gave last before `date`, or soon after it.
    fn value(&self, gateway: usize, date: u64, name: &str) -> Option<f64> {
        let scrapes = self.0.get(gateway)?;
        let next = scrapes.partition_point(|scrape| scrape.date <= date);
        let near = [next.checked_sub(1), Some(next)].into_iter().flatten();
        let mut near = near.filter_map(|at| scrapes.get(at));
        let scrape = near.find(|scrape| scrape.date.abs_diff(date) <= micros(NEAR))?;
        scrape.values.get(name).copied()
    }

    /// What moved in `during` and did not move in `before`, in the order of the names.
    pub(crate) fn story(&self, before: &Range<u64>, during: &Range<u64>) -> Vec<String> {
        let names: BTreeSet<&String> =
            self.0.iter().flatten().flat_map(|scrape| scrape.values.keys()).collect();
        names.into_iter().filter_map(|name| self.line(name, before, during)).collect()
    }

    fn line(&self, name: &str, before: &Range<u64>, during: &Range<u64>) -> Option<String> {
        let bare = name.strip_prefix(PREFIX).unwrap_or(name);
        let shown =
            bare.replace("_total", "").replace("lane=\"0\",", "").replace("{lane=\"0\"}", "");
        let is_count = name.contains("_total") || bare.contains("_count");
        if is_count {
            let grew = self.growth(name, during);
            return (self.growth(name, before) <= 0.0 && 0.0 < grew)
                .then(|| format!("{shown} +{grew:.0}"));
        }
        let (least, most) = self.reach(name, before)?;
        let (low, high) = self.reach(name, during)?;
        let was_steady = most <= least;
        let moved = low < least || most < high;
        (was_steady && moved && !bare.contains("_sum")).then(|| {
            format!("{shown} {} → {}", short(least), short(if most < high { high } else { low }))
        })
    }

    /// By how much a count grew, over all gateways.
    fn growth(&self, name: &str, range: &Range<u64>) -> f64 {
        let of = |scrapes: &Vec<Scrape>| {
            let mut values = within(scrapes, range).filter_map(|scrape| scrape.values.get(name));
            let first = values.next().copied()?;
            Some(values.next_back().copied().unwrap_or(first) - first)
        };
        self.0.iter().filter_map(of).sum()
    }

    /// The least and the greatest value of any gateway.
    fn reach(&self, name: &str, range: &Range<u64>) -> Option<(f64, f64)> {
        let all = self.0.iter().flat_map(|scrapes| within(scrapes, range));
        let values = all.filter_map(|scrape| scrape.values.get(name).copied());
        values.fold(None, |reach: Option<(f64, f64)>, value| {
            Some(reach.map_or((value, value), |(low, high)| (low.min(value), high.max(value))))
        })
    }
}

fn within<'a>(
    scrapes: &'a [Scrape],
    range: &'a Range<u64>,
) -> impl DoubleEndedIterator<Item = &'a Scrape> {
    scrapes.iter().filter(|scrape| range.contains(&scrape.date))
}

/// A figure without digits that say nothing.
fn short(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::{Scrape, Told};

    fn told(series: &[(u64, f64, f64, f64)]) -> Told {
        let scrape = |&(date, rollbacks, held, keys): &(u64, f64, f64, f64)| Scrape {
            date,
            values: [
                ("weir_limit_rollbacks_total".to_owned(), rollbacks),
                ("weir_limit_shares_held_back{lane=\"0\"}".to_owned(), held),
                ("weir_limit_keys{home=\"redis\"}".to_owned(), keys),
            ]
            .into(),
        };
        Told(vec![series.iter().map(scrape).collect()])
    }

    #[test]
    fn the_story_is_what_moved_only_then() {
        let told = told(&[
            (0, 2.0, 0.0, 1.0),
            (9, 2.0, 0.0, 3.0),
            (10, 2.0, 1.0, 9.0),
            (19, 5.0, 0.0, 9.0),
        ]);
        let story = told.story(&(0..10), &(10..20));
        assert_eq!(story, ["rollbacks +3", "shares_held_back 0 → 1"]);
    }

    #[test]
    fn a_gateway_held_back_what_it_said_last() {
        let told = told(&[(0, 0.0, 0.0, 0.0), (900_000, 0.0, 2.0, 0.0)]);
        let held = [0, 800_000, 900_000, 1_800_000, 2_000_000].map(|date| told.held_back(0, date));
        assert_eq!(held, [0, 0, 2, 2, 0]);
        assert_eq!(told.held_back(1, 900_000), 0);
        assert!(!told.is_in_touch(0, 0), "it did not say so");
    }
}
