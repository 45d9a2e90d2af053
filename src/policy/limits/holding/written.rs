//! The values of the words that say how a limit is held, as they are written.

use std::time::Duration;

use crate::fault::nearest;
use crate::limit::manner::Over;
use crate::policy::limits::holding::BURST_MIN;
use crate::time::span;

/// The most of anything that can be told apart over Redis.
const BURST_MAX: u64 = 1 << 40;

/// A hundred per cent, in parts of ten thousand.
const ALL: u16 = 10_000;

/// The value called `text`.
pub(super) fn one_of<T: Copy>(text: &str, known: &[(&str, T)]) -> Result<T, String> {
    let found = known.iter().find(|(name, _)| *name == text);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<String> = known.iter().map(|(name, _)| format!("`{name}`")).collect();
        let names = names.join(" or ");
        match nearest(text, known.iter().map(|(name, _)| *name)) {
            Some(near) => format!("{names}; did you mean `{near}`?"),
            None => names,
        }
    })
}

/// `1%`, `0.25%`, or a number.
pub(super) fn over(text: &str) -> Result<Over, String> {
    let over = match text.strip_suffix('%') {
        None => whole(text).filter(|tokens| *tokens <= BURST_MAX).map(Over::Tokens),
        Some(percent) => hundredths(percent.trim_end())
            .filter(|parts| *parts <= ALL)
            .map(|of_ten_thousand| Over::Part { of_ten_thousand }),
    };
    over.ok_or_else(|| "a part of the limit up to 100%, such as 1% or 0.5%, or a number".to_owned())
}

/// A number with at most two digits after its point, in hundredths.
fn hundredths(text: &str) -> Option<u16> {
    let (number, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let fraction = match fraction.len() {
        1 => whole(fraction)?.checked_mul(10)?,
        2 => whole(fraction)?,
        _ => return None,
    };
    u16::try_from(whole(number)?.checked_mul(100)?.checked_add(fraction)?).ok()
}

/// How many tokens a bucket holds.
pub(super) fn burst(text: &str) -> Result<u64, String> {
    let burst = whole(text).filter(|burst| (BURST_MIN..=BURST_MAX).contains(burst));
    burst.ok_or_else(|| format!("a number of tokens from {BURST_MIN} on"))
}

/// A time within `bounds`.
pub(super) fn within(
    text: &str,
    bounds: (Duration, Duration),
    such_as: &str,
) -> Result<Duration, String> {
    let (least, most) = bounds;
    let time = span(text).filter(|time| (least..=most).contains(time));
    time.ok_or_else(|| format!("a time from {least:?} to {most:?}, such as {such_as}"))
}

/// A number without a sign.
fn whole(text: &str) -> Option<u64> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_plain { text.parse().ok() } else { None }
}
