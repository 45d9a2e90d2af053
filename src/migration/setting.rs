//! What becomes of one setting of API Management's gateway, wherever it is written.

use crate::settings::Settings;
use crate::settings::apim::{self, Treatment};
use crate::settings::table::{ROWS, Row};
use crate::token::SCHEME;

/// How all our variables begin.
const PREFIX: &str = "WEIR_";
/// How those begin that OpenTelemetry has given names to; Weir understands them as they are.
const OTEL: &str = "OTEL_";
/// What stands in names of hosts of Azure.
const AZURE: [&str; 3] = [".azure-api.", ".management.azure", ".windows.net"];

/// What becomes of a setting.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// It is ours already, or nothing that the gateway knows: nothing becomes of it.
    Carried(&'static str),
    /// It is this setting of ours, with this value; without one where none was known.
    Becomes(&'static Row, Option<String>),
    /// It has no effect, for this reason; and what to do.
    Goes(String, Option<&'static str>),
    /// It cannot be, for this reason, and this is what to do.
    Stays(String, String),
}

/// What is known of the whole deployment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Around {
    /// Whether the control plane that it names is one of Weir's, and not API Management's.
    pub has_control_plane: bool,
}

const FROM_FOLDER: &str = "Weir does not ask API Management for its configuration";
const IMPORT: &str = "extract it with APIOps, make a folder of it with `weir import apiops`, and \
                      give that to the gateway as configuration.folder, or serve it with `weir \
                      control` and set control.endpoint";
const NO_SIGN_IN: &str = "nothing is asked of API Management any more, so nobody signs in there";
const REVOKE: &str = "regenerate the gateway's keys in API Management when it is no longer used";

/// Variables that name a proxy for all calls.
const PROXIES: [&str; 2] = ["http_proxy", "https_proxy"];
const PROXY: &str = "if backends are reached by way of the proxy only, write <proxy url=\"http://…\" /> into \
                     the policy of those APIs, or of all (docs/policies.md)";
const NO_BYPASS: &str =
    "write <proxy /> into the policies of those APIs only whose backends need it";

/// It asks those who issue certificates which ones they took back.
const REVOCATION: &str = "security.certificate-revocation.validation.enabled";
const NO_LISTS: &str = "Weir looks into lists of revoked certificates that lie in files, asks nobody for them, \
                        and does not start without one";
const GIVE_LISTS: &str = "remove it; to go on checking, set backends.tls.revocation to required and name the \
                          lists in backends.tls.revocationFiles (docs/backend-tls.md)";

/// What becomes of the setting `name` with this value; none if it comes from somewhere else, such as
/// a Secret.
pub fn judge(name: &str, value: Option<&str>, around: Around) -> Verdict {
    if name.starts_with(PREFIX) {
        return Verdict::Carried("it is a setting of Weir");
    }
    if name.starts_with(OTEL) {
        return Verdict::Carried("Weir knows it by this name");
    }
    let folded = name.to_ascii_lowercase();
    let asks = folded.starts_with("config.service.") || folded.starts_with("gateway.auth.");
    if asks && !around.has_control_plane {
        return asks_azure(&folded, value);
    }
    if folded == REVOCATION && value.is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Verdict::Stays(NO_LISTS.to_owned(), GIVE_LISTS.to_owned());
    }
    match apim::treatment(name) {
        None if apim::is_meant(name) => {
            Verdict::Goes("no gateway that is supported knows this setting".to_owned(), None)
        }
        // It says where the proxies are not asked that Weir does not ask.
        None if folded == "no_proxy" => match apim::treatment("http_proxy") {
            Some(Treatment::Ignored(reason)) => Verdict::Goes(reason.to_owned(), Some(NO_BYPASS)),
            _ => Verdict::Carried("it is no setting of the gateway"),
        },
        Some(Treatment::Ignored(reason)) if PROXIES.contains(&folded.as_str()) => {
            Verdict::Goes(reason.to_owned(), Some(PROXY))
        }
        None => Verdict::Carried("it is no setting of the gateway"),
        Some(treatment) => treated(name, value, treatment),
    }
}

/// Whether `value` is an address of API Management, and not of a control plane of Weir.
pub fn is_azure(value: &str) -> bool {
    let value = value.to_ascii_lowercase();
    AZURE.iter().any(|part| value.contains(part)) || value.contains("/subscriptions/")
}

/// The setting of Weir of this name.
pub fn row(name: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.name == name)
}

fn asks_azure(folded: &str, value: Option<&str>) -> Verdict {
    if folded == "config.service.endpoint" {
        let custom = value.is_some_and(|value| !is_azure(value) && !value.is_empty());
        let what = if custom {
            format!("{FROM_FOLDER}, whatever the name of its host")
        } else {
            FROM_FOLDER.to_owned()
        };
        return Verdict::Goes(what, Some(IMPORT));
    }
    let is_token = value.is_some_and(|value| value.starts_with(SCHEME));
    let why = if folded.contains(".auth") { NO_SIGN_IN } else { FROM_FOLDER };
    Verdict::Goes(why.to_owned(), is_token.then_some(REVOKE))
}

fn treated(name: &str, value: Option<&str>, treatment: Treatment) -> Verdict {
    match treatment {
        Treatment::Means(wanted) => means(wanted, value, value),
        Treatment::Credential(wanted, words, reason) => match value {
            Some(value) if words.contains(&value) => {
                Verdict::Goes("it says only where the token is".to_owned(), None)
            }
            Some(value) if !value.starts_with(SCHEME) => {
                let remedy = format!("remove it; {reason}");
                Verdict::Stays("this is no gateway token".to_owned(), remedy)
            }
            _ => means(wanted, value, value),
        },
        Treatment::Switches(wanted, on) => match value.map(str::to_ascii_lowercase).as_deref() {
            Some("true") => means(wanted, value, Some(on)),
            Some("false" | "") => {
                Verdict::Goes("this is what Weir does without being told".to_owned(), None)
            }
            _ => Verdict::Stays(
                format!("nobody can see here whether it is `true`, which would be {wanted}={on}"),
                "write `true` or `false`".to_owned(),
            ),
        },
        Treatment::Ignored(reason) => Verdict::Goes(reason.to_owned(), None),
        // Whoever has metrics in Azure has to look for them elsewhere; the gateway runs nevertheless.
        Treatment::Only(_, reason) if name.eq_ignore_ascii_case("telemetry.metrics.cloud") => {
            Verdict::Goes(
                reason.to_owned(),
                Some(
                    "look at metrics by Prometheus or OpenTelemetry (docs/metrics.md), if you did in Azure",
                ),
            )
        }
        Treatment::Only(values, reason) => only(name, value, values, reason),
        Treatment::Refused(reason) => {
            if value.is_some_and(str::is_empty) {
                return Verdict::Goes("nothing is written".to_owned(), None);
            }
            Verdict::Stays(format!("Weir cannot do this: {reason}"), "remove it".to_owned())
        }
    }
}

fn only(name: &str, value: Option<&str>, values: &[&str], reason: &str) -> Verdict {
    match value {
        Some(value) if values.contains(&value.to_ascii_lowercase().as_str()) => {
            Verdict::Goes("this is what Weir does without being told".to_owned(), None)
        }
        Some("") => Verdict::Goes("nothing is written".to_owned(), None),
        Some(value) => Verdict::Stays(
            format!("`{name}` cannot be `{value}`: {reason}"),
            format!("set it to `{}`, or remove it", values.join("` or `")),
        ),
        None => Verdict::Stays(
            "nobody can see here what it is".to_owned(),
            format!("remove it; {reason}"),
        ),
    }
}

/// It is the setting `wanted`, whose value shall be `new` where `value` is written.
fn means(wanted: &str, value: Option<&str>, new: Option<&str>) -> Verdict {
    let Some(row) = row(wanted) else {
        return Verdict::Stays(format!("there is no setting `{wanted}`"), "remove it".to_owned());
    };
    if value.is_some_and(str::is_empty) {
        return Verdict::Goes("nothing is written".to_owned(), None);
    }
    let readable = new.filter(|_| row.name != "control.token");
    let mut settings = Settings::default();
    let read = readable.map(|new| (new, row.accepts(&mut settings, new)));
    if let Some((new, Err(expected))) = read {
        let message = format!("`{new}` is not what {} can be", row.name);
        return Verdict::Stays(message, format!("write {expected}"));
    }
    Verdict::Becomes(row, new.map(str::to_owned))
}
