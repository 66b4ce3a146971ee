//! Asks every tool that is installed, in the namespace of this thread, without making the kernel load anything.
//!
//! nft and iptables-legacy load modules and make tables when there are none. So each is asked only where what it would look
//! at is there already.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;

use schemars::JsonSchema;
use serde::Serialize;

use super::nat_rule::NatRule;
use super::nft_text::Listing;
use super::tool::Tools;
use super::walk;
use super::{Action, ForwardChain, Table, forward, iptables, nft, nft_text, untracked};
use crate::symbols;

/// A function that every kernel with nf_tables exports.
const NF_TABLES: &str = "nft_register_expr";

/// Calls of nft where it cannot list all at once.
const MAX_CALLS: usize = 500;

/// What became of asking one tool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ToolReading {
    /// Its name.
    pub tool: String,
    /// What came of it.
    #[serde(flatten)]
    pub read: Read,
}

/// What came of asking a tool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "state", content = "why", rename_all = "snake_case")]
pub enum Read {
    /// Its rules.
    #[serde(rename = "told")]
    Listed,
    /// There is nothing that it could list.
    Empty(String),
    /// It is not installed.
    Missing,
    /// It could not list them.
    Failed(String),
}

/// What was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// Every tool, with what became of it.
    pub sources: Vec<ToolReading>,
    /// The rules that choose source ports.
    pub rules: Vec<NatRule>,
    /// The chains that decide about forwarded packets.
    pub forward: Vec<ForwardChain>,
    /// Lines that drop TCP packets which conntrack does not see, with their chains.
    pub untracked_drops: Vec<String>,
    /// Rules that only iptables can read, and that it did not, by table.
    pub unread: Vec<(String, usize)>,
    /// Names of all chains and tables: they show what else is at work here.
    pub chains: BTreeSet<String>,
}

impl Sources {
    /// Whether ufw is at work here: it has no chain of its own for NAT.
    pub fn has_ufw(&self) -> bool {
        self.chains.iter().any(|name| name.starts_with("ufw-") || name.starts_with("ufw6-"))
    }

    /// Whether there may be rules that no tool could list.
    pub fn is_blind(&self) -> bool {
        let is = |source: &ToolReading, read: &Read| source.read == *read;
        let failed = self.sources.iter().any(|source| matches!(source.read, Read::Failed(_)));
        let nft_is_missing = self.sources.iter().any(|source| source.tool == "nft" && is(source, &Read::Missing));
        let is_listed = self.sources.iter().any(|source| is(source, &Read::Listed));
        failed || !self.unread.is_empty() || (nft_is_missing && !is_listed)
    }
}

/// What the kernel has, as far as it can be seen.
#[derive(Debug)]
pub struct Kernel {
    /// nf_tables is loaded.
    pub nf_tables: bool,
    /// Tables of iptables-legacy by family; the reason where they cannot be seen.
    pub legacy: [Result<String, String>; 2],
}

impl Kernel {
    fn look() -> Self {
        // Where the kernel does not list its functions, nft is asked: most kernels have it.
        let nf_tables = symbols::present(&[NF_TABLES]).map_or(true, |found| found.contains(NF_TABLES));
        Self { nf_tables, legacy: ["ip_tables_names", "ip6_tables_names"].map(legacy_tables) }
    }
}

/// Lists tables without making one. /proc/net is that of the main thread, so the thread's own is named.
fn legacy_tables(file: &str) -> Result<String, String> {
    match fs::read_to_string(format!("/proc/thread-self/net/{file}")) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
        other => other.map_err(|error| format!("cannot see whether it has tables: /proc/net/{file}: {error}")),
    }
}

/// Reads the rules of the namespace of this thread.
pub fn read(tools: &dyn Tools) -> Sources {
    read_from(tools, &Kernel::look())
}

/// Reads what these tools print about a kernel that has this.
pub fn read_from(tools: &dyn Tools, kernel: &Kernel) -> Sources {
    let mut reading = RulesetReader { tools, sources: Vec::new(), tables: Vec::new() };
    let nft = reading.nft(kernel);
    for (family, prefix) in ["iptables", "ip6tables"].into_iter().enumerate() {
        reading.iptables(kernel, prefix, &kernel.legacy[family]);
    }
    reading.tables.iter_mut().for_each(|table| register(table, &nft));
    let nft = nft.into_iter().filter(|table| !reading.has(table)).collect::<Vec<_>>();
    let unread = nft.iter().filter_map(unread).collect();
    reading.tables.extend(nft);
    let chains = names(&reading.tables);
    Sources {
        forward: forward::forward(&reading.tables),
        untracked_drops: untracked::drops(&reading.tables),
        rules: walk::walk(&reading.tables),
        sources: reading.sources,
        unread,
        chains,
    }
}

fn names(tables: &[Table]) -> BTreeSet<String> {
    let of = |table: &Table| {
        let chains = table.chains.iter().map(|chain| chain.name.clone());
        chains.chain([table.name.clone()]).collect::<Vec<_>>()
    };
    tables.iter().flat_map(of).collect()
}

struct RulesetReader<'a> {
    tools: &'a dyn Tools,
    sources: Vec<ToolReading>,
    tables: Vec<Table>,
}

impl RulesetReader<'_> {
    fn nft(&mut self, kernel: &Kernel) -> Vec<Table> {
        if !kernel.nf_tables {
            self.note("nft", Read::Empty("the kernel has no nf_tables loaded, so there are no such rules".to_owned()));
            return Vec::new();
        }
        // What rules look like, and what nft 1.0.6 prints wrongly in JSON.
        let listing = self.tools.run("nft", &["-a", "list", "ruleset"]).ok().flatten().unwrap_or_default();
        let listing = nft_text::parse(&listing);
        let Some(json) = self.ask("nft", &["-j", "list", "ruleset"]) else { return Vec::new() };
        let objects = nft::objects(&json).map(|objects| vec![objects]);
        match objects.or_else(|error| self.by_chain(&listing).ok_or(error)) {
            Ok(objects) => {
                self.note("nft", Read::Listed);
                nft::tables(objects, &listing)
            }
            Err(error) => {
                self.note("nft", Read::Failed(format!("{error:#}")));
                Vec::new()
            }
        }
    }

    /// nft 1.0.6 cannot write a table with flags as JSON; what is in the table it can.
    fn by_chain(&self, listing: &Listing) -> Option<Vec<nft::Objects>> {
        if listing.tables.values().all(|header| !header.is_owned && !header.is_dormant) {
            return None;
        }
        let ask = |args: &[&str]| nft::objects(&self.tools.run("nft", args).ok()??).ok();
        let mut objects = vec![ask(&["-j", "list", "maps"])?];
        let mut calls = 0;
        for ((family, table), header) in &listing.tables {
            if header.is_owned || header.is_dormant {
                for chain in &header.chains {
                    calls += 1;
                    objects.push(ask(&["-j", "list", "chain", family, table, chain]).filter(|_| calls <= MAX_CALLS)?);
                }
            } else {
                objects.push(ask(&["-j", "list", "table", family, table])?);
            }
        }
        Some(objects)
    }

    /// Both backends; where only the plain name is installed, it says itself which one it is.
    fn iptables(&mut self, kernel: &Kernel, prefix: &str, legacy: &Result<String, String>) {
        let (nft, old) = (format!("{prefix}-nft"), format!("{prefix}-legacy"));
        let mut asked = false;
        for tool in [nft.clone(), old.clone()] {
            // Only looked for: asking for the version touches nothing.
            let version = self.tools.run(&format!("{tool}-save"), &["-V"]);
            if matches!(version, Ok(Some(_))) {
                asked = true;
                self.backend(&tool, tool == nft, kernel, legacy);
            }
        }
        if !asked {
            match self.tools.run(&format!("{prefix}-save"), &["-V"]) {
                Ok(Some(version)) => self.backend(prefix, version.contains("nf_tables"), kernel, legacy),
                Ok(None) => self.note(&format!("{prefix}-save"), Read::Missing),
                Err(error) => self.note(&format!("{prefix}-save"), Read::Failed(format!("{error:#}"))),
            }
        }
    }

    fn backend(&mut self, tool: &str, is_nft: bool, kernel: &Kernel, legacy: &Result<String, String>) {
        let save = format!("{tool}-save");
        let empty = match (is_nft, legacy) {
            (true, _) => (!kernel.nf_tables).then(|| "the kernel has no nf_tables loaded".to_owned()).map(Read::Empty),
            (false, Err(why)) => Some(Read::Failed(why.clone())),
            (false, Ok(tables)) if tables.trim().is_empty() => Some(Read::Empty("it has no tables here".to_owned())),
            (false, Ok(_)) => None,
        };
        if let Some(empty) = empty {
            return self.note(&save, empty);
        }
        let Some(text) = self.ask(&save, &[]) else { return };
        self.tables.extend(iptables::parse(&text, tool));
        self.note(&save, Read::Listed);
    }

    fn ask(&mut self, tool: &str, args: &[&str]) -> Option<String> {
        match self.tools.run(tool, args) {
            Ok(Some(text)) => return Some(text),
            Ok(None) => self.note(tool, Read::Missing),
            Err(error) => self.note(tool, Read::Failed(format!("{error:#}"))),
        }
        None
    }

    fn note(&mut self, tool: &str, read: Read) {
        self.sources.push(ToolReading { tool: tool.to_owned(), read });
    }

    /// Whether iptables-nft has listed this table already, in more detail.
    fn has(&self, table: &Table) -> bool {
        self.tables.iter().any(|other| is_same(table, other))
    }
}

/// When the chains of a table that iptables-nft lists were registered, as nft lists them.
fn register(table: &mut Table, nft: &[Table]) {
    let Some(same) = nft.iter().find(|other| is_same(other, table)) else { return };
    for chain in &mut table.chains {
        let listed = same.chains.iter().find(|other| other.name == chain.name).and_then(|other| other.base.as_ref());
        if let Some((base, listed)) = chain.base.as_mut().zip(listed) {
            (base.priority, base.registered) = (listed.priority, listed.registered);
        }
    }
}

fn is_same(nft: &Table, other: &Table) -> bool {
    other.family == nft.family && other.name == nft.name && !other.tool.ends_with("-legacy")
}

fn unread(table: &Table) -> Option<(String, usize)> {
    let lines = table.chains.iter().flat_map(|chain| &chain.lines);
    let is_nat = |name: &String| ["MASQUERADE", "SNAT", "NETMAP"].contains(&name.as_str());
    let count = lines.filter(|line| matches!(&line.action, Action::Foreign(name) if is_nat(name))).count();
    (count > 0).then(|| (format!("{} {}", table.family, table.name), count))
}
