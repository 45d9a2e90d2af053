//! Names of types, and where a type may stand instead of a value.

use super::super::ast::{TypeName, TypeSuffix};
use super::super::lexer::TokenKind;
use super::Parser;

/// How deep type arguments may lie in one another.
const TYPES_DEEP_MAX: usize = 16;

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
            TypeName { path: Box::from("?"), arguments: Vec::new(), suffixes: Vec::new(), span }
        })
    }

    fn type_at(&mut self, deep: usize, greedy: bool) -> Option<TypeName> {
        if deep > TYPES_DEEP_MAX {
            return None;
        }
        let start = self.span().start;
        let (path, arguments) = if self.is_symbol("(") {
            (String::new(), self.tuple_type(deep)?)
        } else {
            self.plain_type(deep)?
        };
        let suffixes = self.type_suffixes(greedy);
        Some(TypeName { path: path.into(), arguments, suffixes, span: self.span_from(start) })
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
        read
    }

    fn tuple_type(&mut self, deep: usize) -> Option<Vec<TypeName>> {
        self.type_list("(", ")", deep).filter(|parts| parts.len() > 1)
    }

    fn type_list(&mut self, open: &str, close: &str, deep: usize) -> Option<Vec<TypeName>> {
        if !self.eat(open) {
            return None;
        }
        let mut types = Vec::new();
        loop {
            types.push(self.type_at(deep.saturating_add(1), true)?);
            // A tuple's part may have a name, which is only for the reader.
            if open == "(" && matches!(self.peek(), TokenKind::Word(word) if !is_reserved(word)) {
                self.bump();
            }
            if self.eat(close) {
                return Some(types);
            }
            if !self.eat(",") {
                return None;
            }
        }
    }

    fn type_suffixes(&mut self, greedy: bool) -> Vec<TypeSuffix> {
        let mut suffixes = Vec::new();
        loop {
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
        const ENDS: [&str; 11] = [")", "]", "}", ",", ";", ":", "&&", "||", "==", "!=", "??"];
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
