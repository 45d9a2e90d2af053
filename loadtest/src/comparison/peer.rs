//! The configurations of peers: the files in `peers/`, with what a scenario asks for put at the places
//! that they have for it.

use std::net::SocketAddr;
use std::path::Path;

use super::entrant::Entrant;
use super::task::{KEY, Task};
use crate::contestant::{Addresses, filled, with_limit};
use crate::process::Invocation;
use crate::programs::Places;

/// More than the most idle connections.
pub(super) const CONNECTIONS_MAX: u32 = 16_384;

/// A limit that is never reached, and its period in seconds.
const CALLS: u64 = 100_000_000;
const PERIOD: u64 = 60;

/// Places, and what is put there.
type Fill = Vec<(&'static str, String)>;

/// The configuration of `who` for `task`; empty for those that have none of their own.
pub(super) fn text(
    who: Entrant,
    task: Task,
    places: &Places,
    (directory, addresses): (&Path, Addresses),
) -> String {
    let (template, fill) = match who {
        Entrant::Nginx => (include_str!("../../peers/nginx.conf"), nginx(task)),
        Entrant::NginxRedis => (include_str!("../../peers/nginx-redis.conf"), nginx_redis(task)),
        Entrant::Haproxy => (include_str!("../../peers/haproxy.cfg"), haproxy(task)),
        Entrant::Envoy => (include_str!("../../peers/envoy.yaml"), envoy(task)),
        Entrant::Traefik => {
            (include_str!("../../peers/traefik.yaml"), traefik_fill(task, addresses))
        }
        Entrant::BarePingora | Entrant::WeirPlain | Entrant::Weir => return String::new(),
    };
    let text =
        fill.iter().fold(template.to_owned(), |text, (place, more)| text.replace(place, more));
    // Places at which there is nothing more: to Traefik they would be a program.
    let is_place = |line: &&str| line.trim_start().starts_with("# {{");
    let lines = text.lines().filter(|line| !is_place(line));
    let text: String = lines.flat_map(|line| [line, "\n"]).collect();
    let text = with_limit(&text, places, [("calls", CALLS), ("period", PERIOD)]);
    filled(&text, directory, addresses)
}

/// Traefik with one processor, on `listen`, serving what `file` says and looking whether it changed.
pub(crate) fn traefik(program: Invocation, listen: SocketAddr, file: &Path) -> Invocation {
    let program = program
        .with(format!("--entrypoints.web.address={listen}"))
        .with(format!("--providers.file.filename={}", file.display()))
        .with("--providers.file.watch=true")
        .with("--providers.providersthrottleduration=100ms")
        .with("--serverstransport.maxidleconnsperhost=1024")
        .with("--log.level=ERROR")
        .with("--global.checknewversion=false")
        .with("--global.sendanonymoususage=false");
    program.under(Invocation::of("env").with("GOMAXPROCS=1"))
}

/// What nginx needs to know the key, in `http` and in `location`.
fn key_of_nginx() -> Fill {
    let known = format!("map $http_ocp_apim_subscription_key $known {{ default 0; {KEY} 1; }}");
    vec![("# {{http}}", known), ("# {{location}}", "if ($known = 0) { return 401; }".to_owned())]
}

fn nginx(task: Task) -> Fill {
    let place = |place, text: &str| vec![(place, text.to_owned())];
    match task {
        Task::KeyLimit => {
            let mut fill = key_of_nginx();
            for (place, text) in &mut fill {
                text.push_str(if *place == "# {{http}}" {
                    "\n  limit_req_zone $http_ocp_apim_subscription_key zone=keys:1m rate=1000000r/s;"
                } else {
                    "\n      limit_req zone=keys burst=1000000 nodelay;"
                });
            }
            fill
        }
        Task::Headers => place(
            "# {{location}}",
            "proxy_set_header X-Tenant load-test;\n      proxy_set_header X-Forwarded-Api bench;\n      \
             proxy_set_header X-Internal \"\";\n      add_header X-Gateway gateway;\n      \
             proxy_hide_header X-Powered-By;",
        ),
        // As the others do: passed on while it comes, nothing in files.
        Task::BodiesUp | Task::BodiesDown => place(
            "# {{location}}",
            "client_max_body_size 0;\n      proxy_request_buffering off;\n      proxy_buffering off;",
        ),
        Task::Http2 => place("listen {{listen}};", "listen {{listen}} http2;"),
        Task::Grpc => vec![
            ("listen {{listen}};", "listen {{listen}} http2;".to_owned()),
            ("# {{server}}", "location /loadtest.Echo/ { grpc_pass grpc://answer; }".to_owned()),
        ],
        Task::Idle => {
            vec![("worker_connections 8192", format!("worker_connections {CONNECTIONS_MAX}"))]
        }
        // Only a master reads its configuration again.
        Task::Reload => place("master_process off", "master_process on"),
        Task::Plain | Task::KeyLimitRedis | Task::JwtHs256 | Task::JwtRs256 | Task::RedisKilled => {
            Vec::new()
        }
    }
}

fn nginx_redis(task: Task) -> Fill {
    if task == Task::KeyLimitRedis { key_of_nginx() } else { Vec::new() }
}

fn haproxy(task: Task) -> Fill {
    let lines = |lines: &[String]| vec![("# {{frontend}}", lines.join("\n  "))];
    match task {
        Task::KeyLimit => lines(&[
            "stick-table type string len 64 size 1k expire 60s store http_req_rate(60s)".to_owned(),
            format!(
                "http-request deny deny_status 401 unless {{ req.hdr(Ocp-Apim-Subscription-Key) -m str {KEY} }}"
            ),
            "http-request track-sc0 req.hdr(Ocp-Apim-Subscription-Key)".to_owned(),
            format!("http-request deny deny_status 429 if {{ sc_http_req_rate(0) gt {CALLS} }}"),
        ]),
        Task::Headers => lines(&[
            "http-request set-header X-Tenant load-test".to_owned(),
            "http-request set-header X-Forwarded-Api bench".to_owned(),
            "http-request del-header X-Internal".to_owned(),
            "http-response set-header X-Gateway gateway".to_owned(),
            "http-response del-header X-Powered-By".to_owned(),
        ]),
        Task::Http2 => vec![("bind {{listen}}", "bind {{listen}} proto h2".to_owned())],
        Task::Grpc => vec![
            ("bind {{listen}}", "bind {{listen}} proto h2".to_owned()),
            ("server upstream {{upstream}}", "server upstream {{upstream}} proto h2".to_owned()),
        ],
        // It counts two files for each connection; idle ones have one.
        Task::Idle => {
            vec![("maxconn 8192", format!("maxconn {CONNECTIONS_MAX}\n  no strict-limits"))]
        }
        Task::Plain
        | Task::KeyLimitRedis
        | Task::JwtHs256
        | Task::JwtRs256
        | Task::BodiesUp
        | Task::BodiesDown
        | Task::Reload
        | Task::RedisKilled => Vec::new(),
    }
}

fn envoy(task: Task) -> Fill {
    let http2 = ("codec_type: HTTP1", "codec_type: HTTP2".to_owned());
    match task {
        // Its local limit is one for all keys: each key more is a route more.
        Task::KeyLimit => vec![
            (
                "match: {prefix: \"/\"}",
                format!(
                    "match: {{prefix: \"/\", headers: [{{name: Ocp-Apim-Subscription-Key, string_match: {{exact: {KEY}}}}}]}}"
                ),
            ),
            ("# {{filters}}", include_str!("../../peers/envoy-limit.yaml").trim().to_owned()),
        ],
        Task::Headers => {
            vec![("# {{route}}", include_str!("../../peers/envoy-headers.yaml").trim().to_owned())]
        }
        Task::Http2 => vec![http2],
        Task::Grpc => vec![
            http2,
            ("# {{cluster}}", include_str!("../../peers/envoy-http2.yaml").trim().to_owned()),
        ],
        Task::Plain
        | Task::KeyLimitRedis
        | Task::JwtHs256
        | Task::JwtRs256
        | Task::BodiesUp
        | Task::BodiesDown
        | Task::Idle
        | Task::Reload
        | Task::RedisKilled => Vec::new(),
    }
}

fn traefik_fill(task: Task, addresses: Addresses) -> Fill {
    let uses = |middleware: String| {
        vec![
            ("# {{router}}", "middlewares: [more]".to_owned()),
            ("# {{middlewares}}", format!("middlewares:\n    more: {{{middleware}}}")),
        ]
    };
    match task {
        Task::KeyLimit | Task::KeyLimitRedis => {
            let redis = match (task, addresses.redis) {
                (Task::KeyLimitRedis, Some(redis)) => limit_redis(redis),
                _ => String::new(),
            };
            let mut fill = uses(format!(
                "rateLimit: {{average: {CALLS}, period: {PERIOD}s, burst: {CALLS}, sourceCriterion: \
                 {{requestHeaderName: Ocp-Apim-Subscription-Key}}{redis}}}"
            ));
            fill.push((
                "PathPrefix(`/`)",
                format!("PathPrefix(`/`) && Header(`Ocp-Apim-Subscription-Key`, `{KEY}`)"),
            ));
            fill
        }
        Task::Headers => uses(
            "headers: {customRequestHeaders: {X-Tenant: load-test, X-Forwarded-Api: bench, X-Internal: \
             \"\"}, customResponseHeaders: {X-Gateway: gateway, X-Powered-By: \"\"}}"
                .to_owned(),
        ),
        Task::Grpc => vec![("http://{{upstream}}", "h2c://{{upstream}}".to_owned())],
        Task::Plain
        | Task::JwtHs256
        | Task::JwtRs256
        | Task::BodiesUp
        | Task::BodiesDown
        | Task::Http2
        | Task::Idle
        | Task::Reload
        | Task::RedisKilled => Vec::new(),
    }
}

fn limit_redis(redis: SocketAddr) -> String {
    format!(", redis: {{endpoints: [\"{redis}\"]}}")
}

/// Traefik's configuration with one limit for everybody, of `calls` in `period` seconds, over Redis.
pub(crate) fn traefik_with_limit(
    (calls, period): (u64, u64),
    directory: &Path,
    addresses: Addresses,
) -> String {
    let redis = addresses.redis.map(limit_redis).unwrap_or_default();
    // It admits this at once on top of its rate.
    let burst = calls.checked_div(10).unwrap_or(0).max(1);
    // Callers are told apart by their addresses, so all of the load is one: a host would be another one
    // for each replica.
    let limit = format!(
        "middlewares:\n    more: {{rateLimit: {{average: {calls}, period: {period}s, burst: {burst}{redis}}}}}"
    );
    let text =
        include_str!("../../peers/traefik.yaml").replace("# {{router}}", "middlewares: [more]");
    filled(&text.replace("# {{middlewares}}", &limit), directory, addresses)
}
