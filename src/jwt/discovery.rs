//! What an issuer says of itself (`OpenID` Connect Discovery 1.0, section 4): where its keys are.

use serde_json::Value;

use super::json;

/// What stands behind the address of an issuer to make that of its document.
pub const PATH: &str = "/.well-known/openid-configuration";
/// The largest document, in bytes.
pub const DOCUMENT_BYTES_MAX: usize = 64 << 10;

/// The longest name of an issuer, in bytes.
const ISSUER_BYTES_MAX: usize = 2 << 10;

/// Why a document does not say where the keys of an issuer are.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NoDocument {
    /// No JSON object with each name once.
    #[error("what the issuer says of itself is no JSON object, or has a name twice")]
    Form,
    /// It does not name itself.
    #[error("what the issuer says of itself has no `issuer`")]
    NoIssuer,
    /// It is of another issuer.
    #[error("the issuer calls itself {0:?}, which must be the same to the letter")]
    Other(String),
    /// No address of keys.
    #[error("what the issuer says of itself has no `jwks_uri`")]
    NoKeys,
}

/// What an issuer says of itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Told {
    /// What it calls itself: `iss` of its tokens.
    pub issuer: String,
    /// Where its keys are: `jwks_uri`.
    pub keys: String,
}

/// What a document says of whoever published it.
pub fn read(document: &[u8]) -> Result<Told, NoDocument> {
    let document = json::object(document).map_err(|_malformed| NoDocument::Form)?;
    let text = |name: &str| document.get(name).and_then(Value::as_str).map(str::to_owned);
    let issuer = text("issuer").ok_or(NoDocument::NoIssuer)?;
    if issuer.is_empty() || ISSUER_BYTES_MAX < issuer.len() {
        return Err(NoDocument::NoIssuer);
    }
    let keys = text("jwks_uri").ok_or(NoDocument::NoKeys)?;
    Ok(Told { issuer, keys })
}

/// Where the keys of `issuer` are, by the document that it publishes.
pub fn key_set(issuer: &str, document: &[u8]) -> Result<String, NoDocument> {
    match read(document) {
        Ok(told) if told.issuer == issuer => Ok(told.keys),
        Ok(told) => Err(NoDocument::Other(told.issuer.chars().take(200).collect())),
        Err(why) => Err(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_of_the_issuer_that_was_asked() {
        let read = |text: &str| key_set("https://i", text.as_bytes());
        let right = r#"{"issuer":"https://i","jwks_uri":"https://i/keys","more":[1]}"#;
        assert_eq!(read(right).as_deref(), Ok("https://i/keys"));
        for (text, wrong) in [
            ("[]", NoDocument::Form),
            (r#"{"issuer":"https://i","issuer":"https://i"}"#, NoDocument::Form),
            ("<html>", NoDocument::Form),
            (r#"{"jwks_uri":"https://i/keys"}"#, NoDocument::NoIssuer),
            (
                r#"{"issuer":"https://i/","jwks_uri":"https://i/keys"}"#,
                NoDocument::Other("https://i/".to_owned()),
            ),
            (r#"{"issuer":"","jwks_uri":"https://i/keys"}"#, NoDocument::NoIssuer),
            (r#"{"issuer":"https://i","jwks_uri":1}"#, NoDocument::NoKeys),
        ] {
            assert_eq!(read(text), Err(wrong), "{text}");
        }
    }
}
