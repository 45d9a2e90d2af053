//! A control plane and its gateways, as processes: what is published is served, by whom it is for,
//! and nothing that goes wrong between them stops a gateway.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_stream::StreamExt as _;
use tonic::{Code, Request};
use weir::configuration::bundle::Bundle;
use weir::configuration::credential::Holder;
use weir::configuration::offer::Status;
use weir::configuration::remote::{Link, Remote, Take};
use weir::rpc::dial::{Address, dial};
use weir::rpc::v2::configuration_service_client::ConfigurationServiceClient;
use weir::rpc::v2::gateway_message::Message as Said;
use weir::rpc::v2::{GatewayMessage, Hello, SendWhole};
use weir::secret::Secret;
use weir::time::SystemClock;

use crate::harness::control::{Control, later, refuses};
use crate::harness::replica::runtime;
use crate::harness::site::{open_api, write};
use crate::harness::{Gateway, Policies, Site, soon};

pub(crate) fn saying(word: &str) -> String {
    let inbound = format!("<return-response><set-body>{word}</set-body></return-response>");
    Policies { inbound: &inbound, ..Policies::default() }.text()
}

/// An API at `/echo` that says `word`.
pub(crate) fn echo(folder: &Path, word: &str) {
    write(folder, "policy.xml", saying(word));
    write(folder, "api.yaml", open_api("echo", "http://127.0.0.1:1", "policy.xml"));
}

/// A gateway of `control` that need not be ready soon.
fn gateway(control: &Control, replica: &str, token: &str) -> Gateway {
    let mut site = Site::new();
    control.configure(&mut site, replica, token);
    Gateway::listening(site)
}

/// Waits until the gateway says `word` at `path`.
pub(crate) fn await_word(gateway: &Gateway, path: &str, word: &str) {
    let said = later(|| Some(gateway.get(path)).filter(|it| it.status == 200 && it.text() == word));
    assert!(said.is_some(), "no `{word}`: {}", gateway.events().join("\n"));
}

#[test]
fn a_gateway_serves_what_is_published_and_every_change_of_it() {
    let control = Control::start(|folder| echo(folder, "old"));
    let gateway = gateway(&control, "one", &control.token("north"));
    await_word(&gateway, "/echo/a", "old");
    let is_served = |number: u64| {
        move |replica: &serde_json::Value| {
            replica["serving"] == number && replica["newest"] == true && replica["ready"] == true
        }
    };
    let replica = control.await_replica("one", is_served(1));
    assert_eq!((&replica["gateway"], &replica["connected"]), (&"north".into(), &true.into()));
    assert_eq!(replica["version"], env!("CARGO_PKG_VERSION"));
    assert!(replica["credentialExpires"].is_string(), "{replica}");
    assert_eq!(gateway.admin("/readyz").text(), "ready, generation 1\n");

    control.write("policy.xml", saying("new"));
    await_word(&gateway, "/echo/a", "new");
    control.await_replica("one", is_served(2));
    assert_eq!(gateway.generation(), 2);
    let status = gateway.status();
    assert_eq!(status["control"]["connected"], true, "{status}");
    assert!(status["control"]["tokenExpires"].is_string(), "{status}");
    let metrics = gateway.admin("/metrics");
    assert!(metrics.text().contains("\nweir_control_connected 1"), "{}", metrics.text());
    assert!(metrics.text().contains("\nweir_control_token_expires_seconds 1"), "{status}");
}

#[test]
fn a_bad_change_is_offered_to_nobody_and_seen_by_operators() {
    let control = Control::start(|folder| echo(folder, "old"));
    let gateway = gateway(&control, "one", &control.token("north"));
    await_word(&gateway, "/echo/a", "old");
    control.write("policy.xml", "<policies><inbound><set-bodi /></inbound></policies>");
    let told = soon(|| {
        let ready = control.admin("/readyz");
        (ready.status == 200 && ready.text().contains("refused")).then(|| ready.text().to_owned())
    });
    let told = told.unwrap_or_else(|| panic!("{}", control.events().join("\n")));
    assert!(
        told.starts_with("ready, generation 1\nthe folder is refused: policy.xml:1:"),
        "{told}"
    );
    assert!(told.contains("set-bodi"), "{told}");
    control.write("policy.xml", saying("mended"));
    await_word(&gateway, "/echo/a", "mended");
    assert_eq!((control.generation(), gateway.generation()), (2, 2));
    assert_eq!(gateway.status()["configuration"]["refused"], 0);
    assert!(!control.admin("/readyz").text().contains("refused"));
}

#[test]
fn a_gateway_goes_on_while_its_control_plane_is_away_and_catches_up() {
    let mut control = Control::start(|folder| echo(folder, "old"));
    let gateway = gateway(&control, "one", &control.token("north"));
    await_word(&gateway, "/echo/a", "old");
    control.kill();
    let is_alone = soon(|| (gateway.status()["control"]["connected"] == false).then_some(()));
    assert!(is_alone.is_some(), "{}", gateway.status());
    assert_eq!(gateway.get("/echo/a").text(), "old");
    let ready = gateway.admin("/readyz");
    assert_eq!(ready.status, 200);
    assert!(ready.text().contains("no control plane: "), "{}", ready.text());
    control.write("policy.xml", saying("while it was away"));
    control.restart();
    await_word(&gateway, "/echo/a", "while it was away");
    assert_eq!((control.generation(), gateway.generation()), (2, 2));
    // The one that knows what it had says that it is the newest, without sending it again.
    assert!(control.stop(), "{}", control.events().join("\n"));
    gateway.event("asks to come back later");
    control.restart();
    control.await_replica("one", |replica| replica["newest"] == true);
    let loaded = gateway.events().iter().filter(|it| it.contains("configuration loaded")).count();
    assert_eq!(loaded, 2, "{}", gateway.events().join("\n"));
}

#[test]
fn a_gateway_that_gets_nothing_serves_nothing_and_waits() {
    let mut control = Control::prepare(|folder| echo(folder, "here"));
    let gateway = gateway(&control, "one", &control.token("north"));
    gateway.event("the control plane is not there");
    let ready = gateway.admin("/readyz");
    assert_eq!(ready.status, 503);
    assert!(ready.text().contains("no control plane: "), "{}", ready.text());
    assert_eq!(gateway.get("/echo/a").status, 503);
    control.restart();
    await_word(&gateway, "/echo/a", "here");
}

const SHARED: &str = "\
gateways:
  - {id: north, apis: [weather], location: up}
  - {id: south, apis: [tides]}
namedValues:
  - {name: of-north, value: canary-of-north}
  - {name: of-south, value: {file: secret-of-south}}
";

fn shared(folder: &Path) {
    write(folder, "gateways.yaml", SHARED);
    write(folder, "secret-of-south", "canary-of-south");
    for (api, value) in [("weather", "{{of-north}}"), ("tides", "{{of-south}}")] {
        write(folder, &format!("{api}.xml"), saying(value));
        let yaml = open_api(api, "http://127.0.0.1:1", &format!("{api}.xml"));
        write(folder, &format!("{api}.yaml"), yaml);
    }
}

/// The client that gateways have; `take` gets what comes.
fn remote(control: &Control, replica: &str, token: &str, status: &Status, take: Take) -> Remote {
    Remote {
        address: Address::parse(&control.endpoint()).unwrap(),
        ca: Some(control.own("ca.pem")),
        token: Arc::new(Mutex::new(Holder::setting(&Secret::new(token)))),
        replica: replica.to_owned(),
        time_max: Duration::from_secs(10),
        take,
        take_orders: Arc::new(|_orders| ()),
        urgent: Arc::default(),
        ready: Arc::new(|| false),
        state: status.follow(),
        held: None,
        company: None,
        clock: Arc::new(SystemClock::start()),
        link: watch::Sender::new(Link::default()),
    }
}

/// What the gateway whose token this is gets.
fn sent(control: &Control, token: &str) -> Arc<Bundle> {
    let got = Arc::new(Mutex::new(None));
    let (give, status) = (Arc::clone(&got), Status::default());
    let take: Take = Arc::new(move |_generation, bundle| *give.lock().unwrap() = Some(bundle));
    let remote = remote(control, "listener", token, &status, take);
    runtime().block_on(async {
        let arrived = async {
            loop {
                if let Some(bundle) = got.lock().unwrap().take() {
                    return bundle;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            () = remote.run() => unreachable!("it goes on for ever"),
            bundle = tokio::time::timeout(Duration::from_mins(1), arrived) => bundle.unwrap(),
        }
    })
}

#[test]
fn a_gateway_serves_its_own_and_never_sees_what_is_anothers() {
    let control = Control::start(shared);
    control.await_generation(1);
    let texts = |bundle: &Bundle| {
        let texts = bundle.entries().iter().map(|it| format!("{}\n{}\n", it.name(), it.text()));
        texts.collect::<String>()
    };
    let north = texts(&sent(&control, &control.token("north")));
    let south = texts(&sent(&control, &control.token("south")));
    for word in ["south", "tides"] {
        assert!(!north.contains(word) && south.contains(word), "{word} in {north}");
    }
    for word in ["north", "weather"] {
        assert!(!south.contains(word) && north.contains(word), "{word} in {south}");
    }
    let gateway = gateway(&control, "one", &control.token("north"));
    await_word(&gateway, "/weather/a", "canary-of-north");
    assert_eq!(gateway.get("/tides/a").status, 404);

    // The same of a folder.
    let mut site = Site::new();
    shared(site.path());
    site.set("gateway-name", "south");
    let alone = Gateway::over(site);
    assert_eq!(alone.get("/tides/a").text(), "canary-of-south");
    assert_eq!(alone.get("/weather/a").status, 404);
}

#[test]
fn a_token_is_wrong_until_a_good_one_is_there_and_revoked_without_harm() {
    let control = Control::start(|folder| echo(folder, "here"));
    let mut site = Site::new();
    let forged = control.token("north").replace("north", "south");
    let path = control.configure(&mut site, "one", &forged);
    let gateway = Gateway::listening(site);
    gateway.event("this is no credential of a gateway that is known here");
    assert_eq!(gateway.admin("/readyz").status, 503);
    let told = control.events().join("\n");
    assert!(told.contains("a credential is refused") && !told.contains(&forged), "{told}");

    let token = control.token("south");
    fs::write(&path, &token).unwrap();
    await_word(&gateway, "/echo/a", "here");
    control.await_replica("one", |replica| replica["gateway"] == "south");
    control.revoke(&token);
    control.await_replica("one", |replica| replica["connected"] == false);
    gateway.event("cannot be used any more");
    assert_eq!(gateway.get("/echo/a").text(), "here");
    assert_eq!(gateway.admin("/readyz").status, 200);
    for secret in [&token, &forged] {
        assert!(gateway.events().iter().all(|line| !line.contains(secret.as_str())));
    }
}

#[test]
fn one_step_goes_back_and_holds_until_the_folder_changes() {
    let mut control = Control::start(|folder| echo(folder, "first"));
    let gateway = gateway(&control, "one", &control.token("north"));
    await_word(&gateway, "/echo/a", "first");
    control.write("policy.xml", saying("second"));
    await_word(&gateway, "/echo/a", "second");
    let done = control.rollback(&[]);
    assert!(done.status.success(), "{done:?}");
    let told = String::from_utf8(done.stdout).unwrap();
    assert!(told.starts_with("generation 3 is published: it has the content of 1."), "{told}");
    await_word(&gateway, "/echo/a", "first");
    assert_eq!(gateway.generation(), 3);
    assert!(control.admin("/readyz").text().contains("it has the content of 1"));
    let audited = soon(|| control.events().into_iter().find(|it| it.contains("\"audit\":true")));
    let audit = audited.unwrap();
    assert!(audit.contains("go back to a former configuration"), "{audit}");

    // It holds over a restart, and whoever looks at the folder.
    assert!(control.stop());
    control.restart();
    control.await_replica("one", |replica| replica["newest"] == true);
    assert_eq!(control.generation(), 3);
    control.write("policy.xml", saying("third"));
    await_word(&gateway, "/echo/a", "third");
    assert_eq!(gateway.generation(), 4);
    let wrong = control.rollback(&["--to", "99"]);
    let told = String::from_utf8(wrong.stderr).unwrap();
    assert!(told.contains("there is no generation 99") && told.contains("1, 2, 3, 4"), "{told}");
    assert!(control.rollback(&["--to", "2"]).status.success());
    await_word(&gateway, "/echo/a", "second");
}

#[test]
fn what_a_control_plane_cannot_do_safely_it_does_not_do() {
    let control = Control::prepare(|folder| echo(folder, "here"));
    let own = |name: &str| control.own(name).display().to_string();
    let keys = format!("--control-keys-file={}", own("keys.yaml"));
    let state = format!("--control-state-folder={}", own("state"));
    let insecure = "--control-insecure=true".to_owned();
    let told = refuses(&[keys.clone(), state.clone()]);
    assert!(told.contains("has no certificate"), "{told}");
    let everywhere = "--control-listen=0.0.0.0:0".to_owned();
    let told = refuses(&[keys.clone(), state.clone(), insecure.clone(), everywhere]);
    assert!(told.contains("in the clear") && told.contains("control.certificateFile"), "{told}");
    let told = refuses(&[state.clone(), insecure.clone()]);
    assert!(told.contains("control.keysFile"), "{told}");
    fs::create_dir(control.own("state")).unwrap();
    fs::write(control.own("state").join("generations.json"), "0\n{}").unwrap();
    let told = refuses(&[keys, state, insecure]);
    assert!(told.contains("generations.json is damaged") && told.contains("a copy"), "{told}");
}

/// Opens a stream as somebody who shows `token` and says `said`; returns why it ended.
pub(crate) async fn refusal(
    control: &Control,
    token: &str,
    said: Vec<GatewayMessage>,
) -> (Code, String) {
    let address = Address::parse(&control.endpoint()).unwrap();
    let channel = dial(&address, Some(&control.own("ca.pem")), Duration::from_secs(10)).await;
    let mut client = ConfigurationServiceClient::new(channel.unwrap());
    let mut request = Request::new(tokio_stream::iter(said).chain(tokio_stream::pending()));
    request.metadata_mut().insert("authorization", token.parse().unwrap());
    let mut told = match client.configure(request).await {
        Ok(told) => told.into_inner(),
        Err(status) => return (status.code(), status.message().to_owned()),
    };
    loop {
        match told.message().await {
            Ok(Some(_)) => {}
            Ok(None) => return (Code::Ok, String::new()),
            Err(status) => return (status.code(), status.message().to_owned()),
        }
    }
}

pub(crate) fn hello() -> GatewayMessage {
    let hello = Hello { replica: "by hand".to_owned(), ..Hello::default() };
    GatewayMessage { message: Some(Said::Hello(hello)) }
}

#[test]
fn whoever_misuses_a_stream_is_sent_away_and_nobody_else_notices() {
    let control = Control::start(shared);
    control.await_generation(1);
    let token = control.token("north");
    runtime().block_on(async {
        let whole = || GatewayMessage { message: Some(Said::SendWhole(SendWhole {})) };
        let (code, told) = refusal(&control, &token, vec![whole()]).await;
        assert_eq!((code, told.as_str()), (Code::InvalidArgument, "a Hello comes first"));
        let long = Hello { replica: "x".repeat(300), ..Hello::default() };
        let long = GatewayMessage { message: Some(Said::Hello(long)) };
        assert_eq!(refusal(&control, &token, vec![long]).await.0, Code::InvalidArgument);
        let greedy = [vec![hello()], vec![whole(); 4]].concat();
        assert_eq!(refusal(&control, &token, greedy).await.0, Code::ResourceExhausted);
        let large = Hello { version: "x".repeat(2 << 20), ..Hello::default() };
        let large = GatewayMessage { message: Some(Said::Hello(large)) };
        assert_eq!(refusal(&control, &token, vec![large]).await.0, Code::InvalidArgument);
        let mut codes = Vec::new();
        for _ in 0..200 {
            codes.push(refusal(&control, "GatewayKey north&209912312359&AAAA", vec![]).await.0);
            if codes.ends_with(&[Code::ResourceExhausted]) {
                break;
            }
        }
        assert!(codes.iter().take(20).all(|code| *code == Code::Unauthenticated), "{codes:?}");
        assert!(codes.contains(&Code::ResourceExhausted), "{codes:?}");
    });
    let gateway = gateway(&control, "one", &token);
    await_word(&gateway, "/weather/a", "canary-of-north");
}

#[test]
fn a_gateway_that_is_not_written_any_more_goes_on_and_is_told() {
    let control = Control::start(shared);
    let gateway = gateway(&control, "one", &control.token("north"));
    await_word(&gateway, "/weather/a", "canary-of-north");
    control.write("gateways.yaml", SHARED.replace("{id: north", "{id: elsewhere"));
    gateway.event("but no `north`");
    assert_eq!(gateway.get("/weather/a").text(), "canary-of-north");
    control.write("gateways.yaml", SHARED.replace("canary-of-north", "again"));
    await_word(&gateway, "/weather/a", "again");
}

#[test]
fn a_certificate_is_renewed_without_a_restart() {
    let control = Control::start(|folder| echo(folder, "here"));
    let before = gateway(&control, "one", &control.token("north"));
    await_word(&before, "/echo/a", "here");
    control.renew();
    let after = gateway(&control, "two", &control.token("north"));
    await_word(&after, "/echo/a", "here");
    assert_eq!(before.status()["control"]["connected"], true);
}

/// How many replicas come back at once.
const CROWD: usize = 100;

#[test]
fn a_hundred_replicas_come_back_to_a_control_plane_that_was_stopped() {
    let mut control = Control::start(|folder| echo(folder, "here"));
    control.await_generation(1);
    let token = control.token("north");
    let brought = Arc::new(AtomicUsize::new(0));
    let status = Status::default();
    let remotes: Vec<Remote> = (0..CROWD)
        .map(|number| {
            let brought = Arc::clone(&brought);
            let take: Take = Arc::new(move |_generation, _bundle| {
                brought.fetch_add(1, Ordering::Relaxed);
            });
            remote(&control, &number.to_string(), &token, &status, take)
        })
        .collect();
    let clients = thread::spawn(move || {
        runtime().block_on(async {
            let mut all = JoinSet::new();
            for remote in remotes {
                all.spawn(remote.run());
            }
            // They go on until the test ends, and its process with it.
            all.join_next().await;
        });
    });
    let connected = |control: &Control| {
        let replicas = control.status()["replicas"].as_array().cloned().unwrap_or_default();
        replicas.iter().filter(|it| it["connected"] == true).count()
    };
    assert!(later(|| (connected(&control) == CROWD).then_some(())).is_some());
    assert!(later(|| (brought.load(Ordering::Relaxed) == CROWD).then_some(())).is_some());
    let (mib, ticks) = control.takes();
    println!("{CROWD} replicas: {mib} MiB, {ticks}0 ms of processor since the start");
    assert!(control.stop(), "{}", control.events().join("\n"));
    control.restart();
    let begun = Instant::now();
    let mut half = None;
    let all_are_back = || {
        let back = connected(&control);
        if CROWD / 2 <= back {
            half.get_or_insert_with(|| begun.elapsed());
        }
        (back == CROWD).then_some(())
    };
    assert!(later(all_are_back).is_some());
    let (mib, ticks) = control.takes();
    println!(
        "half of them are back after {half:?}, all after {:?}: {mib} MiB, {ticks}0 ms of processor",
        begun.elapsed()
    );
    // What they have is the newest still: nothing was sent again.
    assert_eq!(brought.load(Ordering::Relaxed), CROWD);
    assert!(!clients.is_finished());
}
