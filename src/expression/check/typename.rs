//! Types that are written.

use std::sync::Arc;

use super::Checker;
use crate::expression::ast::{TypeName, TypeSuffix};
use crate::expression::types::{Type, Unnamed, named, named_generic, nearest_type};

impl Checker {
    /// The type that `name` names; unknown, with a fault, if there is none.
    pub(super) fn named_type(&mut self, name: &TypeName) -> Type {
        let mut ty = self.bare_type(name);
        for suffix in &name.suffixes {
            ty = match suffix {
                TypeSuffix::Nullable => ty.nullable(),
                TypeSuffix::Array => ty.array(),
            };
        }
        ty
    }

    fn bare_type(&mut self, name: &TypeName) -> Type {
        let arguments: Vec<Type> =
            name.arguments.iter().map(|part| self.named_type(part)).collect();
        if name.path.is_empty() {
            let names = name.names.iter().map(|name| name.as_deref().map(Arc::from));
            return Type::Tuple(names.zip(arguments).collect());
        }
        let found = if arguments.is_empty() {
            named(&name.path)
        } else {
            named_generic(&name.path, arguments)
        };
        found.unwrap_or_else(|why| {
            self.no_type(name, why);
            Type::Unknown
        })
    }

    fn no_type(&mut self, name: &TypeName, why: Unnamed) {
        let path = &name.path;
        match why {
            Unnamed::NoSuchType => {
                let near = nearest_type(path).filter(|near| *near != &**path);
                let remedy = near.map(|near| format!("did you mean `{near}`?"));
                self.wrong(&name.span, format!("there is no type `{path}`"), remedy);
            }
            Unnamed::WrongArguments(0) => {
                self.wrong(&name.span, format!("`{path}` takes no type arguments"), None);
            }
            Unnamed::WrongArguments(1) => {
                let remedy = Some(format!("write `{path}<T>` with the type of its items"));
                self.wrong(&name.span, format!("`{path}` needs one type argument"), remedy);
            }
            Unnamed::WrongArguments(count) => {
                let message = format!("`{path}` needs {count} type arguments");
                self.wrong(&name.span, message, None);
            }
        }
    }
}
