//! How limits are held, as it is written.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

use crate::configuration::yaml::Placed;

/// How limits and quotas are held whose policies do not say it themselves (with attributes that
/// begin with `weir-`).
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct LimitHolding {
    /// How sure the bound is over all replicas. `exact`: never more than the limit; `fast`, if
    /// nothing is written: a little more, so that nobody waits; `local`: the limit for each replica.
    #[schemars(extend("enum" = ["exact", "fast", "local"]))]
    pub mode: Option<Placed<String>>,
    /// How much more than the limit the mode `fast` may admit over all replicas: a part such as
    /// `0.5%`, or a number; `1%` if nothing is written.
    pub overshoot: Option<Placed<Amount>>,
    /// In which windows rate limits count. `as-policy`, if nothing is written: as API Management
    /// says; `sliding`: in every interval of the period; `fixed`: in one period after the other;
    /// `bucket`: as tokens that come in all the time. Quotas have periods of their own.
    #[schemars(extend("enum" = ["as-policy", "sliding", "fixed", "bucket"]))]
    pub window: Option<Placed<String>>,
    /// How many tokens a `bucket` holds; as many as the limit if nothing is written.
    #[schemars(range(min = 2))]
    pub burst: Option<Placed<u64>>,
    /// What holds while Redis cannot be reached. `local-share`, if nothing is written: each replica
    /// admits its share; `open`: everything; `closed`: nothing, which is answered with 503.
    #[schemars(extend("enum" = ["local-share", "open", "closed"]))]
    pub on_loss: Option<Placed<String>>,
    /// What holds when Redis takes longer than `maxWait`; `refuse` if nothing is written.
    #[schemars(extend("enum" = ["refuse", "admit"]))]
    pub on_timeout: Option<Placed<String>>,
    /// How long a request may wait for Redis, from `1ms` to `1s`; `25ms` if nothing is written.
    #[schemars(regex(pattern = r"^[0-9]+(ms|s)$"))]
    pub max_wait: Option<Placed<String>>,
    /// Who must have what Redis sold of a quota before it is spent. `when-possible`, if nothing is
    /// written: a replica of Redis, if one confirms it within 20 ms, else the primary; `replicated`:
    /// a replica, and without one the quota sells nothing; `memory`: the primary. Rate limits do not
    /// ask.
    #[schemars(extend("enum" = ["when-possible", "replicated", "memory"]))]
    pub durability: Option<Placed<String>>,
    /// For how long ahead a gateway has tokens of a `fixed` window in hand, from `20ms` to `5m`, at
    /// most to the end of the window; a quarter of a window, a second at most, if nothing is written.
    #[schemars(regex(pattern = r"^[0-9]+ *(ms|s|m|min)$"))]
    pub horizon: Option<Placed<String>>,
    /// When an increment counts that depends on the response. `apim`, if nothing is written: once
    /// the response is there, and as many as are on their way may go over the limit; `reserve`: at
    /// once, and what the response does not cost is given back.
    #[schemars(extend("enum" = ["apim", "reserve"]))]
    pub counting: Option<Placed<String>>,
    /// Whether limits only count and say in the log that they would have refused.
    pub shadow: Option<Placed<bool>>,
    /// Whether answers have the fields `RateLimit-Policy` and `RateLimit`.
    pub headers: Option<Placed<bool>>,
}

/// A part such as `1%`, or a number.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub struct Amount(pub String);

impl JsonSchema for Amount {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Amount".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "anyOf": [
                { "type": "string", "pattern": r"^[0-9]+(\.[0-9]{1,2})? ?%$" },
                { "type": "integer", "minimum": 0 }
            ]
        })
    }
}
