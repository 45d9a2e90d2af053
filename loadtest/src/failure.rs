//! Why a measurement could not be made, or cannot be believed.

use std::io;
use std::path::PathBuf;

/// What stopped the load test.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Programs the chosen scenario needs are not there.
    #[error("not installed: {names}\ninstall with: sudo apt-get install --yes {packages}")]
    NotInstalled {
        /// The programs, comma-separated.
        names: String,
        /// The Debian packages that bring them, space-separated.
        packages: String,
    },
    /// Something the operating system was asked for.
    #[error("{what}: {source}")]
    System {
        /// What was being done.
        what: String,
        /// Why it could not be.
        source: io::Error,
    },
    /// A binary was named that is not there.
    #[error("{0} is not there; build it, or leave the option away and it is built for you")]
    NoBinary(PathBuf),
    /// A command that has to succeed did not.
    #[error("{name} ended with {how}; it said:\n{said}")]
    Ended {
        /// Which program.
        name: String,
        /// Its exit status, or how long was waited for one.
        how: String,
        /// The end of its output.
        said: String,
    },
    /// A proxy was started and does not answer as it has to.
    #[error(
        "{name} did not answer 200 with the upstream's body within {seconds} s ({last}); it said:\n{said}"
    )]
    NotServing {
        /// Which proxy.
        name: String,
        /// How long it had.
        seconds: u64,
        /// What the last attempt met.
        last: String,
        /// The end of its output.
        said: String,
    },
    /// The output of a tool is not what it was written against.
    #[error("cannot read what {tool} printed ({expected} expected):\n{said}")]
    Unreadable {
        /// Which tool.
        tool: &'static str,
        /// What was looked for.
        expected: &'static str,
        /// The end of its output.
        said: String,
    },
    /// A machine with one core cannot tell the proxy's work from the load generator's.
    #[error(
        "two cores are needed, one for the proxy and one for the load; this process may use {0}"
    )]
    TooFewCores(usize),
    /// A core was named that is not there, or not for this process.
    #[error("this process may not run on core {0}")]
    NoSuchCore(usize),
    /// The same core was named twice.
    #[error("core {0} cannot be both the proxy's and the load's")]
    OneCore(usize),
    /// Measured, but not to be believed.
    #[error("this run is not valid: {0}")]
    NotValid(String),
    /// Measured, and something that is promised was not kept.
    #[error("not kept: {0}")]
    NotKept(String),
    /// A namespace of the network could not be made.
    #[error(
        "`{command}` failed: {said}\nthe weather `gateway-cut-off` makes network namespaces: run it as \
         root, in a container with the capabilities NET_ADMIN and SYS_ADMIN, or leave it away with \
         --weather"
    )]
    NoNetwork {
        /// What was tried.
        command: String,
        /// Why it could not be.
        said: String,
    },
    /// The instruction gauge and the measurement differ by more than the tolerance.
    #[error("instructions per request have moved:\n{0}")]
    GaugeMoved(String),
}

/// Says what was being done when the operating system refused.
pub(crate) fn during(what: impl Into<String>) -> impl FnOnce(io::Error) -> Failure {
    let what = what.into();
    move |source| Failure::System { what, source }
}
