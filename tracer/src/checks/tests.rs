//! Checks on whole sets of rules, read from what nft and iptables-save really wrote.

use super::*;
use crate::model::{Origin, Policy, PortSet};
use crate::ruleset::testing;

fn facts(rules: crate::ruleset::Sources, allowed: &str, origin: Origin) -> Facts {
    let ports: PortSet = allowed.parse().unwrap();
    let files = [("/proc/sys/net/netfilter/nf_conntrack_count", "0\n".to_owned())].into();
    Facts { is_root: true, rules, policy: Policy { v4: ports.clone(), v6: ports, origin }, files, ..Facts::default() }
}

fn of(reports: &[CheckReport], id: &str) -> Vec<CheckReport> {
    reports.iter().filter(|report| report.id == id).cloned().collect()
}

fn nat_rules(rules: crate::ruleset::Sources, allowed: &str, origin: Origin) -> Vec<CheckReport> {
    of(&run(&facts(rules, allowed, origin)), "nat_rule")
}

fn levels(reports: &[CheckReport]) -> Vec<Level> {
    reports.iter().map(|report| report.level).collect()
}

#[test]
fn every_check_has_a_word_of_its_own_and_a_row_in_the_docs() {
    let docs = include_str!("../../../docs/doctor.md");
    for (index, check) in ALL.iter().enumerate() {
        assert_eq!(ALL.iter().position(|other| other.id == check.id), Some(index));
        assert!(docs.contains(&format!("| `{}` |", check.id)), "{} is not in docs/doctor.md", check.id);
    }
}

#[test]
fn every_check_says_something_of_a_machine_that_nobody_has_looked_at() {
    let reports = run(&Facts::default());
    for check in ALL.iter().filter(|check| check.id != "nat_rule") {
        assert_eq!(of(&reports, check.id).len(), 1, "{}", check.id);
    }
    assert!(reports.iter().all(|report| !report.summary.is_empty() && report.level < Level::Problem));
}

#[test]
fn flannels_rule_is_a_problem_when_the_user_knows_the_filter() {
    let given = nat_rules(testing::flannel_nft(), "32768-65535", Origin::Given);
    assert_eq!(levels(&given), [Level::Problem, Level::Ok, Level::Problem, Level::Ok]);
    assert!(given[0].summary.contains("50.00 % of connections leave outside 32768-65535"), "{}", given[0].summary);
    let assumed = nat_rules(testing::flannel_nft(), "32768-65535", Origin::Default);
    assert_eq!(levels(&assumed)[0], Level::Warn, "the filter is only assumed");
    let wide = nat_rules(testing::flannel_nft(), "1024-65535", Origin::Given);
    assert_eq!(levels(&wide), [Level::Ok; 4]);
    assert!(wide[0].summary.contains("every port is in 1024-65535"));
}

#[test]
fn a_fix_is_the_rule_itself_with_ports_above_it() {
    let fixes = &nat_rules(testing::flannel_nft(), "10000-19999", Origin::Given)[0].fixes;
    assert_eq!(
        fixes[0].commands,
        [
            "nft insert rule ip flannel-ipv4 postrtg handle 9 meta l4proto { tcp, udp } ip saddr 10.7.0.0/18 ip daddr != 224.0.0.0/4 masquerade to :10000-19999 fully-random"
        ]
    );
    assert!(
        fixes[0].consequence.contains("10000 simultaneous connections")
            && fixes[0].consequence.contains("flannel rewrites")
    );
    let fixes = &nat_rules(testing::flannel_iptables(), "32768-65535", Origin::Given)[1].fixes;
    assert_eq!(
        fixes[0].commands,
        ["tcp", "udp"].map(|protocol| format!(
            "iptables-nft -t nat -I FLANNEL-POSTRTG 5 -p {protocol} -s 10.7.0.0/18 ! -d 224.0.0.0/4 -j MASQUERADE --to-ports 32768-65535 --random-fully"
        ))
    );
}

#[test]
fn commands_for_another_namespace_enter_it_first() {
    let mut facts = facts(testing::flannel_nft(), "32768-65535", Origin::Given);
    facts.netns = Some("/run/netns/a b".into());
    let command = &of(&run(&facts), "nat_rule")[0].fixes[0].commands[0];
    assert!(command.starts_with("nsenter '--net=/run/netns/a b' nft insert rule "), "{command}");
}

#[test]
fn a_rule_with_control_characters_gets_no_command() {
    for hostile in ["\u{1b}[2J", "a\nb", "\u{202e}"] {
        let mut rules = testing::flannel_nft();
        rules.rules[0].line.matches.as_mut().unwrap().push(hostile.to_owned());
        assert!(nat_rules(rules, "32768-65535", Origin::Given)[0].fixes[0].commands.is_empty());
    }
}

#[test]
fn what_a_rule_asks_for_cannot_run_in_a_shell() {
    let mut rules = testing::flannel_nft();
    rules.rules[0].line.matches.as_mut().unwrap().push("$(reboot);`reboot`'".to_owned());
    let command = nat_rules(rules, "32768-65535", Origin::Given)[0].fixes[0].commands[0].clone();
    assert!(command.contains(r"'$(reboot);`reboot`'\'''"), "{command}");
}

#[test]
fn kube_proxys_rule_is_a_warning_for_it_meets_only_what_is_marked() {
    let reports = nat_rules(testing::kube_proxy_nft(), "32768-65535", Origin::Given);
    assert_eq!(levels(&reports), [Level::Warn]);
    let all = run(&facts(testing::kube_proxy_nft(), "32768-65535", Origin::Given));
    let node_ports = &of(&all, "node_ports")[0];
    assert!(node_ports.summary.starts_with("4.22 % of random draws"), "{}", node_ports.summary);
    let filter = &of(&all, "filter")[0];
    assert!(filter.fixes[0].what.contains("1024-65535") && filter.fixes[1].what.contains("kube-proxy"));
    assert!(filter.details.iter().any(|detail| detail.contains("ip_local_port_range")));
}

#[test]
fn plain_masquerade_is_a_note_until_source_ports_are_outside() {
    let docker = nat_rules(testing::docker(), "32768-65535", Origin::Given);
    assert_eq!(docker[0].level, Level::Note);
    assert!(docker[0].summary.contains("only when ports clash"), "{}", docker[0].summary);
    let narrow = nat_rules(testing::docker(), "10000-19999", Origin::Given);
    assert_eq!(narrow[0].level, Level::Problem);
    assert!(narrow[0].summary.contains("100 % of connections"), "{}", narrow[0].summary);
    // libvirt's range for TCP: 32768-60999 is in it, so it is kept.
    let of_libvirt: Vec<_> =
        docker.iter().filter(|report| report.rule.as_ref().unwrap().chain == "LIBVIRT_PRT").collect();
    // The lowest of a chain comes first.
    let found: Vec<_> = of_libvirt.iter().map(|report| (report.rule.as_ref().unwrap().mode, report.level)).collect();
    assert_eq!(found, [("preserved", Level::Ok), ("range", Level::Ok), ("range", Level::Note)], "TCP, UDP, the rest");
}

#[test]
fn no_rules_is_not_the_same_as_none_seen() {
    let seen = run(&facts(crate::ruleset::Sources::default(), "32768-65535", Origin::Given));
    assert!(of(&seen, "filter")[0].summary.starts_with("no rule here"));
    let unread = testing::docker_without_iptables();
    let reports = run(&facts(unread, "32768-65535", Origin::Given));
    assert_eq!(of(&reports, "rule_sources")[0].level, Level::Warn);
    assert!(of(&reports, "filter")[0].summary.contains("could not be read"));
    assert_eq!(of(&reports, "node_ports")[0].level, Level::Note);
}
