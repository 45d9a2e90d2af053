//! `switch` statements, and the ways between their sections.

use super::flow::completes;
use super::pattern::Seen;
use super::{Checker, Jumps};
use crate::expression::ast::statement as written;
use crate::expression::ast::{Expr, Pattern, Span};
use crate::expression::eval::node::{Node, Section, Statement, Test};
use crate::expression::library::operators::equal;
use crate::expression::types::Type;

impl Checker {
    pub(super) fn switch(&mut self, value: &Expr, sections: &[written::Section]) -> Statement {
        let value = self.value(value);
        let ty = value.ty.clone();
        let value = self.converted(value, &Type::Object);
        self.around.jumps.push(Jumps { ty: ty.clone(), cases: Vec::new() });
        let mut seen = Seen::default();
        let sections: Vec<Section> = sections
            .iter()
            .map(|section| {
                let section_span = section.body.span.clone();
                let checked = self.scoped(|checker| {
                    let labels = section.labels.iter().map(|(pattern, guard)| {
                        if pattern.is_none() && std::mem::replace(&mut seen.default, true) {
                            let message = "a switch has one `default`, and it was there before";
                            checker.wrong(&section_span, message, None);
                        }
                        let guarded = guard.is_some();
                        let test = pattern.as_ref();
                        let test = test.map(|p| checker.case(p, guarded, &ty, &mut seen));
                        (test, guard.as_ref().map(|guard| checker.condition(guard)))
                    });
                    let labels = labels.collect();
                    let body = checker.statements(&section.body.statements);
                    Section { labels, body }
                });
                if completes(&checked.body) {
                    let remedy = Some("end it with `break;` or `return`".to_owned());
                    self.wrong(&section_span, "this case runs into the next one", remedy);
                }
                checked
            })
            .collect();
        let targets = self.targets(&sections);
        Statement::Switch(value, sections, targets)
    }

    /// `goto case …;` or `goto default;`: where it goes is known when all sections are.
    pub(super) fn goto(&mut self, case: Option<&Pattern>, span: &Span) -> Statement {
        let Some(ty) = self.around.jumps.last().map(|jumps| jumps.ty.clone()) else {
            self.wrong(span, "`goto` is only for the inside of a switch", None);
            return Statement::Break;
        };
        let case = case.map(|case| self.test(case, &ty));
        let Some(jumps) = self.around.jumps.last_mut() else { return Statement::Break };
        jumps.cases.push((case, span.clone()));
        Statement::Goto(jumps.cases.len().saturating_sub(1))
    }

    /// The sections that the `goto`s of the innermost switch go to, which ends here.
    fn targets(&mut self, sections: &[Section]) -> Vec<usize> {
        let cases = self.around.jumps.pop().map(|jumps| jumps.cases).unwrap_or_default();
        let mut targets = Vec::with_capacity(cases.len());
        for (case, span) in cases {
            let has =
                |section: &Section| section.labels.iter().any(|it| is_label(it, case.as_ref()));
            if let Some(place) = sections.iter().position(has) {
                targets.push(place);
            } else {
                let remedy = Some("go to a constant that is a `case`".to_owned());
                self.wrong(&span, "the switch has no such case to go to", remedy);
            }
        }
        targets
    }
}

/// Whether a label of a section is the one that `goto` names: a constant without a guard, or
/// `default`.
fn is_label((test, guard): &(Option<Test>, Option<Node>), case: Option<&Test>) -> bool {
    guard.is_none()
        && match (test, case) {
            (None, None) | (Some(Test::Null), Some(Test::Null)) => true,
            (Some(Test::Equal(label)), Some(Test::Equal(case))) => {
                match (label.constant(), case.constant()) {
                    (Some(label), Some(case)) => equal(label, case),
                    _ => false,
                }
            }
            _ => false,
        }
}
