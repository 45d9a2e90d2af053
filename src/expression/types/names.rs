//! Names → types: those that policies write, and those in the tables of members.

use std::sync::Arc;

use super::{Class, Enumeration, Type};
use crate::expression::value::thrown::ExceptionKind;
use crate::fault::nearest;

/// Why a name gives no type.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::expression) enum Unnamed {
    /// No type is called that.
    NoSuchType,
    /// It takes another number of type arguments.
    WrongArguments(usize),
}

/// Names that are not a class's own: keywords, interfaces and the long names of the keywords.
const SIMPLE: [(&str, Type); 38] = [
    ("void", Type::Void),
    ("object", Type::Object),
    ("System.Object", Type::Object),
    ("dynamic", Type::Unknown),
    ("var", Type::Unknown),
    ("bool", Type::Bool),
    ("System.Boolean", Type::Bool),
    ("char", Type::Char),
    ("System.Char", Type::Char),
    ("byte", Type::Byte),
    ("System.Byte", Type::Byte),
    ("sbyte", Type::Int),
    ("short", Type::Int),
    ("ushort", Type::Int),
    ("System.Int16", Type::Int),
    ("System.UInt16", Type::Int),
    ("int", Type::Int),
    ("System.Int32", Type::Int),
    ("uint", Type::UInt),
    ("System.UInt32", Type::UInt),
    ("long", Type::Long),
    ("System.Int64", Type::Long),
    ("ulong", Type::ULong),
    ("System.UInt64", Type::ULong),
    ("float", Type::Float),
    ("System.Single", Type::Float),
    ("double", Type::Double),
    ("System.Double", Type::Double),
    ("decimal", Type::Decimal),
    ("System.Decimal", Type::Decimal),
    ("string", Type::String),
    ("System.String", Type::String),
    ("IMessage.IMessageBody", Type::Class(Class::Body)),
    ("System.IFormatProvider", Type::Class(Class::CultureInfo)),
    ("System.Security.Cryptography.KeyedHashAlgorithm", Type::Class(Class::Hasher)),
    ("System.Security.Cryptography.HMAC", Type::Class(Class::Hasher)),
    ("System.Text.UTF8Encoding", Type::Class(Class::Encoding)),
    ("System.Text.RegularExpressions.Capture", Type::Class(Class::Group)),
];

/// The generic types: namespace, name, how many arguments (0 is any number).
const GENERIC: [(&str, &str, usize); 28] = [
    ("System.Collections.Generic", "List", 1),
    ("System.Collections.Generic", "IList", 1),
    ("System.Collections.Generic", "ICollection", 1),
    ("System.Collections.Generic", "IReadOnlyList", 1),
    ("System.Collections.Generic", "IReadOnlyCollection", 1),
    ("System.Collections.Generic", "IEnumerable", 1),
    ("System.Linq", "IOrderedEnumerable", 1),
    ("System.Linq", "IQueryable", 1),
    ("System.Linq", "IGrouping", 2),
    ("System.Linq", "ILookup", 2),
    ("System.Collections.Generic", "HashSet", 1),
    ("System.Collections.Generic", "ISet", 1),
    ("System.Collections.Generic", "SortedSet", 1),
    ("System.Collections.Generic", "Queue", 1),
    ("System.Collections.Generic", "Stack", 1),
    ("System.Collections.Generic", "Dictionary", 2),
    ("System.Collections.Generic", "IDictionary", 2),
    ("System.Collections.Generic", "IReadOnlyDictionary", 2),
    ("System.Collections.Generic", "SortedDictionary", 2),
    ("System.Collections.Generic", "SortedList", 2),
    ("System.Collections.Generic", "KeyValuePair", 2),
    ("System", "Nullable", 1),
    ("System", "Func", 0),
    ("System", "Action", 0),
    ("System", "Predicate", 1),
    ("System", "Tuple", 0),
    ("System", "ValueTuple", 0),
    ("System.Collections.Concurrent", "ConcurrentDictionary", 2),
];

/// The type called `path` that has no arguments.
pub(in crate::expression) fn named(path: &str) -> Result<Type, Unnamed> {
    if let Some((_, found)) = SIMPLE.iter().find(|(name, _)| fits("", name, path)) {
        return Ok(found.clone());
    }
    let class = |class: &&Class| fits(class.namespace(), class.name(), path);
    if let Some(found) = Class::ALL.iter().find(class) {
        return Ok(Type::Class(*found));
    }
    let listed = |of: &&Enumeration| fits(of.namespace(), of.name(), path);
    if let Some(found) = Enumeration::ALL.iter().find(listed) {
        return Ok(Type::Enumeration(*found));
    }
    if path == "Action" || path == "System.Action" {
        return Ok(Type::Function(Arc::from([]), Arc::new(Type::Void)));
    }
    if let Some(kind) = ExceptionKind::from_name(path).filter(|kind| kind.name() != "Limit") {
        return Ok(Type::Exception(kind));
    }
    match GENERIC.iter().find(|(namespace, name, _)| fits(namespace, name, path)) {
        Some((_, _, count)) => Err(Unnamed::WrongArguments(*count)),
        None => Err(Unnamed::NoSuchType),
    }
}

/// The type called `path` with `arguments`.
pub(in crate::expression) fn named_generic(
    path: &str,
    arguments: Vec<Type>,
) -> Result<Type, Unnamed> {
    let found = GENERIC.iter().find(|(namespace, name, _)| fits(namespace, name, path));
    let Some((_, name, count)) = found else {
        return Err(named(path).map_or(Unnamed::NoSuchType, |_| Unnamed::WrongArguments(0)));
    };
    if *count != 0 && arguments.len() != *count {
        return Err(Unnamed::WrongArguments(*count));
    }
    let mut arguments = arguments.into_iter();
    let mut next = || Arc::new(arguments.next().unwrap_or(Type::Unknown));
    Ok(match *name {
        "List" | "IList" | "IReadOnlyList" => Type::List(next()),
        "ICollection" | "IReadOnlyCollection" => Type::Collection(next()),
        "IEnumerable" | "IOrderedEnumerable" | "IQueryable" => Type::Sequence(next()),
        "HashSet" | "ISet" | "SortedSet" => Type::Set(next()),
        "Queue" => Type::Queue(next()),
        "Stack" => Type::Stack(next()),
        "KeyValuePair" => Type::Pair(next(), next()),
        "IGrouping" => Type::Grouping(next(), next()),
        "ILookup" => Type::Sequence(Arc::new(Type::Grouping(next(), next()))),
        "Nullable" => Type::Nullable(next()),
        "Predicate" => Type::Function(Arc::from([(*next()).clone()]), Arc::new(Type::Bool)),
        "Action" => Type::Function(arguments.collect(), Arc::new(Type::Void)),
        "Func" => {
            let mut parts: Vec<Type> = arguments.collect();
            let result = parts.pop().unwrap_or(Type::Unknown);
            Type::Function(parts.into(), Arc::new(result))
        }
        "Tuple" | "ValueTuple" => Type::Tuple(arguments.map(|part| (None, part)).collect()),
        _ => Type::Map(next(), next()),
    })
}

/// Whether `path` is `name`, with or without all or the last parts of its namespace.
fn fits(namespace: &str, name: &str, path: &str) -> bool {
    if path == name || (namespace.is_empty() && name.rsplit('.').next() == Some(path)) {
        return true;
    }
    let Some(prefix) = path.strip_suffix(name).and_then(|rest| rest.strip_suffix('.')) else {
        return false;
    };
    let whole = namespace.strip_suffix(prefix);
    !prefix.is_empty() && whole.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// The type whose name is nearest to `path`.
pub(in crate::expression) fn nearest_type(path: &str) -> Option<&'static str> {
    let last = path.rsplit('.').next().unwrap_or(path);
    let simple = SIMPLE.iter().map(|(name, _)| *name).filter(|name| !name.contains('.'));
    let public = Class::ALL.iter().filter(|class| !is_context_part(**class));
    let classes = public.map(|class| class.name());
    let listed = Enumeration::ALL.iter().map(|of| of.name());
    let generic = GENERIC.iter().map(|(_, name, _)| *name);
    nearest(last, simple.chain(classes).chain(listed).chain(generic))
}

/// Whether the class is only reached through `context`.
fn is_context_part(class: Class) -> bool {
    class.namespace().is_empty()
        && !matches!(class, Class::Jwt | Class::BasicCredentials | Class::Response | Class::Body)
}

/// The names of type parameters in tables.
const PARAMETERS: [&str; 8] = ["T", "K", "V", "R", "U", "X", "Y", "Z"];

/// A type as a table of members writes it: what a policy may write, and type parameters.
pub(in crate::expression) fn signature(text: &str) -> Option<Type> {
    let text = text.trim();
    if let Some(inner) = text.strip_suffix('?') {
        return Some(Type::Nullable(Arc::new(signature(inner)?)));
    }
    if let Some(inner) = text.strip_suffix("[]") {
        return Some(signature(inner)?.array());
    }
    if let Some(name) = PARAMETERS.iter().find(|name| **name == text) {
        return Some(Type::Parameter(name));
    }
    let Some((name, rest)) = text.split_once('<') else { return named(text).ok() };
    let inner = rest.strip_suffix('>')?;
    let arguments: Option<Vec<Type>> = split(inner).map(signature).collect();
    named_generic(name, arguments?).ok()
}

/// Splits at the commas outside angle brackets.
pub(in crate::expression) fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut deep = 0_i32;
    text.split(move |character| {
        match character {
            '<' | '(' => deep = deep.saturating_add(1),
            '>' | ')' => deep = deep.saturating_sub(1),
            _ => {}
        }
        character == ',' && deep == 0
    })
}
