//! By way of whom a backend is reached, and who the gateway is to it.

use std::sync::Arc;

use super::Validator;
use crate::backend::principal::{CLIENT_ID_BYTES_MAX, RESOURCE_BYTES_MAX, is_name};
use crate::backend::proxy::ForwardProxy;
use crate::configuration::config::NamedValue;
use crate::configuration::document;
use crate::configuration::yaml::Placed;

impl Validator<'_> {
    /// The forward proxy on the way to `backend`, if there is one.
    pub(super) fn proxy(
        &mut self,
        backend: &document::Backend,
        names: &[NamedValue],
    ) -> Option<Arc<ForwardProxy>> {
        let Placed { value: document::Proxy { url, username, password }, mark } =
            backend.proxy.as_ref()?;
        let mark = *mark;
        let mut text = |value, what| self.text_with_named(value, names, what, mark);
        let url = text(url, "the `url` of `proxy`")?;
        let name = username.as_ref().map(|name| text(name, "the `username` of `proxy`"));
        let word = password.as_ref().map(|word| text(word, "the `password` of `proxy`"));
        let proxy = match ForwardProxy::parse(url.expose()) {
            Ok(proxy) => proxy,
            Err(refused) => {
                let remedy = "write its address, such as http://proxy.example:3128";
                self.fault(mark, refused.to_string(), remedy);
                return None;
            }
        };
        let shown = match (name, word) {
            (None, None) => return Some(Arc::new(proxy)),
            (None, Some(_)) => {
                let message = "`proxy` has a `password` and no `username`";
                self.fault(mark, message, "write both, or neither");
                return None;
            }
            (Some(name), None) => proxy.with_basic(name?.expose(), ""),
            (Some(name), Some(word)) => proxy.with_basic(name?.expose(), word?.expose()),
        };
        let refused = |refused: crate::backend::proxy::NoCredentials| {
            self.fault(mark, refused.to_string(), "ask for other credentials");
        };
        shown.map_err(refused).ok().map(Arc::new)
    }

    /// The service that takes tokens, and the client whose one it is; `is_shown`: something else is in
    /// `Authorization`.
    pub(super) fn managed_identity(
        &mut self,
        written: &document::ManagedIdentity,
        is_shown: bool,
    ) -> Option<(Arc<str>, Option<Arc<str>>)> {
        let document::ManagedIdentity { resource, client_id } = written;
        if is_shown {
            let message = "`Authorization` is written twice: by `managedIdentity` and beside it";
            self.fault(resource.mark, message, "remove one of the two");
        }
        let what = ("service", RESOURCE_BYTES_MAX, "https://cognitiveservices.azure.com");
        let service = self.one_name(resource, what)?;
        let what = ("client", CLIENT_ID_BYTES_MAX, "11111111-2222-3333-4444-555555555555");
        let client = match client_id {
            Some(client) => Some(self.one_name(client, what)?),
            None => None,
        };
        Some((service, client))
    }

    fn one_name(
        &mut self,
        written: &Placed<String>,
        (what, bytes_max, such_as): (&str, usize, &str),
    ) -> Option<Arc<str>> {
        if written.mark.is_made_up() {
            return None;
        }
        let text = written.value.trim();
        if !is_name(text, bytes_max) {
            let message = format!("`{}` is not the id of a {what}", written.value);
            self.fault(written.mark, message, format!("write it as {such_as}"));
            return None;
        }
        Some(Arc::from(text))
    }
}
