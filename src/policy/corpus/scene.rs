//! The gateway of a case: its documents and what they refer to, built as a configuration would.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use http::StatusCode;

use crate::backend::authorization::{Authorization, Authorizations};
use crate::backend::document::Url;
use crate::backend::event_hub::EventHub;
use crate::backend::principal::{Principal, Principals, Proof};
use crate::backend::sidecar::Sidecar;
use crate::certificate::Certificate;
use crate::certificate::known::{Certificates, Named};
use crate::certificate::revocation::Revoked;
use crate::exchange::contents::{Content, Contents, Message, Parameter};
use crate::exchange::facts::Sample;
use crate::fault::{Fault, Place};
use crate::jwt::jwks::{KeySet, Published};
use crate::policy::build::document::{self, Owner};
use crate::policy::build::references::{Backends, References};
use crate::policy::logging::event_hub::Loggers;
use crate::policy::markup::{self, NamedValue, NamedValues};
use crate::policy::program::{Document, Program};
use crate::policy::{Scope, Section};
use crate::route::template::Template;
use crate::schema::{Library, Schema};
use crate::secret::Secret;

use super::case::Block;
use super::forge;

/// Scopes, from the narrowest to the widest.
const SCOPES: [Scope; 4] = [Scope::Operation, Scope::Api, Scope::Product, Scope::Global];

/// What the blocks of a case say about the gateway.
#[derive(Debug, Default)]
pub(super) struct Scene {
    names: NamedValues,
    backends: Backends,
    sidecar: Arc<Sidecar>,
    loggers: Loggers,
    fragments: Vec<(String, String)>,
    /// By scope, the blocks of its document.
    documents: Vec<(Scope, Vec<Part>)>,
    /// The URL template of the operation, where the case gives one.
    pub(super) template: Option<Template>,
    /// Who the gateway is to others.
    principals: Vec<Principal>,
    authorizations: Vec<Arc<Authorization>>,
    /// What issuers have published, with the address of the document.
    pub(super) issuers: Vec<(String, Published)>,
    /// Whether the API has no backend.
    pub(super) is_lost: bool,
    /// The responses that the operation is known to give.
    pub(super) samples: Vec<Sample>,
    /// The certificates of the configuration.
    pub(super) certificates: Vec<Named>,
    /// The documents of schemas.
    schemas: Vec<(Arc<str>, serde_json::Value)>,
    /// What the operation is said to take and give, a line each.
    said: Vec<String>,
    /// What that means.
    pub(super) contents: Arc<Contents>,
}

/// A schema as a case writes it: JSON, the way into a document, or `-` for none.
fn schema_of(library: &Arc<Library>, name: &str, text: &str) -> Result<Option<Schema>, String> {
    let compiled = match text.split_once('#') {
        _ if text == "-" => return Ok(None),
        Some((id, pointer)) if !text.starts_with('{') => {
            Schema::referred(library, id, &format!("#{pointer}"))
        }
        _ => {
            let written = serde_json::from_str(text).map_err(|error| error.to_string())?;
            Schema::compile(library, name, &written)
        }
    };
    compiled.map(Some).map_err(|wrong| format!("the schema of {name} {}", wrong.0))
}

/// A file of `tests/corpus/certificates`.
fn certificate_file(name: &str) -> Option<Vec<u8>> {
    std::fs::read(format!("tests/corpus/certificates/{name}")).ok()
}

/// A certificate of the corpus, with its key if it has one.
pub(super) fn certificate(name: &str) -> Result<Arc<Certificate>, String> {
    let pem = certificate_file(&format!("{name}.pem"));
    let pem = pem.ok_or_else(|| format!("there is no certificate `{name}`"))?;
    let read = Certificate::read(&pem).unwrap();
    let key = certificate_file(&format!("{name}.key"));
    Ok(Arc::new(match key {
        Some(key) => read.with_key(&key, "").unwrap(),
        None => read,
    }))
}

/// A block that is a document, or a section of one.
#[derive(Clone, Debug)]
struct Part {
    label: String,
    section: Option<Section>,
    text: String,
    /// Where it begins in the document, from 1.
    first_line: u32,
}

impl Scene {
    /// Takes a block; false if it is about something else.
    pub(super) fn take(&mut self, block: &Block) -> Result<bool, String> {
        if block.label == "given" {
            block.text.lines().try_for_each(|line| self.give(line))?;
            return Ok(true);
        }
        if let Some(id) = block.label.strip_prefix("fragment ") {
            self.fragments.push((id.to_owned(), block.text.clone()));
            return Ok(true);
        }
        let Some((scope, section)) = place_of(&block.label) else {
            return Ok(false);
        };
        let (label, text) = (block.label.clone(), block.text.clone());
        let part = Part { label, section, text, first_line: 1 };
        match self.documents.iter_mut().find(|(known, _)| *known == scope) {
            Some((_, parts)) => parts.push(part),
            None => self.documents.push((scope, vec![part])),
        }
        Ok(true)
    }

    fn give(&mut self, line: &str) -> Result<(), String> {
        let wrong = || format!("this is no fact: {line}");
        let (word, rest) = line.split_once(' ').ok_or_else(wrong)?;
        let equation = |rest: &str| {
            let (name, value) = rest.split_once(" = ").ok_or_else(wrong)?;
            Ok::<_, String>((name.to_owned(), value.to_owned()))
        };
        match word {
            "named" | "secret" => {
                let (name, value) = equation(rest.strip_prefix("value ").ok_or_else(wrong)?)?;
                let new = if word == "secret" { NamedValue::secret } else { NamedValue::plain };
                self.names.insert(name, new(value));
            }
            "no" if rest == "backend" => self.is_lost = true,
            // The token that Dapr's is shown.
            "sidecar" => self.sidecar = forge::sidecar(&equation(rest)?.1),
            "backend" => {
                let (id, url) = equation(rest)?;
                let backend = forge::backend(&id, &url)?;
                self.backends.insert(Arc::clone(&backend.id), backend);
            }
            // Its connection string, with the name of the event hub in it.
            "logger" => {
                let (id, text) = equation(rest)?;
                let hub = EventHub::parse(&text, None).map_err(|refused| refused.to_string())?;
                self.loggers.insert(id.into(), Arc::new(hub));
            }
            // Somebody that the gateway is, by the id of the client.
            "identity" => {
                self.principals.push(principal(rest));
            }
            // What it has been allowed at another service.
            "authorization" => {
                self.authorizations.push(Arc::new(authorization(rest)));
            }
            // The document of an issuer: its address, what the issuer calls itself, and the ids and
            // secrets of its keys.
            "issuer" => {
                let (url, rest) = equation(rest)?;
                let (issuer, rest) = rest.split_once(' ').unwrap_or((rest.as_str(), ""));
                let words: Vec<&str> = rest.split(' ').collect();
                let keys =
                    words.chunks(2).filter_map(|pair| Some(forge::key(pair[0], pair.get(1)?)));
                let keys = Arc::new(KeySet { keys: keys.collect(), unused: Vec::new() });
                self.issuers.push((url, Published { issuer: issuer.into(), keys, version: 1 }));
            }
            "certificate" | "authority" => self.give_certificate(word, rest)?,
            "operation" => {
                self.template = Some(Template::parse(rest).map_err(|fault| fault.to_string())?);
            }
            "sample" => {
                let parts: Vec<&str> = rest.splitn(3, ' ').collect();
                let [status, content_type, body] = parts[..] else { return Err(wrong()) };
                self.samples.push(Sample {
                    status: status.parse().map_err(|_| wrong())?,
                    content_type: content_type.into(),
                    body: body.into(),
                });
            }
            "schema" => {
                let (id, text) = equation(rest)?;
                let document = serde_json::from_str(&text).map_err(|error| error.to_string())?;
                self.schemas.push((id.into(), document));
            }
            "takes" | "gives" => self.said.push(line.to_owned()),
            _ => return Err(wrong()),
        }
        Ok(())
    }

    /// One of the certificates in `tests/corpus/certificates`, with its key if it has one there.
    fn give_certificate(&mut self, word: &str, rest: &str) -> Result<(), String> {
        let (id, revoked) = rest.split_once(", ").unwrap_or((rest, ""));
        let revoked = (revoked == "with a list")
            .then(|| Revoked::read(&certificate_file("revoked.pem").unwrap()).unwrap());
        let (certificate, is_authority) = (certificate(id)?, word == "authority");
        self.certificates.push(Named { id: id.into(), certificate, is_authority, revoked });
        Ok(())
    }

    /// What the operation takes and gives, over `library`.
    fn known(&self, library: &Arc<Library>) -> Result<Contents, String> {
        let mut contents = Contents::default();
        for line in &self.said {
            let wrong = || format!("this is no fact: {line}");
            let (word, rest) = line.split_once(' ').ok_or_else(wrong)?;
            let (status, rest) = match word {
                "gives" => rest.split_once(' ').ok_or_else(wrong)?,
                _ => ("", rest),
            };
            let parts: Vec<&str> = rest.splitn(3, ' ').collect();
            let [what, name, text] = parts[..] else { return Err(wrong()) };
            let required = text.strip_prefix("required ");
            let schema = schema_of(library, name, required.unwrap_or(text))?;
            let message = match status.parse::<StatusCode>() {
                Ok(status) => {
                    if contents.response(status).is_none() {
                        contents.responses.push((status, Message::default()));
                    }
                    let mut responses = contents.responses.iter_mut();
                    let found = responses.find(|(known, _)| *known == status);
                    &mut found.ok_or_else(wrong)?.1
                }
                Err(_none) => &mut contents.request,
            };
            let parameter =
                Parameter { name: name.into(), is_required: required.is_some(), schema };
            match what {
                "header" => message.headers.push(parameter),
                "body" => {
                    message.bodies.push(Content { kind: name.into(), schema: parameter.schema });
                }
                "query" => contents.query.push(parameter),
                "path" => contents.path.push(parameter),
                _ => return Err(wrong()),
            }
        }
        Ok(contents)
    }

    /// The program, or what is wrong with the documents: a line each.
    pub(super) fn build(&mut self) -> Result<Program, Vec<String>> {
        let mut faults = Vec::new();
        let (backends, loggers) = (Arc::new(self.backends.clone()), Arc::new(self.loggers.clone()));
        let sidecar = Arc::clone(&self.sidecar);
        let mut references = References { backends, sidecar, loggers, ..References::default() };
        references.authorizations = Arc::new(Authorizations::new(self.authorizations.clone()));
        references.principals = Arc::new(Principals::new(self.principals.clone()));
        references.certificates = Arc::new(Certificates::new(self.certificates.clone()));
        references.fragments = self.read_fragments(&mut faults);
        references.schemas = Arc::new(Library::new(self.schemas.clone()));
        match self.known(&references.schemas) {
            Ok(contents) => self.contents = Arc::new(contents),
            Err(wrong) => return Err(vec![wrong]),
        }
        let mut built: Vec<Document> = Vec::new();
        for scope in SCOPES {
            let mut parts = match self.documents.iter().find(|(known, _)| *known == scope) {
                Some((_, parts)) => parts.clone(),
                None if scope == Scope::Global => Vec::new(),
                None => continue,
            };
            let text = written(scope, &mut parts);
            let mut found = Vec::new();
            let reading = markup::read(&Arc::from(scope.as_str()), &text, &self.names);
            found.extend(reading.faults);
            if let Some(root) = reading.root {
                let name = format!("{scope} test");
                let owner = Owner { scope, name: &name };
                built.push(document::build(&root, owner, &references, &mut found));
            }
            faults.extend(found);
            if let Some((_, kept)) = self.documents.iter_mut().find(|(known, _)| *known == scope) {
                *kept = parts;
            }
        }
        if faults.is_empty() {
            return Ok(Program::compose(&built.iter().collect::<Vec<_>>()));
        }
        Err(faults.iter().map(|fault| self.line(fault)).collect())
    }

    fn read_fragments(&self, faults: &mut Vec<Fault>) -> BTreeMap<Arc<str>, Arc<markup::Element>> {
        let mut known = BTreeMap::new();
        for (id, text) in &self.fragments {
            let file = Arc::from(format!("fragment {id}"));
            let document = format!("<fragment>\n{text}\n</fragment>");
            let reading = markup::read(&file, &document, &self.names);
            faults.extend(reading.faults);
            known.extend(reading.root.map(|root| (Arc::from(id.as_str()), Arc::new(root))));
        }
        known
    }

    fn line(&self, fault: &Fault) -> String {
        let place = self.place(&fault.place);
        let remedy = fault.remedy.as_ref().map(|remedy| format!("; {remedy}"));
        format!("{place}: {}{}", fault.message, remedy.unwrap_or_default())
    }

    /// A place in the words of the case: block, line, column.
    pub(super) fn place(&self, place: &Place) -> String {
        if place.file.starts_with("fragment ") {
            // The start tag stands on a line of its own.
            return format!("{}:{}:{}", place.file, place.line - 1, place.column);
        }
        let parts = self.documents.iter().filter(|(scope, _)| scope.as_str() == &*place.file);
        let mut parts =
            parts.flat_map(|(_, parts)| parts).filter(|part| part.first_line <= place.line);
        match parts.next_back() {
            Some(part) => {
                let line = place.line + 1 - part.first_line;
                format!("{}:{line}:{}", part.label, place.column)
            }
            None => place.to_string(),
        }
    }
}

/// Which document, or which section of it, a block with this label is.
fn place_of(label: &str) -> Option<(Scope, Option<Section>)> {
    let scope = |word: &str| SCOPES.into_iter().find(|scope| scope.as_str() == word);
    let section = |word: &str| Section::ALL.into_iter().find(|section| section.as_str() == word);
    match label.split_once(' ') {
        Some((first, second)) => Some((scope(first)?, Some(section(second)?))),
        None => match section(label) {
            Some(section) => Some((Scope::Product, Some(section))),
            None => Some((scope(label)?, None)),
        },
    }
}

/// The document that the parts make; each learns where it begins.
fn written(scope: Scope, parts: &mut [Part]) -> String {
    if let [Part { section: None, text, .. }] = parts {
        return text.clone();
    }
    let mut text = String::from("<policies>\n");
    for part in parts.iter_mut() {
        let lines = u32::try_from(text.lines().count()).unwrap();
        match part.section {
            Some(section) => {
                part.first_line = lines + 2;
                write!(text, "<{section}>\n{}\n</{section}>\n", part.text).unwrap();
            }
            None => part.first_line = lines + 1,
        }
    }
    let forwards = parts.iter().any(|part| part.section == Some(Section::Backend));
    if scope == Scope::Global && !forwards {
        text.push_str("<backend><forward-request /></backend>\n");
    }
    text.push_str("</policies>\n");
    text
}

/// An identity of the gateway, by the id of its client, and whether it is the usual one.
fn principal(text: &str) -> Principal {
    let (id, usual) = text.split_once(", ").unwrap_or((text, ""));
    Principal {
        client_id: id.into(),
        is_usual: usual == "the usual one",
        endpoint: Url::parse("https://login.example/token").unwrap(),
        proof: Proof::Secret(Secret::new("a secret of it")),
    }
}

/// An authorization, by its provider and id.
fn authorization(name: &str) -> Authorization {
    let (provider, id) = name.split_once('/').unwrap_or((name, ""));
    Authorization {
        provider: provider.into(),
        id: id.into(),
        endpoint: Url::parse("https://login.example/token").unwrap(),
        client_id: "edge".into(),
        proof: Proof::Secret(Secret::new("a secret of it")),
        in_form: false,
        scope: Arc::default(),
        parameters: Vec::new(),
        refresh_token: None,
    }
}
