//! `weir control`: the control plane; and what operators ask of one that runs.

use std::io;
use std::net::SocketAddr;

use clap::{Args, Subcommand};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;

use crate::app::StartError;
use crate::app::control::ControlPlane;
use crate::cli::limits::ask::{Asked, Gateway};
use crate::cli::run::with_settings;
use crate::cli::{Outcome, complain, say};
use crate::configuration::source::{Environment, read_text};
use crate::control::operators::switched::Switched;
use crate::control::operators::{Publication, WentBack};
use crate::fault::render;
use crate::settings::{self, Loaded, Settings};
use crate::telemetry::outlets::Outlets;

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
    /// Publishes what the folder has, at once; it is found good first, as ever.
    Publish {
        /// Has the replicas of clusters behind gateways serve it all at once, instead of a few
        /// first; also if it is published already, and some serve it first at this moment.
        #[arg(long)]
        now: bool,
        /// Publishes it although it takes much away, or although somebody went back from it.
        #[arg(long, requires = "reason")]
        force: bool,
        /// Why; it is kept with the generation.
        #[arg(long)]
        reason: Option<String>,
        /// The first digits of the digest that is meant, as `/status` shows it (`withheld`); whatever
        /// is held back if not given.
        #[arg(long, value_name = "DIGITS", requires = "force")]
        digest: Option<String>,
        /// Where the control plane listens for operators; as the settings say if not given.
        #[arg(long, value_name = "ADDRESS")]
        admin: Option<String>,
    },
    /// Switches a policy, an API or an operation off at all gateways or at one, whatever they serve,
    /// until it is switched on again.
    Disable {
        #[command(flatten)]
        what: What,
        /// What is done instead of a policy: `skip` is as if it were not written, `refuse` fails its
        /// requests with 503.
        #[arg(long, value_parser = ["skip", "refuse"], required_if_eq("kind", "policy"))]
        instead: Option<String>,
        /// Why.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Switches on again what was switched off.
    Enable {
        #[command(flatten)]
        what: What,
    },
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

/// What is switched off or on.
#[derive(Debug, Args)]
struct What {
    /// What it is.
    #[arg(value_parser = ["policy", "api", "operation"])]
    kind: String,
    /// A policy's name, an API's id, or the ids of API and operation: `orders/list`.
    name: String,
    /// The gateway; all if not given.
    #[arg(long, value_name = "ID")]
    gateway: Option<String>,
    /// Where the control plane listens for operators; as the settings say if not given.
    #[arg(long, value_name = "ADDRESS")]
    admin: Option<String>,
}

impl What {
    /// Asks for it, with what else is `said`.
    fn ask(&self, path: &str, said: [(&str, Option<&String>); 2]) -> Outcome {
        let mut target = format!("/{path}?{}={}", self.kind, escaped(&self.name));
        for (name, value) in [("gateway", self.gateway.as_ref())].into_iter().chain(said) {
            if let Some(value) = value {
                target = format!("{target}&{name}={}", escaped(value));
            }
        }
        change(&target, self.admin.as_deref(), |Switched { off }| match off.join("\n  ") {
            none if none.is_empty() => "nothing is switched off\n".to_owned(),
            off => format!("switched off are\n  {off}\n"),
        })
    }
}

impl Control {
    /// Serves until the process is signalled, or asks.
    pub fn run(&self) -> Outcome {
        match &self.command {
            Some(Command::Rollback { to, admin }) => return go_back(*to, admin.as_deref()),
            Some(Command::Publish { now, force, reason, digest, admin }) => {
                let said = [
                    now.then(|| "now=true".to_owned()),
                    force.then(|| "force=true".to_owned()),
                    reason.as_ref().map(|reason| format!("reason={}", escaped(reason))),
                    digest.as_ref().map(|digest| format!("digest={}", escaped(digest))),
                ];
                let said: Vec<String> = said.into_iter().flatten().collect();
                return publish(&format!("/publish?{}", said.join("&")), admin.as_deref());
            }
            Some(Command::Disable { what, instead, reason }) => {
                let said = [("instead", instead.as_ref()), ("reason", reason.as_ref())];
                return what.ask("disable", said);
            }
            Some(Command::Enable { what }) => return what.ask("enable", [("", None), ("", None)]),
            None => (),
        }
        with_settings((self.help_settings, false), &self.settings, serve)
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

fn serve(settings: &Settings, environment: Environment, _outlets: &Outlets) -> Outcome {
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

fn escaped(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn publish(target: &str, admin: Option<&str>) -> Outcome {
    change(target, admin, |Publication { generation }| {
        format!("generation {generation} is published\n")
    })
}

fn go_back(to: Option<u64>, admin: Option<&str>) -> Outcome {
    let target = to.map_or_else(|| "/rollback".to_owned(), |to| format!("/rollback?to={to}"));
    change(&target, admin, |WentBack { generation, like }| {
        format!(
            "generation {generation} is published: it has the content of {like}. The folder is \
             passed over until it changes.\n"
        )
    })
}

/// Asks for a change, and says what came of it.
fn change<T: DeserializeOwned>(
    target: &str,
    admin: Option<&str>,
    told: impl Fn(T) -> String,
) -> Outcome {
    let control = match control_plane(admin) {
        Ok(control) => control,
        Err(outcome) => return outcome,
    };
    let Asked { status, body } = match control.post(target) {
        Ok(asked) => asked,
        Err(unasked) => {
            complain(&format!("{unasked}\n"));
            return Outcome::Failed;
        }
    };
    match serde_json::from_slice::<T>(&body) {
        Ok(done) if status == 200 => {
            say(&mut io::stdout().lock(), &told(done));
            Outcome::Fine
        }
        _ => {
            complain(&String::from_utf8_lossy(&body));
            Outcome::Wrong
        }
    }
}
