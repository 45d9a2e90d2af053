//! The policy documents of a configuration: read and built once each, whatever they apply to.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use super::Making;
use super::backends::Before;
use super::kept::Kept;
use crate::backend::principal::Principals;
use crate::configuration::config::{self, Api, Config, PolicyText, Spot};
use crate::fault::{Fault, Layout, nearest};
use crate::policy::build::document::{self, Owner};
use crate::policy::build::references::{Backends, References};
use crate::policy::disabled::Disabled;
use crate::policy::logging::event_hub::Loggers;
use crate::policy::markup::{self, Element, NamedValue, NamedValues};
use crate::policy::program::{Action, Document, Program, SECTION_STEPS_MAX};
use crate::policy::{Scope, Section};
use crate::route::template::Template;

/// The documents of a configuration, built. `None`: the scope has none.
#[derive(Debug, Default)]
pub(super) struct Documents {
    /// The gateway's.
    pub(super) global: Arc<Document>,
    /// Those of products, as the configuration counts them.
    pub(super) products: Vec<Option<Arc<Document>>>,
    /// Those of APIs and their operations, as the configuration counts them.
    pub(super) apis: Vec<Arc<ApiDocuments>>,
    /// The texts of the gateway's and of the products', to know them again; none where nothing
    /// was built yet.
    texts: Option<Texts>,
}

/// The text of the gateway's document, and those of products by their ids.
type Texts = (Option<PolicyText>, Vec<(Arc<str>, Option<PolicyText>)>);

/// The documents of one API.
#[derive(Debug, Default)]
pub(super) struct ApiDocuments {
    /// Its own.
    pub(super) api: Option<Document>,
    /// Those of its operations.
    pub(super) operations: Vec<Option<Document>>,
}

/// What all documents of a configuration may refer to. If it changes, all are built anew.
#[derive(Debug)]
pub(super) struct Common {
    names: NamedValues,
    backends: Vec<config::Backend>,
    loggers: Arc<Loggers>,
    principals: Arc<Principals>,
    fragments: Vec<(Arc<str>, PolicyText)>,
    references: References,
}

/// What the gateway's document is where none is written: forward, and nothing else.
const DEFAULT_GLOBAL: &str = "<policies><inbound /><backend><forward-request /></backend>\
                              <outbound /><on-error /></policies>";

impl Common {
    /// What `config` has, and what is wrong with its fragments.
    pub(super) fn of(
        config: &Config,
        making: &Making,
        before: &Before,
        faults: &mut Vec<Fault>,
    ) -> Self {
        let (holding, disabled) = (config.limits, making.switch.policies().clone());
        let backends = super::backends::backends(config, before, &making.sidecar);
        let backends = Arc::new(backends);
        let loggers = Arc::new(super::loggers(config));
        let mut references = References {
            backends,
            loggers: Arc::clone(&loggers),
            principals: Arc::clone(&config.principals),
            authorizations: Arc::clone(&config.authorizations),
            certificates: Arc::clone(&config.certificates),
            sidecar: Arc::clone(&making.sidecar),
            holding,
            disabled,
            schemas: Arc::clone(&config.schemas),
            ..References::default()
        };
        let names = named_values(config);
        read_fragments(config, &names, &mut references, faults);
        let fragments = fragments(config).map(|(id, text)| (Arc::clone(id), text.clone()));
        let fragments = fragments.collect();
        let (backends, principals) = (config.backends.clone(), Arc::clone(&config.principals));
        Self { names, backends, loggers, principals, fragments, references }
    }

    /// Every backend.
    pub(super) const fn backends(&self) -> &Arc<Backends> {
        &self.references.backends
    }

    /// Whether any policy that was built with it asks for certificates that were taken back.
    pub(super) const fn asks_revocation(&self) -> bool {
        self.references.asks_revocation.get()
    }

    /// Whether `config` has the same.
    pub(super) fn is_of(&self, config: &Config) -> bool {
        let fragments_are = self.fragments.iter().map(|(id, text)| (id, text));
        self.references.holding == config.limits
            && Arc::ptr_eq(&self.references.schemas, &config.schemas)
            && self.backends.iter().map(meaning).eq(config.backends.iter().map(meaning))
            && *self.loggers == super::loggers(config)
            && self.principals == config.principals
            && self.references.authorizations == config.authorizations
            && self.references.certificates == config.certificates
            && fragments_are.eq(fragments(config))
            && self.names == named_values(config)
    }
}

/// What a backend is, wherever it is written.
fn meaning(backend: &config::Backend) -> impl PartialEq + '_ {
    let config::Backend { id, url, is_app, credentials, tls, http, breaker, check, pool, .. } =
        backend;
    let verified = (backend.validate_certificate_chain, backend.validate_certificate_name);
    let way = (http, &backend.proxy);
    (id, url, is_app, credentials, (verified, tls), way, (breaker, check), pool)
}

fn fragments(config: &Config) -> impl Iterator<Item = (&Arc<str>, &PolicyText)> {
    config.fragments.iter().map(|fragment| (&fragment.id, &fragment.policy))
}

fn read_fragments(
    config: &Config,
    names: &NamedValues,
    references: &mut References,
    faults: &mut Vec<Fault>,
) {
    for fragment in &config.fragments {
        if let Some(root) = read(&fragment.policy, names, "fragment", faults) {
            references.fragments.insert(Arc::clone(&fragment.id), Arc::new(root));
        }
    }
    for fragment in &config.fragments {
        // A fragment that nobody includes is looked at too.
        if let Some(root) = references.fragments.get(&fragment.id) {
            document::build_fragment(root, references, faults);
        }
    }
}

impl Documents {
    /// Reads and builds all of them, but for those that `kept` has of the same texts.
    pub(super) fn build(
        config: &Config,
        common: &Common,
        kept: &Kept,
        faults: &mut Vec<Fault>,
    ) -> Self {
        let mut builder = Builder { names: &common.names, references: &common.references, faults };
        let mut documents = builder.wide(config, &kept.documents);
        for api in &config.apis {
            if let Some(known) = kept.api(api) {
                documents.apis.push(Arc::clone(&known.documents));
                continue;
            }
            let own = builder.api(api);
            for (operation, document) in api.operations.iter().zip(&own.operations) {
                let template = &operation.url_template.value;
                builder.faults.extend(document.iter().flat_map(|it| unbound(it, template)));
            }
            documents.apis.push(Arc::new(own));
        }
        documents
    }

    /// Reads and builds all of them although much else of the configuration is wrong or missing:
    /// whatever they refer to is taken to exist.
    pub(super) fn look_at(config: &Config, disabled: &Disabled, faults: &mut Vec<Fault>) {
        let assumed = Some(RefCell::default());
        let (holding, disabled) = (config.limits, disabled.clone());
        let mut references = References { holding, disabled, assumed, ..References::default() };
        let names = NamedValues::assumed();
        read_fragments(config, &names, &mut references, faults);
        let mut builder = Builder { names: &names, references: &references, faults };
        builder.wide(config, &Self::default());
        for api in &config.apis {
            builder.api(api);
        }
    }
}

struct Builder<'a> {
    names: &'a NamedValues,
    references: &'a References,
    faults: &'a mut Vec<Fault>,
}

impl Builder<'_> {
    /// The documents of the gateway and of products, but for those that are `kept`.
    fn wide(&mut self, config: &Config, kept: &Documents) -> Documents {
        let (kept_global, kept_products) =
            kept.texts.as_ref().map(|(global, products)| (global, &**products)).unzip();
        let is_kept = kept_global == Some(&config.policy);
        let global = if is_kept { Arc::clone(&kept.global) } else { self.global(config) };
        let known = kept_products.unwrap_or_default().iter().zip(&kept.products);
        let known: HashMap<&str, _> =
            known.map(|((id, text), document)| (&**id, (text, document))).collect();
        let mut products = Vec::with_capacity(config.products.len());
        let mut texts = Vec::with_capacity(config.products.len());
        for product in &config.products {
            let same = known.get(&*product.id).filter(|(text, _)| **text == product.policy);
            products.push(if let Some((_text, document)) = same {
                document.as_ref().map(Arc::clone)
            } else {
                let owner = format!("product {}", product.id);
                self.document(product.policy.as_ref(), Scope::Product, &owner).map(Arc::new)
            });
            texts.push((Arc::clone(&product.id), product.policy.clone()));
        }
        let texts = Some((config.policy.clone(), texts));
        Documents { global, products, apis: Vec::with_capacity(config.apis.len()), texts }
    }

    fn global(&mut self, config: &Config) -> Arc<Document> {
        let global = match &config.policy {
            Some(text) => self.document(Some(text), Scope::Global, "gateway"),
            None => self.default_global(),
        };
        Arc::new(global.unwrap_or_default())
    }

    fn api(&mut self, api: &Api) -> ApiDocuments {
        let owner = format!("api {}", api.id);
        let own = self.document(api.policy.as_ref(), Scope::Api, &owner);
        let operations = api.operations.iter().map(|operation| {
            let owner = format!("api {} operation {}", api.id, operation.id);
            self.document(operation.policy.as_ref(), Scope::Operation, &owner)
        });
        ApiDocuments { operations: operations.collect(), api: own }
    }

    fn document(
        &mut self,
        text: Option<&PolicyText>,
        scope: Scope,
        owner: &str,
    ) -> Option<Document> {
        let text = text?;
        let root = read(text, self.names, "policies", self.faults)?;
        let owner = Owner { scope, name: owner };
        Some(document::build(&root, owner, self.references, self.faults))
    }

    fn default_global(&mut self) -> Option<Document> {
        let file: Arc<str> = Arc::from("(default)");
        let text = PolicyText { text: Arc::from(DEFAULT_GLOBAL), layout: Layout::whole(&file) };
        self.document(Some(&text), Scope::Global, "gateway")
    }
}

/// The `rewrite-uri` policies of an operation's own document that ask for parameters which its
/// template does not have.
fn unbound(document: &Document, template: &Template) -> Vec<Fault> {
    let program = Program::compose(&[document]);
    let mut faults = Vec::new();
    for block in program.blocks(Section::Inbound) {
        for (step, note) in block.steps.iter().zip(&block.notes) {
            let Action::RewriteUri(rewrite) = &step.action else { continue };
            let known = |name: &str| template.names().any(|has| has.eq_ignore_ascii_case(name));
            for name in rewrite.names().into_iter().filter(|name| !known(name)) {
                let message = format!("the operation has no parameter `{name}`");
                let fault = Fault::new(note.place.clone(), message);
                let has: Vec<&str> = template.names().map(AsRef::as_ref).collect();
                faults.push(match nearest(name, has.iter().copied()) {
                    Some(right) => fault.mend(format!("did you mean `{{{right}}}`?")),
                    None => fault.mend("use a parameter of the operation's `urlTemplate`"),
                });
            }
        }
    }
    faults
}

fn read(
    text: &PolicyText,
    names: &NamedValues,
    wanted: &str,
    faults: &mut Vec<Fault>,
) -> Option<Element> {
    let mut reading = markup::read_at(&text.layout, &text.text, names);
    let mut is_whole = reading.faults.is_empty();
    faults.append(&mut reading.faults);
    if !is_whole {
        // Where nothing but a named value is missing, the rest can still be looked at.
        reading = markup::read_at(&text.layout, &text.text, &names.assuming());
        is_whole = reading.faults.is_empty();
    }
    let root = reading.root.filter(|_root| is_whole)?;
    if root.name.as_ref() != wanted {
        let fault = root.fault(format!("`{}` stands where `{wanted}` belongs", root.name));
        faults.push(fault.mend(format!("make `{wanted}` the root of this document")));
        return None;
    }
    Some(root)
}

fn named_values(config: &Config) -> NamedValues {
    let mut names = NamedValues::default();
    for known in &config.named_values {
        let value = known.value.expose();
        let value =
            if known.is_secret { NamedValue::secret(value) } else { NamedValue::plain(value) };
        names.insert(Arc::clone(&known.name), value);
    }
    names
}

/// The program of documents, from the narrowest scope to the widest. One that would be too long is
/// a fault at `spot`, and then empty.
pub(super) fn compose(
    documents: &[Option<&Document>],
    spot: &Spot,
    faults: &mut Vec<Fault>,
) -> Arc<Program> {
    let written: Vec<&Document> = documents.iter().copied().flatten().collect();
    if let Some(section) = Program::is_too_long(&written) {
        let message = format!(
            "with the policies of all scopes put in, section `{section}` has more than \
             {SECTION_STEPS_MAX} steps"
        );
        faults.push(spot.fault(message).mend("let `<base />` stand less often in its policies"));
        return Arc::default();
    }
    Arc::new(Program::compose(&written))
}
