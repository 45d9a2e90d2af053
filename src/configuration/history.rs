//! Generations that can be gone back to, and which one somebody means.

use serde::{Deserialize, Serialize};

/// One generation.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Row {
    /// Its number.
    pub number: u64,
    /// The digest of its configuration, in hexadecimal.
    pub digest: String,
    /// When it was published, in milliseconds since the epoch.
    pub published: u64,
    /// Whose content it has, if somebody went back to that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub like: Option<u64>,
    /// Which of several that share a store published it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Whether all replicas of a cluster are to serve it at once.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub now: bool,
    /// Who wanted it, if somebody had to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<Wanted>,
}

/// Who wanted a generation, and why.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Wanted {
    /// Who, as far as that is known.
    pub by: String,
    /// Why; empty if that was not said.
    pub reason: String,
}

/// What is asked for is not remembered; the sentence is for operators.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("there is no generation {number} to go back to: {why}")]
pub struct Forgotten {
    /// Which one was asked for; 0 for the one before.
    pub number: u64,
    /// Why not.
    pub why: String,
}

/// The generation of `rows`, the newest last, that somebody means who wants to go back to `number`,
/// or to the one before the newest.
pub fn wanted(rows: &[Row], number: Option<u64>) -> Result<&Row, Forgotten> {
    let forgotten = |number, why: String| Forgotten { number, why };
    let asked = number.unwrap_or_default();
    let newest =
        rows.last().ok_or_else(|| forgotten(asked, "nothing was ever published".to_owned()))?;
    let found = match number {
        Some(number) => rows.iter().find(|row| row.number == number),
        // The one that was served before: of other content than the newest.
        None => rows.iter().rev().find(|row| row.digest != newest.digest),
    };
    let known = || {
        let numbers: Vec<String> = rows.iter().map(|row| row.number.to_string()).collect();
        format!("remembered are {}", numbers.join(", "))
    };
    let row = found.ok_or_else(|| forgotten(asked, known()))?;
    if row.digest == newest.digest {
        let why = "its content is the newest generation's already".to_owned();
        return Err(forgotten(row.number, why));
    }
    Ok(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(digests: &[&str]) -> Vec<Row> {
        let row = |(number, digest): (u64, &&str)| Row {
            number,
            digest: (*digest).to_owned(),
            published: 0,
            like: None,
            by: None,
            now: false,
            wanted: None,
        };
        (1..).zip(digests).map(row).collect()
    }

    #[test]
    fn the_one_before_is_the_last_of_other_content() {
        let rows = rows(&["a", "b", "c", "c"]);
        assert_eq!(wanted(&rows, None).unwrap().number, 2);
        assert_eq!(wanted(&rows, Some(1)).unwrap().number, 1);
    }

    #[test]
    fn who_asks_for_what_is_not_there_is_told_what_is() {
        let rows = rows(&["a", "b", "b"]);
        let told = |number| wanted(&rows, number).unwrap_err().to_string();
        assert_eq!(told(Some(9)), "there is no generation 9 to go back to: remembered are 1, 2, 3");
        let same = "its content is the newest generation's already";
        assert_eq!(told(Some(2)), format!("there is no generation 2 to go back to: {same}"));
        assert!(wanted(&[], None).unwrap_err().to_string().ends_with("nothing was ever published"));
    }
}
