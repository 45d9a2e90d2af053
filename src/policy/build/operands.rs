//! From the texts of a document to operands: constants, and expressions that are compiled.

use std::sync::Arc;

use super::references::By;
use super::{Builder, secrets};
use crate::certificate::known::Named;
use crate::expression::{self, Expression, Wrong};
use crate::fault::{Fault, Place};
use crate::policy::liquid::Template;
use crate::policy::markup::{Element, Text};
use crate::policy::operand::{Computed, Operand, Term};
use crate::policy::program::Needs;

impl Builder<'_> {
    /// The operand that attribute `name` of `element` gives.
    pub fn attribute<T: Term>(&mut self, element: &Element, name: &str) -> Option<Operand<T>> {
        let attribute = element.attribute(name)?;
        let what = format!("`{name}`");
        self.operand(&attribute.value, &what)
    }

    /// The operand that the text inside of `element` gives.
    pub fn content_operand<T: Term>(
        &mut self,
        element: &Element,
        what: &str,
    ) -> Option<Operand<T>> {
        if let Some(text) = element.text_content() {
            return self.operand(&text, what);
        }
        let message = format!("`{}` holds elements where text belongs", element.name);
        self.fault(element, message, "put the text into <![CDATA[…]]>");
        None
    }

    /// The body that stands inside of `element`: text, an expression, or markup as it is written.
    pub fn body_operand<T: Term>(&mut self, element: &Element) -> Option<Operand<T>> {
        let text = element.text_content().unwrap_or_else(|| element.inner_markup());
        self.operand(&text, "the body")
    }

    /// The template that stands inside of `element`: text, or markup as it is written.
    pub fn template(&mut self, element: &Element) -> Option<Template> {
        let text = element.text_content().unwrap_or_else(|| element.inner_markup());
        if text.is_broken() {
            return None;
        }
        if text.is_expression() {
            let fault = Fault::new(text.place(), "a template may not be an expression");
            let remedy = "write the template itself, or take template=\"liquid\" out";
            self.faults.push(fault.mend(remedy));
            return None;
        }
        match Template::parse(text.as_str(), text.is_secret()) {
            Ok(template) => Some(template),
            Err(wrong) if text.is_secret() => {
                self.faults.push(secrets::wrong_template(text.place_at(wrong.offset)));
                None
            }
            Err(wrong) => {
                self.faults.push(fault(text.place_at(wrong.offset), wrong));
                None
            }
        }
    }

    /// The operand that `text` gives; `what` names it in messages.
    pub fn operand<T: Term>(&mut self, text: &Text, what: &str) -> Option<Operand<T>> {
        if text.is_expression() {
            return self.expression(text, what);
        }
        if text.is_broken() || self.is_unknown(text) {
            return None;
        }
        if let Some(place) = text.stray_expression() {
            let fault = Fault::new(place, format!("{what} mixes text with an expression"));
            self.faults.push(fault.mend("make all of it one expression, such as @(\"a\" + b)"));
            return None;
        }
        match T::from_literal(text.as_str()) {
            Ok(value) => Some(Operand::Constant(value)),
            Err(expected) => {
                let message = format!("{what} is not {expected}");
                self.faults.push(Fault::new(text.place(), message).wide(text.width()));
                None
            }
        }
    }

    /// The constant that attribute `name` of `element` gives: no expression is allowed there.
    pub fn literal<T: Term>(&mut self, element: &Element, name: &str) -> Option<T> {
        match self.attribute::<T>(element, name)? {
            Operand::Constant(value) => Some(value),
            // The catalogue says that no expression is allowed, and that was reported.
            Operand::Computed(_) => None,
        }
    }

    /// The certificate that the attribute `name` of `element` names as `text`; a fault at its value
    /// if there is none.
    pub fn certificate(
        &mut self,
        element: &Element,
        name: &str,
        by: By,
        text: &str,
    ) -> Option<Named> {
        let value = &element.attribute(name)?.value;
        if value.is_secret() && by.find(&self.references.certificates, text).is_none() {
            let message = format!("no certificate has the {} that the secret says", by.words());
            self.faults.push(Fault::new(value.place(), message).mend("correct the named value"));
            return None;
        }
        self.references.certificate(by, text, &value.place(), self.faults)
    }

    /// Whether the value cannot be seen: an assumed named value went into it, or, where documents
    /// are checked by themselves, it is a placeholder such as `{retries}` of whoever deploys them.
    fn is_unknown(&self, text: &Text) -> bool {
        if text.is_assumed() {
            return true;
        }
        let Some(assumed) = &self.references.assumed else {
            return false;
        };
        let word = text.as_str().trim();
        let Some(name) = word.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
            return false;
        };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if name.is_empty() || !name.bytes().all(plain) {
            return false;
        }
        assumed.borrow_mut().placeholders.insert(word.to_owned());
        true
    }

    fn expression<T: Term>(&mut self, text: &Text, what: &str) -> Option<Operand<T>> {
        let compiled = match expression::compile(text.expression(), T::EXPECTED) {
            Ok(compiled) => compiled,
            // What stands for an assumed named value may fit nowhere, unless it is within a string.
            Err(_wrongs) if is_code_assumed(text) => return None,
            Err(wrongs) if text.is_secret() => {
                let offset = wrongs.first().map_or(0, |wrong| wrong.offset);
                self.faults.push(secrets::wrong_expression(text.expression_place(offset)));
                return None;
            }
            Err(wrongs) => {
                for wrong in wrongs {
                    self.faults.push(fault(text.expression_place(wrong.offset), wrong));
                }
                return None;
            }
        };
        if let Some(value) = compiled.constant() {
            if text.is_assumed() {
                return None;
            }
            return match T::from_value(value.clone()) {
                Ok(value) => Some(Operand::Constant(value)),
                Err(expected) => {
                    let message = format!("{what} is not {expected}");
                    self.faults.push(Fault::new(text.place(), message).wide(text.width()));
                    None
                }
            };
        }
        self.needs = self.needs.and(reads(&compiled));
        let (place, is_secret) = (text.place(), text.is_secret());
        Some(Operand::Computed(Arc::new(Computed { expression: compiled, place, is_secret })))
    }
}

/// What is wrong at `place`.
fn fault(place: Place, wrong: Wrong) -> Fault {
    let mut fault = Fault::new(place, wrong.message).wide(wrong.length);
    fault.remedy = wrong.remedy;
    fault
}

/// What an expression reads.
fn reads(expression: &Expression) -> Needs {
    let reads = expression.reads();
    Needs {
        request_body: reads.request_body,
        response_body: reads.response_body,
        response: reads.response,
    }
}

/// Whether an assumed named value is more in an expression than a part of a string or a comment.
fn is_code_assumed(text: &Text) -> bool {
    text.assumed_in_expression().any(|at| expression::is_code_at(text.expression(), at))
}
