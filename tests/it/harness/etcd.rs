//! An etcd: the one on `PATH`, with its data in a folder of its own.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::tls::Authority;
use super::{Client, Request, soon};

/// A member that is its own cluster. It ends when the value does.
pub(crate) struct Etcd {
    child: Child,
    folder: TempDir,
    /// Where clients find it, who may be asked whether it is well, and where members would.
    addresses: [SocketAddr; 3],
    is_tls: bool,
}

impl Etcd {
    /// One that serves.
    pub(crate) fn start() -> Self {
        Self::over(tempfile::tempdir().expect("a folder"), false)
    }

    /// One that serves whom `authority` has issued a certificate to, and has one itself.
    pub(crate) fn with_tls(authority: &Authority) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let own = authority.issue("localhost");
        let files = [
            ("ca.pem", authority.certificate()),
            ("own.pem", own.certificate),
            ("own.key", own.key),
        ];
        for (name, pem) in files {
            fs::write(folder.path().join(name), pem).expect("a file");
        }
        Self::over(folder, true)
    }

    fn over(folder: TempDir, is_tls: bool) -> Self {
        let addresses = [free(), free(), free()];
        let child = spawn(folder.path(), addresses, is_tls);
        let etcd = Self { child, folder, addresses, is_tls };
        etcd.await_ready();
        etcd
    }

    /// Where it is, as gateways are told.
    pub(crate) fn endpoint(&self) -> String {
        // Certificates are for names.
        let port = self.addresses[0].port();
        if self.is_tls {
            format!("https://localhost:{port}")
        } else {
            format!("http://127.0.0.1:{port}")
        }
    }

    /// Kills it; its data stay.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    /// Starts it again over its data, at the same place.
    pub(crate) fn restart(&mut self) {
        self.child = spawn(self.folder.path(), self.addresses, self.is_tls);
        self.await_ready();
    }

    /// The leases of all values whose keys begin with a slash, `0` for none.
    pub(crate) fn leases(&self) -> Vec<String> {
        // In base64: `/`, and what comes behind all that begins with it, `0`.
        let found = self.post("/v3/kv/range", &json!({"key": "Lw==", "range_end": "MA=="}));
        let values = found["kvs"].as_array().cloned().unwrap_or_default();
        let lease = |value: &Value| value["lease"].as_str().unwrap_or("0").to_owned();
        values.iter().map(lease).collect()
    }

    /// Has nobody in who is not this user, who may do everything.
    pub(crate) fn with_user(&self, name: &str, password: &str) {
        self.post("/v3/auth/role/add", &json!({"name": name}));
        self.post("/v3/auth/user/add", &json!({"name": name, "password": password}));
        self.post("/v3/auth/user/grant", &json!({"user": name, "role": name}));
        self.post("/v3/auth/enable", &json!({}));
    }

    fn post(&self, target: &str, body: &Value) -> Value {
        let answer = Client::connect(self.addresses[0])
            .ask(&Request::post(target, body.to_string()).host("localhost"));
        assert_eq!(answer.status, 200, "{}", answer.text());
        serde_json::from_slice(&answer.body).expect("JSON")
    }

    fn await_ready(&self) {
        let healthy = || {
            let mut client = Client::try_connect(self.addresses[1])?;
            client.offer(Request::get("/health").host("localhost").bytes());
            client.try_answer().filter(|answer| answer.status == 200)
        };
        assert!(soon(healthy).or_else(|| soon(healthy)).is_some(), "etcd does not serve");
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        // It may have been killed already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(folder: &Path, [clients, health, peers]: [SocketAddr; 3], is_tls: bool) -> Child {
    let scheme = if is_tls { "https" } else { "http" };
    let (clients, peers) = (format!("{scheme}://{clients}"), format!("http://{peers}"));
    let mut command = Command::new("etcd");
    command.args(["--name", "one", "--data-dir"]).arg(folder.join("data"));
    command.args(["--listen-client-urls", &clients, "--advertise-client-urls", &clients]);
    command.args(["--listen-peer-urls", &peers, "--initial-advertise-peer-urls", &peers]);
    command.args(["--initial-cluster", &format!("one={peers}")]);
    command.args(["--listen-metrics-urls", &format!("http://{health}")]);
    if is_tls {
        for (flag, name) in
            [("--trusted-ca-file", "ca.pem"), ("--cert-file", "own.pem"), ("--key-file", "own.key")]
        {
            command.arg(flag).arg(folder.join(name));
        }
        command.arg("--client-cert-auth");
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("etcd is installed (bin/prepare etcd-server)")
}

/// An address where nobody listens now.
fn free() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address")
}
