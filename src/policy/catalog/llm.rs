//! Policies for language models.

use super::limits::held;
use super::{Attribute, Build, Content, EVERY_SCOPE, INBOUND, Policy, optional, required};
use crate::policy::limits::tokens;

const TOKEN_LIMIT: &[Attribute] = held![
    required("counter-key", "Whose tokens are counted together.").computed(),
    optional("tokens-per-minute", "How many tokens of prompts and answers in any minute.")
        .computed(),
    optional("token-quota", "How many in each period.").computed(),
    optional(
        "token-quota-period",
        "`Hourly`, `Daily`, `Weekly`, `Monthly` or `Yearly`, by the calendar in UTC; weeks begin on \
         Monday."
    )
    .computed(),
    required(
        "estimate-prompt-tokens",
        "Whether the prompt counts, as estimated, before it is answered; of a stream it always does."
    )
    .computed(),
    optional("retry-after-header-name", "The field that says when to come back.")
        .usual("Retry-After"),
    optional("retry-after-variable-name", "The variable that gets the same."),
    optional("remaining-quota-tokens-header-name", "The field that says what is left of the quota."),
    optional("remaining-quota-tokens-variable-name", "The variable that gets the same."),
    optional("remaining-tokens-header-name", "The field that says what is left in this minute."),
    optional("remaining-tokens-variable-name", "The variable that gets the same."),
    optional("tokens-consumed-header-name", "The field that says what the call cost."),
    optional(
        "tokens-consumed-variable-name",
        "The variable that gets the same; before, the estimate of the prompt, or 0."
    ),
];

const TOKEN_LIMIT_DIFFERS: &[&str] = &[
    "One of `tokens-per-minute` and `token-quota` is given, or both; `token-quota` and \
     `token-quota-period` go together. `tokens-per-minute` may be an expression, too.",
    "A rate that is exceeded answers 429, a quota 403. A request is refused when nothing is left, not \
     one token later.",
    "What a call cost says `usage` of its response: of Chat Completions, Completions, Embeddings, \
     Responses, Messages and Vertex AI, also in a stream. Where there is none it is estimated, as \
     prompts are: see [tokens of language models](limits.md#tokens-of-language-models).",
    "Streams are neither held up nor kept: in their response `tokens-consumed-header-name` is left \
     out. Other answers are read before they go out where a field or variable is to say what they \
     cost, if they are JSON of at most 4 MiB; larger ones pass, and are counted.",
    "The body of the request is read: larger than the gateway may keep, it is answered 413. The \
     backend is asked not to compress (`Accept-Encoding: identity`); of an answer that it compresses \
     all the same only the prompt counts.",
    "A backend's answer that is no success costs nothing unless it says so; one of a policy or a \
     cache costs nothing. A WebSocket is not counted.",
    super::limits::HELD,
];

/// `llm-token-limit`.
pub const LLM_TOKEN_LIMIT: Policy = Policy {
    name: "llm-token-limit",
    says: "Admits so many tokens of language models under a key in any minute, in each period, or \
           both. Policies with one key share their counters, wherever they stand.",
    sections: INBOUND,
    scopes: EVERY_SCOPE,
    attributes: TOKEN_LIMIT,
    content: Content::Nothing,
    differs: TOKEN_LIMIT_DIFFERS,
    build: Build::Steps(tokens::build),
};

/// `azure-openai-token-limit`.
pub const AZURE_OPENAI_TOKEN_LIMIT: Policy = Policy {
    name: "azure-openai-token-limit",
    says: "The older name of [llm-token-limit](#llm-token-limit), with which it shares its counters.",
    differs: &["All that is said of `llm-token-limit` holds."],
    ..LLM_TOKEN_LIMIT
};
