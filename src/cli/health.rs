//! `weir health`: whether a gateway or a control plane that runs here is alive, or ready; for
//! containers, whose image has no shell and nothing else that could ask.

use std::io::Write;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::cli::limits::ask::{Asked, Gateway, Unasked};
use crate::cli::limits::gateway;
use crate::cli::{Outcome, complain, misused, say};
use crate::time::span;

/// The longest that an answer may be waited for.
const WAIT_MAX: Duration = Duration::from_mins(1);

/// Whether the gateway or control plane here is ready, or alive: a probe for containers.
#[derive(Debug, Args)]
pub struct Health {
    /// What is asked.
    #[arg(value_enum, default_value_t = Question::Ready)]
    question: Question,
    /// The admin address; that of a gateway with the settings here (`WEIR_SETTINGS`,
    /// `WEIR_LISTEN_ADMIN`) if not given. A control plane has 127.0.0.1:8083 unless
    /// `control.admin` says otherwise.
    #[arg(long, value_name = "ADDRESS")]
    admin: Option<String>,
    /// How long to wait for the connection, and again for the answer.
    #[arg(long, value_name = "SPAN", default_value = "2s", value_parser = timeout)]
    timeout: Duration,
}

/// What can be asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Question {
    /// Whether it can take requests: not before it has a configuration, nor while it drains.
    Ready,
    /// Whether it answers at all.
    Live,
}

fn timeout(text: &str) -> Result<Duration, String> {
    let timeout = span(text).filter(|timeout| !timeout.is_zero() && *timeout <= WAIT_MAX);
    timeout.ok_or_else(|| "expected a time of up to 1 m, such as 500ms or 2s".to_owned())
}

impl Question {
    const fn target(self) -> &'static str {
        match self {
            Self::Ready => "/readyz",
            Self::Live => "/livez",
        }
    }
}

impl Health {
    /// Asks, and says what was answered.
    pub fn run(&self, out: &mut impl Write) -> Outcome {
        match gateway(self.admin.as_deref()) {
            Ok(gateway) => self.ask(&gateway, out),
            Err(message) => misused(&message),
        }
    }

    fn ask(&self, gateway: &Gateway, out: &mut impl Write) -> Outcome {
        let unasked = match gateway.get_within(self.question.target(), self.timeout) {
            Ok(Asked { status: 200, body }) => return told(out, &body, Outcome::Fine),
            Ok(Asked { status: 503, body }) => return told(out, &body, Outcome::Wrong),
            Ok(_other) => Unasked::Strange,
            Err(unasked) => unasked,
        };
        complain(&format!("{unasked}\n"));
        Outcome::Failed
    }
}

/// What it says of itself is what who looks at the container wants to know.
fn told(out: &mut impl Write, body: &[u8], outcome: Outcome) -> Outcome {
    say(out, &String::from_utf8_lossy(body));
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_to_wait_is_neither_nothing_nor_endless() {
        assert_eq!(timeout("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(timeout("1m"), Ok(WAIT_MAX));
        for wrong in ["0s", "61s", "soon", ""] {
            assert!(timeout(wrong).is_err(), "{wrong}");
        }
    }
}
