//! `get-authorization-context`: what somebody has allowed the gateway at another service, as a token in
//! a variable.
//!
//! API Management has a credential manager for this; here authorizations are part of the
//! configuration, and the gateway gets the tokens itself and keeps them new. The variable is an
//! `Authorization`: its `AccessToken`, and as `Claims` what else the provider said when it gave it.
//!
//! `identity-type="jwt"` is refused: there API Management asks Entra whether the caller is one of
//! those that an authorization lets in, and nobody here keeps such a list.

use std::sync::Arc;

use crate::backend::authorization::{Authorization, Authorizations};
use crate::backend::principal::Who;
use crate::exchange::Exchange;
use crate::expression::Expected;
use crate::expression::library::json::{self, convert};
use crate::expression::value::Value;
use crate::expression::value::collection::Record;
use crate::expression::value::collection::keyed::Map;
use crate::expression::value::json::Json;
use crate::policy::Failure;
use crate::policy::build::Builder;
use crate::policy::machine::{Effect, Flow};
use crate::policy::markup::Element;
use crate::policy::operand::{Operand, Term, text_of};
use crate::policy::program::Action;
use crate::secret::Secret;

use super::asked::{Answer, Asked, Token, Ungot};

/// What a provider calls a token that says who somebody is.
const ID_TOKEN: &str = "id_token";

/// `get-authorization-context`.
#[derive(Clone, Debug)]
pub struct AuthorizationContext {
    which: Which,
    variable: Arc<str>,
    ignores_error: bool,
}

/// Which authorization it is.
#[derive(Clone, Debug)]
enum Which {
    /// The same for each request.
    Known(Asked),
    /// Of these, the one whose provider and id come out.
    Computed(Operand<Arc<str>>, Operand<Arc<str>>, Arc<Authorizations>),
}

/// Who must have been allowed to use the authorization.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Managed;

pub(in crate::policy) fn get_authorization_context(builder: &mut Builder<'_>, element: &Element) {
    let provider = builder.attribute::<Arc<str>>(element, "provider-id");
    let id = builder.attribute::<Arc<str>>(element, "authorization-id");
    let variable = builder.literal::<Arc<str>>(element, "context-variable-name");
    let ignores_error = builder.literal(element, "ignore-error").unwrap_or(false);
    let is_managed = is_managed(builder, element);
    let which = match (provider, id) {
        (Some(Operand::Constant(provider)), Some(Operand::Constant(id))) => {
            let place = element.attribute("authorization-id").map(|it| it.value.place());
            let place = place.unwrap_or_else(|| element.place.clone());
            let named = (&*provider, &*id);
            let known = builder.references.authorization(named, &place, builder.faults);
            known.map(|known| Which::Known(asked(&known)))
        }
        (Some(provider), Some(id)) => {
            let all = Arc::clone(&builder.references.authorizations);
            Some(Which::Computed(provider, id, all))
        }
        _ => None,
    };
    if let (Some(which), Some(variable), true) = (which, variable, is_managed) {
        let policy = AuthorizationContext { which, variable, ignores_error };
        builder.push(element, Action::AuthorizationContext(Box::new(policy)));
    }
}

/// Whether it is the gateway that is to have the authorization.
fn is_managed(builder: &mut Builder<'_>, element: &Element) -> bool {
    if element.attribute("identity-type").is_some() {
        return builder.literal::<Managed>(element, "identity-type").is_some();
    }
    if element.attribute("identity").is_none() {
        return true;
    }
    let message = "`identity` says whose token is to be judged, and nobody's is";
    builder.fault(element, message, "take it out, and judge callers by `validate-jwt`");
    false
}

impl Term for Managed {
    const EXPECTED: Expected = Expected::String;

    fn from_literal(text: &str) -> Result<Self, &'static str> {
        let refused = "`managed`: for `jwt`, callers would be judged by a list that is in Azure, so \
                       judge them by `validate-azure-ad-token` before it";
        if text.trim().eq_ignore_ascii_case("managed") { Ok(Self) } else { Err(refused) }
    }

    fn from_value(value: Value) -> Result<Self, &'static str> {
        Self::from_literal(&text_of(&value)?)
    }
}

impl AuthorizationContext {
    /// Asks for the token.
    pub(in crate::policy) fn run(&self, exchange: &mut Exchange) -> Result<Flow, Failure> {
        let asked = match &self.which {
            Which::Known(asked) => asked.clone(),
            Which::Computed(provider, id, all) => {
                let (provider, id) = (provider.get(exchange)?, id.get(exchange)?);
                match all.find(&provider, &id) {
                    Some(known) => asked(known),
                    None => return self.obtained(Err(unknown(&provider, &id)), exchange),
                }
            }
        };
        Ok(Flow::Ask(Effect::Obtain(Box::new(asked))))
    }

    /// Remembers what was got.
    pub(in crate::policy) fn obtained(
        &self,
        answer: Answer,
        exchange: &mut Exchange,
    ) -> Result<Flow, Failure> {
        let value = match answer {
            Ok(token) => {
                // Nothing that is told of this exchange may have it.
                exchange.pending.tokens.push(token.text.clone());
                authorization(&token, &mut exchange.pending.tokens)?
            }
            Err(_ignored) if self.ignores_error => Value::Null,
            Err(ungot) => return Err(ungot.into()),
        };
        exchange.variables.set(&self.variable, value);
        Ok(Flow::Next)
    }
}

/// The token of an authorization. It takes digests, so what is known at load is made there.
fn asked(known: &Arc<Authorization>) -> Asked {
    Asked { who: Arc::new(Who::authorization(known)), resource: Arc::from(known.name()) }
}

fn unknown(provider: &str, id: &str) -> Ungot {
    let message =
        format!("the configuration has no authorization `{id}` of the provider `{provider}`");
    Ungot { reason: Ungot::UNKNOWN, message: Arc::from(message) }
}

/// The object that expressions see.
fn authorization(token: &Token, tokens: &mut Vec<Secret>) -> Result<Value, Failure> {
    let claims = claims(&token.claims, tokens).map_err(|why| {
        Failure::value(format!("what the provider said with the token cannot be read: {why}"))
    })?;
    let token = Value::String(Arc::from(token.text.expose()));
    let fields = vec![(Arc::from("AccessToken"), token), (Arc::from("Claims"), claims)];
    Ok(Value::from(Record::anonymous(fields)))
}

/// What the provider said, as a dictionary: texts, numbers and flags as such, all else as tokens.
fn claims(written: &Secret, tokens: &mut Vec<Secret>) -> Result<Value, String> {
    let said = json::deserialize(written.expose()).map_err(|thrown| thrown.message)?;
    let claims = Map::new(false);
    if let Value::Json(Json::Object(members)) = said {
        for (name, member) in members.members() {
            if &*name == ID_TOKEN
                && let Json::String(token) = &member
            {
                tokens.push(Secret::new(&**token));
            }
            let value = convert::simple(&member).unwrap_or(Value::Json(member));
            claims.set(Value::String(name), value).map_err(|thrown| thrown.message)?;
        }
    }
    Ok(claims.into())
}
