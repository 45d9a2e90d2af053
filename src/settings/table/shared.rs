//! The settings of what replicas share: Redis, etcd, one configuration, and who each is.

use std::time::Duration;

use super::{HOUR, Row, SECOND, row};
use crate::settings::value::{Expected, count, flag, list, path_or_none, span};

/// The settings of what replicas share.
pub(super) const ROWS: &[Row] = &[
    row!(
        "redis.url",
        "",
        "Redis that replicas share limits over, redis://host:port or rediss:// with TLS.",
        redis.url = |text| Ok::<_, Expected>(text.to_owned())
    ),
    row!(
        "redis.cluster",
        "",
        "Instead: host:port of some nodes of a Redis Cluster, with commas between.",
        redis.cluster = |text| Ok::<_, Expected>(list(text))
    ),
    row!(
        "redis.sentinels",
        "",
        "Instead: host:port of sentinels, with commas between.",
        redis.sentinels = |text| Ok::<_, Expected>(list(text))
    ),
    row!(
        "redis.primary",
        "",
        "What the sentinels call the primary.",
        redis.primary = |text| Ok::<_, Expected>(text.to_owned())
    ),
    row!(
        "redis.user",
        "",
        "User of Redis; its default user if not set.",
        redis.user = |text| Ok::<_, Expected>(text.to_owned())
    ),
    row!(
        "redis.passwordFile",
        "",
        "File with the password of Redis; read for each connection.",
        redis.password_file = |text| Ok::<_, Expected>(path_or_none(text))
    ),
    row!(
        "redis.tls",
        "false",
        "Whether to speak TLS with Redis; a rediss:// address says so too.",
        redis.tls = |text| flag(text)
    ),
    row!(
        "redis.caFile",
        "",
        "PEM file of the authorities for Redis; those of the machine if not set.",
        redis.ca_file = |text| Ok::<_, Expected>(path_or_none(text))
    ),
    row!(
        "redis.certificateFile",
        "",
        "PEM file of our certificate for Redis.",
        redis.certificate_file = |text| Ok::<_, Expected>(path_or_none(text))
    ),
    row!(
        "redis.keyFile",
        "",
        "PEM file of its private key.",
        redis.key_file = |text| Ok::<_, Expected>(path_or_none(text))
    ),
    row!(
        "redis.prefix",
        "weir:",
        "What all keys in Redis begin with; gateways with the same prefix share limits.",
        redis.prefix = |text| Ok::<_, Expected>(text.to_owned())
    ),
    row!(
        "etcd.endpoints",
        "",
        "etcd that replicas share: http://host:2379 or https:// of each member, with commas between.",
        etcd.endpoints = |text| Ok::<_, Expected>(list(text))
    ),
    row!(
        "etcd.user",
        "",
        "User of etcd; whom the certificate names if not set.",
        etcd.user = |text| Ok::<_, Expected>(text.to_owned())
    ),
    row!(
        "etcd.passwordFile",
        "",
        "File with the password of etcd; read for each connection.",
        etcd.password_file = |text| Ok::<_, Expected>(path_or_none(text))
    ),
    row!(
        "etcd.caFile",
        "",
        "PEM file of the authorities for etcd; those of the machine if not set.",
        etcd.ca_file = |text| Ok::<_, Expected>(path_or_none(text))
    ),
    row!(
        "etcd.certificateFile",
        "",
        "PEM file of our certificate for etcd.",
        etcd.certificate_file = |text| Ok::<_, Expected>(path_or_none(text))
    ),
    row!(
        "etcd.keyFile",
        "",
        "PEM file of its private key.",
        etcd.key_file = |text| Ok::<_, Expected>(path_or_none(text))
    ),
    row!(
        "etcd.prefix",
        "/weir/",
        "What all keys in etcd begin with; gateways with the same prefix share one Redis.",
        etcd.prefix = |text| Ok::<_, Expected>(text.to_owned())
    ),
    row!(
        "cluster.configuration",
        "true",
        "Whether replicas that share an etcd share one configuration, which one of them refreshes.",
        cluster.shares_configuration = |text| flag(text)
    ),
    row!(
        "cluster.lease",
        "10s",
        "How long a replica that is silent counts as alive; after that another one may refresh.",
        cluster.lease = |text| span(text, SECOND, HOUR)
    ),
    row!(
        "cluster.rolloutHold",
        "60s",
        "How long a configuration has to hold on a tenth of the replicas first; 0s for no stages.",
        cluster.rollout_hold = |text| span(text, Duration::ZERO, HOUR)
    ),
    row!(
        "replica.name",
        "",
        "Name of this replica, the same after a restart; that of the host if not set.",
        replica.name = |text| Ok::<_, Expected>(text.to_owned())
    ),
    row!(
        "replica.expected",
        "1",
        "How many replicas there are, about; asked only until Redis is heard of.",
        replica.expected = |text| count(text, 1, 10_000)
    ),
    row!(
        "replica.journalFolder",
        "",
        "Folder of this replica alone for its use of quotas that Redis has not heard of, and a copy of their totals.",
        replica.journal_folder = |text| Ok::<_, Expected>(path_or_none(text))
    ),
];
