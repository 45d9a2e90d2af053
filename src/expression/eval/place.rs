//! Assignments: to variables, and to members of values.

use super::node::{Change, Found, How, Place, Update};
use super::{Machine, convert, operate};
use crate::expression::ast::BinaryOperator;
use crate::expression::value::Value;
use crate::expression::value::thrown::Thrown;

impl<'s> Machine<'s> {
    pub(super) fn update(&mut self, update: &'s Update) -> Result<Value, Thrown> {
        match &update.place {
            Place::Slot(slot) => {
                let before = self.slot(*slot);
                let after = self.changed(update, &before)?;
                if let Some(after) = &after {
                    self.set_slot(*slot, after.clone());
                }
                Ok(if update.old { before } else { after.unwrap_or(before) })
            }
            Place::Member { target, arguments, get, set } => {
                let target = self.value(target)?;
                if target.is_null() {
                    return Err(Thrown::null_reference());
                }
                let mut all = vec![target];
                for argument in arguments {
                    all.push(self.value(argument)?);
                }
                self.update_member(update, all, get, set)
            }
        }
    }

    fn update_member(
        &mut self,
        update: &'s Update,
        mut all: Vec<Value>,
        get: &Found,
        set: &Found,
    ) -> Result<Value, Thrown> {
        let indexed = all.len() > 1;
        let before = match get {
            Found::Nothing => Value::Null,
            Found::Member(member) => self.run_member(member, &all, &[])?,
            Found::Dynamic(name) => {
                let how = if indexed { How::Index } else { How::Get };
                self.dynamic(name, how, all.clone(), &[])?
            }
        };
        let Some(after) = self.changed(update, &before)? else { return Ok(before) };
        all.push(after.clone());
        match set {
            Found::Nothing => {}
            Found::Member(member) => {
                self.run_member(member, &all, &[])?;
            }
            Found::Dynamic(name) => {
                let how = if indexed { How::SetIndex } else { How::Set };
                self.dynamic(name, how, all, &[])?;
            }
        }
        Ok(if update.old { before } else { after })
    }

    /// The value after the change; none if there is no change.
    fn changed(&mut self, update: &'s Update, before: &Value) -> Result<Option<Value>, Thrown> {
        let after = match &update.change {
            Change::Coalesce(_) if !before.is_null() => return Ok(None),
            Change::Set(value) | Change::Coalesce(value) => self.value(value)?,
            Change::Operate(operator, value) => {
                let value = self.value(value)?;
                self.computed(update, *operator, before, &value)?
            }
            Change::Checked(operator, value) => {
                let after = operate::checked(*operator, before, &self.value(value)?)?;
                return operate::exact(after, &update.to).map(Some);
            }
        };
        Ok(Some(convert::convert(after, &update.to)?))
    }

    fn computed(
        &mut self,
        update: &'s Update,
        operator: BinaryOperator,
        before: &Value,
        value: &Value,
    ) -> Result<Value, Thrown> {
        let after = operate::binary(operator, before, value)?;
        // A string that is added to null is a string.
        let after = if operator == BinaryOperator::Add
            && update.to == crate::expression::types::Type::String
            && after.is_null()
        {
            Value::text("")
        } else {
            after
        };
        if let Value::String(_) = after {
            self.charge(&after)?;
        }
        Ok(after)
    }
}
