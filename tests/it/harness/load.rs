//! Load from h2load, for tests in which no request may fail whatever happens meanwhile.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use super::Gateway;

/// What h2load is told: requests a second on each of its connections, and for how long at a time.
const RATE: u64 = 25;
const CONNECTIONS: u64 = 4;
const TURN_SECONDS: u64 = 2;

/// Requests from h2load to one gateway, turn after turn.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    work: JoinHandle<Vec<String>>,
}

impl Load {
    pub(crate) fn on(gateway: &Gateway) -> Self {
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let url = format!("http://{}/echo/x", gateway.http);
        let (until, count) = (Arc::clone(&stop), Arc::clone(&done));
        let work = thread::spawn(move || {
            let mut wrong = Vec::new();
            while !until.load(Ordering::Relaxed) {
                let (all, bad) = turn(&url);
                count.fetch_add(all, Ordering::Relaxed);
                wrong.extend(bad);
            }
            wrong
        });
        Self { stop, done, work }
    }

    /// How many requests there were; fails if one of them did.
    pub(crate) fn end(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        let wrong = self.work.join().expect("it ends well");
        assert!(wrong.is_empty(), "{wrong:#?}");
        self.done.load(Ordering::Relaxed)
    }
}

/// One run of h2load: how many requests were made, and what it said if not all of them succeeded.
fn turn(url: &str) -> (u64, Option<String>) {
    let all = RATE * CONNECTIONS * TURN_SECONDS;
    let mut command = Command::new("h2load");
    command.args(["--h1", "-n", &all.to_string(), "-c", &CONNECTIONS.to_string()]);
    command.args(["--rps", &RATE.to_string(), url]);
    let output = command.output().expect("h2load is installed (bin/prepare nghttp2-client)");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let is_fine = said.contains(&format!("{all} succeeded, 0 failed, 0 errored, 0 timeout"))
        && said.contains(&format!("status codes: {all} 2xx"));
    (all, (!is_fine).then_some(said))
}
