//! What files of both formats hold: interfaces, and packets with their times.

use std::ops::Range;

use super::link::{Direction, LinkType};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapturedInterface {
    pub link: LinkType,
    /// Empty where the file does not name it
    pub name: String,
    pub clock: TimestampFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimestampFormat {
    units_per_s: u64,
    offset_s: i64,
}

impl TimestampFormat {
    pub const fn new(units_per_s: u64, offset_s: i64) -> Self {
        Self { units_per_s: if units_per_s == 0 { 1 } else { units_per_s }, offset_s }
    }

    /// Nanoseconds since 1970; the nearest that there is where it does not fit.
    #[inline]
    pub fn ns(self, units: u64) -> u64 {
        const NS_PER_S: u64 = 1_000_000_000;
        let ns = match self.units_per_s {
            NS_PER_S => Some(units),
            1_000_000 => units.checked_mul(1000),
            per_s => u64::try_from(u128::from(units) * u128::from(NS_PER_S) / u128::from(per_s)).ok(),
        };
        let offset_ns = i128::from(self.offset_s) * i128::from(NS_PER_S);
        match (ns, offset_ns) {
            (Some(ns), 0) => ns,
            (ns, offset_ns) => {
                let sum = i128::from(ns.unwrap_or(u64::MAX)) + offset_ns;
                u64::try_from(sum.max(0)).unwrap_or(u64::MAX)
            }
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PacketRecord {
    /// Nanoseconds since 1970
    pub time_ns: u64,
    /// Number of the interface among all that the file describes
    pub interface: usize,
    /// Where the container says it
    pub direction: Option<Direction>,
    /// Where the packet is in the record
    pub data: Range<usize>,
}

#[inline]
pub fn word(header: &[u8], at: usize, is_big_endian: bool) -> Option<u32> {
    let bytes = *header.get(at..)?.first_chunk::<4>()?;
    Some(if is_big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
}
