//! `decryption-keys`: the keys that open encrypted tokens.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::build::items;
use crate::exchange::Exchange;
use crate::expression::Expected;
use crate::expression::value::Value;
use crate::jwt::encrypted::{OPENING_KEYS_MAX, OpeningKey};
use crate::policy::Failure;
use crate::policy::build::Builder;
use crate::policy::build::references::By;
use crate::policy::markup::Element;
use crate::policy::operand::{Operand, Term, text_of};
use crate::secret::Secret;

/// What `decryption-keys` holds.
#[derive(Default)]
pub(super) struct Opening {
    pub(super) known: Vec<OpeningKey>,
    pub(super) computed: Vec<ComputedOpening>,
}

/// A key of which the request decides what it is.
#[derive(Clone, Debug)]
pub(super) struct ComputedOpening {
    id: Option<Arc<str>>,
    key: Operand<InlineOpening>,
}

/// A secret in Base64.
#[derive(Clone, Debug)]
struct InlineOpening(OpeningKey);

pub(super) fn opening(builder: &mut Builder<'_>, element: &Element) -> Opening {
    let found = items(builder, element, ("decryption-keys", "key"));
    if OPENING_KEYS_MAX < found.len() {
        let message = format!("there are {} keys that decrypt", found.len());
        let remedy = format!("at most {OPENING_KEYS_MAX} are tried with one token");
        builder.fault(element, message, &remedy);
    }
    let mut opening = Opening::default();
    for child in found {
        let id = builder.literal::<Arc<str>>(child, "id");
        let named = |key: OpeningKey| match &id {
            Some(id) => key.named(id),
            None => key,
        };
        if child.attribute("certificate-id").is_some() {
            builder.no_text(child);
            opening.known.extend(of_certificate(builder, child).map(named));
            continue;
        }
        match builder.content_operand::<InlineOpening>(child, "`key`") {
            Some(Operand::Constant(InlineOpening(key))) => opening.known.push(named(key)),
            Some(key) => opening.computed.push(ComputedOpening { id, key }),
            None => (),
        }
    }
    opening
}

/// The private key of the certificate that `child` names.
fn of_certificate(builder: &mut Builder<'_>, child: &Element) -> Option<OpeningKey> {
    let id = builder.literal::<Arc<str>>(child, "certificate-id")?;
    let named = builder.certificate(child, "certificate-id", By::Id, &id)?;
    let Some(key) = named.certificate.key() else {
        let message = format!("the certificate `{}` has no private key here", named.id);
        builder.fault(child, message, "give its key in `certificates`");
        return None;
    };
    let key = OpeningKey::rsa(key);
    key.map_err(|unfit| builder.fault(child, unfit.to_string(), "take another certificate")).ok()
}

impl ComputedOpening {
    pub(super) fn get(&self, exchange: &mut Exchange) -> Result<OpeningKey, Failure> {
        let InlineOpening(key) = self.key.get(exchange)?;
        Ok(match &self.id {
            Some(id) => key.named(id),
            None => key,
        })
    }
}

impl Term for InlineOpening {
    const EXPECTED: Expected = Expected::String;

    fn from_literal(text: &str) -> Result<Self, &'static str> {
        const EXPECTED: &str = "a secret of 16, 24, 32, 48 or 64 bytes in Base64";
        let text = Secret::new(text.split_ascii_whitespace().collect::<String>());
        let bytes = STANDARD.decode(text.expose()).map_err(|_other| EXPECTED)?;
        OpeningKey::secret(&bytes).map(Self).map_err(|_unfit| EXPECTED)
    }

    fn from_value(value: Value) -> Result<Self, &'static str> {
        Self::from_literal(&text_of(&value)?)
    }
}
