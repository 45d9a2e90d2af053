//! Gateways that share limits over one Redis, and a backend that writes down what it got.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::bench::Setting;
use crate::client::{Connection, Request};
use crate::clock::{Dates, Deadline};
use crate::comparison::peer::{traefik, traefik_with_limit};
use crate::contestant::{
    Addresses, Site, filled, free_addresses, nginx_with_lua, weir, with_limit,
};
use crate::detour::Detour;
use crate::every_manner;
use crate::failure::{Failure, during};
use crate::manner::Manner;
use crate::network::Island;
use crate::process::Process;
use crate::programs::{Places, Program, Programs};
use crate::redis::{PRIMARY, Redis, Watched};
use crate::weather::Weather;
use crate::witness::Witness;

/// How long gateways may take until all know of each other.
const START_TIME: Duration = Duration::from_secs(30);

/// How often they are asked.
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// Who limits.
#[derive(Clone, Copy, Debug, Eq, PartialEq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// Weir.
    Weir,
    /// nginx that counts in Redis.
    NginxRedis,
    /// Traefik that counts in Redis.
    Traefik,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Weir => "weir",
            Self::NginxRedis => "nginx-redis",
            Self::Traefik => "traefik",
        })
    }
}

/// The limits.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub(crate) struct Terms {
    /// What `rate` and `few` admit each ...
    pub(crate) calls: u64,
    /// ... in so many seconds.
    pub(crate) period_seconds: u64,
    /// What `quota` admits in all.
    pub(crate) quota: u64,
    /// How they are held.
    pub(crate) manner: Manner,
}

/// What a fleet is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Who limits.
    pub(crate) kind: Kind,
    /// How many of them.
    pub(crate) gateways: u32,
    /// The limits.
    pub(crate) terms: Terms,
    /// Whether the first one is in a network of its own.
    pub(crate) island: bool,
    /// Whether sentinels watch Redis.
    pub(crate) watched: bool,
    /// Whether the way to Redis leads over a detour.
    pub(crate) detour: bool,
    /// Which limits they have.
    pub(crate) limits: Limits,
}

/// Which limits the gateways of a fleet have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Limits {
    /// Those of `scenarios/shared`, all held in one manner.
    OneManner,
    /// Two of each manner, in two sizes.
    EveryManner,
}

/// Where the counters are.
#[derive(Debug)]
pub(crate) enum Counters {
    /// In one Redis.
    Alone(Redis),
    /// In one that has a replica.
    Watched(Box<Watched>),
}

/// One gateway.
#[derive(Debug)]
pub(crate) struct Gateway {
    /// Its process.
    pub(crate) process: Process,
    /// Where clients find it.
    pub(crate) address: SocketAddr,
    admin: SocketAddr,
}

/// Gateways and everything around them. All of it ends with the value, gateways first.
#[derive(Debug)]
pub(crate) struct Fleet {
    /// The gateways.
    pub(crate) gateways: Vec<Gateway>,
    /// Where their counters are.
    pub(crate) counters: Counters,
    /// The network of the first one.
    pub(crate) island: Option<Island>,
    /// The way to Redis.
    pub(crate) detour: Option<Detour>,
    /// The backend.
    pub(crate) witness: Witness,
    /// By which dates everything is told.
    pub(crate) dates: Dates,
    kind: Kind,
    directory: TempDir,
}

/// The programs that fleets are made of.
pub(crate) fn programs(setting: &Setting, plans: &[Plan]) -> Result<Programs, Failure> {
    let mut needed = [Program::Weir, Program::Setpriv, Program::Redis].into();
    for plan in plans {
        add(&mut needed, plan);
    }
    Programs::gather(&needed, &setting.named, &setting.places)
}

fn add(needed: &mut std::collections::BTreeSet<Program>, plan: &Plan) {
    match plan.kind {
        Kind::Weir => {}
        Kind::NginxRedis => drop(needed.insert(Program::NginxLua)),
        Kind::Traefik => drop(needed.insert(Program::Traefik)),
    }
    if plan.island {
        needed.insert(Program::Ip);
    }
}

impl Plan {
    /// Gateways of Weir with what `weather` needs.
    pub(crate) fn new(gateways: u32, terms: Terms, weather: Weather) -> Self {
        Self {
            kind: Kind::Weir,
            gateways,
            terms,
            island: weather == Weather::GatewayCutOff,
            watched: weather == Weather::RedisReplaced,
            detour: weather == Weather::RedisFar,
            limits: Limits::OneManner,
        }
    }
}

impl Fleet {
    /// Starts everything; returns once all gateways are in touch and know of each other.
    pub(crate) fn start(
        setting: &Setting,
        programs: &Programs,
        plan: &Plan,
    ) -> Result<Self, Failure> {
        setting.cores.settle()?;
        let directory = TempDir::with_prefix("weir-loadtest-")
            .map_err(during("making a temporary directory"))?;
        let folder = directory.path();
        let dates = Dates::begin();
        let witness = Witness::start(dates)?;
        let island = plan.island.then(|| Island::new(programs)).transpose()?;
        let counters = if plan.watched {
            Counters::Watched(Box::new(Watched::start(programs, folder)?))
        } else {
            let also = island.as_ref().map(Island::redis);
            Counters::Alone(Redis::start(programs, folder, also)?)
        };
        let primary = counters.primary().address;
        let detour = plan.detour.then(|| Detour::to(primary)).transpose()?;
        let mut fleet = Self {
            gateways: Vec::new(),
            counters,
            island,
            detour,
            witness,
            dates,
            kind: plan.kind,
            directory,
        };
        for number in 0..plan.gateways {
            let folder = fleet.directory.path().join(format!("gateway-{number}"));
            std::fs::create_dir(&folder).map_err(during("making a folder"))?;
            let gateway = fleet.gateway(setting, programs, plan, (number, &folder))?;
            fleet.gateways.push(gateway);
        }
        fleet.await_all()?;
        Ok(fleet)
    }

    fn gateway(
        &self,
        setting: &Setting,
        programs: &Programs,
        plan: &Plan,
        (number, folder): (u32, &Path),
    ) -> Result<Gateway, Failure> {
        let island = self.island.as_ref().filter(|_| number == 0);
        let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let [mut address, mut admin] = free_addresses()?;
        let mut redis =
            self.detour.as_ref().map_or(self.counters.primary().address, Detour::address);
        let mut backends = here;
        if let Some(island) = island {
            address.set_ip(island.listens());
            admin.set_ip(island.listens());
            redis.set_ip(island.redis());
            backends = island.backends();
        }
        let upstream = SocketAddr::new(backends, self.witness.port());
        let addresses = Addresses { listen: address, admin, upstream, redis: Some(redis) };
        let invocation = match plan.kind {
            Kind::Weir => {
                let mut flags = match &self.counters {
                    Counters::Alone(_) => vec![("--redis-url", format!("redis://{redis}"))],
                    Counters::Watched(watched) => vec![
                        ("--redis-sentinels", watched.places()),
                        ("--redis-primary", PRIMARY.to_owned()),
                    ],
                };
                flags.push(("--replica-name", format!("gateway-{number}")));
                flags.push(("--replica-expected", plan.gateways.to_string()));
                let fill = plan.terms.fill();
                let site = if plan.limits == Limits::EveryManner {
                    Site { flags, ..every_manner::site(plan.terms, upstream) }
                } else {
                    Site { fill, flags, ..Site::of("shared") }
                };
                let program = programs.invocation(Program::Weir)?;
                weir(program, &site, &setting.places, (folder, addresses))?
            }
            Kind::NginxRedis => {
                let program = programs.invocation(Program::NginxLua)?;
                let text = peer(&plan.terms, &setting.places, folder, addresses);
                nginx_with_lua(program, &setting.places, folder, &text)?
            }
            Kind::Traefik => {
                let limit = (plan.terms.calls, plan.terms.period_seconds);
                let text = traefik_with_limit(limit, folder, addresses);
                let file = folder.join("traefik.yaml");
                std::fs::write(&file, text).map_err(during("writing traefik.yaml"))?;
                traefik(programs.invocation(Program::Traefik)?, address, &file)
            }
        };
        let invocation = match island {
            Some(island) => island.around(invocation),
            None => invocation,
        };
        let name = format!("gateway {number}");
        let process = Process::start(&name, invocation, setting.cores, &folder.join("log"))?;
        Ok(Gateway { process, address, admin })
    }

    /// Waits until all gateways serve, are in touch and know of each other.
    pub(crate) fn await_all(&mut self) -> Result<(), Failure> {
        let deadline = Deadline::after(START_TIME);
        let count = self.gateways.len();
        while !self.gateways.iter().all(|gateway| gateway.serves(self.kind, count)) {
            for gateway in &mut self.gateways {
                if deadline.has_passed() || gateway.process.has_ended()?.is_some() {
                    return Err(Failure::NotServing {
                        name: "a gateway of the fleet".to_owned(),
                        seconds: START_TIME.as_secs(),
                        last: gateway.status().map_or("no status".to_owned(), |s| s.to_string()),
                        said: gateway.process.said_last(),
                    });
                }
            }
            Deadline::pause(ASK_AGAIN);
        }
        Ok(())
    }

    /// Where operators find them.
    pub(crate) fn admins(&self) -> Vec<SocketAddr> {
        let weir = self.gateways.iter().filter(|_| self.kind == Kind::Weir);
        weir.map(|gateway| gateway.admin).collect()
    }

    /// Where clients find the gateways.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.gateways.iter().map(|gateway| gateway.address).collect()
    }

    /// Whether all of them are in touch.
    pub(crate) fn all_in_touch(&self) -> bool {
        self.gateways.iter().all(|gateway| gateway.members().is_some())
    }
}

impl Counters {
    /// The first primary.
    pub(crate) fn primary(&self) -> &Redis {
        match self {
            Self::Alone(redis) => redis,
            Self::Watched(watched) => &watched.primary,
        }
    }

    /// The same, to be killed.
    pub(crate) fn primary_mut(&mut self) -> &mut Redis {
        match self {
            Self::Alone(redis) => redis,
            Self::Watched(watched) => &mut watched.primary,
        }
    }
}

impl Gateway {
    fn serves(&self, kind: Kind, count: usize) -> bool {
        match kind {
            Kind::Weir => self.members() == u64::try_from(count).ok(),
            Kind::NginxRedis => Connection::open(self.address).is_ok(),
            // It listens before it knows what to serve.
            Kind::Traefik => {
                let asked = Connection::open(self.address);
                let request = Request { path: "/warm/x", header: None };
                asked
                    .and_then(|mut connection| connection.ask(request))
                    .is_ok_and(|a| a.status == 200)
            }
        }
    }

    /// How many gateways it knows of, if it is in touch.
    fn members(&self) -> Option<u64> {
        let status = self.status()?;
        let lane = status.pointer("/counters/shared/lanes/0")?;
        let in_touch = lane.get("state")?.as_str()? == "in-touch";
        lane.get("replicas")?.as_u64().filter(|_| in_touch)
    }

    /// Whether it is in touch for less than `time`.
    pub(crate) fn lost_touch_within(&self, time: Duration) -> bool {
        let counters = self.counters();
        let since = counters.as_ref().and_then(|all| all.pointer("/lanes/0/forSeconds")?.as_u64());
        since.is_some_and(|seconds| seconds < time.as_secs())
    }

    /// What it did over Redis so far.
    pub(crate) fn shared(&self, figure: &str) -> u64 {
        let counters = self.counters();
        counters.and_then(|counters| counters.get(figure)?.as_u64()).unwrap_or(0)
    }

    /// Everything that it says of its shared counters.
    pub(crate) fn counters(&self) -> Option<Value> {
        self.status()?.pointer("/counters/shared").cloned()
    }

    fn status(&self) -> Option<Value> {
        let mut connection = Connection::open(self.admin).ok()?;
        let answer = connection.ask(Request { path: "/status", header: None }).ok()?;
        serde_json::from_str(&answer.body).ok()
    }
}

impl Terms {
    fn fill(&self) -> Vec<(&'static str, String)> {
        vec![
            ("{{calls}}", self.calls.to_string()),
            ("{{period}}", self.period_seconds.to_string()),
            ("{{quota}}", self.quota.to_string()),
            ("{{manner}}", self.manner.of_rate()),
            ("{{quota_manner}}", self.manner.of_quota()),
        ]
    }
}

/// The configuration of nginx with the same limit on every path.
fn peer(terms: &Terms, places: &Places, folder: &Path, addresses: Addresses) -> String {
    let text = filled(include_str!("../peers/nginx-redis.conf"), folder, addresses);
    let limit = [("calls", terms.calls), ("period", terms.period_seconds)];
    with_limit(&text, places, limit)
}
