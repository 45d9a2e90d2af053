//! Dapr's secret stores, as a configuration is read: the sidecar is asked, and waited for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::time::timeout;

use super::fetching::{fetcher, roots};
use crate::backend::sidecar::Sidecar;
use crate::caller::fetch::Fetcher;
use crate::caller::roots::Roots;
use crate::caller::sidecar::{Unknown, secret};
use crate::configuration::source::{Environment, Folder, Items, Vault, Withheld};
use crate::settings::Settings;
use crate::time::{Clock, SystemClock, Timestamp};

/// How long one secret is waited for.
const WAIT: Duration = Duration::from_secs(3);
/// How long a sidecar that was never there is waited for: it starts at the same time as the gateway.
const START_WAIT: Duration = Duration::from_secs(30);
/// How often it is tried meanwhile.
const START_INTERVAL: Duration = Duration::from_millis(500);

/// The secret stores that a sidecar knows.
#[derive(Debug)]
struct Stores {
    sidecar: Sidecar,
    fetcher: Fetcher,
    clock: Arc<SystemClock>,
    /// Whether a sidecar that was never there is waited for.
    is_awaited: AtomicBool,
}

/// The folder that `settings` name, with the sidecar to be asked for what lies in stores.
pub(super) fn folder(settings: &Settings, clock: &Arc<SystemClock>, roots: Arc<Roots>) -> Folder {
    Folder::at(&settings.configuration.folder).asking(Arc::new(Stores {
        sidecar: settings.dapr.sidecar(),
        fetcher: fetcher(roots),
        clock: Arc::clone(clock),
        is_awaited: AtomicBool::new(true),
    }))
}

/// The same for a command that looks once, and waits for nobody.
pub fn at_once(settings: &Settings, environment: &Environment) -> Arc<dyn Vault> {
    Arc::new(Stores {
        sidecar: settings.dapr.sidecar(),
        fetcher: fetcher(Arc::new(roots(environment))),
        clock: Arc::new(SystemClock::start()),
        is_awaited: AtomicBool::new(false),
    })
}

impl Vault for Stores {
    fn ask(&self, store: &str, name: &str) -> Result<Items, Withheld> {
        let begun = self.clock.now();
        loop {
            let said = self.asked(store, name);
            let is_over = START_WAIT <= self.clock.now().since(begun);
            if is_over || !matches!(said, Err(Withheld::Away)) {
                self.is_awaited.store(false, Ordering::Relaxed);
            }
            if !self.is_awaited.load(Ordering::Relaxed) {
                return said;
            }
            sleep(START_INTERVAL);
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

impl Stores {
    fn asked(&self, store: &str, name: &str) -> Result<Items, Withheld> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|_error| Withheld::Away)?;
        let asking = secret(&self.fetcher, &self.sidecar, (store, name), self.clock.now());
        let said = runtime.block_on(async { timeout(WAIT, asking).await });
        let why = match said {
            Ok(Ok(items)) => return Ok(items),
            Ok(Err(why)) => why,
            Err(_late) => {
                tracing::warn!(store, name, "the Dapr sidecar is late with a secret");
                return Err(Withheld::Away);
            }
        };
        // The sidecar never says what is in a secret when it refuses one.
        tracing::warn!(store, name, %why, "the Dapr sidecar gives no secret");
        Err(match &why {
            Unknown::Refused(refusal) => match refusal.reason {
                "DaprTokenRefused" => Withheld::TokenRefused,
                "ERR_SECRET_STORE_NOT_FOUND" | "ERR_SECRET_STORES_NOT_CONFIGURED" => {
                    Withheld::NoStore
                }
                "ERR_PERMISSION_DENIED" => Withheld::Forbidden,
                "ERR_SECRET_GET" if says_absent(&refusal.message) => Withheld::NoSecret,
                _ => Withheld::Away,
            },
            Unknown::Absent => Withheld::NoSecret,
            Unknown::Unanswered(_) | Unknown::Nonsense => Withheld::Away,
        })
    }
}

/// Whether a store says that it has no such secret. It has one code for that and for all that goes
/// wrong with it.
fn says_absent(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    ["not found", "notfound", "does not exist", "no such"]
        .iter()
        .any(|words| message.contains(words))
}
