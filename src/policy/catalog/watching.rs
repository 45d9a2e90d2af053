//! Policies that write down what happens: traces, events and metrics.

use super::{
    ANYWHERE, Attribute, Build, Content, EVERY_SCOPE, INBOUND, Part, Policy, optional, part,
    required,
};
use crate::policy::{logging, metrics};

/// `trace`.
pub const TRACE: Policy = Policy {
    name: "trace",
    says: "Writes a line for whoever inspects the request.",
    sections: ANYWHERE,
    scopes: EVERY_SCOPE,
    attributes: &[
        required("source", "Who writes it.").computed(),
        optional("severity", "`verbose`, `information` or `error`.").usual("verbose"),
    ],
    content: Content::TextOr(&[
        part("message", "The line; older documents have it as the text of the policy itself.")
            .holding(Content::Text),
        part("metadata", "A name and a value that go with it; any number.")
            .with(&[required("name", "The name."), required("value", "The value.").computed()]),
    ]),
    differs: &[
        "`source` may be an expression, which API Management does not document; documents in use have it.",
        "It is a line among the access records (`GatewayTraces`, [logs](logs.md)) with the id of its \
         request, if the `verbosity` of `diagnostics` takes its severity; where there are none, if the \
         log level does: `verbose` is `debug`, `information` is `info`.",
        "What a secret named value is part of stands there as `(secret)`, and so does its text \
         wherever a variable carried it to; so do keys of the subscription, and JSON Web Tokens.",
    ],
    build: Build::Steps(logging::trace),
};

/// `log-to-eventhub`.
pub const LOG_TO_EVENTHUB: Policy = Policy {
    name: "log-to-eventhub",
    says: "Hands a message to a logger, which sends it to an event hub in the background. No request \
           waits for it ([events](events.md)).",
    sections: ANYWHERE,
    scopes: EVERY_SCOPE,
    attributes: &[
        required("logger-id", "The id of a logger, as `loggers` has it.").computed(),
        optional("partition-id", "The number of the partition; not together with `partition-key`."),
        optional("partition-key", "Messages with the same key go to the same partition.")
            .computed(),
    ],
    content: Content::Text,
    differs: &[
        "A message of more than 200 KB is cut there, as in API Management; a key of more than 128 \
         characters too.",
        "A logger that an expression names and that is not there is an error of the request.",
        "What the queue has no room for is dropped and counted, and a gateway that stops sends first \
         what is queued.",
    ],
    build: Build::Steps(logging::event_hub::log_to_eventhub),
};

const DIMENSIONS: &[Part] = &[part("dimension", "What tells samples apart; one or more.").with(&[
    required("name", "Its name; upper and lower case are the same.").computed(),
    optional(
        "value",
        "What it says. `API ID`, `Operation ID`, `Product ID`, `User ID`, `Subscription ID`, \
         `Location`, `Gateway ID` and `Backend ID` need none.",
    )
    .computed(),
])];

const NAMESPACE: Attribute =
    optional("namespace", "The group of metrics that it belongs to.").usual("API Management");

const METRIC_DIFFERS: &[&str] = &[
    "Samples are summed up in `weir_policy_metric` at `/metrics` (see \
     [metrics](configuration.md#metrics)), with the labels `namespace`, `metric` \
     and the dimensions; what no label may have in its name becomes `_`.",
    "At most 10 dimensions have a value of their own, also of tokens (API Management's page says 5 \
     there, and documents in use have more).",
    "Values are cut to 64 characters, and covered where they hold a key or another secret of the \
     request, as the keys of limits are. A metric has at most 500 series, all of them 2,000: what is \
     beyond is added up under `(other)`, and counted in `weir_policy_metric_folded_total`.",
];

/// `emit-metric`.
pub const EMIT_METRIC: Policy = Policy {
    name: "emit-metric",
    says: "Gives a sample of a metric of your own.",
    sections: ANYWHERE,
    scopes: EVERY_SCOPE,
    attributes: &[
        required("name", "The name of the metric."),
        optional("value", "How much: any number.").computed().usual("1"),
        NAMESPACE,
    ],
    content: Content::Elements(DIMENSIONS),
    differs: METRIC_DIFFERS,
    build: Build::Steps(metrics::emit_metric),
};

/// `llm-emit-token-metric`.
pub const LLM_EMIT_TOKEN_METRIC: Policy = Policy {
    name: "llm-emit-token-metric",
    says: "Gives samples of what a call of a language model costs: `Total Tokens`, `Prompt Tokens` and \
           `Completion Tokens`. They are read or estimated as \
           [llm-token-limit](#llm-token-limit) does, of streams too.",
    sections: INBOUND,
    scopes: EVERY_SCOPE,
    attributes: &[NAMESPACE],
    content: Content::Elements(DIMENSIONS),
    differs: METRIC_DIFFERS,
    build: Build::Steps(metrics::emit_token_metric),
};

/// `azure-openai-emit-token-metric`.
pub const AZURE_OPENAI_EMIT_TOKEN_METRIC: Policy = Policy {
    name: "azure-openai-emit-token-metric",
    says: "The older name of [llm-emit-token-metric](#llm-emit-token-metric).",
    differs: &["All that is said of `llm-emit-token-metric` holds."],
    ..LLM_EMIT_TOKEN_METRIC
};
