//! What was published, for whoever wants to go back.

use super::Cluster;
use super::pile::fetch;
use super::publication::{Failed, kept};
use crate::configuration::bundle::Bundle;
use crate::configuration::history::{Row, Wanted};

impl Cluster {
    /// Generations that are kept, the newest last.
    pub async fn history(&self) -> Result<Vec<Row>, Failed> {
        let row = |(number, record): (u64, super::record::Record)| Row {
            number,
            digest: record.digest,
            published: record.published,
            like: record.like,
            by: Some(record.by),
            now: record.now,
            wanted: record.wish.map(|wish| Wanted { by: wish.who, reason: wish.reason }),
        };
        Ok(kept(&*self.store).await?.into_iter().map(row).collect())
    }

    /// What generation `number` is, if it is kept.
    pub async fn former(&self, number: u64) -> Result<Bundle, Failed> {
        fetch(&*self.store, number, None).await
    }
}
