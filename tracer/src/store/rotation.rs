//! Several files for one recording: `-C SIZE` begins a new one at a size, `--segment TIME` after a time, `-W COUNT` keeps only
//! the newest.

use std::ffi::OsString;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rotation {
    /// A file grows no larger than this, unless one block alone does.
    pub max_bytes: Option<u64>,
    /// A file has no more than the events of this time, and appears under its name once it is complete.
    pub segment_ns: Option<u64>,
    /// How many files there are at most; the oldest makes room.
    pub keep: Option<NonZeroU32>,
    /// How many bytes all files have at most; the oldest makes room.
    pub max_total: Option<u64>,
}

impl Rotation {
    /// The file of a part. Of segments, the name given with the time at which it begins: whoever collects them must never see
    /// one name twice. Else as tcpdump names them: the name given, then with a number from 1; with `keep` the number begins at 0,
    /// begins again after the last, and has leading zeros so that names sort.
    pub fn path(&self, given: &Path, part: u32, unix_ns: i128) -> PathBuf {
        if self.segment_ns.is_some() {
            return segment(given, unix_ns);
        }
        let mut name = OsString::from(given);
        match self.keep {
            None if part == 0 || self.max_bytes.is_none() => {}
            None => name.push(part.to_string()),
            Some(keep) => {
                let width = (keep.get() - 1).to_string().len();
                name.push(format!("{:0width$}", part % keep));
            }
        }
        PathBuf::from(name)
    }
}

/// `node7-20260301T000000.000Z.trace` for `node7.trace`.
fn segment(given: &Path, unix_ns: i128) -> PathBuf {
    let time = Timestamp::from_nanosecond(unix_ns).unwrap_or_default().to_zoned(TimeZone::UTC);
    let mut name = given.file_stem().unwrap_or_default().to_owned();
    name.push(format!("-{}", time.strftime("%Y%m%dT%H%M%S.%3fZ")));
    given.with_file_name(name).with_added_extension(given.extension().unwrap_or_default())
}

/// Whether `segment` has made this name, at any time.
pub fn is_segment(given: &Path, path: &Path) -> bool {
    let time = || {
        let rest = path.file_name()?.to_str()?.strip_prefix(given.file_stem()?.to_str()?)?.strip_prefix('-')?;
        let time = match given.extension() {
            Some(extension) => rest.strip_suffix(extension.to_str()?)?.strip_suffix('.')?,
            None => rest,
        };
        jiff::civil::DateTime::strptime("%Y%m%dT%H%M%S%.3fZ", time).ok()
    };
    time().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_numbered_and_sort() {
        let all = Rotation { max_bytes: Some(1), ..Rotation::default() };
        assert_eq!(all.path(Path::new("t"), 0, 0), PathBuf::from("t"));
        assert_eq!(all.path(Path::new("t"), 12, 0), PathBuf::from("t12"));
        let ring = Rotation { keep: NonZeroU32::new(100), ..all };
        assert_eq!(ring.path(Path::new("t"), 7, 0), PathBuf::from("t07"));
        assert_eq!(ring.path(Path::new("t"), 107, 0), PathBuf::from("t07"));
    }

    #[test]
    fn a_segment_has_the_time_at_which_it_begins() {
        let segments = Rotation { segment_ns: Some(1), keep: NonZeroU32::new(2), ..Rotation::default() };
        let path = |given: &str| segments.path(Path::new(given), 5, 1_772_323_200_123_456_789);
        assert_eq!(path("out/node7.trace"), PathBuf::from("out/node7-20260301T000000.123Z.trace"));
        assert_eq!(path("t"), PathBuf::from("t-20260301T000000.123Z"));
        for given in ["out/node7.trace", "t", "a.b.c"] {
            assert!(is_segment(Path::new(given), &path(given)), "{given}");
        }
        for other in ["t-20260301T000000.123", "t-notes", "t", "u-20260301T000000.123Z", "t-20260301T000000.123Z.trace"]
        {
            assert!(!is_segment(Path::new("t"), Path::new(other)), "{other}");
        }
    }
}
