//! The table of docs/explanation/rotation.md as a model: the effect of each event on a version, the
//! services, their followers, and the copies. `walk` tries every interleaving on the model alone.
//! `replay` applies random events to the real programs on a real file system, with a real OpenBao,
//! and compares.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "an error in a helper fails its test"
)]

mod events;
mod host;
mod replay;
mod simulated;
mod walk;
