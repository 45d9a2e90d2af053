//! Whether an overload takes the arguments, and how well.

use super::{Given, Match};
use crate::expression::check::{Typed, coerce};
use crate::expression::members::{Candidate, Parameter, Signature};
use crate::expression::types::{Fit, Type, implicit, unify};

/// Whether the member takes the arguments, and how well.
pub(super) fn matched(
    candidate: &Candidate,
    types: &[Type],
    given: &[Given<'_>],
    names: &[Option<&str>],
) -> Option<Match> {
    let member = candidate.member;
    let signature = member.signature()?;
    let mut bound = bound(candidate, types)?;
    if !signature.takes(given.len()) {
        return None;
    }
    let mut filled = vec![false; signature.parameters.len()];
    for (index, given) in given.iter().enumerate() {
        let name = names.get(index).copied().flatten();
        let (place, parameter) = place_of(&signature, index, name)?;
        *filled.get_mut(place)? = true;
        if let (Given::Value(typed), true) = (given, types.is_empty()) {
            unify(&parameter.ty, &typed.ty, &mut bound);
        }
    }
    let missing = signature
        .parameters
        .iter()
        .zip(&filled)
        .any(|(parameter, filled)| !filled && parameter.default.is_none() && !parameter.rest);
    // Arguments by name can leave a gap that the count does not show.
    if missing {
        return None;
    }
    let mut cost: Fit = 0;
    for (index, given) in given.iter().enumerate() {
        let name = names.get(index).copied().flatten();
        let (_, parameter) = place_of(&signature, index, name)?;
        let wanted = Parameter { ty: parameter.ty.with(&bound), ..parameter.clone() };
        let one = match given {
            Given::Value(value) => (!wanted.out).then(|| argument_cost(value, &wanted))??,
            Given::Lambda(_, count) => match &wanted.ty {
                Type::Function(parameters, _) => (parameters.len() == *count).then_some(0)?,
                ty => ty.is_open().then_some(8)?,
            },
            // Of a function with fewer parameters more is meant.
            Given::Group(_) => match &wanted.ty {
                Type::Function(parameters, _) => Fit::try_from(parameters.len()).ok()?,
                _ => return None,
            },
            Given::Out(_) => wanted.out.then_some(0)?,
        };
        cost = cost.saturating_add(one);
    }
    // An overload that must collect its arguments is only taken where no other is as good.
    let collects = signature.parameters.last().is_some_and(|last| last.rest)
        && (given.len() >= signature.parameters.len() || given.len() == signature.least());
    cost = cost.saturating_add(Fit::from(collects));
    let left_out = signature.parameters.len().saturating_sub(given.len());
    cost = cost.saturating_add(Fit::try_from(left_out).unwrap_or(Fit::MAX));
    Some(Match { member, signature, bound, distance: candidate.distance, cost })
}

/// What the type parameters are: those of the owner, then those that are given. None if the
/// member does not take so many.
fn bound(candidate: &Candidate, types: &[Type]) -> Option<Vec<(&'static str, Type)>> {
    let mut bound = candidate.bound.clone();
    let own: Vec<&'static str> = candidate.member.type_parameters().collect();
    if types.is_empty() {
        return Some(bound);
    }
    // `X` is the result of `Cast` and its like, `T` that of a member that asks for it itself.
    let of_items = candidate.is_linq && !own.contains(&"X");
    let mut given = types;
    if of_items {
        let (first, rest) = types.split_first()?;
        let (_, items) = bound.iter_mut().find(|(name, _)| *name == "T")?;
        if !holds(items, first) {
            return None;
        }
        *items = first.clone();
        given = rest;
    }
    let further: Vec<&'static str> =
        own.into_iter().filter(|name| !of_items || *name != "T").collect();
    // The result of `Sum<T>(x => …)` follows from the lambda.
    let follows = of_items
        && given.is_empty()
        && matches!(candidate.member.bare_name(), "Sum" | "Average" | "Max" | "Min");
    if given.len() != further.len() && !follows {
        return None;
    }
    bound.extend(further.into_iter().zip(given.iter().cloned()));
    Some(bound)
}

/// Whether a sequence of `items` is one of `wanted`, as `IEnumerable<out T>` has it.
fn holds(items: &Type, wanted: &Type) -> bool {
    match wanted {
        _ if items == wanted || items.is_open() || wanted.is_open() => true,
        Type::Object => !items.bare().is_value(),
        Type::Class(to) => matches!(items, Type::Class(from) if from.is_a(*to)),
        _ => false,
    }
}

pub(super) fn argument_cost(typed: &Typed, parameter: &Parameter) -> Option<Fit> {
    if parameter.rest && is_whole_rest(&typed.ty, &parameter.ty) {
        return Some(0);
    }
    if !coerce::fits(typed, &parameter.ty) {
        return None;
    }
    // What only a constant's value allows costs more than what its type allows.
    let cost = implicit(&typed.ty, &parameter.ty).unwrap_or(30);
    Some(cost)
}

/// Whether one argument is the whole array of a `params`.
pub(super) fn is_whole_rest(ty: &Type, item: &Type) -> bool {
    match ty {
        Type::Array(found) => {
            found.is_open()
                || implicit(found, item).is_some_and(|fit| fit < 40)
                || (*item == Type::Object && !found.is_value())
        }
        _ => false,
    }
}

/// The parameter that an argument belongs to.
pub(super) fn place_of<'s>(
    signature: &'s Signature,
    index: usize,
    name: Option<&str>,
) -> Option<(usize, &'s Parameter)> {
    if let Some(name) = name {
        let place = signature.parameters.iter().position(|parameter| parameter.name == name)?;
        return Some((place, signature.parameters.get(place)?));
    }
    let last = signature.parameters.len().checked_sub(1)?;
    Some((index.min(last), signature.parameter(index)?))
}
