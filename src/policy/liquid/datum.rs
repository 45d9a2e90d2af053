//! What a template computes with, and how two of them are compared.
//!
//! Values are those of .NET that a template can meet. Everything is shared and never changes, so a
//! value is cheap to clone.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::sync::Arc;

use indexmap::IndexMap;
use rust_decimal::Decimal;

use crate::expression::library::operators;
use crate::expression::library::text::compare::{Comparison, compare};
use crate::expression::library::{display, number};
use crate::expression::value::Value;
use crate::expression::value::moment::DateTime;
use crate::policy::liquid::OUTPUT_BYTES_MAX;

/// A value of a template.
#[derive(Clone, Debug, Default)]
pub enum Datum {
    /// Nothing.
    #[default]
    Nil,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a fraction, as JSON has it.
    Double(f64),
    /// A number with a fraction, as templates write and compute it.
    Decimal(Decimal),
    /// A text.
    Text(Arc<str>),
    /// A date.
    Date(DateTime),
    /// A list.
    List(Arc<List>),
    /// A JSON object, or an object of the gateway.
    Object(Arc<Object>),
    /// An XML element that holds more than text.
    Node(Arc<Node>),
}

/// Items in order.
#[derive(Debug, Default)]
pub struct List {
    /// The items.
    pub items: Vec<Datum>,
    weight: usize,
}

/// Members by name.
#[derive(Debug, Default)]
pub struct Object {
    /// The members, in the order in which they were written.
    pub members: IndexMap<Arc<str>, Datum>,
    weight: usize,
}

/// An XML element: names are those without prefix.
#[derive(Debug, Default)]
pub struct Node {
    /// Attributes, without declarations of namespaces.
    pub attributes: Vec<(Arc<str>, Datum)>,
    /// The elements in it.
    pub children: Vec<(Arc<str>, Datum)>,
    /// Its text, where there are no elements in it.
    text: Arc<str>,
    weight: usize,
}

/// What a value weighs beside its text.
const WEIGHT: usize = 16;

impl Datum {
    /// The text `text`.
    pub fn text(text: impl AsRef<str>) -> Self {
        Self::Text(Arc::from(text.as_ref()))
    }

    /// A list of `items`.
    pub fn list(items: Vec<Self>) -> Self {
        let weight = weigh(items.iter());
        Self::List(Arc::new(List { items, weight }))
    }

    /// An object with these members.
    pub fn object(members: impl IntoIterator<Item = (Arc<str>, Self)>) -> Self {
        let members: IndexMap<Arc<str>, Self> = members.into_iter().collect();
        let names = members.keys().map(|name| name.len()).fold(0, usize::saturating_add);
        let weight = weigh(members.values()).saturating_add(names);
        Self::Object(Arc::new(Object { members, weight }))
    }

    /// An element; `text` counts only where there are no elements in it.
    pub fn node(
        attributes: Vec<(Arc<str>, Self)>,
        children: Vec<(Arc<str>, Self)>,
        text: &str,
    ) -> Self {
        let text = if children.is_empty() { text } else { "" };
        let inner = children.iter().chain(&attributes).map(|(_name, it)| it);
        let weight = weigh(inner).saturating_add(text.len());
        Self::Node(Arc::new(Node { attributes, children, text: Arc::from(text), weight }))
    }

    /// Everything is true but `false` and nothing.
    pub const fn is_true(&self) -> bool {
        !matches!(self, Self::Nil | Self::Bool(false))
    }

    /// What `empty` and `blank` are equal to.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Text(text) => text.is_empty(),
            Self::List(list) => list.items.is_empty(),
            Self::Object(object) => object.members.is_empty(),
            Self::Node(node) => node.text.is_empty() && node.children.is_empty(),
            _ => false,
        }
    }

    /// Writes it as `{{ }}` shows it; what is longer than it may be ends somewhere beyond.
    pub fn show(&self, out: &mut String) {
        if OUTPUT_BYTES_MAX < out.len() {
            return;
        }
        match self {
            Self::Nil => (),
            Self::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
            Self::Text(text) => out.push_str(text),
            Self::Node(node) => {
                out.push_str(&node.text);
                node.children.iter().for_each(|(_name, child)| child.show(out));
            }
            Self::List(list) => list.items.iter().for_each(|item| item.show(out)),
            Self::Object(object) => {
                for (name, member) in &object.members {
                    out.push('[');
                    out.push_str(name);
                    out.push_str(", ");
                    member.show(out);
                    out.push(']');
                }
            }
            other => out.push_str(&display::text(&other.value()).unwrap_or_default()),
        }
    }

    /// The same as a text of its own.
    pub fn shown(&self) -> Arc<str> {
        if let Self::Text(text) = self {
            return Arc::clone(text);
        }
        let mut out = String::new();
        self.show(&mut out);
        Arc::from(out)
    }

    /// How much of it there is to look at, in bytes.
    pub fn weight(&self) -> usize {
        let inner = match self {
            Self::Text(text) => text.len(),
            Self::Node(node) => node.weight,
            Self::List(list) => list.weight,
            Self::Object(object) => object.weight,
            _ => 0,
        };
        inner.saturating_add(WEIGHT)
    }

    /// How many values it holds directly.
    pub fn breadth(&self) -> usize {
        match self {
            Self::Node(node) => node.children.len().saturating_add(node.attributes.len()),
            Self::List(list) => list.items.len(),
            Self::Object(object) => object.members.len(),
            _ => 0,
        }
    }

    /// The member `name`; a name that nothing has exactly is looked for without regard to case.
    #[must_use]
    pub fn member(&self, name: &str) -> Self {
        match self {
            Self::Object(object) => object.member(name),
            Self::Node(node) => node.member(name),
            Self::List(list) => match name {
                "size" | "Size" => Self::Int(count(list.items.len())),
                "first" | "First" => list.items.first().cloned().unwrap_or_default(),
                "last" | "Last" => list.items.last().cloned().unwrap_or_default(),
                _ => Self::Nil,
            },
            Self::Text(text) if matches!(name, "size" | "Size") => {
                Self::Int(count(text.encode_utf16().count()))
            }
            _ => Self::Nil,
        }
    }

    /// `value[key]`.
    #[must_use]
    pub fn at(&self, key: &Self) -> Self {
        match (self, key) {
            (Self::List(list), Self::Int(index)) => {
                let from_end = count(list.items.len()).saturating_add(*index);
                let index = if *index < 0 { from_end } else { *index };
                let index = usize::try_from(index).ok();
                index.and_then(|index| list.items.get(index)).cloned().unwrap_or_default()
            }
            (Self::Node(node), Self::Int(index)) => {
                let child = usize::try_from(*index).ok().and_then(|at| node.children.get(at));
                child.map(|(_name, child)| child.clone()).unwrap_or_default()
            }
            (_, Self::Nil) => Self::Nil,
            _ => self.member(&key.shown()),
        }
    }

    /// What a loop goes over: the items of a list, the elements in an element, the values of an
    /// object. An object in an object says as `itemName` what it is called.
    pub fn items(&self) -> Vec<Self> {
        match self {
            Self::List(list) => list.items.clone(),
            Self::Node(node) => node.children.iter().map(|(_name, child)| child.clone()).collect(),
            Self::Object(object) => {
                object.members.iter().map(|(name, it)| it.called(name)).collect()
            }
            Self::Nil | Self::Bool(_) => Vec::new(),
            single => vec![single.clone()],
        }
    }

    fn called(&self, name: &Arc<str>) -> Self {
        let Self::Object(object) = self else { return self.clone() };
        let own = (Arc::from("itemName"), Self::Text(Arc::clone(name)));
        let members = object.members.iter().map(|(name, it)| (Arc::clone(name), it.clone()));
        Self::object(members.chain([own]))
    }

    /// As a value of .NET, for arithmetic and formats.
    pub fn value(&self) -> Value {
        match self {
            Self::Nil => Value::Null,
            Self::Bool(flag) => Value::Bool(*flag),
            Self::Int(number) => Value::Long(*number),
            Self::Double(number) => Value::Double(*number),
            Self::Decimal(number) => Value::Decimal(*number),
            Self::Date(date) => Value::DateTime(*date),
            other => Value::String(other.shown()),
        }
    }

    /// The number it is, or the number that its text writes.
    pub fn number(&self) -> Option<Value> {
        match self {
            Self::Int(_) | Self::Double(_) | Self::Decimal(_) => Some(self.value()),
            Self::Text(text) => written(text),
            Self::Node(_) => written(&self.shown()),
            _ => None,
        }
    }

    /// What arithmetic gave.
    pub fn of_number(value: &Value) -> Self {
        match value {
            Value::Long(number) => Self::Int(*number),
            Value::Int(number) => Self::Int(i64::from(*number)),
            Value::Double(number) => Self::Double(*number),
            Value::Decimal(number) => Self::Decimal(*number),
            _ => Self::Nil,
        }
    }

    /// `==`: a text and a number are equal if the text writes the number.
    pub fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Nil, Self::Nil) => true,
            (Self::Nil, _) | (_, Self::Nil) => false,
            (Self::Bool(one), Self::Bool(two)) => one == two,
            (Self::Bool(flag), other) | (other, Self::Bool(flag)) => {
                other.shown().eq_ignore_ascii_case(display::bool_text(*flag))
            }
            (Self::Text(_) | Self::Node(_), Self::Text(_) | Self::Node(_)) => {
                self.shown() == other.shown()
            }
            (Self::Date(one), Self::Date(two)) => one.ticks == two.ticks,
            (Self::List(one), Self::List(two)) => {
                let mut pairs = one.items.iter().zip(&two.items);
                one.items.len() == two.items.len() && pairs.all(|(a, b)| a.equals(b))
            }
            _ => match (self.number(), other.number()) {
                (Some(one), Some(two)) => {
                    matches!(operators::compare(&one, &two), Ok(Some(Ordering::Equal)))
                }
                _ => self.shown() == other.shown(),
            },
        }
    }

    /// How `<` orders them; none where it does not.
    pub fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Nil, _) | (_, Self::Nil) => None,
            (Self::Date(one), Self::Date(two)) => Some(one.ticks.cmp(&two.ticks)),
            (Self::Text(_) | Self::Node(_), Self::Text(_) | Self::Node(_)) => {
                Some(compare(&self.shown(), &other.shown(), Comparison::Culture))
            }
            _ => operators::compare(&self.number()?, &other.number()?).ok().flatten(),
        }
    }
}

/// The number that a text writes.
fn written(text: &str) -> Option<Value> {
    let text = text.trim();
    if let Ok(whole) = text.parse::<i64>() {
        return Some(Value::Long(whole));
    }
    number::parse::decimal(text).ok().map(Value::Decimal)
}

fn weigh(values: impl IntoIterator<Item: Borrow<Datum>>) -> usize {
    values.into_iter().map(|value| value.borrow().weight()).fold(0, usize::saturating_add)
}

/// A length as a number of a template.
pub fn count(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

impl Object {
    fn member(&self, name: &str) -> Datum {
        if let Some(member) = self.members.get(name) {
            return member.clone();
        }
        let alike = self.members.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        match (alike, name) {
            (Some((_, member)), _) => member.clone(),
            (None, "size" | "Size") => Datum::Int(count(self.members.len())),
            (None, _) => Datum::Nil,
        }
    }
}

impl Node {
    /// The elements that are called `name`, as a list where there are several; else the attribute.
    fn member(&self, name: &str) -> Datum {
        let exact = |known: &str| known == name;
        let alike = |known: &str| known.eq_ignore_ascii_case(name);
        let found = self.named(&exact).or_else(|| self.named(&alike));
        found.unwrap_or_else(|| match name {
            "size" | "Size" => Datum::Int(count(self.children.len())),
            "first" | "First" => self.children.first().map(|it| it.1.clone()).unwrap_or_default(),
            "last" | "Last" => self.children.last().map(|it| it.1.clone()).unwrap_or_default(),
            _ => Datum::Nil,
        })
    }

    fn named(&self, is_named: &dyn Fn(&str) -> bool) -> Option<Datum> {
        let mut found: Vec<Datum> = Vec::new();
        for (name, child) in &self.children {
            if is_named(name) {
                found.push(child.clone());
            }
        }
        match found.as_slice() {
            [] => {
                let mut attributes = self.attributes.iter();
                attributes.find(|(name, _)| is_named(name)).map(|(_, value)| value.clone())
            }
            [one] => Some(one.clone()),
            _ => Some(Datum::list(found)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node() -> Datum {
        let item = |name: &str, text: &str| (Arc::from(name), Datum::text(text));
        let children = vec![item("Item", "a"), item("Item", "b"), item("item", "c")];
        Datum::node(vec![item("id", "7")], children, "")
    }

    #[test]
    fn elements_of_one_name_are_a_list_and_a_name_is_first_looked_for_as_it_is() {
        let node = node();
        assert_eq!(&*node.member("Item").shown(), "ab");
        assert_eq!(&*node.member("item").shown(), "c");
        assert_eq!(&*node.member("ITEM").shown(), "abc");
        assert_eq!(&*node.member("ID").shown(), "7");
        assert_eq!(node.items().len(), 3);
        assert!(!node.member("none").is_true());
    }

    #[test]
    fn a_text_is_equal_to_the_number_that_it_writes() {
        assert!(Datum::text("1").equals(&Datum::Int(1)));
        assert!(Datum::Int(1).equals(&Datum::Double(1.0)));
        assert!(!Datum::text("one").equals(&Datum::Int(1)));
        assert!(!Datum::Nil.equals(&Datum::Bool(false)));
        assert!(Datum::text("True").equals(&Datum::Bool(true)));
        assert_eq!(Datum::text("10").order(&Datum::Int(9)), Some(Ordering::Greater));
        assert_eq!(Datum::Nil.order(&Datum::Int(9)), None);
    }

    #[test]
    fn values_show_as_dotliquid_shows_them() {
        assert_eq!(&*Datum::Bool(true).shown(), "true");
        assert_eq!(&*Datum::Double(1.5).shown(), "1.5");
        let object = Datum::object([(Arc::from("a"), Datum::Int(1)), (Arc::from("b"), Datum::Nil)]);
        assert_eq!(&*object.shown(), "[a, 1][b, ]");
        assert_eq!(&*Datum::list(vec![Datum::Int(1), Datum::text("x")]).shown(), "1x");
    }
}
