//! Where one document is that somebody publishes: always over TLS.

use std::fmt;

use super::{BaseUrl, Scheme, UrlRefused};

/// The longest address, in bytes.
const URL_BYTES_MAX: usize = 2 << 10;
/// Where a document is: `https://host[:port]/path[?query]`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Url {
    base: BaseUrl,
    /// What stands behind the host.
    target: String,
}

/// Why a text is no address of a document.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NoUrl {
    /// None at all.
    #[error(transparent)]
    Refused(#[from] UrlRefused),
    /// In the clear.
    #[error("the URL must begin with `https://`")]
    Clear,
    /// Too long.
    #[error("the URL has more than {URL_BYTES_MAX} bytes")]
    TooLong,
}

impl Url {
    /// Reads an address.
    pub fn parse(text: &str) -> Result<Self, NoUrl> {
        if URL_BYTES_MAX < text.len() {
            return Err(NoUrl::TooLong);
        }
        let (place, query) = match text.split_once('?') {
            Some((place, query)) => (place, Some(query)),
            None => (text, None),
        };
        let base = BaseUrl::parse(place)?;
        if base.scheme != Scheme::Https || !text.to_ascii_lowercase().starts_with("https") {
            return Err(NoUrl::Clear);
        }
        // A slash at the end may matter to whoever answers.
        let slash = if base.path.is_empty() || place.ends_with('/') { "/" } else { "" };
        let mut target = format!("{}{slash}", base.path);
        if let Some(query) = query {
            if !query.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
                return Err(UrlRefused::Query.into());
            }
            target.push('?');
            target.push_str(query);
        }
        Ok(Self { base, target })
    }

    /// Whose it is, and the beginning of its path.
    pub const fn base(&self) -> &BaseUrl {
        &self.base
    }

    /// What stands behind the host: path and query.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The address of `path` below this one.
    pub fn below(&self, path: &str) -> Result<Self, NoUrl> {
        Self::parse(&format!("{}{path}", self.base))
    }
}

impl fmt::Display for Url {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let authority = self.base.authority.to_str().unwrap_or_default();
        write!(formatter, "https://{authority}{}", self.target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_over_tls_and_stays_as_it_is_written() {
        for (text, shown) in [
            ("https://issuer.example", "https://issuer.example/"),
            ("https://issuer.example/a/", "https://issuer.example/a/"),
            ("HTTPS://Issuer.example:444/a/b?p=x&q", "https://issuer.example:444/a/b?p=x&q"),
            ("https://[::1]/keys", "https://[::1]/keys"),
        ] {
            assert_eq!(Url::parse(text).unwrap().to_string(), shown);
        }
        let issuer = Url::parse("https://issuer.example/tenant/").unwrap();
        let below = issuer.below("/.well-known/openid-configuration").unwrap().to_string();
        assert_eq!(below, "https://issuer.example/tenant/.well-known/openid-configuration");
        for (text, refused) in [
            ("http://issuer.example/", NoUrl::Clear),
            ("wss://issuer.example/", NoUrl::Clear),
            ("issuer.example", UrlRefused::Scheme.into()),
            ("https://u:p@issuer.example", UrlRefused::Credentials.into()),
            ("https://issuer.example/a b", UrlRefused::Path.into()),
            ("https://issuer.example/?a b", UrlRefused::Query.into()),
            ("https://issuer.example/?a#b", UrlRefused::Query.into()),
            ("https://issuer.example/#b", UrlRefused::Query.into()),
            (&format!("https://issuer.example/{}", "x".repeat(URL_BYTES_MAX)), NoUrl::TooLong),
        ] {
            assert_eq!(Url::parse(text), Err(refused), "{text}");
        }
    }
}
