//! etcd: values that replicas share beside Redis, changed by transactions.
//!
//! A thin client: it speaks to one member at a time and goes on to the next one when that fails, for
//! the balancing of the crate below keeps asking members that are gone. Every call has a deadline
//! and is tried a few times; a call that may have been carried out without an answer is only ever
//! one that may be carried out twice: a read, a grant, or a write on the condition that nothing
//! changed.

pub mod settings;
pub mod cluster;

use std::future::Future;
use std::time::Duration;

use etcd_client::{
    Channel, Client, Compare, CompareOp, ConnectOptions, Error, PutOptions, Txn, TxnOp,
};
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};

use crate::etcd::settings::{Settings, Unreadable, Unusable};
use crate::rpc::dial::{self, Terms, Unreached};

/// How long one try may take, a connection and who we are included.
const TRY_MAX: Duration = Duration::from_secs(2);

/// How often a call is tried at least; with more members, once at each.
const TRIES_MIN: usize = 3;

/// How long between two tries.
const PAUSE: Duration = Duration::from_millis(50);

/// How often a silent connection is asked whether it lives, and how long it has to say so.
const KEEP_ALIVE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(3));

/// What tries fail with that another member may do better, by number: cancelled, unknown (a broken
/// connection), too late, unavailable, and not known (a token that ran out).
const PASSING: [i32; 5] = [1, 2, 4, 14, 16];

/// An etcd.
#[derive(Debug)]
pub struct Etcd {
    settings: Settings,
    line: Mutex<Line>,
}

/// The connection, and whose turn it is.
#[derive(Default)]
struct Line {
    client: Option<Client>,
    /// How many connections there were: which member is next, and which line it is.
    number: usize,
}

/// A value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Value {
    /// What it is.
    pub bytes: Vec<u8>,
    /// The store revision of its last change, from 1 on.
    pub changed: i64,
}

/// Why a call came to nothing; the sentence is for operators.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// No answer in time.
    #[error("{0} does not answer within {seconds} s", seconds = TRY_MAX.as_secs())]
    Late(String),
    /// etcd, or the way there, refused.
    #[error("{0}: {1}")]
    Refused(String, Box<Error>),
    /// No connection.
    #[error(transparent)]
    Unreached(Box<Unreached>),
    /// Nothing is heard of changes any more.
    #[error("etcd does not tell of changes of `{0}` any more")]
    Ended(String),
    /// A file of the settings cannot be read now.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
}

impl Etcd {
    /// A client of the etcd that `settings` name; asks nobody yet.
    pub fn new(settings: Settings) -> Result<Self, Unusable> {
        settings.check()?;
        Ok(Self { settings, line: Mutex::default() })
    }

    /// What all of our keys begin with.
    pub fn prefix(&self) -> &str {
        &self.settings.prefix
    }

    /// The value of `key`, if there is one.
    pub async fn get(&self, key: &str) -> Result<Option<Value>, Failed> {
        let get = |mut client: Client| async move { client.get(key, None).await };
        let found = self.call(get).await?;
        let value = found.kvs().first();
        Ok(value.map(|kv| Value { bytes: kv.value().to_vec(), changed: kv.mod_revision() }))
    }

    /// Writes `bytes` under `key` if it was last changed at `changed` (0: there is none); they
    /// vanish with `lease`. Says whether it did: it did not if somebody else was faster, and says
    /// so too if an earlier try of its own had no answer.
    pub async fn put_if(
        &self,
        key: &str,
        bytes: &[u8],
        changed: i64,
        lease: i64,
    ) -> Result<bool, Failed> {
        let put = |mut client: Client| async move {
            let unchanged = Compare::mod_revision(key, CompareOp::Equal, changed);
            let put = TxnOp::put(key, bytes, Some(PutOptions::new().with_lease(lease)));
            client.txn(Txn::new().when([unchanged]).and_then([put])).await
        };
        Ok(self.call(put).await?.succeeded())
    }

    /// A new lease that lasts so long without being kept alive, in whole seconds.
    pub async fn grant(&self, lasts: Duration) -> Result<i64, Failed> {
        let seconds = i64::try_from(lasts.as_secs()).unwrap_or(i64::MAX);
        let grant = |mut client: Client| async move { client.lease_grant(seconds, None).await };
        Ok(self.call(grant).await?.id())
    }

    /// Tries `what` until it is done, or refused for good, or was tried often enough.
    async fn call<T, F>(&self, what: impl Fn(Client) -> F) -> Result<T, Failed>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let mut left = self.settings.endpoints.len().max(TRIES_MIN);
        loop {
            let (failed, number) = match self.attempt(&what).await {
                Ok(done) => return Ok(done),
                Err(failed) => failed,
            };
            left = left.saturating_sub(1);
            if !failed.is_passing() {
                return Err(failed);
            }
            // The next call begins with another member, whoever makes it.
            self.hang_up(number).await;
            if left == 0 {
                return Err(failed);
            }
            sleep(PAUSE).await;
        }
    }

    /// One try; says over which line if it failed.
    async fn attempt<T, F>(&self, what: &impl Fn(Client) -> F) -> Result<T, (Failed, usize)>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let (client, number) = self.line().await?;
        let member = || self.settings.endpoint(number).to_owned();
        match timeout(TRY_MAX, what(client)).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => Err((Failed::Refused(member(), Box::new(error)), number)),
            Err(_late) => Err((Failed::Late(member()), number)),
        }
    }

    /// The connection, made if there is none.
    async fn line(&self) -> Result<(Client, usize), (Failed, usize)> {
        let mut line = self.line.lock().await;
        let number = line.number;
        if let Some(client) = &line.client {
            return Ok((client.clone(), number));
        }
        // Whoever waits for the line goes on with the next member, if this one is silent.
        line.number = number.wrapping_add(1);
        let broken = |failed: Failed| (failed, number);
        let (address, tls) = self.settings.member(number).map_err(|it| broken(it.into()))?;
        let login = self.settings.login().map_err(|it| broken(it.into()))?;
        let terms = Terms { time_max: TRY_MAX, keep_alive: KEEP_ALIVE };
        // Without Nagle's algorithm, unlike those that the crate below makes: with it each call
        // takes the 40 ms for which the other side puts off its acknowledgement.
        let channel = dial::connect(&address, tls, terms).await;
        let channel = channel.map_err(|it| broken(Failed::Unreached(Box::new(it))))?;
        let options = login.map(|(user, password)| ConnectOptions::new().with_user(user, password));
        let member = self.settings.endpoint(number);
        let client = Client::from_channel(Channel::Tonic(channel), options);
        let client = match timeout(TRY_MAX, client).await {
            Ok(Ok(client)) => client,
            Ok(Err(error)) => {
                return Err((Failed::Refused(member.to_owned(), Box::new(error)), number));
            }
            Err(_late) => return Err((Failed::Late(member.to_owned()), number)),
        };
        *line = Line { client: Some(client.clone()), number };
        Ok((client, number))
    }

    /// The next call goes to the next member, unless somebody has seen to that already.
    async fn hang_up(&self, number: usize) {
        let mut line = self.line.lock().await;
        if line.number == number {
            *line = Line { client: None, number: number.wrapping_add(1) };
        }
    }
}

impl Failed {
    /// Whether the next member may do better.
    fn is_passing(&self) -> bool {
        match self {
            Self::Late(_) | Self::Unreached(_) => true,
            Self::Unreadable(_) | Self::Ended(_) => false,
            Self::Refused(_, error) => {
                if let Error::GRpcStatus(status) = error.as_ref() {
                    PASSING.contains(&status.code().into())
                } else {
                    matches!(error.as_ref(), Error::IoError(_) | Error::TransportError(_))
                }
            }
        }
    }
}

impl std::fmt::Debug for Line {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A client has a password.
        formatter.debug_struct("Line").field("number", &self.number).finish_non_exhaustive()
    }
}
