//! TLS with backends as the settings want it, and its lists of revoked certificates, looked at again.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::app::StartError;
use crate::caller::Caller;
use crate::caller::revocation::Revocation;
use crate::caller::roots::Roots;
use crate::caller::secure::Securing;
use crate::settings::Settings;
use crate::time::{Clock, SystemClock};

/// How often lists of revoked certificates are looked at again.
const REFRESH_INTERVAL: Duration = Duration::from_secs(30);

/// What makes TLS connections with backends.
pub(super) fn securing(settings: &Settings, roots: &Arc<Roots>) -> Result<Securing, StartError> {
    let tls = &settings.backends.tls;
    let revocation = Revocation::read(tls.revocation, tls.revocation_files.clone())?;
    Ok(Securing::with(Arc::clone(roots), tls.usual(), Arc::new(revocation)))
}

/// Looks at the lists of revoked certificates again and again. What they say counts from then on, for
/// connections that stand as well.
pub(super) async fn keep(caller: Arc<Caller>, clock: Arc<SystemClock>) {
    let revocation = Arc::clone(caller.securing().revocation());
    if !revocation.has_files() {
        return;
    }
    tell_overdue(&revocation, &clock);
    let mut interval = interval(REFRESH_INTERVAL);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_told = false;
    loop {
        interval.tick().await;
        let read = Arc::clone(&revocation);
        // Files may be slow, and a list large.
        let Ok(read) = tokio::task::spawn_blocking(move || read.refresh()).await else { continue };
        match read {
            Ok(true) => {
                caller.forget_secure();
                tracing::info!("the lists of revoked certificates changed and are in force");
                tell_overdue(&revocation, &clock);
                is_told = false;
            }
            Ok(false) => is_told = false,
            Err(error) if !is_told => {
                tracing::warn!(%error, "a list of revoked certificates cannot be read; those read before stay in force");
                is_told = true;
            }
            Err(_same) => (),
        }
    }
}

fn tell_overdue(revocation: &Revocation, clock: &SystemClock) {
    if let Some(since) = revocation.overdue(clock.now()) {
        tracing::warn!(
            since,
            "a list of revoked certificates should have been replaced; it still counts"
        );
    }
}
