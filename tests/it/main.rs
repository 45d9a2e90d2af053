//! The gateway as its users meet it: the real program as a process, over real sockets.
//!
//! Read [`harness`] for what a test can make, then the modules in order: what is answered, where
//! requests go and how, what policies do on the way, and how it all fails.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on, stops"
)]
#![expect(clippy::disallowed_methods, reason = "these tests wait for processes in real time")]

// The scenarios of counters name them as if they stood here.
use weir::{limit, time};

mod harness;

mod answers;
mod keys;
mod routing;
mod forwarding;
mod bodies;
mod poisons;
mod policies;
mod collected;
mod calls;
mod certificates;
mod events;
mod traces;
mod canaries;
mod logs;
mod together;
mod websocket;
mod protocols;
mod authorizations;
mod backends;
mod http2_backends;
mod backend_tls;
mod grpc;
mod pools;
mod health;
mod tagged;
mod peers;
mod proxies;
mod strictness;
mod bounds;
mod reload;
mod last_good;
mod kill_switch;
mod admin;
mod metrics;
mod process;
mod commands;
mod tokens;
mod jwt;
mod identity;
mod service_bus;
mod dapr;
mod dapr_calls;
mod dapr_secrets;
mod dapr_sdks;
mod inspector;
mod limits_command;
mod limits_named;
mod scripts;
mod redis_link;
mod redis_weather;
mod redis_durability;
mod redis_increx;
mod redis_topology;
mod shared;
mod tills;
mod shared_weather;
mod sharing;
mod limits_held;
mod crowds;
mod bandwidth;
mod language_models;
mod etcd;
mod cluster;
mod cluster_faults;
mod cluster_weather;
mod rollout;
mod control;
mod control_cluster;
mod control_last_good;
mod control_planes;
mod control_status;
mod switched;
mod workloads;
mod status;
