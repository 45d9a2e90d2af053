//! What happens to gateways and their Redis while a limit is under load.

use std::time::Duration;

use clap::ValueEnum;
use rustix::process::Signal;
use serde::Serialize;

use crate::clock::Deadline;
use crate::failure::{Failure, during};
use crate::fleet::{Counters, Fleet};
use crate::network::Island;

/// One kind of weather.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Weather {
    /// Nothing happens.
    Fair,
    /// Half of the gateways die (SIGKILL) and stay dead.
    GatewaysKilled,
    /// A gateway is stopped (SIGSTOP) and goes on.
    GatewayStopped,
    /// The network between a gateway and Redis loses everything.
    GatewayCutOff,
    /// Redis dies and comes back at once, empty.
    RedisRestarted,
    /// Redis is stopped (SIGSTOP) and goes on.
    RedisStopped,
    /// Redis keeps its clients waiting (CLIENT PAUSE).
    RedisPaused,
    /// Redis does nothing for half a second, again and again (DEBUG SLEEP).
    RedisSleeps,
    /// Redis does nothing for half a second, once.
    RedisHiccup,
    /// The way to Redis is 10 ms longer in each direction.
    RedisFar,
    /// Redis dies and stays away, then comes back empty.
    RedisLost,
    /// Redis dies, and sentinels promote its replica.
    RedisReplaced,
    /// Redis is emptied (FLUSHALL).
    RedisEmptied,
}

/// How long Redis sleeps at a time.
const SLEEPS: &str = "0.5";
/// How much longer the way to Redis is.
const FAR: Duration = Duration::from_millis(10);
/// How long sentinels may take to promote a replica.
const PROMOTION: Duration = Duration::from_secs(30);
/// How often is looked.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

impl Weather {
    /// Its name in reports.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// Whether a gateway lives through it that may have been out of touch.
    pub(crate) fn loses_touch(self) -> bool {
        !matches!(self, Self::Fair | Self::RedisEmptied)
    }

    /// Has it happen to `fleet` for `lasts`; returns when it is over.
    pub(crate) fn happen(self, fleet: &mut Fleet, lasts: Duration) -> Result<(), Failure> {
        let pause = || Deadline::pause(lasts);
        match self {
            Self::Fair => pause(),
            Self::GatewaysKilled => {
                let half = fleet.gateways.len() / 2;
                for gateway in fleet.gateways.drain(half..) {
                    drop(gateway);
                }
                pause();
            }
            Self::GatewayStopped => {
                let first = fleet.gateways.first();
                first.map(|one| one.process.signal(Signal::STOP)).transpose()?;
                pause();
                first.map(|one| one.process.signal(Signal::CONT)).transpose()?;
            }
            Self::GatewayCutOff => {
                let island = fleet.island.as_ref();
                island.map(Island::cut).transpose()?;
                pause();
                island.map(Island::mend).transpose()?;
            }
            Self::RedisRestarted => {
                fleet.counters.primary_mut().kill()?;
                fleet.counters.primary_mut().restart()?;
            }
            Self::RedisStopped => {
                fleet.counters.primary().signal(Signal::STOP)?;
                pause();
                fleet.counters.primary().signal(Signal::CONT)?;
            }
            Self::RedisPaused => {
                let millis = lasts.as_millis().to_string();
                ask(fleet, &["CLIENT", "PAUSE", &millis, "ALL"])?;
                pause();
            }
            Self::RedisSleeps => {
                let end = Deadline::after(lasts);
                while !end.has_passed() {
                    ask(fleet, &["DEBUG", "SLEEP", SLEEPS])?;
                    Deadline::pause(Duration::from_millis(500));
                }
            }
            Self::RedisHiccup => ask(fleet, &["DEBUG", "SLEEP", SLEEPS])?,
            Self::RedisFar => {
                let delay = |delay| fleet.detour.iter().for_each(|detour| detour.delay(delay));
                delay(FAR);
                pause();
                delay(Duration::ZERO);
            }
            Self::RedisLost => {
                fleet.counters.primary_mut().kill()?;
                pause();
                fleet.counters.primary_mut().restart()?;
            }
            Self::RedisReplaced => {
                fleet.counters.primary_mut().kill()?;
                await_promotion(fleet)?;
            }
            Self::RedisEmptied => ask(fleet, &["FLUSHALL"])?,
        }
        Ok(())
    }
}

impl std::fmt::Display for Weather {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name())
    }
}

fn ask(fleet: &Fleet, words: &[&str]) -> Result<(), Failure> {
    fleet.counters.primary().ask(words).map(drop).map_err(during("asking Redis"))
}

fn await_promotion(fleet: &Fleet) -> Result<(), Failure> {
    let Counters::Watched(watched) = &fleet.counters else { return Ok(()) };
    let deadline = Deadline::after(PROMOTION);
    while !watched.is_promoted() {
        if deadline.has_passed() {
            return Err(Failure::NotValid("sentinels did not promote the replica".to_owned()));
        }
        Deadline::pause(LOOK_AGAIN);
    }
    Ok(())
}
