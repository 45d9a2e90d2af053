//! Where lines go beside standard output.

use std::io;
use std::sync::Arc;

use crate::app::shared::host;
use crate::settings::Settings;
use crate::telemetry::local::Local;

/// Starts the output that is set, if one is.
pub fn start(settings: &Settings) -> io::Result<Option<Arc<Local>>> {
    let log = &settings.log;
    let Some(target) = log.outputs.target(log.local) else { return Ok(None) };
    let host =
        if settings.replica.name.is_empty() { host() } else { settings.replica.name.clone() };
    Local::start(&target, &host).map(Some)
}
