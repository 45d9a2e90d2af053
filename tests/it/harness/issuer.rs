//! An issuer of tokens over TLS: what it says of itself, its keys, and tokens for clients.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey};
use openssl::ecdsa::EcdsaSig;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::sign::Signer;
use openssl::ssl::SslAcceptor;
use openssl::x509::X509;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use weir::jwt::key::Key;
use weir::jwt::{Rules, verify};
use weir::time::Timestamp;

use super::backend::{Backend, reply};
use super::message::{self, Reader};
use super::tls::Authority;

/// An issuer that listens. It ends when the value does.
pub(crate) struct Issuer {
    listening: Backend,
    authority: Authority,
    state: Arc<Mutex<State>>,
}

struct State {
    name: String,
    key: SigningKey,
    /// How many keys there were.
    count: u32,
    /// Whether it closes connections without a word.
    is_down: bool,
    /// What it answers instead of its keys: status, one more field, and body.
    nonsense: Option<(u16, (String, String), String)>,
    /// What was asked for, by its path.
    asked: BTreeMap<String, usize>,
    /// The secrets of clients, by their names.
    secrets: BTreeMap<String, String>,
    /// The certificates of clients.
    certificates: BTreeMap<String, X509>,
    /// What stands for the secrets of clients: a token of somebody else.
    assertions: BTreeMap<String, String>,
    /// What stands for somebody's consent, by client: good once, then it is another.
    consents: BTreeMap<String, String>,
    /// How often one was shown that was good no more.
    stale: usize,
    /// What clients may ask for.
    scope: String,
    /// For how many seconds tokens of clients are good.
    life: u64,
}

struct SigningKey {
    id: String,
    key: PKey<Private>,
}

/// Seconds since the epoch.
pub(crate) fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A token of these parts.
pub(crate) fn parts(header: &Value, claims: &Value, signature: &[u8]) -> String {
    let (header, claims) = (encode(header.to_string()), encode(claims.to_string()));
    format!("{header}.{claims}.{}", encode(signature))
}

impl SigningKey {
    fn new(number: u32) -> Self {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).expect("a curve");
        let key = PKey::from_ec_key(EcKey::generate(&group).expect("a key")).expect("a key");
        Self { id: format!("key-{number}"), key }
    }

    fn public(&self) -> Value {
        let key = self.key.ec_key().expect("a key of a curve");
        let (mut x, mut y) = (BigNum::new().expect("room"), BigNum::new().expect("room"));
        let mut context = BigNumContext::new().expect("room");
        let point = key.public_key();
        point.affine_coordinates(key.group(), &mut x, &mut y, &mut context).expect("a point");
        let wide = |number: &BigNum| encode(number.to_vec_padded(32).expect("it fits"));
        json!({
            "kty": "EC", "crv": "P-256", "use": "sig", "kid": self.id, "x": wide(&x), "y": wide(&y),
        })
    }

    fn token(&self, claims: &Value) -> String {
        let header = json!({"alg": "ES256", "typ": "JWT", "kid": self.id});
        let text = parts(&header, claims, b"");
        let text = text.trim_end_matches('.');
        let mut signer = Signer::new(MessageDigest::sha256(), &self.key).expect("a signer");
        let raw = signer.sign_oneshot_to_vec(text.as_bytes()).expect("a signature");
        let numbers = EcdsaSig::from_der(&raw).expect("two numbers");
        let wide = |number: &openssl::bn::BigNumRef| number.to_vec_padded(32).expect("it fits");
        let signature = [wide(numbers.r()), wide(numbers.s())].concat();
        format!("{text}.{}", encode(signature))
    }
}

impl Issuer {
    pub(crate) fn new() -> Self {
        let authority = Authority::new();
        let state = State {
            name: String::new(),
            key: SigningKey::new(1),
            count: 1,
            is_down: false,
            nonsense: None,
            asked: BTreeMap::new(),
            secrets: BTreeMap::new(),
            certificates: BTreeMap::new(),
            assertions: BTreeMap::new(),
            consents: BTreeMap::new(),
            stale: 0,
            scope: "control".to_owned(),
            life: 3_600,
        };
        let state = Arc::new(Mutex::new(state));
        let acceptor = authority.acceptor("localhost");
        let told = Arc::clone(&state);
        let listening = Backend::raw(move |stream, _number| serve(&acceptor, stream, &told));
        // The certificate is for the name.
        let name = format!("https://localhost:{}", listening.port());
        state.lock().expect("its state").name = name;
        Self { listening, authority, state }
    }

    /// What it calls itself.
    pub(crate) fn name(&self) -> String {
        self.state().name.clone()
    }

    /// Its address.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.listening.port())
    }

    /// Writes the authority that it is judged by.
    pub(crate) fn certify(&self, path: &Path) {
        fs::write(path, self.authority.certificate()).expect("a file");
    }

    /// Has another key from now on, and none of before.
    pub(crate) fn rotate(&self) {
        let mut state = self.state();
        state.count += 1;
        state.key = SigningKey::new(state.count);
    }

    /// Closes connections without a word, or does not any more.
    pub(crate) fn set_down(&self, is_down: bool) {
        self.state().is_down = is_down;
    }

    /// Answers this instead of its keys, or its keys again.
    pub(crate) fn set_nonsense(&self, nonsense: Option<(u16, (&str, &str), &str)>) {
        let owned = |(status, (name, value), body): (u16, (&str, &str), &str)| {
            (status, (name.to_owned(), value.to_owned()), body.to_owned())
        };
        self.state().nonsense = nonsense.map(owned);
    }

    /// How often it was asked for `path`.
    pub(crate) fn asked(&self, path: &str) -> usize {
        self.state().asked.get(path).copied().unwrap_or_default()
    }

    /// Has a client with a secret.
    pub(crate) fn trust_secret(&self, client: &str, secret: &str) {
        self.state().secrets.insert(client.to_owned(), secret.to_owned());
    }

    /// Has a client for whom somebody else vouches with this token, and no longer with another.
    pub(crate) fn trust_assertion(&self, client: &str, token: &str) {
        self.state().assertions.insert(client.to_owned(), token.to_owned());
    }

    /// Gives tokens for this scope alone.
    pub(crate) fn set_scope(&self, scope: &str) {
        scope.clone_into(&mut self.state().scope);
    }

    /// Has a client with a certificate.
    pub(crate) fn trust_certificate(&self, client: &str, pem: &[u8]) {
        let certificate = X509::from_pem(pem).expect("a certificate");
        self.state().certificates.insert(client.to_owned(), certificate);
    }

    /// Gives clients tokens for so many seconds.
    pub(crate) fn set_life(&self, seconds: u64) {
        self.state().life = seconds;
    }

    /// Its key, for whoever knows it.
    pub(crate) fn public_key(&self) -> PKey<openssl::pkey::Public> {
        let der = self.state().key.key.public_key_to_der().expect("a key");
        PKey::public_key_from_der(&der).expect("a key")
    }

    /// The id of its key.
    pub(crate) fn key_id(&self) -> String {
        self.state().key.id.clone()
    }

    /// The claims of a token of `subject` for the control plane, good for an hour.
    pub(crate) fn claims(&self, subject: &str) -> Value {
        let now = seconds();
        json!({
            "iss": self.name(), "sub": subject, "aud": ["weir-control"],
            "iat": now, "nbf": now, "exp": now + 3_600,
        })
    }

    /// A token with these claims, signed with its key.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        self.state().key.token(claims)
    }

    /// A token of `subject`.
    pub(crate) fn token(&self, subject: &str) -> String {
        let claims = self.claims(subject);
        self.sign(&claims)
    }

    /// Somebody has consented to `client`, which got `refresh_token` for it.
    pub(crate) fn consent(&self, client: &str, refresh_token: &str) {
        self.state().consents.insert(client.to_owned(), refresh_token.to_owned());
    }

    /// How often a refresh token was shown that was good no more.
    pub(crate) fn stale(&self) -> usize {
        self.state().stale
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("its state")
    }
}

fn serve(acceptor: &SslAcceptor, stream: TcpStream, state: &Mutex<State>) -> io::Result<()> {
    if state.lock().expect("its state").is_down {
        return Ok(());
    }
    let stream = acceptor.accept(stream).map_err(io::Error::other)?;
    let mut reader = Reader::new(stream);
    let Some(head) = reader.head() else { return Ok(()) };
    let message::Body { bytes, .. } = reader.body(&head, false);
    let path = head.line.split(' ').nth(1).unwrap_or_default().to_owned();
    let nonsense = state.lock().expect("its state").nonsense.clone();
    if let Some((status, (name, value), body)) = nonsense.filter(|_| path == "/keys") {
        let fields = [(name.as_str(), value.as_str()), ("Connection", "close")];
        return reader.stream().write_all(&reply(status, &fields, &body));
    }
    let answer = {
        let mut state = state.lock().expect("its state");
        *state.asked.entry(path.clone()).or_default() += 1;
        let form = String::from_utf8_lossy(&bytes).into_owned();
        match path.as_str() {
            // Below each path another issuer, with the same keys.
            path if path.ends_with("/.well-known/openid-configuration") => {
                let below = path.trim_end_matches("/.well-known/openid-configuration");
                let keys = format!("{}/keys", state.name);
                Ok(json!({"issuer": format!("{}{below}", state.name), "jwks_uri": keys}))
            }
            "/keys" => Ok(json!({"keys": [state.key.public()]})),
            path if path.ends_with("/token") => state.grant(head.field("authorization"), &form),
            _ => Err((404, json!({}))),
        }
    };
    let (status, body) = match answer {
        Ok(body) => (200, body),
        Err((status, body)) => (status, body),
    };
    let fields = [("Content-Type", "application/json"), ("Connection", "close")];
    reader.stream().write_all(&reply(status, &fields, &body.to_string()))?;
    // Whoever reads is told that this is all.
    let _ = reader.stream().shutdown();
    Ok(())
}

impl State {
    /// A token for the client that asks, if it proves who it is.
    fn grant(&mut self, authorization: Option<&str>, form: &str) -> Result<Value, (u16, Value)> {
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let fields: BTreeMap<String, String> = form
            .split('&')
            .filter_map(|part| part.split_once('='))
            .map(|(name, value)| (name.to_owned(), decoded(value)))
            .collect();
        let field = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
        let client = match authorization.and_then(|it| it.strip_prefix("Basic ")) {
            Some(basic) => {
                let basic = STANDARD.decode(basic).unwrap_or_default();
                let basic = String::from_utf8_lossy(&basic).into_owned();
                let (client, secret) = basic.split_once(':').unwrap_or_default();
                let (client, secret) = (decoded(client), decoded(secret));
                let is_right = self.secrets.get(&client) == Some(&secret);
                // It tells what it should not.
                let echo = json!({"error": "invalid_client", "error_description": secret});
                is_right.then_some(client).ok_or((401, echo))?
            }
            None if fields.contains_key("client_secret") => {
                let client = field("client_id").to_owned();
                let is_right =
                    self.secrets.get(&client).is_some_and(|it| it == field("client_secret"));
                is_right.then_some(client).ok_or((401, json!({"error": "invalid_client"})))?
            }
            None => self.asserted(field("client_id"), field("client_assertion"))?,
        };
        if field("grant_type") == "refresh_token" {
            return self.refresh(&client, field("refresh_token"));
        }
        let is_right = field("grant_type") == "client_credentials" && field("scope") == self.scope;
        if !is_right {
            return Err((400, json!({"error": "invalid_request", "error_description": form})));
        }
        let now = seconds();
        let token = self.key.token(&json!({
            "iss": self.name, "sub": client, "aud": "weir-control", "iat": now,
            "exp": now + self.life,
        }));
        Ok(json!({"access_token": token, "token_type": "Bearer", "expires_in": self.life}))
    }

    /// Another token for `client`, and another refresh token.
    fn refresh(&mut self, client: &str, shown: &str) -> Result<Value, (u16, Value)> {
        let consent = self.consents.get_mut(client).filter(|known| **known == shown);
        let Some(consent) = consent else {
            self.stale += 1;
            let echo = format!("not good: {shown}");
            return Err((400, json!({"error": "invalid_grant", "error_description": echo})));
        };
        *consent = format!("{consent}+");
        let refresh_token = consent.clone();
        let now = seconds();
        let claims = json!({"iss": self.name, "sub": client, "iat": now, "jti": refresh_token});
        let token = self.key.token(&claims);
        Ok(json!({
            "access_token": token, "token_type": "Bearer", "expires_in": self.life,
            "refresh_token": refresh_token, "scope": "music",
        }))
    }

    fn asserted(&self, client: &str, assertion: &str) -> Result<String, (u16, Value)> {
        if self.assertions.get(client).is_some_and(|known| known == assertion) {
            return Ok(client.to_owned());
        }
        let wrong = |why: &str| (401, json!({"error": "invalid_client", "error_description": why}));
        let certificate = self.certificates.get(client).ok_or_else(|| wrong("no such client"))?;
        let header = assertion.split('.').next().unwrap_or_default();
        let header = URL_SAFE_NO_PAD.decode(header).unwrap_or_default();
        let header: Value = serde_json::from_slice(&header).unwrap_or_default();
        let digest = certificate.digest(MessageDigest::sha256()).expect("a digest");
        if header["x5t#S256"] != encode(digest) {
            return Err(wrong("another certificate"));
        }
        let key = Key::public(certificate.public_key().expect("a key")).expect("a key");
        let rules = Rules {
            issuers: vec![client.to_owned()],
            audiences: vec![format!("{}/token", self.name)],
            ..Rules::default()
        };
        let now = Timestamp::from_micros((seconds() + 1) * 1_000_000);
        let verified = verify(assertion, &[key], &rules, now);
        verified.map(|_good| client.to_owned()).map_err(|refusal| wrong(&refusal.to_string()))
    }
}
