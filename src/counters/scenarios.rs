//! The contract of `Counters` as scenarios that every home has to pass.
//!
//! The file names only `crate::limit` and `crate::time`, so that another test binary can take it
//! in by path and run it over a home that needs a server.
//!
//! Where time is real a machine may be slow: what must be said before something comes back is said
//! only if it was asked in time. A scene in which it was not is [`Late`] and shows nothing.

use std::future::Future;
use std::time::Duration;

use crate::limit::key::{CounterKey, KeySpace, Kind};
use crate::limit::{Charge, Counters, NEVER, Tallies, Tally, Terms};
use crate::time::Timestamp;

/// How time passes for a home: set by hand, or waited for.
pub(crate) trait Pace {
    /// The time now.
    fn now(&self) -> Timestamp;
    /// Lets `span` pass.
    fn pass(&mut self, span: Duration) -> impl Future<Output = ()>;
    /// By how much later than a period after it was taken something may come back, where windows
    /// slide.
    fn grain(&self) -> Duration {
        Duration::ZERO
    }
    /// The terms as they are to be held.
    fn held(&self, terms: Terms) -> Terms {
        terms
    }
}

/// One home under test.
pub(crate) struct Stage<'a, C, P> {
    /// The home.
    pub(crate) home: &'a C,
    /// Its time.
    pub(crate) pace: P,
    /// The period of the limits: long enough that the steps of a scenario fall into one, short
    /// enough to be waited for where time is real.
    pub(crate) period: Duration,
    /// Keeps the keys of this run apart from those of others.
    pub(crate) run: &'a str,
}

/// A step came too late for what was to be seen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Late;

/// A part of the contract.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scene {
    Takes,
    Refusal,
    Twice,
    Recheck,
    Again,
    Apart,
    Added,
    Refund,
    NewTerms,
    OtherWindows,
    StepByStep,
    Whole,
    Never,
    AddedPasses,
    NoInterval,
}

impl Scene {
    /// Those in which no time is to pass.
    pub(crate) const AT_ONCE: [Self; 9] = [
        Self::Takes,
        Self::Refusal,
        Self::Twice,
        Self::Recheck,
        Self::Again,
        Self::Apart,
        Self::Added,
        Self::Refund,
        Self::NewTerms,
    ];

    /// Those in which time passes.
    pub(crate) const IN_TIME: [Self; 5] =
        [Self::StepByStep, Self::Whole, Self::Never, Self::AddedPasses, Self::NoInterval];
}

impl<C: Counters, P: Pace> Stage<'_, C, P> {
    /// Plays every scene.
    pub(crate) async fn play_all(&mut self) -> Result<(), Late> {
        for scene in Scene::AT_ONCE.into_iter().chain(Scene::IN_TIME) {
            self.play(scene).await?;
        }
        // In some homes a key has another counter for each period and kind of window.
        self.play(Scene::OtherWindows).await
    }

    /// Plays one scene.
    pub(crate) async fn play(&mut self, scene: Scene) -> Result<(), Late> {
        match scene {
            Scene::Takes => self.takes_up_to_the_limit_and_says_what_is_left().await,
            Scene::Refusal => self.a_refusal_takes_nothing().await,
            Scene::Twice => self.a_key_that_is_named_twice_is_charged_once().await,
            Scene::Recheck => self.a_key_that_was_charged_before_is_only_checked().await,
            Scene::Again => self.a_request_counts_once_in_each_counter_that_it_meets().await,
            Scene::Apart => self.keys_and_kinds_do_not_disturb_each_other().await,
            Scene::Added => self.what_is_added_may_pass_the_limit_and_is_seen().await,
            Scene::Refund => self.a_refund_gives_back_and_never_more_than_there_was().await,
            Scene::NewTerms => self.the_next_decision_obeys_new_terms().await,
            Scene::OtherWindows => {
                self.windows_of_other_kinds_and_periods_find_what_was_used().await;
            }
            Scene::StepByStep => return self.sliding_room_comes_back_step_by_step().await,
            Scene::Whole => return self.a_fixed_window_comes_back_whole().await,
            Scene::Never => self.what_never_resets_never_resets().await,
            Scene::AddedPasses => return self.what_was_added_passes().await,
            Scene::NoInterval => self.no_interval_admits_more_than_the_limit().await,
        }
        Ok(())
    }

    fn key(&self, kind: Kind, identity: &str) -> CounterKey {
        KeySpace::new(kind, &[self.run]).key(identity)
    }

    fn sliding(&self, limit: u64) -> Terms {
        self.pace.held(Terms::sliding(limit, self.period))
    }

    /// A window of them begins now.
    fn fixed(&self, limit: u64, period: Duration) -> Terms {
        self.pace.held(Terms::fixed(limit, period, self.pace.now()))
    }

    async fn charge(&self, charges: &[Charge]) -> Tallies {
        self.home.charge(charges, self.pace.now()).await.expect("the home answers")
    }

    async fn admits(&self, charge: Charge) -> bool {
        self.charge(&[charge]).await.admitted()
    }

    /// Asks for what is to be refused as long as it is asked before there is `room`.
    async fn refused(&self, charge: Charge, room: Timestamp) -> Result<Tally, Late> {
        let tallies = self.charge(&[charge]).await;
        match tallies.refusal() {
            Some((_, refused)) => Ok(refused),
            None if room <= self.pace.now() + self.pace.grain() => Err(Late),
            None => panic!("it is admitted before there is room: {tallies:?}"),
        }
    }

    async fn used(&self, key: CounterKey, terms: Terms) -> u64 {
        let tallies = self.charge(&[Charge::look(key, terms)]).await;
        tallies.iter().map(|tally| tally.used).sum()
    }

    async fn takes_up_to_the_limit_and_says_what_is_left(&mut self) {
        for (name, terms) in
            [("takes: sliding", self.sliding(3)), ("takes: fixed", self.fixed(3, self.period))]
        {
            let key = self.key(Kind::Rate, name);
            for left in (0..3).rev() {
                let tallies = self.charge(&[Charge::take(key, terms, 1)]).await;
                let tally = *tallies.iter().next().expect("one charge has one tally");
                assert_eq!((tally.admitted, tally.remaining()), (true, left), "{name}: {tally:?}");
                assert_eq!((tally.limit, tally.retry_after), (terms.limit, Duration::ZERO));
            }
            let (_, refused) =
                self.charge(&[Charge::take(key, terms, 1)]).await.refusal().expect("a refusal");
            assert_eq!((refused.used, refused.remaining()), (terms.limit, 0));
            assert!(refused.retry_after > Duration::ZERO);
            assert!(refused.retry_after <= self.period + self.pace.grain(), "{refused:?}");
        }
    }

    async fn a_refusal_takes_nothing(&mut self) {
        let wide = self.key(Kind::Rate, "refusal: wide");
        let narrow = self.key(Kind::Rate, "refusal: narrow");
        let charges = |cost| {
            [Charge::take(wide, self.sliding(9), cost), Charge::take(narrow, self.sliding(2), 1)]
        };
        assert!(self.charge(&charges(1)).await.admitted());
        assert!(self.charge(&charges(1)).await.admitted());
        let tallies = self.charge(&charges(1)).await;
        let admitted: Vec<bool> = tallies.iter().map(|tally| tally.admitted).collect();
        assert_eq!(admitted, [true, false]);
        assert_eq!(tallies.refusal().expect("a refusal").0, 1);
        assert_eq!(self.used(wide, self.sliding(9)).await, 2);
        assert!(!self.charge(&charges(8)).await.admitted(), "both are over");
        assert_eq!(self.used(wide, self.sliding(9)).await, 2);
        assert_eq!(self.used(narrow, self.sliding(2)).await, 2);
    }

    async fn a_key_that_is_named_twice_is_charged_once(&mut self) {
        let key = self.key(Kind::QuotaByKeyCalls, "twice");
        let charges = [
            Charge::take(key, self.sliding(9), 1),
            Charge::take(key, self.sliding(5), 2),
            Charge::look(key, self.sliding(3)),
        ];
        let tallies = self.charge(&charges).await;
        assert!(tallies.iter().all(|tally| tally.admitted && tally.used == 2), "{tallies:?}");
        assert_eq!(self.used(key, self.sliding(9)).await, 2);
    }

    async fn a_key_that_was_charged_before_is_only_checked(&mut self) {
        let key = self.key(Kind::RateByKey, "recheck");
        assert!(self.admits(Charge::take(key, self.sliding(9), 3)).await);
        assert!(self.admits(Charge::recheck(key, self.sliding(3))).await);
        assert!(!self.admits(Charge::recheck(key, self.sliding(2))).await);
        assert_eq!(self.used(key, self.sliding(9)).await, 3);
    }

    async fn a_request_counts_once_in_each_counter_that_it_meets(&mut self) {
        let key = self.key(Kind::RateByKey, "again");
        let other = |limit| self.pace.held(Terms::sliding(limit, self.period * 2));
        for used in [3, 6] {
            assert!(self.admits(Charge::take(key, self.sliding(9), 3)).await);
            assert!(self.admits(Charge::again(key, other(9), 3)).await);
            assert_eq!(self.used(key, self.sliding(9)).await, used);
            assert_eq!(self.used(key, other(9)).await, used);
        }
        assert!(self.admits(Charge::take(key, self.sliding(9), 1)).await);
        assert!(!self.admits(Charge::again(key, other(6), 1)).await);
        assert!(self.used(key, other(9)).await <= 7, "a refusal takes nothing");
    }

    async fn keys_and_kinds_do_not_disturb_each_other(&mut self) {
        for kind in [Kind::Rate, Kind::RateByKey, Kind::QuotaCalls, Kind::QuotaBandwidth] {
            for identity in ["apart: a", "apart: b"] {
                let charge = Charge::take(self.key(kind, identity), self.sliding(1), 1);
                assert!(self.admits(charge).await);
                assert!(!self.admits(charge).await);
            }
        }
    }

    async fn sliding_room_comes_back_step_by_step(&mut self) -> Result<(), Late> {
        let charge = Charge::take(self.key(Kind::Rate, "step by step"), self.sliding(2), 1);
        let first = self.pace.now();
        assert!(self.admits(charge).await);
        self.pace.pass(self.period / 2).await;
        let second = self.pace.now();
        assert!(self.admits(charge).await);
        let taken = self.pace.now();
        self.refused(charge, first + self.period).await?;
        self.pace.pass(self.period.mul_f64(0.6)).await;
        assert!(self.admits(charge).await, "the first has left");
        let asked = self.pace.now();
        let refused = self.refused(charge, second + self.period).await?;
        let most = (taken + self.period + self.pace.grain()).since(asked);
        assert!(refused.retry_after <= most, "{refused:?}");
        self.pace.pass(refused.retry_after).await;
        assert!(self.admits(charge).await, "who waits as told is admitted");
        Ok(())
    }

    async fn a_fixed_window_comes_back_whole(&mut self) -> Result<(), Late> {
        let begins = self.pace.now();
        let ends = begins + self.period;
        let terms = self.pace.held(Terms::fixed(2, self.period, begins));
        let charge = Charge::take(self.key(Kind::QuotaCalls, "whole"), terms, 1);
        self.pace.pass(self.period.mul_f64(0.7)).await;
        assert!(self.admits(charge).await && self.admits(charge).await);
        let asked = self.pace.now();
        if ends <= asked + self.pace.grain() {
            return Err(Late);
        }
        let refused = self.refused(charge, ends).await?;
        assert!(refused.retry_after <= ends.since(asked) + self.pace.grain(), "{refused:?}");
        self.pace.pass(refused.retry_after).await;
        assert!(self.admits(charge).await && self.admits(charge).await);
        self.refused(charge, ends + self.period).await?;
        Ok(())
    }

    async fn what_never_resets_never_resets(&mut self) {
        let terms = self.fixed(1, Duration::ZERO);
        let charge = Charge::take(self.key(Kind::QuotaCalls, "never"), terms, 1);
        assert!(self.admits(charge).await);
        self.pace.pass(self.period * 3).await;
        let (_, refused) = self.charge(&[charge]).await.refusal().expect("it stays used");
        assert_eq!((refused.retry_after, refused.retry_after_seconds()), (NEVER, None));
    }

    async fn what_is_added_may_pass_the_limit_and_is_seen(&mut self) {
        let key = self.key(Kind::QuotaBandwidth, "added");
        let terms = self.sliding(10);
        assert!(self.admits(Charge::look(key, terms)).await);
        assert_eq!(self.used(key, terms).await, 0, "a look takes nothing");
        self.home.add(&[Charge::take(key, terms, 9)], self.pace.now());
        assert!(self.admits(Charge::look(key, terms)).await);
        self.home.add(&[Charge::take(key, terms, 9)], self.pace.now());
        let (_, refused) =
            self.charge(&[Charge::look(key, terms)]).await.refusal().expect("a refusal");
        assert_eq!((refused.used, refused.remaining()), (18, 0));
    }

    async fn what_was_added_passes(&mut self) -> Result<(), Late> {
        let key = self.key(Kind::QuotaBandwidth, "added passes");
        let terms = self.sliding(10);
        assert!(self.admits(Charge::look(key, terms)).await);
        let added = self.pace.now();
        self.home.add(&[Charge::take(key, terms, 18)], added);
        let refused = self.refused(Charge::look(key, terms), added + self.period).await?;
        self.pace.pass(refused.retry_after).await;
        assert!(self.admits(Charge::look(key, terms)).await);
        Ok(())
    }

    async fn a_refund_gives_back_and_never_more_than_there_was(&mut self) {
        let key = self.key(Kind::RateByKey, "refund");
        for terms in [self.sliding(2), self.fixed(2, self.period)] {
            let hold = Charge::take(key, terms, 2);
            let at = self.pace.now();
            assert!(self.admits(hold).await);
            self.home.refund(&[Charge::take(key, terms, 1)], at);
            assert_eq!(self.used(key, terms).await, 1);
            self.home.refund(&[hold], at);
            self.home.refund(&[hold], at);
            assert_eq!(self.used(key, terms).await, 0);
        }
        let unknown = self.key(Kind::RateByKey, "refund: unknown");
        self.home.refund(&[Charge::take(unknown, self.sliding(2), 1)], self.pace.now());
        assert_eq!(self.used(unknown, self.sliding(2)).await, 0);
    }

    async fn the_next_decision_obeys_new_terms(&mut self) {
        let key = self.key(Kind::Rate, "new terms");
        assert!(self.admits(Charge::take(key, self.sliding(100), 80)).await);
        assert!(!self.admits(Charge::take(key, self.sliding(50), 1)).await);
        assert_eq!(self.used(key, self.sliding(50)).await, 80);
        assert!(self.admits(Charge::take(key, self.sliding(200), 1)).await);
        assert_eq!(self.used(key, self.sliding(200)).await, 81);
    }

    async fn windows_of_other_kinds_and_periods_find_what_was_used(&mut self) {
        let key = self.key(Kind::Rate, "other windows");
        let other_period = |limit| Terms::sliding(limit, self.period * 2);
        assert!(self.admits(Charge::take(key, self.sliding(100), 81)).await);
        assert_eq!(self.used(key, other_period(100)).await, 81);
        assert!(!self.admits(Charge::take(key, other_period(81), 1)).await);
        let fixed = self.fixed(100, self.period);
        assert_eq!(self.used(key, fixed).await, 81);
    }

    async fn no_interval_admits_more_than_the_limit(&mut self) {
        let charge = Charge::take(self.key(Kind::Rate, "no interval"), self.sliding(7), 1);
        let mut admitted: Vec<(Timestamp, Timestamp)> = Vec::new();
        for round in 0..60_u32 {
            // Bursts and pauses, neither of which divides the period.
            self.pace.pass(self.period * (round * 7 % 11) / 61).await;
            let before = self.pace.now();
            if self.admits(charge).await {
                admitted.push((before, self.pace.now()));
            }
        }
        assert!(admitted.len() > 14, "{}", admitted.len());
        for window in admitted.windows(8) {
            assert!(window[7].1.since(window[0].0) >= self.period, "{window:?}");
        }
    }
}
