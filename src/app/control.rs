//! The root of a control plane: joins its parts, listens, serves until it is told to stop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::timeout;
use tonic::transport::Server;

use crate::app::publishing::{Publishing, publishing};
use crate::app::{StartError, fetching};
use crate::caller::fetch::Fetcher;
use crate::configuration::gateway_keys::{KeysFile, Unusable};
use crate::configuration::issuers::IssuersFile;
use crate::configuration::source::Environment;
use crate::control::authority::Credentials;
use crate::control::authority::keys::Keys;
use crate::control::authority::workloads::Workloads;
use crate::control::board::Board;
use crate::control::fleet::Fleet;
use crate::control::operators::{CONNECTIONS_MAX, Operators};
use crate::control::publisher::Handle;
use crate::control::service::{Served, Service};
use crate::control::switches::Switches;
use crate::fault::{Fault, Sources, render};
use crate::proxy::guard::Rules;
use crate::proxy::listener::{Bound, Listener};
use crate::proxy::operators::Desk;
use crate::proxy::strict::HeadBounds;
use crate::rpc::door::{Files, Terms, incoming};
use crate::rpc::v2::configuration_service_server::ConfigurationServiceServer;
use crate::rpc::{KEEP_ALIVE_INTERVAL, KEEP_ALIVE_TIME_MAX, MESSAGE_BYTES_MAX};
use crate::settings::{Control, Settings};
use crate::time::{Clock, SystemClock};

/// How many threads serve gateways: hardly anything is to be done for them.
const THREADS: usize = 2;
/// The most streams of one connection; a gateway needs one.
const CONNECTION_STREAMS_MAX: u32 = 16;
/// The largest head of a call, in bytes: a token, and little else.
const HEAD_BYTES_MAX: u32 = 32 << 10;
/// How long gateways have to be told goodbye.
const GOODBYE_TIME_MAX: Duration = Duration::from_secs(5);

/// A control plane that listens: whoever connects waits until it [runs](Self::run).
pub struct ControlPlane {
    gateways: Bound,
    terms: Option<Terms>,
    operators: Option<Bound>,
    /// Where it listens.
    pub listening: Listening,
    publishing: Publishing,
    handle: Handle,
    board: Arc<Board>,
    switches: Arc<Switches>,
    credentials: Arc<Credentials>,
    fetcher: Arc<Fetcher>,
    clock: Arc<SystemClock>,
}

/// Where a control plane listens, with the ports that it really has.
#[derive(Clone, Copy, Debug)]
pub struct Listening {
    /// For gateways.
    pub gateways: SocketAddr,
    /// For operators.
    pub admin: Option<SocketAddr>,
}

impl ControlPlane {
    /// Joins the parts and listens. Starts no thread, and reads no configuration yet.
    pub fn start(settings: &Settings, environment: Environment) -> Result<Self, StartError> {
        let control = &settings.control;
        let clock = Arc::new(SystemClock::start());
        let terms = terms(settings)?;
        let credentials = Arc::new(credentials(control)?);
        let fetcher = fetching::fetcher(Arc::new(fetching::roots(&environment)));
        let gateways = Bound::take(control.listen)?;
        let operators = control.admin.map(Bound::take).transpose()?;
        let listening = Listening {
            gateways: gateways.address(),
            admin: operators.as_ref().map(Bound::address),
        };
        let board = Arc::new(Board::default());
        let (publishing, handle) = publishing(settings, environment, &board, &clock)?;
        let switches = publishing.switches(settings, &clock)?;
        Ok(Self {
            gateways,
            terms,
            operators,
            listening,
            publishing,
            handle,
            board,
            switches,
            credentials,
            fetcher: Arc::new(fetcher),
            clock,
        })
    }

    /// Serves until the process is signalled; then gateways are asked to come back later.
    pub fn run(self) -> Result<(), StartError> {
        let Self { publishing, handle, .. } = self;
        let mut builder = Builder::new_multi_thread();
        let runtime =
            builder.worker_threads(THREADS).thread_name("gateways").enable_all().build()?;
        let (stop, stopped) = watch::channel(false);
        let cluster = publishing.cluster();
        let publishing = publishing.start(&stopped, &self.switches)?;
        let fleet = Arc::new(Fleet::default());
        let credentials = Arc::clone(&self.credentials);
        let attending = Arc::clone(&credentials).attend(self.fetcher, Arc::clone(&self.clock));
        let (board, clock) = (Arc::clone(&self.board), Arc::clone(&self.clock));
        let known = Arc::clone(&fleet);
        let service = Service::new(board, self.credentials, known, clock, stopped.clone());
        let operators = Operators {
            publisher: handle.clone(),
            fleet,
            credentials,
            tally: Arc::clone(&service.tally),
            cluster,
            switches: Arc::clone(&self.switches),
            started: self.clock.now(),
            clock: Arc::clone(&self.clock),
        };
        let served = runtime.block_on(async {
            runtime.spawn(attending);
            runtime.spawn(tell_switched(self.switches, self.board));
            if let Some(bound) = self.operators {
                runtime.spawn(listener(bound, operators).serve(stopped.clone()));
            }
            let listener = self.gateways.serve()?;
            let (connections, accept) = incoming(listener, self.terms);
            runtime.spawn(accept);
            let mut told = stopped.clone();
            let is_stopped = async move {
                // Without its sender there is nobody to serve for either.
                let _ = told.wait_for(|stop| *stop).await;
            };
            let service = ConfigurationServiceServer::new(Served(Arc::new(service)))
                .max_decoding_message_size(MESSAGE_BYTES_MAX)
                .max_encoding_message_size(MESSAGE_BYTES_MAX);
            let server = Server::builder()
                .http2_keepalive_interval(Some(KEEP_ALIVE_INTERVAL))
                .http2_keepalive_timeout(Some(KEEP_ALIVE_TIME_MAX))
                .max_concurrent_streams(CONNECTION_STREAMS_MAX)
                .http2_max_header_list_size(HEAD_BYTES_MAX)
                .add_service(service)
                .serve_with_incoming_shutdown(connections, is_stopped);
            let server = runtime.spawn(server);
            signalled(&handle).await?;
            stop.send_replace(true);
            match timeout(GOODBYE_TIME_MAX, server).await {
                Ok(Ok(Err(error))) => Err(StartError::Control(error.to_string())),
                // Who is cut off after that has had its time.
                Ok(_) | Err(_) => Ok(()),
            }
        });
        handle.stop();
        runtime.shutdown_timeout(Duration::ZERO);
        for thread in publishing {
            // Nobody is left to hear of one that panicked.
            let _ = thread.join();
        }
        served
    }
}

/// Shows gateways what is switched off, whenever that changes: never returns.
async fn tell_switched(switches: Arc<Switches>, board: Arc<Board>) {
    let mut list = switches.follow();
    loop {
        let now = Arc::clone(&list.borrow_and_update());
        board.switch(now);
        // Its sender is ours.
        let _ = list.changed().await;
    }
}

/// Waits for the signal that ends the control plane; a SIGHUP makes it look at its folder.
async fn signalled(handle: &Handle) -> Result<(), StartError> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv() => {
                tracing::info!("SIGHUP: the folder is looked at");
                handle.look();
            }
        }
    }
    tracing::info!("stopping: gateways are asked to come back later");
    Ok(())
}

fn listener(bound: Bound, operators: Operators) -> Listener<Desk<Operators>> {
    let rules = Rules {
        bounds: HeadBounds::default(),
        time_max: crate::proxy::guard::HEAD_TIME_MAX,
        witness: Arc::new(|_problem, _peer| ()),
    };
    Listener::plain(bound, Desk(operators), rules, CONNECTIONS_MAX)
}

/// How TLS is spoken with gateways; not at all only on this machine, and only if that is said.
fn terms(settings: &Settings) -> Result<Option<Terms>, StartError> {
    let control = &settings.control;
    let files = control.certificate_file.clone().zip(control.key_file.clone());
    let is_own = control.listen.ip().is_loopback();
    match files {
        Some((certificate, key)) => {
            let terms = Terms::new(Files { certificate, key });
            terms.map(Some).map_err(|unusable| StartError::Control(unusable.to_string()))
        }
        None if control.insecure && is_own => Ok(None),
        None if control.insecure => Err(StartError::Control(format!(
            "nobody listens at {} without TLS: secrets would be sent to other machines in the \
             clear; set control.certificateFile and control.keyFile",
            control.listen
        ))),
        None => Err(StartError::Control(
            "the control plane has no certificate: set control.certificateFile and \
             control.keyFile, or, for gateways on this machine alone, control.insecure"
                .to_owned(),
        )),
    }
}

/// Who may ask: at least somebody.
fn credentials(control: &Control) -> Result<Credentials, StartError> {
    if control.keys_file.is_none() && control.issuers_file.is_none() {
        return Err(StartError::Control(
            "the control plane knows no gateways: make keys with `weir token rotate --new`, and \
             name their file with control.keysFile; or name issuers of tokens with \
             control.issuersFile"
                .to_owned(),
        ));
    }
    let keys = control.keys_file.as_ref().map(|path| {
        Keys::open(&KeysFile::at(path)).map_err(|unusable| match &unusable {
            Unusable::Wrong { faults, .. } => wrong(&unusable.to_string(), faults),
            Unusable::Busy { .. } | Unusable::Unwritable { .. } => {
                wrong(&unusable.to_string(), &[])
            }
        })
    });
    let workloads = control.issuers_file.as_ref().map(|path| {
        Workloads::open(&IssuersFile::at(path)).map_err(|faults| {
            wrong(&format!("the issuers in {} cannot be used", path.display()), &faults)
        })
    });
    Ok(Credentials { keys: keys.transpose()?, workloads: workloads.transpose()? })
}

fn wrong(what: &str, faults: &[Fault]) -> StartError {
    let faults = faults.iter().map(|fault| render(fault, &Sources::default()));
    let lines: Vec<String> = std::iter::once(what.to_owned()).chain(faults).collect();
    StartError::Control(lines.join("\n"))
}
