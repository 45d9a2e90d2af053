//! Config → Snapshot: policies are read and built, programs put in order, keys made ready.

mod facts;
mod policies;
mod keys;
mod kept;
mod lost;

use std::collections::HashMap;
use std::sync::Arc;

use http::StatusCode;
use openssl::pkey::PKey;
use openssl::x509::X509;

use crate::backend::{Backend, BaseUrl, Identity, Tls};
use crate::configuration::config::{self, Api, Config};
use crate::configuration::loader::Loaded;
use crate::configuration::switch::Switch;
use crate::exchange::facts::Deployment;
use crate::exchange::secrets::Secrets;
use crate::fault::Fault;
use crate::policy::build::references::Backends;
use crate::policy::program::Program;
use crate::snapshot::tally::Tally;
use crate::snapshot::{ApiEntry, HostCertificate, OperationEntry, OwnDemand, Snapshot};
use crate::subscription::Subscriptions;
use crate::subscription::key::KeyNames;
use crate::time::Timestamp;

pub use kept::Kept;

use keys::Keys;
use policies::{ApiDocuments, Common, Documents, compose};

/// What a snapshot is made with beside its configuration.
#[derive(Clone, Debug)]
pub struct Making {
    /// The number of the snapshot.
    pub generation: u64,
    /// When it is made.
    pub now: Timestamp,
    /// This replica's id.
    pub instance: Arc<str>,
    /// Random bytes of this process: the key of the hashes that stand for subscription keys.
    pub secret: [u8; 32],
    /// What must not run, whatever a configuration says.
    pub switch: Arc<Switch>,
}

/// Makes a snapshot of what came of a folder, or says everything that is wrong with it, sorted by
/// place. The policies of a configuration that is wrong elsewhere are looked at too; what they
/// refer to is then taken to exist.
pub fn make(loaded: &Loaded, making: &Making) -> Result<Snapshot, Vec<Fault>> {
    Kept::default().make(loaded, making)
}

/// A snapshot of no configuration, which finds no API.
pub fn nothing(making: &Making) -> Snapshot {
    Snapshot {
        generation: 0,
        compiled: making.now,
        deployment: Arc::new(Deployment {
            instance_id: Arc::clone(&making.instance),
            ..Deployment::default()
        }),
        routes: Arc::default(),
        apis: Vec::new(),
        keys: Arc::new(Subscriptions::new(making.secret)),
        subscribers: Arc::default(),
        products: Vec::new(),
        global: Arc::default(),
        certificates: Vec::new(),
        tally: Tally::default(),
    }
}

/// Makes a snapshot of `config`, or says everything that is wrong with its policies and routes,
/// sorted by place.
pub fn compile(config: &Config, making: &Making) -> Result<Snapshot, Vec<Fault>> {
    Kept::default().compile(config, making)
}

impl Kept {
    /// The same as [`make`], but for the time it takes.
    pub fn make(&mut self, loaded: &Loaded, making: &Making) -> Result<Snapshot, Vec<Fault>> {
        let mut faults = match &loaded.config {
            Ok(config) => return self.compile(config, making),
            Err(faults) => faults.clone(),
        };
        if let Some(remains) = &loaded.remains {
            Documents::look_at(remains, making.switch.policies(), &mut faults);
        }
        faults.sort();
        faults.dedup();
        Err(faults)
    }

    fn compile(&mut self, config: &Config, making: &Making) -> Result<Snapshot, Vec<Fault>> {
        let mut faults = Vec::new();
        if self.switch != making.switch {
            // What must not run is in nothing that was built.
            let switch = Arc::clone(&making.switch);
            *self = Self { keys: self.keys.take(), switch, ..Self::default() };
        }
        let common = if let Some(kept) = self.common.take().filter(|kept| kept.is_of(config)) {
            kept
        } else {
            let switch = Arc::clone(&making.switch);
            *self = Self { keys: self.keys.take(), switch, ..Self::default() };
            Common::of(config, making.switch.policies(), &mut faults)
        };
        let is_sound = faults.is_empty();
        let documents = Documents::build(config, &common, self, &mut faults);
        self.common = Some(common).filter(|_common| is_sound);
        let scopes = scopes(config);
        let keys = Keys::of(config, making, &scopes, self.keys.as_ref(), &mut faults);
        let certificates = certificates(config, &mut faults);
        faults.sort();
        faults.dedup();
        if !faults.is_empty() {
            return Err(faults);
        }
        let entries = entries(config, &documents, &scopes, self, &mut faults);
        if faults.is_empty() && making.switch.policies().is_empty() {
            // With a policy switched off, requests may go nowhere by order.
            // Looked for last: a policy with a fault is not in its program, and might name the
            // backend.
            faults = lost::lost(config, &entries);
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let products = config.products.iter().map(|product| facts::product(config, product));
        let snapshot = Snapshot {
            generation: making.generation,
            compiled: making.now,
            deployment: Arc::new(deployment(config, making)),
            routes: Arc::clone(&config.routes),
            keys: Arc::clone(&keys.known),
            subscribers: Arc::clone(&keys.subscribers),
            products: products.collect(),
            global: Arc::new(Program::compose(&[&documents.global])),
            certificates,
            apis: entries,
            tally: Tally::default(),
        };
        self.keys = Some(keys);
        self.keep(&config.apis, documents, &snapshot.apis);
        Ok(snapshot)
    }
}

/// What subscriptions to an API are for, by its id: the first of its revisions stands for all.
fn scopes(config: &Config) -> HashMap<&str, usize> {
    let mut scopes = HashMap::with_capacity(config.apis.len());
    for (index, api) in config.apis.iter().enumerate() {
        scopes.entry(&*api.id).or_insert(index);
    }
    scopes
}

fn deployment(config: &Config, making: &Making) -> Deployment {
    let gateway = &config.gateway;
    let secrets = config.named_values.iter().filter(|known| known.is_secret);
    Deployment {
        secrets: Secrets::new(secrets.map(|known| known.value.expose())),
        gateway_id: Arc::clone(&gateway.id),
        instance_id: Arc::clone(&making.instance),
        region: Arc::clone(&gateway.location),
        service_name: Arc::clone(&gateway.service_name),
        service_id: Arc::clone(&gateway.service_name),
    }
}

/// Where requests of an API without a backend go: a port that nobody can listen on.
pub fn nowhere() -> BaseUrl {
    BaseUrl {
        scheme: crate::backend::Scheme::Http,
        host: "0.0.0.0".to_owned(),
        port: 0,
        path: String::new(),
        authority: http::HeaderValue::from_static(""),
    }
}

/// All APIs, as they run; those that are kept are the same as before.
fn entries(
    config: &Config,
    documents: &Documents,
    scopes: &HashMap<&str, usize>,
    kept: &Kept,
    faults: &mut Vec<Fault>,
) -> Vec<Arc<ApiEntry>> {
    let mut holders: Vec<Vec<usize>> = vec![Vec::new(); config.apis.len()];
    for (product, known) in config.products.iter().enumerate() {
        for api in &known.apis {
            if let Some(holders) = holders.get_mut(*api) {
                holders.push(product);
            }
        }
    }
    let all = config.apis.iter().zip(&documents.apis).zip(holders);
    let entry = |((api, own), products): ((&Arc<Api>, &Arc<ApiDocuments>), Vec<usize>)| {
        let is_open = |at: &&usize| {
            config.products.get(**at).is_some_and(|product| !product.subscription_required)
        };
        let demand = OwnDemand {
            scope: scopes.get(&*api.id).copied().unwrap_or(usize::MAX),
            is_subscription_required: api.subscription_required,
            open_product: products.iter().find(is_open).copied(),
            products,
        };
        let known = kept.entry(api, &demand, documents);
        known
            .unwrap_or_else(|| Arc::new(entry(api, own, demand, (documents, &kept.switch), faults)))
    };
    all.map(entry).collect()
}

fn entry(
    api: &Api,
    own: &ApiDocuments,
    demand: OwnDemand,
    (documents, switch): (&Documents, &Switch),
    faults: &mut Vec<Fault>,
) -> ApiEntry {
    let global = Some(&*documents.global);
    let mut operations = Vec::with_capacity(api.operations.len());
    for (operation, document) in api.operations.iter().zip(&own.operations) {
        let spot = &operation.spot;
        let programs = demand.products.iter().map(|product| {
            let of_product = documents.products.get(*product).and_then(Option::as_deref);
            let wide = [document.as_ref(), own.api.as_ref(), of_product, global];
            (*product, compose(&wide, spot, faults))
        });
        let by_product = programs.collect();
        operations.push(OperationEntry {
            facts: facts::operation(operation),
            program: compose(&[document.as_ref(), own.api.as_ref(), global], spot, faults),
            by_product,
            is_disabled: switch.has_operation(&api.id, &operation.id),
        });
    }
    ApiEntry {
        facts: facts::api(api),
        base: api.service_url.clone().unwrap_or_else(|| Arc::new(nowhere())),
        tls: Tls::default(),
        key_names: KeyNames {
            header: api.key_names.header.clone(),
            query: Box::from(&*api.key_names.query),
        },
        demand,
        program: compose(&[own.api.as_ref(), global], &api.spot, faults),
        operations: operations.into(),
        is_disabled: switch.has_api(&api.id),
    }
}

/// The backends that policies may name.
fn backends(config: &Config) -> Backends {
    config.backends.iter().map(|backend| (Arc::clone(&backend.id), backend_of(backend))).collect()
}

fn backend_of(backend: &config::Backend) -> Arc<Backend> {
    let credentials = &backend.credentials;
    let mut headers = Vec::new();
    for (name, values) in &credentials.headers {
        for value in values {
            headers.extend(sensitive(value.expose()).map(|value| (name.clone(), value)));
        }
    }
    if let Some(authorization) = &credentials.authorization {
        let text = format!("{} {}", authorization.scheme, authorization.parameter.expose());
        headers.extend(sensitive(&text).map(|value| (http::header::AUTHORIZATION, value)));
    }
    let query = credentials.query.iter().flat_map(|(name, values)| {
        values.iter().map(|value| (name.to_string(), value.expose().to_owned()))
    });
    let identity = credentials.certificate.as_ref().map(|certificate| {
        Arc::new(Identity {
            certificate: certificate.certificate_pem.as_bytes().to_vec(),
            key: certificate.key_pem.expose().as_bytes().to_vec(),
        })
    });
    Arc::new(Backend {
        id: Arc::clone(&backend.id),
        base: Arc::clone(&backend.url),
        headers,
        query: query.collect(),
        tls: Tls {
            verify_chain: backend.validate_certificate_chain,
            verify_name: backend.validate_certificate_name,
            identity,
        },
    })
}

fn sensitive(text: &str) -> Option<http::HeaderValue> {
    let mut value = http::HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn certificates(config: &Config, faults: &mut Vec<Fault>) -> Vec<HostCertificate> {
    let mut known = Vec::new();
    for host in &config.host_names {
        let Some(certificate) = &host.certificate else { continue };
        let chain = X509::stack_from_pem(certificate.certificate_pem.as_bytes());
        let key = PKey::private_key_from_pem(certificate.key_pem.expose().as_bytes());
        match (chain, key) {
            (Ok(chain), Ok(key)) if !chain.is_empty() => {
                known.push(HostCertificate { host: host.host.clone(), chain, key });
            }
            _ => faults.push(host.spot.fault("the certificate or its key cannot be read")),
        }
    }
    known
}

/// A status as `http` has it; documents were checked to have none other.
fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::OK)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::path::{Path, PathBuf};

    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;
    use crate::configuration::document;
    use crate::configuration::loader::load;
    use crate::configuration::source::{Environment, Folder, Reading};
    use crate::configuration::validate::validate;
    use crate::fault::damage::{damaged, damages, texts};
    use crate::fault::{Place, Sources, render};
    use crate::policy::disabled::Disabled;

    fn making() -> Making {
        Making {
            generation: 1,
            now: Timestamp::default(),
            instance: Arc::from("test"),
            secret: [0; 32],
            switch: Arc::default(),
        }
    }

    /// What is wrong with `yaml` as a configuration, and its text to look places up in.
    fn wrong_with(yaml: &str) -> (Vec<Fault>, Sources) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("weir.yaml"), yaml).unwrap();
        let loaded = load(&Folder::at(folder.path()), &Environment::default());
        let faults = make(&loaded, &making()).err().unwrap_or_default();
        let sources = loaded.sources(&faults);
        (faults, sources)
    }

    fn faults(yaml: &str) -> Vec<String> {
        wrong_with(yaml).0.iter().map(ToString::to_string).collect()
    }

    fn corpus() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/config")
    }

    fn folders(kind: &str) -> Vec<PathBuf> {
        let root = corpus().join(kind);
        let mut folders: Vec<PathBuf> =
            root.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
        folders.sort();
        assert!(!folders.is_empty());
        folders
    }

    /// What is wrong with the configuration in `folder`, as a person reads it.
    fn rendered(folder: &Path) -> String {
        let environment = [("ORDERS_KEY", "a-key-from-the-environment"), ("HOME", "/")];
        let loaded = load(&Folder::at(folder), &environment.into_iter().collect());
        let wrong = make(&loaded, &making()).err().unwrap_or_default();
        let sources = loaded.sources(&wrong);
        let rendered: Vec<String> = wrong.iter().map(|fault| render(fault, &sources)).collect();
        rendered.join("\n").replace(&folder.display().to_string(), "FOLDER")
    }

    #[test]
    fn every_bad_configuration_has_exactly_its_faults() {
        let write = std::env::vars_os().any(|(name, _)| name == "WEIR_WRITE_EXPECTED");
        let mut wrong = String::new();
        for folder in folders("bad") {
            let found = rendered(&folder);
            assert!(!found.is_empty(), "{} has no fault", folder.display());
            let path = folder.join("faults.txt");
            if write {
                std::fs::write(&path, &found).unwrap();
            }
            let expected = std::fs::read_to_string(&path).unwrap_or_default();
            if found != expected {
                let name = folder.display();
                writeln!(wrong, "{name}\nfound:\n{found}\nexpected:\n{expected}").unwrap();
            }
        }
        assert!(wrong.is_empty(), "{wrong}");
    }

    #[test]
    fn every_good_configuration_has_no_fault() {
        let sample = corpus().join("../../../config/sample");
        for folder in folders("good").into_iter().chain([sample]) {
            assert_eq!(rendered(&folder), "", "{}", folder.display());
        }
    }

    const REWRITES: &str = "\
apis:
  - id: a
    path: a
    serviceUrl: http://127.0.0.1:1
    operations:
      - id: get
        method: GET
        urlTemplate: /{id}
        policy: |
          <policies><inbound>
            <rewrite-uri template=\"/x/{PARAMETER}\" />
          </inbound></policies>
";

    #[test]
    fn a_rewrite_asks_only_for_parameters_that_there_are() {
        assert_eq!(faults(&REWRITES.replace("PARAMETER", "id")), Vec::<String>::new());
        assert_eq!(
            faults(&REWRITES.replace("PARAMETER", "ib")),
            ["weir.yaml:11:13: the operation has no parameter `ib`; did you mean `{id}`?"]
        );
    }

    /// What stands under the caret of each fault of a configuration with this policy.
    fn pointed_at(policy: &str) -> Vec<String> {
        let yaml = format!(
            "apis:\n  - id: a\n    path: a\n    serviceUrl: http://a\n    policy: {policy}"
        );
        let (wrong, sources) = wrong_with(&yaml);
        let pointed = wrong.iter().map(|fault| {
            let Place { file, line, column } = &fault.place;
            let line = sources.line(file, *line).unwrap_or_default();
            let [column, width] = [*column, fault.width].map(|it| usize::try_from(it).unwrap());
            line.chars().skip(column - 1).take(width).collect()
        });
        pointed.collect()
    }

    #[test]
    fn a_fault_of_an_inline_policy_has_the_place_of_the_yaml_file() {
        let long = "<policies>
        <inbound>
          <set-body>@{
              var known = 1;
              return unknown;
          }</set-body>
          <nothing />
        </inbound>
      </policies>\n";
        for indicator in ["|", ">", "|-", "# a comment\n     ", "|2"] {
            let policy = format!("{indicator}\n      {long}");
            assert_eq!(pointed_at(&policy), ["unknown", "<nothing"], "{indicator}");
        }
        for quote in ["\"", "'"] {
            let policy = format!("{quote}{}{quote}\n", long.trim_end());
            assert_eq!(pointed_at(&policy), ["unknown", "<nothing"], "{quote}");
        }
        assert_eq!(pointed_at("<policies><inbound><nothing/></inbound></policies>"), ["<nothing"]);
        let escaped = r#""<policies>\n<inbound>\t<base\x41 id=\"\"/>\\\n</inbound></policies>""#;
        assert_eq!(pointed_at(escaped), [r"<base\", r"\"]);
    }

    /// What is wrong with an API without a backend whose operations have these policies in
    /// `inbound`, and whose product has `product`.
    fn lost(inbound: &[&str], product: &str) -> Vec<String> {
        let mut yaml = "apis:\n  - id: a\n    path: a\n    operations:\n".to_owned();
        for (number, inbound) in inbound.iter().enumerate() {
            writeln!(
                yaml,
                "      - id: o{number}\n        method: GET\n        urlTemplate: /{number}\n        \
                 policy: '<policies><inbound>{inbound}<base /></inbound></policies>'"
            )
            .unwrap();
        }
        writeln!(
            yaml,
            "products:\n  - id: p\n    apis: [a]\n    policy: '<policies><inbound>{product}\
             </inbound></policies>'"
        )
        .unwrap();
        faults(&yaml)
            .iter()
            .map(|fault| fault.replace(&format!("; {}", lost::REMEDY), ""))
            .collect()
    }

    #[test]
    fn an_api_whose_every_request_would_go_nowhere_is_refused() {
        let set = r#"<set-backend-service base-url="http://a" />"#;
        let choose = |policy: &str, otherwise: &str| {
            format!(
                r#"<choose><when condition="@(context.Request.Method == ""GET"")">{policy}</when>
                   <otherwise>{otherwise}</otherwise></choose>"#
            )
            .replace(r#""""#, "&quot;")
        };
        let api = "weir.yaml:2:9: the API `a` has no backend: all its requests would fail";
        let second =
            "weir.yaml:9:13: the operation `o1` has no backend: all its requests would fail";
        let nothing: [&str; 0] = [];
        assert_eq!(lost(&["", ""], ""), [api]);
        assert_eq!(lost(&[set, ""], ""), [second]);
        assert_eq!(lost(&[set, ""], set), nothing);
        assert_eq!(lost(&[&choose(set, set)], ""), nothing);
        assert_eq!(lost(&[&choose(set, "")], ""), nothing);
        assert_eq!(lost(&[&choose("<return-response />", "")], ""), nothing);
        let unread = r#"<ip-filter action="forbid"><address>10.0.0.1</address></ip-filter>"#;
        assert_eq!(lost(&[&choose(unread, "")], ""), [api]);
        let never = format!(r#"<choose><when condition="@(false)">{set}</when></choose>"#);
        assert_eq!(lost(&[&never], ""), [api]);
        assert_eq!(lost(&[&never.replace("false", "true")], ""), nothing);
        assert_eq!(lost(&["<mock-response />", ""], ""), [second]);
        let retried = r#"<retry condition="@(true)" count="2" interval="0">POLICY</retry>"#;
        assert_eq!(lost(&[&retried.replace("POLICY", set)], ""), nothing);
        assert_eq!(lost(&[&retried.replace("POLICY", "")], ""), [api]);
        let caught = "apis:\n  - id: a\n    path: a\n    operations:\n      - {id: o, method: GET, \
                      urlTemplate: /}\n    policy: <policies><on-error><return-response />\
                      </on-error></policies>\n";
        assert_eq!(faults(caught), nothing);
    }

    /// What a configuration is made of.
    const SHARDS: &[&str] = &[
        "\n",
        "\r\n",
        "  ",
        "- ",
        ": ",
        "|",
        ">",
        "|2-",
        "\"",
        "'",
        "{",
        "}",
        "[",
        "]",
        ",",
        "#",
        "&a",
        "*a",
        "!t",
        "%",
        "@",
        "~",
        "?",
        "---\n",
        "\t",
        "null",
        "true",
        "99999999999",
        "1e9",
        "é",
        "\u{85}",
        "\\x",
        "apis:\n",
        "  - id: x\n",
        "    policy: |\n      <policies>\n",
        "<inbound>@(",
    ];

    #[test]
    fn no_damage_to_a_configuration_makes_loading_it_panic() {
        let seeds = [texts("tests/corpus/config", ".yaml"), texts("config", ".yaml")].concat();
        proptest!(|(seed in select(seeds), damages in damages(SHARDS))| {
            let text = damaged(&seed, &damages);
            let mut faults = Vec::new();
            let read: Vec<(Arc<str>, Arc<str>)> = vec![(Arc::from("weir.yaml"), Arc::from(text))];
            let document = document::read(&read, &mut faults);
            let reading = Reading::of(read);
            let (config, mut faults) =
                validate(&document, &reading, &Environment::default(), faults);
            Documents::look_at(&config, &Disabled::default(), &mut faults);
            if faults.is_empty() && let Err(found) = compile(&config, &making()) {
                faults = found;
            }
            let sources = reading.sources(&faults);
            for fault in faults {
                let _ = render(&fault, &sources);
            }
        });
    }
}
