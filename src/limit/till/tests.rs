//! Tills one claim at a time, and every order in which threads can come to one ([`loom`]).

use std::time::Duration;

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64 as LoomU64, Ordering};
use loom::thread;

use super::*;
use crate::limit::key::{KeySpace, Kind};
use crate::limit::manner::{Manner, Mode, Windows};

impl Word for LoomU64 {
    fn new(value: u64) -> Self {
        Self::new(value)
    }

    fn get(&self) -> u64 {
        self.load(Ordering::Acquire)
    }

    fn set(&self, value: u64) {
        self.store(value, Ordering::Release);
    }

    fn swap(&self, value: u64) -> u64 {
        self.swap(value, Ordering::AcqRel)
    }

    fn exchange(&self, from: u64, to: u64) -> Result<(), u64> {
        self.compare_exchange_weak(from, to, Ordering::AcqRel, Ordering::Acquire).map(|_| ())
    }
}

const NOW: Timestamp = Timestamp::from_micros(50);

fn charge(key: &str, terms: Terms) -> Charge {
    Charge::take(KeySpace::new(Kind::Rate, &[]).key(key), terms, 1)
}

fn label(key: &str) -> Label {
    Label::of(&charge(key, Terms::sliding(10, Duration::from_secs(1)))).unwrap()
}

/// Tokens of `window`, for as long as the tests last.
fn loan(tokens: u64, window: u64) -> Loan {
    Loan { tokens, window, until: Timestamp::from_micros(100), rest: 5 }
}

#[test]
fn a_claim_takes_what_was_lent_for_it_and_is_told_what_is_left() {
    let till: Till = Till::new();
    assert_eq!(till.take(&label("a"), 1, NOW), None);
    till.lend(&label("a"), &loan(5, 7));
    assert_eq!(till.take(&label("a"), 2, NOW), Some(Taken { window: 7, remaining: 8 }));
    assert_eq!(till.take(&label("a"), 4, NOW), None, "there are not so many");
    assert_eq!(till.take(&label("a"), 0, NOW), None, "nothing costs nothing");
    assert_eq!(till.take(&label("b"), 1, NOW), None, "they are another key's");
    assert_eq!(till.take(&label("a"), 1, Timestamp::from_micros(100)), None, "it is too late");
    assert_eq!(till.take_back(), Returned { tokens: 3, claims: 1 });
    assert_eq!(till.take(&label("a"), 1, NOW), None);
    assert_eq!(till.take_back(), Returned { tokens: 0, claims: 0 });
}

#[test]
fn a_label_is_of_one_counter_and_one_limit() {
    let second = Duration::from_secs(1);
    let sliding = Terms::sliding(10, second);
    let origin = Timestamp::from_micros(0);
    let others = [
        Terms::sliding(11, second),
        Terms::sliding(10, second * 2),
        Terms::fixed(10, second, origin),
        Terms::fixed(10, second, Timestamp::from_micros(1)),
        sliding.held(Manner { windows: Windows::Fixed { origin }, ..Manner::USUAL }),
    ];
    let labels: Vec<_> = others.map(|terms| Label::of(&charge("a", terms)).unwrap()).into();
    assert!(!labels.contains(&label("a")) && label("a") != label("b"));
    assert_eq!(labels[2], labels[4], "the same windows by two ways");
    assert_eq!(labels.iter().filter(|other| labels[3] == **other).count(), 1);
    let exact = sliding.held(Manner { mode: Mode::Exact, ..Manner::USUAL });
    assert_eq!(Label::of(&charge("a", exact)), Some(label("a")), "tokens are as good for both");
    for manner in [
        Manner { mode: Mode::Local, ..Manner::USUAL },
        Manner { windows: Windows::Bucket { burst: 5 }, ..Manner::USUAL },
    ] {
        assert_eq!(Label::of(&charge("a", sliding.held(manner))), None, "{manner:?}");
    }
}

#[test]
fn claims_are_counted_up_to_their_bound_and_tokens_too() {
    let till: Till = Till::new();
    till.lend(&label("a"), &loan(u64::MAX, 7));
    let taken = (0..=CLAIMS_MAX).filter(|_| till.take(&label("a"), 1, NOW).is_some()).count();
    assert_eq!(u64::try_from(taken).unwrap(), CLAIMS_MAX);
    let left = TOKENS_MAX - CLAIMS_MAX;
    assert_eq!(till.take_back(), Returned { tokens: left, claims: CLAIMS_MAX });
    till.lend(&label("a"), &loan(TOKENS_MAX, 8));
    assert_eq!(till.take(&label("a"), TOKENS_MAX, NOW).map(|taken| taken.window), Some(8));
    assert_eq!(till.take_back(), Returned { tokens: 0, claims: 1 });
}

#[test]
fn tills_of_a_desk_are_told_apart_by_what_desks_and_lanes_are_not() {
    let tills = Tills::new();
    for part in u8::MIN..=u8::MAX {
        let number = Tills::number_of([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, part, 14, 15, 16]);
        assert_eq!(number, usize::from(part) % TILLS);
        assert!(tills.get(number).is_some());
    }
}

/// Labels of one word, compared as those of five: each more would multiply the orders.
const A: Label<1> = Label([1]);
const B: Label<1> = Label([2]);

/// Every order of what happens, of which threads are interrupted at most twice in between.
fn in_every_order(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(2);
    builder.check(model);
}

/// A thread that takes up to `times` times under `label`; what it took.
fn taker(
    till: &Arc<Till<LoomU64, 1>>,
    label: Label<1>,
    times: usize,
) -> thread::JoinHandle<Vec<Taken>> {
    let till = Arc::clone(till);
    thread::spawn(move || (0..times).filter_map(|_| till.take(&label, 1, NOW)).collect())
}

fn count(taken: &[Taken]) -> u64 {
    u64::try_from(taken.len()).unwrap()
}

#[test]
fn two_who_take_at_once_never_take_more_than_was_lent() {
    in_every_order(|| {
        let till = Arc::new(Till::new());
        till.lend(&A, &loan(3, 7));
        let other = taker(&till, A, 2);
        let own: Vec<_> = (0..2).filter_map(|_| till.take(&A, 1, NOW)).collect();
        let other = other.join().unwrap();
        let mut left: Vec<_> = own.iter().chain(&other).map(|taken| taken.remaining).collect();
        left.sort_unstable();
        left.dedup();
        assert_eq!(left.len(), own.len() + other.len(), "each is told another number: {left:?}");
        let Returned { tokens, claims } = till.take_back();
        assert_eq!(claims, count(&own) + count(&other));
        assert_eq!(claims + tokens, 3);
    });
}

#[test]
fn what_was_taken_and_what_is_taken_back_is_what_was_lent() {
    in_every_order(|| {
        let till = Arc::new(Till::new());
        till.lend(&A, &loan(2, 7));
        let takers = [taker(&till, A, 2), taker(&till, A, 1)];
        let Returned { tokens, claims } = till.take_back();
        let taken: Vec<_> = takers.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        assert_eq!((count(&taken), claims + tokens), (claims, 2));
        assert_eq!(till.take_back(), Returned { tokens: 0, claims: 0 });
    });
}

#[test]
fn who_is_slow_takes_nothing_that_is_lent_for_another_key_by_then() {
    in_every_order(|| {
        let till = Arc::new(Till::new());
        till.lend(&A, &loan(1, 7));
        let takers = [taker(&till, A, 1), taker(&till, B, 1)];
        let first = till.take_back();
        // As many of another key: but for its generation the word is the same.
        till.lend(&B, &loan(1, 8));
        let [of_a, of_b] = takers.map(|thread| thread.join().unwrap());
        let second = till.take_back();
        assert!(of_a.iter().all(|taken| taken.window == 7), "{of_a:?}");
        assert!(of_b.iter().all(|taken| taken.window == 8), "{of_b:?}");
        assert_eq!((first.claims, first.tokens + first.claims), (count(&of_a), 1));
        assert_eq!((second.claims, second.tokens + second.claims), (count(&of_b), 1));
    });
}

#[test]
fn who_is_slow_takes_nothing_that_is_lent_for_another_window_by_then() {
    in_every_order(|| {
        let till = Arc::new(Till::new());
        till.lend(&A, &Loan { rest: 100, ..loan(2, 7) });
        let thread = taker(&till, A, 2);
        let first = till.take_back();
        till.lend(&A, &Loan { rest: 200, ..loan(first.tokens.max(1), 8) });
        let taken = thread.join().unwrap();
        let second = till.take_back();
        let of = |window| {
            let of = taken.iter().filter(move |taken| taken.window == window);
            u64::try_from(of.count()).unwrap()
        };
        assert_eq!((of(7), of(8)), (first.claims, second.claims));
        assert_eq!(first.claims + first.tokens, 2);
        assert_eq!(second.claims + second.tokens, first.tokens.max(1));
        for Taken { window, remaining } in taken {
            assert_eq!(remaining / 100, window - 6, "what is left is as of that window");
        }
    });
}

#[test]
fn nobody_takes_after_the_time_of_what_is_there_by_then() {
    in_every_order(|| {
        let till = Arc::new(Till::new());
        till.lend(&A, &loan(1, 7));
        let thread = taker(&till, A, 1);
        let first = till.take_back();
        // What comes now is over already.
        till.lend(&A, &Loan { until: NOW, ..loan(1, 8) });
        let taken = thread.join().unwrap();
        assert_eq!(till.take_back(), Returned { tokens: 1, claims: 0 });
        assert_eq!(count(&taken), first.claims);
    });
}
