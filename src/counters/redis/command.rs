//! An order as commands of Redis, and their answers as a reply.

use std::time::Duration;

use redis::{Cmd, Pipeline, Value};

use crate::counters::redis::name::{Id, Names};
use crate::counters::redis::script::{Script, Scripts};
use crate::counters::redis::trouble::Trouble;
use crate::limit::order::members::{
    Alive, Beat, Beaten, Epoch, HeldBack, Missing, Probe, Probed, Seat,
};
use crate::limit::order::{
    Bucket, BucketSold, Change, EntrySold, FLOORS_MAX, Fixed, FixedSold, HELD_BACK_KEPT_MICROS,
    LEDGER_ENTRIES_MAX, Ledger, LedgerSold, MARKS_MAX, Order, Permits, PermitsHeld, Raise, Reply,
    Ring, RingSold, Span,
};
use crate::limit::seller::{
    PARTS_MAX, SEQ_MAX, amount, bucket::TOKEN_NANOS_MAX, fixed, ledger::delta,
    permits::LIFE_MICROS_MAX, permits::PATIENCE_MICROS, ring::SLACK, ring::sub_window, total,
};

/// How long counters are kept beyond the time in which they matter, for clocks that are set.
const MARGIN: Duration = Duration::from_secs(10);

/// How long a ledger is kept after its period, for reports.
pub const LEDGER_KEPT: Duration = Duration::from_hours(7 * 24);

/// How long a primary remembers the last report of a session: a replica that comes back later
/// than that may report again what it had reported.
pub const SESSION_KEPT: Duration = Duration::from_hours(30 * 24);

/// How long an epoch is kept that no member beats in: as long as a table of members at least.
const EPOCH_KEPT: Duration = Duration::from_mins(30);

/// How orders are written on one connection.
#[derive(Clone, Debug)]
pub struct Writer {
    /// What the keys are called.
    pub names: Names,
    /// What Redis runs.
    pub scripts: Scripts,
    /// The run id of the primary.
    pub run: u64,
    /// Whether the server has `INCREX`, which is `INCRBY` and `PEXPIREAT` in one.
    pub has_increx: bool,
}

/// The field of the table of members that says of which epoch the data are.
const EPOCH: &str = "epoch";

/// Whether a script is called by its hash, or sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Call {
    /// Redis should remember it.
    ByHash,
    /// It said that it does not.
    ByText,
}

impl Writer {
    /// Appends the commands of `order`; returns how many answers they have.
    pub fn write(&self, pipeline: &mut Pipeline, order: &Order, call: Call) -> usize {
        let command = match order {
            Order::Probe(probe) => return self.probe(pipeline, *probe),
            Order::Beat(beat) => self.beat(beat, call),
            Order::Fixed(order) => return self.fixed(pipeline, order),
            Order::Ring(order) => self.ring(order, call),
            Order::Bucket(order) => self.bucket(order, call),
            Order::Ledger(order) => self.ledger(order, call),
            Order::Raise(raise) => self.raise(raise, call),
            Order::Permits(order) => self.permits(order, call),
        };
        pipeline.add_command(command);
        1
    }

    fn probe(&self, pipeline: &mut Pipeline, probe: Probe) -> usize {
        let members = self.names.members();
        pipeline.cmd("HSETNX").arg(&members).arg(EPOCH).arg(probe.begins.0);
        pipeline.cmd("PEXPIRE").arg(&members).arg(millis(EPOCH_KEPT)).arg("NX");
        pipeline.cmd("TIME");
        self.epoch(pipeline);
        4
    }

    /// Asks for the epoch: after a sale, so that one is never taken for older than it is.
    fn epoch(&self, pipeline: &mut Pipeline) {
        pipeline.cmd("HGET").arg(self.names.members()).arg(EPOCH);
    }

    fn beat(&self, beat: &Beat, call: Call) -> Cmd {
        let mut command = script(&self.scripts.members, &[self.names.members()], call);
        command.arg(Id(beat.replica).to_string()).arg(beat.incarnation).arg(beat.seq.min(SEQ_MAX));
        command.arg(beat.not_after).arg(beat.miss).arg(beat.unsure_after).arg(beat.member_ttl);
        command.arg(u8::from(beat.stands)).arg(u8::from(beat.leave));
        command.arg(self.run()).arg(HELD_BACK_KEPT_MICROS);
        command.arg(beat.epoch.0).arg(u8::from(beat.heals));
        command
    }

    fn fixed(&self, pipeline: &mut Pipeline, order: &Fixed) -> usize {
        let name = self.names.fixed(&order.meter, &order.span);
        let step = fixed::step(order.want, order.back);
        let expires = fixed_expires(order.meter.period, &order.span);
        let sale: usize = match expires {
            Some(at) if self.has_increx => {
                pipeline
                    .cmd("INCREX")
                    .arg(name)
                    .arg("BYINT")
                    .arg(step)
                    .arg("PXAT")
                    .arg(at)
                    .arg("ENX");
                1
            }
            Some(at) => {
                pipeline.cmd("INCRBY").arg(&name).arg(step);
                pipeline.cmd("PEXPIREAT").arg(name).arg(at).arg("NX");
                2
            }
            None => {
                pipeline.cmd("INCRBY").arg(name).arg(step);
                1
            }
        };
        self.epoch(pipeline);
        sale.saturating_add(1)
    }

    fn ring(&self, order: &Ring, call: Call) -> Cmd {
        let parts = order.parts.min(PARTS_MAX);
        let name = self.names.ring(&order.meter, parts);
        let mut command = script(&self.scripts.ring, &[name, self.names.members()], call);
        let length = order.meter.period.div_ceil(u64::from(parts.max(1)));
        let life = length.saturating_mul(u64::from(parts).saturating_add(SLACK + 1));
        let life = Duration::from_micros(life).saturating_add(MARGIN);
        command.arg(parts).arg(sub_window(order.at)).arg(amount(order.want));
        command.arg(amount(order.bound)).arg(millis(life));
        for mark in order.marks.iter().take(MARKS_MAX) {
            let (kind, tokens) = match mark.change {
                Change::Back(tokens) => ("b", tokens),
                Change::Charge(tokens) => ("c", tokens),
                Change::Floor(tokens) => ("f", tokens),
            };
            command.arg(sub_window(mark.at)).arg(kind).arg(amount(tokens));
        }
        command
    }

    fn bucket(&self, order: &Bucket, call: Call) -> Cmd {
        let names = [self.names.bucket(&order.meter), self.names.members()];
        let mut command = script(&self.scripts.bucket, &names, call);
        command.arg(order.token_nanos.clamp(1, TOKEN_NANOS_MAX)).arg(amount(order.burst));
        command.arg(amount(order.want)).arg(amount(order.back)).arg(amount(order.charge));
        command
    }

    fn ledger(&self, order: &Ledger, call: Call) -> Cmd {
        let entries = || order.entries.iter().take(LEDGER_ENTRIES_MAX);
        let mut names = vec![self.names.session(&order.session), self.names.members()];
        names.extend(entries().map(|entry| self.names.ledger(&entry.meter, &entry.span)));
        let mut command = script(&self.scripts.ledger, &names, call);
        command.arg(order.seq.min(SEQ_MAX)).arg(self.run()).arg(millis(SESSION_KEPT));
        for entry in entries() {
            command.arg(total(entry.bound)).arg(total(entry.want)).arg(delta(entry.delta));
            command
                .arg(total(entry.floor))
                .arg(expires(&entry.span, LEDGER_KEPT).unwrap_or_default());
        }
        command
    }

    fn raise(&self, raise: &Raise, call: Call) -> Cmd {
        let floors = || raise.floors.iter().take(FLOORS_MAX);
        let names: Vec<_> =
            floors().map(|floor| self.names.fixed(&floor.meter, &floor.span)).collect();
        let mut command = script(&self.scripts.raise, &names, call);
        for floor in floors() {
            command.arg(fixed::floor_of(floor.sold));
            command.arg(fixed_expires(floor.meter.period, &floor.span).unwrap_or_default());
        }
        command
    }

    fn permits(&self, order: &Permits, call: Call) -> Cmd {
        let mut command = script(&self.scripts.permits, &[self.names.permits(&order.key)], call);
        command.arg(format!("{}:{:x}", Id(order.replica), order.incarnation));
        command.arg(order.seq.min(SEQ_MAX)).arg(amount(order.inside)).arg(amount(order.need));
        command.arg(amount(order.want)).arg(amount(order.max));
        command.arg(order.life.min(LIFE_MICROS_MAX)).arg(PATIENCE_MICROS);
        command
    }

    fn run(&self) -> String {
        format!("{:016x}", self.run)
    }
}

fn script(script: &Script, names: &[String], call: Call) -> Cmd {
    let mut command = match call {
        Call::ByHash => redis::cmd("EVALSHA"),
        Call::ByText => redis::cmd("EVAL"),
    };
    match call {
        Call::ByHash => command.arg(&script.hash),
        Call::ByText => command.arg(script.text),
    };
    command.arg(names.len()).arg(names);
    command
}

/// When the counter of a fixed window may go, in milliseconds since the epoch; a window that never
/// ends is kept for ever.
fn fixed_expires(period: u64, span: &Span) -> Option<String> {
    expires(span, Duration::from_micros(period).max(MARGIN))
}

fn expires(span: &Span, later: Duration) -> Option<String> {
    let ends = (span.ends != u64::MAX).then(|| Duration::from_micros(span.ends))?;
    Some(millis(ends.saturating_add(later)).to_string())
}

/// In whole milliseconds, rounded up.
fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_micros().div_ceil(1_000)).unwrap_or(u64::MAX)
}

/// What the answers to `order` say.
pub fn read(order: &Order, answers: &[Value]) -> Result<Reply, Trouble> {
    if let Some(error) = answers.iter().find_map(error_of) {
        return Err(error);
    }
    let mut numbers = Numbers::of(order, answers)?;
    let reply = match order {
        Order::Probe(_) => {
            let (seconds, micros) = (numbers.next()?, numbers.next()?);
            let now = seconds.saturating_mul(1_000_000).saturating_add(micros);
            Reply::Probe(Probed { now, epoch: numbers.epoch })
        }
        Order::Beat(_) => Reply::Beat(numbers.beaten()?),
        Order::Fixed(order) => {
            let sold = numbers.fixed_sold()?;
            // `INCREX` says how much it added: nothing where the sum would be too large.
            let step = fixed::step(order.want, order.back);
            if matches!(answers, [Value::Array(_), _]) && numbers.signed()? != step {
                let said = "INCREX did not add what it was told to";
                return Err(Trouble::Refused(said.to_owned()));
            }
            Reply::Fixed(sold, numbers.epoch)
        }
        Order::Ring(_) => {
            let (granted, used) = (numbers.next()?, numbers.next()?);
            let (here, wait) = (numbers.next()?, numbers.next()?);
            Reply::Ring(RingSold { granted, used, here, wait }, numbers.epoch)
        }
        Order::Bucket(_) => {
            let (granted, left, wait) = (numbers.next()?, numbers.next()?, numbers.next()?);
            Reply::Bucket(BucketSold { granted, left, wait }, numbers.epoch)
        }
        Order::Ledger(_) => Reply::Ledger(numbers.ledger_sold()?, numbers.epoch),
        Order::Raise(_) => Reply::Raise,
        Order::Permits(_) => Reply::Permits(PermitsHeld {
            held: numbers.next()?,
            taken: numbers.next()?,
            is_wanted: 0 < numbers.next()?,
        }),
    };
    Ok(reply)
}

/// What is wrong, if an answer is an error.
pub fn error_of(value: &Value) -> Option<Trouble> {
    let Value::ServerError(error) = value else { return None };
    Some(Trouble::of_server(error.code(), error.details()))
}

/// What an answer says of the epoch; nothing: there is none.
fn epoch_of(value: &Value) -> Result<Epoch, Trouble> {
    if matches!(value, Value::Nil) {
        return Ok(Epoch::NONE);
    }
    u64::try_from(number(value)?).map(Epoch).map_err(|_| Trouble::Garbled)
}

fn number(value: &Value) -> Result<i64, Trouble> {
    if let Value::Int(number) = value {
        return Ok(*number);
    }
    // `TIME` and `HGET` write numbers as text.
    let Value::BulkString(text) = value else { return Err(Trouble::Garbled) };
    let text = std::str::from_utf8(text).map_err(|_| Trouble::Garbled)?;
    text.parse().map_err(|_| Trouble::Garbled)
}

/// The numbers of an answer, one after the other.
struct Numbers<'a> {
    values: std::slice::Iter<'a, Value>,
    /// What the last of them said, where it is the epoch of the data.
    epoch: Epoch,
}

impl<'a> Numbers<'a> {
    fn of(order: &Order, answers: &'a [Value]) -> Result<Self, Trouble> {
        let (values, epoch) = match (order, answers) {
            // `INCRBY` answers with a number, `INCREX` with the number and what was added.
            (Order::Fixed(_), [Value::Array(values), epoch])
            | (Order::Probe(_), [_, _, Value::Array(values), epoch]) => {
                (values.as_slice(), epoch_of(epoch)?)
            }
            (Order::Fixed(_), [Value::Int(_), .., epoch]) => (answers, epoch_of(epoch)?),
            (Order::Raise(_), [Value::Int(_)]) => (answers, Epoch::NONE),
            (Order::Ring(_) | Order::Bucket(_) | Order::Ledger(_), [Value::Array(values)]) => {
                let (epoch, values) = values.split_last().ok_or(Trouble::Garbled)?;
                (values, epoch_of(epoch)?)
            }
            (_, [Value::Array(values)]) => (values.as_slice(), Epoch::NONE),
            _ => return Err(Trouble::Garbled),
        };
        Ok(Self { values: values.iter(), epoch })
    }

    fn signed(&mut self) -> Result<i64, Trouble> {
        self.values.next().ok_or(Trouble::Garbled).and_then(number)
    }

    fn next(&mut self) -> Result<u64, Trouble> {
        u64::try_from(self.signed()?).map_err(|_| Trouble::Garbled)
    }

    fn small(&mut self) -> Result<u32, Trouble> {
        u32::try_from(self.signed()?).map_err(|_| Trouble::Garbled)
    }

    fn fixed_sold(&mut self) -> Result<FixedSold, Trouble> {
        Ok(fixed::read(fixed::Counter(self.signed()?)))
    }

    /// The index of a seat; below zero: none.
    fn seat(&mut self) -> Result<Option<u32>, Trouble> {
        Ok(u32::try_from(self.signed()?).ok())
    }

    fn beaten(&mut self) -> Result<Beaten, Trouble> {
        let (is_alive, now) = (self.next()?, self.next()?);
        match is_alive {
            0 => return Ok(Beaten::Late { now }),
            2 => return Ok(Beaten::Strange { now }),
            3 => {
                let (began, coming, here) = (self.next()?, self.small()?, self.small()?);
                return Ok(Beaten::Noted { now, began, coming, here });
            }
            _ => {}
        }
        let (seat, of, members) = (self.seat()?, self.small()?, self.small()?);
        let at = |index: u32| Seat { index, of };
        let mut alive = Alive { now, seat: seat.map(at), members, ..Alive::default() };
        for _ in 0..self.next()? {
            let missing = Missing { seat: self.seat()?.map(at), since: self.next()? };
            alive.missing.push(missing);
        }
        for _ in 0..self.next()? {
            let seat = Seat { index: self.small()?, of: self.small()? };
            alive.held_back.push(HeldBack { seat, from: self.next()?, to: self.next()? });
        }
        alive.began = self.next()?;
        alive.healing = self.small()?;
        Ok(Beaten::Alive(alive))
    }

    fn ledger_sold(&mut self) -> Result<LedgerSold, Trouble> {
        if self.next()? == 0 {
            return Ok(LedgerSold::Stale);
        }
        let mut sold = Vec::new();
        while !self.values.as_slice().is_empty() {
            sold.push(EntrySold { granted: self.next()?, total: self.next()? });
        }
        Ok(LedgerSold::Sold(sold))
    }
}
