//! `top`: what happens on a node now, by pod, destination and cause, with the picture of the ports.
//!
//! `counts` is what the pipeline fills, `state` what the user has chosen; both are pure. `screen` draws them, `terminal` owns the
//! terminal, in a thread of its own, so that a slow one holds up no capture.

mod counts;
mod screen;
mod state;
mod terminal;

#[cfg(test)]
mod tests;

pub use terminal::{SharedCounts, Terminal, force_back};
