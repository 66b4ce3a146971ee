//! What the programs that write rules can be configured to do instead, by their own documentation.

use super::{Fix, fixes};
use crate::model::PortSet;
use crate::ruleset::{RuleOwner, shell_word};

const KEPT: &str = "pods keep their own source ports: connections leave outside only where ports clash, or where pods use \
                    other source ports than 32768-60999; simultaneous connections may race for a port (insert_failed)";

/// The program's own switch. Commands for the cluster are not for this node's shell, so they are kept apart.
pub(super) fn switch(owner: RuleOwner, allowed: &PortSet) -> Option<Fix> {
    let fix = |what: &str, commands: &[&str], consequence: &str| {
        let elsewhere = commands.iter().map(|command| (*command).to_owned()).collect();
        Some(Fix { what: what.to_owned(), elsewhere, consequence: consequence.to_owned(), ..Fix::default() })
    };
    let range = fixes::range(allowed);
    match owner {
        RuleOwner::Flannel => fix(
            "flannel from v0.27.4: start flanneld with --ip-masq-fully-random-disable (or \
             FLANNELD_IP_MASQ_FULLY_RANDOM_DISABLE=true); if installed from its own manifest:",
            &["kubectl -n kube-flannel set env daemonset/kube-flannel-ds -c kube-flannel \
               FLANNELD_IP_MASQ_FULLY_RANDOM_DISABLE=true"],
            &format!("{KEPT}. No switch is known for the flannel inside k3s"),
        ),
        RuleOwner::KubeProxy => fix(
            "kube-proxy uses random ports wherever it can, and no known option disables it: change the filter, or have \
             fewer connections masqueraded (services with externalTrafficPolicy: Local)",
            &[],
            "Local: only pods on the node that was asked answer; they see the client's own address",
        ),
        RuleOwner::AwsVpcCni => fix(
            "the Amazon VPC CNI can keep source ports:",
            &["kubectl -n kube-system set env daemonset/aws-node AWS_VPC_K8S_CNI_RANDOMIZESNAT=none"],
            KEPT,
        ),
        RuleOwner::IpMasqAgent => fix("ip-masq-agent, where it has the flag: --random-fully=false", &[], KEPT),
        RuleOwner::Calico => {
            let (low, high) = range?;
            let patch = format!("{{\"spec\":{{\"natPortRange\":\"{low}:{high}\"}}}}");
            let command = format!("calicoctl patch felixconfiguration default --patch {}", shell_word(&patch));
            fix(
                "Calico can name the ports itself:",
                &[&command],
                "applies to every node; fewer simultaneous connections to one destination",
            )
        }
        RuleOwner::Cilium => {
            fix("Cilium's iptables rules keep source ports unless the agent has iptables-random-fully: true", &[], KEPT)
        }
        RuleOwner::Antrea => {
            fix("Antrea keeps source ports unless antrea-agent.conf has snatFullyRandomPorts: true", &[], KEPT)
        }
        RuleOwner::Libvirt => {
            let (low, high) = range?;
            let what = format!(
                "libvirt can name the ports itself: <forward mode='nat'><nat><port start='{low}' end='{high}'/></nat>\
                 </forward> in the network (virsh net-edit)"
            );
            fix(&what, &[], "takes effect when the network is started again")
        }
        RuleOwner::Shorewall => {
            let (low, high) = range?;
            let what = format!(
                "Shorewall can name the ports itself, in /etc/shorewall/snat: MASQUERADE({low}-{high}) in the column ACTION, with \
                 tcp,udp in the column PROTO, above the entry that has no ports"
            );
            fix(&what, &[], "takes effect with `shorewall reload`; other protocols keep to the entry without ports")
        }
        RuleOwner::Incus | RuleOwner::Lxd => fix(
            "set ipv4.nat=false on the network, and write a masquerade rule with ports of your own",
            &[],
            "the network's own rule goes, and yours must be loaded at boot",
        ),
        RuleOwner::Docker => fix(
            "Docker has no option for ports: create the network with \
             -o com.docker.network.bridge.enable_ip_masquerade=false, and write a masquerade rule with ports of your own",
            &[],
            "Docker's own rule for this network goes, and yours must be loaded at boot",
        ),
        RuleOwner::Firewalld => fix(
            "firewalld has no option for ports: turn masquerade off in the zone (--remove-masquerade), and write a \
             masquerade rule with ports of your own in a table of your own",
            &[],
            "firewalld's own rule goes, and yours must be loaded at boot",
        ),
        RuleOwner::Networkd => fix(
            "systemd-networkd has no option for ports: set IPMasquerade=no, and write a masquerade rule with ports of your own",
            &[],
            "networkd's own rule goes, and yours must be loaded at boot",
        ),
        RuleOwner::Netavark
        | RuleOwner::Tailscale
        | RuleOwner::Cni
        | RuleOwner::NetworkManager
        | RuleOwner::KubeOvn
        | RuleOwner::KubeRouter
        | RuleOwner::OvnKubernetes
        | RuleOwner::OpenshiftSdn
        | RuleOwner::Weave
        | RuleOwner::Fw4 => None,
    }
}
