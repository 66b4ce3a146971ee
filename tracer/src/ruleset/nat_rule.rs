//! A rule that chooses source ports, and the paths from the hooks to it.

use std::collections::BTreeSet;

use super::conditions::{leave_by, need_changed_destination, need_own_socket, stay_private};
use super::reach::{Passage, Reach};
use super::{Nat, RuleFamily, RuleLine, RuleOwner};

/// One path from a hook to a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RulePath {
    /// `postrouting` or `input`.
    pub hook: String,
    /// The chains, from that of the hook.
    pub chains: Vec<String>,
    /// The jumps that ask for something, as the tool writes them.
    pub jumps: Vec<String>,
    /// Lines above that take packets away from it, as the tool writes them: the first ones.
    pub excepts: Vec<String>,
    /// How many more of those there are.
    pub more_excepts: usize,
    /// Whether connections come by this path.
    pub reach: Reach,
    /// Whether only packets come by this path that something has marked.
    pub asks_for_mark: bool,
    pub(super) passage: Passage,
}

/// A rule that chooses source ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NatRule {
    /// The tool that changes it.
    pub tool: String,
    /// nft's word for the family of its table.
    pub table_family: String,
    pub table: String,
    /// The program that alone may write the table.
    pub owned_by: Option<String>,
    pub chain: String,
    pub line: RuleLine,
    pub nat: Nat,
    /// Families that it meets.
    pub family: RuleFamily,
    /// The paths to it; none means that no hook leads to it.
    pub paths: Vec<RulePath>,
    /// The program that writes it, where its names show that.
    pub owner: Option<RuleOwner>,
}

impl NatRule {
    /// Whether a connection can meet it: the best of its paths.
    pub fn reach(&self) -> Reach {
        if !self.line.protocols.have_tcp() {
            return Reach::NotTcp;
        }
        let rank = |reach: &Reach| match reach {
            Reach::Met => 0,
            Reach::Incoming => 1,
            Reach::NotTcp => 2,
            Reach::Never(_) => 3,
        };
        let best = self.paths.iter().map(|path| &path.reach).min_by_key(|reach| rank(reach));
        best.cloned().unwrap_or_else(|| Reach::Never("no hook leads to it".to_owned()))
    }

    /// The paths by which connections come.
    pub fn met_paths(&self) -> impl Iterator<Item = &RulePath> {
        self.paths.iter().filter(|path| path.reach == Reach::Met)
    }

    /// Whether it asks for destinations that are not routed on the internet.
    pub fn stays_private(&self) -> bool {
        self.is_each_met_path(|path| stay_private(&path.passage.conditions))
    }

    /// The interfaces that its packets leave by, where each path names some.
    pub fn leaves_by(&self) -> Option<BTreeSet<&str>> {
        let names = self.met_paths().map(|path| leave_by(&path.passage.conditions));
        let names: Option<Vec<_>> = names.collect();
        names.filter(|paths| !paths.is_empty()).map(|paths| paths.into_iter().flatten().map(String::as_str).collect())
    }

    /// Whether it matches marked packets only, as kube-proxy's does.
    pub fn asks_for_mark(&self) -> bool {
        self.is_each_met_path(|path| path.asks_for_mark)
    }

    /// Whether it matches only connections whose destination another rule has changed.
    pub fn asks_for_changed_destination(&self) -> bool {
        self.is_each_met_path(|path| need_changed_destination(&path.passage.conditions))
    }

    /// Whether it matches only sockets of this node, and no forwarded connections.
    pub fn asks_for_own_socket(&self) -> bool {
        self.is_each_met_path(|path| need_own_socket(&path.passage.conditions))
    }

    fn is_each_met_path(&self, is: impl Fn(&RulePath) -> bool) -> bool {
        let mut paths = self.met_paths().peekable();
        paths.peek().is_some() && paths.all(is)
    }
}
