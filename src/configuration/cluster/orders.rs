//! What a control plane has switched off, for all replicas: the leader hears it and leaves it in
//! the store; it needs no new generation, and holds for whatever is served.

use super::Cluster;
use super::publication::{Failed, Press};
use super::record::{SWITCH, written};
use super::store::{Store, Unreachable, Write};
use crate::configuration::switch::orders::Orders;

/// The largest that is read, in bytes.
const ORDERS_BYTES_MAX: usize = 1 << 20;

impl Cluster {
    /// Takes what lies in the store, if that is news.
    pub(super) async fn adopt_orders(&self) -> Result<(), Unreachable> {
        if let Some((orders, _changed)) = ordered(&*self.store).await? {
            self.status.order(orders.into());
        }
        Ok(())
    }

    /// Leaves in the store what this replica heard, unless something newer lies there: the leader
    /// before may have heard more. `shared` is what was left there last.
    pub(super) async fn share_orders(
        &self,
        press: Press<'_>,
        shared: &mut (u64, u64),
    ) -> Result<(), Failed> {
        let own = self.status.ordered();
        let newest = (own.history, own.revision);
        if newest <= *shared {
            return Ok(());
        }
        let lies = ordered(press.store).await?;
        let (lies, changed) = lies.unwrap_or_default();
        if own.is_after(&lies) {
            press.put(SWITCH, changed, Write::Put(SWITCH.to_owned(), written(&*own), 0)).await?;
        }
        *shared = newest;
        Ok(())
    }
}

/// What lies in the store, and the store revision of its last change.
async fn ordered(store: &dyn Store) -> Result<Option<(Orders, i64)>, Unreachable> {
    let (value, _revision) = store.get(SWITCH).await?;
    // What cannot be read is as if it were not there, and is written over.
    Ok(value.map(|value| {
        let bytes = value.bytes.get(..value.bytes.len().min(ORDERS_BYTES_MAX)).unwrap_or_default();
        let orders: Option<Orders> = serde_json::from_slice(bytes).ok();
        (orders.filter(Orders::is_sound).unwrap_or_default(), value.changed)
    }))
}
