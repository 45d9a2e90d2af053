//! `X509Certificate2` and its keys, as .NET has them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Value, outcome, outcome_on};
use crate::certificate::testing::{Authority, pkcs12};
use crate::expression::tests::request::Request;

/// What an expression gives in which `CERTIFICATE` stands for one that has its key.
fn of(file: &[u8], text: &str) -> String {
    let file = STANDARD.encode(file);
    let made = format!("new X509Certificate2(Convert.FromBase64String(\"{file}\"), \"pw\")");
    outcome(&text.replace("CERTIFICATE", &made))
}

#[test]
fn a_certificate_shows_what_is_in_it() {
    let made = Authority::new("ca").issue_rsa("host.example");
    let file = pkcs12(&made, "pw", 2_048);
    let known = made.certificate();
    let rows = [
        ("Subject", "CN=host.example, O=\"Contoso, Ltd\""),
        ("SubjectName.Name", "CN=host.example, O=\"Contoso, Ltd\""),
        ("Issuer", "CN=ca, O=\"Contoso, Ltd\""),
        ("IssuerName.Name", "CN=ca, O=\"Contoso, Ltd\""),
        ("SerialNumber", "0081"),
        ("GetSerialNumberString()", "0081"),
        ("Thumbprint", known.thumbprint()),
        ("GetCertHashString()", known.thumbprint()),
        ("GetCertHash().Length", "20"),
        ("NotBefore.ToString(\"o\").Substring(0, 19)", "2026-01-01T00:00:00"),
        ("GetEffectiveDateString()", "01/01/2026 00:00:00"),
        ("GetExpirationDateString()", "01/01/2036 00:00:00"),
        ("Version", "3"),
        ("HasPrivateKey", "True"),
        ("FriendlyName", "a friendly name"),
        ("GetNameInfo(X509NameType.SimpleName, false)", "host.example"),
        ("GetNameInfo(X509NameType.SimpleName, true)", "ca"),
        ("GetNameInfo(X509NameType.DnsName, false)", "host.example"),
        ("GetNameInfo(X509NameType.EmailName, false)", "ops@contoso.example"),
        ("GetNameInfo(X509NameType.UrlName, false)", "https://contoso.example/ops"),
        ("GetNameInfo(X509NameType.UpnName, false)", ""),
        ("PublicKey.Oid.Value", "1.2.840.113549.1.1.1"),
        ("PublicKey.Oid.FriendlyName", "RSA"),
        ("SignatureAlgorithm.FriendlyName", "sha256ECDSA"),
        ("Extensions.Count()", "2"),
        ("Extensions.Any(e => e.Oid.Value == \"2.5.29.17\" && !e.Critical)", "True"),
        ("GetRSAPublicKey().KeySize", "2048"),
        ("Verify()", "False"),
        ("VerifyNoRevocation()", "True"),
    ];
    for (member, expected) in rows {
        assert_eq!(of(&file, &format!("@(CERTIFICATE.{member})")), expected, "{member}");
    }
    let der = made.x509.to_der().unwrap();
    let round = "@(Convert.ToBase64String(new X509Certificate2(CERTIFICATE.RawData).RawData))";
    assert_eq!(of(&file, round), STANDARD.encode(der));
}

#[test]
fn its_keys_sign_and_verify() {
    let file = pkcs12(&Authority::new("ca").issue_rsa("c"), "pw", 2_048);
    for padding in ["Pkcs1", "Pss"] {
        for hash in ["SHA1", "SHA256", "SHA384", "SHA512"] {
            let how = format!("HashAlgorithmName.{hash}, RSASignaturePadding.{padding}");
            let text = format!(
                "@{{ var c = CERTIFICATE; var data = Encoding.UTF8.GetBytes(\"data\"); \
                 var other = Encoding.UTF8.GetBytes(\"other\"); \
                 var signed = c.GetRSAPrivateKey().SignData(data, {how}); \
                 var key = c.GetRSAPublicKey(); \
                 return key.VerifyData(data, signed, {how}) + \" \" + \
                 key.VerifyData(other, signed, {how}); }}"
            );
            assert_eq!(of(&file, &text), "True False", "{how}");
        }
    }
    let refused = "@(CERTIFICATE.GetRSAPublicKey().SignData(new byte[] { 1 }, \
                   HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1).Length)";
    assert!(of(&file, refused).starts_with("throws CryptographicException"));
    let curve = pkcs12(&Authority::new("ca").issue("c"), "pw", 2_048);
    assert_eq!(of(&curve, "@(CERTIFICATE.GetRSAPrivateKey() == null)"), "True");
}

#[test]
fn what_is_no_certificate_is_an_exception_and_no_key_prints() {
    let wrong = outcome("@(new X509Certificate2(new byte[] { 48, 1 }).Subject)");
    assert!(wrong.starts_with("throws CryptographicException"), "{wrong}");
    let made = Authority::new("ca").issue("c");
    let mut request = Request::default();
    let certificate = Value::from(std::sync::Arc::new(made.certificate()));
    request.variables.push(("c".to_owned(), certificate.clone()));
    let text = outcome_on("@(((X509Certificate2)context.Variables[\"c\"]).Issuer)", &mut request);
    assert_eq!(text, "CN=ca, O=\"Contoso, Ltd\"");
    assert!(!format!("{certificate:?}").contains("PRIVATE"));
    let shown = outcome_on("@(context.Variables[\"c\"].ToString())", &mut request);
    assert!(!shown.contains("PRIVATE"), "{shown}");
}
