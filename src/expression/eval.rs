//! Runs a compiled expression: a walk over its nodes, bounded in steps, bytes and depth.

mod call;
mod convert;
mod message;
pub(super) mod node;
pub(super) mod operate;
mod path;
mod place;
mod slots;
mod cost;
mod statement;
mod test;
mod text;

use std::collections::BTreeSet;
use std::sync::Arc;

pub(super) use convert::{cast, default_of, numeric, unboxed};

use self::cost::{STEP_BYTES, size};
use self::node::{Body, Node, NodeKind, Program};
use self::slots::Slots;
use super::scope::{ContextMember, Scope};
use super::types::Type;
use super::value::Value;
use super::value::collection::{List, Record};
use super::value::placed::Placed;
use super::value::thrown::Thrown;

/// The most steps of one evaluation. A step is a node, or [`cost::STEP_BYTES`] of text
/// that a member was given.
pub const STEPS_MAX: u64 = 1_000_000;
/// The most bytes that one evaluation may make, whether it keeps them or not.
pub const BYTES_MAX: u64 = 64 << 20;
/// How deep nodes and calls may lie in one another while running.
pub const DEPTH_MAX: usize = 384;
/// What a value costs besides its text.
const VALUE_BYTES: u64 = 32;

/// One evaluation under way.
pub(super) struct Machine<'s> {
    program: &'s Program,
    scope: &'s mut dyn Scope,
    slots: Slots,
    /// Which of the first functions are under way, a bit each; of the others `Rare` knows.
    active: u64,
    steps: u64,
    bytes: u64,
    depth: usize,
    /// Where the exception on its way was thrown.
    thrown_at: Option<usize>,
    rare: Option<Box<Rare>>,
}

/// What only few evaluations keep.
#[derive(Default)]
struct Rare {
    /// What the member that ran last gives to its `out` parameters, in order.
    outs: Vec<Value>,
    /// Which functions without a bit are under way.
    active: BTreeSet<usize>,
    /// The exceptions that a `catch` is handling.
    caught: Vec<Thrown>,
}

/// What a statement did.
enum Flow {
    Next,
    Break,
    Continue,
    /// To another section of the switch around.
    Goto(usize),
    Return(Value),
}

impl<'s> Machine<'s> {
    pub(super) fn new(program: &'s Program, scope: &'s mut dyn Scope) -> Self {
        Self {
            slots: Slots::new(program.slots),
            active: 0,
            program,
            scope,
            steps: 0,
            bytes: 0,
            depth: 0,
            thrown_at: None,
            rare: None,
        }
    }

    /// Runs the whole program.
    pub(super) fn run(&mut self) -> Result<Value, Thrown> {
        let program = self.program;
        match self.body(&program.body)? {
            Value::Function(_) => {
                Err(Thrown::invalid_operation("A lambda cannot be the result of an expression."))
            }
            other if program.places => Ok(unplaced(other)),
            other => Ok(other),
        }
    }

    /// Where the exception on its way was thrown, in bytes of the text that was compiled.
    pub(super) fn thrown_at(&self) -> usize {
        self.thrown_at.unwrap_or(0)
    }

    fn body(&mut self, body: &'s Body) -> Result<Value, Thrown> {
        match body {
            Body::Value(node) => self.value(node),
            Body::Block(statements) => self.returned(statements),
        }
    }

    /// Counts `steps`.
    fn step(&mut self, steps: u64) -> Result<(), Thrown> {
        self.steps = self.steps.saturating_add(steps);
        if self.steps <= STEPS_MAX {
            return Ok(());
        }
        Err(Thrown::limit(format!("the expression takes more than {STEPS_MAX} steps")))
    }

    /// Counts the bytes of a value that was made.
    fn charge(&mut self, value: &Value) -> Result<(), Thrown> {
        self.spend(VALUE_BYTES.saturating_add(size(value)))
    }

    /// Counts bytes that a member made besides its result.
    pub(super) fn made(&mut self, bytes: usize) -> Result<(), Thrown> {
        self.spend(u64::try_from(bytes).unwrap_or(u64::MAX))
    }

    /// Counts bytes that a member looks at, besides its arguments.
    pub(super) fn scanned(&mut self, bytes: usize) -> Result<(), Thrown> {
        self.step(u64::try_from(bytes).unwrap_or(u64::MAX) / STEP_BYTES)
    }

    fn spend(&mut self, bytes: u64) -> Result<(), Thrown> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes <= BYTES_MAX {
            return Ok(());
        }
        Err(Thrown::limit(format!("the expression makes more than {BYTES_MAX} bytes")))
    }

    fn deeper<T>(&mut self, run: impl FnOnce(&mut Self) -> Result<T, Thrown>) -> Result<T, Thrown> {
        if self.depth >= DEPTH_MAX {
            return Err(Thrown::limit(format!("the expression runs more than {DEPTH_MAX} deep")));
        }
        self.depth = self.depth.saturating_add(1);
        let result = run(self);
        self.depth = self.depth.saturating_sub(1);
        result
    }

    /// Remembers where an exception was thrown first.
    #[inline]
    fn placed<T>(&mut self, result: Result<T, Thrown>, at: usize) -> Result<T, Thrown> {
        if result.is_err() {
            self.thrown_at.get_or_insert(at);
        }
        result
    }

    fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    fn slot(&self, slot: usize) -> Value {
        self.slots.get(slot).cloned().unwrap_or_default()
    }

    fn set_slot(&mut self, slot: usize, value: Value) {
        self.slots.set(slot, value);
    }

    /// The value of `node`.
    fn value(&mut self, node: &'s Node) -> Result<Value, Thrown> {
        // The cheap ones first, without going deeper.
        match &node.kind {
            NodeKind::Constant(value) => return Ok(value.clone()),
            NodeKind::Local(slot) => return Ok(self.slot(*slot)),
            _ => {}
        }
        let result = self.step(1).and_then(|()| self.deeper(|machine| machine.compound(node)));
        self.placed(result, node.at)
    }

    fn compound(&mut self, node: &'s Node) -> Result<Value, Thrown> {
        match &node.kind {
            NodeKind::Constant(value) => Ok(value.clone()),
            NodeKind::Local(slot) => Ok(self.slot(*slot)),
            NodeKind::Context(member) => Ok(self.context(*member)),
            NodeKind::Lookup(lookup) => {
                self.run_counted(lookup.member, &lookup.arguments, &lookup.types)
            }
            NodeKind::SetLocal(slot, value) => {
                let value = self.value(value)?;
                self.set_slot(*slot, value.clone());
                Ok(value)
            }
            NodeKind::Body(side) => self.whole_body(*side),
            NodeKind::Response => self.whole_response(),
            NodeKind::Concat(parts) => self.concat(parts),
            NodeKind::Text(text) => self.text(text),
            NodeKind::All(parts) => self.logical(parts, false),
            NodeKind::Any(parts) => self.logical(parts, true),
            NodeKind::Operate(first, rest) => self.operate(first, rest),
            NodeKind::Unary(operator, operand) => operate::unary(*operator, &self.value(operand)?),
            NodeKind::Checked(operator, operands) => {
                let [left, right] = &**operands;
                operate::checked(*operator, &self.value(left)?, &self.value(right)?)
            }
            NodeKind::Exact(value, to) => operate::exact(self.value(value)?, to),
            NodeKind::Coalesce(parts) => self.coalesce(parts),
            NodeKind::Conditional(parts) => {
                let [condition, then, otherwise] = &**parts;
                if self.condition(condition)? { self.value(then) } else { self.value(otherwise) }
            }
            NodeKind::Convert { value, to, boxed } => {
                let value = self.value(value)?;
                self.converted(value, to, *boxed)
            }
            NodeKind::As(operand, to) => {
                let value = self.value(operand)?;
                Ok(if super::types::is_instance(&value, to) { value } else { Value::Null })
            }
            NodeKind::Is(operand, test) => {
                let value = self.value(operand)?;
                Ok(Value::Bool(self.test(test, &value)?))
            }
            NodeKind::Path(first, links) => self.path(first, links),
            NodeKind::Static(access) => self.access(access, None),
            NodeKind::Lambda(function) => Ok(self.closure(*function)),
            NodeKind::CallLocal(function, arguments) => {
                let arguments = self.values(arguments)?;
                self.call(*function, &arguments)
            }
            NodeKind::Create(object, actions) => {
                let object = self.value(object)?;
                for action in actions {
                    self.access(action, Some(object.clone()))?;
                }
                Ok(object)
            }
            NodeKind::Array(_)
            | NodeKind::ArrayOf(..)
            | NodeKind::Record(..)
            | NodeKind::Tuple(_) => self.creation(node),
            NodeKind::Throw(exception) => {
                let exception = self.value(exception)?;
                Err(statement::exception(&exception))
            }
            NodeKind::Switch(value, arms) => self.switch_value(value, arms),
            NodeKind::Update(update) => self.update(update),
            NodeKind::Out(_) => Ok(Value::Null),
        }
    }

    fn converted(&self, value: Value, to: &Type, boxed: bool) -> Result<Value, Thrown> {
        // A token may need a place.
        if convert::is_already(&value, to) && !self.program.places {
            return Ok(value);
        }
        let made = if boxed { unboxed(value, to) } else { convert::convert(value, to) }?;
        Ok(match made {
            Value::Json(json) if self.program.places => Value::Token(Arc::new(Placed::root(json))),
            other => other,
        })
    }

    fn creation(&mut self, node: &'s Node) -> Result<Value, Thrown> {
        let made = match &node.kind {
            NodeKind::Array(items) => {
                let items = self.values(items)?;
                Value::List(Arc::new(List::array(items)))
            }
            NodeKind::ArrayOf(length, item) => convert::array_of(&self.value(length)?, item)?,
            NodeKind::Record(names, values) => {
                let values = self.values(values)?;
                let fields = names.iter().map(Arc::clone).zip(values).collect();
                Value::Record(Arc::new(Record::anonymous(fields)))
            }
            NodeKind::Tuple(values) => Value::Record(Arc::new(Record::tuple(self.values(values)?))),
            _ => Value::Null,
        };
        self.charge(&made)?;
        Ok(made)
    }

    fn values(&mut self, nodes: &'s [Node]) -> Result<Vec<Value>, Thrown> {
        nodes.iter().map(|node| self.value(node)).collect()
    }

    fn condition(&mut self, node: &'s Node) -> Result<bool, Thrown> {
        let value = self.value(node)?;
        let flag = match value {
            // `if (nullable == true)` is written so; a bare null condition has no value.
            Value::Null => Err(Thrown::invalid_operation("Nullable object must have a value.")),
            other => other.bool(),
        };
        self.placed(flag, node.at)
    }

    fn logical(&mut self, parts: &'s [Node], decisive: bool) -> Result<Value, Thrown> {
        for part in parts {
            if self.condition(part)? == decisive {
                return Ok(Value::Bool(decisive));
            }
        }
        Ok(Value::Bool(!decisive))
    }

    fn operate(
        &mut self,
        first: &'s Node,
        rest: &'s [(super::ast::BinaryOperator, Node)],
    ) -> Result<Value, Thrown> {
        // What is there already is not copied.
        if let [(operator, right)] = rest
            && let (Some(left), Some(right)) = (self.at_hand(first), self.at_hand(right))
        {
            return self.operated(operate::binary(*operator, left, right)?);
        }
        let mut left = self.value(first)?;
        for (operator, right) in rest {
            left = match right.constant() {
                Some(right) => operate::binary(*operator, &left, right)?,
                None => operate::binary(*operator, &left, &self.value(right)?)?,
            };
            left = self.operated(left)?;
        }
        Ok(left)
    }

    /// Counts what an operator made.
    fn operated(&mut self, result: Value) -> Result<Value, Thrown> {
        if let Value::String(text) = &result {
            let bytes = u64::try_from(text.len()).unwrap_or(u64::MAX);
            self.spend(VALUE_BYTES.saturating_add(bytes))?;
        }
        Ok(result)
    }

    /// The value of a constant or a variable.
    fn at_hand<'a>(&'a self, node: &'a Node) -> Option<&'a Value> {
        match &node.kind {
            NodeKind::Constant(value) => Some(value),
            NodeKind::Local(slot) => self.slots.get(*slot),
            _ => None,
        }
    }

    fn coalesce(&mut self, parts: &'s [Node]) -> Result<Value, Thrown> {
        for part in parts {
            let value = self.value(part)?;
            if !value.is_null() {
                return Ok(value);
            }
        }
        Ok(Value::Null)
    }

    /// A member of `context`.
    fn context(&mut self, member: ContextMember) -> Value {
        self.scope.member(member)
    }

    /// The request this runs for.
    pub(super) fn scope(&mut self) -> &mut dyn Scope {
        self.scope
    }
}

/// The value as it leaves the evaluation: tokens without their places.
fn unplaced(value: Value) -> Value {
    match value {
        Value::List(list) if list.snapshot().iter().any(|item| matches!(item, Value::Token(_))) => {
            let items = list.snapshot().into_iter().map(Value::without_place);
            Value::sequence(items.collect())
        }
        other => other.without_place(),
    }
}
