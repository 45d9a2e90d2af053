//! What a request asks and an answer says, as text: for services that judge it.

use crate::llm::json::{Key, Path, Scan, Sink};
use crate::llm::meter::is_answer;
use crate::llm::prompt::{is_media, is_prompt};

/// All text that `body` asks: messages, prompts, inputs, instructions; a line each. None if it is no
/// whole object of JSON, or nested too deep, and somebody else might read more in it.
pub fn prompt(body: &[u8]) -> Option<String> {
    let mut reader = Reader { is_answer: false, ..Reader::default() };
    let is_object = body.trim_ascii_start().starts_with(b"{");
    let is_whole = body.is_empty() || is_object && reader.document(body);
    is_whole.then(|| reader.text())
}

/// All text that the answer `body` says, which is one document or, as `is_stream` says, a stream of
/// events. None of a document that is no whole object or list of JSON, or nested too deep: somebody else might read
/// more in it.
pub fn answer(body: &[u8], is_stream: bool) -> Option<String> {
    let mut reader = Reader { is_answer: true, is_stream, ..Reader::default() };
    if !is_stream {
        let body = body.trim_ascii();
        // Words that stand alone would be read as one of JSON's.
        let is_read = matches!(body.first(), Some(b'{' | b'['));
        let is_whole = body.is_empty() || is_read && reader.document(body);
        return is_whole.then(|| reader.text());
    }
    for line in body.split(|byte| matches!(byte, b'\n' | b'\r')) {
        if let Some(data) = line.strip_prefix(b"data:") {
            reader.document(data);
        }
    }
    Some(reader.text())
}

#[derive(Debug, Default)]
struct Reader {
    is_answer: bool,
    is_stream: bool,
    /// The texts of documents that are over.
    text: Vec<u8>,
    /// That of the document that is read.
    here: Vec<u8>,
    kind: Vec<u8>,
}

impl Reader {
    /// Reads a document; whether it is whole.
    fn document(&mut self, document: &[u8]) -> bool {
        let mut scan = Scan::default();
        scan.feed(document, self);
        let is_whole = scan.end(self);
        let (here, kind) = (std::mem::take(&mut self.here), std::mem::take(&mut self.kind));
        // Other events of the Responses API repeat what those have told.
        if !self.is_stream || !kind.starts_with(b"response.") || kind.ends_with(b".delta") {
            self.text.extend_from_slice(&here);
        }
        is_whole
    }

    fn text(self) -> String {
        String::from_utf8_lossy(&self.text).trim().to_owned()
    }

    fn is_wanted(&self, path: &Path<'_>) -> bool {
        if self.is_answer {
            return is_answer(path);
        }
        is_prompt(path)
            && !is_media(path)
            && !matches!(path.key(), Key::Role | Key::Type)
            && !matches!(path.top(), Key::Tools | Key::Functions)
    }
}

impl Sink for Reader {
    fn enter(&mut self, _path: &Path<'_>, _is_list: bool) {}

    fn named(&mut self, _path: &Path<'_>) {}

    fn text(&mut self, path: &Path<'_>, bytes: &[u8]) {
        if path.key() == Key::Type && path.depth() == 1 {
            self.kind.extend_from_slice(bytes);
        } else if self.is_wanted(path) {
            self.here.extend_from_slice(bytes);
        }
    }

    fn text_end(&mut self, path: &Path<'_>) {
        // Pieces of a stream go on where the last one ended.
        if !self.is_stream && self.is_wanted(path) {
            self.here.push(b'\n');
        }
    }

    fn number(&mut self, _path: &Path<'_>, _number: u64) {}

    fn truth(&mut self, _path: &Path<'_>, _is_true: bool) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_and_said_is_found() {
        let body = br#"{"messages":[{"role":"system","content":"Be kind."},{"role":"user",
            "content":[{"type":"text","text":"Hi"},{"type":"image_url","image_url":{"url":"u"}}]}],
            "tools":[{"description":"d"}],"model":"m"}"#;
        assert_eq!(prompt(body).unwrap(), "Be kind.\nHi");
        let known = br#"{"prompt":["a","b"],"instructions":"c"}"#;
        assert_eq!(prompt(known).unwrap(), "a\nb\nc");
        assert_eq!(prompt(b"").unwrap(), "");
        let chat = br#"{"id":"x","choices":[{"message":{"role":"assistant","content":"Hello"}}]}"#;
        assert_eq!(answer(chat, false).unwrap(), "Hello");
        let list = br#"[{"candidates":[{"content":{"parts":[{"text":"Hel"}]}}]},
            {"candidates":[{"content":{"parts":[{"text":"lo"}]}}]}]"#;
        assert_eq!(answer(list, false).unwrap(), "Hel\nlo");
        assert_eq!(answer(b"", false).unwrap(), "");
        for unread in ["Hello", "\"Hello\"", "{\"choices\":[{\"text\":\"Hello\"}]", "{}{}"] {
            assert_eq!(answer(unread.as_bytes(), false), None, "{unread}");
        }
    }

    #[test]
    fn nothing_is_hidden_in_what_cannot_be_read() {
        let hidden = |before: &str| format!(r#"{{{before}"prompt":"Hello"}}"#);
        assert_eq!(prompt(hidden("").as_bytes()).unwrap(), "Hello");
        let escaped = hidden("").replace("prompt", "\\u0070rompt");
        assert_eq!(prompt(escaped.as_bytes()).unwrap(), "Hello");
        let deep = format!(r#""x":{}{},"#, "[".repeat(100), "]".repeat(100));
        for body in [hidden(&deep), hidden("").replace('}', ""), hidden("") + "{}", "Hi".into()] {
            assert_eq!(prompt(body.as_bytes()), None, "{body}");
        }
        let wide: Vec<u8> = hidden("").encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(prompt(&wide), None);
    }

    #[test]
    fn what_a_stream_says_is_put_together() {
        let chat = b"data: {\"choices\":[{\"delta\":{\"content\":\"Hel\"}}]}\r\n\r\n\
                     data: {\"choices\":[{\"delta\":{\"content\":\"lo\"}}]}\n\ndata: [DONE]\n\n";
        assert_eq!(answer(chat, true).unwrap(), "Hello");
        let response = b"data: {\"type\":\"response.output_text.delta\",\"delta\":\"Hi\"}\n\n\
                         data: {\"type\":\"response.output_text.done\",\"text\":\"Hi\",\"delta\":\"Hi\"}\n\n";
        assert_eq!(answer(response, true).unwrap(), "Hi");
    }
}
