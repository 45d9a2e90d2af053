//! What several control planes have switched off, in the etcd that they share.
//!
//! Whoever is asked writes it himself, on the condition that nobody else has meanwhile: so no two
//! lists have one number, and none is lost. No leader is needed for that, because what is written
//! depends on nothing but the list before. All hear of it by a watch, and look anyway.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::timeout;

use super::{Deed, List};
use crate::configuration::cluster::Cluster;
use crate::configuration::cluster::store::{Condition, Store, Unreachable, Write};
use crate::configuration::cluster::wish::ANSWER_TIME_MAX;

/// Where it lies.
const KEY: &str = "switched-off";
/// The largest that is read, in bytes.
const BYTES_MAX: usize = 1 << 20;
/// How often a change is tried while others change it too.
const TRIES: u32 = 16;
/// How long nobody hears of a change for whom the watch is lost.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// How long until it is asked for again when there was no answer.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// How many operators may wait at one control plane.
const WAITING_MAX: usize = 4;

/// What waits for an answer.
type Asked = (Deed, oneshot::Sender<Result<List, String>>);

/// What is switched off, where all have it.
#[derive(Debug)]
pub(super) struct Shared {
    cluster: Arc<Cluster>,
    give: mpsc::Sender<Asked>,
    take: Mutex<mpsc::Receiver<Asked>>,
}

/// Why nothing is known.
#[derive(Debug, thiserror::Error)]
enum Unread {
    #[error("the etcd that control planes share cannot be reached: {0}")]
    Unreachable(#[from] Unreachable),
    #[error(
        "what lies in etcd under `{KEY}` is no list of what is switched off, or one of a later \
         version of Weir"
    )]
    Strange,
}

/// What lies there.
struct Lies {
    list: Option<List>,
    /// The store revision of its last change; 0 if there is none.
    changed: i64,
    /// The store revision at which it was read.
    revision: i64,
}

impl Shared {
    /// What the control planes of `cluster` share.
    pub(super) fn of(cluster: Arc<Cluster>) -> Self {
        let (give, take) = mpsc::channel(WAITING_MAX);
        Self { cluster, give, take: Mutex::new(take) }
    }

    /// Has `deed` done by [`attend`](Self::attend); what is switched off then.
    pub(super) async fn change(&self, deed: Deed) -> Result<List, String> {
        let (answer, answered) = oneshot::channel();
        let busy = "the control plane is busy or stopping: try again";
        self.give.try_send((deed, answer)).map_err(|_full| busy.to_owned())?;
        match timeout(ANSWER_TIME_MAX, answered).await {
            Ok(answer) => answer.unwrap_or_else(|_gone| Err(busy.to_owned())),
            Err(_late) => {
                let seconds = ANSWER_TIME_MAX.as_secs();
                Err(format!(
                    "etcd does not answer within {seconds} s. It may be done all the same: see \
                     /status"
                ))
            }
        }
    }

    /// Does what is wanted here, and hands over what lies there whenever that changes. Never
    /// returns.
    pub(super) async fn attend(&self, show: impl Fn(List)) {
        let heed = async {
            let mut take = self.take.lock().await;
            while let Some((deed, answer)) = take.recv().await {
                if !answer.is_closed() {
                    // Who does not wait any more finds it in the log.
                    let _ = answer.send(change(&self.cluster, &deed).await);
                }
            }
        };
        tokio::join!(heed, follow(&self.cluster, show));
    }
}

/// Does `deed`, for all; what is switched off then.
async fn change(cluster: &Cluster, deed: &Deed) -> Result<List, String> {
    let store = &*cluster.store;
    for _ in 0..TRIES {
        let lies = read(store).await.map_err(|unread| unread.to_string())?;
        let before = lies.list.unwrap_or_else(|| List::begun(cluster.clock.now()));
        let after = before.after(deed.clone())?;
        let put = Write::Put(KEY.to_owned(), bytes(&after), 0);
        let unchanged = Condition::Changed(KEY.to_owned(), lies.changed);
        match store.commit(&[unchanged], &[put]).await {
            Ok(true) => return Ok(after),
            Ok(false) => {
                // It may have been our own first try, which had no answer.
                if let Ok(Lies { list: Some(list), .. }) = read(store).await
                    && list == after
                {
                    return Ok(after);
                }
            }
            Err(unreachable) => {
                let unread = Unread::from(unreachable);
                return Err(format!("{unread}. It may be done all the same: see /status"));
            }
        }
    }
    Err("others change it all the time: try again".to_owned())
}

/// Hands over what lies there, whenever that changes. Never returns.
async fn follow(cluster: &Cluster, take: impl Fn(List)) {
    let store = &*cluster.store;
    let mut is_strange = false;
    loop {
        match read(store).await {
            Ok(lies) => {
                is_strange = false;
                if let Some(list) = lies.list {
                    take(list);
                }
                tokio::select! {
                    hint = store.changed(KEY, lies.revision) => if hint.is_err() {
                        cluster.clock.sleep(ASK_AGAIN).await;
                    },
                    () = cluster.clock.sleep(LOOK_AGAIN) => (),
                }
            }
            Err(unread) => {
                // That etcd is away, the cluster says; once is enough for anything else.
                if matches!(unread, Unread::Strange) && !std::mem::replace(&mut is_strange, true) {
                    tracing::error!("what is switched off is not heard of: {unread}");
                }
                cluster.clock.sleep(ASK_AGAIN).await;
            }
        }
    }
}

async fn read(store: &dyn Store) -> Result<Lies, Unread> {
    let (value, revision) = store.get(KEY).await?;
    let Some(value) = value else { return Ok(Lies { list: None, changed: 0, revision }) };
    if BYTES_MAX < value.bytes.len() {
        return Err(Unread::Strange);
    }
    let list: Option<List> = serde_json::from_slice(&value.bytes).ok();
    let list = list.filter(List::is_sound).ok_or(Unread::Strange)?;
    Ok(Lies { list: Some(list), changed: value.changed, revision })
}

fn bytes(list: &List) -> Vec<u8> {
    // Plain structures of texts and numbers are always JSON.
    serde_json::to_vec(list).unwrap_or_default()
}
