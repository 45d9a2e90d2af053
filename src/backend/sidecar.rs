//! Dapr's sidecar as a backend: where it is, and the token that it wants.

use std::sync::Arc;

use http::{HeaderName, HeaderValue};

use crate::backend::{Backend, BaseUrl, Scheme};
use crate::dapr::TOKEN;
use crate::secret::Secret;

/// The port on which a sidecar listens unless it is told otherwise.
const PORT: u16 = 3500;
/// The same for gRPC.
const CALLS_PORT: u16 = 50001;
/// What `set-backend-service` calls it.
pub const ID: &str = "dapr";

/// Dapr's sidecar.
#[derive(Clone, Debug)]
pub struct Sidecar {
    backend: Arc<Backend>,
    token: Option<Secret>,
}

impl Sidecar {
    /// The sidecar at `base`, which has no path, with gRPC at `calls`, and the token that it wants, if
    /// it wants one.
    pub fn new(base: BaseUrl, calls: BaseUrl, token: Option<Secret>) -> Self {
        let shown = token.as_ref().and_then(|token| {
            let mut value = HeaderValue::from_str(token.expose()).ok()?;
            value.set_sensitive(true);
            Some((HeaderName::from_static(TOKEN), value))
        });
        let backend = Arc::new(Backend {
            headers: shown.into_iter().collect(),
            is_sidecar: true,
            calls: Some(Arc::new(calls)),
            ..Backend::at(Arc::from(ID), Arc::new(base))
        });
        Self { backend, token }
    }

    /// Where it usually is: on this machine.
    pub fn usual_base() -> BaseUrl {
        here(PORT, HeaderValue::from_static("127.0.0.1:3500"))
    }

    /// Where it usually takes calls of gRPC.
    pub fn usual_calls() -> BaseUrl {
        here(CALLS_PORT, HeaderValue::from_static("127.0.0.1:50001"))
    }

    /// The sidecar as a backend, which is shown the token with each request.
    pub const fn backend(&self) -> &Arc<Backend> {
        &self.backend
    }

    /// What stands at `path` there.
    pub fn at(&self, path: String) -> BaseUrl {
        BaseUrl { path, ..BaseUrl::clone(&self.backend.base) }
    }

    /// The token that it wants.
    pub const fn token(&self) -> Option<&Secret> {
        self.token.as_ref()
    }
}

fn here(port: u16, authority: HeaderValue) -> BaseUrl {
    BaseUrl {
        scheme: Scheme::Http,
        host: "127.0.0.1".to_owned(),
        port,
        path: String::new(),
        authority,
        socket: None,
    }
}

impl Default for Sidecar {
    fn default() -> Self {
        Self::new(Self::usual_base(), Self::usual_calls(), None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_word_it_is_on_this_machine() {
        let usual = BaseUrl::parse("http://127.0.0.1:3500").unwrap();
        assert_eq!(Sidecar::usual_base(), usual);
        let calls = BaseUrl::parse("http://127.0.0.1:50001").unwrap();
        assert_eq!(Sidecar::usual_calls(), calls);
        assert!(Sidecar::default().backend().headers.is_empty());
    }

    #[test]
    fn its_token_is_shown_to_it_and_to_nobody_else() {
        let token = Some(Secret::new("t0ken"));
        let sidecar = Sidecar::new(Sidecar::usual_base(), Sidecar::usual_calls(), token);
        assert_eq!(sidecar.backend().headers[0].1.as_bytes(), b"t0ken");
        assert!(!format!("{sidecar:?}").contains("t0ken"));
    }
}
