//! Redis and Valkey as real processes: one alone, with TLS, behind sentinels, as a cluster.

use std::fs;
use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use redis::{Parser, Pipeline, Value};
use tempfile::TempDir;

use super::soon;

/// The server that the tests run on unless they are given others. It is one program under several
/// names; by this one it comes without a service that the system starts.
pub(crate) const REDIS: &str = "redis-check-rdb";

/// How often another port is tried when somebody took the one that was free.
const STARTS_MAX: usize = 5;

/// A server. It ends when the value does.
pub(crate) struct Redis {
    child: Child,
    way: Way,
    folder: TempDir,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

/// How a server is started.
#[derive(Clone)]
struct Way {
    binary: PathBuf,
    kind: Kind,
    arguments: Vec<String>,
    /// What stands in `users.acl`, and as whom the test asks.
    users: Option<(String, [String; 2])>,
}

/// What a server is.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Kind {
    Plain,
    /// It speaks nothing but TLS, so that it cannot be asked from here.
    Tls,
    Sentinel,
}

/// A connection that waits for each answer.
pub(crate) struct Talk {
    stream: BufReader<TcpStream>,
    parser: Parser,
}

/// The servers of `WEIR_REDIS_SERVERS` (paths with `:` between them), else the usual one.
pub(crate) fn servers() -> Vec<PathBuf> {
    let named = std::env::var("WEIR_REDIS_SERVERS").unwrap_or_default();
    let named: Vec<_> =
        named.split(':').filter(|path| !path.is_empty()).map(PathBuf::from).collect();
    if named.is_empty() { vec![PathBuf::from(REDIS)] } else { named }
}

impl Redis {
    /// The usual server, alone.
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// The usual server, with more arguments.
    pub(crate) fn with(arguments: &[&str]) -> Self {
        Self::of(Path::new(REDIS), arguments)
    }

    /// The server `binary`, with more arguments.
    pub(crate) fn of(binary: &Path, arguments: &[&str]) -> Self {
        Self::launch(&Way { binary: binary.to_owned(), ..Way::new(Kind::Plain, arguments) })
    }

    /// A server with users; the test asks it as one of them, with name and password.
    pub(crate) fn with_users(users: &str, asks: [&str; 2]) -> Self {
        let users = Some((users.to_owned(), asks.map(str::to_owned)));
        Self::launch(&Way { users, ..Way::new(Kind::Plain, &[]) })
    }

    /// A server that speaks nothing but TLS.
    pub(crate) fn with_tls(arguments: &[&str]) -> Self {
        Self::launch(&Way::new(Kind::Tls, arguments))
    }

    fn launch(way: &Way) -> Self {
        for _ in 0..STARTS_MAX {
            let folder = tempfile::tempdir().expect("a folder");
            let address = free();
            let child = way.spawn(folder.path(), address);
            let mut redis = Self { child, way: way.clone(), folder, address };
            if redis.answers() {
                return redis;
            }
            let log = fs::read_to_string(redis.folder.path().join("log")).unwrap_or_default();
            assert!(log.contains("in use"), "{} does not start: {log}", way.binary.display());
        }
        panic!("no port is free for long enough");
    }

    /// Waits until it answers; `false` if it ended instead.
    fn answers(&mut self) -> bool {
        let answers = soon(|| {
            if self.child.try_wait().expect("its state").is_some() {
                return Some(false);
            }
            if self.way.kind == Kind::Tls {
                return TcpStream::connect(self.address).ok().map(|_| true);
            }
            let pong = Talk::try_to(self.address)?.try_ask(&["PING"])?;
            let loads = matches!(&pong, Value::ServerError(error) if error.code() == "LOADING");
            (!loads).then_some(true)
        });
        answers.expect("it answers or ends")
    }

    /// A connection to it, logged in if it has users.
    pub(crate) fn talk(&self) -> Talk {
        let mut talk = Talk::to(self.address);
        if let Some((_, [name, password])) = &self.way.users {
            assert_eq!(talk.ask(&["AUTH", name, password]), Value::Okay);
        }
        talk
    }

    /// Asks one thing.
    pub(crate) fn ask(&self, words: &[&str]) -> Value {
        self.talk().ask(words)
    }

    /// `host:port`.
    pub(crate) fn at(&self) -> String {
        self.address.to_string()
    }

    /// Ends it as a power failure would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it can be ended");
        self.child.wait().expect("it ends");
    }

    /// Starts it again where it was, on what it had saved, which is nothing unless told otherwise.
    pub(crate) fn restart(&mut self) {
        let started = soon(|| {
            self.child = self.way.spawn(self.folder.path(), self.address);
            self.answers().then_some(())
        });
        started.expect("it starts again");
    }

    /// Starts it again with more arguments; it may not answer yet.
    pub(crate) fn restart_unready(&mut self, arguments: &[&str]) {
        let mut way = self.way.clone();
        way.arguments.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        self.child = way.spawn(self.folder.path(), self.address);
    }

    /// Where it keeps its files.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Stops it in its tracks: it keeps its connections and says nothing.
    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        let done = Command::new("kill").args([signal, &id]).status().expect("kill runs");
        assert!(done.success());
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that nobody listens on, nor on the one that a cluster node adds to it.
fn free() -> SocketAddr {
    let free = soon(|| {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        // Cluster nodes talk to each other on the port 10000 above.
        let bus = address.port().checked_add(10_000)?;
        TcpListener::bind(("127.0.0.1", bus)).ok()?;
        Some(address)
    });
    free.expect("a free port")
}

impl Way {
    fn new(kind: Kind, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        Self { binary: PathBuf::from(REDIS), kind, arguments, users: None }
    }

    fn spawn(&self, folder: &Path, address: SocketAddr) -> Child {
        let port = address.port().to_string();
        let mut command = Command::new(&self.binary);
        if self.binary == Path::new(REDIS) {
            command.arg0("redis-server");
        }
        if self.kind == Kind::Sentinel {
            // A sentinel writes down what it learns.
            let file = folder.join("sentinel.conf");
            fs::write(&file, "").expect("a file");
            command.arg(file).arg("--sentinel");
        } else {
            command.args(["--save", "", "--appendonly", "no"]);
        }
        if self.kind == Kind::Tls {
            command.args(["--port", "0", "--tls-port", &port]);
        } else {
            command.args(["--port", &port]);
        }
        if let Some((users, _)) = &self.users {
            let file = folder.join("users.acl");
            fs::write(&file, users).expect("a file");
            command.arg("--aclfile").arg(file);
        }
        command.args(["--bind", "127.0.0.1", "--logfile", "log", "--dir"]).arg(folder);
        command.args(&self.arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap_or_else(|error| panic!("no {}: {error}", self.binary.display()))
    }
}

impl Talk {
    /// A connection to `address`.
    pub(crate) fn to(address: SocketAddr) -> Self {
        Self::try_to(address).expect("a connection")
    }

    fn try_to(address: SocketAddr) -> Option<Self> {
        let stream = TcpStream::connect(address).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
        stream.set_nodelay(true).ok()?;
        Some(Self { stream: BufReader::new(stream), parser: Parser::new() })
    }

    /// Asks one thing.
    pub(crate) fn ask(&mut self, words: &[&str]) -> Value {
        self.try_ask(words).expect("an answer")
    }

    fn try_ask(&mut self, words: &[&str]) -> Option<Value> {
        let mut pipeline = Pipeline::new();
        pipeline.cmd(words.first()?).arg(words.get(1..)?);
        self.send(&pipeline, 1)?.pop()
    }

    /// Sends all of `pipeline` at once; returns its `answers`.
    pub(crate) fn send(&mut self, pipeline: &Pipeline, answers: usize) -> Option<Vec<Value>> {
        self.stream.get_mut().write_all(&pipeline.get_packed_pipeline()).ok()?;
        (0..answers).map(|_| self.parser.parse_value(&mut self.stream).ok()).collect()
    }
}

/// A Redis Cluster of three primaries.
pub(crate) struct Cluster {
    /// Its nodes; each serves a third of the slots.
    pub(crate) nodes: Vec<Redis>,
}

/// Where the thirds of the slots end.
const THIRDS: [(u16, u16); 3] = [(0, 5_460), (5_461, 10_922), (10_923, 16_383)];

impl Cluster {
    /// Three nodes of `binary`, once all of them say that the cluster is whole.
    pub(crate) fn of(binary: &Path) -> Self {
        let arguments = [
            "--cluster-enabled",
            "yes",
            "--cluster-config-file",
            "nodes.conf",
            "--cluster-node-timeout",
            "2000",
        ];
        let nodes: Vec<_> = THIRDS.iter().map(|_| Redis::of(binary, &arguments)).collect();
        for (number, (node, (first, last))) in (1..).zip(nodes.iter().zip(THIRDS)) {
            let epoch: u32 = number;
            let words = ["CLUSTER", "ADDSLOTSRANGE", &first.to_string(), &last.to_string()];
            assert_eq!(node.ask(&words), Value::Okay);
            node.ask(&["CLUSTER", "SET-CONFIG-EPOCH", &epoch.to_string()]);
        }
        for node in &nodes[1..] {
            let port = nodes[0].address.port().to_string();
            assert_eq!(node.ask(&["CLUSTER", "MEET", "127.0.0.1", &port]), Value::Okay);
        }
        let whole = in_time(|| nodes.iter().all(is_whole).then_some(()));
        whole.expect("a cluster");
        Self { nodes }
    }

    /// The node that serves `slot`.
    pub(crate) fn node_of(&self, slot: u16) -> &Redis {
        let at = THIRDS.iter().position(|(first, last)| (first..=last).contains(&&slot));
        &self.nodes[at.expect("a slot")]
    }
}

fn is_whole(node: &Redis) -> bool {
    let info = text(&node.ask(&["CLUSTER", "INFO"]));
    info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3")
}

/// A primary, its replica, and three sentinels that watch them.
pub(crate) struct Watched {
    /// The first primary.
    pub(crate) primary: Redis,
    /// Who takes over.
    pub(crate) replica: Redis,
    /// The sentinels.
    pub(crate) sentinels: Vec<Redis>,
}

impl Watched {
    /// What the sentinels call the primary.
    pub(crate) const NAME: &str = "counters";

    /// All of them, once the sentinels know the replica and each other.
    pub(crate) fn start() -> Self {
        // By default a primary waits for more replicas before it serves the first.
        let at_once = ["--repl-diskless-sync-delay", "0"];
        let primary = Redis::with(&at_once);
        let port = primary.address.port().to_string();
        let replica = Redis::with(&[&at_once[..], &["--replicaof", "127.0.0.1", &port]].concat());
        let online = soon(|| {
            text(&primary.ask(&["INFO", "replication"])).contains("state=online").then_some(())
        });
        online.expect("a replica");
        let sentinels: Vec<_> = (0..3).map(|_| sentinel(&port)).collect();
        let ready = in_time(|| sentinels.iter().all(sees_all).then_some(()));
        ready.expect("sentinels");
        Self { primary, replica, sentinels }
    }
}

fn sentinel(port: &str) -> Redis {
    let redis = Redis::launch(&Way::new(Kind::Sentinel, &[]));
    let name = Watched::NAME;
    let words = ["SENTINEL", "MONITOR", name, "127.0.0.1", port, "2"];
    assert_eq!(redis.ask(&words), Value::Okay);
    let times = ["down-after-milliseconds", "500", "failover-timeout", "2000"];
    let words = ["SENTINEL", "SET", name];
    assert_eq!(redis.ask(&[&words[..], &times[..]].concat()), Value::Okay);
    redis
}

fn sees_all(sentinel: &Redis) -> bool {
    let quorum = text(&sentinel.ask(&["SENTINEL", "CKQUORUM", Watched::NAME]));
    let replicas = sentinel.ask(&["SENTINEL", "REPLICAS", Watched::NAME]);
    quorum.starts_with("OK 3") && matches!(replicas, Value::Array(replicas) if !replicas.is_empty())
}

/// Asks `what` again and again: several servers that get to know each other take their time.
fn in_time<T>(mut what: impl FnMut() -> Option<T>) -> Option<T> {
    soon(&mut what).or_else(|| soon(&mut what)).or_else(|| soon(&mut what))
}

/// What an answer says, as text.
pub(crate) fn text(value: &Value) -> String {
    if let Value::BulkString(bytes) = value {
        String::from_utf8_lossy(bytes).into_owned()
    } else if let Value::SimpleString(text) = value {
        text.clone()
    } else {
        format!("{value:?}")
    }
}
