//! LINQ: `System.Linq.Enumerable`. Sequences are computed at once, not when they are enumerated.
//!
//! Lambdas are called while no lock is held; what they throw goes through.

use crate::expression::value::collection::Pair;
use crate::expression::value::json::Json;
use crate::expression::value::thrown::Thrown;
use crate::expression::value::{Value, bounded_items};

pub mod elements;
pub mod group;
pub mod numbers;
pub mod order;

use super::{json, operators, text};

/// A lambda: it gets its arguments and gives back its value.
pub type Lambda<'f> = dyn FnMut(&[Value]) -> Result<Value, Thrown> + 'f;

/// The items of anything that can be enumerated: collections, arrays, strings, bytes, tokens.
pub fn items(value: &Value) -> Result<Vec<Value>, Thrown> {
    Ok(match value {
        Value::List(list) => list.snapshot(),
        Value::Set(set) => set.snapshot(),
        Value::Grouping(grouping) => grouping.items.clone(),
        Value::Map(map) => {
            map.snapshot().into_iter().map(|(key, value)| Pair::new(key, value).into()).collect()
        }
        Value::String(text) => text::characters(text)?,
        Value::Bytes(bytes) => {
            bounded_items(bytes.len())?;
            bytes.iter().copied().map(Value::Byte).collect()
        }
        Value::Json(token @ (Json::Object(_) | Json::Array(_) | Json::Property(_))) => {
            json::access::children(token)
        }
        Value::Token(token) => token.children().into_iter().map(Value::Token).collect(),
        Value::Match(found) => {
            found.groups.iter().map(|group| Value::Group(std::sync::Arc::clone(group))).collect()
        }
        Value::Null => return Err(Thrown::argument_null("source")),
        other => return Err(other.refused("System.Collections.IEnumerable")),
    })
}

/// What a condition says of `item`; it may also take the item's place.
fn holds(condition: &mut Lambda<'_>, item: &Value, place: usize) -> Result<bool, Thrown> {
    condition(&[item.clone(), place_value(place)])?.bool()
}

/// A place as the second argument of a lambda.
fn place_value(place: usize) -> Value {
    Value::Int(i32::try_from(place).unwrap_or(i32::MAX))
}

/// `Any()`, `Any(condition)`.
pub fn any(items: &[Value], condition: Option<&mut Lambda<'_>>) -> Result<bool, Thrown> {
    let Some(condition) = condition else { return Ok(!items.is_empty()) };
    for (place, item) in items.iter().enumerate() {
        if holds(condition, item, place)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// `All(condition)`.
pub fn all(items: &[Value], condition: &mut Lambda<'_>) -> Result<bool, Thrown> {
    for (place, item) in items.iter().enumerate() {
        if !holds(condition, item, place)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// `Where(condition)`. The lambda gets the item and its place.
pub fn filter(items: Vec<Value>, condition: &mut Lambda<'_>) -> Result<Vec<Value>, Thrown> {
    let mut kept = Vec::new();
    for (place, item) in items.into_iter().enumerate() {
        if holds(condition, &item, place)? {
            kept.push(item);
        }
    }
    Ok(kept)
}

/// `Select(selector)`. The lambda gets the item and its place.
pub fn select(items: &[Value], selector: &mut Lambda<'_>) -> Result<Vec<Value>, Thrown> {
    let mut selected = Vec::new();
    for (place, item) in items.iter().enumerate() {
        selected.push(selector(&[item.clone(), place_value(place)])?);
    }
    Ok(selected)
}

/// `SelectMany(selector)`, or with `result` also `SelectMany(selector, result)`.
pub fn select_many(
    items: &[Value],
    selector: &mut Lambda<'_>,
    mut result: Option<&mut Lambda<'_>>,
) -> Result<Vec<Value>, Thrown> {
    let mut selected = Vec::new();
    for (place, item) in items.iter().enumerate() {
        let inner = selector(&[item.clone(), place_value(place)])?;
        for part in self::items(&inner)? {
            selected.push(match &mut result {
                Some(result) => result(&[item.clone(), part])?,
                None => part,
            });
            bounded_items(selected.len())?;
        }
    }
    Ok(selected)
}

/// `Skip(count)`.
pub fn skip(items: Vec<Value>, count: i32) -> Vec<Value> {
    items.into_iter().skip(usize::try_from(count).unwrap_or(0)).collect()
}

/// `Take(count)`.
pub fn take(items: Vec<Value>, count: i32) -> Vec<Value> {
    items.into_iter().take(usize::try_from(count).unwrap_or(0)).collect()
}

/// `TakeLast(count)`.
pub fn take_last(items: Vec<Value>, count: i32) -> Vec<Value> {
    let kept = usize::try_from(count).unwrap_or(0);
    let skipped = items.len().saturating_sub(kept);
    items.into_iter().skip(skipped).collect()
}

/// `SkipLast(count)`.
pub fn skip_last(items: Vec<Value>, count: i32) -> Vec<Value> {
    let kept = items.len().saturating_sub(usize::try_from(count).unwrap_or(0));
    items.into_iter().take(kept).collect()
}

/// `TakeWhile(condition)`.
pub fn take_while(items: Vec<Value>, condition: &mut Lambda<'_>) -> Result<Vec<Value>, Thrown> {
    let mut taken = Vec::new();
    for (place, item) in items.into_iter().enumerate() {
        if !holds(condition, &item, place)? {
            break;
        }
        taken.push(item);
    }
    Ok(taken)
}

/// `SkipWhile(condition)`.
pub fn skip_while(items: Vec<Value>, condition: &mut Lambda<'_>) -> Result<Vec<Value>, Thrown> {
    let mut skipped: usize = 0;
    for (place, item) in items.iter().enumerate() {
        if !holds(condition, item, place)? {
            break;
        }
        skipped = skipped.saturating_add(1);
    }
    Ok(items.into_iter().skip(skipped).collect())
}

/// `Concat(others)`.
pub fn concat(items: Vec<Value>, others: Vec<Value>) -> Result<Vec<Value>, Thrown> {
    bounded_items(items.len().saturating_add(others.len()))?;
    Ok(items.into_iter().chain(others).collect())
}

/// `Append(item)`.
pub fn append(mut items: Vec<Value>, item: Value) -> Result<Vec<Value>, Thrown> {
    bounded_items(items.len().saturating_add(1))?;
    items.push(item);
    Ok(items)
}

/// `Prepend(item)`.
pub fn prepend(mut items: Vec<Value>, item: Value) -> Result<Vec<Value>, Thrown> {
    bounded_items(items.len().saturating_add(1))?;
    items.insert(0, item);
    Ok(items)
}

/// `Reverse()`.
pub fn reverse(mut items: Vec<Value>) -> Vec<Value> {
    items.reverse();
    items
}

/// `Contains(item)`; `ignores_case` is `StringComparer.OrdinalIgnoreCase`.
pub fn contains(items: &[Value], item: &Value, ignores_case: bool) -> bool {
    use crate::expression::value::key::Key;
    let wanted = Key::new(item, ignores_case);
    items.iter().any(|known| Key::new(known, ignores_case) == wanted)
}

/// `SequenceEqual(others)`.
pub fn sequence_equal(items: &[Value], others: &[Value]) -> bool {
    items.len() == others.len()
        && items.iter().zip(others).all(|(one, other)| operators::equals(one, other))
}

/// `Zip(others, selector)`; without a selector, tuples.
pub fn zip(
    items: &[Value],
    others: &[Value],
    mut selector: Option<&mut Lambda<'_>>,
) -> Result<Vec<Value>, Thrown> {
    use crate::expression::value::collection::Record;
    let mut zipped = Vec::new();
    for (one, other) in items.iter().zip(others) {
        let pair = vec![one.clone(), other.clone()];
        zipped.push(match &mut selector {
            Some(selector) => selector(&pair)?,
            None => Record::tuple(pair).into(),
        });
    }
    Ok(zipped)
}

/// `DefaultIfEmpty(item)`.
pub fn default_if_empty(items: Vec<Value>, item: Value) -> Vec<Value> {
    if items.is_empty() { vec![item] } else { items }
}

/// `Aggregate(function)`, or with a seed `Aggregate(seed, function)`.
pub fn aggregate(
    items: &[Value],
    seed: Option<Value>,
    function: &mut Lambda<'_>,
) -> Result<Value, Thrown> {
    let mut rest = items.iter();
    let mut total = match seed {
        Some(seed) => seed,
        None => rest.next().cloned().ok_or_else(elements::none)?,
    };
    for item in rest {
        total = function(&[total, item.clone()])?;
    }
    Ok(total)
}

/// `Enumerable.Range(start, count)`.
pub fn range(start: i32, count: i32) -> Result<Vec<Value>, Thrown> {
    let length = usize::try_from(count).map_err(|_| {
        Thrown::out_of_range("count", "Specified argument was out of the range of valid values.")
    })?;
    bounded_items(length)?;
    let end = start.checked_add(count).ok_or_else(|| {
        Thrown::out_of_range("count", "Specified argument was out of the range of valid values.")
    })?;
    Ok((start..end).map(Value::Int).collect())
}

/// `Enumerable.Repeat(item, count)`.
pub fn repeat(item: &Value, count: i32) -> Result<Vec<Value>, Thrown> {
    let length = usize::try_from(count).map_err(|_| {
        Thrown::out_of_range("count", "Specified argument was out of the range of valid values.")
    })?;
    bounded_items(length)?;
    Ok(vec![item.clone(); length])
}

#[cfg(test)]
mod tests {
    use super::elements::*;
    use super::*;
    use crate::expression::library::display;
    use crate::expression::value::collection::keyed::Map;

    fn ints(numbers: &[i32]) -> Vec<Value> {
        numbers.iter().copied().map(Value::Int).collect()
    }

    fn shown(items: &[Value]) -> String {
        text::join(" ", items).unwrap()
    }

    fn int(value: &Value) -> i32 {
        value.int().unwrap()
    }

    fn over(limit: i32) -> impl FnMut(&[Value]) -> Result<Value, Thrown> {
        move |arguments| Ok((int(&arguments[0]) > limit).into())
    }

    #[expect(clippy::unnecessary_wraps, reason = "a lambda may throw")]
    fn by_last_digit(arguments: &[Value]) -> Result<Value, Thrown> {
        Ok((int(&arguments[0]) % 10).into())
    }

    #[test]
    fn anything_that_can_be_enumerated_has_items() {
        let map = Map::new(false);
        map.set("k".into(), 1.into()).unwrap();
        assert_eq!(shown(&items(&map.into()).unwrap()), "[k, 1]");
        assert_eq!(shown(&items(&"abc".into()).unwrap()), "a b c");
        assert_eq!(shown(&items(&vec![1_u8, 2].into()).unwrap()), "1 2");
        let token = json::read::token("{'a':1}").unwrap();
        assert_eq!(shown(&items(&token.into()).unwrap()), "\"a\": 1");
        assert!(items(&Value::Null).is_err() && items(&1.into()).is_err());
    }

    #[test]
    fn items_are_chosen_as_in_linq() {
        let numbers = ints(&[1, 2, 3, 4]);
        assert!(any(&numbers, None).unwrap() && !any(&[], None).unwrap());
        assert!(any(&numbers, Some(&mut over(3))).unwrap());
        assert!(all(&numbers, &mut over(0)).unwrap() && !all(&numbers, &mut over(1)).unwrap());
        assert_eq!(shown(&filter(numbers.clone(), &mut over(2)).unwrap()), "3 4");
        let mut doubled = |arguments: &[Value]| Ok((int(&arguments[0]) * 2).into());
        assert_eq!(shown(&select(&numbers, &mut doubled).unwrap()), "2 4 6 8");
        let mut place = |arguments: &[Value]| Ok(arguments[1].clone());
        assert_eq!(shown(&select(&numbers, &mut place).unwrap()), "0 1 2 3");
        let mut twice = |arguments: &[Value]| Ok(Value::array(vec![arguments[0].clone(); 2]));
        assert_eq!(shown(&select_many(&numbers, &mut twice, None).unwrap()), "1 1 2 2 3 3 4 4");
        assert_eq!(shown(&skip(numbers.clone(), 3)), "4");
        assert_eq!(shown(&skip(numbers.clone(), -1)), "1 2 3 4");
        assert_eq!(shown(&take(numbers.clone(), 2)), "1 2");
        assert_eq!(shown(&take_last(numbers.clone(), 2)), "3 4");
        assert_eq!(shown(&skip_last(numbers.clone(), 3)), "1");
        assert_eq!(shown(&skip_while(numbers.clone(), &mut over(9)).unwrap()), "1 2 3 4");
        assert_eq!(shown(&take_while(numbers.clone(), &mut over(0)).unwrap()), "1 2 3 4");
        assert_eq!(shown(&reverse(numbers.clone())), "4 3 2 1");
        assert!(contains(&numbers, &2.into(), false) && !contains(&numbers, &2_i64.into(), false));
        assert!(contains(&["A".into()], &"a".into(), true));
        assert_eq!(shown(&range(3, 3).unwrap()), "3 4 5");
        assert_eq!(shown(&repeat(&"x".into(), 2).unwrap()), "x x");
        assert!(
            range(0, -1).is_err() && range(i32::MAX, 2).is_err() && range(0, i32::MAX).is_err()
        );
        assert_eq!(
            shown(&zip(&numbers, &["a".into(), "b".into()], None).unwrap()),
            "(1, a) (2, b)"
        );
        let mut sum = |arguments: &[Value]| Ok((int(&arguments[0]) + int(&arguments[1])).into());
        assert_eq!(int(&aggregate(&numbers, None, &mut sum).unwrap()), 10);
        assert_eq!(int(&aggregate(&numbers, Some(5.into()), &mut sum).unwrap()), 15);
        assert!(aggregate(&[], None, &mut sum).is_err());
        let failing = &mut |_: &[Value]| Err(Thrown::format());
        assert_eq!(select(&numbers, failing).unwrap_err(), Thrown::format());
    }

    #[test]
    fn one_item_is_found_as_in_linq() {
        let numbers = ints(&[1, 2, 3, 4]);
        assert_eq!(int(&first(&numbers, None).unwrap()), 1);
        assert_eq!(int(&first(&numbers, Some(&mut over(2))).unwrap()), 3);
        assert_eq!(int(&last(&numbers, None).unwrap()), 4);
        assert_eq!(int(&last_or(&numbers, Some(&mut over(9)), 0.into()).unwrap()), 0);
        assert!(first_or(&[], None, Value::Null).unwrap().is_null());
        assert_eq!(int(&single(&numbers, Some(&mut over(3))).unwrap()), 4);
        assert_eq!(int(&at(&numbers, 1).unwrap()), 2);
        assert_eq!(count(&numbers, Some(&mut over(1))).unwrap(), 3);
        let messages = [
            (first(&[], None), "Sequence contains no elements"),
            (first(&numbers, Some(&mut over(9))), "Sequence contains no matching element"),
            (single(&numbers, None), "Sequence contains more than one element"),
            (
                single(&numbers, Some(&mut over(1))),
                "Sequence contains more than one matching element",
            ),
        ];
        for (result, message) in messages {
            assert_eq!(result.unwrap_err().message, message);
        }
        assert!(at(&numbers, 4).is_err() && at(&numbers, -1).is_err());
    }

    #[test]
    fn numbers_are_summed_as_in_linq() {
        let numbers = ints(&[3, 1, 2]);
        assert_eq!(int(&numbers::sum(&numbers).unwrap()), 6);
        assert_eq!(int(&numbers::sum(&[]).unwrap()), 0);
        assert!(numbers::sum(&ints(&[i32::MAX, 1])).is_err());
        assert_eq!(&*display::text(&numbers::average(&numbers).unwrap()).unwrap(), "2");
        assert_eq!(&*display::text(&numbers::average(&ints(&[1, 2])).unwrap()).unwrap(), "1.5");
        assert!(numbers::average(&[]).is_err() && numbers::max(&[]).is_err());
        assert_eq!(int(&numbers::max(&numbers).unwrap()), 3);
        assert_eq!(int(&numbers::min(&numbers).unwrap()), 1);
        let words: Vec<Value> = vec!["b".into(), Value::Null, "a".into()];
        assert_eq!(&*display::text(&numbers::min(&words).unwrap()).unwrap(), "a");
    }

    #[test]
    fn items_are_sorted_as_in_linq() {
        let numbers = ints(&[21, 11, 12, 22]);
        let sorted = order::order_by(numbers.clone(), &mut by_last_digit, false).unwrap();
        assert_eq!(shown(&sorted.snapshot()), "21 11 12 22");
        let mut whole = |arguments: &[Value]| Ok(arguments[0].clone());
        let further = order::then_by(&sorted, &mut whole, true).unwrap();
        assert_eq!(shown(&further.snapshot()), "21 11 22 12");
        let down = order::order_by(numbers.clone(), &mut by_last_digit, true).unwrap();
        assert_eq!(shown(&down.snapshot()), "12 22 21 11");
        assert_eq!(shown(&order::sort(numbers.clone(), None).unwrap()), "11 12 21 22");
        let mut backwards =
            |arguments: &[Value]| Ok((int(&arguments[1]) - int(&arguments[0])).into());
        assert_eq!(shown(&order::sort(numbers, Some(&mut backwards)).unwrap()), "22 21 12 11");
        assert!(order::sort(vec![1.into(), "a".into()], None).is_err());
        let mut liar = |_: &[Value]| Ok(1.into());
        assert_eq!(order::sort(ints(&[1; 50]), Some(&mut liar)).unwrap().len(), 50);
    }

    #[test]
    fn equal_items_are_found_as_in_linq() {
        let words: Vec<Value> = vec!["a".into(), "A".into(), "b".into(), "a".into()];
        assert_eq!(shown(&group::distinct(words.clone(), false)), "a A b");
        assert_eq!(shown(&group::distinct(words.clone(), true)), "a b");
        assert_eq!(shown(&group::union(words.clone(), vec!["c".into()], true).unwrap()), "a b c");
        assert_eq!(shown(&group::intersect(words.clone(), &["b".into()], false)), "b");
        assert_eq!(shown(&group::except(words.clone(), &["a".into()], false)), "A b");
        let numbers = ints(&[21, 11, 12]);
        let groups = group::group_by(&numbers, &mut by_last_digit, None).unwrap();
        let groups: Vec<String> = groups
            .iter()
            .map(|group| match group {
                Value::Grouping(group) => format!("{}:{}", int(&group.key), shown(&group.items)),
                _ => panic!(),
            })
            .collect();
        assert_eq!(groups, ["1:21 11", "2:12"]);
        assert_eq!(
            group::to_dictionary(&numbers, &mut by_last_digit, None, false).unwrap_err().message,
            "An item with the same key has already been added. Key: 1"
        );
        let mut whole = |arguments: &[Value]| Ok(arguments[0].clone());
        assert_eq!(group::to_dictionary(&numbers, &mut whole, None, false).unwrap().len(), 3);
        let keyed = group::keyed(numbers.clone(), &ints(&[1, 1, 2]));
        assert_eq!(shown(&group::of_key(&keyed, &1.into())), "21 11");
        assert_eq!(group::chunks(&numbers, 2).unwrap().len(), 2);
        assert!(group::chunks(&numbers, 0).is_err());
        let tuples = |number: i32| {
            crate::expression::value::collection::Record::tuple(ints(&[number, 2])).into()
        };
        assert_eq!(group::distinct(vec![tuples(1), tuples(1), tuples(3)], false).len(), 2);
    }
}
