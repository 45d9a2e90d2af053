//! Why a head is refused, and what the client is told.

use http::StatusCode;

use super::HeadBounds;
use crate::problem::Problem;

/// Why the head of a request is refused. The connection ends with the answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// More fields than [`HeadBounds::fields_max`].
    Fields,
    /// More bytes than [`HeadBounds::bytes_max`].
    Bytes,
    /// A target of more bytes than [`HeadBounds::target_bytes_max`].
    TargetBytes,
    /// The head took too long to arrive.
    Slow,
    /// Neither HTTP/1.0 nor HTTP/1.1 nor HTTP/2.
    Version,
    /// A line that does not end in CR LF, or a request line that is not three words.
    Line,
    /// A field that is no `name: value`, or continues on the next line.
    Field,
    /// A method that is no method, or not in upper case.
    Method,
    /// A method that the gateway never takes.
    MethodRefused,
    /// A target in a form that does not go with its method or host, or with a fragment.
    Target,
    /// A `Host` that is missing, repeated or no host.
    Host,
    /// A `Content-Length` that is repeated or no plain number.
    Length,
    /// A `Transfer-Encoding` that is anything but `chunked`, once, in HTTP/1.1.
    Coding,
    /// `Content-Length` and `Transfer-Encoding` at once.
    LengthAndCoding,
    /// An expectation other than `100-continue`.
    Expect,
    /// A `Connection` field that would take an end-to-end field away.
    Connection,
    /// A field that some backends take for one of the gateway's.
    Alias,
    /// More than one `Authorization`.
    Authorization,
    /// A `:scheme` other than `http` and `https`.
    Scheme,
}

impl Refusal {
    /// A stable word for logs and metrics.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Fields => "fields_too_many",
            Self::Bytes => "head_too_large",
            Self::TargetBytes => "target_too_long",
            Self::Slow => "head_too_slow",
            Self::Version => "version_unsupported",
            Self::Line => "line_invalid",
            Self::Field => "field_invalid",
            Self::Method => "method_invalid",
            Self::MethodRefused => "method_refused",
            Self::Target => "target_invalid",
            Self::Host => "host_invalid",
            Self::Length => "cl_invalid",
            Self::Coding => "te_invalid",
            Self::LengthAndCoding => "cl_and_te",
            Self::Expect => "expect_unsupported",
            Self::Connection => "connection_invalid",
            Self::Alias => "field_alias",
            Self::Authorization => "authorization_repeated",
            Self::Scheme => "scheme_invalid",
        }
    }

    /// What the client is told.
    pub fn problem(self, bounds: &HeadBounds) -> Problem {
        let status = match self {
            Self::Fields | Self::Bytes => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::TargetBytes => StatusCode::URI_TOO_LONG,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::Version => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Self::Expect => StatusCode::EXPECTATION_FAILED,
            Self::MethodRefused => return Problem { close: true, ..Problem::method_refused() },
            Self::Line
            | Self::Field
            | Self::Method
            | Self::Target
            | Self::Host
            | Self::Length
            | Self::Coding
            | Self::LengthAndCoding
            | Self::Connection
            | Self::Alias
            | Self::Authorization
            | Self::Scheme => return Problem::malformed(self.reason(), self.message(bounds)),
        };
        Problem::beyond(status, self.reason(), self.message(bounds))
    }

    fn message(self, bounds: &HeadBounds) -> String {
        let HeadBounds { fields_max, bytes_max, target_bytes_max } = *bounds;
        let text = match self {
            Self::Fields => return format!("A request has at most {fields_max} fields."),
            Self::Bytes => return format!("The head of a request has at most {bytes_max} bytes."),
            Self::TargetBytes => {
                return format!("The target of a request has at most {target_bytes_max} bytes.");
            }
            Self::Slow => "The head of the request did not come in time.",
            Self::Version => "The gateway speaks HTTP/1.0, HTTP/1.1 and HTTP/2.",
            Self::Line => "The request line or the end of a line is malformed.",
            Self::Field => "A field is not written as `name: value` in one line.",
            Self::Method => "The method is malformed; methods are written in upper case.",
            Self::MethodRefused => "The gateway does not take this method.",
            Self::Target => {
                "The target of the request is neither a path nor a URL of the host in `Host`."
            }
            Self::Host => "The request needs one `Host` that is a host name or an address.",
            Self::Length => "`Content-Length` is not one plain number.",
            Self::Coding => "The one `Transfer-Encoding` is `chunked`, in HTTP/1.1.",
            Self::LengthAndCoding => {
                "A request has `Content-Length` or `Transfer-Encoding`, not both."
            }
            Self::Expect => "The one expectation that can be met is `100-continue`.",
            Self::Connection => "`Connection` names a field that does not belong to it.",
            Self::Alias => "A field with `_` in its name could be taken for another one with `-`.",
            Self::Authorization => "A request has at most one `Authorization`.",
            Self::Scheme => "The scheme is neither `http` nor `https`.",
        };
        text.to_owned()
    }
}
