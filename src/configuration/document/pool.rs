//! Pools of backends and circuit breakers as they are written: in API Management's words, and ours
//! beside them.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::configuration::yaml::Placed;

/// Backends among which requests are distributed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pool {
    /// Who they are, at most 30.
    pub services: Vec<Service>,
    /// Keeps a session with one of them.
    pub session_affinity: Option<SessionAffinity>,
    /// The status of the answer where none of them can be asked, from 200 to 599; 503 if nothing is
    /// written.
    #[schemars(range(min = 200, max = 599))]
    pub failure_response: Option<Placed<u64>>,
    /// How one is chosen within its group. `weighted`, if nothing is written: in turn, by weight;
    /// `least-requests`: the one that has least under way for its weight; `consistent-hash`: the one
    /// that owns what `hash` names.
    #[schemars(extend("enum" = ["weighted", "least-requests", "consistent-hash"]))]
    pub balancing: Option<Placed<String>>,
    /// What of a request decides, with `balancing: consistent-hash`.
    pub hash: Option<Placed<Hash>>,
    /// Where fewer of the services than this are healthy, in percent, checks of health are not
    /// believed, and all whose circuits are closed are asked; 0, which is never, if nothing is written.
    #[schemars(range(min = 0, max = 100))]
    pub panic_threshold: Option<Placed<u64>>,
    /// In which time a service that came back gets its whole share again, such as `PT30S` or `30s`;
    /// it begins with a tenth. At once if nothing is written.
    pub slow_start: Option<Placed<String>>,
}

/// A backend as a part of a pool.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Service {
    /// The `id` of the backend; its resource id is taken, too, and the last part of it counts.
    pub id: Placed<String>,
    /// The group it belongs to, from 0 to 100. One of a larger number is asked only when nobody of a
    /// smaller one can be. 0 if nothing is written.
    #[schemars(range(max = 100))]
    pub priority: Option<Placed<u64>>,
    /// Its share of the requests of its group, from 0 to 100; 1 if nothing is written. With 0 it is
    /// asked only when nobody else of its group can be.
    #[schemars(range(max = 100))]
    pub weight: Option<Placed<u64>>,
}

/// What keeps a session with one backend of a pool.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SessionAffinity {
    /// By what a session is known.
    pub session_id: SessionId,
}

/// By what a session is known.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SessionId {
    /// `Cookie`: there is nothing else.
    #[schemars(extend("enum" = ["Cookie", "cookie"]))]
    pub source: Placed<String>,
    /// The name of the cookie.
    pub name: Placed<String>,
}

/// What of a request decides who gets it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Hash {
    /// Where it stands. A request without it goes to whose turn it is.
    #[schemars(extend("enum" = ["header", "cookie", "client-address", "path"]))]
    pub source: Placed<String>,
    /// The name of the header or the cookie.
    pub name: Option<Placed<String>>,
}

/// When a backend is left alone, and for how long.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CircuitBreaker {
    /// One rule.
    pub rules: Vec<CircuitBreakerRule>,
    /// Whether replicas that share a Redis tell each other when it opens; true if nothing is written.
    pub shared: Option<bool>,
}

/// A rule of a circuit breaker.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CircuitBreakerRule {
    /// For people.
    pub name: Placed<String>,
    /// What is too much.
    pub failure_condition: FailureCondition,
    /// For how long the circuit is open then, such as `PT1M` or `1m`.
    pub trip_duration: Placed<String>,
    /// Whether a `Retry-After` of the response that opens it says for how long, an hour at most.
    pub accept_retry_after: Option<bool>,
    /// The status of the answer while it is open, from 200 to 599; 503 if nothing is written.
    #[schemars(range(min = 200, max = 599))]
    pub failure_response: Option<Placed<u64>>,
}

/// What is too much.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FailureCondition {
    /// So many failures within the interval; or write `percentage`.
    #[schemars(range(min = 1, max = 10_000))]
    pub count: Option<Placed<u64>>,
    /// Such a part of the requests within the interval, in percent; or write `count`.
    #[schemars(range(min = 1, max = 100))]
    pub percentage: Option<Placed<u64>>,
    /// With fewer requests than this within the interval no percentage opens a circuit; 5 if nothing
    /// is written.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub minimum_requests: Option<Placed<u64>>,
    /// The time in which they are counted, such as `PT1M` or `1m`.
    pub interval: Placed<String>,
    /// The statuses that are failures. Without these and `errorReasons`: 500 to 599, no connection
    /// and no answer in time.
    #[serde(default)]
    pub status_code_ranges: Vec<StatusCodeRange>,
    /// What else is one: `Timeout`, `BackendConnectionFailure`, `Server errors` (500 to 599).
    #[serde(default)]
    pub error_reasons: Vec<Placed<String>>,
}

/// Statuses from one to another, both included.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StatusCodeRange {
    /// The smallest.
    #[schemars(range(min = 200, max = 599))]
    pub min: Placed<u64>,
    /// The largest.
    #[schemars(range(min = 200, max = 599))]
    pub max: Placed<u64>,
}
