//! Messages of `context` as values of their own.

use super::Machine;
use crate::expression::library::display;
use crate::expression::scope::{BodyRead, ContextMember, Side};
use crate::expression::value::Value;
use crate::expression::value::message::{Body, Response};
use crate::expression::value::thrown::Thrown;

impl Machine<'_> {
    /// The content of a body as a value that can be kept.
    pub(super) fn whole_body(&mut self, side: Side) -> Result<Value, Thrown> {
        match self.scope.body(side, true) {
            BodyRead::Absent => Ok(Value::Null),
            BodyRead::Bytes(bytes) => Ok(Value::Body(Body(bytes))),
            BodyRead::Refused(reason) => Err(Thrown::invalid_operation(&*reason)),
        }
    }

    /// `context.Response` as a value that can be kept.
    pub(super) fn whole_response(&mut self) -> Result<Value, Thrown> {
        if self.context(ContextMember::Response).is_null() {
            return Ok(Value::Null);
        }
        let status = self.context(ContextMember::ResponseStatusCode).int()?;
        let reason = self.context(ContextMember::ResponseStatusReason);
        let body = match self.whole_body(Side::Response)? {
            Value::Body(body) => Some(body.0),
            _ => None,
        };
        let mut lines: Vec<(String, String)> = Vec::new();
        self.scope.headers(Side::Response, &mut |name, value| {
            lines.push((name.to_owned(), value.to_owned()));
        });
        let lines = lines.iter().map(|(name, value)| (&**name, &**value));
        let status = u16::try_from(status).unwrap_or(0);
        let reason = display::text(&reason)?;
        Response::new(status, &reason, lines, body).map(Value::from)
    }
}
