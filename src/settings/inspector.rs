//! Who may see what a request goes through.

/// Who may see what a request goes through.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Inspector {
    /// Whether operators can make debug credentials.
    pub is_enabled: bool,
    /// Whether `Ocp-Apim-Trace` is heeded.
    pub is_legacy: bool,
    /// Whether operators on other machines may do that, and read traces.
    pub is_remote: bool,
    /// What addresses of traces begin with; empty for the admin address.
    pub url: String,
}
