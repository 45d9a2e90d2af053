//! The target of a request (RFC 9112 §3.2): which form it has, and where its path is.

use super::Refusal;

/// The form of a target.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Form<'t> {
    /// A path, perhaps with a query.
    Origin,
    /// A whole URL.
    Absolute {
        /// Whether its scheme is `https`.
        secure: bool,
        /// Host and port.
        authority: &'t [u8],
    },
    /// `*`: the server as such.
    Asterisk,
}

/// The form of `target`. One for a proxy to tunnel to (`host:port`) is refused, as is a fragment.
pub fn form<'t>(method: &[u8], target: &'t [u8]) -> Result<Form<'t>, Refusal> {
    if target.first() == Some(&b'/') {
        return Ok(Form::Origin);
    }
    if target == b"*" && method == b"OPTIONS" {
        return Ok(Form::Asterisk);
    }
    match url(target) {
        Some((secure, authority, _rest)) if !authority.is_empty() => {
            Ok(Form::Absolute { secure, authority })
        }
        Some(_) | None => Err(Refusal::Target),
    }
}

/// Path and query of `target`, from the first `/` or `?` on.
pub(super) fn resource(target: &[u8]) -> &[u8] {
    match url(target) {
        Some((_secure, _authority, rest)) if target.first() != Some(&b'/') => rest,
        Some(_) | None => target,
    }
}

/// Whether the scheme is `https`, the authority, and the rest.
fn url(target: &[u8]) -> Option<(bool, &[u8], &[u8])> {
    let (secure, rest) = match (scheme(target, b"http://"), scheme(target, b"https://")) {
        (Some(rest), _) => (false, rest),
        (None, Some(rest)) => (true, rest),
        (None, None) => return None,
    };
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?' | b'\\' | b'#'));
    let (authority, rest) = rest.split_at_checked(end.unwrap_or(rest.len()))?;
    Some((secure, authority, rest))
}

fn scheme<'t>(target: &'t [u8], scheme: &[u8]) -> Option<&'t [u8]> {
    let (written, rest) = target.split_at_checked(scheme.len())?;
    written.eq_ignore_ascii_case(scheme).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_has_one_of_three_forms() {
        assert_eq!(form(b"GET", b"/a?b"), Ok(Form::Origin));
        assert_eq!(form(b"OPTIONS", b"*"), Ok(Form::Asterisk));
        let absolute = Form::Absolute { secure: true, authority: b"a.example:1" };
        assert_eq!(form(b"GET", b"HTTPS://a.example:1/x"), Ok(absolute));
        for wrong in ["*", "foo", "", "a.example:443", "http://", "http:///x", "file:///etc", "?a"]
        {
            assert_eq!(form(b"GET", wrong.as_bytes()), Err(Refusal::Target), "{wrong}");
        }
    }

    #[test]
    fn the_path_of_a_url_follows_its_host() {
        assert_eq!(resource(b"http://a.example/x?y"), b"/x?y");
        assert_eq!(resource(b"http://a.example?y"), b"?y");
        assert_eq!(resource(b"http://a.example"), b"");
        assert_eq!(resource(b"/http://b"), b"/http://b");
    }
}
