//! Policies that let requests in.

use super::{
    Attribute, Build, Content, EVERY_SCOPE, INBOUND, Part, Policy, optional, part, required,
};
use crate::policy::certificate::judged;
use crate::policy::{access, tokens};

/// `check-header`.
pub const CHECK_HEADER: Policy = Policy {
    name: "check-header",
    says: "Lets a request in that carries a field with one of the values; with no values, one that \
           carries the field at all.",
    sections: INBOUND,
    scopes: EVERY_SCOPE,
    attributes: &[
        required("name", "The name of the field.").computed(),
        required("failed-check-httpcode", "The status of the refusal.").computed(),
        required("failed-check-error-message", "The message of the refusal.").computed(),
        required("ignore-case", "Whether upper and lower case are the same in values.").computed(),
    ],
    content: Content::Elements(&[
        part("value", "A value that is let in; any number.").holding(Content::Text)
    ]),
    differs: &[],
    build: Build::Steps(access::check_header),
};

/// `ip-filter`.
pub const IP_FILTER: Policy = Policy {
    name: "ip-filter",
    says: "Lets the listed addresses in, or keeps them out, with 403. Addresses are compared as \
           numbers, of both families.",
    sections: INBOUND,
    scopes: EVERY_SCOPE,
    attributes: &[required("action", "`allow` or `forbid`.").computed()],
    content: Content::Elements(&[
        part("address", "A single address.").holding(Content::Text),
        part("address-range", "All addresses between two.").with(&[
            required("from", "The first address."),
            required("to", "The last one, of the same family."),
        ]),
    ]),
    differs: &["Whose address cannot be told is refused by either action."],
    build: Build::Steps(access::ip_filter),
};

/// `validate-client-certificate`.
pub const VALIDATE_CLIENT_CERTIFICATE: Policy = Policy {
    name: "validate-client-certificate",
    says: "Lets a request in whose client showed a certificate that is valid, that an authority \
           vouches for, and that is one of the listed; others get 403. The listener asks clients for \
           certificates if the setting `listen.clientCertificates` says so.",
    sections: INBOUND,
    scopes: EVERY_SCOPE,
    attributes: &[
        optional("validate-revocation", "Whether a certificate that was taken back is refused.")
            .usual("true"),
        optional("validate-trust", "Whether an authority must vouch for it.").usual("true"),
        optional("validate-not-before", "Whether its time must have begun.").usual("true"),
        optional("validate-not-after", "Whether its time must not be over.").usual("true"),
        optional("ignore-error", "Whether the request goes on whatever comes of it.")
            .usual("false"),
    ],
    content: Content::Elements(&[part(
        "identities",
        "Who may come in; without it, everybody whose certificate is good.",
    )
    .holding(Content::Elements(&[part("identity", "Somebody: all that it says must be so.")
        .with(&[
            optional("thumbprint", "The SHA-1 of the certificate.").computed(),
            optional("serial-number", "Its serial number, in hexadecimal digits.").computed(),
            optional("common-name", "The `CN` of its subject.").computed(),
            optional("subject", "Its subject, as .NET writes it: `CN=a, O=\"b, c\"`.").computed(),
            optional(
                "dns-name",
                "One of its alternative names for hosts; its `CN`, where it has none.",
            )
            .computed(),
            optional("issuer-subject", "The subject of its issuer.").computed(),
            optional("issuer-thumbprint", "The SHA-1 of its issuer's certificate.").computed(),
            optional("issuer-certificate-id", "The id of its issuer among the `certificates`.")
                .computed(),
        ])]))]),
    differs: &[
        "Authorities are those of the machine, those of `certificates` with `authority: true`, and \
         those of the setting `listen.clientAuthoritiesFile`; each of them may also stand below \
         another.",
        "Nothing is fetched to learn what was taken back: `validate-revocation` asks the lists that \
         authorities have in the configuration (`revocationListFile`). Where there are none it finds \
         nothing, and the gateway says so when it loads the configuration.",
        "The answer is the same whatever is wrong. `context.LastError.Reason` tells: \
         `ClientCertificateNotFound`, `…NotYetValid`, `…Expired`, `…NotTrusted`, `…Revoked`, \
         `…IdentityNotMatched`; these words are ours.",
        "The attributes of `identity` may be expressions.",
    ],
    build: Build::Steps(judged::validate_client_certificate),
};

const HEADER: Attribute = optional("header-name", "The field that has the token.").computed();
const QUERY: Attribute =
    optional("query-parameter-name", "The parameter of the query that has it.").computed();
const VALUE: Attribute = optional("token-value", "The token itself.").computed();
const STATUS: Attribute =
    optional("failed-validation-httpcode", "The status of a refusal.").computed().usual("401");
const MESSAGE: Attribute = optional("failed-validation-error-message", "The message of a refusal.")
    .computed()
    .usual("says whether the token is missing or invalid");
const VARIABLE: Attribute =
    optional("output-token-variable-name", "The variable that gets the token, as a `Jwt`.");

const AUDIENCES: Part =
    part("audiences", "Whom the token may be for; one of them must be in `aud`.").holding(
        Content::Elements(&[part("audience", "A name, to the letter.").holding(Content::Text)]),
    );

const CLAIMS: Part =
    part("required-claims", "What else must stand in the token.").holding(Content::Elements(&[
        part("claim", "A claim; without values it has to be there.")
            .with(&[
                required("name", "Its name."),
                optional("match", "`all` of the values must be there, or `any` of them.")
                    .usual("all"),
                optional(
                    "separator",
                    "What stands between the values of a text that holds several.",
                ),
            ])
            .holding(Content::Elements(&[
                part("value", "A value, to the letter.").holding(Content::Text)
            ])),
    ]));

const DECRYPTION: Part = part("decryption-keys", "Keys that open encrypted tokens, up to four.")
    .holding(Content::Elements(&[part(
        "key",
        "A secret in Base64 as the text, or a certificate.",
    )
    .with(&[
        optional("id", "The `kid` of tokens that it opens."),
        optional("certificate-id", "One of the `certificates`, whose private RSA key it is."),
    ])
    .holding(Content::Text)]));

/// `validate-jwt`.
pub const VALIDATE_JWT: Policy = Policy {
    name: "validate-jwt",
    says: "Lets a request in that carries a token which somebody vouches for and which says what it \
           must. How keys come here, and what is refused: [tokens](tokens.md).",
    sections: INBOUND,
    scopes: EVERY_SCOPE,
    attributes: &[
        HEADER,
        QUERY,
        VALUE,
        STATUS,
        MESSAGE,
        optional("require-expiration-time", "Whether the token must say when it ends.")
            .computed()
            .usual("true"),
        optional("require-scheme", "The scheme in front of the token in `Authorization`.")
            .computed(),
        optional("require-signed-tokens", "Whether the token must be signed.")
            .computed()
            .usual("true"),
        optional("clock-skew", "By how many seconds clocks may differ.").computed().usual("0"),
        VARIABLE,
    ],
    content: Content::Elements(&[
        part("openid-config", "The document of an issuer, which leads to its keys.")
            .with(&[required("url", "Its address.").computed()]),
        part("issuer-signing-keys", "Keys that vouch for tokens.").holding(Content::Elements(&[
            part("key", "A secret in Base64 as the text, or an RSA key.")
                .with(&[
                    optional("id", "The `kid` of tokens that it signs."),
                    optional(
                        "certificate-id",
                        "One of the `certificates`, whose public key it is.",
                    ),
                    optional("n", "The modulus, in Base64url."),
                    optional("e", "The exponent, in Base64url."),
                ])
                .holding(Content::Text),
        ])),
        DECRYPTION,
        AUDIENCES,
        part("issuers", "Who may have issued the token, besides those of the documents.").holding(
            Content::Elements(&[part("issuer", "A name, to the letter.").holding(Content::Text)]),
        ),
        CLAIMS,
    ]),
    differs: &[
        "One of `header-name`, `query-parameter-name` and `token-value` is given.",
        "A key vouches for the issuer that publishes it, and for no other.",
        "Secrets are at least as long as the hash, RSA keys have 2048 bits or more; tokens of \
         another type than `JWT` and `at+jwt`, with `crit`, or with `none` are refused.",
        "`require-scheme` counts for the field `Authorization` alone.",
        "Encrypted tokens are opened with `dir`, AES key wrap or RSA-OAEP, never with `RSA1_5`.",
    ],
    build: Build::Steps(tokens::build::validate_jwt),
};

/// `validate-azure-ad-token`.
pub const VALIDATE_AZURE_AD_TOKEN: Policy = Policy {
    name: "validate-azure-ad-token",
    says: "Lets a request in that carries a token of a tenant of Microsoft Entra ID, of version 1 or \
           2 (see [tokens](tokens.md)).",
    sections: INBOUND,
    scopes: EVERY_SCOPE,
    attributes: &[
        required("tenant-id", "The tenant: its id, a domain, `organizations` or `common`.")
            .computed(),
        HEADER.usual("Authorization"),
        QUERY,
        VALUE,
        STATUS,
        MESSAGE,
        VARIABLE,
        optional("weir-endpoint", "The address of another cloud's Entra ID.")
            .usual("https://login.microsoftonline.com"),
    ],
    content: Content::Elements(&[
        part("client-application-ids", "Which applications may call: `azp`, else `appid`.")
            .holding(Content::Elements(&[part("application-id", "An id.").holding(Content::Text)])),
        part("backend-application-ids", "For which applications tokens may be.").holding(
            Content::Elements(&[part(
                "application-id",
                "An id, which `aud` has, also as `api://…`.",
            )
            .holding(Content::Text)]),
        ),
        AUDIENCES,
        CLAIMS,
        DECRYPTION,
    ]),
    differs: &["Without `client-application-ids` every application may call."],
    build: Build::Steps(tokens::entra::validate_azure_ad_token),
};
