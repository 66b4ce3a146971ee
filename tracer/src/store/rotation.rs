//! Several files for one recording: `-C SIZE` begins a new one at a size, `-W COUNT` keeps only the newest.

use std::ffi::OsString;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

/// When to begin a new file and which to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// A file grows no larger than this, unless one block alone does.
    pub max_bytes: u64,
    /// How many files there are at most; the oldest makes room.
    pub keep: Option<NonZeroU32>,
}

impl Rotation {
    /// The file of a part: the name given, then the number from 0; with `keep` it begins again at 0, and has leading
    /// zeros so that names sort.
    #[must_use]
    pub fn path(&self, given: &Path, part: u32) -> PathBuf {
        let mut name = OsString::from(given);
        match self.keep {
            None => name.push(part.to_string()),
            Some(keep) => {
                let width = (keep.get() - 1).to_string().len();
                name.push(format!("{:0width$}", part % keep));
            }
        }
        PathBuf::from(name)
    }

    /// Whether the part's file was an older part's before.
    #[must_use]
    pub fn is_reused(&self, part: u32) -> bool {
        self.keep.is_some_and(|keep| part >= keep.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_numbered_and_sort() {
        let all = Rotation { max_bytes: 1, keep: None };
        assert_eq!(all.path(Path::new("t"), 12), PathBuf::from("t12"));
        let ring = Rotation { max_bytes: 1, keep: NonZeroU32::new(100) };
        assert_eq!(ring.path(Path::new("t"), 7), PathBuf::from("t07"));
        assert_eq!(ring.path(Path::new("t"), 107), PathBuf::from("t07"));
        assert!(!ring.is_reused(99));
        assert!(ring.is_reused(100));
    }
}
