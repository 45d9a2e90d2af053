//! `weir rollout`: what operators want of the replicas that share a configuration. Any of them can
//! be asked; the leader does it.

use std::io::Write;

use clap::{Args, Subcommand};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::admin::refusal::Refusal;
use crate::admin::shape::RolloutDone;
use crate::cli::limits::ask::{Asked, Unasked};
use crate::cli::limits::{gateway, table};
use crate::cli::{Outcome, complain, misused, say};

/// Changes how a configuration reaches the replicas of a cluster.
#[derive(Debug, Args)]
pub struct Rollout {
    #[command(subcommand)]
    command: Command,
    /// The admin address of any of the replicas; that of the settings (`WEIR_SETTINGS`,
    /// `WEIR_LISTEN_ADMIN`) if not given.
    #[arg(long, value_name = "ADDRESS", global = true)]
    admin: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// All replicas serve at once what some serve first. It was found good; nothing else of it is
    /// waited for.
    Now {
        /// The generation that is meant; the one in force if not given.
        #[arg(long, value_name = "GENERATION")]
        generation: Option<u64>,
    },
    /// Publishes what is held back because it takes too much away, or because it was taken back.
    Force {
        /// Why; it is kept with the generation.
        #[arg(long)]
        reason: String,
        /// The first digits of the digest that is meant, as `/status` shows it; whatever is held
        /// back if not given.
        #[arg(long, value_name = "DIGITS")]
        digest: Option<String>,
    },
    /// All replicas go back to the generation before, at once, as a new generation. What the source
    /// has is not published until it changes.
    Back {
        /// The generation to go back to.
        #[arg(long, value_name = "GENERATION")]
        to: Option<u64>,
        /// Why.
        #[arg(long)]
        reason: Option<String>,
    },
}

impl Rollout {
    /// Asks, and says what was answered.
    pub fn run(&self, out: &mut impl Write) -> Outcome {
        let gateway = match gateway(self.admin.as_deref()) {
            Ok(gateway) => gateway,
            Err(message) => return misused(&message),
        };
        let Asked { status, body } = match gateway.post(&self.command.target()) {
            Ok(asked) => asked,
            Err(unasked) => return failed(&unasked),
        };
        if status == 200
            && let Ok(done) = serde_json::from_slice::<RolloutDone>(&body)
        {
            say(out, &format!("{}\n", done.outcome));
            return Outcome::Fine;
        }
        match serde_json::from_slice::<Refusal>(&body) {
            Ok(refusal) => {
                complain(&table::refusal(&refusal));
                match refusal.status {
                    400 => Outcome::Misused,
                    503 => Outcome::Failed,
                    _ => Outcome::Wrong,
                }
            }
            Err(_other) => failed(&Unasked::Strange),
        }
    }
}

impl Command {
    /// What is asked for.
    fn target(&self) -> String {
        let text = |text: &String| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let number = |number: &u64| number.to_string();
        let (what, said) = match self {
            Self::Now { generation } => {
                ("now", vec![("generation", generation.as_ref().map(number))])
            }
            Self::Force { reason, digest } => {
                let digest = digest.as_ref().map(text);
                ("force", vec![("reason", Some(text(reason))), ("digest", digest)])
            }
            Self::Back { to, reason } => {
                let reason = reason.as_ref().map(text);
                ("back", vec![("to", to.as_ref().map(number)), ("reason", reason)])
            }
        };
        let said = said.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", value?)));
        format!("/rollout/{what}?{}", said.collect::<Vec<_>>().join("&"))
    }
}

fn failed(unasked: &Unasked) -> Outcome {
    complain(&format!("{unasked}\n"));
    Outcome::Failed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_travels_whole() {
        let reason = "a & b: 100 %?".to_owned();
        let force = Command::Force { reason, digest: Some("ab12".to_owned()) };
        assert_eq!(
            force.target(),
            "/rollout/force?reason=a%20%26%20b%3A%20100%20%25%3F&digest=ab12"
        );
        assert_eq!(Command::Back { to: None, reason: None }.target(), "/rollout/back?");
        assert_eq!(Command::Now { generation: Some(7) }.target(), "/rollout/now?generation=7");
    }
}
