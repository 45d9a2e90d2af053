//! What runs: a configuration compiled whole, immutable and numbered, and the cell it is swapped in.

use std::sync::Arc;

use arc_swap::ArcSwap;
use openssl::pkey::{PKey, Private};
use openssl::x509::X509;

use crate::backend::{BaseUrl, Tls};
use crate::exchange::facts::{Api, Deployment, Operation, Product, Subscription, User};
use crate::policy::program::Program;
use crate::route::host::Pattern;
use crate::route::table::Table;
use crate::subscription::key::KeyNames;
use crate::subscription::{Demand, Subscriptions};
use crate::time::Timestamp;

/// A configuration, ready to run. Indices point into its own lists.
#[derive(Debug)]
pub struct Snapshot {
    /// Which one: later ones have larger numbers.
    pub generation: u64,
    /// When it was compiled.
    pub compiled: Timestamp,
    /// Which gateway this is.
    pub deployment: Arc<Deployment>,
    /// From a request to an API and its operation.
    pub routes: Table,
    /// The APIs, as the table counts them.
    pub apis: Vec<ApiEntry>,
    /// Whose keys there are.
    pub keys: Subscriptions,
    /// The subscriptions, as [`keys`](Self::keys) counts them.
    pub subscribers: Vec<Subscriber>,
    /// The products.
    pub products: Vec<Arc<Product>>,
    /// What runs where no API was found.
    pub global: Arc<Program>,
    /// The certificates of host names, by pattern.
    pub certificates: Vec<HostCertificate>,
}

/// An API.
#[derive(Debug)]
pub struct ApiEntry {
    /// What policies see of it.
    pub facts: Arc<Api>,
    /// Where its requests go unless a policy says otherwise.
    pub base: Arc<BaseUrl>,
    /// How the certificate there is judged.
    pub tls: Tls,
    /// Where a subscription key is looked for.
    pub key_names: KeyNames,
    /// What it asks of its callers.
    pub demand: OwnDemand,
    /// What runs where no operation was found.
    pub program: Arc<Program>,
    /// The operations, as the table counts them.
    pub operations: Vec<OperationEntry>,
}

/// What an API asks of its callers: [`Demand`], kept.
#[derive(Clone, Debug, Default)]
pub struct OwnDemand {
    /// What subscriptions to the API are for: the same number for all its revisions.
    pub scope: usize,
    /// Whether it requires a subscription.
    pub is_subscription_required: bool,
    /// The products that hold it.
    pub products: Vec<usize>,
    /// The one of them that requires none.
    pub open_product: Option<usize>,
}

/// An operation.
#[derive(Debug)]
pub struct OperationEntry {
    /// What policies see of it.
    pub facts: Arc<Operation>,
    /// What runs without a product.
    pub program: Arc<Program>,
    /// What runs in the name of a product, by its index.
    pub by_product: Vec<(usize, Arc<Program>)>,
}

/// A subscription and who owns it.
#[derive(Clone, Debug)]
pub struct Subscriber {
    /// What policies see of it.
    pub facts: Arc<Subscription>,
    /// Its owner.
    pub user: Option<Arc<User>>,
}

/// The certificate of a host name.
#[derive(Clone)]
pub struct HostCertificate {
    /// The host name.
    pub host: Pattern,
    /// The chain, leaf first; never empty.
    pub chain: Vec<X509>,
    /// Its key.
    pub key: PKey<Private>,
}

/// The cell that holds what runs.
#[derive(Debug)]
pub struct Live(ArcSwap<Snapshot>);

impl OperationEntry {
    /// What runs in the name of `product`.
    pub fn program(&self, product: Option<usize>) -> &Arc<Program> {
        let named = product
            .and_then(|product| self.by_product.iter().find(|(index, _program)| *index == product));
        named.map_or(&self.program, |(_index, program)| program)
    }
}

impl OwnDemand {
    /// The demand, as the keys are asked.
    pub fn as_demand(&self) -> Demand<'_> {
        Demand {
            api: self.scope,
            is_subscription_required: self.is_subscription_required,
            products: &self.products,
            open_product: self.open_product,
        }
    }
}

impl Snapshot {
    /// Whether there is a configuration at all; until then nobody is served.
    pub const fn is_configured(&self) -> bool {
        0 < self.generation
    }

    /// The certificate to show to who asks for `host`: its own, else that of its domain's `*`.
    pub fn certificate(&self, host: &str) -> Option<&HostCertificate> {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let exact = |known: &&HostCertificate| matches!(&known.host, Pattern::Exact(_));
        let (own, wild): (Vec<_>, Vec<_>) = self.certificates.iter().partition(exact);
        own.into_iter().chain(wild).find(|known| known.host.takes(&host))
    }
}

impl std::fmt::Debug for HostCertificate {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("HostCertificate").field("host", &self.host).finish_non_exhaustive()
    }
}

impl Live {
    /// A cell that holds `first`.
    pub fn new(first: Snapshot) -> Self {
        Self(ArcSwap::from_pointee(first))
    }

    /// What runs now. Whoever asks keeps it for as long as a request lasts.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.0.load_full()
    }

    /// Replaces what runs, whole.
    pub fn publish(&self, next: Snapshot) {
        self.0.store(Arc::new(next));
    }
}
