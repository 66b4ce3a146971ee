//! `owner`: who a network namespace belongs to, learnt while its pod or container lives.

use bytemuck::{Pod, Zeroable};

use super::Stamp;

/// Bytes of text in one event.
pub const OWNER_TEXT: usize = 64;

/// Made by user space when a socket's namespace shows up, and again when the answer changes.
///
/// The answer is the text `namespace/pod/container`, where an empty part is not known and `//` says that nothing is. A
/// text too long for one event comes in several, one directly after the other.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Owner {
    /// When it was found; the namespace that it is about.
    pub stamp: Stamp,
    /// Attempts that began at this time or later belong to this owner, until another is reported.
    pub since_ns: u64,
    /// Which part of the text this is, from 0
    pub part: u8,
    /// How many parts the text has
    pub parts: u8,
    /// Bytes of `text` that count
    pub length: u8,
    /// Zero.
    pub unused: [u8; 5],
    /// The text, UTF-8; zero beyond its length
    pub text: [u8; OWNER_TEXT],
}

impl Owner {
    /// The bytes of the text that count.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.text.get(..usize::from(self.length)).unwrap_or(&self.text)
    }
}

const _: () = assert!(size_of::<Owner>() == 96);
