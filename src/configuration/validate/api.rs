//! APIs and version sets.

use std::sync::Arc;

use http::HeaderName;

use super::kept::KeptPiece;
use super::registry::Registry;
use super::word::name_or_id;
use super::{ITEMS_MAX, OPERATIONS_MAX, Validator};
use crate::configuration::config::{Api, ApiKind, ApiVersion, HostName, KeyNames, VersionSet};
use crate::configuration::document::{self, Protocol, VersioningScheme};
use crate::configuration::items::Items;
use crate::configuration::yaml::{Mark, Placed};
use crate::route::Scheme;
use crate::route::host::Pattern;
use crate::route::path::OWN_PATHS;
use crate::route::table::build::Planted;
use crate::route::table::place::{ApiPath, Version, VersionScheme};

/// Kinds of APIs that APIM has and Weir has not.
const KINDS_LATER: [&str; 6] = ["soap", "graphql", "odata", "mcp", "a2a", "a2aagent"];
/// The header that carries a key where nothing else is written.
const KEY_HEADER: &str = "Ocp-Apim-Subscription-Key";
/// The query parameter that carries a key where nothing else is written.
const KEY_QUERY: &str = "subscription-key";

impl Validator<'_> {
    pub(super) fn version_sets(&mut self) -> (Vec<VersionSet>, Registry) {
        let written = &self.document.version_sets;
        self.few("version sets", written.iter().map(|set| set.id.mark), ITEMS_MAX);
        let mut registry = Registry::new("version set");
        let mut sets = Vec::with_capacity(written.len());
        for (index, set) in written.iter().enumerate() {
            let first = |index: usize| Some(written.get(index)?.id.mark);
            self.register(&mut registry, first, &set.id, index);
            sets.push(VersionSet {
                id: Arc::from(set.id.value.as_str()),
                name: name_or_id(set.name.as_ref(), &set.id),
                scheme: self.version_scheme(set),
                spot: self.spot(set.id.mark),
            });
        }
        (sets, registry)
    }

    fn version_scheme(&mut self, set: &document::VersionSet) -> VersionScheme {
        let document::VersionSet { versioning_scheme: scheme, .. } = set;
        let (header, query) = (set.version_header_name.as_ref(), set.version_query_name.as_ref());
        let (wanted, idle) = match scheme.value {
            VersioningScheme::Segment => (None, [header, query]),
            VersioningScheme::Header => (Some("versionHeaderName"), [None, query]),
            VersioningScheme::Query => (Some("versionQueryName"), [header, None]),
        };
        // What a scheme that nobody knows uses, nobody knows either.
        let idle = idle.into_iter().flatten().filter(|_| !scheme.mark.is_made_up());
        for idle in idle {
            let message = "the versioning scheme of this version set does not use this name";
            self.fault(idle.mark, message, "remove it, or correct `versioningScheme`");
        }
        let parsed = match (scheme.value, header, query) {
            (VersioningScheme::Header, Some(name), _) => {
                return self
                    .header_name(name)
                    .map_or(VersionScheme::Segment, VersionScheme::Header);
            }
            (VersioningScheme::Query, _, Some(name)) => {
                let name = self.query_name(name);
                return name
                    .map_or(VersionScheme::Segment, |it| VersionScheme::Query((&*it).into()));
            }
            _ => VersionScheme::Segment,
        };
        if let Some(wanted) = wanted.filter(|_| !scheme.mark.is_made_up()) {
            let message = format!("this versioning scheme needs `{wanted}`");
            self.fault(scheme.mark, message, format!("add `{wanted}: …`"));
        }
        parsed
    }

    pub(super) fn apis(
        &mut self,
        sets: &[VersionSet],
        set_ids: &Registry,
        hosts: &[HostName],
    ) -> (Vec<Arc<Api>>, Registry) {
        let written = &self.document.apis;
        self.few("APIs", written.iter().map(|api| api.id.mark), ITEMS_MAX);
        let operations = written.iter().map(|api| api.operations.len()).sum::<usize>();
        if OPERATIONS_MAX < operations {
            let operations = written.iter().flat_map(|api| &api.operations);
            self.few("operations", operations.map(|operation| operation.id.mark), OPERATIONS_MAX);
        }
        let mut registry = Registry::new("API");
        for (index, api) in written.iter().enumerate() {
            if !api.id.mark.is_made_up() {
                // Revisions share the id, so several items of one id are none too many here.
                self.id(&api.id, "API");
                registry.add(&api.id.value, index);
            }
        }
        let mut only = vec![false; written.len()];
        for group in registry.iter() {
            if let [index] = group
                && let Some(only) = only.get_mut(*index)
            {
                *only = true;
            }
        }
        let hosts: Vec<Pattern> = hosts.iter().map(|known| known.host.clone()).collect();
        let kept = self.kept_apis(&hosts);
        let mut apis = Vec::with_capacity(written.len());
        for piece in written.pieces() {
            let only = only.get(piece.start..).unwrap_or_default();
            let known = kept.and_then(|kept| kept.of(piece, only, self.reading));
            let meant = if let Some(known) = known {
                Arc::clone(known)
            } else {
                let meant = piece.items.iter().zip(only).enumerate().map(|(nth, (api, only))| {
                    let index = piece.start.saturating_add(nth);
                    self.whole_api((index, *only), api, (sets, set_ids), &hosts)
                });
                Arc::new(KeptPiece::new(piece, meant.collect(), self.reading))
            };
            apis.extend(meant.meant.iter().map(Arc::clone));
            self.keeps.apis.insert(piece.file, meant);
        }
        self.keeps.hosts = hosts;
        self.keeps.version_sets = self.document.version_sets.clone();
        self.revisions(&apis, &registry);
        (apis, registry)
    }

    /// The API at an index, which may be the only one of its id, with its place in the table.
    fn whole_api(
        &mut self,
        (index, is_only): (usize, bool),
        api: &document::Api,
        (sets, set_ids): (&[VersionSet], &Registry),
        hosts: &[Pattern],
    ) -> Arc<Api> {
        let mut meant = self.api(index, api, sets, set_ids);
        if is_version_lost(api, &meant) {
            self.doubtful.insert(index);
        }
        // Where there is only one revision, it is the current one.
        meant.is_current |= is_only && !self.doubtful.contains(&index);
        meant.route = Arc::new(Planted::new(meant.route(hosts)));
        Arc::new(meant)
    }

    fn api(
        &mut self,
        index: usize,
        api: &document::Api,
        sets: &[VersionSet],
        set_ids: &Registry,
    ) -> Api {
        let kind = self.kind(api.kind.as_ref());
        let service = api.service_url.as_ref().and_then(|url| self.service(url));
        let is_app = service.as_ref().is_some_and(|service| service.is_app);
        if is_app && kind == ApiKind::WebSocket {
            let message = "Dapr's sidecar does not pass WebSockets on";
            self.fault(api.id.mark, message, "name the app's own address in `serviceUrl`");
        }
        let operations = match kind {
            ApiKind::Http => self.operations(&api.operations),
            ApiKind::WebSocket => self.handshake(api),
            ApiKind::Grpc => self.calls(api),
        };
        Api {
            id: Arc::from(api.id.value.as_str()),
            name: name_or_id(api.name.as_ref(), &api.id),
            path: self.api_path(&api.path),
            protocols: self.protocols(&api.protocols, kind),
            is_app,
            service_url: service.map(|service| service.url),
            subscription_required: api.subscription_required.unwrap_or(true),
            key_names: self.key_names(api.subscription_key_parameter_names.as_ref()),
            revision: self.revision(api.revision.as_ref()),
            is_current: api.is_current.as_ref().is_some_and(|it| it.value),
            is_online: api.is_online.unwrap_or(true),
            version: self.version(index, api, sets, set_ids),
            kind,
            diagnostics: self.diagnostics(api.diagnostics.as_ref()),
            policy: self.policy(api.policy.as_ref()),
            operations,
            route: Arc::default(),
            spot: self.spot(api.id.mark),
        }
    }

    fn kind(&mut self, kind: Option<&Placed<String>>) -> ApiKind {
        let Some(kind) = kind.filter(|kind| !kind.mark.is_made_up()) else { return ApiKind::Http };
        match kind.value.to_ascii_lowercase().as_str() {
            "http" => return ApiKind::Http,
            "websocket" => return ApiKind::WebSocket,
            "grpc" => return ApiKind::Grpc,
            later if KINDS_LATER.contains(&later) => {
                let message = format!("APIs of the type `{}` are not supported yet", kind.value);
                let remedy = "write `http`, `websocket` or `grpc`, or remove the API";
                self.fault(kind.mark, message, remedy);
            }
            _ => {
                let message = format!("there is no type `{}` of APIs", kind.value);
                self.fault(kind.mark, message, "write `http`, `websocket` or `grpc`");
            }
        }
        ApiKind::Http
    }

    fn api_path(&mut self, path: &Placed<String>) -> ApiPath {
        let parsed = ApiPath::parse(&path.value);
        if let (Err(fault), false) = (&parsed, path.mark.is_made_up()) {
            let remedy = "write plain segments: `orders` or `shop/orders`";
            self.fault(path.mark, fault.to_string(), remedy);
        }
        let text = path.value.trim_matches('/');
        let mut own = OWN_PATHS.iter().map(|own| own.trim_start_matches('/'));
        if parsed.is_ok() && own.any(|own| text.eq_ignore_ascii_case(own)) {
            let message = "the gateway answers at this path itself, and says whether it is ready";
            self.fault(path.mark, message, "choose another path");
        }
        match parsed {
            Ok(parsed) if !path.mark.is_made_up() => parsed,
            // A path that no other API has, so that nothing collides because of this.
            Ok(_) | Err(_) => {
                let Mark { file, line, column, .. } = path.mark;
                ApiPath::parse(&format!("wrong-{file}-{line}-{column}")).unwrap_or_default()
            }
        }
    }

    fn protocols(&mut self, written: &[Placed<Protocol>], kind: ApiKind) -> Vec<Scheme> {
        let usual = match kind {
            ApiKind::Http | ApiKind::Grpc => [Scheme::Http, Scheme::Https],
            ApiKind::WebSocket => [Scheme::Ws, Scheme::Wss],
        };
        let mut schemes = Vec::new();
        for protocol in written.iter().filter(|protocol| !protocol.mark.is_made_up()) {
            let scheme = match protocol.value {
                Protocol::Http => Scheme::Http,
                Protocol::Https => Scheme::Https,
                Protocol::Ws => Scheme::Ws,
                Protocol::Wss => Scheme::Wss,
            };
            if !usual.contains(&scheme) {
                let remedy =
                    "an API of type http or grpc has http and https, a websocket one ws and wss";
                self.fault(protocol.mark, "this protocol does not fit the type of the API", remedy);
            } else if schemes.contains(&scheme) {
                self.fault(protocol.mark, "the protocol is listed twice", "remove one of the two");
            } else {
                schemes.push(scheme);
            }
        }
        if schemes.is_empty() { usual.to_vec() } else { schemes }
    }

    fn key_names(&mut self, names: Option<&document::KeyParameterNames>) -> KeyNames {
        let header = names.and_then(|names| names.header.as_ref());
        let query = names.and_then(|names| names.query.as_ref());
        let header_text = Arc::from(header.map_or(KEY_HEADER, |name| name.value.as_str()));
        let query = query.and_then(|name| self.query_name(name));
        KeyNames {
            header: header
                .and_then(|name| self.header_name(name))
                .unwrap_or(HeaderName::from_static("ocp-apim-subscription-key")),
            header_text,
            query: query.unwrap_or_else(|| Arc::from(KEY_QUERY)),
        }
    }

    fn revision(&mut self, revision: Option<&Placed<String>>) -> u32 {
        let Some(written) = revision.filter(|revision| !revision.mark.is_made_up()) else {
            return 1;
        };
        let digits = written.value.bytes().all(|byte| byte.is_ascii_digit());
        let number = written.value.parse().ok().filter(|number| *number > 0 && digits);
        number.unwrap_or_else(|| {
            let message = format!("`{}` is not a revision", written.value);
            self.fault(written.mark, message, "write a number from 1 on");
            1
        })
    }

    fn version(
        &mut self,
        index: usize,
        api: &document::Api,
        sets: &[VersionSet],
        set_ids: &Registry,
    ) -> Option<ApiVersion> {
        let Some(set_id) = &api.version_set_id else {
            let is_told = self.doubtful.contains(&index);
            if let Some(version) = api.version.as_ref().filter(|_| !is_told) {
                let remedy = "add `versionSetId: …`, which says where callers put the version";
                self.fault(version.mark, "a version without a version set", remedy);
            }
            return None;
        };
        let set = *self.resolve(set_ids, set_id).first()?;
        let written = api.version.as_ref().filter(|version| !version.mark.is_made_up());
        let version = written.and_then(|version| {
            let scheme = sets.get(set)?.scheme.clone();
            let parsed = Version::new(scheme, &version.value);
            if let Err(fault) = &parsed {
                self.fault(version.mark, fault.to_string(), "write a short word such as `v2`");
            }
            parsed.ok()
        });
        Some(ApiVersion { set, version })
    }

    /// Exactly one revision of each API is the current one, and all have one path and version.
    fn revisions(&mut self, apis: &[Arc<Api>], registry: &Registry) {
        let written = &self.document.apis;
        let mark = |index: usize| written.get(index).map_or(Mark::default(), |api| api.id.mark);
        for group in registry.iter() {
            if group.iter().any(|index| self.doubtful.contains(index)) {
                continue;
            }
            let &[first, ..] = group else { continue };
            let &[only] = group else {
                self.siblings(apis, group);
                continue;
            };
            let denied = written.get(only).and_then(|api| api.is_current.as_ref());
            if denied.is_some_and(|it| !it.value && !it.mark.is_made_up()) {
                let message =
                    format!("no revision of the API `{}` is current", name(written, only));
                self.fault(mark(first), message, "write `isCurrent: true`, or remove `isCurrent`");
            }
        }
    }

    /// Checks the revisions `group` of one API against each other.
    fn siblings(&mut self, apis: &[Arc<Api>], group: &[usize]) {
        let written = &self.document.apis;
        let mark = |index: usize| written.get(index).map_or(Mark::default(), |api| api.id.mark);
        let [first, rest @ ..] = group else { return };
        let Some(model) = apis.get(*first) else { return };
        let (mut current, mut has_twins) = (None, false);
        for (nth, index) in group.iter().enumerate() {
            let Some(api) = apis.get(*index) else { continue };
            let earlier = group.iter().take(nth).filter_map(|earlier| apis.get(*earlier));
            if let Some(twin) = earlier.clone().find(|earlier| earlier.revision == api.revision) {
                let message =
                    format!("there are two APIs `{}` of revision {}", api.id, api.revision);
                let remedy = format!(
                    "rename one of the two, or give it another `revision`; the other is at {}",
                    twin.spot.place
                );
                self.fault(mark(*index), message, remedy);
                has_twins = true;
            } else if let (true, Some(other)) = (api.is_current, current) {
                let message = format!("two revisions of the API `{}` are current", api.id);
                let other = self.spot(mark(other)).place;
                let remedy = format!("leave one of them current; the other is at {other}");
                self.fault(mark(*index), message, remedy);
            }
            current = current.or(api.is_current.then_some(*index));
        }
        // Which of the others is meant can be told once it is known which of the two is.
        if current.is_none() && !has_twins {
            let message = format!("no revision of the API `{}` is current", model.id);
            self.fault(mark(*first), message, "write `isCurrent: true` in one of them");
        }
        for index in rest {
            let Some(api) = apis.get(*index) else { continue };
            let version = |api: &Api| api.version.as_ref().map(|it| (it.set, value(it)));
            if api.path != model.path || version(api) != version(model) {
                let message = format!(
                    "revision {} of the API `{}` has another path or version than revision {}",
                    api.revision, api.id, model.revision
                );
                self.fault(mark(*index), message, "write the same, or another id");
            }
        }
    }
}

/// Whether a version was written that could not be made out.
fn is_version_lost(written: &document::Api, meant: &Api) -> bool {
    let set = meant.version.as_ref();
    let is_set_lost = written.version_set_id.is_some() && set.is_none();
    is_set_lost || written.version.is_some() && set.is_none_or(|set| set.version.is_none())
}

fn name(apis: &Items<document::Api>, index: usize) -> &str {
    apis.get(index).map_or("", |api| api.id.value.as_str())
}

fn value(version: &ApiVersion) -> Option<String> {
    version.version.as_ref().map(|version| version.value().to_owned())
}
