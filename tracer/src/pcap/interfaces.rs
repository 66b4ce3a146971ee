//! Numbers for interfaces: those of a file, those of a packet where all were captured at once, and those inside a tunnel.

use std::collections::HashMap;

use foldhash::fast::FixedState;
use tracer_common::events::{INTERFACE_NAME, LINK_ENCAPSULATES, Stamp, UPLINK_BLIND, Uplink};

/// Interfaces that are distinguished; attempts keep their numbers in two bytes.
const MAX_INTERFACES: usize = 65_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct InterfaceKey {
    pub file: u32,
    pub interface: u32,
    /// Index on the node, where each packet has its own
    pub ifindex: u32,
    /// Identifier of the virtual network, where the packet was encapsulated
    pub vni: Option<u32>,
}

#[derive(Debug, Default)]
pub struct InterfaceNumbers {
    numbers: HashMap<InterfaceKey, u32, FixedState>,
    /// The newest event of each, in the order of their numbers
    events: Vec<Uplink>,
}

impl InterfaceNumbers {
    /// The number of an interface, from 1, and its event if it is new. `name` is what its file calls it.
    pub fn number(&mut self, place: InterfaceKey, time_ns: u64, name: &str) -> (u32, Option<Uplink>) {
        if let Some(&number) = self.numbers.get(&place) {
            return (number, None);
        }
        if self.numbers.len() >= MAX_INTERFACES {
            return (0, None);
        }
        let number = u32::try_from(self.numbers.len()).unwrap_or(0) + 1;
        self.numbers.insert(place, number);
        let event = uplink(place, number, time_ns, name);
        self.events.push(event);
        (number, Some(event))
    }

    /// What leaves by this interface is encapsulated; its event if that is news.
    pub fn encapsulates(&mut self, number: u32, time_ns: u64) -> Option<Uplink> {
        let event = self.events.get_mut((number as usize).checked_sub(1)?)?;
        if event.link & LINK_ENCAPSULATES != 0 {
            return None;
        }
        event.link |= LINK_ENCAPSULATES;
        event.stamp.time_ns = time_ns;
        Some(*event)
    }
}

/// Nobody knows whether all packets were captured, so silence proves nothing: as where a program hides packets from the watch.
fn uplink(place: InterfaceKey, number: u32, time_ns: u64, name: &str) -> Uplink {
    let text = match (place.vni, place.ifindex) {
        (Some(vni), _) => format!("vni{vni}"),
        (None, 0) => name.to_owned(),
        (None, ifindex) => format!("if{ifindex}"),
    };
    let mut name = [0; INTERFACE_NAME];
    name.iter_mut().take(INTERFACE_NAME - 1).zip(text.bytes()).for_each(|(to, from)| *to = from);
    Uplink {
        stamp: Stamp { time_ns, kind: Uplink::KIND, netns: 0 },
        ifindex: number,
        state: UPLINK_BLIND,
        link: if place.vni.is_some() { LINK_ENCAPSULATES } else { 0 },
        unused: [0; 2],
        name,
    }
}
