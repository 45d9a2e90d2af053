//! Which type becomes which, by itself or by a cast.

use std::sync::Arc;

use super::{Class, Type};

/// What an implicit conversion costs; overloads with cheaper arguments win.
pub(in crate::expression) type Fit = u32;

const OPEN: Fit = 8;
const BOXED: Fit = 40;
const TOKEN: Fit = 20;

/// What it costs `from` to become `to` by itself; none if it cannot.
pub(in crate::expression) fn implicit(from: &Type, to: &Type) -> Option<Fit> {
    if from == to {
        return Some(0);
    }
    match (from, to) {
        (Type::Void, _) | (_, Type::Void) => None,
        (from, to) if from.is_open() || to.is_open() => Some(OPEN),
        (_, Type::Object) => Some(BOXED),
        (Type::Null, Type::Nullable(_)) => Some(1),
        (Type::Null, to) => (!to.is_value()).then_some(1),
        (Type::Nullable(from), Type::Nullable(to)) => implicit(from, to),
        (from, Type::Nullable(to)) => Some(implicit(from, to)?.saturating_add(1)),
        (from, Type::Class(to)) => to_class(from, *to),
        (Type::Exception(from), Type::Exception(to)) => from.is_a(*to).then_some(1),
        (Type::Tuple(from), Type::Tuple(to)) => {
            if from.len() != to.len() {
                return None;
            }
            from.iter().zip(to.iter()).map(|(from, to)| implicit(&from.1, &to.1)).sum()
        }
        (Type::Function(from, _), Type::Function(to, _)) => (from.len() == to.len()).then_some(1),
        (Type::Class(from), to) if from.same_as().is_some() => {
            Some(implicit(&from.same_as()?, to)?.saturating_add(1))
        }
        (from, to) => widened(from, to).or_else(|| collection(from, to)),
    }
}

fn to_class(from: &Type, to: Class) -> Option<Fit> {
    match from {
        Type::Class(from) if from.is_a(to) => Some(1),
        Type::Class(from) if from.same_as() == Some(Type::Class(to)) => Some(1),
        Type::Class(Class::DateTime) if to == Class::DateTimeOffset => Some(TOKEN),
        Type::Nullable(inner) if to == Class::JToken => to_class(inner, to),
        from if to == Class::JToken && is_token_value(from) => Some(TOKEN),
        Type::String if matches!(to, Class::XName | Class::XNamespace) => Some(TOKEN),
        _ => None,
    }
}

/// Whether a `JToken` is made of it by itself, and gives it back by a cast.
fn is_token_value(ty: &Type) -> bool {
    match ty {
        Type::String | Type::Bool => true,
        Type::Array(item) => **item == Type::Byte,
        Type::Class(class) => matches!(
            class,
            Class::DateTime | Class::DateTimeOffset | Class::TimeSpan | Class::Guid | Class::Uri
        ),
        other => other.is_number(),
    }
}

/// The numbers that a number becomes without loss, in order of preference.
fn widened(from: &Type, to: &Type) -> Option<Fit> {
    use Type::{Decimal, Double, Float, Int, Long, UInt, ULong};
    let chain: &[Type] = match from {
        Type::Char | Type::Byte => &[Int, UInt, Long, ULong, Float, Double, Decimal],
        Int => &[Long, Float, Double, Decimal],
        UInt => &[Long, ULong, Float, Double, Decimal],
        Long | ULong => &[Float, Double, Decimal],
        Float => &[Double],
        _ => return None,
    };
    let at = chain.iter().position(|wider| wider == to)?;
    Fit::try_from(at).ok()?.checked_add(2)
}

fn collection(from: &Type, to: &Type) -> Option<Fit> {
    match to {
        Type::Sequence(item) => {
            let fit = implicit(&from.element()?, item)?;
            // A list of numbers is not a sequence of wider ones, but it is one of objects.
            Some(fit.saturating_add(3))
        }
        Type::Collection(item) => match from {
            Type::List(_)
            | Type::Array(_)
            | Type::Set(_)
            | Type::Map(..)
            | Type::Collection(_)
            | Type::Class(Class::JArray | Class::JObject) => {
                Some(implicit(&from.element()?, item)?.saturating_add(3))
            }
            _ => None,
        },
        Type::List(item) => match from {
            Type::List(from) => same(from, item).then_some(4),
            // `IList<T>` is read as `List<T>`; arrays have that interface too.
            Type::Array(from) => Some(implicit(from, item)?.saturating_add(4)),
            Type::Class(Class::JArray) => implicit(&Type::Class(Class::JToken), item),
            _ => None,
        },
        Type::Array(item) => match from {
            Type::Array(from) => implicit(from, item),
            _ => None,
        },
        Type::Set(item) => match from {
            Type::Set(from) => same(from, item).then_some(1),
            _ => None,
        },
        Type::Map(key, value) => match from {
            Type::Map(from_key, from_value) => {
                (same(from_key, key) && same(from_value, value)).then_some(1)
            }
            Type::Class(Class::JObject) => Some(TOKEN),
            _ => None,
        },
        Type::Pair(key, value) => match from {
            Type::Pair(from_key, from_value) => {
                let key = implicit(from_key, key)?;
                Some(key.saturating_add(implicit(from_value, value)?))
            }
            _ => None,
        },
        Type::Grouping(..) => match from {
            Type::Grouping(..) => Some(1),
            _ => None,
        },
        _ => None,
    }
}

/// Whether both are the same type, whatever the parts of tuples are called: a list that can be
/// written to is not one of a wider type.
fn same(one: &Type, other: &Type) -> bool {
    implicit(one, other).is_some() && implicit(other, one).is_some()
}

/// Whether a cast from `from` to `to` can succeed.
pub(in crate::expression) fn explicit(from: &Type, to: &Type) -> bool {
    if implicit(from, to).is_some() || (implicit(to, from).is_some() && !from_value_token(to, from))
    {
        return true;
    }
    match (from, to) {
        (Type::Nullable(from), to) => explicit(from, to),
        (from, Type::Nullable(to)) => explicit(from, to),
        (Type::Class(from), to) if from.is_json() => is_token_value(to),
        (Type::Class(Class::XElement | Class::XAttribute), to) => is_token_value(to),
        (Type::Enumeration(_), Type::Enumeration(_)) => true,
        (Type::Enumeration(_), other) | (other, Type::Enumeration(_)) => other.is_number(),
        (Type::Object, _) => true,
        (from, to) if from.is_number() && to.is_number() => true,
        (Type::Class(from), to) if from.same_as().is_some_and(|same| explicit(&same, to)) => true,
        // What a sequence really is shows only at run time.
        (Type::Sequence(_) | Type::Collection(_), to) => to.element().is_some(),
        (Type::List(_), Type::Array(_)) => true,
        _ => false,
    }
}

/// `(string)token` is listed by itself; that `string` becomes `JToken` does not allow the way back
/// for classes that are not tokens' values.
fn from_value_token(to: &Type, from: &Type) -> bool {
    matches!(from, Type::Class(Class::JToken))
        && !matches!(to, Type::Class(_))
        && !is_token_value(to)
}

/// The type that both become: of the branches of `?:`, of the items of `new[] {…}`.
pub(in crate::expression) fn common(left: &Type, right: &Type) -> Option<Type> {
    if left.is_open() {
        return Some(right.clone());
    }
    if right.is_open() {
        return Some(left.clone());
    }
    match (left, right) {
        (Type::Null, value) | (value, Type::Null) if value.is_value() => {
            return Some(value.clone().nullable());
        }
        (Type::Nullable(inner), other) | (other, Type::Nullable(inner)) => {
            let both = common(inner, other.bare())?;
            return Some(both.nullable());
        }
        _ => {}
    }
    if implicit(left, right).is_some() {
        return Some(right.clone());
    }
    implicit(right, left).map(|_| left.clone())
}

/// Finds what the type parameters in `pattern` stand for, so that `actual` fits.
pub(in crate::expression) fn unify(
    pattern: &Type,
    actual: &Type,
    bound: &mut Vec<(&'static str, Type)>,
) {
    match pattern {
        Type::Parameter(name) => bind(name, actual, bound),
        Type::Nullable(inner) => unify(inner, actual.bare(), bound),
        Type::Array(inner)
        | Type::List(inner)
        | Type::Set(inner)
        | Type::Sequence(inner)
        | Type::Collection(inner) => {
            if let Some(element) = actual.element() {
                unify(inner, &element, bound);
            }
        }
        Type::Pair(key, value) | Type::Map(key, value) | Type::Grouping(key, value) => {
            for (name, ty) in actual.arguments() {
                match name {
                    "K" => unify(key, &ty, bound),
                    "V" => unify(value, &ty, bound),
                    _ => {}
                }
            }
        }
        Type::Function(parameters, result) => {
            if let Type::Function(actual_parameters, actual_result) = actual {
                for (parameter, actual) in parameters.iter().zip(actual_parameters.iter()) {
                    unify(parameter, actual, bound);
                }
                unify(result, actual_result, bound);
            }
        }
        _ => {}
    }
}

fn bind(name: &'static str, actual: &Type, bound: &mut Vec<(&'static str, Type)>) {
    if matches!(actual, Type::Void) {
        return;
    }
    let Some((_, known)) = bound.iter_mut().find(|(known, _)| *known == name) else {
        if *actual != Type::Null {
            bound.push((name, actual.clone()));
        }
        return;
    };
    if let Some(both) = common(known, actual) {
        *known = both;
    }
}

impl From<Class> for Arc<Type> {
    fn from(class: Class) -> Self {
        Self::new(Type::Class(class))
    }
}
