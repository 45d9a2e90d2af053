//! The certificate authorities that backends are judged by: read once, when first needed.
//!
//! Pingora reads the machine's list again for every connector it makes, which costs more than all
//! the rest of a start. Ours are given an empty list instead, and each peer carries these.

use std::fs;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use openssl::asn1::Asn1Time;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::x509::X509;
use rustix::fs::MemfdFlags;

/// A list of certificates, shared.
pub type Certificates = Arc<Box<[X509]>>;

/// The certificate authorities that backends are judged by.
#[derive(Default)]
pub struct Roots {
    loaded: Mutex<Option<Certificates>>,
}

impl std::fmt::Debug for Roots {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Roots")
    }
}

/// Where systems keep the list, in the order in which they are tried.
const BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

impl Roots {
    /// Reads the list if nobody has yet; `None` if the machine has none.
    pub fn get(&self) -> Option<Certificates> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if loaded.is_none() {
            *loaded = BUNDLES.iter().find_map(|bundle| read(Path::new(bundle)));
        }
        loaded.clone()
    }
}

/// A file of certificates that trusts nobody, for connectors whose peers carry their own roots.
/// It lives in memory, so that it needs no place on a read-only file system. Without it (no
/// `/proc`) connectors read the machine's list, which only costs time.
pub fn no_roots() -> Option<String> {
    let pem = nobody()?;
    let file = rustix::fs::memfd_create("no-roots", MemfdFlags::empty()).ok()?;
    let mut file = fs::File::from(file);
    file.write_all(&pem).ok()?;
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    fs::metadata(&path).ok()?;
    // Connectors may be made as long as the process lives.
    std::mem::forget(file);
    Some(path)
}

/// A certificate that nobody has the key of: a list may not be empty.
fn nobody() -> Option<Vec<u8>> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).ok()?;
    let key = PKey::from_ec_key(EcKey::generate(&group).ok()?).ok()?;
    let mut builder = X509::builder().ok()?;
    builder.set_pubkey(&key).ok()?;
    let yesterday = Asn1Time::from_unix(0).ok()?;
    builder.set_not_before(&yesterday).ok()?;
    builder.set_not_after(&yesterday).ok()?;
    builder.sign(&key, MessageDigest::sha256()).ok()?;
    builder.build().to_pem().ok()
}

fn read(bundle: &Path) -> Option<Certificates> {
    let pem = fs::read(bundle).ok()?;
    let certificates = X509::stack_from_pem(&pem).ok()?;
    (!certificates.is_empty()).then(|| Arc::new(certificates.into_boxed_slice()))
}
