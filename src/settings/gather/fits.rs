//! Whether settings that are right one by one are right together.

use std::sync::Arc;

use super::Gathered;
use crate::backend::tls::Ciphers;
use crate::caller::revocation::Asked;
use crate::configuration::config::Spot;
use crate::fault::Place;
use crate::settings::apim;
use crate::settings::metrics::Local;
use crate::settings::{
    BackendTls, ClientCertificates, ClientCredentials, Control, ForwardedProto, LocalLog, Settings,
};

impl Gathered {
    fn dapr(&mut self, settings: &Settings) {
        let token = settings.dapr.token.as_ref();
        if token.is_some_and(|token| !token.expose().bytes().all(|it| it.is_ascii_graphic())) {
            let message = "the token has a character that no field can have";
            self.at("dapr.token", message, "use visible ASCII characters, as the sidecar has it");
        }
    }

    /// Checks the settings against each other.
    pub(super) fn fits(&mut self, settings: &Settings) {
        let listen = &settings.listen;
        let files = (&listen.certificate_file, &listen.key_file);
        if listen.https.is_some() && !matches!(files, (Some(_), Some(_))) {
            let remedy = "set listen.certificateFile and listen.keyFile too";
            self.at("listen.https", "`listen.https` needs a certificate and its key", remedy);
        }
        if listen.http.is_none() && listen.https.is_none() {
            let remedy = "set listen.http or listen.https to an address";
            self.at("listen.http", "the gateway listens nowhere", remedy);
        }
        if listen.client_certificates != ClientCertificates::Off && listen.https.is_none() {
            let remedy = "set listen.https to an address, or remove listen.clientCertificates";
            let message = "`listen.clientCertificates` needs `listen.https`";
            self.at("listen.clientCertificates", message, remedy);
        }
        if listen.h2c && listen.http.is_none() {
            let remedy = "set listen.http to an address, or remove listen.h2c";
            self.at("listen.h2c", "`listen.h2c` needs `listen.http`", remedy);
        }
        let addresses = [
            ("listen.http", listen.http),
            ("listen.https", listen.https),
            ("listen.admin", listen.admin),
        ];
        for (nth, (name, address)) in addresses.iter().enumerate() {
            let mut earlier = addresses.iter().take(nth);
            // Port 0 stands for any that is free: a different one each time.
            let fixed = address.is_some_and(|address| address.port() != 0);
            let same = earlier.find(|(_, other)| fixed && other == address);
            if let Some((other, _)) = same {
                let message = format!("`{name}` and `{other}` are the same address");
                self.at(name, &message, "give each a port of its own");
            }
        }
        self.dapr(settings);
        self.backends_fit(&settings.backends.tls);
        let copies = &settings.configuration.last_good;
        let control = &settings.control;
        let has_token = control.token.is_some() || control.token_file.is_some();
        // With a token there is a key.
        if copies.folder.is_some() && copies.key_file.is_none() && !has_token {
            let name = "configuration.lastGood.folder";
            let remedy = "set configuration.lastGood.keyFile: `openssl rand 32 > FILE` makes one";
            self.at(name, "the copies of configurations need a key to be sealed with", remedy);
        }
        if settings.forwarded.client_certificate.is_some() && settings.forwarded.trusted.is_empty()
        {
            let remedy = "list the proxies in forwarded.trusted";
            self.at("forwarded.clientCertificate", "no proxy is trusted", remedy);
        }
        if settings.log.local == LocalLog::Rfc5424
            && settings.log.outputs.rfc5424.endpoint.is_none()
        {
            let remedy = "set log.rfc5424.endpoint to the collector, such as tcp://host:601";
            self.at("log.local", "nobody knows where the collector of syslog is", remedy);
        }
        let inspector = &settings.inspector;
        if inspector.is_legacy && inspector.url.is_empty() && listen.admin.is_none() {
            let remedy = "set inspector.url, or listen.admin to an address";
            self.at("inspector.legacy", "nobody could read the traces", remedy);
        }
        if settings.metrics.local == Local::Statsd && settings.metrics.statsd.endpoint.is_empty() {
            let remedy = "set metrics.statsd.endpoint to host:port, or metrics.local to none";
            self.at("metrics.local", "there is no StatsD server to send metrics to", remedy);
        }
        self.control_fits(&settings.control);
        if settings.forwarded.proto == ForwardedProto::Trusted
            && settings.forwarded.trusted.is_empty()
        {
            let remedy = "list the proxies in forwarded.trusted";
            self.at("forwarded.proto", "no proxy is trusted", remedy);
        }
    }

    /// Checks what is said of TLS with backends.
    fn backends_fit(&mut self, tls: &BackendTls) {
        let Some((min, max)) = tls.protocols.span() else {
            let message = "the versions of TLS that backends are offered are no span";
            let remedy = "switch on at least one, and none without those between it and the next";
            self.at("backends.tls.protocols.tls12", message, remedy);
            return;
        };
        if let Some((oldest, newest)) = tls.ciphers.as_ref().map(Ciphers::versions)
            && (newest < min || max < oldest)
        {
            let message = "no version of TLS that is switched on speaks them";
            let remedy = "name ciphers of TLS 1.3 (TLS_AES_256_GCM_SHA384 and such) for TLS 1.3, others \
                          for older versions";
            self.at("backends.tls.ciphers", message, remedy);
        }
        if tls.revocation != Asked::Not && tls.revocation_files.is_empty() {
            let message =
                "there is no list of revoked certificates to ask; the gateway fetches none";
            self.at(
                "backends.tls.revocation",
                message,
                "name files in backends.tls.revocationFiles",
            );
        }
        if tls.revocation == Asked::Not && !tls.revocation_files.is_empty() {
            let message = "there are lists of revoked certificates, and nobody asks them";
            self.at(
                "backends.tls.revocationFiles",
                message,
                "set backends.tls.revocation to `listed`",
            );
        }
    }

    /// Checks what is said of the control plane.
    fn control_fits(&mut self, control: &Control) {
        let ways = [
            ("control.token", control.token.is_some()),
            ("control.tokenFile", control.token_file.is_some()),
            ("control.workloadToken.file", control.workload_token.file.is_some()),
            ("control.clientCredentials.endpoint", control.client_credentials.endpoint.is_some()),
        ];
        let mut ways = ways.into_iter().filter_map(|(name, is_set)| is_set.then_some(name));
        let first = ways.next();
        if control.endpoint.as_ref().is_some_and(|it| apim::is_management(it.host())) {
            let message = "this is API Management's own, which Weir does not speak to: nothing would ever \
                           come from there";
            let remedy = "remove control.endpoint and the token (config.service.*), and serve a folder: \
                          docs/migration.md";
            self.at("control.endpoint", message, remedy);
        }
        match (first, control.endpoint.is_some()) {
            (None, true) => {
                let message = "the control plane asks who the gateway is";
                let remedy = "set control.tokenFile, control.token, control.workloadToken.file or \
                              control.clientCredentials.endpoint";
                self.at("control.endpoint", message, remedy);
            }
            (Some(name), false) => {
                let message = "there is a token, and no control plane to show it to";
                self.at(name, message, "set control.endpoint, or remove the token");
            }
            (None, false) | (Some(_), true) => {}
        }
        if let (Some(first), Some(second)) = (first, ways.next()) {
            let message = format!("`{first}` and `{second}` are both set");
            self.at(second, &message, "remove one of the two");
        }
        self.client_fits(&control.client_credentials);
        if control.certificate_file.is_some() != control.key_file.is_some() {
            let name = match control.key_file {
                Some(_) => "control.keyFile",
                None => "control.certificateFile",
            };
            let message = "`control.certificateFile` and `control.keyFile` go together";
            self.at(name, message, "set the other one too");
        }
    }

    /// Checks what is said of getting tokens.
    fn client_fits(&mut self, client: &ClientCredentials) {
        let ClientCredentials { secret_file, certificate_file, key_file, .. } = client;
        let name = |part: &str| format!("control.clientCredentials.{part}");
        if client.endpoint.is_none() {
            let set = [
                ("clientId", !client.client_id.is_empty()),
                ("secretFile", secret_file.is_some()),
                ("certificateFile", certificate_file.is_some()),
                ("keyFile", key_file.is_some()),
                ("algorithm", client.algorithm.is_some()),
                ("scope", !client.scope.is_empty()),
                ("audience", !client.audience.is_empty()),
                ("caFile", client.ca_file.is_some()),
            ];
            if let Some((part, _)) = set.into_iter().find(|(_, is_set)| *is_set) {
                let message = "nothing says where this gateway gets its tokens";
                self.at(
                    &name(part),
                    message,
                    "set control.clientCredentials.endpoint, or remove it",
                );
            }
            return;
        }
        if client.client_id.is_empty() {
            let message = "the endpoint asks which client this is";
            self.at(&name("endpoint"), message, "set control.clientCredentials.clientId");
        }
        match (secret_file, certificate_file, key_file) {
            (Some(_), None, None) if client.algorithm.is_some() => {
                let message = "a secret does not sign";
                self.at(&name("algorithm"), message, "remove it, or use a certificate");
            }
            (Some(_), None, None) | (None, Some(_), Some(_)) => {}
            (None, None, None) => {
                let remedy = "set control.clientCredentials.secretFile, or certificateFile and \
                              keyFile beside it";
                self.at(&name("endpoint"), "the endpoint asks for a proof", remedy);
            }
            (Some(_), _, _) => {
                let message = "a secret and a certificate are both set";
                self.at(&name("secretFile"), message, "remove one of the two");
            }
            (None, Some(_), None) => {
                let message = "a certificate needs its key";
                self.at(&name("certificateFile"), message, "set control.clientCredentials.keyFile");
            }
            (None, None, Some(_)) => {
                let remedy = "set control.clientCredentials.certificateFile";
                self.at(&name("keyFile"), "a key needs its certificate", remedy);
            }
        }
    }

    /// A fault at the value of `name` that counts.
    fn at(&mut self, name: &str, message: &str, remedy: &str) {
        let written = self.candidates.iter().rev().find(|candidate| candidate.row.name == name);
        let spot = written.map_or_else(
            || Spot { place: Place::start_of(&Arc::from("usual settings")), width: 1 },
            |candidate| candidate.spot.clone(),
        );
        self.faults.push(spot.fault(message).mend(remedy));
    }
}
