//! The engine as it is, many times over, in a world of its own: replicas with clocks that err,
//! stop and crash, a primary that fails over and forgets, and a network that delays, loses, cuts
//! and delivers late. Each case is made from its seed alone; the rules of [`judge`] hold in all.
//!
//! `WEIR_SIMULATION_SEEDS=from..to cargo test --release every_case` runs other seeds.
//!
//! # What is checked, and where
//! | | must hold | checked by |
//! |---|---|---|
//! | 1 | no more is sold than the limit, in any window and any run of sub-windows | [`judge`]: `carried_out`, `conclude` |
//! | 2 | no debt is larger than it may be | `Judge::admitted` (`debt_max`), `conclude` |
//! | 3 | a token is spent only in its window, by the true time | `Judge::admitted` |
//! | 4 | no more is admitted than the bound of the mode, whatever fails | `Judge::conclude`; `failed_over` and `wiped` say what nobody can know |
//! | 5 | the own share is used only out of touch, when the others know, not after it was handed in, not by a life that began in the window | `Judge::admitted` |
//! | 6 | on the way back: hand in, lift, charge, and only then beat and buy | `Judge::speaks`, `Judge::buys` |
//! | 7 | no counter is below what a living witness saw | `Judge::carried_out` |
//! | 8 | ledgers count everything once, through crashes, with what journals hold | `Judge::audit` |
//! | 9 | what is held is used or given back, at once or when the response comes | `Judge::conclude` (`refunds`), `conserved` |
//! | 10 | nobody waits for longer than one may | `Judge::waited`, the end of `World::run` |
//! | 11 | tokens are spent, returned, expired or in hand | `Judge::conserved` |
//! | 12 | orders for each window are few | [`kinds`]: `a_window_costs_no_more_orders_than_is_said` |
//!
//! Of the engine as it stands seeds 0..10000 and 245000..255000 were run; of the one before alarms of
//! those who wait were set once for all of them, 0..225000.
//!
//! What a broken or hostile server may answer is in [`hostile`]; the faults of earlier drafts are in
//! [`regressions`].

mod chance;
mod plan;
mod world;
mod judge;
mod cases;
mod regressions;
mod kinds;
mod losses;
mod lending;
mod hostile;
