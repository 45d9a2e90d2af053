//! What is said of a member that is not there.

use crate::expression::ast::Name;
use crate::expression::check::Checker;
use crate::expression::members::{self, MemberKind};
use crate::expression::types::Type;

impl Checker {
    pub(super) fn no_member(&mut self, ty: &Type, name: &Name, called: bool) {
        let text = &name.text;
        if let Type::Nullable(inner) = ty {
            let message = format!("{ty} has no member `{text}`");
            let known =
                !members::candidates(inner, text, &[MemberKind::Method, MemberKind::Property])
                    .is_empty();
            let remedy = known.then(|| format!("write `?.{text}` or `.Value.{text}`"));
            self.wrong(&name.span, message, remedy);
            return;
        }
        let other = [if called { MemberKind::Property } else { MemberKind::Method }];
        if !members::candidates(ty, text, &other).is_empty() {
            let (message, remedy) = if called {
                (format!("`{text}` of {ty} is not a method"), "leave out the parentheses")
            } else {
                (format!("`{text}` of {ty} is a method"), "call it: add `()`")
            };
            self.wrong(&name.span, message, Some(remedy.to_owned()));
            return;
        }
        if *ty == Type::Object {
            let message = format!("object has no member `{text}`");
            let remedy = format!("cast it first, for example `((string)…).{text}`");
            self.wrong(&name.span, message, Some(remedy));
            return;
        }
        let known = members::names(ty, false);
        let message = if ty.is_open() || *ty == Type::Void {
            format!("this gives nothing that has a member `{text}`")
        } else {
            format!("{ty} has no member `{text}`")
        };
        self.unknown_name(name, message, &known);
    }

    pub(super) fn no_static_member(&mut self, ty: &Type, name: &Name, called: bool) {
        let text = &name.text;
        let other = [if called { MemberKind::StaticProperty } else { MemberKind::StaticMethod }];
        if !members::candidates(ty, text, &other).is_empty() {
            let (what, remedy) = if called {
                ("is not a method", "leave out the parentheses")
            } else {
                ("is a method", "call it: add `()`")
            };
            let message = format!("`{text}` of {ty} {what}");
            self.wrong(&name.span, message, Some(remedy.to_owned()));
            return;
        }
        let instance = [MemberKind::Method, MemberKind::Property];
        if !members::candidates(ty, text, &instance).is_empty() {
            let message = format!("`{text}` belongs to a value of {ty}, not to the type");
            self.wrong(&name.span, message, Some(format!("write `value.{text}`")));
            return;
        }
        let known = members::names(ty, true);
        self.unknown_name(name, format!("{ty} has no static member `{text}`"), &known);
    }
}
