//! Which certificates of backends were taken back, by lists in files that are looked at again.
//!
//! A gateway fetches no lists and asks no responder: somebody puts the lists where they are read. A
//! file that cannot be read any more leaves the lists that were read before in force, because
//! forgetting what was revoked is the worse of two evils.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use openssl::x509::{X509, X509Ref};

use crate::caller::refusal::{TlsRefused, Why, shown};
use crate::certificate::name::Name;
use crate::certificate::revocation::{BYTES_MAX, Revoked, Standing};
use crate::certificate::{Certificate, Wrong};
use crate::time::{self, Timestamp};

/// Whether it is asked which certificates were taken back.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Asked {
    /// It is not.
    #[default]
    Not,
    /// The lists that there are count; issuers without one are not asked.
    Listed,
    /// Every issuer must have a list.
    All,
}

/// The files of lists, and what they said when they were last read.
#[derive(Debug, Default)]
pub struct Revocation {
    asked: Asked,
    files: Vec<PathBuf>,
    lists: Mutex<Arc<Lists>>,
    /// How often something else came into force.
    turns: AtomicU64,
}

/// Lists in force.
#[derive(Debug, Default)]
pub(super) struct Lists {
    asked: Asked,
    all: Vec<Revoked>,
}

/// Why a file of lists cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("`{path}`: {why}")]
pub struct Unreadable {
    path: String,
    #[source]
    why: Unread,
}

/// What is wrong with a file of lists.
#[derive(Debug, thiserror::Error)]
enum Unread {
    #[error("{0}")]
    File(#[from] std::io::Error),
    #[error("it has more than {BYTES_MAX} bytes")]
    TooLarge,
    #[error("it holds no list of revoked certificates (-----BEGIN X509 CRL-----, or DER)")]
    NoList,
}

impl Revocation {
    /// Reads `files`.
    pub fn read(asked: Asked, files: Vec<PathBuf>) -> Result<Self, Unreadable> {
        let lists = Lists { asked, all: read_all(&files)? };
        Ok(Self { asked, files, lists: Mutex::new(Arc::new(lists)), turns: AtomicU64::new(0) })
    }

    /// Reads the files again. Whether they say something else now. Waits for the disk.
    pub fn refresh(&self) -> Result<bool, Unreadable> {
        if self.files.is_empty() {
            return Ok(false);
        }
        let all = read_all(&self.files)?;
        let mut lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        if lists.all == all {
            return Ok(false);
        }
        *lists = Arc::new(Lists { asked: self.asked, all });
        self.turns.fetch_add(1, Ordering::Release);
        Ok(true)
    }

    /// Whether there are files to be looked at again.
    pub const fn has_files(&self) -> bool {
        !self.files.is_empty()
    }

    /// When the first of the lists should have been replaced, if that is before `now`. It still counts.
    pub fn overdue(&self, now: Timestamp) -> Option<String> {
        let lists = self.lists();
        let first = lists.all.iter().filter_map(Revoked::ends).min()?;
        (first < now).then(|| time::date(first))
    }

    /// How often something else came into force: connections that were made before count no more.
    pub(super) fn turn(&self) -> u64 {
        self.turns.load(Ordering::Acquire)
    }

    /// What is in force.
    pub(super) fn lists(&self) -> Arc<Lists> {
        Arc::clone(&self.lists.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Lists {
    /// Whether anybody is to be asked.
    pub(super) fn ask(&self) -> bool {
        self.asked != Asked::Not
    }

    /// What there is against `chain`, from the certificate of the backend to its authority.
    pub(super) fn judge(&self, chain: &[X509]) -> Result<(), TlsRefused> {
        for (certificate, issuer) in chain.iter().zip(chain.iter().skip(1)) {
            let standings = self.all.iter().map(|list| list.standing(certificate, issuer));
            let worst = standings.fold(Standing::NotAsked, |worst, next| match (worst, next) {
                (Standing::Revoked, _) | (_, Standing::Revoked) => Standing::Revoked,
                (Standing::Good, _) | (_, Standing::Good) => Standing::Good,
                (Standing::NotAsked, Standing::NotAsked) => Standing::NotAsked,
            });
            let names = || {
                (name(certificate, Certificate::subject), name(certificate, Certificate::issuer))
            };
            match worst {
                Standing::Revoked => {
                    let (subject, issuer) = names();
                    return Err(Why::Revoked { subject, issuer }.into());
                }
                Standing::NotAsked if self.asked == Asked::All => {
                    let (subject, issuer) = names();
                    return Err(Why::NoList { subject, issuer }.into());
                }
                Standing::NotAsked | Standing::Good => (),
            }
        }
        Ok(())
    }
}

fn name(certificate: &X509Ref, which: fn(&Certificate) -> &Name) -> String {
    let read = Certificate::of(certificate.to_owned(), Vec::new());
    read.map_or_else(|_unreadable| "`?`".to_owned(), |read| shown(which(&read)))
}

fn read_all(files: &[PathBuf]) -> Result<Vec<Revoked>, Unreadable> {
    let mut all = Vec::new();
    for file in files {
        let unreadable = |why| Unreadable { path: file.display().to_string(), why };
        all.extend(read(file).map_err(unreadable)?);
    }
    Ok(all)
}

fn read(file: &Path) -> Result<Vec<Revoked>, Unread> {
    use std::io::Read as _;

    let most = u64::try_from(BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    std::fs::File::open(file)?.take(most).read_to_end(&mut bytes)?;
    Revoked::read_all(&bytes)
        .map_err(|wrong| if wrong == Wrong::TooLarge { Unread::TooLarge } else { Unread::NoList })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificate::testing::Authority;

    fn chain(leaf: &crate::certificate::testing::Made, authority: &Authority) -> Vec<X509> {
        vec![leaf.x509.clone(), authority.0.x509.clone()]
    }

    #[test]
    fn what_a_list_names_is_revoked_and_what_has_no_list_is_unknown() {
        let (one, two) = (Authority::new("one ca"), Authority::new("two ca"));
        let (bad, other) = (one.issue("bad.example"), two.issue("other.example"));
        let temporary = tempfile::tempdir().unwrap();
        let file = temporary.path().join("lists.pem");
        std::fs::write(&file, one.revoke(&bad)).unwrap();
        let told = |asked| {
            let revocation = Revocation::read(asked, vec![file.clone()]).unwrap();
            [chain(&bad, &one), chain(&other, &two)].map(|chain| {
                revocation.lists().judge(&chain).map_err(|refused| refused.kind()).err()
            })
        };
        assert_eq!(told(Asked::Listed), [Some("tls_revoked"), None]);
        assert_eq!(told(Asked::All), [Some("tls_revoked"), Some("tls_no_revocation_list")]);
    }

    #[test]
    fn a_file_with_several_lists_has_all_of_them_and_is_read_again() {
        let (one, two) = (Authority::new("one ca"), Authority::new("two ca"));
        let (first, second) = (one.issue("a.example"), two.issue("b.example"));
        let temporary = tempfile::tempdir().unwrap();
        let file = temporary.path().join("lists.pem");
        std::fs::write(&file, one.revoke(&first)).unwrap();
        let revocation = Revocation::read(Asked::Listed, vec![file.clone()]).unwrap();
        assert!(revocation.lists().judge(&chain(&second, &two)).is_ok());
        assert!(!revocation.refresh().unwrap());
        std::fs::write(&file, [one.revoke(&first), two.revoke(&second)].concat()).unwrap();
        assert!(revocation.refresh().unwrap());
        assert_eq!(revocation.turn(), 1);
        assert!(revocation.lists().judge(&chain(&second, &two)).is_err());
        // What is known of them stays in force when the file is spoiled.
        std::fs::write(&file, "nothing").unwrap();
        let told = revocation.refresh().unwrap_err().to_string();
        assert!(told.contains("lists.pem") && told.contains("no list"), "{told}");
        assert!(revocation.lists().judge(&chain(&first, &one)).is_err());
    }
}
