//! flannel's masquerade rules: packets from pods to destinations outside the cluster leave with the node's address.
//!
//! After flannel's `pkg/trafficmngr`: tables `flannel-ipv4` and `flannel-ipv6`, or the chain FLANNEL-POSTRTG.

use crate::masquerade::Masquerade;
use crate::net::{Family, Net};

/// For `nft -f`.
pub(super) fn nft(net: &Net, family: Family, masquerade: Masquerade, _masquerade_all: bool) -> String {
    let (ip, table, multicast) = match family {
        Family::V4 => ("ip", "flannel-ipv4", "224.0.0.0/4"),
        Family::V6 => ("ip6", "flannel-ipv6", "ff00::/8"),
    };
    let (pods, cluster, statement) = (net.pods(family), net.cluster(family), masquerade.nft());
    format!(
        "table {ip} {table} {{
	chain forward {{
		type filter hook forward priority filter; policy accept;
		{ip} saddr {cluster} accept
		{ip} daddr {cluster} accept
	}}
	chain postrtg {{
		type nat hook postrouting priority srcnat; policy accept;
		meta mark 0x4000 return
		{ip} saddr {pods} {ip} daddr {cluster} return
		{ip} saddr {cluster} {ip} daddr {pods} return
		{ip} saddr != {pods} {ip} daddr {cluster} return
		{ip} saddr {cluster} {ip} daddr != {multicast} {statement}
		{ip} saddr != {cluster} {ip} daddr {cluster} {statement}
	}}
}}
"
    )
}

/// For `iptables-restore`.
pub(super) fn iptables(net: &Net, family: Family, masquerade: Masquerade, _masquerade_all: bool) -> String {
    let multicast = match family {
        Family::V4 => "224.0.0.0/4",
        Family::V6 => "ff00::/8",
    };
    let (pods, cluster, statement) = (net.pods(family), net.cluster(family), masquerade.iptables());
    let note = "-m comment --comment \"flanneld masq\"";
    let forward = "-m comment --comment \"flanneld forward\"";
    format!(
        "*filter
:FLANNEL-FWD - [0:0]
-A FORWARD {forward} -j FLANNEL-FWD
-A FLANNEL-FWD -s {cluster} {forward} -j ACCEPT
-A FLANNEL-FWD -d {cluster} {forward} -j ACCEPT
COMMIT
*nat
:FLANNEL-POSTRTG - [0:0]
-A POSTROUTING {note} -j FLANNEL-POSTRTG
-A FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 {note} -j RETURN
-A FLANNEL-POSTRTG -s {pods} -d {cluster} {note} -j RETURN
-A FLANNEL-POSTRTG -s {cluster} -d {pods} {note} -j RETURN
-A FLANNEL-POSTRTG ! -s {cluster} -d {pods} {note} -j RETURN
-A FLANNEL-POSTRTG -s {cluster} ! -d {multicast} {note} {statement}
-A FLANNEL-POSTRTG ! -s {cluster} -d {cluster} {note} {statement}
COMMIT
"
    )
}
