//! What an operation is known to take and to give: parameters, fields and bodies, each with its
//! schema.

use std::sync::Arc;

use http::StatusCode;

use crate::schema::Schema;

/// What an operation takes and gives.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Contents {
    /// Parameters of the URL's template.
    pub path: Vec<Parameter>,
    /// Parameters of the query.
    pub query: Vec<Parameter>,
    /// The request.
    pub request: Message,
    /// Responses, by their statuses; no status twice.
    pub responses: Vec<(StatusCode, Message)>,
}

/// What is known of a message.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Message {
    /// Its fields.
    pub headers: Vec<Parameter>,
    /// What its body may be; no type twice.
    pub bodies: Vec<Content>,
}

/// A parameter, or a field.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Its name.
    pub name: Arc<str>,
    /// Whether it has to be there.
    pub is_required: bool,
    /// What its value has to look like.
    pub schema: Option<Schema>,
}

/// What a body may be.
#[derive(Clone, Debug, PartialEq)]
pub struct Content {
    /// Its type, without parameters, in small letters.
    pub kind: Arc<str>,
    /// What it has to look like.
    pub schema: Option<Schema>,
}

impl Contents {
    /// What is known of the response `status`.
    pub fn response(&self, status: StatusCode) -> Option<&Message> {
        self.responses.iter().find(|(known, _)| *known == status).map(|(_, message)| message)
    }
}

impl Message {
    /// What is known of bodies of the type `kind`, which is in small letters.
    pub fn body(&self, kind: &str) -> Option<&Content> {
        self.bodies.iter().find(|content| &*content.kind == kind)
    }
}

/// The type in a `Content-Type`: without parameters, in small letters.
pub fn essence(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}
