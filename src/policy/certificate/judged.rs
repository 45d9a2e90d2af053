//! `validate-client-certificate`: whether the certificate that the client showed is one that may
//! come in.
//!
//! The handshake proves only that the client has the key. All the rest is judged here, for each
//! request: times, who vouches for it, whether it was taken back, and whose it is. A certificate is
//! refused with one answer, whatever is wrong with it; `context.LastError` says what.

use std::sync::Arc;

use http::StatusCode;

use crate::certificate::Certificate;
use crate::certificate::known::{Certificates, digits, is_serial};
use crate::exchange::Exchange;
use crate::policy::Failure;
use crate::policy::build::Builder;
use crate::policy::build::references::By;
use crate::policy::certificate::CertificatePolicy;
use crate::policy::machine::Flow;
use crate::policy::markup::Element;
use crate::policy::operand::Operand;
use crate::policy::program::Action;
use crate::problem::Problem;

/// `validate-client-certificate`.
#[derive(Clone, Debug)]
pub struct ValidateClientCertificate {
    checks: Checks,
    /// One of these; none: anybody.
    identities: Vec<Identity>,
    known: Arc<Certificates>,
}

/// What is looked at.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is an attribute of the policy")]
struct Checks {
    revocation: bool,
    trust: bool,
    not_before: bool,
    not_after: bool,
    /// Whether the request goes on whatever comes of it.
    ignores_error: bool,
}

/// Somebody who may come in: all of it must be so.
#[derive(Clone, Debug)]
struct Identity(Vec<(Claim, Operand<Arc<str>>)>);

/// What an identity asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Claim {
    Thumbprint,
    SerialNumber,
    CommonName,
    Subject,
    DnsName,
    IssuerSubject,
    IssuerThumbprint,
    IssuerCertificateId,
}

/// All of them, by their attributes.
const CLAIMS: [(&str, Claim); 8] = [
    ("thumbprint", Claim::Thumbprint),
    ("serial-number", Claim::SerialNumber),
    ("common-name", Claim::CommonName),
    ("subject", Claim::Subject),
    ("dns-name", Claim::DnsName),
    ("issuer-subject", Claim::IssuerSubject),
    ("issuer-thumbprint", Claim::IssuerThumbprint),
    ("issuer-certificate-id", Claim::IssuerCertificateId),
];

pub(in crate::policy) fn validate_client_certificate(builder: &mut Builder<'_>, element: &Element) {
    let mut flag = |name: &str, usual: bool| builder.literal(element, name).unwrap_or(usual);
    let checks = Checks {
        revocation: flag("validate-revocation", true),
        trust: flag("validate-trust", true),
        not_before: flag("validate-not-before", true),
        not_after: flag("validate-not-after", true),
        ignores_error: flag("ignore-error", false),
    };
    let mut identities = Vec::new();
    for list in element.elements().filter(|child| child.name.as_ref() == "identities") {
        let mut is_empty = true;
        for child in list.elements().filter(|child| child.name.as_ref() == "identity") {
            is_empty = false;
            identities.extend(identity(builder, child));
        }
        if is_empty {
            let remedy = "add <identity thumbprint=\"…\" /> or its like, or remove `identities`";
            builder.fault(list, "`identities` has no `identity`", remedy);
        }
    }
    if checks.revocation {
        builder.references.asks_revocation.set(true);
    }
    let known = Arc::clone(&builder.references.certificates);
    let policy = ValidateClientCertificate { checks, identities, known };
    builder.push(element, Action::Certificate(Box::new(CertificatePolicy::Judged(policy))));
}

fn identity(builder: &mut Builder<'_>, element: &Element) -> Option<Identity> {
    let mut claims = Vec::new();
    let before = builder.faults.len();
    for (name, claim) in CLAIMS {
        let operand = builder.attribute::<Arc<str>>(element, name);
        let Some(operand) = operand else { continue };
        if let Some(text) = operand.constant() {
            let is_digits =
                matches!(claim, Claim::Thumbprint | Claim::SerialNumber | Claim::IssuerThumbprint);
            if is_digits && digits(text).is_empty() || text.trim().is_empty() {
                let message = format!("`{name}` is no value that a certificate has");
                builder.fault(element, message, "correct it, or remove the attribute");
            }
            if claim == Claim::IssuerCertificateId {
                let _ = builder.certificate(element, name, By::Id, text);
            }
        }
        claims.push((claim, operand));
    }
    if claims.is_empty() && before == builder.faults.len() {
        let message = "this `identity` says nothing: anybody would be it";
        builder.fault(element, message, "add thumbprint=\"…\", subject=\"…\" or another attribute");
    }
    (!claims.is_empty()).then_some(Identity(claims))
}

impl ValidateClientCertificate {
    /// Fails unless the client showed a certificate that may come in.
    pub(in crate::policy) fn run(&self, exchange: &mut Exchange) -> Result<Flow, Failure> {
        match self.judge(exchange) {
            Err(Judged::Refused(..)) if self.checks.ignores_error => Ok(Flow::Next),
            Err(Judged::Refused(reason, message)) => Err(refused(reason, message)),
            Err(Judged::Failed(failure)) => Err(*failure),
            Ok(()) => Ok(Flow::Next),
        }
    }

    fn judge(&self, exchange: &mut Exchange) -> Result<(), Judged> {
        let Some(certificate) = exchange.certificate.clone() else {
            return Err(Judged::refused("ClientCertificateNotFound", "the client showed none"));
        };
        let now = exchange.now;
        if self.checks.not_before && now < certificate.not_before() {
            return Err(Judged::refused("ClientCertificateNotYetValid", "it is not valid yet"));
        }
        if self.checks.not_after && certificate.not_after() < now {
            return Err(Judged::refused("ClientCertificateExpired", "it is not valid any more"));
        }
        let trust = Arc::clone(&exchange.deployment.trust);
        if self.checks.trust
            && let Err(untrusted) = trust.judge(&certificate, now, false)
        {
            return Err(Judged::refused("ClientCertificateNotTrusted", &untrusted.to_string()));
        }
        if self.checks.revocation && trust.is_revoked(&certificate) {
            return Err(Judged::refused("ClientCertificateRevoked", "its issuer took it back"));
        }
        if self.identities.is_empty() {
            return Ok(());
        }
        for identity in &self.identities {
            if identity.fits(&certificate, &self.known, exchange)? {
                return Ok(());
            }
        }
        Err(Judged::refused("ClientCertificateIdentityNotMatched", "it is nobody who may come in"))
    }
}

/// Why the request does not go on.
enum Judged {
    /// The certificate may not come in: a word for it, and a sentence.
    Refused(&'static str, String),
    /// What the policy asks with cannot be had.
    Failed(Box<Failure>),
}

impl Judged {
    fn refused(reason: &'static str, why: &str) -> Self {
        Self::Refused(reason, format!("Client certificate was refused: {why}."))
    }
}

impl From<Failure> for Judged {
    fn from(failure: Failure) -> Self {
        Self::Failed(Box::new(failure))
    }
}

impl Identity {
    fn fits(
        &self,
        certificate: &Certificate,
        known: &Certificates,
        exchange: &mut Exchange,
    ) -> Result<bool, Failure> {
        for (claim, wanted) in &self.0 {
            let wanted = wanted.get(exchange)?;
            if !claim.holds(&wanted, certificate, (known, exchange)) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Claim {
    fn holds(
        self,
        wanted: &str,
        certificate: &Certificate,
        (known, exchange): (&Certificates, &Exchange),
    ) -> bool {
        let is_thumbprint = |thumbprint: &str| digits(wanted) == thumbprint;
        match self {
            Self::Thumbprint => is_thumbprint(certificate.thumbprint()),
            Self::SerialNumber => is_serial(wanted, certificate.serial()),
            Self::CommonName => certificate.subject().common_name() == Some(wanted.trim()),
            Self::Subject => certificate.subject().is(wanted),
            Self::DnsName => is_host(wanted.trim(), certificate),
            Self::IssuerSubject => certificate.issuer().is(wanted),
            Self::IssuerThumbprint => {
                let issuers = exchange.deployment.trust.issuers_of(certificate);
                issuers.iter().any(|issuer| is_thumbprint(issuer))
            }
            Self::IssuerCertificateId => {
                let issuer = known.get(wanted);
                issuer.is_some_and(|issuer| certificate.is_issued_by(issuer.certificate.x509()))
            }
        }
    }
}

/// Whether a certificate names a host: one of its alternative names, or, where it has none, its
/// common name.
fn is_host(wanted: &str, certificate: &Certificate) -> bool {
    let hosts = &certificate.alternatives().hosts;
    if hosts.is_empty() {
        let name = certificate.subject().common_name();
        return name.is_some_and(|name| name.eq_ignore_ascii_case(wanted));
    }
    hosts.iter().any(|host| host.eq_ignore_ascii_case(wanted))
}

/// What API Management answers.
fn refused(reason: &'static str, message: String) -> Failure {
    let answer = "Invalid client certificate".to_owned();
    let problem = Problem::refused(StatusCode::FORBIDDEN, "client_certificate_refused", answer);
    Failure { source: None, reason, message, problem }
}
