//! pcap: a header, then packets, each with a header that has nothing to find it by.

use pcap_parser::parse_pcap_header;
use pcap_parser::{LegacyPcapBlock, PcapHeader, parse_pcap_frame, parse_pcap_frame_be, parse_pcap_frame_modified};

use super::link::LinkType;
use super::record::{CapturedInterface, PacketRecord, TimestampFormat, word};

pub const HEADER_LEN: usize = 24;
/// A packet that is longer is none; Wireshark's limit.
const MAX_PACKET_LEN: u32 = 262_144;
/// Packets around damage are no further apart.
const MAX_GAP_S: u32 = 86_400;

#[derive(Clone, Copy, Debug)]
pub struct Classic {
    is_big_endian: bool,
    is_modified: bool,
    units_per_s: u32,
}

impl Classic {
    /// By the header of the file; what it says of its interface.
    pub fn new(header: &[u8]) -> Option<(Self, CapturedInterface)> {
        let (_, header) = parse_pcap_header(header).ok()?;
        let units_per_s = if header.is_nanosecond_precision() { 1_000_000_000 } else { 1_000_000 };
        let this = Self { is_big_endian: header.is_bigendian(), is_modified: header.is_modified_format(), units_per_s };
        Some((this, interface(&header, units_per_s)))
    }

    pub const fn head_len(self) -> usize {
        if self.is_modified { 24 } else { 16 }
    }

    /// Bytes of the packet that begins with this header, header included; `None` where it is damaged.
    pub fn len(self, head: &[u8]) -> Option<usize> {
        let field = |at| word(head, at, self.is_big_endian);
        let (fraction, captured) = (field(4)?, field(8)?);
        let is_sound = fraction < self.units_per_s && captured <= MAX_PACKET_LEN;
        is_sound.then(|| self.head_len() + captured as usize)
    }

    /// Whether this may be the header of a packet after one of this time: at least that of what is not damaged.
    pub fn may_follow(self, head: &[u8], last_ns: u64) -> bool {
        let field = |at| word(head, at, self.is_big_endian);
        let (Some(second), Some(captured), Some(original)) = (field(0), field(8), field(12)) else { return false };
        let is_near = (last_ns / 1_000_000_000).abs_diff(second.into()) <= MAX_GAP_S.into();
        self.len(head).is_some() && is_near && (1..=original).contains(&captured) && original <= MAX_PACKET_LEN
    }

    pub fn parse(self, record: &[u8]) -> Option<PacketRecord> {
        let parse = match (self.is_modified, self.is_big_endian) {
            (true, _) => parse_pcap_frame_modified,
            (false, true) => parse_pcap_frame_be,
            (false, false) => parse_pcap_frame,
        };
        let (_, LegacyPcapBlock { ts_sec, ts_usec, .. }) = parse(record).ok()?;
        let units = u64::from(ts_sec) * u64::from(self.units_per_s) + u64::from(ts_usec);
        let time_ns = TimestampFormat::new(self.units_per_s.into(), 0).ns(units);
        Some(PacketRecord { time_ns, interface: 0, direction: None, data: self.head_len()..record.len() })
    }
}

fn interface(header: &PcapHeader, units_per_s: u32) -> CapturedInterface {
    // The upper bits are about the frame check sequence.
    let link = LinkType::new(header.network.0.cast_unsigned() & 0xffff);
    CapturedInterface { link, name: String::new(), clock: TimestampFormat::new(units_per_s.into(), 0) }
}
