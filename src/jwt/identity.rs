//! Workload identity: which gateway the workload is that an issuer vouches for.
//!
//! A cloud or a cluster gives a workload a token of its own and rotates it; no secret is kept. A
//! rule says which subject of an issuer may be which gateway. Everything is compared to the letter:
//! a pattern that fits one name too many gives a gateway away. The one exception is `{gateway}` in
//! a subject, which stands for the name of a gateway and nothing else.

use std::time::Duration;

use super::algorithm::{Algorithm, Family};
use super::claims::Claims;
use super::jwks::KeySet;
use super::required::RequiredClaim;
use super::{Refusal, Rules, Verified, unverified, verify};
use crate::time::Timestamp;

/// How many issuers there may be.
pub const ISSUERS_MAX: usize = 100;
/// How many rules all of them may have together.
pub const RULES_MAX: usize = 10_000;
/// What stands for the name of a gateway in a subject.
pub const PLACEHOLDER: &str = "{gateway}";
/// The longest name that it may stand for, in bytes.
const NAME_BYTES_MAX: usize = 80;

/// Issuers that are believed, and which gateways their workloads may be.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Trust {
    /// Each once.
    pub issuers: Vec<TrustedIssuer>,
}

/// An issuer that is believed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TrustedIssuer {
    /// What it calls itself: `iss`.
    pub name: String,
    /// For whom its tokens must be: one of `aud`.
    pub audiences: Vec<String>,
    /// Which of its workloads may be which gateway.
    pub rules: Vec<Rule>,
}

/// Which workload may be a gateway.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rule {
    /// Who it is to the issuer: `sub`, such as `system:serviceaccount:edge:weir`.
    pub subject: Subject,
    /// What else its token must say.
    pub claims: Vec<RequiredClaim>,
}

/// Who a workload is to its issuer, and which gateway it may be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Subject {
    /// This one may be that gateway.
    Named {
        /// The subject, to the letter.
        subject: String,
        /// The gateway.
        gateway: String,
    },
    /// One with the name of a gateway between these may be that gateway.
    Around {
        /// What stands before the name.
        before: String,
        /// What stands behind it.
        after: String,
    },
}

/// A workload that is a gateway.
#[derive(Clone, Debug)]
pub struct Known {
    /// Which gateway.
    pub gateway: String,
    /// From when on its token is good for nothing: who keeps a stream open looks again then.
    pub expires: Timestamp,
    /// The token.
    pub token: Verified,
}

/// Why nobody knows who a workload is.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Stranger {
    /// The token is not good.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The keys of its issuer are not there.
    #[error("the keys of the issuer are not there")]
    NoKeys,
    /// No rule.
    #[error("no gateway is for the subject of the token")]
    Subject,
    /// Rules, but not for the gateway that it wants to be.
    #[error("the workload that the token is of may not be this gateway")]
    Other,
    /// It may be several gateways, and does not say which.
    #[error("the workload may be several gateways: its `gateway.name` has to say which it is")]
    Several,
}

impl Subject {
    /// Reads a subject that may have a placeholder in it once; nothing if it has more, or has
    /// nothing else.
    pub fn around(text: &str) -> Option<Self> {
        let (before, after) = text.split_once(PLACEHOLDER)?;
        let is_alone = before.is_empty() && after.is_empty();
        if is_alone || after.contains(PLACEHOLDER) {
            return None;
        }
        Some(Self::Around { before: before.to_owned(), after: after.to_owned() })
    }

    /// The gateway that `subject` may be.
    fn gateway<'s>(&'s self, subject: &'s str) -> Option<&'s str> {
        match self {
            Self::Named { subject: own, gateway } => (own == subject).then_some(gateway),
            Self::Around { before, after } => {
                let name = subject.strip_prefix(before.as_str())?.strip_suffix(after.as_str())?;
                is_name(name).then_some(name)
            }
        }
    }
}

/// Whether a text may be the name of a gateway: nothing in it parts names in any subject.
fn is_name(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    text.len() <= NAME_BYTES_MAX
        && text.bytes().all(is_part)
        && text.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
}

impl Trust {
    /// Which gateway the workload is whose token is `text`; `wanted` is the one that it wants to be,
    /// if it may be several. `keys` has the key set of an issuer, and is asked for those that are
    /// believed alone; `skew` is how far its clock may be from ours.
    pub fn identify<K: AsRef<KeySet>>(
        &self,
        text: &str,
        wanted: Option<&str>,
        keys: impl FnOnce(&str) -> Option<K>,
        (skew, now): (Duration, Timestamp),
    ) -> Result<Known, Stranger> {
        let claimed = unverified(text)?;
        // What it claims only chooses the keys: the rules below are compared with what they verify.
        let claimed = claimed.issuer().unwrap_or_default();
        let issuer = self.issuers.iter().find(|issuer| issuer.name == claimed);
        let issuer = issuer.ok_or(Refusal::Issuer)?;
        let keys = keys(&issuer.name).ok_or(Stranger::NoKeys)?;
        let token = verify(text, &keys.as_ref().keys, &issuer.terms(skew), now)?;
        let gateway = issuer.gateway(token.claims(), wanted)?;
        let expires = token.claims().expires().ok_or(Refusal::NoExpiry)?;
        Ok(Known { gateway, expires, token })
    }
}

impl TrustedIssuer {
    fn terms(&self, skew: Duration) -> Rules {
        // Nobody shares a secret with an issuer.
        let is_public = |algorithm: &Algorithm| algorithm.family != Family::Hmac;
        Rules {
            issuers: vec![self.name.clone()],
            audiences: self.audiences.clone(),
            algorithms: Algorithm::ALL.into_iter().filter(is_public).collect(),
            skew,
            ..Rules::default()
        }
    }

    fn gateway(&self, claims: &Claims, wanted: Option<&str>) -> Result<String, Stranger> {
        let subject = claims.subject().ok_or(Stranger::Subject)?;
        let mut may: Vec<&str> = Vec::new();
        let mut lacks = None;
        for rule in &self.rules {
            let Some(gateway) = rule.subject.gateway(subject) else { continue };
            match rule.claims.iter().try_for_each(|required| required.holds(claims)) {
                Ok(()) if may.iter().any(|known| known.eq_ignore_ascii_case(gateway)) => {}
                Ok(()) => may.push(gateway),
                Err(refusal) => lacks = Some(refusal),
            }
        }
        match (wanted, may.as_slice()) {
            (_, []) => Err(lacks.map_or(Stranger::Subject, Stranger::Refused)),
            (Some(wanted), may) => {
                let meant = may.iter().find(|gateway| gateway.eq_ignore_ascii_case(wanted));
                meant.map(|gateway| (*gateway).to_owned()).ok_or(Stranger::Other)
            }
            (None, [only]) => Ok((*only).to_owned()),
            (None, _) => Err(Stranger::Several),
        }
    }
}
