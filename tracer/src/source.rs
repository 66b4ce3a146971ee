//! Where events come from: the live capture or traces, the same stream either way.

mod ahead;
#[cfg(feature = "ebpf")]
mod live;
#[cfg(feature = "ebpf")]
mod timer;

use tracer_common::Event;

pub use ahead::Ahead;
#[cfg(feature = "ebpf")]
pub use live::{Live, Stop};

/// A stream of events, each with the number of the node that it comes from.
pub trait Source {
    /// Replaces the contents of `batch` with the next events; `false` when there are no more.
    ///
    /// # Errors
    /// When the capture or a trace cannot be read.
    fn next(&mut self, batch: &mut Vec<(u32, Event)>) -> impl Future<Output = anyhow::Result<bool>>;
}
