//! Inference on simulated traffic, whose truth is known. Every failure names the seed of its run.

mod bounds;
mod filters;
mod nothing;
mod shown;
mod world;

use super::{Class, Conclusion};

/// The class that was found.
fn class(conclusion: &Conclusion) -> &Class {
    conclusion.class().unwrap_or_else(|| panic!("no class: {conclusion}"))
}
