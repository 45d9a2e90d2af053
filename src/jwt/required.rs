//! Claims that a token must have, as `required-claims` of `validate-jwt` says it.

use serde_json::Value;

use super::Refusal;
use super::claims::Claims;

/// A claim that a token must have.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RequiredClaim {
    /// Its name.
    pub name: String,
    /// The values that it must have; with none it must only be there.
    pub values: Vec<String>,
    /// Whether every one of these values must be there, and not only one of them.
    pub every: bool,
    /// What parts the values within one text, such as the space in `scope`.
    pub separator: Option<String>,
}

impl RequiredClaim {
    /// Whether `claims` have it; why not, if not.
    pub fn holds(&self, claims: &Claims) -> Result<(), Refusal> {
        let Some(claim) = claims.get(&self.name).filter(|claim| !claim.is_null()) else {
            return Err(Refusal::ClaimNotFound(self.name.clone()));
        };
        let items = match claim.as_array() {
            Some(items) => items.as_slice(),
            None => std::slice::from_ref(claim),
        };
        let is_there = |value: &String| items.iter().any(|item| self.is_in(item, value));
        let holds = if self.every || self.values.is_empty() {
            self.values.iter().all(is_there)
        } else {
            self.values.iter().any(is_there)
        };
        if holds { Ok(()) } else { Err(Refusal::ClaimValue(self.name.clone())) }
    }

    /// Whether `value` is `item`, or one of its parts.
    fn is_in(&self, item: &Value, value: &str) -> bool {
        match (item, self.separator.as_deref().filter(|separator| !separator.is_empty())) {
            (Value::String(text), Some(separator)) => text.split(separator).any(|it| it == value),
            (Value::String(text), None) => text == value,
            // Numbers, `true` and the like, as JSON writes them.
            (other, _) => {
                let written = other.to_string();
                written == value
            }
        }
    }
}
