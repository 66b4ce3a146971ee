//! The NAT rules of a namespace, as `nft` and `iptables-save` tell them. Only read, never written.
//!
//! Each tool's output becomes tables of chains of lines; `walk` follows the jumps from the hooks and lists every rule that
//! chooses a source port, with the way to it.

mod addresses;
mod iptables;
mod nft;
mod nft_expr;
mod nft_text;
mod owner;
mod read;
mod tool;
mod walk;
mod words;

use std::collections::BTreeSet;

use ipnet::IpNet;
use serde::Serialize;

pub use owner::Owner;
pub use read::{Kernel, Read, Source, Sources, read, read_from};
pub use tool::{Tools, run};
pub use walk::{NatRule, Way};
pub use words::for_shell as shell_word;

/// Address families that a rule can meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
    /// Either.
    Both,
}

impl Family {
    /// What both meet; `None` where that is nothing.
    #[must_use]
    pub fn and(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Both, family) | (family, Self::Both) => Some(family),
            (one, other) => (one == other).then_some(one),
        }
    }
}

/// What a NAT statement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// To the address of the interface.
    Masquerade,
    /// To the address that the rule names.
    Snat,
    /// To the same host part of another prefix.
    Netmap,
}

/// How the statement wants ports to be chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Flags {
    /// `random`
    pub random: bool,
    /// `fully-random`, `--random-fully`
    pub fully_random: bool,
    /// `persistent`: has an effect on addresses only.
    pub persistent: bool,
}

impl Flags {
    /// The kernel treats both alike (`NF_NAT_RANGE_PROTO_RANDOM_ALL`).
    #[must_use]
    pub const fn draws(self) -> bool {
        self.random || self.fully_random
    }
}

/// The ports that the statement names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ports {
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
    /// What it is.
    pub kind: Kind,
    /// How it chooses.
    pub flags: Flags,
    /// What it chooses from.
    pub ports: Ports,
    /// The address or addresses of a SNAT, where the rule itself names them.
    pub address: Option<String>,
}

/// Where a line leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// It chooses a source port.
    Nat(Nat),
    /// To other chains.
    To(Vec<String>),
    /// To none: packets that match do not reach the lines below.
    Ends,
    /// A target of iptables that nft cannot read.
    Foreign(String),
    /// It does something else, and the next line follows.
    Other,
}

/// One line of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// nft's number for it.
    pub handle: Option<u64>,
    /// Its place in the chain, from 1.
    pub number: usize,
    /// As the tool writes it.
    pub text: String,
    /// What it asks for beside the protocol, each in a form that equals only the same.
    pub conditions: BTreeSet<String>,
    /// The part of `text` before the statement, as words for a shell.
    pub matches: Vec<String>,
    /// Transport protocols that it can meet; any without.
    pub protocols: Option<BTreeSet<String>>,
    /// Families that it can meet.
    pub family: Family,
    /// Destinations that it asks for; any without.
    pub destinations: Vec<IpNet>,
    /// Where it leads.
    pub action: Action,
}

/// Where a chain begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// `postrouting` or `input`; others choose no source ports.
    pub hook: String,
    /// Lower comes first.
    pub priority: i64,
}

/// One chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Its name.
    pub name: String,
    /// Set where it begins at a hook for NAT.
    pub base: Option<Base>,
    /// Its lines.
    pub lines: Vec<Line>,
}

/// One table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// The tool that changes it: `nft`, `iptables-nft`, `ip6tables-legacy`.
    pub tool: String,
    /// Family in nft's words: `ip`, `ip6`, `inet`.
    pub family: String,
    /// Its name.
    pub name: String,
    /// Its chains.
    pub chains: Vec<Chain>,
}

impl Table {
    /// Whether nft's own commands change it.
    #[must_use]
    pub fn is_nft(&self) -> bool {
        self.tool == "nft"
    }
}

#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;
