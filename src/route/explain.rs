//! Why a request went where it went: every candidate, and why it won or lost.

use std::cmp::Reverse;
use std::fmt;

use http::Method;

use super::table::{ApiRoute, Match, Miss, OperationRoute, Table, Target};
use super::template::Differs;
use super::{Request, Scheme};

/// The most APIs that are named although their path does not fit, because it nearly does.
pub const NEAR_APIS_MAX: usize = 3;

/// What became of one candidate.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Considered {
    /// An API.
    Api {
        /// Which.
        api: usize,
        /// What became of it.
        verdict: ApiVerdict,
    },
    /// An operation of the API that was chosen.
    Operation {
        /// Which.
        operation: usize,
        /// What became of it.
        verdict: OperationVerdict,
    },
}

/// What became of an API.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ApiVerdict {
    /// The request is for it.
    Chosen,
    /// It does not answer at the host.
    OtherHost,
    /// Its path does not fit, but nearly; only said where no path fits.
    OtherPath,
    /// Its path fits, but that of another API is longer.
    Shorter {
        /// One such API.
        than: usize,
    },
    /// It has the same path, and another API names the host more exactly.
    LessExactHost {
        /// One such API.
        than: usize,
    },
    /// It has another version than the request names.
    OtherVersion,
    /// It has the version, but another revision.
    OtherRevision,
    /// It would be the one, but it is offline.
    Offline,
    /// It would be the one, but it does not answer the scheme.
    Protocol {
        /// The scheme of the request.
        scheme: Scheme,
    },
}

/// What became of an operation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum OperationVerdict {
    /// The request is for it.
    Chosen,
    /// It is what the preflight asks about.
    Asked,
    /// Its template does not take the URL.
    Template(Differs),
    /// It takes the URL, but has another method.
    Method {
        /// Its method.
        has: Method,
    },
    /// It takes the request, but another operation's template is more literal or asks for more.
    LessSpecific {
        /// That operation.
        than: usize,
    },
}

impl fmt::Display for ApiVerdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Chosen => "chosen: the longest path that fits, in the version and revision asked",
            Self::OtherHost => "it does not answer at this host",
            Self::OtherPath => "its path is no beginning of this path, but it is near",
            Self::Shorter { .. } => "its path fits, and that of another API is longer",
            Self::LessExactHost { .. } => "another API with this path names the host more exactly",
            Self::OtherVersion => "it has another version than the request names",
            Self::OtherRevision => "it is another revision than the request asks for",
            Self::Offline => "it is the revision asked for, and it is offline",
            Self::Protocol { scheme } => {
                return write!(formatter, "it does not answer `{}`", scheme.as_str());
            }
        })
    }
}

impl fmt::Display for OperationVerdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chosen => formatter.write_str("chosen: the most specific template that fits"),
            Self::Asked => formatter.write_str("it is what the preflight asks about"),
            Self::Template(differs) => write!(formatter, "{differs}"),
            Self::Method { has } => write!(formatter, "the URL fits, and its method is `{has}`"),
            Self::LessSpecific { .. } => {
                formatter.write_str("it fits, and another template is more specific")
            }
        }
    }
}

/// A request, and how far it came.
struct Inquiry<'q, 'r> {
    table: &'q Table,
    request: &'q Request<'r>,
    found: Result<Match<'r>, Miss>,
    /// The APIs that share the place the path led to, and the length of their path.
    here: Vec<usize>,
    length: usize,
    /// Which of them version and revision select, and the path after it.
    selected: Result<(usize, &'r str), Miss>,
}

impl Table {
    /// Every API that was a candidate for `request`, the one with the longest path first, and
    /// every operation of the one that was chosen, in the order of declaration.
    pub fn explain(&self, request: &Request<'_>) -> Vec<Considered> {
        let (hit, selected) = match self.locate(request) {
            Ok(hit) => {
                let selected = self.select(&hit, request);
                (Some(hit), selected)
            }
            Err(miss) => (None, Err(miss)),
        };
        let inquiry = Inquiry {
            table: self,
            request,
            found: self.find(request),
            here: hit.iter().flat_map(|hit| hit.spot.apis()).collect(),
            length: hit.map_or(0, |hit| hit.spot.path.len()),
            selected,
        };
        let mut apis = inquiry.candidates();
        if apis.is_empty() {
            apis = inquiry.near();
        }
        let apis = apis.into_iter().map(|(api, verdict)| Considered::Api { api, verdict });
        let operations = inquiry.operations().into_iter().enumerate();
        let operations =
            operations.map(|(operation, verdict)| Considered::Operation { operation, verdict });
        apis.chain(operations).collect()
    }
}

impl Inquiry<'_, '_> {
    /// The APIs whose path fits.
    fn candidates(&self) -> Vec<(usize, ApiVerdict)> {
        let rows = self.table.apis().enumerate();
        let fitting = rows.filter(|(_, route)| fits(route, self.request.path));
        let mut candidates: Vec<_> = fitting
            .map(|(api, route)| (route.path.as_str().len(), api, self.api(api, route)))
            .collect();
        candidates.sort_by_key(|(length, api, verdict)| {
            (*verdict != ApiVerdict::Chosen, Reverse(*length), *api)
        });
        candidates.into_iter().map(|(_, api, verdict)| (api, verdict)).collect()
    }

    /// The verdict on an API whose path fits.
    fn api(&self, api: usize, route: &ApiRoute) -> ApiVerdict {
        let than = self.here.first().copied().unwrap_or(api);
        if !route.hosts.is_empty() && !route.hosts.iter().any(|own| own.takes(self.request.host)) {
            ApiVerdict::OtherHost
        } else if route.path.as_str().len() < self.length {
            ApiVerdict::Shorter { than }
        } else if self.here.contains(&api) {
            self.sibling(api)
        } else {
            ApiVerdict::LessExactHost { than }
        }
    }

    /// The verdict on an API at the place where the path led.
    fn sibling(&self, api: usize) -> ApiVerdict {
        let near = match &self.selected {
            Ok((chosen, _)) if *chosen == api => {
                let scheme = self.request.scheme;
                let is_barred = matches!(self.found, Err(Miss::Protocol { .. }));
                return if is_barred {
                    ApiVerdict::Protocol { scheme }
                } else {
                    ApiVerdict::Chosen
                };
            }
            Err(Miss::RevisionOffline { api: offline }) if *offline == api => {
                return ApiVerdict::Offline;
            }
            Ok((near, _))
            | Err(Miss::RevisionOffline { api: near } | Miss::RevisionUnknown { near }) => *near,
            Err(_) => return ApiVerdict::OtherVersion,
        };
        if self.version(near) == self.version(api) {
            ApiVerdict::OtherRevision
        } else {
            ApiVerdict::OtherVersion
        }
    }

    fn version(&self, api: usize) -> Option<String> {
        let version = self.table.api(api)?.version.as_ref()?;
        Some(version.value().to_ascii_lowercase())
    }

    /// Where no path fits: the APIs whose path is least unlike the beginning of the request's.
    fn near(&self) -> Vec<(usize, ApiVerdict)> {
        let folded = self.request.path.to_ascii_lowercase();
        let scored = self.table.apis().enumerate().map(|(api, route)| {
            let path = route.path.as_str().to_ascii_lowercase();
            let depth = path.matches('/').count();
            let end = folded.match_indices('/').nth(depth).map_or(folded.len(), |(at, _)| at);
            // A long request is not read further than could be near.
            let end = end.min(path.len() * 2);
            let start = folded.get(..end).unwrap_or_default();
            (strsim::osa_distance(start, &path), path.len(), api)
        });
        let mut near: Vec<_> = scored.filter(|(far, length, _)| *far <= length / 3).collect();
        near.sort_unstable();
        near.truncate(NEAR_APIS_MAX);
        near.into_iter().map(|(_, _, api)| (api, ApiVerdict::OtherPath)).collect()
    }

    /// The verdicts on the operations of the API that was chosen.
    fn operations(&self) -> Vec<OperationVerdict> {
        let chosen = match &self.found {
            Ok(Match { target: Target::Operation(chosen), .. }) => {
                Some((*chosen, OperationVerdict::Chosen))
            }
            Ok(Match { target: Target::Preflight { asked }, .. }) => {
                asked.map(|asked| (asked, OperationVerdict::Asked))
            }
            Err(Miss::Operation { .. }) => None,
            Err(_) => return Vec::new(),
        };
        let Ok((api, tail)) = self.selected else { return Vec::new() };
        let Some(route) = self.table.api(api) else { return Vec::new() };
        let method = chosen.as_ref().and_then(|(chosen, _)| route.operations.get(*chosen));
        let method = method.map(|chosen| &chosen.method);
        let verdict = |(at, row): (usize, &OperationRoute)| match (
            row.template.compare(tail, self.request.query),
            &chosen,
        ) {
            (_, Some((chosen, verdict))) if *chosen == at => verdict.clone(),
            (Err(differs), _) => OperationVerdict::Template(differs),
            (Ok(_), Some((than, _))) if Some(&row.method) == method => {
                OperationVerdict::LessSpecific { than: *than }
            }
            (Ok(_), _) => OperationVerdict::Method { has: row.method.clone() },
        };
        route.operations.iter().enumerate().map(verdict).collect()
    }
}

/// Whether the path of the API is a beginning of `path`.
fn fits(route: &ApiRoute, path: &str) -> bool {
    let own = route.path.as_str();
    path.split_at_checked(own.len()).is_some_and(|(start, rest)| {
        let is_border = rest.is_empty() || rest.starts_with(['/', ';']);
        is_border && start.eq_ignore_ascii_case(own)
    })
}
