//! Clocks: events carry the time since boot, and findings show it as wall-clock time.

use super::{Check, CheckReport, Facts, Level};
use crate::model::boot_offset_s;

pub(super) const CHECK: Check = Check { id: "clock", run };

const SECOND: i64 = 1_000_000_000;
/// 2020-01-01: no kernel that snatrace runs on is older.
const NOT_BEFORE: i64 = 1_577_836_800 * SECOND;

fn run(facts: &Facts) -> Vec<CheckReport> {
    let [wall, boot, monotonic] = match &facts.clocks {
        Ok(clocks) => *clocks,
        Err(why) => return vec![CHECK.report(Level::Warn, format!("the clocks cannot be read: {why}"))],
    };
    let offset = facts.file("timens_offsets").map_or(0, boot_offset_s);
    let wrong = match () {
        () if wall < NOT_BEFORE => "the wall clock is before 2020: times of findings will be wrong".to_owned(),
        () if offset != 0 => {
            format!("a time namespace shifts the time since boot by {offset} s: nothing can be captured in it")
        }
        () if boot < monotonic - SECOND => {
            "the time since boot is behind the time without suspends: times of findings may be wrong".to_owned()
        }
        () => {
            let up = format!("up for {} s, of which {} s suspended", boot / SECOND, (boot - monotonic) / SECOND);
            return vec![CHECK.report(Level::Ok, up)];
        }
    };
    vec![CHECK.report(Level::Warn, wrong)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(clocks: [i64; 3], offsets: &str) -> Level {
        let files = [("/proc/self/timens_offsets", offsets.to_owned())].into();
        run(&Facts { clocks: Ok(clocks.map(|seconds| seconds * SECOND)), files, ..Facts::default() })[0].level
    }

    #[test]
    fn clocks_that_would_show_wrong_times_are_a_warning() {
        assert_eq!(level([1_800_000_000, 500, 400], "monotonic 0 0\nboottime 0 0\n"), Level::Ok);
        assert_eq!(level([3, 500, 400], ""), Level::Warn);
        assert_eq!(level([1_800_000_000, 400, 500], ""), Level::Warn);
        assert_eq!(
            level([1_800_000_000, 500, 500], "monotonic           0         0\nboottime       86400         0\n"),
            Level::Warn
        );
    }
}
