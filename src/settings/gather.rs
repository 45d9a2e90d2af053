//! Collects what was written from the file, the environment and the command line.

mod fits;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::apim::{self, TABLE, Treatment};
use super::table::{ROWS, Row};
use super::{FILE_FLAG, FILE_VARIABLE, Ignored, Settings, dapr};
use crate::configuration::config::{Secret, Spot};
use crate::configuration::source::{Environment, Unreadable};
use crate::configuration::yaml::{self, Entry, Files, Kind, Mark, Node};
use crate::fault::{Fault, Place, Sources, nearest};
use crate::token::SCHEME;

/// What faults call the environment.
const ENVIRONMENT: &str = "environment";
/// What faults call the flags.
const COMMAND_LINE: &str = "command line";
/// The flag that everybody types, as the other commands have it, and the one that it stands for.
const SHORT_FLAG: (&str, &str) = ("config", "configuration-folder");
/// How all our variables begin.
const PREFIX: &str = "WEIR_";

/// The settings whose values are never shown.
const SECRETS: [&str; 2] = ["control.token", "dapr.token"];
/// What is shown in its place.
const HIDDEN: &str = "…";

/// What of a value may be shown.
fn shown<'v>(row: &Row, value: &'v str) -> &'v str {
    if SECRETS.contains(&row.name) { HIDDEN } else { value }
}

/// Where a value came from; a later source wins.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Source {
    File,
    Apim,
    Variable,
    Flag,
}

/// A value that was written for a setting.
#[derive(Debug)]
struct Candidate {
    source: Source,
    row: &'static Row,
    text: String,
    spot: Spot,
}

/// What was collected so far.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    candidates: Vec<Candidate>,
    file: Option<(PathBuf, Spot)>,
    pub(super) faults: Vec<Fault>,
    pub(super) sources: Sources,
    pub(super) ignored: Vec<Ignored>,
}

/// Lines of a source that is no file, so that faults can show them.
struct Lines {
    file: Arc<str>,
    text: String,
    count: u32,
}

impl Lines {
    fn of(file: &str) -> Self {
        Self { file: Arc::from(file), text: String::new(), count: 0 }
    }

    /// Adds a line; returns the spots of the name and of the value.
    fn add(&mut self, name: &str, value: &str) -> (Spot, Spot) {
        self.count = self.count.saturating_add(1);
        let line: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "{name}={line}");
        let narrow = |text: &str| u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
        let spot = |column: u32, width: u32| Spot {
            place: Place { file: Arc::clone(&self.file), line: self.count, column },
            width: width.max(1),
        };
        let after = narrow(name).saturating_add(2);
        (spot(1, narrow(name)), spot(after, narrow(value)))
    }
}

/// The setting that the flag `name` gives.
fn row_of(name: &str) -> Option<&'static Row> {
    let (short, long) = SHORT_FLAG;
    let name = if name == short { long } else { name };
    ROWS.iter().find(|row| row.flag() == name)
}

impl Gathered {
    /// Takes what is ours in the environment.
    pub(super) fn environment(&mut self, environment: &Environment) {
        let mut lines = Lines::of(ENVIRONMENT);
        let is_set = |name: &str| environment.get(name).is_some();
        for name in environment.names() {
            let value = environment.get(name).map_or("", Secret::expose);
            if let Some((wanted, text)) = dapr::meant(name, value, is_set) {
                self.meant(&mut lines, name, wanted, &text);
            } else if let Some(treatment) = apim::treatment(name) {
                self.apim(&mut lines, name, value, treatment);
            } else if apim::is_meant(name) {
                let (at, _) = lines.add(name, "…");
                let known = TABLE.iter().map(|(known, _)| *known);
                self.unknown(&at, &format!("there is no setting `{name}`"), nearest(name, known));
            } else if name.starts_with(PREFIX) && !is_of_kubernetes(name, value) {
                self.variable(&mut lines, name, value);
            }
        }
        self.sources.insert(&lines.file, lines.text);
    }

    fn variable(&mut self, lines: &mut Lines, name: &str, value: &str) {
        if name == FILE_VARIABLE {
            let (_, at) = lines.add(name, value);
            self.file = Some((PathBuf::from(value), at));
            return;
        }
        if let Some(row) = ROWS.iter().find(|row| row.variable() == name) {
            let (_, spot) = lines.add(name, shown(row, value));
            self.candidate(Source::Variable, row, value, spot);
            return;
        }
        // What it holds is anyone's guess, and so it is not shown.
        let (at, _) = lines.add(name, "…");
        let known: Vec<String> = ROWS.iter().map(Row::variable).collect();
        let near = nearest(name, known.iter().map(String::as_str));
        self.unknown(&at, &format!("there is no setting `{name}`"), near);
    }

    /// Takes what a variable of Dapr's own says.
    fn meant(&mut self, lines: &mut Lines, name: &str, wanted: &str, text: &str) {
        let Some(row) = ROWS.iter().find(|row| row.name == wanted) else { return };
        let (_, spot) = lines.add(name, shown(row, text));
        self.candidate(Source::Apim, row, text, spot);
    }

    fn apim(&mut self, lines: &mut Lines, name: &str, value: &str, treatment: Treatment) {
        let by_name = |wanted: &str| ROWS.iter().find(|row| row.name == wanted);
        match treatment {
            Treatment::Means(wanted) => {
                let (_, spot) = lines.add(name, value);
                if let Some(row) = by_name(wanted) {
                    self.candidate(Source::Apim, row, value, spot);
                }
            }
            Treatment::Credential(wanted, words, reason) => {
                // Whatever it is, it may be a token.
                let (at, spot) = lines.add(name, HIDDEN);
                match by_name(wanted) {
                    Some(row) if value.starts_with(SCHEME) => {
                        self.candidate(Source::Apim, row, value, spot);
                    }
                    _ if words.contains(&value) => {}
                    _ => {
                        let message = format!("`{name}` is no gateway token");
                        self.faults.push(at.fault(message).mend(format!("remove it; {reason}")));
                    }
                }
            }
            Treatment::Switches(wanted, on) => {
                let (_, spot) = lines.add(name, value);
                match (value.to_ascii_lowercase().as_str(), by_name(wanted)) {
                    ("true", Some(row)) => self.candidate(Source::Apim, row, on, spot),
                    ("false", _) => {}
                    _ => {
                        let message = format!("`{value}` is not what `{name}` can be");
                        self.faults.push(spot.fault(message).mend("write `true` or `false`"));
                    }
                }
            }
            Treatment::Ignored(reason) => {
                self.ignored.push(Ignored { name: name.to_owned(), reason });
            }
            Treatment::Only(values, reason) => {
                if !values.contains(&value.to_ascii_lowercase().as_str()) {
                    let (_, spot) = lines.add(name, value);
                    let message = format!("`{name}` cannot be `{value}` yet: {reason}");
                    let remedy = format!("set it to `{}`, or remove it", values.join("` or `"));
                    self.faults.push(spot.fault(message).mend(remedy));
                }
            }
            Treatment::Refused(reason) => {
                // The value may be a token.
                let (spot, _) = lines.add(name, "…");
                let message = format!("`{name}` is not supported yet");
                self.faults.push(spot.fault(message).mend(format!("remove it; {reason}")));
            }
        }
    }

    /// Takes the flags, given without dashes in front.
    pub(super) fn flags(&mut self, flags: &[(String, String)]) {
        let mut lines = Lines::of(COMMAND_LINE);
        for (name, value) in flags {
            if name == FILE_FLAG {
                let (_, at) = lines.add(&format!("--{name}"), value);
                self.file = Some((PathBuf::from(value), at));
            } else if let Some(row) = row_of(name) {
                let (_, spot) = lines.add(&format!("--{name}"), shown(row, value));
                self.candidate(Source::Flag, row, value, spot);
            } else {
                let (at, _) = lines.add(&format!("--{name}"), value);
                let known: Vec<String> = ROWS.iter().map(Row::flag).collect();
                let all = known.iter().map(String::as_str).chain([FILE_FLAG, SHORT_FLAG.0]);
                let near = nearest(name, all).map(|near| format!("--{near}"));
                self.unknown(&at, &format!("there is no flag `--{name}`"), near.as_deref());
            }
        }
        self.sources.insert(&lines.file, lines.text);
    }

    /// Takes the settings file, if one was named.
    pub(super) fn file(&mut self, read: impl Fn(&Path) -> Result<String, Unreadable>) {
        let Some((path, spot)) = self.file.take() else { return };
        let text = match read(&path) {
            Ok(text) => text,
            Err(reason) => {
                let message = format!("{}: {reason}", path.display());
                self.faults.push(spot.fault(message).mend(reason.remedy()));
                return;
            }
        };
        let file: Arc<str> = Arc::from(path.display().to_string());
        let mut files = Files::default();
        let number = files.add(&file);
        let root = yaml::parse(&text, number, &files, &mut self.faults);
        self.sources.insert(&file, masked(&text));
        match root {
            Some(Node { kind: Kind::Map(entries), .. }) => self.entries(&files, "", &entries),
            Some(node) => {
                let fault = files.fault(node.mark, "a map of settings is expected here");
                self.faults.push(fault.mend("write `listen:` and under it `http: …`"));
            }
            None => {}
        }
    }

    /// Takes the keys of a map whose own name with a dot is `above`. As deep as YAML may be.
    fn entries(&mut self, files: &Files, above: &str, entries: &[Entry]) {
        for entry in entries.iter().filter(|entry| !entry.value.is_null()) {
            let name = format!("{above}{}", entry.name());
            let inner = format!("{name}.");
            let row = ROWS.iter().find(|row| row.name == name);
            match (&entry.value.kind, row) {
                (Kind::Map(entries), None)
                    if ROWS.iter().any(|row| row.name.starts_with(&inner)) =>
                {
                    self.entries(files, &inner, entries);
                }
                (Kind::Scalar(scalar), Some(row)) => {
                    let spot = files.spot(entry.value.mark);
                    self.candidate(Source::File, row, &scalar.text, spot);
                }
                (Kind::List(items), Some(row)) => {
                    self.list(files, entry.value.mark, row, items);
                }
                (_, Some(row)) => {
                    let fault = files.fault(entry.value.mark, format!("`{name}` is one value"));
                    self.faults.push(fault.mend(format!("write it as `{}`", row.default)));
                }
                (_, None) => {
                    let near = near_key(&name);
                    let at = files.spot(entry.key.mark);
                    self.unknown(&at, &format!("there is no setting `{name}`"), near);
                }
            }
        }
    }

    /// A list of texts is the same as one text with commas.
    fn list(&mut self, files: &Files, mark: Mark, row: &'static Row, items: &[Node]) {
        let texts: Option<Vec<&str>> = items
            .iter()
            .map(|item| match &item.kind {
                Kind::Scalar(scalar) => Some(&*scalar.text),
                Kind::List(_) | Kind::Map(_) => None,
            })
            .collect();
        if let Some(texts) = texts {
            self.candidate(Source::File, row, &texts.join(","), files.spot(mark));
        } else {
            let fault = files.fault(mark, format!("`{}` is a list of texts", row.name));
            self.faults.push(fault.mend("write each on a line of its own, after `- `"));
        }
    }

    fn candidate(&mut self, source: Source, row: &'static Row, text: &str, spot: Spot) {
        let text = text.trim().to_owned();
        self.candidates.push(Candidate { source, row, text, spot });
    }

    fn unknown(&mut self, at: &Spot, message: &str, near: Option<&str>) {
        let remedy = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => "remove it; `weir run --help-settings` lists all settings".to_owned(),
        };
        self.faults.push(at.fault(message).mend(remedy));
    }

    /// The settings that were written, over the usual ones.
    pub(super) fn settings(&mut self) -> Settings {
        let mut settings = Settings::default();
        // The sort is stable: of two flags of one name, the later wins.
        self.candidates.sort_by_key(|candidate| candidate.source);
        for Candidate { row, text, spot, .. } in &self.candidates {
            if let Err(expected) = (row.set)(&mut settings, text) {
                let message = format!("`{text}` is not what `{}` can be", row.name);
                self.faults.push(spot.fault(message).mend(format!("write {expected}")));
            }
        }
        self.fits(&settings);
        settings
    }
}

/// The text of a settings file without what may be a token.
fn masked(text: &str) -> String {
    let line = |line: &str| match line.find("token:") {
        Some(at) => format!("{}token: {HIDDEN}", line.get(..at).unwrap_or_default()),
        None => line.to_owned(),
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// The setting or group of settings that was probably meant by `name`.
fn near_key(name: &str) -> Option<&'static str> {
    let groups = ROWS.iter().filter_map(|row| row.name.split_once('.')).map(|(group, _)| group);
    nearest(name, ROWS.iter().map(|row| row.name).chain(groups))
}

/// Whether Kubernetes set this variable because a service's name begins with `weir`:
/// `WEIR_SERVICE_HOST`, `WEIR_PORT`, `WEIR_PORT_8080_TCP_ADDR` and the like.
fn is_of_kubernetes(name: &str, value: &str) -> bool {
    let is_url = ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme));
    let is_port = name.split_once("_PORT_").is_some_and(|(_, rest)| {
        let mut parts = rest.split('_');
        let number = parts.next().is_some_and(|part| part.parse::<u16>().is_ok());
        number && matches!(parts.next(), Some("TCP" | "UDP" | "SCTP"))
    });
    name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || (name.ends_with("_PORT") && is_url)
        || is_port
}
