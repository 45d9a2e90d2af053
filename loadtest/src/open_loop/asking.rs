//! What is asked, over and over, and what the right answer looks like.

use bytes::Bytes;

/// What stands before each message of gRPC.
pub(crate) const GRPC_PREFIX_BYTES: usize = 5;

/// How it is spoken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Speaks {
    /// HTTP/1.1 with kept-alive connections.
    Http1,
    /// HTTP/2 with prior knowledge.
    Http2,
    /// Unary calls of gRPC over that.
    Grpc,
}

/// A request, always the same.
#[derive(Clone, Debug)]
pub(crate) struct Asking {
    /// How.
    pub(crate) speaks: Speaks,
    /// GET or POST.
    pub(crate) method: &'static str,
    /// From `/`.
    pub(crate) path: &'static str,
    /// Header fields besides those of the framing, names in small letters.
    pub(crate) fields: Vec<(String, String)>,
    /// What is sent.
    pub(crate) body: Bytes,
    /// How long the right answer's body is.
    pub(crate) answer_bytes: usize,
}

impl Asking {
    /// Whether it is a call of gRPC.
    pub(crate) fn is_grpc(&self) -> bool {
        self.speaks == Speaks::Grpc
    }
}
