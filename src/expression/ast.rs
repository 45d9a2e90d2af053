//! What is written: the syntax tree, before any name has a meaning.

pub(super) mod statement;

use std::ops::Range;

use self::statement::Block;
use super::lexer::Literal;

/// The bytes of the source that a node covers.
pub(super) type Span = Range<usize>;

/// A name and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Name {
    pub(super) text: Box<str>,
    pub(super) span: Span,
}

/// A type as written.
#[derive(Clone, Debug)]
pub(super) struct TypeName {
    /// The dotted name, without what stands in angle brackets; empty for a tuple type.
    pub(super) path: Box<str>,
    /// What stands in angle brackets, or a tuple's parts.
    pub(super) arguments: Vec<Self>,
    /// The names of a tuple's parts; empty for what is no tuple.
    pub(super) names: Vec<Option<Box<str>>>,
    /// What follows the name, in order.
    pub(super) suffixes: Vec<TypeSuffix>,
    pub(super) span: Span,
}

/// What may follow a type's name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum TypeSuffix {
    /// `?`
    Nullable,
    /// `[]`
    Array,
}

/// An expression.
#[derive(Clone, Debug)]
pub(super) struct Expr {
    pub(super) kind: ExprKind,
    pub(super) span: Span,
}

/// What an expression is.
#[derive(Clone, Debug)]
pub(super) enum ExprKind {
    Literal(Literal),
    Bool(bool),
    Null,
    /// `default` or `default(T)`.
    Default(Option<TypeName>),
    Interpolated(Vec<InterpolatedPart>),
    Name(Name),
    /// A keyword type that is used as an object: `int` in `int.Parse`.
    TypeKeyword(Name),
    /// `checked(value)`, `unchecked(value)`.
    Overflow(Overflow, Box<Expr>),
    /// What is reached from `first` link by link. A path is flat, so that a long one is not a
    /// deep one, and so that `?.` can leave the rest of it.
    Path {
        first: Box<Expr>,
        links: Vec<Link>,
    },
    Unary {
        operator: UnaryOperator,
        operand: Box<Expr>,
    },
    /// `++x`, `x--`.
    Step {
        target: Box<Expr>,
        up: bool,
        prefix: bool,
    },
    /// Operators of one precedence, from left to right. A chain is flat, so that a long one is
    /// not a deep one.
    Chain {
        first: Box<Expr>,
        rest: Vec<(BinaryOperator, Span, Expr)>,
    },
    /// `a ?? b ?? c`.
    Coalesce(Vec<Expr>),
    Conditional {
        condition: Box<Expr>,
        then: Box<Expr>,
        otherwise: Box<Expr>,
    },
    /// `target = value`; with an operator `target += value`.
    Assign {
        target: Box<Expr>,
        operator: AssignOperator,
        value: Box<Expr>,
    },
    Cast {
        to: TypeName,
        operand: Box<Expr>,
    },
    /// `operand as T`.
    As {
        operand: Box<Expr>,
        to: TypeName,
    },
    /// `operand is pattern`.
    Is {
        operand: Box<Expr>,
        pattern: Box<Pattern>,
    },
    Lambda {
        parameters: Vec<Parameter>,
        body: LambdaBody,
    },
    /// `new T(arguments) { initialiser }`.
    New {
        of: TypeName,
        arguments: Vec<Argument>,
        initialiser: Option<Initialiser>,
    },
    /// `new T[n]`, `new T[] {…}`, `new[] {…}`.
    NewArray {
        of: Option<TypeName>,
        length: Option<Box<Expr>>,
        items: Option<Vec<Expr>>,
    },
    /// `new { a = 1, b }`.
    NewRecord(Vec<(Name, Expr)>),
    Tuple(Vec<(Option<Name>, Expr)>),
    TypeOf(TypeName),
    NameOf(Box<Expr>),
    /// `throw e` where a value is expected.
    Throw(Box<Expr>),
    /// `value switch { pattern when guard => result, … }`.
    Switch {
        value: Box<Expr>,
        arms: Vec<Arm>,
    },
    /// `out var x`, `out T x`, `out x`: only as an argument.
    Out {
        declared: Option<DeclaredType>,
        name: Name,
    },
    /// What could not be read; a fault was already given.
    Wrong,
}

/// One step of a path.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) kind: LinkKind,
    /// Whether `?` stands before it.
    pub(super) conditional: bool,
    pub(super) span: Span,
}

#[derive(Clone, Debug)]
pub(super) enum LinkKind {
    /// `.name`, with optional type arguments.
    Member { name: Name, types: Vec<TypeName> },
    /// `(arguments)`.
    Call(Vec<Argument>),
    /// `[arguments]`.
    Index(Vec<Argument>),
}

/// A part of an interpolated string.
#[derive(Clone, Debug)]
pub(super) enum InterpolatedPart {
    Text(Box<str>),
    Hole { value: Box<Expr>, alignment: Option<Box<Expr>>, format: Option<Box<str>> },
}

#[derive(Clone, Debug)]
pub(super) struct Argument {
    pub(super) name: Option<Name>,
    pub(super) value: Expr,
}

/// A lambda's or a local function's parameter.
#[derive(Clone, Debug)]
pub(super) struct Parameter {
    pub(super) declared: Option<TypeName>,
    pub(super) name: Name,
    pub(super) default: Option<Expr>,
}

#[derive(Clone, Debug)]
pub(super) enum LambdaBody {
    Value(Box<Expr>),
    Block(Block),
}

/// What stands in braces after `new T(…)`.
#[derive(Clone, Debug)]
pub(super) enum Initialiser {
    /// `{ a, b }` or `{ {k, v}, … }`: each becomes an `Add`.
    Items(Vec<(Vec<Expr>, Span)>),
    /// `{ Name = value, ["key"] = value }`.
    Members(Vec<(InitialiserTarget, Expr)>),
}

#[derive(Clone, Debug)]
pub(super) enum InitialiserTarget {
    Name(Name),
    Index(Vec<Argument>, Span),
}

/// One arm of a switch expression.
#[derive(Clone, Debug)]
pub(super) struct Arm {
    pub(super) pattern: Pattern,
    pub(super) guard: Option<Expr>,
    pub(super) value: Expr,
}

/// What follows `is` and `case`.
#[derive(Clone, Debug)]
pub(super) enum Pattern {
    /// A constant; also a name that could be a type.
    Value(Expr),
    /// `T`, `T x`.
    Type { of: TypeName, name: Option<Name> },
    /// `var x`.
    Var(Name),
    /// `_`
    Anything,
    /// `not p`
    Not(Box<Self>),
    /// `< 5`, `>= 'a'`
    Relation(BinaryOperator, Expr),
    /// `a or b`
    Or(Vec<Self>),
    /// `a and b`
    And(Vec<Self>),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum UnaryOperator {
    Plus,
    Minus,
    Not,
    Complement,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum BinaryOperator {
    Or,
    And,
    BitOr,
    BitXor,
    BitAnd,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    ShiftLeft,
    ShiftRight,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum AssignOperator {
    Plain,
    Compound(BinaryOperator),
    /// `??=`
    Coalesce,
}

/// What becomes of a result that does not fit its type.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Overflow {
    /// It loses its upper bits, but constants are refused.
    #[default]
    Usual,
    /// It is an exception.
    Checked,
    /// It loses its upper bits.
    Unchecked,
}

/// `var` or a type.
#[derive(Clone, Debug)]
pub(super) enum DeclaredType {
    Var,
    Named(TypeName),
}

impl BinaryOperator {
    /// As it is written.
    pub(super) const fn symbol(self) -> &'static str {
        match self {
            Self::Or => "||",
            Self::And => "&&",
            Self::BitOr => "|",
            Self::BitXor => "^",
            Self::BitAnd => "&",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::ShiftLeft => "<<",
            Self::ShiftRight => ">>",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
        }
    }
}
