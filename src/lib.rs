//! Weir: a self-hosted API gateway that runs Azure API Management policies.
//!
//! Two paths, and one place where they meet. Read [`proxy`] for the way of a request and
//! [`configuration`] for the way of a configuration; [`snapshot`] is where they meet. The modules
//! stand here by floor: each uses itself and what is below it.

#![forbid(unsafe_code)]

// Floor 9: what a person types.
pub mod cli;

// Floor 8: the root.
pub mod app;

// Between them: from API Management's gateway to Weir, its configuration and its deployment.
pub mod import;
pub mod migration;

// Floor 7: what the process must know first.
pub mod settings;

// Floor 6: the paths, and above them who shows and who feeds them.
pub mod proxy;
pub mod configuration;
pub mod control;
pub mod admin;

// Floor 5: who calls, who vouches for callers, who the gateway is to others, who hears of it, and
// what a request went through; and adapters, one outside thing each.
pub mod admission;
pub mod issuer;
pub mod identity;
pub mod events;
pub mod health;
pub mod exporter;
pub mod inspector;
pub mod counters;
pub mod cache;
pub mod etcd;
pub mod caller;
pub mod telemetry;

// Between them: how gRPC is spoken.
pub mod rpc;

// Floor 4: what runs.
pub mod snapshot;

// Floor 3: the policies.
pub mod policy;

// Floor 2: what they read and write.
pub mod exchange;

// Floor 1: cores.
pub mod limit;
pub mod llm;
pub mod route;
pub mod subscription;
pub mod backend;
pub mod expression;
pub mod schema;
pub mod token;
pub mod jwt;
pub mod correlation;

// Between them: certificates, which several cores hold, and what a Dapr sidecar understands.
pub mod certificate;
pub mod dapr;

// Words.
pub mod address;
pub mod digest;
pub mod secret;
pub mod time;
pub mod fault;
pub mod grpc;
pub mod problem;

// Floor 0: what short words are written into.
pub mod short;
