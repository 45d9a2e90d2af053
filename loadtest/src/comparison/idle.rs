//! Many connections on which nothing happens: what each costs in memory, and what a small load beside
//! them notices.

use rustix::process::{Resource, getrlimit};

use super::Wanted;
use super::entrant::Entrant;
use super::figures::{Row, Scenario, Turn};
use super::steady::tell;
use super::task::Task;
use super::turn::Player;
use crate::bench::{BODY, Bench};
use crate::client::{Connection, Request};
use crate::clock::Deadline;
use crate::failure::{Failure, during};
use crate::idle_connections::{SETTLING_TIME, allow_many_files};
use crate::statistics::Spread;

/// The load beside them, in requests a second.
const RATE: u32 = 500;

/// Each round starts everybody anew, with all connections: more than these tell nothing more.
const ROUNDS_MAX: u32 = 3;

/// Files that are needed for other things.
const FILES_SPARE: u64 = 1000;

/// What is asked on each connection.
const REQUEST: Request<'static> = Request { path: "/bench/hello", header: None };

/// Runs it: one proxy at a time, for all of them together would be too many open files.
pub(super) fn run(bench: &Bench, wanted: &Wanted) -> Result<Scenario, Failure> {
    allow_many_files()?;
    let task = Task::Idle;
    let (able, missing) = wanted.entrants(task);
    let count = count(wanted.idle_connections);
    let rounds = wanted.rounds.min(ROUNDS_MAX);
    let mut rows: Vec<(Row, Vec<f64>)> = able
        .iter()
        .map(|&who| (Row { who, turns: Vec::new(), idle_kib: None }, Vec::new()))
        .collect();
    for round in 1..=rounds {
        for (row, kib) in &mut rows {
            let (paced, each) = hold(bench, row.who, count, wanted.seconds)?;
            tell((round, rounds), row.who, RATE, &paced);
            row.turns.push(Turn { round, paced, pressed: None });
            kib.push(each);
        }
        rows.rotate_left(1);
    }
    rows.sort_by_key(|(row, _)| row.who);
    let rows = rows.into_iter().map(|(mut row, kib)| {
        row.idle_kib = Spread::of(kib).map(|spread| spread.median);
        row
    });
    let (rows, yardstick) = (rows.collect(), task.yardstick());
    Ok(Scenario { task, rate: RATE, yardstick, rows, missing, idle_connections: Some(count) })
}

/// As many as are wanted and may be open.
fn count(wanted: u32) -> u32 {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let room = limit.saturating_sub(FILES_SPARE).max(1);
    u32::try_from(room).unwrap_or(u32::MAX).min(wanted)
}

/// Opens `count` connections to `who` and loads it beside them: what the load saw, and the KiB of each
/// connection.
fn hold(
    bench: &Bench,
    who: Entrant,
    count: u32,
    seconds: u32,
) -> Result<(super::figures::Sample, f64), Failure> {
    let player = Player::start(bench, (who, Task::Idle), None)?;
    Deadline::pause(SETTLING_TIME);
    let before = player.started.process.resident_kib()?;
    let opening = |number: u32| during(format!("{who}, connection {number} of {count}"));
    let mut open = Vec::new();
    for number in 1..=count {
        let mut connection = Connection::open(player.started.address).map_err(opening(number))?;
        ask(&mut connection, who, number)?;
        open.push((number, connection));
    }
    Deadline::pause(SETTLING_TIME);
    let after = player.started.process.resident_kib()?;
    let paced = player.pace(RATE, seconds)?;
    // Who had closed some of them would look thrifty.
    for (number, connection) in &mut open {
        ask(connection, who, *number)?;
    }
    Ok((paced, (after - before) / f64::from(count)))
}

fn ask(connection: &mut Connection, who: Entrant, number: u32) -> Result<(), Failure> {
    let answer = connection.ask(REQUEST).map_err(during(format!("{who}, connection {number}")))?;
    if answer.status == 200 && answer.body == BODY {
        Ok(())
    } else {
        Err(Failure::NotValid(format!("{who}, connection {number}: status {}", answer.status)))
    }
}
