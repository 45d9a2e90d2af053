//! Releases of Helm charts on command lines, and extensions of Arc, which become such.

use std::ops::Range;

use super::Command;
use crate::migration::finding::{Finding, Level};
use crate::migration::helm::{self, Outcome};
use crate::migration::setting::{Verdict, judge};
use crate::migration::words::requoted;

/// The chart of API Management's gateway.
const CHART: &str = "azure-api-management-gateway";
/// Weir's own.
const OURS: &str = "helm/weir";

/// Flags of extensions with settings behind them.
const SETTINGS: [&str; 5] = [
    "--configuration-settings",
    "--config-settings",
    "--config",
    "--configuration-protected-settings",
    "--config-protected-settings",
];
/// Flags of extensions that name a file with settings.
const FILES: [&str; 4] = [
    "--configuration-settings-file",
    "--config-settings-file",
    "--config-file",
    "--config-protected-file",
];

/// A release that an extension becomes.
#[derive(Default)]
struct Release {
    /// As a word of a command, and so are the others.
    name: Option<String>,
    namespace: Option<String>,
    target: Option<String>,
    sets: Vec<String>,
}

impl Command<'_, '_> {
    /// `helm install` and its like.
    pub(super) fn helm(&mut self) {
        let Some(chart) = self.chart() else { return };
        let at = self.range(chart);
        let name = self.text(chart).to_owned();
        self.work.say(Level::Changed, at.start, &name, "now the chart of Weir");
        let said = (
            "a release of this name that is there already is replaced, and the old gateway with it",
            "give it another name to run both beside each other (docs/migration.md)",
        );
        self.work.advise(Level::Note, at.start, "release", said);
        self.work.edits.replace(at, OURS);
        self.tell(chart..chart + 1);
        let mut nth = 0;
        while nth < self.words.len() {
            if let Some((value, words)) = self.option(nth, &["--version"]) {
                let at = self.range(words.start).start;
                self.work.edits.remove(self.whole(&words));
                self.work.say(Level::Dropped, at, &value, "the version of the other chart");
                self.tell(words.clone());
                nth = words.end;
            } else if let Some((value, words)) = self.option(nth, &["--set", "--set-string"]) {
                self.set(&value, words.clone());
                nth = words.end;
            } else {
                if let Some((value, words)) = self.option(nth, &["-f", "--values"]) {
                    let at = self.range(words.start).start;
                    let said = ("the file has values, too", "give it to `weir migrate` as well");
                    self.work.advise(Level::Note, at, &value, said);
                    self.tell(words);
                }
                nth += 1;
            }
        }
    }

    /// The word that names the chart. A release may have the same name, but no slash in it.
    fn chart(&self) -> Option<usize> {
        let is_chart = |text: &str| text.contains(CHART) && !text.starts_with('-');
        let is_file = |text: &str| [".yaml", ".yml"].iter().any(|end| text.ends_with(end));
        let far = |text: &str| is_chart(text) && text.contains('/') && !is_file(text);
        if self.words.iter().any(|word| word.text == OURS) {
            return None;
        }
        let last = |is: &dyn Fn(&str) -> bool| self.words.iter().rposition(|word| is(&word.text));
        last(&far).or_else(|| last(&|text| is_chart(text) && !is_file(text)))
    }

    /// `--set a=b,c=d`.
    fn set(&mut self, text: &str, words: Range<usize>) {
        self.tell(words.clone());
        let at = self.range(words.start).start;
        let mut new: Vec<String> = Vec::new();
        for one in text.split(',') {
            let (path, value) = one.split_once('=').unwrap_or((one, ""));
            let path = path.replace("\\.", ".");
            let found = helm::outcome(&path, value, value, self.work.options.around);
            new.extend(self.settled(at, &path, one, found));
        }
        if new == [text] {
            return;
        }
        if new.is_empty() {
            self.work.edits.remove(self.whole(&words));
        } else {
            let flag = self.text(words.start).split('=').next().unwrap_or("--set").to_owned();
            let range = self.range(words.start).start..self.range(words.end.saturating_sub(1)).end;
            let raw = self.work.text.get(range.clone()).unwrap_or_default();
            self.work.edits.replace(range, flags(&flag, &new, raw).join(" "));
        }
    }

    /// What becomes of one value of a chart, as `--set` has it.
    fn settled(&mut self, at: usize, path: &str, one: &str, found: Option<Outcome>) -> Vec<String> {
        let place = self.work.place(at);
        match found {
            None | Some(Outcome::Same(_)) => {
                self.work.say(Level::Carried, at, path, "it goes on as it is");
                vec![one.to_owned()]
            }
            Some(Outcome::Turns(value, why)) => {
                self.work.say(Level::Changed, at, path, why);
                vec![format!("{path}={value}")]
            }
            Some(Outcome::Grows(all, why)) => {
                self.work.say(Level::Changed, at, path, why);
                all.iter().map(|(path, value)| set_of(path, value)).collect()
            }
            Some(Outcome::Goes(why, remedy)) => {
                let finding = Finding::of(Level::Dropped, place, path, why);
                self.work.findings.push(match remedy {
                    Some(remedy) => finding.mend(remedy),
                    None => finding,
                });
                Vec::new()
            }
            Some(Outcome::Stays(why, remedy)) => {
                self.work.advise(Level::Refused, at, path, (&why, &remedy));
                vec![one.to_owned()]
            }
        }
    }

    /// An extension of Arc becomes a release of Weir's chart.
    pub(super) fn arc(&mut self) {
        let at = self.range(0).start;
        let is_file = |text: &str| FILES.iter().any(|flag| text.split('=').next() == Some(flag));
        if let Some(nth) = (0..self.words.len()).find(|nth| is_file(self.text(*nth))) {
            let (at, name) = (self.range(nth).start, self.text(nth).to_owned());
            let said = (
                "the command is left as it is: the file has settings, too, and is no values file of a chart",
                "write its settings behind --configuration-settings, and migrate it again",
            );
            self.work.advise(Level::Refused, at, &name, said);
            self.tell(nth..nth + 1);
            return;
        }
        let said = "now a release of Weir's chart: there is no extension of Arc for Weir";
        self.work.say(Level::Changed, at, "az k8s-extension", said);
        let mut release = Release::default();
        let mut nth = 3;
        while nth < self.words.len() {
            let end = self.behind(nth + 1).max(nth + 1);
            self.arc_option(nth..end, &mut release);
            nth = end;
        }
        let is_update = self.text(2) == "update";
        let all = self.range(0).start..self.range(self.words.len().saturating_sub(1)).end;
        let name = release.name.unwrap_or_else(|| "weir".to_owned());
        let (verb, rest) = if is_update {
            ("upgrade", vec!["--reuse-values".to_owned()])
        } else {
            ("upgrade --install", Vec::new())
        };
        let mut new = format!("helm {verb} {name} helm/weir");
        // The extension makes the namespace, helm has to be told to.
        let made = if is_update { "" } else { " --create-namespace" };
        let place = release.namespace.or(release.target);
        let place = place.map(|namespace| format!("--namespace {namespace}{made}"));
        for part in place.into_iter().chain(rest).chain(release.sets) {
            new.push_str(" \\\n  ");
            new.push_str(&part);
        }
        self.work.edits.replace(all, new);
        self.tell(0..self.words.len());
    }

    /// One option of an extension: a flag, and the words behind it.
    fn arc_option(&mut self, words: Range<usize>, release: &mut Release) {
        let at = self.range(words.start).start;
        let written = self.text(words.start).to_owned();
        let (flag, joined) = match written.split_once('=') {
            Some((flag, value)) if flag.starts_with("--") => (flag, Some(value.to_owned())),
            _ => (written.as_str(), None),
        };
        let second = self.words.get(words.start + 1).filter(|_| words.start + 1 < words.end);
        let value = joined.clone().or_else(|| second.map(|word| word.text.clone()));
        let value = value.unwrap_or_default();
        let raw = self.range(words.start + usize::from(joined.is_none() && second.is_some()));
        let raw = self.work.text.get(raw).unwrap_or_default();
        let word = requoted(&value, raw);
        let what = format!("{flag} {value}");
        let what = what.trim().to_owned();
        let taken = |said: &str| (Level::Changed, format!("now {said}"));
        let (level, message) = match flag {
            "--name" | "-n" => {
                release.name.get_or_insert(word);
                taken("the name of the release")
            }
            "--release-name" => {
                release.name = Some(word);
                taken("the name of the release")
            }
            "--release-namespace" => {
                release.namespace = Some(word);
                taken("--namespace")
            }
            "--target-namespace" => {
                release.target = Some(word);
                taken("--namespace, unless --release-namespace names another one")
            }
            "--cluster-name" => {
                let said = (
                    "helm speaks to the cluster of the current context",
                    "choose the context of this cluster, or add --kube-context",
                );
                self.work.advise(Level::Dropped, at, &what, said);
                return;
            }
            flag if SETTINGS.contains(&flag) => {
                if let Some(text) = joined {
                    release.sets.extend(self.arc_setting(words.start, &text));
                }
                for word in words.start + 1..words.end {
                    let text = self.text(word).to_owned();
                    release.sets.extend(self.arc_setting(word, &text));
                }
                return;
            }
            _ => (Level::Dropped, "it is about the extension".to_owned()),
        };
        self.work.say(level, at, &what, message);
    }

    fn arc_setting(&mut self, word: usize, text: &str) -> Vec<String> {
        let at = self.range(word).start;
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        let chart = |path: &str| {
            Some(Outcome::Grows(vec![(path.to_owned(), value.to_owned())], format!("now {path}")))
        };
        let found = match name {
            "gateway.configuration.uri" | "gateway.endpoint" => {
                helm::outcome("gateway.configuration.uri", value, value, self.work.options.around)
            }
            "service.type" => chart("service.type"),
            "service.http.port" => chart("service.ports.http"),
            "service.https.port" => chart("service.ports.https"),
            _ => match judge(name, Some(value), self.work.options.around) {
                // Other names are those of the chart.
                Verdict::Carried(_) => helm::outcome(name, value, value, self.work.options.around)
                    .or(Some(Outcome::Goes("no chart that is known here has it".to_owned(), None))),
                Verdict::Becomes(..) | Verdict::Goes(..) | Verdict::Stays(..) => helm::outcome(
                    &format!("gateway.configuration.additional.{name}"),
                    value,
                    value,
                    self.work.options.around,
                ),
            },
        };
        let found = match found {
            Some(Outcome::Same(_)) => Some(Outcome::Grows(
                vec![(name.to_owned(), value.to_owned())],
                format!("now {name}"),
            )),
            other => other,
        };
        let sets = self.settled(at, name, text, found);
        let raw = self.work.text.get(self.range(word)).unwrap_or_default();
        flags("--set", &sets, raw)
    }
}

/// A value as `--set` has it.
fn set_of(path: &str, value: &str) -> String {
    match path.split_once('|') {
        // Annotations are texts, and written so.
        Some((before, name)) => {
            format!("{before}.{}={}", name.replace('.', "\\."), value.trim_matches('"'))
        }
        None => format!("{path}={value}"),
    }
}

/// Values with their flags, which were written as `raw`: what must be a text, such as an annotation, is
/// not to be taken for a number.
fn flags(flag: &str, sets: &[String], raw: &str) -> Vec<String> {
    let is_text = |set: &&str| set.starts_with("podAnnotations.") || set.contains("=\"");
    let (texts, others): (Vec<&str>, Vec<&str>) =
        sets.iter().map(String::as_str).partition(is_text);
    let mut all = Vec::new();
    if !others.is_empty() {
        all.push(format!("{flag} {}", requoted(&others.join(","), raw)));
    }
    if !texts.is_empty() {
        let texts = texts.join(",").replace('"', "");
        all.push(format!("--set-string {}", requoted(&texts, raw)));
    }
    all
}
