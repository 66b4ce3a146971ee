//! `iptables-save` as tables: `nat`, and those that decide what gets there.

use std::collections::{BTreeSet, HashMap};

use super::conditions::{Condition, Subject};
use super::protocols::{self, Protocols};
use super::words::{self, Word, for_shell};
use super::{Action, Base, Chain, Flags, Nat, NatKind, NatPorts, RuleFamily, RuleLine, Table, addresses};

/// The kernel's priorities of the hooks: of NAT those that choose source ports (`NF_IP_PRI_NAT_SRC`).
const PRIORITIES: [(&str, i64); 4] = [("raw", -300), ("mangle", -150), ("filter", 0), ("nat", 100)];
/// Matches whose result depends on earlier packets or on chance.
const CHANGING: [&str; 8] = ["limit", "hashlimit", "recent", "quota", "quota2", "statistic", "connlimit", "rateest"];
/// Matches whose options each ask for something of their own.
const SEPARATE: [&str; 7] = ["conntrack", "iprange", "owner", "tcp", "udp", "sctp", "dccp"];
/// Options that take any word, also one that looks like an option.
const ANY_WORD: [&str; 8] = [
    "--comment",
    "--log-prefix",
    "--nflog-prefix",
    "--string",
    "--hex-string",
    "--name",
    "--match-set",
    "--hashlimit-name",
];

/// The tables of a save. `tool` is what changes them: `iptables-nft`, `ip6tables`.
pub(super) fn parse(save: &str, tool: &str) -> Vec<Table> {
    let mut tables = Vec::new();
    let mut lines = save.lines().map(str::trim);
    while let Some(line) = lines.next() {
        if let Some(name) = line.strip_prefix('*') {
            let body: Vec<&str> = lines.by_ref().take_while(|line| *line != "COMMIT").collect();
            tables.extend(table(name, &body, tool));
        }
    }
    tables
}

fn table(name: &str, body: &[&str], tool: &str) -> Option<Table> {
    let (_, priority) = PRIORITIES.into_iter().find(|(known, _)| *known == name)?;
    let is_ipv6 = tool.starts_with("ip6");
    let mut chains: Vec<Chain> = body.iter().filter_map(|line| chain(line, name == "nat", priority)).collect();
    let places: HashMap<String, usize> =
        chains.iter().enumerate().map(|(index, chain)| (chain.name.clone(), index)).collect();
    for text in body {
        let mut words = words::split(text).into_iter();
        if words.next().is_none_or(|word| word.text != "-A") {
            continue;
        }
        let Some(&index) = words.next().and_then(|name| places.get(&name.text)) else { continue };
        let number = chains[index].lines.len() + 1;
        let family = if is_ipv6 { RuleFamily::V6 } else { RuleFamily::V4 };
        let line = line(words.collect(), family, number, |name| places.contains_key(name));
        chains[index].lines.push(line);
    }
    let family = if is_ipv6 { "ip6" } else { "ip" };
    Some(Table { tool: tool.to_owned(), family: family.to_owned(), name: name.to_owned(), owned_by: None, chains })
}

/// `:POSTROUTING ACCEPT [0:0]`
fn chain(line: &str, is_nat: bool, priority: i64) -> Option<Chain> {
    let mut words = line.strip_prefix(':')?.split(' ');
    let (name, policy) = (words.next()?.to_owned(), words.next());
    let hook = match name.as_str() {
        "POSTROUTING" | "INPUT" | "PREROUTING" | "OUTPUT" | "FORWARD" => Some(name.to_lowercase()),
        _ => None,
    };
    let drops = policy == Some("DROP");
    let base =
        hook.filter(|_| policy != Some("-")).map(|hook| Base { is_nat, hook, drops, priority, registered: None });
    Some(Chain { name, base, lines: Vec::new() })
}

/// An option with its values, and whether a `!` stands before it.
struct RuleOption {
    negated: bool,
    name: String,
    values: Vec<String>,
}

impl RuleOption {
    fn value(&self) -> &str {
        self.values.first().map_or("", String::as_str)
    }

    fn words(&self) -> impl Iterator<Item = String> {
        let negation = self.negated.then(|| "!".to_owned());
        negation.into_iter().chain([self.name.clone()]).chain(self.values.iter().cloned())
    }

    /// Without the `!`.
    fn plain(&self) -> String {
        [&self.name].into_iter().chain(&self.values).map(String::as_str).collect::<Vec<_>>().join(" ")
    }
}

fn parts(words: Vec<Word>) -> Vec<RuleOption> {
    let mut parts: Vec<RuleOption> = Vec::new();
    let mut negated = false;
    for word in words {
        let takes_any = |part: &RuleOption| part.values.is_empty() && ANY_WORD.contains(&part.name.as_str());
        match parts.last_mut() {
            Some(part) if takes_any(part) && !negated => part.values.push(word.text),
            _ if !word.quoted && word.text == "!" => negated = true,
            Some(part) if word.quoted || !word.text.starts_with('-') => part.values.push(word.text),
            _ => {
                parts.push(RuleOption { negated, name: word.text, values: Vec::new() });
                negated = false;
            }
        }
    }
    parts
}

fn line(words: Vec<Word>, family: RuleFamily, number: usize, is_chain: impl Fn(&str) -> bool) -> RuleLine {
    let text = words.iter().map(|word| for_shell(&word.text)).collect::<Vec<_>>().join(" ");
    let mut parts = parts(words);
    let target_at = parts.iter().position(|part| part.name == "-j" || part.name == "-g").unwrap_or(parts.len());
    let target = parts.split_off(target_at);
    let is_target = |names: &[&str]| names.contains(&target.first().map_or("", RuleOption::value));
    let sets_mark = is_target(&["MARK", "CONNMARK", "SET"]);
    let changes_destination = is_target(&["DNAT", "REDIRECT", "NETMAP"]);
    let action = action(&target, is_chain);
    let mut line = RuleLine { number, sets_mark, changes_destination, action, ..RuleLine::new(family) };
    line.matches = matches(&parts, &text);
    let mut parts = parts.into_iter().peekable();
    while let Some(part) = parts.next() {
        if part.name == "-m" {
            let is_option = |part: &RuleOption| part.name.starts_with("--");
            let mut options = Vec::new();
            while let Some(option) = parts.next_if(is_option) {
                options.push(option);
            }
            line.conditions.extend(of_module(part.value(), &options, number));
        } else {
            condition(&mut line, &part);
        }
    }
    line.text = text;
    line
}

/// The words before the target but protocol and comments; or why they cannot stand in a second rule.
fn matches(parts: &[RuleOption], text: &str) -> Result<Vec<String>, String> {
    if text.contains("[unsupported") {
        return Err("this iptables does not understand all of it".to_owned());
    }
    let modules = parts.iter().filter(|part| part.name == "-m");
    if let Some(module) = modules.map(RuleOption::value).find(|name| CHANGING.contains(name)) {
        return Err(format!("it matches on `{module}`, which a second rule would count separately"));
    }
    let is_comment = |part: &RuleOption| part.name == "--comment" || (part.name == "-m" && part.value() == "comment");
    let kept = parts.iter().filter(|part| part.name != "-p" && !is_comment(part));
    Ok(kept.flat_map(RuleOption::words).collect())
}

fn condition(line: &mut RuleLine, part: &RuleOption) {
    let prefixes = |part: &RuleOption| part.value().split(',').map(addresses::parse).collect::<Option<Vec<_>>>();
    // `eth+` is what nft writes as `eth*`.
    let interface = |part: &RuleOption| -> BTreeSet<String> { [part.value().replace('+', "*")].into() };
    let subject = match part.name.as_str() {
        "-p" => {
            let named = [protocols::name(part.value())].into();
            let own = if part.negated { Protocols::Not(named) } else { Protocols::Only(named) };
            line.protocols = line.protocols.and(&own);
            return;
        }
        "-s" => prefixes(part).map(Subject::Source),
        "-d" => prefixes(part).map(Subject::Destination),
        "-i" => Some(Subject::In(interface(part))),
        "-o" => Some(Subject::Out(interface(part))),
        _ => None,
    };
    line.conditions.push(Condition::new(subject.unwrap_or_else(|| Subject::Other(part.plain())), part.negated));
}

/// What a match with its options asks for.
fn of_module(name: &str, options: &[RuleOption], number: usize) -> Vec<Condition> {
    let text = || options.iter().flat_map(RuleOption::words).collect::<Vec<_>>().join(" ");
    match () {
        () if name == "comment" => Vec::new(),
        () if CHANGING.contains(&name) => {
            vec![Condition::new(Subject::Changing(format!("{name} {} of {number}", text())), false)]
        }
        () if options.len() < 2 || SEPARATE.contains(&name) => {
            options.iter().map(|option| of_option(name, option)).collect()
        }
        () => vec![Condition::other(format!("-m {name} {}", text()))],
    }
}

/// What an option asks for that does not depend on another.
fn of_option(module: &str, option: &RuleOption) -> Condition {
    let subject = match (module, option.name.as_str()) {
        ("mark" | "connmark", "--mark") => mark(option.value(), module == "connmark"),
        ("conntrack", "--ctstate") | ("state", "--state") => Some(state(option.value())),
        ("iprange", "--src-range") => address_range(option.value()).map(Subject::Source),
        ("iprange", "--dst-range") => address_range(option.value()).map(Subject::Destination),
        // A packet without a socket meets the negated ones (`owner_mt`).
        ("owner", _) if !option.negated => Some(Subject::OwnSocket(option.plain())),
        ("cgroup", _) => Some(Subject::OwnSocket(option.plain())),
        _ => None,
    };
    let subject = subject.unwrap_or_else(|| Subject::Other(format!("-m {module} {}", option.plain())));
    Condition::new(subject, option.negated)
}

/// `NEW,RELATED`; DNAT is a state to iptables only.
fn state(text: &str) -> Subject {
    let states: BTreeSet<String> = text.split(',').map(str::to_lowercase).collect();
    match states.contains("dnat") && !states.contains("new") {
        true => Subject::ChangedDestination,
        false => Subject::State(states),
    }
}

fn address_range(text: &str) -> Option<Vec<ipnet::IpNet>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    addresses::of_range(first, last)
}

/// `0x4000/0x4000`
fn mark(text: &str, of_connection: bool) -> Option<Subject> {
    let number = |text: &str| match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    };
    let (value, mask) = text.split_once('/').map_or((text, None), |(value, mask)| (value, Some(mask)));
    let mask = mask.map_or(Some(u32::MAX), number)?;
    Some(Subject::Mark { of_connection, mask, values: [number(value)?].into() })
}

fn action(target: &[RuleOption], is_chain: impl Fn(&str) -> bool) -> Action {
    let Some(first) = target.first() else { return Action::Other };
    match first.value() {
        "MASQUERADE" => Action::Nat(nat(NatKind::Masquerade, target)),
        "SNAT" => Action::Nat(nat(NatKind::Snat, target)),
        "NETMAP" => Action::Nat(nat(NatKind::Netmap, target)),
        "ACCEPT" => Action::Accept,
        "RETURN" => Action::Return,
        "DROP" | "REJECT" | "QUEUE" | "NFQUEUE" => Action::Drop,
        "NOTRACK" => Action::Notrack,
        "CT" if target.iter().any(|part| part.name == "--notrack") => Action::Notrack,
        name if is_chain(name) && first.name == "-g" => Action::Goto(name.to_owned()),
        name if is_chain(name) => Action::Jump(name.to_owned()),
        _ => Action::Other,
    }
}

fn nat(kind: NatKind, target: &[RuleOption]) -> Nat {
    let option = |name: &str| target.iter().find(|part| part.name == name);
    let flags = Flags {
        random: option("--random").is_some(),
        fully_random: option("--random-fully").is_some(),
        persistent: option("--persistent").is_some(),
    };
    let (address, ports) = match option("--to-source").map(|part| split_ports(part.value())) {
        Some((address, ports)) => (Some(address.to_owned()), ports),
        None => (None, option("--to-ports").map(RuleOption::value)),
    };
    let ports = match ports {
        None => NatPorts::Default,
        Some(text) => range(text).map_or(NatPorts::Unknown, |range| NatPorts::Ranges(vec![range])),
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
