//! One stream to the control plane, from the first word to the last.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::{Request, Streaming};

use super::ordered::orders;
use super::parcel::{Parcel, Useless, number};
use super::{Ended, Judged, Memory, Remote};
use crate::configuration::credential::Credential;
use crate::configuration::generation::Generation;
use crate::configuration::offer::State;
use crate::fault::Fault;
use crate::rpc::dial::dial;
use crate::rpc::v2::configuration_service_client::ConfigurationServiceClient;
use crate::rpc::v2::control_message::Message as Told;
use crate::rpc::v2::gateway_message::Message as Said;
use crate::rpc::v2::{self, ControlMessage, GatewayMessage};
use crate::rpc::{GATEWAY, MESSAGE_BYTES_MAX};

/// How often we say how we are doing.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(10);
/// How many messages may wait for a control plane that is slow to take them.
const WAITING_MAX: usize = 16;
/// The most faults that are told.
const FAULTS_MAX: usize = 50;
/// The longest text of a fault that is told, in bytes.
const FAULT_BYTES_MAX: usize = 4 << 10;

/// What of a stream is under way.
struct Talk {
    say: mpsc::Sender<GatewayMessage>,
    /// What comes, and is not whole yet.
    parcel: Option<Parcel>,
    /// The credential that counts for the stream.
    shown: Credential,
    /// Whether anything came that is of use.
    is_useful: bool,
}

impl Remote {
    /// Opens a stream and keeps it until it ends; whether it brought anything, and why it ended.
    pub(super) async fn talk(&mut self, memory: &mut Memory) -> (bool, Ended) {
        let (shown, said, mut told) = match self.open().await {
            Ok(open) => open,
            Err(ended) => return (false, ended),
        };
        self.link.send_modify(|link| {
            (link.is_connected, link.lost) = (true, None);
            link.reason.clear();
        });
        tracing::info!("the control plane is there");
        let mut talk = Talk { say: said, parcel: None, shown, is_useful: false };
        let mut ticks = interval(HEARTBEAT_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut state = self.state.clone();
        let ended = loop {
            let step = tokio::select! {
                told = told.message() => match told {
                    Ok(Some(ControlMessage { message: Some(told) })) => {
                        self.hear(&mut talk, memory, told).await
                    }
                    // What a later version says, and we need not know.
                    Ok(Some(ControlMessage { message: None })) => Ok(()),
                    Ok(None) => Err(Ended::Closed),
                    Err(status) => Err(status.into()),
                },
                changed = state.changed() => match changed {
                    Ok(()) => self.judge(&mut talk, memory).await,
                    Err(_gone) => Err(Ended::Closed),
                },
                _ = ticks.tick() => self.beat(&mut talk).await,
            };
            if let Err(ended) = step {
                break ended;
            }
        };
        (talk.is_useful, ended)
    }

    /// Whether the control plane would open a stream for us: it is asked for one, which ends
    /// before we say who we are, so that nothing is sent and nobody is counted as one of its
    /// replicas.
    pub(in crate::configuration) async fn reach(&self) -> Result<(), String> {
        let (_say, said) = mpsc::channel(1);
        self.call(said).await.map(drop).map_err(|ended| ended.to_string())
    }

    async fn open(
        &self,
    ) -> Result<(Credential, mpsc::Sender<GatewayMessage>, Streaming<ControlMessage>), Ended> {
        let (say, said) = mpsc::channel(WAITING_MAX);
        let hello = v2::Hello {
            replica: self.replica.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            generation: self.held.as_ref().map(|(generation, _bundle)| wire(*generation)),
            digest: self.held.as_ref().map(|(_generation, bundle)| v2::Digest {
                sha256: Bytes::copy_from_slice(bundle.digest().bytes()),
            }),
        };
        tell(&say, Said::Hello(hello), self.time_max).await?;
        let (credential, told) = self.call(said).await?;
        Ok((credential, say, told))
    }

    /// Asks for a stream over which `said` is said.
    async fn call(
        &self,
        said: mpsc::Receiver<GatewayMessage>,
    ) -> Result<(Credential, Streaming<ControlMessage>), Ended> {
        let holder = Arc::clone(&self.token);
        let credential = spawn_blocking(move || Self::credential(&holder)).await;
        let credential =
            credential.map_err(|_panic| Ended::Token("it cannot be read".to_owned()))??;
        self.mind(&credential);
        let token: Result<MetadataValue<Ascii>, _> = credential.text().expose().parse();
        let mut token = token.map_err(|_other| Ended::Token("it is no text".to_owned()))?;
        token.set_sensitive(true);
        let gateway: Option<Result<MetadataValue<Ascii>, _>> = credential.gateway().map(str::parse);
        let gateway = gateway.transpose();
        let gateway =
            gateway.map_err(|_other| Ended::Token("gateway.name is no name".to_owned()))?;
        let channel = dial(&self.address, self.ca.as_ref(), self.time_max).await?;
        let mut client = ConfigurationServiceClient::new(channel)
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX);
        let mut request = Request::new(ReceiverStream::new(said));
        request.metadata_mut().insert("authorization", token);
        if let Some(gateway) = gateway {
            request.metadata_mut().insert(GATEWAY, gateway);
        }
        let answered = timeout(self.time_max, client.configure(request)).await;
        let answered = answered.map_err(|_late| Ended::Silent(self.time_max))?;
        Ok((credential, answered?.into_inner()))
    }

    /// Does what the control plane says.
    async fn hear(
        &mut self,
        talk: &mut Talk,
        memory: &mut Memory,
        told: Told,
    ) -> Result<(), Ended> {
        let useless = match told {
            Told::Announcement(announced) => {
                let held = self.held.as_ref().map(|(_generation, bundle)| bundle);
                match Parcel::begin(&announced, held) {
                    Ok(parcel) => {
                        // What was urgent once is not for ever.
                        let urgent = announced.now.then(|| *parcel.digest());
                        *self.urgent.lock().unwrap_or_else(PoisonError::into_inner) = urgent;
                        talk.parcel = Some(parcel);
                        return Ok(());
                    }
                    Err(useless) => useless,
                }
            }
            Told::Piece(piece) => {
                // Pieces of what is of no use are passed over, until the next announcement.
                let Some(parcel) = &mut talk.parcel else { return Ok(()) };
                match parcel.piece(&piece.bytes) {
                    Ok(()) if parcel.is_whole() => match self.open_parcel(talk).await {
                        Ok(()) => return self.taken(talk, memory).await,
                        Err(useless) => useless,
                    },
                    Ok(()) => return Ok(()),
                    Err(useless) => useless,
                }
            }
            Told::Current(current) => {
                talk.is_useful = true;
                let newest = number(current.generation.as_ref());
                if let Some((generation, _bundle)) = &mut self.held {
                    // It may be a later generation than we knew it by.
                    let is_news = !memory.is_known || *generation < newest;
                    *generation = newest.max(*generation);
                    if is_news {
                        return self.taken(talk, memory).await;
                    }
                }
                return Ok(());
            }
            Told::Switch(switch) => {
                talk.is_useful = true;
                match orders(switch) {
                    Some(orders) => (self.take_orders)(orders),
                    None => return Err(Ended::Nonsense("more switched off than there may be")),
                }
                return Ok(());
            }
            Told::Retreat(retreat) => {
                let wait = Duration::from_millis(u64::from(retreat.wait_millis));
                return Err(Ended::Retreat(wait));
            }
        };
        talk.parcel = None;
        match useless {
            Useless::Whole => {
                tell(&talk.say, Said::SendWhole(v2::SendWhole {}), self.time_max).await
            }
            Useless::Nonsense(what) => Err(Ended::Nonsense(what)),
        }
    }

    /// Opens the configuration that has come: from then on it is what we have.
    async fn open_parcel(&mut self, talk: &mut Talk) -> Result<(), Useless> {
        let Some(parcel) = talk.parcel.take() else { return Ok(()) };
        let held = self.held.as_ref().map(|(_generation, bundle)| Arc::clone(bundle));
        let opened = spawn_blocking(move || parcel.open(held.as_deref())).await;
        let (generation, bundle) = opened.unwrap_or(Err(Useless::Whole))?;
        self.held = Some((generation, bundle));
        talk.is_useful = true;
        Ok(())
    }

    /// Hands over what we have.
    async fn taken(&self, talk: &mut Talk, memory: &mut Memory) -> Result<(), Ended> {
        let Some((generation, bundle)) = &self.held else { return Ok(()) };
        memory.is_known = true;
        memory.judged = Some(Judged { generation: *generation, is_told: false });
        (self.take)(*generation, Arc::clone(bundle));
        // It may be known already what became of it.
        self.judge(talk, memory).await
    }

    /// Says what became of the configuration that was taken last, once that is known.
    async fn judge(&self, talk: &mut Talk, memory: &mut Memory) -> Result<(), Ended> {
        let state = self.state.borrow().clone();
        let Some(Judged { generation, is_told }) = memory.judged else { return Ok(()) };
        let accepted = generation <= state.serving;
        let is_refused = state.refused_offer == generation && !is_told;
        if !accepted && !is_refused {
            return Ok(());
        }
        // What is refused now may be served once something else is switched off.
        memory.judged = (!accepted).then_some(Judged { generation, is_told: true });
        let faults = if accepted { Vec::new() } else { state.refusal.clone() };
        let verdict = v2::Verdict {
            generation: Some(wire(generation)),
            accepted,
            faults: faults.iter().take(FAULTS_MAX).map(fault).collect(),
        };
        tell(&talk.say, Said::Verdict(verdict), self.time_max).await?;
        self.beat(talk).await
    }

    /// When our token expires, in seconds since the epoch; 0 if we have none.
    fn expires(&self) -> u64 {
        self.link.borrow().token_expires.map_or(0, |at| at.micros() / 1_000_000)
    }

    /// Says how we are doing, and shows a newer credential if there is one: the stream outlives the
    /// one that it was opened with.
    async fn beat(&self, talk: &mut Talk) -> Result<(), Ended> {
        let holder = Arc::clone(&self.token);
        if let Ok(Ok(credential)) = spawn_blocking(move || Self::credential(&holder)).await {
            self.mind(&credential);
            if credential != talk.shown {
                let authorization = credential.text().expose().to_owned();
                talk.shown = credential;
                let renewal = v2::Renewal { authorization };
                tell(&talk.say, Said::Renewal(renewal), self.time_max).await?;
            }
        }
        let State { observed, prepared, serving, refused, .. } = self.state.borrow().clone();
        let heartbeat = v2::Heartbeat {
            ready: (self.ready)(),
            observed: Some(wire(observed)),
            prepared: Some(wire(prepared)),
            serving: Some(wire(serving)),
            refused,
            credential_expires: self.expires(),
            credential_near: self.link.borrow().token_near.as_secs(),
            cluster: self.company.as_ref().map(|company| company()),
        };
        tell(&talk.say, Said::Heartbeat(heartbeat), self.time_max).await
    }
}

async fn tell(
    say: &mpsc::Sender<GatewayMessage>,
    message: Said,
    time_max: Duration,
) -> Result<(), Ended> {
    let message = GatewayMessage { message: Some(message) };
    match timeout(time_max, say.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_gone)) => Err(Ended::Closed),
        Err(_late) => Err(Ended::Silent(time_max)),
    }
}

const fn wire(generation: Generation) -> v2::Generation {
    v2::Generation { history: generation.history, number: generation.number }
}

fn fault(fault: &Fault) -> v2::Fault {
    let cut = |text: &str| {
        let end = text.floor_char_boundary(FAULT_BYTES_MAX);
        text.get(..end).unwrap_or_default().to_owned()
    };
    v2::Fault {
        file: cut(&fault.place.file),
        line: fault.place.line,
        column: fault.place.column,
        message: cut(&fault.message),
        remedy: cut(fault.remedy.as_deref().unwrap_or_default()),
    }
}
