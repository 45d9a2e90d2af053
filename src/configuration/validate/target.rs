//! URLs that requests may be sent to.
//!
//! What must never be a target is refused here: addresses of a cloud's metadata service, all
//! link-local and unspecified addresses, multicast, and spellings of addresses that different
//! programs read differently (`127.1`, `0x7f000001`, `010.0.0.1`). Loopback and private
//! addresses are allowed: sidecars and services of the same machine or cluster live there.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use super::Validator;
use crate::backend::BaseUrl;
use crate::configuration::yaml::Placed;

/// Where the large clouds serve credentials to whoever asks.
const METADATA_NAMES: [&str; 3] =
    ["metadata.google.internal", "metadata.goog", "instance-data.ec2.internal"];
const METADATA_V4: [Ipv4Addr; 2] =
    [Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(168, 63, 129, 16)];
const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254);

impl Validator<'_> {
    /// The target that `url` names.
    pub(super) fn target(&mut self, url: &Placed<String>) -> Option<Arc<BaseUrl>> {
        if url.mark.is_made_up() {
            return None;
        }
        let base = match BaseUrl::parse(&url.value) {
            Ok(base) => base,
            Err(refused) => {
                let remedy = "write it as https://host:port/path";
                self.fault(url.mark, refused.to_string(), remedy);
                return None;
            }
        };
        if let Some((why, remedy)) = refused(&base.host) {
            self.fault(url.mark, format!("requests must not go to `{}`: {why}", base.host), remedy);
            return None;
        }
        Some(Arc::new(base))
    }
}

/// Why requests must not go to `host`, and what to do instead.
pub(super) fn refused(host: &str) -> Option<(&'static str, &'static str)> {
    const ELSEWHERE: &str = "name the host of a service";
    const SPELLING: &str = "write an address as four numbers from 0 to 255 without zeros in front";
    let name = host.trim_end_matches('.');
    if METADATA_NAMES.contains(&name) {
        return Some(("it is the metadata service of a cloud", ELSEWHERE));
    }
    if let Ok(address) = name.parse::<Ipv6Addr>() {
        let mapped = address.to_ipv4_mapped().and_then(forbidden_v4);
        return mapped.or_else(|| forbidden_v6(address)).map(|why| (why, ELSEWHERE));
    }
    if let Ok(address) = name.parse::<Ipv4Addr>() {
        return forbidden_v4(address).map(|why| (why, ELSEWHERE));
    }
    // A name whose last label is a number is an address to most resolvers, but which one differs.
    let last = name.rsplit('.').next().unwrap_or_default();
    let hexadecimal = last
        .strip_prefix("0x")
        .is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let is_number = !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit());
    (is_number || hexadecimal).then_some(("it is an address in an unusual spelling", SPELLING))
}

fn forbidden_v4(address: Ipv4Addr) -> Option<&'static str> {
    if METADATA_V4.contains(&address) {
        Some("it is the metadata service of a cloud")
    } else if address.is_link_local() {
        Some("it is link-local, as metadata services of clouds are")
    } else if address.octets().first() == Some(&0) {
        Some("it is no host")
    } else if address.is_multicast() || address.is_broadcast() {
        Some("it is not one host")
    } else {
        None
    }
}

fn forbidden_v6(address: Ipv6Addr) -> Option<&'static str> {
    if address == METADATA_V6 {
        Some("it is the metadata service of a cloud")
    } else if address.is_unicast_link_local() {
        Some("it is link-local")
    } else if address.is_unspecified() {
        Some("it is no host")
    } else if address.is_multicast() {
        Some("it is not one host")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_services_and_odd_addresses_are_no_targets() {
        for host in [
            "169.254.169.254",
            "fe80::1",
            "::ffff:169.254.169.254",
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "0x7f000001",
            "127.1",
            "2130706433",
            "010.0.0.1",
            "metadata.google.internal",
            "metadata.google.internal.",
            "100.100.100.200",
            "fd00:ec2::254",
            "1.2.3.0x4",
        ] {
            assert!(refused(host).is_some(), "{host}");
        }
    }

    #[test]
    fn services_near_by_are_targets() {
        for host in ["127.0.0.1", "::1", "10.0.0.1", "localhost", "orders.svc.cluster.local", "a1"]
        {
            assert!(refused(host).is_none(), "{host}");
        }
    }
}
