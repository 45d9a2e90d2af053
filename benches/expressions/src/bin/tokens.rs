//! What it costs to find a token of RS256 authentic that was found so before, beside one that was
//! not, interleaved in one run. Fails where the first is more than a fiftieth of the second.

use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::sign::Signer;
use weir::issuer::known::Issuers;
use weir::jwt::key::Key;
use weir::policy::tokens::asked::{Asked, Own};
use weir::secret::Secret;
use weir::time::Timestamp;

const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);
const ROUNDS: usize = 41;
/// Checks in one round.
const TURNS: u32 = 500;
/// Bits of the key.
const KEY_BITS: u32 = 2_048;
/// What is to be, at least.
const RATIO_MIN: f64 = 50.0;
/// Claims as an access token of Entra has them.
const CLAIMS: &str = r#"{"aud":"api://orders","iss":"https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0","iat":1799999000,"nbf":1799999000,"exp":1800003600,"azp":"66666666-7777-8888-9999-000000000000","name":"Jane Doe","oid":"aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee","preferred_username":"jane@example.com","roles":["Orders.Read","Orders.Write"],"scp":"access_as_user","sub":"abcdefghijklmnopqrstuvwxyz0123456789","tid":"11111111-2222-3333-4444-555555555555","ver":"2.0"}"#;

fn main() -> ExitCode {
    let key = PKey::from_rsa(Rsa::generate(KEY_BITS).expect("a key")).expect("a key");
    let asked = asked(&key);
    let issuers = Issuers::default();
    let first = issuers.at_once(&asked, NOW).expect("an answer");
    first.expect("an authentic token");
    let (mut fresh, mut known) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        fresh.push(timed(|| _ = black_box(asked.answer(&[]).is_ok())));
        known.push(timed(|| _ = black_box(issuers.at_once(&asked, NOW))));
    }
    let (fresh, known) = (median(&mut fresh), median(&mut known));
    let ratio = fresh / known;
    println!("RS256, {KEY_BITS} bits, token of {} bytes", asked.token.expose().len());
    println!("verified: {fresh:.0} ns; found authentic before: {known:.0} ns; ratio {ratio:.0}");
    if ratio < RATIO_MIN { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn asked(key: &PKey<Private>) -> Asked {
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let header = encode(br#"{"typ":"JWT","alg":"RS256","kid":"a"}"#);
    let text = format!("{header}.{}", encode(CLAIMS.as_bytes()));
    let mut signer = Signer::new(MessageDigest::sha256(), key).expect("a signer");
    let signature = signer.sign_oneshot_to_vec(text.as_bytes()).expect("a signature");
    let rsa = key.rsa().expect("a key");
    let public = Key::rsa(&rsa.n().to_vec(), &rsa.e().to_vec()).expect("a public key").named("a");
    Asked {
        token: Secret::new(format!("{text}.{}", encode(&signature))),
        own: Arc::new(Own::new(vec![public], Vec::new())),
        documents: Arc::from([]),
        takes_unsigned: false,
    }
}

/// Nanoseconds of one turn.
fn timed(mut turn: impl FnMut()) -> f64 {
    let start = Instant::now();
    for _ in 0..TURNS {
        turn();
    }
    start.elapsed().as_secs_f64() * 1e9 / f64::from(TURNS)
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}
