//! Follows the jumps from the hooks where source ports are chosen, and lists the rules that choose them.
//!
//! Packets meet the hooks' chains in the order of their priority; of one priority the chain that was registered last comes
//! first. The first rule that matches chooses, and no other after it.

use std::collections::{BTreeMap, HashMap};

use super::conditions::need_changed_destination;
use super::nat_rule::{NatRule, RulePath};
use super::reach::{DivertingLine, Passage, Reach};
use super::{Action, Base, Chain, RuleFamily, RuleLine, RuleOwner, Table};

/// Deeper than the kernel's own limit on jumps (16).
const MAX_DEPTH: usize = 16;
/// Lines visited: enough for every set of rules that people write.
const MAX_STEPS: usize = 200_000;
/// Ways to one rule that are kept.
const MAX_PATHS: usize = 8;
/// Lines above a rule that are compared with it, the nearest ones.
const MAX_COMPARED: usize = 1000;
/// Lines above a rule that are kept for people.
const MAX_EXCEPTS: usize = 6;
/// conntrack sees packets from this priority on (`NF_IP_PRI_CONNTRACK`); a chain before can keep it from doing so.
pub(super) const CONNTRACK: i64 = -200;

/// All rules that choose source ports, in the order in which packets meet them, then those that none meets.
pub(super) fn walk(tables: &[Table]) -> Vec<NatRule> {
    let lines = || tables.iter().flat_map(|table| &table.chains).flat_map(|chain| &chain.lines);
    let is_destination_changed = lines().any(|line| line.changes_destination);
    let mut walk = Walk { untracked: untracked(tables), is_destination_changed, ..Walk::default() };
    for table in tables {
        walk.chains.extend(table.chains.iter().map(|chain| ((std::ptr::from_ref(table), chain.name.as_str()), chain)));
    }
    for hook in ["postrouting", "input"] {
        let mut earlier: Vec<(Start<'_>, DivertingLine)> = Vec::new();
        for start in starts(tables, hook) {
            let (table, chain, _) = start;
            let matters = |(other, one): &&(Start<'_>, DivertingLine)| {
                comes_before(other, &start) && one.family.and(RuleFamily::of_table(&table.family)).is_some()
            };
            walk.taken = earlier.iter().filter(matters).map(|(_, one)| one.clone()).collect();
            let given = walk.taken.len();
            walk.is_mark_changed = false;
            let at = At { hook, chains: Vec::new(), jumps: Vec::new(), passage: Passage::new() };
            walk.chain(table, chain, &at);
            // A packet that left the chain without a verdict that chooses goes on to the next one.
            let mut leaks = false;
            for mut one in walk.taken.split_off(given) {
                one.is_leaky |= leaks;
                leaks |= !one.is_last;
                earlier.extend(one.is_last.then_some((start, one)));
            }
        }
    }
    for table in tables {
        for chain in &table.chains {
            chain.lines.iter().for_each(|line| walk.rule(table, chain, line, None));
        }
    }
    // No packet meets rules of both, and IPv4 is read first.
    walk.rules.sort_by_key(|rule| rule.table_family == "ip6");
    walk.rules
}

/// A chain at a hook.
type Start<'a> = (&'a Table, &'a Chain, &'a Base);

/// Those of a hook, in the order in which packets meet them.
fn starts<'a>(tables: &'a [Table], hook: &str) -> Vec<Start<'a>> {
    let all = tables.iter().flat_map(|table| table.chains.iter().map(move |chain| (table, chain)));
    let mut starts: Vec<_> = all.filter_map(|(table, chain)| Some((table, chain, chain.base.as_ref()?))).collect();
    starts.retain(|(_, _, base)| base.is_nat && base.hook == hook);
    starts.sort_by_key(|(_, _, base)| (base.priority, std::cmp::Reverse(base.registered)));
    starts
}

/// Whether it is certain that packets meet one before the other.
fn comes_before((_, _, one): &Start<'_>, (_, _, other): &Start<'_>) -> bool {
    one.priority < other.priority
        || (one.registered.is_some() && one.registered > other.registered && other.registered.is_some())
}

/// Lines that keep conntrack, and so NAT, away from packets that are routed through the node.
fn untracked(tables: &[Table]) -> Vec<DivertingLine> {
    let chains = tables.iter().flat_map(|table| &table.chains);
    let early = chains
        .filter(|chain| chain.base.as_ref().is_some_and(|base| base.hook == "prerouting" && base.priority < CONNTRACK));
    // What a line above takes away may not get to the one that matters.
    let goes_on = |line: &&RuleLine| matches!(line.action, Action::Other | Action::Notrack);
    let first = early.flat_map(|chain| chain.lines.iter().take_while(goes_on));
    first.filter(|line| line.action == Action::Notrack).map(|line| DivertingLine::by(line, line.text.clone())).collect()
}

/// Where the walk is.
#[derive(Clone)]
struct At<'a> {
    hook: &'a str,
    chains: Vec<String>,
    jumps: Vec<String>,
    passage: Passage,
}

#[derive(Default)]
struct Walk<'a> {
    /// Place in `rules` by table, chain and line.
    found: BTreeMap<(&'a str, &'a str, &'a str, &'a str, usize), usize>,
    rules: Vec<NatRule>,
    /// Lines that have taken packets away, of all chains that lead here.
    taken: Vec<DivertingLine>,
    untracked: Vec<DivertingLine>,
    /// A line has set a mark, so packets may have one now.
    is_mark_changed: bool,
    /// Some line changes destinations.
    is_destination_changed: bool,
    steps: usize,
    /// Chains by table and name.
    chains: HashMap<(*const Table, &'a str), &'a Chain>,
}

impl<'a> Walk<'a> {
    fn chain(&mut self, table: &'a Table, chain: &'a Chain, at: &At<'_>) {
        if at.chains.len() >= MAX_DEPTH || at.chains.contains(&chain.name) {
            return;
        }
        let mut at = at.clone();
        at.chains.push(chain.name.clone());
        for line in &chain.lines {
            self.steps += 1;
            if self.steps > MAX_STEPS {
                return;
            }
            let passage = at.passage.through(line);
            if let Action::Nat(_) = &line.action {
                let path = self.path(&at, passage);
                self.rule(table, chain, line, Some(path));
                self.take(line, true, true);
            } else if let Action::Branches(branches) = &line.action {
                for branch in branches {
                    let mut line = line.clone();
                    line.conditions.extend(branch.condition.clone());
                    let mut passage = passage.clone();
                    branch.condition.iter().for_each(|condition| passage.add(condition));
                    self.lead(table, &branch.action, &line, passage, &at);
                }
            } else {
                if line.sets_mark && !self.needs_mark(&passage) {
                    self.is_mark_changed = true;
                }
                self.lead(table, &line.action, line, passage, &at);
            }
        }
    }

    fn lead(&mut self, table: &'a Table, action: &Action, line: &RuleLine, passage: Passage, at: &At<'_>) {
        match action {
            Action::Jump(target) | Action::Goto(target) => {
                let mut on = At { passage, ..at.clone() };
                if !line.conditions.is_empty() || line.protocols != super::Protocols::Any {
                    on.jumps.push(line.text.clone());
                }
                let given = self.taken.len();
                if let Some(chain) = self.chains.get(&(std::ptr::from_ref(table), target.as_str())).copied() {
                    self.chain(table, chain, &on);
                }
                self.come_back(given, line);
                if matches!(action, Action::Goto(_)) {
                    self.take(line, false, false);
                }
            }
            Action::Return => self.take(line, false, false),
            Action::Accept => self.take(line, true, false),
            Action::Drop => self.take(line, true, true),
            Action::Nat(_) | Action::Branches(_) | Action::Notrack | Action::Foreign(_) | Action::Other => {}
        }
    }

    /// Keeps of the lines of a chain that was left those that give a verdict, as lines of the chain that jumped.
    fn come_back(&mut self, given: usize, jump: &RuleLine) {
        let inside = self.taken.split_off(given);
        let mut leaks = false;
        for mut one in inside {
            if !one.is_final {
                leaks = true;
                continue;
            }
            one.is_leaky |= leaks;
            let asked = DivertingLine::by(jump, String::new());
            one.takes_tcp &= asked.takes_tcp;
            one.family = one.family.and(asked.family).unwrap_or(one.family);
            one.asks_for_mark |= asked.asks_for_mark;
            one.conditions.extend(asked.conditions);
            self.taken.push(one);
        }
    }

    fn take(&mut self, line: &RuleLine, is_final: bool, is_last: bool) {
        self.taken.push(DivertingLine { is_final, is_last, ..DivertingLine::by(line, line.text.clone()) });
    }

    /// Lines above that can matter.
    fn above(&self) -> &[DivertingLine] {
        &self.taken[self.taken.len().saturating_sub(MAX_COMPARED)..]
    }

    fn needs_mark(&self, passage: &Passage) -> bool {
        let takes_unmarked = |one: &DivertingLine| one.asks_for_mark && one.takes(passage, true);
        !self.is_mark_changed && (passage.asks_for_mark() || self.above().iter().any(takes_unmarked))
    }

    /// Whether connections of the passage's family come by this path.
    fn reach(&self, at: &At<'_>, passage: &Passage) -> Reach {
        let taken_by = self.above().iter().find(|one| one.takes(passage, false));
        let untracked = self.untracked.iter().find(|one| one.takes(passage, false));
        match (taken_by, untracked) {
            _ if !passage.protocols.have_tcp() => Reach::NotTcp,
            _ if passage.is_empty => Reach::Never("no packet meets everything that leads to it".to_owned()),
            (Some(line), _) => Reach::Never(format!("TCP connections are taken above it, by `{}`", line.text)),
            (None, Some(line)) => Reach::Never(format!("conntrack does not see what it meets: `{}`", line.text)),
            (None, None) if !self.is_destination_changed && need_changed_destination(&passage.conditions) => {
                Reach::Never(
                    "it asks for connections whose destination was changed, and no rule here changes one".into(),
                )
            }
            (None, None) if at.hook == "input" => Reach::Incoming,
            (None, None) => Reach::Met,
        }
    }

    fn path(&self, at: &At<'_>, mut passage: Passage) -> RulePath {
        let of = |family| self.reach(at, &passage.of(family));
        let (family, reach) = match passage.family {
            RuleFamily::Both => match (of(RuleFamily::V4), of(RuleFamily::V6)) {
                (reach @ (Reach::Met | Reach::Incoming), Reach::Never(_)) => (RuleFamily::V4, reach),
                (Reach::Never(_), reach @ (Reach::Met | Reach::Incoming)) => (RuleFamily::V6, reach),
                (reach, _) => (RuleFamily::Both, reach),
            },
            family @ (RuleFamily::V4 | RuleFamily::V6) => (family, of(family)),
        };
        passage.family = family;
        RulePath {
            hook: at.hook.to_owned(),
            chains: at.chains.clone(),
            jumps: at.jumps.clone(),
            excepts: self.taken.iter().take(MAX_EXCEPTS).map(|one| one.text.clone()).collect(),
            more_excepts: self.taken.len().saturating_sub(MAX_EXCEPTS),
            reach,
            asks_for_mark: self.needs_mark(&passage),
            passage,
        }
    }

    fn rule(&mut self, table: &'a Table, chain: &'a Chain, line: &'a RuleLine, path: Option<RulePath>) {
        let Action::Nat(nat) = &line.action else { return };
        let place = (&*table.tool, &*table.family, &*table.name, &*chain.name, line.number);
        let at = *self.found.entry(place).or_insert_with(|| {
            self.rules.push(NatRule {
                tool: table.tool.clone(),
                table_family: table.family.clone(),
                table: table.name.clone(),
                owned_by: table.owned_by.clone(),
                chain: chain.name.clone(),
                line: line.clone(),
                nat: nat.clone(),
                family: line.family,
                paths: Vec::new(),
                owner: RuleOwner::of(&table.name, &chain.name, &line.text)
                    .or_else(|| RuleOwner::of_conditions(&line.conditions)),
            });
            self.rules.len() - 1
        });
        let rule = &mut self.rules[at];
        if let Some(mut path) = path.filter(|_| rule.paths.len() < MAX_PATHS) {
            if !path.chains.contains(&chain.name) {
                path.chains.push(chain.name.clone());
            }
            rule.paths.push(path);
            let met = rule.met_paths().map(|path| path.passage.family).collect::<Vec<_>>();
            let all = || rule.paths.iter().map(|path| path.passage.family).collect::<Vec<_>>();
            let mut families = if met.is_empty() { all() } else { met };
            families.dedup();
            rule.family = <[RuleFamily; 1]>::try_from(families).map_or(RuleFamily::Both, |[family]| family);
        }
    }
}
