//! Paths: members, calls and indexers, one after the other.

use super::node::{Access, How, Link, Node, NodeKind, Step};
use super::{Machine, weight};
use crate::expression::library::json::access;
use crate::expression::members::{self, Call, Member, Run};
use crate::expression::types::{Type, type_of};
use crate::expression::value::Value;
use crate::expression::value::json::Json;
use crate::expression::value::thrown::{ExceptionKind, Thrown};

impl<'s> Machine<'s> {
    pub(super) fn path(&mut self, first: &'s Node, links: &'s [Link]) -> Result<Value, Thrown> {
        let mut value = self.value(first)?;
        for link in links {
            if value.is_null() && link.conditional {
                return Ok(Value::Null);
            }
            let counted = self.step(1);
            self.placed(counted, link.at)?;
            let next = self.follow(&link.step, value);
            value = self.placed(next, link.at)?;
        }
        Ok(value)
    }

    fn follow(&mut self, step: &'s Step, value: Value) -> Result<Value, Thrown> {
        if let Step::Invoke(arguments) = step {
            let arguments = self.values(arguments)?;
            return self.invoke(&value, &arguments);
        }
        if value.is_null() && !takes_null(step) {
            return Err(Thrown::null_reference());
        }
        match step {
            Step::Access(access) => self.access(access, Some(value)),
            Step::Field(place) => match &value {
                Value::Record(record) => {
                    Ok(record.values().get(*place).cloned().unwrap_or_default())
                }
                other => Err(other.refused("System.Tuple")),
            },
            Step::Invoke(_) => Ok(Value::Null),
            Step::Dynamic { name, how, arguments, types } => {
                let mut all = vec![value];
                for argument in arguments {
                    all.push(self.value(argument)?);
                }
                self.dynamic(name, *how, all, types)
            }
            Step::Present => Ok(value),
        }
    }

    /// Runs a member; `receiver` is the value it belongs to, unless it is static.
    pub(super) fn access(
        &mut self,
        access: &'s Access,
        receiver: Option<Value>,
    ) -> Result<Value, Thrown> {
        // Most members take few arguments: those need no allocation.
        let run = match (receiver, access.arguments.as_slice()) {
            (Some(receiver), []) => self.run_member(access.member, &[receiver], &access.types),
            (Some(receiver), [one]) => {
                let arguments = [receiver, self.value(one)?];
                self.run_member(access.member, &arguments, &access.types)
            }
            (Some(receiver), [one, two]) => {
                let arguments = [receiver, self.value(one)?, self.value(two)?];
                self.run_member(access.member, &arguments, &access.types)
            }
            (receiver, rest) => {
                let mut arguments = Vec::with_capacity(rest.len().saturating_add(1));
                arguments.extend(receiver);
                for argument in rest {
                    arguments.push(self.value(argument)?);
                }
                self.run_member(access.member, &arguments, &access.types)
            }
        };
        let (result, outs) = self.placed(run, access.at)?;
        if outs.is_empty() {
            return Ok(result);
        }
        // What a member gives out is stored where `out` says.
        let mut outs = outs.into_iter();
        for argument in &access.arguments {
            if let NodeKind::Out(slot) = argument.kind {
                self.set_slot(slot, outs.next().unwrap_or_default());
            }
        }
        Ok(result)
    }

    /// Runs a member on values: its result, and what it gives to `out` parameters, in order.
    pub(super) fn run_member(
        &mut self,
        member: &'static Member,
        arguments: &[Value],
        types: &[Type],
    ) -> Result<(Value, Vec<Value>), Thrown> {
        let looked_at = if member.is_brief() { arguments.get(1..) } else { Some(arguments) };
        let looked_at = looked_at.unwrap_or_default();
        let weight = looked_at.iter().map(weight).fold(1, u64::saturating_add);
        self.step(weight)?;
        let (result, outs) = match member.run {
            Run::Pure(run) => (run(arguments)?, Vec::new()),
            Run::Context(part) => (self.context(part), Vec::new()),
            Run::Call(run) | Run::Lookup(run) => {
                let mut call = Call::new(self, arguments, types);
                let result = run(&mut call)?;
                (result, call.outs)
            }
        };
        if member.makes_values() {
            self.charge(&result)?;
        }
        Ok((result, outs))
    }

    /// Finds a member by the value's own type, and runs it. `all` is the value and the arguments.
    pub(super) fn dynamic(
        &mut self,
        name: &str,
        how: How,
        mut all: Vec<Value>,
        types: &[Type],
    ) -> Result<Value, Thrown> {
        let Some(receiver) = all.first() else { return Ok(Value::Null) };
        if receiver.is_null() {
            return Err(Thrown::null_reference());
        }
        if let (How::Get, Value::Record(record)) = (how, receiver)
            && let Some(value) = record.get(name)
        {
            return Ok(value.clone());
        }
        if let (Value::Json(token @ Json::Object(_)), How::Get | How::Set) = (receiver, how) {
            // The members of an object come before those of its class, as Json.NET has it.
            let key = Value::text(name);
            return match (how, all.get(1)) {
                (How::Set, Some(value)) => access::set(token, &key, value).map(|()| Value::Null),
                _ => access::get(token, &key),
            };
        }
        let receiver = type_of(receiver);
        let arguments: Vec<Type> = all.iter().skip(1).map(type_of).collect();
        let found = members::at_run_time(&receiver, name, how, &arguments);
        let Some((member, signature)) = found else {
            return Err(Thrown::new(
                ExceptionKind::InvalidOperation,
                format!("'{receiver}' does not contain a definition for '{name}'"),
            ));
        };
        for (argument, parameter) in all.iter_mut().skip(1).zip(&signature.parameters) {
            let taken = std::mem::take(argument);
            *argument = super::convert::convert(taken, &parameter.ty)?;
        }
        for parameter in signature.parameters.iter().skip(all.len().saturating_sub(1)) {
            all.push(parameter.default.clone().unwrap_or_default());
        }
        self.run_member(member, &all, types).map(|(result, _)| result)
    }
}

/// Whether the step may be taken from `null`: extension methods that look at it themselves.
fn takes_null(step: &Step) -> bool {
    match step {
        Step::Access(access) => access.member.takes_null(),
        Step::Field(_) | Step::Invoke(_) | Step::Dynamic { .. } | Step::Present => false,
    }
}
