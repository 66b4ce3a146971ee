//! Looks for the options of a SYN by which a device on the path may drop it, in the order in which Linux writes options (`tcp_options_write()`): without a
//! loop, which would keep the verifier busy. What other systems send in another order is not found.

use tracer_common::events::{WIRE_FAST_OPEN, WIRE_MPTCP};

/// Bytes of a TCP header without options.
pub const TCP_HEADER: u32 = 20;

/// Bytes of the maximum segment size, which comes first, of a window scale, and of a timestamp, each with padding.
const SEGMENT_SIZE: u32 = 4;
const WINDOW_SCALE: u32 = 4;
const TIMESTAMP: u32 = 12;

/// RFC 7413; before it had a number, RFC 6994 had it in kind 254 with an identifier.
const FAST_OPEN: u8 = 34;
const EXPERIMENT: u8 = 254;
/// RFC 8684
const MPTCP: u8 = 30;

/// `WIRE_FAST_OPEN` or `WIRE_MPTCP`, if the options of a header of this length have one; `word` reads four of their bytes.
#[inline(always)]
pub fn bits(header_len: u32, word: impl Fn(u32) -> Option<[u8; 4]>) -> u16 {
    let mut at = SEGMENT_SIZE;
    // A SACK is welcome, a timestamp; one of them alone is padded.
    at += match word(at) {
        Some([4, 2, 8, 10] | [1, 1, 8, 10]) => TIMESTAMP,
        Some([1, 1, 4, 2]) => 4,
        _ => 0,
    };
    if matches!(word(at), Some([1, 3, 3, _])) {
        at += WINDOW_SCALE;
    }
    if TCP_HEADER + at >= header_len {
        return 0;
    }
    match word(at) {
        Some([FAST_OPEN, ..] | [EXPERIMENT, _, 0xf9, 0x89]) => WIRE_FAST_OPEN,
        Some([MPTCP, ..]) => WIRE_MPTCP,
        _ => 0,
    }
}
