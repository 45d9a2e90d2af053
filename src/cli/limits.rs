//! `weir limits`: who is near to a limit, one counter in full, setting one back, and what all limits
//! admit at most; asked of a running gateway.

pub(super) mod ask;
pub(super) mod table;

use std::io::{self, BufRead, IsTerminal, Write};

use clap::{Args, Subcommand};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::admin::limits::TOP_USUAL;
use crate::admin::limits::shape::{Bounds, ResetDone, Shown, Top};
use crate::admin::refusal::Refusal;
use crate::cli::check::Form;
use crate::cli::limits::ask::{Asked, Gateway, Unasked};
use crate::cli::{Outcome, complain, misused, say};
use crate::configuration::source::{Environment, read_text};
use crate::counters::view::ROWS_MAX;
use crate::fault::render;
use crate::settings;

/// Shows and resets the limits of a running gateway.
#[derive(Debug, Args)]
pub struct Limits {
    #[command(subcommand)]
    command: Command,
    /// The admin address of the gateway; that of the settings (`WEIR_SETTINGS`,
    /// `WEIR_LISTEN_ADMIN`) if not given.
    #[arg(long, value_name = "ADDRESS", global = true)]
    admin: Option<String>,
    /// How to say it.
    #[arg(long, value_enum, default_value_t = Form::Text, global = true)]
    format: Form,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The keys nearest to their limits, or over them, as this replica sees them.
    Top {
        /// How many.
        #[arg(short = 'n', long, default_value_t = TOP_USUAL, value_parser = count)]
        count: usize,
    },
    /// One key in full.
    Show {
        /// The first digits of its digest, as `top` shows them.
        key: String,
    },
    /// Sets the counters of one key back, for all replicas.
    Reset {
        /// The first digits of its digest, as `top` shows them.
        key: String,
        /// Does not ask whether it is meant.
        #[arg(short = 'y', long)]
        yes: bool,
    },
    /// What every limit of the configuration admits at most.
    Bound,
}

fn count(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| (1..=ROWS_MAX).contains(count));
    count.ok_or_else(|| format!("expected a number from 1 to {ROWS_MAX}"))
}

/// Why a command ends before it is done.
pub(super) enum Stop {
    /// What was asked for is not as it should be.
    Refused(Refusal),
    /// The command is wrong.
    Misused(String),
    /// The gateway could not be asked.
    Unasked(Unasked),
}

impl Stop {
    /// Says why; how the command ended.
    pub(super) fn tell(self) -> Outcome {
        match self {
            Self::Misused(message) => misused(&message),
            Self::Unasked(unasked) => {
                complain(&format!("{unasked}\n"));
                Outcome::Failed
            }
            Self::Refused(refusal) => {
                complain(&table::refusal(&refusal));
                if refusal.status == 400 { Outcome::Misused } else { Outcome::Wrong }
            }
        }
    }
}

impl Limits {
    /// Asks, and says what was answered.
    pub fn run(&self, out: &mut impl Write) -> Outcome {
        self.answer(out).unwrap_or_else(Stop::tell)
    }

    fn answer(&self, out: &mut impl Write) -> Result<Outcome, Stop> {
        let gateway = gateway(self.admin.as_deref()).map_err(Stop::Misused)?;
        match &self.command {
            Command::Top { count } => {
                let top: Top = read(gateway.get(&format!("/limits?top={count}")))?;
                self.tell(out, &top, table::top);
            }
            Command::Show { key } => {
                let shown: Shown = read(gateway.get(&format!("/limits/{}", digits(key)?)))?;
                self.tell(out, &shown, table::shown);
            }
            Command::Bound => {
                let bounds: Bounds = read(gateway.get("/limits/bound"))?;
                self.tell(out, &bounds, table::bounds);
            }
            Command::Reset { key, yes } => {
                let shown: Shown = read(gateway.get(&format!("/limits/{}", digits(key)?)))?;
                if !*yes && !is_meant(&shown)? {
                    complain("nothing was reset\n");
                    return Ok(Outcome::Wrong);
                }
                let done: ResetDone = read(gateway.post(&format!("/limits/{}/reset", shown.key)))?;
                self.tell(out, &done, table::done);
            }
        }
        Ok(Outcome::Fine)
    }

    fn tell<T: Serialize>(&self, out: &mut impl Write, told: &T, text: impl Fn(&T) -> String) {
        match self.format {
            Form::Text => say(out, &text(told)),
            Form::Json => {
                say(out, &serde_json::to_string_pretty(told).unwrap_or_default());
                say(out, "\n");
            }
        }
    }
}

/// The gateway that is asked: the one at `admin`, else the one of the settings. An error is a
/// sentence for who wrote the command.
pub(super) fn gateway(admin: Option<&str>) -> Result<Gateway, String> {
    if let Some(admin) = admin {
        return Ok(Gateway::at(admin));
    }
    let loaded = settings::load(&[], &Environment::of_process(), read_text);
    let settings = loaded.settings.map_err(|faults| {
        let faults = faults.iter().map(|fault| render(fault, &loaded.sources));
        faults.collect::<Vec<_>>().join("\n")
    })?;
    settings.listen.admin.map(Gateway::of).ok_or_else(|| {
        let remedy = "say with --admin where another gateway listens for operators";
        format!("`listen.admin` is off in the settings: {remedy}")
    })
}

/// A key, which is part of a path.
fn digits(key: &str) -> Result<&str, Stop> {
    let is_key = !key.is_empty() && key.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_key.then_some(key).ok_or_else(|| {
        Stop::Misused(format!(
            "`{key}` is no key: write the first hexadecimal digits that `weir limits top` shows"
        ))
    })
}

/// What the gateway answered.
pub(super) fn read<T: DeserializeOwned>(asked: Result<Asked, Unasked>) -> Result<T, Stop> {
    let Asked { status, body } = asked.map_err(Stop::Unasked)?;
    if status == 200 {
        return serde_json::from_slice(&body).map_err(|_other| Stop::Unasked(Unasked::Strange));
    }
    match serde_json::from_slice::<Refusal>(&body) {
        Ok(refusal) => Err(Stop::Refused(refusal)),
        Err(_other) => Err(Stop::Unasked(Unasked::Strange)),
    }
}

/// Whether whoever sits at the terminal means it.
fn is_meant(shown: &Shown) -> Result<bool, Stop> {
    if !io::stdin().is_terminal() {
        let remedy = "say with --yes that it is meant: there is no terminal to ask at";
        return Err(Stop::Misused(remedy.to_owned()));
    }
    complain(&table::shown(shown));
    complain("reset this over all replicas? [y/N] ");
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line);
    let is_yes = ["y", "yes"].contains(&line.trim().to_ascii_lowercase().as_str());
    Ok(read.is_ok() && is_yes)
}
