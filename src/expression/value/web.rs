//! `System.Uri`.

use std::sync::Arc;

/// `System.Uri`, in its parts. Only the text of a relative one is known.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Uri {
    /// `OriginalString`.
    pub original: Arc<str>,
    /// The parts of an absolute one.
    pub absolute: Option<Absolute>,
}

/// The parts of an absolute URI.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Absolute {
    /// `Scheme`, in lower case.
    pub scheme: String,
    /// `UserInfo`.
    pub user_info: String,
    /// `Host`, in lower case; empty where the scheme has none.
    pub host: String,
    /// `Port`: the scheme's own if none was written, -1 if that has none.
    pub port: i32,
    /// `AbsolutePath`.
    pub path: String,
    /// `Query`: with its question mark, empty if there is none.
    pub query: String,
    /// `Fragment`: with its number sign, empty if there is none.
    pub fragment: String,
    /// Whether the text has `//` before the host.
    pub has_authority: bool,
}

impl Absolute {
    /// The port that the scheme has by itself.
    pub fn default_port(scheme: &str) -> i32 {
        match scheme {
            "http" | "ws" => 80,
            "https" | "wss" => 443,
            "ftp" => 21,
            _ => -1,
        }
    }

    /// `Authority`: host, and port if it is not the scheme's own.
    pub fn authority(&self) -> String {
        if self.port == Self::default_port(&self.scheme) || self.port < 0 {
            return self.host.clone();
        }
        format!("{}:{}", self.host, self.port)
    }

    /// `PathAndQuery`.
    pub fn path_and_query(&self) -> String {
        format!("{}{}", self.path, self.query)
    }

    /// `AbsoluteUri`.
    pub fn text(&self) -> String {
        let slashes = if self.has_authority { "//" } else { "" };
        let at = if self.user_info.is_empty() { "" } else { "@" };
        format!(
            "{}:{slashes}{}{at}{}{}{}{}",
            self.scheme,
            self.user_info,
            self.authority(),
            self.path,
            self.query,
            self.fragment
        )
    }
}

impl Uri {
    /// What `ToString()` gives, but for escapes, which stay as they are.
    pub fn text(&self) -> String {
        self.absolute.as_ref().map_or_else(|| self.original.to_string(), Absolute::text)
    }
}
