//! The yardstick: the least that a Pingora proxy can do. One worker, the system allocator, no log,
//! every default of Pingora's but the number of kept upstream connections.

use std::net::SocketAddr;
use std::process::ExitCode;

use async_trait::async_trait;
use clap::Parser;
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
}

struct Bare {
    upstream: SocketAddr,
}

#[async_trait]
impl ProxyHttp for Bare {
    type CTX = ();

    fn new_ctx(&self) -> Self::CTX {}

    async fn upstream_peer(&self, _: &mut Session, (): &mut ()) -> Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new(self.upstream, false, String::new())))
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
    let mut proxy =
        http_proxy_service(&server.configuration, Bare { upstream: arguments.upstream });
    proxy.add_tcp(&arguments.listen.to_string());
    server.add_service(proxy);
    server.run(pingora::server::RunArgs::default());
    ExitCode::SUCCESS
}
