//! A control plane that offers whatever it is given, to anybody: what no real one would send.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use tokio::sync::watch;
use tonic::transport::Server;
use weir::configuration::bundle::{Bundle, Entry, Kind};
use weir::configuration::generation::Generation;
use weir::control::authority::{Authority, Bearer, Refused, Shown};
use weir::control::board::Board;
use weir::control::fleet::{Fleet, Replica};
use weir::control::service::{Served, Service};
use weir::rpc::door::incoming;
use weir::rpc::v2::configuration_service_server::ConfigurationServiceServer;
use weir::time::{SystemClock, Timestamp};

use super::control::later;
use super::replica::runtime;
use super::site::{Site, open_api};

/// A token whose time was over long ago: here nobody asks.
pub(crate) const EXPIRED: &str = "GatewayKey north&202001011200&\
    AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw==";
/// Another one.
pub(crate) const RENEWED: &str = "GatewayKey north&209901011200&\
    AQECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw==";

/// A control plane in this process. It ends when the value does.
pub(crate) struct Careless {
    address: SocketAddr,
    board: Arc<Board>,
    fleet: Arc<Fleet>,
    stop: watch::Sender<bool>,
    serves: Option<JoinHandle<()>>,
}

/// Where a control plane was.
pub(crate) struct Away(SocketAddr);

impl Away {
    /// Another one there, which knows nothing of the one before.
    pub(crate) fn back(self) -> Careless {
        Careless::at(self.0)
    }
}

/// Takes everybody for the gateway `north`.
struct Anybody;

impl Authority for Anybody {
    fn bearer(&self, shown: Shown<'_>, _now: Timestamp) -> Result<Bearer, Refused> {
        let until = Timestamp::from_micros(u64::MAX / 2);
        Ok(Bearer { gateway: Arc::from("north"), until, id: Arc::from(shown.credential) })
    }

    fn changes(&self) -> u64 {
        0
    }
}

impl Careless {
    /// One that has nothing to offer yet.
    pub(crate) fn start() -> Self {
        Self::at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
    }

    /// Another one in its place, which knows nothing of this one.
    pub(crate) fn replaced(self) -> Self {
        self.away().back()
    }

    /// Ends it.
    pub(crate) fn away(mut self) -> Away {
        self.end();
        Away(self.address)
    }

    fn at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).expect("a port");
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("an address");
        let (board, fleet) = (Arc::<Board>::default(), Arc::<Fleet>::default());
        let (stop, mut stopped) = watch::channel(false);
        let clock = Arc::new(SystemClock::start());
        let (shown, known) = (Arc::clone(&board), Arc::clone(&fleet));
        let serves = thread::spawn(move || {
            runtime().block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a socket");
                let (connections, accept) = incoming(listener, None);
                let accepts = tokio::spawn(accept);
                let service = Service::new(shown, Arc::new(Anybody), known, clock, stopped.clone());
                let service = ConfigurationServiceServer::new(Served(Arc::new(service)));
                let server =
                    Server::builder().add_service(service).serve_with_incoming(connections);
                tokio::select! {
                    ended = server => ended.expect("it serves"),
                    _ = stopped.wait_for(|stop| *stop) => (),
                }
                accepts.abort();
            });
        });
        Self { address, board, fleet, stop, serves: Some(serves) }
    }

    fn end(&mut self) {
        self.stop.send_replace(true);
        if let Some(serves) = self.serves.take() {
            serves.join().expect("it ends");
        }
    }

    /// Has `site` get its configuration from here.
    pub(crate) fn configure(&self, site: &mut Site, replica: &str) {
        site.set("control-endpoint", &format!("http://{}", self.address));
        site.set("replica-name", replica);
    }

    /// Offers an API at `/echo` with this policy document.
    pub(crate) fn offer(&self, number: u64, policy: &str) {
        let api = open_api("echo", "http://127.0.0.1:1", "policy.xml");
        let entry = |kind, name: &str, text: &str| {
            Arc::new(Entry::new(kind, Arc::from(name), Arc::from(text)))
        };
        let entries =
            [entry(Kind::Document, "api.yaml", &api), entry(Kind::Policy, "policy.xml", policy)];
        let bundle = Arc::new(Bundle::of(entries).expect("a bundle"));
        self.board.publish(generation(number), bundle);
    }

    /// Waits until exactly one replica has a stream, and is as `wanted`.
    pub(crate) fn await_stream(&self, wanted: impl Fn(&str, &Replica) -> bool) -> String {
        let only = || {
            let replicas = self.fleet.replicas().into_iter();
            let here: Vec<_> = replicas.filter(|(_name, replica)| replica.is_connected).collect();
            let [(name, replica)] = &here[..] else { return None };
            wanted(&name.1, replica).then(|| name.1.to_string())
        };
        later(only).unwrap_or_else(|| panic!("{:?}", self.fleet.replicas()))
    }
}

/// A generation of its history.
pub(crate) const fn generation(number: u64) -> Generation {
    Generation { history: 1, number }
}

impl Drop for Careless {
    fn drop(&mut self) {
        self.end();
    }
}
