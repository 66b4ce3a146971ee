//! kube-proxy's rules: DNAT from services to backends, and masquerade of packets with the mark 0x4000.
//!
//! After Kubernetes' `pkg/proxy/nftables` and `pkg/proxy/iptables`, with one service in front of each of the server's
//! addresses. By default kube-proxy marks only packets from outside the pods; `--masquerade-all` marks all packets.

use std::fmt::Write;

use crate::masquerade::Masquerade;
use crate::net::{Family, Net, SERVERS};

/// For `nft -f`.
pub(super) fn nft(net: &Net, family: Family, masquerade: Masquerade, masquerade_all: bool) -> String {
    let (ip, kind) = match family {
        Family::V4 => ("ip", "ipv4_addr"),
        Family::V6 => ("ip6", "ipv6_addr"),
    };
    let mut text = nft_base(ip, kind, &net.services(family), &net.node(family).to_string(), &masquerade.nft());
    for index in 0..SERVERS {
        nft_service(&mut text, net, family, index, masquerade_all);
    }
    text
}

fn nft_base(ip: &str, kind: &str, services: &str, node: &str, masquerade: &str) -> String {
    let head = format!("{ip} kube-proxy");
    format!(
        "add table {head}
add set {head} cluster-ips {{ type {kind} ; }}
add set {head} nodeport-ips {{ type {kind} ; }}
add map {head} firewall-ips {{ type {kind} . inet_proto . inet_service : verdict ; }}
add map {head} no-endpoint-nodeports {{ type inet_proto . inet_service : verdict ; }}
add map {head} no-endpoint-services {{ type {kind} . inet_proto . inet_service : verdict ; }}
add map {head} service-ips {{ type {kind} . inet_proto . inet_service : verdict ; }}
add map {head} service-nodeports {{ type inet_proto . inet_service : verdict ; }}
add chain {head} cluster-ips-check
add chain {head} filter-prerouting-pre-dnat {{ type filter hook prerouting priority -110 ; }}
add chain {head} filter-output-pre-dnat {{ type filter hook output priority -110 ; }}
add chain {head} filter-forward {{ type filter hook forward priority 0 ; }}
add chain {head} filter-input {{ type filter hook input priority 0 ; }}
add chain {head} filter-output {{ type filter hook output priority 0 ; }}
add chain {head} firewall-check
add chain {head} mark-for-masquerade
add chain {head} masquerading
add chain {head} nat-output {{ type nat hook output priority -100 ; }}
add chain {head} nat-postrouting {{ type nat hook postrouting priority 100 ; }}
add chain {head} nat-prerouting {{ type nat hook prerouting priority -100 ; }}
add chain {head} nodeport-endpoints-check
add chain {head} reject-chain
add chain {head} services
add chain {head} service-endpoints-check
add rule {head} cluster-ips-check {ip} daddr @cluster-ips reject
add rule {head} cluster-ips-check {ip} daddr {{ {services} }} drop
add rule {head} filter-prerouting-pre-dnat ct state new jump firewall-check
add rule {head} filter-forward ct state new jump service-endpoints-check
add rule {head} filter-forward ct state new jump cluster-ips-check
add rule {head} filter-input ct state new jump nodeport-endpoints-check
add rule {head} filter-input ct state new jump service-endpoints-check
add rule {head} filter-output ct state new jump service-endpoints-check
add rule {head} filter-output-pre-dnat ct state new jump firewall-check
add rule {head} filter-output ct state new jump cluster-ips-check
add rule {head} firewall-check {ip} daddr . meta l4proto . th dport vmap @firewall-ips
add rule {head} mark-for-masquerade meta mark set mark or 0x4000
add rule {head} masquerading mark and 0x4000 == 0 return
add rule {head} masquerading meta mark set mark xor 0x4000
add rule {head} masquerading {masquerade}
add rule {head} nat-output jump services
add rule {head} nat-postrouting jump masquerading
add rule {head} nat-prerouting jump services
add rule {head} nodeport-endpoints-check {ip} daddr @nodeport-ips meta l4proto . th dport vmap @no-endpoint-nodeports
add rule {head} reject-chain reject
add rule {head} services {ip} daddr . meta l4proto . th dport vmap @service-ips
add rule {head} services {ip} daddr @nodeport-ips meta l4proto . th dport vmap @service-nodeports
add element {head} nodeport-ips {{ {node} }}
add rule {head} service-endpoints-check {ip} daddr . meta l4proto . th dport vmap @no-endpoint-services
"
    )
}

fn nft_service(text: &mut String, net: &Net, family: Family, index: u32, masquerade_all: bool) {
    let ip = match family {
        Family::V4 => "ip",
        Family::V6 => "ip6",
    };
    let (service, backend) = (net.service(family, index), net.destination(family, index));
    let (address, port, pods) = (service.ip(), service.port(), net.pods(family));
    let chain = format!("{ip} kube-proxy service-{index:08}-lab/svc{index}/tcp/p80");
    let endpoint = format!("endpoint-{index:08}-lab/svc{index}/tcp/p80");
    let from = if masquerade_all { String::new() } else { format!(" {ip} saddr != {pods}") };
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "add chain {chain}
add chain {ip} kube-proxy {endpoint}
add rule {chain} {ip} daddr {address}{from} jump mark-for-masquerade
add rule {chain} numgen random mod 1 vmap {{ 0 : goto {endpoint} }}
add rule {ip} kube-proxy {endpoint} {ip} saddr {} jump mark-for-masquerade
add rule {ip} kube-proxy {endpoint} meta l4proto tcp dnat to {backend}
add element {ip} kube-proxy cluster-ips {{ {address} }}
add element {ip} kube-proxy service-ips {{ {address} . tcp . {port} : goto service-{index:08}-lab/svc{index}/tcp/p80 }}
",
        backend.ip()
    );
}

/// For `iptables-restore`.
pub(super) fn iptables(net: &Net, family: Family, masquerade: Masquerade, masquerade_all: bool) -> String {
    let statement = masquerade.iptables();
    let mut chains = String::new();
    let mut rules = String::new();
    for index in 0..SERVERS {
        iptables_service(&mut chains, &mut rules, net, family, index, masquerade_all);
    }
    format!(
        "*filter
:KUBE-FORWARD - [0:0]
-A FORWARD -m comment --comment \"kubernetes forwarding rules\" -j KUBE-FORWARD
-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP
-A KUBE-FORWARD -m comment --comment \"kubernetes forwarding rules\" -m mark --mark 0x4000/0x4000 -j ACCEPT
-A KUBE-FORWARD -m comment --comment \"kubernetes forwarding conntrack rule\" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
COMMIT
*nat
:KUBE-SERVICES - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-MARK-MASQ - [0:0]
{chains}-A PREROUTING -m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES
-A OUTPUT -m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES
-A POSTROUTING -m comment --comment \"kubernetes postrouting rules\" -j KUBE-POSTROUTING
-A KUBE-MARK-MASQ -j MARK --or-mark 0x4000
-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
-A KUBE-POSTROUTING -j MARK --xor-mark 0x4000
-A KUBE-POSTROUTING -m comment --comment \"kubernetes service traffic requiring SNAT\" {statement}
{rules}COMMIT
"
    )
}

fn iptables_service(
    chains: &mut String,
    rules: &mut String,
    net: &Net,
    family: Family,
    index: u32,
    masquerade_all: bool,
) {
    let (service, backend) = (net.service(family, index), net.destination(family, index));
    let (address, port, pods) = (service.ip(), service.port(), net.pods(family));
    let from = if masquerade_all { String::new() } else { format!(" ! -s {pods}") };
    // Writing to a String cannot fail.
    let _ = write!(chains, ":KUBE-SVC-{index:016} - [0:0]\n:KUBE-SEP-{index:016} - [0:0]\n");
    let _ = write!(
        rules,
        "-A KUBE-SERVICES -d {address} -p tcp -m comment --comment \"lab/svc{index}:p80 cluster IP\" -m tcp --dport {port} -j KUBE-SVC-{index:016}
-A KUBE-SVC-{index:016} -d {address} -p tcp -m tcp --dport {port}{from} -j KUBE-MARK-MASQ
-A KUBE-SVC-{index:016} -m comment --comment \"lab/svc{index}:p80\" -j KUBE-SEP-{index:016}
-A KUBE-SEP-{index:016} -s {} -j KUBE-MARK-MASQ
-A KUBE-SEP-{index:016} -p tcp -m tcp -j DNAT --to-destination {backend}
",
        backend.ip()
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::PORTS;

    #[test]
    fn without_masquerade_all_only_foreign_sources_are_marked() {
        let net = Net::new(7);
        for (text, from) in [(nft as super::super::Text, "saddr != 10.7.1.0/24"), (iptables, "! -s 10.7.1.0/24")] {
            assert!(text(&net, Family::V4, Masquerade::FullyRandom, false).contains(from));
            assert!(!text(&net, Family::V4, Masquerade::FullyRandom, true).contains(from));
        }
    }

    #[test]
    fn services_lead_to_ports_that_the_server_accepts_on() {
        for index in 0..SERVERS {
            assert!(PORTS.contains(&Net::new(7).destination(Family::V6, index).port()));
        }
    }
}
