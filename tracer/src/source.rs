//! Where events come from, the live capture, traces or packet captures, and the updates that the join makes of them: the same stream either
//! way.

mod ahead;
#[cfg(any(test, feature = "ebpf"))]
mod blindness;
#[cfg(any(test, feature = "ebpf"))]
mod forwarded;
mod joined;
#[cfg(feature = "ebpf")]
pub mod guard;
#[cfg(feature = "ebpf")]
mod live;
mod recordings;
mod tee;
#[cfg(feature = "ebpf")]
mod signals;
#[cfg(feature = "ebpf")]
mod timer;

pub use ahead::Ahead;
#[cfg(feature = "ebpf")]
pub use forwarded::Forwarded;
pub use joined::Joined;
#[cfg(feature = "ebpf")]
pub use live::{Live, Stop};
pub use recordings::open;
pub use tee::Tee;

/// A stream of events or of updates, each with the number of the node that it comes from.
pub trait Source {
    /// What comes.
    type Item;

    /// Replaces the contents of `batch` with what comes next, perhaps nothing for the moment; `false` at the end.
    ///
    /// # Errors
    /// When the capture or a trace cannot be read.
    fn next(&mut self, batch: &mut Vec<Self::Item>) -> impl Future<Output = anyhow::Result<bool>>;

    /// Reads no more events. What follows from those that were read still comes, then the end.
    fn stop(&mut self);
}

impl<S: Source> Source for &mut S {
    type Item = S::Item;

    async fn next(&mut self, batch: &mut Vec<S::Item>) -> anyhow::Result<bool> {
        S::next(self, batch).await
    }

    fn stop(&mut self) {
        S::stop(self);
    }
}
