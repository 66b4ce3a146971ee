//! Which translated ports are allowed.

use serde::{Deserialize, Serialize};

/// A set of ports, as ranges.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PortSet(Vec<(u16, u16)>);

impl PortSet {
    /// Whether the port is in the set.
    #[must_use]
    pub fn contains(&self, port: u16) -> bool {
        self.0.iter().any(|&(low, high)| (low..=high).contains(&port))
    }
}

impl std::fmt::Display for PortSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// Where a policy came from; named in the header line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Nobody said anything.
    Default,
    /// `--allow` or its environment variable.
    Given,
    /// `--allow auto`: ip_local_port_range of the node.
    Auto,
}

/// The allowed translated ports, per address family.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// For IPv4.
    pub v4: PortSet,
    /// For IPv6.
    pub v6: PortSet,
    /// Where it came from.
    pub origin: Origin,
}
