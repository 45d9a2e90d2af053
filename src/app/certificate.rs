//! The certificate of the HTTPS listener, and the authorities of those of its clients, from their
//! files.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use openssl::pkey::PKey;
use openssl::x509::X509;

use crate::app::StartError;
use crate::caller::roots::Roots;
use crate::certificate::trust::Authorities;
use crate::proxy::listener::{Certificate, Clients};
use crate::settings::{ClientCertificates, Listen};

/// The certificate that the settings name, if they name one.
pub(super) fn of(listen: &Listen) -> Result<Option<Certificate>, StartError> {
    let (Some(chain), Some(key)) = (&listen.certificate_file, &listen.key_file) else {
        return Ok(None);
    };
    let chain = file("the certificate", chain, |pem| Ok(X509::stack_from_pem(pem)?))?;
    let key = file("the key", key, |pem| Ok(PKey::private_key_from_pem(pem)?))?;
    Ok(Some(Certificate { chain, key }))
}

/// Whether clients are asked for certificates, and whose are wanted.
pub(super) fn clients(listen: &Listen) -> Result<Clients, StartError> {
    match listen.client_certificates {
        ClientCertificates::Off => Ok(Clients::Unasked),
        ClientCertificates::Request => Ok(Clients::Asked(authorities(listen)?)),
    }
}

/// Who vouches for the certificates of clients: the authorities of the listener and the machine's.
pub(super) fn vouching(
    listen: &Listen,
    roots: Arc<Roots>,
) -> Result<Arc<dyn Authorities>, StartError> {
    Ok(Arc::new(Vouching { own: authorities(listen)?, roots }))
}

fn authorities(listen: &Listen) -> Result<Vec<X509>, StartError> {
    let Some(path) = &listen.client_authorities_file else { return Ok(Vec::new()) };
    file("the authorities of clients", path, |pem| Ok(X509::stack_from_pem(pem)?))
}

/// The authorities of the listener, and the machine's.
struct Vouching {
    own: Vec<X509>,
    roots: Arc<Roots>,
}

impl Authorities for Vouching {
    fn list(&self) -> Vec<X509> {
        let of_machine = self.roots.get();
        let of_machine = of_machine.iter().flat_map(|list| list.iter());
        self.own.iter().chain(of_machine).cloned().collect()
    }
}

impl fmt::Debug for Vouching {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Vouching").field("own", &self.own.len()).finish_non_exhaustive()
    }
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
