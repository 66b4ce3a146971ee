//! Interfaces that encapsulate: a filter in front of the node sees the outer packet, not the translated port inside.

use std::collections::BTreeMap;

use super::links::LinkFacts;
use crate::netlink::link::encapsulates;

/// Interfaces of programs that put pods' packets into a tunnel behind them, whatever the link itself is; `*` is any rest.
const NAMES: &str = "cilium_host cilium_net cilium_vxlan cilium_geneve cilium_wg0 antrea-gw0 antrea-wg0 ovn-k8s-mp* ovn0 vxlan.calico \
     vxlan-v6.calico tunl0 wireguard.cali wg-v6.cali flannel.* flannel-v6.* flannel-wg* vxlan_sys_* genev_sys_* tailscale* weave";
/// Names that people give to tunnels; they count where no such interface can be looked at.
const USUAL: &str = "vxlan* geneve* gre* ipip* sit* tun* wg* tap*";

/// Whether packets that leave by an interface of this name, or pattern, are encapsulated.
pub(super) fn is_tunnel(name: &str, links: &BTreeMap<String, LinkFacts>) -> bool {
    let is_one = |patterns: &str| patterns.split(' ').any(|pattern| fits(name, pattern));
    match links.get(name) {
        Some(link) => link.kind.as_deref().is_some_and(encapsulates) || is_one(NAMES),
        None => is_one(NAMES) || is_one(USUAL),
    }
}

fn fits(name: &str, pattern: &str) -> bool {
    pattern.strip_suffix('*').map_or(name == pattern, |start| name.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_says_of_a_link_counts_before_its_name() {
        let link = |kind: &str| LinkFacts { kind: Some(kind.to_owned()), ..LinkFacts::default() };
        let links = [
            ("up0".to_owned(), link("vxlan")),
            ("wg0".to_owned(), link("veth")),
            ("antrea-gw0".to_owned(), link("openvswitch")),
        ];
        let links = links.into();
        for (name, is) in
            [("up0", true), ("wg0", false), ("wg1", true), ("antrea-gw0", true), ("eth0", false), ("flannel.1", true)]
        {
            assert_eq!(is_tunnel(name, &links), is, "{name}");
        }
    }
}
