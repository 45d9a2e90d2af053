//! The events of the gateway itself (start, reload, refusal of a configuration, stop) as lines on
//! standard error, through `tracing`.

use tracing_subscriber::EnvFilter;

/// How lines look.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For machines, one JSON object a line.
    Json,
    /// Nothing is written.
    None,
}

/// Begins to write events from `level` on (`debug`, `info`, `warn`, `error`). Only the first call
/// in a process has an effect: later gateways in it share the writer.
pub fn start(format: Format, level: &str, color: bool) {
    // What Pingora logs about single connections stands in the record of the exchange.
    let directives = format!("{level},pingora_core=error,pingora_proxy=error");
    let filter =
        EnvFilter::try_new(directives).unwrap_or_else(|_unparsable| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(color)
        .with_target(false);
    // Somebody else may have begun already, which is as good.
    let _ = match format {
        Format::Text => builder.try_init(),
        Format::Json => builder.json().flatten_event(true).try_init(),
        Format::None => Ok(()),
    };
}
