//! Policies by which the gateway says who it is itself: `authentication-managed-identity`.
//!
//! `authentication-managed-identity` puts a token of the gateway into `Authorization`, in place of
//! what the client says there. With `output-token-variable-name` a variable has the token instead,
//! and the field stays as it is. `client-id` chooses one of the identities of the configuration; where
//! none has that id, the machine is asked for a token in that name. Without it the identity counts
//! that is `systemAssigned`, or else the machine's own.
//!
//! With `ignore-error` a request goes on without a token: the field stays as it is, and the variable
//! is `null`. An expression that fails is no error of that kind.
//!
//! API Management documents the policy for inbound; in outbound its tools take it, too. There it must
//! have a variable, because the request has gone.

pub mod asked;
pub mod context;

use std::sync::Arc;

use http::HeaderValue;
use http::header::AUTHORIZATION;

use crate::backend::principal::{
    CLIENT_ID_BYTES_MAX, Principals, RESOURCE_BYTES_MAX, Who, is_name,
};
use crate::exchange::Exchange;
use crate::expression::Expected;
use crate::expression::value::Value;
use crate::policy::build::Builder;
use crate::policy::machine::{Effect, Flow};
use crate::policy::markup::Element;
use crate::policy::operand::{Operand, Term, text_of};
use crate::policy::program::Action;
use crate::policy::{Failure, Side};
use crate::secret::Secret;

use asked::{Answer, Asked};

/// `authentication-managed-identity`.
#[derive(Clone, Debug)]
pub struct ManagedIdentity {
    resource: Operand<Resource>,
    whose: Whose,
    variable: Option<Arc<str>>,
    ignores_error: bool,
}

/// Whose token it is.
#[derive(Clone, Debug)]
enum Whose {
    /// The same for each request.
    Known(Arc<Who>),
    /// Of these, the one whose id comes out.
    Computed(Operand<ClientId>, Arc<Principals>),
}

/// A service that takes tokens.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Resource(Arc<str>);

/// The id of a client.
#[derive(Clone, Debug, Eq, PartialEq)]
struct ClientId(Arc<str>);

pub(in crate::policy) fn authentication_managed_identity(
    builder: &mut Builder<'_>,
    element: &Element,
) {
    let variable = element.attribute("output-token-variable-name");
    if builder.section.side() == Side::Response && variable.is_none() {
        let message = format!(
            "in section `{}` the request has gone, and its field `Authorization` with it",
            builder.section
        );
        builder.fault(element, message, "name a variable with output-token-variable-name=\"…\"");
    }
    if let Some(policy) = read_managed_identity(builder, element) {
        builder.push(element, Action::ManagedIdentity(Box::new(policy)));
    }
}

/// Reads `authentication-managed-identity`, wherever it stands.
pub(in crate::policy) fn read_managed_identity(
    builder: &mut Builder<'_>,
    element: &Element,
) -> Option<ManagedIdentity> {
    let resource = builder.attribute(element, "resource");
    let whose = whose(builder, element);
    let variable = builder.literal(element, "output-token-variable-name");
    let ignores_error = builder.literal(element, "ignore-error").unwrap_or(false);
    Some(ManagedIdentity { resource: resource?, whose: whose?, variable, ignores_error })
}

/// Whose token it is, by `client-id`.
fn whose(builder: &mut Builder<'_>, element: &Element) -> Option<Whose> {
    let client = builder.attribute::<ClientId>(element, "client-id");
    let has_client = element.attribute("client-id").is_some();
    let principals = &builder.references.principals;
    match client {
        None if has_client => None,
        None => Some(Whose::Known(Arc::new(principals.who(None)))),
        Some(Operand::Constant(ClientId(id))) => {
            Some(Whose::Known(Arc::new(principals.who(Some(&id)))))
        }
        Some(computed) => Some(Whose::Computed(computed, Arc::clone(principals))),
    }
}

impl ManagedIdentity {
    /// Who the gateway is to `service`, by the `client-id` of a policy that speaks with it.
    pub(in crate::policy) fn at(
        builder: &mut Builder<'_>,
        element: &Element,
        service: &'static str,
    ) -> Option<Self> {
        let resource = Operand::Constant(Resource(Arc::from(service)));
        let whose = whose(builder, element)?;
        Some(Self { resource, whose, variable: None, ignores_error: false })
    }

    /// Asks for the token.
    pub(in crate::policy) fn run(&self, exchange: &mut Exchange) -> Result<Flow, Failure> {
        let Resource(resource) = self.resource.get(exchange)?;
        let who = match &self.whose {
            Whose::Known(who) => Arc::clone(who),
            Whose::Computed(client, principals) => {
                let ClientId(client) = client.get(exchange)?;
                Arc::new(principals.who(Some(&client)))
            }
        };
        Ok(Flow::Ask(Effect::Obtain(Box::new(Asked { who, resource }))))
    }

    /// Shows the token to the backend, or remembers it.
    pub(in crate::policy) fn obtained(
        &self,
        answer: Answer,
        exchange: &mut Exchange,
    ) -> Result<Flow, Failure> {
        if let Some(value) = self.field(answer, exchange)? {
            exchange.request.headers.set(&AUTHORIZATION, value);
        }
        Ok(Flow::Next)
    }

    /// What `Authorization` says, whichever request it goes into; nothing where a variable has the
    /// token, or there is none and nobody minds.
    pub(in crate::policy) fn field(
        &self,
        answer: Answer,
        exchange: &mut Exchange,
    ) -> Result<Option<HeaderValue>, Failure> {
        let token = match answer {
            Ok(token) => Some(token.text),
            Err(_ignored) if self.ignores_error => None,
            Err(ungot) => return Err(ungot.into()),
        };
        if let Some(token) = &token {
            // Nothing that is told of this exchange may have it.
            exchange.pending.tokens.push(token.clone());
        }
        let Some(variable) = &self.variable else {
            return token.as_ref().map(bearer).transpose();
        };
        let value = token.map_or(Value::Null, |token| Value::String(Arc::from(token.expose())));
        exchange.variables.set(variable, value);
        Ok(None)
    }
}

/// A token as `Authorization` has it. It does not print.
pub fn bearer(token: &Secret) -> Result<HeaderValue, Failure> {
    let value = HeaderValue::try_from(format!("Bearer {}", token.expose()));
    let mut value = value.map_err(|_refused| {
        Failure::value("the token of this gateway is no text of a field".to_owned())
    })?;
    value.set_sensitive(true);
    Ok(value)
}

impl Term for Resource {
    const EXPECTED: Expected = Expected::String;

    fn from_literal(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        let name = is_name(text, RESOURCE_BYTES_MAX).then(|| Self(Arc::from(text)));
        name.ok_or("the id of a service, such as https://storage.azure.com")
    }

    fn from_value(value: Value) -> Result<Self, &'static str> {
        Self::from_literal(&text_of(&value)?)
    }
}

impl Term for ClientId {
    const EXPECTED: Expected = Expected::String;

    fn from_literal(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        let id = is_name(text, CLIENT_ID_BYTES_MAX).then(|| Self(Arc::from(text)));
        id.ok_or("the id of a client, such as 11111111-2222-3333-4444-555555555555")
    }

    fn from_value(value: Value) -> Result<Self, &'static str> {
        Self::from_literal(&text_of(&value)?)
    }
}
