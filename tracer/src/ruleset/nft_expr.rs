//! The expressions of one nft rule: what it asks for, and where it leads.

use serde_json::Value;

use super::conditions::{Condition, Subject};
use super::nft_values::{address, flags, range, subject, words};
use super::protocols::{self, Protocols};
use super::{Action, Branch, Flags, Nat, NatKind, NatPorts, RuleFamily, RuleLine, nft_print, nft_statement};

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
            "vmap" => self.verdict_map(value),
            "mangle" if value["key"]["meta"]["key"] == "mark" || value["key"]["ct"]["key"] == "mark" => {
                self.line.sets_mark = true;
            }
            "dnat" | "redirect" => self.line.changes_destination = true,
            "xt" => self.foreign(value),
            // They decide for each packet whether the rule goes on.
            "limit" | "quota" | "ct count" | "dynset" | "set" => self.changing(name, value),
            _ => {
                if let Some(action) = verdict(name, value) {
                    self.line.action = action;
                }
            }
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
            let name = &element[0];
            let condition = match subject(key, name) {
                _ if name.is_null() || *name == "*" => Condition::other(format!("{value}: others")),
                Some(subject) => Condition::new(subject, false),
                None => Condition::other(format!("{key} == {name}")),
            };
            let mut verdicts = element[1].as_object().into_iter().flatten();
            let action = verdicts.find_map(|(name, value)| verdict(name, value)).unwrap_or(Action::Other);
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

/// Where a statement or an element of a verdict map leads, if it gives a verdict.
fn verdict(name: &str, value: &Value) -> Option<Action> {
    let target = value["target"].as_str().map(str::to_owned);
    Some(match name {
        "jump" => target.map_or(Action::Other, Action::Jump),
        "goto" => target.map_or(Action::Other, Action::Goto),
        "return" => Action::Return,
        "accept" => Action::Accept,
        "drop" | "reject" | "queue" => Action::Drop,
        "notrack" => Action::Notrack,
        _ => return None,
    })
}
