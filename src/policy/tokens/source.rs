//! Where a policy finds the token of a request.

use std::sync::Arc;

use http::HeaderName;
use http::header::AUTHORIZATION;

use crate::exchange::Exchange;
use crate::jwt::{Malformed, Refusal};
use crate::policy::Failure;
use crate::policy::operand::Operand;
use crate::route::url;
use crate::secret::Secret;

/// Where the token is.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// In a field of the request; with the scheme that must stand before it, if there is one.
    Header(Operand<HeaderName>, Option<Operand<Arc<str>>>),
    /// In a parameter of the query.
    Query(Operand<Arc<str>>),
    /// Here.
    Value(Operand<Arc<str>>),
}

impl Source {
    /// The token, or why there is none.
    pub(super) fn find(&self, exchange: &mut Exchange) -> Result<Result<Secret, Refusal>, Failure> {
        match self {
            Self::Header(name, scheme) => {
                let name = name.get(exchange)?;
                let scheme = match scheme {
                    // A field of another name has no scheme.
                    Some(scheme) if name == AUTHORIZATION => Some(scheme.get(exchange)?),
                    Some(_) | None => None,
                };
                Ok(in_header(&name, scheme.as_deref(), exchange))
            }
            Self::Query(name) => {
                let name = name.get(exchange)?;
                let values = url::values(&exchange.request.query, &name);
                Ok(only(values.map(|value| Secret::new(value.as_ref()))))
            }
            Self::Value(token) => {
                let token = Secret::new(&*token.get(exchange)?);
                let is_empty = token.expose().is_empty();
                Ok(if is_empty { Err(Refusal::NotPresent) } else { Ok(token) })
            }
        }
    }
}

fn in_header(
    name: &HeaderName,
    scheme: Option<&str>,
    exchange: &Exchange,
) -> Result<Secret, Refusal> {
    let lines = exchange.request.headers.map().get_all(name).iter();
    let lines = lines.map(|line| line.to_str().unwrap_or_default().trim());
    // One that is no text is none that can be read, but it is there.
    let line = only(lines)?;
    let Some((written, token)) = line.split_once(' ') else {
        return if scheme.is_some() || line.is_empty() {
            Err(Refusal::NotPresent)
        } else {
            Ok(Secret::new(line))
        };
    };
    match scheme {
        Some(scheme) if !scheme.trim().eq_ignore_ascii_case(written) => Err(Refusal::NotPresent),
        Some(_) | None => Ok(Secret::new(token.trim_start())),
    }
}

/// The one of `found`: of several, whoever comes later might look at another one.
fn only<T>(mut found: impl Iterator<Item = T>) -> Result<T, Refusal> {
    let first = found.next().ok_or(Refusal::NotPresent)?;
    if found.next().is_some() { Err(Malformed::Several.into()) } else { Ok(first) }
}
