//! What policies see of the configuration: the objects of `context`.

use std::collections::HashSet;
use std::sync::Arc;

use crate::configuration::compile::status;
use crate::configuration::config::{self, Config};
use crate::exchange::contents::{Message, essence};
use crate::exchange::facts::{Api, Operation, Product, Sample, Subscription, User};

/// An API.
pub(super) fn api(api: &config::Api) -> Arc<Api> {
    let version = api.version.as_ref().and_then(|version| version.version.as_ref());
    Arc::new(Api {
        id: Arc::clone(&api.id),
        name: Arc::clone(&api.name),
        path: Arc::from(api.path.as_str().trim_matches('/')),
        revision: Arc::from(api.revision.to_string()),
        version: version.map(|version| Arc::from(version.value())),
        is_current_revision: api.is_current,
        service_url: api
            .service_url
            .as_ref()
            .map_or_else(|| Arc::from(""), |url| Arc::from(url.to_string())),
        protocols: api.protocols.iter().map(|scheme| Arc::from(scheme.as_str())).collect(),
        key_header: Arc::clone(&api.key_names.header_text),
        key_query: Arc::clone(&api.key_names.query),
        is_grpc: api.kind == config::ApiKind::Grpc,
        diagnostics: api.diagnostics.clone(),
        place: api.spot.place.clone(),
    })
}

/// An operation.
pub(super) fn operation(operation: &config::Operation) -> Arc<Operation> {
    let samples = operation.responses.iter().flat_map(|response| {
        response.representations.iter().map(|representation| Sample {
            status: status(response.status),
            content_type: Arc::from(representation.content_type.to_str().unwrap_or_default()),
            body: representation.example.clone().unwrap_or_else(|| {
                let message = operation.contents.response(status(response.status));
                sample(message, representation.content_type.to_str().unwrap_or_default())
            }),
        })
    });
    Arc::new(Operation {
        id: Arc::clone(&operation.id),
        name: Arc::clone(&operation.name),
        method: Arc::from(operation.method.as_str()),
        url_template: Arc::from(operation.url_template.value.as_str()),
        template: operation.url_template.value.clone(),
        statuses: operation.responses.iter().map(|response| status(response.status)).collect(),
        samples: samples.collect(),
        contents: Arc::clone(&operation.contents),
    })
}

/// The body of a response that has no example: what its schema describes, if it is JSON.
fn sample(message: Option<&Message>, content_type: &str) -> Arc<str> {
    let kind = essence(content_type);
    let content = message.and_then(|message| message.body(&kind));
    let schema = content.and_then(|content| content.schema.as_ref());
    let schema = schema.filter(|_| kind.ends_with("json"));
    schema.map_or_else(|| Arc::from(""), |schema| Arc::from(schema.sample().to_string()))
}

/// A product.
pub(super) fn product(config: &Config, product: &config::Product) -> Arc<Product> {
    let mut apis: Vec<(Arc<str>, Arc<str>)> = Vec::new();
    let mut known = HashSet::new();
    for api in product.apis.iter().filter_map(|api| config.apis.get(*api)) {
        // Its revisions share an id.
        if known.insert(&*api.id) {
            apis.push((Arc::clone(&api.id), Arc::clone(&api.name)));
        }
    }
    Arc::new(Product {
        id: Arc::clone(&product.id),
        name: Arc::clone(&product.name),
        state: Arc::from(if product.is_published { "Published" } else { "NotPublished" }),
        subscription_required: product.subscription_required,
        approval_required: product.approval_required,
        subscription_limit: product.subscriptions_limit,
        apis,
        groups: groups(config, &product.groups),
    })
}

/// A subscription.
pub(super) fn subscription(known: &config::Subscription) -> Arc<Subscription> {
    let key = |secret: &Option<config::Secret>| {
        Arc::from(secret.as_ref().map_or("", |secret| secret.expose()))
    };
    Arc::new(Subscription {
        id: Arc::clone(&known.id),
        name: Arc::clone(&known.name),
        primary_key: key(&known.primary_key),
        secondary_key: key(&known.secondary_key),
        created: known.created,
        start: known.start,
        end: known.expiration,
        allows_tracing: known.allow_tracing,
    })
}

/// A user.
pub(super) fn user(config: &Config, index: usize) -> Option<Arc<User>> {
    let user = config.users.get(index)?;
    let identities = user
        .identities
        .iter()
        .map(|identity| (Arc::clone(&identity.id), Arc::clone(&identity.provider)));
    Some(Arc::new(User {
        id: Arc::clone(&user.id),
        email: Arc::clone(&user.email),
        first_name: Arc::clone(&user.first_name),
        last_name: Arc::clone(&user.last_name),
        note: user.note.clone().unwrap_or_else(|| Arc::from("")),
        registered: user.registration,
        groups: groups(config, &user.groups),
        identities: identities.collect(),
    }))
}

fn groups(config: &Config, indices: &[usize]) -> Vec<(Arc<str>, Arc<str>)> {
    let known = indices.iter().filter_map(|group| config.groups.get(*group));
    known.map(|group| (Arc::clone(&group.id), Arc::clone(&group.name))).collect()
}
