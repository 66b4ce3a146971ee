//! `nft -j list ruleset` as tables. Only chains, rules and maps are looked at; sets are skipped while reading.

use std::collections::HashMap;

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::Value;

use super::nft_expr::{Maps, line};
use super::nft_text::Listing;
use super::{Base, Chain, Table};

#[derive(Deserialize)]
struct Ruleset {
    nftables: Vec<Object>,
}

/// What one call of nft lists.
pub(super) struct Objects(Vec<Object>);

/// Reads what nft lists.
///
/// # Errors
/// When it is not what nft writes.
pub(super) fn objects(json: &str) -> anyhow::Result<Objects> {
    let ruleset: Ruleset = serde_json::from_str(json).context("cannot understand what nft -j lists")?;
    Ok(Objects(ruleset.nftables))
}

/// One object has one of these keys; others are not read.
#[derive(Deserialize)]
struct Object {
    chain: Option<ChainObject>,
    rule: Option<RuleObject>,
    map: Option<MapObject>,
}

#[derive(Deserialize)]
struct ChainObject {
    family: String,
    table: String,
    name: String,
    #[serde(rename = "type")]
    kind: Option<String>,
    hook: Option<String>,
    prio: Option<i64>,
    policy: Option<String>,
    handle: Option<u64>,
}

#[derive(Deserialize)]
struct RuleObject {
    family: String,
    table: String,
    chain: String,
    handle: Option<u64>,
    #[serde(default)]
    expr: Vec<Value>,
}

#[derive(Deserialize)]
struct MapObject {
    family: String,
    table: String,
    name: String,
    #[serde(default)]
    elem: Vec<Value>,
}

/// Family, table and chain or map.
type ObjectName = (String, String, String);

/// Tables of everything that was listed; `listing` has the rules as people write them.
pub(super) fn tables(all: impl IntoIterator<Item = Objects>, listing: &Listing) -> Vec<Table> {
    let mut maps: HashMap<ObjectName, Vec<Value>> = HashMap::new();
    let mut tables = TableIndex::default();
    let mut rules = Vec::new();
    for object in all.into_iter().flat_map(|objects| objects.0) {
        if let Some(map) = object.map {
            maps.insert((map.family, map.table, map.name), map.elem);
        }
        if let Some(chain) = object.chain {
            tables.add(chain, listing);
        }
        rules.extend(object.rule);
    }
    for rule in rules {
        let named = |name: &str| maps.get(&(rule.family.clone(), rule.table.clone(), name.to_owned()));
        let text = rule.handle.and_then(|handle| listing.texts.get(&(rule.family.clone(), rule.table.clone(), handle)));
        let text = text.map_or("", String::as_str);
        let parsed = line(&rule.expr, rule.handle, text, &rule.family, &(&named as Maps<'_>));
        tables.push(&(rule.family.clone(), rule.table.clone(), rule.chain.clone()), parsed);
    }
    tables.tables
}

#[derive(Default)]
struct TableIndex {
    tables: Vec<Table>,
    /// Where in `tables` a chain is.
    places: HashMap<ObjectName, (usize, usize)>,
}

impl TableIndex {
    fn add(&mut self, chain: ChainObject, listing: &Listing) {
        let key = (chain.family.clone(), chain.table.clone());
        let header = listing.tables.get(&key);
        let known = self.tables.iter().position(|table| table.family == chain.family && table.name == chain.table);
        let at = known.unwrap_or_else(|| {
            let (tool, (family, name)) = ("nft".to_owned(), key);
            let owner = header.filter(|header| header.is_owned);
            let owned_by = owner.map(|owner| owner.program.clone().unwrap_or_else(|| "another program".to_owned()));
            self.tables.push(Table { tool, family, name, owned_by, chains: Vec::new() });
            self.tables.len() - 1
        });
        let is_awake = header.is_none_or(|header| !header.is_dormant);
        let base = chain.hook.filter(|_| is_awake).map(|hook| Base {
            is_nat: chain.kind.as_deref() == Some("nat"),
            hook,
            priority: chain.prio.unwrap_or_default(),
            drops: chain.policy.as_deref() == Some("drop"),
            // Tables are listed in the order in which they were made.
            registered: chain.handle.map(|handle| (at as u64, handle)),
        });
        let chains = &mut self.tables[at].chains;
        self.places.insert((chain.family, chain.table, chain.name.clone()), (at, chains.len()));
        chains.push(Chain { name: chain.name, base, lines: Vec::new() });
    }

    fn push(&mut self, place: &ObjectName, mut line: super::RuleLine) {
        let Some(&(table, chain)) = self.places.get(place) else { return };
        let lines = &mut self.tables[table].chains[chain].lines;
        line.number = lines.len() + 1;
        lines.push(line);
    }
}
