//! What `snatrace schema` says, held against lines that are written.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is a failed test")]

use std::collections::{BTreeMap, BTreeSet};

use jsonschema::Validator;
use serde_json::{Value, json};

/// The schema, and the kinds of line that were held against it.
pub struct Schema {
    any: Validator,
    kinds: BTreeMap<String, Validator>,
    /// Kinds of line that were valid.
    pub seen: BTreeSet<String>,
}

impl Schema {
    /// From what `snatrace schema` prints.
    pub fn new(text: &str) -> Self {
        let schema: Value = serde_json::from_str(text).unwrap();
        let any = jsonschema::validator_for(&schema).unwrap();
        Self { any, kinds: validators(&schema), seen: BTreeSet::new() }
    }

    /// Whether a line of this kind is valid, and has no field that the schema does not name.
    pub fn is_valid(&self, kind: &str, line: &Value) -> bool {
        self.kinds[kind].is_valid(line)
    }

    /// Holds lines against it: objects with a `kind`, or rows of this table.
    pub fn check(&mut self, words: &str, text: &str, table: Option<&str>) {
        for line in text.lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            assert!(self.any.is_valid(&line), "{words}: {line}");
            let kind = table.unwrap_or_else(|| line["kind"].as_str().unwrap());
            if let Err(error) = self.kinds[kind].validate(&line) {
                panic!("{words}: {error}: {line}");
            }
            self.seen.insert(kind.to_owned());
        }
    }

    /// Kinds of line that it names.
    pub fn kinds(&self) -> impl Iterator<Item = &str> {
        self.kinds.keys().map(String::as_str)
    }
}

/// The definition of a kind of line, closed: a field that it does not name is an error.
fn validators(schema: &Value) -> BTreeMap<String, Validator> {
    let definitions = schema["$defs"].as_object().unwrap();
    let mut validators = BTreeMap::new();
    for (name, definition) in definitions {
        let kind = &definition["properties"]["kind"];
        let kinds = kind["enum"].as_array().cloned().unwrap_or_else(|| vec![kind["const"].clone()]);
        let table = ["attempts", "retransmits"].contains(&name.as_str()).then_some(name.as_str());
        for kind in kinds.iter().filter_map(Value::as_str).chain(table) {
            let mut closed = definition.clone();
            closed["unevaluatedProperties"] = json!(false);
            closed["$defs"] = schema["$defs"].clone();
            closed["$schema"] = schema["$schema"].clone();
            validators.insert(kind.to_owned(), jsonschema::validator_for(&closed).unwrap());
        }
    }
    validators
}
