//! Joins events into attempts: batches of events in, batches of updates out. Bounded, and its only clock are the events.
//!
//! `nodes` receives the events of all nodes and prefetches what they need, `node` dispatches those of one node, `update` is the
//! result. `nat`, `socket`, `wire` and `drops` handle the events of those hooks: they find the attempt that an event belongs to
//! (`fits`) or open one, and change its slot (`slot_changes`). `expiry` handles time: settled retransmits are reported, attempts
//! that are over end. The other files are the tables: `attempts` by ISN, `bindings` that outlive their attempts, `hints` that
//! precede their attempts, and the retransmits that wait (`retransmits`). An attempt is a `slot`, whose tuples are packed
//! (`tuple`, `slot_view`). docs/join.md has the rules as a table.

mod answered_sources;
mod attempts;
mod bindings;
mod challenges;
mod dropped_packet;
mod drops;
mod expiry;
mod features;
mod fits;
mod hash;
mod hints;
mod interfaces;
mod nat;
mod nat64;
mod network;
mod node;
mod nodes;
mod paths;
mod places;
mod prefetch;
mod recent;
mod retransmits;
mod slot;
mod slot_changes;
mod slot_flags;
mod slot_view;
mod socket;
mod suspects;
mod syn_drops;
#[cfg(test)]
mod tests;
pub mod times;
mod tuple;
mod update;
mod wire;

pub use self::node::Limits;
pub use self::nodes::Joins;
pub use self::update::{MAX_BATCH_LEN, TickState, Update, UpdateKind};
