//! gRPC between gateways and their control plane: the interface, and how it is spoken over TLS.

pub mod dial;
pub mod door;
mod stream;

use std::time::Duration;

use openssl::rand::rand_bytes;

pub use stream::{Peer, Stream};

/// Configuration API v2: `proto/weir/configuration/v2/configuration.proto` says what it means.
#[allow(
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    clippy::all,
    clippy::pedantic,
    clippy::restriction,
    reason = "it is generated, by whose rules nobody here writes"
)]
pub mod v2 {
    tonic::include_proto!("weir.configuration.v2");
}

/// The most bytes of one piece of a configuration.
pub const PIECE_BYTES: usize = 256 << 10;
/// The largest message of either side: a piece, or fifty faults.
pub const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// The metadata with the gateway that is meant, where a credential may be several.
pub const GATEWAY: &str = "weir-gateway";
/// The ALPN name of HTTP/2, as TLS writes it.
const HTTP2: &[u8] = b"\x02h2";
/// How often a silent connection is asked whether it lives.
pub const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// How long it has to say so.
pub const KEEP_ALIVE_TIME_MAX: Duration = Duration::from_secs(10);

/// Any time up to `most`, each as likely: so that many who wait do not come back together.
pub fn jitter(most: Duration) -> Duration {
    most.mul_f64(f64::from(any()) / f64::from(u32::MAX))
}

/// Any number below `count`; 0 if there is none.
fn any_below(count: usize) -> usize {
    usize::try_from(any()).ok().and_then(|any| any.checked_rem(count)).unwrap_or(0)
}

/// Any number; without random numbers, the middle.
fn any() -> u32 {
    let mut bytes = [0; 4];
    rand_bytes(&mut bytes).map_or(u32::MAX / 2, |()| u32::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_comes_back_at_any_time_up_to_the_longest() {
        let most = Duration::from_secs(1);
        let waits: Vec<Duration> = (0..200).map(|_| jitter(most)).collect();
        assert!(waits.iter().all(|wait| *wait <= most));
        let early = waits.iter().filter(|wait| **wait < most / 2).count();
        // Both of 200 fair coins on one side: once in 10^17 runs for so few.
        assert!((40..160).contains(&early), "{early} of 200 in the first half");
    }
}
