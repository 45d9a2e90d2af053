//! A configuration that changes every second, each time to one that means something else: which
//! requests notice.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use super::Wanted;
use super::entrant::Entrant;
use super::figures::{Row, Sample, Scenario, Turn};
use super::steady::{rate, tell};
use super::task::Task;
use super::turn::Player;
use crate::bench::Bench;
use crate::clock::Deadline;
use crate::failure::{Failure, during};

/// The time between two changes, in looks.
const LOOKS: u32 = 20;
/// How often is looked whether it is over.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// How long a master of workers may take to end.
const END_TIME: Duration = Duration::from_secs(10);

/// Runs it.
pub(super) fn run(bench: &Bench, wanted: &Wanted) -> Result<Scenario, Failure> {
    let task = Task::Reload;
    let (able, missing) = wanted.entrants(task);
    let players = able.iter().map(|&who| Player::start(bench, (who, task), None));
    let mut players = players.collect::<Result<Vec<_>, _>>()?;
    let rate = rate(&players, wanted.load_percent)?;
    // As each began: a change is one to that, and not to the change before.
    let begun = players.iter().map(|player| Ok((player.who, written(player)?)));
    let begun = begun.collect::<Result<Vec<_>, Failure>>()?;
    let mut rows: Vec<Row> =
        able.iter().map(|&who| Row { who, turns: Vec::new(), idle_kib: None }).collect();
    for round in 1..=wanted.rounds {
        for player in &players {
            let Some((_, (file, text))) = begun.iter().find(|(who, _)| *who == player.who) else {
                continue;
            };
            let paced = changing(player, (file, text, round), (rate, wanted.seconds))?;
            tell((round, wanted.rounds), player.who, rate, &paced);
            if let Some(row) = rows.iter_mut().find(|row| row.who == player.who) {
                row.turns.push(Turn { round, paced, pressed: None });
            }
        }
        players.rotate_left(1);
    }
    for player in &mut players {
        // A master that is killed leaves its workers behind.
        player.started.process.signal(Signal::TERM)?;
        player.started.process.wait_within(END_TIME)?;
    }
    let yardstick = task.yardstick();
    Ok(Scenario { task, rate, yardstick, rows, missing, idle_connections: None })
}

/// Loads `player` while its configuration changes every second.
fn changing(
    player: &Player,
    (file, written, round): (&PathBuf, &str, u32),
    (rate, seconds): (u32, u32),
) -> Result<Sample, Failure> {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let changes = scope.spawn(|| {
            let mut looks = 0_u32;
            while !over.load(Ordering::Relaxed) {
                if looks.checked_rem(LOOKS) == Some(0) {
                    // No two changes of a run are the same.
                    change(player, (file, written), &format!("{round}-{looks}"))?;
                }
                looks = looks.saturating_add(1);
                Deadline::pause(LOOK_AGAIN);
            }
            Ok(())
        });
        let paced = player.pace(rate, seconds);
        over.store(true, Ordering::Relaxed);
        let ended = changes.join();
        ended.unwrap_or_else(|_| Err(Failure::NotValid("changes ended".to_owned())))?;
        paced
    })
}

/// The file that changes, and what is in it now.
fn written(player: &Player) -> Result<(PathBuf, String), Failure> {
    let name = match player.who {
        Entrant::Weir | Entrant::WeirPlain => "configuration/weir.yaml",
        Entrant::Traefik => "traefik.yaml",
        Entrant::Haproxy => "haproxy.cfg",
        Entrant::Envoy => "envoy.yaml",
        Entrant::Nginx | Entrant::NginxRedis | Entrant::BarePingora => "nginx.conf",
    };
    let file = player.started.folder.path().join(name);
    let text = std::fs::read_to_string(&file);
    let text = text.map_err(during(format!("reading {}", file.display())))?;
    Ok((file, text))
}

/// Puts a configuration in place that has one thing more, which is never the same.
fn change(player: &Player, (file, written): (&PathBuf, &str), number: &str) -> Result<(), Failure> {
    let text = match player.who {
        Entrant::Traefik => written.replace(
            "  routers:\n",
            &format!(
                "  routers:\n    more-{number}:\n      entryPoints: [web]\n      rule: \"Path(`/more-{number}`)\"\n      \
                 service: answer\n"
            ),
        ),
        Entrant::Weir | Entrant::WeirPlain => {
            format!("{written}      - {{id: more, method: GET, urlTemplate: /more-{number}}}\n")
        }
        Entrant::Nginx
        | Entrant::NginxRedis
        | Entrant::Haproxy
        | Entrant::Envoy
        | Entrant::BarePingora => written.replace(
            "location / {",
            &format!("location /more-{number} {{ return 204; }}\n    location / {{"),
        ),
    };
    // Beside it first, so that nobody reads half of it.
    let beside = player.started.folder.path().join("next");
    let writing = || during(format!("writing {}", file.display()));
    std::fs::write(&beside, text).map_err(writing())?;
    std::fs::rename(&beside, file).map_err(writing())?;
    if player.who == Entrant::Nginx { player.started.process.signal(Signal::HUP) } else { Ok(()) }
}
