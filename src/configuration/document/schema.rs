//! The JSON Schema of a YAML file, for editors.

use schemars::generate::SchemaSettings;

use super::ConfigurationFile;

/// The schema as JSON text. `config/schema.json` holds it; a test fails if that is out of date.
pub fn text() -> String {
    let generator = SchemaSettings::draft07().into_generator();
    let schema = generator.into_root_schema_for::<ConfigurationFile>();
    let text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    format!("{text}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_in_the_repository_is_the_one_of_these_types() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/config/schema.json");
        if std::env::vars_os().any(|(name, _)| name == "WEIR_WRITE_EXPECTED") {
            std::fs::write(path, text()).unwrap();
        }
        let written = std::fs::read_to_string(path).unwrap();
        assert!(written == text(), "run the tests once with WEIR_WRITE_EXPECTED=1");
    }
}
