//! What masquerades on the node: the rule sets of flannel and kube-proxy, each for nft and for iptables.
//!
//! They are the real ones, with the addresses of the lab. Scenarios vary only the masquerade statement.

mod flannel;
mod kube_proxy;

use anyhow::{Context, Result};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::net::{Family, Net};
use super::scenarios::Scenario;
use super::{command, netns, topology};

/// Whose rules masquerade, and in which variant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rules {
    /// flannel with nftables
    #[default]
    FlannelNft,
    /// flannel with iptables
    FlannelIptables,
    /// kube-proxy with nftables and --masquerade-all, connections through services
    KubeProxyNft,
    /// kube-proxy with iptables and --masquerade-all, connections through services
    KubeProxyIptables,
}

impl Rules {
    /// Every rule set.
    pub const ALL: [Self; 4] = [Self::FlannelNft, Self::FlannelIptables, Self::KubeProxyNft, Self::KubeProxyIptables];

    /// The word on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::FlannelNft => "flannel-nft",
            Self::FlannelIptables => "flannel-iptables",
            Self::KubeProxyNft => "kube-proxy-nft",
            Self::KubeProxyIptables => "kube-proxy-iptables",
        }
    }

    /// Whether `iptables-restore` is needed.
    #[must_use]
    pub const fn uses_iptables(self) -> bool {
        match self {
            Self::FlannelNft | Self::KubeProxyNft => false,
            Self::FlannelIptables | Self::KubeProxyIptables => true,
        }
    }

    /// kube-proxy masquerades what goes through a service, flannel what leaves the cluster.
    #[must_use]
    pub const fn is_kube_proxy(self) -> bool {
        match self {
            Self::FlannelNft | Self::FlannelIptables => false,
            Self::KubeProxyNft | Self::KubeProxyIptables => true,
        }
    }

    /// Whether connections of the scenario go through services.
    #[must_use]
    pub const fn goes_through_services(self, scenario: &Scenario) -> bool {
        self.is_kube_proxy() || scenario.services
    }
}

/// The masquerade statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Masquerade {
    /// `--random-fully`: a random port for every connection
    FullyRandom,
    /// No flag: the original port, unless it is taken.
    Plain,
    /// `--to-ports`: ports from this range only
    Ports(u16, u16),
    /// None at all
    Nothing,
}

impl Masquerade {
    /// As nft says it.
    #[must_use]
    pub fn nft(self) -> String {
        match self {
            Self::FullyRandom => "masquerade fully-random".to_owned(),
            Self::Plain => "masquerade".to_owned(),
            // Ports need a protocol that has them.
            Self::Ports(low, high) => format!("meta l4proto tcp masquerade to :{low}-{high}"),
            Self::Nothing => "accept".to_owned(),
        }
    }

    /// As iptables says it, protocol match included.
    #[must_use]
    pub fn iptables(self) -> String {
        match self {
            Self::FullyRandom => "-j MASQUERADE --random-fully".to_owned(),
            Self::Plain => "-j MASQUERADE".to_owned(),
            Self::Ports(low, high) => format!("-p tcp -j MASQUERADE --to-ports {low}-{high}"),
            Self::Nothing => "-j ACCEPT".to_owned(),
        }
    }
}

/// Sets the rules up on the node.
///
/// # Errors
/// When `nft` or `iptables-restore` refuses them.
pub fn install(net: &Net, rules: Rules, scenario: &Scenario) -> Result<()> {
    for family in Family::ALL.into_iter().filter(|&family| family == Family::V4 || topology::has_ipv6()) {
        for text in texts(net, family, rules, scenario) {
            load(net, family, rules, &text)
                .with_context(|| format!("the rules of {} cannot be set up", rules.name()))?;
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

/// Lab, family, masquerade statement, and whether everything that goes through services is masqueraded.
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
