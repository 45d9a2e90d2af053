//! Policies that judge responses, and those that write down what happens.

use super::{ANYWHERE, Build, Content, EVERY_SCOPE, Policy, RESPONSE, optional, part, required};
use crate::policy::{logging, validation};

/// `validate-status-code`.
pub const VALIDATE_STATUS_CODE: Policy = Policy {
    name: "validate-status-code",
    says: "Judges a status that the operation does not name. `ignore` lets it pass, `detect` writes \
           it down, `prevent` answers 502 instead.",
    sections: RESPONSE,
    scopes: EVERY_SCOPE,
    attributes: &[
        required("unspecified-status-code-action", "What becomes of such a status.").computed(),
        optional("errors-variable-name", "The variable that gets the list of what was found."),
    ],
    content: Content::Elements(&[part("status-code", "What becomes of one status, named or not.")
        .with(&[
            required("code", "The status."),
            required("action", "`ignore`, `detect` or `prevent`.").computed(),
        ])]),
    differs: &[
        "The statuses of an operation are those under its `responses`. Each finding is an \
               entry of the list, and a trace.",
        "Whoever is stopped reads that the owner of the API should be asked, and no more.",
    ],
    build: Build::Steps(validation::validate_status_code),
};

/// `trace`.
pub const TRACE: Policy = Policy {
    name: "trace",
    says: "Writes a line for whoever inspects the request.",
    sections: ANYWHERE,
    scopes: EVERY_SCOPE,
    attributes: &[
        required("source", "Who writes it."),
        optional("severity", "`verbose`, `information` or `error`.").usual("verbose"),
    ],
    content: Content::TextOr(&[
        part("message", "The line; older documents have it as the text of the policy itself.")
            .holding(Content::Text),
        part("metadata", "A name and a value that go with it; any number.")
            .with(&[required("name", "The name."), required("value", "The value.").computed()]),
    ]),
    differs: &[
        "It is a line among the access records (`GatewayTraces` in JSON) with the id of its request, \
         if the log level takes its severity: `verbose` is `debug`, `information` is `info`.",
        "What a secret named value is part of stands there as `(secret)`, and so does its text \
         wherever a variable carried it to.",
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
