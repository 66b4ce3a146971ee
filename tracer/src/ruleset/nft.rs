//! `nft -j list ruleset` as tables. Only chains, rules and maps are looked at; sets are skipped while reading.

use std::collections::HashMap;

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::Value;

use super::nft_expr::{Maps, line};
use super::{Base, Chain, Table};

#[derive(Deserialize)]
struct Ruleset {
    nftables: Vec<Object>,
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
type Place = (String, String, String);

/// Parses the output; `texts` has the rules as people write them, by family, table and handle.
///
/// # Errors
/// When it is not what nft writes.
pub(super) fn parse(json: &str, texts: &HashMap<(String, String, u64), String>) -> anyhow::Result<Vec<Table>> {
    let ruleset: Ruleset = serde_json::from_str(json).context("cannot understand what nft -j lists")?;
    let mut maps: HashMap<Place, Vec<Value>> = HashMap::new();
    let mut tables = Tables::default();
    let mut rules = Vec::new();
    for object in ruleset.nftables {
        if let Some(map) = object.map {
            maps.insert((map.family, map.table, map.name), map.elem);
        }
        if let Some(chain) = object.chain {
            tables.add(chain);
        }
        rules.extend(object.rule);
    }
    for rule in rules {
        let named = |name: &str| maps.get(&(rule.family.clone(), rule.table.clone(), name.to_owned()));
        let text = rule.handle.and_then(|handle| texts.get(&(rule.family.clone(), rule.table.clone(), handle)));
        let text = text.map_or("", String::as_str);
        let parsed = line(&rule.expr, rule.handle, text, &rule.family, &(&named as Maps<'_>));
        tables.push(&(rule.family.clone(), rule.table.clone(), rule.chain.clone()), parsed);
    }
    Ok(tables.tables)
}

#[derive(Default)]
struct Tables {
    tables: Vec<Table>,
    /// Where in `tables` a chain is.
    places: HashMap<Place, (usize, usize)>,
}

impl Tables {
    fn add(&mut self, chain: ChainObject) {
        let known = self.tables.iter().position(|table| table.family == chain.family && table.name == chain.table);
        let at = known.unwrap_or_else(|| {
            let (tool, family, name) = ("nft".to_owned(), chain.family.clone(), chain.table.clone());
            self.tables.push(Table { tool, family, name, chains: Vec::new() });
            self.tables.len() - 1
        });
        let base = match (chain.kind.as_deref(), chain.hook) {
            (Some("nat"), Some(hook)) => Some(Base { hook, priority: chain.prio.unwrap_or_default() }),
            _ => None,
        };
        let chains = &mut self.tables[at].chains;
        self.places.insert((chain.family, chain.table, chain.name.clone()), (at, chains.len()));
        chains.push(Chain { name: chain.name, base, lines: Vec::new() });
    }

    fn push(&mut self, place: &Place, mut line: super::Line) {
        let Some(&(table, chain)) = self.places.get(place) else { return };
        let lines = &mut self.tables[table].chains[chain].lines;
        line.number = lines.len() + 1;
        lines.push(line);
    }
}
