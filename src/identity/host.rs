//! Whom the machine says that the gateway is: as the platforms tell those who run on them.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use super::form::encoded;
use crate::backend::BaseUrl;
use crate::backend::document::Url;
use crate::secret::Secret;

/// A file with a token of the workload, which whoever runs it keeps new.
const TOKEN_FILE: &str = "AZURE_FEDERATED_TOKEN_FILE";
/// The tenant where it is exchanged.
const TENANT: &str = "AZURE_TENANT_ID";
/// The client that it is exchanged for, unless a policy names another one.
const CLIENT: &str = "AZURE_CLIENT_ID";
/// Where Entra ID is.
const AUTHORITY: &str = "AZURE_AUTHORITY_HOST";
/// Where that is unless something else is said.
const AUTHORITY_USUAL: &str = "https://login.microsoftonline.com/";
/// The token endpoint of the machine.
const ENDPOINT: &str = "IDENTITY_ENDPOINT";
/// What has to be shown there.
const ENDPOINT_SECRET: &str = "IDENTITY_HEADER";

/// How the machine gives tokens to those who run on it.
#[derive(Clone, Debug)]
pub enum Host {
    /// It does not.
    None,
    /// What it says cannot be used; the sentence says why.
    Wrong(Arc<str>),
    /// A token of the workload is exchanged for others.
    Workload {
        /// Where.
        endpoint: Url,
        /// Where it is.
        file: PathBuf,
        /// The client that it is exchanged for.
        client: Option<Arc<str>>,
    },
    /// Over a token endpoint of its own.
    Endpoint(Endpoint),
}

/// A token endpoint of the machine.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Where it is.
    pub base: BaseUrl,
    /// The query that it wants in any case.
    query: &'static str,
    /// The field that it wants.
    pub field: (&'static str, Secret),
}

impl Host {
    /// What the environment says, which `variable` reads; `metadata` is the address of the
    /// machine's metadata service, where it may be asked.
    pub fn of(
        variable: impl Fn(&'static str) -> Option<Secret>,
        metadata: Option<SocketAddr>,
    ) -> Self {
        let said = |name| variable(name).filter(|it| !it.expose().trim().is_empty());
        let text = |name| said(name).map(|it| it.expose().trim().to_owned());
        if let Some(file) = text(TOKEN_FILE) {
            let Some(tenant) = text(TENANT) else {
                return Self::Wrong(Arc::from(format!("{TOKEN_FILE} is set, but not {TENANT}")));
            };
            let authority = text(AUTHORITY).unwrap_or_else(|| AUTHORITY_USUAL.to_owned());
            let authority = authority.trim_end_matches('/');
            return match Url::parse(&format!("{authority}/{tenant}/oauth2/v2.0/token")) {
                Ok(endpoint) => {
                    let client = text(CLIENT).map(Arc::from);
                    Self::Workload { endpoint, file: PathBuf::from(file), client }
                }
                Err(why) => Self::Wrong(Arc::from(format!("{AUTHORITY} or {TENANT}: {why}"))),
            };
        }
        if let (Some(address), Some(secret)) = (text(ENDPOINT), said(ENDPOINT_SECRET)) {
            return match BaseUrl::parse(&address) {
                Ok(base) => Self::Endpoint(Endpoint {
                    base,
                    query: "api-version=2019-08-01",
                    field: ("X-IDENTITY-HEADER", secret),
                }),
                Err(why) => Self::Wrong(Arc::from(format!("{ENDPOINT}: {why}"))),
            };
        }
        let Some(address) = metadata else { return Self::None };
        match BaseUrl::parse(&format!("http://{address}/metadata/identity/oauth2/token")) {
            Ok(base) => Self::Endpoint(Endpoint {
                base,
                query: "api-version=2018-02-01",
                field: ("Metadata", Secret::new("true")),
            }),
            Err(why) => Self::Wrong(Arc::from(format!("{address}: {why}"))),
        }
    }
}

impl Endpoint {
    /// Path and query of a question.
    pub fn target(&self, resource: &str, client: Option<&str>) -> String {
        let mut target =
            format!("{}?{}&resource={}", self.base.path, self.query, encoded(resource));
        if let Some(client) = client {
            target.extend(["&client_id=", &encoded(client)]);
        }
        target
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(variables: &[(&str, &str)], metadata: Option<&str>) -> Host {
        let find = |name: &'static str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| Secret::new(*value))
        };
        Host::of(find, metadata.map(|address| address.parse().unwrap()))
    }

    #[test]
    fn a_workload_is_what_its_variables_say() {
        let file = (TOKEN_FILE, "/var/run/token");
        let found = host(&[file, (TENANT, "t"), (CLIENT, "c")], Some("169.254.169.254:80"));
        let Host::Workload { endpoint, file: path, client } = found else { panic!("{found:?}") };
        assert_eq!(endpoint.to_string(), "https://login.microsoftonline.com/t/oauth2/v2.0/token");
        assert_eq!((path, client.as_deref()), (PathBuf::from("/var/run/token"), Some("c")));
        let found = host(&[file, (TENANT, "t"), (AUTHORITY, "https://login.example/")], None);
        let Host::Workload { endpoint, client: None, .. } = found else { panic!("{found:?}") };
        assert_eq!(endpoint.to_string(), "https://login.example/t/oauth2/v2.0/token");
        for wrong in [&[file][..], &[file, (TENANT, "t"), (AUTHORITY, "http://login.example")]] {
            assert!(matches!(host(wrong, None), Host::Wrong(_)), "{wrong:?}");
        }
    }

    #[test]
    fn an_endpoint_of_the_machine_is_asked_where_it_is_named_or_allowed() {
        let both = [(ENDPOINT, "http://127.0.0.1:41741/msi/token/"), (ENDPOINT_SECRET, "hush")];
        let found = host(&both, Some("169.254.169.254:80"));
        assert!(!format!("{found:?}").contains("hush"));
        let Host::Endpoint(endpoint) = found else { panic!("{found:?}") };
        assert_eq!(
            endpoint.target("https://a.example", Some("c d")),
            "/msi/token?api-version=2019-08-01&resource=https%3A%2F%2Fa%2Eexample&client_id=c%20d"
        );
        let Host::Endpoint(endpoint) = host(&[], Some("169.254.169.254:80")) else { panic!() };
        assert_eq!(
            endpoint.base.to_string(),
            "http://169.254.169.254/metadata/identity/oauth2/token"
        );
        assert_eq!(endpoint.field.0, "Metadata");
        assert!(matches!(host(&[(ENDPOINT, "http://h")], None), Host::None));
        assert!(matches!(host(&[], None), Host::None));
    }
}
