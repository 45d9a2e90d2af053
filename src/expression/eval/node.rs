//! What an expression compiles to: names are slots and members, nothing is looked up any more.

use std::ops::Range;
use std::sync::Arc;

use crate::expression::ast::{BinaryOperator, UnaryOperator};
use crate::expression::members::Member;
use crate::expression::scope::{ContextMember, Side};
use crate::expression::types::{Enumeration, Type};
use crate::expression::value::Value;
use crate::expression::value::thrown::ExceptionKind;

/// A compiled expression.
#[derive(Debug)]
pub(in crate::expression) struct Program {
    pub(in crate::expression) body: Body,
    /// How many variables it has.
    pub(in crate::expression) slots: usize,
    /// Lambdas and local functions.
    pub(in crate::expression) functions: Vec<Function>,
    /// Whether it asks tokens where they are, which then have to know it.
    pub(in crate::expression) places: bool,
}

/// A lambda or a local function.
#[derive(Debug)]
pub(in crate::expression) struct Function {
    /// The slots of the parameters.
    pub(in crate::expression) parameters: Vec<usize>,
    /// The slots of parameters and variables, which each call has for itself.
    pub(in crate::expression) frame: Range<usize>,
    pub(in crate::expression) body: Body,
}

#[derive(Debug)]
pub(in crate::expression) enum Body {
    Value(Node),
    Block(Vec<Statement>),
}

/// A value to be computed.
#[derive(Debug)]
pub(in crate::expression) struct Node {
    pub(in crate::expression) kind: NodeKind,
    /// Where it stands in the source.
    pub(in crate::expression) at: usize,
}

#[derive(Debug)]
pub(in crate::expression) enum NodeKind {
    Constant(Value),
    Local(usize),
    SetLocal(usize, Box<Node>),
    /// A part of `context` whose parents cannot be null.
    Context(ContextMember),
    /// What is looked up in the request by what is known at load: a variable, a header.
    Lookup(Box<Lookup>),
    /// The content of a body as a value of its own.
    Body(Side),
    /// `context.Response` as a value of its own.
    Response,
    /// Strings joined; each part prints itself.
    Concat(Vec<Node>),
    /// A value as text: with its enumeration's names, a format, a width.
    Text(Box<Text>),
    All(Vec<Node>),
    Any(Vec<Node>),
    /// Operators from left to right.
    Operate(Box<Node>, Vec<(BinaryOperator, Node)>),
    Unary(UnaryOperator, Box<Node>),
    /// Whole numbers, where a result that does not fit is an exception.
    Checked(BinaryOperator, Box<[Node; 2]>),
    /// A conversion to a whole number, where one that does not fit is an exception.
    Exact(Box<Node>, Type),
    Coalesce(Vec<Node>),
    Conditional(Box<[Node; 3]>),
    /// A conversion; `boxed` where nothing is known of the value before.
    Convert {
        value: Box<Node>,
        to: Type,
        boxed: bool,
    },
    As(Box<Node>, Type),
    Is(Box<Node>, Box<Test>),
    Path(Box<Node>, Vec<Link>),
    /// A member of a class, not of a value.
    Static(Access),
    Lambda(usize),
    CallLocal(usize, Vec<Node>),
    /// An object and what its initialiser does to it.
    Create(Box<Node>, Vec<Access>),
    Array(Vec<Node>),
    /// `new T[n]` with the items' default.
    ArrayOf(Box<Node>, Value),
    Record(Arc<[Arc<str>]>, Vec<Node>),
    Tuple(Vec<Node>),
    Throw(Box<Node>),
    Switch(Box<Node>, Vec<Arm>),
    Update(Box<Update>),
    /// A variable that the member fills.
    Out(usize),
}

/// See [`NodeKind::Text`].
#[derive(Debug)]
pub(in crate::expression) struct Text {
    pub(in crate::expression) value: Node,
    pub(in crate::expression) names: Option<Enumeration>,
    pub(in crate::expression) format: Option<Arc<str>>,
    pub(in crate::expression) alignment: Option<Node>,
}

/// A member with its arguments.
#[derive(Debug)]
pub(in crate::expression) struct Access {
    pub(in crate::expression) member: &'static Member,
    pub(in crate::expression) arguments: Vec<Node>,
    /// The member's own type arguments.
    pub(in crate::expression) types: Vec<Type>,
    pub(in crate::expression) at: usize,
}

/// A member that looks into the request, with the values that it is given.
#[derive(Debug)]
pub(in crate::expression) struct Lookup {
    pub(in crate::expression) member: &'static Member,
    /// The value it belongs to, which it does not look at, and its arguments.
    pub(in crate::expression) arguments: Vec<Value>,
    /// The member's own type arguments.
    pub(in crate::expression) types: Vec<Type>,
}

/// One step of a path: from a value to the next.
#[derive(Debug)]
pub(in crate::expression) struct Link {
    /// Whether null ends the path instead of being an error.
    pub(in crate::expression) conditional: bool,
    pub(in crate::expression) step: Step,
    pub(in crate::expression) at: usize,
}

#[derive(Debug)]
pub(in crate::expression) enum Step {
    Access(Access),
    /// A part of a tuple or an anonymous object.
    Field(usize),
    /// Calls a function that is a value.
    Invoke(Vec<Node>),
    /// A member that is found at run time.
    Dynamic {
        name: Arc<str>,
        how: How,
        arguments: Vec<Node>,
        types: Vec<Type>,
    },
    /// Only asks that the value is not null.
    Present,
}

/// How a member is used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::expression) enum How {
    Get,
    Call,
    Index,
    SetIndex,
    Set,
}

/// `target op= value`, `++target`, and assignments to what is not a variable.
#[derive(Debug)]
pub(in crate::expression) struct Update {
    pub(in crate::expression) place: Place,
    pub(in crate::expression) change: Change,
    /// Whether the value of the whole is the one before.
    pub(in crate::expression) old: bool,
    /// What the result becomes before it is stored.
    pub(in crate::expression) to: Type,
}

#[derive(Debug)]
pub(in crate::expression) enum Change {
    Set(Node),
    Operate(BinaryOperator, Node),
    /// The same with whole numbers, where a result that does not fit is an exception.
    Checked(BinaryOperator, Node),
    /// `target ??= value`
    Coalesce(Node),
}

/// What can be assigned to.
#[derive(Debug)]
pub(in crate::expression) enum Place {
    Slot(usize),
    /// A member of the value of `target`.
    Member {
        target: Node,
        arguments: Vec<Node>,
        get: Found,
        set: Found,
    },
}

/// A member, found at load or to be found at run time.
#[derive(Clone, Debug)]
pub(in crate::expression) enum Found {
    Member(&'static Member),
    Dynamic(Arc<str>),
    /// A compound assignment is not written, so nothing is read.
    Nothing,
}

/// What `is` and `case` ask.
#[derive(Debug)]
pub(in crate::expression) enum Test {
    Equal(Node),
    Type(Type, Option<usize>),
    /// Everything but, for `var x`, null too.
    Anything(Option<usize>),
    Null,
    Not(Box<Self>),
    Relation(BinaryOperator, Node),
    Or(Vec<Self>),
    And(Vec<Self>),
}

#[derive(Debug)]
pub(in crate::expression) struct Arm {
    pub(in crate::expression) test: Test,
    pub(in crate::expression) guard: Option<Node>,
    pub(in crate::expression) value: Node,
}

#[derive(Debug)]
pub(in crate::expression) enum Statement {
    Value(Node),
    /// A variable that comes into being with a value.
    Set(usize, Node),
    /// A variable that comes into being without a value.
    Forget(usize),
    Block(Vec<Self>),
    If(Vec<(Node, Self)>, Option<Box<Self>>),
    While {
        condition: Node,
        body: Box<Self>,
    },
    Do {
        body: Box<Self>,
        condition: Node,
    },
    For {
        initial: Vec<Self>,
        condition: Option<Node>,
        step: Vec<Node>,
        body: Box<Self>,
    },
    ForEach {
        slot: usize,
        to: Option<Type>,
        source: Node,
        body: Box<Self>,
    },
    /// With the sections that its `goto`s go to.
    Switch(Node, Vec<Section>, Vec<usize>),
    /// To one of those of the switch around it.
    Goto(usize),
    Break,
    Continue,
    Return(Option<Node>),
    /// `throw e;`
    Throw(Node),
    /// `throw;`
    Rethrow,
    Try(Box<Try>),
    /// `var (a, b) = value;`
    Deconstruct(Vec<usize>, Node),
}

#[derive(Debug)]
pub(in crate::expression) struct Section {
    /// No label test is `default`.
    pub(in crate::expression) labels: Vec<(Option<Test>, Option<Node>)>,
    pub(in crate::expression) body: Vec<Statement>,
}

#[derive(Debug)]
pub(in crate::expression) struct Try {
    pub(in crate::expression) body: Vec<Statement>,
    pub(in crate::expression) catches: Vec<Catch>,
    pub(in crate::expression) finally: Vec<Statement>,
}

#[derive(Debug)]
pub(in crate::expression) struct Catch {
    pub(in crate::expression) of: ExceptionKind,
    pub(in crate::expression) slot: Option<usize>,
    pub(in crate::expression) guard: Option<Node>,
    pub(in crate::expression) body: Vec<Statement>,
}

impl Node {
    pub(in crate::expression) const fn new(kind: NodeKind, at: usize) -> Self {
        Self { kind, at }
    }

    /// Its value, if that is known.
    pub(in crate::expression) const fn constant(&self) -> Option<&Value> {
        if let NodeKind::Constant(value) = &self.kind { Some(value) } else { None }
    }
}
