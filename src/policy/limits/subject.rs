//! Which requests a part of `rate-limit` or `quota` is for: all, those of an API, those of an
//! operation.

use std::sync::Arc;

use crate::exchange::Exchange;
use crate::policy::build::Builder;
use crate::policy::limits::holding::{Holding, Nature};
use crate::policy::markup::{Element, Text};

/// Which requests a limit is for.
#[derive(Clone, Debug, Default)]
pub(super) struct Subject {
    api: Option<Called>,
    operation: Option<Called>,
}

/// How an API or an operation is called.
#[derive(Clone, Debug)]
enum Called {
    Id(Arc<str>),
    Name(Arc<str>),
}

/// A part of a policy: an element, whom it is for, and how it is held.
pub(super) struct Part<'a> {
    pub(super) element: &'a Element,
    pub(super) subject: Subject,
    pub(super) holding: Holding,
}

/// Calls `read` for `element` and for each `api` and `operation` in it. Those inside are held as
/// those around them unless they say otherwise. Returns how the whole is held.
pub(super) fn each(
    builder: &mut Builder<'_>,
    element: &Element,
    is_quota: bool,
    read: &mut dyn FnMut(&mut Builder<'_>, Part<'_>),
) -> Holding {
    let nature = Nature { is_rate: !is_quota, is_quota, is_late: false, is_nested: false };
    let holding = builder.references.holding.read(builder, element, nature);
    read(builder, Part { element, subject: Subject::default(), holding });
    let nature = Nature { is_nested: true, ..nature };
    for api in element.elements().filter(|child| child.name.as_ref() == "api") {
        let holding = holding.read(builder, api, nature);
        let Some(called) = Called::read(builder, api) else { continue };
        let whole = Subject { api: Some(called), operation: None };
        read(builder, Part { element: api, subject: whole.clone(), holding });
        for operation in api.elements().filter(|child| child.name.as_ref() == "operation") {
            let holding = holding.read(builder, operation, nature);
            if let Some(called) = Called::read(builder, operation) {
                let subject = Subject { operation: Some(called), ..whole.clone() };
                read(builder, Part { element: operation, subject, holding });
            }
        }
    }
    holding
}

impl Called {
    /// `id` wins over `name`.
    fn read(builder: &mut Builder<'_>, element: &Element) -> Option<Self> {
        let name = builder.literal::<Arc<str>>(element, "name");
        let id = element.value("id").map(Text::to_shared);
        let called = id.map(Self::Id).or(name.map(Self::Name));
        if called.is_none() {
            let message = format!("`{}` has neither `id` nor `name`", element.name);
            builder.fault(element, message, "add id=\"…\"");
        }
        called
    }

    /// Ids ignore case, as in the configuration; names are compared as they are written.
    fn is(&self, id: &str, name: &str) -> bool {
        match self {
            Self::Id(wanted) => wanted.eq_ignore_ascii_case(id),
            Self::Name(wanted) => wanted.as_ref() == name,
        }
    }

    fn location(&self) -> [&str; 2] {
        match self {
            Self::Id(id) => ["id", id],
            Self::Name(name) => ["name", name],
        }
    }
}

impl Subject {
    /// Whether the request of `exchange` is one of them.
    pub(super) fn covers(&self, exchange: &Exchange) -> bool {
        let api = self.api.as_ref().is_none_or(|wanted| {
            exchange.api.as_ref().is_some_and(|api| wanted.is(&api.id, &api.name))
        });
        let operation = self.operation.as_ref().is_none_or(|wanted| {
            let called = exchange.operation.as_ref();
            called.is_some_and(|operation| wanted.is(&operation.id, &operation.name))
        });
        api && operation
    }

    /// Whom it is for, in words: nothing for everybody.
    pub(super) fn words(&self) -> Vec<&str> {
        let called = [("api", &self.api), ("operation", &self.operation)];
        let called = called.into_iter().filter_map(|(kind, called)| Some((kind, called.as_ref()?)));
        called
            .flat_map(|(kind, called)| {
                let (Called::Id(name) | Called::Name(name)) = called;
                [kind, name]
            })
            .collect()
    }

    /// The names that lead here from `owner`.
    pub(super) fn location<'a>(&'a self, owner: &'a str) -> Vec<&'a str> {
        let mut location = vec![owner];
        for (kind, called) in [("api", &self.api), ("operation", &self.operation)] {
            if let Some(called) = called {
                location.push(kind);
                location.extend(called.location());
            }
        }
        location
    }
}
