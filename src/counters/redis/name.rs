//! What the keys are called.
//!
//! `weir:{rl3}f:…` is a counter of lane 3: the braces make a hash tag, so that all that one lane
//! has lies on one primary of a cluster. Nothing that a client wrote is in a name, only digests.

use std::fmt::{Display, Formatter, LowerHex, Result};

use base64::display::Base64Display;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::limit::key::CounterKey;
use crate::limit::order::{Meter, ReplicaId, Session, Span};

/// The names of one lane.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Names {
    /// `weir:{rl3}`.
    start: String,
    tag: String,
}

/// How many slots a cluster has.
pub const SLOTS: u16 = 16_384;

impl Names {
    /// The names of `lane`, all of which begin with `prefix`.
    pub fn new(prefix: &str, lane: u16) -> Self {
        let tag = format!("rl{lane}");
        Self { start: format!("{prefix}{{{tag}}}"), tag }
    }

    /// The table of members.
    pub fn members(&self) -> String {
        format!("{}m", self.start)
    }

    /// What is written to find out whether writing is possible.
    pub fn trial(&self) -> String {
        format!("{}w", self.start)
    }

    /// The counter of a fixed window.
    pub fn fixed(&self, meter: &Meter, span: &Span) -> String {
        self.windowed('f', meter, span)
    }

    /// A ledger of a quota.
    pub fn ledger(&self, meter: &Meter, span: &Span) -> String {
        self.windowed('q', meter, span)
    }

    /// A ring with `parts` parts in its period.
    pub fn ring(&self, meter: &Meter, parts: u32) -> String {
        format!("{}r:{}:{:x}:{parts:x}", self.start, Short(&meter.key), meter.period)
    }

    /// A token bucket.
    pub fn bucket(&self, meter: &Meter) -> String {
        format!("{}b:{}:{:x}", self.start, Short(&meter.key), meter.period)
    }

    /// Who holds permits.
    pub fn permits(&self, key: &CounterKey) -> String {
        format!("{}c:{}", self.start, Short(key))
    }

    /// The last report of a session.
    pub fn session(&self, session: &Session) -> String {
        let Session { replica, incarnation, desk } = session;
        format!("{}s:{}:{incarnation:x}:{desk:x}", self.start, Id(*replica))
    }

    /// Something that is kept beside the counters.
    pub fn kept(&self, what: &str) -> String {
        format!("{}{what}", self.start)
    }

    /// The slot of a cluster that all of these lie in: CRC-16 (XMODEM) of the hash tag.
    pub fn slot(&self) -> u16 {
        let crc = self.tag.bytes().fold(0_u16, |crc, byte| {
            (0..8).fold(crc ^ (u16::from(byte) << 8), |crc, _| {
                if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 }
            })
        });
        crc % SLOTS
    }

    fn windowed(&self, kind: char, meter: &Meter, span: &Span) -> String {
        let key = Short(&meter.key);
        format!("{}{kind}:{key}:{:x}:{:x}", self.start, meter.period, span.starts)
    }
}

/// A replica as scripts know it: always as long, so that names sort as numbers do.
#[derive(Clone, Copy, Debug)]
pub struct Id(pub ReplicaId);

impl Display for Id {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        write!(formatter, "{:032x}", self.0.0)
    }
}

impl LowerHex for Id {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        Display::fmt(self, formatter)
    }
}

/// The 16 bytes of a key in 22 characters.
struct Short<'a>(&'a CounterKey);

impl Display for Short<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        Display::fmt(&Base64Display::new(&self.0.to_bytes(), &URL_SAFE_NO_PAD), formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::key::{KeySpace, Kind};

    #[test]
    fn names_differ_in_all_that_counters_differ_in() {
        let names = Names::new("weir:", 3);
        let key = |identity| KeySpace::new(Kind::Rate, &[]).key(identity);
        let meter = Meter { key: key("a"), period: 0x10 };
        let span = Span { starts: 0x20, ends: 0x30 };
        let all = [
            names.members(),
            names.trial(),
            names.fixed(&meter, &span),
            names.fixed(&meter, &Span { starts: 0x21, ..span }),
            names.fixed(&Meter { period: 0x11, ..meter }, &span),
            names.fixed(&Meter { key: key("b"), ..meter }, &span),
            names.ledger(&meter, &span),
            names.ring(&meter, 8),
            names.ring(&meter, 9),
            names.bucket(&meter),
            names.permits(&meter.key),
            names.session(&Session { replica: ReplicaId(1), incarnation: 2, desk: 3 }),
            names.session(&Session { replica: ReplicaId(1), incarnation: 3, desk: 2 }),
        ];
        assert!(all.iter().all(|name| name.starts_with("weir:{rl3}")));
        let mut different: Vec<_> = all.to_vec();
        different.sort();
        different.dedup();
        assert_eq!(different.len(), all.len());
        assert!(names.fixed(&meter, &span).ends_with(":10:20"));
    }

    #[test]
    fn slots_are_those_of_the_cluster_specification() {
        let slot_of = |tag: &str| Names { start: String::new(), tag: tag.to_owned() }.slot();
        // The check value of this CRC, and two that servers answer to `CLUSTER KEYSLOT`.
        assert_eq!(slot_of("123456789"), 0x31C3);
        assert_eq!(slot_of("foo"), 12_182);
        assert_eq!(slot_of(""), 0);
    }
}
