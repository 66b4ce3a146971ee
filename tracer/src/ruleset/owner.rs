//! Who writes a rule, by the names of chains and tables: those programs write their rules again whenever they like.

use schemars::JsonSchema;
use serde::Serialize;

use super::conditions::{Condition, Subject};

/// A program that writes NAT rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RuleOwner {
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
    /// firewalld.
    Firewalld,
    /// systemd-networkd.
    Networkd,
    /// NetworkManager.
    NetworkManager,
    /// Incus.
    Incus,
    /// LXD.
    Lxd,
    /// Antrea.
    Antrea,
    /// Kube-OVN.
    KubeOvn,
    /// kube-router.
    KubeRouter,
    /// OVN-Kubernetes.
    OvnKubernetes,
    /// OpenShift SDN.
    OpenshiftSdn,
    /// Weave Net.
    Weave,
    /// Shorewall.
    Shorewall,
    /// OpenWrt's fw4.
    Fw4,
}

/// How tables and chains begin; the first that fits counts.
const NAMES: [(RuleOwner, &[&str]); 24] = [
    (RuleOwner::Flannel, &["flannel-ipv", "FLANNEL-POSTRTG"]),
    (RuleOwner::KubeRouter, &["KUBE-ROUTER"]),
    (RuleOwner::KubeProxy, &["kube-proxy", "KUBE-"]),
    (RuleOwner::Docker, &["DOCKER", "docker-"]),
    (RuleOwner::Calico, &["cali-", "calico", "filter-cali-", "nat-cali-"]),
    (RuleOwner::Cilium, &["CILIUM_", "OLD_CILIUM_"]),
    (RuleOwner::AwsVpcCni, &["AWS-SNAT-CHAIN"]),
    (RuleOwner::IpMasqAgent, &["IP-MASQ"]),
    (RuleOwner::Libvirt, &["LIBVIRT_", "libvirt_"]),
    (RuleOwner::Netavark, &["NETAVARK", "netavark", "nv_"]),
    (RuleOwner::Tailscale, &["ts-postrouting"]),
    (RuleOwner::Cni, &["CNI-", "cni_plugins_"]),
    (RuleOwner::Firewalld, &["firewalld", "nat_POST_", "POST_"]),
    (RuleOwner::Networkd, &["io.systemd.nat"]),
    (RuleOwner::NetworkManager, &["nm-shared-", "nm-sh-"]),
    (RuleOwner::Incus, &["incus"]),
    (RuleOwner::Lxd, &["lxd"]),
    (RuleOwner::Antrea, &["ANTREA-", "antrea"]),
    (RuleOwner::OvnKubernetes, &["OVN-KUBE-", "ovn-kubernetes", "ovn-kube-"]),
    (RuleOwner::KubeOvn, &["OVN-POSTROUTING", "OVN-MASQUERADE", "OVN-NAT-"]),
    (RuleOwner::OpenshiftSdn, &["OPENSHIFT-MASQUERADE"]),
    (RuleOwner::Weave, &["WEAVE"]),
    (RuleOwner::Shorewall, &["SHOREWALL", "shorewall"]),
    (RuleOwner::Fw4, &["fw4"]),
];
/// How chains end.
const ENDS: [(&str, RuleOwner); 2] = [("_masq", RuleOwner::Shorewall), ("_snat", RuleOwner::Shorewall)];
/// What rules in shared chains have in comments and names of sets.
const MARKS: [(&str, RuleOwner); 6] = [
    ("flanneld masq", RuleOwner::Flannel),
    ("generated for LXD network", RuleOwner::Lxd),
    ("generated for Incus network", RuleOwner::Incus),
    ("kube-router-", RuleOwner::KubeRouter),
    ("ovn40", RuleOwner::KubeOvn),
    ("AWS, SNAT", RuleOwner::AwsVpcCni),
];

impl RuleOwner {
    /// Its name for people.
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
            Self::Firewalld => "firewalld",
            Self::Networkd => "systemd-networkd",
            Self::NetworkManager => "NetworkManager",
            Self::Incus => "Incus",
            Self::Lxd => "LXD",
            Self::Antrea => "Antrea",
            Self::KubeOvn => "Kube-OVN",
            Self::KubeRouter => "kube-router",
            Self::OvnKubernetes => "OVN-Kubernetes",
            Self::OpenshiftSdn => "OpenShift SDN",
            Self::Weave => "Weave Net",
            Self::Shorewall => "Shorewall",
            Self::Fw4 => "fw4 (OpenWrt)",
        }
    }

    /// The writer of a rule in this table and chain, where the names show it; `text` is that of the rule.
    pub(super) fn of(table: &str, chain: &str, text: &str) -> Option<Self> {
        let begins = |name: &str, starts: &[&str]| starts.iter().any(|start| name.starts_with(start));
        let by_name = |name: &str| NAMES.iter().find(|(_, starts)| begins(name, starts)).map(|(owner, _)| *owner);
        let by_end = || ENDS.iter().find(|(end, _)| chain.ends_with(end)).map(|(_, owner)| *owner);
        let by_mark = || MARKS.iter().find(|(mark, _)| text.contains(mark)).map(|(_, owner)| *owner);
        by_name(chain).or_else(|| by_name(table)).or_else(by_mark).or_else(by_end)
    }

    /// Docker's rule in the chain of all: from a network of its own, but not to its own bridge.
    pub(super) fn of_conditions(conditions: &[Condition]) -> Option<Self> {
        let is_bridge = |name: &String| {
            let id = name.strip_prefix("br-").unwrap_or_default();
            name == "docker0" || (id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_hexdigit()))
        };
        let leaves_bridge = |condition: &Condition| {
            let names = if let Subject::Out(names) = &condition.subject { Some(names) } else { None };
            condition.negated && names.is_some_and(|names| names.iter().all(is_bridge))
        };
        conditions.iter().any(leaves_bridge).then_some(Self::Docker)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dockers_rule_is_known_by_its_bridge() {
        let owner = |name: &str, negated| {
            RuleOwner::of_conditions(&[Condition::new(Subject::Out([name.to_owned()].into()), negated)])
        };
        assert_eq!(
            (owner("docker0", true), owner("br-0123456789ab", true)),
            (Some(RuleOwner::Docker), Some(RuleOwner::Docker))
        );
        assert_eq!((owner("docker0", false), owner("br-lan", true), owner("eth0", true)), (None, None, None));
    }

    #[test]
    fn a_writer_is_known_by_table_chain_or_comment() {
        for (table, chain, text, owner) in [
            ("firewalld", "nat_POST_public_allow", "", Some(RuleOwner::Firewalld)),
            ("nat", "POST_public_allow", "", Some(RuleOwner::Firewalld)),
            ("nat", "POSTROUTING", "", None),
            ("nat", "POSTROUTING", "-m comment --comment 'generated for LXD network lxdbr0'", Some(RuleOwner::Lxd)),
            ("nat", "KUBE-POSTROUTING", "", Some(RuleOwner::KubeProxy)),
            ("nat", "eth0_masq", "", Some(RuleOwner::Shorewall)),
            ("io.systemd.nat", "postrouting", "", Some(RuleOwner::Networkd)),
            ("mine", "post", "", None),
        ] {
            assert_eq!(RuleOwner::of(table, chain, text), owner, "{table} {chain} {text}");
        }
    }
}
