//! Which attempt a fact belongs to, among those with its ISN: how well it fits, or that it contradicts.

use tracer_common::Flow;

use super::known::Known;
use super::slot::Slot;

/// The same tuple; no other attempt can fit better.
pub(super) const SAME: u8 = 3;
/// The same destination, so only the source differs, which is what NAT changes.
pub(super) const SAME_DESTINATION: u8 = 2;
/// Only the ISN: the destination was translated too, or another NAT came between.
pub(super) const SAME_ISN: u8 = 1;

/// A socket told its own addresses.
pub(super) fn socket(slot: &Slot, original: &Flow, netns: u32) -> Option<u8> {
    if knows_original(slot) {
        let same = slot.original == *original && (netns == 0 || slot.socket_netns == 0 || slot.socket_netns == netns);
        return same.then_some(SAME);
    }
    if slot.known.has(Known::ORIGINAL) && slot.original == *original {
        return Some(SAME);
    }
    by_destination(&slot.translated, original)
}

/// NAT bound a translated tuple to an original one.
pub(super) fn bind(slot: &Slot, original: &Flow, translated: &Flow) -> Option<u8> {
    if knows_original(slot) {
        return match slot.original == *original {
            true => Some(SAME),
            false if continues(slot, original) => Some(SAME_DESTINATION),
            false => None,
        };
    }
    match slot.translated == *translated {
        true => Some(SAME),
        false => same_destination(&slot.translated, translated).then_some(SAME_DESTINATION),
    }
}

/// A second NAT on the way translates what the first one made.
pub(super) fn continues(slot: &Slot, original: &Flow) -> bool {
    knows_original(slot)
        && slot.known.has(Known::TRANSLATED)
        && slot.translated == *original
        && slot.original != *original
}

/// A SYN left. Another source than known before means that NAT chose again.
pub(super) fn leaving(slot: &Slot, translated: &Flow) -> Option<u8> {
    if !knows_translated(slot) {
        return by_destination(&slot.original, translated);
    }
    match slot.translated == *translated {
        true => Some(SAME),
        false => same_destination(&slot.translated, translated).then_some(SAME_DESTINATION),
    }
}

/// An answer arrived for a translated tuple.
pub(super) fn answer(slot: &Slot, translated: &Flow) -> Option<u8> {
    if !knows_translated(slot) {
        return by_destination(&slot.original, translated);
    }
    (slot.translated == *translated).then_some(SAME)
}

/// A SYN arrived, to be forwarded. It tells the original only if it came first: what left may arrive again elsewhere.
pub(super) fn arriving(slot: &Slot, original: &Flow, time_ns: u64) -> Option<u8> {
    if knows_original(slot) {
        return (slot.original == *original).then_some(SAME);
    }
    if time_ns > slot.first_ns {
        return None;
    }
    by_destination(&slot.translated, original)
}

/// A packet was dropped, before or after NAT, on its way or as the answer; `to_server` is in the direction of the SYN.
pub(super) fn dropped(slot: &Slot, to_server: &Flow) -> Option<u8> {
    let known = [(Known::ORIGINAL, &slot.original), (Known::TRANSLATED, &slot.translated)];
    let grades = known.into_iter().filter(|(fact, _)| slot.known.has(*fact)).map(|(_, flow)| match flow == to_server {
        true => Some(SAME),
        // NAT chooses anew for a SYN that was dropped.
        false => by_destination(flow, to_server),
    });
    grades.flatten().max()
}

/// What was seen arriving may have been translated before that, by another NAT of this kernel.
fn knows_original(slot: &Slot) -> bool {
    slot.known.has(Known::ORIGINAL) && !slot.known.has(Known::ARRIVED)
}

/// A remembered binding is a guess that anything the wire tells replaces.
fn knows_translated(slot: &Slot) -> bool {
    slot.known.has(Known::TRANSLATED) && !slot.known.has(Known::REMEMBERED)
}

fn by_destination(one: &Flow, other: &Flow) -> Option<u8> {
    if same_destination(one, other) {
        return Some(SAME_DESTINATION);
    }
    (one.is_ipv4() == other.is_ipv4()).then_some(SAME_ISN)
}

fn same_destination(one: &Flow, other: &Flow) -> bool {
    one.dst == other.dst && one.dst_port == other.dst_port
}
