//! What the join knows beyond single attempts: interfaces, answered sources, paths to destinations.

use tracer_common::Flow;
use tracer_common::events::Address;

use super::answered_sources::AnsweredSources;
use super::challenges::Challenges;
use super::features::Features;
use super::interfaces::{Interfaces, NO_INTERFACE, is_of_node};
use super::paths::{Paths, SynPath};
use super::slot_flags::SlotFlags;
use super::slot_view::{SlotView, SlotViewMut};
use super::suspects::Suspects;
use crate::model::{Egress, LaterPath, Outcome, SourceAddress, is_private};

#[derive(Debug, Default)]
pub(super) struct Network {
    pub(super) interfaces: Interfaces,
    answered: AnsweredSources,
    /// Sources before NAT, of SYNs whose source it changed
    translated: AnsweredSources,
    paths: Paths,
    features: Features,
    suspects: Suspects,
    challenges: Challenges,
    /// Namespaces whose NAT rules left a source alone
    nat_netns: Vec<u32>,
}

impl Network {
    pub(super) fn address(&mut self, event: &Address) {
        self.interfaces.address(event);
        self.answered.addresses_change();
    }

    /// The NAT rules of this namespace left the source of a SYN alone.
    pub(super) fn left_alone(&mut self, netns: u32) {
        if !self.nat_netns.contains(&netns) && self.nat_netns.len() < usize::from(u16::MAX) {
            self.nat_netns.push(netns);
        }
    }

    /// Notes the path of an attempt whose SYN was retransmitted, and from now on those of its client.
    pub(super) fn retransmitted(&mut self, slot: &mut SlotViewMut<'_>) {
        let is_seen = slot.known.has(SlotFlags::SEEN | SlotFlags::TRANSLATED);
        if is_seen && !slot.syns.first().is_plain() {
            self.features.compare(&slot.as_ref().translated());
        }
        if is_seen {
            self.suspect(slot);
        }
        if slot.known.has(SlotFlags::FOLLOWED)
            || !slot.known.has(SlotFlags::ORIGINAL | SlotFlags::TRANSLATED | SlotFlags::SEEN)
        {
            return;
        }
        slot.known.set(SlotFlags::FOLLOWED);
        if slot.syns.first().is_plain() {
            self.features.plain(&slot.as_ref().translated(), true, false);
        }
        let original = slot.as_ref().original();
        self.paths.follow(&original);
        self.paths.took(&original, syn_path(slot.as_ref()), slot.first_ns);
        self.paths.began(&original, syn_path(slot.as_ref()), slot.first_ns, false);
    }

    /// Notes a retransmitted attempt that was answered by segments that do not acknowledge its SYN.
    pub(super) fn challenged(&mut self, slot: SlotView<'_>) {
        if slot.known.has(SlotFlags::SEEN | SlotFlags::TRANSLATED) {
            self.challenges.challenged(&slot.translated());
        }
    }

    /// Whether a connection of the node itself to the destination was answered with a public address of the interface, at the same time or later.
    fn public_is_answered(&self, interface: u16, translated: &Flow, first_ns: u64) -> bool {
        const SAME_TIME_NS: u64 = 1_000_000_000;
        let is_answered = |src| {
            let own = Flow { src, ..*translated };
            self.paths.is_answered(&own, SynPath::new(&own, interface), first_ns.saturating_sub(SAME_TIME_NS))
        };
        let mut own = self.interfaces.own_addresses(interface, &translated.src);
        self.interfaces.is_private_among_public(interface, translated)
            && own.any(|addr| !is_private(&addr) && is_answered(addr))
    }

    /// Follows an attempt whose source address is not that of the interface it leaves by, or a private one beside its public ones.
    fn suspect(&mut self, slot: &SlotViewMut<'_>) {
        let (interface, translated) = (slot.newest_interface, slot.as_ref().translated());
        let is_of_node = match self.interfaces.owner_of(&translated.src, interface, slot.sent_ns()).source {
            SourceAddress::OfInterface if self.interfaces.is_private_among_public(interface, &translated) => true,
            SourceAddress::Unknown | SourceAddress::OfInterface => return,
            SourceAddress::OfOtherInterface => true,
            SourceAddress::NotOfNode => false,
        };
        let source = AnsweredSources::hash_of(interface, &translated, is_of_node);
        self.suspects.retransmitted(&translated, slot.isn, source);
    }

    /// Notes what became of an attempt that ends.
    #[inline]
    pub(super) fn ended(&mut self, slot: SlotView<'_>, outcome: Outcome, is_challenged: bool) {
        let is_answered = outcome == Outcome::Established || slot.known.has_any(SlotFlags::SYN_ACK | SlotFlags::RST);
        let is_seen = slot.known.has(SlotFlags::SEEN | SlotFlags::TRANSLATED);
        if is_seen && (is_answered || is_challenged) {
            self.challenges.ended(&slot.translated(), is_challenged);
        }
        if is_seen && is_answered {
            let (interface, translated) = (slot.newest_interface, slot.translated());
            let source = || self.interfaces.owner_of(&translated.src, interface, slot.sent_ns()).source;
            self.answered.note(interface, &translated, || is_of_node(source()));
            self.suspects.answered(&translated, slot.first_ns, || {
                source() == SourceAddress::OfInterface
                    && !self.interfaces.is_private_among_public(interface, &translated)
            });
            self.note_features(slot);
        }
        if is_seen && slot.known.has(SlotFlags::ORIGINAL) && slot.original().src != slot.translated().src {
            let before = Flow { src: slot.original().src, ..slot.translated() };
            self.translated.note(slot.newest_interface, &before, || false);
        }
        // One that was not seen leaving is evidence only if it was answered.
        if slot.known.has(SlotFlags::ORIGINAL) && (is_seen || is_answered) {
            self.paths.began(&slot.original(), syn_path(slot), slot.first_ns, is_answered);
            if !self.paths.is_empty() {
                self.note_path(slot, is_answered);
            }
        }
    }

    #[inline]
    fn note_features(&mut self, slot: SlotView<'_>) {
        let (first, newest) = (slot.syns.first(), slot.syns.newest());
        let is_refused = slot.known.has(SlotFlags::RST) && !slot.known.has(SlotFlags::SYN_ACK);
        if first.is_plain() {
            // One that is followed was counted at its first retransmit.
            if slot.retransmits() == 0 || !slot.known.has(SlotFlags::FOLLOWED) {
                self.features.plain(&slot.translated(), slot.retransmits() > 0, is_refused);
            }
            return;
        }
        if slot.retransmits() > 0 && newest.lacks_any_of(first) {
            self.features.only_plain_answered(&slot.translated(), slot.known.plain_syns());
        } else {
            self.features.answered(&slot.translated(), is_refused);
        }
    }

    fn note_path(&mut self, slot: SlotView<'_>, is_answered: bool) {
        let (original, path) = (slot.original(), syn_path(slot));
        if !slot.known.has(SlotFlags::FOLLOWED) {
            self.paths.took(&original, path, slot.first_ns);
        }
        if is_answered {
            self.paths.answered(&original, path, slot.first_ns);
        }
    }

    pub(super) fn egress(&self, slot: SlotView<'_>) -> Egress {
        let watch = self.interfaces.watch_since(slot.first_ns);
        if !slot.known.has(SlotFlags::SEEN) {
            return Egress { watch, ..Egress::default() };
        }
        let (first, newest, translated) = (slot.interface, slot.newest_interface, slot.translated());
        let owner = self.interfaces.owner_of(&translated.src, newest, slot.sent_ns());
        let is_of_node = is_of_node(owner.source);
        let source = AnsweredSources::hash_of(newest, &translated, is_of_node);
        let (attempts_with_source, destinations_with_source) = self.suspects.attempts(source);
        Egress {
            interface: self.interfaces.name(newest),
            first_interface: (first != newest && first != NO_INTERFACE).then(|| self.interfaces.name(first)),
            is_mixed: slot.known.has(SlotFlags::EGRESS_MIXED),
            encapsulates: self.interfaces.encapsulates(newest),
            source_is_answered: self.answered.has(source, is_of_node),
            like_source_is_answered: self.answered.has_any(newest, &translated),
            like_source_is_translated: self.translated.has(AnsweredSources::hash_of(newest, &translated, false), false),
            attempts_with_source,
            destinations_with_source,
            has_nat_rules: self.nat_netns.contains(&self.interfaces.place_of(newest).0),
            interface_is_private: self.interfaces.is_private(newest, &translated.src),
            own_source_is_answered: self.suspects.own_is_answered(&translated, slot.first_ns)
                || self.public_is_answered(newest, &translated, slot.first_ns),
            watch,
            first_syn: slot.syns.first(),
            newest_syn: slot.syns.newest(),
            others: self.features.of(&translated),
            challenges: self.challenges.of(&translated),
            ..owner
        }
    }

    /// What the first SYN of a failed attempt asked for, and how others to its destination fared.
    pub(super) fn asked(&self, slot: SlotView<'_>, egress: &mut Egress) {
        egress.first_syn = slot.syns.first();
        egress.newest_syn = slot.syns.newest();
        if !egress.first_syn.is_plain() {
            egress.others = self.features.of(&slot.translated());
        }
    }

    /// How later attempts left than this one.
    pub(super) fn later_path(&self, slot: SlotView<'_>) -> Option<LaterPath> {
        if !slot.known.has(SlotFlags::FOLLOWED) {
            return None;
        }
        self.paths.later(&slot.original(), syn_path(slot), slot.first_ns, &self.interfaces)
    }
}

fn syn_path(slot: SlotView<'_>) -> SynPath {
    match slot.known.has(SlotFlags::SEEN | SlotFlags::TRANSLATED) {
        true => SynPath::new(&slot.translated(), slot.newest_interface),
        false => SynPath::unseen(),
    }
}
