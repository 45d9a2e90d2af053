//! Where an API stands: its path, and where its version is named.

use std::fmt;

use http::HeaderName;

use crate::route::path::{self, PathFault};

/// The longest path of an API, in bytes: what APIM allows.
pub const API_PATH_BYTES_MAX: usize = 400;

/// The longest version of an API, in bytes: what APIM allows.
pub const VERSION_BYTES_MAX: usize = 100;

/// Where an API begins in the path of a request: empty, or `/` and segments, spelled canonically.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ApiPath(Box<str>);

/// Why a text is no path of an API.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ApiPathFault {
    /// It is longer than [`API_PATH_BYTES_MAX`].
    #[error("the path of an API has at most {API_PATH_BYTES_MAX} bytes")]
    TooLong,
    /// A character that has a meaning of its own in routes: `{`, `}`, `*`, `;`, `?`.
    #[error("the path of an API has only literal segments: no `{{`, `}}`, `*`, `;` or `?`")]
    Character {
        /// Where, in bytes.
        at: usize,
    },
    /// Two `/` with nothing between.
    #[error("the path of an API has an empty segment")]
    EmptySegment {
        /// Where, in bytes.
        at: usize,
    },
    /// No path of a request can have this.
    #[error("no path has this: {0}")]
    Path(PathFault),
}

impl ApiPath {
    /// Reads `orders`, `shop/orders`, or nothing; a `/` at either end may stand there or not.
    pub fn parse(text: &str) -> Result<Self, ApiPathFault> {
        if API_PATH_BYTES_MAX < text.len() {
            return Err(ApiPathFault::TooLong);
        }
        if let Some(at) = text.find(['{', '}', '*', ';', '?']) {
            return Err(ApiPathFault::Character { at });
        }
        if let Some(at) = text.find("//") {
            return Err(ApiPathFault::EmptySegment { at: at + 1 });
        }
        let inside = text.trim_matches('/');
        if inside.is_empty() {
            return Ok(Self::default());
        }
        let absolute = format!("/{inside}");
        let spelled = path::canonical(absolute.as_bytes()).map_err(ApiPathFault::Path)?;
        Ok(Self(spelled.into()))
    }

    /// The path: empty, or `/` and segments.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ApiPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Where the version of an API is named in a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum VersionScheme {
    /// The first segment after the API's path.
    Segment,
    /// This header field.
    Header(HeaderName),
    /// This query parameter.
    Query(Box<str>),
}

impl fmt::Display for VersionScheme {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Segment => formatter.write_str("the first segment after the API's path"),
            Self::Header(name) => write!(formatter, "the header `{name}`"),
            Self::Query(name) => write!(formatter, "the query parameter `{name}`"),
        }
    }
}

/// The version of an API.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Version {
    scheme: VersionScheme,
    value: Box<str>,
}

/// Why a text is no version.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum VersionFault {
    /// It is empty or longer than [`VERSION_BYTES_MAX`].
    #[error("a version has 1 to {VERSION_BYTES_MAX} bytes")]
    Length,
    /// It cannot be the one segment of a path that it is to be.
    #[error("a version that is a segment of the path has no `/`, `;` or `%` and is no `..`")]
    Segment,
}

impl Version {
    /// The version `value`, named as `scheme` says.
    pub fn new(scheme: VersionScheme, value: &str) -> Result<Self, VersionFault> {
        if value.is_empty() || VERSION_BYTES_MAX < value.len() {
            return Err(VersionFault::Length);
        }
        if scheme != VersionScheme::Segment {
            return Ok(Self { scheme, value: value.into() });
        }
        if value.contains(['/', ';', '%']) || path::is_dots(value) {
            return Err(VersionFault::Segment);
        }
        let value = path::spell(value.as_bytes()).map_err(|_| VersionFault::Segment)?;
        Ok(Self { scheme, value: value.into() })
    }

    /// Where it is named.
    pub fn scheme(&self) -> &VersionScheme {
        &self.scheme
    }

    /// What it is called.
    pub fn value(&self) -> &str {
        &self.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_an_api_is_literal_segments() {
        for (text, path) in [("", ""), ("/", ""), ("a", "/a"), ("/a/B%7e/", "/a/B~")] {
            assert_eq!(ApiPath::parse(text).unwrap().as_str(), path);
        }
        assert_eq!(ApiPath::parse("a/{b}"), Err(ApiPathFault::Character { at: 2 }));
        assert_eq!(ApiPath::parse("a;rev=1"), Err(ApiPathFault::Character { at: 1 }));
        assert_eq!(ApiPath::parse("a//b"), Err(ApiPathFault::EmptySegment { at: 2 }));
        assert_eq!(ApiPath::parse("a/.."), Err(ApiPathFault::Path(PathFault::Dots)));
        assert_eq!(ApiPath::parse(&"a".repeat(401)), Err(ApiPathFault::TooLong));
    }

    #[test]
    fn a_version_fits_where_it_is_named() {
        let header = VersionScheme::Header(HeaderName::from_static("api-version"));
        assert_eq!(Version::new(header, "2026/1").unwrap().value(), "2026/1");
        assert_eq!(Version::new(VersionScheme::Segment, "é").unwrap().value(), "%C3%A9");
        for wrong in ["a/b", "a;b", "..", "a%20b", "a b"] {
            let found = Version::new(VersionScheme::Segment, wrong);
            assert_eq!(found, Err(VersionFault::Segment), "{wrong}");
        }
        assert_eq!(Version::new(VersionScheme::Segment, ""), Err(VersionFault::Length));
    }
}
