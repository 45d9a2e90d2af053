//! Terms as rules of the engine. Limits may come out of expressions, so a desk keeps the rules of
//! the terms that it met last.

use std::sync::Arc;

use crate::limit::Terms;
use crate::limit::engine::census::millionths;
use crate::limit::engine::rule::{Rule, Unfit};

/// How many rules a desk keeps.
const RULES_MAX: usize = 64;

/// The rules that were asked for last; those that are asked for often stand in front.
#[derive(Debug, Default)]
pub(super) struct Rules {
    known: Vec<(Terms, Arc<Rule>)>,
    /// Whose place the next new one takes.
    hand: usize,
    /// The largest part of a limit that may be passed, in millionths.
    over_max: u64,
}

impl Rules {
    /// The rule of `terms`.
    pub(super) fn of(&mut self, terms: &Terms) -> Result<&Arc<Rule>, Unfit> {
        let place = match self.known.iter().position(|(known, _)| known == terms) {
            Some(0) => 0,
            Some(place) => {
                let nearer = place.saturating_sub(1);
                self.known.swap(nearer, place);
                nearer
            }
            None => self.learn(*terms, Arc::new(terms.rule()?)),
        };
        // It was just found or put there.
        self.known.get(place).map(|(_, rule)| rule).ok_or(Unfit::TooLarge)
    }

    /// The largest part of a limit that may be passed, in millionths, of all that were met.
    pub(super) const fn over_max(&self) -> u64 {
        self.over_max
    }

    fn learn(&mut self, terms: Terms, rule: Arc<Rule>) -> usize {
        self.over_max = self.over_max.max(millionths(rule.over(), rule.limit()));
        if self.known.len() < RULES_MAX {
            self.known.push((terms, rule));
            return self.known.len().saturating_sub(1);
        }
        // The front half stays: it is in use.
        self.hand = self.hand.saturating_add(1) % (RULES_MAX / 2);
        let place = self.hand.saturating_add(RULES_MAX / 2);
        if let Some(known) = self.known.get_mut(place) {
            *known = (terms, rule);
        }
        place
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn rules_are_kept_and_bounded() {
        let mut rules = Rules::default();
        let often = Terms::sliding(1, Duration::from_mins(1));
        for limit in 0..1_000 {
            let rule = Arc::clone(rules.of(&often).unwrap());
            assert!(Arc::ptr_eq(&rule, rules.of(&often).unwrap()));
            assert_eq!(
                rules.of(&Terms::sliding(limit, Duration::from_mins(1))).unwrap().limit(),
                limit
            );
            assert!(rules.known.len() <= RULES_MAX);
        }
        assert!(rules.of(&Terms::sliding(1, Duration::from_millis(1))).is_err());
    }
}
