//! Follows the jumps from the hooks where source ports are chosen, and lists the rules that choose them.
//!
//! Packets meet the hooks' chains in the order of their priority; the first rule that matches chooses, and no other after
//! it. Returns in chains that were left again are not followed: a rule may meet less than is said here, never more.

use std::collections::{BTreeMap, BTreeSet};

use super::{Action, Chain, Family, Line, Nat, Owner, Table, addresses};

/// Deeper than the kernel's own limit on jumps (16).
const MAX_DEPTH: usize = 16;
/// Enough for every set of rules that people write; a bound for those that nobody did.
const MAX_STEPS: usize = 200_000;
/// Ways to one rule that are kept.
const MAX_WAYS: usize = 8;

/// One way from a hook to a rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Way {
    /// `postrouting` or `input`.
    pub hook: String,
    /// Priority of the hook's chain.
    pub priority: i64,
    /// The chains, from that of the hook.
    pub chains: Vec<String>,
    /// What the rule and the jumps to it ask for.
    pub conditions: BTreeSet<String>,
    /// The jumps that ask for something, as the tool writes them.
    pub jumps: Vec<String>,
    /// Lines above that take packets away from it, as the tool writes them.
    pub excepts: Vec<String>,
    /// Transport protocols that come this way; any without.
    pub protocols: Option<BTreeSet<String>>,
    /// Destinations that come this way; any without.
    destinations: Vec<ipnet::IpNet>,
    family: Option<Family>,
}

/// A rule that chooses source ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NatRule {
    /// The tool that changes it.
    pub tool: String,
    /// nft's word for the family of its table.
    pub table_family: String,
    /// Its table.
    pub table: String,
    /// Its chain.
    pub chain: String,
    /// The rule itself.
    pub line: Line,
    /// Its statement.
    pub nat: Nat,
    /// Families that it meets.
    pub family: Family,
    /// The ways to it; none means that no packet meets it.
    pub ways: Vec<Way>,
    /// Who writes it, where names tell.
    pub owner: Option<Owner>,
    /// The rule above that takes all its TCP connections, by the place in the list.
    pub shadowed_by: Option<usize>,
}

impl NatRule {
    /// Whether a TCP connection can meet it.
    #[must_use]
    pub fn meets_tcp(&self) -> bool {
        let named = |protocols: &Option<BTreeSet<String>>| protocols.as_ref().is_none_or(|held| held.contains("tcp"));
        named(&self.line.protocols) && (self.ways.is_empty() || self.ways.iter().any(|way| named(&way.protocols)))
    }

    /// Whether it asks for destinations that are not routed on the internet.
    #[must_use]
    pub fn stays_inside(&self) -> bool {
        let is_inside = |way: &Way| !way.destinations.is_empty() && way.destinations.iter().all(addresses::is_private);
        !self.ways.is_empty() && self.ways.iter().all(is_inside)
    }

    /// Whether it meets only what somebody has marked, as kube-proxy's does.
    #[must_use]
    pub fn asks_for_mark(&self) -> bool {
        // kube-proxy's chain sends away what has no mark; others ask for one themselves.
        let asks = |way: &Way| way.conditions.iter().any(|key| key.contains("mark"));
        self.owner == Some(Owner::KubeProxy) || (!self.ways.is_empty() && self.ways.iter().all(asks))
    }
}

/// All rules that choose source ports, in the order in which packets meet them, then those that none meets.
pub(super) fn walk(tables: &[Table]) -> Vec<NatRule> {
    let mut walk = Walk { found: BTreeMap::new(), rules: Vec::new(), steps: 0 };
    let mut starts: Vec<_> =
        tables.iter().flat_map(|table| table.chains.iter().map(move |chain| (table, chain))).collect();
    starts.retain(|(_, chain)| chain.base.as_ref().is_some_and(|base| ["postrouting", "input"].contains(&&*base.hook)));
    starts.sort_by_key(|(_, chain)| chain.base.as_ref().map_or(0, |base| base.priority));
    for (table, chain) in starts {
        let Some(base) = &chain.base else { continue };
        let way = Way { hook: base.hook.clone(), priority: base.priority, ..Way::default() };
        walk.chain(table, chain, &way);
    }
    for table in tables {
        for chain in &table.chains {
            chain.lines.iter().for_each(|line| walk.rule(table, chain, line, None));
        }
    }
    let mut rules = walk.rules;
    shadow(&mut rules);
    rules
}

struct Walk<'a> {
    /// Place in `rules` by table, chain and line.
    found: BTreeMap<(&'a str, &'a str, &'a str, &'a str, usize), usize>,
    rules: Vec<NatRule>,
    steps: usize,
}

impl<'a> Walk<'a> {
    fn chain(&mut self, table: &'a Table, chain: &'a Chain, way: &Way) {
        if way.chains.len() >= MAX_DEPTH || way.chains.contains(&chain.name) {
            return;
        }
        let mut way = way.clone();
        way.chains.push(chain.name.clone());
        for line in &chain.lines {
            self.steps += 1;
            if self.steps > MAX_STEPS {
                return;
            }
            match &line.action {
                Action::Nat(_) => {
                    let here = through(&way, line);
                    self.rule(table, chain, line, Some(here));
                }
                Action::To(targets) => {
                    let mut onward = through(&way, line);
                    if !line.conditions.is_empty() || line.protocols.is_some() {
                        onward.jumps.push(line.text.clone());
                    }
                    for target in table.chains.iter().filter(|chain| targets.contains(&chain.name)) {
                        self.chain(table, target, &onward);
                    }
                }
                Action::Ends => way.excepts.push(line.text.clone()),
                Action::Foreign(_) | Action::Other => {}
            }
        }
    }

    fn rule(&mut self, table: &'a Table, chain: &'a Chain, line: &'a Line, way: Option<Way>) {
        let Action::Nat(nat) = &line.action else { return };
        let place = (&*table.tool, &*table.family, &*table.name, &*chain.name, line.number);
        let at = *self.found.entry(place).or_insert_with(|| {
            self.rules.push(NatRule {
                tool: table.tool.clone(),
                table_family: table.family.clone(),
                table: table.name.clone(),
                chain: chain.name.clone(),
                line: line.clone(),
                nat: nat.clone(),
                family: line.family,
                ways: Vec::new(),
                owner: Owner::of(&table.name, &chain.name, &line.text),
                shadowed_by: None,
            });
            self.rules.len() - 1
        });
        let rule = &mut self.rules[at];
        if let Some(way) = way.filter(|_| rule.ways.len() < MAX_WAYS) {
            let family = way.family.unwrap_or(rule.family);
            rule.family = if rule.ways.is_empty() || rule.family == family { family } else { Family::Both };
            rule.ways.push(way);
        }
    }
}

/// The way on through a line.
fn through(way: &Way, line: &Line) -> Way {
    let mut way = way.clone();
    way.conditions.extend(line.conditions.iter().cloned());
    way.destinations.extend(line.destinations.iter().copied());
    way.family = Some(way.family.map_or(line.family, |family| family.and(line.family).unwrap_or(line.family)));
    way.protocols = match (way.protocols, &line.protocols) {
        (Some(one), Some(other)) => Some(one.intersection(other).cloned().collect()),
        (one, other) => one.or_else(|| other.clone()),
    };
    way
}

/// Notes which rules lose all their TCP connections to one above.
fn shadow(rules: &mut [NatRule]) {
    for below in 1..rules.len() {
        let (above, rest) = rules.split_at_mut(below);
        if let Some(rule) = rest.first_mut() {
            rule.shadowed_by = above.iter().position(|above| takes_all(above, rule));
        }
    }
}

/// Whether every TCP connection that could meet `below` has met `above` before.
fn takes_all(above: &NatRule, below: &NatRule) -> bool {
    let same_table =
        (&above.tool, &above.table_family, &above.table) == (&below.tool, &below.table_family, &below.table);
    let covers = |one: &Way, other: &Way| {
        one.hook == other.hook
            && (same_table || one.priority < other.priority)
            && one.protocols.as_ref().is_none_or(|held| held.contains("tcp"))
            && (same_table || one.family == Some(Family::Both) || one.family == other.family)
            && one.conditions.is_subset(&other.conditions)
            && one.excepts.iter().all(|except| other.excepts.contains(except))
            && one.conditions.iter().all(|key| is_lasting(key))
    };
    !below.ways.is_empty() && below.ways.iter().all(|other| above.ways.iter().any(|one| covers(one, other)))
}

/// Whether two lines that ask for this meet the same packets: no chance, no rate.
fn is_lasting(condition: &str) -> bool {
    !["statistic", "limit", "quota", "recent", "numgen", "random"].iter().any(|word| condition.contains(word))
}
