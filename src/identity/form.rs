//! What is sent to a token endpoint: a form, and who sends it (RFC 6749).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::secret::Secret;

/// What the assertion of a client is called (RFC 7523).
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A request to a token endpoint.
#[derive(Debug)]
pub struct Request {
    /// The form.
    pub form: Secret,
    /// What stands in `Authorization`.
    pub authorization: Option<Secret>,
    /// What must not be told, though the endpoint may repeat it.
    pub hidden: Vec<Secret>,
}

/// A form that is being written. It does not print.
pub struct Form(String);

impl Form {
    /// One that asks for this kind of grant.
    pub fn asking(grant: &str) -> Self {
        Self(format!("grant_type={grant}"))
    }

    /// Adds a field, unless it is empty.
    pub fn add(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.0.extend(["&", name, "=", &encoded(value)]);
        }
    }

    /// Sent by `client`, which proves who it is by a secret.
    pub fn with_secret(self, client: &str, secret: &Secret) -> Request {
        // RFC 6749, section 2.3.1: both are encoded as forms are, and then as Basic has it.
        let written = Secret::new(encoded(secret.expose()));
        let basic = STANDARD.encode(format!("{}:{}", encoded(client), written.expose()));
        let basic = Secret::new(basic);
        let authorization = Some(Secret::new(format!("Basic {}", basic.expose())));
        let hidden = vec![secret.clone(), written, basic];
        Request { form: Secret::new(self.0), authorization, hidden }
    }

    /// Sent by `client`, which shows its secret in the form: not what the standard wants, but what some
    /// providers do.
    pub fn with_secret_inside(mut self, client: &str, secret: &Secret) -> Request {
        self.add("client_id", client);
        self.add("client_secret", secret.expose());
        let hidden = vec![secret.clone(), Secret::new(encoded(secret.expose()))];
        Request { form: Secret::new(self.0), authorization: None, hidden }
    }

    /// Sent by `client`, which proves who it is by a token of its own or of somebody else.
    pub fn with_assertion(mut self, client: &str, assertion: Secret) -> Request {
        self.add("client_id", client);
        self.add("client_assertion_type", ASSERTION);
        self.add("client_assertion", assertion.expose());
        Request { form: Secret::new(self.0), authorization: None, hidden: vec![assertion] }
    }
}

/// A text as a form, or the query of a URL, has it.
pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_travels_as_the_standard_says() {
        let mut form = Form::asking("client_credentials");
        form.add("scope", "api://weir/.default");
        form.add("audience", "");
        let request = form.with_secret("weir berlin", &Secret::new("a:b+ü"));
        let form = "grant_type=client_credentials&scope=api%3A%2F%2Fweir%2F%2Edefault";
        assert_eq!(request.form.expose(), form);
        let basic = STANDARD.encode("weir%20berlin:a%3Ab%2B%C3%BC");
        assert_eq!(request.authorization.unwrap().expose(), format!("Basic {basic}"));
        assert_eq!(request.hidden[0].expose(), "a:b+ü");
    }

    #[test]
    fn a_client_that_shows_a_token_has_no_field_of_its_own() {
        let form = Form::asking("client_credentials");
        let request = form.with_assertion("me", Secret::new("a.b.c"));
        let sent = request.form.expose();
        assert!(sent.contains("&client_id=me&client_assertion_type=urn%3A"), "{sent}");
        assert!(sent.ends_with("&client_assertion=a%2Eb%2Ec") && request.authorization.is_none());
        assert_eq!(request.hidden[0].expose(), "a.b.c");
    }
}
