//! What was watched, what other interfaces are called, and which addresses the node had, as of an event: a later part of a recording
//! begins with it, since it may be read without those before it.

use std::collections::BTreeMap;

use tracer_common::Event;
use tracer_common::events::{Address, Stamp, UPLINK_LEFT, Uplink};

/// Most interfaces and addresses that are kept; a node has fewer.
const MAX_KEPT: usize = 16_384;

/// The last event of each interface, and of each address that is there.
#[derive(Debug, Default)]
pub struct WatchedState {
    uplinks: BTreeMap<(u32, u32), Uplink>,
    addresses: BTreeMap<(u32, u32, [u8; 16], u8, u8), Address>,
}

impl WatchedState {
    pub fn uplink(&mut self, uplink: &Uplink) {
        // One that is not watched, or no longer, still gives its name to the addresses that it has.
        if self.uplinks.len() >= MAX_KEPT {
            self.uplinks.retain(|_, uplink| uplink.state != UPLINK_LEFT);
        }
        let key = (uplink.stamp.netns, uplink.ifindex);
        if self.uplinks.len() < MAX_KEPT || self.uplinks.contains_key(&key) {
            self.uplinks.insert(key, *uplink);
        }
    }

    pub fn address(&mut self, address: &Address) {
        // What was added has an odd number, and the next one where it was removed.
        let added = address.state.saturating_sub(1) | 1;
        let key = (address.stamp.netns, address.ifindex, address.addr, address.prefix, added);
        if address.state != added {
            self.addresses.remove(&key);
        } else if self.addresses.len() < MAX_KEPT {
            self.addresses.insert(key, *address);
        }
    }

    /// Events that say the same at a later time.
    pub fn events(&self, time_ns: u64) -> impl Iterator<Item = Event> {
        let at = move |stamp: Stamp| Stamp { time_ns, ..stamp };
        let uplinks = self.uplinks.values().map(move |of| Uplink { stamp: at(of.stamp), ..*of }.into());
        uplinks.chain(self.addresses.values().map(move |of| Address { stamp: at(of.stamp), ..*of }.into()))
    }
}
