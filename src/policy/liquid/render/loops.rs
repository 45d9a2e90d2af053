//! `for`, `JSONArrayFor` and `tablerow`.

use std::sync::Arc;

use super::{Flow, Renderer};
use crate::policy::liquid::Stop;
use crate::policy::liquid::datum::{Datum, count};
use crate::policy::liquid::syntax::{Loop, Manner, Offset};

/// Where a loop stands.
#[derive(Clone, Copy)]
struct At {
    index: usize,
    length: usize,
    /// Cells in a row of a table.
    columns: usize,
}

impl Renderer {
    pub(super) fn looped(&mut self, looped: &Loop) -> Result<Flow, Stop> {
        let over = self.operand(&looped.over)?;
        self.charge(over.breadth().saturating_mul(16).saturating_add(over.weight()))?;
        let mut items = over.items();
        let offset = match &looped.offset {
            None => 0,
            Some(Offset::Continue) => self.ends.get(&looped.name).copied().unwrap_or(0),
            Some(Offset::After(operand)) => usize::try_from(self.whole(operand)?).unwrap_or(0),
        };
        let limit = match &looped.limit {
            Some(operand) => usize::try_from(self.whole(operand)?).unwrap_or(0),
            None => usize::MAX,
        };
        items = items.into_iter().skip(offset).take(limit).collect();
        let end = offset.saturating_add(items.len());
        self.ends.insert(Arc::clone(&looped.name), end);
        if looped.reversed {
            items.reverse();
        }
        let columns = match &looped.manner {
            Manner::Table(Some(columns)) => usize::try_from(self.whole(columns)?).unwrap_or(0),
            Manner::Plain | Manner::JsonArray | Manner::Table(None) => 0,
        };
        if items.is_empty() && !matches!(looped.manner, Manner::Table(_)) {
            return self.block(&looped.otherwise);
        }
        let length = items.len();
        let columns = if columns == 0 { length.max(1) } else { columns };
        let depth = self.locals.len();
        let result = self.rounds(looped, items, At { index: 0, length, columns });
        self.locals.truncate(depth);
        result?;
        Ok(Flow::Next)
    }

    fn rounds(&mut self, looped: &Loop, items: Vec<Datum>, mut at: At) -> Result<(), Stop> {
        let depth = self.locals.len();
        let is_table = matches!(looped.manner, Manner::Table(_));
        if is_table {
            self.write("<tr class=\"row1\">\n")?;
        }
        for item in items {
            self.round()?;
            self.locals.truncate(depth);
            self.locals.push((Arc::clone(&looped.variable), item));
            let name = if is_table { "tablerowloop" } else { "forloop" };
            self.locals.push((Arc::from(name), state(looped, at, is_table)));
            let column = (at.index % at.columns).saturating_add(1);
            if is_table {
                self.write(&format!("<td class=\"col{column}\">"))?;
            }
            let flow = self.block(&looped.body)?;
            at.index = at.index.saturating_add(1);
            if is_table {
                self.write("</td>")?;
                if column == at.columns && at.index < at.length {
                    let row = (at.index / at.columns).saturating_add(1);
                    self.write(&format!("</tr>\n<tr class=\"row{row}\">"))?;
                }
            }
            if flow == Flow::Break {
                break;
            }
            if matches!(looped.manner, Manner::JsonArray) && at.index < at.length {
                self.write(",")?;
            }
        }
        if is_table { self.write("</tr>\n") } else { Ok(()) }
    }
}

/// `forloop` and `tablerowloop`.
fn state(looped: &Loop, at: At, is_table: bool) -> Datum {
    let At { index, length, columns } = at;
    let number = |number: usize| Datum::Int(count(number));
    let left = length.saturating_sub(index);
    let mut members = vec![
        ("name", Datum::Text(Arc::clone(&looped.name))),
        ("length", number(length)),
        ("index", number(index.saturating_add(1))),
        ("index0", number(index)),
        ("rindex", number(left)),
        ("rindex0", number(left.saturating_sub(1))),
        ("first", Datum::Bool(index == 0)),
        ("last", Datum::Bool(left == 1)),
    ];
    if is_table {
        let column = index % columns;
        members.push(("col", number(column.saturating_add(1))));
        members.push(("col0", number(column)));
        members.push(("col_first", Datum::Bool(column == 0)));
        members.push(("col_last", Datum::Bool(column.saturating_add(1) == columns)));
    }
    Datum::object(members.into_iter().map(|(name, member)| (Arc::from(name), member)))
}
