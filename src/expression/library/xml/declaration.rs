//! `XDeclaration`: the line that an XML document may begin with.

use std::sync::Arc;

use crate::expression::value::xml::Declaration;

/// What `document.Declaration` is for a declaration as it was written.
pub fn read(written: &str) -> Declaration {
    let part = |name: &str| -> Option<Arc<str>> {
        let (_, after) = written.split_once(name)?;
        let value = after.trim_start().strip_prefix('=')?.trim_start();
        let quote = value.chars().next().filter(|first| matches!(first, '"' | '\''))?;
        let (value, _) = value.get(1..)?.split_once(quote)?;
        Some(Arc::from(value))
    };
    Declaration {
        version: part("version"),
        encoding: part("encoding"),
        standalone: part("standalone"),
    }
}

/// `declaration.ToString()`.
pub fn text(declared: &Declaration) -> String {
    let mut out = "<?xml".to_owned();
    let parts = [
        ("version", &declared.version),
        ("encoding", &declared.encoding),
        ("standalone", &declared.standalone),
    ];
    for (name, value) in parts {
        if let Some(value) = value {
            for part in [" ", name, "=\"", value, "\""] {
                out.push_str(part);
            }
        }
    }
    out.push_str("?>");
    out
}
