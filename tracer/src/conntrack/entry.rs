//! One TCP connection as conntrack has it.

use std::fs;

use tracer_common::Flow;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConntrackEntry {
    /// As the client asked for it.
    pub original: Flow,
    /// As answers come: from the destination after NAT, to the translated source.
    pub reply: Flow,
    pub is_replied: bool,
    pub state: EntryState,
    /// Seconds until the entry is dropped unless another packet comes.
    pub remaining: Option<u32>,
}

impl ConntrackEntry {
    /// As the SYN leaves.
    pub const fn translated(&self) -> Flow {
        Flow { src: self.reply.dst, src_port: self.reply.dst_port, dst: self.reply.src, dst_port: self.reply.src_port }
    }

    pub fn is_translated(&self) -> bool {
        (self.original.src, self.original.src_port) != (self.reply.dst, self.reply.dst_port)
    }
}

/// `enum tcp_conntrack`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryState {
    SynSent,
    SynRecv,
    Established,
    FinWait,
    CloseWait,
    LastAck,
    TimeWait,
    Close,
    /// Both have sent a SYN.
    SynSent2,
    /// Another, or none that is known.
    Other,
}

/// In the order of the kernel's numbers, with the names of the tools and the default timeouts in seconds.
const STATES: [(EntryState, &str, &str, u32); 9] = [
    (EntryState::SynSent, "SYN_SENT", "syn_sent", 120),
    (EntryState::SynRecv, "SYN_RECV", "syn_recv", 60),
    (EntryState::Established, "ESTABLISHED", "established", 432_000),
    (EntryState::FinWait, "FIN_WAIT", "fin_wait", 120),
    (EntryState::CloseWait, "CLOSE_WAIT", "close_wait", 60),
    (EntryState::LastAck, "LAST_ACK", "last_ack", 30),
    (EntryState::TimeWait, "TIME_WAIT", "time_wait", 120),
    (EntryState::Close, "CLOSE", "close", 10),
    (EntryState::SynSent2, "SYN_SENT2", "syn_sent", 120),
];

impl EntryState {
    /// By the kernel's number.
    pub(super) fn of_number(number: u8) -> Self {
        let index = usize::from(number).checked_sub(1);
        index.and_then(|index| STATES.get(index)).map_or(Self::Other, |(state, ..)| *state)
    }

    /// By the tools' name.
    pub(super) fn of_name(name: &[u8]) -> Option<Self> {
        STATES.iter().find(|(_, known, ..)| known.as_bytes() == name).map(|(state, ..)| *state)
    }
}

/// How long entries are kept without another packet, by state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Timeouts([u32; STATES.len()]);

impl Default for Timeouts {
    /// The kernel's own.
    fn default() -> Self {
        Self(STATES.map(|(.., seconds)| seconds))
    }
}

impl Timeouts {
    /// Those of the namespace of this thread.
    pub(super) fn read() -> Self {
        Self(STATES.map(|(_, _, name, default)| {
            let file = format!("/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_{name}");
            fs::read_to_string(file).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(default)
        }))
    }

    /// Seconds since the last packet, as far as what remains says so.
    pub(super) fn age(&self, entry: &ConntrackEntry) -> Option<u32> {
        let index = STATES.iter().position(|(state, ..)| *state == entry.state)?;
        Some(self.0[index].saturating_sub(entry.remaining?))
    }
}
