//! `System.Guid`.

use bytes::Bytes;

/// `Guid.NewGuid()`: version 4 of 128 `random` bits.
pub const fn new(random: u128) -> u128 {
    let version = 4_u128.wrapping_shl(76);
    let variant = 2_u128.wrapping_shl(62);
    (random & !(0xf_u128.wrapping_shl(76)) & !(3_u128.wrapping_shl(62))) | version | variant
}

/// `guid.ToByteArray()`: the first three groups have their low bytes first.
pub fn bytes(guid: u128) -> Bytes {
    let mut bytes = guid.to_be_bytes();
    for (start, end) in [(0, 4), (4, 6), (6, 8)] {
        bytes.get_mut(start..end).unwrap_or_default().reverse();
    }
    Bytes::copy_from_slice(&bytes)
}

/// `guid.GetHashCode()`: its four parts, as they lie in memory, joined by `xor`.
pub fn hash_code(guid: u128) -> i32 {
    let bytes = bytes(guid);
    let parts = bytes.chunks_exact(4).filter_map(|part| part.first_chunk::<4>().copied());
    parts.map(i32::from_le_bytes).fold(0, |hash, part| hash ^ part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expression::library::display::guid_text;

    #[test]
    fn a_new_guid_has_its_version_and_variant() {
        assert_eq!(guid_text(new(0)), "00000000-0000-4000-8000-000000000000");
        assert_eq!(guid_text(new(u128::MAX)), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }

    #[test]
    fn the_bytes_of_a_guid_are_in_the_order_of_dotnet() {
        let guid = 0x0011_2233_4455_6677_8899_aabb_ccdd_eeff;
        let expected = [
            0x33, 0x22, 0x11, 0, 0x55, 0x44, 0x77, 0x66, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee,
            0xff,
        ];
        assert_eq!(bytes(guid)[..], expected);
        assert_eq!(hash_code(0), 0);
        assert_eq!(hash_code(1), 0x0100_0000);
    }
}
