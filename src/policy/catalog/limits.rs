//! Rate limits and quotas.

use super::{
    Attribute, BELOW_GLOBAL, Build, Content, EVERY_SCOPE, INBOUND, PRODUCT, Part, Policy, optional,
    part, required,
};
use crate::policy::limits::{quota, rate};

/// The attributes of a limit: its own, and those that say how it is held.
macro_rules! held {
    ($($own:expr),* $(,)?) => {
        &[
            $($own,)*
            optional("weir-mode", "How sure it is: `fast`, `exact` or `local`.").usual("fast"),
            optional("weir-overshoot", "How far `fast` may go beyond it.").usual("1%"),
            optional("weir-window", "`sliding`, `fixed`, `bucket`, or `as-policy`.")
                .usual("as-policy"),
            optional("weir-burst", "What a `bucket` holds.").usual("as many as `calls`"),
            optional("weir-on-loss", "Without Redis: `local-share`, `open` or `closed`.")
                .usual("local-share"),
            optional("weir-on-timeout", "When Redis is late: `refuse` or `admit`.").usual("refuse"),
            optional("weir-max-wait", "How long a request waits for Redis.").usual("25ms"),
            optional("weir-durability", "Who knows of a sale before it is spent.")
                .usual("when-possible"),
            optional("weir-horizon", "For how long ahead a gateway buys.")
                .usual("a quarter of a window"),
            optional("weir-counting", "Where the response decides: `apim` or `reserve`.")
                .usual("apim"),
            optional("weir-shadow", "Whether it counts, and refuses nobody.").usual("false"),
            optional("weir-headers", "Whether answers have `RateLimit` fields.").usual("false"),
        ]
    };
}

pub(super) use held;

const CALLS: Attribute = required("calls", "How many calls.");
const SOME_CALLS: Attribute = optional("calls", "How many calls.");
const BANDWIDTH: Attribute = optional("bandwidth", "How many kilobytes of bodies, both ways.");
const RATE_PERIOD: Attribute = required("renewal-period", "In how many seconds: 1 to 300.");
const QUOTA_PERIOD: Attribute =
    required("renewal-period", "How long a period is, in seconds; 0: it never ends.");
const NAME: Attribute = optional("name", "Its name; `id` counts before it.");
const RETRY_FIELD: Attribute =
    optional("retry-after-header-name", "The field that says when to come back.")
        .usual("Retry-After");
const RETRY_VARIABLE: Attribute =
    optional("retry-after-variable-name", "The variable that gets the same.");
const LEFT_FIELD: Attribute =
    optional("remaining-calls-header-name", "The field that says how many calls are left.");
const LEFT_VARIABLE: Attribute =
    optional("remaining-calls-variable-name", "The variable that gets the same.");
const TOTAL_FIELD: Attribute =
    optional("total-calls-header-name", "The field that says how many are allowed.");
const KEY: Attribute = required("counter-key", "Whose calls are counted together.").computed();
const CONDITION: Attribute =
    optional("increment-condition", "Whether this request counts; it may read the response.")
        .computed()
        .usual("true");
const COUNT: Attribute =
    optional("increment-count", "For how many it counts; it may read the response.")
        .computed()
        .usual("1");

pub(super) const HELD: &str = "How replicas share it, the attributes that begin with `weir-`, and what happens \
                    in each fault: [limits](limits.md).";

const RATE_PARTS: &[Part] = &[part("api", "The same for one API of the product.")
    .with(RATE_NESTED)
    .holding(Content::Elements(&[
        part("operation", "The same for one operation of it.").with(RATE_NESTED)
    ]))];
const RATE_NESTED: &[Attribute] = held![NAME, CALLS, RATE_PERIOD];

const QUOTA_PARTS: &[Part] = &[part("api", "The same for one API of the product.")
    .with(QUOTA_NESTED)
    .holding(Content::Elements(&[
        part("operation", "The same for one operation of it.").with(QUOTA_NESTED)
    ]))];
const QUOTA_NESTED: &[Attribute] = held![NAME, SOME_CALLS, BANDWIDTH, QUOTA_PERIOD];

/// `rate-limit`.
pub const RATE_LIMIT: Policy = Policy {
    name: "rate-limit",
    says: "Admits so many calls of a subscription in any interval of a length, and answers 429 to \
           more. Requests without a subscription are not counted.",
    sections: INBOUND,
    scopes: BELOW_GLOBAL,
    attributes: held![
        CALLS,
        RATE_PERIOD,
        RETRY_FIELD,
        RETRY_VARIABLE,
        LEFT_FIELD,
        LEFT_VARIABLE,
        TOTAL_FIELD,
    ],
    content: Content::Elements(RATE_PARTS),
    differs: &["A refused call counts nowhere.", HELD],
    build: Build::Steps(rate::build),
};

/// `rate-limit-by-key`.
pub const RATE_LIMIT_BY_KEY: Policy = Policy {
    name: "rate-limit-by-key",
    says: "Admits so much under a key in any interval of a length, and answers 429 to more. Policies \
           with one key share one counter, wherever they stand.",
    sections: INBOUND,
    scopes: EVERY_SCOPE,
    attributes: held![
        CALLS.computed(),
        RATE_PERIOD.computed(),
        KEY,
        CONDITION,
        COUNT,
        optional("increment-after-response", "Whether it counts after the response in any case.")
            .usual("false"),
        RETRY_FIELD,
        RETRY_VARIABLE,
        LEFT_FIELD,
        LEFT_VARIABLE,
        TOTAL_FIELD,
    ],
    content: Content::Nothing,
    differs: &["A refused call counts nowhere.", HELD],
    build: Build::Steps(rate::build_by_key),
};

/// `quota`.
pub const QUOTA: Policy = Policy {
    name: "quota",
    says: "Admits so many calls or kilobytes of a subscription in each period from its start, and \
           answers 403 to more.",
    sections: INBOUND,
    scopes: PRODUCT,
    attributes: held![SOME_CALLS, BANDWIDTH, QUOTA_PERIOD],
    content: Content::Elements(QUOTA_PARTS),
    differs: &["One of `calls` and `bandwidth` is given, or both.", HELD],
    build: Build::Steps(quota::build),
};

/// `quota-by-key`.
pub const QUOTA_BY_KEY: Policy = Policy {
    name: "quota-by-key",
    says: "Admits so much, or so many kilobytes, under a key in each period, and answers 403 to \
           more. A request counts once under a key.",
    sections: INBOUND,
    scopes: EVERY_SCOPE,
    attributes: held![
        SOME_CALLS,
        BANDWIDTH,
        required(
            "renewal-period",
            "How long a period is, in seconds: 300 or more; 0: it never ends."
        ),
        KEY,
        CONDITION,
        COUNT,
        optional("first-period-start", "When the first period began: `2026-01-31T00:00:00Z`.")
            .usual("0001-01-01T00:00:00Z"),
    ],
    content: Content::Nothing,
    differs: &["One of `calls` and `bandwidth` is given, or both.", HELD],
    build: Build::Steps(quota::build_by_key),
};
