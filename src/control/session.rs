//! One stream: what a replica of a gateway says, and the configurations that it is sent.

mod send;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tonic::{Status, Streaming};

use super::authority::pass::Pass;
use super::board::Published;
use super::crowd::Seat;
use super::fleet::{Name, Replica, Together};
use super::service::{Service, status, told};
use super::switches::List;
use crate::configuration::bundle::Digest;
use crate::configuration::generation::Generation;
use crate::fault::{Fault, Place};
use crate::rpc::v2::control_message::Message as Told;
use crate::rpc::v2::gateway_message::Message as Said;
use crate::rpc::v2::{self, ControlMessage, GatewayMessage};
use crate::time::{Clock, Timestamp};

/// How long a gateway may take to say who it is.
const HELLO_TIME_MAX: Duration = Duration::from_secs(10);
/// How long a gateway may be silent: it says every ten seconds how it is doing.
const SILENCE_MAX: Duration = Duration::from_mins(1);
/// How long a gateway has to take what is left to be said, and why the stream ends.
const LAST_WORD_TIME_MAX: Duration = Duration::from_secs(5);
/// How often a credential is looked at again: it may be revoked.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);
/// How often at most a gateway may show a newer one.
const RENEWAL_INTERVAL: Duration = Duration::from_secs(1);
/// The longest name of a replica, and the longest version, in bytes.
const REPLICA_BYTES_MAX: usize = 256;
const VERSION_BYTES_MAX: usize = 64;
/// How often in a stream a gateway may ask for the whole.
const WHOLES_MAX: u32 = 3;
/// The most faults of a refusal that are remembered.
const FAULTS_MAX: usize = 50;
/// Over how long gateways come back when the control plane stops: for each of them.
const COMING_BACK: Duration = Duration::from_millis(100);
/// How long that is at most.
const COMING_BACK_MAX: Duration = Duration::from_secs(30);

/// One stream.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) service: Arc<Service>,
    /// What it was opened with.
    pub(super) pass: Pass,
    pub(super) peer: Option<SocketAddr>,
    pub(super) number: u64,
    pub(super) give: mpsc::Sender<Result<ControlMessage, Status>>,
    pub(super) _seat: Seat,
}

/// What a gateway has, as far as we know.
#[derive(Clone, Copy, Debug)]
struct Has {
    generation: Generation,
    digest: Digest,
}

/// What is next.
enum Next {
    Published,
    Said(Said),
    /// It is time to look at the credential again.
    Look,
    /// Something that this version does not know.
    Strange,
    Ended,
    Stopped,
}

impl Session {
    /// Serves the stream to its end.
    pub(super) async fn run(self, mut said: Streaming<GatewayMessage>) {
        let hello = match timeout(HELLO_TIME_MAX, said.message()).await {
            Ok(Ok(Some(GatewayMessage { message: Some(Said::Hello(hello)) }))) => hello,
            Ok(Ok(_) | Err(_)) => {
                let status = Status::invalid_argument("a Hello comes first");
                return last_word(&self.give, status).await;
            }
            Err(_late) => {
                let status = Status::deadline_exceeded("there was no Hello");
                return last_word(&self.give, status).await;
            }
        };
        if REPLICA_BYTES_MAX < hello.replica.len() || VERSION_BYTES_MAX < hello.version.len() {
            let status = Status::invalid_argument("the names in this Hello are too long");
            return last_word(&self.give, status).await;
        }
        let gateway = Arc::clone(&self.pass.bearer().gateway);
        let name: Name = (gateway, Arc::from(hello.replica.as_str()));
        let fleet = Arc::clone(&self.service.fleet);
        fleet.arrive(&name, self.number, &hello.version, self.now());
        let from = told(self.peer);
        let (gateway, replica) = (&*name.0, &*name.1);
        tracing::info!(gateway, replica, peer = from, version = hello.version, "a replica is here");
        let ended = self.serve(&name, has(&hello), &mut said).await;
        fleet.leave(&name, self.number, self.now());
        match ended {
            Ok(()) => tracing::info!(gateway, replica, "a replica has left"),
            Err(status) => {
                let reason = status.message();
                tracing::info!(gateway, replica, reason, "the stream of a replica ends");
                last_word(&self.give, status).await;
            }
        }
    }

    async fn serve(
        &self,
        name: &Name,
        mut has: Option<Has>,
        said: &mut Streaming<GatewayMessage>,
    ) -> Result<(), Status> {
        let mut published = self.service.board.follow();
        let mut switches = self.service.board.follow_switches();
        switches.mark_changed();
        let mut stopped = self.service.stopped.clone();
        let (mut pass, mut renewed) = (self.pass.clone(), Timestamp::default());
        let (mut sent, mut wholes, mut heard) = (Generation::NONE, 0_u32, self.now());
        loop {
            if switches.has_changed().unwrap_or(false) {
                let orders = switches.borrow_and_update().of(&pass.bearer().gateway);
                self.tell(Told::Switch(send::switch(&orders))).await?;
            }
            let newest = published.borrow_and_update().clone();
            let is_next = |newest: &Arc<Published>| {
                // Another control plane may have given it what has not come here yet.
                let has = has.map_or(Generation::NONE, |has| has.generation);
                sent < newest.generation() && has <= newest.generation()
            };
            if let Some(newest) = newest.filter(is_next) {
                has = Some(self.send(&newest, has).await?);
                sent = newest.generation();
            }
            if SILENCE_MAX < self.now().since(heard) {
                return Err(Status::deadline_exceeded("this replica is silent"));
            }
            let left = pass.bearer().until.since(self.now());
            let next = self.next(said, (&mut published, &mut switches), &mut stopped, left).await?;
            if matches!(next, Next::Said(_) | Next::Strange) {
                heard = self.now();
            }
            match next {
                Next::Published | Next::Strange => {}
                Next::Said(Said::SendWhole(_)) => {
                    wholes = wholes.saturating_add(1);
                    if WHOLES_MAX < wholes {
                        return Err(Status::resource_exhausted(
                            "the whole was asked for too often",
                        ));
                    }
                    (has, sent) = (None, Generation::NONE);
                }
                Next::Said(Said::Goodbye(_)) | Next::Ended => return Ok(()),
                Next::Said(Said::Renewal(renewal)) => {
                    if self.now().since(renewed) < RENEWAL_INTERVAL {
                        return Err(Status::resource_exhausted("credentials are shown too often"));
                    }
                    renewed = self.now();
                    self.renew(name, &mut pass, &renewal);
                }
                Next::Said(message) => self.note(name, message),
                Next::Look => {
                    let looked = pass.look(&*self.service.authority, self.now());
                    looked.map_err(|refused| status(&refused))?;
                }
                Next::Stopped => {
                    self.retreat().await;
                    return Err(Status::unavailable("this control plane is stopping"));
                }
            }
        }
    }

    async fn next(
        &self,
        said: &mut Streaming<GatewayMessage>,
        (published, switches): (
            &mut watch::Receiver<Option<Arc<Published>>>,
            &mut watch::Receiver<Arc<List>>,
        ),
        stopped: &mut watch::Receiver<bool>,
        left: Duration,
    ) -> Result<Next, Status> {
        Ok(tokio::select! {
            message = said.message() => match message? {
                Some(GatewayMessage { message: Some(message) }) => Next::Said(message),
                Some(GatewayMessage { message: None }) => Next::Strange,
                None => Next::Ended,
            },
            changed = published.changed() => match changed {
                Ok(()) => Next::Published,
                Err(_gone) => Next::Stopped,
            },
            changed = switches.changed() => match changed {
                Ok(()) => {
                    // It is told at the beginning of the next turn.
                    switches.mark_changed();
                    Next::Published
                }
                Err(_gone) => Next::Stopped,
            },
            _ = stopped.wait_for(|is_stopped| *is_stopped) => Next::Stopped,
            () = tokio::time::sleep(left.min(LOOK_INTERVAL)) => Next::Look,
        })
    }

    /// Takes the newer credential of the replica; the one before counts on if that is not good.
    fn renew(&self, name: &Name, pass: &mut Pass, renewal: &v2::Renewal) {
        let renewed = pass.renew(&*self.service.authority, &renewal.authorization, self.now());
        let (gateway, replica, peer) = (&*name.0, &*name.1, told(self.peer));
        match renewed {
            Ok(()) => tracing::debug!(gateway, replica, "a replica has a newer credential"),
            Err(refused) => {
                let reason = refused.detail();
                tracing::warn!(
                    audit = true,
                    gateway,
                    replica,
                    peer,
                    reason,
                    "a credential is refused"
                );
            }
        }
    }

    /// Notes what the replica says of itself.
    fn note(&self, name: &Name, message: Said) {
        let note: Box<dyn FnOnce(&mut Replica)> = match message {
            Said::Heartbeat(heartbeat) => Box::new(move |replica| beat(replica, &heartbeat)),
            Said::Verdict(verdict) => {
                let generation = number(verdict.generation);
                let faults: Vec<Fault> =
                    verdict.faults.into_iter().take(FAULTS_MAX).map(fault).collect();
                let (gateway, replica) = (&*name.0, &*name.1);
                self.service.tally.judge(verdict.accepted);
                if verdict.accepted {
                    tracing::info!(gateway, replica, %generation, "a configuration is served");
                } else {
                    let first = faults.first().map(ToString::to_string).unwrap_or_default();
                    tracing::warn!(gateway, replica, %generation, first, "a replica refuses it");
                }
                Box::new(move |replica| {
                    if verdict.accepted {
                        replica.serving = replica.serving.max(generation);
                    }
                    replica.refuses = if verdict.accepted { Generation::NONE } else { generation };
                    replica.faults = faults;
                })
            }
            Said::Hello(_) | Said::SendWhole(_) | Said::Goodbye(_) | Said::Renewal(_) => return,
        };
        self.service.fleet.hear(name, self.number, self.now(), note);
    }

    /// Asks the replica to come back later, at another time than the others.
    async fn retreat(&self) {
        let streams = u32::try_from(self.service.crowd.streams_most()).unwrap_or(u32::MAX);
        let wait = COMING_BACK.saturating_mul(streams).min(COMING_BACK_MAX);
        let wait_millis = u32::try_from(wait.as_millis()).unwrap_or(u32::MAX);
        // Who has gone need not be asked.
        let _ = self.tell(Told::Retreat(v2::Retreat { wait_millis })).await;
    }

    async fn tell(&self, message: Told) -> Result<(), Status> {
        let message = ControlMessage { message: Some(message) };
        match timeout(SILENCE_MAX, self.give.send(Ok(message))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_gone)) => Err(Status::cancelled("the replica has gone")),
            Err(_late) => Err(Status::deadline_exceeded("this replica takes nothing")),
        }
    }

    fn now(&self) -> Timestamp {
        self.service.clock.now()
    }
}

/// Ends a stream with `status`, which waits for its turn behind what was said before. Who takes
/// nothing any more sees that the stream has ended.
async fn last_word(give: &mpsc::Sender<Result<ControlMessage, Status>>, status: Status) {
    let _ = timeout(LAST_WORD_TIME_MAX, give.send(Err(status))).await;
}

/// What a gateway says that it has.
fn has(hello: &v2::Hello) -> Option<Has> {
    let digest = Digest::from_bytes(&hello.digest.as_ref()?.sha256)?;
    Some(Has { generation: number(hello.generation), digest })
}

fn beat(replica: &mut Replica, heartbeat: &v2::Heartbeat) {
    replica.is_ready = heartbeat.ready;
    replica.observed = number(heartbeat.observed);
    replica.prepared = number(heartbeat.prepared);
    replica.serving = number(heartbeat.serving);
    replica.refused = heartbeat.refused;
    let expires = heartbeat.credential_expires.saturating_mul(1_000_000);
    replica.credential_until = Timestamp::from_micros(expires);
    let near = Some(heartbeat.credential_near).filter(|near| *near != 0);
    replica.credential_near = near.map(Duration::from_secs);
    replica.cluster = heartbeat.cluster.map(|cluster| Together {
        in_force: number(cluster.in_force),
        replicas: cluster.replicas,
        serving: cluster.serving,
        is_staged: cluster.staged,
    });
}

fn number(generation: Option<v2::Generation>) -> Generation {
    let generation = generation.unwrap_or_default();
    Generation { history: generation.history, number: generation.number }
}

fn fault(told: v2::Fault) -> Fault {
    let place = Place { file: Arc::from(told.file), line: told.line, column: told.column };
    let fault = Fault::new(place, told.message);
    if told.remedy.is_empty() { fault } else { fault.mend(told.remedy) }
}

#[cfg(test)]
mod tests {
    use tokio_stream::StreamExt;
    use tokio_stream::wrappers::ReceiverStream;

    use super::*;

    #[tokio::test]
    async fn who_is_slow_to_take_what_was_said_hears_why_the_stream_ends() {
        let (give, take) = mpsc::channel(1);
        give.send(Ok(ControlMessage::default())).await.unwrap();
        // What was said before still waits when the stream ends.
        let said = async move {
            last_word(&give, Status::resource_exhausted("too often")).await;
        };
        let heard = async move {
            tokio::task::yield_now().await;
            ReceiverStream::new(take).collect::<Vec<_>>().await
        };
        let ((), heard) = tokio::join!(said, heard);
        let codes: Vec<_> = heard.iter().map(|it| it.as_ref().err().map(Status::code)).collect();
        assert_eq!(codes, [None, Some(tonic::Code::ResourceExhausted)]);
    }
}
