//! What is known of an exchange at its end. Its log line, its spans and its metrics are made of this,
//! in one place, so that they cannot disagree.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use http::{Method, StatusCode, Version};

use crate::backend::Scheme;
use crate::correlation::Correlation;
use crate::exchange::message::Request;
use crate::exchange::secrets::HIDDEN;
use crate::exchange::trail::Outing;
use crate::exchange::{CacheOutcome, Exchange, short_id};
use crate::grpc::Code;
use crate::short::Short;
use crate::telemetry::access_log::Line;
use crate::telemetry::otlp::log;
use crate::time::{Timestamp, stamp};

/// An exchange that is over.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// The request's id.
    pub id: u128,
    /// When the head of the request was here.
    pub started: Timestamp,
    /// When the last byte of the response was sent, or could not be.
    pub ended: Timestamp,
    /// Where it stands in its trace.
    pub correlation: Option<Correlation>,
    /// The request's head, as the client sent it.
    pub request: Head<'a>,
    /// Who is at the other end of the connection.
    pub peer: Option<IpAddr>,
    /// The status that the client got; 0 if it got none.
    pub status: u16,
    /// When the head of the backend's response was here, and its status.
    pub backend: Option<(Timestamp, StatusCode)>,
    /// Whether the backend broke off what the client was getting already.
    pub is_cut_by_backend: bool,
    /// What became of it, if it is a call of gRPC.
    pub grpc: Option<Code>,
    /// Why the gateway answered itself: a stable word.
    pub reason: Option<&'static str>,
    /// What broke on a connection.
    pub transport: Option<&'a str>,
    /// Bytes of the request's body.
    pub request_bytes: u64,
    /// Bytes of the response's body.
    pub response_bytes: u64,
    /// The generation of the configuration.
    pub generation: u64,
    /// What policies know, if they had a say.
    pub exchange: Option<&'a Exchange>,
    /// What was asked of others.
    pub outings: &'a [Outing],
}

/// The head of a request.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// The method.
    pub method: &'a Method,
    /// Host and port, as they are written.
    pub host: &'a str,
    /// The path, as it is written; the query is left out, as keys stand in it.
    pub path: &'a str,
    /// The version of HTTP.
    pub version: Version,
    /// Whether it came over TLS.
    pub scheme: Scheme,
    /// `User-Agent`.
    pub agent: Option<&'a str>,
}

impl<'a> Record<'a> {
    /// Whether it is to be looked into: the gateway refused it, it ended with 5xx, or the backend
    /// broke off.
    pub fn has_failed(&self) -> bool {
        self.reason.is_some() || self.is_to_blame()
    }

    /// Whether the gateway or its backend is to blame for what the client got.
    pub fn is_to_blame(&self) -> bool {
        let is_grpc_error = self.grpc.is_some_and(Code::is_server_error);
        self.is_cut_by_backend || 500 <= self.status || is_grpc_error
    }

    /// How long it took.
    pub const fn duration(&self) -> Duration {
        self.ended.since(self.started)
    }

    /// What kind of error it is, if the gateway is to blame for it: as the conventions have it, 4xx is
    /// no error of a server.
    pub fn error_type(&self) -> Option<Cow<'static, str>> {
        if self.is_cut_by_backend {
            return Some(Cow::Borrowed("backend"));
        }
        match (self.status, self.reason) {
            (0, _) => Some(Cow::Borrowed("client")),
            (500.., Some(reason)) => Some(Cow::Borrowed(reason)),
            (status @ 500.., None) => Some(Cow::Owned(status.to_string())),
            // The conventions for gRPC have the number.
            _ => {
                let code = self.grpc.filter(|code| code.is_server_error())?;
                Some(Cow::Owned(code.0.to_string()))
            }
        }
    }

    /// What broke on a connection, without what must not be told.
    pub fn transport_told(&self) -> Option<Cow<'a, str>> {
        let text = self.transport?;
        Some(match self.exchange {
            Some(exchange) if exchange.is_target_secret => Cow::Borrowed(HIDDEN),
            Some(exchange) => exchange.cover(text),
            None => Cow::Borrowed(text),
        })
    }

    /// Its line in the log.
    pub fn line(&self) -> Line<'a> {
        let Head { method, host, path, version, .. } = self.request;
        let mut line = Line {
            at: self.started,
            within: self.correlation.as_ref().map(log::within),
            time_generated: stamp(self.started),
            category: "GatewayLogs",
            correlation_id: short_id(self.id),
            trace_id: self.correlation.map(|correlation| correlation.trace.text()),
            span_id: self.correlation.map(|correlation| correlation.span.text()),
            is_request_success: (1..400).contains(&self.status)
                && !self.is_cut_by_backend
                && self.grpc.is_none_or(|code| code == Code::OK),
            grpc_status: self.grpc.map(|code| code.0),
            total_time: millis(self.duration()),
            backend_time: self.backend.map(|(at, _status)| millis(at.since(self.started))),
            caller_ip_address: self.peer.map(Short::of),
            method: method.as_str(),
            url: [host, path].concat(),
            client_protocol: protocol(version),
            response_code: self.status,
            backend_response_code: self.backend.map(|(_at, status)| status.as_u16()),
            request_size: self.request_bytes,
            response_size: self.response_bytes,
            cache: "none",
            reason: self.reason,
            transport_error: self.transport_told(),
            generation: self.generation,
            ..Line::default()
        };
        if let Some(exchange) = self.exchange {
            describe(&mut line, exchange);
        }
        line
    }
}

/// Adds what policies know.
fn describe<'a>(line: &mut Line<'a>, exchange: &'a Exchange) {
    line.url = exchange.covered(std::mem::take(&mut line.url));
    line.region = &exchange.deployment.region;
    line.caller_ip_address = exchange.client.map(Short::of);
    line.cache = cache(exchange.cache);
    line.api_id = exchange.api.as_ref().map(|api| api.id.as_ref());
    line.api_revision = exchange.api.as_ref().map(|api| api.revision.as_ref());
    line.operation_id = exchange.operation.as_ref().map(|operation| operation.id.as_ref());
    line.product_id = exchange.product.as_ref().map(|product| product.id.as_ref());
    line.apim_subscription_id = exchange.subscription.as_ref().map(|known| known.id.as_ref());
    line.shadow_refusals = exchange.pending.spared();
    line.user_id = exchange.user.as_ref().map(|user| user.id.as_ref());
    if exchange.is_forwarded {
        line.backend_url = Some(if exchange.is_target_secret {
            HIDDEN.to_owned()
        } else {
            exchange.covered(joined(&exchange.request))
        });
    }
    if let Some(error) = &exchange.last_error {
        line.last_error_source = Some(error.source);
        line.last_error_reason = Some(error.reason);
        line.last_error_message = Some(exchange.cover(&error.message));
        line.last_error_section = Some(error.section);
        line.last_error_place = error.place.as_ref().map(ToString::to_string);
    }
}

/// Where the request went, without its query.
fn joined(request: &Request) -> String {
    let base = &request.base;
    let authority = base.authority.to_str().unwrap_or_default();
    [base.scheme.as_str(), "://", authority, &base.path, &request.tail].concat()
}

/// How an exchange met the cache, in a word.
pub const fn cache(outcome: CacheOutcome) -> &'static str {
    match outcome {
        CacheOutcome::None => "none",
        CacheOutcome::Hit => "hit",
        CacheOutcome::Miss => "miss",
    }
}

/// The version of HTTP as logs have it.
pub const fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2",
        _ => "HTTP/1.1",
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
