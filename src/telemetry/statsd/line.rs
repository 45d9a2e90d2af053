//! Lines as `StatsD` reads them, in the dialects that tags come in.

use std::fmt::Write as _;

use crate::telemetry::metrics::float;

/// The most bytes of a datagram: what passes through nearly every network in one piece.
const DATAGRAM_BYTES_MAX: usize = 1_432;

/// All, in millionths.
const ALL: u32 = 1_000_000;

/// How tags are written.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Tags {
    /// Not at all: counts are those of all requests together.
    #[default]
    None,
    /// `name#tag=value,tag=value:1|c`
    Librato,
    /// `name:1|c|#tag:value,tag:value`
    DogStatsD,
    /// `name,tag=value,tag=value:1|c`
    InfluxDb,
}

/// What a line says.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// So many more.
    Count(u64),
    /// One took so long, and this part of them is told of.
    Time {
        /// How long.
        micros: u64,
        /// Which part, in millionths.
        sampling: u32,
    },
}

/// Lines, in as few datagrams as they fit into.
#[derive(Debug)]
pub struct Lines {
    tags: Tags,
    datagrams: Vec<(String, u64)>,
}

impl Lines {
    /// None yet.
    pub const fn new(tags: Tags) -> Self {
        Self { tags, datagrams: Vec::new() }
    }

    /// One more.
    pub fn add(&mut self, name: &str, kind: Kind, tags: &[(&str, &str)]) {
        let line = line(self.tags, name, kind, tags);
        match self.datagrams.last_mut() {
            Some((datagram, count))
                if datagram.len().saturating_add(line.len()) < DATAGRAM_BYTES_MAX =>
            {
                datagram.push('\n');
                datagram.push_str(&line);
                *count = count.saturating_add(1);
            }
            _ => self.datagrams.push((line, 1)),
        }
    }

    /// The datagrams, and how many lines each has.
    pub fn datagrams(self) -> Vec<(String, u64)> {
        self.datagrams
    }
}

fn line(form: Tags, name: &str, kind: Kind, tags: &[(&str, &str)]) -> String {
    let value = match kind {
        Kind::Count(count) => format!(":{count}|c"),
        Kind::Time { micros, sampling } if sampling < ALL => {
            format!(":{}|ms|@{}", float(micros) / 1e3, f64::from(sampling) / f64::from(ALL))
        }
        Kind::Time { micros, .. } => format!(":{}|ms", float(micros) / 1e3),
    };
    let mut line = name.to_owned();
    match form {
        Tags::None => line.push_str(&value),
        Tags::Librato => {
            put(&mut line, ("#", '='), tags);
            line.push_str(&value);
        }
        Tags::DogStatsD => {
            line.push_str(&value);
            put(&mut line, ("|#", ':'), tags);
        }
        Tags::InfluxDb => {
            put(&mut line, (",", '='), tags);
            line.push_str(&value);
        }
    }
    line
}

/// Adds the tags that say something, with `first` in front of them all.
fn put(line: &mut String, (first, equals): (&str, char), tags: &[(&str, &str)]) {
    let mut between = first;
    for (name, value) in tags.iter().filter(|(_name, value)| !value.is_empty()) {
        // A string takes everything.
        let _ = write!(line, "{between}{name}{equals}{}", clean(value));
        between = ",";
    }
}

/// A value without what separates: no dialect can write that differently.
fn clean(value: &str) -> String {
    let separates = |letter: char| {
        matches!(letter, ':' | '|' | '#' | '@' | ',' | '=' | '"' | '\\')
            || !letter.is_ascii_graphic()
    };
    value.chars().map(|letter| if separates(letter) { '_' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAGS: [(&str, &str); 3] =
        [("Status", "Successful"), ("Location", ""), ("Hostname", "a|b#c:d,e=f@g\nhä\"i\\ j")];

    #[test]
    fn each_dialect_has_its_line() {
        let time = Kind::Time { micros: 12_345, sampling: 500_000 };
        for (form, count, timing) in [
            (Tags::None, "n:3|c", "n:12.345|ms|@0.5"),
            (
                Tags::Librato,
                "n#Status=Successful,Hostname=a_b_c_d_e_f_g_h__i__j:3|c",
                "n#Status=Successful,Hostname=a_b_c_d_e_f_g_h__i__j:12.345|ms|@0.5",
            ),
            (
                Tags::DogStatsD,
                "n:3|c|#Status:Successful,Hostname:a_b_c_d_e_f_g_h__i__j",
                "n:12.345|ms|@0.5|#Status:Successful,Hostname:a_b_c_d_e_f_g_h__i__j",
            ),
            (
                Tags::InfluxDb,
                "n,Status=Successful,Hostname=a_b_c_d_e_f_g_h__i__j:3|c",
                "n,Status=Successful,Hostname=a_b_c_d_e_f_g_h__i__j:12.345|ms|@0.5",
            ),
        ] {
            assert_eq!(line(form, "n", Kind::Count(3), &TAGS), count);
            assert_eq!(line(form, "n", time, &TAGS), timing);
        }
        let all = Kind::Time { micros: 1_000, sampling: ALL };
        assert_eq!(line(Tags::None, "n", all, &[]), "n:1|ms");
    }

    #[test]
    fn datagrams_are_full_and_never_too_long() {
        let mut lines = Lines::new(Tags::None);
        for number in 0..1_000 {
            lines.add("Requests", Kind::Count(number), &[]);
        }
        let datagrams = lines.datagrams();
        assert_eq!(datagrams.iter().map(|(_, count)| count).sum::<u64>(), 1_000);
        assert!(datagrams.iter().all(|(text, _)| text.len() <= DATAGRAM_BYTES_MAX));
        assert!(datagrams.len() < 12, "{}", datagrams.len());
    }
}
