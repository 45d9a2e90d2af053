//! The scripts that Redis runs and the arithmetic in Rust are one: random orders through both, on
//! every server that is named.
//!
//! `WEIR_REDIS_SERVERS` names the servers (paths with `:` between them), `WEIR_SCRIPT_STEPS` says how
//! many orders, `WEIR_SCRIPT_SEED` which ones.

use std::collections::VecDeque;
use std::env;
use std::time::{SystemTime, UNIX_EPOCH};

use redis::{Pipeline, Value};
use weir::counters::redis::answer::read;
use weir::counters::redis::command::{Call, Form, Writer, sort};
use weir::counters::redis::name::Names;
use weir::counters::redis::script::{Script, Scripts};
use weir::limit::key::{CounterKey, KeySpace, Kind};
use weir::limit::order::durability::Durability;
use weir::limit::order::members::{Beat, Epoch, Probe};
use weir::limit::order::{
    Bucket, Change, Errand, Fixed, Floor, Ledger, LedgerEntry, Mark, Meter, Order, Permits, Raise,
    ReplicaId, Reply, Ring, Session, Span, Ticket,
};
use weir::limit::seller::permits::PATIENCE_MICROS;
use weir::limit::seller::{Primary, fixed};

use crate::harness::increx::{Increx, WithIncrex};
use crate::harness::redis::{Cluster, Redis, Talk, servers, text};

/// How many orders the usual run compares.
const STEPS: u64 = 20_000;

/// How many orders are sent at once.
const BATCH: u64 = 500;

/// How long the data is kept before it is lost.
const LOSS_EVERY: u64 = 7_919;

const SECOND: u64 = 1_000_000;

#[test]
fn scripts_sell_what_the_arithmetic_says() {
    for binary in servers() {
        let redis = Redis::of(&binary, &[]);
        println!("{}", compare(&version(&redis), 0, steps(), &mut redis.talk()));
    }
}

#[test]
fn scripts_sell_the_same_on_a_cluster() {
    for binary in servers() {
        let cluster = Cluster::of(&binary);
        let lanes = lanes_by_node(&cluster);
        for (node, lane) in cluster.nodes.iter().zip(lanes) {
            let what = format!("cluster of {}, lane {lane}", version(node));
            println!("{}", compare(&what, lane, steps() / 3, &mut node.talk()));
        }
    }
}

/// How many orders are compared where each takes several steps there and back.
const STEPS_ONE_BY_ONE: u64 = 4_000;

#[test]
fn fixed_windows_sell_the_same_with_one_command_instead_of_two() {
    let redis = Redis::start();
    let server = WithIncrex::before(&redis, Increx::Pair);
    let mut world = World::new(1, 0);
    world.writer.has_increx = true;
    let told = compare_in("with INCREX", world, STEPS_ONE_BY_ONE, &mut Talk::to(server.address));
    println!("{told}");
    assert!(STEPS_ONE_BY_ONE / 20 < server.used(), "{}", server.used());
}

/// What keys begin with in these tests.
const PREFIX: &str = "t:";

/// For each node a lane that lies on it.
fn lanes_by_node(cluster: &Cluster) -> Vec<u16> {
    let on = |node: &Redis| {
        (0..100).find(|lane| cluster.node_of(Names::new(PREFIX, *lane).slot()).at() == node.at())
    };
    cluster.nodes.iter().map(|node| on(node).expect("a lane")).collect()
}

fn steps() -> u64 {
    number("WEIR_SCRIPT_STEPS").unwrap_or(STEPS)
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().expect("a number"))
}

fn version(redis: &Redis) -> String {
    let info = text(&redis.ask(&["INFO", "server"]));
    let line = |name: &str| {
        let start = format!("{name}:");
        info.lines().find_map(|line| line.strip_prefix(&start)).map(|line| line.trim().to_owned())
    };
    match line("valkey_version") {
        Some(valkey) => format!("Valkey {valkey}"),
        None => format!("Redis {}", line("redis_version").unwrap_or_default()),
    }
}

/// Compares `steps` random orders; says what was done.
fn compare(what: &str, lane: u16, steps: u64, talk: &mut Talk) -> String {
    let seed = number("WEIR_SCRIPT_SEED").unwrap_or(1);
    let world = World::new(seed.wrapping_add(u64::from(lane)), lane);
    compare_in(&format!("{what}, seed {seed}"), world, steps, talk)
}

fn compare_in(what: &str, mut world: World, steps: u64, talk: &mut Talk) -> String {
    load(talk, &world.writer.scripts);
    let (mut done, mut granted, mut orders_of_calls) = (0, 0_u64, Vec::new());
    while done < steps {
        if done % LOSS_EVERY < BATCH {
            world.lose(talk);
        }
        let (mut pipeline, mut parcels, mut sent) = (Pipeline::new(), Vec::new(), 0);
        while sent < BATCH.min(steps - done) {
            let parcel = world.next();
            sent += u64::try_from(parcel.errands.len()).expect("few");
            let calls = world.write(&mut pipeline, &parcel);
            parcels.push((parcel, calls));
        }
        // One more each: the time is set.
        let width = |calls: &[Call]| calls.iter().map(|call| call.commands).sum::<usize>() + 1;
        let widths = parcels.iter().map(|(_, calls)| width(calls)).sum();
        let answers = talk.send(&pipeline, widths).expect("answers");
        let mut rest = answers.as_slice();
        for (parcel, calls) in &parcels {
            let (mine, others) = rest.split_at(width(calls));
            rest = others;
            let found = read(&parcel.errands, calls, &mine[1..]);
            for (errand, found) in parcel.errands.iter().zip(found) {
                let mut expected = world.primary.carry_out(parcel.now, &errand.order);
                if let (Reply::Probe(expected), Ok(Reply::Probe(found))) = (&mut expected, &found) {
                    // No script: it has the server's time, not the given one.
                    expected.now = found.now;
                }
                assert_eq!(
                    found.as_ref(),
                    Ok(&expected),
                    "{what}, step {done}: {errand:?} in {parcel:?} answered {mine:?}"
                );
                granted += u64::from(sells(&expected));
                done += 1;
            }
            orders_of_calls.extend(calls.iter().map(|call| call.orders));
        }
    }
    assert!(steps / 10 < granted, "too many orders that nothing comes of");
    let calls = orders_of_calls.len();
    assert!(orders_of_calls.iter().any(|orders| 3 < *orders), "too few orders in one call");
    format!("{what}: {done} orders alike in {calls} calls, {granted} of them sold something")
}

fn sells(reply: &Reply) -> bool {
    match reply {
        Reply::Ring(sold, _) => 0 < sold.granted,
        Reply::Bucket(sold, _) => 0 < sold.granted,
        Reply::Permits(held) => 0 < held.held,
        Reply::Fixed(..) => true,
        Reply::Probe(_) | Reply::Beat(_) | Reply::Ledger(..) | Reply::Raise => false,
    }
}

fn load(talk: &mut Talk, scripts: &Scripts) {
    for script in scripts.all() {
        let loaded = talk.ask(&["SCRIPT", "LOAD", script.text]);
        assert_eq!(text(&loaded), script.hash);
    }
}

/// Orders that travel together, and when they are carried out.
#[derive(Debug)]
struct Parcel {
    now: u64,
    errands: Vec<Errand>,
}

/// How many orders travel together at most.
const PARCEL_MAX: u64 = 12;

/// Random orders, and the primary in Rust.
struct World {
    random: Random,
    now: u64,
    writer: Writer,
    primary: Primary,
    keys: Vec<CounterKey>,
    seqs: [u64; 4],
    incarnations: [u64; 5],
    permits_seq: u64,
    /// Times at which something that was done expires, or somebody is missed.
    edges: VecDeque<u64>,
}

/// How many edges are kept in mind.
const EDGES_MAX: usize = 12;

impl World {
    fn new(seed: u64, lane: u16) -> Self {
        let keys = ["a", "b", "c"].map(|name| KeySpace::new(Kind::Rate, &[]).key(name));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_micros();
        let (run, names) = (0xfeed, Names::new(PREFIX, lane));
        Self {
            random: Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1),
            now: u64::try_from(now).expect("before the end of time"),
            writer: Writer { scripts: with_given_time(&names), names, run, has_increx: false },
            primary: Primary { run, ..Primary::default() },
            keys: keys.to_vec(),
            seqs: [0; 4],
            incarnations: [1; 5],
            permits_seq: 0,
            edges: VecDeque::new(),
        }
    }

    /// The data is lost, or another primary takes over, or both.
    fn lose(&mut self, talk: &mut Talk) {
        if self.random.one_in(2) {
            assert_eq!(talk.ask(&["FLUSHALL"]), Value::Okay);
            self.primary = Primary { run: self.primary.run, ..Primary::default() };
        }
        if self.random.one_in(2) {
            self.primary.run = self.random.next();
            self.writer.run = self.primary.run;
        }
        // A counter that has seen so many returns that a double cannot tell it from the next.
        let meter = Meter { key: self.keys[0], period: 0 };
        let span = self.span(&meter);
        let returns = self.random.below(1 << 20) << fixed::SOLD_BITS;
        let counter = fixed::Counter((returns + self.random.below(40)).cast_signed());
        let name = self.writer.names.fixed(&meter, &span);
        assert_eq!(talk.ask(&["SET", &name, &counter.0.to_string()]), Value::Okay);
        self.primary.fixed.insert((meter, span), counter);
    }

    fn edge(&mut self, after: u64) {
        self.edges.push_back(self.now + after);
        if EDGES_MAX < self.edges.len() {
            self.edges.pop_front();
        }
    }

    /// Appends the commands of `parcel`, and before them that it is now so late.
    fn write(&self, pipeline: &mut Pipeline, parcel: &Parcel) -> Vec<Call> {
        let (seconds, micros) = (parcel.now / SECOND, parcel.now % SECOND);
        pipeline.cmd("HSET").arg(given_time(&self.writer.names));
        pipeline.arg("s").arg(seconds).arg("us").arg(micros);
        self.writer.write(pipeline, &parcel.errands, Form::ByHash)
    }

    fn next(&mut self) -> Parcel {
        self.pass_time();
        let count = 1 + self.random.below(PARCEL_MAX);
        let errand = |order| Errand { ticket: Ticket::default(), order };
        let mut errands: Vec<_> = (0..count).map(|_| errand(self.order())).collect();
        sort(&mut errands);
        Parcel { now: self.now, errands }
    }

    fn order(&mut self) -> Order {
        match self.random.below(20) {
            0 if self.random.one_in(4) => {
                Order::Probe(Probe { begins: Epoch(self.random.below(1 << 52) | 1) })
            }
            0..4 => Order::Beat(self.beat()),
            4..8 => Order::Ring(self.ring()),
            8..11 => Order::Bucket(self.bucket()),
            11..14 => Order::Ledger(self.ledger()),
            14..17 => Order::Fixed(self.fixed()),
            17 => Order::Raise(self.raise()),
            _ => Order::Permits(self.permits()),
        }
    }

    /// Often none, often up to an edge or just past it, now and then a long rest or a step back.
    fn pass_time(&mut self) {
        let random = &mut self.random;
        match random.below(2_000) {
            0..900 => {}
            900..1_200 => {
                let edge = self.edges.get(random.index(EDGES_MAX)).copied();
                // One before, on it, or one after.
                let near = edge.unwrap_or(1) - 1 + random.below(3);
                self.now = self.now.max(near);
            }
            1_200..1_500 => self.now += random.below(5_000),
            1_500..1_750 => {
                let edges = [SECOND, SECOND / 10, SECOND / 4, 60 * SECOND];
                let edges = if random.one_in(30) { &edges[..] } else { &edges[..3] };
                let edge = edges[random.index(edges.len())];
                self.now = (self.now / edge + 1) * edge - 1 + random.below(3);
            }
            1_750..1_960 => self.now += random.below(2 * SECOND),
            1_960..1_980 => self.now += random.below(20 * SECOND),
            1_980..1_999 => self.now -= random.below(2 * SECOND),
            _ => self.now += 650 * SECOND + random.below(100 * SECOND),
        }
    }

    fn meter(&mut self, periods: &[u64]) -> Meter {
        let key = self.keys[self.random.index(3)];
        Meter { key, period: periods[self.random.index(periods.len())] }
    }

    fn span(&mut self, meter: &Meter) -> Span {
        if meter.period == 0 {
            return Span { starts: 0, ends: u64::MAX };
        }
        let number = self.now / meter.period + self.random.below(2);
        Span { starts: number * meter.period, ends: (number + 1) * meter.period }
    }

    fn beat(&mut self) -> Beat {
        let after = [600_000, 1_300_000, 3 * SECOND, 10 * SECOND][self.random.index(4)];
        self.edge(after);
        let epoch = self.primary.members.epoch;
        let random = &mut self.random;
        let name = random.below(5);
        let replica = usize::try_from(name).expect("small");
        if random.one_in(25) {
            self.incarnations[replica] += 1;
            self.seqs[0] = random.below(3);
        }
        self.seqs[0] = if random.one_in(20) { random.below(50) } else { self.seqs[0] + 1 };
        Beat {
            replica: ReplicaId((u128::from(name) << 90) | 7),
            incarnation: self.incarnations[replica],
            seq: random.or_huge(self.seqs[0]),
            not_after: if random.one_in(10) { self.now - 1 + random.below(3) } else { u64::MAX },
            miss: 600_000,
            unsure_after: 1_300_000,
            member_ttl: [3 * SECOND, 10 * SECOND, u64::MAX][random.index(3)],
            stands: random.one_in(2),
            leave: random.one_in(40),
            epoch: if random.one_in(20) { Epoch(random.below(9)) } else { epoch },
            heals: random.one_in(8),
        }
    }

    fn fixed(&mut self) -> Fixed {
        let meter = self.meter(&[SECOND, 60 * SECOND, 0]);
        let span = self.span(&meter);
        let want = self.random.below(10);
        let back = if self.random.one_in(3) { self.random.below(9) } else { 0 };
        Fixed { meter, span, want, back }
    }

    fn raise(&mut self) -> Raise {
        let count = 1 + self.random.index(3);
        let floors = (0..count).map(|_| {
            let meter = self.meter(&[SECOND, 60 * SECOND, 0]);
            let span = self.span(&meter);
            let sold = self.random.below(60);
            Floor { meter, span, sold }
        });
        let mut floors: Vec<Floor> = floors.collect();
        if self.random.one_in(100) {
            floors[0].sold = u64::MAX;
            // Nothing else is told apart beside a counter that is full.
            floors[0].meter.period = 7;
        }
        Raise { floors }
    }

    fn ring(&mut self) -> Ring {
        let (parts, period) =
            [(1, 1), (2, 3), (4, 4), (8, 1), (10, 60), (30, 60)][self.random.index(6)];
        let meter = Meter { key: self.keys[self.random.index(3)], period: period * SECOND };
        let now = self.now / meter.period.div_ceil(u64::from(parts));
        let random = &mut self.random;
        let near = |random: &mut Random| now + random.below(6) - random.below(8);
        let at = if random.one_in(3) { near(random) } else { now };
        let count = if random.one_in(2) { 0 } else { random.below(5) };
        let marks = (0..count).map(|_| {
            let at = if random.one_in(4) { now - random.below(40) } else { near(random) };
            let most = if random.one_in(50) { u64::MAX } else { 12 };
            let tokens = random.below(most);
            let changes = [Change::Back(tokens), Change::Charge(tokens), Change::Floor(tokens)];
            // Huge charges would leave nothing to sell for a while: they come back at once.
            let change = if most == 12 { changes[random.index(3)] } else { changes[0] };
            Mark { at, change }
        });
        let marks = marks.collect();
        let want = random.below(8);
        Ring { meter, parts, at, want: random.or_huge(want), bound: random.below(40), marks }
    }

    fn bucket(&mut self) -> Bucket {
        let meter = self.meter(&[SECOND, 30 * SECOND]);
        let random = &mut self.random;
        let token_nanos = [1, 999, 333_333, 50_000_000, 1_000_000_000][random.index(5)];
        Bucket {
            meter,
            token_nanos: random.or_huge(token_nanos),
            burst: random.below(30),
            want: random.below(9),
            back: if random.one_in(4) { random.below(5) } else { 0 },
            charge: if random.one_in(4) { random.below(5) } else { 0 },
        }
    }

    fn ledger(&mut self) -> Ledger {
        let name = self.random.below(4);
        let replica = usize::try_from(name).expect("small");
        let seq = match self.random.below(20) {
            // The same again; an older one; numbers that begin anew under a new life.
            0..3 => self.seqs[replica],
            3 => self.seqs[replica].saturating_sub(1),
            4 => {
                self.incarnations[replica] += 1;
                0
            }
            _ => self.seqs[replica] + 1,
        };
        self.seqs[replica] = seq.max(self.seqs[replica] % 1_000);
        let session = Session {
            replica: ReplicaId(name.into()),
            incarnation: self.incarnations[replica],
            desk: 0,
        };
        let periods = [3_600 * SECOND, 86_400 * SECOND, 0];
        let count = self.random.index(4);
        let entries = periods.into_iter().take(count).map(|period| {
            let meter = Meter { key: self.keys[self.random.index(3)], period };
            let random = &mut self.random;
            let delta = random.below(12).cast_signed() - 6;
            let entry = LedgerEntry {
                meter,
                span: Span { starts: 0, ends: u64::MAX },
                bound: random.below(4_000),
                want: random.below(20),
                delta,
                floor: if random.one_in(10) { random.below(3_000) } else { 0 },
            };
            let span = self.span(&meter);
            LedgerEntry { span, ..entry }
        });
        Ledger { session, seq, entries: entries.collect(), durability: Durability::Memory }
    }

    fn permits(&mut self) -> Permits {
        let life = 8 * SECOND + self.random.below(20) * SECOND;
        self.edge(life);
        self.edge(PATIENCE_MICROS);
        self.permits_seq += 1;
        let random = &mut self.random;
        let want = random.below(8);
        Permits {
            key: self.keys[random.index(3)],
            replica: ReplicaId(random.below(3).into()),
            incarnation: 1 + random.below(2),
            // Now and then one that comes late.
            seq: self.permits_seq.saturating_sub(random.below(4) * random.below(2)),
            inside: random.below(want + 1) * random.below(2),
            need: random.below(want + 1),
            want,
            max: random.below(12),
            life,
        }
    }
}

/// Where the time is that scripts are given.
fn given_time(names: &Names) -> String {
    format!("{}:time", names.trial())
}

/// The scripts, with a time that is given.
fn with_given_time(names: &Names) -> Scripts {
    let time = format!("redis.call('HMGET', '{}', 's', 'us')", given_time(names));
    let given = |script: &Script| {
        let text = script.text.replace("redis.call('TIME')", &time);
        Script::new(Box::leak(text.into_boxed_str()))
    };
    let scripts = Scripts::default();
    Scripts {
        members: given(&scripts.members),
        fixed: given(&scripts.fixed),
        ring: given(&scripts.ring),
        bucket: given(&scripts.bucket),
        ledger: given(&scripts.ledger),
        raise: given(&scripts.raise),
        permits: given(&scripts.permits),
    }
}

/// Numbers that are the same for the same seed (xorshift64*).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn index(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).expect("small");
        usize::try_from(self.below(end)).expect("small")
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    /// Now and then as large as numbers are.
    fn or_huge(&mut self, usual: u64) -> u64 {
        if self.one_in(400) { u64::MAX - self.below(2) } else { usual }
    }
}
