//! A rule once more with other ports, to stand above it: built from what was parsed, never by changing text.

use super::{NatKind, NatRule, Protocols, nft_statement};

/// The rules to put above this one, each as phrases of nft or as words of iptables.
///
/// # Errors
/// Why there is none: what to change is then said in words.
pub fn with_ports(rule: &NatRule, ports: (u16, u16)) -> Result<Vec<Vec<String>>, String> {
    if let Some(program) = &rule.owned_by {
        return Err(format!("{program} owns the table, and the kernel lets no other program change it"));
    }
    let names = [&rule.table, &rule.chain, &rule.table_family];
    let matches = rule.line.matches.as_ref().map_err(Clone::clone)?;
    if !names.into_iter().chain(matches).chain(&rule.nat.address).all(|text| is_fit(text)) {
        return Err("it has characters that cannot be pasted".to_owned());
    }
    let protocols = rule.line.protocols.common();
    if protocols.is_empty() {
        return Err("it meets neither TCP nor UDP".to_owned());
    }
    let is_nft = rule.tool == "nft";
    let rules = if is_nft { nft(rule, matches, &protocols, ports) } else { iptables(rule, matches, &protocols, ports) };
    let rules = rules.ok_or(match rule.nat.kind {
        NatKind::Netmap => "a prefix is mapped to another one, without ports",
        NatKind::Masquerade | NatKind::Snat => "its addresses come from a map",
    })?;
    if is_nft && rule.line.handle.is_none() {
        return Err("nft does not list its handle".to_owned());
    }
    Ok(rules)
}

fn nft(rule: &NatRule, matches: &[String], protocols: &[&str], ports: (u16, u16)) -> Option<Vec<Vec<String>>> {
    let mut phrases = Vec::new();
    // Ports need a protocol that has them. It comes first, so that what the rule does on the way is done for those only.
    if !rule.line.protocols.all_have_ports() {
        phrases.push(match protocols {
            [one] => format!("meta l4proto {one}"),
            _ => "meta l4proto { tcp, udp }".to_owned(),
        });
    }
    phrases.extend(matches.iter().cloned());
    phrases.push(nft_statement::with_ports(&rule.nat, &rule.table_family, ports)?);
    Some(vec![phrases])
}

fn iptables(
    rule: &NatRule,
    matches: &[String],
    protocols: &[&str],
    (low, high): (u16, u16),
) -> Option<Vec<Vec<String>>> {
    let nat = &rule.nat;
    let ports = if low == high { low.to_string() } else { format!("{low}-{high}") };
    let mut end = match nat.kind {
        NatKind::Masquerade => vec!["-j".to_owned(), "MASQUERADE".to_owned(), "--to-ports".to_owned(), ports],
        NatKind::Snat => {
            let address = nat.address.as_ref()?;
            let address = if address.contains(':') { format!("[{address}]") } else { address.clone() };
            vec!["-j".to_owned(), "SNAT".to_owned(), "--to-source".to_owned(), format!("{address}:{ports}")]
        }
        NatKind::Netmap => return None,
    };
    let flags = [
        (nat.flags.random, "--random"),
        (nat.flags.fully_random, "--random-fully"),
        // Only SNAT knows it.
        (nat.flags.persistent && nat.kind == NatKind::Snat, "--persistent"),
    ];
    end.extend(flags.into_iter().filter(|(is_set, _)| *is_set).map(|(_, word)| word.to_owned()));
    let one = |protocol: &str| [&["-p".to_owned(), protocol.to_owned()], matches, &end].concat();
    Some(match &rule.line.protocols {
        Protocols::Only(names) if rule.line.protocols.all_have_ports() => names.iter().map(|name| one(name)).collect(),
        Protocols::Any | Protocols::Only(_) | Protocols::Not(_) => protocols.iter().map(|name| one(name)).collect(),
    })
}

/// No control characters, nothing that a terminal or a reader mistakes.
fn is_fit(text: &str) -> bool {
    text.chars().all(|char| matches!(char, ' '..='~'))
}
