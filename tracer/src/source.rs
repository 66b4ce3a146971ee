//! Where events come from: the live capture or traces, the same stream either way.

mod ahead;
#[cfg(feature = "ebpf")]
mod live;
#[cfg(feature = "ebpf")]
mod timer;

pub use ahead::{Ahead, Maker};
#[cfg(feature = "ebpf")]
pub use live::{Live, Stop};

/// A stream of events, or of what was made of them, each with the number of the node that it comes from.
pub trait Source {
    /// What comes.
    type Item;

    /// Replaces the contents of `batch` with what comes next, perhaps nothing for the moment; `false` at the end.
    ///
    /// # Errors
    /// When the capture or a trace cannot be read.
    fn next(&mut self, batch: &mut Vec<Self::Item>) -> impl Future<Output = anyhow::Result<bool>>;
}
