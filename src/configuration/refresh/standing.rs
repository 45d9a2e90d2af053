//! What holds whatever the newest configuration is: what is switched off, what was served before,
//! and the copies that a gateway starts from.

use std::sync::Arc;

use super::{Origin, Refresh, report};
use crate::configuration::bundle::Bundle;
use crate::configuration::generation::Generation;
use crate::configuration::last_good::soak::Count;
use crate::configuration::loader::Loaded;
use crate::configuration::offer::Source;
use crate::configuration::refresh::Refusal;
use crate::configuration::switch::Seen;

use crate::snapshot::tally::Tally;
use crate::snapshot::{Live, Snapshot};
use crate::time::{Clock, date};

impl Refresh {
    /// The snapshot of the newest copy that can be used.
    pub(super) fn fall_back(&mut self) -> Option<Snapshot> {
        let ring = self.keeping.as_mut()?.look();
        for copy in ring.copies {
            let Some(bundle) = self.keeping.as_ref()?.bundle(&copy) else { continue };
            let generation = copy.generation;
            let loaded = self.loader().load_bundle(&bundle);
            match self.make(&loaded, generation) {
                Ok(snapshot) => {
                    tracing::warn!(
                        generation = generation.number,
                        kept = date(copy.kept),
                        "there is no other configuration: the newest good copy is served"
                    );
                    let source = Source::LastGood { kept: copy.kept };
                    self.serves(generation, Some(Arc::new(bundle)), source, None);
                    return Some(snapshot);
                }
                // Of a later version of Weir, say.
                Err(refusal) => tracing::warn!(
                    generation = generation.number,
                    "a copy of a good configuration cannot be used\n{}",
                    report(&refusal)
                ),
            }
        }
        None
    }

    /// What was loaded as a bundle, if anybody has a use for it.
    pub(super) fn bundle(&self, loaded: &Loaded) -> Option<Arc<Bundle>> {
        if self.keeping.is_none() && !self.switch.is_set() {
            return None;
        }
        let Origin::Folder { environment, .. } = &self.origin else { return None };
        let (reading, variables) = loaded.reading.as_ref()?;
        match Bundle::of_reading(reading, environment, variables) {
            Ok(bundle) => Some(Arc::new(bundle)),
            Err(unsound) => {
                tracing::warn!("no copy of this configuration can be kept: {unsound}");
                None
            }
        }
    }

    /// The number of what a folder has become. What was served before this process, or what stands
    /// in for it, keeps its number.
    pub(super) fn number(&self, bundle: Option<&Arc<Bundle>>) -> Generation {
        let state = self.status.now();
        let is_start = matches!(state.source, Source::None | Source::LastGood { .. });
        if let (true, Some(floor), Some(bundle)) = (is_start, self.floor, bundle)
            && floor.digest == *bundle.digest()
        {
            return floor.generation;
        }
        let floor = self.floor.map_or(Generation::NONE, |served| served.generation);
        state.serving.max(floor).next()
    }

    /// Notes that `generation` is served from now on; `last` is what happened to the requests of
    /// the one before.
    pub(super) fn serves(
        &mut self,
        generation: Generation,
        bundle: Option<Arc<Bundle>>,
        source: Source,
        last: Option<&Tally>,
    ) {
        let since = self.clock.now();
        if let (Some(keeping), Some(bundle)) = (&mut self.keeping, &bundle) {
            let is_kept = matches!(source, Source::LastGood { .. });
            keeping.begin((generation, bundle), since, last.map(Count::from), is_kept);
        }
        self.runs = bundle;
        self.refused.take_if(|offer| offer.generation <= generation);
        let keep = self.keeping.as_ref().map(|keeping| keeping.known().clone());
        self.status.change(|state| {
            state.observed = state.observed.max(generation);
            (state.prepared, state.serving, state.since) = (generation, generation, since);
            (state.source, state.keep) = (source, keep);
            state.take_refusal_back(generation);
        });
    }

    /// Whether `generation` is served already, as a copy of what is offered now.
    pub(super) fn is_served(&self, generation: Generation, bundle: &Bundle) -> bool {
        let state = self.status.now();
        let is_same = || self.runs.as_ref().is_some_and(|runs| runs.digest() == bundle.digest());
        matches!(state.source, Source::LastGood { .. }) && state.serving == generation && is_same()
    }

    /// Looks at what is to be switched off; whether it is something else than before.
    pub(super) fn look_at_switch(&mut self) -> bool {
        let orders = self.status.ordered();
        let Some(seen) = self.switch.look(&orders) else { return false };
        let Seen { switch, list, unknown, faults, sources } = seen;
        for policy in unknown {
            tracing::warn!("the control plane switches `{policy}` off, which is no policy here");
        }
        if let Some(keeping) = &mut self.keeping {
            keeping.keep_orders(&orders, self.clock.now());
        }
        let is_new = switch != self.making.switch;
        if !faults.is_empty() {
            let refusal = Refusal { faults: faults.clone(), sources };
            tracing::error!(
                "the kill switch is wrong; what is right of it holds\n{}",
                report(&refusal)
            );
        }
        if is_new {
            tracing::warn!(
                off = switch.list().join(", "),
                "the kill switch says what must not run"
            );
            for guard in switch.policies().skipped_guards() {
                tracing::warn!("`{guard}` is skipped: requests that it refused get through");
            }
        }
        self.status.change(|state| {
            state.disabled = list;
            state.switch = Arc::clone(&switch);
            state.switch_faults = faults;
        });
        self.making.switch = switch;
        is_new
    }

    /// Warns of what is to be switched off and is not there.
    pub(super) fn look_for_missing(&self, loaded: &Loaded) {
        let Ok(config) = &loaded.config else { return };
        for missing in self.making.switch.missing_in(config) {
            tracing::warn!("the kill switch names what is not there: {missing}");
        }
    }

    /// Makes what is served again, with what is switched off now.
    pub(super) fn make_again(&mut self, live: &Live) {
        // What was made with another switch must not be served.
        self.ready = None;
        let state = self.status.now();
        if !state.refusal.is_empty() {
            // What was refused may be right now.
            self.status.ask();
        }
        let serving = state.serving;
        if serving.is_none() {
            return;
        }
        let Some(runs) = &self.runs else {
            // Too large for a bundle: the folder is read again.
            return self.status.ask();
        };
        let loaded = self.loader().load_bundle(runs);
        match self.make(&loaded, serving) {
            Ok(snapshot) => {
                live.publish(snapshot);
                if let Some(keeping) = &mut self.keeping {
                    keeping.restart(self.clock.now());
                }
                tracing::warn!(generation = %serving, "the kill switch is in force");
            }
            Err(refusal) => tracing::error!(
                "the kill switch is not in force: what is served cannot be made with it\n{}",
                report(&refusal)
            ),
        }
    }

    /// Takes what was refused, with what is switched off now.
    pub(super) fn take_again(&mut self, live: &Live) {
        if let Some(offer) = self.refused.take() {
            self.take(live, &offer);
        }
    }

    /// Looks after the copies.
    pub(super) fn tend(&mut self, live: &Live) {
        let Some(keeping) = &mut self.keeping else { return };
        keeping.tend(self.clock.now(), Count::from(&live.snapshot().tally));
        let known = keeping.known();
        if self.status.now().keep.as_ref() != Some(known) {
            let known = known.clone();
            self.status.change(|state| state.keep = Some(known));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use tempfile::TempDir;

    use super::*;
    use crate::configuration::bundle::{Entry, Kind};
    use crate::configuration::compile::Making;
    use crate::configuration::keeping::{Keeping, KeySource};
    use crate::configuration::last_good::KeyFile;
    use crate::configuration::last_good::soak::Terms;
    use crate::configuration::offer::{Offer, Order, Status};
    use crate::configuration::switch::SwitchFile;
    use crate::time::SystemClock;

    /// A gateway that somebody is to offer configurations, and that keeps copies in `folder`.
    fn offered(folder: &Path) -> Refresh {
        let clock = Arc::new(SystemClock::start());
        let key = folder.join("key");
        std::fs::write(&key, "a secret of more than thirty-two letters").unwrap();
        let terms = Terms { time: Duration::ZERO, requests: 0, idle: Duration::ZERO };
        let source = KeySource::File(KeyFile::at(key));
        Refresh {
            origin: Origin::Offers,
            making: Making {
                generation: 0,
                now: clock.now(),
                instance: Arc::from("test"),
                secret: [0; 32],
                switch: Arc::default(),
                authorities: Arc::new(crate::certificate::trust::Nobody),
                sidecar: Arc::default(),
            },
            clock,
            status: Arc::new(Status::default()),
            ready: None,
            keeping: Some(Keeping::new(folder.to_owned(), "test".to_owned(), source, terms)),
            switch: SwitchFile::at(Some(folder.join("off.yaml"))),
            loader: Arc::default(),
            floor: None,
            runs: None,
            refused: None,
        }
    }

    fn offer(number: u64, order: Order) -> Offer {
        let yaml = format!(
            "apis:\n  - {{id: a{number}, path: a, serviceUrl: 'http://127.0.0.1:1', operations: \
             [{{id: get, method: GET, urlTemplate: /}}]}}\n"
        );
        let entry = Entry::new(Kind::Document, Arc::from("weir.yaml"), Arc::from(yaml));
        let bundle = Arc::new(Bundle::of([Arc::new(entry)]).unwrap());
        Offer { generation: Generation { history: 7, number }, bundle, order }
    }

    /// A folder with a copy of generation 5, where 6 was served last.
    fn left() -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        let mut refresh = offered(folder.path());
        let live = Live::new(refresh.first().0.unwrap());
        assert_eq!(refresh.status.now().source, Source::None);
        refresh.take(&live, &offer(5, Order::Serve));
        refresh.tend(&live);
        refresh.take(&live, &offer(6, Order::Serve));
        if let Some(keeping) = &mut refresh.keeping {
            // A panic, so that it is marked and not kept.
            live.snapshot().tally.panicked();
            keeping.tend(refresh.clock.now(), Count::from(&live.snapshot().tally));
        }
        folder
    }

    #[test]
    fn whom_nobody_offers_anything_starts_from_a_copy_and_takes_nothing_older_than_it_served() {
        let folder = left();
        let mut refresh = offered(folder.path());
        let live = Live::new(refresh.first().0.unwrap());
        let state = refresh.status.now();
        assert!(matches!(state.source, Source::LastGood { .. }));
        assert_eq!((state.serving.number, live.snapshot().apis.len()), (5, 1));
        refresh.take(&live, &offer(4, Order::Serve));
        assert_eq!(refresh.status.now().serving.number, 5);
        // What the copy is of: nothing is made again, and it is no copy any more.
        let before = live.snapshot();
        refresh.take(&live, &offer(5, Order::Serve));
        assert!(Arc::ptr_eq(&before, &live.snapshot()));
        assert_eq!(refresh.status.now().source, Source::Offer);
        refresh.take(&live, &offer(6, Order::Serve));
        assert_eq!(refresh.status.now().serving.number, 6);
    }

    #[test]
    fn what_is_offered_between_a_copy_and_what_was_served_is_too_old() {
        let folder = left();
        let mut refresh = offered(folder.path());
        let live = Live::new(refresh.first().0.unwrap());
        refresh.floor = refresh.floor.map(|served| {
            let generation = Generation { number: 9, ..served.generation };
            crate::configuration::last_good::Served { generation, ..served }
        });
        for (number, serving) in [(7, 5), (8, 5), (9, 9), (10, 10)] {
            refresh.take(&live, &offer(number, Order::Serve));
            assert_eq!(refresh.status.now().serving.number, serving);
        }
    }

    #[test]
    fn what_was_refused_is_taken_once_what_is_wrong_with_it_is_switched_off() {
        let folder = tempfile::tempdir().unwrap();
        let mut refresh = offered(folder.path());
        let live = Live::new(refresh.first().0.unwrap());
        refresh.take(&live, &offer(1, Order::Serve));
        let yaml = "apis:\n  - {id: wrong, path: a, serviceUrl: 'http://127.0.0.1:1', operations: \
                    [{id: get, method: GET, urlTemplate: /, policy: \"<policies><inbound>\
                    <rate-limit calls='many' /></inbound></policies>\"}]}\n";
        let entry = Entry::new(Kind::Document, Arc::from("weir.yaml"), Arc::from(yaml));
        let bundle = Arc::new(Bundle::of([Arc::new(entry)]).unwrap());
        let wrong = Offer { bundle, ..offer(2, Order::Serve) };
        refresh.take(&live, &wrong);
        let state = refresh.status.now();
        assert_eq!((state.serving.number, state.refused_offer.number), (1, 2));
        assert!(!state.refusal.is_empty());
        for (switch, serving) in [("apis: [wrong]", 1), ("policies: {rate-limit: skip}", 2)] {
            std::fs::write(folder.path().join("off.yaml"), switch).unwrap();
            assert!(refresh.look_at_switch());
            refresh.make_again(&live);
            refresh.take_again(&live);
            assert_eq!(refresh.status.now().serving.number, serving, "{switch}");
        }
        let state = refresh.status.now();
        assert_eq!((state.refused_offer, state.refusal), (Generation::NONE, Vec::new()));
        assert!(refresh.refused.is_none());
    }

    #[test]
    fn what_is_prepared_is_served_with_the_switch_that_holds_then() {
        let folder = tempfile::tempdir().unwrap();
        let mut refresh = offered(folder.path());
        let live = Live::new(refresh.first().0.unwrap());
        refresh.take(&live, &offer(1, Order::Serve));
        refresh.take(&live, &offer(2, Order::Prepare));
        std::fs::write(folder.path().join("off.yaml"), "apis: [a1, a2]\n").unwrap();
        assert!(refresh.look_at_switch());
        refresh.make_again(&live);
        assert!(live.snapshot().apis[0].is_disabled);
        assert_eq!(refresh.status.now().serving.number, 1);
        refresh.take(&live, &offer(2, Order::Serve));
        assert!(live.snapshot().apis[0].is_disabled);
        assert_eq!(refresh.status.now().disabled, ["api a1", "api a2"]);
    }
}
