//! What replicas that form a cluster need of etcd: transactions on conditions, leases that are kept,
//! and to hear of changes.

use std::time::Duration;

use etcd_client::{
    Client, Compare, CompareOp, DeleteOptions, Error, GetOptions, KeyValue, PutOptions, Txn, TxnOp,
    WatchOptions,
};

use super::{Etcd, Failed};

/// How many values a list has at most.
const LISTED_MAX: i64 = 10_000;

/// A value, with where it lies and how old it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Kept {
    /// Its key; what all of our keys begin with is part of it.
    pub key: String,
    /// What it is.
    pub bytes: Vec<u8>,
    /// The store revision at which it came to be.
    pub created: i64,
    /// The store revision of its last change.
    pub changed: i64,
}

/// What must be true of a key for a transaction to write.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum When {
    /// It came to be at this store revision; 0: nothing lies there.
    Created(i64),
    /// It was last changed at this store revision; 0: nothing lies there.
    Changed(i64),
}

/// What a transaction does with a key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Do {
    /// Puts a value there, which ends with the lease; 0 for none.
    Put(Vec<u8>, i64),
    /// Takes away what lies there.
    Remove,
    /// Takes away everything whose key begins so.
    RemoveAll,
}

impl Etcd {
    /// What lies under `key`, and the store revision at which it does.
    pub async fn find(&self, key: &str) -> Result<(Option<Kept>, i64), Failed> {
        let get = |mut client: Client| async move { client.get(key, None).await };
        let found = self.call(get).await?;
        let revision = found.header().map_or(0, etcd_client::ResponseHeader::revision);
        Ok((found.kvs().first().map(kept), revision))
    }

    /// Everything whose key begins with `prefix`, by key, and the store revision.
    pub async fn list(&self, prefix: &str) -> Result<(Vec<Kept>, i64), Failed> {
        let list = |mut client: Client| async move {
            let options = GetOptions::new().with_prefix().with_limit(LISTED_MAX);
            client.get(prefix, Some(options)).await
        };
        let found = self.call(list).await?;
        let revision = found.header().map_or(0, etcd_client::ResponseHeader::revision);
        Ok((found.kvs().iter().map(kept).collect(), revision))
    }

    /// Does all of `what` if all of `when` is true, and says whether it was. It says no too if an
    /// earlier try of its own did it and had no answer.
    pub async fn commit(
        &self,
        when: &[(String, When)],
        what: &[(String, Do)],
    ) -> Result<bool, Failed> {
        let commit = |mut client: Client| async move {
            let conditions: Vec<Compare> = when.iter().map(compare).collect();
            let operations: Vec<TxnOp> = what.iter().map(operation).collect();
            client.txn(Txn::new().when(conditions).and_then(operations)).await
        };
        Ok(self.call(commit).await?.succeeded())
    }

    /// Keeps `lease`: how long it lasts from when this was asked, or nothing if it has ended.
    pub async fn keep(&self, lease: i64) -> Result<Option<Duration>, Failed> {
        let keep = |mut client: Client| async move {
            match client.lease_keep_alive(lease).await {
                Ok(kept) => {
                    // The first answer has come, but not what it says: only that it lives.
                    drop(kept);
                    let left = client.lease_time_to_live(lease, None).await?;
                    Ok(u64::try_from(left.ttl()).ok().map(Duration::from_secs))
                }
                Err(Error::LeaseKeepAliveError(_not_found)) => Ok(None),
                Err(other) => Err(other),
            }
        };
        self.call(keep).await
    }

    /// Ends `lease`, and everything written with it.
    pub async fn revoke(&self, lease: i64) -> Result<(), Failed> {
        let revoke = |mut client: Client| async move { client.lease_revoke(lease).await };
        self.call(revoke).await.map(|_revoked| ())
    }

    /// Waits until something whose key begins with `prefix` has changed after the store revision
    /// `after`. A connection that breaks meanwhile is an error, and so is a revision that etcd has
    /// forgotten already.
    pub async fn changed(&self, prefix: &str, after: i64) -> Result<(), Failed> {
        let watch = |mut client: Client| async move {
            let from = after.saturating_add(1);
            let options = WatchOptions::new().with_prefix().with_start_revision(from);
            client.watch(prefix, Some(options)).await
        };
        let mut stream = self.call(watch).await?;
        loop {
            let ended = || Failed::Ended(prefix.to_owned());
            let told = stream.message().await.map_err(|_broken| ended())?.ok_or_else(ended)?;
            if told.canceled() {
                return Err(ended());
            }
            if !told.events().is_empty() {
                return Ok(());
            }
        }
    }
}

fn kept(found: &KeyValue) -> Kept {
    Kept {
        key: String::from_utf8_lossy(found.key()).into_owned(),
        bytes: found.value().to_vec(),
        created: found.create_revision(),
        changed: found.mod_revision(),
    }
}

fn compare((key, when): &(String, When)) -> Compare {
    match when {
        When::Created(revision) => {
            Compare::create_revision(key.as_str(), CompareOp::Equal, *revision)
        }
        When::Changed(revision) => Compare::mod_revision(key.as_str(), CompareOp::Equal, *revision),
    }
}

fn operation((key, what): &(String, Do)) -> TxnOp {
    match what {
        Do::Put(bytes, lease) => {
            let options = PutOptions::new().with_lease(*lease);
            TxnOp::put(key.as_str(), bytes.as_slice(), Some(options))
        }
        Do::Remove => TxnOp::delete(key.as_str(), None),
        Do::RemoveAll => TxnOp::delete(key.as_str(), Some(DeleteOptions::new().with_prefix())),
    }
}
