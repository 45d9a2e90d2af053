//! The certificate authorities that backends are judged by: read once, when first needed.
//!
//! Pingora has the machine's list read again for every connector it makes, which costs more than
//! all the rest of a start. Ours are given an empty list instead, and each peer carries these.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use openssl::x509::X509;
use rustix::fs::MemfdFlags;

/// A list of certificates, shared.
pub type Certificates = Arc<Box<[X509]>>;

/// The certificate authorities that backends are judged by.
#[derive(Default)]
pub struct Roots {
    /// The list to read; `None`: the machine's.
    file: Option<PathBuf>,
    loaded: Mutex<Option<Certificates>>,
}

impl std::fmt::Debug for Roots {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Roots")
    }
}

/// Names a list that takes the place of the machine's, as it does for OpenSSL and all who use it.
pub const FILE_VARIABLE: &str = "SSL_CERT_FILE";
/// Where systems keep the list, in the order in which they are tried.
const BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
/// The longest list, in bytes; that of a usual machine has a quarter of a megabyte.
const FILE_BYTES_MAX: u64 = 16 << 20;

impl Roots {
    /// The roots in `file`, and in no other; without it, those of the machine.
    pub fn of(file: Option<PathBuf>) -> Self {
        Self { file, loaded: Mutex::default() }
    }

    /// Reads the list if nobody has yet; `None` if there is none.
    pub fn get(&self) -> Option<Certificates> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if loaded.is_none() {
            *loaded = match &self.file {
                Some(file) => read(file),
                None => BUNDLES.iter().find_map(|bundle| read(Path::new(bundle))),
            };
        }
        loaded.clone()
    }
}

/// A list that trusts nobody, for connectors whose peers carry their own roots. It may not be
/// empty, so it has one entry: nobody's list of revoked certificates, which is quickly read.
const NOBODY: &str = "\
-----BEGIN X509 CRL-----
MIGVMD0wCgYIKoZIzj0EAwIwETEPMA0GA1UEAwwGbm9ib2R5Fw0yNjExMjIwNDQ5
NDBaFw0yNjExMjMwNDQ5NDBaMAoGCCqGSM49BAMCA0gAMEUCIGoKfgdxUDpI1oyP
IVM3uV2pVg+gToj3MwDPnTFGznsjAiEAqQ0yjXDTumxQBh8MuccxR7D5AMJeo45G
eO/IJ2ASMN8=
-----END X509 CRL-----
";

/// The path of a list that trusts nobody. It lives in memory, so that it needs no place on a
/// read-only file system. Without it (no `/proc`) connectors read the machine's list, which only
/// costs time.
pub fn no_roots() -> Option<String> {
    let file = rustix::fs::memfd_create("no-roots", MemfdFlags::CLOEXEC).ok()?;
    let mut file = File::from(file);
    file.write_all(NOBODY.as_bytes()).ok()?;
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    std::fs::metadata(&path).ok()?;
    // Connectors may be made as long as the process lives.
    std::mem::forget(file);
    Some(path)
}

fn read(bundle: &Path) -> Option<Certificates> {
    let mut pem = Vec::new();
    let read = File::open(bundle).ok()?.take(FILE_BYTES_MAX).read_to_end(&mut pem);
    read.ok()?;
    let certificates = X509::stack_from_pem(&pem).ok()?;
    (!certificates.is_empty()).then(|| Arc::new(certificates.into_boxed_slice()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use openssl::ssl::{SslContext, SslMethod};

    #[test]
    fn a_context_takes_the_list_that_trusts_nobody() {
        let path = no_roots().unwrap();
        let mut builder = SslContext::builder(SslMethod::tls_client()).unwrap();
        builder.set_ca_file(path).unwrap();
        assert!(builder.build().cert_store().all_certificates().is_empty());
    }

    #[test]
    fn a_list_that_is_named_is_the_only_one() {
        let temporary = tempfile::tempdir().unwrap();
        let file = temporary.path().join("roots.pem");
        let roots = Roots::of(Some(file.clone()));
        assert!(roots.get().is_none());
        std::fs::copy("tests/corpus/config/bad/certificates/one.crt", &file).unwrap();
        assert_eq!(roots.get().unwrap().len(), 1);
        std::fs::remove_file(file).unwrap();
        assert_eq!(roots.get().unwrap().len(), 1);
    }
}
