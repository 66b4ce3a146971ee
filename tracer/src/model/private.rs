//! Addresses that no provider routes.

/// Whether no provider routes the address: RFC 1918, RFC 6598, RFC 3927, RFC 4193, and link-local ones.
#[must_use]
pub const fn is_private(address: &[u8; 16]) -> bool {
    match address {
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, ..] => {
            matches!((a, b), (10, _) | (172, 16..=31) | (192, 168) | (100, 64..=127) | (169, 254))
        }
        [a, b, ..] => *a & 0xfe == 0xfc || (*a == 0xfe && *b & 0xc0 == 0x80),
    }
}
