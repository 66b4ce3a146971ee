//! The three kinds of block that are written of pcapng (draft-ietf-opsawg-pcapng): a crate would bring more than they need.

use std::io::{self, Write};

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const ENHANCED_PACKET: u32 = 6;
const BYTE_ORDER: u32 = 0x1a2b_3c4d;
/// Of a section whose length is not known when it begins.
const UNKNOWN_LEN: u64 = u64::MAX;
/// `LINKTYPE_RAW`: packets begin with their IP header.
const LINKTYPE_RAW: u16 = 101;

const COMMENT: u16 = 1;
/// Of a section: the program that writes it.
const USER_APPLICATION: u16 = 4;
/// Of an interface.
const NAME: u16 = 2;
const DESCRIPTION: u16 = 3;
const TIME_RESOLUTION: u16 = 9;
/// Of a packet: the lowest two bits say whether it arrived or left.
const FLAGS: u16 = 2;
pub(super) const ARRIVED: u32 = 1;
pub(super) const LEFT: u32 = 2;

pub(super) struct PacketBlock<'a> {
    pub(super) interface: u32,
    /// Nanoseconds since 1970 UTC.
    pub(super) unix_ns: u64,
    pub(super) bytes: &'a [u8],
    /// How long it was on the wire.
    pub(super) original_len: usize,
    /// `ARRIVED`, `LEFT`, or 0 where that is not known.
    pub(super) direction: u32,
    pub(super) comment: Option<&'a str>,
}

/// What every file begins with.
pub(super) fn section(out: &mut impl Write, comment: &str, application: &str) -> io::Result<()> {
    let mut body = Vec::with_capacity(128);
    body.extend(BYTE_ORDER.to_le_bytes());
    body.extend([1, 0, 0, 0]);
    body.extend(UNKNOWN_LEN.to_le_bytes());
    option(&mut body, COMMENT, comment.as_bytes());
    option(&mut body, USER_APPLICATION, application.as_bytes());
    block(out, SECTION_HEADER, &end(body))
}

/// An interface; they are numbered in the order in which they are written.
pub(super) fn interface(out: &mut impl Write, name: &str, description: &str) -> io::Result<()> {
    let mut body = Vec::with_capacity(128);
    body.extend(LINKTYPE_RAW.to_le_bytes());
    // Reserved, and no limit to the length of packets.
    body.extend([0; 6]);
    option(&mut body, NAME, name.as_bytes());
    option(&mut body, DESCRIPTION, description.as_bytes());
    // Nanoseconds
    option(&mut body, TIME_RESOLUTION, &[9]);
    block(out, INTERFACE_DESCRIPTION, &end(body))
}

pub(super) fn packet(out: &mut impl Write, packet: &PacketBlock<'_>) -> io::Result<()> {
    let PacketBlock { interface, unix_ns, bytes, original_len, direction, comment } = packet;
    let mut body = Vec::with_capacity(512);
    body.extend(interface.to_le_bytes());
    body.extend(((unix_ns >> 32) as u32).to_le_bytes());
    body.extend((*unix_ns as u32).to_le_bytes());
    body.extend((bytes.len() as u32).to_le_bytes());
    body.extend((*original_len as u32).to_le_bytes());
    body.extend_from_slice(bytes);
    pad(&mut body);
    if let Some(comment) = comment {
        option(&mut body, COMMENT, comment.as_bytes());
    }
    if *direction != 0 {
        option(&mut body, FLAGS, &direction.to_le_bytes());
    }
    block(out, ENHANCED_PACKET, &end(body))
}

/// What is longer than an option can be is cut where a character ends.
fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    let cut = value.len().min(u16::MAX.into());
    let cut = (0..=cut).rev().find(|&at| value.get(at).is_none_or(|byte| byte & 0xc0 != 0x80)).unwrap_or_default();
    body.extend(code.to_le_bytes());
    body.extend((cut as u16).to_le_bytes());
    body.extend_from_slice(value.get(..cut).unwrap_or_default());
    pad(body);
}

fn end(mut body: Vec<u8>) -> Vec<u8> {
    body.extend([0; 4]);
    body
}

fn pad(body: &mut Vec<u8>) {
    body.resize(body.len().next_multiple_of(4), 0);
}

fn block(out: &mut impl Write, kind: u32, body: &[u8]) -> io::Result<()> {
    let len = (12 + body.len() as u32).to_le_bytes();
    out.write_all(&kind.to_le_bytes())?;
    out.write_all(&len)?;
    out.write_all(body)?;
    out.write_all(&len)
}
