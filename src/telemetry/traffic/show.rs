//! What was counted of requests, as it is shown.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::telemetry::conventions::{self, METHODS};
use crate::telemetry::metrics::{Labels, Metric, Page, float, table::requests as table};
use crate::telemetry::traffic::family::{Family, OTHER};
use crate::telemetry::traffic::histogram::Histogram;
use crate::telemetry::traffic::{Names, SCHEMES, Traffic};

/// Microseconds in a second.
const SECOND: f64 = 1e6;
/// Microseconds in a millisecond.
const MILLISECOND: f64 = 1e3;
/// Bytes in a byte.
const BYTE: f64 = 1.0;

impl Traffic {
    /// Puts in all that was counted; `gateway` and `location` are what API Management's metrics say
    /// of where they come from.
    pub fn show(&self, page: &mut Page, gateway: &str, location: &str) {
        if self.names != Names::Apim {
            self.active(page);
            self.exchanges(page);
            self.operations(page);
            self.tries(page);
            self.counts(page);
        }
        if self.names != Names::Semantic {
            self.apims(page, gateway, location);
        }
        self.folded(page);
    }

    fn active(&self, page: &mut Page) {
        let names = METHODS.iter().flat_map(|method| SCHEMES.map(|scheme| (*method, scheme)));
        for ((method, scheme), count) in names.zip(self.active.iter()) {
            let labels = [("http.request.method", method), ("url.scheme", scheme)];
            page.level(&table::SERVER_ACTIVE, &labels, float(count.load(Ordering::Relaxed)));
        }
    }

    fn exchanges(&self, page: &mut Page) {
        for series in self.exchanges.all() {
            let [method, scheme, version, path, template, api, operation, status, error] =
                series.labels.each_ref().map(|label| &**label);
            let route = route(path, template);
            let labels = present(&[
                ("http.request.method", method),
                ("url.scheme", scheme),
                ("network.protocol.version", version),
                ("http.route", &route),
                ("weir.api.id", api),
                ("weir.operation.id", operation),
                ("http.response.status_code", status),
                ("error.type", error),
            ]);
            let cells = &series.cells;
            put(page, (&table::SERVER_DURATION, &labels), &cells.duration, SECOND);
            put(page, (&table::SERVER_REQUEST_BODY, &labels), &cells.request_body, BYTE);
            put(page, (&table::SERVER_RESPONSE_BODY, &labels), &cells.response_body, BYTE);
        }
    }

    fn operations(&self, page: &mut Page) {
        for series in self.operations.all() {
            let [api, operation, backend] = series.labels.each_ref().map(|label| &**label);
            let labels = present(&[
                ("weir.api.id", api),
                ("weir.operation.id", operation),
                ("weir.backend.id", backend),
            ]);
            put(page, (&table::GATEWAY_DURATION, &labels), &series.cells.own, SECOND);
            put(page, (&table::BACKEND_DURATION, &labels), &series.cells.backend, SECOND);
        }
    }

    fn tries(&self, page: &mut Page) {
        for series in self.tries.all() {
            let [method, host, port, status, error] =
                series.labels.each_ref().map(|label| &**label);
            let labels = present(&[
                ("http.request.method", method),
                ("server.address", host),
                ("server.port", port),
                ("http.response.status_code", status),
                ("error.type", error),
            ]);
            put(page, (&table::CLIENT_DURATION, &labels), &series.cells, SECOND);
        }
    }

    fn counts(&self, page: &mut Page) {
        let operation = ["weir.api.id", "weir.operation.id"];
        let [api, id] = operation;
        counts(page, &table::REFUSALS_BY_REASON, &self.refusals, ["reason", api]);
        counts(page, &table::RETRIES, &self.retries, operation);
        counts(page, &table::CACHE_LOOKUPS, &self.lookups, ["outcome", api, id]);
    }

    fn apims(&self, page: &mut Page, gateway: &str, location: &str) {
        let Some(apim) = &self.apim else { return };
        let whence = [("GatewayId", gateway), ("Location", location)];
        for series in apim.requests.all() {
            let labels = apim.labels_of(&series);
            let labels: Vec<_> = labels.into_iter().chain(whence).collect();
            let count = series.cells.load(Ordering::Relaxed);
            page.count(&table::APIM_REQUESTS, &present(&labels), count);
        }
        for series in apim.hosts.all() {
            let [host] = series.labels.each_ref().map(|label| &**label);
            let labels = [&[("Hostname", host)][..], &whence].concat();
            let labels = present(&labels);
            let cells = &series.cells;
            for (metric, histogram) in [
                (&table::APIM_DURATION, &cells.total),
                (&table::APIM_BACKEND_DURATION, &cells.backend),
                (&table::APIM_CLIENT_DURATION, &cells.client),
                (&table::APIM_GATEWAY_DURATION, &cells.own),
            ] {
                put(page, (metric, &labels), histogram, MILLISECOND);
            }
        }
    }

    fn folded(&self, page: &mut Page) {
        let apim = self
            .apim
            .as_ref()
            .map_or(0, |apim| apim.requests.folded().saturating_add(apim.hosts.folded()));
        let kinds = [
            ("requests", self.exchanges.folded()),
            ("operations", self.operations.folded()),
            ("backends", self.tries.folded()),
            ("refusals", self.refusals.folded()),
            ("retries", self.retries.folded()),
            ("lookups", self.lookups.folded()),
            ("apim", apim),
        ];
        for (kind, count) in kinds {
            page.count(&table::FOLDED, &[("kind", kind)], count);
        }
    }
}

/// The route of an operation: where its API begins, and its template after that.
fn route(path: &str, template: &str) -> String {
    match (path, template) {
        (OTHER, _) => OTHER.to_owned(),
        (path, template) => conventions::route(path, template),
    }
}

/// The labels that say something.
fn present<'a>(labels: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    labels.iter().filter(|(_name, value)| !value.is_empty()).copied().collect()
}

fn put(page: &mut Page, (metric, labels): (&Metric, Labels<'_>), sizes: &Histogram, unit: f64) {
    let (sum, parts) = sizes.seen(unit);
    if parts.iter().any(|part| 0 < part.count) {
        page.spread(metric, labels, sum, parts);
    }
}

fn counts<const N: usize>(
    page: &mut Page,
    metric: &Metric,
    family: &Family<N, AtomicU64>,
    names: [&str; N],
) {
    for series in family.all() {
        let values = series.labels.iter().map(|value| &**value);
        let labels: Vec<_> = names.into_iter().zip(values).collect();
        page.count(metric, &present(&labels), series.cells.load(Ordering::Relaxed));
    }
}
