//! The policy documents of a configuration: read and built once each, whatever they apply to.

use std::sync::Arc;

use crate::configuration::config::{Config, PolicyText};
use crate::fault::{Fault, Place, nearest};
use crate::policy::build::document::{self, Owner};
use crate::policy::build::references::{Backends, References};
use crate::policy::markup::{self, Element, NamedValue, NamedValues};
use crate::policy::program::{Action, Document, Program};
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
        let names = named_values(config);
        let mut references = References { backends, ..References::default() };
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
                let document =
                    builder.document(operation.policy.as_ref(), Scope::Operation, &owner);
                if let (Some(document), Some(text)) = (&document, &operation.policy) {
                    let found = unbound(document, &operation.url_template.value);
                    let placed = found.into_iter().map(|fault| shifted(text, fault));
                    builder.faults.extend(placed);
                }
                document
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
        let mut found = Vec::new();
        let document = document::build(&root, owner, &self.references, &mut found);
        self.faults.extend(found.into_iter().map(|fault| shifted(text, fault)));
        Some(document)
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
        let text = PolicyText {
            text: Arc::from(DEFAULT_GLOBAL),
            start: Place::start_of(&file),
            indent: 0,
        };
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
    let reading = markup::read(&text.start.file, &in_place(text), names);
    let is_whole = reading.faults.is_empty();
    faults.extend(reading.faults.into_iter().map(|fault| shifted(text, fault)));
    let root = reading.root.filter(|_root| is_whole)?;
    if root.name.as_ref() != wanted {
        let fault = root.fault(format!("`{}` stands where `{wanted}` belongs", root.name));
        faults.push(fault.mend(format!("make `{wanted}` the root of this document")));
        return None;
    }
    Some(root)
}

/// The text with as much empty space before it as the file has, so that the reader finds every
/// line where it stands in the file.
fn in_place(text: &PolicyText) -> String {
    let before = |count: u32| usize::try_from(count.saturating_sub(1)).unwrap_or(0);
    let (lines, columns) = (before(text.start.line), before(text.start.column));
    ["\n".repeat(lines), " ".repeat(columns), text.text.to_string()].concat()
}

/// A fault of an inline document, moved right by what YAML took away from its lines.
fn shifted(text: &PolicyText, mut fault: Fault) -> Fault {
    if fault.place.file == text.start.file {
        fault.place = text.shifted(fault.place);
    }
    fault
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

/// The program of documents, from the narrowest scope to the widest.
pub(super) fn compose(documents: &[Option<&Document>]) -> Arc<Program> {
    let written: Vec<&Document> = documents.iter().copied().flatten().collect();
    Arc::new(Program::compose(&written))
}
