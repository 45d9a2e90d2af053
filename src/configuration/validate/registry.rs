//! Which ids there are, to find what refers to them. Ids differ by more than the case of letters.

use std::collections::{BTreeSet, HashMap};

use super::Validator;
use crate::configuration::yaml::{FAULTS_MAX, Mark, Placed};
use crate::fault::nearest;

/// Among how many ids a misspelt one is looked for: comparing it with all would take too long.
const NEAREST_AMONG_MAX: usize = 2_000;

/// The ids of one list.
#[derive(Debug)]
pub(super) struct Registry {
    /// What an item is called, such as "product".
    kind: &'static str,
    /// Indices by folded id; several only for the revisions of an API.
    indices: HashMap<String, Vec<usize>>,
}

impl Registry {
    pub(super) fn new(kind: &'static str) -> Self {
        Self { kind, indices: HashMap::new() }
    }

    /// Adds the item `index` beside others of that id.
    pub(super) fn add(&mut self, id: &str, index: usize) {
        self.indices.entry(id.to_ascii_lowercase()).or_default().push(index);
    }

    /// The items of that id.
    pub(super) fn get(&self, id: &str) -> &[usize] {
        self.indices.get(&id.to_ascii_lowercase()).map_or(&[], Vec::as_slice)
    }

    /// Each id with all its items.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[usize]> {
        self.indices.values().map(Vec::as_slice)
    }
}

impl Validator<'_> {
    /// Checks the id of the item `index` and adds it, unless another item has it.
    pub(super) fn register(
        &mut self,
        registry: &mut Registry,
        first: impl Fn(usize) -> Option<Mark>,
        id: &Placed<String>,
        index: usize,
    ) {
        if id.mark.is_made_up() {
            return;
        }
        self.id(id, registry.kind);
        match registry.get(&id.value).first() {
            Some(other) => {
                let remedy = match first(*other) {
                    Some(mark) => {
                        let place = self.spot(mark).place;
                        format!("rename one of the two; the other is at {place}")
                    }
                    None => "rename it; one of that name always exists".to_owned(),
                };
                let message = format!("there are two {}s `{}`", registry.kind, id.value);
                self.fault(id.mark, message, remedy);
            }
            None => registry.add(&id.value, index),
        }
    }

    /// The items that `id` refers to; that there are none is a fault.
    pub(super) fn resolve<'r>(
        &mut self,
        registry: &'r Registry,
        id: &Placed<String>,
    ) -> &'r [usize] {
        if id.mark.is_made_up() {
            return &[];
        }
        self.look_up(registry, &id.value, id.mark)
    }

    /// The items that `id`, written at `mark`, refers to; that there are none is a fault.
    pub(super) fn look_up<'r>(
        &mut self,
        registry: &'r Registry,
        id: &str,
        mark: Mark,
    ) -> &'r [usize] {
        let found = registry.get(id);
        // Looking for what was meant takes time; nobody reads it past the last fault told.
        if found.is_empty() && self.faults.len() < FAULTS_MAX {
            let kind = registry.kind;
            let is_few = registry.indices.len() <= NEAREST_AMONG_MAX;
            let known = registry.indices.keys().map(String::as_str).filter(|_| is_few);
            // Of several that are equally near, every replica names the same one.
            let known: BTreeSet<&str> = known.collect();
            let remedy = match nearest(id, known) {
                Some(near) => format!("did you mean `{near}`?"),
                None if registry.indices.is_empty() => format!("no {kind} is written anywhere yet"),
                None => format!("write the {kind}, or correct the id"),
            };
            self.fault(mark, format!("there is no {kind} `{id}`"), remedy);
        }
        found
    }

    /// The items that `ids` refer to, ascending; an id twice is a fault.
    pub(super) fn resolve_all(
        &mut self,
        registry: &Registry,
        ids: &[Placed<String>],
    ) -> Vec<usize> {
        let mut all = BTreeSet::new();
        for id in ids {
            let found = self.resolve(registry, id);
            if found.iter().any(|index| all.contains(index)) {
                let message = format!("the {} `{}` is listed twice", registry.kind, id.value);
                self.fault(id.mark, message, "remove one of the two");
            }
            all.extend(found);
        }
        all.into_iter().collect()
    }
}
