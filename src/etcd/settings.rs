//! Where etcd is and how to speak to it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use openssl::error::ErrorStack;
use openssl::pkey::PKey;
use openssl::ssl::SslConnector;
use openssl::x509::X509;

use crate::rpc::dial::{self, Address};

/// Where etcd is and how to speak to it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// `http://host:port` or `https://host:port` of each member.
    pub endpoints: Vec<String>,
    /// PEM file of the authorities that members are judged by; those of the machine if not set.
    pub ca: Option<PathBuf>,
    /// PEM files of our own certificate, with its chain, and of its key.
    pub own: Option<(PathBuf, PathBuf)>,
    /// Our name, and the file with our password; none: nobody in particular, or whom the
    /// certificate names.
    pub login: Option<(String, PathBuf)>,
    /// What all of our keys begin with: it begins and ends with a slash.
    pub prefix: String,
}

/// What all keys begin with unless somebody wants it otherwise.
pub const PREFIX: &str = "/weir/";

/// The longest prefix.
pub const PREFIX_BYTES_MAX: usize = 128;

/// The most members that can be named.
pub const ENDPOINTS_MAX: usize = 16;

/// The largest of the files.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Why settings cannot be used; the sentence is for whoever wrote them.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unusable {
    /// No member, or too many.
    #[error("between 1 and {ENDPOINTS_MAX} members of etcd can be named, not {0}")]
    Endpoints(usize),
    /// Not the address of a member.
    #[error("`{0}` is no address of an etcd: write http://host:2379, or https:// for TLS")]
    Endpoint(String),
    /// Files for TLS beside an address without.
    #[error("certificates for etcd are set, but `{0}` is not https://")]
    Clear(String),
    /// A prefix that is too long or not between slashes.
    #[error(
        "the prefix of keys in etcd begins and ends with a slash and has up to {PREFIX_BYTES_MAX} \
         printable characters"
    )]
    Prefix,
}

/// A file cannot be read now, or does not hold what it should; the sentence is for operators.
#[derive(Debug, thiserror::Error)]
#[error("the file {path} for etcd cannot be used: {why}")]
pub struct Unreadable {
    path: String,
    why: String,
}

impl Settings {
    /// Whether everything in them can be used.
    pub fn check(&self) -> Result<(), Unusable> {
        let count = self.endpoints.len();
        if count == 0 || ENDPOINTS_MAX < count {
            return Err(Unusable::Endpoints(count));
        }
        let has_files = self.ca.is_some() || self.own.is_some();
        for endpoint in &self.endpoints {
            match parts(endpoint).map(|(scheme, _host, _port)| scheme) {
                None => return Err(Unusable::Endpoint(endpoint.clone())),
                Some(Scheme::Http) if has_files => return Err(Unusable::Clear(endpoint.clone())),
                Some(Scheme::Http | Scheme::Https) => (),
            }
        }
        let prefix = &self.prefix;
        let is_between = 1 < prefix.len() && prefix.starts_with('/') && prefix.ends_with('/');
        let is_fine = is_between && prefix.chars().all(|c| c.is_ascii_graphic());
        if is_fine && prefix.len() <= PREFIX_BYTES_MAX { Ok(()) } else { Err(Unusable::Prefix) }
    }

    /// The member whose turn is `number`.
    pub(super) fn endpoint(&self, number: usize) -> &str {
        let place = number.checked_rem(self.endpoints.len()).unwrap_or(0);
        self.endpoints.get(place).map_or("", String::as_str)
    }

    /// Our name and password, if we have any.
    pub(super) fn login(&self) -> Result<Option<(String, String)>, Unreadable> {
        let Some((user, path)) = &self.login else { return Ok(None) };
        let text = String::from_utf8(read(path)?).map_err(|error| unreadable(path, &error))?;
        let password = text.trim_end_matches(['\r', '\n']);
        if password.is_empty() {
            return Err(unreadable(path, &"it is empty"));
        }
        Ok(Some((user.clone(), password.to_owned())))
    }

    /// Where the member is whose turn is `number`, and TLS if it speaks that.
    pub(super) fn member(
        &self,
        number: usize,
    ) -> Result<(Address, Option<SslConnector>), Unreadable> {
        let endpoint = self.endpoint(number);
        let wrong = || unreadable(Path::new(endpoint), &"it is no address");
        let (scheme, host, port) = parts(endpoint).ok_or_else(wrong)?;
        let is_secure = matches!(scheme, Scheme::Https);
        let address = Address::new(&host, port, is_secure);
        Ok((address, if is_secure { Some(self.tls()?) } else { None }))
    }

    /// TLS with the files as they are now.
    fn tls(&self) -> Result<SslConnector, Unreadable> {
        let broken = |path: &Path| {
            let path = path.to_owned();
            move |error: ErrorStack| unreadable(&path, &error)
        };
        let mut builder = dial::tls().map_err(broken(Path::new("(TLS)")))?;
        if let Some(path) = &self.ca {
            dial::trust(&mut builder, certificates(path)?).map_err(broken(path))?;
        }
        if let Some((certificate, key)) = &self.own {
            let mut chain = certificates(certificate)?.into_iter();
            let private = PKey::private_key_from_pem(&read(key)?)
                .map_err(|_error| unreadable(key, &"there is no private key in it"))?;
            if let Some(own) = chain.next() {
                builder.set_certificate(&own).map_err(broken(certificate))?;
            }
            chain
                .try_for_each(|issuer| builder.add_extra_chain_cert(issuer))
                .map_err(broken(certificate))?;
            builder.set_private_key(&private).map_err(broken(key))?;
        }
        Ok(builder.build())
    }
}

/// How a member is spoken to.
enum Scheme {
    Http,
    Https,
}

/// Reads the address of a member: a scheme, a host and a port, and nothing else.
fn parts(endpoint: &str) -> Option<(Scheme, String, u16)> {
    let address = endpoint.parse::<http::Uri>().ok()?;
    let has_tail = address.path_and_query().is_some_and(|tail| tail != "/");
    if address.authority()?.as_str().contains('@') || has_tail {
        return None;
    }
    let scheme = match address.scheme_str() {
        Some("http") => Scheme::Http,
        Some("https") => Scheme::Https,
        _ => return None,
    };
    let host = address.host()?.trim_start_matches('[').trim_end_matches(']');
    Some((scheme, host.to_owned(), address.port_u16()?))
}

fn certificates(path: &Path) -> Result<Vec<X509>, Unreadable> {
    let certificates = X509::stack_from_pem(&read(path)?).unwrap_or_default();
    if certificates.is_empty() {
        return Err(unreadable(path, &"there is no certificate in it"));
    }
    Ok(certificates)
}

fn read(path: &Path) -> Result<Vec<u8>, Unreadable> {
    let size = fs::metadata(path).map_err(|error| unreadable(path, &error))?.len();
    if FILE_BYTES_MAX < size {
        return Err(unreadable(path, &"it is too large"));
    }
    fs::read(path).map_err(|error: io::Error| unreadable(path, &error))
}

fn unreadable(path: &Path, why: &dyn std::fmt::Display) -> Unreadable {
    Unreadable { path: path.display().to_string(), why: why.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(endpoints: &[&str]) -> Settings {
        let endpoints = endpoints.iter().map(|&endpoint| endpoint.to_owned()).collect();
        Settings { endpoints, ca: None, own: None, login: None, prefix: PREFIX.to_owned() }
    }

    #[test]
    fn addresses_of_members_are_told_from_others() {
        assert_eq!(settings(&["http://a:2379", "https://[::1]:7/"]).check(), Ok(()));
        for wrong in ["", "a:2379", "http://a", "ftp://a:1", "http://u:p@a:1", "http://a:1/b"] {
            let told = settings(&[wrong]).check();
            assert_eq!(told, Err(Unusable::Endpoint(wrong.to_owned())), "{wrong}");
        }
        assert_eq!(settings(&[]).check(), Err(Unusable::Endpoints(0)));
        assert_eq!(settings(&["http://a:1"; 17]).check(), Err(Unusable::Endpoints(17)));
    }

    #[test]
    fn certificates_want_tls() {
        let with = |endpoint| Settings { ca: Some("ca.pem".into()), ..settings(&[endpoint]) };
        assert_eq!(with("https://a:1").check(), Ok(()));
        assert_eq!(with("http://a:1").check(), Err(Unusable::Clear("http://a:1".to_owned())));
    }

    #[test]
    fn a_prefix_stands_between_slashes() {
        for (prefix, is_fine) in [("/a/", true), ("/", false), ("a/", false), ("/a b/", false)] {
            let prefix = prefix.to_owned();
            let settings = Settings { prefix: prefix.clone(), ..settings(&["http://a:1"]) };
            assert_eq!(settings.check().is_ok(), is_fine, "{prefix}");
        }
    }

    #[test]
    fn members_take_turns() {
        let settings = settings(&["http://a:1", "http://b:1"]);
        let turns = [0, 1, 2, usize::MAX].map(|number| settings.endpoint(number).to_owned());
        assert_eq!(turns, ["http://a:1", "http://b:1", "http://a:1", "http://b:1"]);
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let login = Some(("weir".to_owned(), "/nowhere/password".into()));
        let settings = Settings { login, ..settings(&["http://a:1"]) };
        let told = settings.login().unwrap_err().to_string();
        assert!(told.contains("/nowhere/password"), "{told}");
    }
}
