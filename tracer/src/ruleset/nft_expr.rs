//! The expressions of one nft rule: what it asks for, and where it leads.

use std::collections::BTreeSet;

use ipnet::IpNet;
use serde_json::Value;

use super::conditions::{Condition, Subject};
use super::protocols::{self, Protocols};
use super::{Action, Branch, Flags, Nat, NatKind, NatPorts, RuleFamily, RuleLine, addresses, nft_print, nft_statement};

/// Elements of a named map.
pub(super) type Maps<'a> = &'a dyn Fn(&str) -> Option<&'a Vec<Value>>;

/// What has been read of a rule so far.
struct RuleReader<'a> {
    line: RuleLine,
    maps: Maps<'a>,
}

/// Reads a rule. Its number is that of the caller.
pub(super) fn line(exprs: &[Value], handle: Option<u64>, text: &str, family: &str, maps: &Maps<'_>) -> RuleLine {
    let line = RuleLine { handle, text: text.to_owned(), ..RuleLine::new(RuleFamily::of_table(family)) };
    let mut reading = RuleReader { line, maps: *maps };
    let statements = exprs.iter().filter_map(Value::as_object).flat_map(serde_json::Map::iter);
    statements.for_each(|(name, value)| reading.statement(name, value));
    reading.finish(exprs)
}

impl RuleReader<'_> {
    fn finish(self, exprs: &[Value]) -> RuleLine {
        let mut line = self.line;
        let Action::Nat(nat) = &line.action else { return line };
        line.matches = nft_print::matches(exprs).and_then(|phrases| {
            if line.text.is_empty() {
                return Err("nft does not list its text".to_owned());
            }
            let statement = nft_statement::original(nat, exprs).ok_or("its statement is not understood")?;
            match nft_print::is_faithful(&phrases, &statement, &line.text) {
                true => Ok(phrases),
                false => Err(format!("written again it would read `{} {statement}`", phrases.join(" "))),
            }
        });
        line
    }

    fn statement(&mut self, name: &str, value: &Value) {
        match name {
            "match" => self.condition(value),
            "masquerade" => self.nat(NatKind::Masquerade, value),
            "snat" => self.nat(NatKind::Snat, value),
            "jump" => self.line.action = Action::jump(target(value)),
            "goto" => self.line.action = Action::goto(target(value)),
            "vmap" => self.verdict_map(value),
            "return" => self.line.action = Action::Return,
            "accept" => self.line.action = Action::Accept,
            "drop" | "reject" | "queue" => self.line.action = Action::Drop,
            "notrack" => self.line.action = Action::Notrack,
            "mangle" if value["key"]["meta"]["key"] == "mark" || value["key"]["ct"]["key"] == "mark" => {
                self.line.sets_mark = true;
            }
            "dnat" | "redirect" => self.line.changes_destination = true,
            "xt" => self.foreign(value),
            // They decide for each packet whether the rule goes on.
            "limit" | "quota" | "ct count" | "dynset" | "set" => self.changing(name, value),
            _ => {}
        }
    }

    fn condition(&mut self, value: &Value) {
        let (left, right) = (&value["left"], &value["right"]);
        let is_equal = value["op"] == "==" || value["op"] == "in";
        let is_unequal = value["op"] == "!=";
        let payload = left["payload"]["protocol"].as_str();
        // Also `ip saddr . tcp dport` and `tcp flags & syn`.
        let parts = left["concat"].as_array().or(left["&"].as_array()).into_iter().flatten();
        for header in parts.chain([left]).filter_map(|part| part["payload"]["protocol"].as_str()) {
            match header {
                "ip" => self.meet(RuleFamily::V4),
                "ip6" => self.meet(RuleFamily::V6),
                "tcp" | "udp" | "udplite" | "sctp" | "dccp" | "icmp" | "icmpv6" => {
                    self.protocols(&Protocols::only(header));
                }
                _ => {}
            }
        }
        let meta = left["meta"]["key"].as_str();
        if meta == Some("nfproto") && (is_equal || is_unequal) {
            let named = if (*right == "ipv6") == is_equal { RuleFamily::V6 } else { RuleFamily::V4 };
            return self.meet(named);
        }
        let field = left["payload"]["field"].as_str();
        let names_protocol = meta == Some("l4proto")
            || matches!((payload, field), (Some("ip"), Some("protocol")) | (Some("ip6"), Some("nexthdr")));
        if names_protocol && let Some(named) = words(right) {
            let named = named.iter().map(|name| protocols::name(name)).collect();
            match (is_equal, is_unequal) {
                (true, _) => return self.protocols(&Protocols::Only(named)),
                (_, true) => return self.protocols(&Protocols::Not(named)),
                (false, false) => {}
            }
        }
        if let Some(key) = meta.filter(|key| ["skuid", "skgid", "cgroup"].contains(key)) {
            // A packet without a socket does not meet it, negated or not.
            let text = format!("{key} {} {right}", value["op"]);
            return self.line.conditions.push(Condition::new(Subject::OwnSocket(text), false));
        }
        let subject = if is_equal || is_unequal { subject(left, right) } else { None };
        self.line.conditions.push(match subject {
            Some(subject) => Condition::new(subject, is_unequal),
            None if left["numgen"].is_object() => {
                Condition::new(Subject::Changing(format!("{value} of {:?}", self.line.handle)), false)
            }
            None if is_unequal => Condition::new(Subject::Other(format!("{left} == {right}")), true),
            None if is_equal => Condition::other(format!("{left} == {right}")),
            None => Condition::other(value.to_string()),
        });
    }

    fn meet(&mut self, family: RuleFamily) {
        match self.line.family.and(family) {
            Some(both) => self.line.family = both,
            None => self.line.is_contradiction = true,
        }
    }

    fn protocols(&mut self, named: &Protocols) {
        self.line.protocols = self.line.protocols.and(named);
    }

    fn nat(&mut self, kind: NatKind, value: &Value) {
        match value["family"].as_str() {
            Some("ip") => self.meet(RuleFamily::V4),
            Some("ip6") => self.meet(RuleFamily::V6),
            _ => {}
        }
        let is_netmap = value["type_flags"] == "prefix" || flags(value).any(|flag| flag == "netmap");
        let has = |name: &str| flags(value).any(|flag| flag == name);
        self.line.action = Action::Nat(Nat {
            kind: if is_netmap { NatKind::Netmap } else { kind },
            flags: Flags { random: has("random"), fully_random: has("fully-random"), persistent: has("persistent") },
            ports: self.ports(value),
            address: address(&value["addr"]),
        });
    }

    /// The ports of a statement; a map of the addresses can have them too.
    fn ports(&self, statement: &Value) -> NatPorts {
        let port = &statement["port"];
        if !port.is_null() {
            return range(port).map_or(NatPorts::Unknown, |range| NatPorts::Ranges(vec![range]));
        }
        let Some(elements) = self.elements(&statement["addr"]["map"]["data"]) else {
            return if statement["addr"]["map"].is_null() { NatPorts::Default } else { NatPorts::Unknown };
        };
        // An element is [key, value]; one with ports has { "concat": [address, port] } as its value.
        let with_ports = elements.iter().filter_map(|element| element[1]["concat"].as_array());
        let ranges: Option<Vec<_>> = with_ports.map(|parts| range(parts.last()?)).collect();
        match ranges {
            None => NatPorts::Unknown,
            Some(ranges) if ranges.is_empty() => NatPorts::Default,
            Some(ranges) => NatPorts::Ranges(ranges),
        }
    }

    /// Those of a map: by its name, or in the rule itself.
    fn elements<'a>(&'a self, data: &'a Value) -> Option<&'a Vec<Value>> {
        match data.as_str().and_then(|name| name.strip_prefix('@')) {
            Some(name) => (self.maps)(name),
            None => data["set"].as_array(),
        }
    }

    fn verdict_map(&mut self, value: &Value) {
        let key = &value["key"];
        let mut branches = Vec::new();
        for element in self.elements(&value["data"]).into_iter().flatten() {
            let (name, verdict) = (&element[0], &element[1]);
            let condition = match subject(key, name) {
                _ if name.is_null() || *name == "*" => Condition::other(format!("{value}: others")),
                Some(subject) => Condition::new(subject, false),
                None => Condition::other(format!("{key} == {name}")),
            };
            let action = match () {
                () if !verdict["jump"].is_null() => Action::jump(target(&verdict["jump"])),
                () if !verdict["goto"].is_null() => Action::goto(target(&verdict["goto"])),
                () if verdict.get("accept").is_some() => Action::Accept,
                () if verdict.get("drop").is_some() => Action::Drop,
                () if verdict.get("return").is_some() => Action::Return,
                () => Action::Other,
            };
            branches.push(Branch { condition: Some(condition), action });
        }
        self.line.action = Action::Branches(branches);
    }

    fn foreign(&mut self, value: &Value) {
        if value["type"] == "target" {
            let name = value["name"].as_str().unwrap_or_default().to_owned();
            self.line.changes_destination = ["DNAT", "REDIRECT", "NETMAP"].contains(&name.as_str());
            self.line.action = Action::Foreign(name);
        } else {
            self.changing("xt", value);
        }
    }

    fn changing(&mut self, name: &str, value: &Value) {
        let text = format!("{name} {value} of {:?}", self.line.handle);
        self.line.conditions.push(Condition::new(Subject::Changing(text), false));
    }
}

/// What a comparison looks at, where that is known; `None` for values that are not in the rule itself.
fn subject(left: &Value, right: &Value) -> Option<Subject> {
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
    if let Some([one, bits]) = left["&"].as_array().map(Vec::as_slice)
        && let Some(of_connection) = of_mark(one)
    {
        return Some(Subject::Mark { of_connection, mask: mask(bits)?, values: numbers(right)? });
    }
    if let Some(of_connection) = of_mark(left) {
        return Some(Subject::Mark { of_connection, mask: u32::MAX, values: numbers(right)? });
    }
    match (left["meta"]["key"].as_str(), left["ct"]["key"].as_str()) {
        (Some("iifname" | "iif"), _) => words(right).map(Subject::In),
        (Some("oifname" | "oif"), _) => words(right).map(Subject::Out),
        (_, Some("state")) => words(right).map(Subject::State),
        (_, Some("status")) => words(right)?.contains("dnat").then_some(Subject::ChangedDestination),
        _ => None,
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

/// An address, or the first and the last of a range, which nft may write as a prefix.
fn address(value: &Value) -> Option<String> {
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

fn words(value: &Value) -> Option<BTreeSet<String>> {
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
