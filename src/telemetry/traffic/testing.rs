//! Requests for tests that count them.

use std::time::Duration;

use http::{Method, StatusCode};

use super::Served;
use crate::time::Timestamp;

/// A request that went well.
pub fn served(method: &Method) -> Served<'_> {
    Served {
        method,
        is_secure: true,
        version: "1.1",
        route: Some(("shop", "/orders/{id}")),
        api: "shop",
        operation: "order",
        backend: "",
        host: Some("api.example"),
        status: Some(StatusCode::OK),
        backend_status: Some(StatusCode::OK),
        error: None,
        refusal: None,
        last_error: None,
        cache: None,
        forwards: 1,
        total: Duration::from_millis(12),
        backend_time: Duration::from_millis(8),
        own_time: Duration::from_millis(1),
        request_bytes: 0,
        response_bytes: 300,
        at: Timestamp::from_micros(1_700_000_000_000_000),
        trace: None,
    }
}
