//! `weir run`: settings, the first configuration, listeners, and then requests.

use std::io::{self, IsTerminal};
use std::sync::Arc;

use clap::Args;

use crate::app::{self, App, StartError};
use crate::cli::{Outcome, complain, say};
use crate::configuration::refresh::report;
use crate::configuration::source::{Environment, read_text};
use crate::fault::render;
use crate::settings::{self, LogColor, LogLevel, Sampler, Settings, table};
use crate::telemetry::events::{Collected, Events, Look};
use crate::telemetry::otlp::log::Logs;
use crate::telemetry::outlets::Outlets;

/// Serves a configuration: `weir run --config FOLDER`.
///
/// Every setting is a flag, a variable of the environment and a key of the settings file, which
/// `--settings FILE` or the variable `WEIR_SETTINGS` names; a flag counts before a variable, and
/// that before the file. `weir run --help-settings` lists them all.
#[derive(Debug, Args)]
pub struct Run {
    /// Prints every setting with its default, its meaning and its names, and ends.
    #[arg(long)]
    help_settings: bool,
    /// Settings as flags: `--config config/sample`, `--settings weir.yaml`,
    /// `--listen-http 127.0.0.1:8080`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "SETTING VALUE")]
    settings: Vec<String>,
}

impl Run {
    /// Runs until the process is signalled.
    pub fn run(&self) -> Outcome {
        with_settings((self.help_settings, true), &self.settings, serve)
    }
}

/// Tells of all settings, if that is `asked` for; else serves with those that `words` and
/// everything else say. Whether it sends what is recorded to a collector, `collects` says.
pub(super) fn with_settings(
    (asked, collects): (bool, bool),
    words: &[String],
    serve: impl FnOnce(&Settings, Environment, &Outlets) -> Outcome,
) -> Outcome {
    if asked {
        say(&mut io::stdout().lock(), &described());
        return Outcome::Fine;
    }
    let environment = Environment::of_process();
    match begun(words, &environment, collects) {
        Ok((settings, outlets, events)) => {
            let outcome = serve(&settings, environment, &outlets);
            // Also what was said before an early end is written.
            drop(events);
            outcome
        }
        Err(outcome) => outcome,
    }
}

/// Settings, where what is recorded goes, and what writes events.
type Begun = (Settings, Outlets, Events);

/// Settings from flags and from everywhere else, and the log as they want it; what is wrong with
/// them is told.
fn begun(words: &[String], environment: &Environment, collects: bool) -> Result<Begun, Outcome> {
    let flags = pairs(words).map_err(|message| {
        complain(&message);
        Outcome::Misused
    })?;
    let loaded = settings::load(&flags, environment, read_text);
    let settings = loaded.settings.map_err(|faults| {
        for fault in faults {
            complain(&(render(&fault, &loaded.sources) + "\n"));
        }
        Outcome::Misused
    })?;
    let outputs = app::logs::start(&settings).and_then(|local| {
        let outlets = Outlets { local, ..Outlets::default() };
        Ok((
            Events::start(
                look(&settings),
                collected(&settings, &outlets).filter(|_it| collects),
                outlets.local.clone(),
            )?,
            outlets,
        ))
    });
    let (events, outlets) = outputs.map_err(|error| failed(&StartError::System(error)))?;
    if !collects && settings.telemetry.collector().is_some() {
        tracing::warn!(
            "telemetry.otlp.endpoint is for gateways: a control plane sends nothing there"
        );
    }
    for ignored in &loaded.ignored {
        tracing::info!(setting = ignored.name, reason = ignored.reason, "setting ignored");
    }
    Ok((settings, outlets, events))
}

/// How events are told.
fn look(settings: &Settings) -> Look {
    Look { format: app::format(settings), level: level(settings), color: color(settings) }
}

/// What a collector gets of them, if there is one.
fn collected(settings: &Settings, Outlets { outboxes, .. }: &Outlets) -> Option<Collected> {
    settings.telemetry.collector().map(|_url| Collected {
        spans: (settings.telemetry.traces.sampler != Sampler::Off)
            .then(|| Arc::clone(&outboxes.spans)),
        logs: settings.telemetry.logs.then(|| Logs::new(Arc::clone(&outboxes.logs))),
    })
}

fn serve(settings: &Settings, environment: Environment, outlets: &Outlets) -> Outcome {
    match App::start(settings, environment, outlets) {
        Ok(app) => {
            let shown = |address: Option<std::net::SocketAddr>| {
                address.map_or_else(|| "off".to_owned(), |address| address.to_string())
            };
            tracing::info!(
                http = shown(app.listening.http),
                https = shown(app.listening.https),
                admin = shown(app.listening.admin),
                apis = app.apis,
                version = env!("CARGO_PKG_VERSION"),
                "weir serves"
            );
            match app.run() {
                Ok(()) => Outcome::Fine,
                Err(error) => failed(&error),
            }
        }
        Err(StartError::Configuration(refusal)) => {
            complain(&report(&refusal));
            let folder = settings.configuration.folder.display();
            complain(&format!("\nweir does not start: the configuration in {folder} is refused\n"));
            Outcome::Wrong
        }
        Err(error) => failed(&error),
    }
}

fn failed(error: &StartError) -> Outcome {
    complain(&format!("weir does not start: {error}\n"));
    Outcome::Failed
}

/// `--name value` and `--name=value`, as names and values.
fn pairs(words: &[String]) -> Result<Vec<(String, String)>, String> {
    let mut pairs = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let Some(flag) = word.strip_prefix("--") else {
            return Err(format!("`{word}` is no flag: settings are written --name value\n"));
        };
        let (name, value) = match flag.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (flag, words.next().cloned()),
        };
        let value = value.ok_or_else(|| format!("--{flag} has no value\n"))?;
        pairs.push((name.to_owned(), value));
    }
    Ok(pairs)
}

pub(super) fn described() -> String {
    let row = |row: &table::Row| {
        format!(
            "{} = {}\n    {}\n    --{}  {}\n",
            row.name,
            row.default,
            row.meaning,
            row.flag(),
            row.variable()
        )
    };
    let file = format!(
        "a settings file, with the names below as keys, is named by\n    --{}  {}\n\
         --config FOLDER is short for --configuration-folder FOLDER\n\n",
        settings::FILE_FLAG,
        settings::FILE_VARIABLE,
    );
    file + &table::ROWS.iter().map(row).collect::<String>()
}

const fn level(settings: &Settings) -> &'static str {
    match settings.log.level {
        LogLevel::All => "trace",
        LogLevel::Debug => "debug",
        LogLevel::Info => "info",
        LogLevel::Warn => "warn",
        LogLevel::Error | LogLevel::Fatal => "error",
    }
}

fn color(settings: &Settings) -> bool {
    match settings.log.color {
        LogColor::Auto => io::stderr().is_terminal(),
        LogColor::Always => true,
        LogColor::Never => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_settings_names_the_settings_file_and_every_flag() {
        let text = described();
        assert!(text.contains("--settings  WEIR_SETTINGS"), "{text}");
        for row in table::ROWS {
            assert!(text.contains(&format!("--{}  {}", row.flag(), row.variable())), "{text}");
        }
    }

    #[test]
    fn flags_come_with_values() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let read = pairs(&words("--listen-http=1 --threads 2")).unwrap();
        let own = |text: &str| text.to_owned();
        assert_eq!(read, [(own("listen-http"), own("1")), (own("threads"), own("2"))]);
        assert!(pairs(&words("--threads")).is_err());
        assert!(pairs(&words("threads 2")).is_err());
    }
}
