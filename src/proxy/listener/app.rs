//! Pingora's proxy, told about each request before it is read.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pingora::apps::{HttpServerApp, HttpServerOptions, ReusedHttpStream};
use pingora::protocols::http::ServerSession;
use pingora::protocols::http::v2::server::H2Options;
use pingora::proxy::{HttpProxy, ProxyHttp};
use pingora::server::ShutdownWatch;

use crate::proxy::guard;

/// The most streams that one HTTP/2 connection has open.
const STREAMS_MAX: u32 = 100;
/// How long an HTTP/2 connection may have no stream open.
const HTTP2_IDLE_MAX: Duration = Duration::from_mins(1);
/// The most bytes of one stream that wait to be sent.
const STREAM_BYTES_MAX: usize = 256 * 1024;

/// The proxy as a listener runs it.
pub struct Proxied<P> {
    proxy: Arc<HttpProxy<P>>,
    options: HttpServerOptions,
    http2: H2Options,
}

impl<P> Proxied<P> {
    /// `h2c`: whether plain connections may speak HTTP/2 from the start.
    pub(super) fn new(proxy: HttpProxy<P>, h2c: bool, head_bytes_max: usize) -> Self {
        let mut options = HttpServerOptions::default();
        options.h2c = h2c;
        options.h2_idle_timeout = Some(HTTP2_IDLE_MAX);
        let mut http2 = H2Options::default();
        http2
            .max_concurrent_streams(STREAMS_MAX)
            .max_header_list_size(u32::try_from(head_bytes_max).unwrap_or(u32::MAX))
            .max_send_buffer_size(STREAM_BYTES_MAX);
        Self { proxy: Arc::new(proxy), options, http2 }
    }
}

type Reused<'f> = Pin<Box<dyn Future<Output = Option<ReusedHttpStream>> + Send + 'f>>;

#[async_trait]
impl<P> HttpServerApp for Proxied<P>
where
    P: ProxyHttp + Send + Sync + 'static,
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
        self.proxy.process_new_http(session, shutdown)
    }

    fn h2_options(&self) -> Option<H2Options> {
        Some(self.http2.clone())
    }

    fn server_options(&self) -> Option<&HttpServerOptions> {
        Some(&self.options)
    }

    async fn http_cleanup(&self) {
        self.proxy.http_cleanup().await;
    }
}

impl<P> fmt::Debug for Proxied<P> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Proxied").field("options", &self.options).finish_non_exhaustive()
    }
}
