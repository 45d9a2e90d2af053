//! Policies that let a request in by the token that it carries: `validate-jwt`,
//! `validate-azure-ad-token`.
//!
//! Whether somebody vouches for a token is asked ([`Asked`]), because the keys of issuers are
//! fetched by somebody else; what it says is judged here, for each request anew. Where API
//! Management leaves room, this is so:
//!
//! * A key vouches for the issuer alone that publishes it. The names that `issuers` lists are
//!   allowed besides, and the names in `openid-config` documents are compared to the letter:
//!   one such as `…/{tenantid}/v2.0` fits no token in `validate-jwt`.
//! * A key without `id` may have signed any token whose `kid` is not that of another key.
//! * HMAC takes a secret that is at least as long as the hash (RFC 7518, section 3.2), RSA one of
//!   2048 bits or more.
//! * Types (`typ`) that end in `+jwt` are those of other uses (RFC 8725, section 3.11), but for
//!   `at+jwt`. Tokens with `crit` are refused, and so are signed tokens within signed ones.
//! * An encrypted token is opened where `decryption-keys` has its key; what stands in it must be a
//!   signed token, and is judged like one that came by itself.
//! * A request with several tokens where one belongs is refused.
//! * While the keys of an issuer have never been there, its tokens are refused with
//!   `TokenSignatureKeyNotFound`; the first requests wait a little for them.
//! * Clients hear no more than that their token is missing or invalid, unless the policy says it
//!   otherwise; `context.LastError.Message` says why.

pub mod asked;
pub(in crate::policy) mod build;
mod decryption;
pub(in crate::policy) mod entra;
mod source;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use crate::exchange::Exchange;
use crate::expression::value::Value;
use crate::jwt::required::RequiredClaim;
use crate::jwt::{Refusal, Rules, judge};
use crate::policy::Failure;
use crate::policy::machine::{Effect, Flow};
use crate::policy::operand::{Operand, Seconds, Term};
use crate::problem::Problem;

use asked::{Answer, Asked, Authentic, Document, Documents, Own, Refused};
use build::{ComputedKey, InlineKey};
use decryption::ComputedOpening;
use entra::Entra;
use source::Source;

/// A policy that validates a token.
#[derive(Clone, Debug)]
pub struct ValidateToken {
    source: Source,
    refusing: Refusing,
    expires: Operand<bool>,
    is_signed: Operand<bool>,
    skew: Operand<Seconds>,
    variable: Option<Arc<str>>,
    own: Arc<Own>,
    /// Keys of which the request decides what they are.
    computed_keys: Vec<ComputedKey>,
    /// The same of those that open encrypted tokens.
    computed_opening: Vec<ComputedOpening>,
    documents: Trusted,
    issuers: Vec<Operand<Arc<str>>>,
    audiences: Vec<Operand<Arc<str>>>,
    claims: Vec<ClaimTerms>,
    /// The terms, where no request changes them.
    terms: Option<Arc<Terms>>,
}

/// Whose documents count.
#[derive(Clone, Debug)]
enum Trusted {
    /// Always the same.
    Known(Documents),
    /// What expressions give.
    Computed(Vec<Operand<Document>>),
    /// Those of a tenant of Entra ID.
    Entra(Box<Entra>),
}

/// What a client hears that is refused.
#[derive(Clone, Debug)]
struct Refusing {
    status: Operand<StatusCode>,
    message: Option<Operand<Arc<str>>>,
}

/// A claim that a token must have.
#[derive(Clone, Debug)]
struct ClaimTerms {
    name: Arc<str>,
    every: bool,
    separator: Option<Arc<str>>,
    values: Vec<Operand<Arc<str>>>,
}

/// What a token must say, for one request.
#[derive(Clone, Debug)]
struct Terms {
    /// Times and audiences.
    rules: Rules,
    /// Who may have issued it, beside those who publish keys.
    issuers: Vec<Arc<str>>,
    claims: Vec<RequiredClaim>,
}

impl ValidateToken {
    /// Asks whether somebody vouches for the token of the request.
    pub(super) fn run(&self, exchange: &mut Exchange) -> Result<Flow, Failure> {
        let token = match self.source.find(exchange)? {
            Ok(token) => token,
            Err(refusal) => return Err(self.refusing.refuse(&refusal.into(), exchange)),
        };
        let documents = match &self.documents {
            Trusted::Known(documents) => Arc::clone(documents),
            Trusted::Computed(documents) => every(documents, exchange)?.into(),
            Trusted::Entra(entra) => entra.documents(exchange)?,
        };
        let takes_unsigned = !self.is_signed.get(exchange)?;
        let own = self.own(exchange)?;
        let asked = Asked { token, own, documents, takes_unsigned };
        Ok(Flow::Ask(Effect::Authenticate(Box::new(asked))))
    }

    /// Fails unless somebody vouches for the token, and it says what it must.
    pub(super) fn judge(&self, answer: Answer, exchange: &mut Exchange) -> Result<Flow, Failure> {
        let authentic = match answer {
            Ok(authentic) => authentic,
            Err(refused) => return Err(self.refusing.refuse(&refused, exchange)),
        };
        let terms = match &self.terms {
            Some(terms) => Cow::Borrowed(&**terms),
            None => Cow::Owned(self.terms(exchange)?),
        };
        let judged =
            terms.judge(&authentic, exchange).and_then(|()| self.issued(&terms, &authentic));
        if let Err(refusal) = judged {
            return Err(self.refusing.refuse(&refusal.into(), exchange));
        }
        if let Trusted::Entra(entra) = &self.documents
            && let Err(refusal) = entra.judge(&authentic, exchange)?
        {
            return Err(self.refusing.refuse(&refusal.into(), exchange));
        }
        if let Err(refusal) = terms.claims(&authentic) {
            return Err(self.refusing.refuse(&refusal.into(), exchange));
        }
        if let Some(variable) = &self.variable {
            let token = Value::Jwt(Arc::clone(&authentic.token));
            exchange.variables.set(variable, token);
        }
        Ok(Flow::Next)
    }

    /// The documents whose keys count whatever the request is: they can be fetched before anybody
    /// asks.
    pub fn documents(&self) -> &[Document] {
        match &self.documents {
            Trusted::Known(documents) => documents,
            Trusted::Entra(entra) => entra.known(),
            Trusted::Computed(_) => &[],
        }
    }

    fn own(&self, exchange: &mut Exchange) -> Result<Arc<Own>, Failure> {
        if self.computed_keys.is_empty() && self.computed_opening.is_empty() {
            return Ok(Arc::clone(&self.own));
        }
        let mut keys = self.own.keys.clone();
        for ComputedKey { id, key } in &self.computed_keys {
            let InlineKey(key) = key.get(exchange)?;
            keys.push(match id {
                Some(id) => key.named(id),
                None => key,
            });
        }
        let mut opening = self.own.opening.clone();
        for computed in &self.computed_opening {
            opening.push(computed.get(exchange)?);
        }
        Ok(Arc::new(Own::new(keys, opening)))
    }

    /// Whether the token is of an issuer that may have issued it.
    fn issued(&self, terms: &Terms, authentic: &Authentic) -> Result<(), Refusal> {
        let named = |issuers: &[Arc<str>]| {
            let issuer = authentic.claims.issuer();
            issuers.iter().any(|allowed| Some(&**allowed) == issuer)
        };
        let anybody = match &self.documents {
            // The tenant is judged with all else that Entra ID has of its own.
            Trusted::Entra(_) => true,
            Trusted::Known(documents) => documents.is_empty(),
            Trusted::Computed(_) => false,
        };
        if anybody && terms.issuers.is_empty() || named(&terms.issuers) || named(&authentic.issuers)
        {
            Ok(())
        } else {
            Err(Refusal::Issuer)
        }
    }

    /// The terms, if no request changes them.
    fn constant_terms(&self) -> Option<Arc<Terms>> {
        let expires = *self.expires.constant()?;
        let skew = self.skew.constant()?.0;
        let known = |texts: &[Operand<Arc<str>>]| -> Option<Vec<Arc<str>>> {
            texts.iter().map(|text| text.constant().cloned()).collect()
        };
        let claims = self.claims.iter().map(|it| Some(it.with(&known(&it.values)?)));
        let claims = claims.collect::<Option<Vec<_>>>()?;
        let (issuers, audiences) = (known(&self.issuers)?, known(&self.audiences)?);
        Some(Arc::new(Terms::new(expires, skew, &audiences, issuers, claims)))
    }

    fn terms(&self, exchange: &mut Exchange) -> Result<Terms, Failure> {
        let expires = self.expires.get(exchange)?;
        let Seconds(skew) = self.skew.get(exchange)?;
        let audiences = every(&self.audiences, exchange)?;
        let issuers = every(&self.issuers, exchange)?;
        let mut claims = Vec::with_capacity(self.claims.len());
        for claim in &self.claims {
            claims.push(claim.with(&every(&claim.values, exchange)?));
        }
        Ok(Terms::new(expires, skew, &audiences, issuers, claims))
    }
}

impl Terms {
    fn new(
        expires: bool,
        skew: Duration,
        audiences: &[Arc<str>],
        issuers: Vec<Arc<str>>,
        claims: Vec<RequiredClaim>,
    ) -> Self {
        let rules = Rules {
            audiences: audiences.iter().map(ToString::to_string).collect(),
            expiry_required: expires,
            // Nobody else minds a clock of an issuer that is a little fast.
            issued_before_now: false,
            skew,
            ..Rules::default()
        };
        Self { rules, issuers, claims }
    }

    fn judge(&self, authentic: &Authentic, exchange: &Exchange) -> Result<(), Refusal> {
        judge(&authentic.claims, &self.rules, exchange.now)
    }

    fn claims(&self, authentic: &Authentic) -> Result<(), Refusal> {
        self.claims.iter().try_for_each(|required| required.holds(&authentic.claims))
    }
}

impl ClaimTerms {
    fn with(&self, values: &[Arc<str>]) -> RequiredClaim {
        RequiredClaim {
            name: self.name.to_string(),
            values: values.iter().map(ToString::to_string).collect(),
            every: self.every,
            separator: self.separator.as_deref().map(str::to_owned),
        }
    }
}

impl Refusing {
    /// The failure that the policy asks for, or the one of what it asks with.
    fn refuse(&self, refused: &Refused, exchange: &mut Exchange) -> Failure {
        let status = self.status.get(exchange);
        let shown = self.message.as_ref().map(|message| message.get(exchange)).transpose();
        match (status, shown) {
            (Ok(status), Ok(shown)) => {
                let is_missing = refused.refusal == Refusal::NotPresent;
                let usual = if is_missing { "JWT not present." } else { "Invalid JWT." };
                let shown = shown.map_or_else(|| usual.to_owned(), |shown| shown.to_string());
                let problem = Problem::refused(status, "token_refused", shown);
                let reason = refused.refusal.reason();
                Failure { source: None, reason, message: told(refused), problem }
            }
            (Err(failure), _) | (_, Err(failure)) => failure,
        }
    }
}

/// What `context.LastError.Message` says, in API Management's words where those are known.
fn told(refused: &Refused) -> String {
    let what = if refused.refusal == Refusal::NotPresent {
        "JWT not present".to_owned()
    } else if let Refusal::ClaimNotFound(name) = &refused.refusal {
        format!("JWT token is missing the following claims: {name}")
    } else {
        refused.to_string()
    };
    format!("{what}. Access denied.")
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, trouble: None }
    }
}

/// What all of `operands` give.
fn every<T: Term>(operands: &[Operand<T>], exchange: &mut Exchange) -> Result<Vec<T>, Failure> {
    operands.iter().map(|operand| operand.get(exchange)).collect()
}
