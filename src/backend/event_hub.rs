//! Event hubs: where they are, and as whom events are sent: by a connection string, with whose key
//! tokens are signed, or as an identity of the gateway.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::principal::Who;
use super::{BaseUrl, UrlRefused};
use crate::secret::Secret;

/// An event hub, and as whom events are sent to it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EventHub {
    /// The namespace: always `https`, and without a path.
    pub base: BaseUrl,
    /// The name of the hub in it.
    pub name: Arc<str>,
    /// As whom.
    pub credential: Credential,
}

/// As whom events are sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Credential {
    /// Whoever has this key; tokens are signed with it.
    SharedKey {
        /// The name of the key.
        name: Arc<str>,
        /// The key.
        key: Secret,
    },
    /// As the gateway itself, with a token for [`SERVICE`].
    Identity(Arc<Who>),
}

/// What a token of the gateway is for that event hubs take.
pub const SERVICE: &str = "https://eventhubs.azure.net";

/// Why a text is no connection string of an event hub. It never holds any of the text but the names
/// of its parts.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NoEventHub {
    /// No `name=value`.
    #[error("a part of it is no `Name=value`")]
    Part,
    /// A part that is not known.
    #[error("it has a part `{0}`, which is not known here")]
    Unknown(String),
    /// A part is there twice.
    #[error("its part `{0}` is there twice")]
    Twice(&'static str),
    /// A part is missing.
    #[error("its part `{0}` is missing")]
    Missing(&'static str),
    /// The address is none.
    #[error("its `Endpoint` is none: {0}")]
    Endpoint(#[from] UrlRefused),
    /// The address is not that of a namespace.
    #[error("its `Endpoint` does not begin with `sb://` and a host, with nothing behind it")]
    Scheme,
    /// Nobody says which hub.
    #[error("neither it (`EntityPath`) nor `name` says which event hub it is")]
    Nameless,
    /// Two different hubs are named.
    #[error("its `EntityPath` and `name` are not the same")]
    Differs,
    /// No name of a hub.
    #[error(
        "the name of the event hub has none of 1 to {NAME_BYTES_MAX} letters, digits, `.`, `-`, `_`"
    )]
    Name,
    /// Too long.
    #[error("it has more than {STRING_BYTES_MAX} bytes")]
    TooLong,
}

/// The longest connection string, in bytes.
pub const STRING_BYTES_MAX: usize = 4 << 10;
/// The longest name of an event hub, in bytes.
pub const NAME_BYTES_MAX: usize = 256;

/// What stands in a token as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// The parts of a connection string.
const PARTS: [&str; 4] = ["Endpoint", "SharedAccessKeyName", "SharedAccessKey", "EntityPath"];

impl EventHub {
    /// Reads a connection string, such as
    /// `Endpoint=sb://NAMESPACE.servicebus.windows.net/;SharedAccessKeyName=…;SharedAccessKey=…`;
    /// `name` is that of the hub, where the string does not say it.
    pub fn parse(text: &str, name: Option<&str>) -> Result<Self, NoEventHub> {
        if STRING_BYTES_MAX < text.len() {
            return Err(NoEventHub::TooLong);
        }
        let mut parts: [Option<&str>; 4] = [None; 4];
        for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
            let (key, value) = part.split_once('=').ok_or(NoEventHub::Part)?;
            let known = PARTS.iter().zip(&mut parts);
            let known = known.into_iter().find(|(part, _)| part.eq_ignore_ascii_case(key.trim()));
            let (part, slot) = known.ok_or_else(|| NoEventHub::Unknown(shown(key)))?;
            if slot.replace(value.trim()).is_some() {
                return Err(NoEventHub::Twice(part));
            }
        }
        let [endpoint, key_name, key, path] = parts;
        let present = |part: Option<&str>, name| {
            part.filter(|part| !part.is_empty()).map(str::to_owned).ok_or(NoEventHub::Missing(name))
        };
        let endpoint = present(endpoint, "Endpoint")?;
        let key_name = present(key_name, "SharedAccessKeyName")?;
        let key = present(key, "SharedAccessKey")?;
        Ok(Self {
            base: namespace(&endpoint)?,
            name: Arc::from(one_name(path, name)?),
            credential: Credential::SharedKey { name: Arc::from(key_name), key: Secret::new(key) },
        })
    }

    /// The hub `name` in the namespace at `address`, such as `NAMESPACE.servicebus.windows.net`; events
    /// are sent to it as `who`.
    pub fn at(address: &str, name: Option<&str>, who: Arc<Who>) -> Result<Self, NoEventHub> {
        let address = address.trim();
        let base = if address.contains("://") {
            namespace(address)?
        } else {
            namespace(&format!("sb://{address}"))?
        };
        let name = Arc::from(one_name(None, name)?);
        Ok(Self { base, name, credential: Credential::Identity(who) })
    }

    /// What tokens are for.
    fn resource(&self) -> String {
        utf8_percent_encode(&format!("{}/{}", self.base, self.name), PLAIN).to_string()
    }

    /// The value of `Authorization` that counts until `expires`, in seconds since the Unix epoch,
    /// signed with `key`, which is called `name`.
    pub fn token(&self, name: &str, key: &Secret, expires: u64) -> Result<Secret, ErrorStack> {
        let resource = self.resource();
        let key = PKey::hmac(key.expose().as_bytes())?;
        let mut signer = Signer::new(MessageDigest::sha256(), &key)?;
        let code = signer.sign_oneshot_to_vec(format!("{resource}\n{expires}").as_bytes())?;
        let signature = STANDARD.encode(code);
        let [signature, name] = [&signature, name].map(|it| utf8_percent_encode(it, PLAIN));
        Ok(Secret::new(format!(
            "SharedAccessSignature sr={resource}&sig={signature}&se={expires}&skn={name}"
        )))
    }
}

impl fmt::Display for EventHub {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.base, self.name)
    }
}

fn namespace(endpoint: &str) -> Result<BaseUrl, NoEventHub> {
    let (scheme, rest) = endpoint.split_once("://").ok_or(NoEventHub::Scheme)?;
    if !["sb", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return Err(NoEventHub::Scheme);
    }
    let base = BaseUrl::parse(&format!("https://{rest}"))?;
    if base.path.is_empty() { Ok(base) } else { Err(NoEventHub::Scheme) }
}

fn one_name<'a>(path: Option<&'a str>, name: Option<&'a str>) -> Result<&'a str, NoEventHub> {
    let path = path.filter(|path| !path.is_empty());
    let name = match (path, name) {
        (Some(path), Some(name)) if !path.eq_ignore_ascii_case(name) => {
            return Err(NoEventHub::Differs);
        }
        (Some(name), _) | (None, Some(name)) => name,
        (None, None) => return Err(NoEventHub::Nameless),
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    let fits = (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(plain);
    if fits { Ok(name) } else { Err(NoEventHub::Name) }
}

/// The name of a part, or nothing of what may be a secret.
fn shown(key: &str) -> String {
    let key = key.trim();
    let is_word = key.len() <= 32 && key.bytes().all(|byte| byte.is_ascii_alphabetic());
    if is_word { key.to_owned() } else { "…".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::principal::Principals;

    const STRING: &str = "Endpoint=sb://Shop.servicebus.windows.net/;\
                          SharedAccessKeyName=send+only;SharedAccessKey=c2VjcmV0LWtleQ==";

    #[test]
    fn a_connection_string_leads_to_one_event_hub() {
        let hub = EventHub::parse(STRING, Some("usage")).unwrap();
        assert_eq!(hub.to_string(), "https://shop.servicebus.windows.net/usage");
        let named = format!("{STRING};EntityPath=usage;");
        assert_eq!(EventHub::parse(&named, None).unwrap(), hub);
        assert_eq!(EventHub::parse(&named, Some("Usage")).unwrap(), hub);
        let elsewhere = STRING.replace("Shop.servicebus.windows.net", "localhost:8443");
        assert_eq!(EventHub::parse(&elsewhere, Some("u")).unwrap().base.port, 8443);
        assert!(!format!("{hub:?}").contains("c2Vj"));
    }

    #[test]
    fn a_hub_of_an_identity_is_an_address_and_a_name() {
        let who = || Arc::new(Principals::default().who(None));
        for address in ["Shop.servicebus.windows.net", " sb://shop.servicebus.windows.net/ "] {
            let hub = EventHub::at(address, Some("usage"), who()).unwrap();
            assert_eq!(hub.to_string(), "https://shop.servicebus.windows.net/usage");
        }
        for (address, name, refused) in [
            ("http://n", Some("u"), NoEventHub::Scheme),
            ("n/path", Some("u"), NoEventHub::Scheme),
            ("u@n", Some("u"), NoEventHub::Endpoint(UrlRefused::Credentials)),
            ("n", None, NoEventHub::Nameless),
            ("n", Some("a/b"), NoEventHub::Name),
        ] {
            assert_eq!(EventHub::at(address, name, who()), Err(refused), "{address}");
        }
    }

    #[test]
    fn what_is_no_connection_string_is_refused_without_showing_it() {
        let with = |from: &str, to: &str| STRING.replace(from, to);
        for (text, name, refused) in [
            ("c2VjcmV0", Some("u"), NoEventHub::Part),
            ("c2VjcmV0LWtleQ==", Some("u"), NoEventHub::Unknown("…".to_owned())),
            ("", Some("u"), NoEventHub::Missing("Endpoint")),
            (STRING, None, NoEventHub::Nameless),
            (STRING, Some("a/b"), NoEventHub::Name),
            (STRING, Some(""), NoEventHub::Name),
            (&format!("{STRING};EntityPath=a"), Some("b"), NoEventHub::Differs),
            (&format!("{STRING};EntityPath=a;entitypath=b"), None, NoEventHub::Twice("EntityPath")),
            (&with("sb://", "http://"), Some("u"), NoEventHub::Scheme),
            (&with("sb://", ""), Some("u"), NoEventHub::Scheme),
            (&with(".net/", ".net/a"), Some("u"), NoEventHub::Scheme),
            (&with("Shop", "a b"), Some("u"), NoEventHub::Endpoint(UrlRefused::Host)),
            (&with("SharedAccessKey=c2VjcmV0LWtleQ==", ""), Some("u"), {
                NoEventHub::Missing("SharedAccessKey")
            }),
            (&format!("{STRING};SharedAccessSignature=x"), Some("u"), {
                NoEventHub::Unknown("SharedAccessSignature".to_owned())
            }),
            (&"x".repeat(STRING_BYTES_MAX + 1), Some("u"), NoEventHub::TooLong),
        ] {
            let told = EventHub::parse(text, name).unwrap_err();
            assert_eq!(told, refused, "{text}");
            assert!(!told.to_string().contains("c2Vj"));
        }
    }

    /// The signature is that of an independent implementation (Python's `hmac`) over the same.
    #[test]
    fn a_token_is_signed_as_the_service_checks_it() {
        let hub = EventHub::parse(STRING, Some("usage")).unwrap();
        let token =
            hub.token("send+only", &Secret::new("c2VjcmV0LWtleQ=="), 1_800_003_600).unwrap();
        assert_eq!(
            token.expose(),
            "SharedAccessSignature sr=https%3A%2F%2Fshop.servicebus.windows.net%2Fusage&sig=bB610aDLu9EcYHNZLH1Dv6suaSmYq2anxOm1ZB%2BUXlE%3D\
             &se=1800003600&skn=send%2Bonly"
        );
    }
}
