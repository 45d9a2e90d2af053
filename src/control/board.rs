//! What is published: the newest generation, and a few former ones for what changed since.

use std::cmp::Reverse;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::watch;

use super::switches::List;
use crate::configuration::bundle::{Bundle, Digest, Unsound};
use crate::configuration::generation::Generation;
use crate::configuration::portion::{NoPortion, Shared};

/// How many former generations are at hand to tell what changed; who has an older one gets the
/// whole.
pub const FORMER_MAX: usize = 4;
/// For how many gateways the portion of a generation is kept at hand.
const PORTIONS_MAX: usize = 10_000;

/// The newest generation for whoever serves gateways. Who publishes (a folder, or another replica
/// over etcd) puts it here.
#[derive(Debug)]
pub struct Board {
    newest: watch::Sender<Option<Arc<Published>>>,
    switches: watch::Sender<Arc<List>>,
    former: Mutex<VecDeque<Arc<Published>>>,
}

/// A generation, and what each gateway gets of it.
pub struct Published {
    generation: Generation,
    is_urgent: bool,
    shared: Shared,
    whole: Arc<Portion>,
    portions: Mutex<HashMap<String, Arc<Cell>>>,
}

/// Where a portion is, once somebody has asked for it.
type Cell = Mutex<Option<Arc<Portion>>>;

/// What one gateway gets of a generation.
#[derive(Debug)]
pub struct Portion {
    bundle: Arc<Bundle>,
    packed: Mutex<Option<Bytes>>,
}

impl Default for Board {
    fn default() -> Self {
        let switches = watch::Sender::new(Arc::default());
        Self { newest: watch::Sender::new(None), switches, former: Mutex::default() }
    }
}

impl Board {
    /// Shows `bundle` as `generation`, unless a newer one is shown already.
    pub fn publish(&self, generation: Generation, bundle: Arc<Bundle>) {
        self.publish_as(generation, bundle, false);
    }

    /// The same; all replicas of a cluster are to serve one that `is_urgent` at once.
    pub fn publish_as(&self, generation: Generation, bundle: Arc<Bundle>, is_urgent: bool) {
        let published = Published { is_urgent, ..Published::of(generation, bundle) };
        let mut before = None;
        // Who sees the newest finds the one before it among the former ones.
        let mut former = lock(&self.former);
        self.newest.send_if_modified(|newest| {
            let is_newer = newest.as_ref().is_none_or(|newest| newest.generation < generation);
            if is_newer {
                before = newest.replace(Arc::new(published));
            }
            is_newer
        });
        if let Some(before) = before {
            former.push_front(before);
            former.truncate(FORMER_MAX);
        }
    }

    /// Shows what is switched off.
    pub fn switch(&self, list: Arc<List>) {
        self.switches.send_replace(list);
    }

    /// Tells of what is switched off, and of each change of it.
    pub fn follow_switches(&self) -> watch::Receiver<Arc<List>> {
        self.switches.subscribe()
    }

    /// Remembers `bundle` as the former `generation`, of which this process knew nothing: whoever has
    /// it can be told what changed since.
    pub fn recall(&self, generation: Generation, bundle: Arc<Bundle>) {
        let is_former = self.newest().is_some_and(|newest| generation < newest.generation);
        let mut former = lock(&self.former);
        if is_former && former.iter().all(|known| known.generation != generation) {
            former.push_back(Arc::new(Published::of(generation, bundle)));
            former.make_contiguous().sort_by_key(|known| Reverse(known.generation));
            former.truncate(FORMER_MAX);
        }
    }

    /// Tells of the newest generation, and of each that follows.
    pub fn follow(&self) -> watch::Receiver<Option<Arc<Published>>> {
        self.newest.subscribe()
    }

    /// The newest generation.
    pub fn newest(&self) -> Option<Arc<Published>> {
        self.newest.borrow().clone()
    }

    /// What `gateway` was given that has this digest, if it is still at hand: here, or by another
    /// control plane that publishes the same, which called it `generation`.
    pub fn given(
        &self,
        gateway: &str,
        generation: Generation,
        digest: &Digest,
    ) -> Option<Arc<Bundle>> {
        let newest = self.newest();
        let all: Vec<_> = newest.into_iter().chain(lock(&self.former).iter().cloned()).collect();
        let is_it = |portion: Arc<Portion>| {
            (portion.bundle.digest() == digest).then(|| Arc::clone(&portion.bundle))
        };
        let here = all.iter().find_map(|published| {
            let cell = lock(&published.portions).get(&gateway.to_ascii_lowercase()).cloned()?;
            let portion = lock(&cell).clone()?;
            is_it(portion)
        });
        here.or_else(|| {
            let same = all.iter().find(|published| published.generation == generation)?;
            is_it(same.portion(gateway).ok()?)
        })
    }
}

impl Published {
    fn of(generation: Generation, bundle: Arc<Bundle>) -> Self {
        let whole = Arc::new(Portion::of(Arc::clone(&bundle)));
        let (shared, portions) = (Shared::of(bundle), Mutex::default());
        Self { generation, is_urgent: false, shared, whole, portions }
    }

    /// Which one it is.
    pub const fn generation(&self) -> Generation {
        self.generation
    }

    /// Whether all replicas of a cluster are to serve it at once.
    pub const fn is_urgent(&self) -> bool {
        self.is_urgent
    }

    /// The configuration that gateways share.
    pub const fn shared(&self) -> &Shared {
        &self.shared
    }

    /// What `gateway` gets. The first time this takes a while; who asks for the same meanwhile waits.
    pub fn portion(&self, gateway: &str) -> Result<Arc<Portion>, NoPortion> {
        let name = gateway.to_ascii_lowercase();
        let cell = {
            let mut portions = lock(&self.portions);
            if PORTIONS_MAX <= portions.len() && !portions.contains_key(&name) {
                portions.clear();
            }
            Arc::clone(portions.entry(name).or_default())
        };
        let mut cell = lock(&cell);
        if let Some(portion) = &*cell {
            return Ok(Arc::clone(portion));
        }
        let bundle = self.shared.portion(gateway)?;
        // Where nothing is divided all have the same, and it is packed once.
        let is_whole = Arc::ptr_eq(&bundle, self.shared.whole());
        let portion =
            if is_whole { Arc::clone(&self.whole) } else { Arc::new(Portion::of(bundle)) };
        *cell = Some(Arc::clone(&portion));
        Ok(portion)
    }
}

impl Portion {
    fn of(bundle: Arc<Bundle>) -> Self {
        Self { bundle, packed: Mutex::default() }
    }

    /// What it is.
    pub const fn bundle(&self) -> &Arc<Bundle> {
        &self.bundle
    }

    /// The same as bytes. The first time this takes a while.
    pub fn packed(&self) -> Result<Bytes, Unsound> {
        let mut packed = lock(&self.packed);
        if let Some(packed) = &*packed {
            return Ok(packed.clone());
        }
        let bytes = Bytes::from(self.bundle.pack()?);
        *packed = Some(bytes.clone());
        Ok(bytes)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Published {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Published");
        shown.field("generation", &self.generation).field("shared", &self.shared);
        shown.finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration::bundle::{Entry, Kind};

    fn bundle(text: &str) -> Arc<Bundle> {
        let entry = Entry::new(Kind::Document, Arc::from("a.yaml"), Arc::from(text));
        Arc::new(Bundle::of([Arc::new(entry)]).unwrap())
    }

    const fn number(number: u64) -> Generation {
        Generation { history: 1, number }
    }

    #[test]
    fn an_older_generation_is_never_shown_after_a_newer_one() {
        let board = Board::default();
        board.publish(number(2), bundle("two: 2"));
        board.publish(number(1), bundle("one: 1"));
        board.publish(number(2), bundle("other: 2"));
        let newest = board.newest().unwrap();
        assert_eq!(newest.generation(), number(2));
        assert_eq!(newest.shared().whole().digest(), bundle("two: 2").digest());
    }

    #[test]
    fn what_a_gateway_was_given_is_at_hand_for_a_while() {
        let board = Board::default();
        for count in 1..=7_u64 {
            board.publish(number(count), bundle(&format!("n: {count}")));
            board.newest().unwrap().portion("A").unwrap();
        }
        let digest = |count: u64| *bundle(&format!("n: {count}")).digest();
        let given = |count: u64| board.given("a", number(count), &digest(count));
        assert!((3..=7).all(|count| given(count).is_some()));
        assert!(given(2).is_none());
        // By a former number, because somebody went back.
        assert!(board.given("a", number(1), &digest(7)).is_some());
    }

    #[test]
    fn what_another_control_plane_gave_is_known_by_its_generation() {
        let board = Board::default();
        board.publish(number(1), bundle("n: 1"));
        board.publish(number(2), bundle("n: 2"));
        let digest = *bundle("n: 1").digest();
        assert!(board.given("a", number(1), &digest).is_some());
        assert!(board.given("b", number(2), &digest).is_none());
        assert!(board.given("c", number(9), bundle("n: 2").digest()).is_none());
    }

    #[test]
    fn what_was_published_before_the_start_is_known_once_it_is_recalled() {
        let board = Board::default();
        board.recall(number(1), bundle("n: 1"));
        board.publish(number(8), bundle("n: 8"));
        for count in [3, 7, 5, 4, 6, 5, 9] {
            board.recall(number(count), bundle(&format!("n: {count}")));
        }
        let digest = |count: u64| *bundle(&format!("n: {count}")).digest();
        let given = |count: u64| board.given("a", number(count), &digest(count)).is_some();
        assert!((4..=7).all(given) && !given(3) && !given(1) && !given(9));
        board.publish(number(9), bundle("n: 9"));
        assert!((5..=9).all(given) && !given(4));
    }

    #[test]
    fn what_is_the_same_for_all_is_packed_once() {
        let board = Board::default();
        board.publish(number(1), bundle("n: 1"));
        let newest = board.newest().unwrap();
        let (one, other) = (newest.portion("a").unwrap(), newest.portion("b").unwrap());
        assert!(Arc::ptr_eq(&one, &other));
        assert_eq!(Bundle::unpack(&one.packed().unwrap()).unwrap(), *bundle("n: 1"));
    }
}
