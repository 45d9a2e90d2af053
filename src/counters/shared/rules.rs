//! Terms as rules of the engine. Limits may come out of expressions, so a desk keeps the rules of
//! the terms that it met last.

use std::sync::Arc;
use std::time::Duration;

use crate::limit::engine::rule::{Certainty, Rule, Shape, Unfit};
use crate::limit::manner::{Mode, Windows};
use crate::limit::{Terms, Window};
use crate::time::Timestamp;

/// How many rules a desk keeps.
const RULES_MAX: usize = 64;

/// Fixed windows from this length on, and those that never end, are quotas.
const QUOTA_FROM: Duration = Duration::from_mins(5);

/// The rules that were asked for last; those that are asked for often stand in front.
#[derive(Debug, Default)]
pub(super) struct Rules {
    known: Vec<(Terms, Arc<Rule>)>,
    /// Whose place the next new one takes.
    hand: usize,
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
            None => self.learn(*terms, Arc::new(rule_of(terms)?)),
        };
        // It was just found or put there.
        self.known.get(place).map(|(_, rule)| rule).ok_or(Unfit::TooLarge)
    }

    fn learn(&mut self, terms: Terms, rule: Arc<Rule>) -> usize {
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

/// The rule of `terms`, or why there is none.
fn rule_of(terms: &Terms) -> Result<Rule, Unfit> {
    let manner = terms.manner;
    let certainty = match manner.mode {
        Mode::Fast { over } => Certainty::Fast { over: over.of(terms.limit) },
        Mode::Exact | Mode::Local => Certainty::Exact,
    };
    let rule = Rule::new(terms.limit, shape_of(terms))?;
    Ok(rule.certainty(certainty).on_loss(manner.loss).on_timeout(manner.max_wait, manner.late))
}

fn shape_of(terms: &Terms) -> Shape {
    let period = terms.period;
    match (terms.manner.windows, terms.window) {
        (Windows::Bucket { burst }, _) => Shape::Bucket { period, burst },
        (Windows::Fixed { origin }, _) | (Windows::OfTerms, Window::Fixed { origin }) => {
            fixed(period, origin)
        }
        // What never comes back slides nowhere.
        (Windows::Sliding, _) | (Windows::OfTerms, Window::Sliding) if period.is_zero() => {
            fixed(period, Timestamp::default())
        }
        (Windows::Sliding, _) | (Windows::OfTerms, Window::Sliding) => Shape::Sliding { period },
    }
}

fn fixed(period: Duration, origin: Timestamp) -> Shape {
    let origin = origin.since(Timestamp::default());
    if period.is_zero() || QUOTA_FROM <= period {
        Shape::Quota { period, origin }
    } else {
        Shape::Fixed { period, origin }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::manner::{Manner, Over};

    const MINUTE: Duration = Duration::from_mins(1);

    fn in_words(terms: &Terms) -> String {
        rule_of(terms).map_or_else(|unfit| unfit.to_string(), |rule| rule.bound_in_words())
    }

    fn held(windows: Windows, mode: Mode) -> Manner {
        Manner { mode, windows, ..Manner::USUAL }
    }

    #[test]
    fn terms_become_the_rule_they_mean() {
        let sliding = Terms::sliding(1_000, MINUTE);
        let fixed = |period| Terms::fixed(1_000, period, Timestamp::from_micros(7));
        let exact = held(Windows::OfTerms, Mode::Exact);
        assert!(in_words(&sliding).starts_with("at most 1010 in any 60 s, "));
        assert!(in_words(&sliding.held(exact)).starts_with("at most 1000 in any 60 s, "));
        let five = Mode::Fast { over: Over::Tokens(5) };
        let grid = Windows::Fixed { origin: Timestamp::default() };
        assert!(in_words(&sliding.held(held(grid, five))).starts_with("at most 1005 per 60 s"));
        let bucket = held(Windows::Bucket { burst: 50 }, Mode::Exact);
        assert!(in_words(&sliding.held(bucket)).starts_with("at most 50 at once and 1000 per"));
        assert!(matches!(shape_of(&fixed(MINUTE)), Shape::Fixed { .. }));
        assert!(matches!(shape_of(&fixed(QUOTA_FROM)), Shape::Quota { .. }));
        assert!(in_words(&fixed(Duration::ZERO).held(exact)).starts_with("at most 1000 in all"));
        let ever = Terms::sliding(1, Duration::ZERO);
        assert!(matches!(shape_of(&ever), Shape::Quota { .. }));
        assert!(in_words(&Terms::sliding(1, Duration::from_mins(6))).contains("300 s"));
    }

    #[test]
    fn rules_are_kept_and_bounded() {
        let mut rules = Rules::default();
        let often = Terms::sliding(1, MINUTE);
        for limit in 0..1_000 {
            let rule = Arc::clone(rules.of(&often).unwrap());
            assert!(Arc::ptr_eq(&rule, rules.of(&often).unwrap()));
            assert_eq!(rules.of(&Terms::sliding(limit, MINUTE)).unwrap().limit(), limit);
            assert!(rules.known.len() <= RULES_MAX);
        }
        assert!(rules.of(&Terms::sliding(1, Duration::from_millis(1))).is_err());
    }
}
