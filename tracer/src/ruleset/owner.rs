//! Who writes a rule, by the names of chains and tables: those programs write their rules again whenever they like.

use serde::Serialize;

/// A program that writes NAT rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Owner {
    /// flannel, also the one inside k3s.
    Flannel,
    /// kube-proxy, also the one inside k3s.
    KubeProxy,
    /// Docker.
    Docker,
    /// Calico.
    Calico,
    /// Cilium.
    Cilium,
    /// The Amazon VPC CNI.
    AwsVpcCni,
    /// ip-masq-agent.
    IpMasqAgent,
    /// libvirt.
    Libvirt,
    /// podman's netavark.
    Netavark,
    /// Tailscale.
    Tailscale,
    /// A plugin of the container network interface (`portmap`, `bridge`).
    Cni,
}

/// How tables and chains begin.
const NAMES: [(&str, Owner); 18] = [
    ("flannel-ipv", Owner::Flannel),
    ("FLANNEL-POSTRTG", Owner::Flannel),
    ("kube-proxy", Owner::KubeProxy),
    ("KUBE-", Owner::KubeProxy),
    ("DOCKER", Owner::Docker),
    ("docker-", Owner::Docker),
    ("cali-", Owner::Calico),
    ("calico", Owner::Calico),
    ("CILIUM_", Owner::Cilium),
    ("AWS-SNAT-CHAIN", Owner::AwsVpcCni),
    ("IP-MASQ", Owner::IpMasqAgent),
    ("LIBVIRT_", Owner::Libvirt),
    ("libvirt_", Owner::Libvirt),
    ("NETAVARK", Owner::Netavark),
    ("netavark", Owner::Netavark),
    ("ts-postrouting", Owner::Tailscale),
    ("CNI-", Owner::Cni),
    ("cni_plugins_", Owner::Cni),
];

impl Owner {
    /// Its name for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Flannel => "flannel",
            Self::KubeProxy => "kube-proxy",
            Self::Docker => "Docker",
            Self::Calico => "Calico",
            Self::Cilium => "Cilium",
            Self::AwsVpcCni => "the Amazon VPC CNI",
            Self::IpMasqAgent => "ip-masq-agent",
            Self::Libvirt => "libvirt",
            Self::Netavark => "netavark (podman)",
            Self::Tailscale => "Tailscale",
            Self::Cni => "a CNI plugin",
        }
    }

    /// The writer of a rule in this table and chain, where the names tell; `text` has flannel's comment in old versions.
    pub(super) fn of(table: &str, chain: &str, text: &str) -> Option<Self> {
        let by_name = |name: &str| NAMES.iter().find(|(start, _)| name.starts_with(start)).map(|(_, owner)| *owner);
        let by_comment = || text.contains("flanneld masq").then_some(Self::Flannel);
        by_name(chain).or_else(|| by_name(table)).or_else(by_comment)
    }
}
