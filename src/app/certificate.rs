//! The certificate of the HTTPS listener, from its files.

use std::io;
use std::path::Path;

use openssl::pkey::PKey;
use openssl::x509::X509;

use crate::app::StartError;
use crate::proxy::listener::Certificate;
use crate::settings::Listen;

/// The certificate that the settings name, if they name one.
pub(super) fn of(listen: &Listen) -> Result<Option<Certificate>, StartError> {
    let (Some(chain), Some(key)) = (&listen.certificate_file, &listen.key_file) else {
        return Ok(None);
    };
    let chain = file("the certificate", chain, |pem| Ok(X509::stack_from_pem(pem)?))?;
    let key = file("the key", key, |pem| Ok(PKey::private_key_from_pem(pem)?))?;
    Ok(Some(Certificate { chain, key }))
}

fn file<T>(
    what: &'static str,
    path: &Path,
    read: impl Fn(&[u8]) -> io::Result<T>,
) -> Result<T, StartError> {
    let wrong = |source| StartError::Certificate { what, path: path.display().to_string(), source };
    let bytes = std::fs::read(path).map_err(wrong)?;
    read(&bytes).map_err(wrong)
}
