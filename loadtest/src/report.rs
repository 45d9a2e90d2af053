//! How every scenario ends: its report is printed and kept, as text and as data, before anybody
//! hears whether it is good.

use serde::Serialize;

use crate::failure::{Failure, during};
use crate::programs::Places;

/// Prints the report `name` and keeps it, `text` for people and `data` for programs; then says its
/// `verdict`.
pub(crate) fn publish(
    places: &Places,
    name: &str,
    (text, data): (&str, &impl Serialize),
    verdict: Result<(), Failure>,
) -> Result<(), Failure> {
    print!("{text}");
    let json = serde_json::to_string_pretty(data).unwrap_or_default();
    for (kind, text) in [("md", text), ("json", &json)] {
        let file = places.output.join(format!("{name}.{kind}"));
        std::fs::write(&file, text).map_err(during(format!("writing {}", file.display())))?;
        eprintln!("written: {}", file.display());
    }
    verdict
}

/// The verdict of a report that may say why it cannot be believed.
pub(crate) fn valid(wrong: &[String]) -> Result<(), Failure> {
    if wrong.is_empty() { Ok(()) } else { Err(Failure::NotValid(wrong.join("; "))) }
}

/// The verdict of a report that may say what was not kept.
pub(crate) fn kept(broken: &[String]) -> Result<(), Failure> {
    if broken.is_empty() { Ok(()) } else { Err(Failure::NotKept(broken.join("; "))) }
}

#[cfg(test)]
mod tests {
    use super::{kept, valid};

    #[test]
    fn what_is_wrong_is_said_in_full() {
        assert!(kept(&[]).is_ok() && valid(&[]).is_ok());
        let broken = ["one".to_owned(), "two".to_owned()];
        assert_eq!(kept(&broken).unwrap_err().to_string(), "not kept: one; two");
        let wrong = valid(&broken).unwrap_err().to_string();
        assert_eq!(wrong, "this run is not valid: one; two");
    }
}
