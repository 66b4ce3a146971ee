//! `nft -a list ruleset`: the text of each rule as nft itself writes it, found by the rule's handle.

use std::collections::{BTreeMap, HashMap};

/// Texts by family, table and handle.
pub(super) type Texts = HashMap<(String, String, u64), String>;

/// What the listing says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Listing {
    pub(super) texts: Texts,
    /// Every table, by family and name, in order of the names.
    pub(super) tables: BTreeMap<(String, String), TableHeader>,
}

/// What the listing says of a table itself. nft 1.0.6 writes a table's flags as broken JSON, so they are read here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TableHeader {
    /// The kernel lets only its owner change it.
    pub(super) is_owned: bool,
    /// Its chains are at no hook.
    pub(super) is_dormant: bool,
    /// The program that owns it.
    pub(super) program: Option<String>,
    /// Its chains.
    pub(super) chains: Vec<String>,
}

/// Reads the listing. A rule that spans several lines becomes one.
pub(super) fn parse(listing: &str) -> Listing {
    let mut parsed = Listing::default();
    let mut table = None;
    let mut is_in_chain = false;
    let mut rule = String::new();
    for line in listing.lines() {
        let (indent, line) = (line.len() - line.trim_start_matches('\t').len(), line.trim());
        let (body, handle) = split_handle(line);
        match indent {
            // `table inet o { # progname nft`: a rule of a table whose name is not understood has no text.
            0 if !line.is_empty() => {
                table = opening(body, "table");
                if let Some(table) = &table {
                    let program = line.split_once("progname ").map(|(_, name)| name.to_owned());
                    parsed.tables.entry(table.clone()).or_default().program = program;
                }
                is_in_chain = false;
                rule.clear();
            }
            0 => {}
            1 => {
                is_in_chain = body.starts_with("chain ") && body.ends_with('{');
                if let Some(header) = table.as_ref().and_then(|table| parsed.tables.get_mut(table)) {
                    header.line(body, is_in_chain);
                }
            }
            _ if is_in_chain => {
                rule = if rule.is_empty() { body.to_owned() } else { format!("{rule} {body}") };
                if let (Some((family, name)), Some(handle)) = (&table, handle) {
                    parsed.texts.insert((family.clone(), name.clone(), handle), std::mem::take(&mut rule));
                } else if rule.ends_with(';') {
                    // `type nat hook postrouting priority srcnat; policy accept;`
                    rule.clear();
                }
            }
            _ => {}
        }
    }
    parsed
}

impl TableHeader {
    fn line(&mut self, body: &str, is_chain: bool) {
        if let Some(flags) = body.strip_prefix("flags ") {
            let has = |name: &str| flags.trim_end_matches(';').split(',').any(|flag| flag.trim() == name);
            (self.is_owned, self.is_dormant) = (has("owner"), has("dormant"));
        } else if is_chain {
            self.chains.extend(body.split(' ').nth(1).map(str::to_owned));
        }
    }
}

/// `table ip nat {`
fn opening(body: &str, word: &str) -> Option<(String, String)> {
    let mut words = body.split(' ');
    let is_table = words.next() == Some(word);
    let (family, name) = (words.next().filter(|_| is_table)?, words.next()?);
    (words.next() == Some("{")).then(|| (family.to_owned(), name.to_owned()))
}

/// The line without its `# handle 7`, and the number.
fn split_handle(line: &str) -> (&str, Option<u64>) {
    let split = line.rsplit_once("# handle ");
    match split.and_then(|(body, number)| Some((body.trim_end(), number.parse().ok()?))) {
        Some((body, handle)) => (body, Some(handle)),
        None => (line, None),
    }
}
