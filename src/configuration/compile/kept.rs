//! What is kept of the last good configuration, so that only what has changed is compiled again.
//!
//! What is kept is taken again only where all that it was made of is the very same; it is replaced
//! whole by the next good configuration, so it never holds more than one.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::mem;
use std::sync::Arc;

use super::backends::Before;
use super::keys::Keys;
use super::policies::{ApiDocuments, Common, Documents};
use crate::configuration::config::Api;
use crate::configuration::switch::Switch;
use crate::snapshot::{ApiEntry, OwnDemand};

/// What is kept of the last good configuration.
#[derive(Debug, Default)]
pub struct Kept {
    pub(super) common: Option<Common>,
    pub(super) documents: Documents,
    pub(super) apis: HashMap<Itself, KeptApi>,
    pub(super) keys: Option<Keys>,
    /// The backends: what is known of them outlives whatever else changes.
    pub(super) before: Before,
    /// What must not run in any of it.
    pub(super) switch: Arc<Switch>,
}

/// What is kept of one API.
#[derive(Clone, Debug)]
pub(super) struct KeptApi {
    pub(super) documents: Arc<ApiDocuments>,
    pub(super) entry: Arc<ApiEntry>,
}

/// An API, equal only to its very self.
#[derive(Debug)]
pub(super) struct Itself(Arc<Api>);

impl Hash for Itself {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

impl PartialEq for Itself {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Itself {}

impl Kept {
    /// Forgets what is built of policies.
    pub(super) fn begin_anew(&mut self, switch: Arc<Switch>) {
        let (keys, before) = (self.keys.take(), mem::take(&mut self.before));
        *self = Self { keys, before, switch, ..Self::default() };
    }

    /// What is kept of `api`.
    pub(super) fn api(&self, api: &Arc<Api>) -> Option<&KeptApi> {
        self.apis.get(&Itself(Arc::clone(api)))
    }

    /// What to keep of `apis`, their documents and their entries.
    pub(super) fn keep(
        &mut self,
        apis: &[Arc<Api>],
        documents: Documents,
        entries: &[Arc<ApiEntry>],
    ) {
        let all = apis.iter().zip(documents.apis.iter().zip(entries));
        let kept = all.map(|(api, (documents, entry))| {
            let (documents, entry) = (Arc::clone(documents), Arc::clone(entry));
            (Itself(Arc::clone(api)), KeptApi { documents, entry })
        });
        self.apis = kept.collect();
        self.documents = documents;
    }

    /// The entry of `api` if what runs for it is still the same; `demand` is what it asks now.
    pub(super) fn entry(
        &self,
        api: &Arc<Api>,
        demand: &OwnDemand,
        documents: &Documents,
    ) -> Option<Arc<ApiEntry>> {
        let KeptApi { entry, .. } = self.api(api)?;
        let same_product = |product: &usize| {
            let [kept, now] = [&self.documents, documents].map(|all| all.products.get(*product));
            match (kept, now) {
                (Some(Some(kept)), Some(Some(now))) => Arc::ptr_eq(kept, now),
                (Some(None), Some(None)) => true,
                _ => false,
            }
        };
        let same = Arc::ptr_eq(&self.documents.global, &documents.global)
            && entry.demand.products == demand.products
            && demand.products.iter().all(same_product);
        if !same {
            return None;
        }
        Some(if entry.demand == *demand {
            Arc::clone(entry)
        } else {
            Arc::new(ApiEntry { demand: demand.clone(), ..ApiEntry::clone(entry) })
        })
    }
}
