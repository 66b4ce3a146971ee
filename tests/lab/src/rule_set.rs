//! Which component's NAT rules the node has.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::scenario::Scenario;

/// Which component's NAT rules, for which tool.
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

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FlannelNft => "flannel-nft",
            Self::FlannelIptables => "flannel-iptables",
            Self::KubeProxyNft => "kube-proxy-nft",
            Self::KubeProxyIptables => "kube-proxy-iptables",
        }
    }

    /// Whether `iptables-restore` is needed.
    pub const fn uses_iptables(self) -> bool {
        match self {
            Self::FlannelNft | Self::KubeProxyNft => false,
            Self::FlannelIptables | Self::KubeProxyIptables => true,
        }
    }

    /// Whether the rules are those of kube-proxy, which masquerades connections through a service; flannel masquerades connections that
    /// leave the cluster.
    pub const fn is_kube_proxy(self) -> bool {
        match self {
            Self::FlannelNft | Self::FlannelIptables => false,
            Self::KubeProxyNft | Self::KubeProxyIptables => true,
        }
    }

    /// Whether connections of the scenario go through services.
    pub const fn goes_through_services(self, scenario: &Scenario) -> bool {
        self.is_kube_proxy() || scenario.services
    }
}
