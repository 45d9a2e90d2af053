//! Static types: what the checker knows of a value before it exists.

mod class;
mod convert;
mod enumeration;
mod names;
mod runtime;

use std::fmt;
use std::sync::Arc;

pub(super) use class::Class;
pub(super) use convert::{Fit, common, explicit, implicit, unify};
pub(super) use enumeration::Enumeration;
pub(super) use names::{Unnamed, named, named_generic, nearest_type, signature, split};
pub(super) use runtime::{is_instance, type_of};

use super::value::thrown::ExceptionKind;

/// A static type.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Type {
    /// Nothing is known, or a fault was given: everything is allowed, and decided at run time.
    Unknown,
    /// `void`
    Void,
    /// The type of `null`.
    Null,
    /// The type of `throw`, which fits everything.
    Never,
    Object,
    Bool,
    Char,
    Byte,
    Int,
    UInt,
    Long,
    ULong,
    Double,
    Float,
    Decimal,
    String,
    Nullable(Arc<Self>),
    Array(Arc<Self>),
    List(Arc<Self>),
    Queue(Arc<Self>),
    Stack(Arc<Self>),
    Set(Arc<Self>),
    /// `IEnumerable<T>` and everything that LINQ gives back.
    Sequence(Arc<Self>),
    /// `ICollection<T>`, which the keys and the values of a dictionary are.
    Collection(Arc<Self>),
    Map(Arc<Self>, Arc<Self>),
    Pair(Arc<Self>, Arc<Self>),
    /// `IGrouping<TKey, TElement>`
    Grouping(Arc<Self>, Arc<Self>),
    /// An anonymous object: names and types.
    Record(Arc<[(Arc<str>, Self)]>),
    /// A tuple; a part may have a name besides `Item1`.
    Tuple(Arc<[(Option<Arc<str>>, Self)]>),
    /// `Func<…>` and `Action<…>`: parameters and result.
    Function(Arc<[Self]>, Arc<Self>),
    Class(Class),
    Enumeration(Enumeration),
    Exception(ExceptionKind),
    /// A type parameter of a member: `T` in `List<T>`.
    Parameter(&'static str),
}

impl Type {
    pub(super) fn nullable(self) -> Self {
        if self.is_value() { Self::Nullable(Arc::new(self)) } else { self }
    }

    pub(super) fn array(self) -> Self {
        Self::Array(Arc::new(self))
    }

    /// Whether it cannot be `null`.
    pub(super) fn is_value(&self) -> bool {
        match self {
            Self::Bool | Self::Enumeration(_) | Self::Pair(..) | Self::Tuple(_) => true,
            Self::Class(class) => class.is_value(),
            other => other.is_number(),
        }
    }

    /// Whether it is a number or a `char`.
    pub(super) fn is_number(&self) -> bool {
        self.is_integer() || matches!(self, Self::Double | Self::Float | Self::Decimal)
    }

    /// Whether it is an integer or a `char`.
    pub(super) fn is_integer(&self) -> bool {
        matches!(self, Self::Char | Self::Byte | Self::Int | Self::UInt | Self::Long | Self::ULong)
    }

    /// Whether anything may be done with it.
    pub(super) fn is_open(&self) -> bool {
        matches!(self, Self::Unknown | Self::Never)
    }

    /// The full .NET name.
    pub(super) fn full_name(&self) -> String {
        let value = crate::expression::eval::default_of(self);
        match self {
            Self::String => "System.String".to_owned(),
            Self::Object => "System.Object".to_owned(),
            Self::Array(item) => format!("{}[]", item.full_name()),
            Self::Enumeration(of) if of.namespace().is_empty() => of.name().to_owned(),
            Self::Enumeration(of) => format!("{}.{}", of.namespace(), of.name()),
            Self::Exception(kind) => kind.full_name().to_owned(),
            Self::Class(class) if !class.namespace().is_empty() => {
                format!("{}.{}", class.namespace(), class.name())
            }
            _ if !value.is_null() => value.type_name().to_owned(),
            other => other.to_string(),
        }
    }

    /// The type below `?`.
    pub(super) fn bare(&self) -> &Self {
        match self {
            Self::Nullable(inner) => inner,
            other => other,
        }
    }

    /// What `foreach` gives, if it can be enumerated.
    pub(super) fn element(&self) -> Option<Self> {
        match self {
            Self::Unknown | Self::Never => Some(Self::Unknown),
            Self::Array(item)
            | Self::List(item)
            | Self::Queue(item)
            | Self::Stack(item)
            | Self::Set(item)
            | Self::Sequence(item)
            | Self::Collection(item)
            | Self::Grouping(_, item) => Some((**item).clone()),
            Self::Map(key, value) => Some(Self::Pair(Arc::clone(key), Arc::clone(value))),
            Self::String => Some(Self::Char),
            Self::Class(class) => class.element(),
            _ => None,
        }
    }

    /// What stands in angle brackets, for members that speak of `T`, `K` and `V`.
    pub(super) fn arguments(&self) -> Vec<(&'static str, Self)> {
        let mut bound = Vec::new();
        if let Some(element) = self.element() {
            bound.push(("T", element));
        }
        if let Self::Map(key, value) | Self::Pair(key, value) = self {
            bound.push(("K", (**key).clone()));
            bound.push(("V", (**value).clone()));
        }
        if let Self::Grouping(key, _) = self {
            bound.push(("K", (**key).clone()));
        }
        if let Self::Nullable(inner) = self {
            bound.push(("T", (**inner).clone()));
        }
        bound
    }

    /// The same type with its parameters replaced; a parameter that is not bound is unknown.
    pub(super) fn with(&self, bound: &[(&'static str, Self)]) -> Self {
        let of = |inner: &Arc<Self>| Arc::new(inner.with(bound));
        match self {
            Self::Parameter(name) => {
                let found = bound.iter().find(|(known, _)| known == name);
                found.map_or(Self::Unknown, |(_, ty)| ty.clone())
            }
            Self::Nullable(inner) => inner.with(bound).nullable(),
            Self::Array(inner) => Self::Array(of(inner)),
            Self::List(inner) => Self::List(of(inner)),
            Self::Queue(inner) => Self::Queue(of(inner)),
            Self::Stack(inner) => Self::Stack(of(inner)),
            Self::Set(inner) => Self::Set(of(inner)),
            Self::Sequence(inner) => Self::Sequence(of(inner)),
            Self::Collection(inner) => Self::Collection(of(inner)),
            Self::Map(key, value) => Self::Map(of(key), of(value)),
            Self::Pair(key, value) => Self::Pair(of(key), of(value)),
            Self::Grouping(key, value) => Self::Grouping(of(key), of(value)),
            Self::Function(parameters, result) => Self::Function(
                parameters.iter().map(|parameter| parameter.with(bound)).collect(),
                of(result),
            ),
            Self::Tuple(parts) => Self::Tuple(
                parts.iter().map(|(name, part)| (name.clone(), part.with(bound))).collect(),
            ),
            other => other.clone(),
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Unknown => "dynamic",
            Self::Void => "void",
            Self::Null => "null",
            Self::Never => "throw",
            Self::Object => "object",
            Self::Bool => "bool",
            Self::Char => "char",
            Self::Byte => "byte",
            Self::Int => "int",
            Self::UInt => "uint",
            Self::Long => "long",
            Self::ULong => "ulong",
            Self::Double => "double",
            Self::Float => "float",
            Self::Decimal => "decimal",
            Self::String => "string",
            Self::Class(class) => class.name(),
            Self::Enumeration(of) => of.name(),
            Self::Exception(kind) => kind.name(),
            Self::Parameter(name) => name,
            Self::Record(_) => "an anonymous object",
            Self::Nullable(inner) => return write!(formatter, "{inner}?"),
            Self::Array(inner) => return write!(formatter, "{inner}[]"),
            Self::List(inner) => return write!(formatter, "List<{inner}>"),
            Self::Queue(inner) => return write!(formatter, "Queue<{inner}>"),
            Self::Stack(inner) => return write!(formatter, "Stack<{inner}>"),
            Self::Set(inner) => return write!(formatter, "HashSet<{inner}>"),
            Self::Sequence(inner) => return write!(formatter, "IEnumerable<{inner}>"),
            Self::Collection(inner) => return write!(formatter, "ICollection<{inner}>"),
            Self::Map(key, value) => return write!(formatter, "Dictionary<{key}, {value}>"),
            Self::Pair(key, value) => return write!(formatter, "KeyValuePair<{key}, {value}>"),
            Self::Grouping(key, value) => return write!(formatter, "IGrouping<{key}, {value}>"),
            Self::Function(parameters, result) => {
                return function(formatter, parameters, result);
            }
            Self::Tuple(parts) => {
                let parts: Vec<String> = parts.iter().map(|(_, part)| part.to_string()).collect();
                return write!(formatter, "({})", parts.join(", "));
            }
        };
        formatter.write_str(name)
    }
}

fn function(formatter: &mut fmt::Formatter<'_>, parameters: &[Type], result: &Type) -> fmt::Result {
    let mut parts: Vec<String> = parameters.iter().map(ToString::to_string).collect();
    if *result == Type::Void {
        return write!(formatter, "Action<{}>", parts.join(", "));
    }
    parts.push(result.to_string());
    write!(formatter, "Func<{}>", parts.join(", "))
}
