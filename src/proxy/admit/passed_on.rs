//! A client's certificate as a proxy in front passes it on in a field: `X-ARR-ClientCert` of Azure
//! (DER in Base64), PEM that is percent-encoded (NGINX), `X-Forwarded-Client-Cert` of Envoy.

use percent_encoding::percent_decode_str;

use crate::certificate::Certificate;

/// The longest value that is read, in bytes.
const VALUE_BYTES_MAX: usize = 64 << 10;

/// The certificate; none where there is none, or nobody can read it.
pub(super) fn read(value: &str) -> Option<Certificate> {
    let value = value.trim();
    if value.is_empty() || VALUE_BYTES_MAX < value.len() {
        return None;
    }
    let text = if value.contains("Cert=") { of_envoy(value)? } else { value };
    let plain = percent_decode_str(text).decode_utf8().ok()?;
    Certificate::read(plain.as_bytes()).ok()
}

/// `Cert="…"` of the last proxy in the list, which is the one that we trust.
fn of_envoy(value: &str) -> Option<&str> {
    let last = *elements(value, ',')?.last()?;
    let pairs = elements(last, ';')?;
    let mut named = pairs.iter().filter_map(|pair| pair.trim().split_once('='));
    let (_, text) = named.find(|(name, _)| *name == "Cert")?;
    // Of two, one is somebody else's word.
    let is_only = named.all(|(name, _)| name != "Cert");
    is_only.then(|| text.trim_matches('"'))
}

/// What stands between separators that are not in quotation marks; none if those do not end: then
/// nobody knows whose word is whose. A backslash in them takes the next character as it is.
fn elements(text: &str, separator: char) -> Option<Vec<&str>> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let between = |character: char| {
        if is_escaped {
            is_escaped = false;
        } else if is_quoted && character == '\\' {
            is_escaped = true;
        } else {
            is_quoted ^= character == '"';
        }
        character == separator && !is_quoted
    };
    let elements = text.split(between).collect();
    (!is_quoted).then_some(elements)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

    use super::*;
    use crate::certificate::testing::Authority;

    #[test]
    fn every_form_of_a_proxy_is_read() {
        let made = Authority::new("ca").issue("c");
        let der = STANDARD.encode(made.x509.to_der().unwrap());
        let pem = String::from_utf8(made.pem()).unwrap();
        let escaped = utf8_percent_encode(&pem, NON_ALPHANUMERIC).to_string();
        let envoy = format!(
            "By=spiffe://a;Subject=\"CN=x,O=y;Cert=z\";Cert=\"x\",By=b;Hash=00;Cert=\"{escaped}\""
        );
        for value in [&der, &escaped, &envoy] {
            let read = read(value).unwrap();
            assert_eq!(read.der(), made.x509.to_der().unwrap(), "{value}");
        }
        let other = Authority::new("ca").issue("victim");
        let victim = String::from_utf8(other.pem()).unwrap();
        let victim = utf8_percent_encode(&victim, NON_ALPHANUMERIC).to_string();
        // A client that leaves a quotation mark open, and one whose name holds one.
        let open = format!("Cert=\"{victim}\";X=\",Hash=00;Cert=\"{escaped}\"");
        let named = format!("Hash=00;Subject=\"CN=x\\\",Cert={victim}\";Cert=\"{escaped}\"");
        let twice = format!("Cert=\"{victim}\";Cert=\"{escaped}\"");
        assert!(read(&open).is_none() && read(&twice).is_none());
        assert_eq!(read(&named).unwrap().der(), made.x509.to_der().unwrap());
        let long = "A".repeat(VALUE_BYTES_MAX + 1);
        for value in ["", "null", "Cert=", "a,By=b", "By=\"Cert=\"", &long] {
            assert!(read(value).is_none(), "{value}");
        }
    }
}
