//! APIs and operations that would take the same requests: what routing itself finds.

use super::Validator;
use crate::configuration::config::Api;
use crate::route::table::{Table, build::TableFault};

impl Validator<'_> {
    /// Builds the routes of `apis` to see whether each has a meaning of its own.
    pub(super) fn collisions(&mut self, apis: &[Api]) {
        let Err(faults) = Table::new(apis.iter().map(Api::route).collect()) else { return };
        for fault in faults {
            let (first, second) = match fault {
                TableFault::Operations { api, first, second } => {
                    let operations = apis.get(api).map_or(&[][..], |api| &api.operations);
                    let spot =
                        |index: usize| Some(operations.get(index)?.url_template.spot.clone());
                    (spot(first), spot(second))
                }
                TableFault::Revisions { first, second }
                | TableFault::Current { first, second }
                | TableFault::Schemes { first, second } => {
                    let (first, second) = (apis.get(first), apis.get(second));
                    if first.map(|api| &api.id) == second.map(|api| &api.id) {
                        // Told where the revisions of an API are looked at.
                        continue;
                    }
                    (first.map(|api| api.spot.clone()), second.map(|api| api.spot.clone()))
                }
            };
            if let (Some(first), Some(second)) = (first, second) {
                let remedy = format!("{}; the other is at {}", fault.remedy(), first.place);
                self.faults.push(second.fault(fault.to_string()).mend(remedy));
            }
        }
    }
}
