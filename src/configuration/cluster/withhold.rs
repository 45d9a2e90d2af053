//! What the leader does not publish by itself, because it takes too much away.

use std::sync::Arc;

use super::Cluster;
use super::lead::Term;
use super::pile::fetch;
use super::publication::{Failed, InForce};
use super::record::{Current, Withheld, told};
use super::source::Found;
use crate::configuration::bundle::{Bundle, Digest};
use crate::configuration::guard::{Destructive, guard};

impl Cluster {
    /// Has what the configuration in force has at hand for when another one comes, where the source
    /// has that configuration too: to find it out from the store takes as long as to validate it.
    pub(super) async fn keep_in_mind(
        &self,
        term: &mut Term<'_>,
        seen: &InForce,
        found: Option<&Found>,
    ) {
        let (Some(current), Some(found)) = (&seen.current, found) else { return };
        let is_known = term.inventory.as_ref().is_some_and(|(known, _)| *known == current.digest);
        if !is_known && found.bundle.digest().to_string() == current.digest {
            let inventory = self.source.inventory(&found.bundle).await;
            term.inventory = Some((current.digest.clone(), inventory));
        }
    }

    /// What `bundle` takes away of what is in force, if that is more than may go unsaid.
    pub(super) async fn takes_away(
        &self,
        term: &mut Term<'_>,
        seen: &InForce,
        bundle: &Arc<Bundle>,
    ) -> Result<Option<Destructive>, Failed> {
        let Some(current) = &seen.current else { return Ok(None) };
        let both = (current.digest.clone(), *bundle.digest());
        if let Some((compared, much)) = &term.compared
            && *compared == both
        {
            return Ok(Some(much.clone()));
        }
        if term.inventory.as_ref().is_none_or(|(digest, _)| *digest != current.digest) {
            let inventory = match fetch(term.press.store, current.number, Some(bundle)).await {
                Ok(old) => self.source.inventory(&Arc::new(old)).await,
                // What nobody can read any more has nothing that could be taken away.
                Err(Failed::Damaged(..) | Failed::Unsound(_)) => None,
                Err(failed) => return Err(failed),
            };
            term.inventory = Some((current.digest.clone(), inventory));
        }
        let old = term.inventory.as_ref().and_then(|(_digest, old)| old.as_ref());
        let new = self.source.inventory(bundle).await;
        let much = old.zip(new.as_ref()).and_then(|(old, new)| guard(old, new).err());
        match &much {
            Some(much) => term.compared = Some((both, much.clone())),
            // It is what is in force next.
            None => term.inventory = Some((bundle.digest().to_string(), new)),
        }
        Ok(much)
    }

    /// Says that the configuration with this digest is not published, and why; whether that is
    /// news.
    pub(super) async fn withhold(
        &self,
        term: &Term<'_>,
        seen: &InForce,
        (digest, much): (Digest, &Destructive),
    ) -> Result<bool, Failed> {
        let Some(current) = &seen.current else { return Ok(false) };
        let digest = digest.to_string();
        if current.withheld.as_ref().is_some_and(|withheld| withheld.digest == digest) {
            return Ok(false);
        }
        let why = told(&much.to_string());
        tracing::error!(
            digest,
            "what the source has is not published: {why}. Whoever means it says so: `weir rollout \
             force --reason …`, or at a control plane `weir control publish --force --reason …`"
        );
        let since = self.clock.now().micros().checked_div(1_000).unwrap_or(0);
        let withheld = Some(Withheld { digest, why, since });
        let current = Current { withheld, epoch: term.press.epoch, ..current.clone() };
        term.press.stage(&current, seen).await.map(|()| true)
    }
}
