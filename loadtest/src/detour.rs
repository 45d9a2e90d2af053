//! A way to Redis that can be made longer: everything is handed on after a delay.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::clock::micros;
use crate::failure::{Failure, during};

/// What is handed on at once, at most.
const PIECE_BYTES: usize = 64 * 1024;

/// A listener that hands everything on. Connections last as long as both ends want.
#[derive(Debug)]
pub(crate) struct Detour {
    address: SocketAddr,
    delay_micros: Arc<AtomicU64>,
}

impl Detour {
    /// A detour to `target`, without delay.
    pub(crate) fn to(target: SocketAddr) -> Result<Self, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").map_err(during("listening as a detour"))?;
        let address = listener.local_addr().map_err(during("naming a port"))?;
        let delay_micros = Arc::new(AtomicU64::new(0));
        let delay = Arc::clone(&delay_micros);
        // Both kinds of threads end with this program at the latest.
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let Ok(far) = TcpStream::connect(target) else { continue };
                for (from, to) in [(near.try_clone(), far.try_clone()), (Ok(far), Ok(near))] {
                    let (Ok(from), Ok(to)) = (from, to) else { continue };
                    let delay = Arc::clone(&delay);
                    thread::spawn(move || hand_on(from, to, &delay));
                }
            }
        });
        Ok(Self { address, delay_micros })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How much later everything comes from now on, each way.
    pub(crate) fn delay(&self, delay: Duration) {
        self.delay_micros.store(micros(delay), Ordering::Relaxed);
    }
}

fn hand_on(mut from: TcpStream, mut to: TcpStream, delay: &AtomicU64) {
    let mut piece = vec![0; PIECE_BYTES];
    let _ = to.set_nodelay(true);
    while let Ok(length) = from.read(&mut piece) {
        let Some(bytes) = piece.get(..length).filter(|bytes| !bytes.is_empty()) else { break };
        thread::sleep(Duration::from_micros(delay.load(Ordering::Relaxed)));
        if to.write_all(bytes).is_err() {
            break;
        }
    }
    // The other direction ends too.
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
