//! What a deployment says of itself, whatever form it is written in.

use crate::configuration::yaml::{Kind as Written, Node};
use crate::fault::Place;
use crate::migration::env::{pair, unquoted};
use crate::migration::finding::Finding;
use crate::migration::page::{Page, at, entries, get, items, pages, text};
use crate::migration::words::commands;
use crate::migration::work::Work;
use crate::migration::{Input, Kind, Options, helm, kind, kubernetes};

use super::tokens::{Token, tokens};
use super::{is_setting, pods};

/// A setting of a gateway, wherever it is written.
#[derive(Debug)]
pub(super) struct Setting {
    pub(super) name: String,
    /// None if it comes from somewhere else.
    pub(super) value: Option<String>,
    pub(super) place: Place,
}

/// What all files say.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "facts that have nothing to do with each other")]
pub(super) struct Facts {
    pub(super) settings: Vec<Setting>,
    pub(super) tokens: Vec<Token>,
    pub(super) images: Vec<(String, Place)>,
    pub(super) findings: Vec<Finding>,
    /// The first manifest that runs a gateway.
    pub(super) gateway: Option<(Place, String)>,
    /// The first one with several replicas.
    pub(super) several: Option<(Place, String)>,
    /// The user that it runs as.
    pub(super) user: Option<String>,
    /// Whether it runs as an app of Container Apps.
    pub(super) is_app: bool,
    pub(super) has_pods: bool,
    pub(super) has_peer_ports: bool,
    pub(super) has_backup: bool,
    pub(super) has_budget: bool,
}

impl Facts {
    /// Takes what one file says.
    pub(super) fn gather(&mut self, input: &Input, options: &Options) {
        self.tokens.extend(tokens(input, options));
        let mut work = Work::on(input, options);
        match kind(input) {
            Kind::Env => {
                for number in 0..work.lines() {
                    let line = work.text_of(number).trim();
                    let found = pair(line).filter(|_| !line.starts_with('#'));
                    if let Some((name, value)) = found {
                        let at = work.line(number);
                        self.setting(&work, at, (name, Some(unquoted(value))));
                    }
                }
            }
            Kind::Commands => {
                for word in commands(work.text).iter().flatten() {
                    let at = word.range.start;
                    match pair(&word.text) {
                        Some((name, value)) => self.setting(&work, at, (name, Some(value))),
                        None if word.text.contains('/') || word.text.starts_with("weir:") => {
                            self.images.push((word.text.clone(), work.place(at)));
                        }
                        None => {}
                    }
                }
            }
            Kind::Yaml => {
                for page in pages(&mut work) {
                    self.page(&work, &page);
                }
            }
            Kind::Other => {}
        }
    }

    fn setting(&mut self, work: &Work<'_>, at: usize, known: (&str, Option<&str>)) {
        let (name, value) = known;
        if is_setting(name) {
            let (name, value) = (name.to_owned(), value.map(str::to_owned));
            self.settings.push(Setting { name, value, place: work.place(at) });
        }
    }

    fn page(&mut self, work: &Work<'_>, page: &Page) {
        let kind = get(&page.root, "kind").and_then(|entry| text(&entry.value));
        let is_chart =
            kind.is_none() && get(&page.root, "services").is_none() && helm::is_values(page);
        if is_chart {
            for (name, value, mark) in helm::settings(page) {
                self.setting(work, work.offset(mark), (&name, Some(&value)));
            }
            if let Some((image, mark)) = helm::image(page) {
                self.images.push((image, work.place(work.offset(mark))));
            }
            return;
        }
        self.has_budget |= kind == Some("PodDisruptionBudget");
        self.is_app |= kubernetes::is_app(page);
        self.node(work, &page.root);
        pods::judge(self, work, page);
    }

    /// Whatever looks like a variable or an image.
    fn node(&mut self, work: &Work<'_>, node: &Node) {
        let named = get(node, "name").and_then(|entry| Some((text(&entry.value)?, entry)));
        if let Some((name, entry)) = named {
            let value = get(node, "value").and_then(|entry| text(&entry.value));
            let is_variable = value.is_some()
                || get(node, "valueFrom").is_some()
                || get(node, "secretRef").is_some();
            if is_variable {
                self.setting(work, work.offset(entry.value.mark), (name, value));
            }
        }
        for entry in entries(node) {
            let offset = work.offset(entry.key.mark);
            match (&entry.value.kind, entry.name()) {
                (Written::Scalar(scalar), "image") => {
                    self.images
                        .push((scalar.text.to_string(), work.place(work.offset(entry.value.mark))));
                }
                (Written::Scalar(_), name) if name.contains('.') || name.starts_with("WEIR_") => {
                    self.setting(work, offset, (name, text(&entry.value)));
                }
                (Written::Scalar(_), _) => {}
                (Written::Map(_) | Written::List(_), _) => self.node(work, &entry.value),
            }
        }
        for item in items(node) {
            match text(item).and_then(pair) {
                Some((name, value)) => {
                    self.setting(work, work.offset(item.mark), (name, Some(value)));
                }
                None => self.node(work, item),
            }
        }
    }
}

/// The text at a path.
pub(super) fn text_at<'n>(node: &'n Node, path: &[&str]) -> Option<&'n str> {
    at(node, path).and_then(text)
}
