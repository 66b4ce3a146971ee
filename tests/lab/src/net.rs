//! Names and addresses of one lab, all derived from its number.
//!
//! A lab has one IPv4 /16 and one IPv6 /48, so a capture selects a lab by its source prefixes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use serde::{Deserialize, Serialize};

pub const PODS: u32 = 2;
/// Number of the server's addresses: enough that translated ports towards one of them do not run out.
pub const SERVERS: u32 = 16;
/// The ports the server accepts on.
pub const PORTS: [u16; 4] = [8080, 8081, 8082, 8083];
/// A port that the server does not accept on.
pub const CLOSED_PORT: u16 = 9;
/// The port of every service.
pub const SERVICE_PORT: u16 = 80;

const POD_NET: u8 = 1;
const SERVICE_NET: u8 = 96;
const UPLINK_NET: u8 = 128;
const SERVER_NET: u8 = 192;
const NOWHERE_NET: u8 = 193;
/// Host part of the first service and server.
const FIRST_HOST: u32 = 10;

/// The address family of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Family {
    V4,
    V6,
}

impl Family {
    pub const ALL: [Self; 2] = [Self::V4, Self::V6];

    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }

    /// How nft names its header, as in `ip saddr`.
    pub const fn nft(self) -> &'static str {
        match self {
            Self::V4 => "ip",
            Self::V6 => "ip6",
        }
    }

    /// Its directory of settings in /proc/sys/net.
    pub const fn sysctl(self) -> &'static str {
        match self {
            Self::V4 => "ipv4",
            Self::V6 => "ipv6",
        }
    }

    /// The length of a prefix that is a single host.
    pub const fn host_length(self) -> u8 {
        match self {
            Self::V4 => 32,
            Self::V6 => 128,
        }
    }
}

/// One lab's names and addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Net {
    number: u8,
}

impl Net {
    /// The addresses of the lab with this number.
    pub const fn new(number: u8) -> Self {
        Self { number }
    }

    pub const fn number(&self) -> u8 {
        self.number
    }

    /// Name of the namespace of a pod, counted from 0.
    pub fn pod_ns(&self, pod: u32) -> String {
        format!("{}pod{}", prefix(self.number), pod + 1)
    }

    pub fn node_ns(&self) -> String {
        format!("{}node", prefix(self.number))
    }

    pub fn router_ns(&self) -> String {
        format!("{}router", prefix(self.number))
    }

    pub fn server_ns(&self) -> String {
        format!("{}server", prefix(self.number))
    }

    pub fn namespaces(&self) -> Vec<String> {
        let pods = (0..PODS).map(|pod| self.pod_ns(pod));
        pods.chain([self.node_ns(), self.router_ns(), self.server_ns()]).collect()
    }

    /// The prefixes that hold every address of the lab.
    pub fn prefixes(&self) -> [String; 2] {
        [format!("10.{}.0.0/16", self.number), format!("fd00:736e:{:x}::/48", self.number)]
    }

    /// The network of all pods of the cluster.
    pub fn cluster(&self, family: Family) -> String {
        match family {
            Family::V4 => format!("{}/18", self.address(family, 0, 0)),
            Family::V6 => format!("{}/58", self.address(family, 0, 0)),
        }
    }

    /// The network of the pods of this node.
    pub fn pods(&self, family: Family) -> String {
        with_length(self.address(family, POD_NET, 0))
    }

    /// The network of the services.
    pub fn services(&self, family: Family) -> String {
        with_length(self.address(family, SERVICE_NET, 0))
    }

    /// Address of a pod, counted from 0.
    pub fn pod(&self, family: Family, pod: u32) -> IpAddr {
        self.address(family, POD_NET, FIRST_HOST + pod)
    }

    /// The node's address on the bridge of the pods.
    pub fn gateway(&self, family: Family) -> IpAddr {
        self.address(family, POD_NET, 1)
    }

    /// The node's address on its uplink.
    pub fn node(&self, family: Family) -> IpAddr {
        self.address(family, UPLINK_NET, 2)
    }

    /// The router's address on the node's side.
    pub fn router(&self, family: Family) -> IpAddr {
        self.address(family, UPLINK_NET, 1)
    }

    /// The router's address on the server's side.
    pub fn server_gateway(&self, family: Family) -> IpAddr {
        self.address(family, SERVER_NET, 1)
    }

    /// One of the server's addresses.
    pub fn server(&self, family: Family, index: u32) -> IpAddr {
        self.address(family, SERVER_NET, FIRST_HOST + index % SERVERS)
    }

    /// The network to which the router has no route.
    pub fn nowhere_net(&self, family: Family) -> String {
        match family {
            Family::V4 => format!("{}/24", self.address(family, NOWHERE_NET, 0)),
            Family::V6 => format!("{}/64", self.address(family, NOWHERE_NET, 0)),
        }
    }

    /// An address in the network to which the router has no route.
    pub fn nowhere(&self, family: Family, index: u32) -> IpAddr {
        self.address(family, NOWHERE_NET, FIRST_HOST + index % SERVERS)
    }

    /// An address on the node's uplink that no machine has.
    pub fn no_router(&self, family: Family) -> IpAddr {
        self.address(family, UPLINK_NET, 77)
    }

    /// The destination of the n-th connection that goes to the server without a service.
    pub fn destination(&self, family: Family, index: u32) -> SocketAddr {
        let port = PORTS[(index / SERVERS) as usize % PORTS.len()];
        SocketAddr::new(self.server(family, index), port)
    }

    /// The service in front of one of the server's addresses.
    pub fn service(&self, family: Family, index: u32) -> SocketAddr {
        SocketAddr::new(self.address(family, SERVICE_NET, FIRST_HOST + index % SERVERS), SERVICE_PORT)
    }

    fn address(&self, family: Family, subnet: u8, host: u32) -> IpAddr {
        match family {
            Family::V4 => Ipv4Addr::new(10, self.number, subnet, host.to_be_bytes()[3]).into(),
            Family::V6 => {
                let [.., high, low] = host.to_be_bytes();
                let host = u16::from_be_bytes([high, low]);
                Ipv6Addr::new(0xfd00, 0x736e, self.number.into(), subnet.into(), 0, 0, 0, host).into()
            }
        }
    }
}

/// The prefix of the names of all namespaces of a lab.
pub fn prefix(number: u8) -> String {
    format!("snt{number}-")
}

/// An address with the length of its subnet, as `ip address add` takes it.
pub fn with_length(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => format!("{v4}/24"),
        IpAddr::V6(v6) => format!("{v6}/64"),
    }
}

#[cfg(test)]
mod tests {
    use ipnet::IpNet;

    use super::*;

    fn net_of(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    #[test]
    fn every_address_lies_within_the_prefixes_of_its_lab() {
        let net = Net::new(250);
        for (family, prefix) in Family::ALL.into_iter().zip(net.prefixes()) {
            let prefix = net_of(&prefix);
            for index in 0..100 {
                assert!(prefix.contains(&net.destination(family, index).ip()));
                assert!(prefix.contains(&net.service(family, index).ip()));
            }
            for address in [net.pod(family, 1), net.node(family), net.router(family), net.server_gateway(family)] {
                assert!(prefix.contains(&address));
            }
        }
    }

    #[test]
    fn only_pods_lie_within_the_cluster() {
        let net = Net::new(7);
        for family in Family::ALL {
            let cluster = net_of(&net.cluster(family));
            assert!(cluster.contains(&net.pod(family, 0)) && cluster.contains(&net_of(&net.pods(family))));
            for address in [net.node(family), net.server(family, 0), net.service(family, 0).ip()] {
                assert!(!cluster.contains(&address), "{address}");
            }
        }
    }

    #[test]
    fn labs_do_not_overlap() {
        assert_ne!(Net::new(1).prefixes(), Net::new(2).prefixes());
        let (one, eleven) = (Net::new(1).namespaces(), prefix(11));
        assert!(one.iter().all(|name| !name.starts_with(&eleven)));
    }
}
