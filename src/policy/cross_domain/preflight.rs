//! Preflights: what a browser asks before it lets a page make a request.

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::exchange::{Exchange, Severity, Trace};
use crate::policy::cross_domain::{Cors, Wild, answer, joined, refuse, values};
use crate::policy::machine::Ran;
use crate::policy::program::{Action, Program};
use crate::policy::{Failure, Section};

/// What a policy says to a preflight.
enum Said {
    Granted(HeaderMap),
    Refused { ends: bool },
}

/// Answers the preflight `exchange` as the `cors` policies of `program` say, and tells which of
/// them were asked; `None` if it is none, or there are none.
///
/// Nothing else of the program is run, and nothing of the exchange but its response is changed.
pub fn preflight(program: &Program, exchange: &mut Exchange) -> Option<Vec<Ran>> {
    let fields = exchange.request.headers.map();
    if exchange.original.method != Method::OPTIONS
        || !fields.contains_key(ORIGIN)
        || !fields.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
    {
        return None;
    }
    let mut asked = Vec::new();
    for block in program.blocks(Section::Inbound) {
        for (step, note) in block.steps.iter().zip(&block.notes) {
            let Action::Cors(cors) = &step.action else { continue };
            if !note.is_direct {
                continue;
            }
            let (outcome, granted, ends) = match cors.consider(exchange) {
                Ok(Said::Granted(granted)) => {
                    ("grants the preflight".to_owned(), Some(granted), true)
                }
                Ok(Said::Refused { ends }) => (DENIES.to_owned(), None, ends),
                Err(failure) => {
                    let outcome = format!("{}: {}", failure.reason, failure.message);
                    explain(exchange, failure);
                    (outcome, None, false)
                }
            };
            let (note, section) = (note.clone(), Section::Inbound);
            asked.push(Ran { note, section, outcome: Some(outcome) });
            if ends {
                match granted {
                    Some(granted) => answer(exchange, granted),
                    None => refuse(exchange),
                }
                return Some(asked);
            }
        }
    }
    if asked.is_empty() {
        return None;
    }
    refuse(exchange);
    Some(asked)
}

/// Answers a preflight for a method that no operation has, where `cors` stands in those of other
/// methods, such as `program`: with nothing that is granted. False if there is no `cors`.
pub fn deny(program: &Program, exchange: &mut Exchange) -> bool {
    let inbound = program.blocks(Section::Inbound);
    let mut steps = inbound.iter().flat_map(|block| block.steps.iter().zip(&block.notes));
    let has_policy =
        steps.any(|(step, note)| note.is_direct && matches!(step.action, Action::Cors(_)));
    if has_policy {
        refuse(exchange);
    }
    has_policy
}

/// What came of a policy that grants nothing.
const DENIES: &str = "grants nothing: another origin, method or header field";

/// A policy that cannot say what it grants grants nothing; whoever inspects the request is told.
fn explain(exchange: &mut Exchange, failure: Failure) {
    exchange.trace(Trace {
        at: exchange.now,
        source: "cors".into(),
        severity: Severity::Error,
        message: failure.message.into(),
        metadata: Vec::new(),
    });
}

impl Cors {
    /// What the policy says to a preflight.
    fn consider(&self, exchange: &mut Exchange) -> Result<Said, Failure> {
        let refused = Said::Refused { ends: self.terminate.get(exchange)? };
        let Some(grant) = self.grant(exchange)? else {
            return Ok(refused);
        };
        let Some(methods) = self.grant_method(exchange)? else {
            return Ok(refused);
        };
        let Some(names) = self.grant_headers(exchange)? else {
            return Ok(refused);
        };
        let mut fields = HeaderMap::new();
        fields.insert(ACCESS_CONTROL_ALLOW_ORIGIN, grant.origin);
        fields.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
        if !names.is_empty() {
            fields.insert(ACCESS_CONTROL_ALLOW_HEADERS, names);
        }
        if grant.credentials {
            fields.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        if let Some(max_age) = &self.max_age {
            fields.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from(max_age.get(exchange)?));
        }
        if self.depends_on_origin() {
            fields.insert(VARY, HeaderValue::from_static("Origin"));
        }
        Ok(Said::Granted(fields))
    }

    /// The methods that are granted if the one that the preflight asks for is among them.
    fn grant_method(&self, exchange: &mut Exchange) -> Result<Option<HeaderValue>, Failure> {
        let mut allowed = values(&self.methods, exchange)?;
        if allowed.is_empty() {
            allowed = [Method::GET, Method::POST].map(Wild::One).to_vec();
        }
        let asked = exchange.request.headers.text(&ACCESS_CONTROL_REQUEST_METHOD);
        let Some(asked) = asked.and_then(|asked| asked.trim().parse::<Method>().ok()) else {
            return Ok(None);
        };
        if allowed.contains(&Wild::All) {
            // `*` is no wildcard where credentials are sent; the name always is understood.
            return Ok(HeaderValue::try_from(asked.as_str()).ok());
        }
        if !allowed.contains(&Wild::One(asked)) {
            return Ok(None);
        }
        Ok(joined(&allowed, Method::as_str))
    }

    /// The fields that are granted if all that the preflight asks for are among them; empty if
    /// there are none.
    fn grant_headers(&self, exchange: &mut Exchange) -> Result<Option<HeaderValue>, Failure> {
        let allowed = values(&self.headers, exchange)?;
        let lines = exchange.request.headers.map().get_all(ACCESS_CONTROL_REQUEST_HEADERS);
        let mut asked = Vec::new();
        for line in lines {
            let Ok(line) = line.to_str() else { return Ok(None) };
            for name in line.split(',').map(str::trim).filter(|name| !name.is_empty()) {
                let Ok(name) = name.parse::<HeaderName>() else { return Ok(None) };
                asked.push(Wild::One(name));
            }
        }
        let granted = if allowed.contains(&Wild::All) {
            asked
        } else if asked.iter().all(|name| allowed.contains(name)) {
            allowed
        } else {
            return Ok(None);
        };
        let none = HeaderValue::from_static("");
        Ok(Some(joined(&granted, HeaderName::as_str).unwrap_or(none)))
    }
}
