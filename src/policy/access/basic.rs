//! `authentication-basic`: says to the backend who is calling (RFC 7617).

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use http::header::AUTHORIZATION;

use crate::exchange::Exchange;
use crate::policy::Failure;
use crate::policy::build::Builder;
use crate::policy::machine::Flow;
use crate::policy::markup::Element;
use crate::policy::operand::Operand;
use crate::policy::program::Action;

/// `authentication-basic`.
#[derive(Clone, Debug)]
pub struct AuthenticationBasic {
    username: Operand<Arc<str>>,
    password: Operand<Arc<str>>,
}

pub(in crate::policy) fn authentication_basic(builder: &mut Builder<'_>, element: &Element) {
    if let Some(policy) = read_basic(builder, element) {
        builder.push(element, Action::AuthenticationBasic(policy));
    }
}

/// Reads `authentication-basic`, wherever it stands.
pub(in crate::policy) fn read_basic(
    builder: &mut Builder<'_>,
    element: &Element,
) -> Option<AuthenticationBasic> {
    let username = builder.attribute(element, "username");
    let password = builder.attribute(element, "password");
    Some(AuthenticationBasic { username: username?, password: password? })
}

impl AuthenticationBasic {
    /// Takes the place of whatever the client says in `Authorization`.
    pub(in crate::policy) fn run(&self, exchange: &mut Exchange) -> Result<Flow, Failure> {
        let value = self.evaluate(exchange)?;
        exchange.request.headers.set(&AUTHORIZATION, value);
        Ok(Flow::Next)
    }

    /// What `Authorization` says, whichever request it goes into. It does not print.
    pub(in crate::policy) fn evaluate(
        &self,
        exchange: &mut Exchange,
    ) -> Result<HeaderValue, Failure> {
        let (username, password) = (self.username.get(exchange)?, self.password.get(exchange)?);
        if username.contains(':') {
            let why = "a user name with a colon would be read as another one (RFC 7617)";
            return Err(Failure::value(why.to_owned()));
        }
        let text = format!("Basic {}", STANDARD.encode(format!("{username}:{password}")));
        let mut value = HeaderValue::try_from(text).map_err(|_too_long| {
            Failure::value("the name and the password are too long for a field".to_owned())
        })?;
        value.set_sensitive(true);
        Ok(value)
    }
}
