//! A bundle as bytes: compressed, and read back under bounds.
//!
//! ```text
//! "weir-configuration/1\n"
//! then, compressed (zlib), for each entry in order:
//!   kind, 1 byte · length of the name, u32 LE · length of the text, u32 LE · name · text
//! ```
//!
//! The digest is not in it: it stands wherever the bundle is announced, and is compared there.

use std::io::{self, Read, Write};
use std::sync::Arc;

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;

use super::{BYTES_MAX, Bundle, ENTRIES_MAX, Entry, Kind, NAME_BYTES_MAX};

const BEGINNING: &[u8] = b"weir-configuration/1\n";

/// The most bytes of a packed bundle.
pub const PACKED_BYTES_MAX: usize = 64 << 20;

/// What an entry has before its name and text.
const HEAD_BYTES: usize = 9;

/// Why something is no bundle.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unsound {
    /// Not ours, or of a later version.
    #[error("this is no configuration that this version of Weir can read")]
    Foreign,
    /// Cut off, or damaged.
    #[error("the configuration is damaged")]
    Damaged,
    /// More than can be a configuration.
    #[error("the configuration has more than {ENTRIES_MAX} files")]
    TooMany,
    /// More than can be a configuration.
    #[error("the configuration has more than {BYTES_MAX} bytes, or {PACKED_BYTES_MAX} packed")]
    TooLarge,
    /// A name that nothing has.
    #[error("a file of the configuration has a name of more than {NAME_BYTES_MAX} bytes")]
    LongName,
    /// Two entries of one name, or not in order.
    #[error("the configuration's files are not in order, or one is there twice")]
    Order,
}

impl Bundle {
    /// As bytes.
    pub fn pack(&self) -> Result<Vec<u8>, Unsound> {
        let packed = pack(&self.entries).map_err(|_never| Unsound::TooLarge)?;
        if PACKED_BYTES_MAX < packed.len() {
            return Err(Unsound::TooLarge);
        }
        Ok(packed)
    }

    /// The bundle that [`pack`](Self::pack) made bytes of. No more memory is taken than bounds
    /// allow, whatever the bytes say.
    pub fn unpack(packed: &[u8]) -> Result<Self, Unsound> {
        if PACKED_BYTES_MAX < packed.len() {
            return Err(Unsound::TooLarge);
        }
        Self::sorted(unpack(packed)?)
    }
}

/// Writes `entries`; writing into memory does not fail.
pub(super) fn pack(entries: &[Arc<Entry>]) -> io::Result<Vec<u8>> {
    // Texts of a configuration are so alike that more effort saves little.
    let mut writer = ZlibEncoder::new(BEGINNING.to_vec(), Compression::fast());
    for entry in entries {
        let length = |text: &str| u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes();
        writer.write_all(&[entry.kind().number()])?;
        writer.write_all(&length(entry.name()))?;
        writer.write_all(&length(entry.text()))?;
        writer.write_all(entry.name().as_bytes())?;
        writer.write_all(entry.text().as_bytes())?;
    }
    writer.finish()
}

/// Reads the entries that [`pack`] wrote, in its order.
pub(super) fn unpack(packed: &[u8]) -> Result<Vec<Arc<Entry>>, Unsound> {
    let compressed = packed.strip_prefix(BEGINNING).ok_or(Unsound::Foreign)?;
    let mut reader = Bounded { inner: ZlibDecoder::new(compressed), left: BYTES_MAX };
    let mut entries = Vec::new();
    while let Some((kind, name_bytes, text_bytes)) = reader.head()? {
        if entries.len() == ENTRIES_MAX {
            return Err(Unsound::TooMany);
        }
        if NAME_BYTES_MAX < name_bytes {
            return Err(Unsound::LongName);
        }
        let name = reader.text(name_bytes)?;
        let text = reader.text(text_bytes)?;
        entries.push(Arc::new(Entry::new(kind, name, text)));
    }
    Ok(entries)
}

/// Gives no more than it may.
struct Bounded<R> {
    inner: R,
    left: usize,
}

impl<R: Read> Bounded<R> {
    /// What the next entry is, and how long its name and text are; nothing at the end.
    fn head(&mut self) -> Result<Option<(Kind, usize, usize)>, Unsound> {
        let mut head = [0; HEAD_BYTES];
        let mut filled = 0;
        while let Some(rest) = head.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.inner.read(rest) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(Unsound::Damaged),
                Ok(read) => filled = filled.saturating_add(read),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_damaged) => return Err(Unsound::Damaged),
            }
        }
        let [kind, name @ .., _, _, _, _] = head;
        let [.., a, b, c, d] = head;
        let kind = Kind::numbered(kind).ok_or(Unsound::Foreign)?;
        let length = |bytes| usize::try_from(u32::from_le_bytes(bytes)).unwrap_or(usize::MAX);
        Ok(Some((kind, length(name), length([a, b, c, d]))))
    }

    fn text(&mut self, bytes: usize) -> Result<Arc<str>, Unsound> {
        self.left = self.left.checked_sub(bytes).ok_or(Unsound::TooLarge)?;
        // Grows with what is really there: a length is only a claim.
        let mut text = String::new();
        let limit = u64::try_from(bytes).unwrap_or(u64::MAX);
        let read = (&mut self.inner).take(limit).read_to_string(&mut text);
        if !read.is_ok_and(|read| read == bytes) {
            return Err(Unsound::Damaged);
        }
        Ok(Arc::from(text))
    }
}
