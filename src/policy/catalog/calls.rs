//! Policies that call other services, and credentials for backends.

use super::routing::PROXY;
use super::transform::{SET_BODY, SET_HEADER, SET_METHOD};
use super::{
    ANYWHERE, Attribute, Build, Content, EVERY_SCOPE, INBOUND, NOT_BACKEND, Part, Policy, optional,
    part, required,
};
use crate::policy::certificate::shown;
use crate::policy::{Section, access, identity, send};

const MODE: Attribute = optional(
    "mode",
    "`new`: the request is what stands inside. `copy`: it is the client's, with what stands inside \
     in the place of parts of it.",
)
.computed()
.usual("new");

const TIMEOUT: Attribute =
    optional("timeout", "How long all of it may take, in seconds.").computed().usual("60");

const PARTS: &[Part] = &[
    part("set-url", "Where to. Needed unless `mode` is `copy`.").holding(Content::Text),
    Part::of(&SET_METHOD),
    Part::of(&SET_HEADER),
    Part::of(&SET_BODY),
    Part::of(&AUTHENTICATION_BASIC),
    Part::of(&AUTHENTICATION_CERTIFICATE),
    Part::of(&AUTHENTICATION_MANAGED_IDENTITY),
    Part::of(&PROXY),
];

/// What calls cannot do otherwise than API Management.
const CALLS: &str = "At most 1,024 calls are under way at a time; a request that is nested in eight \
                     others of this kind is taken for a loop and refused.";

/// `send-request`.
pub const SEND_REQUEST: Policy = Policy {
    name: "send-request",
    says: "Asks another service, and remembers what it answers in a variable, with the body and \
           without its content encoding.",
    sections: ANYWHERE,
    scopes: EVERY_SCOPE,
    attributes: &[
        MODE,
        required("response-variable-name", "The variable that gets the response."),
        TIMEOUT,
        optional(
            "ignore-error",
            "Whether the variable is `null` where there is no response, and \
                                  the run goes on.",
        )
        .usual("false"),
    ],
    content: Content::Elements(PARTS),
    differs: &[
        "The variable may be read any number of times.",
        "`ignore-error` is about the request: an expression that fails, or a URL that is none, is an \
         error all the same.",
        "A copied request leaves out what is for the gateway alone: the subscription key, \
         `Accept-Encoding`, fields of the connection, and what proxies in front say of it.",
        "Redirects are responses, and are not followed.",
        CALLS,
    ],
    build: Build::Steps(send::send_request),
};

/// `send-one-way-request`.
pub const SEND_ONE_WAY_REQUEST: Policy = Policy {
    name: "send-one-way-request",
    says: "Tells another service something, and does not wait for its answer.",
    sections: ANYWHERE,
    scopes: EVERY_SCOPE,
    attributes: &[MODE, TIMEOUT],
    content: Content::Elements(PARTS),
    differs: &[
        "A gateway that stops waits for such requests as for those of clients.",
        "At most 256 are under way at a time; more are given up and counted.",
    ],
    build: Build::Steps(send::send_one_way_request),
};

/// `invoke-request`.
pub const INVOKE_REQUEST: Policy = Policy {
    name: "invoke-request",
    says: "Lets another service answer in the place of the backend; or, with a variable, asks it and \
           remembers what it answers.",
    sections: ANYWHERE,
    scopes: EVERY_SCOPE,
    attributes: &[
        optional("url", "Where to: a whole URL, or a path below `backend-id`.").computed(),
        optional("backend-id", "A backend, with its credentials and its TLS.").computed(),
        optional("method", "The method.").computed().usual("GET"),
        optional("response-variable-name", "The variable that gets the response.")
            .usual("it is the response of the request, and no further policy runs"),
    ],
    content: Content::Elements(&[
        part("header", "A field; any number, also of one name.").with(&[
            required("name", "Its name.").computed(),
            optional("value", "Its value.").computed(),
        ]),
        part("body", "The body.").holding(Content::Text),
    ]),
    differs: &[
        "API Management does not describe it; what its tools write is understood.",
        "Nothing of the client's request goes along. There is a minute for all of it, and a failure \
         is an error of the request.",
        CALLS,
    ],
    build: Build::Steps(send::invoke::invoke_request),
};

/// `send-service-bus-message`.
pub const SEND_SERVICE_BUS_MESSAGE: Policy = Policy {
    name: "send-service-bus-message",
    says: "Sends a message to a queue or a topic of Azure Service Bus, as an identity of the gateway, \
           and waits until it is taken.",
    sections: NOT_BACKEND,
    scopes: EVERY_SCOPE,
    attributes: &[
        optional("queue-name", "The queue; this or `topic-name`.").computed(),
        optional("topic-name", "The topic.").computed(),
        required("namespace", "The host of the namespace: `NAME.servicebus.windows.net`.")
            .computed(),
        optional(
            "client-id",
            "Which identity of the gateway is meant, as with `authentication-managed-identity`.",
        )
        .computed(),
        optional("message-id", "The id of the message: a GUID.").computed().usual("a new one"),
        optional("session-id", "The id of its session: a GUID.").computed(),
        optional("time-to-live", "How long it lasts, such as `00:10:00`.")
            .usual("as the queue or the topic has it"),
        optional("response-variable-name", "The variable that gets what Service Bus answers."),
        optional("ignore-error", "Whether the request goes on where the message is not taken.")
            .usual("false"),
    ],
    content: Content::Elements(&[
        part("message-properties", "What goes with the message.").holding(Content::Elements(&[
            part("message-property", "A property, with its value; any number up to 64.")
                .with(&[required("name", "Its name.")])
                .holding(Content::Text),
        ])),
        part("payload", "The message.").holding(Content::Text),
    ]),
    differs: &[
        "It is sent over HTTPS: properties are strings, their names may not be those of fields of \
         requests, and the content type of the message is `application/atom+xml;type=entry;\
         charset=utf-8`.",
        "`namespace` must be there.",
        "A payload of more than 256 KB, or properties of more than 32 KB, are `MessageTooLarge`; what \
         Service Bus does not take is `MessageRefused`, with its status; a missing token is as with \
         `authentication-managed-identity`. `ignore-error` ignores all of these, but no expression \
         that fails, and no name that is none.",
        "The variable holds the answer as that of `send-request` does, or `null`. There is a minute for \
         all of it.",
    ],
    build: Build::Steps(send::service_bus::send_service_bus_message),
};

/// `authentication-basic`.
pub const AUTHENTICATION_BASIC: Policy = Policy {
    name: "authentication-basic",
    says: "Sets the field `Authorization` of the request to a name and a password, in the place of \
           the client's.",
    sections: INBOUND,
    scopes: EVERY_SCOPE,
    attributes: &[
        required("username", "The name.").computed(),
        required("password", "The password: best a secret named value.").computed(),
    ],
    content: Content::Nothing,
    differs: &[],
    build: Build::Steps(access::basic::authentication_basic),
};

/// `authentication-certificate`.
pub const AUTHENTICATION_CERTIFICATE: Policy = Policy {
    name: "authentication-certificate",
    says: "Shows a certificate to the backend, in the place of the one that the backend has in the \
           configuration; the connection is used for nobody else.",
    sections: INBOUND,
    scopes: EVERY_SCOPE,
    attributes: &[
        optional("thumbprint", "The SHA-1 of one of the `certificates`, in hexadecimal digits.")
            .computed(),
        optional("certificate-id", "The id of one of the `certificates`; case does not count.")
            .computed(),
        optional("body", "An expression that gives the bytes of a PKCS #12.").computed(),
        optional("password", "What opens `body`.").computed(),
    ],
    content: Content::Nothing,
    differs: &[
        "One of `thumbprint`, `certificate-id` and `body` is given.",
        "Where nobody asks for a certificate, as over HTTP, none is shown.",
        "A certificate that is not there, or has no key, is a fault at load; where an expression \
         names it, an error of the request, `CertificateNotFound`.",
        "The `body` that was opened last is kept open; one whose key takes more than a million \
         iterations to derive is refused.",
    ],
    build: Build::Steps(shown::authentication_certificate),
};

/// `authentication-managed-identity`.
pub const AUTHENTICATION_MANAGED_IDENTITY: Policy = Policy {
    name: "authentication-managed-identity",
    says: "Sets the field `Authorization` of the request to a token of the gateway's own, in the \
           place of the client's; or remembers the token in a variable.",
    sections: &[Section::Inbound, Section::Outbound],
    scopes: EVERY_SCOPE,
    attributes: &[
        required("resource", "The service that the token is for, such as `https://storage.azure.com`.")
            .computed(),
        optional(
            "client-id",
            "Which identity of the gateway is meant: one of `identities`, or one that its machine \
             knows. Without it, the one that is `systemAssigned`, or the machine's own.",
        )
        .computed(),
        optional(
            "output-token-variable-name",
            "The variable that gets the token. The field is not set then.",
        ),
        optional(
            "ignore-error",
            "Whether the request goes on where there is no token: the field stays as it is, and the \
             variable is `null`.",
        )
        .usual("false"),
    ],
    content: Content::Nothing,
    differs: &[
        "Identities are the gateway's: of `identities` in the configuration, of its workload, or of \
         its machine; see `docs/workload-identity.md`.",
        "Which identities a machine has is not known at load: a `client-id` that nobody knows is an \
         error of the request, `IdentityNotFound`. Any other is `TokenNotObtained`.",
        "`client-id` may be an expression.",
        "It may also stand in outbound, where it must name a variable.",
        "In `send-request` a missing token is an error of that request, which `ignore-error` of either \
         ignores.",
        "Nothing that is logged or traced shows the token, whatever a policy puts there.",
    ],
    build: Build::Steps(identity::authentication_managed_identity),
};

/// `get-authorization-context`.
pub const GET_AUTHORIZATION_CONTEXT: Policy = Policy {
    name: "get-authorization-context",
    says: "Gets what somebody has allowed the gateway at another service, one of the `authorizations` \
           of the configuration: an object with `AccessToken` and `Claims`, for expressions.",
    sections: INBOUND,
    scopes: EVERY_SCOPE,
    attributes: &[
        required("provider-id", "The `provider` of the authorization.").computed(),
        required("authorization-id", "Its `id`.").computed(),
        required(
            "context-variable-name",
            "The variable that gets it, for `((Authorization)context.Variables[\"…\"]).AccessToken`.",
        ),
        optional("identity-type", "`managed`. `jwt` is refused.").usual("managed"),
        optional("identity", "Refused, since it goes with `jwt`.").computed(),
        optional(
            "ignore-error",
            "Whether the request goes on where there is no token: the variable is `null` then.",
        )
        .usual("false"),
    ],
    content: Content::Nothing,
    differs: &[
        "API Management keeps authorizations in its credential manager, and self-hosted gateways do \
         without. Here they stand in the configuration, and each gateway gets the tokens itself, \
         ahead of need: [authorizations](workload-identity.md#authorizations).",
        "`Claims` is what the provider says beside the tokens: `scope`, `id_token`, and its own.",
        "One that an expression names and that is not there is an error of the request, \
         `AuthorizationNotFound`; a provider that gives nothing is `TokenNotObtained`.",
        "Nothing that is logged or traced shows the token, whatever a policy puts there.",
    ],
    build: Build::Steps(identity::context::get_authorization_context),
};
