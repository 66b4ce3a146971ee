//! The statement of an nft rule that chooses ports: as it is, and with other ports.

use serde_json::Value;

use super::{Nat, NatKind, NatPorts};

/// The statement as nft writes it; `None` where it has something that [`Nat`] has not.
pub(super) fn original(nat: &Nat, exprs: &[Value]) -> Option<String> {
    let (name, value) = exprs.iter().filter_map(Value::as_object).flatten().find(|(name, _)| is_nat(name))?;
    let known = ["family", "addr", "port", "flags"];
    let is_known = value.as_object().is_none_or(|fields| fields.keys().all(|key| known.contains(&key.as_str())));
    let ports = match &nat.ports {
        NatPorts::Default => None,
        NatPorts::Ranges(ranges) => match ranges[..] {
            // nft writes them as they were given, the higher one first too; such a rule is not written again.
            [range] if !value["port"].is_null() => Some(range),
            _ => return None,
        },
        NatPorts::Unknown => return None,
    };
    let family = value["family"].as_str();
    let address = match value["addr"]["prefix"].as_object() {
        Some(prefix) => Some(format!("{}/{}", prefix["addr"].as_str()?, prefix["len"])),
        None => nat.address.clone(),
    };
    if !is_known || (name == "snat" && address.is_none()) {
        return None;
    }
    write(nat, family, address.as_deref(), ports)
}

fn is_nat(name: &str) -> bool {
    ["masquerade", "snat"].contains(&name)
}

/// The statement with these ports; `family` is nft's word for that of the table.
pub(super) fn with_ports(nat: &Nat, family: &str, ports: (u16, u16)) -> Option<String> {
    let family = match (family, &nat.address) {
        ("inet", Some(address)) => Some(if address.contains(':') { "ip6" } else { "ip" }),
        _ => None,
    };
    write(nat, family, nat.address.as_deref(), Some(ports))
}

fn write(nat: &Nat, family: Option<&str>, address: Option<&str>, ports: Option<(u16, u16)>) -> Option<String> {
    let name = match nat.kind {
        NatKind::Masquerade => "masquerade",
        NatKind::Snat => "snat",
        NatKind::Netmap => return None,
    };
    let mut words = vec![name.to_owned()];
    words.extend(family.map(str::to_owned));
    let ports = ports.map(|(low, high)| if low == high { format!(":{low}") } else { format!(":{low}-{high}") });
    let bracketed = |address: &str| {
        let each = address.split('-').map(|one| format!("[{one}]")).collect::<Vec<_>>().join("-");
        if address.contains(':') && ports.is_some() { each } else { address.to_owned() }
    };
    let to = format!("{}{}", address.map(bracketed).unwrap_or_default(), ports.as_deref().unwrap_or_default());
    if !to.is_empty() {
        words.extend(["to".to_owned(), to]);
    }
    words.extend(Some(nat.flags.words()).filter(|flags| !flags.is_empty()));
    Some(words.join(" "))
}
