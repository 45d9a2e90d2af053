//! Content codings: the body of a response as policies read it, whatever it was compressed with.

use std::io::Read;

use bytes::Bytes;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::HeaderName;
use http::header::{CONTENT_ENCODING, ETAG};

use crate::exchange::Exchange;
use crate::exchange::message::{Body, Headers, Response};
use crate::policy::Failure;
use crate::problem::Problem;

/// The most bytes that a body may have without its codings.
pub const DECODED_BYTES_MAX: usize = 16 << 20;
/// The most codings of one body, one over the other.
const CODINGS_MAX: usize = 3;
/// How much of a body is taken apart at once.
const PIECE_BYTES: usize = 16 << 10;

/// Fields that hold for the bytes of a body as its sender made them.
const OF_THE_BODY: [HeaderName; 6] = [
    CONTENT_ENCODING,
    ETAG,
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
];

/// Takes the fields away that are no longer true of a body which was replaced. What a policy set
/// itself stays.
pub(super) fn forget_body(headers: &mut Headers) {
    for name in OF_THE_BODY {
        if !headers.touched().contains(&name) {
            headers.remove(&name);
        }
    }
}

/// Takes the codings off the body of the response, so that it can be read. The client gets it as
/// it is then.
pub(super) fn decode(exchange: &mut Exchange) -> Result<(), Failure> {
    exchange.response.as_mut().map_or(Ok(()), plain)
}

/// The same for any response.
pub(super) fn plain(response: &mut Response) -> Result<(), Failure> {
    let Some(coded) = response.body.bytes() else {
        return Ok(());
    };
    let codings = codings(response)?;
    if codings.is_empty() {
        return Ok(());
    }
    let mut bytes = coded.clone();
    for coding in codings.iter().rev() {
        bytes = Bytes::from(coding.decode(&bytes)?);
    }
    response.body = if bytes.is_empty() { Body::None } else { Body::Bytes(bytes) };
    forget_body(&mut response.headers);
    Ok(())
}

/// How bytes were made smaller.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Coding {
    Gzip,
    Deflate,
    Brotli,
}

/// The codings of the body, in the order in which they were applied.
fn codings(response: &Response) -> Result<Vec<Coding>, Failure> {
    let headers = &response.headers;
    if headers.touched().contains(&CONTENT_ENCODING) {
        // A policy says what it made of the body; it is not undone.
        return Ok(Vec::new());
    }
    let mut codings = Vec::new();
    for line in headers.map().get_all(CONTENT_ENCODING) {
        for word in String::from_utf8_lossy(line.as_bytes()).split(',') {
            codings.extend(match word.trim().to_ascii_lowercase().as_str() {
                "" | "identity" => None,
                "gzip" | "x-gzip" => Some(Coding::Gzip),
                "deflate" => Some(Coding::Deflate),
                "br" => Some(Coding::Brotli),
                other => return Err(unknown(other)),
            });
            if CODINGS_MAX < codings.len() {
                return Err(unreadable(format!(
                    "the body of the response has more than {CODINGS_MAX} content encodings"
                )));
            }
        }
    }
    Ok(codings)
}

impl Coding {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
        }
    }

    fn decode(self, coded: &[u8]) -> Result<Vec<u8>, Failure> {
        let decoded = match self {
            Self::Gzip => whole(MultiGzDecoder::new(coded)),
            // Some senders leave out the frame that the name stands for.
            Self::Deflate if is_zlib(coded) => whole(ZlibDecoder::new(coded)),
            Self::Deflate => whole(DeflateDecoder::new(coded)),
            Self::Brotli => whole(brotli_decompressor::Decompressor::new(coded, PIECE_BYTES)),
        };
        decoded.map_err(|wrong| {
            let coding = self.as_str();
            unreadable(match wrong {
                Wrong::Broken => {
                    format!("the body of the response is not the `{coding}` that it says it is")
                }
                Wrong::TooLarge => format!(
                    "the body of the response is larger than {DECODED_BYTES_MAX} bytes without its \
                     content encoding `{coding}`"
                ),
            })
        })
    }
}

/// Why a body cannot be decoded.
#[derive(Clone, Copy, Debug)]
enum Wrong {
    Broken,
    TooLarge,
}

/// Whether the bytes begin with the head of zlib's form (RFC 1950 §2.2).
fn is_zlib(coded: &[u8]) -> bool {
    let [first, second, ..] = coded else {
        return false;
    };
    first & 0x0f == 8 && u16::from_be_bytes([*first, *second]).is_multiple_of(31)
}

/// All that `coded` gives, within the bound.
fn whole(coded: impl Read) -> Result<Vec<u8>, Wrong> {
    let bound = u64::try_from(DECODED_BYTES_MAX).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    let read = coded.take(bound.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(|_broken| Wrong::Broken)?;
    if DECODED_BYTES_MAX < bytes.len() { Err(Wrong::TooLarge) } else { Ok(bytes) }
}

fn unknown(coding: &str) -> Failure {
    let coding: String = coding.chars().take(32).collect();
    unreadable(format!(
        "the body of the response has the content encoding `{coding}`, which policies cannot read: \
         gzip, deflate and br they can; set the request's Accept-Encoding to what they can"
    ))
}

fn unreadable(message: String) -> Failure {
    let problem = Problem::failed("content_encoding_unreadable");
    Failure { source: None, reason: "ContentEncodingUnreadable", message, problem }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn each_coding_gives_back_what_was_put_in() {
        let text = b"text text text".as_slice();
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
        zlib.write_all(text).unwrap();
        let mut raw = DeflateEncoder::new(Vec::new(), Compression::fast());
        raw.write_all(text).unwrap();
        // What `printf 'text text text' | brotli -c` writes.
        let brotli = [
            0x8b, 6, 128, b't', b'e', b'x', b't', b' ', b't', b'e', b'x', b't', b' ', b't', b'e',
            b'x', b't', 3,
        ];
        for (coding, coded) in [
            (Coding::Gzip, gzip(text)),
            (Coding::Deflate, zlib.finish().unwrap()),
            (Coding::Deflate, raw.finish().unwrap()),
            (Coding::Brotli, brotli.to_vec()),
        ] {
            assert_eq!(coding.decode(&coded).unwrap(), text, "{coding:?}");
        }
    }

    #[test]
    fn a_body_that_is_broken_or_unfolds_without_bound_is_refused() {
        let bomb = gzip(&vec![0; DECODED_BYTES_MAX + 1]);
        assert!(bomb.len() < 200_000);
        let refused = Coding::Gzip.decode(&bomb).unwrap_err();
        assert!(refused.message.contains("larger than 16777216 bytes"), "{}", refused.message);
        let fits = gzip(&vec![0; DECODED_BYTES_MAX]);
        assert_eq!(Coding::Gzip.decode(&fits).unwrap().len(), DECODED_BYTES_MAX);
        for coding in [Coding::Gzip, Coding::Deflate, Coding::Brotli] {
            let refused = coding.decode(b"no such thing").unwrap_err();
            assert!(refused.message.contains("is not the"), "{coding:?}: {}", refused.message);
        }
        let cut = gzip(b"text");
        assert!(Coding::Gzip.decode(&cut[..cut.len() - 2]).is_err());
    }
}
