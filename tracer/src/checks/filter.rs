//! All rules against the filter in front of the node: what to ask of the provider, how to set up the programs that write
//! the rules, and what does not help.

use std::collections::BTreeSet;

use super::{Check, CheckReport, Facts, Fix, Level, nat_rule, percent, switches};
use crate::model::Origin;
use crate::ruleset::RuleOwner;

pub(super) const CHECK: Check = Check { id: "filter", run };

/// What people try, and why it changes nothing.
const DOES_NOT_HELP: [&str; 3] = [
    "does not help: ip_local_port_range. NAT never reads it (no use in net/netfilter); only sockets do",
    "does not help: switching offloads off (ethtool -K). NAT chooses the port, not the network card",
    "does not help: another MTU. A SYN and its answer are far smaller than any MTU",
];

fn run(facts: &Facts) -> Vec<CheckReport> {
    let rules = (nat_rule::CHECK.run)(facts);
    let outside: Vec<_> =
        facts.rules.rules.iter().zip(&rules).filter(|(_, report)| report.level >= Level::Warn).collect();
    let v4 = &facts.policy.v4;
    if rules.is_empty() {
        return vec![none(facts)];
    }
    if outside.is_empty() {
        let summary = format!("no rule that was seen here is expected to leave the allowed ports {v4}");
        return vec![CHECK.report(if facts.rules.is_blind() { Level::Note } else { Level::Ok }, summary)];
    }
    let worst = outside.iter().filter_map(|(_, report)| report.rule.as_ref()).flat_map(|rule| &rule.shares);
    let worst = worst.map(|share| share.outside.unwrap_or(share.at_most)).fold(0.0, f64::max);
    let summary = format!(
        "{} of {} rules use ports outside the allowed ones, the worst for {} of its connections",
        outside.len(),
        rules.len(),
        percent(worst)
    );
    let mut report = CHECK.report(Level::Note, summary);
    if facts.policy.origin == Origin::Default {
        report = report.detail(format!(
            "assumed: a filter that accepts return traffic on {v4} only; set the real ports with --allow"
        ));
    }
    report.details.extend(DOES_NOT_HELP.map(str::to_owned));
    report.fixes.push(provider());
    let owners: BTreeSet<RuleOwner> = outside.iter().filter_map(|(rule, _)| rule.owner).collect();
    let ports = facts.command_ports("ipv4").ports;
    report.fixes.extend(owners.into_iter().filter_map(|owner| switches::switch(owner, &ports)));
    vec![report]
}

fn none(facts: &Facts) -> CheckReport {
    let summary = match facts.rules.is_blind() {
        _ if facts.bpf_nat.is_there() => {
            "no rule of nftables or iptables chooses source ports: eBPF programs do (see bpf_nat)"
        }
        true => "rules could not be read, so their ports are unknown",
        false => "no rule here chooses source ports: nothing is translated in this namespace",
    };
    CHECK.report(Level::Note, summary).detail("NAT in another namespace or on a cloud gateway is not seen here")
}

fn provider() -> Fix {
    Fix {
        what: "ask the provider, or set in its firewall: accept TCP return traffic (ACK set, \"established\") on ports 1024-65535"
            .to_owned(),
        consequence: "nothing changes on the node, and all its ports can be used (RFC 6056 recommends this range); connections \
             from outside stay blocked, because their SYN has no ACK"
            .to_owned(),
        ..Fix::default()
    }
}
