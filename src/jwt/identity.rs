//! Workload identity: which gateway the workload is that an issuer vouches for.
//!
//! A cloud or a cluster gives a workload a token of its own and rotates it; no secret is kept. A
//! rule says which subject of which issuer is which gateway. Everything is compared to the letter:
//! a pattern that fits one name too many gives a gateway away.

use super::claims::Claims;

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

/// Why a token that is good says of nobody who it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Stranger {
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
        let mut seen = std::collections::HashMap::new();
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

    /// Whether anybody of `issuer` is a gateway: whose key set is worth fetching.
    pub fn knows(&self, issuer: &str) -> bool {
        self.rules.iter().any(|(workload, _)| workload.issuer == issuer)
    }

    /// The gateway that the bearer of a token is. The claims must be verified, with keys of the
    /// issuer that they name.
    pub fn gateway(&self, claims: &Claims) -> Result<&G, Stranger> {
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
