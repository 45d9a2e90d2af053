//! The yardstick: the least that a Pingora proxy can do. One worker, the system allocator, no log,
//! every default of Pingora's but the number of kept upstream connections.

use std::net::SocketAddr;
use std::process::ExitCode;

use async_trait::async_trait;
use clap::Parser;
use pingora::apps::HttpServerOptions;
use pingora::prelude::*;
use pingora::server::configuration::ServerConf;

/// More than the most connections a scenario opens, so that none is closed for want of room; the
/// peers' configurations say the same.
const KEPT_UPSTREAM_CONNECTIONS: usize = 1024;

/// A Pingora proxy that forwards everything to one upstream.
#[derive(Parser)]
struct Arguments {
    /// Where to listen.
    listen: SocketAddr,
    /// Where to forward to.
    upstream: SocketAddr,
    /// Speak HTTP/2 with clients that begin with it.
    #[arg(long)]
    h2c: bool,
    /// Speak HTTP/2 with the upstream.
    #[arg(long)]
    upstream_http2: bool,
}

struct Bare {
    upstream: SocketAddr,
    upstream_http2: bool,
}

/// How many requests a connection of HTTP/2 to the upstream carries at once.
const UPSTREAM_STREAMS: usize = 100;

#[async_trait]
impl ProxyHttp for Bare {
    type CTX = ();

    fn new_ctx(&self) -> Self::CTX {}

    async fn upstream_peer(&self, _: &mut Session, (): &mut ()) -> Result<Box<HttpPeer>> {
        let mut peer = HttpPeer::new(self.upstream, false, String::new());
        if self.upstream_http2 {
            peer.options.set_http_version(2, 2);
            peer.options.max_h2_streams = UPSTREAM_STREAMS;
        }
        Ok(Box::new(peer))
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let conf = ServerConf {
        threads: 1,
        upstream_keepalive_pool_size: KEPT_UPSTREAM_CONNECTIONS,
        ..ServerConf::default()
    };
    let mut server = Server::new_with_opt_and_conf(None, conf);
    server.bootstrap();
    let Arguments { listen, upstream, h2c, upstream_http2 } = arguments;
    let mut proxy = http_proxy_service(&server.configuration, Bare { upstream, upstream_http2 });
    if h2c && let Some(proxy) = proxy.app_logic_mut() {
        let mut options = HttpServerOptions::default();
        options.h2c = true;
        proxy.server_options = Some(options);
    }
    proxy.add_tcp(&listen.to_string());
    server.add_service(proxy);
    server.run(pingora::server::RunArgs::default());
    ExitCode::SUCCESS
}
