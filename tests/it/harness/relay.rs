//! Somebody in front of several servers, as a load balancer is: whoever connects is connected with
//! one of them that is there, each time with another, unless the way is cut.

use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// One in front of servers. It takes nobody any more when the value is gone.
pub(crate) struct Relay {
    address: SocketAddr,
    is_over: Arc<AtomicBool>,
    is_cut: Arc<AtomicBool>,
    /// Who was let through.
    joined: Arc<Mutex<Vec<TcpStream>>>,
}

impl Relay {
    /// One in front of `servers`.
    pub(crate) fn before(servers: Vec<SocketAddr>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let is_over = Arc::new(AtomicBool::new(false));
        let (is_cut, joined) = (Arc::<AtomicBool>::default(), Arc::<Mutex<Vec<_>>>::default());
        let (until, cut, all) = (Arc::clone(&is_over), Arc::clone(&is_cut), Arc::clone(&joined));
        thread::spawn(move || {
            for (turn, client) in listener.incoming().enumerate() {
                if until.load(Ordering::Relaxed) {
                    return;
                }
                // Held by who cuts the way, so that nobody slips through.
                let mut all = all.lock().expect("nobody panics");
                if cut.load(Ordering::Relaxed) {
                    continue;
                }
                let mut in_turn = servers.iter().cycle().skip(turn).take(servers.len());
                let server = in_turn.find_map(|at| TcpStream::connect(at).ok());
                if let (Ok(client), Some(server)) = (client, server) {
                    join(&client, &server);
                    join(&server, &client);
                    all.push(client);
                }
            }
        });
        Self { address, is_over, is_cut, joined }
    }

    /// Lets nobody through from now on, and breaks off whoever was.
    pub(crate) fn cut(&self) {
        let mut joined = self.joined.lock().expect("nobody panics");
        self.is_cut.store(true, Ordering::Relaxed);
        for client in joined.drain(..) {
            // It may have gone.
            let _ = client.shutdown(Shutdown::Both);
        }
    }

    /// Lets everybody through again.
    pub(crate) fn mend(&self) {
        self.is_cut.store(false, Ordering::Relaxed);
    }

    /// Its port on this machine.
    pub(crate) const fn port(&self) -> u16 {
        self.address.port()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // It waits for somebody to come.
        let _ = TcpStream::connect(self.address);
    }
}

/// Brings what comes from `from` to `to`, until one of them ends.
pub(super) fn join(from: &TcpStream, to: &TcpStream) {
    let (mut from, mut to) =
        (from.try_clone().expect("a socket"), to.try_clone().expect("a socket"));
    thread::spawn(move || {
        // Who breaks off is gone.
        let _ = io::copy(&mut from, &mut to);
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    });
}
