//! The inspector, over the Redis that replicas share, if they do.

use std::sync::Arc;

use super::{StartError, random, shared};
use crate::inspector::Inspector;
use crate::inspector::credential::Key;
use crate::inspector::sharing::Reader;
use crate::settings::Settings;

/// The inspector that `settings` want.
pub(super) fn of(settings: &Settings) -> Result<Arc<Inspector>, StartError> {
    let wanted = &settings.inspector;
    let redis = shared::redis(&settings.redis)?.filter(|_redis| wanted.is_enabled);
    let base = match (wanted.url.as_str(), settings.listen.admin) {
        ("", Some(admin)) => format!("http://{admin}"),
        (url, _) => url.to_owned(),
    };
    let mut inspector = Inspector::new(Key::of(random()?), base, redis.map(Reader::new));
    inspector.is_enabled = wanted.is_enabled;
    inspector.is_legacy = wanted.is_enabled && wanted.is_legacy;
    inspector.is_remote = wanted.is_remote;
    Ok(Arc::new(inspector))
}
