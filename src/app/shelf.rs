//! Where the copy of the totals of quotas lies that replicas share: in etcd, if there is one.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::app::StartError;
use crate::counters::shared::journal::shelf::Shelf;
use crate::etcd::Etcd;
use crate::etcd::settings::Settings;
use crate::settings;

/// The shelf; none if no etcd is named.
pub(super) fn of(named: &settings::Etcd) -> Result<Option<Arc<dyn Shelf>>, StartError> {
    if named.endpoints.is_empty() {
        return Ok(None);
    }
    Ok(Some(Arc::new(InEtcd(etcd(named)?))))
}

/// The etcd that is named.
pub(super) fn etcd(named: &settings::Etcd) -> Result<Etcd, StartError> {
    let own = match (&named.certificate_file, &named.key_file) {
        (Some(certificate), Some(key)) => Some((certificate.clone(), key.clone())),
        (None, None) => None,
        _ => return Err(wrong("`etcd.certificateFile` and `etcd.keyFile` go together")),
    };
    let login = match (named.user.is_empty(), &named.password_file) {
        (false, Some(file)) => Some((named.user.clone(), file.clone())),
        (true, None) => None,
        _ => return Err(wrong("`etcd.user` and `etcd.passwordFile` go together")),
    };
    let settings = Settings {
        endpoints: named.endpoints.clone(),
        ca: named.ca_file.clone(),
        own,
        login,
        prefix: named.prefix.clone(),
    };
    Etcd::new(settings).map_err(|unusable| wrong(&unusable.to_string()))
}

fn wrong(told: &str) -> StartError {
    StartError::Etcd(told.to_owned())
}

/// A shelf in etcd.
#[derive(Debug)]
struct InEtcd(Etcd);

impl InEtcd {
    fn key(&self, key: &str) -> String {
        format!("{}{key}", self.0.prefix())
    }
}

#[async_trait]
impl Shelf for InEtcd {
    async fn get(&self, key: &str) -> Result<Option<(Vec<u8>, i64)>, String> {
        let value = self.0.get(&self.key(key)).await.map_err(|failed| failed.to_string())?;
        Ok(value.map(|value| (value.bytes, value.changed)))
    }

    async fn put(&self, key: &str, bytes: &[u8], known: i64, lease: i64) -> Result<bool, String> {
        let put = self.0.put_if(&self.key(key), bytes, known, lease).await;
        put.map_err(|failed| failed.to_string())
    }

    async fn lease(&self, lasts: Duration) -> Result<i64, String> {
        self.0.grant(lasts).await.map_err(|failed| failed.to_string())
    }
}
