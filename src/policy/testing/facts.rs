//! The API, product, subscription and user of the requests that tests make.

use crate::exchange::facts::{Api, Operation, Product, Subscription, User};
use crate::route::template::Template;
use crate::time::Timestamp;

pub(super) fn api() -> Api {
    Api {
        id: "echo".into(),
        name: "Echo API".into(),
        path: "echo".into(),
        revision: "1".into(),
        version: None,
        is_current_revision: true,
        service_url: "http://backend.example".into(),
        protocols: vec!["https".into()],
        key_header: "Ocp-Apim-Subscription-Key".into(),
        key_query: "subscription-key".into(),
        is_grpc: false,
        diagnostics: None,
        place: crate::fault::Place::start_of(&std::sync::Arc::from("api.yaml")),
    }
}

pub(super) fn operation() -> Operation {
    Operation {
        id: "get-x".into(),
        name: "Get x".into(),
        method: "GET".into(),
        url_template: "/x".into(),
        template: Template::parse("/x").unwrap(),
        statuses: Vec::new(),
        samples: Vec::new(),
        contents: std::sync::Arc::default(),
    }
}

pub(super) fn product() -> Product {
    Product {
        id: "starter".into(),
        name: "Starter".into(),
        state: "published".into(),
        subscription_required: true,
        approval_required: false,
        subscription_limit: None,
        apis: vec![("echo".into(), "Echo API".into())],
        groups: Vec::new(),
    }
}

pub(super) fn subscription(id: &str) -> Subscription {
    Subscription {
        id: id.into(),
        name: id.into(),
        primary_key: "primary".into(),
        secondary_key: "secondary".into(),
        created: None,
        start: Some(Timestamp::default()),
        end: None,
        allows_tracing: false,
    }
}

pub(super) fn user(id: &str, groups: &[&str]) -> User {
    User {
        id: id.into(),
        email: "ada@example.com".into(),
        first_name: "Ada".into(),
        last_name: "Example".into(),
        note: "".into(),
        registered: None,
        groups: groups.iter().map(|group| ((*group).into(), (*group).into())).collect(),
        identities: Vec::new(),
    }
}
