//! Which API and which operation a request is for, out of all there are.
//!
//! 1. The host: APIs without host names answer at every host. A host that no API answers at is a
//!    miss; there is no default.
//! 2. The path: of the APIs at the host, the one whose path is the longest beginning of the
//!    request's, ending at the border of a segment. Where two have the same path, the one that
//!    names the host exactly comes before one with a wildcard, and that before one for all hosts.
//!    The choice is final: a shorter path is not tried when nothing is found under the longer.
//! 3. The revision, if the path names one: `;rev=2` directly after the API's path, or after the
//!    version where that is a segment. Otherwise the current one. It must be online.
//! 4. The version, where the APIs at the path have versions: the first segment after the API's
//!    path, a header or a query parameter. Without one, the API without a version answers: the
//!    original. A version in a header or the query that is there but unknown is a miss; a segment
//!    that is no version belongs to the original, if there is one.
//! 5. The scheme must be among the API's protocols.
//! 6. The operation by method and template ([`super::tree`]). `HEAD` is a method like any other:
//!    an operation for `GET` does not answer it. A preflight for which there is no own `OPTIONS`
//!    operation finds the API, and the operation that it asks about.
//!
//! A lookup hashes the path once and asks one map at the end of each segment, so its cost does
//! not grow with the number of APIs.

use std::borrow::Cow;
use std::sync::Arc;

use http::header::{ACCESS_CONTROL_REQUEST_METHOD, ORIGIN};
use http::{HeaderValue, Method};

use super::host::Pattern;
use super::template::{Parameters, Template};
use super::{Protocols, Request, url};

pub mod place;
mod index;
pub mod build;

use build::{Planted, TableFault};
use index::{Hit, Index, Revisions, Spot};
use place::{ApiPath, Version, VersionScheme};

/// What routing knows of one API: one revision of one version.
#[derive(Clone, Debug, Default)]
pub struct ApiRoute {
    /// Where it begins in the path.
    pub path: ApiPath,
    /// The host names that it answers at; none: at every host.
    pub hosts: Vec<Pattern>,
    /// The schemes that it answers.
    pub protocols: Protocols,
    /// The number of the revision.
    pub revision: u32,
    /// Whether it answers where no revision is named.
    pub is_current: bool,
    /// Whether it answers at all.
    pub is_online: bool,
    /// Its version; none: unversioned, or the original one of a version set.
    pub version: Option<Version>,
    /// Its operations.
    pub operations: Vec<OperationRoute>,
}

/// What routing knows of one operation.
#[derive(Clone, Debug)]
pub struct OperationRoute {
    /// The method.
    pub method: Method,
    /// The URLs, after the API's path.
    pub template: Template,
}

/// What a request is for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Match<'r> {
    /// The API: an index into what the table was built from.
    pub api: usize,
    /// What of the API.
    pub target: Target,
    /// The parameters that the operation's template found.
    pub parameters: Parameters,
    /// The path after the API's path, its version segment and its revision: empty, or begins
    /// with `/`.
    pub tail: &'r str,
}

/// What of an API a request is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Target {
    /// An operation: an index into the API's operations.
    Operation(usize),
    /// A preflight, for `cors` to answer.
    Preflight {
        /// The operation that it asks about, if there is one.
        asked: Option<usize>,
    },
}

/// Why a request is for nothing here, and what was nearest. All are answered with 404.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Miss {
    /// No API answers at this host.
    #[error("no API answers at this host")]
    Host,
    /// No API's path is a beginning of the path.
    #[error("no API's path is a beginning of this path")]
    Path,
    /// The APIs at the path have versions and the request names none.
    #[error("the API has versions and the request names none")]
    VersionMissing {
        /// One of them.
        near: usize,
    },
    /// The APIs at the path do not have the version that the request names.
    #[error("the API has no such version")]
    VersionUnknown {
        /// One of them.
        near: usize,
    },
    /// The API does not have the revision that the request names, or no current one.
    #[error("the API has no such revision")]
    RevisionUnknown {
        /// One that it has.
        near: usize,
    },
    /// The revision is offline.
    #[error("the revision of the API is offline")]
    RevisionOffline {
        /// The revision.
        api: usize,
    },
    /// The API does not answer this scheme.
    #[error("the API does not answer this scheme")]
    Protocol {
        /// The API.
        api: usize,
    },
    /// No operation of the API takes the request.
    #[error("no operation of the API takes this method and path")]
    Operation {
        /// The API.
        api: usize,
        /// The methods for which some operation takes the path.
        methods: Vec<Method>,
    },
}

impl Miss {
    /// The API that the request was for, where that much is known.
    pub fn api(&self) -> Option<usize> {
        match self {
            Self::Protocol { api } | Self::Operation { api, .. } => Some(*api),
            Self::Host
            | Self::Path
            | Self::VersionMissing { .. }
            | Self::VersionUnknown { .. }
            | Self::RevisionUnknown { .. }
            | Self::RevisionOffline { .. } => None,
        }
    }

    /// The API to name in a message: the one it was for, or one that is near.
    pub fn near(&self) -> Option<usize> {
        match self {
            Self::Host | Self::Path => None,
            Self::VersionMissing { near: api }
            | Self::VersionUnknown { near: api }
            | Self::RevisionUnknown { near: api }
            | Self::RevisionOffline { api }
            | Self::Protocol { api }
            | Self::Operation { api, .. } => Some(*api),
        }
    }

    /// A short word for logs and metrics.
    pub const fn slug(&self) -> &'static str {
        match self {
            Self::Host => "host_unknown",
            Self::Path => "path_unknown",
            Self::VersionMissing { .. } => "version_missing",
            Self::VersionUnknown { .. } => "version_unknown",
            Self::RevisionUnknown { .. } => "revision_unknown",
            Self::RevisionOffline { .. } => "revision_offline",
            Self::Protocol { .. } => "protocol_not_allowed",
            Self::Operation { .. } => "operation_unknown",
        }
    }
}

/// All APIs and operations, ready to be found.
#[derive(Debug, Default)]
pub struct Table {
    apis: Vec<Arc<Planted>>,
    index: Index,
}

impl Table {
    /// Builds the table, or says everything that is wrong with `apis`.
    pub fn new(apis: Vec<ApiRoute>) -> Result<Self, Vec<TableFault>> {
        Self::planted(apis.into_iter().map(|route| Arc::new(Planted::new(route))).collect())
    }

    /// Builds the table of APIs whose operations are in order already.
    pub fn planted(apis: Vec<Arc<Planted>>) -> Result<Self, Vec<TableFault>> {
        build::table(apis)
    }

    /// What the table was built from.
    pub fn apis(&self) -> impl ExactSizeIterator<Item = &ApiRoute> {
        self.apis.iter().map(|planted| &planted.route)
    }

    /// The API at an index.
    pub fn api(&self, api: usize) -> Option<&ApiRoute> {
        self.apis.get(api).map(|planted| &planted.route)
    }

    /// What `request` is for.
    pub fn find<'r>(&self, request: &Request<'r>) -> Result<Match<'r>, Miss> {
        let (api, tail) = self.select(&self.locate(request)?, request)?;
        let Some(Planted { route, tree, .. }) = self.apis.get(api).map(AsRef::as_ref) else {
            return Err(Miss::Path);
        };
        if !route.protocols.contains(request.scheme) {
            return Err(Miss::Protocol { api });
        }
        let operations = &route.operations;
        let find = |method: &Method| tree.find(operations, method, tail, request.query);
        if let Some((operation, parameters)) = find(request.method) {
            return Ok(Match { api, target: Target::Operation(operation), parameters, tail });
        }
        if let Some(asked) = asked_by_preflight(request) {
            let asked = Method::from_bytes(asked.as_bytes()).ok();
            let (asked, parameters) = match asked.as_ref().and_then(find) {
                Some((operation, parameters)) => (Some(operation), parameters),
                None => (None, Parameters::default()),
            };
            return Ok(Match { api, target: Target::Preflight { asked }, parameters, tail });
        }
        let methods = tree.methods(operations, tail, request.query);
        Err(Miss::Operation { api, methods })
    }

    /// `host`, if it is one that an API answers at by just this name: of those there are only so many.
    pub fn named_host(&self, host: &str) -> Option<&str> {
        self.index.named(host)
    }

    /// Steps 1 and 2: the APIs that share host and path.
    pub(super) fn locate<'t, 'r>(&'t self, request: &Request<'r>) -> Result<Hit<'t, 'r>, Miss> {
        let hosts = self.index.hosts(request.host);
        if hosts.iter().all(Option::is_none) {
            return Err(Miss::Host);
        }
        self.index.longest(&hosts, request.path).ok_or(Miss::Path)
    }

    /// Steps 3 and 4: which of them, and the path after all that it took to say so.
    pub(super) fn select<'r>(
        &self,
        hit: &Hit<'_, 'r>,
        request: &Request<'r>,
    ) -> Result<(usize, &'r str), Miss> {
        let (revisions, own_revision, tail) = version(hit.spot, request, hit.rest)?;
        let api = match hit.revision.or(own_revision) {
            None => revisions.current,
            Some(number) => number.parse().ok().and_then(|number| revisions.numbered(number)),
        };
        let api = api.ok_or(Miss::RevisionUnknown { near: revisions.near() })?;
        match self.api(api) {
            Some(route) if route.is_online => Ok((api, tail)),
            _ => Err(Miss::RevisionOffline { api }),
        }
    }
}

/// The revisions of the version that the request names, the revision that stands with the
/// version, and the path after both.
type Versioned<'t, 'r> = (&'t Revisions, Option<&'r str>, &'r str);

fn version<'t, 'r>(
    spot: &'t Spot,
    request: &Request<'r>,
    rest: &'r str,
) -> Result<Versioned<'t, 'r>, Miss> {
    let named = match &spot.scheme {
        None => Ok(None),
        Some(VersionScheme::Segment) => return segment_version(spot, rest),
        Some(VersionScheme::Header(name)) => {
            let lines = request.headers.get_all(name).iter();
            only(lines.map(|line| Cow::Borrowed(line.to_str().unwrap_or_default())))
        }
        Some(VersionScheme::Query(name)) => only(url::values(request.query, name)),
    };
    let unknown = Miss::VersionUnknown { near: spot.near };
    let revisions = match named {
        Ok(Some(value)) => spot.version(&value).ok_or(unknown)?,
        Ok(None) => spot.original.as_ref().ok_or(Miss::VersionMissing { near: spot.near })?,
        Err(Differ) => return Err(unknown),
    };
    Ok((revisions, None, rest))
}

fn segment_version<'t, 'r>(spot: &'t Spot, rest: &'r str) -> Result<Versioned<'t, 'r>, Miss> {
    let inside = rest.strip_prefix('/').unwrap_or(rest);
    let end = inside.find('/').unwrap_or(inside.len());
    let (segment, after) = inside.split_at_checked(end).unwrap_or((inside, ""));
    let value = segment.split(';').next().unwrap_or(segment);
    let (_, parameter) = segment.split_at_checked(value.len()).unwrap_or((segment, ""));
    let (revision, remainder) = index::cut_revision(parameter);
    match (spot.version(value), &spot.original) {
        (Some(revisions), _) if remainder.is_empty() => Ok((revisions, revision, after)),
        (_, Some(original)) => Ok((original, None, rest)),
        _ if segment.is_empty() => Err(Miss::VersionMissing { near: spot.near }),
        _ => Err(Miss::VersionUnknown { near: spot.near }),
    }
}

/// A version is named twice, and not alike.
struct Differ;

/// The only value among `values`, if there is one.
fn only<'v>(
    mut values: impl Iterator<Item = Cow<'v, str>>,
) -> Result<Option<Cow<'v, str>>, Differ> {
    let Some(first) = values.next() else { return Ok(None) };
    if values.all(|other| other == first) { Ok(Some(first)) } else { Err(Differ) }
}

/// The method that a preflight asks about (Fetch standard, "CORS-preflight request"); none if
/// `request` is no preflight.
fn asked_by_preflight<'r>(request: &Request<'r>) -> Option<&'r HeaderValue> {
    if request.method != Method::OPTIONS || !request.headers.contains_key(ORIGIN) {
        return None;
    }
    request.headers.get(ACCESS_CONTROL_REQUEST_METHOD)
}

#[cfg(test)]
mod tests;
