//! Addresses of the network, and blocks of them.

use std::net::IpAddr;

/// A block of addresses, such as `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// Reads `10.0.0.0/8`, `fd00::/8` or one address.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let whole = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(prefix) if prefix.bytes().all(|byte| byte.is_ascii_digit()) => {
                prefix.parse().ok().filter(|prefix| *prefix <= whole)?
            }
            Some(_) => return None,
            None => whole,
        };
        Some(Self { address, prefix })
    }

    /// Whether `address` is in the block. An IPv4 address mapped to IPv6 counts as what it is.
    pub fn contains(&self, address: IpAddr) -> bool {
        let (width, ours, other) = match (self.address, address.to_canonical()) {
            (IpAddr::V4(ours), IpAddr::V4(other)) => {
                (32_u32, u128::from(ours.to_bits()), u128::from(other.to_bits()))
            }
            (IpAddr::V6(ours), IpAddr::V6(other)) => (128, ours.to_bits(), other.to_bits()),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return false,
        };
        let free = width.saturating_sub(u32::from(self.prefix));
        // A shift by the whole width is none that Rust knows; it leaves nothing to compare.
        ours.checked_shr(free).unwrap_or(0) == other.checked_shr(free).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_holds_its_addresses() {
        let holds = |block: &str, address: &str| {
            Network::parse(block).unwrap().contains(address.parse().unwrap())
        };
        assert!(holds("10.0.0.0/8", "10.255.0.1"));
        assert!(holds("10.0.0.0/8", "::ffff:10.1.1.1"));
        assert!(!holds("10.0.0.0/8", "11.0.0.1"));
        assert!(holds("0.0.0.0/0", "8.8.8.8") && !holds("0.0.0.0/0", "::1"));
        assert!(holds("::/0", "::1") && holds("::1", "::1"));
        assert!(Network::parse("10.0.0.0/33").is_none());
    }
}
