//! Gateway tokens, judged by the keys in a file that is read again when it changes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::{Bearer, Refused};
use crate::configuration::gateway_keys::{KeysFile, Unusable};
use crate::configuration::source::{Kept, Wrong};
use crate::fault::Fault;
use crate::time::Timestamp;
use crate::token::ring::{Refusal, Ring};

/// Knows gateways by the keys in a file.
#[derive(Debug)]
pub struct Keys {
    ring: RwLock<Arc<Ring>>,
    file: Mutex<Kept<Arc<Ring>, Vec<Fault>>>,
    changes: AtomicU64,
}

impl Keys {
    /// The keys in `file`, which must be good to begin with.
    pub fn open(file: &KeysFile) -> Result<Self, Unusable> {
        let ring = RwLock::new(Arc::new(file.read()?));
        if file.is_open_to_others() {
            tracing::warn!(path = ?file.path(), "everybody on this machine can read the keys of gateways");
        }
        Ok(Self { ring, file: Mutex::new(file.kept()), changes: AtomicU64::new(0) })
    }

    /// Looks whether the file has changed; the keys before count on while it is wrong. Blocks for
    /// as long as the disk does.
    pub fn look(&self) {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if !file.look() {
            return;
        }
        match (file.wrong(), file.good()) {
            (None, Some(ring)) => {
                *self.ring.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(ring);
                self.changes.fetch_add(1, Ordering::Release);
            }
            (Some(Wrong::Unreadable(reason)), _) => {
                tracing::error!(%reason, "the keys of gateways cannot be read; those before count");
            }
            (Some(Wrong::Text(faults)), _) => {
                let first = faults.first().map(ToString::to_string).unwrap_or_default();
                tracing::error!(first, "the keys of gateways are wrong; those before count");
            }
            (None, None) => {}
        }
    }

    /// How often the keys have changed.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Who shows `credential`.
    pub fn bearer(&self, credential: &str, now: Timestamp) -> Result<Bearer, Refused> {
        let ring = Arc::clone(&self.ring.read().unwrap_or_else(PoisonError::into_inner));
        let verified = ring.verify(credential, now).map_err(|refusal| match refusal {
            // The signature was right: who has it may know.
            Refusal::Expired { .. } | Refusal::Revoked => Refused::Over(refusal.to_string()),
            Refusal::Malformed(_)
            | Refusal::UnknownGateway
            | Refusal::WrongSignature
            | Refusal::TooLong
            | Refusal::Unchecked(_) => Refused::Wrong,
        })?;
        Ok(Bearer {
            gateway: Arc::from(verified.gateway.to_string()),
            until: verified.expiry.at(),
            id: Arc::from(verified.id.to_string()),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::configuration::gateway_keys::Missing;
    use crate::token::key::{Key, Which};
    use crate::token::name::GatewayName;
    use crate::token::ring::{Gateway, Unchanged};

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    #[test]
    fn a_token_is_good_until_it_is_revoked_without_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let file = KeysFile::at(folder.path().join("keys.yaml"));
        assert!(Keys::open(&file).is_err());
        let name = GatewayName::parse("berlin").unwrap();
        let key = |first: u8| Key::of(&(first..first + 64).collect::<Vec<u8>>()).unwrap();
        let made = file.change(Missing::Made, |ring| {
            ring.add(name.clone(), Gateway::with(key(0), key(64))?)?;
            Ok::<_, Unchanged>(
                ring.create(&name, Which::Secondary, NOW, Duration::from_hours(1)).unwrap(),
            )
        });
        let token = made.unwrap().unwrap().text();
        let keys = Keys::open(&file).unwrap();
        let bearer = keys.bearer(token.expose(), NOW).unwrap();
        assert_eq!(&*bearer.gateway, "berlin");
        assert!(NOW < bearer.until && bearer.until <= NOW + Duration::from_hours(1));
        assert!(!token.expose().contains(&*bearer.id));
        assert!(matches!(keys.bearer(token.expose(), bearer.until), Err(Refused::Over(_))));
        let forged = token.expose().replace("berlin", "munich");
        assert_eq!(keys.bearer(&forged, NOW), Err(Refused::Wrong));
        file.change(Missing::Refused, |ring| ring.revoke(token.expose(), NOW).map(drop))
            .unwrap()
            .unwrap();
        keys.look();
        assert!(matches!(keys.bearer(token.expose(), NOW), Err(Refused::Over(_))));
    }
}
