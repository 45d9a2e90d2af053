//! What operators are shown of who was refused: enough to know the client by, and no secret.

use std::borrow::Cow;
use std::sync::Arc;

use crate::exchange::Exchange;
use crate::limit::names::WHO_CHARACTERS_MAX;

/// What stands for a key that is a secret, or holds one.
const COVERED: &str = "[secret]";

/// Parts of the names of fields and parameters whose values are secrets.
const SECRET_NAMES: [&str; 7] =
    ["auth", "cookie", "key", "token", "secret", "password", "credential"];

/// From how many bytes on a key that is a part of a secret is taken for one.
const PART_BYTES_MIN: usize = 8;

/// The subscription by its id; its keys are secrets.
pub(super) fn subscription(exchange: &Exchange) -> Arc<str> {
    exchange.subscription.as_ref().map_or_else(|| Arc::from(""), |known| Arc::clone(&known.id))
}

/// What is shown of a key that is known to be a secret.
pub(super) fn covered() -> Arc<str> {
    Arc::from(COVERED)
}

/// What is shown of the text `key`: its beginning, without control characters; nothing of it where
/// it is, or holds, a secret of the request.
pub fn shown(key: &str, exchange: &Exchange) -> Arc<str> {
    if holds_secret(key, exchange) {
        return covered();
    }
    let plain = |character: char| if is_plain(character) { character } else { '\u{fffd}' };
    let kept: String = key.chars().map(plain).take(WHO_CHARACTERS_MAX).collect();
    Arc::from(kept)
}

/// Whether a character shows itself and nothing else: none of control, and none that turns the
/// direction of what stands beside it.
fn is_plain(character: char) -> bool {
    let turns = matches!(
        character,
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    !character.is_control() && !turns
}

fn holds_secret(key: &str, exchange: &Exchange) -> bool {
    let meets = |secret: &str| {
        !secret.is_empty()
            && (key.contains(secret) || PART_BYTES_MIN <= key.len() && secret.contains(key))
    };
    let is_secret = |name: &str| {
        let name = name.to_ascii_lowercase();
        SECRET_NAMES.iter().any(|part| name.contains(part))
    };
    let known = exchange.subscription.as_ref();
    let known = known.into_iter().flat_map(|known| [&known.primary_key, &known.secondary_key]);
    let mut keys = known.chain(&exchange.key);
    let mut fields = exchange.request.headers.map().iter();
    let mut parameters = exchange.original.query.split('&').filter_map(|pair| pair.split_once('='));
    exchange.deployment.secrets.are_in(key)
        || keys.any(|secret| meets(secret))
        || exchange.pending.tokens.iter().any(|token| meets(token.expose()))
        || fields.any(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes());
            // A scheme such as `Bearer` is no secret, what follows it is.
            let bare = value.rsplit_once(' ').map_or("", |(_, bare)| bare);
            is_secret(name.as_str()) && (meets(&value) || meets(bare))
        })
        || parameters.any(|(name, value)| is_secret(name) && meets(&decoded(value)))
}

/// The value of a parameter without its escapes.
fn decoded(value: &str) -> Cow<'_, str> {
    percent_encoding::percent_decode_str(value).decode_utf8_lossy()
}
