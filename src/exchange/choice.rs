//! Which backend gets a request that is about to be sent: a member of a pool for every try, or the
//! one that a policy chose, if it may be asked.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderValue;
use http::header::COOKIE;

use crate::backend::Backend;
use crate::backend::pool::turn::Set;
use crate::backend::pool::{Asked, Balancing, HashSource, Seat, Terms};
use crate::backend::standing::Unavailable;
use crate::exchange::Exchange;
use crate::time::Timestamp;

/// The pool that a policy chose, and who of it was tried.
#[derive(Debug)]
pub struct Choice {
    /// The pool.
    pub pool: Arc<Backend>,
    /// The place of the member that was tried last, held while the exchange lasts.
    seat: Option<Seat>,
    tried: Set,
    /// What the session's cookie is to say, where that is new to the client.
    session: Option<String>,
}

/// The backend that gets a request of a policy.
#[derive(Debug)]
pub struct Callee {
    /// Which one.
    pub backend: Arc<Backend>,
    /// Its place in its pool, held while the request lasts.
    #[expect(dead_code, reason = "it is there to be dropped")]
    seat: Option<Seat>,
}

impl Choice {
    /// Nobody was tried yet.
    const fn of(pool: Arc<Backend>) -> Self {
        Self { pool, seat: None, tried: Set::EMPTY, session: None }
    }
}

impl Exchange {
    /// The request is to go to `backend`. A pool that was chosen before knows still who was tried.
    pub fn set_backend(&mut self, backend: &Arc<Backend>) {
        self.request.base = Arc::clone(&backend.base);
        let known = self.choice.take().filter(|choice| Arc::ptr_eq(&choice.pool, backend));
        if backend.pool.is_some() {
            let new = || Box::new(Choice::of(Arc::clone(backend)));
            self.choice = Some(known.unwrap_or_else(new));
        }
        self.backend = Some(Arc::clone(backend));
    }

    /// The request is to go to a URL, and to no backend of the configuration.
    pub fn unset_backend(&mut self) {
        (self.choice, self.backend) = (None, None);
    }

    /// Decides who gets the request now; whose turn it is, if it is to go to a pool.
    pub fn choose_backend(&mut self, now: Timestamp) -> Result<(), Unavailable> {
        let Some(mut choice) = self.choice.take() else {
            let refusal = self.backend.as_ref().and_then(|backend| backend.refusal(now));
            return refusal.map_or(Ok(()), Err);
        };
        let chosen = self.choose(&mut choice, now);
        self.choice = Some(choice);
        let backend = chosen?;
        self.request.base = Arc::clone(&backend.base);
        self.backend = Some(backend);
        Ok(())
    }

    fn choose(&self, choice: &mut Choice, now: Timestamp) -> Result<Arc<Backend>, Unavailable> {
        let pool = choice.pool.pool.as_ref().ok_or(Unavailable::SOON)?;
        let last = choice.seat.take().map(|seat| seat.place);
        let asked = Asked { tried: choice.tried, last, ..self.asked(&pool.terms, now) };
        let key = self.hashed(&pool.terms);
        let chosen = pool.choose(&Asked { key: key.as_deref(), ..asked })?;
        choice.tried = choice.tried.with(chosen.seat.place);
        (choice.seat, choice.session) = (Some(chosen.seat), chosen.session);
        Ok(chosen.backend)
    }

    /// Who gets a request of a policy to `backend`: itself, or the member of it whose turn it is.
    pub fn callee(&self, backend: &Arc<Backend>) -> Result<Callee, Unavailable> {
        let Some(pool) = &backend.pool else {
            let refusal = backend.refusal(self.now);
            let callee = Callee { backend: Arc::clone(backend), seat: None };
            return refusal.map_or(Ok(callee), Err);
        };
        let key = self.hashed(&pool.terms);
        let asked = Asked { now: self.now, key: key.as_deref(), ..Asked::default() };
        let chosen = pool.choose(&asked)?;
        Ok(Callee { backend: chosen.backend, seat: Some(chosen.seat) })
    }

    fn asked(&self, terms: &Terms, now: Timestamp) -> Asked<'_> {
        let session = terms.session_cookie.as_ref().and_then(|name| self.cookie(name));
        Asked { now, session, ..Asked::default() }
    }

    /// What consistent hashing goes by.
    fn hashed(&self, terms: &Terms) -> Option<Cow<'_, [u8]>> {
        let Balancing::ConsistentHash(source) = &terms.balancing else { return None };
        match source {
            HashSource::Header(name) => {
                Some(Cow::Borrowed(self.request.headers.map().get(name)?.as_bytes()))
            }
            HashSource::Cookie(name) => Some(Cow::Borrowed(self.cookie(name)?.as_bytes())),
            HashSource::ClientAddress => Some(Cow::Owned(match self.client? {
                IpAddr::V4(address) => address.octets().to_vec(),
                IpAddr::V6(address) => address.octets().to_vec(),
            })),
            HashSource::Path => Some(Cow::Borrowed(self.original.path.as_bytes())),
        }
    }

    /// The value of a cookie that the request has.
    fn cookie(&self, name: &str) -> Option<&str> {
        let fields = self.request.headers.map().get_all(COOKIE).iter();
        let cookies = fields.filter_map(|field| field.to_str().ok()).flat_map(|it| it.split(';'));
        let mut pairs = cookies.filter_map(|cookie| cookie.trim().split_once('='));
        pairs.find(|(known, _value)| *known == name).map(|(_known, value)| value)
    }

    /// The last try came to nothing: its member does not keep the session.
    pub fn forget_session(&mut self) {
        if let Some(choice) = &mut self.choice {
            choice.session = None;
        }
    }

    /// The cookie that the client is to be given.
    pub fn session_cookie(&self) -> Option<HeaderValue> {
        let choice = self.choice.as_ref()?;
        let name = choice.pool.pool.as_ref()?.terms.session_cookie.as_ref()?;
        let session = choice.session.as_ref()?;
        let secure = if self.original.scheme.is_secure() { "; Secure" } else { "" };
        HeaderValue::try_from(format!("{name}={session}; Path=/; HttpOnly{secure}")).ok()
    }
}
