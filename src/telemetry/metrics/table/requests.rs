//! The metrics of requests: those of OpenTelemetry's conventions for HTTP, our own, and those of
//! API Management.

use super::metrics;
use crate::telemetry::metrics::{Kind, Metric};

metrics! {
    SERVER_DURATION = "http_server_request_duration_seconds" as "http.server.request.duration", Histogram, "seconds",
        "From the head of a request to the end of its response, by `http.request.method` (`_OTHER` if nobody knows it), `url.scheme`, \
         `network.protocol.version`, `http.route`, `weir.api.id`, `weir.operation.id`, `http.response.status_code` and `error.type`.";
    SERVER_ACTIVE = "http_server_active_requests" as "http.server.active_requests", Balance, "requests",
        "Requests that have begun and not ended, by `http.request.method` and `url.scheme`.";
    SERVER_REQUEST_BODY = "http_server_request_body_size_bytes" as "http.server.request.body.size", Histogram, "bytes",
        "Bodies of requests, as far as they were read, by the same attributes as durations.";
    SERVER_RESPONSE_BODY = "http_server_response_body_size_bytes" as "http.server.response.body.size", Histogram, "bytes",
        "Bodies of responses, as far as they were sent, by the same attributes as durations.";
    CLIENT_DURATION = "http_client_request_duration_seconds" as "http.client.request.duration", Histogram, "seconds",
        "From each try to reach a backend to the head of its response, or to what went wrong, by `http.request.method`, `server.address`, \
         `server.port`, `http.response.status_code` and `error.type`.";
    GATEWAY_DURATION = "weir_gateway_duration_seconds" as "weir.gateway.duration", Histogram, "seconds",
        "Of the time of a request, what the gateway took itself: without waiting for backends, and without sending the response, \
         by `weir.api.id`, `weir.operation.id` and `weir.backend.id`.";
    BACKEND_DURATION = "weir_backend_duration_seconds" as "weir.backend.duration", Histogram, "seconds",
        "Of the time of a request that was forwarded, what its backends took until the heads of their responses, by the same attributes.";
    REFUSALS_BY_REASON = "weir_refusals" as "weir.refusals", Counter, "requests",
        "Requests that the gateway refused or could not serve, by `reason` and `weir.api.id`.";
    RETRIES = "weir_retries" as "weir.retries", Counter, "requests",
        "Times that a request was forwarded once more, by `weir.api.id` and `weir.operation.id`.";
    RETRIES_SPARED = "weir_retries_spared" as "weir.retries.spared", Counter, "requests",
        "Times that a request was not forwarded once more although its policies wanted to, because that was too often (`limits.retryPercent`).";
    CACHE_LOOKUPS = "weir_cache_lookups" as "weir.cache.lookups", Counter, "lookups",
        "Requests whose response was looked for in the cache, by `outcome` (`hit`, `miss`), `weir.api.id` and `weir.operation.id`.";
    FOLDED = "weir_metrics_folded" as "weir.metrics.folded", Counter, "measurements",
        "Measurements of requests that were added up under `(other)`, because the series of their `kind` are as many as there may be.";
    APIM_REQUESTS = "Requests" as "Requests", Counter, "requests",
        "API Management's count of requests, by `Hostname` (`(other)` for those that no API names), `Status`, `Cache`, `ResponseCode`, `ResponseCodeCategory`, \
         `BackendResponseCode`, `BackendResponseCodeCategory`, `LastErrorReason`, `GatewayId` and `Location`.";
    APIM_DURATION = "DurationInMS" as "DurationInMS", Histogram, "milliseconds",
        "API Management's duration of requests: from the first byte until the response is sent, by `Hostname`, `GatewayId` and `Location`.";
    APIM_BACKEND_DURATION = "BackendDurationInMS" as "BackendDurationInMS", Histogram, "milliseconds",
        "Of that, what backends took.";
    APIM_CLIENT_DURATION = "ClientDurationInMS" as "ClientDurationInMS", Histogram, "milliseconds",
        "Of that, what sending the response to the client took.";
    APIM_GATEWAY_DURATION = "GatewayDurationInMs" as "GatewayDurationInMs", Histogram, "milliseconds",
        "Of that, what the gateway took.";
}
