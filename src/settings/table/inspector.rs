//! The settings of the inspector.

use super::{Row, row};
use crate::settings::value::{Expected, flag};

/// The settings of the inspector.
pub(super) const ROWS: &[Row] = &[
    row!(
        "inspector.enabled",
        "true",
        "Whether operators can make debug credentials, with which a request is recorded step by step.",
        inspector.is_enabled = |text| flag(text)
    ),
    row!(
        "inspector.legacy",
        "false",
        "Whether Ocp-Apim-Trace with a key of a subscription with allowTracing is heeded too.",
        inspector.is_legacy = |text| flag(text)
    ),
    row!(
        "inspector.remote",
        "false",
        "Whether operators on other machines may make debug credentials and read traces, and not only those on this one.",
        inspector.is_remote = |text| flag(text)
    ),
    row!(
        "inspector.url",
        "",
        "What Ocp-Apim-Trace-Location begins with, such as https://weir-admin.example; the admin address if not set.",
        inspector.url = |text| Ok::<_, Expected>(text.trim_end_matches('/').to_owned())
    ),
];
