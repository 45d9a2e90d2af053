//! A template and what its names stand for → text.

mod loops;

use std::collections::HashMap;
use std::sync::Arc;

use indexmap::IndexMap;

use super::bind::Bound;
use super::datum::Datum;
use super::syntax::{Block, Case, Chain, Condition, Operand, Part, Relation, Step};
use super::{
    ITEMS_MAX, OUTPUT_BYTES_MAX, PATTERN_WORK, ROUNDS_MAX, STEP_WORK, Stop, WORK_MAX, too_long,
};

/// The text of `block`.
pub(super) fn render(block: &Block, bound: Bound) -> Result<String, Stop> {
    let mut renderer = Renderer {
        bound,
        out: String::new(),
        assigned: IndexMap::new(),
        locals: Vec::new(),
        counters: HashMap::new(),
        turns: HashMap::new(),
        ends: HashMap::new(),
        said: HashMap::new(),
        rounds: 0,
        work: 0,
    };
    renderer.block(block)?;
    Ok(renderer.out)
}

/// How a part ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Flow {
    /// The next part.
    Next,
    /// `{% break %}`
    Break,
    /// `{% continue %}`
    Continue,
}

struct Renderer {
    bound: Bound,
    out: String,
    /// Of `assign` and `capture`.
    assigned: IndexMap<Arc<str>, Datum>,
    /// Of loops, the innermost last.
    locals: Vec<(Arc<str>, Datum)>,
    /// Of `increment` and `decrement`.
    counters: HashMap<Arc<str>, i64>,
    /// Of `cycle`, by group: whose turn it is.
    turns: HashMap<Arc<str>, usize>,
    /// Where loops ended, by their names.
    ends: HashMap<Arc<str>, usize>,
    /// What each `ifchanged` said last.
    said: HashMap<usize, String>,
    rounds: usize,
    work: usize,
}

impl Renderer {
    fn block(&mut self, block: &Block) -> Result<Flow, Stop> {
        for part in block {
            match self.part(part)? {
                Flow::Next => (),
                other => return Ok(other),
            }
        }
        Ok(Flow::Next)
    }

    fn part(&mut self, part: &Part) -> Result<Flow, Stop> {
        self.charge(STEP_WORK)?;
        match part {
            Part::Text(text) => self.write(text)?,
            Part::Output(chain) => {
                let value = self.chain(chain)?;
                self.charge(value.weight())?;
                value.show(&mut self.out);
                self.bounded()?;
            }
            Part::Assign(name, chain) => {
                let value = self.chain(chain)?;
                self.assigned.insert(Arc::clone(name), value);
            }
            Part::Capture(name, block) => {
                let (text, flow) = self.captured(block)?;
                self.assigned.insert(Arc::clone(name), Datum::text(text));
                return Ok(flow);
            }
            Part::If(choice) => {
                for (condition, block) in &choice.branches {
                    if self.holds(condition)? {
                        return self.block(block);
                    }
                }
                return self.block(&choice.otherwise);
            }
            Part::Case(case) => return self.case(case),
            Part::Loop(looped) => return self.looped(looped),
            Part::Cycle(group, values) => {
                let turn = self.turns.entry(Arc::clone(group)).or_default();
                let value = values.get(*turn % values.len().max(1));
                *turn = turn.saturating_add(1);
                if let Some(value) = value {
                    let text = self.operand(value)?.shown();
                    self.write(&text)?;
                }
            }
            Part::Increment(name) => {
                let counter = self.counters.entry(Arc::clone(name)).or_default();
                let text = counter.to_string();
                *counter = counter.saturating_add(1);
                self.write(&text)?;
            }
            Part::Decrement(name) => {
                let counter = self.counters.entry(Arc::clone(name)).or_default();
                *counter = counter.saturating_sub(1);
                let text = counter.to_string();
                self.write(&text)?;
            }
            Part::IfChanged(number, block) => {
                let (text, flow) = self.captured(block)?;
                if self.said.get(number) != Some(&text) {
                    self.write(&text)?;
                    self.said.insert(*number, text);
                }
                return Ok(flow);
            }
            Part::Break => return Ok(Flow::Break),
            Part::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::Next)
    }

    /// What `block` writes, by itself.
    fn captured(&mut self, block: &Block) -> Result<(String, Flow), Stop> {
        let before = std::mem::take(&mut self.out);
        let flow = self.block(block);
        let text = std::mem::replace(&mut self.out, before);
        Ok((text, flow?))
    }

    fn case(&mut self, case: &Case) -> Result<Flow, Stop> {
        let subject = self.operand(&case.subject)?;
        let mut is_taken = false;
        for (values, block) in &case.branches {
            let mut is_equal = false;
            for value in values {
                is_equal |= self.compares(&subject, Relation::Equal, value)?;
            }
            if is_equal {
                is_taken = true;
                let flow = self.block(block)?;
                if flow != Flow::Next {
                    return Ok(flow);
                }
            }
        }
        if is_taken { Ok(Flow::Next) } else { self.block(&case.otherwise) }
    }

    fn chain(&mut self, chain: &Chain) -> Result<Datum, Stop> {
        let mut value = self.operand(&chain.head)?;
        for call in &chain.filters {
            let mut given = Vec::with_capacity(call.arguments.len());
            for argument in &call.arguments {
                let argument = self.operand(argument)?;
                self.charge(argument.weight())?;
                given.push(argument);
            }
            self.charge(value.weight().saturating_add(STEP_WORK))?;
            if call.compiles() {
                self.charge(PATTERN_WORK)?;
            }
            value = call.apply(value, &given, self.bound.now)?;
            self.charge(value.weight())?;
        }
        Ok(value)
    }

    fn operand(&mut self, operand: &Operand) -> Result<Datum, Stop> {
        match operand {
            Operand::Constant(value) => Ok(value.clone()),
            Operand::Empty => Ok(Datum::Nil),
            Operand::Path(root, steps) => {
                let mut value = self.variable(root);
                for step in steps {
                    self.charge(value.breadth().saturating_add(STEP_WORK))?;
                    value = match step {
                        Step::Member(name) => value.member(name),
                        Step::At(key) => {
                            let key = self.operand(key)?;
                            self.charge(key.weight())?;
                            value.at(&key)
                        }
                    };
                }
                Ok(value)
            }
            Operand::Range(ends) => self.range(&ends.0, &ends.1),
        }
    }

    fn range(&mut self, from: &Operand, to: &Operand) -> Result<Datum, Stop> {
        let (from, to) = (self.whole(from)?, self.whole(to)?);
        let length = to.saturating_sub(from).saturating_add(1).max(0);
        if usize::try_from(length).is_ok_and(|length| length <= ITEMS_MAX) {
            let numbers = (from..=to).map(Datum::Int);
            let range = Datum::list(numbers.collect());
            self.charge(range.weight())?;
            return Ok(range);
        }
        Err(Stop::Bound(format!("a range may have at most {ITEMS_MAX} numbers")))
    }

    /// The whole number that `operand` is; 0 where it is none.
    fn whole(&mut self, operand: &Operand) -> Result<i64, Stop> {
        let value = self.operand(operand)?;
        self.charge(value.weight())?;
        let number =
            value.number().as_ref().and_then(crate::expression::library::operators::to_integer);
        Ok(number.and_then(|number| i64::try_from(number).ok()).unwrap_or(0))
    }

    fn variable(&self, name: &str) -> Datum {
        let mut locals = self.locals.iter().rev();
        if let Some((_, value)) = locals.find(|(known, _)| &**known == name) {
            return value.clone();
        }
        if let Some(value) = self.assigned.get(name) {
            return value.clone();
        }
        if let Some(counter) = self.counters.get(name) {
            return Datum::Int(*counter);
        }
        match name {
            "body" => self.bound.body.clone(),
            "context" => self.bound.context.clone(),
            _ => Datum::Nil,
        }
    }

    fn holds(&mut self, condition: &Condition) -> Result<bool, Stop> {
        match condition {
            Condition::Holds(operand) => Ok(self.operand(operand)?.is_true()),
            Condition::Not(inner) => Ok(!self.holds(inner)?),
            Condition::Both(pair) => Ok(self.holds(&pair.0)? && self.holds(&pair.1)?),
            Condition::Either(pair) => Ok(self.holds(&pair.0)? || self.holds(&pair.1)?),
            Condition::Compares(Operand::Empty, relation, right) => {
                let right = self.operand(right)?;
                self.compares(&right, *relation, &Operand::Empty)
            }
            Condition::Compares(left, relation, right) => {
                let left = self.operand(left)?;
                self.compares(&left, *relation, right)
            }
        }
    }

    fn compares(&mut self, left: &Datum, how: Relation, right: &Operand) -> Result<bool, Stop> {
        use std::cmp::Ordering as O;
        let is_empty = matches!(right, Operand::Empty);
        let right = self.operand(right)?;
        self.charge(left.weight().saturating_add(right.weight()))?;
        let ordered = |wanted: [O; 2]| left.order(&right).is_some_and(|it| wanted.contains(&it));
        let texts = || (left.shown(), right.shown());
        let is_text = !matches!(left, Datum::Nil) && !matches!(right, Datum::Nil);
        Ok(match how {
            Relation::Equal if is_empty => left.is_empty(),
            Relation::Unequal if is_empty => !left.is_empty(),
            Relation::Equal => left.equals(&right),
            Relation::Unequal => !left.equals(&right),
            Relation::Less => ordered([O::Less, O::Less]),
            Relation::Greater => ordered([O::Greater, O::Greater]),
            Relation::AtMost => ordered([O::Less, O::Equal]),
            Relation::AtLeast => ordered([O::Greater, O::Equal]),
            Relation::Contains => match left {
                Datum::Text(text) => is_text && text.contains(&*right.shown()),
                Datum::List(list) => list.items.iter().any(|item| item.equals(&right)),
                Datum::Object(object) => object.members.contains_key(&*right.shown()),
                other => other.items().iter().any(|item| item.equals(&right)),
            },
            Relation::StartsWith => is_text && texts().0.starts_with(&*texts().1),
            Relation::EndsWith => is_text && texts().0.ends_with(&*texts().1),
            Relation::HasKey => match left {
                Datum::Object(object) => object.members.contains_key(&*right.shown()),
                _ => false,
            },
            Relation::HasValue => match left {
                Datum::Object(object) => object.members.values().any(|it| it.equals(&right)),
                _ => false,
            },
        })
    }

    fn write(&mut self, text: &str) -> Result<(), Stop> {
        self.charge(text.len())?;
        self.out.push_str(text);
        self.bounded()
    }

    fn bounded(&self) -> Result<(), Stop> {
        if self.out.len() <= OUTPUT_BYTES_MAX { Ok(()) } else { Err(too_long()) }
    }

    /// Takes `work` out of what the template may do.
    fn charge(&mut self, work: usize) -> Result<(), Stop> {
        self.work = self.work.saturating_add(work);
        if self.work <= WORK_MAX {
            return Ok(());
        }
        Err(Stop::Bound("it takes too long".to_owned()))
    }

    fn round(&mut self) -> Result<(), Stop> {
        self.rounds = self.rounds.saturating_add(1);
        if self.rounds <= ROUNDS_MAX {
            return Ok(());
        }
        Err(Stop::Bound(format!("its loops make more than {ROUNDS_MAX} rounds")))
    }
}
