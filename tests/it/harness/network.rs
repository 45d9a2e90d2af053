//! Network namespaces: a gateway on a machine of its own as far as the network goes, with one link
//! to clients and backends and another one to Redis, which can be cut.

use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;

use super::site::Site;

/// A namespace with two links to this one. It ends when the value does.
pub(crate) struct Island {
    name: String,
    /// To clients and backends.
    near: Link,
    /// To Redis.
    far: Link,
}

/// A pair of addresses that reach each other.
struct Link {
    /// The name of the end in this namespace.
    device: String,
    here: IpAddr,
    there: IpAddr,
}

/// The range of addresses for trials of networks, which lead nowhere else (RFC 2544), ...
const RANGE: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 0);
/// ... and how many pairs of addresses it has.
const PAIRS: u32 = 1 << 15;

/// `program` inside of a namespace.
pub(crate) fn command_in(namespace: &str, program: &str) -> Command {
    let mut command = ip(&["netns", "exec", namespace, program]);
    command.env_clear().env("PATH", PATH).stdin(std::process::Stdio::null());
    command
}

/// Where `ip` is.
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

fn ip(arguments: &[&str]) -> Command {
    let mut command = Command::new("ip");
    command.env("PATH", PATH).args(arguments);
    command
}

/// Runs `ip`; a test without the right to ends, and says which right it is.
fn run(arguments: &[&str]) {
    let output = ip(arguments).output().expect("`ip` is there (Debian: iproute2)");
    assert!(
        output.status.success(),
        "`ip {}` failed: {}\nThis test makes network namespaces: run it as root, in a container with \
         the capabilities NET_ADMIN and SYS_ADMIN.",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr).trim_end(),
    );
}

impl Island {
    /// A new one, with a number that no other one of this process has.
    pub(crate) fn new(number: u32) -> Self {
        let process = std::process::id();
        let name = format!("weir-{process}-{number}");
        run(&["netns", "add", &name]);
        run(&["-n", &name, "link", "set", "lo", "up"]);
        // Others that run these tests at the same time have other names and other pairs.
        let pair = (process * 8 + number * 2) % PAIRS;
        let device = |side: char| format!("w{process:x}.{number}{side}");
        let near = Link::between(&name, [&device('n'), "near"], pair);
        let far = Link::between(&name, [&device('f'), "far"], pair + 1);
        Self { name, near, far }
    }

    /// Has the gateway of `site` run here.
    pub(crate) fn hold(&self, site: &mut Site) {
        site.namespace = Some(self.name.clone());
        for listener in ["listen-http", "listen-admin"] {
            site.set(listener, &format!("{}:0", self.near.there));
        }
    }

    /// Where backends are for who runs here.
    pub(crate) fn backends(&self) -> IpAddr {
        self.near.here
    }

    /// Where Redis is for who runs here.
    pub(crate) fn redis(&self) -> IpAddr {
        self.far.here
    }

    /// Cuts the link to Redis: nothing arrives, and nobody is told.
    pub(crate) fn cut(&self) {
        run(&["link", "set", &self.far.device, "down"]);
    }

    /// Mends it.
    pub(crate) fn mend(&self) {
        run(&["link", "set", &self.far.device, "up"]);
    }
}

impl Drop for Island {
    fn drop(&mut self) {
        // The links go with it.
        let _ = ip(&["netns", "del", &self.name]).output();
    }
}

impl Link {
    fn between(namespace: &str, [device, inside]: [&str; 2], pair: u32) -> Self {
        let address = |end: u32| IpAddr::V4(Ipv4Addr::from(u32::from(RANGE) + pair * 4 + end));
        let (here, there) = (address(1), address(2));
        run(&["link", "add", device, "type", "veth", "peer", "name", inside, "netns", namespace]);
        run(&["addr", "add", &format!("{here}/30"), "dev", device]);
        run(&["link", "set", device, "up"]);
        run(&["-n", namespace, "addr", "add", &format!("{there}/30"), "dev", inside]);
        run(&["-n", namespace, "link", "set", inside, "up"]);
        Self { device: device.to_owned(), here, there }
    }
}
