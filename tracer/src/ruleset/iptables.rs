//! `iptables-save` as a table: the table `nat` only, for no other chooses ports.

use std::collections::{BTreeSet, HashMap};

use super::words::{self, Word, for_shell};
use super::{Action, Base, Chain, Family, Flags, Kind, Line, Nat, Ports, Table, addresses};

/// The kernel's priority of the NAT hooks that choose source ports (`NF_IP_PRI_NAT_SRC`).
const PRIORITY: i64 = 100;

/// The table `nat` of a save; `None` where it has none. `tool` is what changes it: `iptables-nft`, `ip6tables`.
pub(super) fn parse(save: &str, tool: &str) -> Option<Table> {
    let is_ipv6 = tool.starts_with("ip6");
    let lines = save.lines().map(str::trim).skip_while(|line| *line != "*nat").skip(1);
    let nat: Vec<&str> = lines.take_while(|line| *line != "COMMIT").collect();
    if !save.lines().any(|line| line.trim() == "*nat") {
        return None;
    }
    let mut chains: Vec<Chain> = nat.iter().filter_map(|line| chain(line)).collect();
    let places: HashMap<String, usize> =
        chains.iter().enumerate().map(|(index, chain)| (chain.name.clone(), index)).collect();
    for text in nat {
        let mut words = words::split(text).into_iter();
        if words.next().is_none_or(|word| word.text != "-A") {
            continue;
        }
        let Some(&index) = words.next().and_then(|name| places.get(&name.text)) else { continue };
        let number = chains[index].lines.len() + 1;
        let family = if is_ipv6 { Family::V6 } else { Family::V4 };
        let line = line(words.collect(), family, number, |name| places.contains_key(name));
        chains[index].lines.push(line);
    }
    let family = if is_ipv6 { "ip6" } else { "ip" };
    Some(Table { tool: tool.to_owned(), family: family.to_owned(), name: "nat".to_owned(), chains })
}

/// `:POSTROUTING ACCEPT [0:0]`
fn chain(line: &str) -> Option<Chain> {
    let name = line.strip_prefix(':')?.split(' ').next()?.to_owned();
    let hook = match name.as_str() {
        "POSTROUTING" | "INPUT" | "PREROUTING" | "OUTPUT" => Some(name.to_lowercase()),
        _ => None,
    };
    Some(Chain { name, base: hook.map(|hook| Base { hook, priority: PRIORITY }), lines: Vec::new() })
}

/// An option with its values, and whether a `!` stands before it.
struct Part {
    negated: bool,
    name: String,
    values: Vec<String>,
}

impl Part {
    fn value(&self) -> &str {
        self.values.first().map_or("", String::as_str)
    }

    fn words(&self) -> impl Iterator<Item = String> {
        let negation = self.negated.then(|| "!".to_owned());
        negation.into_iter().chain([self.name.clone()]).chain(self.values.iter().cloned())
    }
}

fn parts(words: Vec<Word>) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let mut negated = false;
    for word in words {
        match parts.last_mut() {
            _ if !word.quoted && word.text == "!" => negated = true,
            Some(part) if word.quoted || !word.text.starts_with('-') => part.values.push(word.text),
            _ => {
                parts.push(Part { negated, name: word.text, values: Vec::new() });
                negated = false;
            }
        }
    }
    parts
}

fn line(words: Vec<Word>, family: Family, number: usize, is_chain: impl Fn(&str) -> bool) -> Line {
    let text = words.iter().map(|word| for_shell(&word.text)).collect::<Vec<_>>().join(" ");
    let mut parts = parts(words);
    let target_at = parts.iter().position(|part| part.name == "-j" || part.name == "-g").unwrap_or(parts.len());
    let target = parts.split_off(target_at);
    let mut line = Line {
        handle: None,
        number,
        text,
        conditions: BTreeSet::new(),
        matches: Vec::new(),
        protocols: None,
        family,
        destinations: Vec::new(),
        action: action(&target, is_chain),
    };
    parts.iter().for_each(|part| condition(&mut line, part));
    line
}

fn condition(line: &mut Line, part: &Part) {
    if part.name == "--comment" || (part.name == "-m" && part.value() == "comment") {
        return;
    }
    line.matches.extend(part.words());
    match (part.name.as_str(), part.negated) {
        ("-p", false) => line.protocols = Some([part.value().to_owned()].into()),
        ("-m", _) if ["tcp", "udp"].contains(&part.value()) => {}
        ("-d", false) => {
            line.destinations.extend(addresses::parse(part.value()));
            line.conditions.insert(part.words().collect::<Vec<_>>().join(" "));
        }
        _ => {
            line.conditions.insert(part.words().collect::<Vec<_>>().join(" "));
        }
    }
}

fn action(target: &[Part], is_chain: impl Fn(&str) -> bool) -> Action {
    let Some(name) = target.first().map(Part::value) else { return Action::Other };
    match name {
        "MASQUERADE" => Action::Nat(nat(Kind::Masquerade, target)),
        "SNAT" => Action::Nat(nat(Kind::Snat, target)),
        "NETMAP" => Action::Nat(nat(Kind::Netmap, target)),
        "ACCEPT" | "RETURN" | "DROP" | "QUEUE" | "NFQUEUE" => Action::Ends,
        name if is_chain(name) => Action::To(vec![name.to_owned()]),
        _ => Action::Other,
    }
}

fn nat(kind: Kind, target: &[Part]) -> Nat {
    let option = |name: &str| target.iter().find(|part| part.name == name);
    let flags = Flags {
        random: option("--random").is_some(),
        fully_random: option("--random-fully").is_some(),
        persistent: option("--persistent").is_some(),
    };
    let (address, ports) = match option("--to-source").map(|part| split_ports(part.value())) {
        Some((address, ports)) => (Some(address.to_owned()), ports),
        None => (None, option("--to-ports").map(Part::value)),
    };
    let ports = match ports {
        None => Ports::Default,
        Some(text) => range(text).map_or(Ports::Unknown, |range| Ports::Ranges(vec![range])),
    };
    Nat { kind, flags, ports, address: address.filter(|address| !address.is_empty()) }
}

/// `192.0.2.1-192.0.2.5:2000-3000`, `[2001:db8::1]:2000-3000`, `2001:db8::1`: the addresses, and the ports.
fn split_ports(text: &str) -> (&str, Option<&str>) {
    if let Some((address, rest)) = text.strip_prefix('[').and_then(|text| text.split_once(']')) {
        return (address, rest.strip_prefix(':'));
    }
    match text.split_once(':') {
        Some((address, ports)) if !ports.contains(':') => (address, Some(ports)),
        _ => (text, None),
    }
}

fn range(text: &str) -> Option<(u16, u16)> {
    let (one, other) = text.split_once('-').unwrap_or((text, text));
    let (one, other): (u16, u16) = (one.parse().ok()?, other.parse().ok()?);
    Some((one.min(other), one.max(other)))
}
