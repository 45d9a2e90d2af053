//! What a replica shows for as long as its stream lasts: looked at again, and replaced by a newer
//! one without another stream.

use std::fmt;
use std::sync::Arc;

use super::{Authority, Bearer, CREDENTIAL_BYTES_MAX, Refused, Shown};
use crate::secret::Secret;
use crate::time::Timestamp;

/// A credential that is good, and whose it is.
#[derive(Clone)]
pub struct Pass {
    credential: Secret,
    /// The gateway that is meant, where the credential may be several.
    wanted: Option<Arc<str>>,
    bearer: Bearer,
    /// What the authority had counted when it was looked at.
    changes: u64,
}

impl Pass {
    /// What is shown, if it is good.
    pub fn of(
        authority: &dyn Authority,
        shown: Shown<'_>,
        now: Timestamp,
    ) -> Result<Self, Refused> {
        if CREDENTIAL_BYTES_MAX < shown.credential.len() {
            return Err(Refused::Wrong);
        }
        // Before it is judged: what changes meanwhile makes it be looked at again.
        let changes = authority.changes();
        let bearer = authority.bearer(shown, now)?;
        let credential = Secret::new(shown.credential);
        Ok(Self { credential, wanted: shown.gateway.map(Arc::from), bearer, changes })
    }

    /// Who it is.
    pub const fn bearer(&self) -> &Bearer {
        &self.bearer
    }

    /// Looks whether it is still good: it may have ended, or be revoked.
    pub fn look(&mut self, authority: &dyn Authority, now: Timestamp) -> Result<(), Refused> {
        if self.changes == authority.changes() && now < self.bearer.until {
            return Ok(());
        }
        let credential = self.credential.clone();
        match self.renew(authority, credential.expose(), now) {
            // The keys of its issuer are looked for elsewhere now: until they are there, what was
            // good is.
            Err(Refused::Later(_)) if now < self.bearer.until => Ok(()),
            looked => looked,
        }
    }

    /// Takes `credential` in its place, if it is as good and of the same gateway.
    pub fn renew(
        &mut self,
        authority: &dyn Authority,
        credential: &str,
        now: Timestamp,
    ) -> Result<(), Refused> {
        let wanted = self.wanted.clone();
        let pass = Self::of(authority, Shown { credential, gateway: wanted.as_deref() }, now)?;
        if !pass.bearer.gateway.eq_ignore_ascii_case(&self.bearer.gateway) {
            return Err(Refused::Over(format!(
                "it is of the gateway `{}` now",
                pass.bearer.gateway
            )));
        }
        *self = pass;
        Ok(())
    }
}

impl fmt::Debug for Pass {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Pass").field("bearer", &self.bearer).finish_non_exhaustive()
    }
}
