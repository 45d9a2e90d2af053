//! By how much a limit by key grows with one request, and when that is known.

use crate::exchange::Exchange;
use crate::policy::Failure;
use crate::policy::build::Builder;
use crate::policy::markup::Element;
use crate::policy::operand::{Operand, Term};
use crate::policy::program::Needs;

/// By how much a limit by key grows with one request.
#[derive(Clone, Debug)]
pub(super) struct Increment {
    condition: Option<Operand<bool>>,
    count: Option<Operand<u64>>,
    /// Whether the count is known only when the response is there.
    is_count_late: bool,
    /// Whether it is known only when the response is there.
    pub(super) is_late: bool,
    /// Whether it is known only when the body of the response is there.
    pub(super) reads_response_body: bool,
}

/// What an operand reads of the response.
#[derive(Clone, Copy, Default)]
struct Reads {
    response: bool,
    body: bool,
}

impl Increment {
    pub(super) fn read(builder: &mut Builder<'_>, element: &Element) -> Self {
        let before = builder.needs();
        let condition = builder.attribute::<bool>(element, "increment-condition");
        let count = builder.attribute::<u64>(element, "increment-count");
        // The step itself runs before there is a response; it waits for its own body only.
        let after = builder.needs();
        builder.set_needs(Needs { response_body: before.response_body, ..after });
        let after_response = builder.literal::<bool>(element, "increment-after-response");
        let (left, right) = (reads(condition.as_ref()), reads(count.as_ref()));
        Self {
            condition,
            count,
            is_count_late: right.response,
            is_late: after_response == Some(true) || left.response || right.response,
            reads_response_body: left.body || right.body,
        }
    }

    /// By how much, as far as the exchange is known now.
    pub(super) fn cost(&self, exchange: &mut Exchange) -> Result<u64, Failure> {
        if let Some(condition) = &self.condition
            && !condition.get(exchange)?
        {
            return Ok(0);
        }
        match &self.count {
            Some(count) => count.get(exchange),
            None => Ok(1),
        }
    }

    /// By how much it is likely to be, before the response is there: what is held until then.
    pub(super) fn hold(&self, exchange: &mut Exchange) -> u64 {
        match &self.count {
            Some(count) if !self.is_count_late => count.get(exchange).unwrap_or(1).max(1),
            Some(_) | None => 1,
        }
    }
}

fn reads<T: Term>(operand: Option<&Operand<T>>) -> Reads {
    let Some(expression) = operand.and_then(Operand::expression) else {
        return Reads::default();
    };
    let reads = expression.reads();
    Reads { response: reads.response || reads.response_body, body: reads.response_body }
}
