//! Policies that hold messages against what the API says of them.

use super::{
    Attribute, Build, Content, EVERY_SCOPE, INBOUND, NOT_BACKEND, Policy, RESPONSE, optional, part,
    required,
};
use crate::policy::validation;

const ACTION: Attribute = required("action", "`ignore`, `detect` or `prevent`.").computed();

const ERRORS: Attribute =
    optional("errors-variable-name", "The variable that gets the list of what was found.");

const SPECIFIED: Attribute = optional(
    "specified-parameter-action",
    "What becomes of a wrong value of a parameter that the operation names; the policy's if not \
     given.",
)
.computed();

const UNSPECIFIED: Attribute = optional(
    "unspecified-parameter-action",
    "What becomes of a parameter that the operation does not name; the policy's if not given.",
)
.computed();

/// `validate-content`.
pub const VALIDATE_CONTENT: Policy = Policy {
    name: "validate-content",
    says: "Judges a body by its size, its type, and the schema that the operation or the \
           configuration has for it. `ignore` lets it pass, `detect` writes down what is wrong, \
           `prevent` answers 400 for a request and 502 for a response.",
    sections: NOT_BACKEND,
    scopes: EVERY_SCOPE,
    attributes: &[
        required(
            "unspecified-content-type-action",
            "What becomes of a body whose type neither the operation nor a `content` names.",
        )
        .computed(),
        required("max-size", "The largest body, in bytes; 4 MiB at most.").computed(),
        required("size-exceeded-action", "What becomes of a larger one.").computed(),
        ERRORS,
    ],
    content: Content::Elements(&[
        part("content-type-map", "What type a body is taken for.")
            .with(&[
                optional("any-content-type-value", "The type, whatever `Content-Type` says.")
                    .computed(),
                optional("missing-content-type-value", "The type where there is none.").computed(),
            ])
            .holding(Content::Elements(&[part("type", "One type in the place of another.").with(
                &[
                    optional("from", "The type that is replaced.").computed(),
                    optional("when", "A condition: then the type is replaced.").computed(),
                    required("to", "The type in its place.").computed(),
                ],
            )])),
        part("content", "How bodies of one type are validated.").with(&[
            optional("type", "The type; without it, every type that the operation names."),
            required("validate-as", "`json`. `xml` and `soap` are refused."),
            optional("schema-id", "The id of one of `schemas`; the operation's schema if not given."),
            optional("schema-ref", "Where in it the schema stands, such as `#/components/schemas/X`."),
            ACTION,
            optional(
                "allow-additional-properties",
                "Whether properties that the schema does not name are allowed; what the schema says \
                 if not given.",
            ),
            optional(
                "case-insensitive-property-names",
                "Whether names of properties are compared without regard to case.",
            )
            .usual("false"),
        ]),
    ]),
    differs: &[
        "A schema is JSON Schema, or what OpenAPI 3.0 and 3.1 make of it. `$ref` leads into the same \
         document or into one of `schemas`; anything else is refused when the configuration is read.",
        "Formats that JSON Schema knows are checked (`date-time`, `uuid`, …); patterns are matched in \
         linear time, and one that cannot be is refused.",
        "A body that is larger than `max-size` and passes all the same is not read. One that is \
         compressed is judged without its encoding if it is a response.",
        "At most ten findings of a body are told, by their places in it and without its values.",
    ],
    build: Build::Steps(validation::content::validate_content),
};

/// `validate-parameters`.
pub const VALIDATE_PARAMETERS: Policy = Policy {
    name: "validate-parameters",
    says: "Judges the parameters of a request (of the path, of the query, header fields) by what the \
           operation says of them. `ignore` lets it pass, `detect` writes down what is wrong, \
           `prevent` answers 400.",
    sections: INBOUND,
    scopes: EVERY_SCOPE,
    attributes: &[
        required(
            "specified-parameter-action",
            "What becomes of a wrong value of a parameter that the operation names, or of one that is \
             missing.",
        )
        .computed(),
        required(
            "unspecified-parameter-action",
            "What becomes of a parameter that the operation does not name.",
        )
        .computed(),
        ERRORS,
    ],
    content: Content::Elements(&[
        part("headers", "What holds for header fields.")
            .with(&[SPECIFIED, UNSPECIFIED])
            .holding(Content::Elements(&[part("parameter", "What holds for one of them.")
                .with(&[required("name", "Its name."), ACTION])])),
        part("query", "What holds for the query.")
            .with(&[SPECIFIED, UNSPECIFIED])
            .holding(Content::Elements(&[part("parameter", "What holds for one of them.")
                .with(&[required("name", "Its name."), ACTION])])),
        part("path", "What holds for the path.")
            .with(&[SPECIFIED])
            .holding(Content::Elements(&[part("parameter", "What holds for one of them.")
                .with(&[required("name", "Its name."), ACTION])])),
    ]),
    differs: &[
        "A value is taken for what its schema says: a number, a list with commas, JSON. Several values \
         of one parameter are an error.",
        "Fields of HTTP itself (`Host`, `Accept`, `Authorization`, `If-…`, …) and the subscription key \
         are no parameters: they are judged only where the operation names them.",
    ],
    build: Build::Steps(validation::parameters::validate_parameters),
};

/// `validate-headers`.
pub const VALIDATE_HEADERS: Policy = Policy {
    name: "validate-headers",
    says: "Judges the header fields of a response by what the operation says of its status. `ignore` \
           lets it pass, `detect` writes down what is wrong, `prevent` answers 502.",
    sections: RESPONSE,
    scopes: EVERY_SCOPE,
    attributes: &[
        required(
            "specified-header-action",
            "What becomes of a wrong value of a field that the operation names, or of one that is \
             missing.",
        )
        .computed(),
        required(
            "unspecified-header-action",
            "What becomes of a field that the operation does not name.",
        )
        .computed(),
        ERRORS,
    ],
    content: Content::Elements(&[part("header", "What holds for one of them.")
        .with(&[required("name", "Its name."), ACTION])]),
    differs: &["Fields of HTTP itself are judged only where the operation names them."],
    build: Build::Steps(validation::parameters::validate_headers),
};

/// `validate-status-code`.
pub const VALIDATE_STATUS_CODE: Policy = Policy {
    name: "validate-status-code",
    says: "Judges a status that the operation does not name. `ignore` lets it pass, `detect` writes \
           it down, `prevent` answers 502 instead.",
    sections: RESPONSE,
    scopes: EVERY_SCOPE,
    attributes: &[
        required("unspecified-status-code-action", "What becomes of such a status.").computed(),
        ERRORS,
    ],
    content: Content::Elements(&[part("status-code", "What becomes of one status, named or not.")
        .with(&[required("code", "The status."), ACTION])]),
    differs: &[
        "The statuses of an operation are those under its `responses`. Each finding is an \
               entry of the list, and a trace.",
        "Whoever is stopped reads that the owner of the API should be asked, and no more.",
    ],
    build: Build::Steps(validation::validate_status_code),
};
