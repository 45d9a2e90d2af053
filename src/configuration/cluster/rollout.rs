//! Whether a generation that some replicas serve first goes to all, or back.
//!
//! Pure: what is in force, how the members are doing and what time it is in; a verdict out. The
//! time that a generation has held is the leader's own: a new leader begins to count anew.

use std::collections::BTreeSet;
use std::time::Duration;

use super::record::{Current, Member, Stage};
use super::rise::{has_heard, has_told, rise};
use crate::time::Timestamp;

/// Of how many replicas one is a canary.
const ONE_OF: usize = 10;

/// How a rollout goes.
#[derive(Clone, Debug)]
pub struct Rollout {
    /// How long a generation has to hold on the canaries before the others serve it.
    hold: Duration,
    /// How long canaries have to serve it at all, from when they are told to.
    patience: Duration,
    watched: Option<Watched>,
}

/// A generation on its way.
#[derive(Clone, Copy, Debug)]
struct Watched {
    number: u64,
    /// Since when its canaries are to serve it.
    begun: Timestamp,
    /// Since when all of them do.
    held: Option<Timestamp>,
    /// Whether canaries before these did not.
    is_second: bool,
}

/// What is to be done.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// Nothing yet.
    Wait,
    /// All are to serve it.
    Go,
    /// These are the canaries from now on: others have gone.
    Canaries(Vec<String>),
    /// All are to serve the one before; why.
    Back(String),
}

impl Rollout {
    /// One whose generations have to hold for `hold`; canaries have `patience` to serve them.
    pub const fn new(hold: Duration, patience: Duration) -> Self {
        Self { hold, patience, watched: None }
    }

    /// For whom generation `number` is first, among `members`; nothing as long as there are none
    /// to try it.
    pub fn first(&self, number: u64, members: &[Member], has_previous: bool) -> Option<Stage> {
        if self.hold.is_zero() || !has_previous {
            return Some(Stage::All);
        }
        Some(tenth(number, members.iter())).filter(|names| !names.is_empty()).map(Stage::Canaries)
    }

    /// What is to be done now.
    pub fn judge(&mut self, current: &Current, members: &[Member], now: Timestamp) -> Verdict {
        let number = current.number;
        let Stage::Canaries(names) = &current.stage else {
            self.watched = None;
            // What was taken back to is the best there is, whoever refuses it.
            let is_lost = 0 < current.previous
                && current.reason.is_none()
                && !members.is_empty()
                && members.iter().all(|member| member.refuses(number));
            return if is_lost { Verdict::Back(refusal(members, number)) } else { Verdict::Wait };
        };
        let known = self.watched.filter(|watched| watched.number == number);
        let new = Watched { number, begun: now, held: None, is_second: false };
        let mut watched = known.unwrap_or(new);
        let canaries: Vec<&Member> =
            members.iter().filter(|member| names.contains(&member.replica)).collect();
        if members.iter().any(|member| member.refuses(number)) {
            return Verdict::Back(refusal(members, number));
        }
        if let Some(rise) = rise(number, current.previous, members) {
            return Verdict::Back(rise.to_string());
        }
        if canaries.is_empty() {
            self.watched = None;
            return match self.first(number, members, true) {
                Some(Stage::Canaries(names)) => Verdict::Canaries(names),
                Some(Stage::All) | None => Verdict::Wait,
            };
        }
        let serve = canaries.iter().all(|member| number <= member.serving);
        watched.held = if serve { watched.held.or(Some(now)) } else { None };
        self.watched = Some(watched);
        let is_known = canaries.iter().all(|canary| has_told(number, canary, self.hold));
        let can_compare = members.iter().all(|member| has_heard(number, member));
        match watched.held {
            // Who does not tell is not waited for without end.
            Some(since) if is_known && can_compare && self.hold <= now.since(since) => Verdict::Go,
            Some(since) if is_known && self.hold + self.patience <= now.since(since) => Verdict::Go,
            None if self.patience <= now.since(watched.begun) => {
                let others = members.iter().filter(|member| !names.contains(&member.replica));
                let others = tenth(number, others);
                if watched.is_second || others.is_empty() {
                    let late = canaries.iter().find(|member| member.serving < number);
                    let name = late.map_or("a replica", |member| member.replica.as_str());
                    let seconds = self.patience.as_secs();
                    return Verdict::Back(format!("{name} does not serve it within {seconds} s"));
                }
                // It may be the replica: if others do not either, it is the configuration.
                self.watched = Some(Watched { begun: now, is_second: true, ..watched });
                Verdict::Canaries(others)
            }
            Some(_) | None => Verdict::Wait,
        }
    }
}

/// Who refuses generation `number`, and why.
fn refusal(members: &[Member], number: u64) -> String {
    let refusing = members.iter().find(|member| member.refuses(number));
    refusing.map_or_else(String::new, |member| {
        let why = member.faults.first().map_or("", String::as_str);
        format!("{} refuses it: {why}", member.replica)
    })
}

/// A tenth of `members`, at least one: others for each generation, so that it is not always the
/// same replica which finds out.
fn tenth<'a>(number: u64, members: impl Iterator<Item = &'a Member>) -> Vec<String> {
    let names: BTreeSet<&'a str> = members.map(|member| member.replica.as_str()).collect();
    let count = names.len().div_ceil(ONE_OF);
    let turn = usize::try_from(number).unwrap_or(0).checked_rem(names.len()).unwrap_or(0);
    names.iter().cycle().skip(turn).take(count).map(|name| (*name).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration::cluster::rise::Share;

    const HOLD: Duration = Duration::from_mins(1);
    const PATIENCE: Duration = Duration::from_secs(30);

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn members(serving: &[u64]) -> Vec<Member> {
        let member = |(at, serving): (usize, &u64)| Member {
            replica: format!("replica-{at:02}"),
            serving: *serving,
            observed: *serving,
            prepared: *serving,
            ..Member::default()
        };
        serving.iter().enumerate().map(member).collect()
    }

    fn current(stage: Stage) -> Current {
        let (digest, by) = (String::new(), String::new());
        Current {
            number: 8,
            history: 1,
            digest,
            epoch: 1,
            stage,
            previous: 7,
            held: None,
            reason: None,
            by,
            origin: None,
            withheld: None,
            wish: None,
            sound: Vec::new(),
            now: false,
        }
    }

    fn rollout() -> (Rollout, Current, Vec<Member>) {
        let rollout = Rollout::new(HOLD, PATIENCE);
        let members = members(&[7; 12]);
        let stage = rollout.first(8, &members, true).unwrap();
        (rollout, current(stage), members)
    }

    #[test]
    fn a_tenth_comes_first_and_all_follow_when_it_has_held() {
        let (mut rollout, current, mut members) = rollout();
        let Stage::Canaries(names) = current.stage.clone() else { panic!("{current:?}") };
        assert_eq!(names, ["replica-08", "replica-09"]);
        assert_eq!(rollout.judge(&current, &members, at(100)), Verdict::Wait);
        for (canary, serves_at) in [(8, 105), (9, 110)] {
            members[canary].serving = 8;
            assert_eq!(rollout.judge(&current, &members, at(serves_at)), Verdict::Wait);
        }
        assert_eq!(rollout.judge(&current, &members, at(169)), Verdict::Wait);
        assert_eq!(rollout.judge(&current, &members, at(170)), Verdict::Go);
    }

    #[test]
    fn the_first_generation_and_a_rollout_without_a_hold_go_to_all() {
        let (rollout, _current, members) = rollout();
        let unstaged = Rollout::new(Duration::ZERO, PATIENCE);
        assert_eq!(rollout.first(1, &members, false), Some(Stage::All));
        assert_eq!(unstaged.first(8, &members, true), Some(Stage::All));
        assert_eq!(rollout.first(8, &[], true), None);
        let one = rollout.first(8, &members[..1], true);
        assert_eq!(one, Some(Stage::Canaries(vec!["replica-00".to_owned()])));
    }

    #[test]
    fn who_refuses_takes_it_back_wherever_it_is() {
        for refusing in [8, 3] {
            let (mut rollout, current, mut members) = rollout();
            members[refusing].refused = 8;
            members[refusing].faults = vec!["a.yaml:1:1 no".to_owned()];
            let back = Verdict::Back(format!("replica-0{refusing} refuses it: a.yaml:1:1 no"));
            assert_eq!(rollout.judge(&current, &members, at(0)), back);
        }
    }

    #[test]
    fn what_makes_requests_fail_on_canaries_is_taken_back_with_the_numbers() {
        let (mut rollout, current, mut members) = rollout();
        let share = |serving, requests, errors| {
            Some(Share { rollout: 8, serving, millis: 5_000, requests, errors })
        };
        for (at, member) in members.iter_mut().enumerate() {
            let is_canary = [8, 9].contains(&at);
            (member.serving, member.share) =
                if is_canary { (8, share(8, 50, 40)) } else { (7, share(7, 100, 1)) };
        }
        let told = "80 of 100 requests failed where it is served (80.00 %), and 10 of 1000 on the \
                    other replicas meanwhile (1.00 %)";
        assert_eq!(rollout.judge(&current, &members, at(0)), Verdict::Back(told.to_owned()));
    }

    #[test]
    fn nothing_goes_to_all_before_canaries_have_told_of_their_requests_for_as_long_as_it_has_to_hold()
     {
        let (mut rollout, current, mut members) = rollout();
        for canary in [8, 9] {
            members[canary].serving = 8;
        }
        let share = |millis| Some(Share { rollout: 8, serving: 8, millis, ..Share::default() });
        members[8].share = share(60_000);
        members[9].share = share(59_000);
        assert_eq!(rollout.judge(&current, &members, at(0)), Verdict::Wait);
        assert_eq!(rollout.judge(&current, &members, at(60)), Verdict::Wait);
        members[9].share = share(60_000);
        // Another replica has not told anything since: with what should it be compared?
        members[3].share = Some(Share::default());
        assert_eq!(rollout.judge(&current, &members, at(61)), Verdict::Wait);
        assert_eq!(rollout.judge(&current, &members, at(90)), Verdict::Go);
        members[3].share = Some(Share { rollout: 8, serving: 7, ..Share::default() });
        assert_eq!(rollout.judge(&current, &members, at(62)), Verdict::Go);
    }

    #[test]
    fn what_all_refuse_is_taken_back_though_it_was_for_all() {
        let (mut rollout, _current, mut members) = rollout();
        let all = current(Stage::All);
        for member in members.iter_mut().skip(1) {
            member.refused = 8;
        }
        assert_eq!(rollout.judge(&all, &members, at(0)), Verdict::Wait);
        members[0].refused = 8;
        assert!(matches!(rollout.judge(&all, &members, at(0)), Verdict::Back(_)));
    }

    #[test]
    fn canaries_that_never_serve_take_it_back_when_others_do_not_either() {
        let (mut rollout, current, mut members) = rollout();
        members[9].serving = 8;
        assert_eq!(rollout.judge(&current, &members, at(0)), Verdict::Wait);
        assert_eq!(rollout.judge(&current, &members, at(29)), Verdict::Wait);
        let others = vec!["replica-10".to_owned()];
        assert_eq!(rollout.judge(&current, &members, at(30)), Verdict::Canaries(others.clone()));
        let second = Current { stage: Stage::Canaries(others), ..current };
        assert_eq!(rollout.judge(&second, &members, at(59)), Verdict::Wait);
        let back = "replica-10 does not serve it within 30 s".to_owned();
        assert_eq!(rollout.judge(&second, &members, at(60)), Verdict::Back(back));
    }

    #[test]
    fn a_canary_that_stops_serving_begins_the_hold_anew() {
        let (mut rollout, current, mut members) = rollout();
        members[8].serving = 8;
        members[9].serving = 8;
        assert_eq!(rollout.judge(&current, &members, at(0)), Verdict::Wait);
        members[9].serving = 0;
        assert_eq!(rollout.judge(&current, &members, at(10)), Verdict::Wait);
        members[9].serving = 8;
        assert_eq!(rollout.judge(&current, &members, at(20)), Verdict::Wait);
        assert_eq!(rollout.judge(&current, &members, at(79)), Verdict::Wait);
        assert_eq!(rollout.judge(&current, &members, at(80)), Verdict::Go);
    }

    #[test]
    fn canaries_that_are_gone_are_replaced() {
        let (mut rollout, current, members) = rollout();
        let left: Vec<Member> = members.iter().take(5).cloned().collect();
        let named = vec!["replica-03".to_owned()];
        assert_eq!(rollout.judge(&current, &left, at(0)), Verdict::Canaries(named));
        assert_eq!(rollout.judge(&current, &[], at(0)), Verdict::Wait);
    }
}
