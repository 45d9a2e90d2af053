//! The copy of the totals of quotas in a real etcd, and the client that keeps it.

use std::fs;
use std::net::TcpListener;
use std::time::Duration;

use serde_json::json;
use weir::etcd::settings::{PREFIX, Settings};

use crate::harness::etcd::Etcd;
use crate::harness::redis::Redis;
use crate::harness::replica::runtime;
use crate::harness::tls::Authority;
use crate::harness::{Backend, Gateway, Policies, soon};

/// A busy machine may be slow: nobody is refused because Redis is.
const QUOTA: &str = "<quota-by-key calls=\"10\" renewal-period=\"0\" counter-key=\"k\" \
                     weir-mode=\"exact\" weir-max-wait=\"1s\" />";

/// A gateway without a disk whose quota is shared over `redis` and copied to the etcd at `etcd`.
fn gateway(name: &str, redis: &Redis, etcd: &str, backend: &Backend) -> Gateway {
    let gateway = Gateway::start(|site| {
        let policies = Policies { inbound: QUOTA, ..Policies::default() };
        site.open_api("api", &backend.url(), policies);
        site.set("redis-url", &format!("redis://{}", redis.at()));
        site.set("replica-name", name);
        site.set("etcd-endpoints", etcd);
        site.set("cluster-configuration", "false");
    });
    let in_touch = || {
        let lane = gateway.status()["counters"]["shared"]["lanes"][0].clone();
        (lane["state"] == "in-touch").then_some(())
    };
    assert!(soon(in_touch).is_some(), "{}", gateway.admin("/status").text());
    gateway
}

fn settings(endpoints: &[String]) -> Settings {
    let (endpoints, prefix) = (endpoints.to_vec(), PREFIX.to_owned());
    Settings { endpoints, ca: None, own: None, login: None, prefix }
}

fn client(settings: Settings) -> weir::etcd::Etcd {
    weir::etcd::Etcd::new(settings).expect("usable settings")
}

/// How the copy in etcd is doing, as the gateway says.
fn copy(gateway: &Gateway) -> serde_json::Value {
    gateway.status()["counters"]["shared"]["copyInEtcd"].clone()
}

#[test]
fn a_quota_outlives_the_data_of_redis_and_all_gateways_though_none_has_a_disk() {
    let (mut redis, backend, etcd) = (Redis::start(), Backend::plain(), Etcd::start());
    let mut first = gateway("first", &redis, &etcd.endpoint(), &backend);
    assert_eq!([(); 6].map(|()| first.get("/api/x").status), [200; 6]);
    first.signal("TERM");
    assert!(first.end().success());
    let leases = etcd.leases();
    assert!(!leases.is_empty() && leases.iter().all(|lease| lease != "0"), "{leases:?}");

    redis.kill();
    redis.restart();
    let second = gateway("second", &redis, &etcd.endpoint(), &backend);
    let statuses: Vec<_> = (0..12).map(|_| second.get("/api/x").status).collect();
    let admitted = statuses.iter().filter(|status| **status == 200).count();
    // A token that was handed back at the end may still count as sold.
    assert!((3..=4).contains(&admitted), "{statuses:?}");
    assert_eq!(copy(&second)["state"], "kept");
}

#[test]
fn an_etcd_that_is_away_slows_nobody_and_is_told() {
    let (redis, backend, mut etcd) = (Redis::start(), Backend::plain(), Etcd::start());
    etcd.kill();
    let gateway = gateway("a", &redis, &etcd.endpoint(), &backend);
    assert!(soon(|| (gateway.get("/api/x").status == 200).then_some(())).is_some());
    let broken = soon(|| (copy(&gateway)["state"] == "broken").then_some(()));
    assert!(broken.is_some(), "{}", copy(&gateway));
    assert!(copy(&gateway)["trouble"].as_str().is_some_and(|text| text.contains("127.0.0.1")));
    let page = String::from_utf8(gateway.admin("/metrics").body).expect("text");
    assert!(page.contains("\nweir_limit_etcd_copy_broken 1"), "{page}");
    etcd.restart();
    let kept = || (copy(&gateway)["state"] == "kept").then_some(());
    // It is asked again after 5 s.
    assert!(soon(kept).or_else(|| soon(kept)).is_some(), "{}", copy(&gateway));
    let told = gateway.events();
    let told = told.iter().filter(|line| line.contains("totals of quotas in etcd cannot")).count();
    assert_eq!(told, 1, "once");
    assert_eq!(copy(&gateway)["trouble"], json!(null));
}

#[test]
fn an_etcd_that_says_nothing_holds_up_nobody() {
    let (redis, backend) = (Redis::start(), Backend::plain());
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let etcd = format!("http://{}", silent.local_addr().expect("an address"));
    let gateway = gateway("a", &redis, &etcd, &backend);
    assert!(soon(|| (gateway.get("/api/x").status == 200).then_some(())).is_some());
    let broken = || (copy(&gateway)["state"] == "broken").then_some(());
    // It is tried three times for 2 s each, from 5 s after the start on.
    assert!(soon(broken).or_else(|| soon(broken)).is_some(), "{}", copy(&gateway));
}

#[test]
fn settings_of_etcd_that_cannot_be_used_are_refused() {
    let backend = Backend::plain();
    let refused = crate::harness::gateway::refuses(|site| {
        site.open_api("api", &backend.url(), Policies::default());
        site.set("etcd-endpoints", "etcd:2379");
        site.set("redis-url", "redis://127.0.0.1:1");
    });
    let text = String::from_utf8(refused.stderr).expect("text");
    assert!(text.contains("`etcd:2379` is no address of an etcd"), "{text}");
}

#[test]
fn a_value_is_only_replaced_by_who_knows_it() {
    let etcd = Etcd::start();
    let client = client(settings(&[etcd.endpoint()]));
    runtime().block_on(async {
        let lease = client.grant(Duration::from_mins(10)).await.expect("a lease");
        assert_eq!(client.get("/weir/a").await.expect("an answer"), None);
        assert!(client.put_if("/weir/a", b"one", 0, lease).await.expect("an answer"));
        assert!(!client.put_if("/weir/a", b"two", 0, lease).await.expect("an answer"));
        let value = client.get("/weir/a").await.expect("an answer").expect("a value");
        assert_eq!(value.bytes, b"one");
        assert!(client.put_if("/weir/a", b"two", value.changed, lease).await.expect("an answer"));
        // A lease that nobody granted is refused at once, and said so.
        let failed = client.put_if("/weir/b", b"x", 0, 77).await.expect_err("no such lease");
        assert!(failed.to_string().contains("lease not found"), "{failed}");
    });
}

#[test]
fn the_next_member_is_asked_when_one_is_gone_and_it_is_found_again() {
    let mut etcd = Etcd::start();
    let client = client(settings(&["http://127.0.0.1:1".to_owned(), etcd.endpoint()]));
    let runtime = runtime();
    runtime.block_on(async {
        assert_eq!(client.get("/weir/a").await.expect("the other member"), None);
    });
    etcd.kill();
    runtime.block_on(async {
        let failed = client.get("/weir/a").await.expect_err("nobody is there");
        assert!(failed.to_string().contains("127.0.0.1"), "{failed}");
    });
    etcd.restart();
    runtime.block_on(async {
        assert_eq!(client.get("/weir/a").await.expect("it is back"), None);
    });
}

#[test]
fn a_user_is_known_by_a_password_from_a_file_that_may_change() {
    let etcd = Etcd::start();
    etcd.with_user("root", "first");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("password");
    fs::write(&file, "wrong\n").expect("a file");
    let login = Some(("root".to_owned(), file.clone()));
    let client = client(Settings { login, ..settings(&[etcd.endpoint()]) });
    runtime().block_on(async {
        let failed = client.get("/weir/a").await.expect_err("a wrong password");
        assert!(failed.to_string().contains("authentication failed"), "{failed}");
        fs::write(&file, "first\n").expect("a file");
        assert_eq!(client.get("/weir/a").await.expect("the right one"), None);
    });
    let nobody = self::client(settings(&[etcd.endpoint()]));
    assert!(runtime().block_on(nobody.get("/weir/a")).is_err(), "who is nobody is told nothing");
}

#[test]
fn members_are_spoken_to_over_tls_by_who_has_a_certificate() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let etcd = Etcd::with_tls(&authority);
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, pem: Vec<u8>| {
        let path = folder.path().join(name);
        fs::write(&path, pem).expect("a file");
        path
    };
    let own = authority.issue("weir");
    let own = (file("own.pem", own.certificate), file("own.key", own.key));
    let ca = file("ca.pem", authority.certificate());
    let other = file("other.pem", stranger.certificate());
    let ask = |ca, own| {
        let client = client(Settings { ca: Some(ca), own, ..settings(&[etcd.endpoint()]) });
        runtime().block_on(client.get("/weir/a"))
    };
    assert_eq!(ask(ca.clone(), Some(own.clone())).expect("both know each other"), None);
    assert!(ask(ca, None).is_err(), "etcd does not know us");
    assert!(ask(other, Some(own)).is_err(), "we do not know etcd");
}
