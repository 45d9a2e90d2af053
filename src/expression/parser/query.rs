//! Queries, `from x in list where … select …`: read as the calls of methods that C# makes of them.
//!
//! The variables of a query are the parameter of every lambda. Where there are several, the
//! parameter is a row that holds them all, and each lambda begins by taking them out of it.

use super::super::ast::statement::{Block, Declaration, Statement, StatementKind};
use super::super::ast::{
    Argument, DeclaredType, Expr, ExprKind, LambdaBody, Link, LinkKind, Name, Parameter, Span,
    TypeName,
};
use super::super::lexer::TokenKind;
use super::Parser;

/// The most variables of one query: each lambda after a variable takes it out of its row.
const VARIABLES_MAX: usize = 16;
/// What the parameter of a lambda is called that holds several variables: no name of anybody's.
const ROW: &str = "<row>";

/// A query that was read up to some clause.
struct Query {
    source: Expr,
    variables: Vec<Name>,
    /// Whether nothing but `from` was read.
    is_bare: bool,
}

impl Parser {
    /// Whether a query comes next: `from` is a name elsewhere.
    pub(super) fn starts_query(&mut self) -> bool {
        if !self.is_word("from") || !matches!(self.peek_at(1), TokenKind::Word(_)) {
            return false;
        }
        if self.is_word_at(2, "in") {
            return true;
        }
        let before = self.at;
        self.bump();
        let typed = self.type_name().is_some();
        let found = typed && matches!(self.peek(), TokenKind::Word(_)) && self.is_word_at(1, "in");
        self.at = before;
        found
    }

    pub(super) fn query(&mut self) -> Expr {
        let start = self.span().start;
        let (variable, source) = self.from();
        let mut query = Query { source, variables: vec![variable], is_bare: true };
        loop {
            let clause = match self.peek() {
                TokenKind::Word(word) => word.clone(),
                _ => Box::from(""),
            };
            match &*clause {
                "from" => self.another_from(&mut query),
                "where" => {
                    self.bump();
                    let condition = self.expression();
                    query.call("Where", condition);
                }
                "let" => self.let_clause(&mut query),
                "orderby" => self.order(&mut query),
                "select" | "group" => {
                    let result =
                        if &*clause == "select" { self.select(query) } else { self.group(query) };
                    if !self.eat_word("into") {
                        return Expr { span: self.span_from(start), ..result };
                    }
                    let variable = self.name("the name of a variable");
                    query = Query { source: result, variables: vec![variable], is_bare: true };
                }
                _ => {
                    self.no_clause(&clause);
                    return Expr { kind: ExprKind::Wrong, span: self.span_from(start) };
                }
            }
        }
    }

    fn no_clause(&mut self, found: &str) {
        if found == "join" {
            let span = self.span();
            let remedy = "write a second `from`, and `where` with both keys";
            self.wrong(span, "`join` is not known here", Some(remedy));
        } else {
            self.unexpected("`select` or `group`, which ends a query");
        }
    }

    /// `from x in source`, `from T x in source`.
    fn from(&mut self) -> (Name, Expr) {
        self.bump();
        let cast = if self.is_word_at(1, "in") { None } else { Some(self.expect_type()) };
        let variable = self.name("the name of a variable");
        if !self.eat_word("in") {
            self.unexpected("`in`");
        }
        let mut source = self.expression();
        if let Some(to) = cast {
            let span = to.span.clone();
            let name = Name { text: Box::from("Cast"), span: span.clone() };
            source = called(source, name, vec![to], Vec::new(), span);
        }
        (variable, source)
    }

    fn another_from(&mut self, query: &mut Query) {
        let (variable, source) = self.from();
        let span = source.span.clone();
        let row = query.row(&variable, Expr::of(&variable));
        let inner = Query { source, variables: vec![variable.clone()], is_bare: false };
        let inner = inner.ended("Select", row);
        query.call("SelectMany", Expr { span, ..inner });
        self.add(query, variable);
    }

    fn let_clause(&mut self, query: &mut Query) {
        self.bump();
        let variable = self.name("the name of a variable");
        self.expect("=");
        let value = self.expression();
        let row = query.row(&variable, value);
        query.call("Select", row);
        self.add(query, variable);
    }

    fn add(&mut self, query: &mut Query, variable: Name) {
        if query.variables.iter().any(|known| known.text == variable.text) {
            let message = format!("`{}` is declared twice", variable.text);
            self.wrong(variable.span, message, Some("give one of them another name"));
        } else if VARIABLES_MAX <= query.variables.len() {
            let message = format!("a query has more than {VARIABLES_MAX} variables");
            self.wrong(variable.span, message, Some("split it into two"));
        } else {
            query.variables.push(variable);
        }
    }

    /// `orderby a, b descending`.
    fn order(&mut self, query: &mut Query) {
        self.bump();
        let mut method = ["OrderBy", "OrderByDescending"];
        loop {
            let key = self.expression();
            let descends = self.eat_word("descending");
            if !descends {
                self.eat_word("ascending");
            }
            let [up, down] = method;
            query.call(if descends { down } else { up }, key);
            method = ["ThenBy", "ThenByDescending"];
            if !self.eat(",") {
                return;
            }
        }
    }

    fn select(&mut self, query: Query) -> Expr {
        self.bump();
        let value = self.expression();
        if !query.is_bare && query.is_itself(&value) {
            return query.source;
        }
        query.ended("Select", value)
    }

    /// `group value by key`.
    fn group(&mut self, query: Query) -> Expr {
        self.bump();
        let value = self.expression();
        if !self.eat_word("by") {
            self.unexpected("`by`");
        }
        let key = self.expression();
        let span = key.span.clone();
        let mut lambdas = vec![query.lambda(key)];
        if !query.is_itself(&value) {
            lambdas.push(query.lambda(value));
        }
        let name = Name { text: Box::from("GroupBy"), span: span.clone() };
        called(query.source, name, Vec::new(), lambdas, span)
    }
}

impl Query {
    /// Goes on from the result of `method`, called with `body` for each row.
    fn call(&mut self, method: &str, body: Expr) {
        let lambda = self.lambda(body);
        let span = lambda.span.clone();
        let nothing = Expr { kind: ExprKind::Wrong, span: span.clone() };
        let source = std::mem::replace(&mut self.source, nothing);
        let name = Name { text: Box::from(method), span: span.clone() };
        self.source = called(source, name, Vec::new(), vec![lambda], span);
        self.is_bare = false;
    }

    fn ended(mut self, method: &str, body: Expr) -> Expr {
        self.call(method, body);
        self.source
    }

    /// Whether `value` is the only variable.
    fn is_itself(&self, value: &Expr) -> bool {
        let ([variable], ExprKind::Name(name)) = (&*self.variables, &value.kind) else {
            return false;
        };
        variable.text == name.text
    }

    /// A row of all variables and one more.
    fn row(&self, variable: &Name, value: Expr) -> Expr {
        let span = variable.span.clone();
        let known = self.variables.iter().map(|known| (known.clone(), Expr::of(known)));
        let parts = known.chain([(variable.clone(), value)]).collect();
        Expr { kind: ExprKind::NewRecord(parts), span }
    }

    /// `x => body`, or `row => { var x = row.x; var y = row.y; return body; }`.
    fn lambda(&self, body: Expr) -> Expr {
        let span = body.span.clone();
        let (name, body) = match &*self.variables {
            [variable] => (variable.clone(), LambdaBody::Value(Box::new(body))),
            variables => {
                let row = Name { text: Box::from(ROW), span: span.clone() };
                let taken = variables.iter().map(|variable| taken(&row, variable));
                let result = StatementKind::Return(Some(body));
                let result = Statement { kind: result, span: span.clone() };
                let statements = taken.chain([result]).collect();
                let block = Block { statements, span: span.clone() };
                (row.clone(), LambdaBody::Block(block))
            }
        };
        let parameters = vec![Parameter { declared: None, name, default: None }];
        Expr { kind: ExprKind::Lambda { parameters, body }, span }
    }
}

impl Expr {
    fn of(name: &Name) -> Self {
        Self { kind: ExprKind::Name(name.clone()), span: name.span.clone() }
    }
}

/// `var x = row.x;`
fn taken(row: &Name, variable: &Name) -> Statement {
    let span = variable.span.clone();
    let member = LinkKind::Member { name: variable.clone(), types: Vec::new() };
    let link = Link { kind: member, conditional: false, span: span.clone() };
    let kind = ExprKind::Path { first: Box::new(Expr::of(row)), links: vec![link] };
    let value = Expr { kind, span: span.clone() };
    let variables = vec![(variable.clone(), Some(value))];
    let declared = Declaration { declared: DeclaredType::Var, constant: false, variables };
    Statement { kind: StatementKind::Declaration(declared), span }
}

/// `source.method<types>(lambdas)`.
fn called(
    source: Expr,
    method: Name,
    types: Vec<TypeName>,
    lambdas: Vec<Expr>,
    span: Span,
) -> Expr {
    let member = LinkKind::Member { name: method, types };
    let arguments = lambdas.into_iter().map(|value| Argument { name: None, value }).collect();
    let added = [member, LinkKind::Call(arguments)];
    let added = added.map(|kind| Link { kind, conditional: false, span: span.clone() });
    let whole = source.span.start.min(span.start)..source.span.end.max(span.end);
    // A long query is a long path, not a deep one.
    let (first, mut links) = match source.kind {
        ExprKind::Path { first, links } if links.iter().all(|link| !link.conditional) => {
            (first, links)
        }
        kind => (Box::new(Expr { kind, span: source.span }), Vec::new()),
    };
    links.extend(added);
    Expr { kind: ExprKind::Path { first, links }, span: whole }
}
