//! What operators are told that was not done: problem documents (RFC 9457), each with a remedy.

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};
use serde::{Deserialize, Serialize};

/// Why something was not done.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Refusal {
    /// What kind of problem, in a few words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong here.
    pub detail: String,
    /// What to do about it.
    pub remedy: String,
    /// What may have been meant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<String>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, title: &str, detail: &str, remedy: &str) -> Self {
        Self {
            title: title.to_owned(),
            status: status.as_u16(),
            detail: detail.to_owned(),
            remedy: remedy.to_owned(),
            candidates: Vec::new(),
        }
    }

    pub(super) fn answer(&self) -> Response<Vec<u8>> {
        let mut response = Response::new(serde_json::to_vec_pretty(self).unwrap_or_default());
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(CONTENT_TYPE, kind);
        response
    }
}
