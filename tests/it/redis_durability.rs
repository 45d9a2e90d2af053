//! What Redis sold of quotas, when the primary that sold it is lost: who has it besides, and what
//! may be spent when nobody says so.

use std::path::Path;
use std::time::{Duration, Instant};

use weir::counters::redis::settings::{Login, Password, Settings, Topology};
use weir::counters::redis::{Copies, News};
use weir::counters::shared::Touch;
use weir::limit::manner::{Manner, Mode};
use weir::limit::order::durability::Durability;
use weir::limit::order::{LedgerSold, Outcome, Reply};
use weir::limit::{Charge, Terms};
use weir::time::Timestamp;

use crate::harness::linked::{Linked, entry, ledger, place};
use crate::harness::redis::{Redis, Watched, servers, text};
use crate::harness::replica::{Replica, await_touch, clock, key, settings};
use crate::harness::soon;

/// Makes `replica` one of `primary`, and waits until it is.
fn follow(replica: &Redis, primary: &Redis) {
    let port = primary.address.port().to_string();
    replica.ask(&["REPLICAOF", "127.0.0.1", &port]);
    let online = soon(|| {
        text(&primary.ask(&["INFO", "replication"])).contains("state=online").then_some(())
    });
    online.expect("a replica");
}

/// A primary and a replica of it.
fn pair(binary: &Path) -> (Redis, Redis) {
    let at_once = ["--repl-diskless-sync-delay", "0"];
    let (primary, replica) = (Redis::of(binary, &at_once), Redis::of(binary, &at_once));
    follow(&replica, &primary);
    (primary, replica)
}

/// What report `seq` that buys 3 was granted, and the total; none: no replica confirms it.
fn bought(linked: &mut Linked, seq: u64, durability: Durability) -> Option<(u64, u64)> {
    let order = ledger(seq, vec![entry(3)], durability);
    let told = soon(|| {
        let outcome = linked.ask(0, order.clone());
        // On a busy machine some take longer than they may.
        (outcome != Outcome::Unanswered).then_some(outcome)
    });
    let told = told.expect("an outcome");
    if told == Outcome::Unconfirmed {
        return None;
    }
    let Outcome::Answered(Reply::Ledger(LedgerSold::Sold(sold), _)) = told else {
        panic!("{told:?}")
    };
    Some((sold[0].granted, sold[0].total))
}

#[test]
fn what_no_replica_confirms_is_not_sold_again_and_is_there_once_one_does() {
    for binary in servers() {
        let (primary, replica) = pair(&binary);
        let mut linked = Linked::to(&primary);
        linked.connected(0, 1);
        let confirmed = |linked: &mut Linked, seq| {
            soon(|| bought(linked, seq, Durability::Replicated)).expect("a confirmation")
        };
        assert_eq!(confirmed(&mut linked, 1), (3, 3));
        assert!(linked.finds(&Copies::Confirmed));
        replica.freeze();
        for _ in 0..3 {
            assert_eq!(bought(&mut linked, 2, Durability::Replicated), None);
        }
        assert!(linked.finds(&Copies::Late));
        // Who can do without does, and what asks for no replica does not wait for one.
        let sold = bought(&mut linked, 3, Durability::WhenPossible);
        assert_eq!(sold, Some((3, 9)), "the second report was carried out once");
        linked.bought(0);
        assert_eq!(linked.connections(0).len(), 1, "{:?}", linked.troubles());
        replica.thaw();
        assert_eq!(confirmed(&mut linked, 4), (3, 12));
    }
}

#[test]
fn a_report_that_is_repeated_is_answered_as_at_first_once_it_is_confirmed() {
    let (primary, replica) = pair(&servers()[0]);
    let mut linked = Linked::to(&primary);
    linked.connected(0, 1);
    replica.freeze();
    assert_eq!(bought(&mut linked, 1, Durability::Replicated), None);
    replica.thaw();
    let sold = soon(|| bought(&mut linked, 1, Durability::Replicated));
    assert_eq!(sold, Some((3, 3)));
}

#[test]
fn a_redis_without_replicas_sells_to_those_who_can_do_without() {
    let primary = Redis::with(&["--repl-diskless-sync-delay", "0"]);
    let mut linked = Linked::to(&primary);
    linked.connected(0, 1);
    assert_eq!(bought(&mut linked, 1, Durability::WhenPossible), Some((3, 3)));
    assert!(!linked.finds(&Copies::NoReplica), "nobody has to have one");
    assert_eq!(bought(&mut linked, 2, Durability::Replicated), None);
    let required = soon(|| linked.finds(&Copies::NoReplica).then_some(()));
    required.expect("it is told that it is required");
    // One that comes later is found.
    let replica = Redis::start();
    follow(&replica, &primary);
    let sold = soon(|| bought(&mut linked, 2, Durability::Replicated));
    assert_eq!(sold, Some((3, 6)));
    assert!(linked.finds(&Copies::Confirmed));
}

#[test]
fn whoever_may_not_ask_replicas_is_told_so_and_sells_to_those_who_can_do_without() {
    let users = "user default off\n\
        user weir on >s3cret ~weir:* +@all -wait\n\
        user admin on >admin ~* &* +@all\n";
    let primary = Redis::with_users(users, ["admin", "admin"]);
    let replica = Redis::with(&["--masteruser", "admin", "--masterauth", "admin"]);
    follow(&replica, &primary);
    let password = Password::Text("s3cret".to_owned());
    let login = Some(Login { user: Some("weir".to_owned()), password });
    let mut linked = Linked::with(&Settings { login, ..settings(&primary) });
    linked.connected(0, 1);
    assert_eq!(bought(&mut linked, 1, Durability::WhenPossible), Some((3, 3)));
    let why = |news: &News| {
        let News::Copies { copies: Copies::Unknown(why), .. } = news else { return None };
        Some(why.to_string())
    };
    let told = soon(|| linked.news(why).pop()).expect("a reason");
    assert!(told.contains("does not allow") && told.contains("wait"), "{told}");
}

/// A quota of 100 that is exact and this durable.
fn quota(durability: Durability) -> Terms {
    let terms = Terms::fixed(100, Duration::ZERO, Timestamp::default());
    // However busy this machine is.
    let max_wait = Duration::from_millis(500);
    terms.held(Manner { mode: Mode::Exact, durability, max_wait, ..Manner::USUAL })
}

/// Spends from `replica` under `terms`, at most `most`, until nothing is to be had for some time.
fn spend(replica: &Replica, name: &str, terms: Terms, most: usize) -> usize {
    let (mut spent, mut since) = (0, Instant::now());
    while spent < most && since.elapsed() < Duration::from_secs(3) {
        if replica.ask_one(Charge::take(key(name), terms, 1)) == Some(true) {
            (spent, since) = (spent + 1, Instant::now());
        }
    }
    spent
}

#[test]
fn after_a_failover_that_lost_writes_no_more_than_the_quota_was_spent_if_it_is_replicated() {
    let mut servers = Watched::start();
    let sentinels = servers.sentinels.iter().map(place).collect();
    let topology = Topology::Sentinel { name: Watched::NAME.to_owned(), sentinels, login: None };
    let settings = Settings { topology, ..settings(&servers.primary) };
    let clock = clock();
    let first = [Replica::start(&settings, "first", &clock)];
    await_touch(&first);
    let replicated = quota(Durability::Replicated);
    let in_memory = quota(Durability::Memory);
    let mut spent = spend(&first[0], "replicated", replicated, 10);
    assert_eq!(spent, 10, "with a replica it sells");
    // From here on nothing gets to the replica, and what was on its way there is given up.
    servers.replica.freeze();
    servers.primary.ask(&["CLIENT", "KILL", "TYPE", "REPLICA"]);
    let lost = spend(&first[0], "memory", in_memory, 90);
    assert_eq!(lost, 90, "what needs no replica is sold");
    spent += spend(&first[0], "replicated", replicated, 90);
    // Who spent it dies together with the primary, so nobody knows any more.
    drop(first);
    servers.primary.kill();
    servers.replica.thaw();
    // It comes back under its name, and remembers nothing.
    let second = Replica::start(&settings, "first", &clock);
    let is_in = || (second.stands().0 == Touch::In).then_some(());
    soon(is_in).or_else(|| soon(is_in)).expect("in touch with the one that took over");
    let again = quota(Durability::Memory);
    let memory = lost + spend(&second, "memory", again, 100);
    spent += spend(&second, "replicated", again, 100);
    assert!(100 < memory, "the writes were not lost: {memory}");
    assert!((10..=100).contains(&spent), "{spent}");
}
