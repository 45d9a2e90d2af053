//! Policies that say where a request goes, and what is answered without a backend.

use super::transform::{SET_BODY, SET_HEADER, SET_STATUS};
use super::{
    ANYWHERE, BACKEND, Build, Content, EVERY_SCOPE, INBOUND, NOT_BACKEND, Part, Policy, REQUEST,
    optional, required,
};
use crate::policy::{respond, routing};

/// `set-backend-service`.
pub const SET_BACKEND_SERVICE: Policy = Policy {
    name: "set-backend-service",
    says: "Sends the request to another backend than the API's: `base-url` or `backend-id` says to \
           which.",
    sections: REQUEST,
    scopes: EVERY_SCOPE,
    attributes: &[
        optional("base-url", "Scheme, host, port and the beginning of the path.").computed(),
        optional(
            "backend-id",
            "The id of a backend of the configuration, which may be a pool (`docs/backends.md`); or `dapr`, \
             for a method of an app behind Dapr's sidecar.",
        )
        .computed(),
        optional("dapr-app-id", "With `dapr`: the app.").computed(),
        optional(
            "dapr-method",
            "With `dapr`: its method, the whole path; of gRPC, `SERVICE/METHOD`.",
        )
        .computed(),
        optional("dapr-namespace", "With `dapr`: the namespace of the app.")
            .computed()
            .usual("the gateway's own"),
    ],
    content: Content::Nothing,
    differs: &[
        "Attributes for Service Fabric are refused.",
        "`dapr` is written as it is, never computed. The method takes the place of the operation's \
         path; the query goes along. It is decoded, and steps that are empty or `.` are taken out, as \
         the sidecar would; `..` and URLs are refused, at load or as `DaprTargetRefused`: see \
         [Dapr](dapr.md).",
        "A `backend-id` may be followed by a `base-url` of a narrower scope.",
    ],
    build: Build::Steps(routing::set_backend),
};

/// `rewrite-uri`.
pub const REWRITE_URI: Policy = Policy {
    name: "rewrite-uri",
    says: "Gives the backend another path and query than the client wrote.",
    sections: INBOUND,
    scopes: EVERY_SCOPE,
    attributes: &[
        required(
            "template",
            "Path and query, with parameters of the operation in braces. An expression is taken as \
             it is.",
        )
        .computed(),
        optional(
            "copy-unmatched-params",
            "Whether parameters of the query that the operation's template does not have go along.",
        )
        .usual("true"),
    ],
    content: Content::Nothing,
    differs: &[],
    build: Build::Steps(routing::rewrite_uri),
};

/// `proxy`.
pub const PROXY: Policy = Policy {
    name: "proxy",
    says: "Sends the request to its backend by way of an HTTP proxy.",
    sections: INBOUND,
    scopes: EVERY_SCOPE,
    attributes: &[
        required("url", "The proxy: `http://`, its host and its port.").computed(),
        optional("username", "Who the gateway is to the proxy (`Basic`).").computed(),
        optional("password", "The password: best a secret named value.").computed().usual("empty"),
    ],
    content: Content::Nothing,
    differs: &[
        "The proxy itself is spoken to without TLS. Backends over `https` are reached through a \
         tunnel (`CONNECT`), judged by their certificates as ever; so are WebSockets. Other requests \
         are given to the proxy to be sent on: it reads them, and its answers count as the backend's, \
         but for 407.",
        "The name of the backend is looked up by the proxy. `Proxy-Authorization` of the client, or of \
         another policy, does not go along.",
        "What the proxy refuses is an error of the request, `BackendConnectionFailure`, which names \
         the proxy and the status that it answered.",
        "It is about `forward-request`; `send-request` and `send-one-way-request` have a `proxy` of \
         their own inside, and what goes to a backend by its id that of the backend, if it has one: \
         `invoke-request`, `llm-content-safety`, and `forward-request` where no `proxy` ran.",
    ],
    build: Build::Steps(routing::proxy::proxy),
};

/// `forward-request`.
pub const FORWARD_REQUEST: Policy = Policy {
    name: "forward-request",
    says: "Sends the request to its backend, and waits for the response. The default global \
           document has it; without it nothing is forwarded.",
    sections: BACKEND,
    scopes: EVERY_SCOPE,
    attributes: &[
        optional("timeout", "How long the backend may take until its header fields, in seconds.")
            .computed()
            .usual("300"),
        optional("timeout-ms", "The same in milliseconds; one of the two.").computed(),
        optional("continue-timeout", "Refused: waiting for `100 Continue` has no time of its own.")
            .computed(),
        optional("http-version", "Which HTTP the backend is spoken to in: `1`, `2`, or `2or1`, which is 2 where the backend agrees to it over TLS. Counts more than the `httpVersion` of the backend.")
            .usual("1"),
        optional("follow-redirects", "Whether redirects are followed instead of answered.")
            .computed()
            .usual("false"),
        optional(
            "buffer-request-body",
            "Whether the body is kept, so that `retry` can send it again.",
        )
        .usual("false"),
        optional("buffer-response", "Read and without effect: responses are never held back.")
            .usual("true"),
        optional(
            "fail-on-error-status-code",
            "Whether statuses from 400 on lead to on-error. The response of the backend stays, and \
             goes to the client if on-error makes no other.",
        )
        .usual("false"),
    ],
    content: Content::Nothing,
    differs: &[
        "Responses are passed on while they arrive, whatever `buffer-response` says; policies that \
         read a body wait for it.",
    ],
    build: Build::Steps(routing::forward),
};

/// `return-response`.
pub const RETURN_RESPONSE: Policy = Policy {
    name: "return-response",
    says: "Answers with a response of its own, and ends the run: later policies and sections do not \
           run. Without anything inside it is an empty 200.",
    sections: ANYWHERE,
    scopes: EVERY_SCOPE,
    attributes: &[optional(
        "response-variable-name",
        "The variable that holds a response, as `send-request` sets it; what stands inside changes \
         that response.",
    )],
    content: Content::Elements(&[
        Part::of(&SET_STATUS),
        Part::of(&SET_HEADER),
        Part::of(&SET_BODY),
    ]),
    differs: &[],
    build: Build::Steps(respond::return_response),
};

/// `mock-response`.
pub const MOCK_RESPONSE: Policy = Policy {
    name: "mock-response",
    says: "Answers with an example of the operation, or with what its schema describes, and ends the \
           run. Where there is neither the body is empty.",
    sections: NOT_BACKEND,
    scopes: EVERY_SCOPE,
    attributes: &[
        optional("status-code", "The status whose example is wanted.").usual("200"),
        optional("content-type", "The media type of the example that is wanted."),
        optional("index", "Which of the examples that fit, from 1.").usual("1"),
    ],
    content: Content::Nothing,
    differs: &[],
    build: Build::Steps(respond::mock_response),
};
