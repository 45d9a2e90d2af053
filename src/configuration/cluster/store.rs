//! What a cluster needs of the store that its replicas share: values changed by transactions,
//! leases that end by themselves, and a hint when something changed. Every read is linearizable.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;

/// A value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Value {
    /// Where it lies.
    pub key: String,
    /// What it is.
    pub bytes: Vec<u8>,
    /// The store revision at which it came to be.
    pub created: i64,
    /// The store revision of its last change.
    pub changed: i64,
}

/// Values, and the store revision at which they were all so.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Listing {
    /// By key, ascending.
    pub values: Vec<Value>,
    /// The store revision.
    pub revision: i64,
}

/// What must be true for a transaction to write.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Condition {
    /// Nothing lies under the key.
    Absent(String),
    /// What lies under the key came to be at this store revision.
    Created(String, i64),
    /// What lies under the key was last changed at this store revision; 0: nothing lies there.
    Changed(String, i64),
}

/// What a transaction writes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Write {
    /// A value, which ends with the lease; 0 for none.
    Put(String, Vec<u8>, i64),
    /// Nothing lies there any more.
    Remove(String),
    /// Nothing whose key begins so lies there any more.
    RemoveAll(String),
}

/// The store could not be asked, or refused; the sentence is for operators. A transaction may have
/// been carried out all the same.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct Unreachable(pub String);

/// A store.
#[async_trait]
pub trait Store: Debug + Send + Sync + 'static {
    /// What lies under `key`, and the store revision.
    async fn get(&self, key: &str) -> Result<(Option<Value>, i64), Unreachable>;

    /// Everything whose key begins with `prefix`.
    async fn list(&self, prefix: &str) -> Result<Listing, Unreachable>;

    /// Writes all of `writes` if all of `when` is true, and says whether it was. A transaction that
    /// is tried again without an answer to the first try may say no although it wrote.
    async fn commit(&self, when: &[Condition], writes: &[Write]) -> Result<bool, Unreachable>;

    /// A new lease that lasts so long without being kept.
    async fn grant(&self, lasts: Duration) -> Result<i64, Unreachable>;

    /// Keeps a lease: how long it lasts from when this was asked, or nothing if it has ended.
    async fn keep(&self, lease: i64) -> Result<Option<Duration>, Unreachable>;

    /// Ends a lease, and everything written with it.
    async fn revoke(&self, lease: i64) -> Result<(), Unreachable>;

    /// Waits until something whose key begins with `prefix` has changed after the store revision
    /// `after`. Only a hint: it may never come, or come for nothing.
    async fn changed(&self, prefix: &str, after: i64) -> Result<(), Unreachable>;
}
