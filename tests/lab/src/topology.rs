//! Links, addresses and routes: pods on a bridge, the node's uplink, the provider's router, the server.

use std::path::Path;

use anyhow::Result;

use super::command::{self, ip_batch};
use super::net::{Family, Net, PODS, SERVERS, with_length};
use super::netns;

/// The mark of packets that the raw client sends; only rules in its own namespace match it.
pub const RAW_MARK: u32 = 0x736e;

/// Connects the namespaces of a lab.
pub fn build(net: &Net) -> Result<()> {
    for name in net.namespaces() {
        set_up_ipv6(&name)?;
    }
    for name in [net.node_ns(), net.router_ns()] {
        netns::set_sysctl(&name, "net/ipv4/ip_forward", "1")?;
        if has_ipv6() {
            netns::set_sysctl(&name, "net/ipv6/conf/all/forwarding", "1")?;
        }
    }
    ip_batch(&net.node_ns(), &node(net))?;
    ip_batch(&net.router_ns(), &router(net))?;
    ip_batch(&net.server_ns(), &server(net))?;
    (0..PODS).try_for_each(|pod| ip_batch(&net.pod_ns(pod), &pod_lines(net, pod)))
}

/// Whether this kernel has IPv6.
pub fn has_ipv6() -> bool {
    Path::new("/proc/sys/net/ipv6").exists()
}

/// Keeps the kernel of the pods from sending RSTs for the raw client's connections, which the kernel does not know.
pub fn silence_pod(net: &Net) -> Result<()> {
    let rule = format!(
        "table inet raw-client {{\n\
         \tchain output {{\n\
         \t\ttype filter hook output priority 0; policy accept;\n\
         \t\ttcp flags & rst == rst meta mark != {RAW_MARK:#x} drop\n\
         \t}}\n\
         }}\n"
    );
    (0..PODS).try_for_each(|pod| netns::within(&net.pod_ns(pod), || command::run("nft", &["-f", "-"], &rule).map(drop)))
}

/// Enables IPv6, which a new namespace has only if the machine's administrator enabled it, without duplicate address detection: during
/// the detection a router cannot resolve its neighbours and drops what it forwards.
fn set_up_ipv6(name: &str) -> Result<()> {
    if !has_ipv6() {
        return Ok(());
    }
    let keys = ["all/disable_ipv6", "default/disable_ipv6", "all/accept_dad", "default/accept_dad"];
    keys.iter().try_for_each(|key| netns::set_sysctl(name, &format!("net/ipv6/conf/{key}"), "0"))
}

fn families() -> impl Iterator<Item = Family> {
    Family::ALL.into_iter().filter(|&family| family == Family::V4 || has_ipv6())
}

fn node(net: &Net) -> Vec<String> {
    let mut lines = vec!["link set lo up".to_owned(), "link add cni0 type bridge".to_owned()];
    for pod in 0..PODS {
        lines.push(format!("link add veth{} type veth peer name eth0 netns {}", pod + 1, net.pod_ns(pod)));
        lines.push(format!("link set veth{} master cni0 up", pod + 1));
    }
    lines.push(format!("link add eth0 type veth peer name node0 netns {}", net.router_ns()));
    addresses(&mut lines, "cni0", |family| net.gateway(family));
    addresses(&mut lines, "eth0", |family| net.node(family));
    default_routes(&mut lines, |family| net.router(family));
    lines
}

fn router(net: &Net) -> Vec<String> {
    let mut lines = vec![
        "link set lo up".to_owned(),
        format!("link add server0 type veth peer name eth0 netns {}", net.server_ns()),
    ];
    addresses(&mut lines, "node0", |family| net.router(family));
    addresses(&mut lines, "server0", |family| net.server_gateway(family));
    lines
}

fn server(net: &Net) -> Vec<String> {
    let mut lines = vec!["link set lo up".to_owned()];
    for index in 0..SERVERS {
        addresses(&mut lines, "eth0", |family| net.server(family, index));
    }
    default_routes(&mut lines, |family| net.server_gateway(family));
    lines
}

fn pod_lines(net: &Net, pod: u32) -> Vec<String> {
    let mut lines = vec!["link set lo up".to_owned()];
    addresses(&mut lines, "eth0", |family| net.pod(family, pod));
    default_routes(&mut lines, |family| net.gateway(family));
    lines
}

fn addresses(lines: &mut Vec<String>, device: &str, address: impl Fn(Family) -> std::net::IpAddr) {
    for family in families() {
        // Without `nodad` an IPv6 address is unusable for a second or two.
        let nodad = if family == Family::V6 { " nodad" } else { "" };
        lines.push(format!("address add {} dev {device}{nodad}", with_length(address(family))));
    }
    lines.push(format!("link set {device} up"));
}

fn default_routes(lines: &mut Vec<String>, via: impl Fn(Family) -> std::net::IpAddr) {
    for family in families() {
        let all = match family {
            Family::V4 => "0.0.0.0/0",
            Family::V6 => "::/0",
        };
        lines.push(format!("route add {all} via {}", via(family)));
    }
}
