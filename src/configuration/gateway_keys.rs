//! The file of gateway keys, which the control plane reads and `weir token` writes.
//!
//! ```yaml
//! gateways:
//!   - name: berlin
//!     primaryKey: …     # Base64 of 32 random bytes or more
//!     secondaryKey: …
//!     revoked:
//!       - {id: 0f…, key: primary, expiry: 202612011200}
//! ```
//!
//! Nothing of what stands in it is shown when it is wrong, only where.

mod file;

use std::fmt::Write as _;
use std::sync::Arc;

use serde::Deserialize;

use crate::configuration::yaml::{self, Files, Mark, Placed};
use crate::fault::Fault;
use crate::secret::Secret;
use crate::token::TokenId;
use crate::token::key::{Key, Which};
use crate::token::minute::Minute;
use crate::token::name::GatewayName;
use crate::token::ring::{Gateway, Revoked, Ring};

pub use file::{KeysFile, Missing, Unusable};

/// The largest file of keys, in bytes: more than all gateways take that a ring holds.
pub const KEYS_BYTES_MAX: usize = 8 << 20;

/// How it begins.
const HEAD: &str = "\
# The keys of gateways. `weir token` writes this file whole: comments of yours would be lost. Whoever
# can read it can be every gateway in it.
";

/// The whole file.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WrittenFile {
    gateways: Vec<WrittenGateway>,
}

/// One gateway.
#[derive(Deserialize)]
#[serde(rename = "Gateway", rename_all = "camelCase", deny_unknown_fields)]
struct WrittenGateway {
    name: Placed<String>,
    primary_key: Placed<WrittenKey>,
    secondary_key: Placed<WrittenKey>,
    #[serde(default)]
    revoked: Vec<WrittenRevoked>,
}

/// One revoked token.
#[derive(Deserialize)]
#[serde(rename = "RevokedToken", rename_all = "camelCase", deny_unknown_fields)]
struct WrittenRevoked {
    id: Placed<String>,
    key: Placed<String>,
    expiry: Placed<String>,
}

/// A text that does not print.
#[derive(Deserialize)]
#[serde(from = "String")]
struct WrittenKey(Secret);

impl From<String> for WrittenKey {
    fn from(text: String) -> Self {
        Self(Secret::new(text))
    }
}

/// Reads the text of a file of keys; `name` is what faults call it.
pub fn read(name: &Arc<str>, text: &str) -> Result<Ring, Vec<Fault>> {
    let mut files = Files::default();
    let number = files.add(name);
    let mut faults = Vec::new();
    let root = yaml::parse(text, number, &files, &mut faults);
    if root.is_none() && faults.is_empty() {
        let mark = Mark { file: number, line: 1, column: 1, width: 1 };
        let remedy = "write `gateways: []`, or remove the file and make it with `weir token rotate \
                      --new`";
        faults.push(files.fault(mark, "there is nothing in this file").mend(remedy));
    }
    let written = root.and_then(|root| yaml::read(&root, &files, |_, _| None, &mut faults));
    let mut reader = Reader { files: &files, faults, ring: Ring::default() };
    if let Some(WrittenFile { gateways }) = written {
        for gateway in &gateways {
            reader.gateway(gateway);
        }
    }
    if reader.faults.is_empty() { Ok(reader.ring) } else { Err(reader.faults) }
}

struct Reader<'a> {
    files: &'a Files,
    faults: Vec<Fault>,
    ring: Ring,
}

impl Reader<'_> {
    fn gateway(&mut self, written: &WrittenGateway) {
        let name = self.part(&written.name, |text| {
            GatewayName::parse(text).map_err(|unfit| (unfit.to_string(), "name it otherwise"))
        });
        let primary = self.key(&written.primary_key);
        let secondary = self.key(&written.secondary_key);
        let revoked: Vec<_> =
            written.revoked.iter().filter_map(|written| self.revoked(written)).collect();
        let (Some(name), Some(primary), Some(secondary)) = (name, primary, secondary) else {
            return;
        };
        let filled = Gateway::with(primary, secondary).and_then(|mut gateway| {
            for (id, revoked) in revoked {
                gateway.revoke(id, revoked)?;
            }
            self.ring.add(name, gateway)
        });
        if let Err(unchanged) = filled {
            let fault = self.files.fault(written.name.mark, unchanged.to_string());
            self.faults.push(fault.mend("correct it here, or make keys with `weir token rotate`"));
        }
    }

    fn key(&mut self, written: &Placed<WrittenKey>) -> Option<Key> {
        let remedy = "make one with `weir token rotate`";
        let key = (!written.mark.is_made_up()).then(|| Key::parse(written.value.0.expose()))?;
        key.map_err(|weak| self.fault(written.mark, weak.to_string(), remedy)).ok()
    }

    fn revoked(&mut self, written: &WrittenRevoked) -> Option<(TokenId, Revoked)> {
        let id = self.part(&written.id, |text| {
            TokenId::parse(text).ok_or((
                "this is no id of a token".to_owned(),
                "write 32 hexadecimal digits, as `weir token inspect` shows them",
            ))
        });
        let key = self.part(&written.key, |text| {
            Which::of(text)
                .ok_or(("this is neither key".to_owned(), "write `primary` or `secondary`"))
        });
        let expiry = self.part(&written.expiry, |text| {
            Minute::parse(text)
                .ok_or(("this is no minute".to_owned(), "write twelve digits: yyyyMMddHHmm"))
        });
        Some((id?, Revoked { key: key?, expiry: expiry? }))
    }

    /// Reads one value; what is made up was told already.
    fn part<T>(
        &mut self,
        written: &Placed<String>,
        read: impl FnOnce(&str) -> Result<T, (String, &'static str)>,
    ) -> Option<T> {
        let part = (!written.mark.is_made_up()).then(|| read(&written.value))?;
        part.map_err(|(message, remedy)| self.fault(written.mark, message, remedy)).ok()
    }

    fn fault(&mut self, mark: Mark, message: String, remedy: &str) {
        self.faults.push(self.files.fault(mark, message).mend(remedy));
    }
}

/// The text of a file with these keys.
pub fn written(ring: &Ring) -> Secret {
    let mut text = String::from(HEAD);
    // Writing to a string cannot fail.
    let _ = write_gateways(&mut text, ring);
    Secret::new(text)
}

fn write_gateways(text: &mut String, ring: &Ring) -> std::fmt::Result {
    text.push_str(if ring.gateways().next().is_none() { "gateways: []\n" } else { "gateways:\n" });
    for (name, gateway) in ring.gateways() {
        // In quotes, so that no name is ever taken for something else.
        writeln!(text, "  - name: \"{name}\"")?;
        for which in Which::BOTH {
            let key = gateway.key(which).text();
            writeln!(text, "    {}Key: \"{}\"", which.word(), key.expose())?;
        }
        if gateway.revoked().next().is_some() {
            writeln!(text, "    revoked:")?;
        }
        for (id, Revoked { key, expiry }) in gateway.revoked() {
            let key = key.word();
            writeln!(text, "      - {{id: \"{id}\", key: {key}, expiry: \"{expiry}\"}}")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
