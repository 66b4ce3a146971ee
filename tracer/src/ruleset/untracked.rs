//! Drops that conntrack does not see: a table of its entries looks as if a filter on the path had dropped the packets.

use super::forward::lines;
use super::walk::CONNTRACK;
use super::{Action, Base, RuleLine, Table};

pub(super) fn drops(tables: &[Table]) -> Vec<String> {
    let mut found = Vec::new();
    for table in tables {
        for chain in &table.chains {
            let Some(base) = chain.base.as_ref().filter(|base| is_untracked(table, base)) else { continue };
            let place = format!("chain {} of {} {}", chain.name, table.family, table.name);
            let lines = lines(table, chain);
            found.extend(lines.iter().filter(|line| drops_tcp(line)).map(|line| format!("{} ({place})", line.text)));
            if base.drops {
                found.push(format!("the policy drop of {place}"));
            }
        }
    }
    // One that asks for ports is the likelier reason.
    found.sort_by_key(|drop| !["port", "@th"].iter().any(|word| drop.contains(word)));
    found
}

fn is_untracked(table: &Table, base: &Base) -> bool {
    match (table.family.as_str(), base.hook.as_str()) {
        ("arp", _) => false,
        ("netdev" | "bridge", _) | (_, "ingress" | "egress") => true,
        (_, hook) => hook == "prerouting" && base.priority < CONNTRACK,
    }
}

fn drops_tcp(line: &RuleLine) -> bool {
    let branches = if let Action::Branches(branches) = &line.action { branches.as_slice() } else { &[] };
    let is_drop = line.action == Action::Drop || branches.iter().any(|branch| branch.action == Action::Drop);
    is_drop && !line.is_contradiction && line.protocols.have_tcp()
}

#[cfg(test)]
mod tests {
    use crate::ruleset::testing::Recorded;

    const RAW: &str = "*raw\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:ours - [0:0]\n\
                       -A PREROUTING -p udp -j DROP\n-A PREROUTING -s 192.0.2.7/32 -j DROP\n-A PREROUTING -i eth0 -j ours\n\
                       -A ours -i eth0 -p tcp -m tcp --dport 1:32767 -j DROP\n-A OUTPUT -p tcp -j DROP\nCOMMIT\n\
                       *filter\n:FORWARD DROP [0:0]\n-A FORWARD -p tcp -j DROP\nCOMMIT\n";

    #[test]
    fn drops_before_conntrack_are_listed_with_those_of_ports_first() {
        let drops = Recorded::default().iptables(RAW, "").read().untracked_drops;
        assert_eq!(drops.len(), 2, "{drops:?}");
        assert!(drops[0].contains("--dport 1:32767") && drops[0].contains("(chain PREROUTING of ip raw)"), "{drops:?}");
    }

    #[test]
    fn chains_of_netdev_and_bridge_and_early_ones_are_not_seen_by_conntrack() {
        let chain = |family: &str, hook: &str, prio: i32, policy: &str| {
            format!(
                r#"{{"chain": {{"family": "{family}", "table": "t", "name": "c", "handle": 1, "type": "filter", "hook": "{hook}", "prio": {prio}, "policy": "{policy}"}}}},
                {{"rule": {{"family": "{family}", "table": "t", "chain": "c", "handle": 3, "expr": [{{"match": {{"op": "<", "left": {{"payload": {{"protocol": "tcp", "field": "dport"}}}}, "right": 32768}}}}, {{"drop": null}}]}}}}"#
            )
        };
        for (family, hook, prio, policy, expected) in [
            ("netdev", "ingress", 0, "accept", 1),
            ("netdev", "egress", 0, "accept", 1),
            ("bridge", "prerouting", 0, "drop", 2),
            ("inet", "ingress", 0, "accept", 1),
            ("inet", "prerouting", -300, "accept", 1),
            ("inet", "prerouting", -150, "accept", 0),
            ("ip", "forward", 0, "drop", 0),
        ] {
            let json = format!(
                r#"{{"nftables": [{{"table": {{"family": "{family}", "name": "t", "handle": 1}}}}, {}]}}"#,
                chain(family, hook, prio, policy)
            );
            let text = format!(
                "table {family} t {{ # handle 1\n\tchain c {{ # handle 1\n\t\ttcp dport < 32768 drop # handle 3\n\t}}\n}}\n"
            );
            let drops = Recorded::nft(&json, &text).read().untracked_drops;
            assert_eq!(drops.len(), expected, "{family} {hook}: {drops:?}");
            assert!(drops.iter().take(1).all(|drop| drop.starts_with("tcp dport < 32768 drop (chain c")), "{drops:?}");
        }
    }
}
