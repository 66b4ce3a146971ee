//! NodePorts: a port range of the node that translated ports and sockets can meet.

use super::share::Traffic;
use super::{Check, CheckReport, Facts, Level, percent};
use crate::model::port_distribution;
use crate::ruleset::Reach;

pub(super) const CHECK: Check = Check { id: "node_ports", run };

/// Kubernetes' default (`--service-node-port-range`).
const RANGE: std::ops::RangeInclusive<u16> = 30000..=32767;

fn run(facts: &Facts) -> Vec<CheckReport> {
    let names =
        |name: &String| name.starts_with("KUBE-") || name == "nodeport-endpoints-check" || name.starts_with("cali-");
    if !facts.rules.chains.iter().any(names) {
        let (level, seen) = match facts.rules.is_blind() {
            true => (Level::Note, "no rules of Kubernetes could be seen here; there may be some"),
            false => (Level::Ok, "no rules of Kubernetes here, so no NodePorts among them"),
        };
        return vec![CHECK.report(level, seen)];
    }
    let (low, high) = (RANGE.start(), RANGE.end());
    let share =
        port_distribution::share_outside(&port_distribution::default_range(u16::MAX), |port| !RANGE.contains(&port));
    let draws = facts.rules.rules.iter().any(|rule| rule.nat.flags.draws() && rule.reach() == Reach::Met);
    let sources = Traffic::of(facts).sources;
    let meets_own = sources.start() <= high && sources.end() >= low;
    let mut report = CHECK.report(if draws || meets_own { Level::Note } else { Level::Ok },
        match draws {
            true => format!(
                "{} of random draws from 1024-65535 are NodePorts ({low}-{high}, unless set otherwise)",
                percent(share)
            ),
            false => format!(
                "no rule here draws at random, so translated ports are NodePorts ({low}-{high}) only if original ones are"
            ),
        },
    );
    if draws {
        report = report.detail(
            "kube-proxy's rules do not redirect such an answer, because conntrack knows its connection; \
                     eBPF programs that redirect NodePorts without conntrack can take it",
        );
        if !(30000..=32767).all(|port| facts.policy.v4.contains(port)) {
            report = report.detail("NodePorts are outside the allowed ports anyway: they are part of the shares above");
        }
    }
    if meets_own {
        report = report.detail(format!(
            "ip_local_port_range {}-{} overlaps them: sockets here can take a NodePort",
            sources.start(),
            sources.end()
        ));
    }
    vec![report]
}
