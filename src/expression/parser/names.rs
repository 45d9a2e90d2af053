//! Names of types, and where a type may stand instead of a value.

use super::super::ast::{TypeName, TypeSuffix};
use super::super::lexer::TokenKind;
use super::Parser;

/// How deep type arguments may lie in one another.
const TYPES_DEEP_MAX: usize = 16;

/// Types, and the names that they have as parts of a tuple.
type NamedTypes = (Vec<TypeName>, Vec<Option<Box<str>>>);

/// The keywords that name types.
const TYPE_KEYWORDS: [&str; 17] = [
    "bool", "byte", "char", "decimal", "double", "dynamic", "float", "int", "long", "object",
    "sbyte", "short", "string", "uint", "ulong", "ushort", "void",
];

/// The words that cannot be names.
const RESERVED: [&str; 42] = [
    "as",
    "base",
    "break",
    "case",
    "catch",
    "checked",
    "class",
    "const",
    "continue",
    "default",
    "delegate",
    "do",
    "else",
    "enum",
    "false",
    "finally",
    "for",
    "foreach",
    "goto",
    "if",
    "in",
    "is",
    "lock",
    "namespace",
    "new",
    "null",
    "out",
    "params",
    "ref",
    "return",
    "static",
    "struct",
    "switch",
    "this",
    "throw",
    "true",
    "try",
    "typeof",
    "unchecked",
    "using",
    "while",
    "yield",
];

/// Whether `word` names a type by being a keyword.
pub(super) fn is_type_keyword(word: &str) -> bool {
    TYPE_KEYWORDS.contains(&word) && word != "dynamic"
}

/// Whether `word` can be neither a variable nor a member.
pub(super) fn is_reserved(word: &str) -> bool {
    RESERVED.contains(&word) || is_type_keyword(word)
}

impl Parser {
    /// A type, or none with nothing read.
    pub(super) fn type_name(&mut self) -> Option<TypeName> {
        let before = self.at;
        let read = self.type_at(0, true);
        if read.is_none() {
            self.at = before;
        }
        read
    }

    /// A type after `is`, `as` or `case`, where a question mark may be the ternary's.
    pub(super) fn tested_type(&mut self) -> Option<TypeName> {
        let before = self.at;
        let read = self.type_at(0, false);
        if read.is_none() {
            self.at = before;
        }
        read
    }

    /// A type that must be here.
    pub(super) fn expect_type(&mut self) -> TypeName {
        let span = self.span();
        self.type_name().unwrap_or_else(|| {
            self.unexpected("a type");
            let (path, names) = (Box::from("?"), Vec::new());
            TypeName { path, arguments: Vec::new(), names, suffixes: Vec::new(), span }
        })
    }

    fn type_at(&mut self, deep: usize, greedy: bool) -> Option<TypeName> {
        if deep > TYPES_DEEP_MAX {
            return None;
        }
        let start = self.span().start;
        let (path, arguments, names) = if self.is_symbol("(") {
            let (parts, names) = self.tuple_type(deep)?;
            (String::new(), parts, names)
        } else {
            let (path, arguments) = self.plain_type(deep)?;
            (path, arguments, Vec::new())
        };
        let suffixes = self.type_suffixes(greedy);
        let span = self.span_from(start);
        Some(TypeName { path: path.into(), arguments, names, suffixes, span })
    }

    fn plain_type(&mut self, deep: usize) -> Option<(String, Vec<TypeName>)> {
        let mut path = String::new();
        loop {
            let TokenKind::Word(word) = self.peek() else { return None };
            let keyword = is_type_keyword(word);
            if is_reserved(word) && !keyword {
                return None;
            }
            path.push_str(word);
            self.bump();
            if keyword {
                return Some((path, Vec::new()));
            }
            let arguments = self.type_arguments(deep).unwrap_or_default();
            let more = self.is_symbol(".") || self.is_symbol("::");
            if !arguments.is_empty() || !more {
                return Some((path, arguments));
            }
            // `global::System.String` is `System.String`.
            if self.is_symbol("::") {
                path.clear();
            } else {
                path.push('.');
            }
            self.bump();
        }
    }

    /// `<A, B>`, or none with nothing read.
    fn type_arguments(&mut self, deep: usize) -> Option<Vec<TypeName>> {
        let before = self.at;
        let read = self.type_list("<", ">", deep);
        if read.is_none() {
            self.at = before;
        }
        read.map(|(types, _)| types)
    }

    fn tuple_type(&mut self, deep: usize) -> Option<NamedTypes> {
        self.type_list("(", ")", deep).filter(|(parts, _)| parts.len() > 1)
    }

    /// The types between `open` and `close`, and the names that the parts of a tuple have.
    fn type_list(&mut self, open: &str, close: &str, deep: usize) -> Option<NamedTypes> {
        if !self.eat(open) {
            return None;
        }
        let (mut types, mut names) = (Vec::new(), Vec::new());
        loop {
            types.push(self.type_at(deep.saturating_add(1), true)?);
            let is_named =
                open == "(" && matches!(self.peek(), TokenKind::Word(word) if !is_reserved(word));
            names.push(is_named.then(|| self.name("the name of a part").text));
            if self.eat(close) {
                return Some((types, names));
            }
            if !self.eat(",") {
                return None;
            }
        }
    }

    /// Refuses `int[,]`.
    pub(super) fn several_dimensions(&mut self) {
        let span = self.span();
        let message = "arrays of several dimensions are not part of policy expressions";
        self.wrong(span, message, Some("use an array of arrays: `int[][]`"));
    }

    fn type_suffixes(&mut self, greedy: bool) -> Vec<TypeSuffix> {
        let mut suffixes = Vec::new();
        loop {
            if self.is_symbol("[") && self.is_symbol_at(1, ",") {
                self.bump();
                self.several_dimensions();
            }
            if self.is_symbol("[") && self.is_symbol_at(1, "]") {
                self.bump();
                self.bump();
                suffixes.push(TypeSuffix::Array);
            } else if self.is_symbol("?")
                && suffixes.last() != Some(&TypeSuffix::Nullable)
                && (greedy || self.ends_tested_type())
            {
                self.bump();
                suffixes.push(TypeSuffix::Nullable);
            } else {
                return suffixes;
            }
        }
    }

    /// Whether after the coming `?` nothing can begin a value.
    fn ends_tested_type(&self) -> bool {
        const ENDS: [&str; 12] = [")", "]", "}", ",", ";", ":", "&&", "||", "==", "!=", "??", "?"];
        match self.peek_at(1) {
            TokenKind::Symbol(symbol) => ENDS.contains(symbol),
            TokenKind::End => true,
            TokenKind::Word(_) | TokenKind::Literal(_) | TokenKind::Interpolated(_) => false,
        }
    }

    /// Type arguments of a member, if what follows cannot be a comparison.
    pub(super) fn member_types(&mut self) -> Vec<TypeName> {
        const FOLLOWS: [&str; 16] =
            ["(", ")", "]", "}", ":", ";", ",", ".", "?", "?.", "==", "!=", "|", "^", "&&", "||"];
        let before = self.at;
        if let Some(types) = self.type_arguments(0) {
            match self.peek() {
                TokenKind::Symbol(symbol) if FOLLOWS.contains(symbol) => return types,
                TokenKind::End => return types,
                TokenKind::Symbol(_)
                | TokenKind::Word(_)
                | TokenKind::Literal(_)
                | TokenKind::Interpolated(_) => {}
            }
        }
        self.at = before;
        Vec::new()
    }
}
