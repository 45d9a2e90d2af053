//! Whether settings that are right one by one are right together.

use std::sync::Arc;

use super::Gathered;
use crate::configuration::config::Spot;
use crate::fault::Place;
use crate::settings::{Control, ForwardedProto, Settings};

impl Gathered {
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
        let copies = &settings.configuration.last_good;
        let control = &settings.control;
        let has_token = control.token.is_some() || control.token_file.is_some();
        // With a token there is a key.
        if copies.folder.is_some() && copies.key_file.is_none() && !has_token {
            let name = "configuration.lastGood.folder";
            let remedy = "set configuration.lastGood.keyFile: `openssl rand 32 > FILE` makes one";
            self.at(name, "the copies of configurations need a key to be sealed with", remedy);
        }
        self.control_fits(&settings.control);
        if settings.forwarded.proto == ForwardedProto::Trusted
            && settings.forwarded.trusted.is_empty()
        {
            let remedy = "list the proxies in forwarded.trusted";
            self.at("forwarded.proto", "no proxy is trusted", remedy);
        }
    }

    /// Checks what is said of the control plane.
    fn control_fits(&mut self, control: &Control) {
        let has_token = control.token.is_some() || control.token_file.is_some();
        if control.endpoint.is_some() && !has_token {
            let message = "the control plane asks who the gateway is";
            self.at("control.endpoint", message, "set control.tokenFile, or control.token");
        }
        if control.endpoint.is_none() && has_token {
            let name = if control.token.is_some() { "control.token" } else { "control.tokenFile" };
            let message = "there is a token, and no control plane to show it to";
            self.at(name, message, "set control.endpoint, or remove the token");
        }
        if control.token.is_some() && control.token_file.is_some() {
            let message = "`control.token` and `control.tokenFile` are both set";
            self.at("control.tokenFile", message, "remove one of the two");
        }
        if control.certificate_file.is_some() != control.key_file.is_some() {
            let name = match control.key_file {
                Some(_) => "control.keyFile",
                None => "control.certificateFile",
            };
            let message = "`control.certificateFile` and `control.keyFile` go together";
            self.at(name, message, "set the other one too");
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
