//! `weir status`: how a running gateway and its cluster, or a control plane and its gateways, are
//! doing, and waiting until every replica serves a generation; for people, and for pipelines by its
//! exit code.

mod plane;
mod text;
mod wait;

use std::io::Write;
use std::thread;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use serde_json::Value;

use crate::admin::findings;
use crate::admin::shape::Seen;
use crate::cli::check::Form;
use crate::cli::limits::ask::{Gateway, Unasked};
use crate::cli::limits::gateway;
use crate::cli::status::wait::{Verdict, judge};
use crate::cli::{Outcome, complain, misused, say};
use crate::control::findings as of_control;
use crate::control::shape;
use crate::time::{Clock, SystemClock, span};

/// How long to wait between two looks.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);
/// The longest that may be waited.
const WAIT_MAX: Duration = Duration::from_hours(24);

/// Shows how a running gateway and its cluster are doing, or a control plane and its gateways.
#[derive(Debug, Args)]
pub struct Status {
    /// The admin address of the gateway or control plane; that of a gateway with the settings here
    /// (`WEIR_SETTINGS`, `WEIR_LISTEN_ADMIN`) if not given.
    #[arg(long, value_name = "ADDRESS")]
    admin: Option<String>,
    /// How to say it.
    #[arg(long, value_enum, default_value_t = Form::Text)]
    format: Form,
    /// Waits until every replica serves this generation, or a later one; of a control plane, every
    /// one that is connected to it. Gives up (1) as soon as it is refused or taken back.
    #[arg(long, value_name = "GENERATION")]
    wait: Option<u64>,
    /// How long to wait: `30s`, `5m`.
    #[arg(long, value_name = "SPAN", default_value = "60s", value_parser = timeout)]
    timeout: Duration,
}

fn timeout(text: &str) -> Result<Duration, String> {
    let timeout = span(text).filter(|timeout| *timeout <= WAIT_MAX);
    timeout.ok_or_else(|| "expected a time of up to 24 h, such as 30s or 5m".to_owned())
}

/// What is told to machines.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Told<'a> {
    ok: bool,
    /// What became of the wait, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    wait: Option<Waited<'a>>,
    wrong: &'a [String],
    status: &'a Value,
}

/// What became of a wait.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Waited<'a> {
    generation: u64,
    /// `served`, `refused` or `late`.
    outcome: &'static str,
    /// Why it is not served, a sentence each.
    because: &'a [String],
}

/// What a gateway told.
struct Look {
    told: Value,
    seen: Asked,
}

/// Who was asked, and how it is doing.
enum Asked {
    Gateway(Box<Seen>),
    Control(Box<shape::Seen>),
}

impl Asked {
    fn of(told: &Value) -> Option<Self> {
        let gateway = Seen::of(told.clone()).map(|seen| Self::Gateway(Box::new(seen)));
        gateway.or_else(|| Some(Self::Control(Box::new(shape::Seen::of(told.clone())?))))
    }

    /// How many configurations it refused.
    fn refused(&self) -> u64 {
        match self {
            Self::Gateway(seen) => seen.configuration.refused,
            Self::Control(seen) => seen.refused,
        }
    }

    fn judge(&self, wanted: u64, refused_before: u64) -> Verdict {
        match self {
            Self::Gateway(seen) => judge(seen, wanted, refused_before),
            Self::Control(seen) => plane::judge(seen, wanted, refused_before),
        }
    }

    fn wrong(&self) -> Vec<String> {
        match self {
            Self::Gateway(seen) => findings::wrong(seen),
            Self::Control(seen) => of_control::wrong(seen),
        }
    }

    fn text(&self, wrong: &[String]) -> String {
        match self {
            Self::Gateway(seen) => text::status(seen, wrong),
            Self::Control(seen) => plane::status(seen, wrong),
        }
    }
}

impl Status {
    /// Asks, and says what was answered.
    pub fn run(&self, out: &mut impl Write) -> Outcome {
        let gateway = match gateway(self.admin.as_deref()) {
            Ok(gateway) => gateway,
            Err(message) => return misused(&message),
        };
        let looked = match self.wait {
            None => look(&gateway).map(|look| (look, None)),
            Some(generation) => self.wait_for(&gateway, generation),
        };
        match looked {
            Ok((look, verdict)) => self.tell(out, &look, verdict.as_ref()),
            Err(unasked) => {
                complain(&format!("{unasked}\n"));
                Outcome::Failed
            }
        }
    }

    /// Looks again and again, until it is served, or will not be, or the time is over.
    fn wait_for(
        &self,
        gateway: &Gateway,
        generation: u64,
    ) -> Result<(Look, Option<Verdict>), Unasked> {
        let clock = SystemClock::start();
        let begun = clock.now();
        let mut refused_before = None;
        loop {
            let looked = look(gateway).map(|look| {
                let before = *refused_before.get_or_insert(look.seen.refused());
                let verdict = look.seen.judge(generation, before);
                (look, Some(verdict))
            });
            let is_over = self.timeout <= clock.now().since(begun);
            match looked {
                // It may be about to start.
                Err(_) | Ok((_, Some(Verdict::NotYet(_)))) if !is_over => {
                    thread::sleep(LOOK_INTERVAL);
                }
                ended => return ended,
            }
        }
    }

    fn tell(&self, out: &mut impl Write, look: &Look, verdict: Option<&Verdict>) -> Outcome {
        let wrong = look.seen.wrong();
        let outcome = match verdict {
            Some(Verdict::Served) => Outcome::Fine,
            None if wrong.is_empty() => Outcome::Fine,
            Some(Verdict::Refused(_) | Verdict::NotYet(_)) | None => Outcome::Wrong,
        };
        match self.format {
            Form::Text => {
                say(out, &look.seen.text(&wrong));
                if let (Some(verdict), Some(generation)) = (verdict, self.wait) {
                    say(out, &text::waited(verdict, generation));
                }
            }
            Form::Json => {
                let wait = verdict.zip(self.wait).map(|(verdict, generation)| Waited {
                    generation,
                    outcome: verdict.name(),
                    because: verdict.because(),
                });
                let ok = outcome == Outcome::Fine;
                let told = Told { ok, wait, wrong: &wrong, status: &look.told };
                say(out, &serde_json::to_string_pretty(&told).unwrap_or_default());
                say(out, "\n");
            }
        }
        outcome
    }
}

fn look(gateway: &Gateway) -> Result<Look, Unasked> {
    let asked = gateway.get("/status")?;
    let told: Value = serde_json::from_slice(&asked.body).map_err(|_other| Unasked::Strange)?;
    let seen = Asked::of(&told).filter(|_seen| asked.status == 200);
    Ok(Look { seen: seen.ok_or(Unasked::Strange)?, told })
}
