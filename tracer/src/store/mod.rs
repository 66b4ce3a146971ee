//! The trace: the recorded file of events. Format, writer, reader, merge. `docs/trace.md` has every byte.
//!
//! In short: a head (magic, version), a frame with the capture as JSON, then one frame for each block of events, at the
//! end a frame that says the recording was finished. Each frame has a header with lengths, times, its number and CRC-32C
//! of itself and of its payload, so a damaged one is skipped and the next one found by its marker. A block is
//! compressed as a whole and stands for itself: times are deltas, addresses and flows are written once and then
//! referred to. Frames are only ever appended, each with one write(2), at least every half second of events: a killed
//! recorder or a full disk costs no more than that.
//!
//! From bottom to top: `varint`, `frame`, `kinds` (one event each), `block` (items and tables), `input`, `beginning`, `blocks`, `reader`,
//! `session` (the parts of one recording), `recording`, `merged`; on the other side `target`, `rotation`,
//! `files`, `abandoned`, `watched` (what a later part begins with), `appender`, `writer`.

mod abandoned;
mod appender;
mod beginning;
mod block;
mod blocks;
mod error;
mod files;
mod frame;
mod input;
mod kinds;
mod merged;
mod reader;
mod recording;
mod report;
mod rotation;
mod session;
mod target;
mod varint;
mod watched;
mod writer;

#[cfg(test)]
mod tests;

pub use abandoned::recover;
pub use appender::Written;
pub use blocks::Blocks;
pub use error::Error;
pub(crate) use input::Input;
pub use merged::{Merged, Sessions, max_open};
pub use reader::{Reader, open};
pub use recording::Recording;
pub use report::ReadReport;
pub use rotation::Rotation;
#[cfg(feature = "ebpf")]
pub(crate) use target::open_output;
pub(crate) use target::{create, create_later, create_text, partial};
pub use writer::Writer;

/// A newer major version is refused.
pub const MAJOR: u16 = 1;
/// A newer minor version is read, what is not understood is skipped and counted.
pub const MINOR: u16 = 11;
/// What a path is called that means standard input or output.
pub const STDIO: &str = "-";
/// Events that are handed on at once: few enough to stay in the CPU's cache, and so many that handing them on costs little.
pub const BATCH: usize = 4096;
