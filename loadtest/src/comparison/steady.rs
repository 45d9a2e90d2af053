//! A scenario in which nothing happens but requests: everybody in turn, first as fast as it answers,
//! then at the constant rate.

use std::net::SocketAddr;

use super::Wanted;
use super::entrant::Entrant;
use super::figures::{Row, Scenario, Turn};
use super::task::Task;
use super::turn::Player;
use crate::backend::Backend;
use crate::bench::Bench;
use crate::failure::Failure;

/// How long everybody is pressed to find the rate.
const SEARCH_SECONDS: u32 = 1;

/// Runs `task`.
pub(super) fn run(bench: &Bench, task: Task, wanted: &Wanted) -> Result<Scenario, Failure> {
    let backend = matches!(task, Task::BodiesUp | Task::BodiesDown | Task::Grpc);
    let backend = backend.then(Backend::start).transpose()?;
    let upstream: Option<SocketAddr> =
        backend.as_ref().map(|one| if task == Task::Grpc { one.http2 } else { one.http1 });
    let (able, missing) = wanted.entrants(task);
    let players = able.iter().map(|&who| Player::start(bench, (who, task), upstream));
    let players = players.collect::<Result<Vec<_>, _>>()?;
    let rate = rate(&players, wanted.load_percent)?;
    let mut rows: Vec<Row> =
        able.iter().map(|&who| Row { who, turns: Vec::new(), idle_kib: None }).collect();
    let mut order: Vec<&Player> = players.iter().collect();
    for round in 1..=wanted.rounds {
        for player in &order {
            let pressed = player.press(wanted.press_seconds)?;
            let paced = player.pace(rate, wanted.seconds)?;
            tell((round, wanted.rounds), player.who, rate, &paced);
            let turn = Turn { round, paced, pressed: Some(pressed) };
            if let Some(row) = rows.iter_mut().find(|row| row.who == player.who) {
                row.turns.push(turn);
            }
        }
        // Nobody always comes first, or always after the same one.
        order.rotate_left(1);
    }
    let yardstick = task.yardstick();
    Ok(Scenario { task, rate, yardstick, rows, missing, idle_connections: None })
}

/// The rate for all: a part of what the slowest one can do.
pub(super) fn rate(players: &[Player], percent: u32) -> Result<u32, Failure> {
    let mut slowest = f64::INFINITY;
    for player in players {
        let capacity = player.press(SEARCH_SECONDS)?;
        eprintln!("  {:<13} {:>7.0} requests/s at most", player.who, capacity.requests_per_second);
        slowest = slowest.min(capacity.requests_per_second);
    }
    let rate = slowest * f64::from(percent) / 100.0;
    // There is no other way from a float; it is far below where that matters.
    Ok((1..=100_000).rev().find(|whole| f64::from(*whole) <= rate).unwrap_or(1))
}

/// Says on standard error how a turn went.
pub(super) fn tell(
    (round, rounds): (u32, u32),
    who: Entrant,
    rate: u32,
    paced: &super::figures::Sample,
) {
    let [p50, _, p99, _] = paced.micros.unwrap_or_default();
    let dropped = paced.dropped;
    eprintln!(
        "  round {round}/{rounds}: {who:<13} {rate} requests/s, p50 {p50} us, p99 {p99} us, {:.1} us of \
         processor time; windows {}, dropped {} late, {} waiting, {} errors",
        paced.cpu_micros.unwrap_or_default(),
        dropped.windows,
        dropped.generator_late,
        dropped.kept_waiting,
        dropped.errors,
    );
}
