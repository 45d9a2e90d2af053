//! Policies that change messages and variables.

use super::{
    ANYWHERE, Attribute, Build, Content, EVERY_SCOPE, NOT_BACKEND, Policy, REQUEST, optional, part,
    required,
};
use crate::policy::transform::header;
use crate::policy::{Section, convert, routing, transform};

/// What happens to what is there already.
const EXISTS_ACTION: Attribute = optional(
    "exists-action",
    "What happens if it is there already: `override`, `skip`, `append` or `delete`.",
)
.computed()
.usual("override");

/// `set-variable`.
pub const SET_VARIABLE: Policy = Policy {
    name: "set-variable",
    says: "Remembers a value under a name, for policies that run later in the same request.",
    sections: ANYWHERE,
    scopes: EVERY_SCOPE,
    attributes: &[
        required("name", "The name, as `context.Variables` has it."),
        required(
            "value",
            "The value: what an expression gives keeps its type, a text is a string.",
        )
        .computed(),
    ],
    content: Content::Nothing,
    differs: &["Any type that an expression can have may be kept, also JSON and responses."],
    build: Build::Steps(transform::set_variable),
};

/// `set-header`.
pub const SET_HEADER: Policy = Policy {
    name: "set-header",
    says: "Sets, adds to or removes a header field: of the request in inbound and backend, of the \
           response in outbound and on-error.",
    sections: ANYWHERE,
    scopes: EVERY_SCOPE,
    attributes: &[required("name", "The name of the field.").computed(), EXISTS_ACTION],
    content: Content::Elements(&[part(
        "value",
        "A value; several set the field to all of them. Not needed to delete.",
    )
    .holding(Content::Text)]),
    differs: &[
        "`Connection`, `Content-Length`, `Keep-Alive` and `Transfer-Encoding` belong to the \
         connection and cannot be set; which others is told when a document is read.",
    ],
    build: Build::Steps(header::set_header),
};

/// `set-query-parameter`.
pub const SET_QUERY_PARAMETER: Policy = Policy {
    name: "set-query-parameter",
    says: "Sets, adds to or removes a parameter of the query that the backend gets.",
    sections: REQUEST,
    scopes: EVERY_SCOPE,
    attributes: &[required("name", "The name of the parameter.").computed(), EXISTS_ACTION],
    content: Content::Elements(&[part(
        "value",
        "A value; several add the parameter several times. Not needed to delete.",
    )
    .holding(Content::Text)]),
    differs: &[],
    build: Build::Steps(routing::set_query),
};

/// `set-body`.
pub const SET_BODY: Policy = Policy {
    name: "set-body",
    says: "Replaces the body: of the request in inbound and backend, of the response in outbound \
           and on-error.",
    sections: ANYWHERE,
    scopes: EVERY_SCOPE,
    attributes: &[
        optional("template", "`liquid`: the text is a template in Liquid. `none`: it is none."),
        optional(
            "xsi-nil",
            "What an element of XML with `xsi:nil=\"true\"` is in a template: `blank`, an empty text, \
             or `null`, nothing.",
        )
        .usual("blank"),
        optional("parse-date", "Whether texts of JSON that are dates are dates in a template.")
            .usual("true"),
    ],
    content: Content::Text,
    differs: &[
        "A request without a body gets one, and `Content-Type` stays as it is. With the body of a \
         backend go `Content-Encoding`, `ETag`, `Content-MD5`, `Digest`, `Content-Digest` and \
         `Repr-Digest`, unless a policy set them.",
        "Templates speak the Liquid of `DotLiquid` with the names of C# (`Upcase`, `StripHtml`, formats \
         of .NET for dates, regular expressions in `Replace`), with `JSONArrayFor`. A filter that is \
         not known is refused at load; what goes wrong while a template runs ends in on-error.",
        "`body` is bound where `Content-Type` says JSON or XML. Names are looked for as they are \
         written, then without regard to case; those of elements are without prefix. In \
         `return-response` there is no body; in `send-request` it is that of the section.",
        "Bounds of a template: 256 KiB, 32 tags in each other, 100,000 rounds of loops, 100,000 items \
         of a list, 16 MiB of text, and 128 MiB that it looks at or writes in all.",
    ],
    build: Build::Steps(transform::set_body),
};

/// `set-method`.
pub const SET_METHOD: Policy = Policy {
    name: "set-method",
    says: "Changes the method that the backend gets: the text is its name.",
    sections: ANYWHERE,
    scopes: EVERY_SCOPE,
    attributes: &[],
    content: Content::Text,
    differs: &[],
    build: Build::Steps(transform::set_method),
};

/// `set-status`.
pub const SET_STATUS: Policy = Policy {
    name: "set-status",
    says: "Changes the status that the client gets.",
    sections: ANYWHERE,
    scopes: EVERY_SCOPE,
    attributes: &[
        required("code", "The status: 200 to 599.").computed(),
        optional("reason", "The reason phrase, which HTTP/1.1 alone transmits.")
            .computed()
            .usual("the phrase of the status"),
    ],
    content: Content::Nothing,
    differs: &[],
    build: Build::Steps(transform::set_status),
};

/// `find-and-replace`.
pub const FIND_AND_REPLACE: Policy = Policy {
    name: "find-and-replace",
    says: "Replaces a text by another wherever it stands in the body.",
    sections: ANYWHERE,
    scopes: EVERY_SCOPE,
    attributes: &[
        required("from", "The text that is looked for; case counts.").computed(),
        required("to", "What takes its place.").computed(),
    ],
    content: Content::Nothing,
    differs: &[],
    build: Build::Steps(transform::find_and_replace),
};

/// `redirect-content-urls`.
pub const REDIRECT_CONTENT_URLS: Policy = Policy {
    name: "redirect-content-urls",
    says: "Rewrites links in bodies: in outbound those to the backend lead through the gateway, in \
           inbound those to the gateway lead to the backend.",
    sections: &[Section::Inbound, Section::Outbound],
    scopes: EVERY_SCOPE,
    attributes: &[],
    content: Content::Nothing,
    differs: &[],
    build: Build::Steps(transform::links::redirect_content_urls),
};

const CONSIDER: Attribute = optional(
    "consider-accept-header",
    "Whether the client's `Accept` decides, too: it has to name a type of the wanted form, and \
     `*/*` does not.",
)
.computed()
.usual("true");

/// `xml-to-json`.
pub const XML_TO_JSON: Policy = Policy {
    name: "xml-to-json",
    says: "Turns a body of XML into JSON. What cannot be converted is answered with 400 if it came \
           from the client, with 500 if it came from the backend.",
    sections: NOT_BACKEND,
    scopes: EVERY_SCOPE,
    attributes: &[
        required(
            "kind",
            "`direct` keeps what XML has (`@attribute`, `#text`); `javascript-friendly` leaves the \
             signs out.",
        )
        .computed(),
        required("apply", "`always`, or `content-type-xml`: only what says that it is XML.")
            .computed(),
        CONSIDER,
        optional(
            "always-array-child-elements",
            "Whether elements are arrays also where there is one of a name.",
        )
        .computed()
        .usual("false"),
    ],
    content: Content::Nothing,
    differs: &[
        "`direct` writes what Json.NET does (`@attribute`, `#text`, `#cdata-section`, `?xml`); \
         `javascript-friendly` the same with names that scripts can write: no `@`, `$` for `:`, \
         `text`, no declarations of namespaces.",
        "Comments and processing instructions are left out, document types refused. What cannot be \
         converted fails with the reason `ConversionFailed`.",
    ],
    build: Build::Steps(convert::xml_to_json),
};

/// `json-to-xml`.
pub const JSON_TO_XML: Policy = Policy {
    name: "json-to-xml",
    says: "Turns a body of JSON into XML. What cannot be converted is answered with 400 if it came \
           from the client, with 500 if it came from the backend.",
    sections: NOT_BACKEND,
    scopes: EVERY_SCOPE,
    attributes: &[
        required("apply", "`always`, or `content-type-json`: only what says that it is JSON.")
            .computed(),
        CONSIDER,
        optional("parse-date", "Whether texts that are dates are written as XML writes dates.")
            .usual("true"),
        optional("namespace-separator", "What stands between a prefix and a name in JSON.")
            .computed()
            .usual("_"),
        optional("namespace-prefix", "The member that declares namespaces.").computed(),
        optional("attribute-block-name", "The member that holds the attributes of its object.")
            .computed(),
    ],
    content: Content::Nothing,
    differs: &[
        "`null` is `xsi:nil=\"true\"`, `true` is `True`, and what has no single root stands in \
         `<Document>`. What cannot be converted fails with the reason `ConversionFailed`.",
        "A prefix counts where `namespace-prefix` declares it; all other names are taken as they are.",
    ],
    build: Build::Steps(convert::json_to_xml),
};
