//! Policies for pages of other origins.

use super::{
    Build, Content, EVERY_SCOPE, GLOBAL, INBOUND, OUTBOUND, Policy, optional, part, required,
};
use crate::policy::cross_domain;

/// `cors`.
pub const CORS: Policy = Policy {
    name: "cors",
    says: "Says which web pages may call the API from a browser. Preflights are answered before the \
           subscription is checked, by the `cors` policies that stand directly in inbound.",
    sections: INBOUND,
    scopes: EVERY_SCOPE,
    attributes: &[
        optional("allow-credentials", "Whether pages may send cookies and the like.")
            .computed()
            .usual("false"),
        optional(
            "terminate-unmatched-request",
            "Whether a request of another origin is answered with an empty 200; else it goes on, \
             without the fields that let a page read the answer.",
        )
        .computed()
        .usual("true"),
    ],
    content: Content::Elements(&[
        part("allowed-origins", "The pages that may call.").holding(Content::Elements(&[part(
            "origin",
            "Scheme, host and port; or `*` alone for all. Empty, it allows nobody.",
        )
        .holding(Content::Text)])),
        part("allowed-methods", "What they may call; `GET` and `POST` without it.")
            .with(&[optional(
                "preflight-result-max-age",
                "For how many seconds browsers may remember the answer.",
            )
            .computed()])
            .holding(Content::Elements(&[
                part("method", "A method, or `*`.").holding(Content::Text)
            ])),
        part("allowed-headers", "The fields that they may set.").holding(Content::Elements(&[
            part("header", "A name, or `*`.").holding(Content::Text),
        ])),
        part("expose-headers", "The fields of the response that they may read.").holding(
            Content::Elements(&[part("header", "A name, or `*`.").holding(Content::Text)]),
        ),
    ]),
    differs: &[
        "`terminate-unmatched-request` is `true` where nothing is said.",
        "`allow-credentials` with the origin `*` is refused when the document is read.",
    ],
    build: Build::Steps(cross_domain::cors),
};

/// `jsonp`.
pub const JSONP: Policy = Policy {
    name: "jsonp",
    says: "Answers with a call of the function that a parameter of the query names, around the JSON \
           of the response.",
    sections: OUTBOUND,
    scopes: EVERY_SCOPE,
    attributes: &[required("callback-parameter-name", "The parameter that names the function.")],
    content: Content::Nothing,
    differs: &[
        "The answer is `name({…});` as `application/javascript`; a name that is no identifier is \
         answered with 400.",
    ],
    build: Build::Steps(cross_domain::jsonp::jsonp),
};

/// `cross-domain`.
pub const CROSS_DOMAIN: Policy = Policy {
    name: "cross-domain",
    says: "The document that tells Adobe Flash and Silverlight which pages may call; it is served at \
           `/crossdomain.xml`, unless an API takes that path.",
    sections: INBOUND,
    scopes: GLOBAL,
    attributes: &[],
    content: Content::Elements(&[part("cross-domain-policy", "The document, as Adobe has it.")
        .holding(Content::Elements(&[
            part("site-control", "Which documents of this host count.")
                .with(&[required("permitted-cross-domain-policies", "Which.")]),
            part("allow-access-from", "Pages that may call.").with(&[
                required("domain", "Their host."),
                optional("to-ports", "The ports that they may call."),
                optional("secure", "Whether they have to come over TLS."),
            ]),
            part("allow-http-request-headers-from", "Pages that may set fields.").with(&[
                required("domain", "Their host."),
                required("headers", "The fields."),
                optional("secure", "Whether they have to come over TLS."),
            ]),
            part("allow-access-from-identity", "Pages that may call because of who signed them.")
                .holding(Content::Unread),
        ]))]),
    differs: &["Whoever asks for it needs no key."],
    build: Build::Steps(cross_domain::flash::cross_domain),
};
