//! What became of a control plane's configurations in a cluster, in the control plane's numbers.
//!
//! Pure: how the cluster stands and what came in, what the control plane is told out.

use std::sync::Arc;

use super::Standing;
use super::record::{Current, Member, Stage};
use crate::configuration::bundle::Digest;
use crate::configuration::generation::Generation;
use crate::configuration::offer::{Source, State};
use crate::fault::{Fault, Place};
use crate::rpc::v2;

/// What the place of a fault is that no file has.
const PLACE: &str = "the cluster";

/// What came of a control plane in one term of a leader.
#[derive(Clone, Debug, Default)]
pub(super) struct Fate {
    /// What came last, if anything did.
    taken: Option<Taken>,
    /// How many were refused.
    refused: u64,
    /// The one that was refused last.
    last: Generation,
}

/// A configuration that came.
#[derive(Clone, Debug)]
struct Taken {
    generation: Generation,
    digest: Digest,
    /// Why the leader did not publish it; empty if it did.
    faults: Vec<Fault>,
}

impl Fate {
    /// Notes that `generation` came; the leader does not publish what has `faults`.
    pub(super) fn took(&mut self, generation: Generation, digest: Digest, faults: Vec<Fault>) {
        self.taken = Some(Taken { generation, digest, faults });
    }

    /// How the cluster is doing as if it were one gateway, which has the control plane's
    /// generations.
    pub(super) fn state(&mut self, standing: &Standing) -> State {
        let members = &standing.members;
        let taken = self.taken.as_ref().map_or(Generation::NONE, |taken| taken.generation);
        let current = standing.current.as_ref().filter(|current| current.origin.is_some());
        let in_force =
            current.map_or(Generation::NONE, |current| current.origin_of(current.number));
        let mut state = State {
            observed: taken.max(current.map_or(Generation::NONE, Current::newest_origin)),
            prepared: in_force,
            serving: current.map_or(Generation::NONE, |current| served(current, members)),
            source: if in_force.is_none() { Source::None } else { Source::Offer },
            ..State::default()
        };
        if let Some((generation, faults)) = self.refusal(current, members) {
            if self.last != generation {
                self.last = generation;
                self.refused = self.refused.saturating_add(1);
            }
            (state.refused_offer, state.refusal) = (generation, faults);
        }
        state.refused = self.refused;
        state
    }

    /// Which generation is refused, and why.
    fn refusal(
        &self,
        current: Option<&Current>,
        members: &[Member],
    ) -> Option<(Generation, Vec<Fault>)> {
        if let Some(taken) = self.taken.as_ref().filter(|taken| !taken.faults.is_empty()) {
            return Some((taken.generation, taken.faults.clone()));
        }
        let current = current?;
        if let (Some(taken), Some(held)) = (&self.taken, &current.held)
            && taken.digest.to_string() == *held
        {
            let why = current.reason.clone().unwrap_or_default();
            return Some((taken.generation, vec![fault(why)]));
        }
        let refuses = |member: &Member| member.refuses(current.number);
        if members.is_empty() || !members.iter().all(refuses) {
            return None;
        }
        // There is nothing to take it back to.
        let told = members.iter().map(|member| {
            let why = member.faults.first().map_or("", String::as_str);
            fault(format!("{} refuses it: {why}", member.replica))
        });
        Some((current.origin_of(current.number), told.collect()))
    }
}

/// The generation that all of `members` serve that serve anything, but for those that refuse it.
fn served(current: &Current, members: &[Member]) -> Generation {
    let (own, number) = (current.generation(), current.number);
    let serve = |member: &&Member| !member.served().is_none() && !member.refuses(number);
    let mut serving = members.iter().filter(serve).peekable();
    let is_for_all = matches!(current.stage, Stage::All);
    if is_for_all && serving.peek().is_some() && serving.all(|member| own <= member.served()) {
        current.origin_of(number)
    } else {
        current.origin_of(current.previous)
    }
}

/// How many replicas there are, and how many serve what is in force.
pub(super) fn company(standing: &Standing) -> v2::Cluster {
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let replicas = count(standing.members.len());
    let Some(current) = &standing.current else {
        return v2::Cluster { in_force: None, replicas, serving: 0, staged: false };
    };
    let own = current.generation();
    let serving = standing.members.iter().filter(|member| member.served() == own).count();
    v2::Cluster {
        in_force: Some(v2::Generation { history: own.history, number: own.number }),
        replicas,
        serving: count(serving),
        staged: !matches!(current.stage, Stage::All),
    }
}

fn fault(message: String) -> Fault {
    Fault::new(Place::start_of(&Arc::from(PLACE)), message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration::bundle::{Bundle, Entry, Kind};
    use crate::configuration::cluster::record::Origin;

    const fn of_control(number: u64) -> Generation {
        Generation { history: 9, number }
    }

    fn digest(text: &str) -> Digest {
        let entry = Entry::new(Kind::Document, Arc::from("a.yaml"), Arc::from(text));
        *Bundle::of([Arc::new(entry)]).unwrap().digest()
    }

    /// Generation 8 of the cluster, which is 5 of the control plane; before it were 7, and 4.
    fn standing(stage: Stage, serving: &[u64]) -> Standing {
        let origin =
            Origin { current: of_control(5), previous: of_control(4), newest: of_control(5) };
        let current = Current {
            number: 8,
            history: 1,
            digest: digest("five").to_string(),
            epoch: 1,
            stage,
            previous: 7,
            held: None,
            reason: None,
            by: "a".to_owned(),
            origin: Some(origin),
            withheld: None,
            wish: None,
            sound: Vec::new(),
            now: false,
        };
        let member = |(at, serving): (usize, &u64)| Member {
            replica: format!("replica-{at}"),
            serving: *serving,
            history: 1,
            ..Member::default()
        };
        let members = serving.iter().enumerate().map(member).collect();
        Standing { current: Some(current), members, ..Standing::default() }
    }

    fn canary() -> Stage {
        Stage::Canaries(vec!["replica-0".to_owned()])
    }

    fn fate() -> Fate {
        let mut fate = Fate::default();
        fate.took(of_control(5), digest("five"), Vec::new());
        fate
    }

    #[test]
    fn it_is_served_once_all_serve_it() {
        for (stage, serving, expected) in [
            (canary(), vec![7, 7, 7], 4),
            (canary(), vec![8, 7, 7], 4),
            (Stage::All, vec![8, 7, 8], 4),
            (Stage::All, vec![8, 8, 8], 5),
            // One that has just begun holds nobody up.
            (Stage::All, vec![8, 0, 8], 5),
            (Stage::All, vec![0, 0], 4),
            (Stage::All, vec![], 4),
        ] {
            let state = fate().state(&standing(stage, &serving));
            assert_eq!(state.serving, of_control(expected), "{serving:?}");
            assert_eq!((state.prepared, state.observed), (of_control(5), of_control(5)));
            assert_eq!((state.refused, state.refusal), (0, Vec::new()));
        }
    }

    #[test]
    fn one_that_refuses_it_where_all_others_serve_it_stops_nobody() {
        let mut standing = standing(Stage::All, &[8, 7, 8]);
        standing.members[1].refused = 8;
        assert_eq!(fate().state(&standing).serving, of_control(5));
    }

    #[test]
    fn what_the_leader_cannot_compile_is_refused_with_its_faults() {
        let mut fate = fate();
        let wrong = Fault::new(Place::start_of(&Arc::from("a.yaml")), "no");
        fate.took(of_control(6), digest("six"), vec![wrong.clone()]);
        let state = fate.state(&standing(Stage::All, &[8]));
        assert_eq!((state.refused_offer, state.refused), (of_control(6), 1));
        assert_eq!((state.refusal, state.serving), (vec![wrong], of_control(5)));
        assert_eq!(state.observed, of_control(6));
        assert_eq!(fate.state(&standing(Stage::All, &[8])).refused, 1);
    }

    #[test]
    fn what_was_taken_back_is_refused_also_by_a_leader_who_was_not_there() {
        let mut standing = standing(Stage::All, &[9, 9]);
        let current = standing.current.as_mut().unwrap();
        (current.number, current.previous) = (9, 7);
        current.held = Some(digest("five").to_string());
        current.reason =
            Some("generation 8 was taken back: b refuses it: a.yaml:1:1 no".to_owned());
        current.origin.as_mut().unwrap().current = of_control(4);
        let state = fate().state(&standing);
        assert_eq!((state.refused_offer, state.serving), (of_control(5), of_control(4)));
        assert!(state.refusal[0].message.contains("b refuses it: a.yaml:1:1 no"));
        // Who did not hear of it yet refuses nothing.
        assert!(Fate::default().state(&standing).refusal.is_empty());
    }

    #[test]
    fn what_all_refuse_is_refused_also_where_there_is_nothing_before_it() {
        let mut standing = standing(Stage::All, &[0, 0]);
        let current = standing.current.as_mut().unwrap();
        current.previous = 0;
        current.origin.as_mut().unwrap().previous = Generation::NONE;
        for member in &mut standing.members {
            member.refused = 8;
            member.faults = vec!["a.yaml:1:1 no".to_owned()];
        }
        let state = fate().state(&standing);
        assert_eq!((state.refused_offer, state.serving), (of_control(5), Generation::NONE));
        assert_eq!(state.refusal.len(), 2);
    }

    #[test]
    fn what_comes_from_a_folder_has_no_number_of_a_control_plane() {
        let mut standing = standing(Stage::All, &[8]);
        standing.current.as_mut().unwrap().origin = None;
        let state = Fate::default().state(&standing);
        assert_eq!((state.observed, state.serving), (Generation::NONE, Generation::NONE));
    }

    #[test]
    fn the_control_plane_hears_how_many_there_are() {
        let told = company(&standing(canary(), &[8, 7, 7]));
        assert_eq!((told.replicas, told.serving, told.staged), (3, 1, true));
        assert_eq!(told.in_force.map(|it| (it.history, it.number)), Some((1, 8)));
    }
}
