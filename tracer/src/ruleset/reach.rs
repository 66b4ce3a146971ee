//! Whether a TCP connection can get to a rule, past the lines above it.

use ipnet::IpNet;

use super::conditions::{Condition, are_enough, exclude};
use super::{Protocols, RuleFamily, RuleLine, Subject};

/// The source of conditions that ask for exactly one prefix.
fn one_source(conditions: &[Condition]) -> Option<IpNet> {
    let mut asked = conditions.iter().filter(|condition| !condition.negated);
    asked.find_map(|condition| {
        let Subject::Source(prefixes) = &condition.subject else { return None };
        <[IpNet; 1]>::try_from(&prefixes[..]).ok().map(|[one]| one)
    })
}

/// Whether a rule is met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// By new TCP connections that leave the node.
    Met,
    /// Not by TCP.
    NotTcp,
    /// By connections to this node only: the rule changes a source that only the node itself sees.
    Incoming,
    /// By none; why.
    Never(String),
}

/// A line that takes packets away from those below it.
#[derive(Clone, Debug)]
pub(super) struct DivertingLine {
    /// What it asks for, from the chain on in which it is looked at.
    pub(super) conditions: Vec<Condition>,
    pub(super) takes_tcp: bool,
    pub(super) family: RuleFamily,
    /// The one source that it matches, to skip most lines early.
    pub(super) source: Option<IpNet>,
    /// It asks for a mark.
    pub(super) asks_for_mark: bool,
    /// Some packets may have left the chain before it, and come by below.
    pub(super) is_leaky: bool,
    /// It gives a verdict; others only leave their own chain.
    pub(super) is_final: bool,
    /// It chooses a source or drops, so that chains at the same hook that come later do not choose one.
    pub(super) is_last: bool,
    /// The line, for people.
    pub(super) text: String,
}

impl DivertingLine {
    pub(super) fn by(line: &RuleLine, text: String) -> Self {
        Self {
            conditions: line.conditions.iter().filter(|one| one.of_new() != Some(true)).cloned().collect(),
            takes_tcp: line.protocols.have_tcp()
                && !line.is_contradiction
                && line.conditions.iter().all(|one| one.of_new() != Some(false)),
            family: line.family,
            source: one_source(&line.conditions),
            asks_for_mark: line.conditions.iter().any(|one| one.of_unmarked().is_some()),
            is_leaky: false,
            is_final: false,
            is_last: false,
            text,
        }
    }

    /// Whether every TCP connection that comes by this path has met it. `unmarked`: only those without a mark.
    pub(super) fn takes(&self, passage: &Passage, unmarked: bool) -> bool {
        let is_met = |one: &Condition| match one.of_unmarked().filter(|_| unmarked) {
            Some(is_met) => is_met,
            None => are_enough(&passage.conditions, one),
        };
        self.takes_tcp
            && self.source.is_none_or(|own| passage.source.is_none_or(|source| own.contains(&source)))
            && !self.is_leaky
            && (self.family == RuleFamily::Both || self.family == passage.family)
            && self.conditions.iter().all(is_met)
    }
}

/// What a packet must be to have come so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Passage {
    pub(super) conditions: Vec<Condition>,
    pub(super) protocols: Protocols,
    pub(super) family: RuleFamily,
    /// No packet is all that.
    pub(super) is_empty: bool,
    /// The one source that it asks for.
    source: Option<IpNet>,
}

impl Passage {
    pub(super) const fn new() -> Self {
        Self {
            conditions: Vec::new(),
            protocols: Protocols::Any,
            family: RuleFamily::Both,
            is_empty: false,
            source: None,
        }
    }

    /// Those of them that are of this family.
    pub(super) fn of(&self, family: RuleFamily) -> Self {
        Self { family, ..self.clone() }
    }

    /// On through this line.
    pub(super) fn through(&self, line: &RuleLine) -> Self {
        let mut on = self.clone();
        on.protocols = on.protocols.and(&line.protocols);
        on.is_empty |= line.is_contradiction;
        match on.family.and(line.family) {
            Some(family) => on.family = family,
            None => on.is_empty = true,
        }
        line.conditions.iter().for_each(|condition| on.add(condition));
        on
    }

    pub(super) fn add(&mut self, condition: &Condition) {
        self.is_empty |= condition.of_new() == Some(false) || exclude(&self.conditions, condition);
        if condition.of_new().is_none() {
            // The narrowest: each is met.
            if let Some(source) = one_source(std::slice::from_ref(condition)) {
                self.source = Some(self.source.filter(|held| source.contains(held)).unwrap_or(source));
            }
            self.conditions.push(condition.clone());
        }
    }

    /// Whether it matches on a mark, which a packet has only when another rule has set it.
    pub(super) fn asks_for_mark(&self) -> bool {
        self.conditions.iter().any(|condition| condition.of_unmarked() == Some(false))
    }
}
