//! A date in any of the usual forms.

use super::{DATE_BYTES_MAX, DAYS, MONTHS, Read, Scan, Zone, full_year, named, small};

/// What `text` says: numbers with separators, names of months and days, a time, a zone.
///
/// A form that leaves out the year, or the whole date, means the present one in .NET; it is not
/// read here, because no clock is at hand.
pub(super) fn read(text: &str) -> Option<Read> {
    if text.len() > DATE_BYTES_MAX {
        return None;
    }
    let mut scan = Scan { rest: text.trim() };
    let mut date = Numbers::default();
    let mut read = Read::default();
    let mut has_time = false;
    while let Some(next) = scan.rest.chars().next() {
        if next.is_ascii_digit() {
            if !has_time && starts_time(scan.rest) {
                time(&mut scan, &mut read)?;
                has_time = true;
            } else {
                let digits = scan.digits(8);
                date.push(digits)?;
            }
        } else if next.is_ascii_alphabetic() {
            word(&mut scan, &mut read, &date)?;
        } else if matches!(next, '+' | '-') && has_time {
            read.zone = Some(scan.offset()?);
        } else if matches!(next, '-' | '/' | '.' | ',' | ' ') {
            scan.take(1);
        } else {
            return None;
        }
    }
    date.assign(&mut read)?;
    Some(read)
}

/// The numbers of a date, each with how many digits it has.
#[derive(Debug, Default)]
struct Numbers {
    numbers: Vec<(i64, usize)>,
}

impl Numbers {
    fn push(&mut self, digits: &str) -> Option<()> {
        if digits.len() > 4 || self.numbers.len() >= 3 {
            return None;
        }
        self.numbers.push((digits.parse().ok()?, digits.len()));
        Some(())
    }

    /// Says which number is what: the long one is the year, and a month comes before a day.
    fn assign(&self, read: &mut Read) -> Option<()> {
        let is_year = |digits: usize| digits > 2;
        match (self.numbers.as_slice(), read.month) {
            ([(year, year_digits), (month, _), (day, _)], None) if is_year(*year_digits) => {
                (read.year, read.month, read.day) =
                    (full_year(*year, *year_digits), small(*month), small(*day));
            }
            ([(month, _), (day, _), (year, digits)], None) => {
                (read.year, read.month, read.day) =
                    (full_year(*year, *digits), small(*month), small(*day));
            }
            ([(year, digits), (month, _)], None) if is_year(*digits) => {
                (read.year, read.month) = (full_year(*year, *digits), small(*month));
            }
            ([(month, _), (year, digits)], None) if is_year(*digits) => {
                (read.year, read.month) = (full_year(*year, *digits), small(*month));
            }
            ([(year, digits), (day, _)], Some(_)) if is_year(*digits) => {
                (read.year, read.day) = (full_year(*year, *digits), small(*day));
            }
            ([(day, _), (year, digits)], Some(_)) => {
                (read.year, read.day) = (full_year(*year, *digits), small(*day));
            }
            ([(year, digits)], Some(_)) if is_year(*digits) => {
                read.year = full_year(*year, *digits);
            }
            _ => return None,
        }
        Some(())
    }
}

/// Whether a number and a colon come next, or a number and the half of a day.
fn starts_time(rest: &str) -> bool {
    let mut scan = Scan { rest };
    let digits = scan.digits(3).len();
    if !(1..=2).contains(&digits) {
        return false;
    }
    if scan.rest.starts_with(':') {
        return true;
    }
    scan.rest = scan.rest.trim_start();
    let word = scan.word();
    word.eq_ignore_ascii_case("am") || word.eq_ignore_ascii_case("pm")
}

fn time(scan: &mut Scan<'_>, read: &mut Read) -> Option<()> {
    read.hour = scan.number(2)?;
    if scan.skip(':').is_none() {
        return Some(());
    }
    read.minute = scan.number(2)?;
    if scan.skip(':').is_some() {
        read.second = scan.number(2)?;
        if scan.skip('.').is_some() {
            read.ticks = scan.fraction(20)?;
        }
    }
    Some(())
}

fn word(scan: &mut Scan<'_>, read: &mut Read, date: &Numbers) -> Option<()> {
    let word = scan.word();
    if word.eq_ignore_ascii_case("t") && !date.numbers.is_empty() {
        return scan.rest.starts_with(|next: char| next.is_ascii_digit()).then_some(());
    }
    if ["z", "gmt", "utc"].iter().any(|name| word.eq_ignore_ascii_case(name)) {
        read.zone = Some(Zone::Utc);
    } else if word.eq_ignore_ascii_case("am") || word.eq_ignore_ascii_case("pm") {
        read.is_afternoon = Some(word.eq_ignore_ascii_case("pm"));
    } else if let Some(month) = named(word, &MONTHS) {
        if read.month.is_some() {
            return None;
        }
        read.month = Some(month.wrapping_add(1));
    } else {
        read.weekday = Some(named(word, &DAYS)?);
    }
    Some(())
}
