//! Who sends: the resource and the scope around what is sent.

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};

use super::wire::{Message, Value};

/// Which version of the semantic conventions the names of attributes follow.
pub const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.37.0";
/// The scope of all that the gateway records.
pub const SCOPE: &str = "weir";

/// Who sends.
#[derive(Clone, Debug)]
pub struct Resource {
    /// Names and values, in the order in which they are sent.
    pub attributes: Vec<(String, String)>,
}

impl Resource {
    /// What is known of this process, and what its operator says of it, which counts more.
    pub fn new(instance: &str, said: &[(String, String)]) -> Self {
        let own = [
            ("service.name", "weir"),
            ("service.version", env!("CARGO_PKG_VERSION")),
            ("service.instance.id", instance),
        ];
        let is_said = |name: &str| said.iter().any(|(known, _)| known == name);
        let own = own.into_iter().filter(|(name, _)| !is_said(name));
        let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self { attributes: own.chain(said.iter().cloned()).collect() }
    }

    /// The same as a message of its own.
    pub fn message(&self) -> opentelemetry_proto::tonic::resource::v1::Resource {
        let attributes = self.attributes.iter().map(|(name, value)| KeyValue {
            key: name.clone(),
            value: Some(AnyValue { value: Some(Any::StringValue(value.clone())) }),
            ..KeyValue::default()
        });
        opentelemetry_proto::tonic::resource::v1::Resource {
            attributes: attributes.collect(),
            ..Default::default()
        }
    }

    /// A request to a collector with these records: spans or log records, whose requests have the
    /// same form.
    pub fn around(&self, records: &[u8]) -> Vec<u8> {
        let mut request = Message::with_room(records.len().saturating_add(512));
        request.nested(1, |group| {
            group.nested(1, |resource| {
                for (name, value) in &self.attributes {
                    resource.attribute(1, name, Value::Text(value));
                }
            });
            group.nested(2, |scoped| {
                scoped.nested(1, |scope| {
                    scope.text(1, SCOPE);
                    scope.text(2, env!("CARGO_PKG_VERSION"));
                });
                scoped.append(records);
                scoped.text(3, SCHEMA_URL);
            });
        });
        request.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use prost::Message as _;

    use super::*;

    #[test]
    fn what_the_operator_says_counts() {
        let said = [("service.name".to_owned(), "shop".to_owned())];
        let resource = Resource::new("i-1", &said);
        let mut span = Message::default();
        span.nested(2, |span| span.text(5, "GET"));
        let request = resource.around(&span.into_bytes());
        let request = ExportTraceServiceRequest::decode(request.as_slice()).unwrap();
        let [group] = request.resource_spans.as_slice() else { panic!("one resource") };
        let names: Vec<&str> = group
            .resource
            .as_ref()
            .unwrap()
            .attributes
            .iter()
            .map(|pair| pair.key.as_str())
            .collect();
        assert_eq!(names, ["service.version", "service.instance.id", "service.name"]);
        assert_eq!(group.scope_spans[0].spans[0].name, "GET");
        assert_eq!(group.scope_spans[0].scope.as_ref().unwrap().name, "weir");
    }
}
