//! How limits are held that do not say it themselves.

use super::Validator;
use crate::configuration::document::{Amount, LimitHolding};
use crate::configuration::yaml::{Mark, Placed};
use crate::policy::limits::holding::{Holding, Word};

impl Validator<'_> {
    /// What `limits` says.
    pub(super) fn limits(&mut self) -> Holding {
        let mut holding = Holding::USUAL;
        let Some(limits) = &self.document.limits else {
            return holding;
        };
        let written = Word::ALL.into_iter().filter_map(|word| {
            let (text, mark) = written(&limits.value, word)?;
            (!mark.is_made_up()).then_some((word, text, mark))
        });
        let written: Vec<_> = written.collect();
        for (word, text, mark) in &written {
            if let Err(right) = holding.set(*word, text) {
                let message = format!("`{}` is `{text}`", word.key());
                self.fault(*mark, message, format!("write {right}"));
            }
        }
        for (word, _, mark) in &written {
            if let Some(why) = holding.idle(*word) {
                let message = format!("`{}` has no meaning here: {why}", word.key());
                self.fault(*mark, message, "take it out");
            }
        }
        holding
    }
}

/// What is written for `word`, and where.
fn written(limits: &LimitHolding, word: Word) -> Option<(String, Mark)> {
    let text = |placed: &Option<Placed<String>>| {
        placed.as_ref().map(|placed| (placed.value.clone(), placed.mark))
    };
    let flag = |placed: &Option<Placed<bool>>| {
        placed.as_ref().map(|placed| (placed.value.to_string(), placed.mark))
    };
    match word {
        Word::Mode => text(&limits.mode),
        Word::Overshoot => limits.overshoot.as_ref().map(|placed| {
            let Amount(amount) = &placed.value;
            (amount.clone(), placed.mark)
        }),
        Word::Window => text(&limits.window),
        Word::Burst => limits.burst.as_ref().map(|placed| (placed.value.to_string(), placed.mark)),
        Word::OnLoss => text(&limits.on_loss),
        Word::OnTimeout => text(&limits.on_timeout),
        Word::MaxWait => text(&limits.max_wait),
        Word::Durability => text(&limits.durability),
        Word::Horizon => text(&limits.horizon),
        Word::Counting => text(&limits.counting),
        Word::Shadow => flag(&limits.shadow),
        Word::Headers => flag(&limits.headers),
    }
}
