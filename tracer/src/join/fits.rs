//! Which attempt a fact belongs to, among those with its ISN: how well it fits, or that it contradicts.

use super::slot_flags::SlotFlags;
use super::slot_view::{DestinationMatch, SlotView};
use super::tuple::TupleKey;

/// The same tuple; no other attempt can fit better.
pub(super) const SAME_TUPLE: u8 = 3;
/// The same destination, so only the source differs, which is what NAT changes.
pub(super) const SAME_DESTINATION: u8 = 2;
/// Only the ISN: the destination was translated too, or another NAT came between.
pub(super) const SAME_ISN: u8 = 1;

/// An event of a socket, with the socket's own addresses.
pub(super) fn socket(slot: SlotView<'_>, original: &TupleKey<'_>, netns: u32) -> Option<u8> {
    if knows_original(slot) {
        let same = slot.is_original(original) && (netns == 0 || slot.socket_netns == 0 || slot.socket_netns == netns);
        // What NAT64 made of the socket's SYN may have come first.
        let is_before_nat64 =
            || slot.socket_netns == 0 && slot.original_destination(original) == DestinationMatch::Embedded;
        // The entry that was read where the SYN left may be that of a second NAT, which translated what a first one made.
        let is_before_nat = || slot.socket_netns == 0 && slot.original_destination(original) == DestinationMatch::Same;
        let behind = || is_before_nat().then_some(SAME_DESTINATION).or_else(|| is_before_nat64().then_some(SAME_ISN));
        return if same { Some(SAME_TUPLE) } else { behind() };
    }
    if slot.known.has(SlotFlags::ORIGINAL) && slot.is_original(original) {
        return Some(SAME_TUPLE);
    }
    by_destination(slot.translated_destination(original))
}

/// NAT bound a translated tuple to an original one.
pub(super) fn bind(slot: SlotView<'_>, original: &TupleKey<'_>, translated: &TupleKey<'_>) -> Option<u8> {
    if knows_original(slot) {
        return match slot.is_original(original) {
            true => Some(SAME_TUPLE),
            false if continues(slot, original) || chooses_again(slot, original, translated) => Some(SAME_DESTINATION),
            false => None,
        };
    }
    match slot.is_translated(translated) {
        true => Some(SAME_TUPLE),
        false => same_destination(slot.translated_destination(translated)),
    }
}

/// A second NAT on the way translates what the first one made.
pub(super) fn continues(slot: SlotView<'_>, original: &TupleKey<'_>) -> bool {
    let is_of_first = || slot.known.has(SlotFlags::TRANSLATED) && slot.is_translated(original);
    knows_original(slot)
        && !slot.is_original(original)
        && (is_of_first() || slot.original_destination(original) == DestinationMatch::Embedded)
}

/// The second NAT chose another port for a retransmitted SYN, the first one kept its own.
pub(super) fn chooses_again(slot: SlotView<'_>, original: &TupleKey<'_>, translated: &TupleKey<'_>) -> bool {
    slot.known.has(SlotFlags::SECOND_NAT)
        && !slot.is_original(original)
        && slot.translated_destination(translated) == DestinationMatch::Same
}

/// A SYN left. Another source than known before means that NAT chose again.
pub(super) fn leaving(slot: SlotView<'_>, translated: &TupleKey<'_>) -> Option<u8> {
    if !knows_translated(slot) {
        return by_destination(slot.original_destination(translated));
    }
    // A SYN that left as its socket sent it may be on its way to NAT.
    match slot.is_translated(translated) || knows_original(slot) && slot.is_original(translated) {
        true => Some(SAME_TUPLE),
        false => same_destination(slot.translated_destination(translated)),
    }
}

/// An answer arrived for a translated tuple.
pub(super) fn answer(slot: SlotView<'_>, translated: &TupleKey<'_>) -> Option<u8> {
    if !knows_translated(slot) {
        return by_destination(slot.original_destination(translated));
    }
    slot.is_translated(translated).then_some(SAME_TUPLE)
}

/// A SYN arrived, to be forwarded. Its tuple is the original one only if it came first: a SYN that left may arrive again elsewhere.
pub(super) fn arriving(slot: SlotView<'_>, original: &TupleKey<'_>, time_ns: u64) -> Option<u8> {
    if knows_original(slot) {
        return slot.is_original(original).then_some(SAME_TUPLE);
    }
    if time_ns > slot.first_ns {
        return None;
    }
    by_destination(slot.translated_destination(original))
}

/// A packet was dropped, before or after NAT, on its way or as the answer; `to_server` is in the direction of the SYN.
pub(super) fn dropped(slot: SlotView<'_>, to_server: &TupleKey<'_>) -> Option<u8> {
    // NAT chooses a new port for a SYN that was dropped, so the destination counts as well.
    let grade = |is_it: bool, goes: DestinationMatch| if is_it { Some(SAME_TUPLE) } else { by_destination(goes) };
    let original = || grade(slot.is_original(to_server), slot.original_destination(to_server));
    let translated = || grade(slot.is_translated(to_server), slot.translated_destination(to_server));
    let original = slot.known.has(SlotFlags::ORIGINAL).then(original).flatten();
    original.max(slot.known.has(SlotFlags::TRANSLATED).then(translated).flatten())
}

/// An RST left for a SYN-ACK: from the translated tuple, or from another one, whose owner got the SYN-ACK in the client's place.
pub(super) fn reset(slot: SlotView<'_>, from: &TupleKey<'_>) -> Option<u8> {
    // Between two NATs a SYN has further tuples.
    let may_be_another = !slot.known.has(SlotFlags::SECOND_NAT) && !slot.is_original(from);
    let another = || may_be_another.then(|| same_destination(slot.translated_destination(from))).flatten();
    answer(slot, from).or_else(another)
}

/// Whether NAT chose this tuple for the SYN, or for an earlier one of the attempt, with another port.
pub(super) fn was_translated_to(slot: SlotView<'_>, to_server: &TupleKey<'_>) -> bool {
    let may_be_earlier = || {
        slot.selections() > 1
            && slot.translated().src == to_server.flow.src
            && slot.translated_destination(to_server) == DestinationMatch::Same
    };
    slot.is_translated(to_server) || may_be_earlier()
}

/// Whether the tuple is the one that NAT chose for the SYN, but for its port.
pub(super) fn differs_by_port(slot: SlotView<'_>, to_server: &TupleKey<'_>) -> bool {
    slot.known.has(SlotFlags::TRANSLATED | SlotFlags::EXTRA)
        && slot.translated().src == to_server.flow.src
        && slot.translated_destination(to_server) == DestinationMatch::Same
}

/// What was seen arriving may have been translated before that, by another NAT of this kernel.
fn knows_original(slot: SlotView<'_>) -> bool {
    slot.known.has(SlotFlags::ORIGINAL) && !slot.known.has(SlotFlags::ARRIVED)
}

/// A cached binding is an assumption, which any wire observation replaces.
fn knows_translated(slot: SlotView<'_>) -> bool {
    slot.known.has(SlotFlags::TRANSLATED) && !slot.known.has(SlotFlags::FROM_CACHED_BINDING)
}

const fn by_destination(goes: DestinationMatch) -> Option<u8> {
    match goes {
        DestinationMatch::Same => Some(SAME_DESTINATION),
        DestinationMatch::Different | DestinationMatch::Embedded => Some(SAME_ISN),
        DestinationMatch::OtherFamily => None,
    }
}

/// Only the source differs, or NAT64 came between.
const fn same_destination(goes: DestinationMatch) -> Option<u8> {
    match goes {
        DestinationMatch::Same => Some(SAME_DESTINATION),
        DestinationMatch::Embedded => Some(SAME_ISN),
        DestinationMatch::Different | DestinationMatch::OtherFamily => None,
    }
}
