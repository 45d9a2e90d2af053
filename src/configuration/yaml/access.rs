//! How serde walks over lists and maps of a tree.

use std::slice::Iter;

use serde::de::value::{SeqDeserializer, StrDeserializer};
use serde::de::{DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess};

use super::read::{Pass, Wrong, words};
use super::reader::Reader;
use super::{Entry, Mark, Node};
use crate::fault::nearest;

/// The items of a list.
pub(super) struct Items<'p, 'n> {
    pass: &'p Pass<'p>,
    left: Iter<'n, Node>,
}

impl<'p, 'n> Items<'p, 'n> {
    pub(super) fn of(pass: &'p Pass<'p>, items: &'n [Node]) -> Self {
        Self { pass, left: items.iter() }
    }
}

impl<'n> SeqAccess<'n> for Items<'_, 'n> {
    type Error = Wrong;

    fn next_element_seed<T: DeserializeSeed<'n>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Wrong> {
        let pass = self.pass;
        self.left.next().map(|node| seed.deserialize(Reader::of(pass, node))).transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left.len())
    }
}

/// A value and some numbers, as our own types ask for them; the first four numbers are a mark,
/// and its width is 0 if the value is made up.
pub(super) struct Pair<'p, 'n> {
    pass: &'p Pass<'p>,
    value: Option<Reader<'p, 'n>>,
    numbers: Option<Vec<u32>>,
}

impl<'p, 'n> Pair<'p, 'n> {
    pub(super) fn new(pass: &'p Pass<'p>, value: Reader<'p, 'n>, numbers: Vec<u32>) -> Self {
        Self { pass, value: Some(value), numbers: Some(numbers) }
    }
}

impl<'n> SeqAccess<'n> for Pair<'_, 'n> {
    type Error = Wrong;

    fn next_element_seed<T: DeserializeSeed<'n>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Wrong> {
        if let Some(value) = self.value.take() {
            let before = self.pass.faults();
            let is_harmless = value.is_harmless();
            let result = seed.deserialize(value);
            if is_harmless || self.pass.faults() > before {
                let width = self.numbers.as_mut().and_then(|numbers| numbers.get_mut(3));
                if let Some(width) = width {
                    *width = 0;
                }
            }
            return result.map(Some);
        }
        let numbers = self.numbers.take();
        numbers.map(|it| seed.deserialize(SeqDeserializer::new(it.into_iter()))).transpose()
    }
}

/// The keys of a map and their values.
pub(super) struct Keys<'p, 'n> {
    pass: &'p Pass<'p>,
    left: Iter<'n, Entry>,
    /// Which keys there may be, if that is known.
    holder: Option<Holder>,
    /// Keys that get a harmless value.
    harmless: Vec<&'static str>,
    mark: Mark,
    value: Option<Reader<'p, 'n>>,
}

/// A type of the document: its name and its keys.
struct Holder {
    name: &'static str,
    fields: &'static [&'static str],
}

impl<'p, 'n> Keys<'p, 'n> {
    /// Any key is right.
    pub(super) fn free(pass: &'p Pass<'p>, entries: &'n [Entry]) -> Self {
        let mark = Mark::default();
        Self { pass, left: entries.iter(), holder: None, harmless: Vec::new(), mark, value: None }
    }

    /// Only `fields` are right; others are recorded and passed over.
    pub(super) fn known(
        pass: &'p Pass<'p>,
        mark: Mark,
        name: &'static str,
        fields: &'static [&'static str],
        entries: &'n [Entry],
    ) -> Self {
        let missed = |key: &&'static str| pass.missed(mark, name, key);
        let harmless = fields.iter().copied().filter(missed).collect();
        let holder = Some(Holder { name, fields });
        Self { pass, left: entries.iter(), holder, harmless, mark, value: None }
    }

    /// Every one of `fields` gets a harmless value.
    pub(super) fn harmless(
        pass: &'p Pass<'p>,
        mark: Mark,
        fields: &'static [&'static str],
    ) -> Self {
        let harmless = fields.to_vec();
        Self { pass, left: [].iter(), holder: None, harmless, mark, value: None }
    }

    fn unknown(&self, entry: &Entry, holder: &Holder) {
        let fields = holder.fields.iter().copied();
        let remedy = match (self.pass.later)(holder.name, entry.name()) {
            Some(remedy) => remedy.to_owned(),
            None => match nearest(entry.name(), fields) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known keys are {}", listed(holder.fields)),
            },
        };
        let message = format!("{} has no key `{}`", words(holder.name), entry.name());
        let message = message.replacen("this ", "", 1);
        self.pass.fault(entry.key.mark, article(&message), remedy);
    }
}

/// `api has …` with its article.
fn article(message: &str) -> String {
    let vowel = message.starts_with(['a', 'e', 'i', 'o', 'A']);
    format!("{} {message}", if vowel { "an" } else { "a" })
}

/// A list of words as a sentence has it.
pub(super) fn listed(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

impl<'n> MapAccess<'n> for Keys<'_, 'n> {
    type Error = Wrong;

    fn next_key_seed<K: DeserializeSeed<'n>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Wrong> {
        while let Some(entry) = self.left.next() {
            let Some(holder) = &self.holder else {
                self.value = Some(Reader::of(self.pass, &entry.value));
                return seed.deserialize(Reader::of(self.pass, &entry.key)).map(Some);
            };
            match holder.fields.iter().find(|field| **field == entry.name()) {
                None => self.unknown(entry, holder),
                // A key with nothing after it counts as not written.
                Some(_) if entry.value.is_null() => {}
                Some(field) => {
                    self.value = Some(Reader::of(self.pass, &entry.value));
                    let key: StrDeserializer<'_, Wrong> = field.into_deserializer();
                    return seed.deserialize(key).map(Some);
                }
            }
        }
        let Some(field) = self.harmless.pop() else { return Ok(None) };
        self.value = Some(Reader::harmless(self.pass, self.mark));
        let key: StrDeserializer<'_, Wrong> = field.into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'n>>(&mut self, seed: T) -> Result<T::Value, Wrong> {
        match self.value.take() {
            Some(value) => seed.deserialize(value),
            None => Err(Wrong::Recorded),
        }
    }
}
