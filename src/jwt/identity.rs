//! Workload identity: which gateway the workload is that an issuer vouches for.
//!
//! A cloud or a cluster gives a workload a token of its own and rotates it; no secret is kept. A
//! rule says which subject of which issuer is which gateway. Everything is compared to the letter:
//! a pattern that fits one name too many gives a gateway away.

use std::collections::HashMap;
use std::time::Duration;

use super::algorithm::{Algorithm, Family};
use super::jwks::KeySet;
use super::{Refusal, Rules, Verified, unverified, verify};
use crate::time::Timestamp;

/// How many rules there may be.
pub const RULES_MAX: usize = 10_000;

/// Which workload.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Workload {
    /// Who vouches for it: `iss`.
    pub issuer: String,
    /// Who it is to the issuer: `sub`, such as `system:serviceaccount:edge:weir`.
    pub subject: String,
    /// For whom its token must be: one of `aud`.
    pub audience: String,
}

/// Which workload is which gateway; what a gateway is, the caller says.
#[derive(Clone, Debug)]
pub struct Workloads<G> {
    rules: Vec<(Workload, G)>,
}

/// Why rules are none.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unruly {
    /// Too many.
    #[error("there are {0} rules of workloads; at most {RULES_MAX} are allowed")]
    TooMany(usize),
    /// A rule without an issuer, a subject or an audience.
    #[error("rule {0} lacks an issuer, a subject or an audience")]
    Empty(usize),
    /// Two rules that make one workload two gateways.
    #[error("rules {0} and {1} make one workload two gateways")]
    Ambiguous(usize, usize),
}

/// A workload that is a gateway.
#[derive(Clone, Debug)]
pub struct Known<'w, G> {
    /// Which gateway.
    pub gateway: &'w G,
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
    /// The key set of its issuer is not there.
    #[error("the key set of the issuer is not there")]
    NoKeys,
    /// No rule.
    #[error("no gateway has this issuer, subject and audience")]
    Unknown,
    /// Rules of several gateways: the token has more than one audience.
    #[error("this token is for the audiences of several gateways")]
    Several,
}

impl<G: Eq> Workloads<G> {
    /// Takes rules, which are counted from 0.
    pub fn of(rules: Vec<(Workload, G)>) -> Result<Self, Unruly> {
        if RULES_MAX < rules.len() {
            return Err(Unruly::TooMany(rules.len()));
        }
        let is_empty = |workload: &Workload| {
            [&workload.issuer, &workload.subject, &workload.audience].iter().any(|it| it.is_empty())
        };
        if let Some(index) = rules.iter().position(|(workload, _)| is_empty(workload)) {
            return Err(Unruly::Empty(index));
        }
        let mut seen = HashMap::new();
        for (index, (workload, gateway)) in rules.iter().enumerate() {
            if let Some((first, other)) = seen.insert(workload, (index, gateway))
                && other != gateway
            {
                return Err(Unruly::Ambiguous(first, index));
            }
        }
        drop(seen);
        Ok(Self { rules })
    }

    /// The issuers of all workloads, whose key sets are to be kept at hand.
    pub fn issuers(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().map(|(workload, _)| workload.issuer.as_str())
    }

    /// Which gateway the workload is whose token is `text`. `keys` has the key set of an issuer,
    /// and is asked for those of rules alone; `skew` is how far its clock may be from ours.
    pub fn identify<K: AsRef<KeySet>>(
        &self,
        text: &str,
        keys: impl FnOnce(&str) -> Option<K>,
        skew: Duration,
        now: Timestamp,
    ) -> Result<Known<'_, G>, Stranger> {
        let claimed = unverified(text)?;
        // What it claims only chooses the keys: the rules below are compared with what they verify.
        let issuer = claimed.issuer().unwrap_or_default();
        let Some(issuer) = self.issuers().find(|known| *known == issuer) else {
            return Err(Refusal::Issuer.into());
        };
        let keys = keys(issuer).ok_or(Stranger::NoKeys)?;
        let token = verify(text, &keys.as_ref().keys, &self.rules_of(issuer, skew), now)?;
        let gateway = self.gateway(&token)?;
        let expires = token.claims().expires().ok_or(Refusal::NoExpiry)?;
        Ok(Known { gateway, expires, token })
    }

    fn rules_of(&self, issuer: &str, skew: Duration) -> Rules {
        let of_issuer = self.rules.iter().filter(|(workload, _)| workload.issuer == issuer);
        let mut audiences: Vec<String> =
            of_issuer.map(|(workload, _)| workload.audience.clone()).collect();
        audiences.sort_unstable();
        audiences.dedup();
        // Nobody shares a secret with an issuer.
        let is_public = |algorithm: &Algorithm| algorithm.family != Family::Hmac;
        Rules {
            issuers: vec![issuer.to_owned()],
            audiences,
            algorithms: Algorithm::ALL.into_iter().filter(is_public).collect(),
            skew,
            ..Rules::default()
        }
    }

    fn gateway(&self, token: &Verified) -> Result<&G, Stranger> {
        let claims = token.claims();
        let (Some(issuer), Some(subject)) = (claims.issuer(), claims.subject()) else {
            return Err(Stranger::Unknown);
        };
        let is_meant = |workload: &Workload| {
            workload.issuer == issuer
                && workload.subject == subject
                && claims.audiences().any(|audience| audience == workload.audience)
        };
        let mut found = self.rules.iter().filter(|(workload, _)| is_meant(workload));
        let (_, gateway) = found.next().ok_or(Stranger::Unknown)?;
        if found.all(|(_, other)| other == gateway) { Ok(gateway) } else { Err(Stranger::Several) }
    }
}
