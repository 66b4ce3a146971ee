//! Each rule that chooses source ports: what it does to connections, by how the kernel selects ports, and what helps.

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::share::{self, Share, Traffic};
use super::{Check, CheckReport, Facts, Level, fixes, nat_words, tunnels};
use crate::model::Origin;
use crate::ruleset::{Flags, NatKind, NatPorts, NatRule, Reach, RuleFamily, RuleOwner};

pub(super) const CHECK: Check = Check { id: "nat_rule", run };

/// So many rules that differ in what they match only are one report.
const MIN_GROUP: usize = 4;

/// A rule, for machines.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
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
    pub kind: NatKind,
    /// `fully_random`, `random`, `range` or `preserved`, as in findings.
    pub mode: &'static str,
    /// Whether addresses are chosen for each source; ports are not concerned.
    pub persistent: bool,
    /// The ports that it names.
    pub ports: NatPorts,
    /// Who writes it.
    pub owner: Option<RuleOwner>,
    /// The program that alone may change its table.
    pub table_owner: Option<String>,
    /// Whether a hook leads to it.
    pub reached: bool,
    /// Whether a new TCP connection that leaves the node can meet it.
    pub meets_tcp: bool,
    /// How many rules like this there are, this one included.
    pub rules: usize,
    /// What it does to each family that it meets; empty where that cannot be said.
    pub shares: Vec<Share>,
}

/// A rule with what was found of it.
struct JudgedRule<'a> {
    rule: &'a NatRule,
    report: CheckReport,
    /// The rules to insert above it.
    inserted: Vec<Vec<String>>,
    is_reached: bool,
}

fn run(facts: &Facts) -> Vec<CheckReport> {
    let mut known = ShareCache::new();
    let judged: Vec<_> = facts.rules.rules.iter().map(|rule| judge(facts, rule, &mut known)).collect();
    let mut groups = groups(judged);
    // What is inserted above a rule of iptables moves those below it, so the lowest of a chain comes first.
    let mut chains = HashMap::new();
    groups.sort_by_cached_key(|group| {
        let rule = group.first().map(|one| one.rule);
        let next = chains.len();
        let chain = *chains.entry(rule.map(|rule| (&rule.tool, &rule.table, &rule.chain))).or_insert(next);
        let is_numbered = |one: &&JudgedRule<'_>| one.rule.tool != "nft";
        (chain, std::cmp::Reverse(group.iter().filter(is_numbered).map(|one| one.rule.line.number).max()))
    });
    let mut placed = fixes::Placed::default();
    groups.into_iter().filter_map(|group| merge(facts, group, &mut placed)).collect()
}

/// Rules with equal reports, in the order of the first of each.
fn groups(judged: Vec<JudgedRule<'_>>) -> Vec<Vec<JudgedRule<'_>>> {
    let key = |one: &JudgedRule<'_>| {
        let rule = one.rule;
        // Why a rule is not reached names another rule, and so differs.
        let effect = if one.is_reached { one.report.summary.clone() } else { nat_words::statement(rule) };
        (one.report.level, effect, rule.tool.clone(), rule.table.clone(), one.inserted.is_empty())
    };
    let mut counts: HashMap<_, usize> = HashMap::new();
    judged.iter().for_each(|one| *counts.entry(key(one)).or_default() += 1);
    let mut places: HashMap<_, usize> = HashMap::new();
    let mut groups: Vec<Vec<JudgedRule<'_>>> = Vec::new();
    for one in judged {
        let key = key(&one);
        match places.get(&key).copied().filter(|_| counts[&key] >= MIN_GROUP) {
            Some(place) => groups[place].push(one),
            None => {
                places.insert(key, groups.len());
                groups.push(vec![one]);
            }
        }
    }
    groups
}

/// One report of a group, with the commands of all.
fn merge<'a>(facts: &Facts, mut group: Vec<JudgedRule<'a>>, placed: &mut fixes::Placed<'a>) -> Option<CheckReport> {
    let count = group.len();
    let mut report = group.first()?.report.clone();
    group.sort_by_key(|one| std::cmp::Reverse(one.rule.line.number));
    if let Some(fix) = report.fixes.first_mut() {
        let inserted = group.iter().flat_map(|one| one.inserted.iter().map(|rule| (one.rule, rule)));
        fix.commands = inserted.map(|(above, rule)| placed.command(facts, above, rule)).collect();
    }
    if count > 1 {
        report.summary = format!("{count} rules like this: {}", report.summary);
        if let Some(rule) = &mut report.rule {
            rule.rules = count;
        }
    }
    Some(report)
}

/// Shares by flags, ports and family: thousands of rules have few different ones.
type ShareCache = HashMap<(Flags, NatPorts, &'static str), Option<Share>>;

/// Whether no filter in front of the node sees the port that the rule chooses.
pub(super) fn is_hidden(facts: &Facts, rule: &NatRule) -> bool {
    rule.stays_private() || tunnel(facts, rule)
}

fn tunnel(facts: &Facts, rule: &NatRule) -> bool {
    rule.leaves_by().is_some_and(|names| names.iter().all(|name| tunnels::is_tunnel(name, &facts.links)))
}

fn judge<'a>(facts: &Facts, rule: &'a NatRule, known: &mut ShareCache) -> JudgedRule<'a> {
    let reach = rule.reach();
    let shares = shares(facts, rule, known);
    let level = level(facts, rule, &reach, &shares);
    let is_unrouted = |share: &Share| !share.never && !facts.is_routed(share.family);
    let hidden = match () {
        () if reach == Reach::Met && shares.iter().any(is_unrouted) => match facts.is_routed("ipv6") {
            true => "; no IPv4 route leads out of this namespace",
            false => "; no IPv6 route leads out of this namespace",
        },
        () if rule.stays_private() => {
            "; its destinations are private, so a provider's filter is unlikely to be in the path"
        }
        () if tunnel(facts, rule) => {
            "; it leaves by an interface that encapsulates, so a provider's filter does not see this port"
        }
        () if rule.asks_for_own_socket() => "; it matches only sockets of this node, not forwarded connections",
        () if shares.iter().any(|share| facts.contradicts_policy(share.family)) => {
            ", the ports on which conntrack sees answers (seen_now)"
        }
        () => "",
    };
    let mut report = CHECK.report(level, nat_words::summary(rule, &reach, &shares, hidden));
    report.details = nat_words::details(facts, rule, &reach, &shares);
    let (fix, inserted) = if level >= Level::Warn { fixes::ports(facts, rule, &shares) } else { Default::default() };
    report.fixes.extend(fix);
    report.rule = Some(for_machines(rule, &reach, shares));
    JudgedRule { rule, report, inserted, is_reached: reach == Reach::Met }
}

fn shares(facts: &Facts, rule: &NatRule, known: &mut ShareCache) -> Vec<Share> {
    let families: &[&'static str] = match rule.family {
        RuleFamily::V4 => &["ipv4"],
        RuleFamily::V6 => &["ipv6"],
        RuleFamily::Both => &["ipv4", "ipv6"],
    };
    let traffic = Traffic::of(facts);
    let mut share = |&family: &&'static str| {
        let allowed = facts.path_ports(family);
        let key = (rule.nat.flags, rule.nat.ports.clone(), family);
        known.entry(key).or_insert_with(|| share::share(&rule.nat, family, &allowed, &traffic)).clone()
    };
    families.iter().filter_map(&mut share).collect()
}

fn level(facts: &Facts, rule: &NatRule, reach: &Reach, shares: &[Share]) -> Level {
    if *reach != Reach::Met || (!shares.is_empty() && shares.iter().all(|one| one.never)) {
        return Level::Ok;
    }
    let routed = || shares.iter().filter(|share| facts.is_routed(share.family));
    let is_certain = routed().any(|share| share.outside.unwrap_or(share.at_most) > 0.0);
    // The filter is only assumed; or the rule applies only to packets that another rule marks or redirects.
    let is_assumed =
        facts.policy.origin == Origin::Default || rule.asks_for_mark() || rule.asks_for_changed_destination();
    match () {
        () if is_hidden(facts, rule) => Level::Note,
        () if shares.is_empty() => Level::Warn,
        () if routed().all(|share| share.never) => Level::Note,
        () if is_certain && is_assumed => Level::Warn,
        () if is_certain => Level::Problem,
        () => Level::Note,
    }
}

fn for_machines(rule: &NatRule, reach: &Reach, shares: Vec<Share>) -> RuleReport {
    let (line, nat) = (&rule.line, &rule.nat);
    let mode = match (nat.flags.fully_random, nat.flags.random, &nat.ports) {
        (true, _, _) => "fully_random",
        (false, true, _) => "random",
        (false, false, NatPorts::Default) => "preserved",
        (false, false, NatPorts::Ranges(_) | NatPorts::Unknown) => "range",
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
        table_owner: rule.owned_by.clone(),
        reached: !rule.paths.is_empty(),
        meets_tcp: *reach == Reach::Met,
        rules: 1,
        shares,
    }
}
