//! From plain descriptions of APIs to a table, with everything that cannot be meant.

use std::collections::HashMap;
use std::sync::Arc;

use super::index::{HostId, Index, Revisions, Spot};
use super::{ApiRoute, Table, VersionScheme};
use crate::route::tree::Tree;

/// Two things that cannot both be meant. The numbers are indices into the APIs given.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, thiserror::Error)]
pub enum TableFault {
    /// Two operations of an API take the same requests.
    #[error("two operations have the same method, and templates that take the same URLs")]
    Operations {
        /// The API.
        api: usize,
        /// The operation that is declared first.
        first: usize,
        /// The other one.
        second: usize,
    },
    /// Two APIs have host, path, version and revision in common.
    #[error("two APIs have the same path, version and revision")]
    Revisions {
        /// The API that is declared first.
        first: usize,
        /// The other one.
        second: usize,
    },
    /// Two revisions of one version are the current one.
    #[error("two revisions of one API are current")]
    Current {
        /// The API that is declared first.
        first: usize,
        /// The other one.
        second: usize,
    },
    /// Two APIs at one path name their versions differently.
    #[error("two APIs at one path name their versions in different places")]
    Schemes {
        /// The API that is declared first.
        first: usize,
        /// The other one.
        second: usize,
    },
}

impl TableFault {
    /// How to mend it.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::Operations { .. } => {
                "change the method or a literal of one of them, or remove it"
            }
            Self::Revisions { .. } => "give one of them another path, version or revision",
            Self::Current { .. } => "leave one of them current",
            Self::Schemes { .. } => "put them in one version set, or give one of them another path",
        }
    }
}

/// An API with its operations in order: what a table needs of it and no other API changes.
#[derive(Debug, Default)]
pub struct Planted {
    pub(super) route: ApiRoute,
    pub(super) tree: Tree,
    /// Pairs of operations, first and second, that take the same requests.
    doubles: Vec<(usize, usize)>,
    /// Its path in lower case.
    folded: Box<str>,
}

impl Planted {
    /// Puts the operations of `route` in order.
    pub fn new(route: ApiRoute) -> Self {
        let (tree, doubles) = Tree::new(&route.operations);
        let folded = route.path.as_str().to_ascii_lowercase().into();
        Self { route, tree, doubles, folded }
    }
}

pub(super) fn table(apis: Vec<Arc<Planted>>) -> Result<Table, Vec<TableFault>> {
    let mut faults = Vec::new();
    for (api, planted) in apis.iter().enumerate() {
        let fault = |(first, second): &(usize, usize)| TableFault::Operations {
            api,
            first: *first,
            second: *second,
        };
        faults.extend(planted.doubles.iter().map(fault));
    }
    let index = index(&apis, &mut faults);
    // APIs that share several host names have the same fault at each of them.
    faults.sort_unstable();
    faults.dedup();
    if faults.is_empty() { Ok(Table { apis, index }) } else { Err(faults) }
}

fn index(apis: &[Arc<Planted>], faults: &mut Vec<TableFault>) -> Index {
    let mut index = Index::default();
    let mut places: HashMap<(HostId, &str), Vec<usize>> = HashMap::with_capacity(apis.len());
    let mut hosts = Vec::new();
    for (api, planted) in apis.iter().enumerate() {
        hosts.clear();
        hosts.extend(planted.route.hosts.iter().map(|pattern| index.host_id(Some(pattern))));
        if hosts.is_empty() {
            hosts.push(index.host_id(None));
        }
        hosts.sort_unstable();
        hosts.dedup();
        for host in &hosts {
            places.entry((*host, &planted.folded)).or_default().push(api);
        }
    }
    for ((host, path), here) in places {
        if let Some(spot) = spot(apis, host, path, &here, faults) {
            index.insert(spot);
        }
    }
    index
}

/// What stands at one host and path, in the order of declaration.
fn spot(
    apis: &[Arc<Planted>],
    host: HostId,
    path: &str,
    here: &[usize],
    faults: &mut Vec<TableFault>,
) -> Option<Spot> {
    let mut spot = Spot {
        host,
        path: path.into(),
        scheme: None,
        original: None,
        versions: Vec::new(),
        near: *here.first()?,
    };
    let mut schemer = None;
    for &api in here {
        let Some(route) = apis.get(api).map(|planted| &planted.route) else { continue };
        let Some(version) = &route.version else {
            add(spot.original.get_or_insert_default(), api, route, faults);
            continue;
        };
        match (&spot.scheme, schemer) {
            (Some(scheme), Some(first)) if !is_same(scheme, version.scheme()) => {
                faults.push(TableFault::Schemes { first, second: api });
            }
            (Some(_), _) => {}
            (None, _) => {
                spot.scheme = Some(version.scheme().clone());
                schemer = Some(api);
            }
        }
        let known = spot.versions.iter_mut();
        let mut known = known.filter(|(value, _)| value.eq_ignore_ascii_case(version.value()));
        if let Some((_, revisions)) = known.next() {
            add(revisions, api, route, faults);
        } else {
            let mut revisions = Revisions::default();
            add(&mut revisions, api, route, faults);
            spot.versions.push((version.value().into(), revisions));
        }
    }
    Some(spot)
}

fn is_same(one: &VersionScheme, other: &VersionScheme) -> bool {
    match (one, other) {
        (VersionScheme::Query(one), VersionScheme::Query(other)) => one.eq_ignore_ascii_case(other),
        _ => one == other,
    }
}

fn add(revisions: &mut Revisions, api: usize, route: &ApiRoute, faults: &mut Vec<TableFault>) {
    if let Some(first) = revisions.numbered(route.revision) {
        faults.push(TableFault::Revisions { first, second: api });
        return;
    }
    revisions.all.push((route.revision, api));
    if !route.is_current {
        return;
    }
    match revisions.current {
        Some(first) => faults.push(TableFault::Current { first, second: api }),
        None => revisions.current = Some(api),
    }
}
