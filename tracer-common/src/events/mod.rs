//! The events: one fact from the kernel (or from the tracer itself) each, one file each.
//!
//! A kernel event starts with a [`Stamp`], has a fixed size without padding, and is written to the ring buffer as it is,
//! in the machine's byte order. To add one: a file here, a line in `events!`.

mod address;
mod ct_drop;
mod ct_table;
mod lost;
mod nat_bind;
mod nat_select;
mod owner;
mod process;
mod sock_state;
mod syn_retransmit;
mod tick;
mod uplink;
mod wire;

use bytemuck::{Pod, Zeroable};

pub use address::*;
pub use ct_drop::*;
pub use ct_table::*;
pub use lost::*;
pub use nat_bind::*;
pub use nat_select::*;
pub use owner::*;
pub use process::*;
pub use sock_state::*;
pub use syn_retransmit::*;
pub use tick::*;
pub use uplink::*;
pub use wire::*;

/// The first bytes of every event.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Stamp {
    /// Nanoseconds since boot, suspend included (`CLOCK_BOOTTIME`).
    pub time_ns: u64,
    /// Which event this is: its number in `events!`.
    pub kind: u32,
    /// Inode number of the network namespace, `net.ns.inum`; 0 where the hook does not know it.
    pub netns: u32,
}

macro_rules! events {
    ($($(#[$doc:meta])* $number:literal $stem:literal $name:ident,)*) => {
        /// Any event.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Event {
            $($(#[$doc])* $name($name),)*
        }

        $(
            impl $name {
                /// The value of [`Stamp::kind`] for this event; also its number in the trace format.
                pub const KIND: u32 = $number;
            }

            impl From<$name> for Event {
                fn from(event: $name) -> Self {
                    Self::$name(event)
                }
            }
        )*

        impl Event {
            /// Number and stem of every event. The stem is its word in file, program, JSON, tests and docs.
            pub const ALL: &'static [(u32, &'static str)] = &[$(($number, $stem)),*];

            /// An event from the bytes of a ring buffer record; `None` if they are none.
            #[must_use]
            pub fn parse(bytes: &[u8]) -> Option<Self> {
                let stamp: Stamp = bytemuck::try_pod_read_unaligned(bytes.get(..size_of::<Stamp>())?).ok()?;
                match stamp.kind {
                    $($number => bytemuck::try_pod_read_unaligned(bytes).ok().map(Self::$name),)*
                    _ => None,
                }
            }

            /// When it happened and where.
            #[must_use]
            pub const fn stamp(&self) -> &Stamp {
                match self {
                    $(Self::$name(event) => &event.stamp,)*
                }
            }

            /// The word for this event.
            #[must_use]
            pub const fn stem(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => $stem,)*
                }
            }
        }
    };
}

impl Event {
    /// The namespace of the socket that the event is about; other events have that of NAT, of an interface, or none.
    #[must_use]
    pub const fn socket_netns(&self) -> Option<u32> {
        match self {
            Self::SynRetransmit(event) => Some(event.stamp.netns),
            Self::SockState(event) => Some(event.stamp.netns),
            Self::NatSelect(_)
            | Self::NatBind(_)
            | Self::Wire(_)
            | Self::Lost(_)
            | Self::Tick(_)
            | Self::CtDrop(_)
            | Self::CtTable(_)
            | Self::Owner(_)
            | Self::Uplink(_)
            | Self::Address(_)
            | Self::Process(_) => None,
        }
    }
}

events! {
    /// NAT is about to choose a translated source.
    1 "nat_select" NatSelect,
    /// A new connection is confirmed with its translated tuple.
    2 "nat_bind" NatBind,
    /// A local socket sent its SYN again.
    3 "syn_retransmit" SynRetransmit,
    /// A connecting socket became established, or failed.
    4 "sock_state" SockState,
    /// A SYN, SYN-ACK or RST was seen on an interface.
    5 "wire" Wire,
    /// Facts were lost in the kernel.
    6 "lost" Lost,
    /// All events up to here were delivered.
    7 "tick" Tick,
    /// A SYN or the answer to one was dropped on this node.
    8 "ct_drop" CtDrop,
    /// A conntrack table is nearly full, or no longer.
    9 "ct_table" CtTable,
    /// Who a network namespace belongs to.
    10 "owner" Owner,
    /// An interface is watched from now on, or no longer.
    11 "uplink" Uplink,
    /// An interface has an address from now on, or no longer.
    12 "address" Address,
    /// Which process has the socket of an attempt open.
    13 "process" Process,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_has_a_number_and_a_stem_of_its_own() {
        for (index, (number, stem)) in Event::ALL.iter().enumerate() {
            assert_eq!(Event::ALL.iter().position(|(other, _)| other == number), Some(index), "{number}");
            assert_eq!(Event::ALL.iter().position(|(_, other)| other == stem), Some(index), "{stem}");
            assert!(stem.len() <= 15, "the kernel cuts longer program names: {stem}");
        }
    }
}
