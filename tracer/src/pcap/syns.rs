//! The SYNs seen lately: which packet is another copy of one, which SYN was sent again, and which two are one SYN before and
//! after NAT.
//!
//! A SYN is on record for each interface and direction. It is looked for by its ISN, which NAT does not change.

use std::hash::{BuildHasher as _, Hash};

use foldhash::fast::FixedState;

use super::link::Direction;
use super::segment::TcpSegment;
use crate::join::times::ONE_SYN_NS;

/// Of two to this power: enough for the SYNs of two seconds at 50,000 a second, and of hours at usual rates.
const BUCKETS_LOG2: u32 = 14;
const BUCKET_LEN: usize = 8;

/// One end of a connection; equal ends have equal keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Endpoint {
    pub address: u32,
    pub port: u16,
}

#[derive(Clone, Copy, Debug, Default)]
struct Syn {
    /// The newest transmission
    time_ns: u64,
    interface: u32,
    source: Endpoint,
    /// Hash of the network of the source
    network: u32,
    destination: Endpoint,
    id: u16,
    ttl: u8,
    count: u8,
    direction: Option<Direction>,
    /// The newest transmission was seen at a later place
    has_passed: bool,
    /// A retransmit was reported
    is_reported: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noted {
    /// Another copy of a packet that was seen.
    Copy,
    /// A SYN as it was sent.
    Sent {
        /// It was sent before.
        is_again: bool,
        /// Which retransmit it is, where one before was not seen at a later place.
        unsent: Option<u32>,
        /// The same SYN at earlier places, with another source.
        before: Places,
        /// Another interface by which the same SYN left just before.
        left_by: Option<u32>,
    },
}

pub type Places = [Option<Before>; BUCKET_LEN];

/// A SYN before NAT changed its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Before {
    pub interface: u32,
    /// Hash of the network of its source
    pub network: u32,
    pub destination: Endpoint,
    pub is_destination_changed: bool,
}

/// What is looked at of every SYN in a bucket, together in one cache line: nearly all have another ISN.
#[derive(Clone, Copy, Debug, Default)]
#[repr(align(64))]
struct Keys {
    isns: [u32; BUCKET_LEN],
    /// Of the newest transmission, in units of 2^20 ns; 0 where the place is free
    times: [u32; BUCKET_LEN],
}

#[derive(Debug)]
pub struct Syns {
    keys: Vec<Keys>,
    buckets: Vec<[Syn; BUCKET_LEN]>,
}

impl Default for Syns {
    fn default() -> Self {
        let buckets = vec![[Syn::default(); BUCKET_LEN]; 1 << BUCKETS_LOG2];
        Self { keys: vec![Keys::default(); 1 << BUCKETS_LOG2], buckets }
    }
}

impl Keys {
    /// Places of SYNs with this ISN, as bits.
    fn with(&self, isn: u32) -> u32 {
        let has = self.isns.iter().zip(self.times).map(|(&known, time)| u32::from(known == isn && time > 0));
        has.rev().fold(0, |bits, bit| bits << 1 | bit)
    }

    fn oldest(&self) -> usize {
        (0..BUCKET_LEN).min_by_key(|&at| self.times[at]).unwrap_or(0)
    }

    fn put(&mut self, at: usize, isn: u32, time_ns: u64) {
        #[expect(clippy::cast_possible_truncation, reason = "it returns to zero after 52 days")]
        let time = (time_ns >> 20) as u32;
        (self.isns[at], self.times[at]) = (isn, time.max(1));
    }
}

/// The SYNs of a bucket at these places.
fn at(places: u32) -> impl Iterator<Item = usize> + Clone {
    (0..BUCKET_LEN).filter(move |at| places >> at & 1 == 1)
}

impl Syns {
    /// Notes a SYN that passed an interface.
    pub fn note(&mut self, time_ns: u64, interface: u32, direction: Option<Direction>, segment: &TcpSegment) -> Noted {
        let place = hash(segment.seq) as usize & ((1 << BUCKETS_LOG2) - 1);
        let (Some(keys), Some(bucket)) = (self.keys.get_mut(place), self.buckets.get_mut(place)) else {
            return Noted::Copy;
        };
        let with_isn = keys.with(segment.seq);
        let (source, destination) = ends(segment);
        let new = Syn {
            time_ns,
            interface,
            source,
            network: hash(network(&segment.flow.src)),
            destination,
            id: segment.id,
            ttl: segment.ttl,
            count: 1,
            direction,
            has_passed: false,
            is_reported: false,
        };
        let before = pass(bucket, with_isn, &new);
        let same = at(with_isn).filter(|&at| bucket[at].is_same(&new));
        // An interface before this one may have seen the same transmission.
        let elsewhere =
            same.clone().map(|at| &bucket[at]).find(|syn| !syn.is_at(interface, direction) && syn.is_now(time_ns));
        let is_first = elsewhere.is_none();
        let left_by = elsewhere.filter(|syn| syn.direction == Some(Direction::Leaving)).map(|syn| syn.interface);
        let known = same.clone().find(|&at| bucket[at].is_at(interface, direction));
        let old = known.map(|at| bucket[at]);
        if old.is_some_and(|old| old.is_copy(&new)) {
            return Noted::Copy;
        }
        let place = known.unwrap_or_else(|| keys.oldest());
        keys.put(place, segment.seq, time_ns);
        let Some(old) = old else {
            bucket[place] = new;
            return Noted::Sent { is_again: false, unsent: None, before, left_by };
        };
        let is_unsent = is_first && (!old.has_passed || old.is_reported);
        let count = old.count.saturating_add(1);
        bucket[place] = Syn { count, is_reported: old.is_reported || is_unsent, ..new };
        Noted::Sent { is_again: true, unsent: is_unsent.then_some(u32::from(count) - 1), before, left_by }
    }
}

impl Syn {
    fn is_same(&self, other: &Self) -> bool {
        (self.source, self.destination) == (other.source, other.destination)
    }

    fn is_at(&self, interface: u32, direction: Option<Direction>) -> bool {
        (self.interface, self.direction) == (interface, direction)
    }

    /// Whether its newest transmission may be the one of this time: no SYN is retransmitted so soon.
    fn is_now(&self, time_ns: u64) -> bool {
        self.time_ns.abs_diff(time_ns) <= ONE_SYN_NS
    }

    /// Whether both are one packet: mirrored, on both sides of a bridge, or on its way through the node. A client that sends again so
    /// soon numbers its packets anew.
    fn is_copy(&self, other: &Self) -> bool {
        let is_numbered_anew = self.id != other.id && self.id != 0 && other.id != 0 && self.ttl == other.ttl;
        self.is_now(other.time_ns) && !is_numbered_anew
    }
}

/// Notes that a SYN has passed on to this place; where it was before NAT changed its source.
fn pass(bucket: &mut [Syn; BUCKET_LEN], with_isn: u32, new: &Syn) -> Places {
    let mut before = Places::default();
    if new.direction == Some(Direction::Arriving) {
        return before;
    }
    for at in at(with_isn) {
        let (syn, place) = (&mut bucket[at], &mut before[at]);
        // A mirror may have both sides of NAT on one interface.
        let is_elsewhere = !syn.is_at(new.interface, new.direction) || syn.source != new.source;
        let may_be_before = syn.direction != Some(Direction::Leaving) && syn.time_ns <= new.time_ns;
        if !is_elsewhere || !may_be_before || !syn.is_now(new.time_ns) {
            continue;
        }
        syn.has_passed = true;
        if syn.source != new.source {
            let is_destination_changed = syn.destination != new.destination;
            let Syn { interface, network, destination, .. } = *syn;
            *place = Some(Before { interface, network, destination, is_destination_changed });
        }
    }
    before
}

/// The network of an address: its /24, or /64.
pub fn network(address: &[u8; 16]) -> [u8; 16] {
    let is_ipv4 = matches!(address, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ..]);
    let len = if is_ipv4 { 15 } else { 8 };
    std::array::from_fn(|at| if at < len { address[at] } else { 0 })
}

pub fn ends(segment: &TcpSegment) -> (Endpoint, Endpoint) {
    let flow = &segment.flow;
    let end = |address: &[u8; 16], port| Endpoint { address: hash(address), port };
    (end(&flow.src, flow.src_port), end(&flow.dst, flow.dst_port))
}

#[expect(clippy::cast_possible_truncation, reason = "a part of it will do")]
pub fn hash(of: impl Hash) -> u32 {
    FixedState::default().hash_one(of) as u32
}
