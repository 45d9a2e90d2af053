//! Policies that ask Dapr's sidecar.

use super::{
    Attribute, Build, Content, EVERY_SCOPE, NOT_BACKEND, Policy, optional, part, required,
};
use crate::policy::send;

const IGNORE_ERROR: Attribute = optional(
    "ignore-error",
    "Whether the request goes on where the sidecar refuses, or does not answer.",
)
.usual("false");

const VARIABLE: Attribute = optional(
    "response-variable-name",
    "The variable that gets the sidecar's answer, also where it refuses; `null` where there is none.",
);

const TIMEOUT: Attribute =
    optional("timeout", "How long all of it may take, in seconds from 1 to 240.")
        .computed()
        .usual("5");

const TEMPLATE: Attribute =
    optional("template", "`Liquid`: the text is a template, as with `set-body`.");

/// What becomes of errors.
const ERRORS: &str = "`context.LastError.Reason` is the code of the sidecar, such as \
                      `ERR_PUBSUB_NOT_FOUND`, where it is one that Weir knows, else `DaprError`; \
                      `Message` has its status, code and message. Unless on-error says otherwise the \
                      client gets 403 where the sidecar said so, 504 where it was late, else 502.";

/// Where the sidecar is.
const WHERE: &str = "The sidecar is found by `DAPR_HTTP_ENDPOINT` or `DAPR_HTTP_PORT`, or as \
                     [settings](dapr.md#where-the-sidecar-is) say, and gets `DAPR_API_TOKEN`. Nothing of \
                     the client's request goes along, but the trace.";

/// `publish-to-dapr`.
pub const PUBLISH_TO_DAPR: Policy = Policy {
    name: "publish-to-dapr",
    says: "Publishes a message to a topic by way of Dapr's sidecar, and waits until it is taken.",
    sections: NOT_BACKEND,
    scopes: EVERY_SCOPE,
    attributes: &[
        optional("pubsub-name", "The component that publishes.")
            .computed()
            .usual("the first step of topic"),
        required("topic", "The topic.").computed(),
        IGNORE_ERROR,
        VARIABLE,
        TIMEOUT,
        TEMPLATE,
        optional("content-type", "What the message is.").usual("application/json"),
    ],
    content: Content::Text,
    differs: &[
        "It may also stand in outbound and in on-error, as the tools of API Management have it.",
        ERRORS,
        "A topic may have steps with `/` between, as those of MQTT; `..`, `%`, `?` and `#` are refused, \
         at load or as `DaprTargetRefused`.",
        "`content-type` may be another one: the sidecar makes an event of the message \
         (CloudEvents), unless it is `application/cloudevents+json`.",
        WHERE,
    ],
    build: Build::Steps(send::dapr::publish_to_dapr),
};

/// `invoke-dapr-binding`.
pub const INVOKE_DAPR_BINDING: Policy = Policy {
    name: "invoke-dapr-binding",
    says: "Hands data to a binding by way of Dapr's sidecar, and waits until that is done.",
    sections: NOT_BACKEND,
    scopes: EVERY_SCOPE,
    attributes: &[
        required("name", "The binding.").computed(),
        optional("operation", "What it is to do, such as `create`."),
        IGNORE_ERROR,
        VARIABLE,
        TIMEOUT,
        TEMPLATE,
        optional("content-type", "`application/json`.").usual("application/json"),
    ],
    content: Content::Elements(&[
        part("metadata", "What goes with the data.").holding(Content::Elements(&[part(
            "item",
            "A value under its key; any number up to 64.",
        )
        .with(&[required("key", "The key.").computed()])
        .holding(Content::Text)])),
        part("data", "The data.").holding(Content::Text),
    ]),
    differs: &[ERRORS, "`data` that is JSON goes as that, every other text as a string.", WHERE],
    build: Build::Steps(send::dapr::invoke_dapr_binding),
};
