//! Limits that hold over several gateways: real processes, a real Redis, judged from what the
//! backend saw.

use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::harness::redis::Redis;
use crate::harness::{Backend, Client, Gateway, Policies, Request, reply, soon};

/// What one interval of [`PERIOD`] admits. Small enough that one per cent of it is less than one
/// for each replica: the fast mode is then as exact as the exact one.
const LIMIT: usize = 60;
const PERIOD: Duration = Duration::from_secs(3);
/// By how much the backend's clock may see two requests nearer to each other than the gateways
/// did.
const JITTER: Duration = Duration::from_millis(150);

/// Gateways that share one limit, and the backend that tells how many came through.
struct Fleet {
    gateways: Vec<Gateway>,
    redis: Redis,
    admitted: Arc<Mutex<Vec<Instant>>>,
    _backend: Backend,
}

/// What clients were told.
#[derive(Debug, Default)]
struct Told {
    admitted: usize,
    refused: usize,
    others: Vec<u16>,
}

impl Fleet {
    fn start(gateways: usize) -> Self {
        let redis = Redis::start();
        let admitted = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&admitted);
        let backend = Backend::replying(move |_seen| {
            log.lock().expect("the log").push(Instant::now());
            reply(200, &[], "ok")
        });
        let inbound = format!(
            "<rate-limit-by-key calls=\"{LIMIT}\" renewal-period=\"{}\" counter-key=\"all\" />",
            PERIOD.as_secs()
        );
        let gateway = |number: usize| {
            Gateway::start(|site| {
                site.open_api(
                    "api",
                    &backend.url(),
                    Policies { inbound: &inbound, ..Policies::default() },
                );
                site.set("redis-url", &format!("redis://{}", redis.at()));
                site.set("replica-name", &format!("gateway-{number}"));
                site.set("replica-expected", &gateways.to_string());
            })
        };
        let gateways: Vec<_> = (0..gateways).map(gateway).collect();
        let fleet = Self { gateways, redis, admitted, _backend: backend };
        for gateway in &fleet.gateways {
            let members = soon(|| (replicas(gateway) == fleet.gateways.len()).then_some(()));
            assert!(members.is_some(), "no fleet: {}", gateway.admin("/status").text());
        }
        fleet
    }

    /// Clients of every gateway that ask as fast as they are answered, until told to stop.
    fn load(&self, stop: &Arc<AtomicBool>) -> Vec<JoinHandle<Told>> {
        let client = |gateway: &Gateway| {
            let (address, stop) = (gateway.http, Arc::clone(stop));
            thread::spawn(move || {
                let mut told = Told::default();
                let mut client = None;
                while !stop.load(Ordering::Relaxed) {
                    if client.is_none() && TcpStream::connect(address).is_err() {
                        // It was killed.
                        break;
                    }
                    let connected = client.get_or_insert_with(|| Client::connect(address));
                    if !connected.offer(Request::get("/api/x").bytes()) {
                        client = None;
                        continue;
                    }
                    match connected.try_answer().map(|answer| answer.status) {
                        Some(200) => told.admitted += 1,
                        Some(429) => told.refused += 1,
                        Some(other) => told.others.push(other),
                        None => client = None,
                    }
                    thread::sleep(Duration::from_millis(2));
                }
                told
            })
        };
        self.gateways.iter().map(client).collect()
    }

    /// The most that the backend saw in any interval of the period.
    fn densest(&self) -> usize {
        let mut times = self.admitted.lock().expect("the log").clone();
        times.sort_unstable();
        let end = |begin: Instant| begin + PERIOD.saturating_sub(JITTER);
        let count = |(first, begin): (usize, &Instant)| {
            times[first..].iter().take_while(|time| **time < end(*begin)).count()
        };
        times.iter().enumerate().map(count).max().unwrap_or(0)
    }

    /// How many came through after `since`.
    fn since(&self, since: Instant) -> usize {
        self.admitted.lock().expect("the log").iter().filter(|time| since < **time).count()
    }
}

fn replicas(gateway: &Gateway) -> usize {
    let status = gateway.status();
    let lane = &status["counters"]["shared"]["lanes"][0];
    let in_touch = lane["state"] == "in-touch";
    let members = lane["replicas"].as_u64().and_then(|members| usize::try_from(members).ok());
    if in_touch { members.unwrap_or(0) } else { 0 }
}

fn state(gateway: &Gateway) -> String {
    let status = gateway.status();
    status["counters"]["shared"]["lanes"][0]["state"].as_str().unwrap_or_default().to_owned()
}

/// Lets clients ask for `time`, does `meanwhile` in the middle, and gives back what they were told.
fn under_load(fleet: &mut Fleet, time: Duration, meanwhile: impl FnOnce(&mut Fleet)) -> Told {
    let stop = Arc::new(AtomicBool::new(false));
    let clients = fleet.load(&stop);
    thread::sleep(time / 2);
    meanwhile(fleet);
    thread::sleep(time / 2);
    stop.store(true, Ordering::Relaxed);
    let mut all = Told::default();
    for client in clients {
        let told = client.join().expect("a client");
        all.admitted += told.admitted;
        all.refused += told.refused;
        all.others.extend(told.others);
    }
    all
}

#[test]
fn gateways_together_admit_what_the_limit_says() {
    let mut fleet = Fleet::start(3);
    let begun = Instant::now();
    let told = under_load(&mut fleet, PERIOD * 3, |_fleet| ());
    assert!(fleet.densest() <= LIMIT, "{} in one interval", fleet.densest());
    // Counting whole sub-windows costs a part of 1/(m+1), and the ends of the load another.
    let through = fleet.since(begun);
    assert!(LIMIT * 2 <= through, "only {through} came through: {told:?}");
    assert_eq!(told.others, Vec::<u16>::new());
    assert!(0 < told.refused);
}

#[test]
fn without_redis_each_gateway_admits_its_share_and_then_they_heal() {
    let mut fleet = Fleet::start(3);
    let mut lost = Instant::now();
    let told = under_load(&mut fleet, PERIOD * 4, |fleet| {
        fleet.redis.kill();
        lost = Instant::now();
        thread::sleep(PERIOD * 3);
        let through = fleet.since(lost);
        assert!(0 < through, "nobody admits anything");
        assert!(state(&fleet.gateways[0]) != "in-touch");
        fleet.redis.restart();
        for gateway in &fleet.gateways {
            let healed = soon(|| (state(gateway) == "in-touch").then_some(()));
            assert!(healed.is_some(), "no healing: {}", gateway.admin("/status").text());
        }
    });
    assert!(fleet.densest() <= LIMIT, "{} in one interval", fleet.densest());
    assert_eq!(told.others, Vec::<u16>::new());
}

#[test]
fn a_gateway_that_is_killed_takes_nothing_of_the_limit_with_it_but_its_share() {
    let mut fleet = Fleet::start(3);
    let told = under_load(&mut fleet, PERIOD * 4, |fleet| {
        fleet.gateways.truncate(2);
    });
    assert!(fleet.densest() <= LIMIT, "{} in one interval", fleet.densest());
    assert_eq!(told.others, Vec::<u16>::new());
}

#[test]
fn a_gateway_starts_and_serves_without_the_redis_that_it_was_told_of() {
    let backend = Backend::plain();
    let inbound = "<rate-limit-by-key calls=\"2\" renewal-period=\"60\" counter-key=\"all\" />";
    let gateway = Gateway::start(|site| {
        site.open_api("api", &backend.url(), Policies { inbound, ..Policies::default() });
        site.set("redis-url", "redis://127.0.0.1:9");
    });
    let mut client = Client::connect(gateway.http);
    let statuses = [(); 3].map(|()| client.ask(&Request::get("/api/x")).status);
    assert_eq!(statuses, [200, 200, 429]);
}
