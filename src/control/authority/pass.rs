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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_000_000);
    const END: Timestamp = Timestamp::from_micros(2_000_000);

    /// Takes what it is told for whom it is told, and counts how often it is asked.
    #[derive(Default)]
    struct Told(Mutex<Counted>);

    #[derive(Default)]
    struct Counted {
        known: Vec<Saying>,
        changes: u64,
        asked: u32,
    }

    /// A credential, and whose it is.
    type Saying = (&'static str, Result<&'static str, Refused>);

    impl Told {
        fn say(&self, credential: &'static str, who: Result<&'static str, Refused>) {
            let mut told = self.0.lock().unwrap();
            told.known.insert(0, (credential, who));
            told.changes += 1;
        }

        fn asked(&self) -> u32 {
            self.0.lock().unwrap().asked
        }
    }

    impl Authority for Told {
        fn bearer(&self, shown: Shown<'_>, _now: Timestamp) -> Result<Bearer, Refused> {
            let mut told = self.0.lock().unwrap();
            told.asked += 1;
            let known = told.known.iter().find(|(credential, _)| *credential == shown.credential);
            let who = known.map_or(Err(Refused::Wrong), |(_, who)| who.clone())?;
            Ok(Bearer { gateway: Arc::from(who), until: END, id: Arc::from(who) })
        }

        fn changes(&self) -> u64 {
            self.0.lock().unwrap().changes
        }
    }

    fn shown(credential: &str) -> Shown<'_> {
        Shown { credential, gateway: None }
    }

    #[test]
    fn a_credential_is_judged_again_when_something_changes_and_when_it_ends() {
        let told = Told::default();
        told.say("a", Ok("north"));
        let mut pass = Pass::of(&told, shown("a"), NOW).unwrap();
        assert!(pass.look(&told, NOW).is_ok() && told.asked() == 1);
        told.say("other", Ok("south"));
        assert!(pass.look(&told, NOW).is_ok() && told.asked() == 2);
        assert!(pass.look(&told, NOW).is_ok() && told.asked() == 2);
        told.say("a", Err(Refused::Over("revoked".to_owned())));
        assert!(pass.look(&told, NOW).is_err());
        // What cannot be judged for now is good until it ends.
        told.say("a", Err(Refused::Later("no keys".to_owned())));
        assert!(pass.look(&told, NOW).is_ok());
        assert!(matches!(pass.look(&told, END), Err(Refused::Later(_))));
    }

    #[test]
    fn a_newer_credential_is_of_the_same_gateway_or_changes_nothing() {
        let told = Told::default();
        for (credential, gateway) in [("a", "north"), ("b", "North"), ("c", "south")] {
            told.say(credential, Ok(gateway));
        }
        let mut pass = Pass::of(&told, shown("a"), NOW).unwrap();
        assert!(matches!(pass.renew(&told, "c", NOW), Err(Refused::Over(_))));
        assert_eq!(pass.renew(&told, "x", NOW), Err(Refused::Wrong));
        let long = "a".repeat(CREDENTIAL_BYTES_MAX + 1);
        assert_eq!(pass.renew(&told, &long, NOW), Err(Refused::Wrong));
        assert!(pass.look(&told, NOW).is_ok() && &*pass.bearer().gateway == "north");
        assert!(pass.renew(&told, "b", NOW).is_ok());
        told.say("a", Err(Refused::Wrong));
        assert!(pass.look(&told, NOW).is_ok() && &*pass.bearer().gateway == "North");
        assert!(!format!("{pass:?}").contains("credential"));
    }
}
