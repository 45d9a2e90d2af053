//! A whole cluster under load – a control plane, an etcd of three members that wants certificates,
//! three gateways – while one thing after the other fails: no request fails, nothing older is ever
//! served after something newer, and after each fault all serve the same soon.

use std::thread;
use std::time::{Duration, Instant};

use crate::cluster::{answer, saying, status};
use crate::cluster_weather::Caller;
use crate::harness::control::{Control, later};
use crate::harness::etcd::Etcd;
use crate::harness::load::Load;
use crate::harness::site::{open_api, write};
use crate::harness::tls::Authority;
use crate::harness::{Gateway, Site, soon};

/// How long etcd is away, in seconds: ten minutes by hand.
const OUTAGE: &str = "WEIR_ETCD_OUTAGE_SECONDS";
const OUTAGE_USUAL: u64 = 6;

/// The lease of the leader, and longer than that.
const LEASE: Duration = Duration::from_secs(2);
const PAST_THE_LEASE: Duration = Duration::from_secs(4);

/// A cluster.
struct Scene {
    authority: Authority,
    members: [Etcd; 3],
    control: Control,
    token: String,
    gateways: Vec<Gateway>,
    loads: Vec<Option<Load>>,
    callers: Vec<Option<Caller>>,
    /// How often what is published has changed.
    words: u32,
    requests: u64,
    /// What happened, and how soon after its end all served the same.
    told: Vec<String>,
}

/// What the API says after so many changes: in the order of the alphabet.
fn word(number: u32) -> String {
    format!("word-{number:04}")
}

impl Scene {
    /// Everything; the control plane comes last, so that the gateways have to wait for it.
    fn start() -> Self {
        let authority = Authority::new();
        let members = Etcd::three(&authority);
        // Who we are is said by certificates: `gateway` may only do what it needs.
        members[0].with_roles(&authority, "gateway", "/weir/");
        let control = Control::prepare(|folder| {
            drop(write(folder, "policy.xml", saying(&word(0))));
            drop(write(folder, "api.yaml", open_api("echo", "http://127.0.0.1:1", "policy.xml")));
        });
        let token = control.token("north");
        let mut scene = Self {
            authority,
            members,
            control,
            token,
            gateways: Vec::new(),
            loads: Vec::new(),
            callers: Vec::new(),
            words: 0,
            requests: 0,
            told: Vec::new(),
        };
        for name in ["a", "b", "c"] {
            let site = scene.site(name);
            scene.gateways.push(Gateway::listening(site));
        }
        for gateway in &scene.gateways {
            assert_eq!(gateway.admin("/readyz").status, 503, "there is nothing to serve");
        }
        let begun = Instant::now();
        scene.control.restart();
        scene.all_say(&word(0));
        scene.tell("control plane down at the start", begun);
        for place in 0..3 {
            scene.loads.push(None);
            scene.callers.push(None);
            scene.attend(place);
        }
        scene
    }

    fn site(&self, name: &str) -> Site {
        let mut site = Site::new();
        self.control.configure(&mut site, name, &self.token);
        let own = self.authority.issue("gateway");
        for (flag, file, pem) in [
            ("etcd-ca-file", "ca.pem", self.authority.certificate()),
            ("etcd-certificate-file", "own.pem", own.certificate),
            ("etcd-key-file", "own.key", own.key),
        ] {
            let path = write(site.path(), file, pem);
            site.set(flag, path.to_str().expect("text"));
        }
        let endpoints = self.members.each_ref().map(Etcd::endpoint).join(",");
        for (flag, value) in [
            ("etcd-endpoints", endpoints.as_str()),
            ("cluster-lease", &format!("{}s", LEASE.as_secs())),
            ("cluster-rollout-hold", "0s"),
            ("drain-delay", "0s"),
            ("log-access", "off"),
        ] {
            site.set(flag, value);
        }
        site
    }

    /// Sets clients on a gateway.
    fn attend(&mut self, place: usize) {
        self.loads[place] = Some(Load::on(&self.gateways[place]));
        self.callers[place] = Some(Caller::of(&self.gateways[place]));
    }

    /// Takes them off, as a balancer does before whoever it knows to go goes.
    fn leave(&mut self, place: usize) {
        if let Some(load) = self.loads[place].take() {
            self.requests += load.end();
        }
        if let Some(caller) = self.callers[place].take() {
            let heard = caller.end();
            assert!(heard.iter().all(|said| said.starts_with("200 word-")), "{heard:?}");
            assert!(heard.is_sorted_by(|one, next| one < next), "an older one again: {heard:?}");
        }
    }

    /// Publishes something new, and waits until all serve it.
    fn change(&mut self, what: &str) {
        let begun = Instant::now();
        self.publish();
        self.all_say(&word(self.words));
        self.tell(what, begun);
    }

    fn publish(&mut self) {
        self.words += 1;
        self.control.write("policy.xml", saying(&word(self.words)));
    }

    fn all_say(&self, word: &str) {
        for gateway in &self.gateways {
            let said = later(|| Some(answer(gateway)).filter(|said| said == word));
            assert!(said.is_some(), "no {word}: {}", gateway.events().join("\n"));
        }
        // A word is a generation: whoever says the same serves the same one.
        let generations: Vec<u64> = self.gateways.iter().map(Gateway::generation).collect();
        assert!(generations.iter().all(|one| *one == generations[0]), "{generations:?}");
    }

    fn tell(&mut self, what: &str, begun: Instant) {
        let millis = begun.elapsed().as_millis();
        self.told.push(format!("| {what} | {millis} ms |"));
    }

    /// Which gateway leads.
    fn leader(&self) -> usize {
        let leads = |gateway: &Gateway| status(gateway)["isLeading"] == true;
        later(|| self.gateways.iter().position(leads)).expect("one leads")
    }

    /// Waits until another gateway than this one leads.
    fn await_other(&self, former: usize) {
        let others = || self.gateways.iter().enumerate().filter(|(place, _)| *place != former);
        let leads = |gateway: &Gateway| status(gateway)["isLeading"] == true;
        assert!(later(|| others().find(|(_, one)| leads(one)).map(drop)).is_some(), "nobody leads");
    }

    fn leader_killed(&mut self) {
        let place = self.leader();
        self.leave(place);
        let site = self.gateways.remove(place).leave();
        self.change("leader killed (the two others)");
        self.gateways.insert(place, Gateway::over(site));
        self.change("leader killed and started again");
        self.attend(place);
    }

    fn leader_stopped(&mut self) {
        let place = self.leader();
        if let Some(load) = self.loads[place].take() {
            self.requests += load.end();
        }
        self.gateways[place].signal("STOP");
        thread::sleep(PAST_THE_LEASE);
        self.await_other(place);
        self.publish();
        self.gateways[place].signal("CONT");
        let begun = Instant::now();
        self.all_say(&word(self.words));
        self.tell("leader stopped past its lease", begun);
        self.loads[place] = Some(Load::on(&self.gateways[place]));
    }

    fn raft_leader_killed(&mut self) {
        let leads = soon(|| self.members.iter().position(Etcd::leads)).expect("one leads");
        self.members[leads].kill();
        self.change("etcd's leader killed (two members)");
        self.members[leads].restart();
        self.change("etcd's leader killed and started again");
    }

    fn etcd_away(&mut self) {
        let seconds = std::env::var(OUTAGE).ok().and_then(|text| text.parse().ok());
        let seconds: u64 = seconds.unwrap_or(OUTAGE_USUAL);
        self.members.iter_mut().for_each(Etcd::kill);
        self.publish();
        thread::sleep(Duration::from_secs(seconds));
        self.members.iter_mut().for_each(Etcd::resume);
        let begun = Instant::now();
        self.members.iter().for_each(Etcd::await_ready);
        self.all_say(&word(self.words));
        self.tell(&format!("etcd away for {seconds} s"), begun);
    }

    fn compacted_meanwhile(&mut self) {
        let place = (self.leader() + 1) % 3;
        self.leave(place);
        self.gateways[place].signal("STOP");
        for _ in 0..2 {
            self.publish();
            let awake = self.gateways.iter().enumerate().filter(|(other, _)| *other != place);
            for (_, gateway) in awake {
                let said = later(|| (answer(gateway) == word(self.words)).then_some(()));
                assert!(said.is_some(), "{}", gateway.events().join("\n"));
            }
        }
        self.members[0].compact_as_root(&self.authority);
        self.gateways[place].signal("CONT");
        let begun = Instant::now();
        self.all_say(&word(self.words));
        self.tell("a follower stopped while etcd forgot", begun);
        self.attend(place);
    }

    fn control_away(&mut self) {
        self.control.kill();
        thread::sleep(PAST_THE_LEASE);
        self.publish();
        let begun = Instant::now();
        self.control.restart();
        self.all_say(&word(self.words));
        self.tell("control plane away", begun);
    }

    fn clocks(&mut self) {
        for (offset, what) in [("+3600", "an hour ahead"), ("-3600", "an hour behind")] {
            let place = self.leader();
            self.leave(place);
            let mut site = self.gateways.remove(place).leave();
            site.variables.retain(|(name, _)| !name.contains("FAKETIME") && name != "LD_PRELOAD");
            for (name, value) in [
                ("LD_PRELOAD", LIBFAKETIME),
                ("FAKETIME", offset),
                ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            ] {
                site.variables.push((name.to_owned(), value.to_owned()));
            }
            self.gateways.insert(place, Gateway::over(site));
            self.attend(place);
            self.change(&format!("the clock of a follower {what}"));
            // And with it as the leader: the two others go, one after the other.
            for other in (0..3).filter(|other| *other != place) {
                self.leave(other);
                let site = self.gateways.remove(other).leave();
                self.gateways.insert(other, Gateway::over(site));
                self.attend(other);
            }
            self.change(&format!("the clock of a replica {what}, others started again"));
        }
    }

    /// What happened.
    fn end(mut self) -> String {
        for place in 0..3 {
            self.leave(place);
        }
        format!("{} requests, none failed\n{}", self.requests, self.told.join("\n"))
    }
}

/// Has a process live at another time.
const LIBFAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

#[test]
fn a_cluster_under_load_lives_through_all_that_fails_around_it() {
    let mut scene = Scene::start();
    scene.change("nothing");
    scene.leader_killed();
    scene.leader_stopped();
    scene.raft_leader_killed();
    scene.etcd_away();
    scene.compacted_meanwhile();
    scene.control_away();
    scene.clocks();
    println!("{}", scene.end());
}
