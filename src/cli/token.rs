//! `weir token`: makes, looks at and revokes the tokens that gateways show the control plane, and
//! replaces the keys that sign them.
//!
//! What a pipeline wants to have stands on the standard output, and nothing else; what a person
//! wants to know, on the other.

mod inspect;

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use openssl::rand::rand_bytes;

use crate::cli::check::Form;
use crate::cli::{Outcome, complain, misused, say};
use crate::configuration::gateway_keys::{KeysFile, Missing, Unusable};
use crate::fault::{Sources, render};
use crate::secret::Secret;
use crate::time::{Clock, SystemClock, Timestamp, date, span, words};
use crate::token::key::{KEY_BYTES_USUAL, Key, Which};
use crate::token::name::GatewayName;
use crate::token::ring::{Gateway, Ring, Unchanged};
use crate::token::{LIFETIME_MAX, LIFETIME_MIN, TOKEN_BYTES_MAX, Unmade};

/// Makes, looks at and revokes tokens of gateways, and replaces the keys that sign them.
#[derive(Debug, Args)]
pub struct Token {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Prints a new token.
    Create {
        /// Whose it is.
        #[arg(long, value_name = "NAME", value_parser = GatewayName::parse)]
        gateway: GatewayName,
        /// Which of the gateway's keys signs it.
        #[arg(long, value_enum, default_value_t = KeyName::Primary)]
        key: KeyName,
        /// For how long it is good: `30d`, `12h`, `45m`; 30 days at most.
        #[arg(long, value_name = "TIME", default_value = "30d", value_parser = lifetime,
            allow_hyphen_values = true)]
        expires: Duration,
        /// The file of keys.
        #[arg(long, value_name = "FILE")]
        keys: PathBuf,
    },
    /// Says whose a token is and until when it is good; with the keys, also whether it is.
    Inspect {
        /// The token, or `-` to read it from the standard input, where nobody sees it pass by.
        token: Typed,
        /// The file of keys.
        #[arg(long, value_name = "FILE")]
        keys: Option<PathBuf>,
        /// How to say it.
        #[arg(long, value_enum, default_value_t = Form::Text)]
        format: Form,
    },
    /// Makes one token good for nothing.
    Revoke {
        /// The token, or `-` to read it from the standard input, where nobody sees it pass by.
        token: Typed,
        /// The file of keys.
        #[arg(long, value_name = "FILE")]
        keys: PathBuf,
    },
    /// Replaces a key: every token that the old one signed is good for nothing from then on.
    Rotate {
        /// Whose key.
        #[arg(long, value_name = "NAME", value_parser = GatewayName::parse)]
        gateway: GatewayName,
        /// Which key.
        #[arg(long, value_enum, required_unless_present = "new")]
        key: Option<KeyName>,
        /// Makes both keys of a gateway that has none yet, and the file if it is missing.
        #[arg(long, conflicts_with = "key")]
        new: bool,
        /// The file of keys.
        #[arg(long, value_name = "FILE")]
        keys: PathBuf,
    },
}

/// Which of the two keys of a gateway.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum KeyName {
    /// The first.
    Primary,
    /// The second.
    Secondary,
}

/// A token as it was typed.
#[derive(Clone, Debug)]
struct Typed(Secret);

impl From<String> for Typed {
    fn from(text: String) -> Self {
        Self(Secret::new(text))
    }
}

impl KeyName {
    const fn which(self) -> Which {
        match self {
            Self::Primary => Which::Primary,
            Self::Secondary => Which::Secondary,
        }
    }
}

fn lifetime(text: &str) -> Result<Duration, String> {
    let lifetime = span(text).filter(|span| (LIFETIME_MIN..=LIFETIME_MAX).contains(span));
    lifetime.ok_or_else(|| "expected a time from 1m to 30d, such as 30d, 12h or 45m".to_owned())
}

/// Why a command ends before it is done.
enum Stop {
    /// What was looked at is not as it should be.
    Wrong(String),
    /// The command is wrong, or its files are.
    Misused(String),
}

impl Token {
    /// Does what is asked.
    pub fn run(&self, out: &mut impl Write) -> Outcome {
        let now = SystemClock::start().now();
        match self.answer(now, out) {
            Ok(outcome) => outcome,
            Err(Stop::Wrong(message)) => {
                complain(&format!("{message}\n"));
                Outcome::Wrong
            }
            Err(Stop::Misused(message)) => misused(&message),
        }
    }

    fn answer(&self, now: Timestamp, out: &mut impl Write) -> Result<Outcome, Stop> {
        match &self.command {
            Command::Create { gateway, key, expires, keys } => {
                let made = create(&KeysFile::at(keys), gateway, key.which(), now, *expires)?;
                say(out, &format!("{}\n", made.expose()));
                Ok(Outcome::Fine)
            }
            Command::Inspect { token, keys, format } => {
                let text = token.read()?;
                let ring = keys.as_ref().map(|path| keys_of(&KeysFile::at(path))).transpose()?;
                Ok(inspect::inspect(&text, ring.as_ref(), now, *format, out))
            }
            Command::Revoke { token, keys } => {
                revoke(&KeysFile::at(keys), &token.read()?, now)?;
                Ok(Outcome::Fine)
            }
            Command::Rotate { gateway, key, keys, .. } => {
                let file = KeysFile::at(keys);
                match key {
                    Some(key) => rotate(&file, gateway, key.which(), now)?,
                    None => begin(&file, gateway)?,
                }
                Ok(Outcome::Fine)
            }
        }
    }
}

impl Typed {
    /// The token itself.
    fn read(&self) -> Result<Secret, Stop> {
        if self.0.expose() != "-" {
            return Ok(Secret::new(self.0.expose().trim_ascii()));
        }
        // White space around it is more than enough room for what else may come.
        let bytes_max = u64::try_from(TOKEN_BYTES_MAX).unwrap_or(u64::MAX).saturating_mul(2);
        let mut text = String::new();
        let read = io::stdin().lock().take(bytes_max).read_to_string(&mut text);
        let text = Secret::new(text);
        match read {
            Ok(_bytes) => Ok(Secret::new(text.expose().trim_ascii())),
            Err(error) => Err(Stop::Misused(format!("the standard input has no token: {error}"))),
        }
    }
}

fn create(
    file: &KeysFile,
    gateway: &GatewayName,
    which: Which,
    now: Timestamp,
    lifetime: Duration,
) -> Result<Secret, Stop> {
    let ring = keys_of(file)?;
    let token = ring.create(gateway, which, now, lifetime).map_err(|unmade| match unmade {
        Unmade::UnknownGateway => unknown(gateway),
        Unmade::AllRevoked => Stop::Wrong(unmade.to_string()),
        Unmade::TooLong | Unmade::TooShort | Unmade::TooFar | Unmade::Unsigned(_) => {
            Stop::Misused(unmade.to_string())
        }
    })?;
    let (end, which) = (token.expiry().at(), which.word());
    complain(&format!(
        "this token of {gateway}, signed with its {which} key, is good until {}, for {}; its id is {}\n",
        date(end),
        words(end.since(now)),
        token.id(),
    ));
    Ok(token.text())
}

fn revoke(file: &KeysFile, text: &Secret, now: Timestamp) -> Result<(), Stop> {
    let outcome = changed(file, Missing::Refused, |ring| ring.revoke(text.expose(), now))?;
    let (token, is_new) = outcome.map_err(|unchanged| Stop::Wrong(unchanged.to_string()))?;
    let (gateway, id) = (token.gateway(), token.id());
    complain(&if is_new {
        format!("the token {id} of {gateway} is good for nothing any more\n")
    } else {
        format!("the token {id} of {gateway} was revoked already\n")
    });
    Ok(())
}

fn rotate(
    file: &KeysFile,
    gateway: &GatewayName,
    which: Which,
    now: Timestamp,
) -> Result<(), Stop> {
    let key = random_key()?;
    let outcome = changed(file, Missing::Refused, |ring| ring.rotate(gateway, which, key, now))?;
    outcome.map_err(|unchanged| {
        if unchanged == Unchanged::UnknownGateway {
            unknown(gateway)
        } else {
            Stop::Wrong(unchanged.to_string())
        }
    })?;
    complain(&format!(
        "{gateway} has a new {} key: tokens that the old one signed are good for nothing any more\n",
        which.word(),
    ));
    Ok(())
}

/// Makes the keys of a gateway that has none.
fn begin(file: &KeysFile, gateway: &GatewayName) -> Result<(), Stop> {
    let (primary, secondary) = (random_key()?, random_key()?);
    let add = |ring: &mut Ring| ring.add(gateway.clone(), Gateway::with(primary, secondary)?);
    changed(file, Missing::Made, add)?.map_err(|unchanged| {
        let remedy = if unchanged == Unchanged::KnownGateway {
            ": replace one with --key primary or --key secondary"
        } else {
            ""
        };
        Stop::Wrong(format!("{unchanged}{remedy}"))
    })?;
    complain(&format!(
        "{gateway} has keys now: `weir token create --gateway {gateway} --keys {}` makes its token\n",
        file.path().display(),
    ));
    Ok(())
}

fn unknown(gateway: &GatewayName) -> Stop {
    Stop::Wrong(format!(
        "there are no keys of {gateway}: `weir token rotate --gateway {gateway} --new` makes them"
    ))
}

fn keys_of(file: &KeysFile) -> Result<Ring, Stop> {
    let ring = file.read().map_err(|why| unusable(&why))?;
    warn_of_others(file);
    Ok(ring)
}

fn changed<T>(
    file: &KeysFile,
    missing: Missing,
    change: impl FnOnce(&mut Ring) -> Result<T, Unchanged>,
) -> Result<Result<T, Unchanged>, Stop> {
    let outcome = file.change(missing, change).map_err(|why| unusable(&why))?;
    warn_of_others(file);
    Ok(outcome)
}

fn warn_of_others(file: &KeysFile) {
    if file.is_open_to_others() {
        let path = file.path().display();
        complain(&format!("everybody on this machine may read {path}: chmod o-rwx {path}\n"));
    }
}

fn unusable(unusable: &Unusable) -> Stop {
    // The lines of the file are not shown: keys stand in them.
    let faults = match unusable {
        Unusable::Wrong { faults, .. } => faults.as_slice(),
        Unusable::Busy { .. } | Unusable::Unwritable { .. } => &[],
    };
    let faults: String = faults.iter().map(|fault| render(fault, &Sources::default())).collect();
    Stop::Misused(format!("{faults}{unusable}"))
}

fn random_key() -> Result<Key, Stop> {
    let mut bytes = [0; KEY_BYTES_USUAL];
    let filled = rand_bytes(&mut bytes).map_err(|error| error.to_string());
    let key = filled.and_then(|()| Key::of(&bytes).map_err(|weak| weak.to_string()));
    key.map_err(|error| Stop::Misused(format!("the system has no random numbers: {error}")))
}
