//! What runs: a configuration compiled whole, immutable and numbered, and the cell it is swapped in.

pub mod tally;

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use openssl::pkey::{PKey, Private};
use openssl::x509::X509;

use crate::backend::{Backend, BaseUrl, Tls};
use crate::exchange::facts::{Api, Deployment, Operation, Product, Subscription, User};
use crate::policy::build::references::Backends;
use crate::policy::logging::event_hub::Loggers;
use crate::policy::program::Program;
use crate::route::host::Pattern;
use crate::route::table::Table;
use crate::snapshot::tally::{Taken, Tally};
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
    pub routes: Arc<Table>,
    /// The APIs, as the table counts them.
    pub apis: Vec<Arc<ApiEntry>>,
    /// Whose keys there are.
    pub keys: Arc<Subscriptions>,
    /// The subscriptions, as [`keys`](Self::keys) counts them.
    pub subscribers: Arc<[Subscriber]>,
    /// The products.
    pub products: Vec<Arc<Product>>,
    /// What runs where no API was found.
    pub global: Arc<Program>,
    /// Where events go, by logger.
    pub loggers: Arc<Loggers>,
    /// Where requests go, by the ids of backends.
    pub backends: Arc<Backends>,
    /// What its operators should know of it, a sentence each.
    pub warnings: Vec<String>,
    /// The certificates of host names, by pattern.
    pub certificates: Vec<HostCertificate>,
    /// What happens to the requests that it serves: all that ever changes of it.
    pub tally: Tally,
}

/// An API.
#[derive(Clone, Debug)]
pub struct ApiEntry {
    /// What policies see of it.
    pub facts: Arc<Api>,
    /// Where its requests go unless a policy says otherwise.
    pub base: Arc<BaseUrl>,
    /// What goes along with them and what does not, where that is not plain.
    pub backend: Option<Arc<Backend>>,
    /// How the certificate there is judged.
    pub tls: Tls,
    /// Where a subscription key is looked for.
    pub key_names: KeyNames,
    /// What it asks of its callers.
    pub demand: OwnDemand,
    /// What runs where no operation was found.
    pub program: Arc<Program>,
    /// The operations, as the table counts them.
    pub operations: Arc<[OperationEntry]>,
    /// Whether it is switched off: all its requests are refused.
    pub is_disabled: bool,
}

/// What an API asks of its callers: [`Demand`], kept.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
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
    /// Whether it is switched off: all its requests are refused.
    pub is_disabled: bool,
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

/// The most snapshots that are kept until the last request with them has ended. What is older goes
/// with its last request.
const RETIRED_MAX: usize = 8;

/// The cell that holds what runs.
#[derive(Debug)]
pub struct Live {
    now: ArcSwap<Snapshot>,
    /// What ran before, as long as requests hold it. To take a big one apart takes long: whoever
    /// publishes has the time, and a request has not.
    retired: Mutex<Vec<Arc<Snapshot>>>,
}

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

    /// All programs that it may run; the same one more than once, if several run it.
    pub fn programs(&self) -> impl Iterator<Item = &Program> {
        let apis = self.apis.iter().flat_map(|api| {
            let operations = api.operations.iter().flat_map(|operation| {
                let named = operation.by_product.iter().map(|(_product, program)| program);
                std::iter::once(&operation.program).chain(named)
            });
            std::iter::once(&api.program).chain(operations)
        });
        std::iter::once(&self.global).chain(apis).map(|program| &**program)
    }

    /// Whether anything of it asks Dapr's sidecar.
    pub fn asks_sidecar(&self) -> bool {
        let is_behind =
            |api: &Arc<ApiEntry>| api.backend.as_ref().is_some_and(|backend| backend.is_sidecar);
        self.apis.iter().any(is_behind) || self.programs().any(Program::asks_sidecar)
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
        Self { now: ArcSwap::from_pointee(first), retired: Mutex::default() }
    }

    /// What runs now. Whoever asks keeps it for as long as a request lasts.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.now.load_full()
    }

    /// What runs now, for one request.
    pub fn take(&self) -> Taken {
        Taken::new(self.snapshot())
    }

    /// Replaces what runs, whole.
    pub fn publish(&self, next: Snapshot) {
        let before = self.now.swap(Arc::new(next));
        self.retired.lock().unwrap_or_else(PoisonError::into_inner).push(before);
        self.sweep();
    }

    /// Takes apart what ran before and no request holds any more. To be called now and then by
    /// whoever publishes.
    pub fn sweep(&self) {
        let mut retired = self.retired.lock().unwrap_or_else(PoisonError::into_inner);
        let (idle, mut held): (Vec<_>, Vec<_>) =
            retired.drain(..).partition(|old| Arc::strong_count(old) == 1);
        let oldest = held.len().saturating_sub(RETIRED_MAX);
        let too_many: Vec<_> = held.drain(..oldest).collect();
        *retired = held;
        // Nobody waits for the lock while they are taken apart.
        drop(retired);
        drop((idle, too_many));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(generation: u64) -> Snapshot {
        Snapshot {
            generation,
            compiled: Timestamp::default(),
            deployment: Arc::new(Deployment::default()),
            routes: Arc::default(),
            apis: Vec::new(),
            keys: Arc::new(Subscriptions::new([0; 32])),
            subscribers: Arc::default(),
            products: Vec::new(),
            global: Arc::default(),
            loggers: Arc::default(),
            backends: Arc::default(),
            warnings: Vec::new(),
            certificates: Vec::new(),
            tally: Tally::default(),
        }
    }

    #[test]
    fn what_ran_before_is_kept_until_no_request_holds_it() {
        let live = Live::new(numbered(1));
        let request = live.snapshot();
        let before = Arc::downgrade(&request);
        live.publish(numbered(2));
        drop(request);
        assert!(before.upgrade().is_some(), "a request took it apart");
        live.sweep();
        assert!(before.upgrade().is_none());
    }

    #[test]
    fn requests_that_do_not_end_keep_only_so_many() {
        let live = Live::new(numbered(0));
        let mut requests = vec![live.snapshot()];
        for generation in 1..20 {
            live.publish(numbered(generation));
            requests.push(live.snapshot());
        }
        let counts: Vec<usize> = requests.iter().map(Arc::strong_count).collect();
        assert_eq!(counts.iter().filter(|count| 1 < **count).count(), RETIRED_MAX + 1);
        assert_eq!(live.snapshot().generation, 19);
    }
}
