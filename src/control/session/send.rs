//! Sends a configuration: as a change where that is known, else whole, in pieces.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::task::spawn_blocking;
use tonic::Status;

use super::{Has, Session};
use crate::configuration::bundle::{Digest, Unsound};
use crate::configuration::portion::NoPortion;
use crate::configuration::switch::orders::{Orders, Target};
use crate::control::board::{Board, Published};
use crate::control::tally::Form;
use crate::rpc::PIECE_BYTES;
use crate::rpc::v2::control_message::Message as Told;
use crate::rpc::v2::disabled::What;
use crate::rpc::v2::{self, Announcement};

/// What goes to a gateway.
struct Parcel {
    digest: Digest,
    /// The digest of what it changes, and how many entries of that are gone.
    change: Option<(Digest, u32)>,
    bytes: Bytes,
}

impl Session {
    /// Sends the gateway what it gets of `newest`, if it has something else.
    pub(super) async fn send(
        &self,
        newest: &Arc<Published>,
        has: Option<Has>,
    ) -> Result<Has, Status> {
        let generation = newest.generation();
        let told = v2::Generation { history: generation.history, number: generation.number };
        let gateway = Arc::clone(&self.pass.bearer().gateway);
        let (board, published) = (Arc::clone(&self.service.board), Arc::clone(newest));
        let parcel = spawn_blocking(move || parcel(&board, &published, &gateway, has)).await;
        let parcel = parcel.map_err(|_panic| Status::internal("a portion cannot be made"))??;
        let now = Has { generation, digest: parcel.digest };
        if has.is_some_and(|has| has.generation == generation && has.digest == parcel.digest) {
            self.service.tally.send(Form::Current, 0);
            self.tell(Told::Current(v2::Current { generation: Some(told) })).await?;
            return Ok(now);
        }
        self.tell(Told::Announcement(Announcement {
            generation: Some(told),
            digest: Some(wire(&parcel.digest)),
            from: parcel.change.map(|(from, _gone)| wire(&from)),
            gone: parcel.change.map_or(0, |(_from, gone)| gone),
            bytes: u64::try_from(parcel.bytes.len()).unwrap_or(u64::MAX),
            now: newest.is_urgent(),
        }))
        .await?;
        let form = if parcel.change.is_some() { Form::Change } else { Form::Whole };
        self.service.tally.send(form, parcel.bytes.len());
        let mut left = parcel.bytes;
        while !left.is_empty() {
            let bytes = left.split_to(left.len().min(PIECE_BYTES));
            self.tell(Told::Piece(v2::Piece { bytes })).await?;
        }
        Ok(now)
    }
}

/// What is switched off at a gateway, as it travels.
pub(super) fn switch(orders: &Orders) -> v2::Switch {
    let disabled = orders.entries.iter().map(|order| {
        let (what, refuse) = match &order.what {
            Target::Policy { name, refuse } => (What::Policy(name.clone()), *refuse),
            Target::Api(id) => (What::Api(id.clone()), true),
            Target::Operation(name) => (What::Operation(name.clone()), true),
        };
        let (by, reason) = (order.by.clone(), order.reason.clone());
        v2::Disabled { what: Some(what), refuse, by, at: order.at, reason }
    });
    let disabled = disabled.collect();
    v2::Switch { history: orders.history, revision: orders.revision, disabled }
}

fn parcel(
    board: &Board,
    newest: &Published,
    gateway: &str,
    has: Option<Has>,
) -> Result<Parcel, Status> {
    let portion = newest.portion(gateway).map_err(|reason| no_portion(gateway, &reason))?;
    let unsound = |reason: Unsound| no_portion(gateway, &reason.into());
    let digest = *portion.bundle().digest();
    let before = has.and_then(|has| board.given(gateway, has.generation, &has.digest));
    let whole = portion.packed().map_err(unsound)?;
    let Some(before) = before else { return Ok(Parcel { digest, change: None, bytes: whole }) };
    let change = portion.bundle().since(&before).map_err(unsound)?;
    let mut bytes = BytesMut::new();
    for gone in &change.gone {
        bytes.extend_from_slice(gone.bytes());
    }
    bytes.extend_from_slice(&change.come);
    if whole.len() <= bytes.len() {
        return Ok(Parcel { digest, change: None, bytes: whole });
    }
    let gone = u32::try_from(change.gone.len()).unwrap_or(u32::MAX);
    Ok(Parcel { digest, change: Some((change.from, gone)), bytes: bytes.freeze() })
}

fn no_portion(gateway: &str, reason: &NoPortion) -> Status {
    match reason {
        NoPortion::Unknown(_) => Status::not_found(reason.to_string()),
        NoPortion::Unsound(_) | NoPortion::Unreadable => {
            tracing::error!(gateway, %reason, "a gateway gets no configuration");
            Status::internal(reason.to_string())
        }
    }
}

fn wire(digest: &Digest) -> v2::Digest {
    v2::Digest { sha256: Bytes::copy_from_slice(digest.bytes()) }
}
