//! Network namespaces: a gateway on a machine of its own as far as the network goes, with one link
//! to clients and backends and another one to Redis, which can be cut.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::process::Command;

use crate::failure::{Failure, during};
use crate::process::Invocation;
use crate::programs::{Program, Programs};

/// The range of addresses for trials of networks, which lead nowhere else (RFC 2544), ...
const RANGE: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 0);
/// ... and how many pairs of addresses it has.
const PAIRS: u32 = 1 << 15;

/// A namespace with two links to this one. It ends when the value does.
#[derive(Debug)]
pub(crate) struct Island {
    ip: PathBuf,
    name: String,
    /// To clients and backends.
    near: Link,
    /// To Redis.
    far: Link,
}

/// A pair of addresses that reach each other.
#[derive(Debug)]
struct Link {
    /// The name of the end in this namespace.
    device: String,
    here: IpAddr,
    there: IpAddr,
}

impl Island {
    /// A new one.
    pub(crate) fn new(programs: &Programs) -> Result<Self, Failure> {
        let ip = programs.path(Program::Ip)?;
        let process = std::process::id();
        let name = format!("weir-loadtest-{process}");
        run(&ip, &["netns", "add", &name])?;
        // Others that do the same at the same time have other names and other pairs.
        let pair = process.wrapping_mul(2) % PAIRS;
        let link = |device: String, pair| Link::planned(device, pair);
        let near = link(format!("l{process:x}n"), pair);
        let far = link(format!("l{process:x}f"), pair + 1);
        // From here on it goes when the value does, also if a link cannot be made.
        let island = Self { ip, name, near, far };
        run(&island.ip, &["-n", &island.name, "link", "set", "lo", "up"])?;
        for (link, inside) in [(&island.near, "near"), (&island.far, "far")] {
            link.make(&island.ip, &island.name, inside)?;
        }
        Ok(island)
    }

    /// `what`, run inside.
    pub(crate) fn around(&self, what: Invocation) -> Invocation {
        let ip = Invocation::of(&self.ip).with("netns").with("exec").with(&self.name);
        what.under(ip)
    }

    /// Where who runs inside listens.
    pub(crate) fn listens(&self) -> IpAddr {
        self.near.there
    }

    /// Where backends are for who runs inside.
    pub(crate) fn backends(&self) -> IpAddr {
        self.near.here
    }

    /// Where Redis is for who runs inside.
    pub(crate) fn redis(&self) -> IpAddr {
        self.far.here
    }

    /// Cuts the link to Redis: nothing arrives, and nobody is told.
    pub(crate) fn cut(&self) -> Result<(), Failure> {
        run(&self.ip, &["link", "set", &self.far.device, "down"])
    }

    /// Mends it.
    pub(crate) fn mend(&self) -> Result<(), Failure> {
        run(&self.ip, &["link", "set", &self.far.device, "up"])
    }
}

impl Drop for Island {
    fn drop(&mut self) {
        // The links go with it. It may be gone already.
        let _ = run(&self.ip, &["netns", "del", &self.name]);
    }
}

impl Link {
    fn planned(device: String, pair: u32) -> Self {
        let address = |end: u32| {
            IpAddr::V4(Ipv4Addr::from(u32::from(RANGE).wrapping_add(pair * 4).wrapping_add(end)))
        };
        Self { device, here: address(1), there: address(2) }
    }

    fn make(&self, ip: &PathBuf, namespace: &str, inside: &str) -> Result<(), Failure> {
        let Self { device, here, there } = self;
        let peer = ["peer", "name", inside, "netns", namespace];
        run(ip, &[&["link", "add", device, "type", "veth"][..], &peer].concat())?;
        run(ip, &["addr", "add", &format!("{here}/30"), "dev", device])?;
        run(ip, &["link", "set", device, "up"])?;
        run(ip, &["-n", namespace, "addr", "add", &format!("{there}/30"), "dev", inside])?;
        run(ip, &["-n", namespace, "link", "set", inside, "up"])
    }
}

fn run(ip: &PathBuf, arguments: &[&str]) -> Result<(), Failure> {
    let output = Command::new(ip).args(arguments).output().map_err(during("starting ip"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
    Err(Failure::NoNetwork { command: format!("ip {}", arguments.join(" ")), said })
}
