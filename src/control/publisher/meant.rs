//! What is not published until somebody says that it is meant.

use super::{Ask, Publisher, Withheld};
use crate::configuration::guard::{Inventory, guard};
use crate::configuration::history::Wanted;
use crate::configuration::loader::Loaded;
use crate::telemetry::audit::{Change, Who};

impl Publisher {
    /// Publishes what the folder has now as `who` asks for it; the number of that, or why not.
    pub(super) fn publish(&mut self, ask: &Ask, who: &Who) -> Result<u64, String> {
        let before = self.standing.borrow().clone();
        let by = if who.operator.is_empty() { "somebody" } else { &who.operator };
        let wanted = Wanted { by: by.to_owned(), reason: ask.reason.clone() };
        self.look(true, Some((ask, wanted)));
        let after = self.standing.borrow().clone();
        let published = if after.generation != before.generation {
            Ok(after.generation.number)
        } else if let Some(fault) = after.faults.first() {
            Err(format!("the folder is refused: {fault}"))
        } else if let Some(withheld) = after.withheld {
            Err(if ask.force {
                format!("the folder has another configuration than was held back: {}", withheld.why)
            } else {
                format!("{}: say so with --force and a --reason", withheld.why)
            })
        } else if self.ledger.held() == self.content {
            Err("somebody went back from what the folder has: publish it with --force".to_owned())
        } else {
            Err("what the folder has is published already".to_owned())
        };
        let told = match &published {
            Ok(number) => number.to_string(),
            Err(why) => why.clone(),
        };
        who.changes(Change {
            what: "publish the folder",
            subject: &format!("{ask:?}"),
            before: &before.generation.to_string(),
            after: &told,
            is_done: published.is_ok(),
        });
        published
    }

    /// Whether `loaded` takes more away of what is offered than may go unsaid: what.
    pub(super) fn takes_away(&mut self, loaded: &Loaded) -> Option<String> {
        let newest = self.ledger.rows().last()?.digest.clone();
        if self.inventory.as_ref().is_none_or(|(digest, _inventory)| *digest != newest) {
            // A configuration that this version cannot read has nothing to be taken away.
            let bundle = self.ledger.newest().ok().flatten();
            let inventory = bundle.and_then(|(_, bundle)| Inventory::of_bundle(&bundle));
            self.inventory = Some((newest, inventory));
        }
        let old = self.inventory.as_ref()?.1.as_ref()?;
        let new = Inventory::of(loaded.config.as_ref().ok()?);
        guard(old, &new).err().map(|much| much.to_string())
    }

    /// Notes that what the folder has is not published, and why.
    pub(super) fn withhold(&self, digest: String, why: String) {
        let withheld = Withheld { digest, why };
        let mut is_known = false;
        self.standing.send_modify(|standing| {
            is_known = standing.withheld.as_ref() == Some(&withheld);
            standing.faults.clear();
            standing.withheld = Some(withheld.clone());
        });
        if !is_known {
            let (digest, why) = (withheld.digest, withheld.why);
            tracing::error!(
                digest,
                "the folder is not published: {why}. If it is meant: `weir control publish --force \
                 --reason …`"
            );
        }
    }
}
