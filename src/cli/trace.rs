//! `weir trace`: what one request went through in a running gateway, and credentials to find out.

mod call;
mod text;

use std::io::Write;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::admin::inspector::{Credential, Latest, Wanted};
use crate::cli::limits::ask::Gateway;
use crate::cli::limits::{Stop, gateway, read};
use crate::cli::trace::call::{Answered, Call};
use crate::cli::{Outcome, complain, say};
use crate::inspector::shape::Document;

/// Shows what requests went through.
#[derive(Debug, Args)]
pub struct Trace {
    #[command(subcommand)]
    command: Command,
    /// The admin address of the gateway, of any replica that shares a Redis; that of the settings
    /// (`WEIR_SETTINGS`, `WEIR_LISTEN_ADMIN`) if not given.
    #[arg(long, value_name = "ADDRESS", global = true)]
    admin: Option<String>,
    /// As JSON.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// One trace.
    Show {
        /// Its id, which `Apim-Trace-Id` has.
        id: String,
    },
    /// The latest traces.
    List,
    /// Makes a credential, for the header `Apim-Debug-Authorization`.
    Credential {
        /// The API whose requests it shows.
        #[arg(long, value_name = "ID")]
        api: String,
        /// For how long, at most 1h.
        #[arg(long, value_name = "TIME", default_value = "10m")]
        expires: String,
    },
    /// Makes a request with a credential of its own, and shows its trace.
    Call {
        /// The API that it is for.
        #[arg(long, value_name = "ID")]
        api: String,
        /// Where: `http://gateway:8080/orders/1`.
        url: String,
        /// The method; POST with --data, else GET.
        #[arg(short = 'X', long)]
        method: Option<String>,
        /// A field, such as 'Accept: text/plain'; as often as needed.
        #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
        headers: Vec<String>,
        /// The body.
        #[arg(short = 'd', long)]
        data: Option<String>,
        /// PEM file of the authorities that an https:// gateway is judged by; the machine's if not
        /// given.
        #[arg(long, value_name = "FILE")]
        ca_file: Option<PathBuf>,
    },
}

/// How long the credential of `call` is good: the request may take its time.
const CALL_LIFE: &str = "10m";

/// How often a trace is asked for that is not there yet, and how long is waited between.
const LOOKS_MAX: usize = 50;
const LOOK_PAUSE: Duration = Duration::from_millis(100);

impl Trace {
    /// Asks, and says what was answered.
    pub fn run(&self, out: &mut impl Write) -> Outcome {
        self.answer(out).unwrap_or_else(Stop::tell)
    }

    fn answer(&self, out: &mut impl Write) -> Result<Outcome, Stop> {
        let gateway = gateway(self.admin.as_deref()).map_err(Stop::Misused)?;
        match &self.command {
            Command::Show { id } => {
                let trace: Document = read(gateway.get(&target(id)?))?;
                self.tell(out, &trace, text::trace);
            }
            Command::List => {
                let latest: Latest = read(gateway.get("/inspector/traces"))?;
                self.tell(out, &latest, text::list);
            }
            Command::Credential { api, expires } => {
                let made = credential(&gateway, api, expires)?;
                self.tell(out, &made, text::credential);
            }
            Command::Call { api, url, method, headers, data, ca_file } => {
                let method = method.as_deref();
                let call = Call { url, method, headers, data: data.as_deref(), ca_file };
                return self.call(out, &gateway, api, &call);
            }
        }
        Ok(Outcome::Fine)
    }

    fn call(
        &self,
        out: &mut impl Write,
        gateway: &Gateway,
        api: &str,
        call: &Call<'_>,
    ) -> Result<Outcome, Stop> {
        let request = call.prepare().map_err(Stop::Misused)?;
        let made = credential(gateway, api, CALL_LIFE)?;
        if !made.all_replicas {
            complain("only the gateway that was asked takes this credential: Redis is away\n");
        }
        let answered = match request.send(&made.token) {
            Ok(answered) => answered,
            Err(why) => {
                complain(&format!("{} does not answer: {why}\n", call.url));
                return Ok(Outcome::Failed);
            }
        };
        let Some(id) = answered.field("apim-trace-id") else {
            complain(&untraced(api, &answered));
            return Ok(Outcome::Wrong);
        };
        let trace = awaited(gateway, id)?;
        if !self.json {
            say(out, &text::status(&answered));
        }
        self.tell(out, &trace, text::trace);
        Ok(Outcome::Fine)
    }

    fn tell<T: Serialize>(&self, out: &mut impl Write, told: &T, text: impl Fn(&T) -> String) {
        if self.json {
            say(out, &serde_json::to_string_pretty(told).unwrap_or_default());
            say(out, "\n");
        } else {
            say(out, &text(told));
        }
    }
}

fn credential(gateway: &Gateway, api: &str, expires: &str) -> Result<Credential, Stop> {
    let wanted = Wanted { api_id: api.to_owned(), expires_after: Some(expires.to_owned()) };
    let body = serde_json::to_string(&wanted).unwrap_or_default();
    read(gateway.post_with("/inspector/credentials", &body))
}

/// The trace `id`, which is kept only after the response is out, and reaches other replicas a moment
/// after that.
fn awaited(gateway: &Gateway, id: &str) -> Result<Document, Stop> {
    let mut last = read(gateway.get(&target(id)?));
    for _ in 1..LOOKS_MAX {
        match &last {
            Err(Stop::Refused(refusal)) if refusal.status == 404 => sleep(LOOK_PAUSE),
            _ => break,
        }
        last = read(gateway.get(&target(id)?));
    }
    last
}

/// Where a trace is, whose id is part of a path.
fn target(id: &str) -> Result<String, Stop> {
    let is_id = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    is_id.then(|| format!("/inspector/traces/{id}")).ok_or_else(|| {
        Stop::Misused(format!("`{id}` is no id: copy one from Apim-Trace-Id or `weir trace list`"))
    })
}

/// Why a response that was to be recorded was not.
fn untraced(api: &str, answered: &Answered) -> String {
    let status = answered.status;
    let why = if answered.field("apim-debug-authorization-wrongapi").is_some() {
        format!("the URL is not one of API `{api}`: see `weir explain` for which it is")
    } else if answered.field("apim-debug-authorization-expired").is_some() {
        "the credential has expired: see whether the clocks of the replicas agree".to_owned()
    } else if answered.field("apim-debug-throttled").is_some() {
        "too many requests are recorded in this second: try again".to_owned()
    } else {
        "the gateway there did not take the credential: --admin must name that gateway, or one that \
         shares its Redis; or the request was refused before its policies"
            .to_owned()
    };
    format!("answered {status}, without a trace: {why}\n")
}
