//! Patterns, and switches over them.

use super::node::{Arm, Node, Section, Test};
use super::{Flow, Machine, operate};
use crate::expression::library::operators;
use crate::expression::types::is_instance;
use crate::expression::value::Value;
use crate::expression::value::thrown::Thrown;

impl<'s> Machine<'s> {
    pub(super) fn test(&mut self, test: &'s Test, value: &Value) -> Result<bool, Thrown> {
        Ok(match test {
            Test::Equal(node) => {
                let wanted = self.value(node)?;
                // A value in an `object` has its type: 5 is no 5L. A token stands for its value.
                match value {
                    Value::Token(token) => {
                        operators::equal(&Value::Json(token.json.clone()), &wanted)
                    }
                    Value::Json(_) => operators::equal(value, &wanted),
                    _ => operators::equals(value, &wanted),
                }
            }
            Test::Type(ty, slot) => {
                let found = is_instance(value, ty);
                if found && let Some(slot) = slot {
                    self.set_slot(*slot, value.clone());
                }
                found
            }
            Test::Anything(slot) => {
                if let Some(slot) = slot {
                    self.set_slot(*slot, value.clone());
                }
                true
            }
            Test::Null => value.is_null(),
            Test::Not(inner) => !self.test(inner, value)?,
            Test::Relation(operator, node) => {
                let wanted = self.value(node)?;
                // A value of another kind does not match; it is no error.
                operate::binary(*operator, value, &wanted)
                    .is_ok_and(|held| matches!(held, Value::Bool(true)))
            }
            Test::Or(parts) => {
                for part in parts {
                    if self.test(part, value)? {
                        return Ok(true);
                    }
                }
                false
            }
            Test::And(parts) => {
                for part in parts {
                    if !self.test(part, value)? {
                        return Ok(false);
                    }
                }
                true
            }
        })
    }

    pub(super) fn switch_value(
        &mut self,
        value: &'s Node,
        arms: &'s [Arm],
    ) -> Result<Value, Thrown> {
        let value = self.value(value)?;
        for arm in arms {
            if self.test(&arm.test, &value)? && self.guard(arm.guard.as_ref())? {
                return self.value(&arm.value);
            }
        }
        Err(Thrown::invalid_operation(
            "Non-exhaustive switch expression failed to match its input.",
        ))
    }

    fn guard(&mut self, guard: Option<&'s Node>) -> Result<bool, Thrown> {
        guard.map_or(Ok(true), |guard| self.condition(guard))
    }

    pub(super) fn switch(
        &mut self,
        value: &'s Node,
        sections: &'s [Section],
        targets: &'s [usize],
    ) -> Result<Flow, Thrown> {
        let value = self.value(value)?;
        let mut default = None;
        for section in sections {
            for (test, guard) in &section.labels {
                let Some(test) = test else {
                    default = Some(section);
                    continue;
                };
                if self.test(test, &value)? && self.guard(guard.as_ref())? {
                    return self.sections(section, sections, targets);
                }
            }
        }
        default.map_or(Ok(Flow::Next), |section| self.sections(section, sections, targets))
    }

    /// Runs `section`, and those that its `goto`s go to. Steps bound it.
    fn sections(
        &mut self,
        mut section: &'s Section,
        sections: &'s [Section],
        targets: &'s [usize],
    ) -> Result<Flow, Thrown> {
        loop {
            let flow = self.block(&section.body)?;
            let Flow::Goto(target) = flow else {
                return Ok(if matches!(flow, Flow::Break) { Flow::Next } else { flow });
            };
            let Some(next) = targets.get(target).and_then(|place| sections.get(*place)) else {
                return Ok(Flow::Next);
            };
            section = next;
        }
    }
}
