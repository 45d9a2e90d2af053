//! APIs and operations that would take the same requests: what routing itself finds.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Validator;
use crate::configuration::config::Api;
use crate::fault::Place;
use crate::route::table::{Table, build::TableFault};

impl Validator<'_> {
    /// The APIs in whose lines reading found faults: a key that is misspelt may be the one that
    /// tells them from others.
    pub(super) fn torn_apis(&self) -> BTreeSet<usize> {
        if self.faults.is_empty() {
            return BTreeSet::new();
        }
        let places = self.document.apis.iter().map(|api| self.spot(api.id.mark).place);
        let mut starts: Vec<_> =
            places.enumerate().map(|(index, place)| (place.file, place.line, index)).collect();
        starts.sort();
        let api_at = |place: &Place| {
            let before = |(file, line, _): &(Arc<str>, u32, usize)| {
                (file.as_ref(), *line) <= (place.file.as_ref(), place.line)
            };
            let last = starts.partition_point(before).checked_sub(1)?;
            let (file, _, index) = starts.get(last)?;
            (*file == place.file).then_some(*index)
        };
        self.faults.iter().filter_map(|fault| api_at(&fault.place)).collect()
    }

    /// The routes of `apis`, which are none if one of them has no meaning of its own.
    pub(super) fn collisions(&mut self, apis: &[Arc<Api>]) -> Arc<Table> {
        let planted = apis.iter().map(|api| Arc::clone(&api.route)).collect();
        let faults = match Table::planted(planted) {
            Ok(table) => return Arc::new(table),
            Err(faults) => faults,
        };
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
                    if [first, second].iter().any(|index| self.doubtful.contains(index)) {
                        continue;
                    }
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
        Arc::default()
    }
}
