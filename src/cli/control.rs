//! `weir control`: the control plane; and what operators ask of one that runs.

use std::io;
use std::net::SocketAddr;

use clap::{Args, Subcommand};

use crate::app::StartError;
use crate::app::control::ControlPlane;
use crate::cli::limits::ask::{Asked, Gateway};
use crate::cli::run::{begun, described};
use crate::cli::{Outcome, complain, say};
use crate::configuration::source::{Environment, read_text};
use crate::control::operators::WentBack;
use crate::fault::render;
use crate::settings::{self, Loaded, Settings};

/// Serves configurations to gateways: `weir control --config FOLDER`.
///
/// Settings are written as for `weir run`; those that begin with `control.` are about this command.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Control {
    #[command(subcommand)]
    command: Option<Command>,
    /// Prints every setting with its default, its meaning and its names, and ends.
    #[arg(long)]
    help_settings: bool,
    /// Settings as flags: `--config config/sample`, `--control-keys-file keys.yaml`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "SETTING VALUE")]
    settings: Vec<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Publishes a former configuration again, as the next generation. The folder is passed over
    /// from then on, until it changes.
    Rollback {
        /// The generation whose content is wanted; the one before if not given.
        #[arg(long, value_name = "GENERATION")]
        to: Option<u64>,
        /// Where the control plane listens for operators; as the settings say if not given.
        #[arg(long, value_name = "ADDRESS")]
        admin: Option<String>,
    },
}

impl Control {
    /// Serves until the process is signalled, or asks.
    pub fn run(&self) -> Outcome {
        if let Some(Command::Rollback { to, admin }) = &self.command {
            return go_back(*to, admin.as_deref());
        }
        if self.help_settings {
            say(&mut io::stdout().lock(), &described());
            return Outcome::Fine;
        }
        let environment = Environment::of_process();
        match begun(&self.settings, &environment) {
            Ok(settings) => serve(&settings, environment),
            Err(outcome) => outcome,
        }
    }
}

/// The settings of a control plane that runs, as far as they are those of this process.
fn usual() -> Result<Settings, Outcome> {
    let Loaded { settings, sources, .. } =
        settings::load(&[], &Environment::of_process(), read_text);
    settings.map_err(|faults| {
        for fault in faults {
            complain(&(render(&fault, &sources) + "\n"));
        }
        Outcome::Misused
    })
}

fn serve(settings: &Settings, environment: Environment) -> Outcome {
    let shown = |address: Option<SocketAddr>| {
        address.map_or_else(|| "off".to_owned(), |address| address.to_string())
    };
    let served = ControlPlane::start(settings, environment).and_then(|control| {
        tracing::info!(
            gateways = control.listening.gateways.to_string(),
            admin = shown(control.listening.admin),
            version = env!("CARGO_PKG_VERSION"),
            "weir controls"
        );
        control.run()
    });
    match served {
        Ok(()) => Outcome::Fine,
        Err(error) => {
            complain(&format!("weir control does not start: {error}\n"));
            if matches!(error, StartError::Control(_)) { Outcome::Misused } else { Outcome::Failed }
        }
    }
}

/// Where operators ask.
fn control_plane(admin: Option<&str>) -> Result<Gateway, Outcome> {
    if let Some(admin) = admin {
        return Ok(Gateway::at(admin));
    }
    let settings = usual()?;
    settings.control.admin.map(Gateway::of).ok_or_else(|| {
        complain("`control.admin` is off in the settings: say where with --admin\n");
        Outcome::Misused
    })
}

fn go_back(to: Option<u64>, admin: Option<&str>) -> Outcome {
    let control = match control_plane(admin) {
        Ok(control) => control,
        Err(outcome) => return outcome,
    };
    let target = to.map_or_else(|| "/rollback".to_owned(), |to| format!("/rollback?to={to}"));
    let Asked { status, body } = match control.post(&target) {
        Ok(asked) => asked,
        Err(unasked) => {
            complain(&format!("{unasked}\n"));
            return Outcome::Failed;
        }
    };
    match serde_json::from_slice::<WentBack>(&body) {
        Ok(WentBack { generation, like }) if status == 200 => {
            let told = format!(
                "generation {generation} is published: it has the content of {like}. The folder is \
                 passed over until it changes.\n"
            );
            say(&mut io::stdout().lock(), &told);
            Outcome::Fine
        }
        _ => {
            complain(&String::from_utf8_lossy(&body));
            Outcome::Wrong
        }
    }
}
