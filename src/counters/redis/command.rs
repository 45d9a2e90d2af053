//! Orders as commands of Redis: those of one kind that travel together go in one call.

use std::time::Duration;

use redis::{Cmd, Pipeline};

use crate::counters::redis::name::{Id, Names};
use crate::counters::redis::script::{Script, Scripts};
use crate::limit::order::members::{Beat, Probe};
use crate::limit::order::{
    Bucket, Change, Errand, FLOORS_MAX, Fixed, HELD_BACK_KEPT_MICROS, LEDGER_ENTRIES_MAX, Ledger,
    MARKS_MAX, Order, Permits, Raise, Ring, Span,
};
use crate::limit::seller::{
    PARTS_MAX, SEQ_MAX, amount, bucket::TOKEN_NANOS_MAX, fixed, ledger::delta,
    permits::LIFE_MICROS_MAX, permits::PATIENCE_MICROS, ring::SLACK, ring::sub_window, total,
};

/// The most orders that one call carries out, and the most corrections of rings beside them: Redis
/// does nothing else meanwhile, which is to be less than a millisecond.
pub const CALL_MAX: usize = 64;
const CALL_MARKS_MAX: usize = MARKS_MAX;

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
pub enum Form {
    /// Redis should remember it.
    ByHash,
    /// It said that it does not.
    ByText,
}

/// Commands that carry out one order, or several in one step.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Call {
    /// How many orders.
    pub orders: usize,
    /// How many commands, and so answers, they are.
    pub commands: usize,
}

/// Puts orders of one kind beside each other, and leaves them in their order otherwise: none of
/// them depends on one of another kind.
pub fn sort(errands: &mut [Errand]) {
    errands.sort_by_key(|errand| kind(&errand.order));
}

/// A number for each kind of orders that one call can carry out several of; the others come last.
const fn kind(order: &Order) -> u8 {
    match order {
        Order::Fixed(_) => 0,
        Order::Ring(_) => 1,
        Order::Bucket(_) => 2,
        Order::Permits(_) => 3,
        Order::Probe(_) | Order::Beat(_) | Order::Ledger(_) | Order::Raise(_) => ALONE,
    }
}

const ALONE: u8 = u8::MAX;

/// How many corrections come with `order`.
const fn marks_of(order: &Order) -> usize {
    if let Order::Ring(ring) = order { ring.marks.len() } else { 0 }
}

/// The orders of the next call, and those after them.
fn split(errands: &[Errand]) -> Option<(&[Errand], &[Errand])> {
    let first = kind(&errands.first()?.order);
    let mut marks = 0_usize;
    let together = errands.iter().take(CALL_MAX).take_while(|errand| {
        marks = marks.saturating_add(marks_of(&errand.order));
        kind(&errand.order) == first && first != ALONE && marks <= CALL_MARKS_MAX
    });
    errands.split_at_checked(together.count().max(1))
}

impl Writer {
    /// Appends the commands of `errands`; says which of them carry out how many of these, in their
    /// order.
    pub fn write(&self, pipeline: &mut Pipeline, errands: &[Errand], form: Form) -> Vec<Call> {
        let (mut calls, mut rest) = (Vec::new(), errands);
        while let Some((together, others)) = split(rest) {
            let commands = self.write_call(pipeline, together, form);
            calls.push(Call { orders: together.len(), commands });
            rest = others;
        }
        calls
    }

    /// Appends the commands of orders that go together; returns how many they are.
    fn write_call(&self, pipeline: &mut Pipeline, errands: &[Errand], form: Form) -> usize {
        let Some(Errand { order, .. }) = errands.first() else { return 0 };
        let command = match order {
            Order::Probe(probe) => return self.probe(pipeline, *probe),
            Order::Fixed(_) if self.has_increx => return self.increase(pipeline, errands),
            Order::Fixed(_) => self.each(&self.scripts.fixed, errands, form),
            Order::Ring(_) => self.each(&self.scripts.ring, errands, form),
            Order::Bucket(_) => self.each(&self.scripts.bucket, errands, form),
            Order::Permits(_) => self.each(&self.scripts.permits, errands, form),
            Order::Beat(beat) => self.beat(beat, form),
            Order::Ledger(order) => self.ledger(order, form),
            Order::Raise(raise) => self.raise(raise, form),
        };
        pipeline.add_command(command);
        1
    }

    /// A call of `script` that carries out all of `errands`.
    fn each(&self, script: &Script, errands: &[Errand], form: Form) -> Cmd {
        let mut command = open(script, errands.len().saturating_add(1), form);
        for errand in errands {
            command.arg(self.name(&errand.order));
        }
        command.arg(self.names.members());
        for errand in errands {
            match &errand.order {
                Order::Fixed(order) => words_of_fixed(&mut command, order),
                Order::Ring(order) => words_of_ring(&mut command, order),
                Order::Bucket(order) => words_of_bucket(&mut command, order),
                Order::Permits(order) => words_of_permits(&mut command, order),
                Order::Probe(_) | Order::Beat(_) | Order::Ledger(_) | Order::Raise(_) => {}
            }
        }
        command
    }

    /// What the counter of `order` is called, if it is about one.
    fn name(&self, order: &Order) -> String {
        match order {
            Order::Fixed(order) => self.names.fixed(&order.meter, &order.span),
            Order::Ring(order) => self.names.ring(&order.meter, order.parts.min(PARTS_MAX)),
            Order::Bucket(order) => self.names.bucket(&order.meter),
            Order::Permits(order) => self.names.permits(&order.key),
            Order::Probe(_) | Order::Beat(_) | Order::Ledger(_) | Order::Raise(_) => String::new(),
        }
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

    /// Buys in fixed windows without a script: there is one command for it.
    fn increase(&self, pipeline: &mut Pipeline, errands: &[Errand]) -> usize {
        for errand in errands {
            let Order::Fixed(order) = &errand.order else { continue };
            let (name, step) = (self.name(&errand.order), fixed::step(order.want, order.back));
            match fixed_expires(order.meter.period, &order.span) {
                Some(at) => {
                    let command = pipeline.cmd("INCREX").arg(name).arg("BYINT").arg(step);
                    command.arg("PXAT").arg(at).arg("ENX");
                }
                None => {
                    pipeline.cmd("INCRBY").arg(name).arg(step);
                }
            }
        }
        self.epoch(pipeline);
        errands.len().saturating_add(1)
    }

    fn beat(&self, beat: &Beat, form: Form) -> Cmd {
        let mut command = script(&self.scripts.members, &[self.names.members()], form);
        command.arg(Id(beat.replica).to_string()).arg(beat.incarnation).arg(beat.seq.min(SEQ_MAX));
        command.arg(beat.not_after).arg(beat.miss).arg(beat.unsure_after).arg(beat.member_ttl);
        command.arg(u8::from(beat.stands)).arg(u8::from(beat.leave));
        command.arg(self.run()).arg(HELD_BACK_KEPT_MICROS);
        command.arg(beat.epoch.0).arg(u8::from(beat.heals));
        command
    }

    fn ledger(&self, order: &Ledger, form: Form) -> Cmd {
        let entries = || order.entries.iter().take(LEDGER_ENTRIES_MAX);
        let mut names = vec![self.names.session(&order.session), self.names.members()];
        names.extend(entries().map(|entry| self.names.ledger(&entry.meter, &entry.span)));
        let mut command = script(&self.scripts.ledger, &names, form);
        command.arg(order.seq.min(SEQ_MAX)).arg(self.run()).arg(millis(SESSION_KEPT));
        for entry in entries() {
            command.arg(total(entry.bound)).arg(total(entry.want)).arg(delta(entry.delta));
            command
                .arg(total(entry.floor))
                .arg(expires(&entry.span, LEDGER_KEPT).unwrap_or_default());
        }
        command
    }

    fn raise(&self, raise: &Raise, form: Form) -> Cmd {
        let floors = || raise.floors.iter().take(FLOORS_MAX);
        let names: Vec<_> =
            floors().map(|floor| self.names.fixed(&floor.meter, &floor.span)).collect();
        let mut command = script(&self.scripts.raise, &names, form);
        for floor in floors() {
            command.arg(fixed::floor_of(floor.sold));
            command.arg(fixed_expires(floor.meter.period, &floor.span).unwrap_or_default());
        }
        command
    }

    fn run(&self) -> String {
        format!("{:016x}", self.run)
    }
}

/// The beginning of a call of `script` with so many `keys`.
fn open(script: &Script, keys: usize, form: Form) -> Cmd {
    let mut command = match form {
        Form::ByHash => redis::cmd("EVALSHA"),
        Form::ByText => redis::cmd("EVAL"),
    };
    match form {
        Form::ByHash => command.arg(&script.hash),
        Form::ByText => command.arg(script.text),
    };
    command.arg(keys);
    command
}

fn script(script: &Script, names: &[String], form: Form) -> Cmd {
    let mut command = open(script, names.len(), form);
    command.arg(names);
    command
}

// Each order says first how many words follow.

fn words_of_fixed(command: &mut Cmd, order: &Fixed) {
    let expires = fixed_expires(order.meter.period, &order.span);
    command.arg(2).arg(fixed::step(order.want, order.back)).arg(expires.unwrap_or_default());
}

fn words_of_ring(command: &mut Cmd, order: &Ring) {
    let parts = order.parts.min(PARTS_MAX);
    let length = order.meter.period.div_ceil(u64::from(parts.max(1)));
    let life = length.saturating_mul(u64::from(parts).saturating_add(SLACK + 1));
    let life = Duration::from_micros(life).saturating_add(MARGIN);
    let marks = order.marks.len().min(MARKS_MAX);
    command.arg(marks.saturating_mul(3).saturating_add(5));
    command.arg(parts).arg(sub_window(order.at)).arg(amount(order.want));
    command.arg(amount(order.bound)).arg(millis(life));
    for mark in order.marks.iter().take(marks) {
        let (kind, tokens) = match mark.change {
            Change::Back(tokens) => ("b", tokens),
            Change::Charge(tokens) => ("c", tokens),
            Change::Floor(tokens) => ("f", tokens),
        };
        command.arg(sub_window(mark.at)).arg(kind).arg(amount(tokens));
    }
}

fn words_of_bucket(command: &mut Cmd, order: &Bucket) {
    command.arg(5);
    command.arg(order.token_nanos.clamp(1, TOKEN_NANOS_MAX)).arg(amount(order.burst));
    command.arg(amount(order.want)).arg(amount(order.back)).arg(amount(order.charge));
}

fn words_of_permits(command: &mut Cmd, order: &Permits) {
    command.arg(8);
    command.arg(format!("{}:{:x}", Id(order.replica), order.incarnation));
    command.arg(order.seq.min(SEQ_MAX)).arg(amount(order.inside)).arg(amount(order.need));
    command.arg(amount(order.want)).arg(amount(order.max));
    command.arg(order.life.min(LIFE_MICROS_MAX)).arg(PATIENCE_MICROS);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::key::{KeySpace, Kind};
    use crate::limit::order::{Mark, Meter, Ticket};

    fn errand(order: Order) -> Errand {
        Errand { ticket: Ticket::default(), order }
    }

    fn ring(marks: usize) -> Errand {
        let meter = Meter { key: KeySpace::new(Kind::Rate, &[]).key("a"), period: 1_000_000 };
        let marks = vec![Mark { at: 1, change: Change::Back(1) }; marks];
        errand(Order::Ring(Ring { meter, parts: 10, at: 7, want: 1, bound: 5, marks }))
    }

    fn raise() -> Errand {
        errand(Order::Raise(Raise { floors: Vec::new() }))
    }

    fn probe() -> Errand {
        let begins = crate::limit::order::members::Epoch(1);
        errand(Order::Probe(Probe { begins }))
    }

    #[test]
    fn a_call_carries_out_orders_of_one_kind_and_no_more_than_redis_does_in_a_moment() {
        let names = Names::new("weir:", 0);
        let writer = Writer { names, scripts: Scripts::default(), run: 1, has_increx: false };
        let mut errands = vec![raise(), probe(), raise()];
        errands.extend((0..=CALL_MAX).map(|_| ring(0)));
        errands.extend([ring(CALL_MARKS_MAX), ring(CALL_MARKS_MAX + 1), ring(1)]);
        sort(&mut errands);
        let mut pipeline = Pipeline::new();
        let calls = writer.write(&mut pipeline, &errands, Form::ByHash);
        let orders: Vec<_> = calls.iter().map(|call| call.orders).collect();
        assert_eq!(orders, [CALL_MAX, 2, 1, 1, 1, 1, 1]);
        let commands: Vec<_> = calls.iter().map(|call| call.commands).collect();
        assert_eq!(commands, [1, 1, 1, 1, 1, 4, 1]);
        assert_eq!(pipeline.cmd_iter().count(), 10);
    }
}
