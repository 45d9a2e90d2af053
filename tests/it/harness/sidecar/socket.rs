//! A Unix socket in front of a port, as daprd listens on one where it is told to.

use std::io;
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// A socket. It takes nobody any more when the value is gone.
pub(crate) struct Socket {
    path: PathBuf,
    is_over: Arc<AtomicBool>,
}

impl Socket {
    /// One at `path` before the `port` of this machine.
    pub(crate) fn before(path: &Path, port: u16) -> Self {
        let listener = UnixListener::bind(path).expect("a socket");
        let is_over = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&is_over);
        thread::spawn(move || {
            for client in listener.incoming() {
                if until.load(Ordering::Relaxed) {
                    return;
                }
                let server = TcpStream::connect((Ipv4Addr::LOCALHOST, port));
                if let (Ok(client), Ok(server)) = (client, server) {
                    join(&client, &server);
                }
            }
        });
        Self { path: path.to_owned(), is_over }
    }

    /// As settings have it.
    pub(crate) fn url(&self) -> String {
        format!("unix://{}", self.path.display())
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // It waits for somebody to come.
        let _ = UnixStream::connect(&self.path);
    }
}

/// Brings what comes from one of them to the other, until one of them ends.
fn join(client: &UnixStream, server: &TcpStream) {
    let (mut from, mut to) =
        (client.try_clone().expect("a socket"), server.try_clone().expect("a socket"));
    thread::spawn(move || {
        // Who breaks off is gone.
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Both);
    });
    let (mut from, mut to) =
        (server.try_clone().expect("a socket"), client.try_clone().expect("a socket"));
    thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Both);
    });
}
