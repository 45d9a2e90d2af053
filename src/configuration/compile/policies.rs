//! The policy documents of a configuration: read and built once each, whatever they apply to.

use std::cell::RefCell;
use std::sync::Arc;

use crate::configuration::config::{Config, PolicyText, Spot};
use crate::fault::{Fault, Layout, nearest};
use crate::policy::build::document::{self, Owner};
use crate::policy::build::references::{Backends, References};
use crate::policy::markup::{self, Element, NamedValue, NamedValues};
use crate::policy::program::{Action, Document, Program, SECTION_STEPS_MAX};
use crate::policy::{Scope, Section};
use crate::route::template::Template;

/// The documents of a configuration, built. `None`: the scope has none.
pub(super) struct Documents {
    /// The gateway's.
    pub(super) global: Document,
    /// Those of products, as the configuration counts them.
    pub(super) products: Vec<Option<Document>>,
    /// Those of APIs and their operations, as the configuration counts them.
    pub(super) apis: Vec<ApiDocuments>,
}

/// The documents of one API.
pub(super) struct ApiDocuments {
    /// Its own.
    pub(super) api: Option<Document>,
    /// Those of its operations.
    pub(super) operations: Vec<Option<Document>>,
}

/// What the gateway's document is where none is written: forward, and nothing else.
const DEFAULT_GLOBAL: &str = "<policies><inbound /><backend><forward-request /></backend>\
                              <outbound /><on-error /></policies>";

impl Documents {
    /// Reads and builds all of them.
    pub(super) fn build(config: &Config, backends: Arc<Backends>, faults: &mut Vec<Fault>) -> Self {
        let holding = config.limits;
        let references = References { backends, holding, ..References::default() };
        let documents = Self::build_with(config, named_values(config), references, faults);
        for (api, own) in config.apis.iter().zip(&documents.apis) {
            for (operation, document) in api.operations.iter().zip(&own.operations) {
                let document = document.iter();
                faults.extend(document.flat_map(|it| unbound(it, &operation.url_template.value)));
            }
        }
        documents
    }

    /// Reads and builds all of them although much else of the configuration is wrong or missing:
    /// whatever they refer to is taken to exist.
    pub(super) fn look_at(config: &Config, faults: &mut Vec<Fault>) {
        let assumed = Some(RefCell::default());
        let holding = config.limits;
        let references = References { holding, assumed, ..References::default() };
        let _built = Self::build_with(config, NamedValues::assumed(), references, faults);
    }

    fn build_with(
        config: &Config,
        names: NamedValues,
        mut references: References,
        faults: &mut Vec<Fault>,
    ) -> Self {
        for fragment in &config.fragments {
            if let Some(root) = read(&fragment.policy, &names, "fragment", faults) {
                references.fragments.insert(Arc::clone(&fragment.id), Arc::new(root));
            }
        }
        let mut builder = Builder { names, references, faults };
        for fragment in &config.fragments {
            builder.check_fragment(&fragment.id);
        }
        let global = match &config.policy {
            Some(text) => builder.document(Some(text), Scope::Global, "gateway"),
            None => builder.default_global(),
        };
        let products = config.products.iter().map(|product| {
            let owner = format!("product {}", product.id);
            builder.document(product.policy.as_ref(), Scope::Product, &owner)
        });
        let products = products.collect();
        let apis = config.apis.iter().map(|api| {
            let owner = format!("api {}", api.id);
            let own = builder.document(api.policy.as_ref(), Scope::Api, &owner);
            let operations = api.operations.iter().map(|operation| {
                let owner = format!("api {} operation {}", api.id, operation.id);
                builder.document(operation.policy.as_ref(), Scope::Operation, &owner)
            });
            ApiDocuments { operations: operations.collect(), api: own }
        });
        let apis = apis.collect();
        Self { global: global.unwrap_or_default(), products, apis }
    }
}

struct Builder<'f> {
    names: NamedValues,
    references: References,
    faults: &'f mut Vec<Fault>,
}

impl Builder<'_> {
    fn document(
        &mut self,
        text: Option<&PolicyText>,
        scope: Scope,
        owner: &str,
    ) -> Option<Document> {
        let text = text?;
        let root = read(text, &self.names, "policies", self.faults)?;
        let owner = Owner { scope, name: owner };
        Some(document::build(&root, owner, &self.references, self.faults))
    }

    /// A fragment that nobody includes is looked at too.
    fn check_fragment(&mut self, id: &str) {
        let root = self.references.fragments.get(id).map(Arc::clone);
        if let Some(root) = root {
            document::build_fragment(&root, &self.references, self.faults);
        }
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
