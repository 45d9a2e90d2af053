//! Which request leads where, and a second reading of the rules that must agree.

use http::{HeaderMap, HeaderName};
use proptest::prelude::*;

use super::*;
use crate::route::Scheme;
use crate::route::explain::ApiVerdict::{Chosen, Offline, OtherRevision, OtherVersion};
use crate::route::explain::{ApiVerdict, Considered, OperationVerdict};
use crate::route::tree::Tree;

/// An API as the tests write it: a path and operations like `GET /a`.
fn api(path: &str, operations: &[&str]) -> ApiRoute {
    let operation = |text: &&str| {
        let (method, template) = text.split_once(' ').unwrap();
        let template = Template::parse(template).unwrap();
        OperationRoute { method: method.parse().unwrap(), template }
    };
    ApiRoute {
        path: ApiPath::parse(path).unwrap(),
        hosts: Vec::new(),
        protocols: [Scheme::Http, Scheme::Https].into_iter().collect(),
        revision: 1,
        is_current: true,
        is_online: true,
        version: None,
        operations: operations.iter().map(operation).collect(),
    }
}

fn at(host: &str, mut route: ApiRoute) -> ApiRoute {
    route.hosts.push(Pattern::parse(host).unwrap());
    route
}

fn revision(revision: u32, mut route: ApiRoute) -> ApiRoute {
    route.revision = revision;
    route.is_current = false;
    route
}

fn offline(mut route: ApiRoute) -> ApiRoute {
    route.is_online = false;
    route
}

fn segment() -> VersionScheme {
    VersionScheme::Segment
}

fn header() -> VersionScheme {
    VersionScheme::Header(HeaderName::from_static("api-version"))
}

fn query() -> VersionScheme {
    VersionScheme::Query("api-version".into())
}

fn version(scheme: VersionScheme, value: &str, mut route: ApiRoute) -> ApiRoute {
    route.version = Some(Version::new(scheme, value).unwrap());
    route
}

/// A request as the tests write it: method, host and URL, and header lines.
struct Call {
    method: Method,
    host: String,
    path: String,
    query: String,
    headers: HeaderMap,
}

fn call(text: &str, headers: &[(&'static str, &str)]) -> Call {
    let (method, url) = text.split_once(' ').unwrap();
    let (host, target) = url.split_at(url.find('/').unwrap());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, value.parse().unwrap());
    }
    let (host, path, query) = (host.into(), path.into(), query.into());
    Call { method: method.parse().unwrap(), host, path, query, headers: map }
}

impl Call {
    fn request(&self) -> Request<'_> {
        Request {
            scheme: Scheme::Https,
            host: &self.host,
            method: &self.method,
            path: &self.path,
            query: &self.query,
            headers: &self.headers,
        }
    }
}

type Led = Result<(usize, usize, String), Miss>;

/// The API, the operation and the tail that a request leads to.
fn led(table: &Table, request: &Request<'_>) -> Led {
    table.find(request).map(|found| match found.target {
        Target::Operation(operation) => (found.api, operation, found.tail.to_owned()),
        Target::Preflight { asked } => panic!("a preflight for {asked:?}"),
    })
}

/// The same for a `GET` without header fields.
fn get(table: &Table, url: &str) -> Led {
    led(table, &call(&format!("GET {url}"), &[]).request())
}

#[expect(clippy::unnecessary_wraps, reason = "compared with what may be a miss")]
fn hit(api: usize, operation: usize, tail: &str) -> Led {
    Ok((api, operation, tail.to_owned()))
}

#[test]
fn the_longest_path_wins_at_the_border_of_a_segment() {
    let table = Table::new(vec![
        api("", &["GET /*"]),
        api("shop", &["GET /*"]),
        api("Shop/Orders", &["GET /{id}", "GET /"]),
    ])
    .unwrap();
    assert_eq!(get(&table, "h/shop/orders/1"), hit(2, 0, "/1"));
    assert_eq!(get(&table, "h/SHOP/orders"), hit(2, 1, ""));
    assert_eq!(get(&table, "h/shop/orders/"), hit(2, 1, "/"));
    assert_eq!(get(&table, "h/shop/ordersx/1"), hit(1, 0, "/ordersx/1"));
    assert_eq!(get(&table, "h/shop/orders;x=1/1"), hit(1, 0, "/orders;x=1/1"));
    assert_eq!(get(&table, "h/shopx"), hit(0, 0, "/shopx"));
    assert_eq!(get(&table, "h/"), hit(0, 0, "/"));
    let miss = Miss::Operation { api: 2, methods: Vec::new() };
    assert_eq!(get(&table, "h/shop/orders/1/lines"), Err(miss));
}

#[test]
fn an_unknown_host_is_a_miss_and_an_exact_one_comes_first() {
    let table = Table::new(vec![
        at("a.example", api("x", &["GET /*"])),
        at("*.example.org", api("x", &["GET /*"])),
        at("*.example.org", at("b.example.org", api("x/y", &["GET /*"]))),
        at("b.example.org", api("x", &["GET /*"])),
    ])
    .unwrap();
    assert_eq!(get(&table, "a.example/x"), hit(0, 0, ""));
    assert_eq!(get(&table, "c.example.org/x"), hit(1, 0, ""));
    assert_eq!(get(&table, "b.example.org/x"), hit(3, 0, ""));
    assert_eq!(get(&table, "b.example.org/x/y"), hit(2, 0, ""));
    assert_eq!(get(&table, "a.example/x/y"), hit(0, 0, "/y"));
    assert_eq!(get(&table, "evil-a.example/x"), Err(Miss::Host));
    assert_eq!(get(&table, "example.org/x"), Err(Miss::Host));
    assert_eq!(get(&table, "a.example/z"), Err(Miss::Path));
    let open = Table::new(vec![api("x", &["GET /*"]), at("a.example", api("x", &["GET /*"]))]);
    assert_eq!(get(open.as_ref().unwrap(), "a.example/x"), hit(1, 0, ""));
    assert_eq!(get(&open.unwrap(), "b.example/x"), hit(0, 0, ""));
}

#[test]
fn a_revision_stands_directly_after_the_path() {
    let table = Table::new(vec![
        api("customers", &["GET /leads"]),
        revision(2, api("customers", &["GET /{all}"])),
        offline(revision(3, api("customers", &["GET /leads"]))),
        api("", &["GET /x"]),
        revision(2, api("", &["GET /y"])),
    ])
    .unwrap();
    assert_eq!(get(&table, "h/customers/leads"), hit(0, 0, "/leads"));
    assert_eq!(get(&table, "h/customers;rev=1/leads"), hit(0, 0, "/leads"));
    assert_eq!(get(&table, "h/customers;REV=2/leads"), hit(1, 0, "/leads"));
    assert_eq!(get(&table, "h/customers;rev=3/leads"), Err(Miss::RevisionOffline { api: 2 }));
    for url in ["h/customers;rev=9/leads", "h/customers;rev=x/leads", "h/customers;rev=/leads"] {
        assert_eq!(get(&table, url), Err(Miss::RevisionUnknown { near: 0 }), "{url}");
    }
    assert_eq!(get(&table, "h/x"), hit(3, 0, "/x"));
    assert_eq!(get(&table, "h/;rev=2/y"), hit(4, 0, "/y"));
}

#[test]
fn a_version_is_the_first_segment() {
    let table = Table::new(vec![
        version(segment(), "v1", api("shop", &["GET /*"])),
        version(segment(), "v2", api("shop", &["GET /*"])),
        version(segment(), "v2", revision(2, api("shop", &["GET /*"]))),
        version(segment(), "v1", api("lab", &["GET /*"])),
        api("lab", &["GET /*"]),
    ])
    .unwrap();
    assert_eq!(get(&table, "h/shop/V1/a"), hit(0, 0, "/a"));
    assert_eq!(get(&table, "h/shop/v2"), hit(1, 0, ""));
    assert_eq!(get(&table, "h/shop/v2;rev=2/a"), hit(2, 0, "/a"));
    assert_eq!(get(&table, "h/shop;rev=2/v2/a"), hit(2, 0, "/a"));
    assert_eq!(get(&table, "h/shop;rev=2/v2;rev=1/a"), hit(2, 0, "/a"));
    assert_eq!(get(&table, "h/shop/v2;x=2/a"), Err(Miss::VersionUnknown { near: 0 }));
    assert_eq!(get(&table, "h/shop/v2;rev=3/a"), Err(Miss::RevisionUnknown { near: 1 }));
    assert_eq!(get(&table, "h/shop/v3/a"), Err(Miss::VersionUnknown { near: 0 }));
    assert_eq!(get(&table, "h/shop"), Err(Miss::VersionMissing { near: 0 }));
    assert_eq!(get(&table, "h/shop/"), Err(Miss::VersionMissing { near: 0 }));
    assert_eq!(get(&table, "h/lab/v1/a"), hit(3, 0, "/a"));
    assert_eq!(get(&table, "h/lab/v2/a"), hit(4, 0, "/v2/a"));
    assert_eq!(get(&table, "h/lab"), hit(4, 0, ""));
}

#[test]
fn a_version_is_a_header_or_a_query_parameter() {
    let table = Table::new(vec![
        version(header(), "v1", api("h", &["GET /"])),
        api("h", &["GET /"]),
        version(query(), "2026-01-01", api("q", &["GET /"])),
        version(query(), "2026-02-01", api("q", &["GET /"])),
    ])
    .unwrap();
    let with = |lines: &[(&'static str, &str)]| led(&table, &call("GET x/h", lines).request());
    assert_eq!(with(&[("api-version", "V1")]), hit(0, 0, ""));
    assert_eq!(with(&[]), hit(1, 0, ""));
    assert_eq!(with(&[("api-version", "v2")]), Err(Miss::VersionUnknown { near: 0 }));
    let twice = [("api-version", "v1"), ("api-version", "v2")];
    assert_eq!(with(&twice), Err(Miss::VersionUnknown { near: 0 }));
    assert_eq!(get(&table, "x/q?a=1&API-Version=2026-02-01"), hit(3, 0, ""));
    assert_eq!(get(&table, "x/q"), Err(Miss::VersionMissing { near: 2 }));
    assert_eq!(get(&table, "x/q?api-version=9"), Err(Miss::VersionUnknown { near: 2 }));
}

#[test]
fn the_scheme_must_be_among_the_protocols() {
    let mut secure = api("x", &["GET /"]);
    secure.protocols = [Scheme::Https].into_iter().collect();
    let table = Table::new(vec![secure]).unwrap();
    let call = call("GET h/x", &[]);
    let plain = Request { scheme: Scheme::Http, ..call.request() };
    assert_eq!(table.find(&plain), Err(Miss::Protocol { api: 0 }));
    assert!(table.find(&call.request()).is_ok());
}

#[test]
fn a_method_is_not_implied_by_another() {
    let table = Table::new(vec![api("x", &["GET /a", "PUT /{b}"])]).unwrap();
    let miss = Miss::Operation { api: 0, methods: vec![Method::GET, Method::PUT] };
    assert_eq!(miss.api(), Some(0));
    assert_eq!(led(&table, &call("HEAD h/x/a", &[]).request()), Err(miss));
}

#[test]
fn a_preflight_finds_the_operation_that_it_asks_about() {
    let table = Table::new(vec![
        api("x", &["GET /a/{id}"]),
        api("y", &["GET /a", "OPTIONS /a"]),
        version(header(), "v1", api("z", &["GET /a"])),
    ])
    .unwrap();
    let target = |url: &str, asked: &str| {
        let lines = [("origin", "https://a"), ("access-control-request-method", asked)];
        let call = call(&format!("OPTIONS {url}"), &lines);
        table.find(&call.request()).map(|found| (found.api, found.target))
    };
    assert_eq!(target("h/x/a/1", "GET"), Ok((0, Target::Preflight { asked: Some(0) })));
    assert_eq!(target("h/x/a/1", "PUT"), Ok((0, Target::Preflight { asked: None })));
    assert_eq!(target("h/x/b", "G@T"), Ok((0, Target::Preflight { asked: None })));
    assert_eq!(target("h/y/a", "GET"), Ok((1, Target::Operation(1))));
    assert_eq!(target("h/z/a", "GET"), Err(Miss::VersionMissing { near: 2 }));
    let plain = led(&table, &call("OPTIONS h/x/a/1", &[]).request());
    assert_eq!(plain, Err(Miss::Operation { api: 0, methods: vec![Method::GET] }));
}

#[test]
fn what_cannot_be_meant_is_named_in_pairs() {
    let faults = |apis: Vec<ApiRoute>| Table::new(apis).unwrap_err();
    let doubled = api("x", &["GET /a/{x}", "PUT /a", "GET /a/{y}"]);
    let operations = TableFault::Operations { api: 0, first: 0, second: 2 };
    assert_eq!(faults(vec![doubled]), [operations]);
    let same = vec![api("x", &[]), at("h", api("X/", &[])), api("/x", &[])];
    assert_eq!(faults(same), [TableFault::Revisions { first: 0, second: 2 }]);
    let mut second = revision(2, api("x", &[]));
    second.is_current = true;
    assert_eq!(faults(vec![api("x", &[]), second]), [TableFault::Current { first: 0, second: 1 }]);
    let twice = vec![
        at("a", at("b", version(segment(), "v1", api("x", &[])))),
        at("a", at("b", version(header(), "v2", api("x", &[])))),
    ];
    assert_eq!(faults(twice), [TableFault::Schemes { first: 0, second: 1 }]);
    assert!(!operations.to_string().is_empty() && !operations.remedy().is_empty());
}

#[test]
fn every_candidate_is_explained() {
    let table = Table::new(vec![
        api("", &["GET /*"]),
        at("a.example", api("x", &["GET /a/{id}", "GET /a/1", "PUT /a/{id}", "GET /b"])),
        at("b.example", api("x", &["GET /*"])),
        api("x", &["GET /*"]),
        at("a.example", revision(2, api("x", &["GET /*"]))),
        api("orders", &["GET /*"]),
    ])
    .unwrap();
    let call = call("GET a.example/x/a/1", &[]);
    let explained = table.explain(&call.request());
    let api = |api, verdict| Considered::Api { api, verdict };
    let operation = |operation, verdict| Considered::Operation { operation, verdict };
    let (found, rest) = explained.split_at(5);
    assert_eq!(
        found,
        [
            api(1, Chosen),
            api(2, ApiVerdict::OtherHost),
            api(3, ApiVerdict::LessExactHost { than: 1 }),
            api(4, OtherRevision),
            api(0, ApiVerdict::Shorter { than: 1 }),
        ]
    );
    let Considered::Operation { verdict: OperationVerdict::Template(differs), .. } = &rest[3]
    else {
        panic!("{rest:?}")
    };
    assert_eq!(differs.to_string(), "segment 1 is `a` and not `b`");
    assert_eq!(
        rest[..3],
        [
            operation(0, OperationVerdict::LessSpecific { than: 1 }),
            operation(1, OperationVerdict::Chosen),
            operation(2, OperationVerdict::Method { has: Method::PUT }),
        ]
    );
}

#[test]
fn a_path_that_nearly_fits_is_named() {
    let table = Table::new(vec![api("orders", &["GET /*"]), api("zebra", &["GET /*"])]);
    let call = call("GET h/oders/1", &[]);
    let explained = table.unwrap().explain(&call.request());
    assert_eq!(explained, [Considered::Api { api: 0, verdict: ApiVerdict::OtherPath }]);
}

#[test]
fn versions_and_offline_revisions_are_explained() {
    let table = Table::new(vec![
        version(segment(), "v1", api("x", &["GET /*"])),
        version(segment(), "v2", api("x", &["GET /*"])),
        offline(version(segment(), "v2", revision(2, api("x", &["GET /*"])))),
    ])
    .unwrap();
    let verdicts = |url: &str| {
        let call = call(&format!("GET {url}"), &[]);
        let explained = table.explain(&call.request()).into_iter();
        let verdicts = explained.filter_map(|considered| match considered {
            Considered::Api { api, verdict } => Some((api, verdict)),
            Considered::Operation { .. } => None,
        });
        let mut verdicts: Vec<_> = verdicts.collect();
        verdicts.sort_by_key(|(api, _)| *api);
        verdicts.into_iter().map(|(_, verdict)| verdict).collect::<Vec<_>>()
    };
    assert_eq!(verdicts("h/x/v1/a"), [Chosen, OtherVersion, OtherVersion]);
    assert_eq!(verdicts("h/x/v2/a"), [OtherVersion, Chosen, OtherRevision]);
    assert_eq!(verdicts("h/x/v2;rev=2/a"), [OtherVersion, OtherRevision, Offline]);
    assert_eq!(verdicts("h/x/v3/a"), [OtherVersion, OtherVersion, OtherVersion]);
}

/// How exactly an API names the host; none: it does not answer there.
fn exactness(route: &ApiRoute, host: &str) -> Option<u8> {
    let taking = route.hosts.iter().filter(|pattern| pattern.takes(host));
    let exactness = |pattern: &Pattern| 1 + u8::from(matches!(pattern, Pattern::Exact(_)));
    if route.hosts.is_empty() { Some(0) } else { taking.map(exactness).max() }
}

/// The revision directly after the API's path, and the rest; none if the path does not fit.
fn cut(route: &ApiRoute, path: &str) -> Option<(Option<String>, String)> {
    let own = route.path.as_str();
    let (start, mut rest) = path.split_at_checked(own.len())?;
    if !start.eq_ignore_ascii_case(own) {
        return None;
    }
    if own.is_empty() && rest.starts_with("/;rev=") {
        rest = &rest[1..];
    }
    if let Some(rest) = rest.strip_prefix(";rev=") {
        let (number, rest) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        return Some((Some(number.to_owned()), rest.to_owned()));
    }
    (rest.is_empty() || rest.starts_with('/')).then(|| (None, rest.to_owned()))
}

/// The APIs where the path leads: the rules of the module's documentation, tried on every API.
fn naive_place(apis: &[ApiRoute], request: &Request<'_>) -> Result<Vec<usize>, Miss> {
    if apis.iter().all(|route| exactness(route, request.host).is_none()) {
        return Err(Miss::Host);
    }
    let rank = |route: &ApiRoute| {
        cut(route, request.path)?;
        Some((route.path.as_str().len(), exactness(route, request.host)?))
    };
    let best = apis.iter().filter_map(rank).max().ok_or(Miss::Path)?;
    Ok((0..apis.len()).filter(|&at| rank(&apis[at]) == Some(best)).collect())
}

/// The API that version and revision select, and the tail.
fn naive_api(apis: &[ApiRoute], here: &[usize], path: &str) -> Result<(usize, String), Miss> {
    let near = here[0];
    let (mut number, mut tail) = cut(&apis[near], path).unwrap();
    let inside = tail.strip_prefix('/').unwrap_or_default().to_owned();
    let (segment, after) = inside.split_at(inside.find('/').unwrap_or(inside.len()));
    let (value, own_number) = match segment.split_once(";rev=") {
        Some((value, number)) => (value, Some(number.to_owned())),
        None => (segment, None),
    };
    let of_version = |value: Option<&str>| {
        let is = |at: &usize| match (&apis[*at].version, value) {
            (Some(version), Some(value)) => version.value().eq_ignore_ascii_case(value),
            (version, value) => version.is_none() && value.is_none(),
        };
        here.iter().copied().filter(is).collect::<Vec<_>>()
    };
    let mut chosen = of_version(Some(value));
    if chosen.is_empty() {
        chosen = of_version(None);
    } else {
        number = number.or(own_number);
        tail = after.to_owned();
    }
    if chosen.is_empty() {
        let is_missing = segment.is_empty();
        let (missing, unknown) = (Miss::VersionMissing { near }, Miss::VersionUnknown { near });
        return Err(if is_missing { missing } else { unknown });
    }
    let current = chosen.iter().copied().find(|&at| apis[at].is_current);
    let api = match number {
        None => current,
        Some(number) => chosen.iter().copied().find(|&at| number.parse() == Ok(apis[at].revision)),
    };
    let api = api.ok_or(Miss::RevisionUnknown { near: current.unwrap_or(chosen[0]) })?;
    if apis[api].is_online { Ok((api, tail)) } else { Err(Miss::RevisionOffline { api }) }
}

fn naive(apis: &[ApiRoute], request: &Request<'_>) -> Led {
    let here = naive_place(apis, request)?;
    let (api, tail) = naive_api(apis, &here, request.path)?;
    let operations = &apis[api].operations;
    if !apis[api].protocols.contains(request.scheme) {
        return Err(Miss::Protocol { api });
    }
    let (tree, _) = Tree::new(operations);
    if let Some((operation, _)) = tree.find(operations, request.method, &tail, request.query) {
        return Ok((api, operation, tail));
    }
    let methods = tree.methods(operations, &tail, request.query);
    Err(Miss::Operation { api, methods })
}

prop_compose! {
    fn any_api()(
        path in "((a|A|b)(/(a|b|v1)){0,2})?",
        hosts in prop::collection::vec("[xy*]\\.example\\.org", 0..2),
        scheme in any::<bool>(),
        revision in 1_u32..3,
        is_current in any::<bool>(),
        is_online in prop::bool::weighted(0.8),
        version in prop::option::of(prop::sample::select(vec!["v1", "V2"])),
        operations in prop::collection::vec("GET /(a|\\{x\\}|\\*)?|PUT /a", 0..3),
    ) -> ApiRoute {
        let operations: Vec<&str> = operations.iter().map(String::as_str).collect();
        let mut route = api(&path, &operations);
        for host in hosts {
            route = at(&host, route);
        }
        if scheme {
            route.protocols = route.protocols.with(Scheme::Wss);
        }
        route.revision = revision;
        route.is_current = is_current;
        route.is_online = is_online;
        route.version = version.map(|value| Version::new(segment(), value).unwrap());
        route
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn the_table_agrees_with_trying_every_api(
        apis in prop::collection::vec(any_api(), 1..9),
        host in "[xyz]\\.example\\.org|x\\.example\\.com",
        path in "(/(a|A|b|v1|V1|v2|c|a;rev=1|a;rev=2|b;rev=1|v1;rev=2|;rev=1|a;x)){0,4}/?",
        scheme in prop::sample::select(vec![Scheme::Https, Scheme::Wss]),
    ) {
        // What contradicts itself is left out, one by one.
        let mut kept: Vec<ApiRoute> = Vec::new();
        for api in apis {
            kept.push(api);
            if Table::new(kept.clone()).is_err() {
                kept.pop();
            }
        }
        let path = if path.starts_with('/') { path } else { format!("/{path}") };
        let table = Table::new(kept.clone()).unwrap();
        let call = call(&format!("GET {host}{path}"), &[]);
        let request = Request { scheme, ..call.request() };
        let found = led(&table, &request);
        prop_assert_eq!(&found, &naive(&kept, &request));
        let chosen = table.explain(&request).into_iter().filter_map(|considered| {
            let is_chosen = matches!(considered, Considered::Api { verdict: Chosen, .. });
            let Considered::Api { api, .. } = considered else { return None };
            is_chosen.then_some(api)
        });
        let chosen: Vec<usize> = chosen.collect();
        let expected = match &found {
            Ok((api, _, _)) | Err(Miss::Operation { api, .. }) => vec![*api],
            Err(_) => Vec::new(),
        };
        prop_assert_eq!(chosen, expected);
    }

    #[test]
    fn no_request_makes_the_table_stumble(
        host in any::<String>(),
        path in any::<String>(),
        text in any::<String>(),
    ) {
        let table = Table::new(vec![
            api("", &["GET /*"]),
            version(query(), "1", api("é/b", &["GET /{a}-{b}.{c}?x={x}"])),
            at("*.example.org", api("a", &["GET /{*rest}"])),
        ]).unwrap();
        let headers = HeaderMap::new();
        let (scheme, method) = (Scheme::Https, &Method::GET);
        let (host, path, query) = (host.as_str(), path.as_str(), text.as_str());
        let request = Request { scheme, host, method, path, query, headers: &headers };
        let _ = table.find(&request);
        let _ = table.explain(&request);
    }
}
