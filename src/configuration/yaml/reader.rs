//! A node of the tree as serde sees it.

use serde::de::{Deserializer, IntoDeserializer, Visitor};

use super::access::{Items, Keys, Pair, listed};
use super::number::{Number, plain_number};
use super::placed::{BLOCK, ONE_OR_MORE, PLACED, PLAIN};
use super::read::{Missing, Pass, Wrong, shown};
use super::{BLOCK_BYTES_MAX, Entry, Kind, Mark, Node, Scalar, Style, TEXT_BYTES_MAX};
use crate::fault::nearest;

/// A node, or the harmless value that stands for what is wrong at `mark`.
#[derive(Clone, Copy)]
pub(super) struct Reader<'p, 'n> {
    pass: &'p Pass<'p>,
    node: Option<&'n Node>,
    mark: Mark,
    text_bytes_max: usize,
}

impl<'p, 'n> Reader<'p, 'n> {
    pub(super) fn of(pass: &'p Pass<'p>, node: &'n Node) -> Self {
        Self { pass, node: Some(node), mark: node.mark, text_bytes_max: TEXT_BYTES_MAX }
    }

    pub(super) fn harmless(pass: &'p Pass<'p>, mark: Mark) -> Self {
        Self { pass, node: None, mark, text_bytes_max: TEXT_BYTES_MAX }
    }

    pub(super) fn is_harmless(&self) -> bool {
        self.node.is_none_or(|node| node.mark.is_made_up())
    }

    fn wrong(&self, expected: &str, remedy: &str) {
        if let Some(node) = self.node.filter(|node| !node.mark.is_made_up()) {
            let message = format!("{expected} is expected here, but {} is written", node.noun());
            self.pass.fault(self.mark, message, remedy);
        }
    }

    /// The scalar here; what else is here is recorded.
    fn scalar(&self, expected: &str, remedy: &str) -> Option<&'n Scalar> {
        match self.node.map(|node| &node.kind) {
            Some(Kind::Scalar(scalar)) if !scalar.is_null() => Some(scalar),
            Some(_) => {
                self.wrong(expected, remedy);
                None
            }
            None => None,
        }
    }

    fn text(&self) -> &'n str {
        let bytes_max = self.text_bytes_max;
        let Some(scalar) = self.scalar("a text", "write a text") else { return "" };
        if scalar.text.len() > bytes_max {
            let message = format!("this text has {} bytes", scalar.text.len());
            self.pass.fault(self.mark, message, format!("at most {bytes_max} are allowed here"));
            return "";
        }
        &scalar.text
    }

    fn list(&self) -> &'n [Node] {
        match self.node.map(|node| &node.kind) {
            Some(Kind::List(items)) => items,
            Some(_) => {
                self.wrong("a list", "write each item on a line of its own, after `- `");
                &[]
            }
            None => &[],
        }
    }

    fn number<T: Number>(&self) -> T {
        let range = T::range();
        let remedy = format!("write a whole number {range}, without quotes");
        let Some(scalar) = self.scalar("a number", &remedy) else { return T::default() };
        let plain = scalar.style == Style::Plain;
        let number = scalar.text.parse().ok().filter(|_| plain);
        number.unwrap_or_else(|| {
            let message = format!("`{}` is not a whole number {range}", shown(&scalar.text));
            self.pass.fault(self.mark, message, remedy);
            T::default()
        })
    }

    fn boolean(&self) -> bool {
        let remedy = "write `true` or `false`, without quotes";
        let Some(scalar) = self.scalar("true or false", remedy) else { return false };
        match (&*scalar.text, scalar.style) {
            ("true" | "True" | "TRUE", Style::Plain) => true,
            ("false" | "False" | "FALSE", Style::Plain) => false,
            (other, _) => {
                let message = format!("`{}` is neither true nor false", shown(other));
                self.pass.fault(self.mark, message, remedy);
                false
            }
        }
    }

    /// Names the map that a missing key was missing in, and the place of what was refused.
    fn placed<T>(&self, holder: &'static str, result: Result<T, Wrong>) -> Result<T, Wrong> {
        result.map_err(|wrong| match wrong {
            Wrong::Missing(Missing { key, holder: "", .. }) => {
                Wrong::Missing(Missing { mark: self.mark, holder, key })
            }
            Wrong::Refused(message) => {
                self.pass.fault(
                    self.mark,
                    message,
                    "see config/schema.json for what may stand here",
                );
                Wrong::Recorded
            }
            Wrong::Missing(_) | Wrong::Recorded => wrong,
        })
    }

    /// The one of `variants` that is written here, or the first.
    fn variant(&self, variants: &'static [&'static str]) -> &'static str {
        let harmless = variants.first().copied().unwrap_or_default();
        let known = listed(variants);
        let remedy = format!("write one of {known}");
        let Some(scalar) = self.scalar("a word", &remedy) else { return harmless };
        let variant = variants.iter().copied().find(|variant| *variant == &*scalar.text);
        variant.unwrap_or_else(|| {
            let remedy = match nearest(&scalar.text, variants.iter().copied()) {
                Some(near) => format!("did you mean `{near}`? Known are {known}"),
                None => remedy,
            };
            let message = format!("`{}` is not known here", shown(&scalar.text));
            self.pass.fault(self.mark, message, remedy);
            harmless
        })
    }

    /// How the text here was written.
    fn style(&self) -> Style {
        match self.node.map(|node| &node.kind) {
            Some(Kind::Scalar(scalar)) => scalar.style,
            Some(Kind::List(_) | Kind::Map(_)) | None => Style::Plain,
        }
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident $type:ty),*) => {$(
        fn $method<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Wrong> {
            let number: $type = self.number();
            self.placed("", visitor.$visit(number))
        }
    )*};
}

macro_rules! texts {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Wrong> {
            self.placed("", visitor.visit_str(self.text()))
        }
    )*};
}

impl<'n> Deserializer<'n> for Reader<'_, 'n> {
    type Error = Wrong;

    numbers! {
        deserialize_i8 visit_i8 i8, deserialize_i16 visit_i16 i16, deserialize_i32 visit_i32 i32,
        deserialize_i64 visit_i64 i64, deserialize_u8 visit_u8 u8, deserialize_u16 visit_u16 u16,
        deserialize_u32 visit_u32 u32, deserialize_u64 visit_u64 u64
    }

    texts! { deserialize_char deserialize_str deserialize_string deserialize_identifier }

    fn deserialize_any<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Wrong> {
        let Some(node) = self.node else { return visitor.visit_unit() };
        match &node.kind {
            Kind::List(_) => self.deserialize_seq(visitor),
            Kind::Map(_) => self.deserialize_map(visitor),
            Kind::Scalar(scalar) if scalar.is_null() => visitor.visit_unit(),
            Kind::Scalar(Scalar { text, style: Style::Plain }) => match &**text {
                "true" | "True" | "TRUE" => visitor.visit_bool(true),
                "false" | "False" | "FALSE" => visitor.visit_bool(false),
                _ => plain_number(text, visitor),
            },
            Kind::Scalar(_) => {
                visitor.visit_str(Self { text_bytes_max: BLOCK_BYTES_MAX, ..self }.text())
            }
        }
    }

    fn deserialize_bool<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_bool(self.boolean())
    }

    fn deserialize_f32<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Wrong> {
        // No document asks for one; JSON values come by `deserialize_any`.
        self.deserialize_any(visitor)
    }

    fn deserialize_bytes<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_bytes(self.text().as_bytes())
    }

    fn deserialize_byte_buf<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.node {
            Some(node) if !node.is_null() => visitor.visit_some(self),
            Some(_) | None => visitor.visit_none(),
        }
    }

    fn deserialize_unit<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'n>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'n>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        match (name, self.node.map(|node| &node.kind)) {
            (ONE_OR_MORE, Some(Kind::Scalar(_) | Kind::Map(_))) => {
                let item = self.node.map(std::slice::from_ref).unwrap_or_default();
                self.placed("", visitor.visit_seq(Items::of(self.pass, item)))
            }
            (ONE_OR_MORE, _) => self.deserialize_seq(visitor),
            (PLAIN, Some(Kind::Map(_))) => visitor.visit_newtype_struct(self),
            (PLAIN, _) => self.deserialize_str(visitor),
            (_, _) => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_seq<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.placed("", visitor.visit_seq(Items::of(self.pass, self.list())))
    }

    fn deserialize_tuple<V: Visitor<'n>>(self, _: usize, visitor: V) -> Result<V::Value, Wrong> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'n>>(
        self,
        name: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        let Mark { file, line, column, width } = self.mark;
        let mut numbers = vec![file, line, column, width];
        match name {
            PLACED => self.placed("", visitor.visit_seq(Pair::new(self.pass, self, numbers))),
            BLOCK => {
                numbers.push(self.style().number());
                let text = Self { text_bytes_max: BLOCK_BYTES_MAX, ..self };
                self.placed("", visitor.visit_seq(Pair::new(self.pass, text, numbers)))
            }
            _ => self.deserialize_seq(visitor),
        }
    }

    fn deserialize_map<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Wrong> {
        let keys = Keys::free(self.pass, self.entries());
        self.placed("", visitor.visit_map(keys))
    }

    fn deserialize_struct<V: Visitor<'n>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        let entries = self.entries();
        let keys = if matches!(self.node, Some(Node { kind: Kind::Map(_), .. })) {
            Keys::known(self.pass, self.mark, name, fields, entries)
        } else {
            Keys::harmless(self.pass, self.mark, fields)
        };
        self.placed(name, visitor.visit_map(keys))
    }

    fn deserialize_enum<V: Visitor<'n>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        let text = self.variant(variants);
        self.placed("", visitor.visit_enum(text.into_deserializer()))
    }

    fn deserialize_ignored_any<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_unit()
    }
}

impl<'n> Reader<'_, 'n> {
    fn entries(&self) -> &'n [Entry] {
        match self.node.map(|node| &node.kind) {
            Some(Kind::Map(entries)) => entries,
            Some(_) => {
                self.wrong("a map of keys", "write `key: value`, each key on a line of its own");
                &[]
            }
            None => &[],
        }
    }
}
