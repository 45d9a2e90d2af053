//! The members of `List`, `Queue`, `Stack`, `Dictionary` and `HashSet`.

use std::sync::Arc;

use super::sequence::order::order_as;
use super::text::compare::{self, Comparison};
use super::{operators, sequence};
use crate::expression::value::Value;
use crate::expression::value::collection::keyed::{Map, Order, Set};
use crate::expression::value::collection::{List, ListKind};
use crate::expression::value::thrown::Thrown;

/// `list.Count`, `array.Length`.
pub fn count(list: &List) -> i32 {
    i32::try_from(list.len()).unwrap_or(i32::MAX)
}

/// `list.Add(item)`, `queue.Enqueue(item)`, `stack.Push(item)`.
pub fn add(list: &List, item: Value) -> Result<(), Thrown> {
    match list.kind() {
        ListKind::Stack => list.insert(0, item),
        ListKind::Array | ListKind::Sequence => Err(fixed()),
        ListKind::List | ListKind::Queue => list.push(item),
    }
}

/// `list.AddRange(items)`.
pub fn add_range(list: &List, added: Vec<Value>) -> Result<(), Thrown> {
    list.change(&added.clone(), |items| items.extend(added))
}

/// `list.Insert(index, item)`.
pub fn insert(list: &List, index: i32, item: Value) -> Result<(), Thrown> {
    let place = usize::try_from(index).map_err(|_| Thrown::list_index())?;
    list.insert(place, item)
}

/// `list.RemoveAt(index)`.
pub fn remove_at(list: &List, index: i32) -> Result<(), Thrown> {
    let place = usize::try_from(index).map_err(|_| Thrown::list_index())?;
    let removed = list.change(&[], |items| (place < items.len()).then(|| items.remove(place)))?;
    removed.map(drop).ok_or_else(Thrown::list_index)
}

/// `list.Remove(item)`; says whether it was there.
pub fn remove(list: &List, item: &Value) -> Result<bool, Thrown> {
    match index_of(list, item) {
        -1 => Ok(false),
        place => remove_at(list, place).map(|()| true),
    }
}

/// `list.RemoveAll(condition)`; says how many.
pub fn remove_all(list: &List, condition: &mut sequence::Lambda<'_>) -> Result<i32, Thrown> {
    let mut kept = Vec::new();
    let before = list.snapshot();
    let count = before.len();
    for item in before {
        if !condition(std::slice::from_ref(&item))?.bool()? {
            kept.push(item);
        }
    }
    let removed = count.saturating_sub(kept.len());
    replace(list, kept)?;
    Ok(i32::try_from(removed).unwrap_or(i32::MAX))
}

/// `list.IndexOf(item)`, `Array.IndexOf(array, item)`; -1 if it is not there.
pub fn index_of(list: &List, item: &Value) -> i32 {
    let place = list.snapshot().iter().position(|known| operators::equals(known, item));
    place.and_then(|place| i32::try_from(place).ok()).unwrap_or(-1)
}

/// `list.FindIndex(condition)`; -1 if none is.
pub fn find_index(list: &List, condition: &mut sequence::Lambda<'_>) -> Result<i32, Thrown> {
    place_of(&list.snapshot(), condition)
}

/// `Array.FindIndex(items, condition)`; -1 if none is.
pub fn place_of(items: &[Value], condition: &mut sequence::Lambda<'_>) -> Result<i32, Thrown> {
    for (place, item) in items.iter().enumerate() {
        if condition(std::slice::from_ref(item))?.bool()? {
            return Ok(i32::try_from(place).unwrap_or(i32::MAX));
        }
    }
    Ok(-1)
}

/// `Array.FindLastIndex(items, condition)`; -1 if none is.
pub fn last_place_of(items: &[Value], condition: &mut sequence::Lambda<'_>) -> Result<i32, Thrown> {
    for (place, item) in items.iter().enumerate().rev() {
        if condition(std::slice::from_ref(item))?.bool()? {
            return Ok(i32::try_from(place).unwrap_or(i32::MAX));
        }
    }
    Ok(-1)
}

/// `list.Sort(comparer)` of strings; without a comparer it is `list.Sort()`.
pub fn sort_as(list: &List, comparer: &Value) -> Result<(), Thrown> {
    if comparer.is_null() {
        return sort(list, None);
    }
    let comparison = Comparison::from_number(comparer.int()?)?;
    let mut failed = None;
    let mut items = list.snapshot();
    items.sort_by(|one, other| {
        let texts = one.string_or_null().and_then(|one| Ok((one, other.string_or_null()?)));
        match texts {
            Ok((Some(one), Some(other))) => compare::compare(one, other, comparison),
            Ok((one, other)) => one.is_some().cmp(&other.is_some()),
            Err(thrown) => {
                failed.get_or_insert(thrown);
                std::cmp::Ordering::Equal
            }
        }
    });
    failed.map_or_else(|| replace(list, items), Err)
}

/// `list.InsertRange(index, items)`.
pub fn insert_range(list: &List, index: i32, added: Vec<Value>) -> Result<(), Thrown> {
    let place = usize::try_from(index).ok().filter(|place| *place <= list.len());
    let place = place.ok_or_else(Thrown::list_index)?;
    let mut items = list.snapshot();
    items.splice(place..place, added);
    replace(list, items)
}

/// `list.RemoveRange(index, count)`.
pub fn remove_range(list: &List, index: i32, count: i32) -> Result<(), Thrown> {
    let removed = get_range(list, index, count)?.len();
    let place = usize::try_from(index).unwrap_or(usize::MAX);
    let mut items = list.snapshot();
    items.drain(place..place.saturating_add(removed));
    replace(list, items)
}

/// `list.LastIndexOf(item)`; -1 if it is not there.
pub fn last_index_of(list: &List, item: &Value) -> i32 {
    let place = list.snapshot().iter().rposition(|known| operators::equals(known, item));
    place.and_then(|place| i32::try_from(place).ok()).unwrap_or(-1)
}

/// `list.BinarySearch(item)` in a sorted list: its place, or the complement of where it belongs.
pub fn binary_search(list: &List, item: &Value) -> Result<i32, Thrown> {
    let items = list.snapshot();
    let (mut low, mut high) = (0, items.len());
    while low < high {
        let middle = low.midpoint(high);
        let Some(known) = items.get(middle) else { break };
        match operators::order(known, item)? {
            std::cmp::Ordering::Equal => return Ok(i32::try_from(middle).unwrap_or(i32::MAX)),
            std::cmp::Ordering::Less => low = middle.saturating_add(1),
            std::cmp::Ordering::Greater => high = middle,
        }
    }
    Ok(!i32::try_from(low).unwrap_or(i32::MAX))
}

/// `list.ForEach(action)`.
pub fn for_each(list: &List, action: &mut sequence::Lambda<'_>) -> Result<(), Thrown> {
    list.snapshot().iter().try_for_each(|item| action(std::slice::from_ref(item)).map(drop))
}

/// `list.Clear()`.
pub fn clear(list: &List) -> Result<(), Thrown> {
    replace(list, Vec::new())
}

/// `list.GetRange(index, count)`.
pub fn get_range(list: &List, index: i32, count: i32) -> Result<Vec<Value>, Thrown> {
    let bad = || {
        Thrown::new(
            crate::expression::value::thrown::ExceptionKind::Argument,
            "Offset and length were out of bounds for the array or count is greater than the \
             number of elements from index to the end of the source collection.",
        )
    };
    let start = usize::try_from(index).map_err(|_| bad())?;
    let count = usize::try_from(count).map_err(|_| bad())?;
    let items = list.snapshot();
    let range = items.get(start..start.saturating_add(count));
    range.map(<[Value]>::to_vec).ok_or_else(bad)
}

/// `list.Reverse()`, `Array.Reverse(array)`: in its place.
pub fn reverse(list: &List) -> Result<(), Thrown> {
    list.change(&[], |items| items.reverse())
}

/// `list.Sort()`, `Array.Sort(array)`: in its place; with a comparison it is that which says the
/// order.
pub fn sort(list: &List, comparison: Option<&mut sequence::Lambda<'_>>) -> Result<(), Thrown> {
    replace(list, sequence::order::sort(list.snapshot(), comparison)?)
}

/// Puts `new` in place of all items; the old ones are dropped after the lock is given back.
fn replace(list: &List, new: Vec<Value>) -> Result<(), Thrown> {
    list.change(&[], |items| std::mem::replace(items, new)).map(drop)
}

/// `queue.Dequeue()`, `stack.Pop()`.
pub fn take(list: &List) -> Result<Value, Thrown> {
    let taken = list.change(&[], |items| (!items.is_empty()).then(|| items.remove(0)))?;
    taken.ok_or_else(|| empty(list))
}

/// `queue.Peek()`, `stack.Peek()`.
pub fn peek(list: &List) -> Result<Value, Thrown> {
    list.get(0).ok_or_else(|| empty(list))
}

fn empty(list: &List) -> Thrown {
    Thrown::invalid_operation(if list.kind() == ListKind::Stack {
        "Stack empty."
    } else {
        "Queue empty."
    })
}

fn fixed() -> Thrown {
    Thrown::new(
        crate::expression::value::thrown::ExceptionKind::NotSupported,
        "Collection was of a fixed size.",
    )
}

/// `dictionary.Add(key, value)`: the same key twice is an `ArgumentException`.
pub fn map_add(map: &Map, key: Value, value: Value) -> Result<(), Thrown> {
    sequence::group::add(map, key, value)
}

/// `dictionary.TryAdd(key, value)`; says whether the key is new.
pub fn map_try_add(map: &Map, key: Value, value: Value) -> Result<bool, Thrown> {
    if map.get(&key).is_some() {
        return Ok(false);
    }
    map.set(key, value).map(|_| true)
}

/// `dictionary.ContainsKey(key)`.
pub fn map_contains(map: &Map, key: &Value) -> Result<bool, Thrown> {
    if key.is_null() {
        return Err(Thrown::argument_null("key"));
    }
    Ok(map.get(key).is_some())
}

/// `dictionary.ContainsValue(value)`.
pub fn map_contains_value(map: &Map, value: &Value) -> bool {
    map.snapshot().iter().any(|(_, known)| operators::equals(known, value))
}

/// `dictionary.Keys`.
pub fn map_keys(map: &Map) -> Vec<Value> {
    map.snapshot().into_iter().map(|(key, _)| key).collect()
}

/// `dictionary.Values`.
pub fn map_values(map: &Map) -> Vec<Value> {
    map.snapshot().into_iter().map(|(_, value)| value).collect()
}

/// The order of a sorted dictionary or set with that `StringComparer`, or without one.
pub fn order_of(comparer: &Value) -> Result<Order, Thrown> {
    if comparer.is_null() {
        return Ok(operators::order);
    }
    Ok(match Comparison::from_number(comparer.int()?)? {
        Comparison::Culture => order_as::<2>,
        Comparison::CultureIgnoreCase => order_as::<3>,
        Comparison::Ordinal => order_as::<4>,
        Comparison::OrdinalIgnoreCase => order_as::<5>,
    })
}

/// `new Dictionary<K, V>(other)`.
pub fn map_copy(other: &Map, ignores_case: bool) -> Result<Map, Thrown> {
    let map = Map::new(ignores_case);
    for (key, value) in other.snapshot() {
        map_add(&map, key, value)?;
    }
    Ok(map)
}

/// `set.ExceptWith(others)`.
pub fn set_except(set: &Set, others: &[Value]) {
    for other in others {
        set.remove(other);
    }
}

/// `set.IntersectWith(others)`.
pub fn set_intersect(set: &Set, others: Vec<Value>) -> Result<(), Thrown> {
    let wanted = Set::of(others, set.ignores_case())?;
    for item in set.snapshot() {
        if !wanted.contains(&item) {
            set.remove(&item);
        }
    }
    Ok(())
}

/// `set.Overlaps(others)`.
pub fn set_overlaps(set: &Set, others: &[Value]) -> bool {
    others.iter().any(|other| set.contains(other))
}

/// `set.IsSubsetOf(others)`.
pub fn set_is_subset(set: &Set, others: Vec<Value>) -> Result<bool, Thrown> {
    let others = Set::of(others, set.ignores_case())?;
    Ok(set.snapshot().iter().all(|item| others.contains(item)))
}

/// `set.IsSupersetOf(others)`.
pub fn set_is_superset(set: &Set, others: &[Value]) -> bool {
    others.iter().all(|other| set.contains(other))
}

/// `set.SetEquals(others)`.
pub fn set_equals(set: &Set, others: Vec<Value>) -> Result<bool, Thrown> {
    let others = Set::of(others, set.ignores_case())?;
    Ok(others.len() == set.len() && set.snapshot().iter().all(|item| others.contains(item)))
}

/// `new Queue<T>(items)` or `new Stack<T>(items)`; the last of the items is on the stack's top.
pub fn filled(kind: ListKind, mut items: Vec<Value>) -> Value {
    if kind == ListKind::Stack {
        items.reverse();
    }
    Value::List(Arc::new(List::new(kind, items)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expression::library::text;

    fn shown(list: &List) -> String {
        text::join(" ", &list.snapshot()).unwrap()
    }

    #[test]
    fn lists_change_as_in_dotnet() {
        let list = List::growing(vec![3.into(), 1.into()]);
        add(&list, 2.into()).unwrap();
        insert(&list, 0, 9.into()).unwrap();
        assert_eq!(shown(&list), "9 3 1 2");
        sort(&list, None).unwrap();
        reverse(&list).unwrap();
        assert_eq!(shown(&list), "9 3 2 1");
        assert!(remove(&list, &3.into()).unwrap() && !remove(&list, &3.into()).unwrap());
        remove_at(&list, 0).unwrap();
        assert_eq!(shown(&list), "2 1");
        list.set_at(0, 7.into()).unwrap();
        assert_eq!(shown(&list), "7 1");
        assert!(list.at(2).is_err() && list.at(-1).is_err() && list.set_at(2, 1.into()).is_err());
        assert!(insert(&list, 9, 1.into()).is_err() && remove_at(&list, -1).is_err());
        add_range(&list, vec![8.into(), 9.into()]).unwrap();
        assert_eq!(text::join(" ", &get_range(&list, 1, 2).unwrap()).unwrap(), "1 8");
        assert!(get_range(&list, 3, 2).is_err());
        let mut is_large = |arguments: &[Value]| Ok((arguments[0].int()? > 7).into());
        assert_eq!(find_index(&list, &mut is_large).unwrap(), 2);
        assert_eq!(remove_all(&list, &mut is_large).unwrap(), 2);
        assert_eq!((index_of(&list, &1.into()), index_of(&list, &5.into())), (1, -1));
        clear(&list).unwrap();
        assert_eq!(count(&list), 0);
        assert!(add(&List::array(Vec::new()), 1.into()).is_err());
    }

    #[test]
    fn queues_and_stacks_give_back_in_their_order() {
        let queue = List::new(ListKind::Queue, Vec::new());
        let stack = List::new(ListKind::Stack, Vec::new());
        for number in [1, 2, 3] {
            add(&queue, number.into()).unwrap();
            add(&stack, number.into()).unwrap();
        }
        assert_eq!(peek(&queue).unwrap().int().unwrap(), 1);
        assert_eq!(take(&queue).unwrap().int().unwrap(), 1);
        assert_eq!(take(&stack).unwrap().int().unwrap(), 3);
        assert_eq!(shown(&queue), "2 3");
        assert_eq!(shown(&stack), "2 1");
        clear(&stack).unwrap();
        assert_eq!(take(&stack).unwrap_err().message, "Stack empty.");
    }

    #[test]
    fn dictionaries_change_as_in_dotnet() {
        let map = Map::new(true);
        map_add(&map, "Key".into(), 1.into()).unwrap();
        assert!(map_add(&map, "KEY".into(), 2.into()).is_err());
        assert!(!map_try_add(&map, "key".into(), 2.into()).unwrap());
        assert!(map_contains(&map, &"kEY".into()).unwrap());
        assert!(map_contains(&map, &Value::Null).is_err());
        assert!(map.set(Value::Null, 1.into()).is_err());
        assert!(map_contains_value(&map, &1.into()));
        map.set("b".into(), 2.into()).unwrap();
        assert_eq!(text::join(" ", &map_keys(&map)).unwrap(), "Key b");
        assert_eq!(text::join(" ", &map_values(&map)).unwrap(), "1 2");
        assert!(map.remove(&"KEY".into()).is_some() && map.remove(&"KEY".into()).is_none());
        assert_eq!(map_copy(&map, false).unwrap().len(), 1);
        let by_number = Map::new(false);
        by_number.set(1.into(), "int".into()).unwrap();
        by_number.set(1_i64.into(), "long".into()).unwrap();
        assert_eq!(by_number.len(), 2);
    }

    #[test]
    fn sets_are_joined_as_in_dotnet() {
        let set = Set::of(vec![1.into(), 2.into(), 1.into()], false).unwrap();
        assert_eq!(set.len(), 2);
        set.add(3.into()).unwrap();
        set_except(&set, &[1.into()]);
        assert!(set_equals(&set, vec![3.into(), 2.into()]).unwrap());
        assert!(set_overlaps(&set, &[3.into()]) && set_is_superset(&set, &[3.into()]));
        assert!(!set_is_subset(&set, vec![3.into()]).unwrap());
        set_intersect(&set, vec![3.into()]).unwrap();
        assert!(set.contains(&3.into()) && !set.contains(&2.into()));
    }

    #[test]
    fn a_collection_never_holds_itself() {
        let list = Arc::new(List::growing(Vec::new()));
        let map = Arc::new(Map::new(false));
        list.push(Value::Map(Arc::clone(&map))).unwrap();
        assert!(list.push(Value::List(Arc::clone(&list))).is_err());
        assert!(map.set("up".into(), Value::List(Arc::clone(&list))).is_err());
        assert!(
            map.set("inner".into(), Value::list(vec![Value::List(Arc::clone(&list))])).is_err()
        );
        map.set("other".into(), Value::list(Vec::new())).unwrap();
    }

    #[test]
    fn a_very_deep_collection_is_dropped_in_peace() {
        let mut value = Value::Null;
        for _ in 0..200_000 {
            value = Value::list(vec![value]);
        }
        drop(value);
    }
}
