//! Where limits are counted: in this process, or over a Redis that replicas share.

use std::num::NonZeroU32;

use crate::app::{StartError, shelf};
use crate::counters::redis::settings::{Login, PREFIX, Password, Place, Settings, Tls, Topology};
use crate::counters::shared::Plan;
use crate::settings::{self, Replica};

/// Where the system says what the host is called.
const HOST_NAME_FILE: &str = "/proc/sys/kernel/hostname";

/// The Redis that replicas share; `None` if none is named.
pub(super) fn redis(named: &settings::Redis) -> Result<Option<Settings>, StartError> {
    let Some((topology, over_tls)) = topology(named)? else {
        return Ok(None);
    };
    let login = named.password_file.clone().map(|file| Login {
        user: (!named.user.is_empty()).then(|| named.user.clone()),
        password: Password::File(file),
    });
    if login.is_none() && !named.user.is_empty() {
        return Err(wrong("`redis.user` is set, but no `redis.passwordFile`"));
    }
    let own = match (&named.certificate_file, &named.key_file) {
        (Some(certificate), Some(key)) => Some((certificate.clone(), key.clone())),
        (None, None) => None,
        _ => return Err(wrong("`redis.certificateFile` and `redis.keyFile` go together")),
    };
    let has_files = own.is_some() || named.ca_file.is_some();
    let over_tls = over_tls || named.tls;
    if has_files && !over_tls {
        return Err(wrong(
            "certificates for Redis are set, but not TLS: write rediss:// or redis.tls",
        ));
    }
    let tls = over_tls.then(|| Tls { ca: named.ca_file.clone(), own });
    let prefix = if named.prefix.is_empty() { PREFIX.to_owned() } else { named.prefix.clone() };
    let redis = Settings { topology, login, tls, prefix };
    redis.check().map_err(|unusable| wrong(&unusable.to_string()))?;
    Ok(Some(redis))
}

/// The plan of counters that replicas share; `None` if no Redis is named.
pub(super) fn plan(settings: &settings::Settings) -> Result<Option<Plan>, StartError> {
    let Some(redis) = redis(&settings.redis)? else { return Ok(None) };
    let expected = u32::try_from(settings.replica.expected).ok().and_then(NonZeroU32::new);
    Ok(Some(Plan {
        redis,
        replica: name(&settings.replica)?,
        replicas_expected: expected.unwrap_or(NonZeroU32::MIN),
        journal: settings.replica.journal_folder.clone(),
        shelf: shelf::of(&settings.etcd)?,
    }))
}

/// Where Redis is, and whether its address asks for TLS; `None` if nothing is named.
fn topology(named: &settings::Redis) -> Result<Option<(Topology, bool)>, StartError> {
    let kinds = [!named.url.is_empty(), !named.cluster.is_empty(), !named.sentinels.is_empty()];
    if 1 < kinds.iter().filter(|named| **named).count() {
        return Err(wrong(
            "only one of `redis.url`, `redis.cluster` and `redis.sentinels` can be set",
        ));
    }
    if named.sentinels.is_empty() != named.primary.is_empty() {
        return Err(wrong("`redis.sentinels` and `redis.primary` go together"));
    }
    if !named.url.is_empty() {
        let (place, tls) =
            Place::of_address(&named.url).map_err(|unusable| wrong(&unusable.to_string()))?;
        return Ok(Some((Topology::Single(place), tls)));
    }
    if !named.cluster.is_empty() {
        return Ok(Some((Topology::Cluster(places(&named.cluster, Place::of_server)?), false)));
    }
    if named.sentinels.is_empty() {
        return Ok(None);
    }
    let sentinels = places(&named.sentinels, Place::of_sentinel)?;
    let topology = Topology::Sentinel { name: named.primary.clone(), sentinels, login: None };
    Ok(Some((topology, false)))
}

fn places(
    texts: &[String],
    read: impl Fn(&str) -> Option<Place>,
) -> Result<Vec<Place>, StartError> {
    let place =
        |text: &String| read(text).ok_or_else(|| wrong(&format!("`{text}` is no host:port")));
    texts.iter().map(place).collect()
}

/// What this replica is called.
pub(super) fn name(replica: &Replica) -> Result<String, StartError> {
    if !replica.name.is_empty() {
        return Ok(replica.name.clone());
    }
    let host = host();
    if host.is_empty() {
        return Err(wrong("the host has no name: set `replica.name`"));
    }
    Ok(host)
}

/// What the host is called; empty if nobody says.
pub(super) fn host() -> String {
    let host = std::fs::read_to_string(HOST_NAME_FILE).unwrap_or_default();
    host.trim().to_owned()
}

fn wrong(told: &str) -> StartError {
    StartError::Redis(told.to_owned())
}
