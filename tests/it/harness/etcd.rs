//! An etcd: the one on `PATH`, alone or as three members, each with its data in a folder of its own.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use etcd_client::{Channel, CompactionOptions, Permission};
use openssl::pkey::PKey;
use openssl::x509::X509;
use serde_json::{Value, json};
use tempfile::TempDir;
use weir::rpc::dial::{self, Address, Terms};

use super::replica::runtime;
use super::tls::Authority;
use super::{Client, Request, soon};

/// A member, usually of a cluster of its own. It ends when the value does.
pub(crate) struct Etcd {
    child: Child,
    folder: TempDir,
    /// What it is called, and where all members of its cluster find each other.
    member: (String, String),
    /// Where clients find it, who may be asked whether it is well, and where members would.
    addresses: [SocketAddr; 3],
    is_tls: bool,
}

impl Etcd {
    /// One that serves.
    pub(crate) fn start() -> Self {
        Self::at(IpAddr::V4(Ipv4Addr::LOCALHOST))
    }

    /// One that serves at `address`.
    pub(crate) fn at(address: IpAddr) -> Self {
        let addresses = [free_at(address), free(), free()];
        let folder = tempfile::tempdir().expect("a folder");
        let etcd = Self::begin(folder, addresses, alone(addresses), false);
        etcd.await_ready();
        etcd
    }

    /// Three members of one cluster, which serve whom `authority` has issued a certificate to.
    pub(crate) fn three(authority: &Authority) -> [Self; 3] {
        let addresses = [(); 3].map(|()| [free(), free(), free()]);
        let names = ["one", "two", "three"];
        let all = names
            .iter()
            .zip(addresses)
            .map(|(name, [_, _, peers])| format!("{name}=http://{peers}"));
        let all = all.collect::<Vec<_>>().join(",");
        let mut place = 0..;
        let members = names.map(|name| {
            let addresses = addresses[place.next().expect("no end")];
            let member = (name.to_owned(), all.clone());
            Self::begin(with_certificate(authority), addresses, member, true)
        });
        members.iter().for_each(Self::await_ready);
        members
    }

    /// One that serves whom `authority` has issued a certificate to, and has one itself.
    pub(crate) fn with_tls(authority: &Authority) -> Self {
        let addresses = [free(), free(), free()];
        let etcd = Self::begin(with_certificate(authority), addresses, alone(addresses), true);
        etcd.await_ready();
        etcd
    }

    fn begin(
        folder: TempDir,
        addresses: [SocketAddr; 3],
        member: (String, String),
        is_tls: bool,
    ) -> Self {
        let child = spawn(folder.path(), addresses, &member, is_tls);
        Self { child, folder, member, addresses, is_tls }
    }

    /// Where it is, as gateways are told.
    pub(crate) fn endpoint(&self) -> String {
        // Certificates are for names.
        let port = self.addresses[0].port();
        if self.is_tls {
            format!("https://localhost:{port}")
        } else {
            format!("http://{}", self.addresses[0])
        }
    }

    /// Kills it; its data stay.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    /// Starts it again over its data, at the same place.
    pub(crate) fn restart(&mut self) {
        self.resume();
        self.await_ready();
    }

    /// The same, but it may need others before it serves.
    pub(crate) fn resume(&mut self) {
        self.child = spawn(self.folder.path(), self.addresses, &self.member, self.is_tls);
    }

    /// The leases of all values whose keys begin with a slash, `0` for none.
    pub(crate) fn leases(&self) -> Vec<String> {
        // In base64: `/`, and what comes behind all that begins with it, `0`.
        let found = self.post("/v3/kv/range", &json!({"key": "Lw==", "range_end": "MA=="}));
        let values = found["kvs"].as_array().cloned().unwrap_or_default();
        let lease = |value: &Value| value["lease"].as_str().unwrap_or("0").to_owned();
        values.iter().map(lease).collect()
    }

    /// Whether it leads the members.
    pub(crate) fn leads(&self) -> bool {
        let asked = Client::try_connect(self.addresses[1]).and_then(|mut client| {
            client.offer(Request::get("/metrics").host("localhost").bytes());
            client.try_answer()
        });
        asked.is_some_and(|answer| answer.text().contains("etcd_server_is_leader 1"))
    }

    /// Forgets all that is not there any more.
    pub(crate) fn compact(&self) {
        let found = self.post("/v3/kv/range", &json!({"key": "Lw=="}));
        let revision = found["header"]["revision"].clone();
        self.post("/v3/kv/compaction", &json!({"revision": revision, "physical": true}));
    }

    /// Has nobody in who is not this user, who may do everything.
    pub(crate) fn with_user(&self, name: &str, password: &str) {
        self.post("/v3/auth/role/add", &json!({"name": name}));
        self.post("/v3/auth/user/add", &json!({"name": name, "password": password}));
        self.post("/v3/auth/user/grant", &json!({"user": name, "role": name}));
        self.post("/v3/auth/enable", &json!({}));
    }

    /// Lets whoever has a certificate for `user` do everything below `prefix`, and nobody else
    /// anything.
    pub(crate) fn with_roles(&self, authority: &Authority, user: &str, prefix: &str) {
        runtime().block_on(async {
            let mut client = self.as_root(authority).await;
            client.role_add(user).await.expect("a role");
            let all = Permission::read_write(prefix).with_prefix();
            client.role_grant_permission(user, all).await.expect("a right");
            for (user, role) in [("root", "root"), (user, user)] {
                client.user_add(user, "not used", None).await.expect("a user");
                client.user_grant_role(user, role).await.expect("its role");
            }
            client.auth_enable().await.expect("only they are let in");
        });
    }

    /// [`Self::compact`] where only root may.
    pub(crate) fn compact_as_root(&self, authority: &Authority) {
        runtime().block_on(async {
            let mut client = self.as_root(authority).await;
            let found = client.get("/", None).await.expect("an answer");
            let revision = found.header().expect("a header").revision();
            let options = CompactionOptions::new().with_physical();
            client.compact(revision, Some(options)).await.expect("it forgets");
        });
    }

    /// A client with the certificate of `root`.
    async fn as_root(&self, authority: &Authority) -> etcd_client::Client {
        let own = authority.issue("root");
        let mut tls = dial::tls().expect("TLS");
        let authorities = X509::stack_from_pem(&authority.certificate()).expect("a certificate");
        dial::trust(&mut tls, authorities).expect("an authority");
        let certificate = X509::from_pem(&own.certificate).expect("a certificate");
        tls.set_certificate(&certificate).expect("our certificate");
        let key = PKey::private_key_from_pem(&own.key).expect("a key");
        tls.set_private_key(&key).expect("our key");
        let address = Address::new("localhost", self.addresses[0].port(), true);
        let long = Duration::from_secs(10);
        let terms = Terms { time_max: long, keep_alive: (long, long) };
        let channel = dial::connect(&address, Some(tls.build()), terms).await.expect("etcd");
        let client = etcd_client::Client::from_channel(Channel::Tonic(channel), None).await;
        client.expect("a client")
    }

    fn post(&self, target: &str, body: &Value) -> Value {
        let answer = Client::connect(self.addresses[0])
            .ask(&Request::post(target, body.to_string()).host("localhost"));
        assert_eq!(answer.status, 200, "{}", answer.text());
        serde_json::from_slice(&answer.body).expect("JSON")
    }

    /// Waits until it serves.
    pub(crate) fn await_ready(&self) {
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

/// The name of a member that is alone, and where it is found.
fn alone([_, _, peers]: [SocketAddr; 3]) -> (String, String) {
    ("one".to_owned(), format!("one=http://{peers}"))
}

/// A folder with a certificate for `localhost`.
fn with_certificate(authority: &Authority) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let own = authority.issue("localhost");
    let files =
        [("ca.pem", authority.certificate()), ("own.pem", own.certificate), ("own.key", own.key)];
    for (name, pem) in files {
        fs::write(folder.path().join(name), pem).expect("a file");
    }
    folder
}

fn spawn(
    folder: &Path,
    [clients, health, peers]: [SocketAddr; 3],
    (name, all): &(String, String),
    is_tls: bool,
) -> Child {
    let scheme = if is_tls { "https" } else { "http" };
    let (clients, peers) = (format!("{scheme}://{clients}"), format!("http://{peers}"));
    let mut command = Command::new("etcd");
    command.args(["--name", name, "--data-dir"]).arg(folder.join("data"));
    command.args(["--listen-client-urls", &clients, "--advertise-client-urls", &clients]);
    command.args(["--listen-peer-urls", &peers, "--initial-advertise-peer-urls", &peers]);
    command.args(["--initial-cluster", all]);
    // Quick, as on one machine.
    command.args(["--heartbeat-interval", "50", "--election-timeout", "500"]);
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
    free_at(IpAddr::V4(Ipv4Addr::LOCALHOST))
}

fn free_at(address: IpAddr) -> SocketAddr {
    let listener = TcpListener::bind((address, 0)).expect("a port");
    listener.local_addr().expect("an address")
}
