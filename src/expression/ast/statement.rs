//! Statements of the syntax tree.

use super::{DeclaredType, Expr, LambdaBody, Name, Overflow, Parameter, Pattern, Span, TypeName};

/// Statements in braces.
#[derive(Clone, Debug)]
pub(in crate::expression) struct Block {
    pub(in crate::expression) statements: Vec<Statement>,
    pub(in crate::expression) span: Span,
}

#[derive(Clone, Debug)]
pub(in crate::expression) struct Statement {
    pub(in crate::expression) kind: StatementKind,
    pub(in crate::expression) span: Span,
}

#[derive(Clone, Debug)]
pub(in crate::expression) enum StatementKind {
    Empty,
    Block(Block),
    /// `checked { … }`, `unchecked { … }`
    Overflow(Overflow, Block),
    /// Statements that share the scope around them.
    Several(Vec<Statement>),
    Declaration(Declaration),
    /// `var (a, b) = value;`
    Deconstruction {
        names: Vec<Name>,
        value: Expr,
    },
    LocalFunction(LocalFunction),
    Expression(Expr),
    /// Each condition with its branch; the last branch without one.
    If {
        branches: Vec<(Expr, Statement)>,
        otherwise: Option<Box<Statement>>,
    },
    For(Box<For>),
    ForEach {
        declared: DeclaredType,
        name: Name,
        source: Expr,
        body: Box<Statement>,
    },
    While {
        condition: Expr,
        body: Box<Statement>,
    },
    Do {
        body: Box<Statement>,
        condition: Expr,
    },
    Switch {
        value: Expr,
        sections: Vec<Section>,
    },
    /// `goto case pattern;`, `goto default;`
    Goto(Option<Pattern>),
    Break,
    Continue,
    Return(Option<Expr>),
    Throw(Option<Expr>),
    Try(Box<Try>),
    /// `using (declaration) body`.
    Using {
        resource: Box<Statement>,
        body: Box<Statement>,
    },
}

/// `var a = 1, b = 2`.
#[derive(Clone, Debug)]
pub(in crate::expression) struct Declaration {
    pub(in crate::expression) declared: DeclaredType,
    pub(in crate::expression) constant: bool,
    pub(in crate::expression) variables: Vec<(Name, Option<Expr>)>,
}

#[derive(Clone, Debug)]
pub(in crate::expression) struct LocalFunction {
    pub(in crate::expression) result: TypeName,
    pub(in crate::expression) name: Name,
    pub(in crate::expression) parameters: Vec<Parameter>,
    pub(in crate::expression) body: LambdaBody,
}

#[derive(Clone, Debug)]
pub(in crate::expression) struct For {
    pub(in crate::expression) initial: Vec<Statement>,
    pub(in crate::expression) condition: Option<Expr>,
    pub(in crate::expression) step: Vec<Expr>,
    pub(in crate::expression) body: Statement,
}

/// The labels of a switch section (`None` is `default`) and its statements.
#[derive(Clone, Debug)]
pub(in crate::expression) struct Section {
    pub(in crate::expression) labels: Vec<(Option<Pattern>, Option<Expr>)>,
    pub(in crate::expression) body: Block,
}

#[derive(Clone, Debug)]
pub(in crate::expression) struct Try {
    pub(in crate::expression) body: Block,
    pub(in crate::expression) catches: Vec<Catch>,
    pub(in crate::expression) finally: Option<Block>,
}

#[derive(Clone, Debug)]
pub(in crate::expression) struct Catch {
    pub(in crate::expression) of: Option<TypeName>,
    pub(in crate::expression) name: Option<Name>,
    pub(in crate::expression) guard: Option<Expr>,
    pub(in crate::expression) body: Block,
}
