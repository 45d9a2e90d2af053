//! Distinguished names as .NET writes them: the last part first, `CN=a, O="b, c"`.

use super::der::{self, IDENTIFIER, Reader, SEQUENCE, SET, Value};

/// The parts that have a short name in .NET; the others are written by their numbers.
const SHORT: [(&str, &str); 14] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.4", "SN"),
    ("2.5.4.5", "SERIALNUMBER"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "S"),
    ("2.5.4.9", "STREET"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.12", "T"),
    ("2.5.4.42", "G"),
    ("2.5.4.43", "I"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("1.2.840.113549.1.9.1", "E"),
];
/// What a simple name is made of, the best first.
const SIMPLE: [&str; 4] = ["2.5.4.3", "2.5.4.11", "2.5.4.10", "1.2.840.113549.1.9.1"];

/// A distinguished name, taken apart.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Name {
    /// As .NET writes it.
    text: String,
    /// Its parts in the order in which they are encoded.
    parts: Vec<Part>,
}

/// A part: its identifier with dots, and its text.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Part {
    identifier: String,
    text: String,
}

impl Name {
    /// The name of these bytes, which are the content of a `SEQUENCE`; what cannot be read of them
    /// is left out.
    pub(super) fn read(content: &[u8]) -> Self {
        let mut parts = Vec::new();
        let mut written = Vec::new();
        for set in Reader::new(content).filter(|set| set.tag == SET) {
            let together: Vec<Part> = Reader::new(set.content).filter_map(Part::read).collect();
            let texts: Vec<String> = together.iter().map(Part::written).collect();
            if !texts.is_empty() {
                written.push(texts.join(" + "));
            }
            parts.extend(together);
        }
        written.reverse();
        Self { text: written.join(", "), parts }
    }

    /// As .NET writes it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The first part with this identifier.
    pub(super) fn part(&self, identifier: &str) -> Option<&str> {
        let found = self.parts.iter().rev().find(|part| part.identifier == identifier);
        found.map(|part| &*part.text)
    }

    /// `CN`.
    pub fn common_name(&self) -> Option<&str> {
        self.part("2.5.4.3")
    }

    /// `E`.
    pub fn email(&self) -> Option<&str> {
        self.part("1.2.840.113549.1.9.1")
    }

    /// What people call it: `CN`, else `OU`, `O`, `E`, or what there is.
    pub fn simple(&self) -> Option<&str> {
        let best = SIMPLE.iter().find_map(|identifier| self.part(identifier));
        best.or_else(|| self.parts.last().map(|part| &*part.text))
    }

    /// Whether this is what somebody wrote as `text`: the same parts in the same order, whatever
    /// the blanks around them. Case counts, except in the names of the parts.
    pub fn is(&self, text: &str) -> bool {
        self.text == text || parts_of(&self.text) == parts_of(text)
    }
}

impl Part {
    fn read(value: Value<'_>) -> Option<Self> {
        let content = (value.tag == SEQUENCE).then_some(value.content)?;
        let mut reader = Reader::new(content);
        let identifier = der::dotted(reader.expect(IDENTIFIER)?);
        let value = reader.next()?;
        let text = der::text(value).unwrap_or_else(|| format!("#{}", der::hex(value.content)));
        Some(Self { identifier, text })
    }

    fn written(&self) -> String {
        let short = SHORT.iter().find(|(identifier, _)| *identifier == self.identifier);
        let name = match short {
            Some((_, short)) => (*short).to_owned(),
            None => format!("OID.{}", self.identifier),
        };
        if needs_quotes(&self.text) {
            return format!("{name}=\"{}\"", self.text.replace('"', "\"\""));
        }
        format!("{name}={}", self.text)
    }
}

/// Whether .NET puts a text of a name in quotation marks.
fn needs_quotes(text: &str) -> bool {
    text.is_empty()
        || text.trim() != text
        || text.contains([',', '+', '=', '"', '\n', '<', '>', '#', ';'])
}

/// The parts of a written name, each as its upper-case name and its text without quotation marks.
/// Commas, semicolons and line ends divide parts, plus signs what stands together.
fn parts_of(text: &str) -> Vec<(char, String, String)> {
    let mut parts = Vec::new();
    let mut part = String::new();
    let mut before = ',';
    let mut is_quoted = false;
    for character in text.chars().chain([',']) {
        match character {
            '"' => {
                is_quoted = !is_quoted;
                part.push(character);
            }
            ',' | ';' | '\n' | '+' if !is_quoted => {
                if let Some((name, value)) = part.split_once('=') {
                    parts.push((before, name.trim().to_ascii_uppercase(), unquoted(value.trim())));
                } else if !part.trim().is_empty() {
                    // No name at all: like nothing but itself.
                    parts.push((before, part.clone(), String::new()));
                }
                part.clear();
                before = if character == '+' { '+' } else { ',' };
            }
            other => part.push(other),
        }
    }
    if is_quoted {
        parts.push(('"', part, String::new()));
    }
    parts
}

fn unquoted(text: &str) -> String {
    let inner = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner.map_or_else(|| text.to_owned(), |inner| inner.replace("\"\"", "\""))
}

#[cfg(test)]
mod tests {
    use openssl::x509::X509NameBuilder;

    use super::*;

    fn name(parts: &[(&str, &str)]) -> Name {
        let mut builder = X509NameBuilder::new().unwrap();
        for (name, text) in parts {
            builder.append_entry_by_text(name, text).unwrap();
        }
        let der = builder.build().to_der().unwrap();
        Name::read(Reader::new(&der).expect(SEQUENCE).unwrap())
    }

    #[test]
    fn names_read_as_dotnet_writes_them() {
        let parts = [
            ("C", "DE"),
            ("ST", "Berlin"),
            ("O", "Contoso, \"the\" Ltd"),
            ("OU", " Ops"),
            ("CN", "api.contoso.com"),
            ("emailAddress", "a@contoso.com"),
            ("serialNumber", "7"),
            ("2.5.4.65", "x"),
        ];
        let name = name(&parts);
        let text = "OID.2.5.4.65=x, SERIALNUMBER=7, E=a@contoso.com, CN=api.contoso.com, \
                    OU=\" Ops\", O=\"Contoso, \"\"the\"\" Ltd\", S=Berlin, C=DE";
        assert_eq!(name.text(), text);
        assert_eq!(name.simple(), Some("api.contoso.com"));
        assert_eq!(name.email(), Some("a@contoso.com"));
    }

    #[test]
    fn a_written_name_is_told_by_its_parts() {
        let name = name(&[("C", "DE"), ("O", "A, B"), ("CN", "c")]);
        for same in ["CN=c, O=\"A, B\", C=DE", "cn=c,o=\"A, B\",c=DE", "CN=c ; O=\"A, B\" ; C = DE"]
        {
            assert!(name.is(same), "{same}");
        }
        for other in [
            "CN=c",
            "C=DE, O=\"A, B\", CN=c",
            "CN=c, O=A, B, C=DE",
            "CN=C, O=\"A, B\", C=DE",
            "CN=c, O=\"A, B\" + C=DE",
            "",
            "\"CN=c, O=\"A, B\", C=DE",
        ] {
            assert!(!name.is(other), "{other}");
        }
    }
}
