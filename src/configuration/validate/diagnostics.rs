//! What is logged of exchanges.

use std::sync::Arc;

use super::Validator;
use crate::configuration::document::{self, DiagnosedMessage, DiagnosedSide};
use crate::exchange::Severity;
use crate::exchange::diagnostics::{
    BODY_BYTES_MAX, Diagnostics, HEADERS_MAX, Sampling, Shown, Side,
};

impl Validator<'_> {
    /// What `diagnostics` says, of all exchanges or of those of an API.
    pub(super) fn diagnostics(
        &mut self,
        written: Option<&document::Diagnostic>,
    ) -> Option<Arc<Diagnostics>> {
        let written = written?;
        Some(Arc::new(Diagnostics {
            sampling: self.sampling(written),
            always_log_errors: written.always_log_errors.unwrap_or(true),
            verbosity: self.verbosity(written),
            log_client_ip: written.log_client_ip.unwrap_or(false),
            frontend: self.side(written.frontend.as_ref()),
            backend: self.side(written.backend.as_ref()),
        }))
    }

    fn sampling(&mut self, written: &document::Diagnostic) -> Sampling {
        let placed = written.sampling.as_ref().filter(|placed| !placed.mark.is_made_up());
        let Some(placed) = placed else { return Sampling::ALL };
        let text = &placed.value.0;
        Sampling::parse(text).unwrap_or_else(|| {
            let remedy = "write how many of a hundred, from 0 to 100, such as 100 or 12.5";
            self.fault(placed.mark, format!("`sampling` is `{text}`"), remedy);
            Sampling::ALL
        })
    }

    fn verbosity(&mut self, written: &document::Diagnostic) -> Severity {
        let placed = written.verbosity.as_ref().filter(|placed| !placed.mark.is_made_up());
        let Some(placed) = placed else { return Severity::Information };
        match placed.value.as_str() {
            "error" => Severity::Error,
            "information" => Severity::Information,
            "verbose" => Severity::Verbose,
            other => {
                let message = format!("`verbosity` is `{other}`");
                self.fault(placed.mark, message, "write `error`, `information` or `verbose`");
                Severity::Information
            }
        }
    }

    fn side(&mut self, written: Option<&DiagnosedSide>) -> Side {
        let Some(written) = written else { return Side::default() };
        Side {
            request: self.shown(written.request.as_ref()),
            response: self.shown(written.response.as_ref()),
        }
    }

    fn shown(&mut self, written: Option<&DiagnosedMessage>) -> Shown {
        let Some(written) = written else { return Shown::default() };
        self.few("fields to log", written.headers.iter().map(|name| name.mark), HEADERS_MAX);
        let mut headers = Vec::new();
        for name in &written.headers {
            headers.extend(self.header_name(name).filter(|name| !headers.contains(name)));
        }
        let bytes = written.body_bytes.as_ref().filter(|placed| !placed.mark.is_made_up());
        let body_bytes = bytes.map_or(0, |placed| {
            let bytes = usize::try_from(placed.value).unwrap_or(usize::MAX);
            if BODY_BYTES_MAX < bytes {
                let message = format!("`bodyBytes` is {bytes}");
                let remedy = format!("write a number from 0 to {BODY_BYTES_MAX}");
                self.fault(placed.mark, message, remedy);
            }
            bytes.min(BODY_BYTES_MAX)
        });
        Shown { headers, body_bytes }
    }
}
