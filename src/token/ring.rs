//! The ring of keys: those of every gateway, what was revoked, and whether a token is good.

use std::collections::BTreeMap;
use std::time::Duration;

use super::key::{Key, Unsigned, Which, is_same, sign_for_nobody};
use super::minute::Minute;
use super::name::GatewayName;
use super::{LIFETIME_MAX, Malformed, Token, TokenId, Unmade};
use crate::time::{Timestamp, words};

/// How many gateways a ring holds.
pub const GATEWAYS_MAX: usize = 10_000;
/// How many revoked tokens are remembered of a gateway. They are forgotten when they would have
/// ended anyway, or when their key is replaced.
pub const REVOKED_MAX: usize = 256;
/// How far two clocks may be apart: so much longer than one may a token seem to last, and so long
/// after its end a revoked one is remembered.
pub const CLOCKS_APART_MAX: Duration = Duration::from_hours(1);

/// The keys of all gateways.
#[derive(Clone, Debug, Default)]
pub struct Ring(BTreeMap<GatewayName, Gateway>);

/// The keys of one gateway.
#[derive(Clone, Debug)]
pub struct Gateway {
    primary: Key,
    secondary: Key,
    revoked: BTreeMap<TokenId, Revoked>,
}

/// A token that is revoked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Revoked {
    /// Which key signed it.
    pub key: Which,
    /// When it ends anyway.
    pub expiry: Minute,
}

/// A token that is good.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Verified {
    /// Whose it is.
    pub gateway: GatewayName,
    /// From when on it is good for nothing: who keeps a stream open looks again then.
    pub expiry: Minute,
    /// What stands for it in logs.
    pub id: TokenId,
    /// Which key signed it.
    pub key: Which,
}

/// Why a token is not good. A stranger should hear no more than that it is not; the reason is for
/// logs, metrics and whoever holds the keys.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// It is none by its form.
    #[error("this is no gateway token: {0}")]
    Malformed(#[from] Malformed),
    /// There are no keys of the gateway that it names.
    #[error("there are no keys of the gateway that this token names")]
    UnknownGateway,
    /// Neither key of the gateway signed it.
    #[error("neither key of the gateway signed this token: it was forged, or its key was replaced")]
    WrongSignature,
    /// It lasts longer than a token may.
    #[error("this token lasts for more than the 30 days that are allowed")]
    TooLong,
    /// It has ended.
    #[error("this token has expired {} ago", words(*.since))]
    Expired {
        /// For how long.
        since: Duration,
    },
    /// It was revoked.
    #[error("this token is revoked")]
    Revoked,
    /// The library that signs failed.
    #[error(transparent)]
    Unchecked(#[from] Unsigned),
}

/// Why a ring is not changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unchanged {
    /// There are no keys of this gateway.
    #[error("there are no keys of this gateway")]
    UnknownGateway,
    /// There are keys of this gateway already.
    #[error("there are keys of this gateway already")]
    KnownGateway,
    /// Too many gateways.
    #[error("there are keys of {GATEWAYS_MAX} gateways already")]
    TooManyGateways,
    /// The two keys of a gateway are the same, so that replacing one would change nothing.
    #[error("the two keys of this gateway are the same")]
    SameKeys,
    /// Too many revoked tokens.
    #[error(
        "{REVOKED_MAX} tokens of this gateway are revoked already: replace the key that signed them"
    )]
    TooManyRevoked,
    /// What should be revoked is not good, and not because it is revoked already.
    #[error(transparent)]
    NotGood(Refusal),
}

impl Refusal {
    /// A word for it that does not change, for metrics and logs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::UnknownGateway => "unknown-gateway",
            Self::WrongSignature => "wrong-signature",
            Self::TooLong => "too-long",
            Self::Expired { .. } => "expired",
            Self::Revoked => "revoked",
            Self::Unchecked(_) => "unchecked",
        }
    }
}

impl Gateway {
    /// A gateway with these keys.
    pub fn with(primary: Key, secondary: Key) -> Result<Self, Unchanged> {
        if primary.is(&secondary) {
            return Err(Unchanged::SameKeys);
        }
        Ok(Self { primary, secondary, revoked: BTreeMap::new() })
    }

    /// One of its keys.
    pub const fn key(&self, which: Which) -> &Key {
        match which {
            Which::Primary => &self.primary,
            Which::Secondary => &self.secondary,
        }
    }

    /// What is revoked.
    pub fn revoked(&self) -> impl Iterator<Item = (TokenId, Revoked)> {
        self.revoked.iter().map(|(id, revoked)| (*id, *revoked))
    }

    /// Revokes the token `id`.
    pub fn revoke(&mut self, id: TokenId, revoked: Revoked) -> Result<(), Unchanged> {
        if !self.revoked.contains_key(&id) && REVOKED_MAX <= self.revoked.len() {
            return Err(Unchanged::TooManyRevoked);
        }
        self.revoked.insert(id, revoked);
        Ok(())
    }

    /// Puts `key` in the place of another: every token that that signed is dead.
    fn replace(&mut self, which: Which, key: Key) -> Result<(), Unchanged> {
        if Which::BOTH.iter().any(|which| self.key(*which).is(&key)) {
            return Err(Unchanged::SameKeys);
        }
        match which {
            Which::Primary => self.primary = key,
            Which::Secondary => self.secondary = key,
        }
        self.revoked.retain(|_id, revoked| revoked.key != which);
        Ok(())
    }

    /// Which key signed `token`. Both are tried whatever the first one says.
    fn signer(&self, token: &Token) -> Result<Option<Which>, Unsigned> {
        let [primary, secondary] = [&self.primary, &self.secondary].map(|key| {
            let signature = key.sign(&token.gateway, token.expiry)?;
            Ok(is_same(&signature, &token.signature))
        });
        Ok(match (primary?, secondary?) {
            (true, _) => Some(Which::Primary),
            (false, true) => Some(Which::Secondary),
            (false, false) => None,
        })
    }
}

impl Ring {
    /// Adds a gateway.
    pub fn add(&mut self, name: GatewayName, gateway: Gateway) -> Result<(), Unchanged> {
        if self.0.contains_key(&name) {
            return Err(Unchanged::KnownGateway);
        }
        if GATEWAYS_MAX <= self.0.len() {
            return Err(Unchanged::TooManyGateways);
        }
        self.0.insert(name, gateway);
        Ok(())
    }

    /// All gateways, by name.
    pub fn gateways(&self) -> impl Iterator<Item = (&GatewayName, &Gateway)> {
        self.0.iter()
    }

    /// One gateway.
    pub fn gateway(&self, name: &GatewayName) -> Option<&Gateway> {
        self.0.get(name)
    }

    /// Whether the token that `text` is, is good at `now`. Who cannot sign learns nothing from how
    /// long the answer takes, nor whether a token had expired or was revoked.
    pub fn verify(&self, text: &str, now: Timestamp) -> Result<Verified, Refusal> {
        let token = Token::parse(text)?;
        let Some(gateway) = self.0.get(&token.gateway) else {
            for _key in Which::BOTH {
                let signature = sign_for_nobody(&token.gateway, token.expiry)?;
                is_same(&signature, &token.signature);
            }
            return Err(Refusal::UnknownGateway);
        };
        let key = gateway.signer(&token)?.ok_or(Refusal::WrongSignature)?;
        let id = token.id();
        if gateway.revoked.contains_key(&id) {
            return Err(Refusal::Revoked);
        }
        let Token { gateway, expiry, .. } = token;
        if expiry.at() <= now {
            return Err(Refusal::Expired { since: now.since(expiry.at()) });
        }
        if LIFETIME_MAX.saturating_add(CLOCKS_APART_MAX) < expiry.at().since(now) {
            return Err(Refusal::TooLong);
        }
        Ok(Verified { gateway, expiry, id, key })
    }

    /// A new token of `name` that lasts for `lifetime`, and ends some minutes earlier if the one
    /// that it would be is revoked.
    pub fn create(
        &self,
        name: &GatewayName,
        which: Which,
        now: Timestamp,
        lifetime: Duration,
    ) -> Result<Token, Unmade> {
        let gateway = self.0.get(name).ok_or(Unmade::UnknownGateway)?;
        let key = gateway.key(which);
        let mut token = Token::create(name, key, now, lifetime)?;
        // At most as often as tokens are revoked.
        while gateway.revoked.contains_key(&token.id()) {
            let earlier = token.expiry.before().filter(|earlier| now < earlier.at());
            token = Token::signed(name, earlier.ok_or(Unmade::AllRevoked)?, key)?;
        }
        Ok(token)
    }

    /// Revokes the token that `text` is, which must be good; true if it was not revoked before.
    /// Forgets those that have ended meanwhile.
    pub fn revoke(&mut self, text: &str, now: Timestamp) -> Result<(Token, bool), Unchanged> {
        let token = Token::parse(text).map_err(|why| Unchanged::NotGood(why.into()))?;
        self.forget(now);
        let key = match self.verify(text, now) {
            Ok(verified) => verified.key,
            Err(Refusal::Revoked) => return Ok((token, false)),
            // Nobody should have made it, and it may become good: it is revoked all the same.
            Err(Refusal::TooLong) => self.signer(&token)?,
            Err(refusal) => return Err(Unchanged::NotGood(refusal)),
        };
        let gateway = self.0.get_mut(&token.gateway).ok_or(Unchanged::UnknownGateway)?;
        gateway.revoke(token.id(), Revoked { key, expiry: token.expiry })?;
        Ok((token, true))
    }

    fn signer(&self, token: &Token) -> Result<Which, Unchanged> {
        let gateway = self.0.get(&token.gateway).ok_or(Unchanged::UnknownGateway)?;
        let signer = gateway.signer(token).map_err(|why| Unchanged::NotGood(why.into()))?;
        signer.ok_or(Unchanged::NotGood(Refusal::WrongSignature))
    }

    /// Puts a new key in the place of one of a gateway: every token that it signed is dead.
    /// Forgets revoked tokens that have ended meanwhile.
    pub fn rotate(
        &mut self,
        name: &GatewayName,
        which: Which,
        key: Key,
        now: Timestamp,
    ) -> Result<(), Unchanged> {
        self.forget(now);
        self.0.get_mut(name).ok_or(Unchanged::UnknownGateway)?.replace(which, key)
    }

    /// Forgets revoked tokens that have ended, also by the clock of whoever is a bit behind.
    fn forget(&mut self, now: Timestamp) {
        for gateway in self.0.values_mut() {
            let lives = |revoked: &Revoked| now < revoked.expiry.at() + CLOCKS_APART_MAX;
            gateway.revoked.retain(|_id, revoked| lives(revoked));
        }
    }
}
