//! Addresses word by word: what is put together from bytes, the compiler copies byte by byte.

/// The IPv4-mapped form (RFC 4291, 2.5.5.2) of an address in network byte order.
#[inline(always)]
pub fn mapped(addr_be: u32) -> [u8; 16] {
    bytemuck::cast([0, 0, 0xffff_u32.to_be(), addr_be])
}

/// Whether it is in `127.0.0.0/8`, or `::1`.
#[inline(always)]
pub fn is_loopback(addr: [u8; 16]) -> bool {
    let [a, b, c, d] = bytemuck::cast::<_, [u32; 4]>(addr).map(u32::from_be);
    a | b == 0 && (c == 0xffff && d >> 24 == 127 || c == 0 && d == 1)
}
