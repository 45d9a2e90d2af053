//! The store, time, and everything that goes wrong.

mod judge;
mod reached;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Waker};

pub(super) use reached::Reached;

use super::replica::Replica;
use crate::configuration::bundle::{Bundle, Entry, Kind};
use crate::configuration::cluster::record::{
    CURRENT, Current, LEADER, MEMBERS, Member, WISH, read, written,
};
use crate::configuration::cluster::rise::Share;
use crate::configuration::cluster::store::{Condition, Value, Write};
use crate::configuration::cluster::wish::{WISH_LASTS, What, Wish};
use crate::configuration::switch::orders::Orders;

/// How long nothing happens at the beginning, in milliseconds.
const STILL: u64 = 25_000;
/// How long until no more faults happen.
const WEATHER: u64 = 115_000;
/// How long the world goes on without them: a new leader may wait for its source for half of it.
const CALM: u64 = 180_000;
/// How many replicas there may be.
const REPLICAS_MAX: usize = 5;
/// How many parts may be left that no generation has.
const LEFT_MAX: usize = 4;
/// How long whoever asks waits for an answer.
const PATIENCE: u64 = 2_000;

/// What is tried.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case {
    pub(super) seed: u64,
    /// What does not work, to see that it is missed.
    pub(super) lack: Option<Lack>,
}

/// What may not work.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Lack {
    /// The store does not look at the leader's key; that stands for a leader that does not ask for
    /// it.
    Fence,
    /// The store forgets which generation of its control plane is in force; that stands for a
    /// leader that does not write it down.
    Origins,
    /// Replicas do not tell how many requests fail; that stands for a leader that does not look.
    Errors,
    /// Replicas do not tell that they reach the source which the leader does not; that stands for a
    /// leader that makes no room for them.
    Reach,
}

/// All there is, shared by the replicas.
#[derive(Debug)]
pub(super) struct World {
    dice: u64,
    case: Case,
    /// How many requests a replica gets, while it serves.
    pub(super) requests_a_second: u64,
    /// Milliseconds.
    pub(super) now: u64,
    revision: i64,
    values: BTreeMap<String, Lying>,
    leases: BTreeMap<i64, (u64, u64)>,
    /// What is on its way to the store: when it arrives, and what.
    travelling: Vec<(u64, Task)>,
    tasks: u64,
    answers: BTreeMap<u64, Answer>,
    /// Whom the store does not hear, until when.
    pub(super) cut: BTreeMap<usize, u64>,
    /// Who does not reach the source, until when.
    apart: BTreeMap<usize, u64>,
    /// Whether anything goes wrong.
    pub(super) is_stormy: bool,
    /// When who waits for time to pass.
    pub(super) timers: BTreeSet<(u64, usize)>,
    /// Who may go on.
    pub(super) awake: BTreeSet<usize>,
    /// Every `current` there was.
    pub(super) currents: Vec<Current>,
    /// Whether the source is a control plane, which numbers what it has.
    pub(super) is_streamed: bool,
    /// What the source has, and since when.
    pub(super) sources: Vec<(u64, Arc<Bundle>)>,
    /// The wishes that were seen to.
    wishes: BTreeSet<u64>,
    /// The members, as they were listed last to each replica, and to whoever asked for what is
    /// carried out.
    listed: BTreeMap<usize, Vec<Member>>,
    deciding: Vec<Member>,
    /// How often a control plane switched something off or on.
    orders: u64,
    pub(super) broken: Option<String>,
}

#[derive(Clone, Debug)]
struct Lying {
    bytes: Vec<u8>,
    created: i64,
    changed: i64,
    lease: i64,
}

#[derive(Clone, Debug)]
struct Task {
    number: u64,
    asker: usize,
    question: Question,
    /// What the asker knew of the members.
    knew: Vec<Member>,
}

#[derive(Clone, Debug)]
enum Question {
    Get(String),
    List(String),
    Commit(Vec<Condition>, Vec<Write>),
    Grant(u64),
    Keep(i64),
    Revoke(i64),
}

#[derive(Clone, Debug)]
enum Answer {
    Values(Vec<Value>, i64),
    Yes(bool),
    Lease(i64),
    Lasts(Option<u64>),
}

impl Case {
    pub(super) const fn of(seed: u64) -> Self {
        Self { seed, lack: None }
    }
}

/// A configuration of this text, which some refuse if it says so, of one of three others, and of one
/// that never changes: large enough to be three parts.
fn bundle(text: &str) -> Arc<Bundle> {
    let rest = "x".repeat(4 << 10);
    let other = text.len() + text.bytes().map(usize::from).sum::<usize>();
    let entries = [("a", text), ("b", ["1", "2", "3"][other % 3]), ("c", "always")];
    let entries = entries.map(|(name, text)| {
        let text = format!("{text} {rest}");
        Arc::new(Entry::new(Kind::Document, Arc::from(name), Arc::from(text)))
    });
    let bundle = Bundle::of(entries).unwrap();
    assert_eq!(bundle.parts().len(), 3);
    Arc::new(bundle)
}

impl World {
    /// Lets a case happen; what is wrong, if anything is.
    pub(super) fn run(case: Case) -> Result<(), String> {
        let world = Self {
            dice: case.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5DEE_CE66,
            case,
            requests_a_second: if case.seed.is_multiple_of(4) { 0 } else { 40 },
            now: 1_000_000_000,
            revision: 1,
            values: BTreeMap::new(),
            leases: BTreeMap::new(),
            travelling: Vec::new(),
            tasks: 0,
            answers: BTreeMap::new(),
            cut: BTreeMap::new(),
            apart: BTreeMap::new(),
            is_stormy: false,
            timers: BTreeSet::new(),
            awake: (0..REPLICAS_MAX).collect(),
            currents: Vec::new(),
            is_streamed: case.seed % 2 == 1,
            sources: vec![(0, bundle("good 0"))],
            wishes: BTreeSet::new(),
            listed: BTreeMap::new(),
            deciding: Vec::new(),
            orders: 0,
            broken: None,
        };
        let world = Shared(Arc::new(Mutex::new(world)));
        let count = 3 + usize::try_from(world.lock().below(3)).unwrap();
        let mut replicas: Vec<Replica> =
            (0..count).map(|number| Replica::start(&world, number, 0)).collect();
        let begun = world.lock().now;
        let (storm_ends, ends) = (begun + WEATHER, begun + WEATHER + CALM);
        // Nobody takes a first configuration back: there is nothing before it.
        let mut next_event = begun + STILL;
        loop {
            let now = world.lock().now;
            if begun + STILL <= now && now < storm_ends {
                world.lock().storm(count);
            } else if world.lock().is_stormy {
                let mut world = world.lock();
                world.is_stormy = false;
                world.cut.clear();
                world.awake.extend(0..REPLICAS_MAX);
            }
            if now < storm_ends && next_event <= now {
                world.event(&mut replicas);
                next_event = now + 200 + world.lock().below(6_000);
            }
            loop {
                let awake = std::mem::take(&mut world.lock().awake);
                if awake.is_empty() {
                    break;
                }
                for replica in awake {
                    if let Some(replica) = replicas.get_mut(replica) {
                        replica.step(&world);
                    }
                }
            }
            if let Some(broken) = world.lock().broken.take() {
                return Err(broken);
            }
            if ends <= now {
                return world.converged(&replicas);
            }
            world.lock().advance(if now < storm_ends { next_event } else { ends });
        }
    }

    /// Things go wrong from now on. In every sixth case all of the `count` replicas but one never
    /// reach the source again, which is a control plane.
    fn storm(&mut self, count: usize) {
        let is_new = !std::mem::replace(&mut self.is_stormy, true);
        if is_new && self.case.seed % 6 == 3 {
            let bound = u64::try_from(count).unwrap();
            let one = usize::try_from(self.below(bound)).unwrap();
            let is_apart = |who: &usize| *who != one;
            self.apart = (0..count).filter(is_apart).map(|who| (who, u64::MAX)).collect();
        }
    }

    fn lacks(&self, lack: Lack) -> bool {
        self.case.lack == Some(lack)
    }

    /// Whether `replica` does not reach the source.
    pub(super) fn is_apart(&self, replica: usize) -> bool {
        self.is_streamed && self.apart.get(&replica).is_some_and(|until| self.now < *until)
    }

    /// Any number below `bound`.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.dice = self.dice.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.dice;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound.max(1)
    }

    /// On to the next moment at which something happens, at most until `most`.
    fn advance(&mut self, most: u64) {
        let now = self.now;
        let timer = self.timers.first().map_or(u64::MAX, |(at, _)| *at);
        let arrival = self.travelling.iter().map(|(at, _)| *at).min().unwrap_or(u64::MAX);
        self.now = timer.min(arrival).min(most).max(now + 1);
        let now = self.now;
        let later = self.timers.split_off(&(now + 1, 0));
        let due = std::mem::replace(&mut self.timers, later);
        self.awake.extend(due.into_iter().map(|(_, who)| who));
        let ended: Vec<i64> =
            self.leases.iter().filter(|(_, (_, until))| *until <= now).map(|(id, _)| *id).collect();
        for lease in ended {
            self.end(lease);
        }
        let (arrived, travelling) =
            std::mem::take(&mut self.travelling).into_iter().partition(|(at, _)| *at <= now);
        self.travelling = travelling;
        let mut arrived: Vec<(u64, Task)> = arrived;
        arrived.sort_by_key(|(at, task)| (*at, task.number));
        for (_at, task) in arrived {
            self.deciding.clone_from(&task.knew);
            let answer = self.carry_out(&task.question);
            if let (Question::List(prefix), Answer::Values(values, _)) = (&task.question, &answer)
                && prefix == MEMBERS
            {
                let members = values.iter().filter_map(|value| read(&value.bytes)).collect();
                self.listed.insert(task.asker, members);
            }
            self.answers.insert(task.number, answer);
            self.awake.insert(task.asker);
        }
    }

    fn end(&mut self, lease: i64) {
        self.leases.remove(&lease);
        let before = self.values.len();
        self.values.retain(|_key, lying| lying.lease != lease);
        if self.values.len() < before {
            self.revision += 1;
            self.awake.extend(0..REPLICAS_MAX);
        }
    }

    /// Ends any lease before its time.
    pub(super) fn end_any_lease(&mut self) {
        let leases: Vec<i64> = self.leases.keys().copied().collect();
        if !leases.is_empty() {
            let at = usize::try_from(self.below(u64::try_from(leases.len()).unwrap())).unwrap();
            self.end(leases[at]);
        }
    }

    /// The source has something new.
    pub(super) fn write_source(&mut self) {
        let number = self.sources.len();
        let text = match self.below(7) {
            0 => format!("poison {number}"),
            1 => format!("bad for 0 {number}"),
            2 => format!("errs {number}"),
            3 => format!("empty {number}"),
            _ => format!("good {number}"),
        };
        self.sources.push((self.now, bundle(&text)));
    }

    /// An operator wants something, unless another one does.
    pub(super) fn write_wish(&mut self) {
        let Some(current) = self.currents.last().cloned() else { return };
        if self.values.contains_key(WISH) {
            return;
        }
        let held = current.withheld.map(|withheld| withheld.digest).or(current.held);
        let what = match self.below(3) {
            0 => What::Now(current.number),
            1 => What::Force(held.unwrap_or_default()),
            _ => What::Back(None),
        };
        self.tasks += 1;
        let (who, reason) = ("operator".to_owned(), "a test".to_owned());
        let wish = Wish { id: self.tasks, what, who, at: self.now, reason };
        let lasts = u64::try_from(WISH_LASTS.as_millis()).unwrap();
        let lease = i64::try_from(self.tasks).unwrap();
        self.leases.insert(lease, (lasts, self.now + lasts));
        self.revision += 1;
        let (created, changed) = (self.revision, self.revision);
        let lying = Lying { bytes: written(&wish), created, changed, lease };
        self.values.insert(WISH.to_owned(), lying);
        self.awake.extend(0..REPLICAS_MAX);
    }

    /// What the bundle with this digest says.
    fn text(&self, digest: &str) -> Arc<str> {
        let bundle = self.sources.iter().find(|(_, bundle)| bundle.digest().to_string() == digest);
        bundle.map_or_else(|| Arc::from(""), |(_, bundle)| Arc::clone(bundle.entries()[0].text()))
    }

    fn value(&self, key: &str) -> Option<Value> {
        let lying = self.values.get(key)?;
        let Lying { bytes, created, changed, .. } = lying.clone();
        Some(Value { key: key.to_owned(), bytes, created, changed })
    }

    fn carry_out(&mut self, question: &Question) -> Answer {
        match question {
            Question::Get(key) => {
                Answer::Values(self.value(key).into_iter().collect(), self.revision)
            }
            Question::List(prefix) => {
                let keys = self.values.keys().filter(|key| key.starts_with(prefix.as_str()));
                let values = keys.filter_map(|key| self.value(key)).collect();
                Answer::Values(values, self.revision)
            }
            Question::Commit(when, writes) => Answer::Yes(self.commit(when, writes)),
            Question::Grant(lasts) => {
                self.tasks += 1;
                let lease = i64::try_from(self.tasks).unwrap();
                self.leases.insert(lease, (*lasts, self.now + lasts));
                Answer::Lease(lease)
            }
            Question::Keep(lease) => {
                let now = self.now;
                Answer::Lasts(self.leases.get_mut(lease).map(|(lasts, until)| {
                    *until = now + *lasts;
                    *lasts
                }))
            }
            Question::Revoke(lease) => {
                self.end(*lease);
                Answer::Yes(true)
            }
        }
    }

    fn commit(&mut self, when: &[Condition], writes: &[Write]) -> bool {
        let holds = |condition: &Condition| match condition {
            Condition::Absent(key) => !self.values.contains_key(key),
            Condition::Created(key, _) if key == LEADER && self.lacks(Lack::Fence) => true,
            Condition::Created(key, revision) => {
                self.values.get(key).is_some_and(|lying| lying.created == *revision)
            }
            Condition::Changed(key, revision) => {
                self.values.get(key).map_or(0, |lying| lying.changed) == *revision
            }
        };
        let has_lease = |write: &Write| match write {
            Write::Put(_, _, lease) => *lease == 0 || self.leases.contains_key(lease),
            Write::Remove(_) | Write::RemoveAll(_) => true,
        };
        if !when.iter().all(holds) || !writes.iter().all(has_lease) {
            return false;
        }
        self.revision += 1;
        self.awake.extend(0..REPLICAS_MAX);
        for write in writes {
            match write {
                Write::Put(key, bytes, lease) => {
                    self.judge_write(key, bytes);
                    let revision = self.revision;
                    let created = self.values.get(key).map_or(revision, |lying| lying.created);
                    let bytes = self.kept(key, bytes);
                    let lying = Lying { bytes, created, changed: revision, lease: *lease };
                    self.values.insert(key.clone(), lying);
                }
                Write::Remove(key) => {
                    self.judge_removal(key);
                    self.values.remove(key);
                }
                Write::RemoveAll(prefix) => {
                    self.judge_removal(prefix);
                    self.values.retain(|key, _lying| !key.starts_with(prefix.as_str()));
                }
            }
        }
        true
    }

    /// What lies in the store of what a replica wrote there.
    fn kept(&self, key: &str, bytes: &[u8]) -> Vec<u8> {
        if key == CURRENT && self.lacks(Lack::Origins) {
            let current = read::<Current>(bytes).unwrap();
            return written(&Current { origin: None, ..current });
        }
        let member = key.starts_with(MEMBERS).then(|| read::<Member>(bytes)).flatten();
        match member {
            Some(member) if self.lacks(Lack::Errors) => {
                let share = member.share.map(|share| Share { errors: 0, ..share });
                written(&Member { share, ..member })
            }
            Some(member) if self.lacks(Lack::Reach) => {
                written(&Member { reaches: false, ..member })
            }
            Some(_) | None => bytes.to_vec(),
        }
    }
}

/// The world, as everybody in it has it.
#[derive(Clone, Debug)]
pub(super) struct Shared(Arc<Mutex<World>>);

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    /// Something happens.
    fn event(&self, replicas: &mut [Replica]) {
        let count = u64::try_from(replicas.len()).unwrap();
        let mut world = self.lock();
        let who = usize::try_from(world.below(count)).unwrap();
        let now = world.now;
        let until = now + 500 + world.below(30_000);
        world.timers.insert((until, who));
        world.awake.insert(who);
        match world.below(12) {
            0 | 1 => world.write_source(),
            2 => drop(world.cut.insert(who, until)),
            3 => replicas[who].stop_until(until),
            4 => {
                drop(world);
                let again = Replica::start(self, who, until);
                replicas[who] = again;
            }
            5 => {
                drop(world);
                replicas[who].leave();
            }
            6 => world.end_any_lease(),
            10 => {
                let more = world.below(60_000);
                let apart = world.apart.entry(who).or_default();
                *apart = (until + more).max(*apart);
            }
            7 | 8 => world.write_wish(),
            9 => {
                world.orders += 1;
                let orders = Orders { history: 1, revision: world.orders, entries: Vec::new() };
                drop(world);
                replicas[who].hears(orders);
            }
            _ => (),
        }
    }
}

/// A waker that nobody needs: everybody is asked again and again.
pub(super) fn context() -> Context<'static> {
    Context::from_waker(Waker::noop())
}
