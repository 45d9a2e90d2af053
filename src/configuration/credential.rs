//! The gateway's own token, from a setting or from a file that may change while it runs.

use std::path::PathBuf;

use crate::configuration::source::{Kept, SECRET_BYTES_MAX, Wrong};
use crate::secret::Secret;
use crate::token::Malformed;
use crate::token::credential::Credential;

/// Where the token of this gateway comes from.
#[derive(Debug)]
pub enum Holder {
    /// A setting, which changes with a restart alone.
    Setting(Result<Credential, Wrong<Malformed>>),
    /// A file, which is read again whenever somebody [looks](Self::look).
    File(Kept<Credential, Malformed>),
}

impl Holder {
    /// The token that `text` is.
    pub fn setting(text: &Secret) -> Self {
        Self::Setting(Credential::read(text.expose()).map_err(Wrong::Text))
    }

    /// The token in the file at `path`, as it is now: what cannot be read now may be there later.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        let read = |text: &Secret| Credential::read(text.expose());
        let mut kept = Kept::new(path, SECRET_BYTES_MAX, read);
        kept.look();
        Self::File(kept)
    }

    /// Looks whether there is another token; true if anything is different. Before each call to
    /// the control plane, and once a minute, is often enough. Blocks for as long as the disk does.
    pub fn look(&mut self) -> bool {
        match self {
            Self::Setting(_) => false,
            Self::File(kept) => kept.look(),
        }
    }

    /// The token. One that was good stays where the file is gone or wrong.
    pub fn credential(&self) -> Option<&Credential> {
        match self {
            Self::Setting(read) => read.as_ref().ok(),
            Self::File(kept) => kept.good(),
        }
    }

    /// What is wrong with the place where it comes from.
    pub fn wrong(&self) -> Option<&Wrong<Malformed>> {
        match self {
            Self::Setting(read) => read.as_ref().err(),
            Self::File(kept) => kept.wrong(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;
    use crate::configuration::source::Unreadable;
    use crate::time::Timestamp;
    use crate::token::Token;
    use crate::token::credential::State;
    use crate::token::key::Key;
    use crate::token::name::GatewayName;

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    fn token(days: u32) -> Secret {
        let key = Key::of(&(0..64).collect::<Vec<u8>>()).unwrap();
        let name = GatewayName::parse("berlin").unwrap();
        Token::create(&name, &key, NOW, Duration::from_hours(24) * days).unwrap().text()
    }

    fn state(holder: &Holder) -> Option<State> {
        holder.credential().map(|credential| credential.expiry(NOW).state)
    }

    #[test]
    fn a_new_token_in_the_file_counts_without_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let mut holder = Holder::file(&path);
        assert_eq!(holder.wrong(), Some(&Wrong::Unreadable(Unreadable::Missing)));
        fs::write(&path, format!("{}\n", token(3).expose())).unwrap();
        assert!(holder.look() && !holder.look());
        assert_eq!((state(&holder), holder.wrong()), (Some(State::Near), None));
        fs::write(&path, token(30).expose()).unwrap();
        assert!(holder.look());
        assert_eq!(state(&holder), Some(State::Fine));
        // A file that is being written, or is gone, leaves us who we are.
        fs::write(&path, "GatewayKey ber").unwrap();
        assert!(holder.look());
        assert_eq!(holder.wrong(), Some(&Wrong::Text(Malformed::Parts)));
        assert_eq!(state(&holder), Some(State::Fine));
        assert!(!format!("{holder:?}").contains(token(30).expose().rsplit('&').next().unwrap()));
    }

    #[test]
    fn a_file_is_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        fs::write(&path, vec![b' '; SECRET_BYTES_MAX + 1]).unwrap();
        let holder = Holder::file(&path);
        let too_large = Unreadable::TooLarge(SECRET_BYTES_MAX);
        assert_eq!(holder.wrong(), Some(&Wrong::Unreadable(too_large)));
    }

    #[test]
    fn a_setting_stays_what_it_is() {
        let mut holder = Holder::setting(&token(30));
        assert!(!holder.look() && state(&holder) == Some(State::Fine));
        let wrong = Holder::setting(&Secret::new("x"));
        assert_eq!(wrong.wrong(), Some(&Wrong::Text(Malformed::Scheme)));
    }
}
