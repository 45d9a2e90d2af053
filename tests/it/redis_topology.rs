//! The link to Redis where there is more than one server: behind sentinels, and as a cluster.

use std::path::Path;

use weir::counters::redis::name::Names;
use weir::counters::redis::settings::{PREFIX, Settings, Topology};
use weir::counters::redis::trouble::Trouble;

use crate::harness::linked::{Linked, place, settings};
use crate::harness::redis::{Cluster, REDIS, Redis, Watched, text};
use crate::harness::soon;

fn watched(watched: &Watched) -> Settings {
    let sentinels = watched.sentinels.iter().map(place).collect();
    let topology = Topology::Sentinel { name: Watched::NAME.to_owned(), sentinels, login: None };
    Settings { topology, ..settings(&watched.primary) }
}

#[test]
fn when_the_primary_dies_the_one_that_sentinels_promote_is_found() {
    let mut servers = Watched::start();
    let mut linked = Linked::with(&watched(&servers));
    let (_, run) = linked.connected(0, 1);
    linked.bought(0);
    servers.primary.kill();
    let (_, other) = linked.connected(0, 2);
    assert_ne!(run, other);
    linked.bought(0);
    let role = text(&servers.replica.ask(&["INFO", "replication"]));
    assert!(role.contains("role:master"));
}

#[test]
fn a_primary_that_sentinels_replaced_is_left_though_it_still_sells() {
    let servers = Watched::start();
    let linked = Linked::with(&watched(&servers));
    let (_, run) = linked.connected(0, 1);
    let failover = ["SENTINEL", "FAILOVER", Watched::NAME];
    let begun = soon(|| (servers.sentinels[0].ask(&failover) == redis::Value::Okay).then_some(()));
    begun.expect("a failover");
    let (_, other) = linked.connected(0, 2);
    assert_ne!(run, other);
}

#[test]
fn sentinels_that_know_no_such_primary_are_complained_of() {
    let servers = Watched::start();
    let mut settings = watched(&servers);
    if let Topology::Sentinel { name, .. } = &mut settings.topology {
        "other".clone_into(name);
    }
    let linked = Linked::with(&settings);
    linked.suffers(|trouble| *trouble == Trouble::NoPrimaryNamed("other".to_owned()));
}

#[test]
fn a_cluster_serves_each_lane_where_its_slot_is_and_a_lane_that_moves_is_followed() {
    let cluster = Cluster::of(Path::new(REDIS));
    let seeds = vec![place(&cluster.nodes[0])];
    let settings = Settings { topology: Topology::Cluster(seeds), ..settings(&cluster.nodes[0]) };
    let mut linked = Linked::with(&settings);
    let runs: Vec<_> = (0..linked.link.lanes()).map(|lane| linked.connected(lane, 1).1).collect();
    let mut different = runs.clone();
    different.sort_unstable();
    different.dedup();
    assert_eq!(different.len(), 3);
    for lane in 0..linked.link.lanes() {
        linked.bought(lane);
    }
    // Lane 0's slot goes to another node, with what is in it.
    let names = Names::new(PREFIX, 0);
    let slot = names.slot();
    let from = cluster.node_of(slot);
    let to = cluster.nodes.iter().find(|node| node.at() != from.at()).expect("another");
    move_slot(&cluster, slot, from, to);
    linked.bought(0);
    let (_, run) = linked.connected(0, 2);
    assert_ne!(run, runs[0]);
    linked.suffers(|trouble| matches!(trouble, Trouble::Moved | Trouble::Moving));
    assert_eq!(linked.connections(1).len(), 1, "other lanes stay as they are");
}

#[test]
fn a_lane_whose_slot_is_half_moved_is_waited_for() {
    let cluster = Cluster::of(Path::new(REDIS));
    let seeds = vec![place(&cluster.nodes[0])];
    let settings = Settings { topology: Topology::Cluster(seeds), ..settings(&cluster.nodes[0]) };
    let mut linked = Linked::with(&settings);
    linked.connected(0, 1);
    let names = Names::new(PREFIX, 0);
    let slot = names.slot();
    let from = cluster.node_of(slot);
    let to = cluster.nodes.iter().find(|node| node.at() != from.at()).expect("another");
    let (from_id, to_id) =
        (text(&from.ask(&["CLUSTER", "MYID"])), text(&to.ask(&["CLUSTER", "MYID"])));
    let number = slot.to_string();
    let (here, away) = (format!("{}-here", names.members()), format!("{}-away", names.members()));
    from.ask(&["SET", &here, "1"]);
    to.ask(&["CLUSTER", "SETSLOT", &number, "IMPORTING", &from_id]);
    from.ask(&["CLUSTER", "SETSLOT", &number, "MIGRATING", &to_id]);
    // A key that is not there may be over there already; of two keys only one is here.
    let said = |words: &[&str]| {
        let answer = from.ask(words);
        let redis::Value::ServerError(error) = &answer else { panic!("{answer:?}") };
        (error.code().to_owned(), Trouble::of_server(error.code(), error.details()))
    };
    assert_eq!(said(&["GET", &away]), ("ASK".to_owned(), Trouble::Moving));
    assert_eq!(said(&["DEL", &here, &away]), ("TRYAGAIN".to_owned(), Trouble::Moving));
    linked.suffers_while_buying(|trouble| *trouble == Trouble::Moving);
    from.ask(&["CLUSTER", "SETSLOT", &number, "STABLE"]);
    to.ask(&["CLUSTER", "SETSLOT", &number, "STABLE"]);
    linked.connected(0, 2);
    linked.bought(0);
}

fn move_slot(cluster: &Cluster, slot: u16, from: &Redis, to: &Redis) {
    let slot = slot.to_string();
    let [from_id, to_id] = [from, to].map(|node| text(&node.ask(&["CLUSTER", "MYID"])));
    to.ask(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &from_id]);
    from.ask(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &to_id]);
    let keys = from.ask(&["CLUSTER", "GETKEYSINSLOT", &slot, "1000"]);
    let redis::Value::Array(keys) = keys else { panic!("no keys") };
    for key in keys {
        let port = to.address.port().to_string();
        from.ask(&["MIGRATE", "127.0.0.1", &port, &text(&key), "0", "5000"]);
    }
    for node in &cluster.nodes {
        node.ask(&["CLUSTER", "SETSLOT", &slot, "NODE", &to_id]);
    }
}

#[test]
fn a_cluster_that_lost_a_node_still_serves_nothing_of_it_and_says_why() {
    let mut cluster = Cluster::of(Path::new(REDIS));
    let seeds = cluster.nodes.iter().map(place).collect();
    let settings = Settings { topology: Topology::Cluster(seeds), ..settings(&cluster.nodes[0]) };
    let linked = Linked::with(&settings);
    for lane in 0..linked.link.lanes() {
        linked.connected(lane, 1);
    }
    cluster.nodes[2].kill();
    linked.suffers(|trouble| matches!(trouble, Trouble::Unreachable(_)));
    // A cluster that does not serve all slots serves none, on the nodes that are left.
    let mut linked = linked;
    let on_node_0 = (0..linked.link.lanes()).find(|lane| {
        let slot = Names::new(PREFIX, *lane).slot();
        cluster.node_of(slot).at() == cluster.nodes[0].at()
    });
    let lane = on_node_0.expect("a lane");
    let down = soon(|| {
        linked.buy(lane);
        linked.troubles().contains(&Trouble::ClusterDown).then_some(())
    });
    assert!(down.is_some(), "{:?}", linked.troubles());
}
