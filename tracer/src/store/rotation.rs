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

/// Bytes from text such as `500000`, `64k`, `10M` or `2G` (powers of 1024); for the command line.
///
/// # Errors
/// In words, when it is no size.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.char_indices().next_back() {
        Some((at, 'k' | 'K')) => (&text[..at], 1 << 10),
        Some((at, 'm' | 'M')) => (&text[..at], 1 << 20),
        Some((at, 'g' | 'G')) => (&text[..at], 1 << 30),
        _ => (text, 1_u64),
    };
    let wrong = || format!("`{text}` is no size; give bytes, or a number with k, M or G, such as 64M");
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    number.checked_mul(unit).filter(|size| *size > 0).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_suffixes() {
        assert_eq!(parse_size("500000"), Ok(500_000));
        assert_eq!(parse_size("64k"), Ok(64 << 10));
        assert_eq!(parse_size("10M"), Ok(10 << 20));
        assert_eq!(parse_size("2G"), Ok(2 << 30));
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in ["", "k", "0", "0M", "-1", "+1", "1.5M", "1T", "99999999999G", "1 M", "½k"] {
            assert!(parse_size(text).is_err(), "{text:?}");
        }
    }

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
