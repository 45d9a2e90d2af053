//! What a policy asks about a token, and the answer: who has signed it, by which keys. Whether what
//! it says is what the policy wants, the policy judges for itself.

use std::fmt;
use std::sync::Arc;

use crate::backend::document::Url;
use crate::digest::whole_digest;
use crate::expression::Expected;
use crate::expression::library::token;
use crate::expression::value::Value;
use crate::expression::value::message::Jwt;
use crate::jwt::claims::Claims;
use crate::jwt::encrypted::{OpeningKey, opened};
use crate::jwt::jwks::Published;
use crate::jwt::key::Key;
use crate::jwt::{Malformed, Refusal, Rules, authentic, unsigned};
use crate::policy::operand::{Term, text_of};
use crate::secret::Secret;

/// A question about a token.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The token, without a scheme before it.
    pub token: Secret,
    /// The keys that the policy has itself.
    pub own: Arc<Own>,
    /// The documents of the issuers whose keys count.
    pub documents: Documents,
    /// Whether a token is taken that has no signature and says so.
    pub takes_unsigned: bool,
}

/// The documents of the issuers whose keys count.
pub type Documents = Arc<[Document]>;

/// The keys that a policy has itself.
#[derive(Clone, Debug)]
pub struct Own {
    /// Those that vouch for tokens.
    pub keys: Vec<Key>,
    /// Those that open encrypted ones.
    pub opening: Vec<OpeningKey>,
    /// What is the same for the same keys with the same ids.
    pub fingerprint: [u8; 32],
}

/// The address of what an issuer says of itself.
#[derive(Clone, Eq, PartialEq)]
pub struct Document {
    /// Where it is.
    pub url: Url,
    /// The same as it is written.
    pub text: Arc<str>,
}

/// A token that somebody has signed whose keys count, or that need not be signed.
#[derive(Debug)]
pub struct Authentic {
    /// As policies see it.
    pub token: Arc<Jwt>,
    /// What it says.
    pub claims: Claims,
    /// What the issuers call themselves that vouch for it: those who publish the key; all that were
    /// asked, if it is one of the policy's own or there is none.
    pub issuers: Vec<Arc<str>>,
    /// Whether it is signed.
    pub is_signed: bool,
    /// The token as it came, if it was encrypted; `token` is what stood in it.
    pub sealed: Option<Secret>,
}

/// Why nobody vouches for a token.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{refusal}{}", .trouble.as_ref().map(|why| format!(": {why}")).unwrap_or_default())]
pub struct Refused {
    /// What is wrong with it.
    pub refusal: Refusal,
    /// Why that may be no fault of its own: keys that are not there.
    pub trouble: Option<String>,
}

/// What comes of a question.
pub type Answer = Result<Arc<Authentic>, Refused>;

impl Asked {
    /// What stands in the token, if it is encrypted and there are keys that open tokens.
    pub fn inner(&self) -> Result<Option<Secret>, Refusal> {
        match self.own.opening.as_slice() {
            [] => Ok(None),
            keys => opened(self.token.expose(), keys),
        }
    }

    /// Whether somebody vouches for the token; `published` is what the issuers of the documents have
    /// published, as far as it is known.
    pub fn answer(&self, published: &[Published]) -> Result<Authentic, Refusal> {
        let inner = self.inner()?;
        let text = inner.as_ref().unwrap_or(&self.token).expose();
        let rules = Rules { types: Vec::new(), ..Rules::default() };
        let said = self.takes_unsigned.then(|| unsigned(text, &rules)).flatten();
        let is_signed = said.is_none();
        let (claims, signer) = if let Some(claims) = said {
            (claims?, None)
        } else {
            let theirs = published.iter().flat_map(|it| &it.keys.keys);
            let keys = self.own.keys.iter().chain(theirs);
            let (verified, signer) = authentic(text, keys, &rules)?;
            let is_own = self.own.keys.iter().any(|own| std::ptr::eq(own, signer));
            (verified.into_claims(), (!is_own).then_some(signer))
        };
        let vouches = |it: &&Published| match signer {
            // A key vouches for its own issuer alone; two documents may be of one issuer.
            Some(key) => it.keys.keys.iter().any(|it| it.fingerprint() == key.fingerprint()),
            None => true,
        };
        let issuers = published.iter().filter(vouches).map(|it| Arc::clone(&it.issuer)).collect();
        let token = Arc::new(token::jwt(text).ok_or(Malformed::Json)?);
        let sealed = inner.is_some().then(|| self.token.clone());
        Ok(Authentic { token, claims, issuers, is_signed, sealed })
    }
}

impl Own {
    /// These keys.
    pub fn new(keys: Vec<Key>, opening: Vec<OpeningKey>) -> Self {
        let sign = keys.iter().map(|key| (key.id(), key.fingerprint()));
        let open = opening.iter().map(|key| (key.id(), key.fingerprint()));
        let parts = sign
            .chain(open)
            .flat_map(|(id, print)| [id.unwrap_or_default().as_bytes(), print.as_slice()]);
        let fingerprint = whole_digest(parts);
        Self { keys, opening, fingerprint }
    }
}

impl Authentic {
    /// The token as it came.
    pub fn came(&self) -> &str {
        self.sealed.as_ref().map_or(&*self.token.text, Secret::expose)
    }
}

impl Document {
    /// The document at `url`.
    pub fn at(url: Url) -> Self {
        let text = Arc::from(url.to_string());
        Self { url, text }
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl Term for Document {
    const EXPECTED: Expected = Expected::String;

    fn from_literal(text: &str) -> Result<Self, &'static str> {
        let url = Url::parse(text.trim());
        url.map(Self::at).map_err(|_refused| "the address of a document, with https://")
    }

    fn from_value(value: Value) -> Result<Self, &'static str> {
        Self::from_literal(&text_of(&value)?)
    }
}
