//! Portions: what comes along, where it stands, and that nothing of others does.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

use super::*;
use crate::configuration::compile::Making;
use crate::configuration::loader::Loader;
use crate::time::Timestamp;

fn bundle(entries: &[(Kind, &str, &str)]) -> Shared {
    let entry = |(kind, name, text): &(Kind, &str, &str)| {
        Arc::new(Entry::new(*kind, Arc::from(*name), Arc::from(*text)))
    };
    Shared::of(Arc::new(Bundle::of(entries.iter().map(entry)).unwrap()))
}

fn runs(bundle: &Bundle) -> Result<usize, String> {
    let making = Making {
        generation: 1,
        now: Timestamp::from_micros(1),
        instance: Arc::from("test"),
        secret: [7; 32],
        switch: Arc::default(),
        authorities: Arc::new(crate::certificate::trust::Nobody),
        sidecar: Arc::default(),
    };
    let mut kept = Loader::default();
    let loaded = kept.load_bundle(bundle);
    let made = kept.make(&loaded, &making);
    made.map(|snapshot| snapshot.apis.len()).map_err(|faults| format!("{faults:?}"))
}

const ORDERS: &str = "\
# both gateways are here
gateways:
  - id: north
    location: the north
    apis: [orders]
    hostNames: [north.example]
  - {id: south, apis: [invoices]}
hostNames:
  - host: north.example
  - host: south.example
apis:
  - id: invoices
    path: invoices
    serviceUrl: http://invoices.example
    operations:
      - {id: list, method: GET, urlTemplate: /}
  - id: orders
    path: orders
    serviceUrl: http://orders.example
    subscriptionRequired: false
    policy: |

      <policies>
        <inbound>
          <set-header name=\"X\"><value>{{ greeting }}</value></set-header>
          <nonsense />
        </inbound>
      </policies>
    operations:
      - {id: list, method: GET, urlTemplate: /}
products:
  - {id: all, apis: [orders, invoices]}
namedValues:
  - {name: greeting, value: hello}
  - {name: farewell, value: bye}
";

#[test]
fn what_is_written_anew_stands_on_the_lines_where_it_stood() {
    let shared = bundle(&[(Kind::Document, "orders.yaml", ORDERS)]);
    let portion = shared.portion("North").unwrap();
    let text = portion.entries()[0].text();
    for gone in ["south", "invoices", "farewell", "both gateways"] {
        assert!(!text.contains(gone), "{gone} in {text}");
    }
    for (line, part) in ORDERS.lines().zip(text.lines()).filter(|(_line, part)| !part.is_empty()) {
        let word = |text: &str| {
            let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| 2 < word.len());
            words.map(str::to_owned).collect::<BTreeSet<_>>()
        };
        let all: BTreeSet<String> = word(line).union(&word("gateway")).cloned().collect();
        assert!(word(part).is_subset(&all), "`{part}` where `{line}` stood");
    }
    let faults = runs(&portion).unwrap_err();
    let whole = runs(shared.whole()).unwrap_err();
    assert!(faults.contains("nonsense") && faults.contains("line: 26"), "{faults}");
    assert!(whole.contains("nonsense") && whole.contains("line: 26"), "{whole}");
}

#[test]
fn a_logger_comes_along_with_the_named_value_that_it_refers_to() {
    let string = "Endpoint=sb://n/;SharedAccessKeyName=a;SharedAccessKey=b;EntityPath=c";
    let logger = |id: &str| {
        format!("  - {{id: {id}, eventHub: {{connectionString: '{{{{{id}-hub}}}}'}}}}\n")
    };
    let api = |id: &str| {
        format!(
            "  - id: {id}\n    path: {id}\n    serviceUrl: http://x.example\n    policy: <policies>\
             <inbound><log-to-eventhub logger-id=\"of-{id}\">a</log-to-eventhub></inbound>\
             </policies>\n    operations: [{{id: o, method: GET, urlTemplate: /}}]\n"
        )
    };
    let text = format!(
        "gateways: [{{id: a, apis: [x]}}, {{id: b, apis: [y]}}]\napis:\n{}{}loggers:\n{}{}\
         namedValues:\n  - {{name: of-x-hub, value: {string}}}\n  - {{name: of-y-hub, value: {string}}}\n",
        api("x"),
        api("y"),
        logger("of-x"),
        logger("of-y"),
    );
    let portion = bundle(&[(Kind::Document, "x.yaml", &text)]).portion("a").unwrap();
    assert_eq!(runs(&portion), Ok(1));
    let text = portion.entries()[0].text();
    assert!(text.contains("of-x-hub") && !text.contains("of-y"), "{text}");
}

#[test]
fn an_identity_comes_along_with_the_logger_or_the_message_that_is_sent_as_it() {
    let api = |id: &str, policy: &str| {
        format!(
            "  - id: {id}\n    path: {id}\n    serviceUrl: http://x.example\n    policy: <policies>\
             <inbound>{policy}</inbound></policies>\n    operations: [{{id: o, method: GET, \
             urlTemplate: /}}]\n"
        )
    };
    let identity =
        |id: &str| format!("  - {{clientId: {id}, endpoint: 'https://i.example/t', secret: s}}\n");
    let text = format!(
        "gateways: [{{id: a, apis: [x]}}, {{id: b, apis: [y]}}]\napis:\n{}{}loggers: [{{id: usage, \
         eventHub: {{name: h, endpointAddress: n.example, identityClientId: of-x}}}}]\n\
         identities:\n{}{}",
        api("x", "<log-to-eventhub logger-id=\"usage\">a</log-to-eventhub>"),
        api(
            "y",
            "<send-service-bus-message queue-name=\"q\" namespace=\"n.example\" \
             client-id=\"of-y\"><payload>p</payload></send-service-bus-message>"
        ),
        identity("of-x"),
        identity("of-y"),
    );
    let whole = bundle(&[(Kind::Document, "x.yaml", &text)]);
    for (gateway, own, other) in [("a", "of-x", "of-y"), ("b", "of-y", "of-x")] {
        let portion = whole.portion(gateway).unwrap();
        assert_eq!(runs(&portion), Ok(1));
        let text = portion.entries()[0].text();
        assert!(text.contains(&format!("clientId: {own}")) || text.contains(own), "{text}");
        assert!(!text.contains(other), "{text}");
    }
}

#[test]
fn a_backend_brings_along_what_it_is_shown() {
    let api = |id: &str| {
        format!(
            "  - id: {id}\n    path: {id}\n    serviceUrl: http://x.example\n    policy: <policies>\
             <inbound><set-backend-service backend-id=\"pool-{id}\" /></inbound></policies>\n    \
             operations: [{{id: o, method: GET, urlTemplate: /}}]\n"
        )
    };
    let backend = |id: &str| {
        format!(
            "  - {{id: pool-{id}, type: Pool, pool: {{services: [{{id: one-{id}}}]}}}}\n  - id: one-{id}\n    \
             url: http://y.example\n    credentials: {{header: {{X-Key: '{{{{key-{id}}}}}'}}, \
             managedIdentity: {{resource: r, clientId: own-{id}}}}}\n    proxy: {{url: \
             'http://p.example', username: '{{{{user-{id}}}}}'}}\n"
        )
    };
    let value = |name: &str| format!("  - {{name: {name}, value: v}}\n");
    let identity = |id: &str| {
        format!("  - {{clientId: own-{id}, endpoint: 'https://i.example/t', secret: s}}\n")
    };
    let text = format!(
        "gateways: [{{id: a, apis: [x]}}, {{id: b, apis: [y]}}]\napis:\n{}{}backends:\n{}{}\
         namedValues:\n{}{}{}{}identities:\n{}{}",
        api("x"),
        api("y"),
        backend("x"),
        backend("y"),
        value("key-x"),
        value("key-y"),
        value("user-x"),
        value("user-y"),
        identity("x"),
        identity("y"),
    );
    let whole = bundle(&[(Kind::Document, "x.yaml", &text)]);
    for (gateway, other) in [("a", "-y"), ("b", "-x")] {
        let portion = whole.portion(gateway).unwrap();
        assert_eq!(runs(&portion), Ok(1));
        let text = portion.entries()[0].text();
        assert!(!text.contains(other), "{text}");
    }
}

#[test]
fn every_style_of_yaml_means_the_same_when_it_is_written_anew() {
    let text = "gateways: [{id: a, apis: [x]}]\napis:\n  - id: x\n    name: 'it''s \"q\"'\n    \
                path: x\n    subscriptionRequired: no-\n";
    let text = text.replace("no-", "false");
    let examples = "    serviceUrl: http://x.example\n    version:\n    operations:\n      - id: o\n        \
                    method: GET\n        urlTemplate: \"/{*rest}\"\n        responses:\n          - \
                    statusCode: 200\n            representations:\n              - contentType: \
                    application/json\n                example: {n: 1, f: -0.5, t: true, e: '', s: \
                    \"\\u2028\\t\", folded: >\n                    a\n                    b\n                  \
                    }\n";
    let examples = examples.replace(
        ", folded: >\n                    a\n                    b\n                  ",
        "",
    );
    let shared = bundle(&[(Kind::Document, "x.yaml", &(text + &examples))]);
    let portion = shared.portion("a").unwrap();
    let config = |bundle: &Bundle| Loader::default().load_bundle(bundle).config.unwrap();
    let (whole, own) = (config(shared.whole()), config(&portion));
    let example = |config: &crate::configuration::config::Config| {
        config.apis[0].operations[0].responses[0].representations[0].example.clone().unwrap()
    };
    assert_eq!(example(&own), example(&whole));
    assert_eq!(own.apis[0].name, whole.apis[0].name);
    assert_eq!(&*own.apis[0].name, "it's \"q\"");
    assert_eq!(&*own.gateway.id, "a");
}

#[test]
fn a_folded_policy_of_several_lines_is_the_same_text() {
    let text = "gateways: [{id: a, apis: [x]}]\napis:\n  - id: x\n    path: x\n    serviceUrl: \
                http://x.example\n    policy: >+\n      <policies>\n\n        <inbound>\n      \
                <base /></inbound>\n        </policies>\n\n    operations: []\n";
    let shared = bundle(&[(Kind::Document, "x.yaml", text)]);
    let portion = shared.portion("a").unwrap();
    let policy = |bundle: &Bundle| {
        Loader::default().load_bundle(bundle).config.unwrap().apis[0]
            .policy
            .as_ref()
            .map(|it| Arc::clone(&it.text))
    };
    assert_eq!(policy(&portion), policy(shared.whole()));
}

#[test]
fn every_key_of_a_file_is_divided_or_is_for_all() {
    let schema: serde_json::Value = serde_json::from_str(&document::schema::text()).unwrap();
    let keys = schema["properties"].as_object().unwrap();
    let known = [&lists::ALL[..], &lists::FOR_ALL].concat();
    for key in keys.keys() {
        assert!(known.contains(&key.as_str()), "who gets what stands under `{key}`?");
    }
}

#[test]
fn without_gateways_everybody_gets_the_whole() {
    let shared = bundle(&[(Kind::Document, "a.yaml", "gateway: {id: a}\n")]);
    assert!(Arc::ptr_eq(&shared.portion("anybody").unwrap(), shared.whole()));
    assert!(shared.gateways().is_empty());
}

#[test]
fn a_gateway_that_is_not_written_gets_nothing() {
    let shared = bundle(&[(Kind::Document, "orders.yaml", ORDERS)]);
    assert_eq!(shared.portion("west"), Err(NoPortion::Unknown("west".to_owned())));
    assert_eq!(shared.gateways().into_iter().collect::<Vec<_>>(), ["north", "south"]);
}

/// A configuration that two gateways share, by numbers.
#[derive(Clone, Debug)]
struct Model {
    /// The APIs of each gateway.
    gateways: [BTreeSet<usize>; 2],
    apis: Vec<Referring>,
    products: Vec<(BTreeSet<usize>, Referring)>,
    fragments: Vec<Referring>,
    /// What each subscription is to: all, an API or a product; and its user.
    subscriptions: Vec<(u8, usize, usize)>,
    /// How many files things are spread over.
    files: usize,
}

/// What a policy refers to: a fragment, a named value and a backend.
#[derive(Clone, Debug)]
struct Referring {
    fragment: Option<usize>,
    value: Option<usize>,
    backend: Option<usize>,
}

/// How many there are of what only is referred to.
const OTHERS: usize = 4;

fn referring(fragments: usize) -> impl Strategy<Value = Referring> {
    let some = |count: usize| prop::option::of(0..count.max(1));
    (some(fragments), some(OTHERS), some(OTHERS)).prop_map(move |(fragment, value, backend)| {
        Referring { fragment: fragment.filter(|_| 0 < fragments), value, backend }
    })
}

fn any_model() -> impl Strategy<Value = Model> {
    let apis = || btree_set(0..5_usize, 0..4);
    (
        [apis(), apis()],
        vec(referring(3), 5),
        vec((apis(), referring(3)), 0..4),
        // A fragment refers to later ones only, so that none includes itself.
        (referring(0), referring(0), referring(0)),
        vec((0..3_u8, 0..5_usize, 0..OTHERS), 0..5),
        1..4_usize,
    )
        .prop_map(|(gateways, apis, products, (one, two, three), subscriptions, files)| {
            Model {
                gateways,
                apis,
                products,
                fragments: vec![
                    Referring { fragment: Some(1), ..one },
                    Referring { fragment: Some(2), ..two },
                    three,
                ],
                subscriptions,
                files,
            }
        })
}

/// The word that stands wherever something is, and nowhere else.
fn canary(kind: &str, number: usize) -> String {
    format!("zq{kind}{number}q")
}

/// Files as they are written.
#[derive(Default)]
struct Written {
    /// The items of each file, with their lists.
    files: Vec<Vec<(&'static str, String)>>,
    /// What is no YAML file.
    entries: Vec<(Kind, String, String)>,
    turn: usize,
}

impl Written {
    /// Puts an item into the file whose turn it is.
    fn put(&mut self, list: &'static str, item: String) {
        self.turn += 1;
        let count = self.files.len();
        self.files[self.turn % count].push((list, item));
    }

    fn shared(mut self) -> Shared {
        for (number, mut items) in self.files.into_iter().enumerate() {
            items.sort_by_key(|(list, _item)| *list);
            let (mut text, mut before) = (String::new(), "");
            for (list, item) in items {
                if list != before {
                    writeln!(text, "{list}:").unwrap();
                    before = list;
                }
                writeln!(text, "  - {item}").unwrap();
            }
            self.entries.push((Kind::Document, format!("{number}.yaml"), text));
        }
        let entries: Vec<(Kind, &str, &str)> =
            self.entries.iter().map(|(kind, name, text)| (*kind, &**name, &**text)).collect();
        bundle(&entries)
    }
}

fn ids(apis: &BTreeSet<usize>) -> String {
    let ids: Vec<String> = apis.iter().map(|it| canary("api", *it)).collect();
    ids.join(", ")
}

/// Writes a named value, a backend and a user.
fn others(number: usize, written: &mut Written) {
    let [value, backend, user] = ["value", "backend", "user"].map(|it| canary(it, number));
    let variable = backend.to_uppercase();
    written.entries.extend([
        (Kind::Secret, format!("/run/{value}"), format!("text-{value}")),
        (Kind::Variable, variable.clone(), format!("text-{backend}")),
    ]);
    written.put("namedValues", format!("{{name: {value}, value: {{file: /run/{value}}}}}"));
    let header = format!("credentials: {{header: {{X-Key: {{env: {variable}}}}}}}");
    let url = format!("http://{backend}.example");
    written.put("backends", format!("id: {backend}\n    url: {url}\n    {header}"));
    let item = format!("{{id: {user}, email: {user}@x.example, firstName: a, lastName: b}}");
    written.put("users", item);
}

impl Referring {
    fn policy(&self) -> String {
        let mut text = String::new();
        if let Some(fragment) = self.fragment {
            let id = canary("fragment", fragment);
            write!(text, "<include-fragment fragment-id=\"{id}\" />").unwrap();
        }
        if let Some(value) = self.value {
            let name = canary("value", value);
            write!(text, "<set-header name=\"X\"><value>{{{{{name}}}}}</value></set-header>")
                .unwrap();
        }
        if let Some(backend) = self.backend {
            let id = canary("backend", backend);
            write!(text, "<set-backend-service backend-id=\"{id}\" />").unwrap();
        }
        text
    }

    fn document(&self) -> String {
        format!("<policies><inbound><base />{}</inbound></policies>", self.policy())
    }

    fn own(&self, model: &Model, own: &mut BTreeSet<String>) {
        own.extend(self.value.map(|it| canary("value", it)));
        own.extend(self.backend.map(|it| canary("backend", it)));
        if let Some(fragment) = self.fragment {
            own.insert(canary("fragment", fragment));
            model.fragments[fragment].own(model, own);
        }
    }
}

impl Model {
    /// The products as they are written: without those of no API. No two are open.
    fn products(&self) -> impl Iterator<Item = (usize, &(BTreeSet<usize>, Referring))> {
        self.products.iter().enumerate()
    }

    fn scope(&self, of: u8, number: usize) -> String {
        match (of, number.checked_rem(self.products.len())) {
            (0, _) => "/apis".to_owned(),
            (1, Some(product)) => format!("/products/{}", canary("product", product)),
            _ => format!("/apis/{}", canary("api", number)),
        }
    }

    fn write(&self) -> Shared {
        let mut written = Written { files: vec![Vec::new(); self.files], ..Written::default() };
        self.gateways(&mut written);
        self.products_written(&mut written);
        for (number, fragment) in self.fragments.iter().enumerate() {
            let id = canary("fragment", number);
            let text = format!("<fragment>{}</fragment>", fragment.policy());
            written.put("fragments", format!("id: {id}\n    policy: '{text}'"));
        }
        for number in 0..OTHERS {
            others(number, &mut written);
        }
        for (number, (of, to, user)) in self.subscriptions.iter().enumerate() {
            let id = canary("subscription", number);
            let (scope, user) = (self.scope(*of, *to), canary("user", *user));
            let key = format!("primaryKey: key-{id}");
            let item = format!("id: {id}\n    scope: {scope}\n    user: {user}\n    {key}");
            written.put("subscriptions", item);
        }
        written.shared()
    }

    fn gateways(&self, written: &mut Written) {
        for (number, apis) in self.gateways.iter().enumerate() {
            let (id, apis) = (canary("gateway", number), ids(apis));
            let host = canary("host", number);
            let item = format!("id: {id}\n    apis: [{apis}]\n    hostNames: [{host}.example]");
            written.put("gateways", item);
            written.put("hostNames", format!("host: {host}.example"));
        }
        for (number, api) in self.apis.iter().enumerate() {
            let id = canary("api", number);
            let file = format!("{id}.xml");
            written.entries.push((Kind::Policy, file.clone(), api.document()));
            let item = format!(
                "id: {id} # of {id}\n    path: {id}\n    serviceUrl: http://{id}.example\n    \
                 policy: {file}\n    operations:\n      - {{id: all, method: GET, urlTemplate: /}}"
            );
            written.put("apis", item);
        }
    }

    fn products_written(&self, written: &mut Written) {
        for (number, (apis, policy)) in self.products() {
            let (id, apis, text) = (canary("product", number), ids(apis), policy.document());
            let group = canary("group", number);
            written.put("groups", format!("{{id: {group}}}"));
            let item = format!("id: {id}\n    apis: [{apis}]\n    groups: [{group}]");
            written.put("products", format!("{item}\n    policy: |\n      {text}"));
        }
    }

    /// The canaries of all that is the gateway's.
    fn own(&self, gateway: usize) -> BTreeSet<String> {
        let apis = &self.gateways[gateway];
        let mut own = BTreeSet::from([canary("gateway", gateway), canary("host", gateway)]);
        for api in apis {
            own.insert(canary("api", *api));
            self.apis[*api].own(self, &mut own);
        }
        for (number, (of, policy)) in self.products() {
            if !of.is_disjoint(apis) {
                own.extend([canary("product", number), canary("group", number)]);
                policy.own(self, &mut own);
            }
        }
        for (number, (of, to, user)) in self.subscriptions.iter().enumerate() {
            let scope = self.scope(*of, *to);
            if scope == "/apis" || own.contains(scope.rsplit('/').next().unwrap()) {
                own.extend([canary("subscription", number), canary("user", *user)]);
            }
        }
        own
    }
}

/// Every canary in `text`.
fn canaries(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric()).map(str::to_ascii_lowercase);
    words.filter(|word| word.starts_with("zq")).collect()
}

proptest! {
    // Each compiles three configurations.
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_gateway_gets_all_that_is_its_own_and_nothing_of_others(model in any_model()) {
        let shared = model.write();
        let whole = runs(shared.whole());
        prop_assert!(whole.is_ok(), "{whole:?}");
        for (number, apis) in model.gateways.iter().enumerate() {
            let portion = shared.portion(&canary("gateway", number)).unwrap();
            let texts = portion.entries().iter().flat_map(|it| [&**it.name(), &**it.text()]);
            let found: BTreeSet<String> = texts.flat_map(canaries).collect();
            prop_assert_eq!(&found, &model.own(number), "{:?}", portion.entries());
            prop_assert_eq!(runs(&portion), Ok(apis.len()));
        }
    }
}
