//! Keys that people will write because they know them from elsewhere, and what to say then.

/// How to mend `key`, which the type `holder` does not have.
pub(super) fn later(holder: &str, key: &str) -> Option<&'static str> {
    let remedy = match (holder, key) {
        ("Api", "apiVersion") => "write `version`",
        ("Api", "apiVersionSetId") => "write `versionSetId`",
        ("Api", "apiRevision") => "write `revision`",
        (
            "Api" | "Product" | "Operation" | "Subscription" | "Group" | "VersionSet",
            "displayName",
        )
        | ("NamedValue", "id" | "displayName") => "write `name`",
        ("NamedValue", "valueFrom") => "write `value: {env: NAME}` or `value: {file: PATH}`",
        ("NamedValue", "keyVault") => {
            "key vaults are not supported; write `value: {file: PATH}` and mount the secret"
        }
        ("Fragment", "file" | "content" | "value") => "write `policy`",
        ("Fragment" | "Logger" | "SchemaDocument" | "NamedCertificate", "name") => "write `id`",
        ("Representation", "sample" | "examples") => "write `example`",
        ("Parameter", "type" | "values" | "defaultValue") => "write it as a `schema`",
        ("SchemaDocument", "schema" | "value") => "write `document`",
        ("Subscription", "ownerId") => "write `user`",
        ("Logger", "loggerType" | "credentials" | "resourceId") => {
            "write `eventHub` with `name` and `connectionString`, or `endpointAddress` and \
             `identityClientId`"
        }
        ("Logger", "isBuffered") => "remove it; events are always queued, and sent in batches",
        ("Logger", "applicationInsights") => "remove it; events go to event hubs only",
        ("EventHub", "managedIdentity" | "identity") => {
            "write `endpointAddress` and `identityClientId`"
        }
        ("Credentials", "certificateIds") => {
            "write `certificate` with `certificateFile` and `keyFile`"
        }
        ("Credentials", "identity") => "write `managedIdentity` with `resource` and `clientId`",
        ("ConfigurationFile", "managedIdentities" | "managedIdentity" | "identity") => {
            "write `identities`"
        }
        ("ConfigurationFile", "authorizationProviders" | "credentials") => "write `authorizations`",
        ("ProviderAuthorization", "scopes") => "write `scope`, with spaces between",
        ("ProviderAuthorization", "tokenUrl" | "tokenEndpoint") => "write `endpoint`",
        ("Identity", "id" | "name") => "write `clientId`",
        ("Identity" | "ProviderAuthorization", "clientSecret") => "write `secret`",
        ("HostName", "hostname" | "hostName" | "name") => "write `host`",
        ("HostName", "negotiateClientCertificate") => {
            "remove it; the setting `listen.clientCertificates` asks clients for certificates"
        }
        ("NamedCertificate", "certificateFile") => "write `certificate: {file: PATH}`",
        ("NamedCertificate", "keyFile") => "write `key: {file: PATH}`",
        ("NamedCertificate", "data") => "write `pfx`",
        ("NamedCertificate", "thumbprint") => "remove it; it is computed",
        ("NamedCertificate", "keyVault") => {
            "key vaults are not supported; write `pfx: {file: PATH}` and mount the secret"
        }
        ("NamedCertificate", "isTrusted") => "write `authority`",
        ("ConfigurationFile", "certificateAuthorities") => {
            "write `certificates` with `authority: true`"
        }
        ("Diagnostic", "alwaysLog") => "write `alwaysLogErrors: true`",
        ("Diagnostic", "id" | "loggerId") => "remove it; settings say where lines go",
        ("DiagnosedMessage", "body" | "bytes") => "write `bodyBytes`",
        ("ConfigurationFile", "caches") => "remove it; this is not supported yet",
        _ => return of_backends(holder, key),
    };
    Some(remedy)
}

/// The same for backends.
fn of_backends(holder: &str, key: &str) -> Option<&'static str> {
    let remedy = match (holder, key) {
        ("Backend", "healthChecks" | "health") => "write `healthCheck`",
        ("Pool", "healthCheck" | "healthChecks" | "health") => {
            "write `healthCheck` for each of its services instead"
        }
        ("Backend", "services" | "sessionAffinity") => "write it under `pool`",
        ("CircuitBreaker", "failureCondition" | "tripDuration") => "write it in one of `rules`",
        ("Service", "name" | "backendId") => "write `id`",
        ("Backend", "protocol") => "remove it; a backend speaks HTTP",
        _ => return None,
    };
    Some(remedy)
}
