//! A token in its parts, and what its header says: nothing of it is believed yet.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::algorithm::Algorithm;
use super::json::{self, Object};
use super::{
    HEADER_BYTES_MAX, KEY_ID_BYTES_MAX, Malformed, Refusal, Rules, TOKEN_BYTES_MAX, USUAL_TYPES,
};

/// A token in its parts.
pub(super) struct Parts<'t> {
    header: &'t str,
    pub(super) payload: &'t str,
    pub(super) signature: &'t str,
    /// Header and payload with the dot between: what is signed.
    pub(super) signed: &'t str,
}

impl<'t> Parts<'t> {
    pub(super) fn of(text: &'t str) -> Result<Self, Refusal> {
        if text.is_empty() {
            return Err(Refusal::NotPresent);
        }
        if TOKEN_BYTES_MAX < text.len() {
            return Err(Malformed::TooLarge.into());
        }
        match text.matches('.').count() {
            2 => {}
            4 => return Err(Malformed::Encrypted.into()),
            _ => return Err(Malformed::Parts.into()),
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(Malformed::Parts)?;
        let (header, payload) = signed.split_once('.').ok_or(Malformed::Parts)?;
        Ok(Self { header, payload, signature, signed })
    }
}

pub(super) fn decoded(part: &str) -> Result<Vec<u8>, Malformed> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_other| Malformed::Base64)
}

/// The header of a token.
pub(super) struct Header {
    pub(super) algorithm: String,
    pub(super) key_id: Option<String>,
    kind: Option<String>,
    is_critical: bool,
}

impl Header {
    pub(super) fn read(parts: &Parts<'_>) -> Result<Self, Refusal> {
        let header = Self::any(parts)?;
        let is_signed = !header.is_none() && !parts.signature.is_empty();
        if is_signed { Ok(header) } else { Err(Refusal::Unsigned) }
    }

    /// The header of a token that need not be signed.
    pub(super) fn any(parts: &Parts<'_>) -> Result<Self, Refusal> {
        let bytes = decoded(parts.header)?;
        if HEADER_BYTES_MAX < bytes.len() {
            return Err(Malformed::Header("too large").into());
        }
        let header = json::object(&bytes)?;
        let text = |name: &'static str| text_of(&header, name);
        let algorithm = text("alg")?.ok_or(Malformed::Header("alg"))?;
        let (key_id, kind) = (text("kid")?, text("typ")?);
        if key_id.as_ref().is_some_and(|id| KEY_ID_BYTES_MAX < id.len()) {
            return Err(Malformed::Header("kid").into());
        }
        if text("cty")?.is_some_and(|content| without_application(&content) == "jwt") {
            return Err(Malformed::Nested.into());
        }
        let is_critical = header.contains_key("crit");
        Ok(Self { algorithm, key_id, kind, is_critical })
    }

    /// Whether it says that there is no signature.
    pub(super) fn is_none(&self) -> bool {
        self.algorithm.eq_ignore_ascii_case("none")
    }

    pub(super) fn algorithm(&self, rules: &Rules) -> Result<Algorithm, Refusal> {
        let algorithm = Algorithm::of(&self.algorithm);
        algorithm.filter(|it| rules.algorithms.contains(it)).ok_or(Refusal::Algorithm)
    }

    pub(super) fn fits(&self, rules: &Rules) -> Result<(), Refusal> {
        if self.is_critical {
            return Err(Refusal::Critical);
        }
        let is_allowed = match &self.kind {
            None => !rules.type_required,
            Some(kind) => {
                let kind = without_application(kind);
                let is_one = |allowed: &str| without_application(allowed) == kind;
                if rules.types.is_empty() {
                    // RFC 8725, section 3.11: explicit types keep tokens of one use from passing
                    // for those of another; those of older issuers say what they like.
                    !kind.ends_with("+jwt") || USUAL_TYPES.into_iter().any(is_one)
                } else {
                    rules.types.iter().any(|allowed| is_one(allowed))
                }
            }
        };
        if is_allowed { Ok(()) } else { Err(Refusal::Type) }
    }
}

pub(super) fn text_of(header: &Object, name: &'static str) -> Result<Option<String>, Malformed> {
    match header.get(name) {
        None => Ok(None),
        Some(serde_json::Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Malformed::Header(name)),
    }
}

/// A media type in small letters, without `application/`, which may be left out.
pub(super) fn without_application(kind: &str) -> String {
    let kind = kind.to_ascii_lowercase();
    kind.strip_prefix("application/").map(str::to_owned).unwrap_or(kind)
}
