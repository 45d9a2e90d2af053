//! One file, read whole and bounded, without ever waiting for a writer.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::vault::Withheld;

/// `O_NONBLOCK`: opening a named pipe returns at once instead of waiting for someone to write.
const O_NONBLOCK: i32 = if cfg!(target_os = "linux") { 0o4000 } else { 0x4 };

/// How the names of files end that hold certificates, and may be no text.
const BINARY: [&str; 4] = ["pfx", "p12", "cer", "der"];

/// Why a file cannot be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unreadable {
    /// It is not there.
    #[error("there is no such file")]
    Missing,
    /// It may not be read.
    #[error("the file may not be read by this process")]
    Denied,
    /// A folder, a pipe, a device, a socket.
    #[error("this is not a regular file")]
    NotAFile,
    /// Too many bytes.
    #[error("the file has more than {0} bytes")]
    TooLarge(usize),
    /// Not UTF-8.
    #[error("the file is not UTF-8 text; byte {0} is wrong")]
    NotText(usize),
    /// Anything else.
    #[error("the file cannot be read: {0}")]
    Other(ErrorKind),
    /// It lies in a store, which does not give it.
    #[error(transparent)]
    Withheld(#[from] Withheld),
}

impl Unreadable {
    /// How to mend it.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::Missing => "create it, or correct the path",
            Self::Denied => "give the user that runs Weir the right to read it",
            Self::NotAFile => "put a regular file there, or correct the path",
            Self::TooLarge(_) => "make it smaller, or correct the path",
            Self::NotText(_) => "save it as UTF-8",
            Self::Other(_) => "look at the file and its disk",
            Self::Withheld(why) => why.remedy(),
        }
    }
}

impl From<io::Error> for Unreadable {
    fn from(error: io::Error) -> Self {
        let kind = error.kind();
        if kind == ErrorKind::NotFound || kind == ErrorKind::NotADirectory {
            Self::Missing
        } else if kind == ErrorKind::PermissionDenied {
            Self::Denied
        } else {
            Self::Other(kind)
        }
    }
}

/// Reads the regular file at `path` as UTF-8, at most `bytes_max` bytes of it; a byte order mark
/// at its beginning goes.
pub fn read_text(path: &Path, bytes_max: usize) -> Result<String, Unreadable> {
    let mut bytes = read_bytes(path, bytes_max)?;
    if bytes.starts_with(b"\xEF\xBB\xBF") {
        bytes.drain(..3);
    }
    String::from_utf8(bytes).map_err(|error| Unreadable::NotText(error.utf8_error().valid_up_to()))
}

/// The same for a file that holds a secret: what is no text is taken as Base64 of it, if it has one
/// of the names that such files have ([`BINARY`]), because a configuration travels as text.
pub fn read_secret(path: &Path, bytes_max: usize) -> Result<String, Unreadable> {
    let name = path.extension().unwrap_or_default();
    if !BINARY.iter().any(|known| name.eq_ignore_ascii_case(known)) {
        return read_text(path, bytes_max);
    }
    let bytes = read_bytes(path, bytes_max)?;
    // What looks like text by chance is none: its first byte is that of a sequence.
    let is_encoded = bytes.first().is_none_or(|first| *first == 0x30 && !bytes.is_ascii());
    if is_encoded { Ok(STANDARD.encode(&bytes)) } else { read_text(path, bytes_max) }
}

fn read_bytes(path: &Path, bytes_max: usize) -> Result<Vec<u8>, Unreadable> {
    let file = OpenOptions::new().read(true).custom_flags(O_NONBLOCK).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(Unreadable::NotAFile);
    }
    let length = usize::try_from(metadata.len()).unwrap_or(usize::MAX);
    if length > bytes_max {
        return Err(Unreadable::TooLarge(bytes_max));
    }
    // The file may grow while it is read: one byte more than allowed shows that.
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::with_capacity(length.saturating_add(1));
    file.take(limit).read_to_end(&mut bytes)?;
    if bytes.len() > bytes_max {
        return Err(Unreadable::TooLarge(bytes_max));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(made.success());
        assert_eq!(read_text(&path, 10), Err(Unreadable::NotAFile));
    }

    #[test]
    fn what_is_no_text_file_of_that_size_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        assert_eq!(read_text(&path, 10), Err(Unreadable::Missing));
        assert_eq!(read_text(folder.path(), 10), Err(Unreadable::NotAFile));
        std::fs::write(&path, b"\xEF\xBB\xBFtext").unwrap();
        assert_eq!(read_text(&path, 10), Ok("text".to_owned()));
        assert_eq!(read_text(&path, 6), Err(Unreadable::TooLarge(6)));
        std::fs::write(&path, b"te\xFFxt").unwrap();
        assert_eq!(read_text(&path, 10), Err(Unreadable::NotText(2)));
        assert_eq!(read_secret(&path, 10), Err(Unreadable::NotText(2)));
    }

    #[test]
    fn a_certificate_that_is_no_text_is_read_as_base64() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.PFX");
        std::fs::write(&path, b"\x30\xFF").unwrap();
        assert_eq!(read_secret(&path, 10), Ok("MP8=".to_owned()));
        assert_eq!(read_secret(&path, 1), Err(Unreadable::TooLarge(1)));
        std::fs::write(&path, b"0abc").unwrap();
        assert_eq!(read_secret(&path, 10), Ok("0abc".to_owned()));
    }
}
