//! Requests that would go nowhere: an API without a backend whose policies name none either.

use std::sync::Arc;

use crate::configuration::config::{Api, Config, Operation};
use crate::fault::Fault;
use crate::policy::program::Unaddressed;
use crate::snapshot::{ApiEntry, OperationEntry};

pub(super) const REMEDY: &str = "add a `serviceUrl`, or a policy: `set-backend-service`, `mock-response` or \
                      `return-response`";

/// Where `config` says for sure that every request of an operation that is not refused ends at
/// `forward-request` with nowhere to go. What depends on a condition, a product or on-error is
/// left to `weir explain`.
pub(super) fn lost(config: &Config, apis: &[Arc<ApiEntry>]) -> Vec<Fault> {
    let without = config.apis.iter().zip(apis).filter(|(api, _)| api.service_url.is_none());
    without.flat_map(|(api, entry)| of_api(api, entry)).collect()
}

fn of_api(api: &Api, entry: &ApiEntry) -> Vec<Fault> {
    let operations = api.operations.iter().zip(entry.operations.iter());
    let lost: Vec<_> = operations.filter(|(_, entry)| is_lost(entry)).map(|(it, _)| it).collect();
    if !lost.is_empty() && lost.len() == api.operations.len() {
        let message = format!("the API `{}` has no backend: all its requests would fail", api.id);
        return vec![api.spot.fault(message).mend(REMEDY)];
    }
    let fault = |operation: &&Operation| {
        let message =
            format!("the operation `{}` has no backend: all its requests would fail", operation.id);
        operation.spot.fault(message).mend(REMEDY)
    };
    lost.iter().map(fault).collect()
}

/// Whether no request of an operation can be forwarded anywhere, whoever calls.
fn is_lost(entry: &OperationEntry) -> bool {
    let of_products = entry.by_product.iter().map(|(_product, program)| program);
    let mut programs = of_products.chain([&entry.program]);
    programs.all(|program| program.unaddressed() == Unaddressed::All)
}
