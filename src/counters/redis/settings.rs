//! Where the Redis is and how to speak to it.

use std::fmt::{Debug, Display, Formatter};
use std::path::{Path, PathBuf};

/// Where the Redis is and how to speak to it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// How many servers there are, and who knows which is the primary.
    pub topology: Topology,
    /// Who we are; none: nobody in particular.
    pub login: Option<Login>,
    /// TLS, to sentinels too; none: plain TCP.
    pub tls: Option<Tls>,
    /// What all keys begin with. Gateways with the same prefix share their limits.
    pub prefix: String,
}

/// How many servers there are.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Topology {
    /// One, or a name that always leads to the primary.
    Single(Place),
    /// A primary that sentinels watch.
    Sentinel {
        /// What the sentinels call it.
        name: String,
        /// Where they are.
        sentinels: Vec<Place>,
        /// Who we are to them; none: nobody in particular.
        login: Option<Login>,
    },
    /// A Redis Cluster, of which some nodes are known.
    Cluster(Vec<Place>),
}

/// Where a server listens.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Place {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// A user of Redis.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Login {
    /// The name; none: the user `default`.
    pub user: Option<String>,
    /// The password.
    pub password: Password,
}

/// A password, or where it is. It does not print.
#[derive(Clone, Eq, PartialEq)]
pub enum Password {
    /// The password.
    Text(String),
    /// A file that holds nothing else; line ends after it do not count. It is read for each
    /// connection, so that a new one needs no restart.
    File(PathBuf),
}

/// TLS 1.2 or newer. The files are read for each connection.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Tls {
    /// The authorities that servers are judged by, as PEM; none: those of the machine.
    pub ca: Option<PathBuf>,
    /// Our own certificate, with its chain, and its key, as PEM.
    pub own: Option<(PathBuf, PathBuf)>,
}

/// What all keys begin with unless somebody wants it otherwise.
pub const PREFIX: &str = "weir:";

/// The longest prefix.
pub const PREFIX_BYTES_MAX: usize = 64;

/// Over how many lanes the counters of a cluster are spread; a Redis that is no cluster has one.
/// All gateways that share limits must agree on it, so it is no setting.
pub const LANES_OF_CLUSTER: u16 = 16;

/// The most sentinels or nodes that can be named.
pub const PLACES_MAX: usize = 32;

/// The largest file with a password.
pub const PASSWORD_BYTES_MAX: usize = 4_096;

const PORT: u16 = 6_379;
const SENTINEL_PORT: u16 = 26_379;

/// Why settings cannot be used; the sentence is for whoever wrote them.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unusable {
    /// Not a `redis://` or `rediss://` address.
    #[error("`{0}` is no address of a Redis: write redis://host:6379, or rediss:// for TLS")]
    Address(String),
    /// A password in an address would be seen by whoever sees the address.
    #[error("the address of Redis has a user or a password in it: set them on their own")]
    LoginInAddress,
    /// A path or query behind an address.
    #[error("`{0}` has something behind the port; only redis://host:port is used, database 0")]
    Tail(String),
    /// No place, or too many.
    #[error("between 1 and {PLACES_MAX} sentinels or cluster nodes can be named, not {0}")]
    Places(usize),
    /// A prefix that would break hash tags, or is too long.
    #[error(
        "the prefix of keys can have up to {PREFIX_BYTES_MAX} printable characters without braces"
    )]
    Prefix,
}

impl Settings {
    /// One Redis at `address`, `redis://host:port` or, with TLS, `rediss://host:port`.
    pub fn single(address: &str) -> Result<Self, Unusable> {
        let (place, is_tls) = Place::of_address(address)?;
        Ok(Self {
            topology: Topology::Single(place),
            login: None,
            tls: is_tls.then(Tls::default),
            prefix: PREFIX.to_owned(),
        })
    }

    /// Whether everything in them can be used.
    pub fn check(&self) -> Result<(), Unusable> {
        let places = match &self.topology {
            Topology::Single(_) => 1,
            Topology::Sentinel { sentinels, .. } => sentinels.len(),
            Topology::Cluster(seeds) => seeds.len(),
        };
        if places == 0 || PLACES_MAX < places {
            return Err(Unusable::Places(places));
        }
        let is_fine = |c: char| c.is_ascii_graphic() && c != '{' && c != '}';
        if PREFIX_BYTES_MAX < self.prefix.len() || !self.prefix.chars().all(is_fine) {
            return Err(Unusable::Prefix);
        }
        Ok(())
    }

    /// Over how many lanes the counters are spread.
    pub fn lanes(&self) -> u16 {
        match self.topology {
            Topology::Single(_) | Topology::Sentinel { .. } => 1,
            Topology::Cluster(_) => LANES_OF_CLUSTER,
        }
    }
}

impl Place {
    /// Reads `redis://host:port`; says whether TLS is meant.
    pub fn of_address(address: &str) -> Result<(Self, bool), Unusable> {
        let wrong = || Unusable::Address(address.to_owned());
        let (rest, is_tls) = match address.split_once("://") {
            Some(("redis", rest)) => (rest, false),
            Some(("rediss", rest)) => (rest, true),
            _ => return Err(wrong()),
        };
        if rest.contains('@') {
            return Err(Unusable::LoginInAddress);
        }
        let rest = rest.strip_suffix("/0").or(rest.strip_suffix('/')).unwrap_or(rest);
        if rest.contains(['/', '?', '#']) {
            return Err(Unusable::Tail(address.to_owned()));
        }
        Ok((Self::parse(rest, PORT).ok_or_else(wrong)?, is_tls))
    }

    /// Reads the `host:port` of a server; without a port it is 6379.
    pub fn of_server(text: &str) -> Option<Self> {
        Self::parse(text, PORT)
    }

    /// Reads the `host:port` of a sentinel; without a port it is 26379.
    pub fn of_sentinel(text: &str) -> Option<Self> {
        Self::parse(text, SENTINEL_PORT)
    }

    fn parse(text: &str, usual: u16) -> Option<Self> {
        let (host, port) = if let Some(rest) = text.strip_prefix('[') {
            let (host, port) = rest.split_once(']')?;
            let port = if port.is_empty() { None } else { Some(port.strip_prefix(':')?) };
            (host, port)
        } else {
            match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            }
        };
        let port = port.map_or(Some(usual), |port| port.parse().ok()).filter(|port| *port != 0)?;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._:%".contains(c);
        let is_host = !host.is_empty() && host.len() <= 253 && host.chars().all(is_plain);
        is_host.then(|| Self { host: host.to_owned(), port })
    }
}

impl Display for Place {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') {
            write!(formatter, "[{}]:{}", self.host, self.port)
        } else {
            write!(formatter, "{}:{}", self.host, self.port)
        }
    }
}

impl Password {
    /// The password, read from its file if it is in one.
    pub fn reveal(&self) -> Result<String, String> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::File(path) => read(path),
        }
    }
}

impl Debug for Password {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(_) => formatter.write_str("Password"),
            Self::File(path) => write!(formatter, "Password in {}", path.display()),
        }
    }
}

fn read(path: &Path) -> Result<String, String> {
    let whose = || format!("the file {} with the password of Redis", path.display());
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("{} cannot be read: {error}", whose()))?;
    let password = text.trim_end_matches(['\r', '\n']);
    if password.is_empty() || PASSWORD_BYTES_MAX < password.len() {
        return Err(format!("{} is empty or too long", whose()));
    }
    Ok(password.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(host: &str, port: u16) -> Place {
        Place { host: host.to_owned(), port }
    }

    #[test]
    fn addresses_are_read() {
        assert_eq!(Place::of_address("redis://a.b:7"), Ok((place("a.b", 7), false)));
        assert_eq!(Place::of_address("rediss://[::1]"), Ok((place("::1", 6_379), true)));
        assert_eq!(Place::of_address("redis://a/0"), Ok((place("a", 6_379), false)));
        assert_eq!(Place::of_sentinel("s"), Some(place("s", 26_379)));
        assert_eq!(place("::1", 6).to_string(), "[::1]:6");
    }

    #[test]
    fn what_is_no_address_is_said_so() {
        for wrong in
            ["", "a:1", "http://a", "redis://", "redis://a:0", "redis://a:b", "redis://[::1"]
        {
            assert_eq!(Place::of_address(wrong), Err(Unusable::Address(wrong.to_owned())));
        }
        assert_eq!(Place::of_address("redis://u:p@a"), Err(Unusable::LoginInAddress));
        assert!(matches!(Place::of_address("redis://a/3"), Err(Unusable::Tail(_))));
    }

    #[test]
    fn a_prefix_with_braces_is_refused() {
        let mut settings = Settings::single("redis://a").unwrap();
        assert_eq!(settings.check(), Ok(()));
        settings.prefix = "{a}".to_owned();
        assert_eq!(settings.check(), Err(Unusable::Prefix));
        settings.topology = Topology::Cluster(Vec::new());
        assert_eq!(settings.check(), Err(Unusable::Places(0)));
    }

    #[test]
    fn a_password_does_not_print() {
        let login = Login { user: None, password: Password::Text("s3cret".to_owned()) };
        assert!(!format!("{login:?}").contains("s3cret"));
    }

    #[test]
    fn a_password_may_be_in_a_file() {
        let file = std::env::temp_dir().join(format!("weir-password-{}", std::process::id()));
        std::fs::write(&file, "s3cret\r\n").unwrap();
        assert_eq!(Password::File(file.clone()).reveal(), Ok("s3cret".to_owned()));
        std::fs::remove_file(&file).unwrap();
        assert!(Password::File(file).reveal().unwrap_err().contains("cannot be read"));
    }
}
