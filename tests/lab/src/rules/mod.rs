//! The node's NAT rules: the rule sets of flannel and kube-proxy, each for nft and for iptables.
//!
//! They are the real rules with the addresses of the lab. Scenarios vary only the masquerade statement.

mod flannel;
mod kube_proxy;

use anyhow::{Context, Result};

use super::net::{Family, Net};
use super::{command, netns, topology};
use crate::masquerade::Masquerade;
use crate::rule_set::Rules;
use crate::scenario::Scenario;

/// Installs the rules on the node.
pub fn install(net: &Net, rules: Rules, scenario: &Scenario) -> Result<()> {
    for family in Family::ALL.into_iter().filter(|&family| family == Family::V4 || topology::has_ipv6()) {
        for text in texts(net, family, rules, scenario) {
            load(net, family, rules, &text).with_context(|| format!("cannot install the rules of {}", rules.name()))?;
        }
    }
    Ok(())
}

/// The rule files, in the order in which they are loaded.
fn texts(net: &Net, family: Family, rules: Rules, scenario: &Scenario) -> Vec<String> {
    let (kube_proxy, flannel): (Text, Text) =
        if rules.uses_iptables() { (kube_proxy::iptables, flannel::iptables) } else { (kube_proxy::nft, flannel::nft) };
    let mut texts = Vec::new();
    if rules.goes_through_services(scenario) {
        texts.push(kube_proxy(net, family, scenario.masquerade, rules.is_kube_proxy()));
    }
    if !rules.is_kube_proxy() {
        texts.push(flannel(net, family, scenario.masquerade, false));
    }
    texts
}

/// Makes rules from lab, family, masquerade statement, and whether all connections through services are masqueraded.
type Text = fn(&Net, Family, Masquerade, bool) -> String;

fn load(net: &Net, family: Family, rules: Rules, text: &str) -> Result<()> {
    let (program, args): (_, &[&str]) = match (rules.uses_iptables(), family) {
        (false, Family::V4 | Family::V6) => ("nft", &["-f", "-"]),
        (true, Family::V4) => ("iptables-restore", &["--noflush"]),
        (true, Family::V6) => ("ip6tables-restore", &["--noflush"]),
    };
    netns::within(&net.node_ns(), || command::run(program, args, text).map(drop))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenarios;

    #[test]
    fn every_rule_set_has_the_scenarios_masquerade_statement() {
        let net = Net::new(7);
        for scenario in scenarios::ALL {
            for rules in Rules::ALL {
                let statement =
                    if rules.uses_iptables() { scenario.masquerade.iptables() } else { scenario.masquerade.nft() };
                for family in Family::ALL {
                    let all = texts(&net, family, rules, scenario).concat();
                    assert!(all.contains(&statement), "{} {}", scenario.name, rules.name());
                }
            }
        }
    }

    #[test]
    fn flannel_with_services_has_both_rule_sets() {
        let scenario =
            scenarios::find("service").map(|scenario| texts(&Net::new(7), Family::V4, Rules::FlannelNft, scenario));
        assert_eq!(scenario.map(|texts| texts.len()).ok(), Some(2));
    }
}
