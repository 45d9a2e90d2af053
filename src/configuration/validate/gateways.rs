//! The gateways that share a configuration, and what is associated with each.

use super::registry::Registry;
use super::{ITEMS_MAX, Validator};

impl Validator<'_> {
    /// Checks that gateways differ, and that there is what is associated with them.
    pub(super) fn gateways(&mut self, api_ids: &Registry) {
        let document = self.document;
        let written = &document.gateways;
        self.few("gateways", written.iter().map(|gateway| gateway.id.mark), ITEMS_MAX);
        let mut registry = Registry::new("gateway");
        let mut hosts = Registry::new("host name");
        for (index, host) in document.host_names.iter().enumerate() {
            hosts.add(&host.host.value, index);
        }
        for (index, gateway) in written.iter().enumerate() {
            let first = |index: usize| Some(written.get(index)?.id.mark);
            self.register(&mut registry, first, &gateway.id, index);
            self.resolve_all(api_ids, &gateway.apis);
            self.resolve_all(&hosts, &gateway.host_names);
        }
    }
}
