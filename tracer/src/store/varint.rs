//! Numbers in as few bytes as they need: LEB128, seven bits a byte, lowest first; signed ones as zigzag.

use bytes::Buf;

/// The bytes are not what the format allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl From<bytes::TryGetError> for Malformed {
    fn from(_: bytes::TryGetError) -> Self {
        Self
    }
}

#[inline]
pub fn put(to: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        to.push(value as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

/// Takes a number; one that does not fit into 64 bits is malformed.
#[inline]
pub fn get(from: &mut &[u8]) -> Result<u64, Malformed> {
    let Some((&first, rest)) = from.split_first() else { return Err(Malformed) };
    if first < 0x80 {
        *from = rest;
        return Ok(u64::from(first));
    }
    if let Some((&second, rest)) = rest.split_first()
        && second < 0x80
    {
        *from = rest;
        return Ok(u64::from(second) << 7 | u64::from(first & 0x7f));
    }
    get_long(from)
}

/// Eight bytes at once where there are so many: how long a number is cannot be foreseen by the CPU.
#[inline]
fn get_long(from: &mut &[u8]) -> Result<u64, Malformed> {
    if let Some(&eight) = from.first_chunk() {
        let word = u64::from_le_bytes(eight);
        let ends = !word & 0x8080_8080_8080_8080;
        if ends != 0 {
            let bits = ends.trailing_zeros() + 1;
            *from = &from[bits as usize / 8..];
            return Ok(seven_bits_each(word & (u64::MAX >> (64 - bits))));
        }
    }
    get_bytewise(from)
}

/// The lower seven bits of each byte, without gaps.
const fn seven_bits_each(word: u64) -> u64 {
    let word = word & 0x7f7f_7f7f_7f7f_7f7f;
    let word = (word & 0x007f_007f_007f_007f) | (word & 0x7f00_7f00_7f00_7f00) >> 1;
    let word = (word & 0x0000_3fff_0000_3fff) | (word & 0x3fff_0000_3fff_0000) >> 2;
    (word & 0x0fff_ffff) | (word & 0x0fff_ffff_0000_0000) >> 4
}

fn get_bytewise(from: &mut &[u8]) -> Result<u64, Malformed> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = from.try_get_u8()?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return if shift == 63 && byte > 1 { Err(Malformed) } else { Ok(value) };
        }
    }
    Err(Malformed)
}

/// Takes a number that has to fit into a smaller type.
#[inline]
pub fn get_as<T: TryFrom<u64>>(from: &mut &[u8]) -> Result<T, Malformed> {
    T::try_from(get(from)?).map_err(|_| Malformed)
}

/// Small numbers of either sign become small numbers.
#[inline]
pub const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// The inverse of [`zigzag`].
#[inline]
pub const fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_of_number_comes_back() {
        let edges = (0..64).flat_map(|bit| [(1_u64 << bit) - 1, 1 << bit]).chain([u64::MAX]);
        for value in edges {
            let mut bytes = Vec::new();
            put(&mut bytes, value);
            assert_eq!(get(&mut bytes.as_slice()), Ok(value));
            let length = bytes.len();
            for next in [0, 0x7f, 0x80, 0xff] {
                bytes.truncate(length);
                bytes.resize(length + 8, next);
                let mut rest = bytes.as_slice();
                assert_eq!((get(&mut rest), rest), (Ok(value), &[next; 8][..]));
            }
            assert_eq!(zigzag(unzigzag(value)), value);
        }
    }

    #[test]
    fn a_number_that_ends_early_or_is_too_long_is_malformed() {
        assert_eq!(get(&mut [0x80_u8, 0x80].as_slice()), Err(Malformed));
        assert_eq!(get(&mut [0xff_u8; 11].as_slice()), Err(Malformed));
        let mut too_big = [0xff_u8; 10];
        too_big[9] = 2;
        assert_eq!(get(&mut too_big.as_slice()), Err(Malformed));
    }
}
