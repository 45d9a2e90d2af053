//! `authentication-certificate`: the certificate that the backend, or another service, is shown.
//!
//! It is one of the configuration, by its id or its thumbprint, or a PKCS #12 that an expression
//! makes. To open one of those takes as long as many requests; so the last one is kept opened, for as
//! long as the policy is.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use crate::certificate::Certificate;
use crate::certificate::known::{Certificates, Named};
use crate::digest::whole_digest;
use crate::exchange::Exchange;
use crate::expression::Expected;
use crate::expression::value::Value;
use crate::policy::Failure;
use crate::policy::build::Builder;
use crate::policy::build::references::By;
use crate::policy::certificate::CertificatePolicy;
use crate::policy::machine::Flow;
use crate::policy::markup::Element;
use crate::policy::operand::{Operand, Term};
use crate::policy::program::Action;
use crate::problem::Problem;

/// `authentication-certificate`.
#[derive(Clone, Debug)]
pub struct AuthenticationCertificate(Source);

/// Where the certificate is.
#[derive(Clone, Debug)]
enum Source {
    /// Known at load.
    Known(Arc<Certificate>),
    /// One of these, by what an expression gives.
    Computed(By, Operand<Arc<str>>, Arc<Certificates>),
    /// What an expression makes.
    Body { body: Operand<Body>, password: Option<Operand<Arc<str>>>, last: Arc<Last> },
}

/// A PKCS #12, as it came out of an expression.
#[derive(Clone, Debug)]
struct Body(Bytes);

/// The PKCS #12 that was opened last.
#[derive(Default)]
struct Last(Mutex<Option<Opened>>);

/// What was opened, and the digest of what it was opened from.
type Opened = ([u8; 32], Arc<Certificate>);

pub(in crate::policy) fn authentication_certificate(builder: &mut Builder<'_>, element: &Element) {
    if let Some(policy) = read_certificate(builder, element) {
        builder.push(element, Action::Certificate(Box::new(CertificatePolicy::Shown(policy))));
    }
}

/// Reads `authentication-certificate`, wherever it stands.
pub(in crate::policy) fn read_certificate(
    builder: &mut Builder<'_>,
    element: &Element,
) -> Option<AuthenticationCertificate> {
    let ways = ["thumbprint", "certificate-id", "body"];
    let written: Vec<&str> =
        ways.into_iter().filter(|way| element.attribute(way).is_some()).collect();
    let [only] = written[..] else {
        let has = if written.is_empty() { "does not say which certificate" } else { "names two" };
        let message = format!("`authentication-certificate` {has}");
        let remedy = "write one of thumbprint=\"…\", certificate-id=\"…\" and body=\"@(…)\"";
        builder.fault(element, message, remedy);
        return None;
    };
    if only != "body" && element.attribute("password").is_some() {
        let message = "`password` opens a `body`, and there is none";
        builder.fault(element, message, "take it out: the configuration has the password");
    }
    let by = match only {
        "thumbprint" => By::Thumbprint,
        "certificate-id" => By::Id,
        _ => return of_body(builder, element).map(AuthenticationCertificate),
    };
    let source = match builder.attribute::<Arc<str>>(element, only)? {
        Operand::Constant(text) => {
            let named = builder.certificate(element, only, by, &text)?;
            if named.certificate.key().is_none() {
                let message = format!("the certificate `{}` has no private key here", named.id);
                let remedy = "give it `key`, or a `pfx`: without it, it cannot be shown";
                builder.fault(element, message, remedy);
                return None;
            }
            Source::Known(named.certificate)
        }
        computed @ Operand::Computed(_) => {
            Source::Computed(by, computed, Arc::clone(&builder.references.certificates))
        }
    };
    Some(AuthenticationCertificate(source))
}

fn of_body(builder: &mut Builder<'_>, element: &Element) -> Option<Source> {
    let body = builder.attribute(element, "body");
    let has_password = element.attribute("password").is_some();
    let password = builder.attribute(element, "password");
    if has_password && password.is_none() {
        return None;
    }
    Some(Source::Body { body: body?, password, last: Arc::default() })
}

impl AuthenticationCertificate {
    /// From here on the backend is shown the certificate.
    pub(in crate::policy) fn run(&self, exchange: &mut Exchange) -> Result<Flow, Failure> {
        exchange.identity = Some(self.evaluate(exchange)?);
        Ok(Flow::Next)
    }

    /// The certificate, which has its key.
    pub(in crate::policy) fn evaluate(
        &self,
        exchange: &mut Exchange,
    ) -> Result<Arc<Certificate>, Failure> {
        match &self.0 {
            Source::Known(certificate) => Ok(Arc::clone(certificate)),
            Source::Computed(by, operand, known) => {
                let text = operand.get(exchange)?;
                let named = by.find(known, &text).ok_or_else(|| {
                    let what = by.words();
                    failure(format!(
                        "there is no certificate with the {what} {}",
                        operand.shown(&text)
                    ))
                })?;
                with_key(named)
            }
            Source::Body { body, password, last } => {
                let Body(bytes) = body.get(exchange)?;
                let password =
                    password.as_ref().map(|password| password.get(exchange)).transpose()?;
                last.open(&bytes, password.as_deref().unwrap_or_default())
            }
        }
    }
}

fn with_key(named: &Named) -> Result<Arc<Certificate>, Failure> {
    if named.certificate.key().is_none() {
        return Err(failure(format!("the certificate `{}` has no private key here", named.id)));
    }
    Ok(Arc::clone(&named.certificate))
}

impl Last {
    fn open(&self, bytes: &[u8], password: &str) -> Result<Arc<Certificate>, Failure> {
        let digest = whole_digest([bytes, password.as_bytes()]);
        // Nobody panics with the lock held, and nobody waits for it while a file is opened.
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, certificate)) = kept.filter(|(known, _)| *known == digest) {
            return Ok(certificate);
        }
        let opened = Certificate::pkcs12(bytes, password).map_err(|wrong| {
            failure(format!("`body` cannot be shown as a certificate: {wrong}"))
        })?;
        if opened.key().is_none() {
            return Err(failure("`body` has no private key in it".to_owned()));
        }
        let opened = Arc::new(opened);
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some((digest, Arc::clone(&opened)));
        Ok(opened)
    }
}

/// There is no certificate to show: 500.
fn failure(message: String) -> Failure {
    let problem = Problem::failed("certificate_not_found");
    Failure { source: None, reason: "CertificateNotFound", message, problem }
}

impl fmt::Debug for Last {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Last").finish_non_exhaustive()
    }
}

impl Term for Body {
    const EXPECTED: Expected = Expected::Any;

    fn from_literal(_text: &str) -> Result<Self, &'static str> {
        Err("an expression that gives the bytes of a PKCS #12, @(…)")
    }

    fn from_value(value: Value) -> Result<Self, &'static str> {
        value.bytes().map(Self).map_err(|_other| "the bytes of a PKCS #12")
    }
}
