//! The scenarios of the report: what each asks of everybody, and who is the yardstick.

use bytes::Bytes;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::entrant::Entrant;
use crate::backend::{GRPC_ANSWER_BYTES, GRPC_PATH, LARGE_BYTES};
use crate::bench::BODY;
use crate::open_loop::asking::{Asking, Speaks};
use crate::open_loop::http2::framed;

/// The key of the one subscription, and its field.
pub(super) const KEY_FIELD: &str = "ocp-apim-subscription-key";
/// The key itself.
pub(super) const KEY: &str = "load-test-key-0123456789abcdef";

/// Tokens that the keys of `scenarios/jwt-*` have signed; they open nothing else, and end in 2100.
const HS256: &str = include_str!("hs256.token");
const RS256: &str = include_str!("rs256.token");

/// Kept-alive connections of HTTP/1.1, each with one request in flight.
const CONNECTIONS: u32 = 64;
/// The same where bodies are large.
const CONNECTIONS_LARGE: u32 = 16;
/// Connections of HTTP/2 ...
const CONNECTIONS_HTTP2: u32 = 4;
/// ... and how many requests may be in flight on each.
const STREAMS: u32 = 16;

/// A scenario.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Task {
    /// Passed on, nothing else.
    Plain,
    /// A key is asked for, and counted against a limit in memory.
    KeyLimit,
    /// The same with the count in Redis.
    KeyLimitRedis,
    /// A token is judged that is signed with a shared secret.
    JwtHs256,
    /// The same with an RSA key of 2048 bits.
    JwtRs256,
    /// Five header fields are set or removed.
    Headers,
    /// A body of 1 MiB on its way to the upstream.
    BodiesUp,
    /// A body of 1 MiB on its way to the client.
    BodiesDown,
    /// HTTP/2 with the client, HTTP/1.1 with the upstream.
    Http2,
    /// Unary calls of gRPC.
    Grpc,
    /// Connections on which nothing happens, beside a small load.
    Idle,
    /// The configuration changes every second.
    Reload,
    /// Redis is killed while three replicas hold a limit over it.
    RedisKilled,
}

impl Task {
    /// All, in the order of the report.
    pub(crate) const ALL: [Self; 13] = [
        Self::Plain,
        Self::KeyLimit,
        Self::KeyLimitRedis,
        Self::JwtHs256,
        Self::JwtRs256,
        Self::Headers,
        Self::BodiesUp,
        Self::BodiesDown,
        Self::Http2,
        Self::Grpc,
        Self::Idle,
        Self::Reload,
        Self::RedisKilled,
    ];

    /// Its name in options and of its files.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::KeyLimit => "key-limit",
            Self::KeyLimitRedis => "key-limit-redis",
            Self::JwtHs256 => "jwt-hs256",
            Self::JwtRs256 => "jwt-rs256",
            Self::Headers => "headers",
            Self::BodiesUp => "bodies-up",
            Self::BodiesDown => "bodies-down",
            Self::Http2 => "http2",
            Self::Grpc => "grpc",
            Self::Idle => "idle",
            Self::Reload => "reload",
            Self::RedisKilled => "redis-killed",
        }
    }

    /// What it is, in a headline.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Plain => "Plain proxy",
            Self::KeyLimit => "A key and a limit in memory",
            Self::KeyLimitRedis => "A key and a limit over Redis",
            Self::JwtHs256 => "A token signed with HS256",
            Self::JwtRs256 => "A token signed with RS256",
            Self::Headers => "Header policies",
            Self::BodiesUp => "Bodies of 1 MiB to the upstream",
            Self::BodiesDown => "Bodies of 1 MiB to the client",
            Self::Http2 => "HTTP/2 to the proxy, HTTP/1.1 to the upstream",
            Self::Grpc => "Unary calls of gRPC",
            Self::Idle => "Idle connections",
            Self::Reload => "The configuration changes every second",
            Self::RedisKilled => "Redis is killed under load",
        }
    }

    /// Whose figures the others' are divided by.
    pub(crate) fn yardstick(self) -> Entrant {
        match self {
            Self::Plain
            | Self::BodiesUp
            | Self::BodiesDown
            | Self::Http2
            | Self::Grpc
            | Self::Idle => Entrant::BarePingora,
            Self::KeyLimit | Self::Headers | Self::Reload => Entrant::Nginx,
            Self::KeyLimitRedis | Self::RedisKilled => Entrant::NginxRedis,
            Self::JwtHs256 | Self::JwtRs256 => Entrant::WeirPlain,
        }
    }

    /// What is asked.
    pub(crate) fn asking(self) -> Asking {
        let field = |name: &str, value: String| vec![(name.to_owned(), value)];
        let bearer = |token: &str| field("authorization", format!("Bearer {}", token.trim()));
        let plain = Asking {
            speaks: Speaks::Http1,
            method: "GET",
            path: "/bench/hello",
            fields: Vec::new(),
            body: Bytes::new(),
            answer_bytes: BODY.len(),
        };
        match self {
            Self::Plain | Self::Idle | Self::Reload | Self::RedisKilled => plain,
            Self::KeyLimit | Self::KeyLimitRedis => {
                Asking { fields: field(KEY_FIELD, KEY.to_owned()), ..plain }
            }
            Self::JwtHs256 => Asking { fields: bearer(HS256), ..plain },
            Self::JwtRs256 => Asking { fields: bearer(RS256), ..plain },
            Self::Headers => Asking { fields: field("x-internal", "yes".to_owned()), ..plain },
            Self::BodiesUp => Asking {
                method: "POST",
                path: "/bench/up",
                body: vec![b'x'; LARGE_BYTES].into(),
                answer_bytes: 0,
                ..plain
            },
            Self::BodiesDown => Asking { path: "/bench/down", answer_bytes: LARGE_BYTES, ..plain },
            Self::Http2 => Asking { speaks: Speaks::Http2, ..plain },
            Self::Grpc => {
                let mut fields = field("content-type", "application/grpc".to_owned());
                fields.push(("te".to_owned(), "trailers".to_owned()));
                Asking {
                    speaks: Speaks::Grpc,
                    method: "POST",
                    path: GRPC_PATH,
                    fields,
                    body: framed(b"hello"),
                    answer_bytes: GRPC_ANSWER_BYTES,
                }
            }
        }
    }

    /// Connections, and requests in flight on each.
    pub(crate) fn lanes(self) -> (u32, u32) {
        match self {
            Self::BodiesUp | Self::BodiesDown => (CONNECTIONS_LARGE, 1),
            Self::Http2 | Self::Grpc => (CONNECTIONS_HTTP2, STREAMS),
            Self::Plain
            | Self::KeyLimit
            | Self::KeyLimitRedis
            | Self::JwtHs256
            | Self::JwtRs256
            | Self::Headers
            | Self::Idle
            | Self::Reload
            | Self::RedisKilled => (CONNECTIONS, 1),
        }
    }
}

impl std::fmt::Display for Task {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
