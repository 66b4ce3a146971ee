//! Values in nft's JSON: addresses, ports, sets of them, and what a comparison looks at.

use std::collections::BTreeSet;

use ipnet::IpNet;
use serde_json::Value;

use super::addresses;
use super::conditions::Subject;

/// What a comparison looks at, where that is known; `None` for values that are not in the rule itself.
pub(super) fn subject(left: &Value, right: &Value) -> Option<Subject> {
    let mask = |value: &Value| u32::try_from(value.as_u64()?).ok();
    match left["payload"]["field"]
        .as_str()
        .filter(|_| ["ip", "ip6"].iter().any(|name| left["payload"]["protocol"] == *name))
    {
        Some("saddr") => return prefixes(right).map(Subject::Source),
        Some("daddr") => return prefixes(right).map(Subject::Destination),
        _ => {}
    }
    let of_mark = |value: &Value| match (&value["meta"]["key"], &value["ct"]["key"]) {
        (key, _) if *key == "mark" => Some(false),
        (_, key) if *key == "mark" => Some(true),
        _ => None,
    };
    let (mark, mask) = match left["&"].as_array().map(Vec::as_slice) {
        Some([mark, bits]) => (mark, mask(bits)),
        _ => (left, Some(u32::MAX)),
    };
    if let Some(of_connection) = of_mark(mark) {
        return Some(Subject::Mark { of_connection, mask: mask?, values: numbers(right)? });
    }
    match (left["meta"]["key"].as_str(), left["ct"]["key"].as_str()) {
        (Some("iifname" | "iif"), _) => words(right).map(Subject::In),
        (Some("oifname" | "oif"), _) => words(right).map(Subject::Out),
        (_, Some("state")) => words(right).map(Subject::State),
        (_, Some("status")) => words(right)?.contains("dnat").then_some(Subject::ChangedDestination),
        _ => None,
    }
}

pub(super) fn flags(statement: &Value) -> impl Iterator<Item = &str> {
    let flags = &statement["flags"];
    flags.as_str().into_iter().chain(flags.as_array().into_iter().flatten().filter_map(Value::as_str))
}

/// A port or a range of them, in order.
pub(super) fn range(value: &Value) -> Option<(u16, u16)> {
    let port = |value: &Value| u16::try_from(value.as_u64()?).ok();
    let (one, other) = match value["range"].as_array().map(Vec::as_slice) {
        Some([low, high]) => (port(low)?, port(high)?),
        _ => (port(value)?, port(value)?),
    };
    Some((one.min(other), one.max(other)))
}

/// An address, or the first and the last of a range, which nft may write as a prefix.
pub(super) fn address(value: &Value) -> Option<String> {
    match value["range"].as_array().map(Vec::as_slice) {
        Some([first, last]) => Some(format!("{}-{}", first.as_str()?, last.as_str()?)),
        _ if value["prefix"].is_object() => match prefix(value)? {
            IpNet::V4(net) => Some(format!("{}-{}", net.network(), net.broadcast())),
            IpNet::V6(net) => Some(format!("{}-{}", net.network(), net.broadcast())),
        },
        _ => value.as_str().map(str::to_owned),
    }
}

/// One value or a set of them; `None` for a set that is not in the rule itself.
fn members(value: &Value) -> Vec<&Value> {
    match value["set"].as_array().or(value.as_array()) {
        Some(set) => set.iter().collect(),
        None => vec![value],
    }
}

pub(super) fn words(value: &Value) -> Option<BTreeSet<String>> {
    let word = |value: &Value| match value {
        Value::String(name) if !name.starts_with('@') => Some(name.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    members(value).into_iter().map(word).collect()
}

fn numbers(value: &Value) -> Option<BTreeSet<u32>> {
    members(value).into_iter().map(|value| u32::try_from(value.as_u64()?).ok()).collect()
}

fn prefix(value: &Value) -> Option<IpNet> {
    let inside = &value["prefix"];
    let text = match (inside["addr"].as_str(), inside["len"].as_u64()) {
        (Some(address), Some(length)) => format!("{address}/{length}"),
        _ => value.as_str()?.to_owned(),
    };
    addresses::parse(&text)
}

/// Prefixes, also of ranges; `None` where one is not understood.
fn prefixes(value: &Value) -> Option<Vec<IpNet>> {
    let all = members(value).into_iter().map(|value| match value["range"].as_array().map(Vec::as_slice) {
        Some([first, last]) => addresses::of_range(first.as_str()?, last.as_str()?),
        _ => prefix(value).map(|prefix| vec![prefix]),
    });
    Some(all.collect::<Option<Vec<_>>>()?.concat())
}
