//! The engine as it is, many times over, in a world of its own: replicas with clocks that err,
//! stop and crash, a primary that fails over and forgets, and a network that delays, loses, cuts
//! and delivers late. Each case is made from its seed alone; the rules of [`judge`] hold in all.
//!
//! `WEIR_SIMULATION_SEEDS=from..to cargo test --release every_case` runs other seeds.

mod chance;
mod plan;
mod world;
mod judge;
mod cases;
mod regressions;
mod kinds;
mod losses;
mod lending;
