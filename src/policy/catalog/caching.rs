//! Policies that keep responses and values.

use super::{
    ANYWHERE, Attribute, Build, Content, EVERY_SCOPE, INBOUND, OUTBOUND, Policy, optional, part,
    required,
};
use crate::policy::caching::{made, responses, values};

const CACHING_TYPE: Attribute = optional(
    "caching-type",
    "`internal` or `prefer-external`; `external` is refused, as there is no external cache.",
)
.usual("prefer-external");
const KEY: Attribute = required("key", "The key; one for the whole gateway.").computed();

/// What is so of every cache.
const FORGETS: &str = "Each gateway keeps its own in memory, bounded by `cache.bytes`, and may \
                       forget anything at any time.";

/// `cache-lookup`.
pub const CACHE_LOOKUP: Policy = Policy {
    name: "cache-lookup",
    says: "Answers a GET request with a response that `cache-store` kept, if there is one, and tells \
           that policy under what to keep one if there is none.",
    sections: INBOUND,
    scopes: EVERY_SCOPE,
    attributes: &[
        required("vary-by-developer", "Whether each user has responses of their own.").computed(),
        required("vary-by-developer-groups", "Whether users of other groups have others.")
            .computed(),
        CACHING_TYPE,
        optional("downstream-caching-type", "Who else may keep it: `none`, `private`, `public`.")
            .computed()
            .usual("none"),
        optional("must-revalidate", "Whether they have to ask again when it is old.")
            .computed()
            .usual("true"),
        optional(
            "allow-private-response-caching",
            "Whether requests with `Authorization` meet the cache.",
        )
        .computed()
        .usual("false"),
    ],
    content: Content::Elements(&[
        part(
            "vary-by-header",
            "A field whose values have responses of their own; `;` between several.",
        )
        .holding(Content::Text),
        part(
            "vary-by-query-parameter",
            "A parameter for which the same holds; all parameters if none is named.",
        )
        .holding(Content::Text),
    ]),
    differs: &[
        "The key has the host and the scheme of the request, the API with its revision, the \
         operation, and both URLs: the client's and the backend's.",
        FORGETS,
    ],
    build: Build::Steps(responses::cache_lookup),
};

/// `cache-store`.
pub const CACHE_STORE: Policy = Policy {
    name: "cache-store",
    says: "Keeps the response of a GET request for `cache-lookup`.",
    sections: OUTBOUND,
    scopes: EVERY_SCOPE,
    attributes: &[
        required("duration", "For how many seconds.").computed(),
        optional("cache-response", "Whether it is kept.").computed().usual("the status is 200"),
    ],
    content: Content::Nothing,
    differs: &[
        "Parts (206) and answers to conditions (304) are never kept, and cookies are left out.",
        FORGETS,
    ],
    build: Build::Steps(responses::cache_store),
};

/// `cache-lookup-value`.
pub const CACHE_LOOKUP_VALUE: Policy = Policy {
    name: "cache-lookup-value",
    says: "Sets a variable to a value that was kept under a key.",
    sections: ANYWHERE,
    scopes: EVERY_SCOPE,
    attributes: &[
        KEY,
        required("variable-name", "The variable."),
        optional("default-value", "What it gets where nothing is kept.").computed(),
        CACHING_TYPE,
    ],
    content: Content::Nothing,
    differs: &["Where nothing is kept and there is no default, the variable is not set.", FORGETS],
    build: Build::Steps(values::cache_lookup_value),
};

/// `cache-store-value`.
pub const CACHE_STORE_VALUE: Policy = Policy {
    name: "cache-store-value",
    says: "Keeps a value under a key.",
    sections: ANYWHERE,
    scopes: EVERY_SCOPE,
    attributes: &[
        KEY,
        required("value", "The value, of any type that can be copied.").computed(),
        required("duration", "For how many seconds.").computed(),
        CACHING_TYPE,
    ],
    content: Content::Nothing,
    differs: &["It is there for the next policy at once.", FORGETS],
    build: Build::Steps(values::cache_store_value),
};

/// `cache-remove-value`.
pub const CACHE_REMOVE_VALUE: Policy = Policy {
    name: "cache-remove-value",
    says: "Forgets the value under a key.",
    sections: ANYWHERE,
    scopes: EVERY_SCOPE,
    attributes: &[KEY, CACHING_TYPE],
    content: Content::Nothing,
    differs: &["Other gateways keep theirs until it is too old."],
    build: Build::Steps(values::cache_remove_value),
};

/// `cache-value`.
pub const CACHE_VALUE: Policy = Policy {
    name: "cache-value",
    says: "Sets a variable to a value that was kept under a key, or makes the value and keeps it: the \
           policies in `value` run, and what they leave in the variable is the value. Of the requests \
           that want it at the same time one makes it; the others wait for it, or go on with the old \
           one.",
    sections: ANYWHERE,
    scopes: EVERY_SCOPE,
    attributes: &[
        KEY,
        required(
            "variable-name",
            "The variable. It is not set when the policies in `value` begin.",
        ),
        optional("expires-after", "For how many seconds the value is kept.")
            .computed()
            .usual("as long as nothing else needs the room"),
        optional(
            "refresh-after",
            "After how many seconds it is made anew; less than `expires-after`.",
        )
        .computed()
        .usual("when it has ended"),
        optional("default-value", "What the variable gets where the value cannot be made.")
            .computed(),
        CACHING_TYPE,
    ],
    content: Content::Elements(&[part(
        "value",
        "The policies that make the value, and set the variable. Neither `forward-request` nor \
         `cache-lookup`, `cache-store` or `<base />` may be among them.",
    )
    .holding(Content::Policies)]),
    differs: &[
        "`expires-after` and `refresh-after` are evaluated after the policies in `value`, so they may \
         depend on what was made.",
        "Where those policies fail, or leave the variable unset, the request goes on with the old \
         value, else with `default-value`, which is not kept; without either it fails as they did. \
         Whoever waited then gets the default too, or fails (`CachedValueFailed`); nobody waits for \
         longer than a minute.",
        "Each replica makes its own value. It is kept under the key that `cache-lookup-value` and \
         `cache-remove-value` know.",
        FORGETS,
    ],
    build: Build::Steps(made::cache_value),
};
