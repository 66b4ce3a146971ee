//! The parsers against what nft and iptables-save really wrote (fixtures), and against hostile listings.

mod hostile;

use std::collections::HashMap;

use super::read::{Kernel, read_from};
use super::testing::{self, Recorded, fixture};
use super::*;

/// `chain: statement` of each rule, in order.
fn rules(sources: &Sources) -> Vec<(String, Nat)> {
    sources.rules.iter().map(|rule| (rule.chain.clone(), rule.nat.clone())).collect()
}

fn is_met(rule: &NatRule) -> bool {
    rule.reach() == Reach::Met
}

fn plain(kind: NatKind) -> Nat {
    Nat { kind, flags: Flags::default(), ports: NatPorts::Default, address: None }
}

fn fully_random() -> Nat {
    Nat { flags: Flags { fully_random: true, ..Flags::default() }, ..plain(NatKind::Masquerade) }
}

#[test]
fn flannels_rules_are_found_in_both_variants() {
    let (of_nft, of_iptables) = (testing::flannel_nft(), testing::flannel_iptables());
    for (sources, chain) in [(&of_nft, "postrtg"), (&of_iptables, "FLANNEL-POSTRTG")] {
        assert_eq!(rules(sources), vec![(chain.to_owned(), fully_random()); 4]);
        assert!(sources.rules.iter().all(|rule| rule.owner == Some(RuleOwner::Flannel)));
        assert_eq!(
            sources.rules.iter().map(|rule| rule.family).collect::<Vec<_>>(),
            [RuleFamily::V4, RuleFamily::V4, RuleFamily::V6, RuleFamily::V6]
        );
        assert_eq!(sources.rules[0].paths[0].excepts.len(), 4);
        assert!(sources.unread.is_empty());
    }
    // What the second rule asks for is sent back by the last line above, but not in the older variant.
    assert_eq!(of_nft.rules.iter().map(is_met).collect::<Vec<_>>(), [true, false, true, false]);
    assert_eq!(of_iptables.rules.iter().map(is_met).collect::<Vec<_>>(), [true; 4]);
    assert_eq!(of_iptables.rules.iter().map(NatRule::stays_private).collect::<Vec<_>>(), [false, true, false, true]);
    assert_eq!(of_nft.rules[0].line.text, "ip saddr 10.7.0.0/18 ip daddr != 224.0.0.0/4 masquerade fully-random");
    assert_eq!(
        (of_nft.rules[0].line.handle, of_nft.rules[0].paths[0].chains.join(">")),
        (Some(9), "postrtg".to_owned())
    );
    assert_eq!(of_iptables.rules[0].paths[0].chains.join(">"), "POSTROUTING>FLANNEL-POSTRTG");
    assert_eq!((of_iptables.rules[0].tool.as_str(), of_iptables.rules[0].line.number), ("iptables-nft", 5));
}

#[test]
fn kube_proxys_rules_are_found_in_both_variants() {
    let (of_nft, of_iptables) = (testing::kube_proxy_nft(), testing::kube_proxy_iptables());
    for (sources, chains) in [(&of_nft, "nat-postrouting>masquerading"), (&of_iptables, "POSTROUTING>KUBE-POSTROUTING")]
    {
        let [rule] = &sources.rules[..] else { unreachable!("{:?}", sources.rules) };
        assert_eq!((&rule.nat, rule.owner), (&fully_random(), Some(RuleOwner::KubeProxy)));
        assert_eq!(rule.paths[0].chains.join(">"), chains);
        assert!(rule.asks_for_mark() && !rule.stays_private());
        assert!(rule.paths[0].excepts[0].contains("0x"), "{:?}", rule.paths[0].excepts);
    }
    assert!(of_nft.chains.contains("nodeport-endpoints-check") && of_iptables.chains.contains("KUBE-SERVICES"));
}

#[test]
fn dockers_and_libvirts_rules_have_their_options() {
    let sources = testing::docker();
    let ports = |low, high| NatPorts::Ranges(vec![(low, high)]);
    let (plain_masquerade, snat) = (plain(NatKind::Masquerade), plain(NatKind::Snat));
    let random = Nat { flags: Flags { random: true, ..Flags::default() }, ..plain_masquerade.clone() };
    let persistent = Flags { persistent: true, ..Flags::default() };
    let expected = [
        plain_masquerade.clone(),
        plain_masquerade.clone(),
        Nat { ports: ports(1024, 65535), ..plain_masquerade.clone() },
        Nat { ports: ports(1024, 65535), ..plain_masquerade.clone() },
        plain_masquerade.clone(),
        random,
        Nat {
            flags: Flags { fully_random: true, ..persistent },
            ports: ports(2000, 3000),
            address: Some("192.0.2.1".to_owned()),
            ..snat.clone()
        },
        Nat { flags: persistent, address: Some("192.0.2.1-192.0.2.5".to_owned()), ..snat.clone() },
        plain(NatKind::Netmap),
        plain_masquerade,
        Nat { ports: ports(32768, 65535), address: Some("2001:db8::1".to_owned()), ..snat },
    ];
    assert_eq!(rules(&sources).into_iter().map(|(_, nat)| nat).collect::<Vec<_>>(), expected);
    let libvirt: Vec<_> = sources.rules.iter().filter(|rule| rule.owner == Some(RuleOwner::Libvirt)).collect();
    assert_eq!(libvirt.iter().map(|rule| is_met(rule)).collect::<Vec<_>>(), [true, false, false]);
    assert_eq!(libvirt[0].paths.len(), 2, "it is reached by a jump and by a goto");
    assert!(
        matches!(libvirt[2].reach(), Reach::Never(why) if why.contains("-p tcp")),
        "TCP is taken by the rule for TCP"
    );
    assert_eq!(
        sources.rules[5].line.matches.as_ref().unwrap().join(" "),
        "-s 10.5.0.0/16",
        "comments are no conditions"
    );
    // A hairpin rule of Docker: the container speaks to itself.
    assert!(sources.rules[1].stays_private());
}

#[test]
fn rules_that_only_iptables_can_read_are_counted_without_it() {
    let sources = testing::docker_without_iptables();
    assert!(sources.rules.is_empty());
    assert_eq!(sources.unread, [("ip nat".to_owned(), 9), ("ip6 nat".to_owned(), 2)]);
    assert_eq!(sources.sources[1].read, Read::Missing);
}

#[test]
fn nft_rules_of_every_kind_are_understood() {
    let sources = testing::variants();
    let by_handle: HashMap<(&str, u64), &NatRule> =
        sources.rules.iter().map(|rule| ((rule.table.as_str(), rule.line.handle.unwrap()), rule)).collect();
    let rule = |handle| by_handle[&("variants", handle)];
    let both = |handle| by_handle[&("both", handle)];
    assert_eq!(by_handle.len(), 20);
    // By a named verdict map and by one in the rule; by goto; by nothing.
    assert_eq!((rule(8).paths.len(), rule(9).paths.len(), rule(10).paths.len()), (2, 1, 0));
    assert!(rule(9).nat.flags.random && rule(9).nat.flags.persistent && rule(9).nat.flags.draws());
    assert_eq!(
        rule(15).line.matches.as_ref().unwrap().join(" "),
        "ip saddr 10.42.0.0/16 ip daddr != { 10.0.0.0/8, 100.64.0.0/10, 172.16.0.0/12, 192.0.2.0/24, 192.168.0.0/16, 198.18.0.0/15, 203.0.113.0/24 }"
    );
    assert_eq!(rule(16).nat.ports, NatPorts::Ranges(vec![(32768, 60999)]));
    assert_eq!(rule(19).nat.ports, NatPorts::Ranges(vec![(5000, 5000)]));
    assert!(rule(18).reach() != Reach::NotTcp && rule(20).reach() == Reach::NotTcp);
    assert_eq!(rule(22).nat.ports, NatPorts::Ranges(vec![(10000, 20000)]));
    assert_eq!(rule(23).nat.address.as_deref(), Some("192.0.2.7-192.0.2.9"));
    // Maps: of addresses, in the rule, with ports, of prefixes.
    assert_eq!((&rule(24).nat.ports, &rule(26).nat.ports), (&NatPorts::Default, &NatPorts::Default));
    assert_eq!(rule(27).nat.ports, NatPorts::Ranges(vec![(2000, 2000)]));
    assert_eq!(rule(29).nat.kind, NatKind::Netmap);
    // `inet`: the family is what the rule asks for.
    assert_eq!(
        [4, 5, 6, 7].map(|handle| both(handle).family),
        [RuleFamily::V4, RuleFamily::V6, RuleFamily::V6, RuleFamily::V4]
    );
    assert_eq!(both(8).paths[0].hook, "input");
    // Priority 99 comes before 100.
    assert!(
        sources.rules.iter().position(|rule| rule.table == "both")
            < sources.rules.iter().position(|rule| rule.table == "variants")
    );
}

#[test]
fn a_rule_loses_its_tcp_only_to_one_that_asks_for_no_more() {
    let sources = testing::variants();
    let shadowed = |handle| {
        let rule =
            sources.rules.iter().find(|rule| rule.table == "variants" && rule.line.handle == Some(handle)).unwrap();
        matches!(rule.reach(), Reach::Never(why) if why.contains("nfproto ipv4 snat"))
    };
    // The chain of priority 99 takes all of IPv4, and 10.0.0.0/8 before that.
    assert!(shadowed(16) && shadowed(18) && shadowed(24) && !shadowed(15));
}

#[test]
fn legacy_tables_are_read_only_where_they_are() {
    let tools = Recorded::default()
        .with("iptables-legacy-save -V", "iptables-legacy-save v1.8.9 (legacy)")
        .with("iptables-legacy-save", fixture!("legacy.iptables"));
    let kernel = |tables: Result<String, String>| Kernel { nf_tables: false, legacy: [tables, Ok(String::new())] };
    let there = read_from(&tools, &kernel(Ok("nat\n".to_owned())));
    assert_eq!(rules(&there)[1].1.ports, NatPorts::Ranges(vec![(32768, 60999)]));
    assert_eq!(there.rules[0].tool, "iptables-legacy");
    for tables in [Ok("\n".to_owned()), Err("permission denied".to_owned())] {
        assert!(read_from(&tools, &kernel(tables)).rules.is_empty());
    }
}

#[test]
fn an_iptables_without_a_suffix_says_itself_what_it_is() {
    let tools = |version| {
        Recorded::default().with("iptables-save -V", version).with("iptables-save", fixture!("legacy.iptables"))
    };
    let kernel = |nf_tables| Kernel { nf_tables, legacy: [Ok(String::new()), Ok(String::new())] };
    // The old one would make tables, and is not asked for that; the new one only needs nf_tables.
    assert!(read_from(&tools("iptables-save v1.6.1"), &kernel(true)).rules.is_empty());
    assert_eq!(read_from(&tools("iptables-save v1.8.9 (nf_tables)"), &kernel(true)).rules.len(), 2);
    assert!(read_from(&tools("iptables-save v1.8.9 (nf_tables)"), &kernel(false)).rules.is_empty());
}

#[test]
fn nft_is_not_asked_where_that_would_load_its_module() {
    let tools = Recorded::nft(fixture!("flannel-nft.json"), fixture!("flannel-nft.txt"));
    let sources = read_from(&tools, &Kernel { nf_tables: false, legacy: [Ok(String::new()), Ok(String::new())] });
    assert!(sources.rules.is_empty() && matches!(sources.sources[0].read, Read::Empty(_)));
}
