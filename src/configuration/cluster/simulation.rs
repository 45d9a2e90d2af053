//! The cluster's real code in a world of its own: replicas, a store and time as a seed says.
//!
//! A seed is a case: three to five replicas; a store that answers late, loses questions and answers,
//! carries questions out long after whoever asked has given up, and ends leases early; replicas that
//! crash, are stopped and go on, or are cut off; sources that are behind one another, folders or (in
//! odd seeds) control planes with numbers of their own, which some replicas do not reach for a while,
//! or all but one (in every sixth) never again; configurations that some or all replicas refuse, that
//! make requests fail or that take almost all away; and operators who want something of that. What
//! must hold is looked at with every write and everything that is served:
//!
//! | invariant | here |
//! |---|---|
//! | C1: one effective writer | [`World::judge_current`]: the writer's epoch is that of the leader's key; numbers rise, epochs never fall |
//! | C2: generations never change | [`World::judge_write`]: a record is written once, its parts never after it |
//! | C3: what is needed stays | [`World::judge_removal`]: neither generations nor the parts of those that are there |
//! | C4: what is served never gets older | [`Replica::serve`], for each life of a replica; by the numbers of a control plane, [`World::judge_current`] |
//! | C11: all converge | at the end, without faults, everybody serves the newest good configuration, also if one replica alone reaches the control plane |
//! | C12: canaries first | [`Replica::serve`]: nobody serves what is not for him; [`World::judge_stage`]: what makes requests fail goes to all only if there are none, or somebody wants it |
//! | C13: nothing is taken away by mistake | [`World::judge_current`]: only for whoever says that it is meant |
//! | C14: what is off is off everywhere | [`World::judge_write`]: older orders never come after newer ones; at the end everybody knows the newest |
//! | wishes | [`World::judge_wish`]: each is seen to once, while it lies there |
//!
//! `WEIR_CLUSTER_SEEDS=a..b` says which seeds. 0..84000 were run, and held, before there were wishes,
//! errors, control planes and parts; with them 0..21000 and 50000..71000; with control planes that some
//! do not reach 0..4000.

mod world;
mod replica;

use std::env;

use world::{Case, Lack, World};

/// How many seeds are tried without a wish.
const SEEDS: u64 = 200;

#[test]
#[expect(clippy::disallowed_methods, reason = "which seeds to try is the wish of whoever runs it")]
fn every_case_keeps_the_invariants() {
    let wish = env::var("WEIR_CLUSTER_SEEDS").ok();
    let (from, to) = match wish.as_deref().and_then(|wish| wish.split_once("..")) {
        Some((from, to)) => (from.parse().unwrap(), to.parse().unwrap()),
        None => (0, SEEDS),
    };
    let broken: Vec<String> = (from..to)
        .filter_map(|seed| {
            let told = World::run(Case::of(seed)).err()?;
            Some(format!("seed {seed}: {told}"))
        })
        .collect();
    assert!(broken.is_empty(), "{} broken\n{}", broken.len(), broken.join("\n"));
}

#[test]
fn a_leader_that_does_not_look_at_errors_is_found_out() {
    let mut found = (0..SEEDS).filter_map(|seed| {
        let case = Case { lack: Some(Lack::Errors), ..Case::of(seed) };
        World::run(case).err().filter(|told| told.contains("C12"))
    });
    assert!(found.next().is_some(), "no seed noticed that what makes requests fail goes to all");
}

#[test]
fn a_leader_that_makes_no_room_for_one_that_reaches_the_control_plane_is_found_out() {
    let is_noticed = (0..SEEDS).any(|seed| {
        let case = Case { lack: Some(Lack::Reach), ..Case::of(seed) };
        World::run(case).is_err_and(|told| told.contains("C11"))
    });
    assert!(is_noticed, "no seed noticed that a leader that is cut off leads for ever");
}

#[test]
fn a_leader_that_does_not_fence_its_writes_is_found_out() {
    let mut found = (0..SEEDS).filter_map(|seed| {
        let case = Case { lack: Some(Lack::Fence), ..Case::of(seed) };
        World::run(case).err().filter(|told| told.contains("C1"))
    });
    assert!(found.next().is_some(), "no seed noticed that stale leaders write");
}

#[test]
fn a_leader_that_does_not_keep_the_numbers_of_its_control_plane_is_found_out() {
    let is_noticed = (0..SEEDS).any(|seed| {
        let case = Case { lack: Some(Lack::Origins), ..Case::of(seed) };
        World::run(case).is_err_and(|told| told.contains("C4"))
    });
    assert!(is_noticed, "no seed noticed that something older was published");
}
