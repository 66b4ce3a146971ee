//! How full the conntrack table is: a full one drops new connections, whatever their port.

use super::{Check, CheckReport, Facts, Level, percent};

pub(super) const CHECK: Check = Check { id: "conntrack", run };

fn run(facts: &Facts) -> Vec<CheckReport> {
    let (Some(count), Some(max)) = (facts.number("nf_conntrack_count"), facts.number("nf_conntrack_max")) else {
        return vec![
            CHECK.report(Level::Note, "no conntrack table can be seen here: not loaded, or not for this namespace"),
        ];
    };
    // 0 stands for no limit.
    let share = if max == 0 { 0.0 } else { count as f64 / max as f64 };
    let level = match share {
        share if share >= 0.98 => Level::Problem,
        share if share >= 0.8 => Level::Warn,
        _ => Level::Ok,
    };
    let mut report = CHECK.report(level, format!("{count} of {max} conntrack entries ({})", percent(share)));
    if level > Level::Ok {
        report =
            report.detail("when it is full, new connections are dropped and their SYNs retransmitted (counter `drop`)");
        report.fixes.push(super::Fix {
            what: "a larger table".to_owned(),
            commands: vec![format!("sysctl -w net.netfilter.nf_conntrack_max={}", max.saturating_mul(2))],
            consequence: "about 320 bytes of kernel memory for each entry in use; gone after a reboot".to_owned(),
            ..super::Fix::default()
        });
    }
    vec![report]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_that_fills_up_is_seen_before_it_is_full() {
        let level = |count: u64, max: u64| {
            let file = |name, number: u64| (name, format!("{number}\n"));
            let files = [
                file("/proc/sys/net/netfilter/nf_conntrack_count", count),
                file("/proc/sys/net/netfilter/nf_conntrack_max", max),
            ];
            run(&Facts { files: files.into(), ..Facts::default() })[0].level
        };
        assert_eq!(level(10, 262_144), Level::Ok);
        assert_eq!(level(80, 100), Level::Warn);
        assert_eq!(level(100, 100), Level::Problem);
        assert_eq!(level(10, 0), Level::Ok);
        assert_eq!(run(&Facts::default())[0].level, Level::Note);
    }
}
