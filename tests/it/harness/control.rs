//! A control plane: `weir control` as a process, with keys, a certificate, and a folder of its own.

use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::client::{Answer, Client, Request};
use super::gateway::{Lines, command, weir};
use super::site::{Site, write};
use super::tls::Authority;
use super::{PATIENCE, soon};

/// A control plane. It ends when the value does.
pub(crate) struct Control {
    child: Child,
    err: Lines,
    /// Keys, certificates, state.
    own: TempDir,
    folder: TempDir,
    gateways: SocketAddr,
    admin: SocketAddr,
    /// What it is called among those that share an etcd, and where that is.
    among: Option<(String, String)>,
    /// Where gateways find whoever stands in front of it, if somebody does.
    front: Option<u16>,
    /// More settings, by their flags.
    settings: Vec<(String, String)>,
    /// Keeps others of us from its ports, also while it is away.
    _claims: [UdpSocket; 2],
}

/// Where control planes listen: below the ports that the system gives to whoever connects somewhere,
/// which may be any by the time that the process listens.
const PORTS: Range<u16> = 12_000..32_000;

/// Asks `what` for longer than [`soon`]: who comes back to a control plane waits in between.
pub(crate) fn later<T>(mut what: impl FnMut() -> Option<T>) -> Option<T> {
    (0..9).find_map(|_| soon(&mut what))
}

impl Control {
    /// One over the folder that `write` makes, with keys for `north` and `south`.
    pub(crate) fn start(write: impl FnOnce(&Path)) -> Self {
        let mut control = Self::prepare(write);
        control.restart();
        control
    }

    /// The same, but not started yet.
    pub(crate) fn prepare(write: impl FnOnce(&Path)) -> Self {
        let own = tempfile::tempdir().expect("a folder");
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path());
        certify(own.path());
        let keys = own.path().join("keys.yaml");
        for gateway in ["north", "south"] {
            let arguments = ["token", "rotate", "--gateway", gateway, "--new", "--keys"];
            let made = weir(&[&arguments[..], &[keys.to_str().expect("a path")]].concat());
            assert!(made.status.success(), "{made:?}");
        }
        let child = command().arg("--version").stdout(Stdio::null()).spawn().expect("weir runs");
        let err = Lines::default();
        let settings = vec![("control-keys-file".to_owned(), keys.display().to_string())];
        let [(gateways, first), (admin, second)] = [free(), free()];
        let (among, front, claims) = (None, None, [first, second]);
        Self { child, err, own, folder, gateways, admin, among, front, settings, _claims: claims }
    }

    /// One that is called `name` among those that share an etcd.
    pub(crate) fn among(name: &str, etcd: &str, write: impl FnOnce(&Path)) -> Self {
        let mut control = Self::prepare(write);
        control.among = Some((name.to_owned(), etcd.to_owned()));
        control.restart();
        control
    }

    /// Another one of those, with the same keys and certificate.
    pub(crate) fn twin(&self, name: &str, write: impl FnOnce(&Path)) -> Self {
        let mut twin = Self::prepare(write);
        for file in ["keys.yaml", "ca.pem", "own.pem", "own.key"] {
            fs::copy(self.own(file), twin.own(file)).expect("a file");
        }
        let etcd = self.among.as_ref().map(|(_name, etcd)| etcd.clone());
        twin.among = etcd.map(|etcd| (name.to_owned(), etcd));
        twin.restart();
        twin
    }

    /// Starts it over what it left, at the same place.
    pub(crate) fn restart(&mut self) {
        self.child.wait().expect("it has ended");
        let own = |name: &str| self.own.path().join(name).display().to_string();
        let mut command = command();
        command.arg("control");
        for (name, value) in [
            ("configuration-folder", self.folder.path().display().to_string()),
            ("configuration-poll-interval", "100ms".to_owned()),
            ("log-format", "json".to_owned()),
            ("control-listen", self.gateways.to_string()),
            ("control-admin", self.admin.to_string()),
            ("control-certificate-file", own("own.pem")),
            ("control-key-file", own("own.key")),
        ] {
            command.arg(format!("--{name}={value}"));
        }
        match &self.among {
            None => command.arg(format!("--control-state-folder={}", own("state"))),
            Some((name, etcd)) => command.args([
                format!("--replica-name={name}"),
                format!("--etcd-endpoints={etcd}"),
                "--cluster-lease=2s".to_owned(),
            ]),
        };
        for (name, value) in &self.settings {
            command.arg(format!("--{name}={value}"));
        }
        self.err = Lines::default();
        self.child = command.stderr(Stdio::piped()).spawn().expect("weir starts");
        self.err.follow(self.child.stderr.take().expect("its errors"));
        let started =
            soon(|| self.events().into_iter().find(|line| line.contains("weir controls")));
        assert!(started.is_some(), "no start: {}", self.events().join("\n"));
    }

    /// Has these settings, and no other about who may ask, from the next start on.
    pub(crate) fn set(&mut self, settings: &[(&str, &Path)]) {
        let owned = |(name, path): &(&str, &Path)| ((*name).to_owned(), path.display().to_string());
        self.settings = settings.iter().map(owned).collect();
    }

    /// What it takes: MiB of memory, and hundredths of a second of processor so far.
    pub(crate) fn takes(&self) -> (u64, u64) {
        let of_proc = |name: &str| {
            fs::read_to_string(format!("/proc/{}/{name}", self.child.id())).expect("a process")
        };
        let status = of_proc("status");
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line");
        let kib: u64 = resident.trim().trim_end_matches(" kB").parse().expect("a number");
        let stat = of_proc("stat");
        let (_name, figures) = stat.rsplit_once(')').expect("a name in brackets");
        let ticks = figures.split_whitespace().skip(11).take(2);
        let ticks = ticks.map(|ticks| ticks.parse::<u64>().expect("a number")).sum();
        (kib / 1024, ticks)
    }

    /// Ends it without a word.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    /// Ends it as an operator would; true if it did so well.
    pub(crate) fn stop(&mut self) -> bool {
        let line = format!("kill -TERM {}", self.child.id());
        let sent = std::process::Command::new("sh").args(["-c", &line]).status();
        assert!(sent.expect("a shell").success(), "{line}");
        let ended = soon(|| self.child.try_wait().expect("its state"));
        ended.is_some_and(|ended| ended.success())
    }

    /// Gives it a certificate of an authority that nobody has heard of before.
    pub(crate) fn renew(&self) {
        certify(self.own.path());
    }

    /// A new token of `gateway`.
    pub(crate) fn token(&self, gateway: &str) -> String {
        let keys = self.own("keys.yaml");
        let arguments = ["token", "create", "--gateway", gateway, "--keys"];
        let made = weir(&[&arguments[..], &[keys.to_str().expect("a path")]].concat());
        assert!(made.status.success(), "{made:?}");
        String::from_utf8(made.stdout).expect("text").trim().to_owned()
    }

    /// Makes `token` good for nothing.
    pub(crate) fn revoke(&self, token: &str) {
        let keys = self.own("keys.yaml");
        let revoked = weir(&["token", "revoke", token, "--keys", keys.to_str().expect("a path")]);
        assert!(revoked.status.success(), "{revoked:?}");
    }

    /// One of its own files.
    pub(crate) fn own(&self, name: &str) -> PathBuf {
        self.own.path().join(name)
    }

    /// Where it is, as gateways are told.
    pub(crate) fn endpoint(&self) -> String {
        // The certificate is for the name.
        format!("https://localhost:{}", self.front.unwrap_or(self.gateways.port()))
    }

    /// Has `site` get its configuration from here, with the token in the file that is returned.
    pub(crate) fn configure(&self, site: &mut Site, replica: &str, token: &str) -> PathBuf {
        let path = self.own(&format!("token-of-{replica}"));
        fs::write(&path, token).expect("a file");
        self.point(site, replica);
        site.set("control-token-file", &path.display().to_string());
        path
    }

    /// Tells `site` where it is, and not who that is.
    pub(crate) fn point(&self, site: &mut Site, replica: &str) {
        site.set("control-endpoint", &self.endpoint());
        site.set("control-ca-file", &self.own("ca.pem").display().to_string());
        site.set("replica-name", replica);
    }

    /// Writes a file of its configuration.
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        write(self.folder.path(), name, text);
    }

    /// Where it serves gateways.
    pub(crate) const fn gateways(&self) -> SocketAddr {
        self.gateways
    }

    /// Has gateways come by way of whoever stands in front of it.
    pub(crate) const fn stand_behind(&mut self, port: u16) {
        self.front = Some(port);
    }

    /// Where operators ask.
    pub(crate) const fn operators(&self) -> SocketAddr {
        self.admin
    }

    /// Asks as operators do.
    pub(crate) fn admin(&self, target: &str) -> Answer {
        Client::connect(self.admin).ask(&Request::get(target).host("localhost"))
    }

    /// `weir control rollback`, with more arguments.
    pub(crate) fn rollback(&self, arguments: &[&str]) -> Output {
        let admin = self.admin.to_string();
        weir(&[&["control", "rollback", "--admin", &admin], arguments].concat())
    }

    /// `weir control` with these arguments, asked of this one.
    pub(crate) fn ask(&self, arguments: &[&str]) -> Output {
        let admin = self.admin.to_string();
        weir(&[&["control"], arguments, &["--admin", &admin]].concat())
    }

    /// Where its configuration is.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What operators are shown.
    pub(crate) fn status(&self) -> Value {
        serde_json::from_slice(&self.admin("/status").body).expect("a status")
    }

    /// The newest generation.
    pub(crate) fn generation(&self) -> u64 {
        self.status()["generation"].as_u64().expect("a number")
    }

    /// Waits until `generation` is the newest.
    pub(crate) fn await_generation(&self, generation: u64) {
        let is_there = soon(|| (self.generation() == generation).then_some(()));
        assert!(is_there.is_some(), "no {generation}: {}", self.events().join("\n"));
    }

    /// Waits until the replica by this name is as `wanted`.
    pub(crate) fn await_replica(&self, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let find = || {
            let replicas = self.status()["replicas"].as_array().cloned().unwrap_or_default();
            replicas.into_iter().find(|it| it["replica"] == name && wanted(it))
        };
        later(find).unwrap_or_else(|| panic!("{}\n{}", self.status(), self.events().join("\n")))
    }

    /// What it told, a line each.
    pub(crate) fn events(&self) -> Vec<String> {
        self.err.all()
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Writes a certificate, its key and its authority's into `folder`.
fn certify(folder: &Path) {
    let authority = Authority::new();
    let issued = authority.issue("localhost");
    for (name, pem) in [
        ("ca.pem", authority.certificate()),
        ("own.pem", issued.certificate),
        ("own.key", issued.key),
    ] {
        fs::write(folder.join(name), pem).expect("a file");
    }
}

/// An address that nobody listens at, and what says to others of us that it is taken.
fn free() -> (SocketAddr, UdpSocket) {
    let found = soon(|| {
        let any = RandomState::new().hash_one(0) % u64::from(PORTS.end - PORTS.start);
        let port = PORTS.start + u16::try_from(any).ok()?;
        let claim = UdpSocket::bind(("127.0.0.1", port)).ok()?;
        let listener = TcpListener::bind(("127.0.0.1", port)).ok()?;
        Some((listener.local_addr().ok()?, claim))
    });
    found.expect("a port")
}

/// Runs `weir control` with `arguments`, which it is expected not to take; returns what it said.
pub(crate) fn refuses(arguments: &[String]) -> String {
    let mut command = command();
    command.arg("control").args(["--control-listen=127.0.0.1:0", "--control-admin=off"]);
    let mut child = command.args(arguments).stderr(Stdio::piped()).spawn().expect("weir starts");
    if soon(|| child.try_wait().expect("its state")).is_none() {
        child.kill().expect("it ends");
        panic!("it serves for {PATIENCE:?}, though it should not");
    }
    let output = child.wait_with_output().expect("what it said");
    assert!(!output.status.success());
    String::from_utf8(output.stderr).expect("text")
}
