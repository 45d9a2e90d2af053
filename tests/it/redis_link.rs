//! The link to Redis in fair weather: what it carries, as whom, and over TLS.

use std::time::Instant;
use std::{fs, thread};

use tempfile::TempDir;
use weir::counters::redis::DEADLINE;
use weir::counters::redis::settings::{Login, Password, Settings, Tls, Topology};
use weir::counters::redis::trouble::Trouble;
use weir::limit::key::{KeySpace, Kind};
use weir::limit::order::durability::Durability;
use weir::limit::order::members::Beaten;
use weir::limit::order::{Errand, LedgerSold, Order, Outcome, Reply, Ticket};

use crate::harness::linked::{
    Linked, beat, counter_of, every_kind, fixed, ledger, place, settings,
};
use crate::harness::redis::{Redis, text};
use crate::harness::tls::Authority;
use crate::harness::{PATIENCE, soon};

/// All kinds of orders work, and what they did can be seen.
fn sells(linked: &mut Linked) {
    for order in every_kind() {
        linked.answered(0, &order);
    }
    // The counter was lifted to 40.
    assert!(40 < linked.bought(0));
}

#[test]
fn every_kind_of_order_is_carried_out() {
    let redis = Redis::start();
    let mut linked = Linked::to(&redis);
    linked.connected(0, 1);
    sells(&mut linked);
    let Reply::Beat(Beaten::Alive(alive)) = linked.answered(0, &beat(2, 1)) else {
        panic!("it counts");
    };
    assert_eq!(alive.members, 2);
    let old = ledger(0, vec![], Durability::Memory);
    assert!(matches!(linked.answered(0, &old), Reply::Ledger(LedgerSold::Stale, _)));
    assert_eq!(linked.troubles(), []);
    // No key is left behind: but for what never ends, each has a time at which it goes.
    let redis::Value::Array(keys) = redis.ask(&["KEYS", "*"]) else { panic!("no keys") };
    assert!(6 < keys.len());
    for key in keys {
        let key = text(&key);
        assert!(key.starts_with("weir:{rl0}"), "{key}");
        assert!(matches!(redis.ask(&["PTTL", &key]), redis::Value::Int(1..)), "{key}");
    }
}

#[test]
fn scripts_that_were_forgotten_are_sent_again() {
    let redis = Redis::start();
    let mut linked = Linked::to(&redis);
    linked.connected(0, 1);
    sells(&mut linked);
    redis.ask(&["SCRIPT", "FLUSH"]);
    linked.answered(0, &beat(1, 2));
    assert_eq!(linked.troubles(), []);
}

#[test]
fn many_orders_travel_in_few_batches_and_each_has_one_outcome() {
    const ORDERS: u32 = 2_000;
    let redis = Redis::start();
    let linked = Linked::to(&redis);
    let (connection, _) = linked.connected(0, 1);
    let known = || linked.batches().iter().map(Vec::len).sum::<usize>();
    for serial in 0..ORDERS {
        let errand = Errand { ticket: Ticket { place: 1, serial }, order: fixed(1) };
        linked.link.send(0, connection, vec![errand]).expect("room");
        if serial % 100 == 99 {
            // Not so fast that they wait for longer than they may.
            let sent = usize::try_from(serial).expect("small");
            soon(|| (sent - 50 < known()).then_some(())).expect("answers");
        }
    }
    soon(|| (known() == 2_000).then_some(())).expect("all of them");
    let batches = linked.batches();
    let mut serials: Vec<_> = batches.iter().flatten().map(|(ticket, _)| ticket.serial).collect();
    serials.sort_unstable();
    assert!(serials.into_iter().eq(0..ORDERS));
    let answered = batches.iter().flatten();
    let answered = answered.filter(|(_, outcome)| matches!(outcome, Outcome::Answered(_))).count();
    let name = text(&counter_of(&redis));
    let sold = text(&redis.ask(&["GET", &name]));
    assert!(
        1_000 < answered && answered <= sold.parse().expect("a number"),
        "{answered} of {sold}"
    );
    assert!(batches.len() < 1_800, "{} batches", batches.len());
}

#[test]
fn orders_that_travel_together_are_one_command() {
    let redis = Redis::start();
    let linked = Linked::to(&redis);
    let (connection, _) = linked.connected(0, 1);
    let calls = || {
        let info = text(&redis.ask(&["INFO", "commandstats"]));
        let scripts = ["cmdstat_evalsha:", "cmdstat_eval:"].map(|begin| {
            let line =
                info.lines().find_map(|line| line.strip_prefix(begin)?.strip_prefix("calls="));
            let calls = line.and_then(|line| line.split(',').next()?.parse::<usize>().ok());
            calls.unwrap_or(0)
        });
        scripts.iter().sum::<usize>()
    };
    for order in every_kind() {
        let errand = |serial| Errand { ticket: Ticket { place: 1, serial }, order: order.clone() };
        let (before, known) = (calls(), linked.batches().len());
        let orders: Vec<_> = (0..20).map(errand).collect();
        linked.link.send(0, connection, orders).expect("room");
        let outcomes = || linked.batches().into_iter().skip(known).flatten().count();
        soon(|| (outcomes() == 20).then_some(())).expect("all outcomes");
        // Twice, where the script was not known yet.
        let most = match order {
            Order::Fixed(_) | Order::Ring(_) | Order::Bucket(_) | Order::Permits(_) => 2,
            Order::Probe(_) => 0,
            Order::Beat(_) | Order::Ledger(_) | Order::Raise(_) => 40,
        };
        assert!(calls() - before <= most, "{order:?}: {}", calls() - before);
    }
}

#[test]
fn one_bad_key_hurts_no_order_that_travels_with_it() {
    let redis = Redis::start();
    let mut linked = Linked::to(&redis);
    let (connection, _) = linked.connected(0, 1);
    sells(&mut linked);
    for order in every_kind() {
        let key = match order {
            Order::Fixed(_) => "*}f:*",
            Order::Ring(_) => "*}r:*",
            Order::Bucket(_) => "*}b:*",
            Order::Permits(_) => "*}c:*",
            Order::Probe(_) | Order::Beat(_) | Order::Ledger(_) | Order::Raise(_) => continue,
        };
        let redis::Value::Array(keys) = redis.ask(&["KEYS", key]) else { panic!("no keys") };
        let bad = text(&keys[0]);
        // Of another type, and of the right one with what nobody wrote.
        for spoiled in [&["RPUSH", &bad, "1"][..], &["SET", &bad, "?"]] {
            redis.ask(&["DEL", &bad]);
            redis.ask(spoiled);
            let begun = Instant::now();
            let (mine, outcomes) = loop {
                let known = linked.batches().len();
                let orders = [elsewhere(&order), order.clone(), elsewhere(&order)];
                let errand =
                    |(serial, order)| Errand { ticket: Ticket { place: 2, serial }, order };
                linked
                    .link
                    .send(0, connection, (0..).zip(orders).map(errand).collect())
                    .expect("room");
                let told =
                    || linked.batches().into_iter().skip(known).flatten().collect::<Vec<_>>();
                let mut outcomes =
                    soon(|| Some(told()).filter(|told| told.len() == 3)).expect("three outcomes");
                outcomes.sort_by_key(|(ticket, _)| *ticket);
                let mine = outcomes.remove(1).1;
                // On a busy machine it may take longer than it may.
                let is_good = |(_, outcome): &(_, _)| matches!(outcome, Outcome::Answered(_));
                if outcomes.iter().all(is_good) || PATIENCE < begun.elapsed() {
                    break (mine, outcomes);
                }
            };
            assert_eq!(mine, Outcome::Unanswered, "{order:?}");
            assert!(
                outcomes.iter().all(|(_, outcome)| matches!(outcome, Outcome::Answered(_))),
                "{order:?}: {outcomes:?}"
            );
        }
    }
    assert_eq!(linked.connections(0).len(), 1, "{:?}", linked.troubles());
}

/// The same order about another key.
fn elsewhere(order: &Order) -> Order {
    let other = KeySpace::new(Kind::Rate, &[]).key("another");
    let mut order = order.clone();
    match &mut order {
        Order::Fixed(order) => order.meter.key = other,
        Order::Ring(order) => order.meter.key = other,
        Order::Bucket(order) => order.meter.key = other,
        Order::Permits(order) => order.key = other,
        Order::Probe(_) | Order::Beat(_) | Order::Ledger(_) | Order::Raise(_) => {
            panic!("it has no key of its own")
        }
    }
    order
}

#[test]
fn a_process_that_has_too_much_to_do_does_not_take_that_for_a_silent_redis() {
    let redis = Redis::start();
    // Between two turns of the link passes more time than an answer may take.
    let work = async {
        loop {
            thread::sleep(DEADLINE + DEADLINE / 2);
            tokio::task::yield_now().await;
        }
    };
    let mut linked = Linked::beside(&settings(&redis), work);
    linked.connected(0, 1);
    for _ in 0..5 {
        linked.bought(0);
    }
    assert_eq!(linked.connections(0).len(), 1, "{:?}", linked.troubles());
}

#[test]
fn an_order_for_an_older_connection_is_not_carried_out() {
    let mut redis = Redis::start();
    let mut linked = Linked::to(&redis);
    let (first, _) = linked.connected(0, 1);
    redis.kill();
    redis.restart();
    let (second, _) = linked.connected(0, 2);
    assert_ne!(first, second);
    assert_eq!(linked.ask_over(0, first, fixed(1)), Outcome::Unanswered);
    assert_eq!(redis.ask(&["KEYS", "*f:*"]), redis::Value::Array(vec![]));
    linked.bought(0);
}

/// What the documentation tells people to allow.
const LEAST: &str = "user default off\n\
    user weir on >s3cret ~weir:* resetchannels -@all +evalsha +eval +time +info \
    +get +set +del +wait +incrby +pexpireat +pexpire +hget +hgetall +hset +hsetnx +hdel\n\
    user admin on >admin ~* &* +@all\n";

fn login(user: &str, password: Password) -> Login {
    Login { user: Some(user.to_owned()), password }
}

#[test]
fn a_user_who_may_only_what_is_needed_is_enough() {
    let redis = Redis::with_users(LEAST, ["admin", "admin"]);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("password");
    fs::write(&file, "s3cret\n").expect("a file");
    let login = Some(login("weir", Password::File(file)));
    let mut linked = Linked::with(&Settings { login, ..settings(&redis) });
    linked.connected(0, 1);
    sells(&mut linked);
    assert_eq!(linked.troubles(), []);
    // It may do nothing else, and nothing to the keys of others.
    let mut talk = redis.talk();
    talk.ask(&["AUTH", "weir", "s3cret"]);
    for words in [&["GET", "other"][..], &["FLUSHALL"], &["KEYS", "*"], &["CONFIG", "GET", "*"]] {
        let redis::Value::ServerError(error) = talk.ask(words) else { panic!("{words:?}") };
        assert_eq!(error.code(), "NOPERM", "{words:?}");
    }
}

#[test]
fn a_user_who_may_less_is_told_so() {
    let without = LEAST.replace("+hgetall ", "");
    let redis = Redis::with_users(&without, ["admin", "admin"]);
    let login_with = |password: &str| Some(login("weir", Password::Text(password.to_owned())));
    let login = login_with("s3cret");
    let mut linked = Linked::with(&Settings { login, ..settings(&redis) });
    linked.connected(0, 1);
    assert_eq!(linked.ask(0, beat(1, 1)), Outcome::Unanswered);
    linked.suffers(|trouble| matches!(trouble, Trouble::NoPermission(_)));

    let login = login_with("wrong");
    let linked = Linked::with(&Settings { login, ..settings(&redis) });
    linked.suffers(|trouble| matches!(trouble, Trouble::Login(_)));
    let linked = Linked::with(&Settings { login: None, ..settings(&redis) });
    linked.suffers(|trouble| matches!(trouble, Trouble::Login(_)));
    let login = login_with("s3cret");
    let elsewhere = Settings { login, prefix: "other:".to_owned(), ..settings(&redis) };
    let linked = Linked::with(&elsewhere);
    linked.suffers(|trouble| matches!(trouble, Trouble::NoPermission(_)));
}

#[test]
fn a_new_password_in_the_file_is_the_one_of_the_next_connection() {
    let redis = Redis::with_users(LEAST, ["admin", "admin"]);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("password");
    fs::write(&file, "s3cret\n").expect("a file");
    let login = Some(login("weir", Password::File(file.clone())));
    let mut linked = Linked::with(&Settings { login, ..settings(&redis) });
    linked.connected(0, 1);
    let mut talk = redis.talk();
    assert_eq!(talk.ask(&["ACL", "SETUSER", "weir", "<s3cret", ">n3w"]), redis::Value::Okay);
    talk.ask(&["CLIENT", "KILL", "USER", "weir"]);
    linked.suffers(|trouble| matches!(trouble, Trouble::Login(_)));
    fs::write(&file, "n3w\n").expect("a file");
    linked.connected(0, 2);
    linked.bought(0);
}

/// Files of certificates for both ends.
struct Papers {
    folder: TempDir,
}

impl Papers {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let authority = Authority::new();
        let write = |name: &str, bytes: &[u8]| {
            fs::write(folder.path().join(name), bytes).expect("a file");
        };
        write("ca.pem", &authority.certificate());
        for (name, host) in [("server", "localhost"), ("client", "weir")] {
            let issued = authority.issue(host);
            write(&format!("{name}.pem"), &issued.certificate);
            write(&format!("{name}.key"), &issued.key);
        }
        Self { folder }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn redis(&self) -> Redis {
        let [certificate, key, ca] =
            ["server.pem", "server.key", "ca.pem"].map(|name| self.path(name));
        Redis::with_tls(&[
            "--tls-cert-file",
            &certificate,
            "--tls-key-file",
            &key,
            "--tls-ca-cert-file",
            &ca,
            "--tls-auth-clients",
            "yes",
        ])
    }

    fn tls(&self) -> Tls {
        let own = Some((self.path("client.pem").into(), self.path("client.key").into()));
        Tls { ca: Some(self.path("ca.pem").into()), own }
    }
}

#[test]
fn tls_is_judged_by_the_authority_that_is_named_and_shows_our_own_certificate() {
    let papers = Papers::new();
    let redis = papers.redis();
    let address = format!("rediss://localhost:{}", redis.address.port());
    let settings = Settings::single(&address).expect("an address");
    let mut linked = Linked::with(&Settings { tls: Some(papers.tls()), ..settings.clone() });
    linked.connected(0, 1);
    sells(&mut linked);

    let nobody = Tls { own: None, ..papers.tls() };
    let linked = Linked::with(&Settings { tls: Some(nobody), ..settings.clone() });
    linked.suffers(|_| true);
    let machine = Tls { ca: None, ..papers.tls() };
    let linked = Linked::with(&Settings { tls: Some(machine), ..settings.clone() });
    linked.suffers(|trouble| matches!(trouble, Trouble::Tls(_)));
    let other_name = Settings {
        topology: Topology::Single(place(&redis)),
        tls: Some(papers.tls()),
        ..settings.clone()
    };
    let linked = Linked::with(&other_name);
    linked.suffers(|trouble| matches!(trouble, Trouble::Tls(_)));
    let missing = Tls { ca: Some("/nowhere/ca.pem".into()), own: None };
    let linked = Linked::with(&Settings { tls: Some(missing), ..settings });
    linked.suffers(|trouble| matches!(trouble, Trouble::File(said) if said.contains("/nowhere")));
}
