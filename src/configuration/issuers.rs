//! The file of issuers, whose tokens a control plane takes from gateways.
//!
//! ```yaml
//! issuers:
//!   - issuer: https://oidc.example/cluster-1
//!     audiences: [weir-control]
//!     gateways:
//!       - {gateway: berlin, subject: "system:serviceaccount:edge:weir"}
//!       - {subject: "system:serviceaccount:{gateway}:weir"}
//! ```
//!
//! No secret stands in it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use super::source::{Kept, Unreadable, read_text};
use super::yaml::{self, Entries, Files, Mark, OneOrMore, Placed};
use crate::backend::document::{NoUrl, Url};
use crate::fault::{Fault, Place};
use crate::issuer::{KeyPlace, Plan};
use crate::jwt::identity::{
    ISSUERS_MAX, PLACEHOLDER, RULES_MAX, Rule, Subject, Trust, TrustedIssuer,
};
use crate::jwt::required::RequiredClaim;
use crate::secret::Secret;
use crate::token::name::GatewayName;

/// The largest file of issuers, in bytes: more than all rules take.
pub const ISSUERS_BYTES_MAX: usize = 8 << 20;
/// The longest issuer, subject, audience or value of a claim, in bytes.
const TEXT_BYTES_MAX: usize = 1 << 10;

/// A file of issuers.
#[derive(Clone, Debug)]
pub struct IssuersFile {
    path: PathBuf,
}

/// What it says.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Issuers {
    /// Who is believed, and what.
    pub trust: Trust,
    /// Where their keys are, in the same order.
    pub keys: Vec<Keys>,
}

/// Where the keys of an issuer are.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Keys {
    /// They are fetched.
    Fetched(Plan),
    /// In a file, which is read again when it changes.
    File(PathBuf),
}

/// The whole file.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WrittenFile {
    issuers: Vec<WrittenIssuer>,
}

/// One issuer.
#[derive(Deserialize)]
#[serde(rename = "Issuer", rename_all = "camelCase", deny_unknown_fields)]
struct WrittenIssuer {
    issuer: Placed<String>,
    audiences: OneOrMore<Placed<String>>,
    jwks_url: Option<Placed<String>>,
    jwks_file: Option<Placed<String>>,
    ca_file: Option<Placed<String>>,
    token_file: Option<Placed<String>>,
    gateways: Vec<WrittenRule>,
}

/// Which workload may be a gateway.
#[derive(Deserialize)]
#[serde(rename = "Gateway", rename_all = "camelCase", deny_unknown_fields)]
struct WrittenRule {
    gateway: Option<Placed<String>>,
    subject: Placed<String>,
    #[serde(default)]
    claims: Entries<OneOrMore<Placed<String>>>,
}

impl IssuersFile {
    /// The file at `path`.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it says now, or all that is wrong with it.
    pub fn read(&self) -> Result<Issuers, Vec<Fault>> {
        let text = read_text(&self.path, ISSUERS_BYTES_MAX);
        read(&self.name(), &text.map_err(|reason| vec![self.unreadable(reason)])?)
    }

    /// The same whenever somebody looks, for a process that runs for long.
    pub fn kept(&self) -> Kept<Issuers, Vec<Fault>> {
        let name = self.name();
        Kept::new(&self.path, ISSUERS_BYTES_MAX, move |text: &Secret| read(&name, text.expose()))
    }

    fn name(&self) -> Arc<str> {
        Arc::from(self.path.display().to_string())
    }

    fn unreadable(&self, reason: Unreadable) -> Fault {
        Fault::new(Place::start_of(&self.name()), reason.to_string()).mend(reason.remedy())
    }
}

/// Reads the text of a file of issuers; `name` is what faults call it.
pub fn read(name: &Arc<str>, text: &str) -> Result<Issuers, Vec<Fault>> {
    let mut files = Files::default();
    let number = files.add(name);
    let mut faults = Vec::new();
    let root = yaml::parse(text, number, &files, &mut faults);
    let whole = Mark { file: number, line: 1, column: 1, width: 1 };
    if root.is_none() && faults.is_empty() {
        let fault = files.fault(whole, "there is nothing in this file");
        faults.push(fault.mend("write `issuers:` and below it who is believed"));
    }
    let written = root.and_then(|root| yaml::read(&root, &files, |_, _| None, &mut faults));
    let mut reader = Reader { files: &files, faults, read: Issuers::default() };
    if let Some(WrittenFile { issuers }) = written {
        for issuer in &issuers {
            reader.issuer(issuer);
        }
        reader.is_not_too_much(whole);
    }
    if reader.faults.is_empty() { Ok(reader.read) } else { Err(reader.faults) }
}

struct Reader<'a> {
    files: &'a Files,
    faults: Vec<Fault>,
    read: Issuers,
}

impl Reader<'_> {
    fn is_not_too_much(&mut self, whole: Mark) {
        let issuers = &self.read.trust.issuers;
        let rules = issuers.iter().map(|issuer| issuer.rules.len()).sum::<usize>();
        if ISSUERS_MAX < issuers.len() || RULES_MAX < rules {
            let message = format!("there are {} issuers and {rules} rules", issuers.len());
            let remedy = format!("at most {ISSUERS_MAX} and {RULES_MAX} are allowed");
            self.fault(whole, message, remedy);
        }
    }

    fn issuer(&mut self, written: &WrittenIssuer) {
        let at = written.issuer.mark;
        let Some(name) = self.text(&written.issuer) else { return };
        if self.read.trust.issuers.iter().any(|known| known.name == name) {
            let message = "this issuer stands here already".to_owned();
            self.fault(at, message, "write all its gateways in one place");
        }
        let audiences: Vec<String> =
            written.audiences.0.iter().filter_map(|audience| self.text(audience)).collect();
        if written.audiences.0.is_empty() {
            let message = "whoever is to be believed has to say for whom a token is".to_owned();
            self.fault(at, message, "name the audience that tokens for this control plane have");
        }
        if written.gateways.is_empty() {
            let message = "no workload of this issuer may be a gateway".to_owned();
            self.fault(at, message, "write at least one under `gateways`, or remove the issuer");
        }
        let rules = written.gateways.iter().filter_map(|rule| self.rule(rule)).collect();
        let Some(keys) = self.keys(&name, written) else { return };
        self.read.trust.issuers.push(TrustedIssuer { name, audiences, rules });
        self.read.keys.push(keys);
    }

    fn keys(&mut self, name: &str, written: &WrittenIssuer) -> Option<Keys> {
        let WrittenIssuer { issuer, jwks_url, jwks_file, ca_file, token_file, .. } = written;
        let path = |file: &Option<Placed<String>>| file.as_ref().map(|it| PathBuf::from(&it.value));
        if let (Some(url), Some(_)) = (jwks_url, jwks_file) {
            let message = "`jwksUrl` and `jwksFile` are both set".to_owned();
            self.fault(url.mark, message, "remove one of the two");
            return None;
        }
        let unused = [(ca_file, jwks_file.is_some()), (token_file, jwks_url.is_none())];
        for (file, is_unused) in unused {
            if let Some(file) = file.as_ref().filter(|_| is_unused) {
                let message =
                    "nobody is shown this, or judged by it: of where keys come from".to_owned();
                self.fault(file.mark, message, "remove it, or name the address in `jwksUrl`");
            }
        }
        let place = match (jwks_url, path(jwks_file)) {
            (_, Some(path)) => return Some(Keys::File(path)),
            (Some(url), None) => {
                let place = Url::parse(&url.value).map(|url| KeyPlace::At(url, path(token_file)));
                self.place(url.mark, place, "write the https:// address of its key set")
            }
            (None, None) => self.place(
                issuer.mark,
                KeyPlace::discovered(name),
                "say where its keys are with `jwksUrl` or `jwksFile`, if its name is no address",
            ),
        };
        Some(Keys::Fetched(Plan { name: name.to_owned(), place: place?, ca: path(ca_file) }))
    }

    fn place(
        &mut self,
        mark: Mark,
        place: Result<KeyPlace, NoUrl>,
        remedy: &str,
    ) -> Option<KeyPlace> {
        place.map_err(|why| self.fault(mark, why.to_string(), remedy)).ok()
    }

    fn rule(&mut self, written: &WrittenRule) -> Option<Rule> {
        let text = self.text(&written.subject)?;
        let subject = match &written.gateway {
            Some(gateway) => self.named(gateway, &written.subject, text),
            None => self.around(&written.subject, &text),
        };
        let subject = subject?;
        let mut claims = Vec::new();
        for (name, values) in &written.claims.0 {
            let required = RequiredClaim {
                name: self.text(name)?,
                values: values.0.iter().filter_map(|value| self.text(value)).collect(),
                every: false,
                separator: None,
            };
            if required.values.is_empty() {
                let message = "this claim has no value that it may have".to_owned();
                self.fault(name.mark, message, "write one, or a list");
            }
            claims.push(required);
        }
        Some(Rule { subject, claims })
    }

    fn around(&mut self, written: &Placed<String>, text: &str) -> Option<Subject> {
        let subject = Subject::around(text);
        if subject.is_none() {
            let message = format!(
                "which gateway this is, is not said: {PLACEHOLDER} is not in it once, among other text"
            );
            let remedy =
                format!("add `gateway: NAME`, or write {PLACEHOLDER} where its name stands");
            self.fault(written.mark, message, remedy);
        }
        subject
    }

    fn named(
        &mut self,
        gateway: &Placed<String>,
        subject: &Placed<String>,
        text: String,
    ) -> Option<Subject> {
        let name = self.text(gateway)?;
        if let Err(unfit) = GatewayName::parse(&name) {
            self.fault(gateway.mark, unfit.to_string(), "name it otherwise");
            return None;
        }
        if text.contains(PLACEHOLDER) {
            let message = format!("{PLACEHOLDER} stands in the subject of a gateway that is named");
            self.fault(subject.mark, message, "remove `gateway`, or write the name");
            return None;
        }
        Some(Subject::Named { subject: text, gateway: name })
    }

    /// A text that is one; what is made up was told already.
    fn text(&mut self, written: &Placed<String>) -> Option<String> {
        if written.mark.is_made_up() {
            return None;
        }
        let bytes = written.value.len();
        if bytes == 0 || TEXT_BYTES_MAX < bytes {
            let message = format!("this text has {bytes} bytes");
            self.fault(written.mark, message, format!("1 to {TEXT_BYTES_MAX} are allowed here"));
            return None;
        }
        Some(written.value.clone())
    }

    fn fault(&mut self, mark: Mark, message: String, remedy: impl Into<String>) {
        self.faults.push(self.files.fault(mark, message).mend(remedy.into()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RIGHT: &str = "\
issuers:
  - issuer: https://oidc.example/one
    audiences: weir-control
    caFile: /etc/ca.pem
    gateways:
      - {gateway: berlin, subject: \"system:serviceaccount:edge:weir\"}
      - subject: \"system:serviceaccount:{gateway}:weir\"
        claims: {azp: [a, b], env: prod}
  - issuer: kubernetes/two
    audiences: [weir-control, weir]
    jwksUrl: https://kubernetes.default.svc/openid/v1/jwks
    tokenFile: /var/run/token
    gateways: [{gateway: paris, subject: s}]
  - issuer: three
    audiences: [weir]
    jwksFile: keys.json
    gateways: [{gateway: rome, subject: s}]
";

    fn told(text: &str) -> String {
        let faults = read(&Arc::from("issuers.yaml"), text).unwrap_err();
        faults.iter().map(Fault::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn what_is_written_is_believed() {
        let read = read(&Arc::from("issuers.yaml"), RIGHT).unwrap();
        let names: Vec<&str> = read.trust.issuers.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["https://oidc.example/one", "kubernetes/two", "three"]);
        let first = &read.trust.issuers[0];
        assert_eq!(first.audiences, ["weir-control"]);
        assert_eq!(first.rules[0].claims, []);
        let around = Subject::around("system:serviceaccount:{gateway}:weir").unwrap();
        assert_eq!(first.rules[1].subject, around);
        assert_eq!(first.rules[1].claims[0].values, ["a", "b"]);
        assert_eq!(first.rules[1].claims[1].values, ["prod"]);
        let url = |text: &str| Url::parse(text).unwrap();
        let document = url("https://oidc.example/one/.well-known/openid-configuration");
        let set = url("https://kubernetes.default.svc/openid/v1/jwks");
        let fetched = |name: &str, place: KeyPlace, ca: Option<&str>| {
            Keys::Fetched(Plan { name: name.to_owned(), place, ca: ca.map(PathBuf::from) })
        };
        let token = Some(PathBuf::from("/var/run/token"));
        let expected = [
            fetched(
                "https://oidc.example/one",
                KeyPlace::Discovered(document),
                Some("/etc/ca.pem"),
            ),
            fetched("kubernetes/two", KeyPlace::At(set, token), None),
            Keys::File(PathBuf::from("keys.json")),
        ];
        assert_eq!(read.keys, expected);
    }

    #[test]
    fn a_wrong_file_is_refused_with_its_places() {
        let telling = [
            (String::new(), "issuers.yaml:1:1: there is nothing in this file"),
            (RIGHT.replace("caFile", "cafile"), "did you mean `caFile`?"),
            (RIGHT.replace("    audiences: weir-control\n", ""), "has no `audiences`"),
            (RIGHT.replace("audiences: weir-control", "audiences: []"), "has to say for whom"),
            (
                RIGHT.replace("gateway: berlin", "gateway: b&b"),
                "issuers.yaml:6:19: a gateway's name",
            ),
            (RIGHT.replace(":edge:", ":{gateway}:"), "of a gateway that is named"),
            (RIGHT.replace(":{gateway}:", ":edge:"), "issuers.yaml:7:18: which gateway this is"),
            (RIGHT.replace("kubernetes/two", "three"), "this issuer stands here already"),
            (
                RIGHT.replace("https://oidc.example/one", "http://oidc.example"),
                "2:13: the URL must",
            ),
            (RIGHT.replace("https://oidc.example/one", "one"), "`jwksUrl` or `jwksFile`"),
            (RIGHT.replace("https://kubernetes", "http://kubernetes"), "11:14: the URL must begin"),
            (
                RIGHT.replace("jwksFile: keys.json", "tokenFile: x\n    jwksFile: y"),
                "16:16: nobody is",
            ),
            (
                RIGHT.replace("jwksFile: keys.json", "jwksUrl: https://a\n    jwksFile: y"),
                "both set",
            ),
            (RIGHT.replace("[{gateway: rome, subject: s}]", "[]"), "no workload of this issuer"),
            (RIGHT.replace("env: prod", "env: []"), "this claim has no value"),
            (RIGHT.replace("subject: s}", "subject: ''}"), "this text has 0 bytes"),
            (
                RIGHT.replace("subject: s}", &format!("subject: {}}}", "s".repeat(1_025))),
                "1025 bytes",
            ),
        ];
        for (text, part) in telling {
            let told = told(&text);
            assert!(told.contains(part), "{part}:\n{told}");
        }
    }

    #[test]
    fn there_are_no_more_issuers_than_anybody_needs() {
        let issuer = |number: usize| {
            format!(
                "  - {{issuer: i{number}, audiences: a, jwksFile: f, gateways: [{{gateway: g, subject: s}}]}}\n"
            )
        };
        let all: String = (0..=ISSUERS_MAX).map(issuer).collect();
        let told = told(&format!("issuers:\n{all}"));
        assert!(told.contains("there are 101 issuers and 101 rules"), "{told}");
    }
}
