//! Records of the journal as bytes: the length and a check sum, then the lane, the kind and the
//! numbers, all of them little-endian. What does not add up is the end.

use crate::limit::engine::quota::Record;
use crate::limit::key::CounterKey;
use crate::limit::order::durability::Durability;
use crate::limit::order::{
    LEDGER_ENTRIES_MAX, Ledger, LedgerEntry, Meter, ReplicaId, Session, Span,
};

const SENT: u8 = 1;
const DONE: u8 = 2;
const USED: u8 = 3;

/// The largest record without its head: a report with as many entries as there can be.
const RECORD_BYTES_MAX: usize = 64 + LEDGER_ENTRIES_MAX * 80;

/// How long the head of a record is.
const HEAD_BYTES: usize = 8;

/// Appends `record` of `lane` to `bytes`.
pub(super) fn write(bytes: &mut Vec<u8>, lane: u16, record: &Record) {
    let mut body = Vec::with_capacity(128);
    body.extend(lane.to_le_bytes());
    match record {
        Record::Sent(ledger) => {
            body.push(SENT);
            session(&mut body, &ledger.session);
            body.extend(ledger.seq.to_le_bytes());
            for entry in &ledger.entries {
                meter(&mut body, &entry.meter, &entry.span);
                for number in [entry.bound, entry.want, entry.floor] {
                    body.extend(number.to_le_bytes());
                }
                body.extend(entry.delta.to_le_bytes());
            }
        }
        Record::Done { session: of, seq } => {
            body.push(DONE);
            session(&mut body, of);
            body.extend(seq.to_le_bytes());
        }
        Record::Used { meter: of, span, amount } => {
            body.push(USED);
            meter(&mut body, of, span);
            body.extend(amount.to_le_bytes());
        }
    }
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    bytes.extend(length.to_le_bytes());
    bytes.extend(check_sum(&body).to_le_bytes());
    bytes.append(&mut body);
}

/// The record at the front of `bytes`, of whichever lane, and what comes after it; none if there is
/// none that is whole.
pub(super) fn read(bytes: &[u8]) -> Option<(u16, Record, &[u8])> {
    let (head, rest) = bytes.split_at_checked(HEAD_BYTES)?;
    let mut head = Reader(head);
    let (length, sum) = (u32::from_le_bytes(head.take()?), u32::from_le_bytes(head.take()?));
    let length = usize::try_from(length).ok().filter(|length| *length <= RECORD_BYTES_MAX)?;
    let (body, rest) = rest.split_at_checked(length)?;
    if check_sum(body) != sum {
        return None;
    }
    let mut reader = Reader(body);
    let lane = u16::from_le_bytes(reader.take()?);
    let [kind] = reader.take()?;
    let record = match kind {
        SENT => reader.sent()?,
        DONE => Record::Done { session: reader.session()?, seq: reader.number()? },
        USED => {
            let (meter, span) = reader.meter()?;
            Record::Used { meter, span, amount: reader.number()? }
        }
        _ => return None,
    };
    Some((lane, record, rest))
}

fn session(body: &mut Vec<u8>, session: &Session) {
    body.extend(session.replica.0.to_le_bytes());
    body.extend(session.incarnation.to_le_bytes());
    body.extend(session.desk.to_le_bytes());
}

pub(super) fn meter(body: &mut Vec<u8>, meter: &Meter, span: &Span) {
    body.extend(meter.key.to_bytes());
    for number in [meter.period, span.starts, span.ends] {
        body.extend(number.to_le_bytes());
    }
}

/// What is left to read of a record, or of what is written like one.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl Reader<'_> {
    pub(super) fn take<const BYTES: usize>(&mut self) -> Option<[u8; BYTES]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    pub(super) fn number(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    fn session(&mut self) -> Option<Session> {
        Some(Session {
            replica: ReplicaId(u128::from_le_bytes(self.take()?)),
            incarnation: self.number()?,
            desk: u32::from_le_bytes(self.take()?),
        })
    }

    pub(super) fn meter(&mut self) -> Option<(Meter, Span)> {
        let key = CounterKey::from_bytes(self.take()?)?;
        let meter = Meter { key, period: self.number()? };
        Some((meter, Span { starts: self.number()?, ends: self.number()? }))
    }

    fn sent(&mut self) -> Option<Record> {
        let (session, seq) = (self.session()?, self.number()?);
        let mut entries = Vec::new();
        while !self.0.is_empty() {
            let (meter, span) = self.meter()?;
            let (bound, want, floor) = (self.number()?, self.number()?, self.number()?);
            let delta = i64::from_le_bytes(self.take()?);
            entries.push(LedgerEntry { meter, span, bound, want, delta, floor });
        }
        // What an earlier life bought is not spent, so nobody has to confirm it.
        let durability = Durability::Memory;
        Some(Record::Sent(Ledger { session, seq, entries, durability }))
    }
}

/// CRC-32 (IEEE 802.3), bit by bit: a record is written for many requests.
pub(super) fn check_sum(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            if sum & 1 == 0 { sum >> 1 } else { (sum >> 1) ^ 0xEDB8_8320 }
        })
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::limit::key::{KeySpace, Kind};
    use proptest::prelude::*;

    pub(in super::super) fn used(key: &str, amount: u64) -> Record {
        let key = KeySpace::new(Kind::QuotaCalls, &[]).key(key);
        let span = Span { starts: 5, ends: u64::MAX };
        Record::Used { meter: Meter { key, period: 7 }, span, amount }
    }

    pub(in super::super) fn sent(desk: u32, seq: u64, entries: usize) -> Record {
        let Record::Used { meter, span, .. } = used("a", 0) else { panic!("it was used") };
        let entry = LedgerEntry { meter, span, bound: 9, want: 3, delta: -4, floor: 11 };
        let session = Session { replica: ReplicaId(u128::MAX - 5), incarnation: 77, desk };
        let (entries, durability) = (vec![entry; entries], Durability::Memory);
        Record::Sent(Ledger { session, seq, entries, durability })
    }

    pub(in super::super) fn done(of: &Record) -> Record {
        let Record::Sent(ledger) = of else { panic!("it was sent") };
        Record::Done { session: ledger.session, seq: ledger.seq }
    }

    #[test]
    fn records_come_back_as_they_were() {
        let largest = sent(3, 9, LEDGER_ENTRIES_MAX);
        let records = [sent(0, 1, 0), largest.clone(), done(&largest), used("b", u64::MAX)];
        let mut bytes = Vec::new();
        for record in &records {
            write(&mut bytes, 0x0102, record);
        }
        let mut rest = bytes.as_slice();
        for record in &records {
            let (lane, found, after) = read(rest).unwrap();
            assert_eq!((lane, &found), (0x0102, record));
            rest = after;
        }
        assert!(read(rest).is_none());
    }

    #[test]
    fn the_check_sum_is_the_usual_one() {
        assert_eq!(check_sum(b"123456789"), 0xCBF4_3926);
    }

    proptest! {
        #[test]
        fn a_record_that_is_cut_or_changed_is_none(at in 0_usize..100, change in 1_u8..) {
            let mut bytes = Vec::new();
            write(&mut bytes, 1, &sent(2, 3, 1));
            let at = at % bytes.len();
            prop_assert!(read(&bytes[..at]).is_none());
            bytes[at] ^= change;
            prop_assert!(read(&bytes).is_none());
        }

        #[test]
        fn no_bytes_are_too_strange(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
        }
    }
}
