//! Where requests go: a URL, or an app behind Dapr's sidecar, `dapr://APP[.NAMESPACE][/METHOD]`.

use std::sync::Arc;

use super::Validator;
use crate::backend::BaseUrl;
use crate::backend::sidecar::Sidecar;
use crate::configuration::yaml::Placed;
use crate::dapr::name::App;
use crate::dapr::{invocation, method};

/// How the address of an app begins.
pub(super) const SCHEME: &str = "dapr://";
/// How it is written.
const REMEDY: &str = "write it as dapr://APP, dapr://APP.NAMESPACE or dapr://APP/METHOD";

/// Where requests go.
pub(super) struct Service {
    /// The URL; that of an app has the sidecar's usual place, and its path there.
    pub(super) url: Arc<BaseUrl>,
    /// Whether it is an app behind the sidecar.
    pub(super) is_app: bool,
}

impl Validator<'_> {
    /// Where `url` leads.
    pub(super) fn service(&mut self, url: &Placed<String>) -> Option<Service> {
        let Some(app) = url.value.strip_prefix(SCHEME) else {
            return self.target(url).map(|url| Service { url, is_app: false });
        };
        match path(app) {
            Ok(path) => {
                let url = Arc::new(BaseUrl { path, ..Sidecar::usual_base() });
                Some(Service { url, is_app: true })
            }
            Err(why) => {
                self.fault(url.mark, format!("`{}`: {why}", url.value), REMEDY);
                None
            }
        }
    }
}

/// The path at the sidecar, without a slash at its end.
fn path(text: &str) -> Result<String, String> {
    let (app, prefix) = text.split_once('/').unwrap_or((text, ""));
    let app = App::new(app, None).map_err(|why| why.to_string())?;
    let prefix = method::tail(prefix).map_err(|why| why.to_string())?;
    let path = invocation(&app, prefix.trim_start_matches('/'));
    Ok(path.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_has_a_path_at_the_sidecar() {
        for (written, found) in [
            ("orders", "/v1.0/invoke/orders/method"),
            ("orders/", "/v1.0/invoke/orders/method"),
            ("orders.prod/api//v1/", "/v1.0/invoke/orders.prod/method/api/v1"),
        ] {
            assert_eq!(path(written).unwrap(), found);
        }
        for wrong in ["", "/x", "a.b.c", "orders:3500", "orders/../x", "user@orders"] {
            assert!(path(wrong).is_err(), "{wrong}");
        }
    }
}
