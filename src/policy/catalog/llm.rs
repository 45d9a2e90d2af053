//! Policies for language models.

use super::limits::held;
use super::{Attribute, Build, Content, EVERY_SCOPE, INBOUND, Policy, optional, part, required};
use crate::policy::Section;
use crate::policy::limits::tokens;
use crate::policy::llm::safety;

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

/// `llm-content-safety`.
pub const LLM_CONTENT_SAFETY: Policy = Policy {
    name: "llm-content-safety",
    says: "Lets Azure AI Content Safety judge what a language model is asked (in inbound) and what it \
           answers (in outbound, or with `enforce-on-completions`), and answers 403 to what it finds.",
    sections: &[Section::Inbound, Section::Outbound],
    scopes: EVERY_SCOPE,
    attributes: &[
        required("backend-id", "The backend of the service, with its credentials.").computed(),
        optional("shield-prompt", "Whether attacks are looked for in what is asked.")
            .computed()
            .usual("false"),
        optional("enforce-on-completions", "Whether what is answered is judged, too; in inbound.")
            .computed()
            .usual("false"),
        optional("window-size", "Of how many characters the windows are in which it is judged.")
            .computed()
            .usual("all of it is one"),
        optional("window-overlap-size", "How many characters two windows share.")
            .computed()
            .usual("0"),
    ],
    content: Content::Elements(&[
        part("categories", "What harm is looked for.")
            .with(&[optional("output-type", "`FourSeverityLevels` or `EightSeverityLevels`.")
                .computed()
                .usual("FourSeverityLevels")])
            .holding(Content::Elements(&[part("category", "A kind of harm.").with(&[
                required("name", "`Hate`, `SelfHarm`, `Sexual` or `Violence`.").computed(),
                required("threshold", "From which severity on it is refused: 0 to 7.").computed(),
            ])])),
        part("blocklists", "Lists of the service; what one of them names is refused.").holding(
            Content::Elements(&[part("id", "The name of a list.").holding(Content::Text)]),
        ),
    ]),
    differs: &[
        "`text:shieldPrompt` and `text:analyze` (2024-09-01) are called at the address of the backend, \
         one after the other and window by window, with the fields and parameters of its credentials; \
         each may take 10 s. The `tls` of the backend holds.",
        "Where the service cannot be asked, answers anything but 200, or does not say what it was asked, \
         nobody passes: 500, `ContentSafetyUnavailable`.",
        "What is asked is the text of messages, prompts, inputs and instructions, as \
         `llm-token-limit` knows them. A body that is no JSON, or is nested deeper than 64, is refused \
         with 403: a model might read in it what the gateway does not.",
        "A text, or a window, of more than 10,000 characters, and one of more than 100 windows, is \
         refused with 403.",
        "What is answered is kept until it was judged whole, also where it is a stream; API Management \
         passes a stream on and breaks it off. A body larger than the gateway may keep is answered \
         with 500.",
        "A policy that looks for nothing is refused.",
    ],
    build: Build::Steps(safety::build::build),
};
