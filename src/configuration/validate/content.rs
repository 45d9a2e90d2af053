//! What operations take and give: parameters and bodies, and the documents of their schemas.

use std::sync::Arc;

use http::StatusCode;
use serde_json::Value;

use super::operation::RESPONSES_MAX;
use super::registry::Registry;
use super::{ITEMS_MAX, Validator};
use crate::configuration::document;
use crate::configuration::yaml::{Mark, Placed};
use crate::exchange::contents::{Content, Contents, Message, Parameter, essence};
use crate::schema::{self, Library, Schema};

/// The most parameters of one kind that an operation may have.
const PARAMETERS_MAX: usize = 200;

/// Where a schema is written: by itself, or as a part of a document.
struct Written<'a> {
    schema: Option<&'a Value>,
    id: Option<&'a Placed<String>>,
    name: Option<&'a Placed<String>>,
    /// What it is the schema of.
    of: &'a str,
    mark: Mark,
}

impl Validator<'_> {
    /// The documents of schemas; the same as before if they are.
    pub(super) fn library(&mut self) -> Arc<Library> {
        let written = &self.document.schemas;
        if let Some((known, library)) = &self.kept.schemas
            && known.is_same(written)
        {
            self.keeps.schemas = Some((written.clone(), Arc::clone(library)));
            return Arc::clone(library);
        }
        self.few("schemas", written.iter().map(|it| it.id.mark), ITEMS_MAX);
        let mut registry = Registry::new("schema");
        let mut documents = Vec::new();
        for (index, schema) in written.iter().enumerate() {
            let first = |index: usize| Some(written.get(index)?.id.mark);
            self.register(&mut registry, first, &schema.id, index);
            match schema::fits(&schema.document) {
                Ok(()) => {
                    documents.push((Arc::from(schema.id.value.as_str()), schema.document.clone()));
                }
                Err(wrong) => {
                    let message = format!("the document `{}` {}", schema.id.value, wrong.0);
                    self.fault(schema.id.mark, message, "split it into several");
                }
            }
        }
        let library = Arc::new(Library::new(documents));
        self.keeps.schemas = Some((written.clone(), Arc::clone(&library)));
        library
    }

    /// What an operation takes and gives.
    pub(super) fn contents(&mut self, operation: &document::Operation) -> Contents {
        let mut contents = Contents {
            path: self.parameters("template parameters", &operation.template_parameters, false),
            ..Contents::default()
        };
        if let Some(request) = &operation.request {
            contents.query = self.parameters("query parameters", &request.query_parameters, false);
            contents.request = self.message(&request.headers, &request.representations);
        }
        for response in operation.responses.iter().take(RESPONSES_MAX) {
            let message = self.message(&response.headers, &response.representations);
            if let Ok(status) = StatusCode::from_u16(response.status_code.value) {
                contents.responses.push((status, message));
            }
        }
        contents
    }

    fn message(
        &mut self,
        headers: &[document::Parameter],
        representations: &[document::Representation],
    ) -> Message {
        let few = representations.iter().map(|it| it.content_type.mark);
        self.few("representations", few, RESPONSES_MAX);
        let mut message =
            Message { headers: self.parameters("headers", headers, true), bodies: Vec::new() };
        for representation in representations.iter().take(RESPONSES_MAX) {
            let Placed { value, mark } = &representation.content_type;
            let kind = essence(value);
            let schema = self.schema(&Written {
                schema: representation.schema.as_ref(),
                id: representation.schema_id.as_ref(),
                name: representation.type_name.as_ref(),
                of: value,
                mark: *mark,
            });
            match message.bodies.iter_mut().find(|known| *known.kind == kind) {
                // Several examples of one type share a schema.
                Some(known) if known.schema.is_none() || schema.is_none() => {
                    known.schema = known.schema.take().or(schema);
                }
                Some(_) => {
                    let message = format!("`{value}` has two schemas");
                    self.fault(*mark, message, "put both into one `anyOf`");
                }
                None => message.bodies.push(Content { kind: Arc::from(kind), schema }),
            }
        }
        message
    }

    fn parameters(
        &mut self,
        what: &str,
        written: &[document::Parameter],
        ignores_case: bool,
    ) -> Vec<Parameter> {
        self.few(what, written.iter().map(|it| it.name.mark), PARAMETERS_MAX);
        let mut parameters: Vec<Parameter> = Vec::new();
        for parameter in written.iter().take(PARAMETERS_MAX) {
            let Placed { value: name, mark } = &parameter.name;
            let is_same = |known: &Parameter| {
                &*known.name == name || ignores_case && known.name.eq_ignore_ascii_case(name)
            };
            if parameters.iter().any(is_same) {
                let message = format!("`{name}` is listed twice under the {what}");
                self.fault(*mark, message, "remove one of the two");
                continue;
            }
            let schema = self.schema(&Written {
                schema: parameter.schema.as_ref(),
                id: parameter.schema_id.as_ref(),
                name: parameter.type_name.as_ref(),
                of: name,
                mark: *mark,
            });
            let name = Arc::from(name.as_str());
            parameters.push(Parameter { name, is_required: parameter.required, schema });
        }
        parameters
    }

    fn schema(&mut self, written: &Written<'_>) -> Option<Schema> {
        let library = Arc::clone(&self.schemas);
        let (compiled, mark) = match (written.schema, written.id) {
            (None, None) => {
                if let Some(name) = written.name {
                    let message = "`typeName` is the name of a schema in a document";
                    self.fault(name.mark, message, "add `schemaId`");
                }
                return None;
            }
            (Some(_), Some(id)) => {
                let message = "a schema is written both here and in a document";
                self.fault(id.mark, message, "keep `schema` or `schemaId`");
                return None;
            }
            (Some(schema), None) => (Schema::compile(&library, written.of, schema), written.mark),
            (None, Some(id)) => {
                let pointer = match written.name {
                    Some(name) => format!("#/components/schemas/{}", name.value),
                    None => "#".to_owned(),
                };
                (Schema::referred(&library, &id.value, &pointer), id.mark)
            }
        };
        match compiled {
            Ok(schema) => Some(schema),
            Err(wrong) => {
                let message = format!("the schema of `{}` {}", written.of, wrong.0);
                self.fault(mark, message, "write it as JSON Schema or OpenAPI have it");
                None
            }
        }
    }
}
