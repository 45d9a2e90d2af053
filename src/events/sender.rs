//! Sends batches over HTTPS, with tokens that are signed here and renewed before they end, or with
//! those of an identity of the gateway.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use http::header::CONTENT_LENGTH;
use http::{HeaderValue, Method, StatusCode};

use super::batch::Batch;
use crate::backend::Tls;
use crate::backend::event_hub::{Credential, EventHub, SERVICE};
use crate::caller::destination::{Destination, Sought, Unresolved};
use crate::caller::resolve::Resolver;
use crate::caller::{Call, CallError, Caller};
use crate::policy::identity::asked::{Answer, Asked};
use crate::secret::Secret;
use crate::time::Timestamp;

/// How long a request may take, until the last byte of its answer.
const TIME_MAX: Duration = Duration::from_secs(15);
/// How long a token counts.
const TOKEN_LIFE: Duration = Duration::from_hours(1);
/// How long before its end it is replaced: clocks differ.
const TOKEN_MARGIN: Duration = Duration::from_mins(15);
/// How many tokens are kept.
const TOKENS_MAX: usize = 256;
/// How long the rest of an answer is read, so that its connection may be used again.
const FINISH_MAX: Duration = Duration::from_secs(1);
/// How many bytes of an answer are read, so that its connection can be used again.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Sends batches.
pub struct Sender {
    caller: Arc<Caller>,
    resolver: Arc<Resolver>,
    identities: Arc<dyn Obtains>,
    tokens: Mutex<HashMap<String, Token>>,
}

/// Who gets the tokens of the gateway's own.
#[async_trait]
pub trait Obtains: Send + Sync {
    /// The token, or why there is none; it is waited for, but not for long.
    async fn obtain(&self, asked: &Asked, now: Timestamp) -> Answer;
}

/// A token, and what it was made of.
struct Token {
    hub: Arc<EventHub>,
    text: Secret,
    renewed: Timestamp,
}

/// Why a batch was not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unsent {
    /// Its name leads nowhere.
    #[error(transparent)]
    Name(#[from] Unresolved),
    /// No call, or a broken one.
    #[error("{}", .0.to_string().replacen("the backend", "the event hub", 1))]
    Call(#[from] CallError),
    /// It took too long.
    #[error("there is no answer within {TIME_MAX:?}")]
    Late,
    /// Nobody says who the gateway is.
    #[error("{0}")]
    Nobody(Arc<str>),
    /// No token can be signed.
    #[error("no token can be signed")]
    Token,
    /// The service does not take it now.
    #[error("the status is {0}")]
    Status(StatusCode),
    /// The service will never take it.
    #[error("the status is {0}: these events will never be taken")]
    Refused(StatusCode),
    /// Nobody knows.
    #[error("it was given up")]
    Abandoned,
}

impl Sender {
    /// A sender that uses the connections of `caller`; who the gateway is, `identities` say.
    pub fn new(caller: Arc<Caller>, resolver: Arc<Resolver>, identities: Arc<dyn Obtains>) -> Self {
        Self { caller, resolver, identities, tokens: Mutex::default() }
    }

    /// Sends `batch`.
    pub(super) async fn send(&self, batch: &Batch, now: Timestamp) -> Result<(), Unsent> {
        let sending = Box::pin(self.within(batch, now));
        tokio::time::timeout(TIME_MAX, sending).await.map_err(|_elapsed| Unsent::Late)?
    }

    async fn within(&self, batch: &Batch, now: Timestamp) -> Result<(), Unsent> {
        let tls = Tls::default();
        let there = Sought::straight(&batch.hub.base, &tls).find(&self.resolver, now).await?;
        let token = self.authorization(&batch.hub, now).await?;
        let wire = written(batch, &token);
        let call = match self.sent(&there, &wire, false, now).await {
            // A kept connection was closed meanwhile: nothing of the request was answered.
            Err(CallError::Stale) => self.sent(&there, &wire, true, now).await?,
            outcome => outcome?,
        };
        let status = call.head.status;
        // What else it says changes nothing, and may never come.
        let _ = tokio::time::timeout(FINISH_MAX, finish(call)).await;
        match status {
            _ if status.is_success() => Ok(()),
            StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE => Err(Unsent::Refused(status)),
            StatusCode::UNAUTHORIZED => {
                // Perhaps it was signed too early for the other clock.
                self.tokens().remove(&batch.hub.to_string());
                Err(Unsent::Status(status))
            }
            _ => Err(Unsent::Status(status)),
        }
    }

    async fn sent(
        &self,
        there: &Destination,
        wire: &[u8],
        is_fresh: bool,
        now: Timestamp,
    ) -> Result<Call, CallError> {
        let mut sending = self.caller.open(there.clone(), is_fresh, now).await?;
        sending.send(wire).await?;
        sending.response(&Method::POST, TIME_MAX).await
    }

    /// What `Authorization` says to `hub`.
    async fn authorization(&self, hub: &Arc<EventHub>, now: Timestamp) -> Result<Secret, Unsent> {
        match &hub.credential {
            Credential::SharedKey { name, key } => self.signed(hub, (name, key), now),
            Credential::Identity(who) => {
                let asked = Asked { who: Arc::clone(who), resource: Arc::from(SERVICE) };
                let token = self.identities.obtain(&asked, now).await;
                let token = token.map_err(|ungot| Unsent::Nobody(ungot.message))?;
                if HeaderValue::from_str(token.text.expose()).is_err() {
                    return Err(Unsent::Token);
                }
                Ok(Secret::new(format!("Bearer {}", token.text.expose())))
            }
        }
    }

    /// The token for `hub` that is signed with its key: the one that is there, unless it ends soon.
    fn signed(
        &self,
        hub: &Arc<EventHub>,
        (key_name, key): (&str, &Secret),
        now: Timestamp,
    ) -> Result<Secret, Unsent> {
        let mut tokens = self.tokens();
        let name = hub.to_string();
        if let Some(known) = tokens.get(&name)
            && known.hub == *hub
            && now.since(known.renewed) + TOKEN_MARGIN < TOKEN_LIFE
        {
            return Ok(known.text.clone());
        }
        let expires = (now + TOKEN_LIFE).micros() / 1_000_000;
        let text = hub.token(key_name, key, expires).map_err(|_error| Unsent::Token)?;
        if TOKENS_MAX <= tokens.len() {
            tokens.clear();
        }
        let kept = Token { hub: Arc::clone(hub), text: text.clone(), renewed: now };
        tokens.insert(name, kept);
        Ok(text)
    }

    fn tokens(&self) -> std::sync::MutexGuard<'_, HashMap<String, Token>> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The request as bytes.
fn written(batch: &Batch, token: &Secret) -> Vec<u8> {
    let (fields, body) = batch.written();
    let mut wire = format!("POST {} HTTP/1.1\r\n", batch.target()).into_bytes();
    let mut put = |name: &str, value: &[u8]| {
        wire.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
    };
    put("Host", batch.hub.base.authority.as_bytes());
    put("User-Agent", concat!("weir/", env!("CARGO_PKG_VERSION")).as_bytes());
    put("Authorization", token.expose().as_bytes());
    for (name, value) in &fields {
        put(name, value.as_bytes());
    }
    put(CONTENT_LENGTH.as_str(), body.len().to_string().as_bytes());
    wire.extend_from_slice(b"\r\n");
    wire.extend_from_slice(&body);
    wire
}

/// Reads the answer to its end, so that the connection can be used again.
async fn finish(mut call: Call) {
    let mut bytes = 0_usize;
    while let Ok(Some(piece)) = call.next().await {
        bytes = bytes.saturating_add(piece.len());
        if ANSWER_BYTES_MAX < bytes {
            return;
        }
    }
    call.release();
}

impl fmt::Debug for Sender {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Sender")
    }
}
