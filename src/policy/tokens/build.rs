//! Reads `validate-jwt`, and what it has in common with its like.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::{HeaderName, StatusCode};

use super::asked::{Document, Own};
use super::decryption::opening;
use super::source::Source;
use super::{ClaimTerms, Refusing, Trusted, ValidateToken};
use crate::expression::Expected;
use crate::expression::value::Value;
use crate::jwt::TRIES_MAX;
use crate::jwt::key::{Key, Unfit};
use crate::policy::build::Builder;
use crate::policy::build::references::By;
use crate::policy::markup::Element;
use crate::policy::operand::{Operand, Seconds, Term, text_of};
use crate::policy::program::Action;
use crate::secret::Secret;

/// How many documents of issuers one policy may name.
const DOCUMENTS_MAX: usize = 16;

/// The key of an `issuer-signing-keys`: a secret in Base64.
#[derive(Clone, Debug)]
pub(super) struct InlineKey(pub(super) Key);

/// A key of which the request decides what it is.
#[derive(Clone, Debug)]
pub(super) struct ComputedKey {
    pub(super) id: Option<Arc<str>>,
    pub(super) key: Operand<InlineKey>,
}

/// What `issuer-signing-keys` holds.
#[derive(Default)]
struct Keys {
    /// How many stand there, also if something is wrong with them.
    count: usize,
    known: Vec<Key>,
    computed: Vec<ComputedKey>,
}

pub(in crate::policy) fn validate_jwt(builder: &mut Builder<'_>, element: &Element) {
    let source = source(builder, element, None);
    let refusing = refusing(builder, element);
    let expires = or(builder, element, "require-expiration-time", true);
    let is_signed = or(builder, element, "require-signed-tokens", true);
    let skew = or(builder, element, "clock-skew", Seconds(std::time::Duration::ZERO));
    let variable = builder.literal(element, "output-token-variable-name");
    let documents = documents(builder, element);
    let keys = keys(builder, element);
    let issuers = texts(builder, element, "issuers", "issuer");
    let audiences = texts(builder, element, "audiences", "audience");
    let claims = claims(builder, element);
    let opening = opening(builder, element);
    let nobody = keys.count == 0 && element.element("openid-config").is_none();
    if nobody && is_signed.as_ref().and_then(Operand::constant) == Some(&true) {
        let message = "nobody's signature counts: there are no keys";
        builder.fault(element, message, "add <openid-config url=\"…\" /> or <issuer-signing-keys>");
    }
    if let (Some(source), Some(refusing), Some(expires), Some(is_signed), Some(skew)) =
        (source, refusing, expires, is_signed, skew)
    {
        let policy = ValidateToken {
            source,
            refusing,
            expires,
            is_signed,
            skew,
            variable,
            own: Arc::new(Own::new(keys.known, opening.known)),
            computed_keys: keys.computed,
            computed_opening: opening.computed,
            documents,
            issuers,
            audiences,
            claims,
            terms: None,
        };
        push(builder, element, policy);
    }
}

/// Adds the step of a policy that is read.
pub(super) fn push(builder: &mut Builder<'_>, element: &Element, mut policy: ValidateToken) {
    policy.terms = policy.constant_terms();
    builder.push(element, Action::ValidateToken(Box::new(policy)));
}

/// Where the token is; `usual` is the field that it is in if nothing is said.
pub(super) fn source(
    builder: &mut Builder<'_>,
    element: &Element,
    usual: Option<HeaderName>,
) -> Option<Source> {
    const PLACES: [&str; 3] = ["header-name", "query-parameter-name", "token-value"];
    let named: Vec<&str> =
        PLACES.into_iter().filter(|name| element.attribute(name).is_some()).collect();
    let scheme = builder.attribute(element, "require-scheme");
    let is_scheme_wrong = element.attribute("require-scheme").is_some() && scheme.is_none();
    match (named.as_slice(), usual) {
        (["header-name"], _) => {
            let name = builder.attribute(element, "header-name")?;
            (!is_scheme_wrong).then_some(Source::Header(name, scheme))
        }
        (["query-parameter-name"], _) => {
            builder.attribute(element, "query-parameter-name").map(Source::Query)
        }
        (["token-value"], _) => builder.attribute(element, "token-value").map(Source::Value),
        ([], Some(usual)) => Some(Source::Header(Operand::Constant(usual), scheme)),
        ([], None) => {
            let message = format!("`{}` does not say where the token is", element.name);
            builder.fault(element, message, "add header-name=\"Authorization\"");
            None
        }
        (several, _) => {
            let message = format!("the token is in several places: {}", several.join(", "));
            builder.fault(element, message, "keep one of them");
            None
        }
    }
}

pub(super) fn refusing(builder: &mut Builder<'_>, element: &Element) -> Option<Refusing> {
    let status = or(builder, element, "failed-validation-httpcode", StatusCode::UNAUTHORIZED);
    let named = element.attribute("failed-validation-error-message").is_some();
    let message = builder.attribute(element, "failed-validation-error-message");
    // A message that is wrong is not the same as none.
    let status = status.filter(|_status| message.is_some() || !named)?;
    Some(Refusing { status, message })
}

fn or<T: Term>(
    builder: &mut Builder<'_>,
    element: &Element,
    name: &str,
    usual: T,
) -> Option<Operand<T>> {
    match element.attribute(name) {
        Some(_) => builder.attribute(element, name),
        None => Some(Operand::Constant(usual)),
    }
}

/// The lists that are called `name`: what their items hold, each with the element that it is.
pub(super) fn items<'e>(
    builder: &mut Builder<'_>,
    element: &'e Element,
    (list, item): (&str, &str),
) -> Vec<&'e Element> {
    let mut found = Vec::new();
    for list in element.elements().filter(|child| child.name.as_ref() == list) {
        let own: Vec<&Element> =
            list.elements().filter(|child| child.name.as_ref() == item).collect();
        if own.is_empty() {
            let message = format!("`{}` lists nothing", list.name);
            builder.fault(list, message, &format!("add <{item}>, or take the list out"));
        }
        found.extend(own);
    }
    found
}

/// The texts that the lists called `list` hold.
pub(super) fn texts(
    builder: &mut Builder<'_>,
    element: &Element,
    list: &str,
    item: &str,
) -> Vec<Operand<Arc<str>>> {
    let found = items(builder, element, (list, item));
    let what = format!("`{item}`");
    found.into_iter().filter_map(|child| trimmed(builder, child, &what)).collect()
}

/// The text of `child` without the white space around it, which must not be all of it.
fn trimmed(builder: &mut Builder<'_>, child: &Element, what: &str) -> Option<Operand<Arc<str>>> {
    match builder.content_operand::<Arc<str>>(child, what)? {
        Operand::Constant(text) if text.trim().is_empty() => {
            builder.fault(child, format!("{what} is empty"), "write a value, or take it out");
            None
        }
        Operand::Constant(text) => Some(Operand::Constant(Arc::from(text.trim()))),
        computed @ Operand::Computed(_) => Some(computed),
    }
}

fn documents(builder: &mut Builder<'_>, element: &Element) -> Trusted {
    let mut documents = Vec::new();
    for child in element.elements().filter(|child| child.name.as_ref() == "openid-config") {
        documents.extend(builder.attribute::<Document>(child, "url"));
    }
    if DOCUMENTS_MAX < documents.len() {
        let message = format!("there are {} of `openid-config`", documents.len());
        builder.fault(element, message, &format!("at most {DOCUMENTS_MAX} are allowed"));
    }
    let known: Option<Vec<Document>> =
        documents.iter().map(|document| document.constant().cloned()).collect();
    known.map_or(Trusted::Computed(documents), |known| Trusted::Known(known.into()))
}

fn keys(builder: &mut Builder<'_>, element: &Element) -> Keys {
    let found = items(builder, element, ("issuer-signing-keys", "key"));
    let mut keys = Keys { count: found.len(), ..Keys::default() };
    if TRIES_MAX < found.len() {
        let message = format!("there are {} keys", found.len());
        builder.fault(element, message, &format!("at most {TRIES_MAX} are tried with one token"));
    }
    for child in found {
        let id = builder.literal::<Arc<str>>(child, "id");
        let named = |key: Key| match &id {
            Some(id) => key.named(id),
            None => key,
        };
        if child.attribute("certificate-id").is_some() {
            builder.no_text(child);
            keys.known.extend(of_certificate(builder, child).map(named));
        } else if child.attribute("n").is_some() || child.attribute("e").is_some() {
            builder.no_text(child);
            keys.known.extend(rsa(builder, child).map(named));
        } else {
            match builder.content_operand::<InlineKey>(child, "`key`") {
                Some(Operand::Constant(InlineKey(key))) => keys.known.push(named(key)),
                Some(key) => keys.computed.push(ComputedKey { id, key }),
                None => (),
            }
        }
    }
    keys
}

/// The public key of the certificate that `child` names.
fn of_certificate(builder: &mut Builder<'_>, child: &Element) -> Option<Key> {
    if child.attribute("n").is_some() || child.attribute("e").is_some() {
        let message = "this key is named twice: as a certificate, and by its numbers";
        builder.fault(child, message, "keep one of the two");
        return None;
    }
    let id = builder.literal::<Arc<str>>(child, "certificate-id")?;
    let named = builder.certificate(child, "certificate-id", By::Id, &id)?;
    let key = named.certificate.public_key().ok_or(Unfit::Kind).and_then(Key::public);
    key.map_err(|unfit| builder.fault(child, unfit.to_string(), "take another certificate")).ok()
}

/// The RSA key whose modulus and exponent `child` has.
fn rsa(builder: &mut Builder<'_>, child: &Element) -> Option<Key> {
    let (n, e) = (child.value("n"), child.value("e"));
    let (Some(n), Some(e)) = (n, e) else {
        let message = "an RSA key needs its modulus and its exponent";
        builder.fault(child, message, "write both, n=\"…\" and e=\"…\"");
        return None;
    };
    if n.is_assumed() || e.is_assumed() {
        return None;
    }
    let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text.trim().trim_end_matches('=')).ok();
    let (Some(n), Some(e)) = (bytes(n.as_str()), bytes(e.as_str())) else {
        let message = "the modulus or the exponent of this key is not Base64url";
        builder.fault(child, message, "write them as key sets have them (RFC 7518, section 6.3.1)");
        return None;
    };
    match Key::rsa(&n, &e) {
        Ok(key) => Some(key),
        Err(unfit) => {
            builder.fault(child, unfit.to_string(), "take another key");
            None
        }
    }
}

pub(super) fn claims(builder: &mut Builder<'_>, element: &Element) -> Vec<ClaimTerms> {
    let found = items(builder, element, ("required-claims", "claim"));
    let mut claims = Vec::new();
    for child in found {
        let name = builder.literal::<Arc<str>>(child, "name");
        let every = match child.value("match").map(|text| text.as_str().trim()) {
            None | Some("all") => true,
            Some("any") => false,
            Some(_) => {
                builder.fault(child, "`match` is not `all` or `any`", "write one of the two");
                true
            }
        };
        let separator = builder.literal::<Arc<str>>(child, "separator");
        let mut values = Vec::new();
        for value in child.elements().filter(|child| child.name.as_ref() == "value") {
            values.extend(trimmed(builder, value, "`value`"));
        }
        claims.extend(name.map(|name| ClaimTerms { name, every, separator, values }));
    }
    claims
}

impl Term for InlineKey {
    const EXPECTED: Expected = Expected::String;

    fn from_literal(text: &str) -> Result<Self, &'static str> {
        const EXPECTED: &str = "a secret of 32 to 1024 bytes in Base64";
        let text = Secret::new(text.split_ascii_whitespace().collect::<String>());
        let bytes = STANDARD.decode(text.expose()).map_err(|_other| EXPECTED)?;
        Key::secret(&bytes).map(Self).map_err(|_unfit| EXPECTED)
    }

    fn from_value(value: Value) -> Result<Self, &'static str> {
        Self::from_literal(&text_of(&value)?)
    }
}
