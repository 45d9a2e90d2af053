//! What policies refer to by name: backends, loggers, certificates and fragments.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::backend::Backend;
use crate::backend::authorization::{Authorization, Authorizations};
use crate::backend::principal::Principals;
use crate::backend::sidecar::Sidecar;
use crate::certificate::known::{Certificates, Named};
use crate::fault::{Fault, Place, nearest};
use crate::policy::disabled::Disabled;
use crate::policy::limits::holding::Holding;
use crate::policy::logging::event_hub::Loggers;
use crate::policy::markup::Element;
use crate::schema::{Library, Schema, Wrong};

/// Every backend, by id.
pub type Backends = BTreeMap<Arc<str>, Arc<Backend>>;

/// What the policies of one configuration may refer to.
#[derive(Debug, Default)]
pub struct References {
    /// Every backend.
    pub backends: Arc<Backends>,
    /// Dapr's sidecar.
    pub sidecar: Arc<Sidecar>,
    /// Every logger.
    pub loggers: Arc<Loggers>,
    /// As whom the gateway gets tokens.
    pub principals: Arc<Principals>,
    /// What it has been allowed at other services.
    pub authorizations: Arc<Authorizations>,
    /// Certificates.
    pub certificates: Arc<Certificates>,
    /// Whether any policy asks for certificates that were taken back.
    pub asks_revocation: Cell<bool>,
    /// How limits are held that do not say it themselves.
    pub holding: Holding,
    /// The `<fragment>` element of every fragment.
    pub fragments: BTreeMap<Arc<str>, Arc<Element>>,
    /// The documents of schemas that policies may name.
    pub schemas: Arc<Library>,
    /// Policies that are switched off.
    pub disabled: Disabled,
    /// Where documents are checked by themselves: what they refer to is taken to exist, and
    /// listed here.
    pub assumed: Option<RefCell<Assumed>>,
}

/// What documents that are checked by themselves refer to.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Assumed {
    /// Ids of backends.
    pub backends: BTreeSet<String>,
    /// Ids of loggers.
    pub loggers: BTreeSet<String>,
    /// Providers and ids of authorizations.
    pub authorizations: BTreeSet<String>,
    /// Ids and thumbprints of certificates.
    pub certificates: BTreeSet<String>,
    /// Ids of fragments.
    pub fragments: BTreeSet<String>,
    /// Ids of schemas.
    pub schemas: BTreeSet<String>,
    /// Words such as `{retries}` that somebody else replaces.
    pub placeholders: BTreeSet<String>,
}

impl References {
    /// The fragment `id`, or a fault at `place`; neither where it is only assumed.
    pub fn fragment(
        &self,
        id: &str,
        place: &Place,
        faults: &mut Vec<Fault>,
    ) -> Option<Arc<Element>> {
        if let Some(known) = self.fragments.get(id) {
            return Some(Arc::clone(known));
        }
        match &self.assumed {
            Some(assumed) => {
                assumed.borrow_mut().fragments.insert(id.to_owned());
            }
            None => faults.push(unknown("fragment", id, place, &names(&self.fragments))),
        }
        None
    }

    /// The schema at `pointer` of the document `id`, or a fault at `place`; neither where it is only
    /// assumed.
    pub fn schema(
        &self,
        id: &str,
        pointer: &str,
        place: &Place,
        faults: &mut Vec<Fault>,
    ) -> Option<Schema> {
        if !self.schemas.has(id) {
            match &self.assumed {
                Some(assumed) => {
                    assumed.borrow_mut().schemas.insert(id.to_owned());
                }
                None => faults.push(unknown(
                    "schema",
                    id,
                    place,
                    &self.schemas.ids().collect::<Vec<_>>(),
                )),
            }
            return None;
        }
        let schema = Schema::referred(&self.schemas, id, pointer);
        let fault = |wrong: Wrong| {
            let message = format!("the schema `{id}{pointer}` {}", wrong.0);
            Fault::new(place.clone(), message).wide(id.len())
        };
        schema.map_err(|wrong| faults.push(fault(wrong))).ok()
    }

    /// Whether the backend `id` exists or is assumed to; else reports a fault at `place`.
    pub fn knows_backend(&self, id: &str, place: &Place, faults: &mut Vec<Fault>) -> bool {
        if self.backends.contains_key(id) {
            return true;
        }
        if let Some(assumed) = &self.assumed {
            assumed.borrow_mut().backends.insert(id.to_owned());
            return true;
        }
        faults.push(unknown("backend", id, place, &names(&self.backends)));
        false
    }

    /// The authorization of a provider and an id, or a fault at `place`; neither where it is only
    /// assumed.
    pub fn authorization(
        &self,
        (provider, id): (&str, &str),
        place: &Place,
        faults: &mut Vec<Fault>,
    ) -> Option<Arc<Authorization>> {
        if let Some(known) = self.authorizations.find(provider, id) {
            return Some(Arc::clone(known));
        }
        let name = format!("{provider}/{id}");
        if let Some(assumed) = &self.assumed {
            assumed.borrow_mut().authorizations.insert(name);
            return None;
        }
        let known: Vec<_> = self.authorizations.iter().map(|it| it.name()).collect();
        let known: Vec<_> = known.iter().map(String::as_str).collect();
        faults.push(unknown("authorization", &name, place, &known));
        None
    }

    /// The certificate that `text` names, or a fault at `place`; neither where it is only assumed.
    pub fn certificate(
        &self,
        by: By,
        text: &str,
        place: &Place,
        faults: &mut Vec<Fault>,
    ) -> Option<Named> {
        if let Some(known) = by.find(&self.certificates, text) {
            return Some(known.clone());
        }
        if let Some(assumed) = &self.assumed {
            assumed.borrow_mut().certificates.insert(text.trim().to_owned());
            return None;
        }
        let message = format!("there is no certificate with the {} `{}`", by.words(), text.trim());
        let fault = Fault::new(place.clone(), message).wide(text.len());
        let known = self.certificates.shown();
        let ids = self.certificates.all().iter().map(|named| &*named.id);
        let near = if by == By::Id { nearest(text.trim(), ids) } else { None };
        faults.push(match near {
            Some(near) => fault.mend(format!("did you mean `{near}`?")),
            None if known.is_empty() => fault.mend("add it to `certificates`"),
            None => {
                fault.mend(format!("there are {known}: correct it, or add it to `certificates`"))
            }
        });
        None
    }

    /// Whether the logger `id` exists or is assumed to; else reports a fault at `place`.
    pub fn knows_logger(&self, id: &str, place: &Place, faults: &mut Vec<Fault>) -> bool {
        if self.loggers.contains_key(id) {
            return true;
        }
        if let Some(assumed) = &self.assumed {
            assumed.borrow_mut().loggers.insert(id.to_owned());
            return true;
        }
        faults.push(unknown("logger", id, place, &names(&self.loggers)));
        false
    }
}

/// By what a certificate is named.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum By {
    /// Its id.
    Id,
    /// Its thumbprint.
    Thumbprint,
}

impl By {
    /// The one of `known` that `text` names.
    pub fn find<'a>(self, known: &'a Certificates, text: &str) -> Option<&'a Named> {
        match self {
            Self::Id => known.get(text),
            Self::Thumbprint => known.with_thumbprint(text),
        }
    }

    /// What people call it.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Thumbprint => "thumbprint",
        }
    }
}

fn unknown(kind: &str, id: &str, place: &Place, known: &[&str]) -> Fault {
    let fault = Fault::new(place.clone(), format!("there is no {kind} `{id}`")).wide(id.len());
    match nearest(id, known.iter().copied()) {
        Some(right) => fault.mend(format!("did you mean `{right}`?")),
        None => fault.mend(format!("add it to `{kind}s`, or correct the name")),
    }
}

fn names<T>(known: &BTreeMap<Arc<str>, T>) -> Vec<&str> {
    known.keys().map(AsRef::as_ref).collect()
}
