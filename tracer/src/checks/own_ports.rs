//! The ports that sockets get for themselves: of this namespace, not of NAT, which never reads them.

use super::{Check, CheckReport, Facts, Level, percent};

pub(super) const CHECK: Check = Check { id: "own_ports", run };

fn run(facts: &Facts) -> Vec<CheckReport> {
    let Some((low, high)) = facts.own_range() else {
        return vec![CHECK.report(Level::Note, "ip_local_port_range cannot be read")];
    };
    let allowed = &facts.policy.v4;
    let outside = (low..=high).filter(|&port| !allowed.contains(port)).count();
    let share = outside as f64 / (low..=high).count() as f64;
    let (level, verdict) = match outside {
        0 => (Level::Ok, "all of it is allowed".to_owned()),
        _ => (
            Level::Warn,
            format!("{} of it is outside {allowed}: sockets here can meet the filter without NAT", percent(share)),
        ),
    };
    let mut report = CHECK
        .report(level, format!("sockets of this namespace get ports {low}-{high}; {verdict}"))
        .detail("NAT ignores it (no use in net/netfilter): changing it does not change translated ports")
        .detail("each pod has its own ip_local_port_range, 32768-60999 unless changed there");
    if let Some(reserved) = facts.file("ip_local_reserved_ports").map(str::trim).filter(|ports| !ports.is_empty()) {
        let reserved: String = reserved.chars().take(120).collect();
        report = report.detail(format!("reserved (ip_local_reserved_ports): {reserved}; NAT ignores these too"));
    }
    vec![report]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_that_can_meet_the_filter_are_a_warning() {
        let level = |range: &str| {
            let files = [("/proc/sys/net/ipv4/ip_local_port_range", range.to_owned())].into();
            run(&Facts { files, ..Facts::default() })[0].level
        };
        assert_eq!(level("32768\t60999\n"), Level::Ok);
        assert_eq!(level("1024\t65535\n"), Level::Warn);
        assert_eq!(level("5 3"), Level::Note);
        assert_eq!(level("garbage\0"), Level::Note);
    }
}
