//! Gateways that share limits, clients that load them, and the backend's log: what was admitted is
//! judged from that.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use weir::time::{Clock, Timestamp};

use super::replica::{Judged, clock};
use super::{Backend, Client, Gateway, Policies, Request, Site, reply, soon};

/// Gateways that share limits.
pub(crate) struct Fleet {
    /// The gateways.
    pub(crate) gateways: Vec<Gateway>,
    log: Arc<Log>,
    _backend: Backend,
}

/// What the backend got.
struct Log {
    clock: Arc<dyn Clock>,
    /// Of which API, when its client sent it, and when the backend got it.
    entries: Mutex<Vec<(String, Judged)>>,
}

/// Load on one API: from one client for each gateway.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    /// The API.
    pub(crate) api: &'static str,
    /// When the next request is due.
    pub(crate) pace: Pace,
}

/// When a client's next request is due.
#[derive(Clone, Copy)]
pub(crate) enum Pace {
    /// So long after the last answer.
    Closed(Duration),
    /// So long after the last request was due, whatever became of it.
    Open(Duration),
}

/// What clients were told.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) admitted: usize,
    pub(crate) refused: usize,
    /// Other statuses.
    pub(crate) others: Vec<u16>,
}

/// The field in which clients say when they sent a request, in microseconds since the epoch.
const SENT: &str = "X-Sent";

/// This machine, as gateways see it that run on it.
pub(crate) const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

impl Fleet {
    /// So many gateways with `apis`, each an id and its inbound policies, and with what `settle`
    /// adds for the gateway of that number, which says where that gateway finds backends; once all
    /// know of each other.
    pub(crate) fn start(
        count: usize,
        apis: &[(&str, String)],
        settle: impl Fn(usize, &mut Site) -> IpAddr,
    ) -> Self {
        let log = Arc::new(Log { clock: clock(), entries: Mutex::default() });
        let kept = Arc::clone(&log);
        let backend = Backend::reached_from_anywhere(move |seen| {
            let after = kept.clock.now();
            let sent =
                seen.field(SENT).and_then(|text| text.parse().ok()).expect("when it was sent");
            let before = Timestamp::from_micros(sent);
            let api = seen.target.split('/').nth(1).expect("an API").to_owned();
            let judged = Judged { before, after, admitted: Some(true) };
            kept.entries.lock().expect("the log").push((api, judged));
            reply(200, &[], "ok")
        });
        let gateway = |number: usize| {
            Gateway::start(|site| {
                let backends = settle(number, site);
                for (api, inbound) in apis {
                    let service = format!("http://{backends}:{}/{api}", backend.port());
                    site.open_api(api, &service, Policies { inbound, ..Policies::default() });
                }
                site.set("replica-name", &format!("gateway-{number}"));
                site.set("replica-expected", &count.to_string());
            })
        };
        let gateways: Vec<_> = (0..count).map(gateway).collect();
        let fleet = Self { gateways, log, _backend: backend };
        fleet.await_all_in_touch();
        fleet
    }

    /// Waits until all gateways are in touch and know of each other.
    pub(crate) fn await_all_in_touch(&self) {
        for gateway in &self.gateways {
            let all = soon(|| (members(gateway) == Some(self.gateways.len())).then_some(()));
            assert!(all.is_some(), "no fleet: {}", gateway.admin("/status").text());
        }
    }

    /// What the time is, as the log has it.
    pub(crate) fn now(&self) -> Timestamp {
        self.log.clock.now()
    }

    /// What the backend got of `api` so far, in the order in which it was sent.
    pub(crate) fn admitted(&self, api: &str) -> Vec<Judged> {
        let entries = self.log.entries.lock().expect("the log");
        let of = entries.iter().filter(|(of, _)| of == api).map(|(_, judged)| *judged);
        let mut judged: Vec<_> = of.collect();
        judged.sort_by_key(|judged| judged.before);
        judged
    }

    /// How much of `api` the backend got of what was sent since then.
    pub(crate) fn admitted_since(&self, api: &str, since: Timestamp) -> usize {
        self.admitted(api).iter().filter(|judged| since <= judged.before).count()
    }

    /// Lets clients of every gateway ask for `lasts`, does `meanwhile` in the middle, and gives
    /// back what the clients of each load were told.
    pub(crate) fn under<const N: usize>(
        &mut self,
        loads: [Load; N],
        lasts: Duration,
        meanwhile: impl FnOnce(&mut Self),
    ) -> [Told; N] {
        let stop = Arc::new(AtomicBool::new(false));
        let addresses: Vec<_> = self.gateways.iter().map(|gateway| gateway.http).collect();
        let clients = loads.map(|load| {
            let client = |address: &SocketAddr| self.client(load, *address, Arc::clone(&stop));
            addresses.iter().map(client).collect::<Vec<_>>()
        });
        thread::sleep(lasts / 2);
        meanwhile(self);
        thread::sleep(lasts / 2);
        stop.store(true, Ordering::Relaxed);
        clients.map(|clients| {
            let told = clients.into_iter().map(|client| client.join().expect("a client"));
            told.reduce(Told::and).expect("a client")
        })
    }

    /// Asks every gateway once, whatever it says.
    pub(crate) fn ask_all(&self, api: &str) {
        for gateway in &self.gateways {
            let request = Request::get(&format!("/{api}/x"));
            gateway.ask(&request.field(SENT, &self.now().micros().to_string()));
        }
    }

    fn client(&self, load: Load, address: SocketAddr, stop: Arc<AtomicBool>) -> JoinHandle<Told> {
        let clock = Arc::clone(&self.log.clock);
        thread::spawn(move || {
            let (mut told, mut client, mut due) = (Told::default(), None, clock.now());
            while !stop.load(Ordering::Relaxed) {
                let request = Request::get(&format!("/{}/x", load.api));
                let request = request.field(SENT, &clock.now().micros().to_string());
                match ask(&mut client, address, &request) {
                    Some(200) => told.admitted += 1,
                    Some(403 | 429) => told.refused += 1,
                    Some(other) => told.others.push(other),
                    // It was killed.
                    None => client = None,
                }
                due = match load.pace {
                    Pace::Closed(pause) => clock.now() + pause,
                    Pace::Open(every) => due + every,
                };
                thread::sleep(due.since(clock.now()));
            }
            told
        })
    }
}

/// Asks over the connection that there is, or a new one; none if the gateway is gone.
fn ask(client: &mut Option<Client>, address: SocketAddr, request: &Request) -> Option<u16> {
    if client.is_none() {
        *client = Client::try_connect(address);
    }
    let client = client.as_mut()?;
    let answer = client.offer(request.bytes()).then(|| client.try_answer()).flatten();
    answer.map(|answer| answer.status)
}

impl Told {
    fn and(mut self, other: Self) -> Self {
        self.admitted += other.admitted;
        self.refused += other.refused;
        self.others.extend(other.others);
        self
    }
}

/// A figure of what the gateway did over Redis: `fromShare` is what it admitted out of touch,
/// `timedOut` how often an answer came too late.
pub(crate) fn shared(gateway: &Gateway, figure: &str) -> u64 {
    gateway.status()["counters"]["shared"][figure].as_u64().expect("a number")
}

/// The state of the gateway's link to Redis.
pub(crate) fn state(gateway: &Gateway) -> String {
    let status = gateway.status();
    status["counters"]["shared"]["lanes"][0]["state"].as_str().unwrap_or_default().to_owned()
}

/// How many gateways this one knows of, if it is in touch.
pub(crate) fn members(gateway: &Gateway) -> Option<usize> {
    let status = gateway.status();
    let lane = &status["counters"]["shared"]["lanes"][0];
    let members = lane["replicas"].as_u64().and_then(|members| usize::try_from(members).ok());
    members.filter(|_| lane["state"] == "in-touch")
}
