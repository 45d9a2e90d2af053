//! The same configuration for several replicas that share it over one etcd: how long until a change
//! has reached all of them, and what each of them takes for it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::running::Running;
use super::written::{self, Size};
use super::{BETWEEN, Wanted, change_one, number, weight};
use crate::bench::Setting;
use crate::client::{Connection, Request};
use crate::clock::{self, Dates, Deadline};
use crate::contestant::free_addresses;
use crate::failure::{Failure, during};
use crate::process::Process;
use crate::programs::{Program, Programs};
use crate::statistics::{Spread, count};
use crate::witness::Witness;

/// How long etcd may take until it serves.
const START_TIME: Duration = Duration::from_secs(30);
/// How often it is asked meanwhile.
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// What was measured of all of them.
#[derive(Debug, Serialize)]
pub(super) struct Together {
    replicas: u32,
    /// From exec until all serve, one of them having published it.
    first_seconds: f64,
    /// From a file in its place until all serve it, polling included.
    pub(super) served_seconds: Spread,
    /// The processor time that one change takes in the leader, and the most of it in another one.
    change_cpu_seconds: Vec<f64>,
    /// What each holds in memory in the end.
    resident_mib: Vec<f64>,
    /// What etcd has on disk in the end.
    etcd_mib: f64,
}

impl Together {
    /// Starts them all over a folder of their own in `directory`, and changes it again and again.
    pub(super) fn measure(
        setting: &Setting,
        (wanted, size): (&Wanted, Size),
        programs: &Programs,
        directory: &Path,
    ) -> Result<Self, Failure> {
        let witness = Witness::start(Dates::begin())?;
        let upstream = format!("127.0.0.1:{}", witness.port());
        let folder = directory.join("configuration");
        written::write(&folder, size, &upstream).map_err(during("writing a configuration"))?;
        let data = directory.join("etcd");
        let (_etcd, endpoint) = etcd(programs, directory, &data)?;
        eprintln!("{} replicas share it over etcd", wanted.replicas);
        let binary = programs.path(Program::Weir)?;
        let begun = clock::now();
        let mut replicas = Vec::new();
        for place in 0..wanted.replicas {
            let name = format!("replica-{place}");
            let settings = [
                ("--etcd-endpoints", endpoint.clone()),
                ("--replica-name", name.clone()),
                ("--cluster-rollout-hold", "0s".to_owned()),
            ];
            replicas.push(if place == 0 {
                Running::start(setting, &binary, directory, &settings)?
            } else {
                Running::start_beside(&name, &binary, directory, &settings)?
            });
        }
        for replica in &mut replicas {
            replica.await_first()?;
        }
        let first_seconds = begun.elapsed().as_secs_f64();
        let cpu =
            |replicas: &[Running]| replicas.iter().map(Running::cpu).collect::<Result<Vec<_>, _>>();
        let before = cpu(&replicas)?;
        let mut served = Vec::new();
        for change in 0..wanted.changes {
            let mut all: Vec<&mut Running> = replicas.iter_mut().collect();
            served.push(change_one(&folder, size, &upstream, number(change), &mut all)?);
            Deadline::pause(BETWEEN);
        }
        let after = cpu(&replicas)?;
        let each = before.iter().zip(&after);
        let change_cpu_seconds =
            each.map(|(before, after)| (after - before) / f64::from(wanted.changes)).collect();
        let resident = replicas.iter().map(|replica| replica.memory("VmRSS:"));
        let resident_mib = resident.collect::<Result<_, _>>()?;
        let (_files, bytes) = weight(&data)?;
        let served_seconds = Spread::of(served);
        Ok(Self {
            replicas: wanted.replicas,
            first_seconds,
            served_seconds: served_seconds
                .ok_or_else(|| Failure::NotValid("nothing was measured".into()))?,
            change_cpu_seconds,
            resident_mib,
            etcd_mib: count(bytes) / 1024.0 / 1024.0,
        })
    }

    /// Its part of the report.
    pub(super) fn markdown(&self) -> String {
        let list = |figures: &[f64], scale: f64| {
            figures.iter().map(|one| format!("{:.0}", one * scale)).collect::<Vec<_>>().join(", ")
        };
        format!(
            "\n{} replicas share it over one etcd: one on the proxy's core, the others and etcd on that of the load.\n\n\
             | figure | value |\n|---|---|\n\
             | all serve the first one after, s | {:.2} |\n\
             | all serve a change of one API after, s: median (least, most) | {:.2} ({:.2}, {:.2}) |\n\
             | processor time of each for a change, idle looks included, ms | {} |\n\
             | resident in the end, MiB | {} |\n\
             | etcd on disk in the end, MiB | {:.0} |\n",
            self.replicas,
            self.first_seconds,
            self.served_seconds.median,
            self.served_seconds.min,
            self.served_seconds.max,
            list(&self.change_cpu_seconds, 1e3),
            list(&self.resident_mib, 1.0),
            self.etcd_mib,
        )
    }
}

/// An etcd with its data in `data`, and where clients find it.
fn etcd(programs: &Programs, directory: &Path, data: &Path) -> Result<(Process, String), Failure> {
    fs::create_dir_all(data).map_err(during("making a folder"))?;
    let [clients, peers] = free_addresses()?;
    let mut invocation = programs.invocation(Program::Etcd)?.with("--data-dir").with(data);
    for (name, address) in [
        ("--listen-client-urls", clients),
        ("--advertise-client-urls", clients),
        ("--listen-peer-urls", peers),
        ("--initial-advertise-peer-urls", peers),
    ] {
        invocation = invocation.with(name).with(format!("http://{address}"));
    }
    let invocation = invocation.with("--initial-cluster").with(format!("default=http://{peers}"));
    let mut process = Process::start_beside("etcd", invocation, &directory.join("etcd.log"))?;
    let deadline = Deadline::after(START_TIME);
    loop {
        let request = Request { path: "/health", header: None };
        let answer = Connection::open(clients).and_then(|mut one| one.ask(request));
        if answer.as_ref().is_ok_and(|answer| answer.status == 200) {
            return Ok((process, format!("http://{clients}")));
        }
        if deadline.has_passed() || process.has_ended()?.is_some() {
            return Err(Failure::NotServing {
                name: "etcd".to_owned(),
                seconds: START_TIME.as_secs(),
                last: format!("{answer:?}"),
                said: process.said_last(),
            });
        }
        Deadline::pause(ASK_AGAIN);
    }
}
