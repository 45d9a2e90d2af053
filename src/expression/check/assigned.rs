//! Whether variables have a value before they are read, by the rules of C#.

mod statement;

use super::Checker;
use crate::expression::ast::{Name, UnaryOperator};
use crate::expression::eval::node::{
    Arm, Body, Change, Function, Link, Node, NodeKind, Place, Step, Test,
};
use crate::expression::value::Value;

/// Finds variables that are read before they are assigned.
pub(super) fn check(body: &Body, checker: &mut Checker) {
    let functions = std::mem::take(&mut checker.functions);
    let mut flow = Flow {
        functions: &functions,
        visited: vec![false; functions.len()],
        state: checker.assigned.clone(),
        breaks: Vec::new(),
        unassigned: Vec::new(),
    };
    flow.body(body);
    // Local functions: what they take from outside is assigned when they are called.
    for (index, function) in functions.iter().enumerate() {
        let visited = flow.visited.get(index).copied().unwrap_or(true);
        if let (Some(function), false) = (function, visited) {
            flow.state = vec![true; checker.assigned.len()];
            for slot in function.frame.clone() {
                let assigned = checker.assigned.get(slot).copied().unwrap_or(true);
                flow.set(slot, assigned);
            }
            flow.body(&function.body);
        }
    }
    let unassigned = flow.unassigned;
    for (slot, at) in unassigned {
        let Some(Name { text, .. }) = checker.slots.get(slot).cloned() else { continue };
        let span = at..at.saturating_add(text.len());
        let message = format!("`{text}` may be read here before it has a value");
        let remedy = format!("give `{text}` a value where it is declared");
        checker.wrong(&span, message, Some(remedy));
    }
    // A function that could not be checked still needs its place.
    checker.functions = functions
        .into_iter()
        .map(|function| Some(function.unwrap_or_else(|| Function::empty(0))))
        .collect();
}

struct Flow<'c> {
    functions: &'c [Option<Function>],
    visited: Vec<bool>,
    /// Which variables are assigned here; all of them where nothing is reached.
    state: Vec<bool>,
    /// The states at each `break`, by loop or switch.
    breaks: Vec<Vec<Vec<bool>>>,
    unassigned: Vec<(usize, usize)>,
}

impl Flow<'_> {
    fn body(&mut self, body: &Body) {
        match body {
            Body::Value(node) => self.value(node),
            Body::Block(statements) => self.statements(statements),
        }
    }

    fn set(&mut self, slot: usize, assigned: bool) {
        if let Some(state) = self.state.get_mut(slot) {
            *state = assigned;
        }
    }

    fn read(&mut self, slot: usize, at: usize) {
        if self.state.get(slot) == Some(&false) {
            self.unassigned.push((slot, at));
            self.set(slot, true);
        }
    }

    fn unreachable(&mut self) {
        self.state.fill(true);
    }

    fn meet(&mut self, other: &[bool]) {
        for (state, other) in self.state.iter_mut().zip(other) {
            *state = *state && *other;
        }
    }

    /// Visits what may or may not run.
    fn maybe(&mut self, visit: impl FnOnce(&mut Self)) {
        let before = self.state.clone();
        visit(self);
        self.meet(&before);
    }

    fn values(&mut self, nodes: &[Node]) {
        for node in nodes {
            self.value(node);
        }
        for node in nodes {
            if let NodeKind::Out(slot) = node.kind {
                self.set(slot, true);
            }
        }
    }

    fn value(&mut self, node: &Node) {
        match &node.kind {
            NodeKind::Constant(_)
            | NodeKind::Context(_)
            | NodeKind::Lookup(_)
            | NodeKind::Body(_)
            | NodeKind::Response
            | NodeKind::Out(_) => {}
            NodeKind::Local(slot) => self.read(*slot, node.at),
            NodeKind::SetLocal(slot, value) => {
                self.value(value);
                self.set(*slot, true);
            }
            NodeKind::Concat(parts)
            | NodeKind::Array(parts)
            | NodeKind::Record(_, parts)
            | NodeKind::Tuple(parts)
            | NodeKind::CallLocal(_, parts) => self.values(parts),
            NodeKind::Text(text) => {
                self.value(&text.value);
                if let Some(alignment) = &text.alignment {
                    self.value(alignment);
                }
            }
            NodeKind::All(_) | NodeKind::Any(_) => {
                let otherwise = self.condition(node);
                self.meet(&otherwise);
            }
            NodeKind::Operate(first, rest) => {
                self.value(first);
                for (_, right) in rest {
                    self.value(right);
                }
            }
            NodeKind::Checked(_, operands) => self.values(&**operands),
            NodeKind::Unary(_, value)
            | NodeKind::Exact(value, _)
            | NodeKind::As(value, _)
            | NodeKind::Convert { value, .. }
            | NodeKind::ArrayOf(value, _) => self.value(value),
            NodeKind::Is(value, test) => {
                self.value(value);
                self.test(test);
            }
            NodeKind::Coalesce(parts) => {
                if let Some((first, rest)) = parts.split_first() {
                    self.value(first);
                    self.maybe(|flow| flow.values(rest));
                }
            }
            NodeKind::Conditional(parts) => self.conditional(parts),
            NodeKind::Path(first, links) => {
                self.value(first);
                self.links(links);
            }
            NodeKind::Static(access) => self.values(&access.arguments),
            NodeKind::Lambda(index) => self.lambda(*index),
            NodeKind::Create(object, actions) => {
                self.value(object);
                for action in actions {
                    self.values(&action.arguments);
                }
            }
            NodeKind::Throw(value) => {
                self.value(value);
                self.unreachable();
            }
            NodeKind::Switch(value, arms) => self.arms(value, arms),
            NodeKind::Update(update) => self.update(&update.place, &update.change, node.at),
        }
    }

    fn conditional(&mut self, parts: &[Node; 3]) {
        let [condition, then, otherwise] = parts;
        let not = self.condition(condition);
        self.value(then);
        let after = std::mem::replace(&mut self.state, not);
        self.value(otherwise);
        self.meet(&after);
    }

    fn arms(&mut self, value: &Node, arms: &[Arm]) {
        self.value(value);
        let before = self.state.clone();
        let mut after = vec![true; before.len()];
        for arm in arms {
            self.state.clone_from(&before);
            self.test(&arm.test);
            if let Some(guard) = &arm.guard {
                self.condition(guard);
            }
            self.value(&arm.value);
            self.meet(&after);
            after.clone_from(&self.state);
        }
    }

    fn links(&mut self, links: &[Link]) {
        // What follows a `?` may not run.
        let before = links.iter().position(|link| link.conditional);
        let mut kept = None;
        for (place, link) in links.iter().enumerate() {
            if Some(place) == before {
                kept = Some(self.state.clone());
            }
            match &link.step {
                Step::Access(access) => self.values(&access.arguments),
                Step::Invoke(arguments) | Step::Dynamic { arguments, .. } => {
                    self.values(arguments);
                }
                Step::Field(_) | Step::Present => {}
            }
        }
        if let Some(kept) = kept {
            self.meet(&kept);
        }
    }

    fn lambda(&mut self, index: usize) {
        let functions = self.functions;
        let Some(Some(function)) = functions.get(index) else { return };
        if std::mem::replace(self.visited.get_mut(index).unwrap_or(&mut true), true) {
            return;
        }
        let before = self.state.clone();
        let breaks = std::mem::take(&mut self.breaks);
        self.body(&function.body);
        self.breaks = breaks;
        self.state = before;
    }

    fn update(&mut self, place: &Place, change: &Change, at: usize) {
        match place {
            Place::Slot(slot) => {
                if !matches!(change, Change::Set(_)) {
                    self.read(*slot, at);
                }
            }
            Place::Member { target, arguments, .. } => {
                self.value(target);
                self.values(arguments);
            }
        }
        match change {
            Change::Set(value) | Change::Operate(_, value) | Change::Checked(_, value) => {
                self.value(value);
            }
            Change::Coalesce(value) => self.maybe(|flow| flow.value(value)),
        }
        if let Place::Slot(slot) = place {
            self.set(*slot, true);
        }
    }

    fn test(&mut self, test: &Test) {
        match test {
            Test::Equal(node) | Test::Relation(_, node) => self.value(node),
            Test::Not(inner) => self.test(inner),
            Test::Or(parts) | Test::And(parts) => parts.iter().for_each(|part| self.test(part)),
            Test::Type(..) | Test::Anything(_) | Test::Null => {}
        }
    }

    /// Visits a condition: the state is then that of true, and that of false is given back.
    fn condition(&mut self, node: &Node) -> Vec<bool> {
        match &node.kind {
            NodeKind::All(parts) => {
                let mut otherwise = vec![true; self.state.len()];
                for part in parts {
                    let not = self.condition(part);
                    otherwise = both(&otherwise, &not);
                }
                otherwise
            }
            NodeKind::Any(parts) => {
                let mut then = vec![true; self.state.len()];
                for part in parts {
                    let not = self.condition(part);
                    then = both(&then, &self.state);
                    self.state = not;
                }
                std::mem::replace(&mut self.state, then)
            }
            NodeKind::Unary(UnaryOperator::Not, operand) => {
                let not = self.condition(operand);
                std::mem::replace(&mut self.state, not)
            }
            NodeKind::Constant(Value::Bool(flag)) => {
                let never = vec![true; self.state.len()];
                if *flag {
                    return never;
                }
                std::mem::replace(&mut self.state, never)
            }
            _ => {
                self.value(node);
                self.state.clone()
            }
        }
    }
}

fn both(one: &[bool], other: &[bool]) -> Vec<bool> {
    one.iter().zip(other).map(|(one, other)| *one && *other).collect()
}
