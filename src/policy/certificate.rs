//! Policies about certificates: `authentication-certificate` shows one to the backend, and
//! `validate-client-certificate` judges the one that the client showed.

pub mod shown;
pub mod judged;

use crate::exchange::Exchange;
use crate::policy::Failure;
use crate::policy::machine::Flow;

use judged::ValidateClientCertificate;
use shown::AuthenticationCertificate;

/// A policy about certificates.
#[derive(Clone, Debug)]
pub enum CertificatePolicy {
    /// `authentication-certificate`.
    Shown(AuthenticationCertificate),
    /// `validate-client-certificate`.
    Judged(ValidateClientCertificate),
}

impl CertificatePolicy {
    /// Chooses what the backend is shown, or judges what the client showed.
    pub(in crate::policy) fn run(&self, exchange: &mut Exchange) -> Result<Flow, Failure> {
        match self {
            Self::Shown(policy) => policy.run(exchange),
            Self::Judged(policy) => policy.run(exchange),
        }
    }
}
