//! Whether an overload takes the arguments, and how well.

use super::{Given, Match};
use crate::expression::check::{Typed, coerce};
use crate::expression::members::{Member, Parameter, Signature};
use crate::expression::types::{Fit, Type, implicit, unify};

/// Whether the member takes the arguments, and how well.
pub(super) fn matched(
    member: &'static Member,
    owner: &[(&'static str, Type)],
    types: &[Type],
    given: &[Given<'_>],
    names: &[Option<&str>],
) -> Option<Match> {
    let signature = member.signature()?;
    let mut bound = owner.to_vec();
    let own: Vec<&'static str> = member.type_parameters().collect();
    if !types.is_empty() && types.len() != own.len() {
        return None;
    }
    bound.extend(own.iter().copied().zip(types.iter().cloned()));
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
    Some(Match { member, signature, bound, distance: 0, cost })
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
