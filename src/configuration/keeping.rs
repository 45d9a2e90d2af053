//! Keeps a copy of each configuration that has proved itself, and finds the newest one for a
//! gateway that starts without any other.
//!
//! It runs on the configuration's thread: what it writes waits for the disk, and no request for it.
//! Nothing that fails here stops anything else; it is told in the log and in the status.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::bundle::Bundle;
use super::credential::{Credential, Holder};
use super::generation::Generation;
use super::last_good::soak::{Count, Soak, Terms, Verdict};
use super::last_good::{Copy, Kept, Key, KeyError, KeyFile, LastGood, Ring, Served};
use super::switch::orders::Orders;
use crate::snapshot::tally::Tally;
use crate::time::Timestamp;

/// Keeps copies, and finds them.
#[derive(Debug)]
pub struct Keeping {
    folder: PathBuf,
    owner: String,
    source: KeySource,
    terms: Terms,
    /// None as long as there is no key.
    ring: Option<LastGood>,
    /// What the mark says, as far as it is known.
    marked: Option<Served>,
    /// What is served, and is not marked yet.
    unmarked: Option<(Served, Timestamp)>,
    soaks: Option<Soaking>,
    /// How many of ten thousand requests failed before what soaks now.
    before: Option<u16>,
    /// Whether the ring was looked at.
    is_looked_at: bool,
    /// What a control plane has switched off, as it is on disk: its history and revision.
    ordered: (u64, u64),
    keep: Keep,
}

/// Where the key comes from.
#[derive(Debug)]
pub enum KeySource {
    /// A file, which may be replaced.
    File(KeyFile),
    /// The gateway's token, which may be replaced.
    Token(OfToken),
}

/// A key that is made of the gateway's token.
#[derive(Debug)]
pub struct OfToken {
    token: Arc<Mutex<Holder>>,
    /// What the key was made of last.
    used: Option<Credential>,
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
enum NoKey {
    #[error(transparent)]
    File(#[from] KeyError),
    #[error(
        "there is no gateway token that a key could be made of; name one, or a key of its own with \
         `configuration.lastGood.keyFile`"
    )]
    Token,
}

/// What is known of the copies, for whoever shows it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Keep {
    /// The copies that are there, newest first, each with when it was kept.
    pub copies: Vec<(Generation, Timestamp)>,
    /// Slots that cannot be used, and why.
    pub refused: Vec<String>,
    /// Why copies are not kept now; none if they are.
    pub fault: Option<String>,
}

/// A configuration that is to prove itself.
#[derive(Debug)]
struct Soaking {
    generation: Generation,
    bundle: Arc<Bundle>,
    soak: Soak,
}

impl KeySource {
    /// The key that is made of the gateway's `token`: a new token is a new key.
    pub const fn of_token(token: Arc<Mutex<Holder>>) -> Self {
        Self::Token(OfToken { token, used: None })
    }

    /// Whether there is another key than the one that was read.
    fn has_changed(&self) -> bool {
        match self {
            Self::File(file) => file.has_changed(),
            Self::Token(of) => of.now().is_some_and(|now| of.used.as_ref() != Some(&now)),
        }
    }

    fn read(&mut self) -> Result<Key, NoKey> {
        match self {
            Self::File(file) => Ok(file.read()?),
            Self::Token(of) => {
                of.used = of.now();
                let used = of.used.as_ref().ok_or(NoKey::Token)?;
                // Nobody knows its signature who does not have it: that is secret enough.
                Ok(Key::of(used.text().expose().as_bytes())?)
            }
        }
    }
}

impl OfToken {
    /// The token as it is now. One that was good counts where the file is gone or wrong.
    fn now(&self) -> Option<Credential> {
        let mut holder = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        holder.look();
        // Those of issuers are others every hour, and after each start.
        let is_ours = |credential: &&Credential| credential.own_name().is_some();
        holder.credential().filter(is_ours).cloned()
    }
}

impl From<&Tally> for Count {
    fn from(tally: &Tally) -> Self {
        Self { requests: tally.requests(), failures: tally.failures(), panics: tally.panics() }
    }
}

impl Keeping {
    /// Keeps the copies of `owner` (see [`LastGood::new`]) in `folder`; each has to bear `terms`.
    pub fn new(folder: PathBuf, owner: String, source: KeySource, terms: Terms) -> Self {
        Self {
            folder,
            owner,
            source,
            terms,
            ring: None,
            marked: None,
            unmarked: None,
            soaks: None,
            before: None,
            is_looked_at: false,
            ordered: (0, 0),
            keep: Keep::default(),
        }
    }

    /// Reads the key, and what was served last.
    pub fn open(&mut self) -> Option<Served> {
        self.take_key();
        let ring = self.ring.as_ref()?;
        self.marked = match ring.served() {
            Ok(served) => served,
            Err((path, why)) => {
                tracing::warn!("what was served last is not known from {}: {why}", path.display());
                None
            }
        };
        if self.marked.is_none() {
            // Then at least nothing older than what was kept.
            let copies = self.look().copies;
            let newest = copies.first();
            self.marked = newest.map(|it| Served { generation: it.generation, digest: it.digest });
        }
        self.marked
    }

    /// What a control plane had switched off last, if that is kept.
    pub fn orders(&self) -> Option<Orders> {
        match self.ring.as_ref()?.orders() {
            Ok(bytes) => serde_json::from_slice(&bytes?).ok(),
            Err((path, why)) => {
                let path = path.display();
                tracing::error!("what the control plane had switched off is lost, {path}: {why}");
                None
            }
        }
    }

    /// Keeps what a control plane has switched off.
    pub fn keep_orders(&mut self, orders: &Orders, now: Timestamp) {
        let newest = (orders.history, orders.revision);
        let Some(ring) = &self.ring else { return };
        if newest <= self.ordered {
            return;
        }
        let bytes = serde_json::to_vec(orders).unwrap_or_default();
        match ring.keep_orders(&bytes, now) {
            Ok(()) => self.ordered = newest,
            Err(error) => self.failed(&error),
        }
    }

    /// The copies that are there, newest first.
    pub fn look(&mut self) -> Ring {
        let ring = self.ring.as_ref().map(LastGood::ring).unwrap_or_default();
        let refused = ring.refused.iter();
        let refused: Vec<String> =
            refused.map(|(path, why)| format!("{}: {why}", path.display())).collect();
        for slot in refused.iter().filter(|slot| !self.keep.refused.contains(slot)) {
            tracing::warn!("a copy of a good configuration cannot be used: {slot}");
        }
        self.keep.refused = refused;
        self.keep.copies = ring.copies.iter().map(|copy| (copy.generation, copy.kept)).collect();
        self.before = self.before.or_else(|| Some(ring.copies.first()?.failures));
        self.is_looked_at = true;
        ring
    }

    /// The configuration of `copy`; why not is in the log.
    pub fn bundle(&self, copy: &Copy) -> Option<Bundle> {
        match self.ring.as_ref()?.open(copy) {
            Ok(bundle) => Some(bundle),
            Err(why) => {
                let generation = copy.generation;
                tracing::warn!(
                    generation = generation.number,
                    "a copy of a good configuration cannot be used: {why}"
                );
                None
            }
        }
    }

    /// `bundle` is served from `now` on. `last` is what happened to the requests of the one before.
    /// One that `is_kept` already has nothing to prove.
    pub fn begin(
        &mut self,
        (generation, bundle): (Generation, &Arc<Bundle>),
        now: Timestamp,
        last: Option<Count>,
        is_kept: bool,
    ) {
        let known =
            last.filter(|count| 0 < count.requests && self.terms.requests <= count.requests);
        self.before = known.map(|count| count.failures_of_ten_thousand()).or(self.before);
        let served = Served { generation, digest: *bundle.digest() };
        // A copy that stands in for something newer does not take the mark back.
        let is_older = self.marked.is_some_and(|marked| generation < marked.generation);
        let is_known = is_older || self.marked == Some(served);
        self.unmarked = (!is_known).then_some((served, now));
        let soak = Soak::begin(self.terms, now, self.before);
        let bundle = Arc::clone(bundle);
        self.soaks = (!is_kept).then_some(Soaking { generation, bundle, soak });
    }

    /// What is served is the same configuration, and is counted anew from `now` on.
    pub fn restart(&mut self, now: Timestamp) {
        if let Some(soaking) = &mut self.soaks {
            soaking.soak = Soak::begin(self.terms, now, self.before);
        }
    }

    /// The key is `key` from now on: all copies are sealed anew.
    fn renew(&mut self, key: Key) {
        let Some(ring) = &mut self.ring else {
            self.ring = Some(LastGood::new(&self.folder, &self.owner, key));
            self.keep.fault = None;
            return;
        };
        match ring.rekey(key) {
            Ok(0) => self.keep.fault = None,
            Ok(sealed) => {
                self.keep.fault = None;
                tracing::info!(
                    sealed,
                    "the copies of good configurations are sealed with a new key"
                );
            }
            Err(error) => self.failed(&error),
        }
    }

    /// Looks after the copies: call it once in a while with what happened to the requests of what
    /// is served.
    pub fn tend(&mut self, now: Timestamp, count: Count) {
        if self.source.has_changed() {
            self.take_key();
        }
        if !self.is_looked_at && self.ring.is_some() {
            let before = self.before;
            self.look();
            if before.is_none()
                && let Some(soaking) = &mut self.soaks
            {
                soaking.soak.compare(self.before);
            }
        }
        self.mark();
        let Some(soaking) = &mut self.soaks else { return };
        let generation = soaking.generation;
        match soaking.soak.judge(now, count) {
            Verdict::Wait => (),
            Verdict::Earned(failures) => self.keep(now, failures),
            Verdict::Rose { before, now } => tracing::warn!(
                generation = generation.number,
                before_of_ten_thousand = before,
                now_of_ten_thousand = now,
                "more requests fail than before: the configuration has not proved itself yet"
            ),
            Verdict::Panicked => {
                self.soaks = None;
                tracing::error!(
                    generation = generation.number,
                    "a request panicked over this configuration: no copy of it is kept"
                );
            }
        }
    }

    /// What is known of the copies.
    pub const fn known(&self) -> &Keep {
        &self.keep
    }

    fn keep(&mut self, now: Timestamp, failures: u16) {
        let (Some(ring), Some(soaking)) = (&self.ring, &self.soaks) else { return };
        let generation = soaking.generation;
        match ring.keep(generation, &soaking.bundle, now, failures) {
            Ok(kept) => {
                self.keep.fault = None;
                if kept == Kept::Written {
                    tracing::info!(
                        generation = generation.number,
                        "the configuration has proved itself: a copy is kept"
                    );
                } else {
                    tracing::debug!(generation = generation.number, "no copy is kept: {kept}");
                }
                self.soaks = None;
                self.before = Some(failures);
                self.look();
            }
            // Tried again when it is looked after next.
            Err(error) => self.failed(&error),
        }
    }

    fn mark(&mut self) {
        let (Some(ring), Some((served, since))) = (&self.ring, self.unmarked) else { return };
        match ring.mark(served, since) {
            Ok(()) => {
                (self.marked, self.unmarked) = (Some(served), None);
                self.keep.fault = None;
            }
            Err(error) => self.failed(&error),
        }
    }

    /// Reads the key again.
    fn take_key(&mut self) {
        match self.source.read() {
            Ok(key) => self.renew(key),
            Err(error) => self.failed(&error),
        }
    }

    fn failed(&mut self, error: &dyn std::error::Error) {
        let fault = error.to_string();
        if self.keep.fault.as_ref() != Some(&fault) {
            tracing::error!("copies of good configurations cannot be kept: {fault}");
            self.keep.fault = Some(fault);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tempfile::TempDir;

    use super::*;
    use crate::configuration::bundle::{Entry, Kind};
    use crate::secret::Secret;

    const START: Timestamp = Timestamp::from_micros(1_000_000_000);
    /// Of another time, as those of gateways are that start without their control plane.
    const TOKENS: [&str; 2] = [
        "GatewayKey berlin&202701011200&AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw==",
        "GatewayKey berlin&202702011200&AQECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw==",
    ];
    const TERMS: Terms =
        Terms { time: Duration::from_secs(10), requests: 100, idle: Duration::from_hours(1) };

    fn keeping(folder: &TempDir) -> Keeping {
        of_token(folder, Holder::setting(&Secret::new(TOKENS[0])))
    }

    fn of_token(folder: &TempDir, token: Holder) -> Keeping {
        let source = KeySource::of_token(Arc::new(Mutex::new(token)));
        Keeping::new(folder.path().join("copies"), "folder a".to_owned(), source, TERMS)
    }

    fn bundle(text: &str) -> Arc<Bundle> {
        let entry = Entry::new(Kind::Document, Arc::from("weir.yaml"), Arc::from(text));
        Arc::new(Bundle::of([Arc::new(entry)]).unwrap())
    }

    const fn generation(number: u64) -> Generation {
        Generation { history: 0, number }
    }

    const fn count(requests: u64, failures: u64) -> Count {
        Count { requests, failures, panics: 0 }
    }

    fn at(seconds: u64) -> Timestamp {
        START + Duration::from_secs(seconds)
    }

    fn kept(keeping: &Keeping) -> Vec<u64> {
        keeping.known().copies.iter().map(|(generation, _)| generation.number).collect()
    }

    #[test]
    fn what_has_proved_itself_is_kept_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut keeping = keeping(&folder);
        assert_eq!(keeping.open(), None);
        keeping.begin((generation(1), &bundle("one")), at(0), None, false);
        keeping.tend(at(9), count(1_000, 0));
        assert!(kept(&keeping).is_empty());
        keeping.tend(at(10), count(1_000, 0));
        assert_eq!(kept(&keeping), [1]);
        let when = keeping.known().copies[0].1;
        keeping.tend(at(20), count(2_000, 0));
        assert_eq!((kept(&keeping), keeping.known().copies[0].1), (vec![1], when));
    }

    #[test]
    fn another_token_seals_the_copies_anew_and_one_that_is_gone_opens_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, TOKENS[0]).unwrap();
        let mut first = of_token(&folder, Holder::file(&path));
        first.open();
        first.begin((generation(1), &bundle("one")), at(0), None, false);
        first.tend(at(10), count(100, 0));
        assert_eq!((kept(&first), &first.known().fault), (vec![1], &None));
        // A file that is being written leaves the key as it was.
        for (text, opens) in [("GatewayKey ber", 0), (TOKENS[1], 1)] {
            std::fs::write(&path, text).unwrap();
            first.tend(at(20), count(100, 0));
            for (at, token) in TOKENS.iter().enumerate() {
                let mut next = of_token(&folder, Holder::setting(&Secret::new(*token)));
                let ring = {
                    next.open();
                    next.look()
                };
                assert_eq!(ring.copies.len(), usize::from(at == opens), "{text}: {at}");
                let refused = next.known().refused.iter();
                let others = refused.filter(|why| why.contains("sealed with another key"));
                assert_eq!(others.count(), usize::from(at != opens));
            }
        }
    }

    #[test]
    fn without_a_token_no_copies_are_kept_until_there_is_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let mut keeping = of_token(&folder, Holder::file(&path));
        assert_eq!(keeping.open(), None);
        keeping.begin((generation(1), &bundle("one")), at(0), None, false);
        keeping.tend(at(10), count(100, 0));
        assert!(keeping.known().fault.as_ref().unwrap().contains("no gateway token"));
        std::fs::write(&path, TOKENS[0]).unwrap();
        keeping.tend(at(20), count(100, 0));
        assert_eq!((kept(&keeping), &keeping.known().fault), (vec![1], &None));
    }

    #[test]
    fn the_mark_never_falls() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = keeping(&folder);
        first.open();
        first.begin((generation(1), &bundle("one")), at(0), None, false);
        first.tend(at(10), count(100, 0));
        first.begin((generation(2), &bundle("two")), at(10), Some(count(100, 0)), false);
        first.tend(at(11), count(0, 0));
        for _ in 0..2 {
            let mut next = keeping(&folder);
            assert_eq!(next.open().map(|served| served.generation), Some(generation(2)));
            let ring = next.look();
            assert_eq!(ring.copies[0].generation, generation(1));
            let copy = Arc::new(next.bundle(&ring.copies[0]).unwrap());
            next.begin((generation(1), &copy), at(20), None, true);
            next.tend(at(100), count(1_000, 0));
        }
        // Without the mark, the copies say what was served at least.
        let marks = std::fs::read_dir(folder.path().join("copies")).unwrap();
        for file in marks.map(|file| file.unwrap().path()) {
            if file.extension().is_some_and(|it| it == "served") {
                std::fs::write(file, "damage").unwrap();
            }
        }
        let served = keeping(&folder).open();
        assert_eq!(served.map(|served| served.generation), Some(generation(1)));
    }

    #[test]
    fn what_failed_before_is_known_over_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = keeping(&folder);
        first.open();
        first.begin((generation(1), &bundle("one")), at(0), None, false);
        first.tend(at(10), count(1_000, 10));
        assert_eq!(kept(&first), [1]);
        for (failures, is_kept) in [(16, false), (15, true)] {
            let mut next = keeping(&folder);
            next.open();
            next.begin((generation(2), &bundle("two")), at(20), None, false);
            next.tend(at(30), count(1_000, failures));
            assert_eq!(kept(&next).contains(&2), is_kept, "{failures}");
        }
    }

    #[test]
    fn what_panicked_is_never_kept() {
        let folder = tempfile::tempdir().unwrap();
        let mut keeping = keeping(&folder);
        keeping.open();
        keeping.begin((generation(1), &bundle("one")), at(0), None, false);
        keeping.tend(at(5), Count { requests: 1, failures: 0, panics: 1 });
        keeping.tend(at(7_200), count(1_000_000, 0));
        assert!(kept(&keeping).is_empty());
    }
}
