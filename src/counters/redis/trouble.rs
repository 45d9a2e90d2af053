//! What can be wrong with a Redis, each by its name and with what to do about it.

use redis::RedisError;

/// Why a primary does not sell. Its text is one sentence for the log, and says what to do where
/// somebody can do something.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Trouble {
    /// It cannot be connected to, or the connection broke.
    #[error("Redis cannot be reached: {0}")]
    Unreachable(String),
    /// It keeps the connection and says nothing.
    #[error("Redis does not answer any more; see whether it is overloaded, stopped or cut off")]
    Silent,
    /// TLS could not be agreed upon.
    #[error(
        "TLS to Redis failed: {0}; check the CA file, the host name and the client certificate"
    )]
    Tls(String),
    /// `NOAUTH`, `WRONGPASS`: it does not know who asks.
    #[error("Redis refuses the login ({0}); check the user name and the password")]
    Login(String),
    /// `NOPERM`, or keys that the user may not touch.
    #[error("Redis does not allow what is needed ({0}); the documentation has the ACL line")]
    NoPermission(String),
    /// `READONLY`, `MASTERDOWN`, or it says itself that it is a replica.
    #[error(
        "Redis is a replica here and only the primary sells: it is looked for; if that lasts, let \
         redis.url name the primary, or name the sentinels"
    )]
    NotPrimary,
    /// `LOADING`.
    #[error("Redis is still loading its data: it is waited for")]
    Loading,
    /// `MOVED`.
    #[error(
        "the keys of this lane moved to another primary of the Redis Cluster: it is looked for"
    )]
    Moved,
    /// `ASK`, `TRYAGAIN`.
    #[error(
        "the keys of this lane are moving to another primary of the Redis Cluster: it is waited \
         for; if that lasts, see CLUSTER NODES for a slot that was left half moved"
    )]
    Moving,
    /// `CLUSTERDOWN`.
    #[error(
        "the Redis Cluster is down: not all of its slots are served; CLUSTER INFO and the log of \
         its nodes say which and why"
    )]
    ClusterDown,
    /// `NOSCRIPT` where the script itself had been sent.
    #[error(
        "Redis does not know a script that it was just given; see who calls SCRIPT FLUSH, and \
         whether a proxy stands before it"
    )]
    NoScript,
    /// `OOM`.
    #[error("Redis has no memory left for counters; raise maxmemory")]
    OutOfMemory,
    /// `MISCONF`.
    #[error("Redis takes no writes because it cannot save its data; see the log of Redis")]
    CannotSave,
    /// `NOREPLICAS`.
    #[error(
        "Redis takes no writes because it has fewer replicas than min-replicas-to-write; see to \
         its replicas, or lower that"
    )]
    TooFewReplicas,
    /// `BUSY`.
    #[error("Redis is busy with a script of somebody else that does not end; SCRIPT KILL ends it")]
    Busy,
    /// A server that is too old.
    #[error("Redis {0} is too old: 7.0 or Valkey 7.2 is needed")]
    TooOld(String),
    /// The sentinels do not name a primary.
    #[error("no sentinel names a primary for `{0}`; check the name and the sentinels' addresses")]
    NoPrimaryNamed(String),
    /// No node of the cluster that could be asked serves the slot.
    #[error("no node of the Redis Cluster names a primary for slot {0}")]
    NoNodeForSlot(u16),
    /// A file with a password or a certificate cannot be used.
    #[error("{0}")]
    File(String),
    /// Counters may be thrown away by the server when memory runs short.
    #[error(
        "Redis evicts keys when its memory is full ({0}): counters can be lost; \
         set maxmemory-policy to noeviction"
    )]
    Evicts(String),
    /// An answer of another kind than the order has.
    #[error("Redis gave an answer that does not fit the question")]
    Garbled,
    /// Any other error.
    #[error("Redis refused an order: {0}")]
    Refused(String),
}

/// How many bytes of a server's own words are passed on.
const DETAIL_BYTES_MAX: usize = 200;

impl Trouble {
    /// What the error of a server means; `code` is its first word.
    pub fn of_server(code: &str, detail: Option<&str>) -> Self {
        let detail = detail.unwrap_or_default();
        let text = || excerpt(&format!("{code} {detail}"));
        match code {
            "READONLY" | "MASTERDOWN" => Self::NotPrimary,
            "LOADING" => Self::Loading,
            "MOVED" => Self::Moved,
            "ASK" | "TRYAGAIN" => Self::Moving,
            "CLUSTERDOWN" => Self::ClusterDown,
            "NOSCRIPT" => Self::NoScript,
            "OOM" => Self::OutOfMemory,
            "MISCONF" => Self::CannotSave,
            "NOREPLICAS" => Self::TooFewReplicas,
            "BUSY" => Self::Busy,
            "NOAUTH" | "WRONGPASS" => Self::Login(text()),
            "NOPERM" => Self::NoPermission(text()),
            // Older servers say so from inside a script.
            "ERR" if detail.contains("The user executing the script can't") => {
                Self::NoPermission(text())
            }
            "ERR" if detail.contains("max number of clients") => Self::Unreachable(text()),
            _ => Self::Refused(text()),
        }
    }

    /// What the error of the client library means.
    pub fn of_client(error: &RedisError) -> Self {
        match (error.code(), error.kind()) {
            (_, redis::ErrorKind::AuthenticationFailed) => Self::Login(excerpt(&error.to_string())),
            (Some(code), _) => Self::of_server(code, error.detail()),
            (None, _) => Self::Unreachable(excerpt(&error.to_string())),
        }
    }

    /// Whether the connection is of no use any more: the next one may lead to another primary, and
    /// is made only when writing works.
    pub fn ends_connection(&self) -> bool {
        !matches!(self, Self::Refused(_) | Self::Garbled | Self::Evicts(_) | Self::NoScript)
    }
}

fn excerpt(text: &str) -> String {
    let end = text.char_indices().map(|(at, _)| at).find(|at| DETAIL_BYTES_MAX <= *at);
    let kept = end.and_then(|end| text.get(..end)).unwrap_or(text);
    kept.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_servers_are_known_by_name() {
        let known = [
            ("READONLY", Trouble::NotPrimary),
            ("MASTERDOWN", Trouble::NotPrimary),
            ("LOADING", Trouble::Loading),
            ("MOVED", Trouble::Moved),
            ("ASK", Trouble::Moving),
            ("TRYAGAIN", Trouble::Moving),
            ("CLUSTERDOWN", Trouble::ClusterDown),
            ("NOSCRIPT", Trouble::NoScript),
            ("OOM", Trouble::OutOfMemory),
            ("MISCONF", Trouble::CannotSave),
            ("NOREPLICAS", Trouble::TooFewReplicas),
            ("BUSY", Trouble::Busy),
            ("NOPERM", Trouble::NoPermission("NOPERM it".to_owned())),
            ("WRONGPASS", Trouble::Login("WRONGPASS it".to_owned())),
            ("WRONGTYPE", Trouble::Refused("WRONGTYPE it".to_owned())),
        ];
        for (code, trouble) in known {
            assert_eq!(Trouble::of_server(code, Some("it")), trouble, "{code}");
        }
        let inside = "The user executing the script can't access at least one of the keys";
        let denied = Trouble::of_server("ERR", Some(inside));
        assert!(matches!(denied, Trouble::NoPermission(_)));
    }

    #[test]
    fn what_an_operator_can_do_is_said() {
        let codes = [
            ("READONLY", "let redis.url name the primary"),
            ("MASTERDOWN", "let redis.url name the primary"),
            ("LOADING", "it is waited for"),
            ("CLUSTERDOWN", "CLUSTER INFO"),
            ("MOVED", "it is looked for"),
            ("ASK", "CLUSTER NODES"),
            ("TRYAGAIN", "CLUSTER NODES"),
            ("NOSCRIPT", "SCRIPT FLUSH"),
            ("OOM", "raise maxmemory"),
            ("MISCONF", "see the log of Redis"),
            ("NOREPLICAS", "see to its replicas"),
            ("BUSY", "SCRIPT KILL"),
            ("NOPERM", "ACL line"),
            ("NOAUTH", "check the user name and the password"),
            ("WRONGPASS", "check the user name and the password"),
        ];
        for (code, remedy) in codes {
            let said = Trouble::of_server(code, None).to_string();
            assert!(said.contains(remedy), "{code}: {said}");
        }
    }

    #[test]
    fn one_bad_key_does_not_end_a_connection() {
        assert!(!Trouble::of_server("WRONGTYPE", None).ends_connection());
        assert!(Trouble::of_server("OOM", None).ends_connection());
    }

    #[test]
    fn what_a_server_says_is_cut_and_has_one_line() {
        let text = excerpt(&format!("a\r\nb{}", "é".repeat(300)));
        assert!(text.starts_with("a  b") && text.len() <= DETAIL_BYTES_MAX + 2);
    }
}
