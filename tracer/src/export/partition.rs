//! A directory with the layout of Hive: `attempts/node=NODE/hour=YYYYMMDDHH/NAME.parquet`, as query engines skip by path.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use jiff::Timestamp;
use jiff::tz::Offset;

use super::ExportTable;
use super::columns::AttemptRow;
use crate::model::Capture;

/// What files are divided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Key {
    /// Name of the node
    Node,
    /// Hour of the start in UTC
    Hour,
}

impl Key {
    /// The word in paths.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Hour => "hour",
        }
    }
}

/// Where a row belongs.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Partition {
    node: Option<String>,
    /// As a number with the digits `YYYYMMDDHH`, which every engine reads as such.
    hour: Option<u32>,
}

impl Partition {
    pub(super) fn of(keys: &[Key], row: &AttemptRow<'_>) -> Self {
        let of = |key| keys.contains(&key);
        let time_us = row.unix_us(row.attempt.first_ns);
        Self {
            node: of(Key::Node).then(|| row.capture.node.clone()),
            hour: of(Key::Hour).then(|| time_us.map_or(0, hour)),
        }
    }

    /// Whether rows of this one hardly come any more once there are rows of the other.
    pub(super) fn is_over(&self, newest: &Self) -> bool {
        self.node == newest.node && self.hour.zip(newest.hour).is_some_and(|(own, newest)| own + 1 < newest)
    }

    /// The file below a directory.
    pub(super) fn path(&self, directory: &Path, table: ExportTable, name: &str) -> PathBuf {
        let mut path = directory.join(table.name());
        if let Some(node) = &self.node {
            path.push(format!("{}={}", Key::Node.name(), escaped(node)));
        }
        if let Some(hour) = self.hour {
            path.push(format!("{}={hour:010}", Key::Hour.name()));
        }
        path.join(name)
    }
}

/// The same for the same recordings, so that exporting them again replaces the files, and another for others.
pub(super) fn name(captures: &[Capture]) -> String {
    let fold = |crc, capture: &Capture| {
        let Capture { node, session, part, .. } = capture;
        crc32c::crc32c_append(crc, format!("{node}/{session}/{part};").as_bytes())
    };
    format!("{:08x}", captures.iter().fold(0, fold))
}

fn hour(unix_us: i64) -> u32 {
    let Ok(time) = Timestamp::from_microsecond(unix_us) else { return 0 };
    let time = Offset::UTC.to_datetime(time);
    let [year, month, day, hour] =
        [time.year().into(), time.month().into(), time.day().into(), time.hour().into()].map(|part: i32| part);
    u32::try_from(((year * 100 + month) * 100 + day) * 100 + hour).unwrap_or_default()
}

/// As Hive escapes values in paths.
fn escaped(value: &str) -> String {
    let mut out = String::new();
    for byte in value.bytes() {
        let is_plain = byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if is_plain { out.push(byte.into()) } else { write!(out, "%{byte:02X}").unwrap_or_default() }
    }
    // An empty value and a name that a file system has for itself.
    if out.bytes().all(|byte| byte == b'.') { format!("__{out}") } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_node_and_hour() {
        let partition = Partition { node: Some("node/7=x".to_owned()), hour: Some(hour(1_772_323_200_000_000)) };
        let path = partition.path(Path::new("lake"), ExportTable::Attempts, "0-0.csv");
        assert_eq!(path, Path::new("lake/attempts/node=node%2F7%3Dx/hour=2026030100/0-0.csv"));
        assert_eq!((escaped(".."), escaped("")), ("__..".to_owned(), "__".to_owned()));
    }

    #[test]
    fn an_hour_is_over_once_the_one_after_the_next_has_begun() {
        let of = |hour| Partition { node: None, hour: Some(hour) };
        assert!(of(2_026_030_100).is_over(&of(2_026_030_102)));
        assert!(!of(2_026_030_100).is_over(&of(2_026_030_101)));
        assert!(of(2_026_030_123).is_over(&of(2_026_030_200)));
    }
}
