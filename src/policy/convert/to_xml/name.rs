//! Names of elements and attributes: which have a prefix, and what XML lets stand in them.

use std::fmt::Write as _;
use std::sync::Arc;

/// How many prefixes are known at a time: each name is compared with all.
const PREFIXES_MAX: usize = 256;

/// How names are read, and the prefixes that are declared here and around.
pub(super) struct Names {
    separator: Arc<str>,
    /// What begins the members that declare namespaces.
    declaring: Option<Arc<str>>,
    prefixes: Vec<String>,
}

/// What a member declares a namespace for.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Declared {
    /// Names without a prefix.
    Bare,
    /// Names with this prefix.
    Prefix(String),
}

impl Declared {
    /// The prefix.
    pub(super) fn prefix(self) -> Option<String> {
        match self {
            Self::Bare => None,
            Self::Prefix(prefix) => Some(prefix),
        }
    }

    /// The attribute that declares it.
    pub(super) fn attribute(&self) -> String {
        match self {
            Self::Bare => "xmlns".to_owned(),
            Self::Prefix(prefix) => format!("xmlns:{prefix}"),
        }
    }
}

impl Names {
    pub(super) const fn new(separator: Arc<str>, declaring: Option<Arc<str>>) -> Self {
        Self { separator, declaring, prefixes: Vec::new() }
    }

    /// What a member declares a namespace for, if it does.
    pub(super) fn declares(&self, name: &str) -> Option<Declared> {
        let rest = name.strip_prefix(&**self.declaring.as_ref()?)?;
        if rest.is_empty() {
            return Some(Declared::Bare);
        }
        let prefix = rest.strip_prefix(&*self.separator).filter(|prefix| !prefix.is_empty())?;
        Some(Declared::Prefix(encoded(prefix)))
    }

    /// How many prefixes are declared.
    pub(super) const fn depth(&self) -> usize {
        self.prefixes.len()
    }

    /// Declares a prefix, if it is one; of more than [`PREFIXES_MAX`], none.
    pub(super) fn enter(&mut self, prefix: Option<String>) {
        if let Some(prefix) = prefix
            && self.prefixes.len() < PREFIXES_MAX
            && !self.prefixes.contains(&prefix)
        {
            self.prefixes.push(prefix);
        }
    }

    /// Forgets what was declared since there were `depth`.
    pub(super) fn forget(&mut self, depth: usize) {
        self.prefixes.truncate(depth);
    }

    /// The name as XML has it.
    pub(super) fn written(&self, name: &str) -> String {
        if name == "xmlns" || name == "xml:lang" || name == "xml:space" {
            return name.to_owned();
        }
        // What was read from XML has its colon.
        for separator in [&*self.separator, ":"] {
            let halves = name.split_once(separator).filter(|_| !separator.is_empty());
            if let Some((prefix, local)) = halves
                && !local.is_empty()
            {
                let is_declaring = separator == ":" && prefix == "xmlns";
                if is_declaring || self.prefixes.iter().any(|known| known == prefix) {
                    return format!("{prefix}:{}", encoded(local));
                }
            }
        }
        encoded(name)
    }
}

/// `name` without what cannot stand in a name: `_x0020_` for a space.
pub(super) fn encoded(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for (place, next) in name.chars().enumerate() {
        let starts = next.is_alphabetic() || next == '_';
        let follows = next.is_alphanumeric() || "-.\u{b7}".contains(next);
        if starts || (place > 0 && follows) {
            out.push(next);
        } else {
            // A string takes all.
            let _ = write!(out, "_x{:04X}_", u32::from(next));
        }
    }
    if out.is_empty() { "_".to_owned() } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_stand_in_a_name_is_encoded() {
        for (name, written) in
            [("a b", "a_x0020_b"), ("1a", "_x0031_a"), ("a:b", "a_x003A_b"), ("é", "é"), ("", "_")]
        {
            assert_eq!(encoded(name), written);
        }
    }

    #[test]
    fn a_prefix_counts_where_it_is_declared() {
        let mut names = Names::new(Arc::from("_"), Some(Arc::from("xmlns")));
        assert_eq!(names.declares("xmlns"), Some(Declared::Bare));
        assert_eq!(names.declares("xmlns_p"), Some(Declared::Prefix("p".to_owned())));
        assert_eq!((names.declares("xmlns_"), names.declares("xmlnsp")), (None, None));
        assert_eq!(names.written("p_name"), "p_name");
        names.enter(Some("p".to_owned()));
        assert_eq!(names.written("p_name"), "p:name");
        assert_eq!(names.written("p_a b"), "p:a_x0020_b");
        names.forget(0);
        assert_eq!(names.written("p_name"), "p_name");
    }
}
