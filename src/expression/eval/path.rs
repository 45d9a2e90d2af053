//! Paths: members, calls and indexers, one after the other.

use std::sync::Arc;

use super::Machine;
use super::cost::weight;
use super::node::{Access, How, Link, Node, NodeKind, Step};
use crate::expression::library::json::{access, placed};
use crate::expression::members::{self, Call, Member, MemberKind, Run};
use crate::expression::types::{Type, is_instance, type_of};
use crate::expression::value::Value;
use crate::expression::value::collection::ListKind;
use crate::expression::value::json::Json;
use crate::expression::value::placed::Placed;
use crate::expression::value::thrown::{ExceptionKind, Thrown};

/// How many items are looked at in one step where a token is no longer where it was.
const SEARCHED_PER_STEP: usize = 4;

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
            Step::Access(access) => match access.member.run {
                Run::Context(part) => Ok(self.context(part)),
                _ => self.access(access, Some(value)),
            },
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
        let result = self.placed(run, access.at)?;
        let outs = self.rare.as_mut().map(|rare| std::mem::take(&mut rare.outs));
        let Some(outs) = outs.filter(|outs| !outs.is_empty()) else { return Ok(result) };
        // What a member gives out is stored where `out` says.
        let mut outs = outs.into_iter();
        for argument in &access.arguments {
            if let NodeKind::Out(slot) = argument.kind {
                self.set_slot(slot, outs.next().unwrap_or_default());
            }
        }
        Ok(result)
    }

    /// Runs a member on values; what it gives to `out` parameters stands in `outs` then.
    pub(super) fn run_member(
        &mut self,
        member: &'static Member,
        arguments: &[Value],
        types: &[Type],
    ) -> Result<Value, Thrown> {
        let looked_at = if member.is_brief() { arguments.get(1..) } else { Some(arguments) };
        let looked_at = looked_at.unwrap_or_default();
        let weight = looked_at.iter().map(weight).fold(1, u64::saturating_add);
        self.step(weight)?;
        self.run_counted(member, arguments, types)
    }

    /// Runs a member whose steps are counted.
    pub(super) fn run_counted(
        &mut self,
        member: &'static Member,
        arguments: &[Value],
        types: &[Type],
    ) -> Result<Value, Thrown> {
        if self.program.places {
            return self.run_placed(member, arguments, types);
        }
        self.run_bare(member, arguments, types)
    }

    /// Runs a member where tokens know their places: those that ask for places and collections
    /// get them, all others get tokens without.
    fn run_placed(
        &mut self,
        member: &'static Member,
        arguments: &[Value],
        types: &[Type],
    ) -> Result<Value, Thrown> {
        let of_token = matches!(arguments.first(), Some(Value::Token(_)));
        if let Some(Value::Token(token)) = arguments.first() {
            let rest = arguments.get(1..).unwrap_or_default();
            if member.asks_for_places() {
                let width = token.search_width() / SEARCHED_PER_STEP;
                self.step(u64::try_from(width).unwrap_or(u64::MAX))?;
            }
            let leads = matches!(
                member.kind,
                MemberKind::Property | MemberKind::Method | MemberKind::Index
            );
            let plain = leads && !member.asks_for_places() && !members::is_linq(member);
            if plain && let Some(found) = reached(member, token, rest, types)? {
                self.charge(&found)?;
                return Ok(found);
            }
        }
        let keeps = member.asks_for_places() || keeps_tokens(arguments.first(), member);
        let bare: Vec<Value>;
        let given = if keeps {
            arguments
        } else {
            bare = arguments.iter().map(without_places).collect();
            &bare
        };
        let result = self.run_bare(member, given, types)?;
        // What came out of a token without its place is the root of a tree of its own.
        Ok(match result {
            Value::Json(json) if !of_token || json.is_container() => {
                Value::Token(Arc::new(Placed::root(json)))
            }
            other => other,
        })
    }

    fn run_bare(
        &mut self,
        member: &'static Member,
        arguments: &[Value],
        types: &[Type],
    ) -> Result<Value, Thrown> {
        let result = match member.run {
            Run::Pure(run) => run(arguments)?,
            Run::Context(part) => self.context(part),
            Run::Call(run) | Run::Lookup(run) => {
                let mut call = Call::new(self, arguments, types);
                let result = run(&mut call)?;
                let outs = call.outs;
                if !outs.is_empty() {
                    self.rare().outs = outs;
                }
                result
            }
        };
        if member.makes_values() {
            self.charge(&result)?;
        }
        Ok(result)
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
        let unplaced = receiver.clone().without_place();
        if let (Value::Json(token @ Json::Object(_)), How::Get | How::Set) = (&unplaced, how) {
            // The members of an object come before those of its class, as Json.NET has it.
            let key = Value::text(name);
            return match (how, all.get(1)) {
                (How::Set, Some(value)) => {
                    let value = value.clone().without_place();
                    access::set(token, &key, &value).map(|()| Value::Null)
                }
                _ => match receiver {
                    Value::Token(token) => Ok(token.member(name).map_or(Value::Null, Value::Token)),
                    _ => access::get(token, &key),
                },
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
        let result = self.run_member(member, &all, types);
        if let Some(rare) = &mut self.rare {
            rare.outs.clear();
        }
        result
    }
}

/// What a member that leads from a token to others gives, with their places.
fn reached(
    member: &Member,
    token: &Arc<Placed>,
    arguments: &[Value],
    types: &[Type],
) -> Result<Option<Value>, Thrown> {
    let name = member.bare_name();
    match types.first() {
        None => placed::reached(name, token, arguments),
        Some(wanted) if name == "Children" => {
            let mut kept: Vec<Value> = token.children().into_iter().map(Value::Token).collect();
            kept.retain(|child| is_instance(child, wanted));
            Ok(Some(Value::sequence(kept)))
        }
        Some(_) => Ok(None),
    }
}

/// A value for a member that does not ask for places; a list with such tokens is copied.
fn without_places(value: &Value) -> Value {
    if let Value::List(list) = value
        && matches!(list.kind(), ListKind::Array | ListKind::Sequence)
    {
        let items = list.snapshot();
        if items.iter().any(|item| matches!(item, Value::Token(_))) {
            return Value::array(items.into_iter().map(Value::without_place).collect());
        }
    }
    value.clone().without_place()
}

/// Whether a member of `receiver` keeps the tokens that it is given: collections do, and LINQ.
fn keeps_tokens(receiver: Option<&Value>, member: &'static Member) -> bool {
    let of_value = matches!(member.kind, MemberKind::Method | MemberKind::SetIndex);
    // `new JObject(…)` takes tokens into a tree of its own, `new List<JToken>(…)` keeps them.
    let constructs =
        member.kind == MemberKind::Constructor && !member.parameters.contains("params");
    match receiver {
        Some(Value::List(_) | Value::Map(_) | Value::Set(_) | Value::Grouping(_)) => {
            of_value || constructs
        }
        // LINQ over a token; its own members were looked at before.
        Some(Value::Token(_)) => members::is_linq(member),
        _ => false,
    }
}

/// Whether the step may be taken from `null`: extension methods that look at it themselves.
fn takes_null(step: &Step) -> bool {
    match step {
        Step::Access(access) => access.member.takes_null(),
        Step::Field(_) | Step::Invoke(_) | Step::Dynamic { .. } | Step::Present => false,
    }
}
