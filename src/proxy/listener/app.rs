//! How requests are answered: by the gateway alone where nothing else is needed, else through
//! Pingora's proxy.
//!
//! Pingora's proxy is needed where a request and its response may have to move at the same time:
//! for bodies that are not short. Making one sets up all that TLS with backends takes, which is
//! most of what a start costs, so it is made when the first such request comes, or when there is
//! time ([`Proxied::prepare`]). All other requests pass through the same phases here, in the same
//! order.

use std::fmt;
use std::future::Future;
use std::io::Cursor;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::BytesMut;
use http::Method;
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING, UPGRADE};
use pingora::apps::{HttpPersistentSettings, HttpServerApp, HttpServerOptions, ReusedHttpStream};
use pingora::protocols::http::ServerSession;
use pingora::protocols::http::v2::server::H2Options;
use pingora::proxy::{HttpProxy, ProxyHttp, Session};
use pingora::server::ShutdownWatch;
use pingora::{Error, ErrorType};

use crate::proxy::{forward, guard};

/// The most streams that one HTTP/2 connection has open.
const STREAMS_MAX: u32 = 100;
/// How long an HTTP/2 connection may have no stream open.
const HTTP2_IDLE_MAX: Duration = Duration::from_mins(1);
/// The most bytes of one stream that wait to be sent.
const STREAM_BYTES_MAX: usize = 256 * 1024;
/// How long the connection of a request that is read once more is kept, in seconds, unless its
/// first phase says otherwise.
const KEPT_SECONDS: u64 = 60;

/// Makes Pingora's proxy around a gateway.
pub type Make<P> = Box<dyn Fn(P) -> HttpProxy<P> + Send + Sync>;

/// A gateway as a listener runs it.
pub struct Proxied<P> {
    gateway: P,
    make: Make<P>,
    /// Pingora's proxy, once it was needed.
    pingora: Mutex<Option<Arc<HttpProxy<P>>>>,
    options: HttpServerOptions,
    http2: H2Options,
}

impl<P> Proxied<P> {
    /// `h2c`: whether plain connections may speak HTTP/2 from the start.
    pub(super) fn new(gateway: P, make: Make<P>, h2c: bool, head_bytes_max: usize) -> Self {
        let mut options = HttpServerOptions::default();
        options.h2c = h2c;
        options.h2_idle_timeout = Some(HTTP2_IDLE_MAX);
        let mut http2 = H2Options::default();
        http2
            .max_concurrent_streams(STREAMS_MAX)
            .max_header_list_size(u32::try_from(head_bytes_max).unwrap_or(u32::MAX))
            .max_send_buffer_size(STREAM_BYTES_MAX);
        Self { gateway, make, pingora: Mutex::default(), options, http2 }
    }
}

impl<P> Proxied<P>
where
    P: ProxyHttp + Clone + Send + Sync + 'static,
    P::CTX: Send + Sync,
{
    /// Makes Pingora's proxy, so that the first request that needs it does not wait for that.
    pub fn prepare(&self) {
        drop(self.pingora());
    }

    fn pingora(&self) -> Arc<HttpProxy<P>> {
        let mut made = self.pingora.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(made.get_or_insert_with(|| Arc::new((self.make)(self.gateway.clone()))))
    }

    async fn process(
        &self,
        mut session: ServerSession,
        shutdown: &ShutdownWatch,
    ) -> Option<ReusedHttpStream> {
        let mut over = shutdown.clone();
        let read = tokio::select! {
            biased;
            read = session.read_request() => read,
            // Who has nothing to ask is let go.
            _ = over.wait_for(|over| *over) => return None,
        };
        match read {
            Ok(true) if moves_both_ways(&mut session) => {
                let session = unread(session).await?;
                self.pingora().process_new_http(session, shutdown).await
            }
            Ok(true) => self.answer(session, shutdown).await,
            Ok(false) => None,
            Err(error) => {
                refuse(session, &error).await;
                None
            }
        }
    }

    /// The phases of a request that the gateway answers by itself.
    async fn answer(
        &self,
        read: ServerSession,
        shutdown: &ShutdownWatch,
    ) -> Option<ReusedHttpStream> {
        // Pingora makes sessions for its own proxy only; this one's client never comes.
        let mut session = Session::new_h1(Box::new(Cursor::new(Vec::new())));
        *session.downstream_session = read;
        if *shutdown.borrow() {
            session.set_keepalive(None);
        }
        let mut context = self.gateway.new_ctx();
        let answered = match self.gateway.early_request_filter(&mut session, &mut context).await {
            Ok(()) => self.gateway.request_filter(&mut session, &mut context).await,
            Err(error) => Err(error),
        };
        let error = match answered {
            Ok(true) => {
                self.gateway.logging(&mut session, None, &mut context).await;
                let kept = HttpPersistentSettings::for_session(&session);
                let stream = session.downstream_session.finish().await.ok()??;
                return Some(ReusedHttpStream::from_reusable_stream(stream, kept));
            }
            Ok(false) => Error::explain(ErrorType::InternalError, "nobody forwards the request"),
            Err(error) => error,
        };
        self.gateway.fail_to_proxy(&mut session, &error, &mut context).await;
        self.gateway.logging(&mut session, Some(&error), &mut context).await;
        None
    }
}

/// Whether the request and its response may have to move at the same time, by its head. Pingora
/// also knows what to say to `CONNECT`.
fn moves_both_ways(session: &mut ServerSession) -> bool {
    if session.req_header().method == Method::CONNECT {
        return true;
    }
    if session.is_http2() && session.is_body_empty() {
        return false;
    }
    let framed = session.is_http2();
    let fields = &session.req_header().headers;
    (framed || fields.contains_key(TRANSFER_ENCODING) || fields.contains_key(CONTENT_LENGTH))
        && !forward::is_short(fields)
}

/// The request as it was before it was read, since Pingora's proxy reads it itself.
async fn unread(mut session: ServerSession) -> Option<ServerSession> {
    // The head of an HTTP/2 request may be read any number of times.
    let Some(read) = session.as_http1() else {
        return Some(session);
    };
    let mut bytes = BytesMut::from(read.get_headers_raw_bytes());
    let carried = HttpPersistentSettings::for_session(&session);
    // Without these the request ends with its head, and its connection does not, so that everything
    // after it is handed back as the beginning of the next one.
    for name in [CONTENT_LENGTH, TRANSFER_ENCODING, UPGRADE, CONNECTION] {
        session.req_header_mut().remove_header(&name);
    }
    session.set_keepalive(Some(KEPT_SECONDS));
    session.set_pipelining_enabled(true);
    let (stream, rest) = session.finish().await.ok()??.into_parts();
    bytes.extend_from_slice(rest.as_deref().unwrap_or_default());
    let mut again = ServerSession::new_http1(stream);
    carried.apply_to_session(&mut again);
    again.set_keepalive(Some(KEPT_SECONDS));
    again.set_pipelined_prefix(bytes);
    Some(again)
}

/// A head that Pingora cannot read: the guard lets none pass that it knows of.
async fn refuse(mut session: ServerSession, error: &Error) {
    if matches!(error.etype, ErrorType::InvalidHTTPHeader) {
        // Who is gone already needs no answer.
        let _ = session.respond_error(400).await;
    }
    tracing::debug!(%error, "the head of a request cannot be read");
    session.shutdown().await;
}

type Reused<'f> = Pin<Box<dyn Future<Output = Option<ReusedHttpStream>> + Send + 'f>>;

#[async_trait]
impl<P> HttpServerApp for Proxied<P>
where
    P: ProxyHttp + Clone + Send + Sync + 'static,
    P::CTX: Send + Sync,
{
    // Written out, because an `async fn` here would put one more box around each request.
    fn process_new_http<'a, 's, 'f>(
        self: &'a Arc<Self>,
        session: ServerSession,
        shutdown: &'s ShutdownWatch,
    ) -> Reused<'f>
    where
        'a: 'f,
        's: 'f,
        Self: 'f,
    {
        guard::expect_head(&session);
        Box::pin(self.process(session, shutdown))
    }

    fn h2_options(&self) -> Option<H2Options> {
        Some(self.http2.clone())
    }

    fn server_options(&self) -> Option<&HttpServerOptions> {
        Some(&self.options)
    }

    async fn http_cleanup(&self) {
        let made = self.pingora.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(pingora) = made {
            pingora.http_cleanup().await;
        }
    }
}

impl<P> fmt::Debug for Proxied<P> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Proxied").field("options", &self.options).finish_non_exhaustive()
    }
}
