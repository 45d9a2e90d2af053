//! A date in a given format.

use super::{
    DATE_BYTES_MAX, DAYS, DateTime, DateTimeOffset, LETTERS, MONTHS, Piece, Read, Scan, Styles,
    Thrown, Zone, full_year, named, not_a_date, pattern, small,
};

/// `DateTime.ParseExact(text, format)`.
pub fn date_time_exact(text: &str, format: &str, styles: Styles) -> Result<DateTime, Thrown> {
    let pieces = pieces(format, false)?;
    read(text, &pieces).and_then(|read| read.date_time(styles)).ok_or_else(|| not_a_date(text))
}

/// `DateTimeOffset.ParseExact(text, format)`.
pub fn date_time_offset_exact(
    text: &str,
    format: &str,
    styles: Styles,
) -> Result<DateTimeOffset, Thrown> {
    let pieces = pieces(format, true)?;
    read(text, &pieces).and_then(|read| read.offset(styles)).ok_or_else(|| not_a_date(text))
}

fn pieces(format: &str, has_offset: bool) -> Result<Vec<Piece>, Thrown> {
    let mut characters = format.chars();
    match (characters.next(), characters.next()) {
        (None, _) => Err(pattern::bad()),
        (Some(letter), None) => pattern::pieces(pattern::standard(letter, has_offset)?, LETTERS),
        _ => pattern::pieces(format, LETTERS),
    }
}

fn read(text: &str, pieces: &[Piece]) -> Option<Read> {
    if text.len() > DATE_BYTES_MAX {
        return None;
    }
    let mut scan = Scan { rest: text };
    let mut read = Read::default();
    for piece in pieces {
        match piece {
            Piece::Literal(character) => scan.skip(*character)?,
            Piece::Field(letter, count) => field(&mut scan, &mut read, (*letter, *count))?,
        }
    }
    scan.rest.is_empty().then_some(read)
}

fn field(scan: &mut Scan<'_>, read: &mut Read, (letter, count): (char, usize)) -> Option<()> {
    // One letter takes one or two digits, two letters take exactly two.
    let number = |scan: &mut Scan<'_>| {
        if count == 1 { scan.number(2) } else { scan.fixed(2) }
    };
    match (letter, count) {
        ('d', 1 | 2) => read.day = small(number(scan)?),
        ('d', _) => read.weekday = Some(named(scan.word(), &DAYS)?),
        ('M', 1 | 2) => read.month = small(number(scan)?),
        ('M', _) => read.month = Some(named(scan.word(), &MONTHS)?.wrapping_add(1)),
        ('y', 1 | 2) => read.year = full_year(number(scan)?, 2),
        ('y', _) => read.year = small(scan.fixed(count)?),
        ('H' | 'h', _) => {
            read.hour = number(scan)?;
            if letter == 'h' && !(1..=12).contains(&read.hour) {
                return None;
            }
            if letter == 'h' && read.is_afternoon.is_none() {
                read.is_afternoon = Some(false);
            }
        }
        ('m', _) => read.minute = number(scan)?,
        ('s', _) => read.second = number(scan)?,
        ('f', 1..=7) => {
            let digits = scan.rest.bytes().take(count).take_while(u8::is_ascii_digit).count();
            if digits < count {
                return None;
            }
            read.ticks = scan.fraction(count)?;
        }
        ('F', 1..=7) => read.ticks = scan.fraction(count).unwrap_or(0),
        ('t', _) => {
            let word = scan.word();
            let is_short = count == 1 && word.len() == 1;
            let is_half = |name: &str| {
                word.eq_ignore_ascii_case(name)
                    || (is_short && name.get(..1).is_some_and(|one| word.eq_ignore_ascii_case(one)))
            };
            read.is_afternoon = match (is_half("AM"), is_half("PM")) {
                (true, _) => Some(false),
                (_, true) => Some(true),
                _ => return None,
            };
        }
        ('K', _) => scan.zone(&mut read.zone)?,
        ('z', _) => {
            read.zone = if scan.skip_word("Z").is_some() {
                Some(Zone::Utc)
            } else if scan.rest.starts_with(['+', '-']) {
                Some(scan.offset()?)
            } else {
                return None;
            };
        }
        (':' | '/', _) => (0..count).try_for_each(|_| scan.skip(letter))?,
        _ => return None,
    }
    Some(())
}
