//! What a gateway knows of its own token without any key: who it says we are, until when it is
//! good, and when to tell an operator.

use std::fmt;
use std::time::Duration;

use super::name::GatewayName;
use super::{Malformed, Token};
use crate::secret::Secret;
use crate::time::Timestamp;

/// How long before its end a token should be replaced.
pub const NEAR: Duration = Duration::from_hours(7 * 24);
/// How long before its end it is urgent.
pub const URGENT: Duration = Duration::from_hours(24);
/// How often to warn from [`NEAR`] on, and after the end.
const WARN_EVERY: Duration = Duration::from_hours(24);
/// How often to warn from [`URGENT`] on.
const WARN_URGENTLY_EVERY: Duration = Duration::from_hours(1);

/// The token of this gateway.
#[derive(Clone, Eq, PartialEq)]
pub struct Credential(Token);

/// How long a credential is good for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Expiry {
    /// From when on it is good for nothing.
    pub at: Timestamp,
    /// How long that is from now; zero if it is over.
    pub left: Duration,
    /// What an operator should think of it.
    pub state: State,
    /// How long before its end it should be replaced.
    pub near: Duration,
}

/// What an operator should think of a credential.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum State {
    /// Nothing.
    Fine,
    /// It should be replaced: less than [`NEAR`] is left, or than what was said instead.
    Near,
    /// The control plane refuses it. The gateway goes on with what it has.
    Expired,
}

impl Credential {
    /// Reads what a setting or a file holds; white space around it goes.
    pub fn read(text: &str) -> Result<Self, Malformed> {
        Token::parse(text.trim_ascii()).map(Self)
    }

    /// Who it says we are.
    pub const fn gateway(&self) -> &GatewayName {
        self.0.gateway()
    }

    /// What is shown to the control plane.
    pub fn text(&self) -> Secret {
        self.0.text()
    }

    /// How long it is good for. Whether the control plane takes it is another question: it may be
    /// revoked, or its key replaced.
    pub fn expiry(&self, now: Timestamp) -> Expiry {
        Expiry::of(self.0.expiry().at(), now)
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, formatter)
    }
}

impl Expiry {
    /// What is to be said `now` of something that ends `at`.
    pub fn of(at: Timestamp, now: Timestamp) -> Self {
        Self::within(at, NEAR, now)
    }

    /// The same of something that should be replaced when `near` is left.
    pub fn within(at: Timestamp, near: Duration, now: Timestamp) -> Self {
        let left = at.since(now);
        let state = if left.is_zero() {
            State::Expired
        } else if left <= near {
            State::Near
        } else {
            State::Fine
        };
        Self { at, left, state, near }
    }

    /// The next time to warn after `now`, of which this was made. Whoever learns of a token that is
    /// not [`State::Fine`] warns at once, and then whenever this says: when it is near its end, each
    /// day from then on, each hour of the last day, at the end, and each day after it.
    pub fn next_warning(&self, now: Timestamp) -> Timestamp {
        match self.state {
            State::Expired => {
                let over = now.since(self.at);
                now + WARN_EVERY.saturating_sub(remainder(over, WARN_EVERY))
            }
            State::Near if self.left <= URGENT => now + step(self.left, WARN_URGENTLY_EVERY),
            State::Near => now + step(self.left, WARN_EVERY),
            State::Fine => now + self.left.saturating_sub(self.near),
        }
    }
}

impl State {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Near => "near",
            Self::Expired => "expired",
        }
    }
}

/// How long it is until a whole number of `every` is left; never nothing, where something is left.
fn step(left: Duration, every: Duration) -> Duration {
    let rest = remainder(left, every);
    if rest.is_zero() { every } else { rest }
}

fn remainder(span: Duration, every: Duration) -> Duration {
    let nanos = span.as_nanos().checked_rem(every.as_nanos()).unwrap_or(0);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::token::tests::{key, name};

    const DAY: Duration = Duration::from_hours(24);
    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    #[test]
    fn a_credential_is_read_as_files_hold_it_and_does_not_print() {
        let token = Token::create(&name("berlin"), &key(1), NOW, 10 * DAY).unwrap();
        let text = format!("  {}\r\n", token.text().expose());
        let credential = Credential::read(&text).unwrap();
        assert_eq!(credential.gateway(), &name("berlin"));
        assert_eq!(credential.text(), token.text());
        assert_eq!(format!("{credential:?}"), "GatewayKey berlin&202701250800&[secret]");
        assert_eq!(credential.expiry(NOW).left, 10 * DAY);
        assert_eq!(Credential::read("").unwrap_err(), Malformed::Scheme);
    }

    #[test]
    fn warnings_come_from_seven_days_on_and_oftener_on_the_last() {
        let at = NOW + 30 * DAY;
        let mut now = NOW;
        let mut before = Vec::new();
        for _ in 0..33 {
            let next = Expiry::of(at, now).next_warning(now);
            assert!(now < next);
            now = next;
            before.push(at.since(now).as_secs() / 3_600);
        }
        let expected: Vec<u64> =
            (1..=7).rev().map(|day| day * 24).chain((0..24).rev()).chain([0, 0]).collect();
        assert_eq!(before, expected);
        assert_eq!(now, at + 2 * DAY);
    }

    #[test]
    fn the_state_follows_from_what_is_left() {
        let second = Duration::from_secs(1);
        for (left, state) in [
            (NEAR + second, State::Fine),
            (NEAR, State::Near),
            (second, State::Near),
            (Duration::ZERO, State::Expired),
        ] {
            let expiry = Expiry::of(NOW + left, NOW);
            assert_eq!((expiry.at, expiry.left, expiry.state), (NOW + left, left, state));
        }
        assert_eq!(Expiry::of(NOW, NOW + DAY).state, State::Expired);
    }

    proptest! {
        #[test]
        fn the_next_warning_is_always_ahead(at: u64, now: u64) {
            let (at, now) = (Timestamp::from_micros(at >> 1), Timestamp::from_micros(now >> 1));
            let next = Expiry::of(at, now).next_warning(now);
            prop_assert!(now < next);
        }
    }
}
