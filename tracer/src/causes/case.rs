//! An attempt to be judged, with what is known around it.

use std::net::IpAddr;

use tracer_common::Flow;

use crate::model::{
    Assessment, Attempt, Capture, Claim, Dropped, Outcome, PortSet, SourceAddress, Strength, Watch, is_private, plural,
};

/// Fewer attempts without an answer may be chance.
const SILENT_ATTEMPTS: u32 = 3;

/// The kernel's name of a drop because no socket has the packet's port.
pub(super) const NO_SOCKET: &str = "NO_SOCKET";

/// An attempt to be judged, with what is known around it.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// The attempt.
    pub attempt: &'a Attempt,
    /// Where it was captured.
    pub capture: &'a Capture,
    /// The translated ports that are allowed for its address family.
    pub allowed: &'a PortSet,
    /// Where it is flagged, or its port is outside of the range that the path accepts by the capture: how strong the claim is that a
    /// filter drops return traffic to its port.
    pub assessment: Option<Assessment>,
    /// The range that the path accepts by the capture, where the claim is about that range.
    pub inferred: Option<&'a PortSet>,
}

impl<'a> Case<'a> {
    /// The case of an attempt, by the policy of its capture. The pipeline makes one for each update, in one place
    /// (`pipeline/judge.rs`), so that what the capture as a whole knows can be handed in there.
    pub fn new(attempt: &'a Attempt, capture: &'a Capture) -> Self {
        Self { attempt, capture, allowed: capture.policy.allowed_for(attempt), assessment: None, inferred: None }
    }

    /// This case, with what the evidence of the capture says about its port.
    pub const fn assessed(self, assessment: Option<Assessment>, inferred: Option<&'a PortSet>) -> Self {
        Self { assessment, inferred, ..self }
    }

    /// How strong the claim is, in a word.
    pub fn strength(&self) -> Option<Strength> {
        let is_of_filter = |assessment: &Assessment| assessment.claim != Claim::Refused;
        self.assessment.filter(is_of_filter).map(|assessment| assessment.strength())
    }

    /// Whether NAT is known to have changed the source, and what became of the SYN says something about the ports that the path passes.
    pub fn is_evidence(&self) -> bool {
        self.is_of_path() && self.is_translated() == Some(true)
    }

    /// Whether the SYN may have left by an uplink, and neither an ICMP error nor drops on this node say why it is not answered.
    pub fn is_of_path(&self) -> bool {
        self.may_have_left() && self.attempt.icmp.is_none() && !self.is_mostly_dropped()
    }

    /// Whether NAT changed the source: `None` where nothing proves it either way.
    ///
    /// Where only the wire saw the SYN, an own address of the node as its source proves it: the node's own sockets are known by
    /// their SYNs, so a client behind the node was given that address.
    pub fn is_translated(&self) -> Option<bool> {
        self.attempt.is_translated().or_else(|| {
            let translated = self.attempt.translated?;
            match self.attempt.egress.source {
                SourceAddress::OfInterface | SourceAddress::OfOtherInterface => Some(true),
                SourceAddress::NotOfNode => None,
                SourceAddress::Unknown => self.capture.addresses.contains(&translated.src_addr()).then_some(true),
            }
        })
    }

    /// How many times the client sent the SYN. Where its socket does not count all, at least as many as were dropped here.
    pub(super) fn sent(&self) -> u32 {
        let attempt = self.attempt;
        let counts_all = attempt.socket_netns.is_some() && attempt.send_errors == 0;
        let dropped = if counts_all { 0 } else { attempt.syn_dropped.count.into() };
        dropped.max(attempt.retransmits + 1)
    }

    /// How many of those it sent since its first event: only these can have been seen.
    pub(super) fn sent_since(&self) -> u32 {
        self.sent().saturating_sub(self.attempt.sent_before)
    }

    pub(super) fn is_established(&self) -> bool {
        self.attempt.outcome == Outcome::Established
    }

    /// Something came back from the network: an answer, a stray segment, or an ICMP error of any host.
    pub(super) fn heard_back(&self) -> bool {
        self.attempt.is_answered() || self.attempt.icmp.is_some()
    }

    /// Whether its SYNs were seen leaving, and nothing came back.
    pub(super) fn left_unanswered(&self) -> bool {
        self.attempt.retransmits > 0 && self.attempt.syns_leaving > 0 && !self.heard_back()
    }

    /// Whether it may have left through an uplink: a SYN was seen leaving by one, or might have left unseen.
    pub fn may_have_left(&self) -> bool {
        if self.attempt.syns_leaving > 0 {
            return !self.is_in_tunnel();
        }
        !self.has_hook("wire") || self.attempt.egress.watch == Watch::Incomplete
    }

    /// Whether its SYNs leave by an interface that encapsulates, to a private destination: inside an overlay or a VPN, where
    /// no provider's filter sees their ports.
    pub fn is_in_tunnel(&self) -> bool {
        self.attempt.egress.encapsulates && self.has_private_destination()
    }

    /// To whom the source address belongs with which the newest SYN left.
    ///
    /// Traces before 1.4 know the node's addresses when the capture began, without their interfaces.
    pub(super) fn source(&self) -> SourceAddress {
        let (source, addresses) = (self.attempt.egress.source, &self.capture.addresses);
        // The addresses that are known of a packet capture need not be all.
        let is_known = source != SourceAddress::Unknown || addresses.is_empty() || self.capture.is_of_packets;
        match self.attempt.translated.filter(|_| !is_known) {
            Some(flow) if !addresses.contains(&flow.src_addr()) => SourceAddress::NotOfNode,
            Some(_) | None => source,
        }
    }

    /// Whether the source is why no answer arrives: attempts with it are not answered, and later ones to the same destination were, with
    /// the address of their interface.
    pub(super) fn is_source_refuted(&self) -> bool {
        self.is_source_silent() && self.attempt.egress.own_source_is_answered
    }

    /// Whether several attempts with this source were retransmitted, and none that left by this interface was answered.
    pub(super) fn is_source_silent(&self) -> bool {
        let egress = &self.attempt.egress;
        egress.attempts_with_source >= SILENT_ATTEMPTS && !egress.source_is_answered
    }

    /// Whether NAT left the source alone: by the tuples; or where no binding was seen, because `nat_bind` would have seen one, or no
    /// rule chooses a private address that the node does not have.
    pub(super) fn is_source_untouched(&self) -> bool {
        match self.is_translated() {
            Some(is_translated) => !is_translated,
            None => {
                let is_unbound = self.attempt.selections == 0 && self.attempt.original.is_none();
                is_unbound && (self.has_hook("nat_bind") || self.has_private_source())
            }
        }
    }

    /// Whether it leaves to a private address.
    pub(super) fn has_private_destination(&self) -> bool {
        self.attempt.translated.is_some_and(|flow| is_private(&flow.dst))
    }

    /// Whether it leaves with a private source address.
    pub(super) fn has_private_source(&self) -> bool {
        self.attempt.translated.is_some_and(|flow| is_private(&flow.src))
    }

    /// Whether NAT changed the destination.
    pub(super) fn has_dnat(&self) -> bool {
        let destination = |flow: Flow| (flow.dst, flow.dst_port);
        let (original, translated) = (self.attempt.original.map(destination), self.attempt.translated.map(destination));
        original.is_some() && translated.is_some() && original != translated
    }

    /// How many of its SYNs this node dropped. A SYN that was seen leaving was not dropped before: what was dropped besides those that
    /// were not seen leaving was a copy.
    pub(super) fn dropped(&self) -> u32 {
        if self.is_copy_to_socket(self.attempt.syn_dropped) {
            return 0;
        }
        let (all, after) = (self.attempt.syn_dropped.count, self.attempt.dropped_after_leaving);
        let unseen = self.sent_since().saturating_sub(self.attempt.syns_leaving);
        u32::from(all.saturating_sub(after)).min(unseen) + u32::from(after.min(all))
    }

    /// So many SYNs were dropped on this node that it explains the retransmits: half of them, or one where none was seen leaving.
    pub(super) fn is_mostly_dropped(&self) -> bool {
        let dropped = self.dropped();
        dropped > 0 && (!self.may_have_left() || dropped * 2 >= self.sent_since())
    }

    /// How many answers this node dropped.
    pub(super) fn answers_dropped(&self) -> u32 {
        let dropped = self.attempt.answer_dropped;
        if self.is_copy_to_socket(dropped) { 0 } else { dropped.count.into() }
    }

    /// The SYN-ACKs arrived with the MAC address of another host, and the client did not get them: this node does not accept such packets.
    pub(super) fn is_for_other_mac(&self) -> bool {
        let attempt = self.attempt;
        let is_unaccepted = attempt.syn_ack_undelivered && !self.is_established() && self.answers_dropped() == 0;
        attempt.strays.for_other_mac > 0 && is_unaccepted
    }

    /// The SYN-ACKs came when no conntrack entry translated them back, so this node took them for packets to itself, and no socket wanted them.
    ///
    /// A rule before conntrack drops packets without entry too: only what passed it and was for no socket shows that none was found.
    pub(super) fn is_without_entry(&self) -> bool {
        let is_for_no_socket = || match self.reason(self.attempt.answer_dropped) {
            Some(reason) => reason == NO_SOCKET,
            None => self.attempt.is_reset_here,
        };
        self.attempt.strays.without_entry > 0 && is_for_no_socket()
    }

    /// A packet socket, as of tcpdump, had no room for its copy of a packet. Old traces have such drops.
    fn is_copy_to_socket(&self, dropped: Dropped) -> bool {
        // The names of reasons are many to look through.
        dropped.count > 0 && !dropped.are_mixed && self.reason(dropped) == Some("PACKET_SOCK_ERROR")
    }

    /// How many SYNs were dropped because the source that NAT chose was taken when it was to be confirmed.
    ///
    /// A rule between NAT and the confirmation can drop as well. Where `nat_bind` watches the confirmation, its events decide.
    pub(super) fn clashes(&self) -> u32 {
        let unconfirmed = u32::from(self.attempt.unconfirmed);
        if self.has_hook("nat_bind") { unconfirmed.min(self.attempt.selections) } else { unconfirmed }
    }

    /// Whether a hook was on when the capture began.
    pub(super) fn has_hook(&self, stem: &str) -> bool {
        self.capture.hooks.iter().any(|hook| hook.stem == stem && hook.off.is_none())
    }

    /// How often its SYNs left, with which source and by which interface, for a sentence.
    pub(super) fn left(&self) -> String {
        let (left, source, interface) = (self.attempt.syns_leaving, self.translated_source(), self.interface());
        let newest = if self.attempt.egress.is_mixed && left > 1 { ", most recently" } else { "" };
        format!("{}{newest} as {source} by {interface}", plural(left, "time"))
    }

    /// The SYN that left with the source and by the interface that a sentence names.
    pub(super) const fn syn(&self) -> &'static str {
        if self.attempt.egress.is_mixed { "the newest SYN" } else { "the SYN" }
    }

    /// How often sending failed, and why, for a sentence.
    pub(super) fn send_errors(&self) -> String {
        let (count, error) = (self.attempt.send_errors, error_words(self.attempt.send_errno));
        let newest = if count > 1 { ", most recently" } else { "" };
        format!("{}{newest}: {error}", plural(count, "time"))
    }

    /// The kernel's name of why a packet was dropped.
    pub(super) fn reason(&self, dropped: Dropped) -> Option<&'a str> {
        let mut reasons = self.capture.drop_reasons.iter();
        let name = reasons.find(|(reason, _)| *reason == dropped.reason).map(|(_, name)| name.as_str());
        name.filter(|&name| name != "NOT_SPECIFIED")
    }

    /// The reason in a sentence.
    pub(super) fn reason_words(&self, dropped: Dropped) -> String {
        let newest = self.reason(dropped).unwrap_or("the kernel gives no reason");
        if dropped.are_mixed {
            format!("{newest} (the newest drop; an earlier one differs)")
        } else {
            newest.to_owned()
        }
    }

    /// The source as it leaves, for a sentence.
    pub(super) fn translated_source(&self) -> String {
        let flow = self.attempt.translated;
        flow.map_or_else(|| "an unknown source".to_owned(), |flow| source(flow.src_addr(), flow.src_port))
    }

    /// The interface by which the newest SYN left, for a sentence.
    pub(super) fn interface(&self) -> String {
        let name = self.attempt.egress.interface;
        if name.is_known() { name.to_string() } else { format!("interface {}", self.attempt.ifindex) }
    }

    /// The destination that the client asked for, for a sentence.
    pub(super) fn original_destination(&self) -> String {
        let flow = self.attempt.original;
        flow.map_or_else(|| self.destination(), |flow| source(flow.dst_addr(), flow.dst_port))
    }

    /// The destination behind all translation, for a sentence.
    pub(super) fn destination(&self) -> String {
        let flow = self.attempt.translated.or(self.attempt.original);
        flow.map_or_else(|| "the destination".to_owned(), |flow| source(flow.dst_addr(), flow.dst_port))
    }
}

fn source(addr: IpAddr, port: u16) -> String {
    std::net::SocketAddr::new(addr, port).to_string()
}

/// An error of the kernel in words, as `Operation not permitted (os error 1)`; negative, as the kernel returns it. What is positive is
/// a verdict of a queue or filter on the way out (`NET_XMIT_*`).
fn error_words(errno: i32) -> String {
    match errno {
        1.. => "a queue or a filter on the way out dropped it (NET_XMIT_DROP)".to_owned(),
        _ => std::io::Error::from_raw_os_error(errno.wrapping_neg()).to_string(),
    }
}
