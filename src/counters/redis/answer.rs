//! What Redis answers to calls, as replies to orders.

use redis::Value;

use crate::counters::redis::command::Call;
use crate::counters::redis::trouble::Trouble;
use crate::limit::order::members::{Alive, Beaten, Epoch, HeldBack, Missing, Probed, Seat};
use crate::limit::order::{
    BucketSold, EntrySold, Errand, Fixed, FixedSold, LedgerSold, Order, PermitsHeld, Reply,
    RingSold,
};
use crate::limit::seller::fixed;

/// What `values`, the answers to `calls`, say to each of `errands`.
pub fn read(errands: &[Errand], calls: &[Call], values: &[Value]) -> Vec<Result<Reply, Trouble>> {
    let mut replies = Vec::with_capacity(errands.len());
    let (mut errands, mut values) = (errands, values);
    for call in calls {
        let (mine, others) = errands.split_at_checked(call.orders).unwrap_or((errands, &[]));
        let (answers, rest) = values.split_at_checked(call.commands).unwrap_or_default();
        let places = mine.iter().enumerate();
        replies.extend(
            places.map(|(place, errand)| reply(&errand.order, answers, (place, mine.len()))),
        );
        (errands, values) = (others, rest);
    }
    // Without a call there is no answer.
    replies.extend(errands.iter().map(|_| Err(Trouble::Garbled)));
    replies
}

/// What the `answers` to a call say to `order`, which is the one at `place` of so many in it.
fn reply(
    order: &Order,
    answers: &[Value],
    (place, orders): (usize, usize),
) -> Result<Reply, Trouble> {
    match order {
        Order::Fixed(_) | Order::Ring(_) | Order::Bucket(_) | Order::Permits(_) => {
            // A script has one answer for all; else each order has its own, and the epoch has one.
            let answers = match answers {
                [answer] => list(answer)?,
                answers => answers,
            };
            let (epoch, sold) = answers.split_last().ok_or(Trouble::Garbled)?;
            let sold = sold.get(place).filter(|_| sold.len() == orders).ok_or(Trouble::Garbled)?;
            sale(order, sold, epoch_of(epoch)?)
        }
        Order::Probe(_) | Order::Beat(_) | Order::Ledger(_) | Order::Raise(_) => {
            answers.iter().find_map(error_of).map_or(Ok(()), Err)?;
            alone(order, answers)
        }
    }
}

/// What `sold` says to an order that other orders may have travelled with.
fn sale(order: &Order, sold: &Value, epoch: Epoch) -> Result<Reply, Trouble> {
    if let Order::Fixed(order) = order {
        return fixed_sale(order, sold).map(|sold| Reply::Fixed(sold, epoch));
    }
    let mut numbers = Numbers::of(sold)?;
    let reply = match order {
        Order::Ring(_) => {
            let (granted, used) = (numbers.next()?, numbers.next()?);
            let (here, wait) = (numbers.next()?, numbers.next()?);
            Reply::Ring(RingSold { granted, used, here, wait }, epoch)
        }
        Order::Bucket(_) => {
            let (granted, left, wait) = (numbers.next()?, numbers.next()?, numbers.next()?);
            Reply::Bucket(BucketSold { granted, left, wait }, epoch)
        }
        Order::Permits(_) => Reply::Permits(PermitsHeld {
            held: numbers.next()?,
            taken: numbers.next()?,
            is_wanted: 0 < numbers.next()?,
        }),
        Order::Fixed(_) | Order::Probe(_) | Order::Beat(_) | Order::Ledger(_) | Order::Raise(_) => {
            return Err(Trouble::Garbled);
        }
    };
    Ok(reply)
}

fn fixed_sale(order: &Fixed, sold: &Value) -> Result<FixedSold, Trouble> {
    let Value::Array(_) = sold else { return Ok(fixed::read(fixed::Counter(number(sold)?))) };
    // `INCREX` says how much it added, too: nothing where the sum would be too large.
    let mut numbers = Numbers::of(sold)?;
    let counter = fixed::Counter(numbers.signed()?);
    if numbers.signed()? != fixed::step(order.want, order.back) {
        return Err(Trouble::Refused("INCREX did not add what it was told to".to_owned()));
    }
    Ok(fixed::read(counter))
}

/// What the answers say to an order that goes alone.
fn alone(order: &Order, answers: &[Value]) -> Result<Reply, Trouble> {
    match (order, answers) {
        (Order::Probe(_), [_, _, time, epoch]) => {
            let mut numbers = Numbers::of(time)?;
            let (seconds, micros) = (numbers.next()?, numbers.next()?);
            let now = seconds.saturating_mul(1_000_000).saturating_add(micros);
            Ok(Reply::Probe(Probed { now, epoch: epoch_of(epoch)? }))
        }
        (Order::Beat(_), [said]) => Ok(Reply::Beat(Numbers::of(said)?.beaten()?)),
        (Order::Ledger(_), [Value::Array(said)]) => {
            let (epoch, sold) = said.split_last().ok_or(Trouble::Garbled)?;
            let sold = Numbers { values: sold.iter() }.ledger_sold()?;
            Ok(Reply::Ledger(sold, epoch_of(epoch)?))
        }
        (Order::Raise(_), [Value::Int(_)]) => Ok(Reply::Raise),
        _ => Err(Trouble::Garbled),
    }
}

/// What is wrong, if an answer is an error.
pub fn error_of(value: &Value) -> Option<Trouble> {
    let Value::ServerError(error) = value else { return None };
    Some(Trouble::of_server(error.code(), error.details()))
}

/// Why an answer is not what it should be.
fn misfit(value: &Value) -> Trouble {
    error_of(value).unwrap_or(Trouble::Garbled)
}

fn list(value: &Value) -> Result<&[Value], Trouble> {
    if let Value::Array(values) = value { Ok(values) } else { Err(misfit(value)) }
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
    // `TIME`, `GET` and `HGET` write numbers as text.
    let Value::BulkString(text) = value else { return Err(misfit(value)) };
    let text = std::str::from_utf8(text).map_err(|_| Trouble::Garbled)?;
    text.parse().map_err(|_| Trouble::Garbled)
}

/// The numbers of an answer, one after the other.
struct Numbers<'a> {
    values: std::slice::Iter<'a, Value>,
}

impl<'a> Numbers<'a> {
    fn of(answer: &'a Value) -> Result<Self, Trouble> {
        Ok(Self { values: list(answer)?.iter() })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::key::{KeySpace, Kind};
    use crate::limit::order::{Meter, Span, Ticket};

    fn fixed() -> Errand {
        let meter = Meter { key: KeySpace::new(Kind::Rate, &[]).key("a"), period: 1 };
        let order =
            Order::Fixed(Fixed { meter, span: Span { starts: 0, ends: 1 }, want: 1, back: 0 });
        Errand { ticket: Ticket::default(), order }
    }

    /// What two orders in one call are told by its answers.
    fn says(answers: &[&str]) -> Vec<Result<Reply, Trouble>> {
        let values: Vec<_> = answers
            .iter()
            .map(|answer| redis::parse_redis_value(answer.as_bytes()).unwrap())
            .collect();
        read(&[fixed(), fixed()], &[Call { orders: 2, commands: values.len() }], &values)
    }

    fn sold(sold: i64, epoch: u64) -> Reply {
        Reply::Fixed(FixedSold { sold, returns: 0 }, Epoch(epoch))
    }

    #[test]
    fn each_order_of_a_call_has_its_own_answer() {
        assert_eq!(says(&["*3\r\n:1\r\n$1\r\n2\r\n$1\r\n9\r\n"]), [Ok(sold(1, 9)), Ok(sold(2, 9))]);
        let wrong = || Err(Trouble::Refused("WRONGTYPE it".to_owned()));
        let answers = says(&["*3\r\n-WRONGTYPE it\r\n:2\r\n$-1\r\n"]);
        assert_eq!(answers, [wrong(), Ok(sold(2, 0))]);
        // The same without a script.
        let answers = says(&["-WRONGTYPE it\r\n", "*2\r\n:2\r\n:1\r\n", "$1\r\n9\r\n"]);
        assert_eq!(answers, [wrong(), Ok(sold(2, 9))]);
    }

    #[test]
    fn an_error_of_the_call_is_that_of_all_of_its_orders() {
        let moved = || Err(Trouble::Moved);
        assert_eq!(says(&["-MOVED 1 a:1\r\n"]), [moved(), moved()]);
        let unknown = || Err(Trouble::NoScript);
        assert_eq!(says(&["-NOSCRIPT it\r\n"]), [unknown(), unknown()]);
    }

    #[test]
    fn an_answer_for_fewer_or_more_orders_is_none() {
        let none = || Err(Trouble::Garbled);
        let fewer = "*2\r\n:1\r\n$1\r\n9\r\n";
        let more = "*4\r\n:1\r\n:1\r\n:1\r\n$1\r\n9\r\n";
        for answers in [&[fewer][..], &[more], &[":1\r\n"], &[]] {
            assert_eq!(says(answers), [none(), none()]);
        }
        assert_eq!(read(&[fixed()], &[], &[]), [none()]);
    }
}
