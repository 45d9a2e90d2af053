//! `System.Uri`.

use std::fmt::Write as _;
use std::sync::Arc;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::expression::value::thrown::{ExceptionKind, Thrown};
use crate::expression::value::web::{Absolute, Uri};

/// The longest URI, in bytes.
pub const URI_BYTES_MAX: usize = 65_519;

/// What a URI cannot have as it is.
const UNSAFE: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// `new Uri(text)`: an absolute one.
pub fn new(text: &str) -> Result<Uri, Thrown> {
    let uri = any(text)?;
    if uri.absolute.is_none() {
        return Err(Thrown::new(
            ExceptionKind::UriFormat,
            "Invalid URI: The format of the URI could not be determined.",
        ));
    }
    Ok(uri)
}

/// `new Uri(text, UriKind.RelativeOrAbsolute)`.
pub fn any(text: &str) -> Result<Uri, Thrown> {
    if text.len() > URI_BYTES_MAX {
        return Err(Thrown::new(
            ExceptionKind::UriFormat,
            "Invalid URI: The Uri string is too long.",
        ));
    }
    Ok(Uri { original: Arc::from(text), absolute: absolute(text.trim())? })
}

/// `new Uri(base, relative)`.
pub fn join(base: &Uri, relative: &str) -> Result<Uri, Thrown> {
    let Some(base) = &base.absolute else { return new(relative) };
    let other = any(relative)?;
    if other.absolute.is_some() {
        return Ok(other);
    }
    let root = Absolute { query: String::new(), fragment: String::new(), ..base.clone() };
    let text = match relative.chars().next() {
        None => base.text(),
        Some('/') if relative.starts_with("//") => format!("{}:{relative}", base.scheme),
        Some('/') => format!("{}{relative}", Absolute { path: String::new(), ..root }.text()),
        Some('?') => format!("{}{relative}", root.text()),
        Some('#') => {
            let whole = Absolute { fragment: String::new(), ..base.clone() };
            format!("{}{relative}", whole.text())
        }
        Some(_) => {
            let folder = base.path.rfind('/').and_then(|at| base.path.get(..=at)).unwrap_or("/");
            let path = folder.to_owned();
            format!("{}{relative}", Absolute { path, ..root }.text())
        }
    };
    new(&text)
}

/// The parts of `text` if it has a scheme.
fn absolute(text: &str) -> Result<Option<Absolute>, Thrown> {
    let Some((scheme, rest)) = text.split_once(':') else { return Ok(None) };
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.chars().all(|one| one.is_ascii_alphanumeric() || matches!(one, '+' | '-' | '.'));
    if !is_scheme {
        return Ok(None);
    }
    let scheme = scheme.to_ascii_lowercase();
    let (rest, fragment) = cut(rest, '#');
    let (rest, query) = cut(rest, '?');
    let Some(rest) = rest.strip_prefix("//") else {
        if Absolute::default_port(&scheme) > 0 {
            return Err(no_host());
        }
        return Ok(Some(Absolute {
            scheme,
            user_info: String::new(),
            host: String::new(),
            port: -1,
            path: escaped(rest),
            query: escaped(query),
            fragment: escaped(fragment),
            has_authority: false,
        }));
    };
    let at = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(at);
    let (user_info, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (host, port) = host_and_port(host, &scheme)?;
    if host.is_empty() && scheme != "file" {
        return Err(no_host());
    }
    let path = if path.is_empty() { "/".to_owned() } else { without_dots(&escaped(path)) };
    Ok(Some(Absolute {
        scheme,
        user_info: user_info.to_owned(),
        host,
        port,
        path,
        query: escaped(query),
        fragment: escaped(fragment),
        has_authority: true,
    }))
}

/// `text` before `mark`, and from it on.
fn cut(text: &str, mark: char) -> (&str, &str) {
    text.split_at(text.find(mark).unwrap_or(text.len()))
}

fn host_and_port(text: &str, scheme: &str) -> Result<(String, i32), Thrown> {
    let bad_port = || Thrown::new(ExceptionKind::UriFormat, "Invalid URI: Invalid port specified.");
    // The colons of an IPv6 address stand in brackets.
    let end = text.rfind(']').map_or(0, |at| at.saturating_add(1));
    let (host, port) = match text.get(end..).and_then(|rest| rest.rfind(':')) {
        Some(colon) => text.split_at(end.saturating_add(colon)),
        None => (text, ""),
    };
    let port = match port.strip_prefix(':').unwrap_or("") {
        "" => Absolute::default_port(scheme),
        digits => i32::from(digits.parse::<u16>().map_err(|_| bad_port())?),
    };
    let host = host.to_lowercase();
    let is_host = |one: char| {
        one.is_alphanumeric() || matches!(one, '-' | '.' | '_' | '[' | ']' | ':' | '%' | '~')
    };
    if !host.chars().all(is_host) {
        return Err(Thrown::new(
            ExceptionKind::UriFormat,
            "Invalid URI: The hostname could not be parsed.",
        ));
    }
    Ok((host, port))
}

fn no_host() -> Thrown {
    Thrown::new(ExceptionKind::UriFormat, "Invalid URI: The hostname could not be parsed.")
}

/// `uri.ToString()`: what is escaped is shown as it is, unless that would mean something else.
pub fn shown(uri: &Uri) -> String {
    let Some(absolute) = &uri.absolute else { return uri.text() };
    let text = absolute.text();
    if !text.contains('%') {
        return text;
    }
    let mut out = String::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.find('%') {
        let (before, escapes) = rest.split_at(at);
        out.push_str(before);
        let mut bytes = Vec::new();
        let mut after = escapes;
        while let Some(byte) = after
            .strip_prefix('%')
            .and_then(|digits| digits.get(..2))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok())
        {
            bytes.push(byte);
            after = after.get(3..).unwrap_or_default();
        }
        if bytes.is_empty() {
            out.push('%');
            rest = escapes.get(1..).unwrap_or_default();
            continue;
        }
        for chunk in bytes.utf8_chunks() {
            for character in chunk.valid().chars() {
                if character.is_control() || ";/?:@&=+$,#[]!'()*%\\".contains(character) {
                    let mut encoded = [0; 4];
                    // Writing to a string cannot fail.
                    for byte in character.encode_utf8(&mut encoded).bytes() {
                        _ = write!(out, "%{byte:02X}");
                    }
                } else {
                    out.push(character);
                }
            }
            for byte in chunk.invalid() {
                _ = write!(out, "%{byte:02X}");
            }
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// `text` with what a URI cannot have as it is escaped.
fn escaped(text: &str) -> String {
    utf8_percent_encode(text, UNSAFE).to_string()
}

/// `path` with `.` and `..` resolved.
fn without_dots(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    let mut rest = path.split('/').skip(1).peekable();
    while let Some(segment) = rest.next() {
        let is_last = rest.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    segments.pop();
                }
                if is_last {
                    segments.push("");
                }
            }
            other => segments.push(other),
        }
    }
    format!("/{}", segments.join("/"))
}

/// `uri.Segments`: each with the slash that ends it.
pub fn segments(absolute: &Absolute) -> Vec<String> {
    absolute.path.split_inclusive('/').map(str::to_owned).collect()
}
