//! One small document from elsewhere: whole, within bounds, over TLS, and from nowhere but where it
//! was asked for.
//!
//! This is how key sets and tokens are got, a few times an hour at most. Each takes a connection of
//! its own, and the authorities as they are in their file then. Redirects are not followed: who
//! could answer with one could send us anywhere.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_ENCODING, HeaderValue};
use http::{Method, StatusCode};
use tracing::Instrument as _;
use tracing::field::Empty;

use crate::backend::document::Url;
use crate::backend::{BaseUrl, Tls};
use crate::caller::destination::{Sought, Unresolved};
use crate::caller::resolve::Resolver;
use crate::caller::roots::Roots;
use crate::caller::secure::Securing;
use crate::caller::{Call, CallError, Caller};
use crate::correlation::OWN_SPANS;
use crate::secret::Secret;
use crate::time::Timestamp;

/// How long all of it may take.
const TIME_MAX: Duration = Duration::from_secs(10);

/// Fetches documents.
pub struct Fetcher {
    /// The authorities of the machine.
    roots: Arc<Roots>,
    resolver: Resolver,
}

/// A document that is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Where it is.
    pub url: &'a Url,
    /// PEM file of the authorities that its server is judged by; those of the machine if not set.
    pub ca: Option<&'a Path>,
    /// How large it may be.
    pub bytes_max: usize,
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub enum Ask<'a> {
    /// For the document, perhaps as whoever this token says.
    Get(Option<&'a Secret>),
    /// With a form, and what stands in `Authorization`.
    Form(&'a Secret, Option<&'a Secret>),
}

/// A document of this machine, or of one beside it, that is wanted: it may be in the clear.
#[derive(Clone, Copy, Debug)]
pub struct Local<'a> {
    /// Where it is.
    pub base: &'a BaseUrl,
    /// Path and query.
    pub target: &'a str,
    /// A field to show there.
    pub field: (&'static str, &'a Secret),
    /// How large it may be.
    pub bytes_max: usize,
}

/// What was answered.
#[derive(Clone, Eq, PartialEq)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The whole body.
    pub body: Vec<u8>,
}

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub enum Unfetched {
    /// The file of authorities holds none.
    #[error("there is no certificate authority in {}", .0.display())]
    Authorities(PathBuf),
    /// No authorities on the machine.
    #[error("no certificate authority is trusted on this machine")]
    NoAuthorities,
    /// The name leads nowhere.
    #[error(transparent)]
    Name(#[from] Unresolved),
    /// No call, or a broken one.
    #[error("{}", sentence(.0))]
    Call(#[from] CallError),
    /// It took too long.
    #[error("there is no whole answer within {TIME_MAX:?}")]
    Late,
    /// It is elsewhere.
    #[error("the answer is a redirect ({0}), and those are not followed")]
    Redirect(u16),
    /// Another status.
    #[error("the status is {0}")]
    Status(u16),
    /// Too many bytes.
    #[error("the answer has more than {0} bytes")]
    TooLarge(usize),
    /// It is compressed, which nobody asked for.
    #[error("the answer is encoded, unasked")]
    Encoded,
    /// What is to be sent cannot stand in a request.
    #[error("what is to be shown there is no text of a header")]
    Unsendable,
}

fn sentence(error: &CallError) -> String {
    match error {
        CallError::Unconnected(error) => format!("there is no connection: {error}"),
        CallError::Tls(refused) => refused.to_string().replacen("the backend", "it", 1),
        CallError::Broken(error) => format!("the connection broke: {error}"),
        CallError::Invalid(what) => format!("the answer is no valid one: {what}"),
        CallError::Late(_)
        | CallError::Overdue
        | CallError::Http2(_)
        | CallError::Peer(_)
        | CallError::Proxy(_)
        | CallError::Stale
        | CallError::Unsendable(_) => error.to_string(),
    }
}

impl Answer {
    /// The document, if the answer is one.
    pub fn document(self) -> Result<Vec<u8>, Unfetched> {
        if self.status == StatusCode::OK {
            Ok(self.body)
        } else if self.status.is_redirection() {
            Err(Unfetched::Redirect(self.status.as_u16()))
        } else {
            Err(Unfetched::Status(self.status.as_u16()))
        }
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The body may hold a token.
        formatter.debug_struct("Answer").field("status", &self.status).finish_non_exhaustive()
    }
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Fetcher")
    }
}

impl Fetcher {
    /// A fetcher that judges servers by `roots` unless it is told otherwise.
    pub fn new(roots: Arc<Roots>) -> Self {
        Self { roots, resolver: Resolver::default() }
    }

    /// Asks for what is wanted.
    pub async fn fetch(
        &self,
        wanted: Wanted<'_>,
        ask: Ask<'_>,
        now: Timestamp,
    ) -> Result<Answer, Unfetched> {
        let roots = match wanted.ca {
            Some(ca) => Arc::new(Roots::of(Some(ca.to_owned()))),
            None => Arc::clone(&self.roots),
        };
        if roots.get().is_none() {
            return Err(match wanted.ca {
                Some(ca) => Unfetched::Authorities(ca.to_owned()),
                None => Unfetched::NoAuthorities,
            });
        }
        let caller = Arc::new(Caller::new(Securing::new(roots), 0));
        let (base, sent) = (wanted.url.base(), written(wanted.url, ask)?);
        let span = tracing::info_span!(
            target: OWN_SPANS,
            "fetch",
            otel.name = sent.0.as_str(),
            otel.kind = "client",
            http.request.method = sent.0.as_str(),
            server.address = base.host,
            server.port = base.port,
            http.response.status_code = Empty,
            otel.status_code = Empty,
            otel.status_description = Empty,
        );
        let asking = Box::pin(self.ask(&caller, base, sent, (wanted.bytes_max, now)));
        let asking = tokio::time::timeout(TIME_MAX, asking).instrument(span.clone());
        let answer = asking.await.map_err(|_late| Unfetched::Late).flatten();
        match &answer {
            Ok(answer) => {
                span.record("http.response.status_code", answer.status.as_u16());
            }
            Err(why) => {
                span.record("otel.status_code", "ERROR");
                span.record("otel.status_description", why.to_string());
            }
        }
        answer
    }

    /// Asks for what is wanted of this machine, or of one beside it.
    pub async fn local(&self, wanted: Local<'_>, now: Timestamp) -> Result<Answer, Unfetched> {
        let Local { base, target, field: (name, value), bytes_max } = wanted;
        let mut text = head(&Method::GET, base, target);
        put(&mut text, name, value.expose())?;
        text.push_str("\r\n");
        let caller = Arc::new(Caller::new(Securing::new(Arc::clone(&self.roots)), 0));
        let wire = Secret::new(text);
        let asking = Box::pin(self.ask(&caller, base, (Method::GET, wire), (bytes_max, now)));
        tokio::time::timeout(TIME_MAX, asking).await.map_err(|_late| Unfetched::Late)?
    }

    async fn ask(
        &self,
        caller: &Arc<Caller>,
        base: &BaseUrl,
        (method, wire): (Method, Secret),
        (bytes_max, now): (usize, Timestamp),
    ) -> Result<Answer, Unfetched> {
        let destination = Sought::straight(base, &Tls::default()).find(&self.resolver, now).await?;
        let mut sending = caller.open(destination, true, now).await?;
        sending.send(wire.expose().as_bytes()).await?;
        whole(sending.response(&method, TIME_MAX).await?, bytes_max).await
    }
}

/// The request as it is sent. It may hold a secret, and so it is one.
fn written(url: &Url, ask: Ask<'_>) -> Result<(Method, Secret), Unfetched> {
    let (method, form, authorization) = match ask {
        Ask::Get(token) => {
            let bearer = |token: &Secret| Secret::new(format!("Bearer {}", token.expose()));
            (Method::GET, None, token.map(bearer))
        }
        Ask::Form(form, authorization) => (Method::POST, Some(form), authorization.cloned()),
    };
    let mut text = head(&method, url.base(), url.target());
    if let Some(authorization) = authorization {
        put(&mut text, "Authorization", authorization.expose())?;
    }
    if let Some(form) = form {
        let length = form.expose().len().to_string();
        text.push_str("Content-Type: application/x-www-form-urlencoded\r\n");
        text.extend(["Content-Length: ", &length, "\r\n"]);
    }
    text.push_str("\r\n");
    text.push_str(form.map_or("", Secret::expose));
    Ok((method, Secret::new(text)))
}

/// How every request begins.
fn head(method: &Method, base: &BaseUrl, target: &str) -> String {
    let authority = base.authority.to_str().unwrap_or_default();
    format!(
        "{method} {target} HTTP/1.1\r\nHost: {authority}\r\nAccept: application/json\r\n\
         User-Agent: weir/{}\r\nConnection: close\r\n",
        env!("CARGO_PKG_VERSION"),
    )
}

fn put(text: &mut String, name: &str, value: &str) -> Result<(), Unfetched> {
    HeaderValue::from_str(value).map_err(|_refused| Unfetched::Unsendable)?;
    text.extend([name, ": ", value, "\r\n"]);
    Ok(())
}

async fn whole(mut call: Call, bytes_max: usize) -> Result<Answer, Unfetched> {
    let status = call.head.status;
    let coding = call.head.headers.get(CONTENT_ENCODING);
    if coding.is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(Unfetched::Encoded);
    }
    let mut body = Vec::new();
    while let Some(piece) = call.next().await? {
        if bytes_max < body.len().saturating_add(piece.len()) {
            return Err(Unfetched::TooLarge(bytes_max));
        }
        body.extend_from_slice(&piece);
    }
    Ok(Answer { status, body })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_written_with_its_form_and_does_not_print() {
        let url = Url::parse("https://issuer.example/token?a=b").unwrap();
        let (form, basic) = (Secret::new("grant_type=x"), Secret::new("Basic eDp5"));
        let (method, wire) = written(&url, Ask::Form(&form, Some(&basic))).unwrap();
        let expected = format!(
            "POST /token?a=b HTTP/1.1\r\nHost: issuer.example\r\nAccept: application/json\r\n\
             User-Agent: weir/{}\r\nConnection: close\r\nAuthorization: Basic eDp5\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 12\r\n\r\ngrant_type=x",
            env!("CARGO_PKG_VERSION"),
        );
        assert_eq!((method, wire.expose()), (Method::POST, expected.as_str()));
        let split = Secret::new("a\r\nX: y");
        assert!(matches!(written(&url, Ask::Get(Some(&split))), Err(Unfetched::Unsendable)));
        let answer = Answer { status: StatusCode::OK, body: b"secret".to_vec() };
        assert!(!format!("{answer:?}").contains("secret"));
    }
}
