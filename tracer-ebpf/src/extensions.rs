//! IPv6 extension headers before TCP (RFC 8200, 4): hop-by-hop options, destination options, routing. A fragment is not looked into.

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const DESTINATION: u8 = 60;
const IPPROTO_TCP: u8 = 6;
/// RFC 8200 recommends that many: hop-by-hop, destination, routing and destination options.
const MAX_HEADERS: u32 = 4;

/// Whether the next header is one of them.
#[inline(always)]
pub fn is_one(protocol: u8) -> bool {
    matches!(protocol, HOP_BY_HOP | ROUTING | DESTINATION)
}

/// Where the TCP header begins behind the header of this kind at `at`. `read` gives the first two bytes of a header.
#[inline(always)]
pub fn skip(mut protocol: u8, mut at: u32, read: impl Fn(u32) -> Option<[u8; 2]>) -> Option<u32> {
    for _ in 0..MAX_HEADERS {
        if !is_one(protocol) {
            break;
        }
        let [next, length] = read(at)?;
        protocol = next;
        at += (u32::from(length) + 1) * 8;
    }
    (protocol == IPPROTO_TCP).then_some(at)
}
