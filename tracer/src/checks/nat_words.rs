//! What is said of a rule: its effect in a sentence, where it is and what it meets, and how the shares follow.

use super::share::{self, Share, Traffic};
use super::{Facts, percent};
use crate::ruleset::{NatKind, NatPorts, NatRule, Reach, RulePath};

/// Ways to a rule that are shown.
const MAX_PATHS: usize = 3;

/// `masquerade fully-random`
pub(super) fn statement(rule: &NatRule) -> String {
    let kind = match rule.nat.kind {
        NatKind::Masquerade => "masquerade",
        NatKind::Snat => "snat",
        NatKind::Netmap => "netmap",
    };
    let mut words = vec![kind.to_owned()];
    if let NatPorts::Ranges(ranges) = &rule.nat.ports {
        let ranges: Vec<_> = ranges.iter().map(|(low, high)| format!("{low}-{high}")).collect();
        words.push(format!("to :{}", ranges.join(" or :")));
    }
    words.extend(Some(rule.nat.flags.words()).filter(|flags| !flags.is_empty()));
    words.join(" ")
}

/// The rule's effect. `hidden` says why no filter sees it, or who meets it.
pub(super) fn summary(rule: &NatRule, reach: &Reach, shares: &[Share], hidden: &str) -> String {
    let statement = statement(rule);
    let effect = match reach {
        Reach::NotTcp => "it does not match TCP".to_owned(),
        Reach::Incoming => {
            "it changes the source of connections to this node only, so its ports never appear on the wire".to_owned()
        }
        Reach::Never(why) => format!("no connection reaches this rule: {why}"),
        Reach::Met if shares.is_empty() => {
            "its ports come from a map that cannot be read, so no share is known".to_owned()
        }
        Reach::Met => {
            let parts: Vec<_> = shares.iter().map(|share| sentence(share, shares.len() > 1)).collect();
            parts.join("; ") + hidden
        }
    };
    format!("{statement}: {effect}")
}

fn sentence(share: &Share, name: bool) -> String {
    let (family, allowed) = (if name { format!("{}: ", share.family) } else { String::new() }, &share.allowed);
    if share.never {
        return format!("{family}every port is in {allowed}");
    }
    match share.outside {
        Some(outside) if outside > 0.0 => {
            format!("{family}{} of connections leave outside {allowed}", percent(outside))
        }
        Some(_) => format!("{family}connections leave outside {allowed} only when ports clash"),
        None => format!(
            "{family}{} to {} of connections leave outside {allowed}, depending on its map",
            percent(share.at_least),
            percent(share.at_most)
        ),
    }
}

/// Where the rule is, what it meets, and how the shares follow.
pub(super) fn details(facts: &Facts, rule: &NatRule, reach: &Reach, shares: &[Share]) -> Vec<String> {
    let mut details = vec![format!("rule: {}", place(rule))];
    if let Some(program) = &rule.owned_by {
        details.push(format!("{program} owns this table (flags owner): no other program can change it"));
    }
    details.extend(rule.paths.iter().take(MAX_PATHS).flat_map(matches));
    if rule.paths.len() > MAX_PATHS {
        details.push(format!("{} more chains lead to it", rule.paths.len() - MAX_PATHS));
    }
    if rule.asks_for_mark() {
        details.push("it matches only packets that another rule has marked".to_owned());
    }
    if rule.asks_for_changed_destination() {
        details.push("it matches only connections whose destination another rule has changed (DNAT)".to_owned());
    }
    if *reach == Reach::Met {
        details.extend(selection(facts, rule, shares));
    }
    details
}

fn place(rule: &NatRule) -> String {
    let text = if rule.line.text.is_empty() { "(nft does not list its text)" } else { &rule.line.text };
    let owner = rule.owner.map_or_else(String::new, |owner| format!(", written by {}", owner.name()));
    let at = match rule.line.handle {
        Some(handle) => format!("handle {handle}"),
        None => format!("number {}", rule.line.number),
    };
    format!("{text} (chain {} of {} {}, {at}, {}{owner})", rule.chain, rule.table_family, rule.table, rule.tool)
}

fn matches(path: &RulePath) -> Vec<String> {
    let mut lines = vec![format!("reached by: {} > {}", path.hook, path.chains.join(" > "))];
    lines.extend(path.jumps.iter().map(|jump| format!("only packets that match: {jump}")));
    lines.extend(path.excepts.iter().map(|except| format!("unless an earlier rule matches: {except}")));
    if path.more_excepts > 0 {
        lines.push(format!("and {} more earlier rules", path.more_excepts));
    }
    lines
}

/// How the kernel selects the port.
fn selection(facts: &Facts, rule: &NatRule, shares: &[Share]) -> Vec<String> {
    let mut lines = Vec::new();
    let Some(share) = shares.first() else { return lines };
    let drawn = share.draws_from.join(" or ");
    let traffic = Traffic::of(facts);
    let (low, high) = (traffic.sources.start(), traffic.sources.end());
    if share.keeps {
        lines.push(format!(
            "a connection keeps its original port where that is free{}; otherwise the kernel draws from {drawn}",
            if rule.nat.ports == NatPorts::Default { "" } else { " and in the rule's range" }
        ));
        lines.push(format!(
            "assumed: source ports evenly from {low}-{high} (ip_local_port_range here; each pod has its own, 32768-60999 \
             by default)"
        ));
        if !share.never {
            lines.push(clashes(&traffic, share));
        }
    } else {
        lines.push(format!("the kernel draws every port from {drawn}, whatever the original port{}", bias(rule)));
    }
    if shares.iter().any(|share| share.family == "ipv6" && !share.never) && facts.policy.v4 == facts.policy.v6 {
        lines.push("many filters ignore IPv6; if yours does, add --allow6 any".to_owned());
    }
    if rule.nat.ports == NatPorts::Default {
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
        NatPorts::Default => vec![64512],
        NatPorts::Ranges(ranges) => ranges.iter().map(|(low, high)| u32::from(high - low) + 1).collect(),
        NatPorts::Unknown => Vec::new(),
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
            "clashes: if all {entries} conntrack entries went to one destination, {} of the connections to it would \
             leave outside; to others fewer",
            percent(share.at_most)
        ),
        None => "clashes: the number of conntrack entries is unknown, so their share has no bound".to_owned(),
    }
}
