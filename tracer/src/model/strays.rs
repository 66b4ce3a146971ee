//! Segments that arrive for an attempt and do not answer its SYN.

/// Segments on the attempt's translated tuple that do not acknowledge its SYN, by kind; each count ends at 255.
///
/// They prove that return traffic reaches this port: the server, or something on the path, answers for an older connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Strays {
    /// ACKs without SYN and RST: a challenge ACK (RFC 5961, 4) as a rule.
    pub acks: u8,
    /// SYN-ACKs that acknowledge another ISN.
    pub syn_acks: u8,
    /// RSTs that acknowledge nothing, or another number.
    pub rsts: u8,
    /// SYNs without ACK: the other side opens a connection on the same addresses and ports (simultaneous open, RFC 9293, 3.5).
    pub syns: u8,
    /// RSTs with which this node answered such a segment.
    pub resets_sent: u8,
    /// SYN-ACKs and RSTs that do acknowledge it, with the MAC address of another host.
    pub for_other_mac: u8,
    /// SYN-ACKs that do acknowledge it, and left by an uplink again
    pub left_again: u8,
    /// SYN-ACKs that do acknowledge it, dropped here with the translated tuple still: they had no conntrack entry
    pub without_entry: u8,
}

impl Strays {
    /// Whether any segment arrived, seen or answered with an RST.
    pub fn any(self) -> bool {
        self.arrived() > 0 || self.resets_sent > 0
    }

    /// Whether any segment is that of an older connection.
    pub fn is_of_older(self) -> bool {
        self.any() && (self.syns == 0 || self.arrived() > u32::from(self.syns))
    }

    /// How many segments arrived.
    pub fn arrived(self) -> u32 {
        u32::from(self.acks) + u32::from(self.syn_acks) + u32::from(self.rsts) + u32::from(self.syns)
    }
}
