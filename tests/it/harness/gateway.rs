//! The real program as a process: started with a folder, listened to, ended by its id.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;

use super::client::{Answer, Client, Request};
use super::network;
use super::site::Site;
use super::soon;

/// The program.
pub(crate) const WEIR: &str = env!("CARGO_BIN_EXE_weir");

/// A gateway that serves. It ends when the value does.
pub(crate) struct Gateway {
    child: Child,
    site: Site,
    out: Lines,
    err: Lines,
    /// Where it takes HTTP.
    pub(crate) http: SocketAddr,
    /// Where it takes HTTPS, if it does.
    pub(crate) https: Option<SocketAddr>,
    /// Where operators ask.
    pub(crate) admin: SocketAddr,
}

/// What a process writes, line by line as it comes.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    pub(crate) fn follow(&self, stream: impl Read + Send + 'static) {
        let lines = self.clone();
        thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                lines.0.lock().expect("the lines").push(line);
            }
        });
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().expect("the lines").clone()
    }
}

/// Runs the program with `arguments` to its end.
pub(crate) fn weir(arguments: &[&str]) -> Output {
    command().args(arguments).output().expect("weir runs")
}

pub(crate) fn command() -> Command {
    let mut command = Command::new(WEIR);
    command.env_clear().stdin(Stdio::null());
    command
}

/// `weir run` over `site`, on ports that are free.
fn run(site: &Site) -> Command {
    let mut command = match &site.namespace {
        None => command(),
        Some(namespace) => network::command_in(namespace, WEIR),
    };
    command.arg("run").arg(format!("--configuration-folder={}", site.path().display()));
    let usual = [
        ("listen-http", "127.0.0.1:0"),
        ("listen-admin", "127.0.0.1:0"),
        ("configuration-poll-interval", "100ms"),
        ("threads", "2"),
        ("log-format", "json"),
        ("log-access", "all"),
    ];
    for (name, value) in usual {
        if site.settings.iter().all(|(set, _)| set != name) {
            command.arg(format!("--{name}={value}"));
        }
    }
    for (name, value) in &site.settings {
        command.arg(format!("--{name}={value}"));
    }
    command.envs(site.variables.iter().map(|(name, value)| (name, value)));
    command
}

/// Starts a gateway that is expected to give up; returns what it said.
pub(crate) fn refuses(write: impl FnOnce(&mut Site)) -> Output {
    let mut site = Site::new();
    write(&mut site);
    refuses_over(&site)
}

/// The same over `site`.
pub(crate) fn refuses_over(site: &Site) -> Output {
    let mut child =
        run(site).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("weir starts");
    if soon(|| child.try_wait().expect("its state")).is_none() {
        child.kill().expect("it ends");
        panic!("the gateway serves, though it should not");
    }
    child.wait_with_output().expect("what it said")
}

impl Gateway {
    /// Starts a gateway over the folder and the settings that `write` makes; returns once it is
    /// ready.
    pub(crate) fn start(write: impl FnOnce(&mut Site)) -> Self {
        let mut site = Site::new();
        write(&mut site);
        Self::over(site)
    }

    /// Starts a gateway over `site`; returns once it is ready.
    pub(crate) fn over(site: Site) -> Self {
        let gateway = Self::listening(site);
        // Who is told where it listens may connect at once; with an etcd the configuration may
        // come from another gateway.
        let is_ready = || (gateway.admin("/readyz").status == 200).then_some(());
        let waits = gateway.site.settings.iter().any(|(flag, _)| flag == "etcd-endpoints");
        let ready = if waits { soon(is_ready) } else { is_ready() };
        assert!(ready.is_some(), "not ready: {}", gateway.events().join("\n"));
        gateway
    }

    /// Starts a gateway over `site`, which need not be ready soon.
    pub(crate) fn listening(site: Site) -> Self {
        let mut child =
            run(&site).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("weir starts");
        let (out, err) = (Lines::default(), Lines::default());
        out.follow(child.stdout.take().expect("its output"));
        err.follow(child.stderr.take().expect("its errors"));
        let start = soon(|| {
            let told = err.all().iter().find_map(|line| serves(line));
            told.map(Ok).or_else(|| child.try_wait().expect("its state").map(Err))
        });
        let [http, https, admin] = match start {
            Some(Ok(addresses)) => addresses,
            ended => {
                // It may be gone already.
                let _ = child.kill();
                let _ = child.wait();
                panic!("no start ({ended:?}): {}", err.all().join("\n"));
            }
        };
        Self {
            child,
            site,
            out,
            err,
            http: http.expect("it listens"),
            https,
            admin: admin.expect("it is administered"),
        }
    }

    /// A connection to the gateway.
    pub(crate) fn client(&self) -> Client {
        Client::connect(self.http)
    }

    /// Asks on a connection of its own.
    pub(crate) fn ask(&self, request: &Request) -> Answer {
        self.client().ask(request)
    }

    /// GETs on a connection of its own.
    pub(crate) fn get(&self, target: &str) -> Answer {
        self.ask(&Request::get(target))
    }

    /// GETs from the admin listener.
    pub(crate) fn admin(&self, target: &str) -> Answer {
        Client::connect(self.admin).ask(&Request::get(target).host("localhost"))
    }

    /// The status that the admin listener shows.
    pub(crate) fn status(&self) -> Value {
        serde_json::from_slice(&self.admin("/status").body).expect("a status")
    }

    /// The generation of the configuration that runs.
    pub(crate) fn generation(&self) -> u64 {
        self.status()["configuration"]["generation"].as_u64().expect("a generation")
    }

    /// Waits until a later generation than `generation` runs.
    pub(crate) fn later_than(&self, generation: u64) -> u64 {
        soon(|| Some(self.generation()).filter(|now| generation < *now)).unwrap_or_else(|| {
            panic!("still generation {generation}: {}", self.events().join("\n"))
        })
    }

    /// Its configuration folder.
    pub(crate) fn folder(&self) -> &Path {
        self.site.path()
    }

    /// The events that it told, a line each.
    pub(crate) fn events(&self) -> Vec<String> {
        self.err.all()
    }

    /// Waits for an event with `text` in it.
    pub(crate) fn event(&self, text: &str) -> String {
        let find = || self.events().into_iter().find(|line| line.contains(text));
        soon(find).unwrap_or_else(|| panic!("no `{text}` in: {}", self.events().join("\n")))
    }

    /// Waits for the record of the exchange whose URL ends with `path`.
    pub(crate) fn record(&self, path: &str) -> Value {
        let find = || self.records().into_iter().find(|line| is_of(line, path));
        soon(find).unwrap_or_else(|| panic!("no record of {path}: {}", self.out.all().join("\n")))
    }

    /// The records so far.
    pub(crate) fn records(&self) -> Vec<Value> {
        self.out.all().iter().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Memory that it holds now, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        self.of_proc("VmRSS:")
    }

    /// The most memory that it ever held, in bytes.
    pub(crate) fn memory_peak(&self) -> u64 {
        self.of_proc("VmHWM:")
    }

    fn of_proc(&self, key: &str) -> u64 {
        let text =
            fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("a process");
        let line = text.lines().find_map(|line| line.strip_prefix(key)).expect("the line");
        let number = line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number");
        number * 1024
    }

    /// Sends a signal: `TERM`, `INT`, `HUP`.
    pub(crate) fn signal(&self, name: &str) {
        let line = format!("kill -{name} {}", self.child.id());
        let sent = Command::new("sh").args(["-c", &line]).status().expect("a shell");
        assert!(sent.success(), "{line}");
    }

    /// Ends it without a warning; returns what it was started with, for another one.
    pub(crate) fn leave(mut self) -> Site {
        self.child.kill().expect("it ends");
        self.child.wait().expect("its end");
        std::mem::replace(&mut self.site, Site::new())
    }

    /// Waits for its end.
    pub(crate) fn end(&mut self) -> ExitStatus {
        let ended = soon(|| self.child.try_wait().expect("its state"));
        ended.unwrap_or_else(|| panic!("it does not end: {}", self.events().join("\n")))
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn is_of(record: &Value, path: &str) -> bool {
    record["url"].as_str().is_some_and(|url| url.ends_with(path))
}

/// The addresses in the line that a gateway begins with.
fn serves(line: &str) -> Option<[Option<SocketAddr>; 3]> {
    let event: Value = serde_json::from_str(line).ok()?;
    if event["message"] != "weir serves" {
        return None;
    }
    let address = |name: &str| event[name].as_str().and_then(|text| text.parse().ok());
    Some(["http", "https", "admin"].map(address))
}
