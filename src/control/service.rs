//! Lets gateways in: who they are, whether there is room, and a stream for each.

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::authority::pass::Pass;
use super::authority::{Authority, Refused, Shown};
use super::board::Board;
use super::crowd::Crowd;
use super::fleet::Fleet;
use super::session::Session;
use super::tally::{Refusal, Tally};
use crate::rpc::v2::configuration_service_server::ConfigurationService;
use crate::rpc::v2::{ControlMessage, GatewayMessage};
use crate::rpc::{GATEWAY, Peer};
use crate::time::{Clock, SystemClock};
use crate::token::name::NAME_CHARACTERS_MAX;

/// How many messages may wait for a gateway that is slow to take them.
const WAITING_MAX: usize = 4;

/// What all streams share.
pub struct Service {
    /// What is published.
    pub board: Arc<Board>,
    /// Who may ask.
    pub authority: Arc<dyn Authority>,
    /// How many may.
    pub crowd: Crowd,
    /// How they are doing.
    pub fleet: Arc<Fleet>,
    /// What time it is.
    pub clock: Arc<SystemClock>,
    /// True once no stream shall go on.
    pub stopped: watch::Receiver<bool>,
    /// What was counted.
    pub tally: Arc<Tally>,
    streams: AtomicU64,
    sessions: Mutex<JoinSet<()>>,
}

/// Configuration API v2, over what all streams share.
#[derive(Clone, Debug)]
pub struct Served(pub Arc<Service>);

impl Service {
    /// What all streams share, without any stream.
    pub fn new(
        board: Arc<Board>,
        authority: Arc<dyn Authority>,
        fleet: Arc<Fleet>,
        clock: Arc<SystemClock>,
        stopped: watch::Receiver<bool>,
    ) -> Self {
        Self {
            board,
            authority,
            crowd: Crowd::default(),
            fleet,
            clock,
            stopped,
            tally: Arc::default(),
            streams: AtomicU64::new(0),
            sessions: Mutex::default(),
        }
    }

    /// Who asks from `peer`.
    fn pass<T>(&self, request: &Request<T>, peer: Option<SocketAddr>) -> Result<Pass, Status> {
        let text = |name: &str| request.metadata().get(name).and_then(|it| it.to_str().ok());
        let gateway = text(GATEWAY).filter(|gateway| gateway.len() <= NAME_CHARACTERS_MAX);
        let now = self.clock.now();
        let pass = match text("authorization") {
            Some(credential) => Pass::of(&*self.authority, Shown { credential, gateway }, now),
            None => Err(Refused::Wrong),
        };
        let refused = match pass {
            Ok(pass) => return Ok(pass),
            // Nothing is wrong with it, as far as anybody knows.
            Err(refused @ Refused::Later(_)) => return Err(status(&refused)),
            Err(refused) => refused,
        };
        let may_again = peer.is_none_or(|peer| self.crowd.wrong(peer.ip(), now));
        if !may_again {
            self.tally.refuse(Refusal::TooOften);
            return Err(Status::resource_exhausted(
                "this address shows wrong credentials too often",
            ));
        }
        self.tally.refuse(Refusal::Credential);
        let (from, reason) = (told(peer), refused.detail());
        tracing::warn!(audit = true, peer = from, reason, "a credential is refused");
        Err(status(&refused))
    }
}

/// How a stream ends, or does not begin, that is refused.
pub(super) fn status(refused: &Refused) -> Status {
    match refused {
        Refused::Later(_) => Status::unavailable(refused.to_string()),
        Refused::Wrong | Refused::Over(_) | Refused::Token { .. } => {
            Status::unauthenticated(refused.to_string())
        }
    }
}

/// Who asks, for a log.
pub(super) fn told(peer: Option<SocketAddr>) -> String {
    peer.map_or_else(|| "unknown".to_owned(), |peer| peer.to_string())
}

#[tonic::async_trait]
impl ConfigurationService for Served {
    type ConfigureStream = ReceiverStream<Result<ControlMessage, Status>>;

    async fn configure(
        &self,
        request: Request<Streaming<GatewayMessage>>,
    ) -> Result<Response<Self::ConfigureStream>, Status> {
        let service = &self.0;
        let peer = request.extensions().get::<Peer>().and_then(|peer| peer.0);
        let pass = service.pass(&request, peer)?;
        if *service.stopped.borrow() {
            service.tally.refuse(Refusal::Stopping);
            return Err(Status::unavailable("this control plane is stopping"));
        }
        let (bearer, now) = (pass.bearer(), service.clock.now());
        let seat = service.crowd.enter(&bearer.gateway, &bearer.id, now);
        let seat = seat.map_err(|no_room| {
            service.tally.refuse(Refusal::Crowded);
            Status::resource_exhausted(no_room.to_string())
        })?;
        service.tally.open();
        let (give, take) = mpsc::channel(WAITING_MAX);
        let session = Session {
            service: Arc::clone(service),
            pass,
            peer,
            number: service.streams.fetch_add(1, Ordering::Relaxed),
            give,
            _seat: seat,
        };
        let mut sessions = service.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        while sessions.try_join_next().is_some() {}
        sessions.spawn(session.run(request.into_inner()));
        Ok(Response::new(ReceiverStream::new(take)))
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Service");
        shown.field("board", &self.board).field("crowd", &self.crowd).finish_non_exhaustive()
    }
}
