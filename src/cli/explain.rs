//! `weir explain`: for one request, the route and why others lost, whose key it is, each policy
//! step with its place and whether it runs, the limits, the backend, and how it is forwarded.
//!
//! The policies really run, over a pretended world: limits have room, caches are empty, the
//! backend answers 200 with an empty JSON object, and nothing leaves this process.

mod pretend;
mod report;

use std::borrow::Cow;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::admission::{self, Called};
use crate::backend::Scheme;
use crate::cli::check::rehearsal;
use crate::cli::{Outcome, complain, say};
use crate::configuration::compile::{compile, nowhere};
use crate::configuration::config::Config;
use crate::configuration::loader::load;
use crate::configuration::source::{Environment, Folder};
use crate::fault::{Fault, Sources, render};
use crate::route;
use crate::route::host::Authority;
use crate::snapshot::Snapshot;
use crate::time::{Clock, SystemClock};

/// Says what would happen to one request, and why. Secrets from 4 characters on are covered.
#[derive(Debug, Args)]
pub struct Explain {
    /// The configuration folder.
    #[arg(long, value_name = "FOLDER", default_value = "config")]
    config: PathBuf,
    /// The method.
    #[arg(value_name = "METHOD")]
    method: String,
    /// The URL, such as `https://gateway.example/orders/7?full=true`; or a path, such as `/orders`.
    #[arg(value_name = "URL")]
    url: String,
    /// A header field, as `Name: value`; may be given several times.
    #[arg(short = 'H', long = "header", value_name = "FIELD")]
    headers: Vec<String>,
    /// The body; `@FILE` reads it from a file.
    #[arg(short = 'd', long = "data", value_name = "BODY")]
    data: Option<String>,
    /// The client's address.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    client: std::net::IpAddr,
}

/// A request that nobody sent.
pub(super) struct Imagined {
    method: Method,
    scheme: Scheme,
    authority: String,
    path: String,
    query: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Explain {
    /// Explains.
    pub fn run(&self, out: &mut impl Write) -> Outcome {
        let imagined = match self.imagine() {
            Ok(imagined) => imagined,
            Err(message) => {
                complain(&(message + "\n"));
                return Outcome::Misused;
            }
        };
        let loaded = load(&Folder::at(&self.config), &Environment::of_process());
        let secrets = loaded.config.as_ref().map(secrets_of).unwrap_or_default();
        let compiled = loaded.config.as_ref().map_err(Clone::clone);
        let compiled = compiled.and_then(|config| compile(config, &rehearsal()));
        let snapshot = match compiled {
            Ok(snapshot) => snapshot,
            Err(faults) => {
                complain(&shown(&faults, &loaded.sources(&faults)));
                complain("the configuration is refused: `weir check` says why\n");
                return Outcome::Misused;
            }
        };
        let mut told = Vec::new();
        let outcome = self.explain(&imagined, &snapshot, &mut told).unwrap_or_else(|message| {
            say(&mut told, &format!("refused before routing, with 400: {message}\n"));
            Outcome::Wrong
        });
        let (long, short): (Vec<_>, Vec<_>) =
            secrets.into_iter().partition(|text| SECRET_CHARACTERS_MIN <= text.chars().count());
        say(out, &without(&long, &String::from_utf8_lossy(&told)));
        if !short.is_empty() {
            say(out, &uncovered(short.len()));
        }
        outcome
    }

    fn explain(
        &self,
        imagined: &Imagined,
        snapshot: &Snapshot,
        out: &mut impl Write,
    ) -> Result<Outcome, String> {
        let authority =
            Authority::parse(imagined.authority.as_bytes()).map_err(|fault| format!("{fault}"))?;
        let path =
            route::path::canonical(imagined.path.as_bytes()).map_err(|fault| format!("{fault}"))?;
        let called = Called {
            id: 0,
            now: SystemClock::start().now(),
            method: &imagined.method,
            scheme: imagined.scheme,
            port: authority.port.unwrap_or_else(|| imagined.scheme.port()),
            host: authority.name,
            path: Cow::Owned(path.into_owned()),
            query: &imagined.query,
            headers: &imagined.headers,
            client: Some(self.client),
            certificate: None,
            upgrade: imagined.headers.contains_key(http::header::UPGRADE),
            body: !imagined.body.is_empty(),
        };
        report::route(snapshot, &called, out);
        let mut admitted = admission::admit(snapshot, &Arc::new(nowhere()), &called);
        report::caller(&admitted, out);
        let pretended = pretend::run(&mut admitted, &imagined.body);
        report::policies(&admitted, &pretended, out);
        report::backend(&admitted, &pretended, out);
        Ok(report::answer(&admitted, &pretended, out))
    }

    fn imagine(&self) -> Result<Imagined, String> {
        let method = self.method.to_ascii_uppercase();
        let method = method.parse().map_err(|_refused| format!("`{method}` is no method"))?;
        let (scheme, rest) = match self.url.split_once("://") {
            Some(("http" | "ws", rest)) => (Scheme::Http, rest),
            Some(("https" | "wss", rest)) => (Scheme::Https, rest),
            Some((other, _rest)) => return Err(format!("`{other}` is no scheme of a gateway")),
            None if self.url.starts_with('/') => (Scheme::Http, self.url.as_str()),
            None => {
                let url = &self.url;
                return Err(format!("`{url}` is no URL: write http://{url}, or the path /{url}"));
            }
        };
        let slash = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at_checked(slash).unwrap_or((rest, ""));
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut headers = HeaderMap::new();
        for field in &self.headers {
            let (name, value) = field
                .split_once(':')
                .ok_or_else(|| format!("`{field}` is no field: write `Name: value`"))?;
            let name: HeaderName =
                name.trim().parse().map_err(|_refused| format!("`{name}` is no field name"))?;
            let value = HeaderValue::from_str(value.trim())
                .map_err(|_refused| format!("`{value}` is no field value"))?;
            headers.append(name, value);
        }
        let body = match &self.data {
            None => Vec::new(),
            Some(data) => match data.strip_prefix('@') {
                Some(file) => std::fs::read(file).map_err(|error| format!("{file}: {error}"))?,
                None => data.clone().into_bytes(),
            },
        };
        Ok(Imagined {
            method,
            scheme,
            authority: if authority.is_empty() { "localhost" } else { authority }.to_owned(),
            path: if path.is_empty() { "/" } else { path }.to_owned(),
            query: query.to_owned(),
            headers,
            body,
        })
    }
}

/// Everything of a configuration that may not be shown.
fn secrets_of(config: &Config) -> Vec<String> {
    let named = config.named_values.iter().filter(|known| known.is_secret);
    let named = named.map(|known| known.value.expose().to_owned());
    let keys = config
        .subscriptions
        .iter()
        .flat_map(|known| [&known.primary_key, &known.secondary_key].into_iter().flatten());
    named.chain(keys.map(|key| key.expose().to_owned())).filter(|text| !text.is_empty()).collect()
}

/// The fewest characters of a secret that is covered wherever it stands: to cover a shorter one
/// would cover much that is none, and tell where it is.
const SECRET_CHARACTERS_MIN: usize = 4;

/// What is said where secrets are too short to be covered.
fn uncovered(short: usize) -> String {
    let secrets = if short == 1 { "secret is" } else { "secrets are" };
    format!(
        "note: {short} {secrets} shorter than {SECRET_CHARACTERS_MIN} characters and not covered \
         above\n"
    )
}

/// `text` with every secret in it covered.
fn without(secrets: &[String], text: &str) -> String {
    secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "[secret]"))
}

fn shown(faults: &[Fault], sources: &Sources) -> String {
    faults.iter().map(|fault| render(fault, sources) + "\n").collect()
}
