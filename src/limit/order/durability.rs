//! Who must have what was sold before it may be spent.

use crate::limit::order::Order;

/// Who must have what was sold before it may be spent.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub enum Durability {
    /// The primary.
    #[default]
    Memory,
    /// A replica too, if one says so in time; else the primary will do.
    WhenPossible,
    /// A replica too: what none has confirmed is not spent.
    Replicated,
}

impl Order {
    /// Who must have what it sells before it is answered.
    pub const fn durability(&self) -> Durability {
        if let Self::Ledger(ledger) = self { ledger.durability } else { Durability::Memory }
    }
}
