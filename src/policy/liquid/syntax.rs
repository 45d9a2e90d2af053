//! A template as it was read: nodes in the order in which they are written.

use std::sync::Arc;

use super::datum::Datum;
use super::filters::Call;

/// A part of a template.
#[derive(Clone, Debug)]
pub enum Part {
    /// Text that goes out as it is.
    Text(Arc<str>),
    /// `{{ … }}`
    Output(Chain),
    /// `{% assign name = … %}`
    Assign(Arc<str>, Chain),
    /// `{% capture name %}…{% endcapture %}`
    Capture(Arc<str>, Block),
    /// `{% if %}` and `{% unless %}`: the first branch whose condition holds.
    If(Box<Choice>),
    /// `{% case %}`
    Case(Box<Case>),
    /// `{% for %}`, `{% tablerow %}` and `{% JSONArrayFor %}`
    Loop(Box<Loop>),
    /// `{% cycle %}`: the name of the group, and what is said in turn.
    Cycle(Arc<str>, Vec<Operand>),
    /// `{% increment name %}`
    Increment(Arc<str>),
    /// `{% decrement name %}`
    Decrement(Arc<str>),
    /// `{% ifchanged %}`, the how manieth of the template.
    IfChanged(usize, Block),
    /// `{% break %}`
    Break,
    /// `{% continue %}`
    Continue,
}

/// Parts in order.
pub type Block = Vec<Part>;

/// A value and the filters that it goes through.
#[derive(Clone, Debug)]
pub struct Chain {
    /// The value.
    pub head: Operand,
    /// The filters, in the order in which they are written.
    pub filters: Vec<Call>,
}

/// A value as it is written.
#[derive(Clone, Debug)]
pub enum Operand {
    /// A literal.
    Constant(Datum),
    /// A variable, and the way into it.
    Path(Arc<str>, Vec<Step>),
    /// `(1..5)`
    Range(Box<(Self, Self)>),
    /// `empty` and `blank`
    Empty,
}

/// A step on the way into a value.
#[derive(Clone, Debug)]
pub enum Step {
    /// `.name`
    Member(Arc<str>),
    /// `[…]`
    At(Operand),
}

/// Branches, and what holds if none of their conditions does.
#[derive(Clone, Debug)]
pub struct Choice {
    /// Conditions, and what they stand for.
    pub branches: Vec<(Condition, Block)>,
    /// `{% else %}`
    pub otherwise: Block,
}

/// `{% case %}`
#[derive(Clone, Debug)]
pub struct Case {
    /// What is compared.
    pub subject: Operand,
    /// With what, and what it stands for. Every branch that is equal is taken, as in `DotLiquid`.
    pub branches: Vec<(Vec<Operand>, Block)>,
    /// `{% else %}`
    pub otherwise: Block,
}

/// What is true or false.
#[derive(Clone, Debug)]
pub enum Condition {
    /// The value is neither nothing nor false.
    Holds(Operand),
    /// Two values are compared.
    Compares(Operand, Relation, Operand),
    /// Both.
    Both(Box<(Self, Self)>),
    /// One of the two.
    Either(Box<(Self, Self)>),
    /// `unless`
    Not(Box<Self>),
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Relation {
    /// `==`
    Equal,
    /// `!=`, `<>`
    Unequal,
    /// `<`
    Less,
    /// `>`
    Greater,
    /// `<=`
    AtMost,
    /// `>=`
    AtLeast,
    /// `contains`
    Contains,
    /// `startsWith`
    StartsWith,
    /// `endsWith`
    EndsWith,
    /// `hasKey`
    HasKey,
    /// `hasValue`
    HasValue,
}

/// A loop.
#[derive(Clone, Debug)]
pub struct Loop {
    /// What each item is called.
    pub variable: Arc<str>,
    /// What the loop is called in `offset:continue`, and as `forloop.name`.
    pub name: Arc<str>,
    /// What it goes over.
    pub over: Operand,
    /// The most items.
    pub limit: Option<Operand>,
    /// How many items are passed over first.
    pub offset: Option<Offset>,
    /// From the end.
    pub reversed: bool,
    /// For each item.
    pub body: Block,
    /// Where there is no item.
    pub otherwise: Block,
    /// What is written around items.
    pub manner: Manner,
}

/// Where a loop begins.
#[derive(Clone, Debug)]
pub enum Offset {
    /// After so many items.
    After(Operand),
    /// Where the last loop of that name ended.
    Continue,
}

/// What a loop writes around its items.
#[derive(Clone, Debug)]
pub enum Manner {
    /// `for`: nothing.
    Plain,
    /// `JSONArrayFor`: commas between them.
    JsonArray,
    /// `tablerow`: rows and cells of a table; with so many cells in a row.
    Table(Option<Operand>),
}
