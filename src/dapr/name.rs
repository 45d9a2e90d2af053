//! Names that become part of a path at the sidecar: apps, components, topics. One that could lead
//! elsewhere is none.

use std::fmt;
use std::sync::Arc;

use super::method::encoded;

/// The longest name of an app or of a component, in bytes: as long as one of Kubernetes may be.
pub const NAME_BYTES_MAX: usize = 253;
/// The longest topic, in bytes.
pub const TOPIC_BYTES_MAX: usize = 512;

/// An app, with its namespace if it says so.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct App(Arc<str>);

/// A component: something that events are published with, a binding, a store.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Component(Arc<str>);

/// A topic, as a path has it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Topic(Arc<str>);

/// Why a text is no name.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NoName {
    /// An app is named by its id, never by its address.
    #[error("a URL is no app: it is named by its app id")]
    Url,
    /// More than one dot, or one with a namespace of its own beside it.
    #[error("an app id has a dot only before its namespace, and one namespace")]
    Dots,
    /// Empty, too long, or with characters that no name has.
    #[error(
        "a name has letters, digits, `.`, `-` and `_`, and at most {NAME_BYTES_MAX} characters"
    )]
    Form,
    /// The same of a topic.
    #[error(
        "a topic has steps with `/` between, none of them empty, `.` or `..`, without `\\`, `%`, `?` \
         and `#`, and at most {TOPIC_BYTES_MAX} bytes"
    )]
    Topic,
}

impl App {
    /// The app `id`, in `namespace` if there is one. An id may have its namespace behind a dot
    /// itself.
    pub fn new(id: &str, namespace: Option<&str>) -> Result<Self, NoName> {
        let (id, namespace) = (id.trim(), namespace.map(str::trim));
        if id.contains("://") {
            return Err(NoName::Url);
        }
        for name in [Some(id), namespace].into_iter().flatten() {
            plain(name)?;
        }
        let dots = id.matches('.').count();
        match namespace {
            None if dots <= 1 && !id.starts_with('.') && !id.ends_with('.') => {
                Ok(Self(Arc::from(id)))
            }
            Some(namespace) if dots == 0 && !namespace.contains('.') => {
                Ok(Self(Arc::from(format!("{id}.{namespace}"))))
            }
            None | Some(_) => Err(NoName::Dots),
        }
    }
}

impl Component {
    /// The component `name`.
    pub fn new(name: &str) -> Result<Self, NoName> {
        let name = name.trim();
        plain(name)?;
        Ok(Self(Arc::from(name)))
    }
}

impl Topic {
    /// The topic `name`. What a path cannot have is percent-encoded.
    pub fn new(name: &str) -> Result<Self, NoName> {
        let name = name.trim();
        let is_step = |step: &str| {
            !matches!(step, "" | "." | "..")
                && !step.contains(['\\', '%', '?', '#'])
                && !step.contains(char::is_control)
        };
        if TOPIC_BYTES_MAX < name.len() || !name.split('/').all(is_step) {
            return Err(NoName::Topic);
        }
        Ok(Self(Arc::from(encoded(name))))
    }
}

fn plain(name: &str) -> Result<(), NoName> {
    let is_known = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    let is_name = name.len() <= NAME_BYTES_MAX
        && name.bytes().all(is_known)
        && name.bytes().any(|byte| byte.is_ascii_alphanumeric());
    if is_name { Ok(()) } else { Err(NoName::Form) }
}

impl fmt::Display for App {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Display for Component {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_has_one_namespace_at_most() {
        let app = |id, namespace| App::new(id, namespace).map(|app| app.to_string());
        assert_eq!(app("orders", None).unwrap(), "orders");
        assert_eq!(app(" orders ", Some("prod")).unwrap(), "orders.prod");
        assert_eq!(app("orders.prod", None).unwrap(), "orders.prod");
        for (id, namespace, refused) in [
            ("orders.prod", Some("test"), NoName::Dots),
            ("orders", Some("prod.test"), NoName::Dots),
            ("a.b.c", None, NoName::Dots),
            (".a", None, NoName::Dots),
            ("a.", None, NoName::Dots),
            ("", None, NoName::Form),
            ("orders", Some(""), NoName::Form),
            ("..", None, NoName::Form),
            ("a/b", None, NoName::Form),
            ("a%2Fb", None, NoName::Form),
            ("a?b", None, NoName::Form),
            ("http://169.254.169.254", None, NoName::Url),
        ] {
            assert_eq!(app(id, namespace), Err(refused), "{id} {namespace:?}");
        }
        assert_eq!(app(&"a".repeat(NAME_BYTES_MAX + 1), None), Err(NoName::Form));
    }

    #[test]
    fn a_topic_may_have_steps_and_a_component_has_none() {
        let topic = |name| Topic::new(name).map(|topic| topic.to_string());
        assert_eq!(topic("orders/new").unwrap(), "orders/new");
        assert_eq!(topic("neue Aufträge").unwrap(), "neue%20Auftr%C3%A4ge");
        for name in ["", "/a", "a/", "a//b", "a/../b", ".", "a%2fb", "a?b", "a\\b", "a\nb"] {
            assert_eq!(topic(name), Err(NoName::Topic), "{name}");
        }
        assert_eq!(Component::new("my-pubsub").unwrap().to_string(), "my-pubsub");
        for name in ["", "a/b", "..", "a b", "a%2fb"] {
            assert_eq!(Component::new(name), Err(NoName::Form), "{name}");
        }
    }
}
