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

use std::path::PathBuf;

use crate::pcap::{self, Opened, PacketOptions, Packets};
use crate::store::{self, Error, Merged, Reader, Recording, Sessions};

/// Opens files by their content. Each trace is a recording of its node; all packet captures together are one, of one node.
pub fn open(paths: &[PathBuf], options: &PacketOptions) -> Result<Merged, Error> {
    let (mut traces, mut captures) = (Sessions::default(), Vec::new());
    let keep_open = paths.len() <= store::max_open();
    for path in paths {
        match pcap::open(path, keep_open)? {
            Opened::Packets(unpacked) => captures.push(unpacked),
            Opened::Other(name, bytes) => traces.add(path, Reader::new(&name, bytes)?)?,
        }
    }
    let mut others: Vec<Box<dyn Recording>> = Vec::new();
    if !captures.is_empty() {
        others.push(Box::new(Packets::new(captures, options)?));
    }
    Ok(Merged::of(traces, others))
}

/// A stream of events or of updates, each with the number of the node that it comes from.
pub trait Source {
    type Item;

    /// Replaces the contents of `batch` with what comes next, perhaps nothing for the moment; `false` at the end.
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
