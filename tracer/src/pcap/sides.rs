//! Which interfaces lie before NAT, which addresses are the node's, and so which SYNs leave. Learnt from the SYNs themselves:
//! a capture does not say it.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use foldhash::fast::FixedState;
use tracer_common::Flow;
use tracer_common::flow::octets;

use super::observation::ObservedPacket;
use super::syns::{Before, Endpoint, hash, network};

const MAX_ADDRESSES: usize = 65_536;
const MAX_NODE_ADDRESSES: usize = 4096;

/// How often NAT changed the source of a SYN between this interface and another.
#[derive(Clone, Copy, Debug, Default)]
struct Votes {
    /// Only the source, so the SYN goes on to where it was sent; and both ends: a service, or a connection from outside to a port of
    /// the node.
    before: [u32; 2],
    after: [u32; 2],
}

/// SYNs with an address.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    sent: u32,
    received: u32,
}

#[derive(Debug, Default)]
pub struct Sides {
    votes: Vec<Votes>,
    /// Hashes of addresses that NAT gave to a source
    given_by_nat: HashSet<u32, FixedState>,
    /// Hashes of networks of clients, where one interface has both sides of NAT and does not say which way packets go
    clients: HashSet<u32, FixedState>,
    node: HashSet<[u8; 16], FixedState>,
    counts: HashMap<[u8; 16], Count, FixedState>,
    has_pairs: bool,
}

impl Sides {
    /// With the addresses that are known to be the node's.
    pub fn new(node: &[IpAddr]) -> Self {
        Self { node: node.iter().map(|addr| octets(*addr)).collect(), ..Self::default() }
    }

    pub fn count(&mut self, flow: &Flow) {
        let mut add = |address, count: fn(&mut Count) -> &mut u32| {
            if self.counts.len() < MAX_ADDRESSES || self.counts.contains_key(&address) {
                *count(self.counts.entry(address).or_default()) += 1;
            }
        };
        add(flow.src, |count| &mut count.sent);
        add(flow.dst, |count| &mut count.received);
    }

    /// NAT changed the source of a SYN on its way to this interface.
    pub fn translated(&mut self, before: &Before, interface: u32, source: Endpoint) {
        if self.given_by_nat.contains(&before.destination.address) {
            // It came from outside, to the node.
            return;
        }
        self.has_pairs = true;
        if before.interface != interface {
            let kind = usize::from(before.is_destination_changed);
            self.votes(before.interface).before[kind] += 1;
            self.votes(interface).after[kind] += 1;
        } else if self.clients.len() < MAX_NODE_ADDRESSES {
            self.clients.insert(before.network);
        }
        if !before.is_destination_changed && self.given_by_nat.len() < MAX_NODE_ADDRESSES {
            self.given_by_nat.insert(source.address);
        }
    }

    fn votes(&mut self, interface: u32) -> &mut Votes {
        let index = interface as usize;
        if index >= self.votes.len() {
            self.votes.resize(index + 1, Votes::default());
        }
        &mut self.votes[index]
    }

    /// Whether NAT comes behind this interface.
    fn is_before_nat(&self, interface: u32) -> bool {
        let Votes { before, after } = self.votes.get(interface as usize).copied().unwrap_or_default();
        let kind = usize::from(before[0] + after[0] == 0);
        before[kind] > after[kind]
    }

    /// Whether NAT comes before this interface.
    pub fn is_after_nat(&self, interface: u32) -> bool {
        let votes = self.votes.get(interface as usize).copied().unwrap_or_default();
        !self.is_before_nat(interface) && votes.after != [0, 0]
    }

    /// Whether a SYN was seen on both sides of NAT.
    pub const fn has_both(&self) -> bool {
        self.has_pairs
    }

    /// Where no packet says which way it went: takes that address of each family for the node's that has a part in most SYNs, among
    /// those that send any. What it decided.
    pub fn assume_node(&mut self) -> Vec<IpAddr> {
        let counts = std::mem::take(&mut self.counts);
        if !self.node.is_empty() || self.has_pairs {
            return Vec::new();
        }
        let addr = |octets: &[u8; 16]| std::net::Ipv6Addr::from_octets(*octets).to_canonical();
        let most = |is_ipv4: bool| {
            let senders = counts.iter().filter(|(octets, count)| count.sent > 0 && addr(octets).is_ipv4() == is_ipv4);
            senders.max_by_key(|(octets, count)| (count.sent + count.received, count.sent, **octets))
        };
        let found: Vec<[u8; 16]> = [true, false].into_iter().filter_map(most).map(|(octets, _)| *octets).collect();
        self.node.extend(&found);
        found.iter().map(addr).collect()
    }

    /// Whether the SYN that an observation is about is on its way to NAT.
    pub fn is_before(&self, observation: &ObservedPacket) -> bool {
        let is_of_client = || {
            let src = observation.flow_to_server().src;
            self.clients.contains(&hash(network(&src))) && !self.given_by_nat.contains(&hash(src))
        };
        let may_be_of_client = !self.clients.is_empty() && observation.direction.is_none();
        self.is_before_nat(observation.interface) || may_be_of_client && is_of_client()
    }

    /// Whether the SYN that an observation is about left the node.
    pub fn leaves(&self, observation: &ObservedPacket) -> bool {
        if self.is_before(observation) {
            return false;
        }
        let flow = observation.flow_to_server();
        observation.syn_leaves().unwrap_or_else(|| !self.is_node(&flow.dst) || self.is_node(&flow.src))
    }

    fn is_node(&self, address: &[u8; 16]) -> bool {
        self.node.contains(address) || !self.given_by_nat.is_empty() && self.given_by_nat.contains(&hash(address))
    }
}
