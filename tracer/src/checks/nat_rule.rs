//! Each rule that chooses source ports: what it will do to connections, by the law, and what can be done about it.

use serde::Serialize;

use super::share::{self, Share, Traffic};
use super::{Check, Facts, Level, Report, fixes, percent};
use crate::model::{Origin, PortSet};
use crate::ruleset::{Family, Flags, Kind, NatRule, Owner, Ports, Way};

pub(super) const CHECK: Check = Check { id: "nat_rule", run };

/// The range of sockets where nothing else is known (`inet_init_net`).
const DEFAULT_SOURCES: (u16, u16) = (32768, 60999);

/// A rule, for machines.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RuleReport {
    /// The tool that changes it.
    pub tool: String,
    /// nft's word for the family of its table.
    pub family: String,
    /// Its table.
    pub table: String,
    /// Its chain.
    pub chain: String,
    /// nft's handle.
    pub handle: Option<u64>,
    /// Its place in the chain, from 1.
    pub number: usize,
    /// As the tool writes it.
    pub text: String,
    /// What it is.
    pub kind: Kind,
    /// `fully_random`, `random`, `range` or `preserved`, as in findings.
    pub mode: &'static str,
    /// Whether addresses are chosen for each source; ports are not concerned.
    pub persistent: bool,
    /// The ports that it names.
    pub ports: Ports,
    /// Who writes it.
    pub owner: Option<Owner>,
    /// Whether a packet can meet it.
    pub reached: bool,
    /// Whether a TCP connection can.
    pub meets_tcp: bool,
    /// What it does to each family that it meets; empty where that cannot be said.
    pub shares: Vec<Share>,
}

fn run(facts: &Facts) -> Vec<Report> {
    let mut known = Known::new();
    facts.rules.rules.iter().map(|rule| report(facts, rule, &mut known)).collect()
}

/// Shares by flags, ports and family: thousands of rules have few different ones.
type Known = Vec<((Flags, Ports, &'static str), Option<Share>)>;

/// What is known of the connections: sockets of pods have the default range unless somebody changed it there.
pub(super) fn traffic(facts: &Facts) -> Traffic {
    let (low, high) = facts.own_range().unwrap_or(DEFAULT_SOURCES);
    Traffic { sources: low..=high, entries: facts.number("nf_conntrack_count") }
}

fn report(facts: &Facts, rule: &NatRule, known: &mut Known) -> Report {
    let shares = shares(facts, rule, known);
    let level = level(facts, rule, &shares);
    let mut report = Report::new("nat_rule", level, summary(rule, &shares));
    report = report.detail(format!("rule: {}", place(rule)));
    report.details.extend(rule.ways.iter().flat_map(applies_to));
    report.details.extend(law(facts, rule, &shares));
    if level > Level::Ok && !rule.stays_inside() {
        report.fixes = fixes::ports(facts, rule, &shares);
    }
    report.rule = Some(for_machines(rule, shares));
    report
}

fn shares(facts: &Facts, rule: &NatRule, known: &mut Known) -> Vec<Share> {
    let families: &[(&'static str, &PortSet)] = match rule.family {
        Family::V4 => &[("ipv4", &facts.policy.v4)],
        Family::V6 => &[("ipv6", &facts.policy.v6)],
        Family::Both => &[("ipv4", &facts.policy.v4), ("ipv6", &facts.policy.v6)],
    };
    let traffic = traffic(facts);
    let mut share = |&(family, allowed): &(&'static str, &PortSet)| {
        let key = (rule.nat.flags, rule.nat.ports.clone(), family);
        if let Some((_, share)) = known.iter().find(|(other, _)| *other == key) {
            return share.clone();
        }
        let share = share::share(&rule.nat, family, allowed, &traffic);
        known.push((key, share.clone()));
        share
    };
    families.iter().filter_map(&mut share).collect()
}

fn level(facts: &Facts, rule: &NatRule, shares: &[Share]) -> Level {
    if !rule.meets_tcp() || rule.shadowed_by.is_some() || (!shares.is_empty() && shares.iter().all(|one| one.never)) {
        return Level::Ok;
    }
    let is_certain = shares.iter().any(|share| share.outside.unwrap_or(share.at_most) > 0.0);
    // Nobody said that there is such a filter; and what asks for a mark meets only what somebody marks.
    let is_assumed = facts.policy.origin == Origin::Default || rule.asks_for_mark();
    match () {
        () if rule.ways.is_empty() || rule.stays_inside() => Level::Note,
        () if shares.is_empty() => Level::Warn,
        () if is_certain && is_assumed => Level::Warn,
        () if is_certain => Level::Problem,
        () => Level::Note,
    }
}

/// `masquerade fully-random`
pub(super) fn statement(rule: &NatRule) -> String {
    let kind = match rule.nat.kind {
        Kind::Masquerade => "masquerade",
        Kind::Snat => "snat",
        Kind::Netmap => "netmap",
    };
    let mut words = vec![kind.to_owned()];
    if let Ports::Ranges(ranges) = &rule.nat.ports {
        let ranges: Vec<_> = ranges.iter().map(|(low, high)| format!("{low}-{high}")).collect();
        words.push(format!("to :{}", ranges.join(" or :")));
    }
    words.extend(fixes::flags(&rule.nat.flags));
    words.join(" ")
}

fn place(rule: &NatRule) -> String {
    let text = if rule.line.text.is_empty() { "(nft did not write it out)" } else { &rule.line.text };
    let owner = rule.owner.map_or_else(String::new, |owner| format!(", written by {}", owner.name()));
    let at = match rule.line.handle {
        Some(handle) => format!("handle {handle}"),
        None => format!("number {}", rule.line.number),
    };
    format!("{text} (chain {} of {} {}, {at}, {}{owner})", rule.chain, rule.table_family, rule.table, rule.tool)
}

fn summary(rule: &NatRule, shares: &[Share]) -> String {
    let statement = statement(rule);
    if !rule.meets_tcp() {
        return format!("{statement}: meets no TCP connection");
    }
    if rule.ways.is_empty() {
        return format!("{statement}: no packet meets it, for no postrouting or input hook leads to it");
    }
    if rule.shadowed_by.is_some() {
        return format!("{statement}: TCP connections do not get here, a rule above takes them all");
    }
    if shares.is_empty() {
        return format!("{statement}: its ports come from something that cannot be read here, so no share can be said");
    }
    let parts: Vec<_> = shares.iter().map(|share| sentence(share, shares.len() > 1)).collect();
    let inside = if rule.stays_inside() {
        "; its destinations are private, so a provider's filter is hardly on the way"
    } else {
        ""
    };
    format!("{statement}: {}{inside}", parts.join("; "))
}

fn sentence(share: &Share, name: bool) -> String {
    let (family, allowed) = (if name { format!("{}: ", share.family) } else { String::new() }, &share.allowed);
    if share.never {
        return format!("{family}can never leave {allowed}");
    }
    match share.outside {
        Some(outside) if outside > 0.0 => {
            format!("{family}{} of connections leave outside {allowed}", percent(outside))
        }
        Some(_) => format!("{family}leaves {allowed} only when ports clash"),
        None => format!(
            "{family}{} to {} of connections leave outside {allowed}, by what its map chooses",
            percent(share.at_least),
            percent(share.at_most)
        ),
    }
}

fn applies_to(way: &Way) -> Vec<String> {
    const SHOWN: usize = 6;
    let mut lines = vec![format!("reached by: {} > {}", way.hook, way.chains.join(" > "))];
    lines.extend(way.jumps.iter().map(|jump| format!("only what meets: {jump}")));
    lines.extend(way.excepts.iter().take(SHOWN).map(|except| format!("not what meets before: {except}")));
    if way.excepts.len() > SHOWN {
        lines.push(format!("nor what meets {} more lines before it", way.excepts.len() - SHOWN));
    }
    lines
}

/// How the shares follow.
fn law(facts: &Facts, rule: &NatRule, shares: &[Share]) -> Vec<String> {
    let mut lines = Vec::new();
    let Some(share) = shares.first().filter(|_| rule.meets_tcp()) else { return lines };
    let drawn = share.draws_from.join(" or ");
    let traffic = traffic(facts);
    let (low, high) = (traffic.sources.start(), traffic.sources.end());
    if share.keeps {
        lines.push(format!(
            "a connection keeps its original port where that is free{}; otherwise it draws from {drawn}",
            if rule.nat.ports == Ports::Default { "" } else { " and in the rule's range" }
        ));
        lines.push(format!(
            "assumed: source ports evenly from {low}-{high} (ip_local_port_range here; each pod has its own, 32768-60999 \
             unless changed)"
        ));
        if !share.never {
            lines.push(clashes(&traffic, share));
        }
    } else {
        lines.push(format!("every new connection draws from {drawn}, whatever its original port{}", bias(rule)));
    }
    if shares.iter().any(|share| share.family == "ipv6" && !share.never) && facts.policy.v4 == facts.policy.v6 {
        lines.push("many filters ignore IPv6; if yours does, say --allow6 any".to_owned());
    }
    if rule.nat.ports == Ports::Default {
        lines.push("from source ports below 512 it draws from 1-511, below 1024 from 600-1023".to_owned());
    }
    if rule.nat.flags.persistent {
        lines.push("persistent concerns addresses, not ports".to_owned());
    }
    lines.push(share::SOURCE.to_owned());
    lines
}

fn bias(rule: &NatRule) -> String {
    let sizes: Vec<u32> = match &rule.nat.ports {
        Ports::Default => vec![64512],
        Ports::Ranges(ranges) => ranges.iter().map(|(low, high)| u32::from(high - low) + 1).collect(),
        Ports::Unknown => Vec::new(),
    };
    match sizes[..] {
        [size] if 65536 % size != 0 => {
            let (first, weight) = (65536 % size, 65536 / size);
            format!(" (each of the first {first} ports has {} of 65536 chances, the others {weight})", weight + 1)
        }
        _ => String::new(),
    }
}

fn clashes(traffic: &Traffic, share: &Share) -> String {
    match traffic.entries {
        Some(entries) => format!(
            "clashes: if all {entries} conntrack entries of now went to one destination, {} of the connections to it would \
             leave outside; to others fewer",
            percent(share.at_most)
        ),
        None => {
            "clashes: how many conntrack entries there are cannot be seen, so their share cannot be bounded".to_owned()
        }
    }
}

fn for_machines(rule: &NatRule, shares: Vec<Share>) -> RuleReport {
    let (line, nat) = (&rule.line, &rule.nat);
    let mode = match (nat.flags.fully_random, nat.flags.random, &nat.ports) {
        (true, _, _) => "fully_random",
        (false, true, _) => "random",
        (false, false, Ports::Default) => "preserved",
        (false, false, Ports::Ranges(_) | Ports::Unknown) => "range",
    };
    RuleReport {
        tool: rule.tool.clone(),
        family: rule.table_family.clone(),
        table: rule.table.clone(),
        chain: rule.chain.clone(),
        handle: line.handle,
        number: line.number,
        text: line.text.clone(),
        kind: nat.kind,
        mode,
        persistent: nat.flags.persistent,
        ports: nat.ports.clone(),
        owner: rule.owner,
        reached: !rule.ways.is_empty(),
        meets_tcp: rule.meets_tcp() && rule.shadowed_by.is_none(),
        shares,
    }
}
