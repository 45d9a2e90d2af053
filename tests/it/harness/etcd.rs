//! An etcd: the one on `PATH`, with its data in a folder of its own.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::{Client, Request, soon};

/// A member that is its own cluster. It ends when the value does.
pub(crate) struct Etcd {
    child: Child,
    folder: TempDir,
    /// Where clients and other members find it.
    addresses: [SocketAddr; 2],
}

impl Etcd {
    /// One that serves.
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let addresses = [free(), free()];
        let child = spawn(folder.path(), addresses);
        let etcd = Self { child, folder, addresses };
        etcd.await_ready();
        etcd
    }

    /// Where it is, as gateways are told.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.addresses[0])
    }

    /// Kills it; its data stay.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    /// Starts it again over its data, at the same place.
    pub(crate) fn restart(&mut self) {
        self.child = spawn(self.folder.path(), self.addresses);
        self.await_ready();
    }

    /// How many keys there are that begin with a slash, and how many of them have a lease.
    pub(crate) fn keys(&self) -> Vec<Vec<u8>> {
        // `/` and, behind all that begin with it, `0`.
        let found = self.post("/v3/kv/range", r#"{"key":"Lw==","range_end":"MA=="}"#);
        let kvs = found["kvs"].as_array().cloned().unwrap_or_default();
        kvs.iter().map(|kv| kv["lease"].as_str().unwrap_or("0").as_bytes().to_vec()).collect()
    }

    fn post(&self, target: &str, body: &str) -> serde_json::Value {
        let mut client = Client::connect(self.addresses[0]);
        let answer = client.ask(&Request::post(target, body));
        assert_eq!(answer.status, 200, "{}", answer.text());
        serde_json::from_slice(&answer.body).expect("JSON")
    }

    fn await_ready(&self) {
        let healthy = || {
            let mut client = Client::try_connect(self.addresses[0])?;
            client.send(Request::get("/health").bytes());
            client.try_answer().filter(|answer| answer.status == 200)
        };
        assert!(soon(healthy).is_some(), "etcd does not serve");
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        // It may have been killed already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(folder: &Path, [clients, peers]: [SocketAddr; 2]) -> Child {
    let (clients, peers) = (format!("http://{clients}"), format!("http://{peers}"));
    Command::new("etcd")
        .args(["--name", "one", "--data-dir"])
        .arg(folder.join("data"))
        .args(["--listen-client-urls", &clients, "--advertise-client-urls", &clients])
        .args(["--listen-peer-urls", &peers, "--initial-advertise-peer-urls", &peers])
        .args(["--initial-cluster", &format!("one={peers}")])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("etcd is installed (bin/prepare etcd-server)")
}

/// An address where nobody listens now.
fn free() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address")
}
