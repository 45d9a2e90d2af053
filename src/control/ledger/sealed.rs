//! Small files of a state folder: JSON below its checksum, so that what is damaged is not used.

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Unusable, damaged, disk};

/// The largest of them, in bytes.
const FILE_BYTES_MAX: u64 = 8 << 20;

/// What the file at `path` says; nothing if there is none.
pub(in crate::control) fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, Unusable> {
    let failed = |source| Unusable::Disk { folder: path.display().to_string(), source };
    let Some(bytes) = disk::read(path, FILE_BYTES_MAX).map_err(failed)? else { return Ok(None) };
    let read =
        text(&bytes).and_then(|json| serde_json::from_str(json).map_err(|error| error.to_string()));
    read.map(Some).map_err(|why| damaged(path, why))
}

/// Writes `what` into the file at `path`.
pub(in crate::control) fn write(path: &Path, what: &impl Serialize) -> Result<(), Unusable> {
    let failed = |source| Unusable::Disk { folder: path.display().to_string(), source };
    disk::write(path, &written(what)).map_err(failed)
}

/// The JSON in a file, if it is as it was written; else what is wrong.
pub(super) fn text(bytes: &[u8]) -> Result<&str, String> {
    let text = std::str::from_utf8(bytes).map_err(|_binary| "it is no text".to_owned())?;
    let (sum, json) = text.split_once('\n').ok_or("it is cut off")?;
    if sum != checksum(json) {
        return Err("its checksum is another".to_owned());
    }
    Ok(json)
}

/// The bytes of a file.
pub(super) fn written(what: &impl Serialize) -> Vec<u8> {
    let json = serde_json::to_string_pretty(what).unwrap_or_default() + "\n";
    format!("{}\n{json}", checksum(&json)).into_bytes()
}

fn checksum(text: &str) -> String {
    let mut sum = String::new();
    for byte in openssl::sha::sha256(text.as_bytes()) {
        // Writing to a string cannot fail.
        let _ = write!(sum, "{byte:02x}");
    }
    sum
}
