//! pcapng: blocks, each with its length at its beginning and at its end.

use pcap_parser::traits::PcapNGPacketBlock as _;
use pcap_parser::{
    EnhancedPacketBlock, OptionCode, PcapNGOption, parse_enhancedpacketblock_be, parse_enhancedpacketblock_le,
    parse_interfacedescriptionblock_be, parse_interfacedescriptionblock_le, parse_sectionheaderblock,
};
use tracer_common::events::INTERFACE_NAME;

use super::link::{Direction, LinkType};
use super::record::{CapturedInterface, PacketRecord, TimestampFormat, word};

/// Bytes that a block begins with: its kind, its length, the mark of the byte order in a section's header.
pub const HEAD_LEN: usize = 12;
/// A block that is longer is none; Wireshark's limit.
const MAX_BLOCK_LEN: u32 = 16 << 20;
const MAX_INTERFACES: usize = 65_536;

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const SIMPLE_PACKET: u32 = 3;
const INTERFACE_STATISTICS: u32 = 5;
const ENHANCED_PACKET: u32 = 6;
const BYTE_ORDER: u32 = 0x1a2b_3c4d;

pub enum Block {
    Packet(PacketRecord),
    /// Packets that the capturing program lost, by its own count since it began.
    Dropped {
        interface: usize,
        count: u64,
    },
    Other,
    Damaged,
}

#[derive(Debug, Default)]
pub struct Pcapng {
    is_big_endian: bool,
    /// Number of the first interface of the section
    section: usize,
    /// What the section says of the system it was captured on
    pub system: Option<String>,
}

impl Pcapng {
    /// Bytes of the block that begins so; `None` where it is damaged.
    pub fn len(&self, head: &[u8]) -> Option<usize> {
        let is_big_endian = match word(head, 0, false)? {
            SECTION_HEADER => order_of(head)?,
            _ => self.is_big_endian,
        };
        let len = word(head, 4, is_big_endian)?;
        (len % 4 == 0 && (12..=MAX_BLOCK_LEN).contains(&len)).then_some(len as usize)
    }

    /// Whether a block after damage may begin so: of a kind that is in use.
    pub fn may_follow(&self, head: &[u8]) -> bool {
        let kind = word(head, 0, self.is_big_endian);
        kind.is_some_and(|kind| (1..=10).contains(&kind) || kind == SECTION_HEADER) && self.len(head).is_some()
    }

    /// Whether the length at its end is that at its beginning.
    pub fn is_whole(&self, block: &[u8]) -> bool {
        let len = word(block, 4, self.is_big_endian);
        let is_section = word(block, 0, false) == Some(SECTION_HEADER);
        is_section || len.is_some() && len == word(block, block.len().saturating_sub(4), self.is_big_endian)
    }

    /// A whole block. `last_ns` is the time of the packet before, which a simple packet gets.
    pub fn parse(&mut self, block: &[u8], interfaces: &mut Vec<CapturedInterface>, last_ns: u64) -> Block {
        if word(block, 0, false) == Some(SECTION_HEADER) {
            return self.begin(block, interfaces.len());
        }
        match word(block, 0, self.is_big_endian) {
            Some(ENHANCED_PACKET) => self.packet(block, interfaces),
            Some(INTERFACE_DESCRIPTION) => self.describe(block, interfaces),
            Some(SIMPLE_PACKET) if block.len() >= 16 && interfaces.len() > self.section => {
                let captured = word(block, 8, self.is_big_endian).unwrap_or(0) as usize;
                let data = 12..12 + captured.min(block.len() - 16);
                Block::Packet(PacketRecord { time_ns: last_ns, interface: self.section, direction: None, data })
            }
            Some(INTERFACE_STATISTICS) => self.statistics(block),
            Some(_) | None => Block::Other,
        }
    }

    fn begin(&mut self, block: &[u8], interfaces: usize) -> Block {
        let (Ok((_, header)), Some(is_big_endian)) = (parse_sectionheaderblock(block), order_of(block)) else {
            return Block::Damaged;
        };
        let system = header.shb_os().and_then(Result::ok).map(str::to_owned);
        *self = Self { is_big_endian, section: interfaces, system: self.system.take().or(system) };
        Block::Other
    }

    fn describe(&self, block: &[u8], interfaces: &mut Vec<CapturedInterface>) -> Block {
        let parse = match self.is_big_endian {
            true => parse_interfacedescriptionblock_be,
            false => parse_interfacedescriptionblock_le,
        };
        let Ok((_, described)) = parse(block) else { return Block::Damaged };
        let name = described.if_name().and_then(Result::ok).unwrap_or_default();
        let name = name.chars().take_while(|&char| char != '\0').take(INTERFACE_NAME).collect();
        // The crate reads them as little-endian.
        let order = |offset: i64| if self.is_big_endian { offset.swap_bytes() } else { offset };
        let clock = TimestampFormat::new(units_per_s(described.if_tsresol), order(described.if_tsoffset));
        if interfaces.len() < MAX_INTERFACES {
            interfaces.push(CapturedInterface {
                link: LinkType::new(described.linktype.0.cast_unsigned()),
                name,
                clock,
            });
        }
        Block::Other
    }

    fn packet(&self, block: &[u8], interfaces: &[CapturedInterface]) -> Block {
        let parse = if self.is_big_endian { parse_enhancedpacketblock_be } else { parse_enhancedpacketblock_le };
        let Ok((_, packet)) = parse(block) else { return Block::Damaged };
        let interface = self.section.saturating_add(packet.if_id as usize);
        let Some(described) = interfaces.get(interface) else { return Block::Damaged };
        let units = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
        const BEFORE: usize = 28;
        let data = BEFORE..BEFORE + packet.packet_data().len();
        let direction = self.direction(&packet);
        Block::Packet(PacketRecord { time_ns: described.clock.ns(units), interface, direction, data })
    }

    fn direction(&self, packet: &EnhancedPacketBlock<'_>) -> Option<Direction> {
        let flags = packet.options.iter().find(|option| option.code == OptionCode(2))?;
        match word(flags.value(), 0, self.is_big_endian)? & 3 {
            1 => Some(Direction::Arriving),
            2 => Some(Direction::Leaving),
            _ => None,
        }
    }

    fn statistics(&self, block: &[u8]) -> Block {
        let parse = match self.is_big_endian {
            true => pcap_parser::parse_interfacestatisticsblock_be,
            false => pcap_parser::parse_interfacestatisticsblock_le,
        };
        let Ok((_, statistics)) = parse(block) else { return Block::Damaged };
        let count = |code| statistics.options.iter().find(|option| option.code == code).map_or(0, |it| self.long(it));
        let count = count(OptionCode::IsbIfDrop).saturating_add(count(OptionCode::IsbOsDrop));
        Block::Dropped { interface: self.section.saturating_add(statistics.if_id as usize), count }
    }

    fn long(&self, option: &PcapNGOption<'_>) -> u64 {
        let Some(&bytes) = option.value().first_chunk::<8>() else { return 0 };
        if self.is_big_endian { u64::from_be_bytes(bytes) } else { u64::from_le_bytes(bytes) }
    }
}

fn order_of(head: &[u8]) -> Option<bool> {
    match (word(head, 8, false)?, word(head, 8, true)?) {
        (BYTE_ORDER, _) => Some(false),
        (_, BYTE_ORDER) => Some(true),
        _ => None,
    }
}

/// A power of ten, or of two with the highest bit. What is finer than 64 bits hold is taken for the finest that is not.
fn units_per_s(resolution: u8) -> u64 {
    let power = u32::from(resolution & 0x7f);
    if resolution & 0x80 == 0 { 10_u64.pow(power.min(19)) } else { 1 << power.min(63) }
}
