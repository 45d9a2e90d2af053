//! The command line: one file a command.
//!
//! | exit code | means |
//! |---|---|
//! | 0 | done, and nothing is wrong |
//! | 1 | what was looked at is wrong: faults were found, no route matched, no such key |
//! | 2 | the command itself is wrong: arguments, settings, files |
//! | 3 | the gateway could not run, or not be asked: an address is in use, nobody listens |

pub mod run;
pub mod check;
pub mod explain;
pub mod limits;
pub mod control;
pub mod status;
pub mod health;
pub mod rollout;
pub mod trace;
pub mod token;
pub mod schema;
pub mod import;
pub mod migrate;
pub mod advise;
pub mod sample_backend;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A self-hosted API gateway that runs Azure API Management policies.
#[derive(Debug, Parser)]
#[command(name = "weir", version, about, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves a configuration.
    Run(run::Run),
    /// Says everything that is wrong with a configuration, or with policy documents.
    Check(check::Check),
    /// Says what would happen to one request, and why.
    Explain(explain::Explain),
    /// Serves configurations to gateways: the control plane.
    Control(control::Control),
    /// Shows the limits of a running gateway, and sets them back.
    Limits(limits::Limits),
    /// Shows what one request went through in a running gateway.
    Trace(trace::Trace),
    /// Shows how a running gateway and its cluster are doing, or waits until all serve a generation.
    Status(status::Status),
    /// Says whether a gateway or control plane here is ready, or alive: a probe for containers.
    Health(health::Health),
    /// Changes how a configuration reaches the replicas of a cluster: at once, in spite of a doubt, or
    /// back.
    Rollout(rollout::Rollout),
    /// Makes, looks at and revokes tokens of gateways, and replaces the keys that sign them.
    Token(token::Token),
    /// Prints the JSON Schema of the configuration's YAML.
    Schema(schema::Schema),
    /// Makes a configuration folder of what API Management had, and checks it.
    Import(import::Import),
    /// Rewrites deployment files of API Management's self-hosted gateway for Weir.
    Migrate(migrate::Migrate),
    /// Says what is dangerous in a deployment of API Management's gateway, or of Weir.
    Advise(advise::Advise),
    /// Serves the backend that the sample configuration talks to.
    SampleBackend(sample_backend::SampleBackend),
}

/// How a command ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// Nothing is wrong.
    Fine,
    /// What was looked at is wrong.
    Wrong,
    /// The command itself is wrong.
    Misused,
    /// The gateway could not run, or not be asked.
    Failed,
}

/// Reads the arguments of the process and runs the command.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut out = io::stdout().lock();
    let outcome = match arguments.command {
        // These run for long, and write through logs of their own.
        Command::Run(run) => {
            drop(out);
            run.run()
        }
        Command::SampleBackend(backend) => {
            drop(out);
            backend.run()
        }
        Command::Control(control) => {
            drop(out);
            control.run()
        }
        Command::Check(check) => check.run(&mut out),
        Command::Explain(explain) => explain.run(&mut out),
        Command::Limits(limits) => limits.run(&mut out),
        Command::Trace(trace) => trace.run(&mut out),
        Command::Status(status) => status.run(&mut out),
        Command::Health(health) => health.run(&mut out),
        Command::Rollout(rollout) => rollout.run(&mut out),
        Command::Token(token) => token.run(&mut out),
        Command::Schema(schema) => schema.run(&mut out),
        Command::Import(import) => import.run(&mut out),
        Command::Migrate(migrate) => migrate.run(&mut out),
        Command::Advise(advise) => advise.run(&mut out),
    };
    ExitCode::from(outcome.code())
}

impl Outcome {
    const fn code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Wrong => 1,
            Self::Misused => 2,
            Self::Failed => 3,
        }
    }
}

/// Writes what a command has to say. Who closed the pipe has read enough.
fn say(out: &mut impl Write, text: &str) {
    let _ = out.write_all(text.as_bytes());
}

/// Writes what went wrong.
fn complain(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// Says what is wrong with how the command was written.
fn misused(message: &str) -> Outcome {
    complain(&format!("{message}\n"));
    Outcome::Misused
}
