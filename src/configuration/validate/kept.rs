//! What is kept of the last good configuration, so that only what has changed is validated again.
//!
//! Nothing that had a fault is ever kept, and what is kept is taken again only where all that it
//! was made of is the very same. Should validating what is left find any fault, everything is
//! validated anew: so what is wrong is told as if nothing had been kept.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::registry::Registry;
use super::{Validator, validate_beside};
use crate::configuration::config::{Api, Config, Product, Secret, Subscription, User};
use crate::configuration::document::{self, Document, policy_path};
use crate::configuration::items::{Items, Piece};
use crate::configuration::source::{Environment, Reading, Unreadable};
use crate::fault::Fault;
use crate::route::host::Pattern;
use crate::schema::Library;

/// What is kept of the last good configuration. It holds what that one held, and no more.
#[derive(Debug, Default)]
pub struct Kept {
    /// By the number of their file.
    pub(super) apis: HashMap<u32, Arc<KeptPiece>>,
    pub(super) hosts: Vec<Pattern>,
    pub(super) version_sets: Items<document::VersionSet>,
    pub(super) schemas: Option<(Items<document::SchemaDocument>, Arc<Library>)>,
    pub(super) groups: Items<document::Group>,
    pub(super) users: Option<KeptUsers>,
    pub(super) subscriptions: Option<KeptSubscriptions>,
}

/// The APIs of one file.
#[derive(Debug)]
pub(super) struct KeptPiece {
    written: Arc<[document::Api]>,
    /// The policy documents that they name, and their texts.
    policies: Vec<(String, Arc<str>)>,
    pub(super) meant: Vec<Arc<Api>>,
}

/// All users.
#[derive(Clone, Debug)]
pub(super) struct KeptUsers {
    pub(super) written: Items<document::User>,
    pub(super) users: Arc<[User]>,
    pub(super) ids: Arc<Registry>,
}

/// All subscriptions.
#[derive(Clone, Debug)]
pub(super) struct KeptSubscriptions {
    pub(super) written: Items<document::Subscription>,
    pub(super) context: Context,
    pub(super) meant: Items<Subscription>,
}

/// What a subscription may refer to.
#[derive(Clone, Debug)]
pub(super) struct Context {
    products: Vec<Arc<str>>,
    apis: Vec<Arc<str>>,
    users: Items<document::User>,
    secrets: BTreeMap<String, Result<Secret, Unreadable>>,
    environment: Environment,
}

impl PartialEq for Context {
    fn eq(&self, other: &Self) -> bool {
        self.users.is_same(&other.users)
            && self.products == other.products
            && self.apis == other.apis
            && self.secrets == other.secrets
            && self.environment == other.environment
    }
}

/// What one file says, and what it means.
type Both = (Arc<[document::Subscription]>, Arc<[Subscription]>);

impl Kept {
    /// The same as [`validate`](super::validate), but for the time it takes.
    pub fn validate(
        &mut self,
        document: &Document,
        reading: &Reading,
        environment: &Environment,
        faults: Vec<Fault>,
    ) -> (Config, Vec<Fault>) {
        if faults.is_empty() && !document.is_torn {
            let (config, found, keeps) =
                validate_beside(self, document, reading, environment, Vec::new());
            if found.is_empty() {
                *self = keeps;
                return (config, found);
            }
        }
        super::validate(document, reading, environment, faults)
    }
}

impl KeptPiece {
    pub(super) fn new(
        piece: &Piece<document::Api>,
        meant: Vec<Arc<Api>>,
        reading: &Reading,
    ) -> Self {
        let paths = piece.items.iter().flat_map(document::Api::policies).filter_map(policy_path);
        let text = |path: &str| reading.policies.get(path)?.as_ref().ok().map(Arc::clone);
        let policies = paths.filter_map(|path| Some((path.to_owned(), text(path)?))).collect();
        Self { written: Arc::clone(&piece.items), policies, meant }
    }

    /// Whether it was made of `piece` and of the policies that there are; `only` says which APIs
    /// are the only ones of their ids.
    fn is_of(&self, piece: &Piece<document::Api>, only: &[bool], reading: &Reading) -> bool {
        let same = |(path, text): &(String, Arc<str>)| {
            let now = reading.policies.get(path).and_then(|now| now.as_ref().ok());
            now.is_some_and(|now| Arc::ptr_eq(now, text))
        };
        let current = |(meant, (written, only)): (&Arc<Api>, (&document::Api, &bool))| {
            let says = written.is_current.as_ref().is_some_and(|it| it.value);
            meant.is_current == (says || *only)
        };
        Arc::ptr_eq(&self.written, &piece.items)
            && self.policies.iter().all(same)
            && self.meant.iter().zip(piece.items.iter().zip(only)).all(current)
    }
}

/// What is kept of APIs, where nothing has changed that all of them depend on.
#[derive(Clone, Copy)]
pub(super) struct KeptApis<'a>(&'a HashMap<u32, Arc<KeptPiece>>);

impl<'a> KeptApis<'a> {
    /// What is kept of `piece`.
    pub(super) fn of(
        self,
        piece: &Piece<document::Api>,
        only: &[bool],
        reading: &Reading,
    ) -> Option<&'a Arc<KeptPiece>> {
        self.0.get(&piece.file).filter(|kept| kept.is_of(piece, only, reading))
    }
}

impl KeptSubscriptions {
    /// What is kept of each file, by its number.
    pub(super) fn pieces(&self) -> HashMap<u32, Both> {
        let meant = self.meant.pieces().iter();
        let both = self.written.pieces().iter().zip(meant).map(|(written, meant)| {
            (written.file, (Arc::clone(&written.items), Arc::clone(&meant.items)))
        });
        both.collect()
    }
}

impl<'a> Validator<'a> {
    pub(super) fn kept_apis(&self, hosts: &[Pattern]) -> Option<KeptApis<'a>> {
        let same =
            self.kept.version_sets.is_same(&self.document.version_sets) && self.kept.hosts == hosts;
        let known = self.kept.schemas.as_ref();
        let same = same && known.is_some_and(|(_, library)| Arc::ptr_eq(library, &self.schemas));
        same.then_some(KeptApis(&self.kept.apis))
    }

    pub(super) fn kept_users(&self) -> Option<&'a KeptUsers> {
        let kept = self.kept.users.as_ref()?;
        let same = self.kept.groups.is_same(&self.document.groups)
            && kept.written.is_same(&self.document.users);
        same.then_some(kept)
    }

    pub(super) fn context(&self, products: &[Product], apis: &[Arc<Api>]) -> Context {
        Context {
            products: products.iter().map(|product| Arc::clone(&product.id)).collect(),
            apis: apis.iter().map(|api| Arc::clone(&api.id)).collect(),
            users: self.document.users.clone(),
            secrets: self.reading.secrets.clone(),
            environment: self.environment.clone(),
        }
    }
}
