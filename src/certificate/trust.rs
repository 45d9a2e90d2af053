//! Whether an authority vouches for a certificate.
//!
//! Authorities are those of a configuration, of the listener, and of the machine. Times are judged
//! by a clock that is passed on; the library does not look at its own. Of what was taken back is
//! known what the lists say that were given: [`Trust::asks`] says whether there is any for an issuer.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use openssl::stack::Stack;
use openssl::x509::store::{X509Store, X509StoreBuilder};
use openssl::x509::verify::X509VerifyFlags;
use openssl::x509::{X509, X509StoreContext};

use super::known::Certificates;
use super::revocation::{Revoked, Standing};
use super::{Certificate, moment, thumbprint};
use crate::time::Timestamp;

/// Authorities that are there without a configuration.
pub trait Authorities: fmt::Debug + Send + Sync {
    /// The list; it may be read from disk the first time.
    fn list(&self) -> Vec<X509>;
}

/// No authorities.
#[derive(Clone, Copy, Debug)]
pub struct Nobody;

impl Authorities for Nobody {
    fn list(&self) -> Vec<X509> {
        Vec::new()
    }
}

/// Who is trusted to vouch for certificates.
pub struct Trust {
    own: Vec<X509>,
    lists: Vec<Revoked>,
    others: Arc<dyn Authorities>,
    /// Made when first needed: the machine has many.
    store: Mutex<Option<Arc<X509Store>>>,
}

/// Why a certificate is not trusted.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Untrusted {
    /// No authority vouches for it.
    #[error("no trusted authority vouches for it")]
    Unknown,
    /// One of its issuers is not valid now.
    #[error("one of its issuers is not valid at this time")]
    Issuer,
    /// It, or one of its issuers, was taken back.
    #[error("its issuer took it back")]
    Revoked,
}

impl Trust {
    /// Trust in the authorities among `known`, and in `others`.
    pub fn new(known: &Certificates, others: Arc<dyn Authorities>) -> Self {
        let own = known.all().iter().filter(|named| named.is_authority);
        let own = own.map(|named| named.certificate.x509().to_owned()).collect();
        let lists = known.all().iter().filter_map(|named| named.revoked.clone()).collect();
        Self { own, lists, others, store: Mutex::default() }
    }

    /// Whether there is any list of certificates that were taken back.
    pub fn asks(&self) -> bool {
        !self.lists.is_empty()
    }

    /// Judges `certificate` at the time `now`: whether a chain leads to an authority whose issuers
    /// are valid, and, if `asks`, whether none of it was taken back. Its own times are not looked at.
    pub fn judge(
        &self,
        certificate: &Certificate,
        now: Timestamp,
        asks: bool,
    ) -> Result<(), Untrusted> {
        let chain = self.chain(certificate).ok_or(Untrusted::Unknown)?;
        let mut issuers = chain.iter().skip(1);
        if issuers
            .any(|issuer| now < moment(issuer.not_before()) || moment(issuer.not_after()) < now)
        {
            return Err(Untrusted::Issuer);
        }
        if asks && self.was_revoked(&chain) {
            return Err(Untrusted::Revoked);
        }
        Ok(())
    }

    /// Whether a given list says that `certificate` was taken back, whoever is trusted: the issuers
    /// are those that came with it, and our own.
    pub fn is_revoked(&self, certificate: &Certificate) -> bool {
        if self.lists.is_empty() {
            return false;
        }
        if let Some(chain) = self.chain(certificate) {
            return self.was_revoked(&chain);
        }
        let leaf = certificate.x509().to_owned();
        let issuers = self.own.iter().chain(certificate.issuers());
        issuers.into_iter().any(|issuer| self.is_listed(&leaf, issuer))
    }

    /// The thumbprints of who signed `certificate`, as far as they are known here, trusted or not:
    /// of those that came with it, of our own, and of the one that the chain goes through.
    pub fn issuers_of(&self, certificate: &Certificate) -> Vec<String> {
        let chain = self.chain(certificate).unwrap_or_default();
        let all = chain.iter().skip(1).take(1).chain(certificate.issuers()).chain(&self.own);
        let signed = all.filter(|issuer| certificate.is_issued_by(issuer));
        signed.filter_map(|issuer| thumbprint(&issuer.to_der().ok()?).ok()).collect()
    }

    fn was_revoked(&self, chain: &[X509]) -> bool {
        let pairs = chain.iter().zip(chain.iter().skip(1));
        pairs.into_iter().any(|(certificate, issuer)| self.is_listed(certificate, issuer))
    }

    fn is_listed(&self, certificate: &X509, issuer: &X509) -> bool {
        let says = |list: &Revoked| list.standing(certificate, issuer) == Standing::Revoked;
        self.lists.iter().any(says)
    }

    /// From the certificate to an authority.
    fn chain(&self, certificate: &Certificate) -> Option<Vec<X509>> {
        let store = self.store()?;
        let mut issuers = Stack::new().ok()?;
        for issuer in certificate.issuers() {
            issuers.push(issuer.clone()).ok()?;
        }
        let mut context = X509StoreContext::new().ok()?;
        let found = context.init(&store, certificate.x509(), &issuers, |context| {
            let is_trusted = context.verify_cert()?;
            let chain = context.chain().filter(|_chain| is_trusted);
            Ok(chain.map(|chain| chain.iter().map(ToOwned::to_owned).collect()))
        });
        found.ok().flatten()
    }

    fn store(&self) -> Option<Arc<X509Store>> {
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        if store.is_none() {
            *store = self.gather().map(Arc::new);
        }
        store.clone()
    }

    fn gather(&self) -> Option<X509Store> {
        let mut builder = X509StoreBuilder::new().ok()?;
        // What is named as an authority is one, also where somebody else issued it.
        builder.set_flags(X509VerifyFlags::PARTIAL_CHAIN | X509VerifyFlags::NO_CHECK_TIME).ok()?;
        for authority in self.own.iter().cloned().chain(self.others.list()) {
            builder.add_cert(authority).ok()?;
        }
        Some(builder.build())
    }
}

impl Default for Trust {
    fn default() -> Self {
        Self::new(&Certificates::default(), Arc::new(Nobody))
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Trust");
        shown.field("own", &self.own.len()).field("lists", &self.lists.len());
        shown.finish_non_exhaustive()
    }
}
