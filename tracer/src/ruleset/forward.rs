//! The chains at the forward hook that can drop: by policy, or what conntrack finds invalid.

use super::conditions::Subject;
use super::{Action, Branch, Chain, RuleLine, Table};

/// Chains visited from one hook.
const MAX_CHAINS: usize = 2000;

/// A chain at the forward hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardChain {
    /// Chain and table.
    pub name: String,
    /// Whether its policy is to drop.
    pub drops: bool,
    /// Lines that accept packets other than those of known connections, in the chains that it leads to too.
    pub accepts: usize,
    /// Lines that drop invalid packets, as the tool writes them.
    pub invalid: Vec<String>,
}

pub(super) fn forward(tables: &[Table]) -> Vec<ForwardChain> {
    let mut found = Vec::new();
    for table in tables {
        for chain in &table.chains {
            let Some(base) = chain.base.as_ref().filter(|base| base.hook == "forward") else { continue };
            let lines = lines(table, chain);
            let accepts = lines.iter().filter(|line| line.action == Action::Accept && !is_only_known(line)).count();
            let drops_invalid = |line: &&&RuleLine| line.action == Action::Drop && names_state(line, "invalid");
            let invalid = lines.iter().filter(drops_invalid).map(|line| line.text.clone()).collect();
            let name = format!("{} of {} {}", chain.name, table.family, table.name);
            found.push(ForwardChain { name, drops: base.drops, accepts, invalid });
        }
    }
    found
}

/// Those of a chain and of all that it leads to.
pub(super) fn lines<'a>(table: &'a Table, start: &'a Chain) -> Vec<&'a RuleLine> {
    let mut chains = vec![start];
    let mut next = 0;
    while let Some(chain) = chains.get(next).copied().filter(|_| chains.len() < MAX_CHAINS) {
        next += 1;
        for line in &chain.lines {
            let branches: &[Branch] = if let Action::Branches(branches) = &line.action { branches } else { &[] };
            let targets = branches.iter().map(|branch| &branch.action).chain([&line.action]);
            for target in targets {
                let (Action::Jump(name) | Action::Goto(name)) = target else { continue };
                let known = chains.iter().any(|chain| chain.name == *name);
                chains.extend(table.chains.iter().find(|chain| chain.name == *name).filter(|_| !known));
            }
        }
    }
    chains.into_iter().flat_map(|chain| &chain.lines).collect()
}

/// Whether it asks for packets of connections that are known.
fn is_only_known(line: &RuleLine) -> bool {
    line.conditions.iter().any(|condition| condition.of_new() == Some(false))
}

fn names_state(line: &RuleLine, state: &str) -> bool {
    line.conditions
        .iter()
        .filter(|condition| !condition.negated)
        .any(|condition| matches!(&condition.subject, Subject::State(states) if states.contains(state)))
}
