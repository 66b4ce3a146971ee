//! The expressions of one nft rule: what it asks for, and where it leads.

use std::collections::BTreeSet;

use ipnet::IpNet;
use serde_json::Value;

use super::{Action, Family, Flags, Kind, Line, Nat, Ports, addresses, nft_text};

/// Elements of a named map.
pub(super) type Maps<'a> = &'a dyn Fn(&str) -> Option<&'a Vec<Value>>;

/// What has been read of a rule so far.
struct Reading<'a> {
    line: Line,
    maps: Maps<'a>,
}

/// Reads a rule. Its number is that of the caller.
pub(super) fn line(exprs: &[Value], handle: Option<u64>, text: &str, family: &str, maps: &Maps<'_>) -> Line {
    let family = match family {
        "ip" => Family::V4,
        "ip6" => Family::V6,
        _ => Family::Both,
    };
    let line = Line {
        handle,
        number: 0,
        text: text.to_owned(),
        conditions: BTreeSet::new(),
        matches: nft_text::matches(text),
        protocols: None,
        family,
        destinations: Vec::new(),
        action: Action::Other,
    };
    let mut reading = Reading { line, maps: *maps };
    let statements = exprs.iter().filter_map(Value::as_object).flat_map(serde_json::Map::iter);
    statements.for_each(|(name, value)| reading.statement(name, value));
    reading.line
}

impl Reading<'_> {
    fn statement(&mut self, name: &str, value: &Value) {
        match name {
            "match" => self.condition(value),
            "masquerade" => self.nat(Kind::Masquerade, value),
            "snat" => self.nat(Kind::Snat, value),
            "jump" | "goto" => self.line.action = Action::To(target(value).into_iter().collect()),
            "vmap" => self.verdict_map(value),
            "return" | "accept" | "drop" | "reject" | "queue" => self.line.action = Action::Ends,
            "xt" => self.foreign(value),
            // They decide whether the rule goes on, each packet anew.
            "limit" | "quota" | "ct count" | "dynset" | "set" => self.opaque(name, value),
            _ => {}
        }
    }

    fn condition(&mut self, value: &Value) {
        let (left, right) = (&value["left"], &value["right"]);
        let is_equal = value["op"] == "==" || value["op"] == "in";
        let payload = left["payload"]["protocol"].as_str();
        match payload {
            Some("ip") => self.meet(Family::V4),
            Some("ip6") => self.meet(Family::V6),
            Some(protocol @ ("tcp" | "udp" | "udplite" | "sctp" | "dccp" | "icmp" | "icmpv6")) => {
                self.protocols(&[protocol.to_owned()].into());
            }
            _ => {}
        }
        let meta = left["meta"]["key"].as_str();
        if is_equal && meta == Some("nfproto") {
            self.meet(if *right == "ipv6" { Family::V6 } else { Family::V4 });
        }
        let field = left["payload"]["field"].as_str();
        let names_protocol = meta == Some("l4proto")
            || matches!((payload, field), (Some("ip"), Some("protocol")) | (Some("ip6"), Some("nexthdr")));
        if is_equal
            && names_protocol
            && let Some(named) = protocols(right)
        {
            return self.protocols(&named);
        }
        if is_equal && field == Some("daddr") {
            self.line.destinations.extend(prefixes(right));
        }
        self.line.conditions.insert(value.to_string());
    }

    fn meet(&mut self, family: Family) {
        self.line.family = self.line.family.and(family).unwrap_or(family);
    }

    fn protocols(&mut self, named: &BTreeSet<String>) {
        let both = |held: &BTreeSet<String>| held.intersection(named).cloned().collect();
        self.line.protocols = Some(self.line.protocols.as_ref().map_or_else(|| named.clone(), both));
    }

    fn nat(&mut self, kind: Kind, value: &Value) {
        match value["family"].as_str() {
            Some("ip") => self.meet(Family::V4),
            Some("ip6") => self.meet(Family::V6),
            _ => {}
        }
        let is_netmap = value["type_flags"] == "prefix" || flags(value).any(|flag| flag == "netmap");
        let has = |name: &str| flags(value).any(|flag| flag == name);
        self.line.action = Action::Nat(Nat {
            kind: if is_netmap { Kind::Netmap } else { kind },
            flags: Flags { random: has("random"), fully_random: has("fully-random"), persistent: has("persistent") },
            ports: self.ports(value),
            address: address(&value["addr"]),
        });
    }

    /// The ports of a statement; a map of the addresses can have them too.
    fn ports(&self, statement: &Value) -> Ports {
        let port = &statement["port"];
        if !port.is_null() {
            return range(port).map_or(Ports::Unknown, |range| Ports::Ranges(vec![range]));
        }
        let data = &statement["addr"]["map"]["data"];
        let elements = match data.as_str().and_then(|name| name.strip_prefix('@')) {
            Some(name) => (self.maps)(name),
            None => data["set"].as_array(),
        };
        let Some(elements) = elements else {
            return if statement["addr"]["map"].is_null() { Ports::Default } else { Ports::Unknown };
        };
        // An element is [key, value]; one with ports has { "concat": [address, port] } as its value.
        let with_ports = elements.iter().filter_map(|element| element[1]["concat"].as_array());
        let ranges: Option<Vec<_>> = with_ports.map(|parts| range(parts.last()?)).collect();
        match ranges {
            None => Ports::Unknown,
            Some(ranges) if ranges.is_empty() => Ports::Default,
            Some(ranges) => Ports::Ranges(ranges),
        }
    }

    fn verdict_map(&mut self, value: &Value) {
        let data = &value["data"];
        let elements = match data.as_str().and_then(|name| name.strip_prefix('@')) {
            Some(name) => (self.maps)(name),
            None => data["set"].as_array(),
        };
        let verdicts = elements.into_iter().flatten().map(|element| &element[1]);
        let targets: BTreeSet<_> =
            verdicts.filter_map(|verdict| target(&verdict["jump"]).or_else(|| target(&verdict["goto"]))).collect();
        self.line.action = Action::To(targets.into_iter().collect());
        self.opaque("vmap", value);
    }

    fn foreign(&mut self, value: &Value) {
        if value["type"] == "target" {
            self.line.action = Action::Foreign(value["name"].as_str().unwrap_or_default().to_owned());
        } else {
            self.opaque("xt", value);
        }
    }

    /// A condition that equals no other, not even one that reads the same.
    fn opaque(&mut self, name: &str, value: &Value) {
        self.line.conditions.insert(format!("{name} {value} of {:?}", self.line.handle));
    }
}

fn target(value: &Value) -> Option<String> {
    value["target"].as_str().map(str::to_owned)
}

fn flags(statement: &Value) -> impl Iterator<Item = &str> {
    let flags = &statement["flags"];
    flags.as_str().into_iter().chain(flags.as_array().into_iter().flatten().filter_map(Value::as_str))
}

/// A port or a range of them, in order.
fn range(value: &Value) -> Option<(u16, u16)> {
    let port = |value: &Value| u16::try_from(value.as_u64()?).ok();
    let (one, other) = match value["range"].as_array().map(Vec::as_slice) {
        Some([low, high]) => (port(low)?, port(high)?),
        _ => (port(value)?, port(value)?),
    };
    Some((one.min(other), one.max(other)))
}

fn address(value: &Value) -> Option<String> {
    match value["range"].as_array().map(Vec::as_slice) {
        Some([first, last]) => Some(format!("{}-{}", first.as_str()?, last.as_str()?)),
        _ => value.as_str().map(str::to_owned),
    }
}

/// The protocols of a comparison, by name; `None` for a set that is not in the rule itself.
fn protocols(value: &Value) -> Option<BTreeSet<String>> {
    let name = |value: &Value| match value {
        Value::String(name) if !name.starts_with('@') => Some(name.clone()),
        Value::Number(number) if number.as_u64() == Some(6) => Some("tcp".to_owned()),
        Value::Number(number) if number.as_u64() == Some(17) => Some("udp".to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    match value["set"].as_array() {
        Some(set) => set.iter().map(name).collect(),
        None => name(value).map(|name| [name].into()),
    }
}

fn prefixes(value: &Value) -> Vec<IpNet> {
    let prefix = |value: &Value| {
        let inside = &value["prefix"];
        let text = match (inside["addr"].as_str(), inside["len"].as_u64()) {
            (Some(address), Some(length)) => format!("{address}/{length}"),
            _ => value.as_str()?.to_owned(),
        };
        addresses::parse(&text)
    };
    match value["set"].as_array() {
        // One that is not understood may be anywhere.
        Some(set) => set.iter().map(prefix).collect::<Option<_>>().unwrap_or_default(),
        None => prefix(value).into_iter().collect(),
    }
}
