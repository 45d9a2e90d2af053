//! Collections: lists, dictionaries, sets, pairs, tuples and groups of values.

use std::ptr::from_ref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::nesting::refuse_cycle;
use super::thrown::Thrown;
use super::{Value, bounded_items};

pub mod keyed;
mod nesting;

/// What a list is to C#.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ListKind {
    /// `T[]`: its length is fixed.
    Array,
    /// `List<T>`.
    List,
    /// What LINQ gives back; computed at once, not when it is enumerated.
    Sequence,
    /// `Queue<T>`, the next one first.
    Queue,
    /// `Stack<T>`, the top one first.
    Stack,
}

/// Values in order.
#[derive(Debug)]
pub struct List {
    kind: ListKind,
    items: Mutex<Vec<Value>>,
    /// Of a sorted sequence: for each item the place of its key among the keys.
    ranks: Vec<u32>,
}

/// A key and its value.
#[derive(Debug)]
pub struct Pair {
    /// `Key`.
    pub key: Value,
    /// `Value`.
    pub value: Value,
}

/// What a record is to C#.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RecordKind {
    /// `Tuple<…>` or a value tuple: `Item1`, `Item2`, …
    Tuple,
    /// `new { a = …, b = … }`.
    Anonymous,
}

/// A tuple or an anonymous object: never changes.
#[derive(Debug)]
pub struct Record {
    kind: RecordKind,
    names: Vec<Arc<str>>,
    values: Vec<Value>,
}

/// One group of `GroupBy`.
#[derive(Debug)]
pub struct Grouping {
    /// `Key`.
    pub key: Value,
    /// The group's items.
    pub items: Vec<Value>,
}

impl List {
    /// A list of that kind.
    pub const fn new(kind: ListKind, items: Vec<Value>) -> Self {
        Self { kind, items: Mutex::new(items), ranks: Vec::new() }
    }

    /// A `T[]`.
    pub const fn array(items: Vec<Value>) -> Self {
        Self::new(ListKind::Array, items)
    }

    /// A `List<T>`.
    pub const fn growing(items: Vec<Value>) -> Self {
        Self::new(ListKind::List, items)
    }

    /// A sequence, as LINQ gives it back.
    pub const fn sequence(items: Vec<Value>) -> Self {
        Self::new(ListKind::Sequence, items)
    }

    /// What `OrderBy` gives back: items with the same rank have equal keys, so that `ThenBy` can
    /// sort them further.
    pub const fn ordered(items: Vec<Value>, ranks: Vec<u32>) -> Self {
        Self { kind: ListKind::Sequence, items: Mutex::new(items), ranks }
    }

    /// The ranks of [`Self::ordered`]; none for any other list.
    pub fn ranks(&self) -> &[u32] {
        &self.ranks
    }

    /// What it is to C#.
    pub const fn kind(&self) -> ListKind {
        self.kind
    }

    /// The .NET name of its type; of what its items are declared, nothing is known.
    pub const fn type_name(&self) -> &'static str {
        match self.kind {
            ListKind::Array => "System.Object[]",
            ListKind::List => "System.Collections.Generic.List`1",
            ListKind::Sequence => "System.Linq.Enumerable",
            ListKind::Queue => "System.Collections.Generic.Queue`1",
            ListKind::Stack => "System.Collections.Generic.Stack`1",
        }
    }

    /// Whether it is an array of `byte`, as `ToArray()` makes it of bytes. Constants among them
    /// may still be numbers.
    pub fn is_array_of_bytes(&self) -> bool {
        let items = self.lock();
        let fits = |item: &Value| match item {
            Value::Byte(_) => true,
            Value::Int(number) => u8::try_from(*number).is_ok(),
            _ => false,
        };
        self.kind == ListKind::Array
            && items.iter().any(|item| matches!(item, Value::Byte(_)))
            && items.iter().all(fits)
    }

    /// Whether it is an array of no items.
    pub fn is_empty_array(&self) -> bool {
        self.kind == ListKind::Array && self.is_empty()
    }

    /// How many items.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The items as they are now.
    pub fn snapshot(&self) -> Vec<Value> {
        self.lock().clone()
    }

    /// Item `index`, counted from 0.
    pub fn get(&self, index: usize) -> Option<Value> {
        self.lock().get(index).cloned()
    }

    /// `list[index]`.
    pub fn at(&self, index: i32) -> Result<Value, Thrown> {
        usize::try_from(index).ok().and_then(|index| self.get(index)).ok_or_else(|| self.no(index))
    }

    /// `list[index] = value`.
    pub fn set_at(&self, index: i32, value: Value) -> Result<(), Thrown> {
        refuse_cycle(from_ref(self).addr(), &value)?;
        let index = usize::try_from(index).map_err(|_| self.no(index))?;
        // The old item is dropped after the lock is given back.
        let old = self.lock().get_mut(index).map(|slot| std::mem::replace(slot, value));
        old.map(drop).ok_or_else(|| self.no(0))
    }

    /// Adds `value` at the end.
    pub fn push(&self, value: Value) -> Result<(), Thrown> {
        refuse_cycle(from_ref(self).addr(), &value)?;
        let mut items = self.lock();
        bounded_items(items.len().saturating_add(1))?;
        items.push(value);
        Ok(())
    }

    /// Puts `value` before item `place`, or at the end.
    pub fn insert(&self, place: usize, value: Value) -> Result<(), Thrown> {
        refuse_cycle(from_ref(self).addr(), &value)?;
        let mut items = self.lock();
        bounded_items(items.len().saturating_add(1))?;
        if place > items.len() {
            return Err(Thrown::list_index());
        }
        items.insert(place, value);
        Ok(())
    }

    /// Gives the items to `change`, which must not call back into an expression, after `added`
    /// was found to be safe to add.
    pub fn change<R>(
        &self,
        added: &[Value],
        change: impl FnOnce(&mut Vec<Value>) -> R,
    ) -> Result<R, Thrown> {
        for value in added {
            refuse_cycle(from_ref(self).addr(), value)?;
        }
        let mut items = self.lock();
        bounded_items(items.len().saturating_add(added.len()))?;
        Ok(change(&mut items))
    }

    fn no(&self, _index: i32) -> Thrown {
        if self.kind == ListKind::List { Thrown::list_index() } else { Thrown::array_index() }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Value>> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pair {
    /// The pair of `key` and `value`.
    pub const fn new(key: Value, value: Value) -> Self {
        Self { key, value }
    }
}

impl Record {
    /// The tuple of `values`.
    pub fn tuple(values: Vec<Value>) -> Self {
        let names = (1..=values.len()).map(|item| Arc::from(format!("Item{item}"))).collect();
        Self { kind: RecordKind::Tuple, names, values }
    }

    /// The anonymous object (or the tuple with names of its own) of `fields`.
    pub fn anonymous(fields: Vec<(Arc<str>, Value)>) -> Self {
        let (names, values) = fields.into_iter().unzip();
        Self { kind: RecordKind::Anonymous, names, values }
    }

    /// What it is to C#.
    pub const fn kind(&self) -> RecordKind {
        self.kind
    }

    /// The .NET name of its type.
    pub const fn type_name(&self) -> &'static str {
        match self.kind {
            RecordKind::Tuple => "System.Tuple",
            RecordKind::Anonymous => "AnonymousType",
        }
    }

    /// The field called `name`; `Item1` and so on are known for every record.
    pub fn get(&self, name: &str) -> Option<&Value> {
        let by_name = self.names.iter().position(|known| &**known == name);
        let by_place = || name.strip_prefix("Item")?.parse::<usize>().ok()?.checked_sub(1);
        self.values.get(by_name.or_else(by_place)?)
    }

    /// The fields, in order.
    pub fn fields(&self) -> impl Iterator<Item = (&Arc<str>, &Value)> {
        self.names.iter().zip(&self.values)
    }

    /// The values, in order.
    pub fn values(&self) -> &[Value] {
        &self.values
    }
}
