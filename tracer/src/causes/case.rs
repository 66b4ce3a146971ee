//! An attempt to be judged, with what is known around it.

use crate::model::{Assessment, Attempt, Capture, Dropped, Outcome, PortSet, Strength};

/// An attempt to be judged, with what is known around it.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// The attempt.
    pub attempt: &'a Attempt,
    /// Where it was captured.
    pub capture: &'a Capture,
    /// The translated ports that are allowed for its address family.
    pub allowed: &'a PortSet,
    /// Where it is flagged: how strong the claim is that a filter drops return traffic to its port.
    pub assessment: Option<Assessment>,
}

impl<'a> Case<'a> {
    /// The case of an attempt, by the policy of its capture. The pipeline makes one for each update, in one place
    /// (`pipeline/judge.rs`), so that what the capture as a whole knows can be handed in there.
    #[must_use]
    pub fn new(attempt: &'a Attempt, capture: &'a Capture) -> Self {
        Self { attempt, capture, allowed: capture.policy.allowed_for(attempt), assessment: None }
    }

    /// The same case with what the evidence of the capture says about its port.
    #[must_use]
    pub const fn assessed(self, assessment: Option<Assessment>) -> Self {
        Self { assessment, ..self }
    }

    /// How strong the claim is, in a word.
    #[must_use]
    pub fn strength(&self) -> Option<Strength> {
        self.assessment.map(|assessment| assessment.strength())
    }

    /// Whether NAT is known to have changed the source, the SYN may have left by an uplink, and no ICMP error told why it is not
    /// answered: only then does the attempt say something about the ports that the path passes.
    #[must_use]
    pub fn is_evidence(&self) -> bool {
        self.may_have_left() && self.is_translated() == Some(true) && self.attempt.icmp.is_none()
    }

    /// Whether NAT changed the source: `None` where nothing proves it either way.
    ///
    /// Where only the wire saw the SYN, an own address of the node as its source tells: the node's own sockets are known by
    /// their SYNs, so somebody behind it was given that address.
    #[must_use]
    pub fn is_translated(&self) -> Option<bool> {
        self.attempt.is_translated().or_else(|| {
            let translated = self.attempt.translated?;
            self.capture.addresses.contains(&translated.src_addr()).then_some(true)
        })
    }

    /// How many times the client sent the SYN.
    pub(super) const fn sent(&self) -> u32 {
        self.attempt.retransmits + 1
    }

    pub(super) fn is_established(&self) -> bool {
        self.attempt.outcome == Outcome::Established
    }

    /// Something came back from the network: an answer of the destination, or an ICMP error of anybody.
    pub(super) const fn heard_back(&self) -> bool {
        self.attempt.is_answered() || self.attempt.icmp.is_some()
    }

    /// Whether it may have taken the way through an uplink: one was seen to, or nobody watches them.
    #[must_use]
    pub fn may_have_left(&self) -> bool {
        self.attempt.syns_leaving > 0 || !self.has_hook("wire")
    }

    /// So many SYNs were dropped on this node that it explains the retransmits: half of them, or one where none was seen leaving.
    pub(super) fn is_mostly_dropped(&self) -> bool {
        let dropped = u32::from(self.attempt.syn_dropped.count);
        dropped > 0 && (!self.may_have_left() || dropped * 2 >= self.sent())
    }

    /// How many SYNs were dropped because the source that NAT chose was taken when it was to be confirmed.
    ///
    /// A rule between NAT and the confirmation can drop as well. Where `nat_bind` watches the confirmation, it tells.
    pub(super) fn clashes(&self) -> u32 {
        let unconfirmed = u32::from(self.attempt.unconfirmed);
        if self.has_hook("nat_bind") { unconfirmed.min(self.attempt.selections) } else { unconfirmed }
    }

    /// Whether a hook was on when the capture began.
    pub(super) fn has_hook(&self, stem: &str) -> bool {
        self.capture.hooks.iter().any(|hook| hook.stem == stem && hook.off.is_none())
    }

    /// The kernel's name of why a packet was dropped.
    pub(super) fn reason(&self, dropped: Dropped) -> Option<&'a str> {
        let mut reasons = self.capture.drop_reasons.iter();
        let name = reasons.find(|(reason, _)| *reason == dropped.reason).map(|(_, name)| name.as_str());
        name.filter(|&name| name != "NOT_SPECIFIED")
    }

    /// The same in a sentence.
    pub(super) fn reason_words(&self, dropped: Dropped) -> &'a str {
        self.reason(dropped).unwrap_or("the kernel does not tell why")
    }

    /// The source as it leaves, for a sentence.
    pub(super) fn translated_source(&self) -> String {
        let flow = self.attempt.translated;
        flow.map_or_else(|| "an unknown source".to_owned(), |flow| source(flow.src_addr(), flow.src_port))
    }

    /// The destination behind all translation, for a sentence.
    pub(super) fn destination(&self) -> String {
        let flow = self.attempt.translated.or(self.attempt.original);
        flow.map_or_else(|| "the destination".to_owned(), |flow| source(flow.dst_addr(), flow.dst_port))
    }
}

fn source(addr: std::net::IpAddr, port: u16) -> String {
    std::net::SocketAddr::new(addr, port).to_string()
}

/// An error of the kernel in words, as `Operation not permitted (os error 1)`; negative, as the kernel returns it.
pub(super) fn error_words(errno: i32) -> String {
    std::io::Error::from_raw_os_error(errno.wrapping_neg()).to_string()
}

/// A count with its noun.
pub(super) fn times(count: u32, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
