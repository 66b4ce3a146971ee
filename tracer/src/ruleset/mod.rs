//! The NAT rules of a namespace, as `nft` and `iptables-save` list them. They are read, never written.
//!
//! Each tool's output becomes tables of chains of lines; `walk` follows the jumps from the hooks and lists every rule that
//! chooses a source port, with the path to it.

mod addresses;
mod conditions;
mod forward;
mod iptables;
mod nat_rule;
mod nft;
mod nft_expr;
mod nft_print;
mod nft_statement;
mod nft_text;
mod nft_values;
mod owner;
mod protocols;
mod reach;
mod read;
mod rewrite;
mod tool;
mod untracked;
mod walk;
mod words;

use schemars::JsonSchema;
use serde::Serialize;

pub use conditions::{Condition, Subject};
pub use forward::ForwardChain;
pub use nat_rule::{NatRule, RulePath};
pub use owner::RuleOwner;
pub use protocols::Protocols;
pub use reach::Reach;
pub use read::{Kernel, Read, Sources, ToolReading, read, read_from};
pub use rewrite::with_ports;
pub use tool::{Installed, Tools};
pub use words::for_shell as shell_word;

/// Address families that a rule can meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RuleFamily {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
    /// Either.
    Both,
}

impl RuleFamily {
    /// That of a table, by nft's word for it.
    fn of_table(word: &str) -> Self {
        match word {
            "ip" => Self::V4,
            "ip6" => Self::V6,
            _ => Self::Both,
        }
    }

    /// What both meet; `None` where that is nothing.
    pub fn and(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Both, family) | (family, Self::Both) => Some(family),
            (one, other) => (one == other).then_some(one),
        }
    }
}

/// What a NAT statement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NatKind {
    /// To the address of the interface.
    Masquerade,
    /// To the address that the rule names.
    Snat,
    /// To the same host part of another prefix.
    Netmap,
}

/// How the statement wants ports to be chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, JsonSchema)]
pub struct Flags {
    /// `random`
    pub random: bool,
    /// `fully-random`, `--random-fully`
    pub fully_random: bool,
    /// `persistent`: has an effect on addresses only.
    pub persistent: bool,
}

impl Flags {
    /// As nft writes them.
    pub fn words(self) -> String {
        let all = [(self.random, "random"), (self.fully_random, "fully-random"), (self.persistent, "persistent")];
        all.into_iter().filter(|(is_set, _)| *is_set).map(|(_, word)| word).collect::<Vec<_>>().join(",")
    }

    /// The kernel treats both alike (`NF_NAT_RANGE_PROTO_RANDOM_ALL`).
    pub const fn draws(self) -> bool {
        self.random || self.fully_random
    }
}

/// The ports that the statement names.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NatPorts {
    /// None: the kernel's default ranges.
    Default,
    /// This range, or one of these where a map chooses.
    Ranges(Vec<(u16, u16)>),
    /// They come from something that cannot be read here.
    Unknown,
}

/// A statement that chooses a source port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nat {
    pub kind: NatKind,
    pub flags: Flags,
    pub ports: NatPorts,
    /// The address or addresses of a SNAT, where the rule itself names them.
    pub address: Option<String>,
}

/// Where a line leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// It chooses a source port.
    Nat(Nat),
    /// To one chain or another, or to a verdict, by what else the packet meets.
    Branches(Vec<Branch>),
    /// Through another chain and back.
    Jump(String),
    /// Through another chain, and not back.
    Goto(String),
    /// Back to the chain that jumped here.
    Return,
    /// Past all other lines of this hook's chain.
    Accept,
    /// The packet goes no further.
    Drop,
    /// conntrack, and so NAT, leaves the packet alone.
    Notrack,
    /// A target of iptables that nft cannot read.
    Foreign(String),
    /// It does something else, and the next line follows.
    Other,
}

/// One outcome of a verdict map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch {
    /// What leads here.
    pub condition: Option<Condition>,
    pub action: Action,
}

/// One line of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleLine {
    /// nft's number for it.
    pub handle: Option<u64>,
    /// Its place in the chain, from 1.
    pub number: usize,
    /// As the tool writes it.
    pub text: String,
    /// What it asks for beside protocol and family.
    pub conditions: Vec<Condition>,
    /// The phrases before the statement, to be written again in another rule; or why they cannot be.
    pub matches: Result<Vec<String>, String>,
    /// Transport protocols that it can meet.
    pub protocols: Protocols,
    /// Families that it can meet.
    pub family: RuleFamily,
    /// It asks for what no packet has.
    pub is_contradiction: bool,
    /// It sets a mark.
    pub sets_mark: bool,
    /// It changes the destination of connections (DNAT).
    pub changes_destination: bool,
    pub action: Action,
}

impl RuleLine {
    /// One that asks for nothing and does nothing.
    fn new(family: RuleFamily) -> Self {
        Self {
            handle: None,
            number: 0,
            text: String::new(),
            conditions: Vec::new(),
            matches: Err("it chooses no source port".to_owned()),
            protocols: Protocols::Any,
            family,
            is_contradiction: false,
            sets_mark: false,
            changes_destination: false,
            action: Action::Other,
        }
    }
}

/// Where a chain begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// Whether NAT is its purpose, not filtering.
    pub is_nat: bool,
    /// `postrouting` or `input` choose source ports.
    pub hook: String,
    /// What becomes of packets that no line decides about.
    pub drops: bool,
    /// Lower comes first.
    pub priority: i64,
    /// Grows with the time at which it was registered, where that can be seen; of one priority the newest comes first.
    pub registered: Option<(u64, u64)>,
}

/// One chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    pub name: String,
    /// Set where it begins at a hook.
    pub base: Option<Base>,
    pub lines: Vec<RuleLine>,
}

/// One table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// The tool that changes it: `nft`, `iptables-nft`, `ip6tables-legacy`.
    pub tool: String,
    /// Family in nft's words: `ip`, `ip6`, `inet`.
    pub family: String,
    pub name: String,
    /// The program that owns the table, where that is known: the kernel lets no other program change it.
    pub owned_by: Option<String>,
    pub chains: Vec<Chain>,
}

#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;
