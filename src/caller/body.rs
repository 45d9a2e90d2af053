//! How long the body of a response is (RFC 9112 §6), and its bytes without their framing.

use bytes::{Buf, Bytes};

/// What is left of a body.
#[derive(Debug)]
pub(super) enum Body {
    /// Nothing.
    Done,
    /// So many bytes.
    Length(u64),
    /// Chunks.
    Chunks(Chunks),
    /// All until the connection is closed.
    UntilClose,
}

/// Where in a chunked body the next byte stands.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    state: State,
    /// How many bytes of the line or of the trailer section have come.
    framing: usize,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// In the size: what was read of it, and how many digits that were.
    Size(u64, u32),
    /// In an extension behind that size: what it says is for this hop, and none is known here.
    Extension(u64),
    /// Before the line feed of the size, then so many bytes.
    SizeEnd(u64),
    /// In the data, with so many bytes left.
    Data(u64),
    /// Behind the data.
    DataReturn,
    /// Behind the carriage return behind the data.
    DataEnd,
    /// At the beginning of a line of the trailer section.
    Trailer,
    /// In such a line.
    TrailerLine,
    /// Before the line feed of such a line.
    TrailerLineEnd,
    /// Before the last line feed of all.
    End,
}

impl Default for State {
    fn default() -> Self {
        Self::Size(0, 0)
    }
}

/// What reading a body came to.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Step {
    /// A piece of it.
    Piece(Bytes),
    /// There are no more bytes here.
    More,
    /// It is at its end.
    End,
}

/// The most digits of the size of a chunk: more than any can need, fewer than overflow.
const SIZE_DIGITS_MAX: u32 = 15;
/// The most bytes of one line with a size, or of the trailer section.
const FRAMING_BYTES_MAX: usize = 8 * 1024;

impl Body {
    /// Takes the next piece from `input`.
    pub(super) fn next(&mut self, input: &mut Bytes) -> Result<Step, &'static str> {
        let step = match self {
            Self::Done => return Ok(Step::End),
            _ if input.is_empty() => return Ok(Step::More),
            Self::UntilClose => Step::Piece(std::mem::take(input)),
            Self::Length(left) => {
                let piece = take(input, left);
                if *left == 0 {
                    *self = Self::Done;
                }
                Step::Piece(piece)
            }
            Self::Chunks(chunks) => chunks.next(input)?,
        };
        if step == Step::End {
            *self = Self::Done;
        }
        Ok(step)
    }

    /// Whether it is at its end.
    pub(super) const fn is_done(&self) -> bool {
        matches!(self, Self::Done)
    }

    /// What it means that the connection was closed: the end of the body, or that some is missing.
    pub(super) fn close(&mut self) -> Result<(), &'static str> {
        match self {
            Self::Done => Ok(()),
            Self::UntilClose => {
                *self = Self::Done;
                Ok(())
            }
            Self::Length(_) | Self::Chunks(_) => {
                Err("the backend closed the connection in the middle of the body")
            }
        }
    }
}

impl Chunks {
    fn next(&mut self, input: &mut Bytes) -> Result<Step, &'static str> {
        loop {
            if let State::Data(left) = &mut self.state {
                if input.is_empty() {
                    return Ok(Step::More);
                }
                let piece = take(input, left);
                if *left == 0 {
                    self.state = State::DataReturn;
                }
                return Ok(Step::Piece(piece));
            }
            let Some(byte) = input.first().copied() else {
                return Ok(Step::More);
            };
            input.advance(1);
            self.framing = self.framing.saturating_add(1);
            if FRAMING_BYTES_MAX < self.framing {
                return Err("the framing of a chunk is too long");
            }
            if matches!((self.state, byte), (State::End, b'\n')) {
                return Ok(Step::End);
            }
            self.state = self.state.after(byte)?;
            if matches!(self.state, State::Data(_)) {
                self.framing = 0;
            }
        }
    }
}

impl State {
    fn after(self, byte: u8) -> Result<Self, &'static str> {
        Ok(match (self, byte) {
            (Self::Size(size, digits), _) if byte.is_ascii_hexdigit() => {
                if SIZE_DIGITS_MAX <= digits {
                    return Err("the size of a chunk is too large");
                }
                let digit = char::from(byte).to_digit(16).map_or(0, u64::from);
                Self::Size((size << 4) | digit, digits.saturating_add(1))
            }
            (Self::Size(_, 0), _) => return Err("a chunk has no size"),
            (Self::Size(size, _) | Self::Extension(size), b'\r') => Self::SizeEnd(size),
            (Self::Size(size, _), b';' | b' ' | b'\t') => Self::Extension(size),
            (Self::Extension(size), _) if byte != b'\n' => Self::Extension(size),
            (Self::SizeEnd(0) | Self::TrailerLineEnd, b'\n') => Self::Trailer,
            (Self::SizeEnd(size), b'\n') => Self::Data(size),
            (Self::DataReturn, b'\r') => Self::DataEnd,
            (Self::DataEnd, b'\n') => Self::Size(0, 0),
            (Self::Trailer, b'\r') => Self::End,
            (Self::TrailerLine, b'\r') => Self::TrailerLineEnd,
            (Self::Trailer | Self::TrailerLine, _) if byte != b'\r' && byte != b'\n' => {
                Self::TrailerLine
            }
            _ => return Err("the framing of a chunk is malformed"),
        })
    }
}

/// As much of what is `left` as is here.
fn take(input: &mut Bytes, left: &mut u64) -> Bytes {
    let count = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
    *left = left.saturating_sub(u64::try_from(count).unwrap_or(u64::MAX));
    input.split_to(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads `text` in pieces of `size` bytes; the body, and what is left behind it.
    fn read(mut body: Body, text: &'static [u8], size: usize) -> Result<(Vec<u8>, usize), String> {
        let (mut got, mut used) = (Vec::new(), 0);
        for piece in text.chunks(size) {
            let mut input = Bytes::from_static(piece);
            loop {
                match body.next(&mut input)? {
                    Step::Piece(piece) => got.extend_from_slice(&piece),
                    Step::More => break,
                    Step::End => return Ok((got, text.len() - used - piece.len() + input.len())),
                }
            }
            used += piece.len();
        }
        body.close().map(|()| (got, 0)).map_err(str::to_owned)
    }

    fn chunks() -> Body {
        Body::Chunks(Chunks::default())
    }

    #[test]
    fn a_body_ends_where_its_framing_says_whatever_its_pieces() {
        let chunked = b"4;name=\"v\"\r\nabcd\r\nA \r\n0123456789\r\n0\r\nX: 1\r\n\r\nmore";
        for size in 1..chunked.len() {
            assert_eq!(
                read(chunks(), chunked, size),
                Ok((b"abcd0123456789".to_vec(), 4)),
                "{size}"
            );
            assert_eq!(read(Body::Length(3), b"abcd", size), Ok((b"abc".to_vec(), 1)));
            assert_eq!(read(Body::UntilClose, b"abcd", size), Ok((b"abcd".to_vec(), 0)));
        }
        assert_eq!(read(Body::Done, b"abcd", 4), Ok((Vec::new(), 4)));
    }

    #[test]
    fn a_body_that_stops_early_is_broken() {
        assert!(read(Body::Length(5), b"abcd", 4).is_err());
        let whole = b"4\r\nabcd\r\n0\r\n\r\n";
        for end in 0..whole.len() {
            assert!(read(chunks(), &whole[..end], 3).is_err(), "{end}");
        }
    }

    #[test]
    fn malformed_framing_is_refused() {
        let bad: [&[u8]; 10] = [
            b"\r\n",
            b"x\r\n",
            b"-1\r\n",
            b"4\nabcd",
            b"4;\nabcd",
            b"4\r\nabcde\r\n",
            b"4\r\nabcd\n",
            b"0\r\n\n",
            b"0\r\nX: 1\n\r\n",
            b"1000000000000000\r\n",
        ];
        for text in bad {
            let mut input = Bytes::from_static(text);
            let mut body = chunks();
            let outcome = loop {
                match body.next(&mut input) {
                    Ok(Step::Piece(_)) => (),
                    other => break other,
                }
            };
            assert!(outcome.is_err(), "{text:?}: {outcome:?}");
        }
        let long = [b"1;".to_vec(), vec![b'x'; FRAMING_BYTES_MAX]].concat();
        assert!(chunks().next(&mut Bytes::from(long)).is_err());
    }
}
