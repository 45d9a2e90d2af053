//! Limits that hold over several gateways: real processes, a real Redis, closed- and open-loop
//! clients, judged by what the backend saw.
//!
//! The backend knows when each request was sent and when it came: it was admitted in between. What
//! is counted in an interval was surely admitted in it, however busy this machine is.

use std::net::IpAddr;
use std::thread;
use std::time::Duration;

use crate::harness::fleet::{Fleet, HERE, Load, Pace, Told, members, shared, state};
use crate::harness::network::Island;
use crate::harness::redis::{Redis, Watched};
use crate::harness::replica::most_in_any;
use crate::harness::{Backend, Client, Gateway, Policies, Request, Site, soon};

/// How many gateways there are.
const GATEWAYS: usize = 4;

/// What one interval of [`PERIOD`] admits, in the exact mode.
const LIMIT: usize = 60;
const PERIOD: Duration = Duration::from_secs(3);
/// What clocks may drift apart in one period.
const DRIFT: Duration = Duration::from_millis(5);

/// What the quota admits in all, in the exact mode.
const QUOTA: usize = 200;

/// Far more than the limit admits.
const RATE: Load = Load { api: "rate", pace: Pace::Closed(Duration::from_millis(4)) };
/// 40 a second over all gateways: the quota is met after five seconds.
const CALLS: Load = Load { api: "quota", pace: Pace::Open(Duration::from_millis(100)) };
/// 10 a second over all gateways, which is half of the limit.
const FEW: Load = Load { api: "few", pace: Pace::Open(Duration::from_millis(400)) };

/// The APIs with their limits.
fn apis() -> [(&'static str, String); 3] {
    let rate = |key: &str| {
        let seconds = PERIOD.as_secs();
        format!(
            "<rate-limit-by-key calls=\"{LIMIT}\" renewal-period=\"{seconds}\" counter-key=\"{key}\" \
             weir-mode=\"exact\" />"
        )
    };
    let quota = format!(
        "<quota-by-key calls=\"{QUOTA}\" renewal-period=\"0\" counter-key=\"all\" weir-mode=\"exact\" />"
    );
    [("rate", rate("all")), ("quota", quota), ("few", rate("few"))]
}

fn on(redis: &Redis) -> impl Fn(usize, &mut Site) -> IpAddr {
    let url = format!("redis://{}", redis.at());
    move |_number, site| {
        site.set("redis-url", &url);
        HERE
    }
}

/// What must hold in every weather.
fn judge(fleet: &Fleet, told: &[Told]) {
    let densest = most_in_any(&fleet.admitted("rate"), PERIOD.saturating_sub(DRIFT));
    assert!(densest <= LIMIT, "{densest} in one interval");
    let calls = fleet.admitted("quota").len();
    assert!(calls <= QUOTA, "{calls} of the quota");
    for told in told {
        assert_eq!(told.others, Vec::<u16>::new());
    }
}

#[test]
fn gateways_together_admit_what_the_limit_says() {
    let redis = Redis::start();
    let mut fleet = Fleet::start(GATEWAYS, &apis(), on(&redis));
    let begun = fleet.now();
    let told = fleet.under([RATE, CALLS, FEW], PERIOD * 3, |_fleet| ());
    judge(&fleet, &told);
    // Counting whole parts of a period costs a part, and the ends of the load another.
    let through = fleet.admitted_since("rate", begun);
    assert!(LIMIT <= through, "only {through} came through: {told:?}");
    let exhausted = soon(|| {
        fleet.ask_all("quota");
        (fleet.admitted("quota").len() == QUOTA).then_some(())
    });
    assert!(exhausted.is_some(), "{} of the quota", fleet.admitted("quota").len());
    // Of half of what the limit admits, only for want of an answer in time on a busy machine.
    let of_all = |figure| fleet.gateways.iter().map(|gateway| shared(gateway, figure)).sum::<u64>();
    let (late, lost) = (of_all("timedOut"), of_all("ordersUnanswered"));
    let refused = u64::try_from(told[2].refused).expect("few");
    assert!(refused <= late || 0 < lost, "{late} late: {told:?}");
    assert!(0 < told[0].refused && 0 < told[1].refused, "{told:?}");
}

#[test]
fn without_redis_each_gateway_admits_its_share_and_then_they_heal() {
    let mut redis = Redis::start();
    let mut fleet = Fleet::start(GATEWAYS, &apis(), on(&redis));
    let told = fleet.under([RATE, CALLS], PERIOD * 2, |fleet| {
        redis.kill();
        let lost = fleet.now();
        thread::sleep(PERIOD * 2);
        // Of those that were sent after it was gone, the first have what was in hand.
        let through = soon(|| (0 < fleet.admitted_since("rate", lost)).then_some(()));
        assert!(through.is_some(), "nobody admits anything");
        assert!(fleet.gateways.iter().all(|gateway| state(gateway) != "in-touch"));
        redis.restart();
        fleet.await_all_in_touch();
    });
    judge(&fleet, &told);
}

#[test]
fn a_gateway_that_is_killed_takes_nothing_of_the_limit_with_it_but_its_share() {
    let redis = Redis::start();
    let mut fleet = Fleet::start(GATEWAYS, &apis(), on(&redis));
    let mut killed = fleet.now();
    let told = fleet.under([RATE, CALLS], PERIOD * 3, |fleet| {
        fleet.gateways.truncate(GATEWAYS - 2);
        killed = fleet.now();
        let through = || (LIMIT / 4 <= fleet.admitted_since("rate", killed)).then_some(());
        let through = soon(through);
        assert!(through.is_some(), "only {} came through", fleet.admitted_since("rate", killed));
    });
    judge(&fleet, &told);
}

#[test]
fn limits_hold_while_a_gateway_is_stopped_and_goes_on() {
    let redis = Redis::start();
    let mut fleet = Fleet::start(GATEWAYS, &apis(), on(&redis));
    let told = fleet.under([RATE, CALLS], PERIOD * 2, |fleet| {
        fleet.gateways[0].signal("STOP");
        // Longer than the others take to notice, and longer than a period.
        thread::sleep(PERIOD + Duration::from_millis(500));
        // It is still one of them: its share is held back.
        let all = soon(|| (members(&fleet.gateways[1]) == Some(GATEWAYS)).then_some(()));
        assert!(all.is_some(), "{}", fleet.gateways[1].admin("/status").text());
        fleet.gateways[0].signal("CONT");
        fleet.await_all_in_touch();
    });
    judge(&fleet, &told);
}

#[test]
fn limits_hold_while_sentinels_promote_a_replica() {
    let mut servers = Watched::start();
    let sentinels: Vec<_> = servers.sentinels.iter().map(Redis::at).collect();
    let mut fleet = Fleet::start(GATEWAYS, &apis(), |_number, site| {
        site.set("redis-sentinels", &sentinels.join(","));
        site.set("redis-primary", Watched::NAME);
        HERE
    });
    let told = fleet.under([RATE, CALLS], PERIOD * 2, |fleet| {
        servers.primary.kill();
        let lost = soon(|| (state(&fleet.gateways[0]) != "in-touch").then_some(()));
        lost.expect("it notices");
        fleet.await_all_in_touch();
    });
    judge(&fleet, &told);
}

#[test]
fn a_gateway_that_is_cut_off_from_redis_admits_its_share_which_the_others_leave_it() {
    let island = Island::new(1);
    let far = island.redis().to_string();
    let redis = Redis::with(&["--bind", "127.0.0.1", &far, "--protected-mode", "no"]);
    let mut fleet = Fleet::start(GATEWAYS, &apis(), |number, site| {
        let cut_off = number == 0;
        let host = if cut_off { island.redis() } else { HERE };
        site.set("redis-url", &format!("redis://{host}:{}", redis.address.port()));
        if cut_off {
            island.hold(site);
            island.backends()
        } else {
            HERE
        }
    });
    let told = fleet.under([RATE, CALLS], PERIOD * 2, |fleet| {
        island.cut();
        let out = soon(|| (state(&fleet.gateways[0]) == "out-of-touch").then_some(()));
        assert!(out.is_some(), "it does not notice: {}", fleet.gateways[0].admin("/status").text());
        let others = soon(|| (state(&fleet.gateways[1]) == "in-touch").then_some(()));
        assert!(others.is_some(), "{}", fleet.gateways[1].admin("/status").text());
        thread::sleep(PERIOD);
        island.mend();
        fleet.await_all_in_touch();
    });
    judge(&fleet, &told);
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
