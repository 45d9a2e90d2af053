//! The parts of bundles in the store: each lies there once, for all generations that have it.
//!
//! Who publishes writes only the parts that no generation has yet; who fetches reads only those that
//! it does not have. What says that a part is needed is the record of a generation. So before any
//! part is written, it is said what is in the [press](PRESS), and a generation that is taken away
//! becomes a *leftover* in the same transaction: whatever happens in between, the next leader
//! finds all parts that may be needed by nobody. They are only swept away while the press stands
//! still: a sweep that the store carries out late, while a part is published again, does nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::publication::{Failed, InForce, Press, record};
use super::record::{
    CURRENT, GENERATIONS, LEFTOVERS, PRESS, Piled, Record, piece_key, pieces_of, read, written,
};
use super::store::{Condition, Store, Value, Write};
use crate::configuration::bundle::{
    Assembly, Bundle, Digest, Entry, PACKED_BYTES_MAX, PARTS_MAX, Part,
};

/// How many bytes a piece has: etcd takes 1.5 MiB in a transaction.
const PIECE_BYTES: usize = 512 << 10;
/// How many pieces a part has at most.
const PIECES_MAX: usize = PACKED_BYTES_MAX.div_ceil(PIECE_BYTES);
/// How many parts are swept away in one transaction: etcd takes 128 writes in one.
const SWEPT_AT_ONCE: usize = 64;

/// Parts of which some may be needed by nobody.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Leftover {
    /// What nothing else is called.
    name: String,
    /// The digests of the parts.
    parts: Vec<String>,
}

impl Leftover {
    /// What is left of generation `number`, which `record` was.
    pub(super) fn of_generation(number: u64, record: &Record) -> Self {
        let parts = record.parts.iter().map(|part| part.digest.clone()).collect();
        Self { name: format!("{number:016x}-gone"), parts }
    }

    /// What puts it where it is found.
    pub(super) fn put(&self) -> Write {
        Write::Put(format!("{LEFTOVERS}{}", self.name), written(self), 0)
    }
}

/// Reads generation `number` whole, and makes sure that it is what was published. Parts that `held`
/// has too are taken from there.
pub(super) async fn fetch(
    store: &dyn Store,
    number: u64,
    held: Option<&Bundle>,
) -> Result<Bundle, Failed> {
    let damaged = |what| Failed::Damaged(number, what);
    let record = record(store, number).await?.ok_or_else(|| damaged("it is gone"))?;
    if PARTS_MAX < record.parts.len() {
        return Err(damaged("it is too large"));
    }
    let held = held.map(Bundle::parts).unwrap_or_default();
    let held: BTreeMap<Digest, &[Arc<Entry>]> =
        held.iter().map(|part| (part.digest(), part.entries())).collect();
    let mut assembly = Assembly::default();
    for part in &record.parts {
        let digest = Digest::from_hex(&part.digest).ok_or_else(|| damaged("its record"))?;
        match held.get(&digest) {
            Some(entries) => assembly.add(entries)?,
            None => assembly.unpack(&digest, &pieces(store, number, part).await?)?,
        }
    }
    let bundle = assembly.finish()?;
    if record.digest() != Some(*bundle.digest()) {
        return Err(damaged("its digest"));
    }
    Ok(bundle)
}

/// The bytes of a part.
async fn pieces(store: &dyn Store, number: u64, part: &Piled) -> Result<Vec<u8>, Failed> {
    let damaged = |what| Failed::Damaged(number, what);
    if PIECES_MAX < part.pieces {
        return Err(damaged("a part is too large"));
    }
    let mut packed = Vec::new();
    for index in 0..part.pieces {
        let (value, _revision) = store.get(&piece_key(&part.digest, index)).await?;
        let value = value.ok_or_else(|| damaged("a part is missing"))?;
        if PIECE_BYTES < value.bytes.len() {
            return Err(damaged("a part is too large"));
        }
        packed.extend(value.bytes);
    }
    Ok(packed)
}

impl Press<'_> {
    /// Sees to it that all parts of `bundle`, which is to be generation `number`, lie in the store.
    pub(super) async fn pile(&self, number: u64, bundle: &Bundle) -> Result<Vec<Piled>, Failed> {
        let parts: Vec<(String, Part<'_>)> =
            bundle.parts().into_iter().map(|part| (part.digest().to_string(), part)).collect();
        let digest = bundle.digest().to_string();
        let mark = digest.get(..16).unwrap_or_default();
        let digests = parts.iter().map(|(digest, _part)| digest.clone());
        self.announce(Leftover {
            name: format!("{number:016x}-{:x}-{mark}", self.epoch),
            parts: digests.collect(),
        })
        .await?;
        // Only now: from here on nothing is swept away.
        let there = self.there().await?;
        let mut piled = Vec::new();
        for (digest, part) in parts {
            let pieces = match there.get(&digest) {
                Some(pieces) => *pieces,
                None => self.add(&digest, part).await?,
            };
            piled.push(Piled { digest, pieces });
        }
        Ok(piled)
    }

    /// Says what is published now; what was before is left over.
    async fn announce(&self, own: Leftover) -> Result<(), Failed> {
        let (last, changed) = self.announced().await?;
        let mut writes = vec![Write::Put(PRESS.to_owned(), written(&own), 0)];
        writes.extend(last.filter(|last| last.name != own.name).map(|last| last.put()));
        self.write(&[Condition::Changed(PRESS.to_owned(), changed)], &writes).await
    }

    /// What was published last, and when that was said; 0: never.
    async fn announced(&self) -> Result<(Option<Leftover>, i64), Failed> {
        let (value, _revision) = self.store.get(PRESS).await?;
        let changed = value.as_ref().map_or(0, |value| value.changed);
        Ok((value.and_then(|value| read(&value.bytes)), changed))
    }

    /// The parts that generations have, and of how many pieces they are.
    async fn there(&self) -> Result<BTreeMap<String, usize>, Failed> {
        let generations = self.store.list(GENERATIONS).await?;
        let records = generations.values.iter().filter_map(|value| read::<Record>(&value.bytes));
        let parts = records.flat_map(|record| record.parts);
        Ok(parts.map(|part| (part.digest, part.pieces)).collect())
    }

    /// Writes a part; returns how many pieces it has.
    async fn add(&self, digest: &str, part: Part<'_>) -> Result<usize, Failed> {
        let packed = part.pack()?;
        let pieces = packed.chunks(PIECE_BYTES);
        let count = pieces.len();
        for (index, piece) in pieces.enumerate() {
            self.write(&[], &[Write::Put(piece_key(digest, index), piece.to_vec(), 0)]).await?;
        }
        Ok(count)
    }

    /// Takes away the parts of leftovers that no generation has, while what is in force is what was
    /// read as `seen`.
    pub(super) async fn sweep(&self, seen: &InForce) -> Result<(), Failed> {
        let leftovers = self.store.list(LEFTOVERS).await?;
        if leftovers.values.is_empty() {
            return Ok(());
        }
        let (last, changed) = self.announced().await?;
        let still = [
            Condition::Changed(CURRENT.to_owned(), seen.changed),
            Condition::Changed(PRESS.to_owned(), changed),
        ];
        let mut needed: BTreeSet<String> = self.there().await?.into_keys().collect();
        needed.extend(last.into_iter().flat_map(|last| last.parts));
        for Value { key, bytes, .. } in leftovers.values {
            let parts = read::<Leftover>(&bytes).map(|leftover| leftover.parts).unwrap_or_default();
            let gone: Vec<_> = parts.iter().filter(|part| !needed.contains(*part)).collect();
            for some in gone.chunks(SWEPT_AT_ONCE) {
                let writes: Vec<_> =
                    some.iter().map(|part| Write::RemoveAll(pieces_of(part))).collect();
                self.write(&still, &writes).await?;
            }
            self.write(&still, &[Write::Remove(key)]).await?;
        }
        Ok(())
    }
}
