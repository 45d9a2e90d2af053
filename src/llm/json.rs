//! JSON as it comes, in any pieces: tells where it is and what stands there, and keeps nothing.
//!
//! It is no judge of JSON. What cannot be read, or is nested deeper than [`DEPTH_MAX`], ends the
//! reading of that document; what was read until then stays.

mod path;

use path::Frame;
pub use path::Path;

/// How deep objects and lists may stand in each other.
pub const DEPTH_MAX: usize = 64;
/// The longest name that may be one of [`KEYS`], and the longest word or number, in bytes.
const WORD_BYTES_MAX: usize = 32;

/// Names that mean something in requests and answers of language models.
macro_rules! keys {
    ($($key:ident $name:literal,)*) => {
        /// The name of a member, where it means something here.
        #[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
        pub enum Key {
            /// Any other.
            #[default]
            Other,
            $(#[doc = concat!("`", $name, "`.")] $key,)*
        }

        const KEYS: &[(&str, Key)] = &[$(($name, Key::$key)),*];
    };
}

keys! {
    Arguments "arguments",
    AttackDetected "attackDetected",
    BlocklistsMatch "blocklistsMatch",
    CacheCreationInputTokens "cache_creation_input_tokens",
    CacheReadInputTokens "cache_read_input_tokens",
    Candidates "candidates",
    CandidatesTokenCount "candidatesTokenCount",
    CategoriesAnalysis "categoriesAnalysis",
    Category "category",
    Choices "choices",
    CompletionTokens "completion_tokens",
    Content "content",
    Contents "contents",
    Delta "delta",
    Documents "documents",
    Functions "functions",
    ImageUrl "image_url",
    InlineData "inlineData",
    Input "input",
    InputAudio "input_audio",
    InputTokens "input_tokens",
    Instructions "instructions",
    MaxCompletionTokens "max_completion_tokens",
    MaxOutputTokens "max_output_tokens",
    MaxTokens "max_tokens",
    Message "message",
    Messages "messages",
    Output "output",
    OutputTokens "output_tokens",
    PartialJson "partial_json",
    Prompt "prompt",
    PromptTokenCount "promptTokenCount",
    PromptTokens "prompt_tokens",
    ReasoningContent "reasoning_content",
    Refusal "refusal",
    Response "response",
    Role "role",
    Severity "severity",
    Source "source",
    Stream "stream",
    System "system",
    SystemInstruction "systemInstruction",
    SystemInstructionSnake "system_instruction",
    Text "text",
    Thinking "thinking",
    Tools "tools",
    TotalTokenCount "totalTokenCount",
    TotalTokens "total_tokens",
    Type "type",
    Usage "usage",
    UsageMetadata "usageMetadata",
}

/// What is told of a document.
pub trait Sink {
    /// An object or a list begins here.
    fn enter(&mut self, path: &Path<'_>, is_list: bool);
    /// A member has this name.
    fn named(&mut self, path: &Path<'_>);
    /// Some of a string, without its escapes.
    fn text(&mut self, path: &Path<'_>, bytes: &[u8]);
    /// The string is at its end.
    fn text_end(&mut self, path: &Path<'_>);
    /// A whole number.
    fn number(&mut self, path: &Path<'_>, number: u64);
    /// `true` or `false`.
    fn truth(&mut self, path: &Path<'_>, is_true: bool);
}

/// Reads one document.
#[derive(Clone, Debug, Default)]
pub struct Scan {
    frames: Vec<Frame>,
    key: Key,
    state: State,
    word: Word,
    /// The first half of a character that is escaped in two.
    high: Option<u32>,
}

/// What is read of a name, a word or a number.
#[derive(Clone, Copy, Debug, Default)]
struct Word {
    bytes: [u8; WORD_BYTES_MAX],
    length: usize,
    is_too_long: bool,
}

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum State {
    /// A value begins, or the list ends.
    #[default]
    Value,
    /// A name begins, or the object ends.
    Name,
    /// The name goes on.
    InName,
    /// Before the colon.
    Colon,
    /// A string goes on.
    Text,
    /// Behind a backslash, in a name or not.
    Escape { is_name: bool },
    /// In the digits of an escape: how many are missing, and what they came to.
    Hex { is_name: bool, left: u8, code: u32 },
    /// A number, `true`, `false` or `null`.
    Plain,
    /// Behind a value.
    After,
    /// It cannot be read, or is over.
    Lost,
}

impl Word {
    fn push(&mut self, byte: u8) {
        match self.bytes.get_mut(self.length) {
            Some(slot) => {
                *slot = byte;
                self.length = self.length.saturating_add(1);
            }
            None => self.is_too_long = true,
        }
    }

    fn take(&mut self) -> Self {
        std::mem::take(self)
    }

    /// What it says; nothing if it is too long.
    fn text(&self) -> &str {
        let bytes = self.bytes.get(..self.length).unwrap_or_default();
        if self.is_too_long { "" } else { std::str::from_utf8(bytes).unwrap_or_default() }
    }

    fn key(&self) -> Key {
        let text = self.text();
        KEYS.iter().find(|(name, _)| *name == text).map_or(Key::Other, |(_, key)| *key)
    }
}

impl Scan {
    /// Reads on.
    pub fn feed(&mut self, mut bytes: &[u8], sink: &mut impl Sink) {
        while let Some(byte) = bytes.first().copied() {
            if self.state == State::Lost {
                return;
            }
            if self.state == State::Text {
                let is_end = |byte: &u8| matches!(byte, b'"' | b'\\');
                let end = bytes.iter().position(is_end).unwrap_or(bytes.len());
                let (run, rest) = bytes.split_at(end);
                if !run.is_empty() {
                    sink.text(&self.path(), run);
                }
                bytes = rest;
                if let Some(byte) = bytes.first().copied() {
                    bytes = bytes.get(1..).unwrap_or_default();
                    self.step(byte, sink);
                }
                continue;
            }
            bytes = bytes.get(1..).unwrap_or_default();
            self.step(byte, sink);
        }
    }

    /// The document is at its end: a number may have waited for it. Whether all of it was read.
    pub fn end(&mut self, sink: &mut impl Sink) -> bool {
        if self.state == State::Plain {
            self.plain(sink);
            self.state = State::After;
        }
        let is_whole = self.state == State::After && self.frames.is_empty();
        self.state = State::Lost;
        is_whole
    }

    fn path(&self) -> Path<'_> {
        Path { frames: &self.frames, key: self.key }
    }

    fn step(&mut self, byte: u8, sink: &mut impl Sink) {
        let is_space = matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        match self.state {
            State::Value | State::Name | State::Colon | State::After if is_space => (),
            State::Value => self.value(byte, sink),
            State::Name => match byte {
                b'"' => self.state = State::InName,
                b'}' => self.leave(),
                _ => self.state = State::Lost,
            },
            State::InName => match byte {
                b'"' => {
                    self.key = self.word.take().key();
                    sink.named(&self.path());
                    self.state = State::Colon;
                }
                b'\\' => self.state = State::Escape { is_name: true },
                _ => self.word.push(byte),
            },
            State::Colon => {
                self.state = if byte == b':' { State::Value } else { State::Lost };
            }
            State::Text if byte == b'"' => {
                self.high = None;
                sink.text_end(&self.path());
                self.state = State::After;
            }
            State::Text => self.state = State::Escape { is_name: false },
            State::Escape { is_name } => self.escape(byte, is_name, sink),
            State::Hex { is_name, left, code } => self.hex(byte, (is_name, left, code), sink),
            State::Plain if byte.is_ascii_alphanumeric() || b"+-.".contains(&byte) => {
                self.word.push(byte);
            }
            State::Plain => {
                self.plain(sink);
                self.state = State::After;
                self.step(byte, sink);
            }
            State::After => self.after(byte),
            State::Lost => (),
        }
    }

    fn value(&mut self, byte: u8, sink: &mut impl Sink) {
        match byte {
            b'"' => self.state = State::Text,
            b'{' | b'[' => {
                let is_list = byte == b'[';
                if DEPTH_MAX <= self.frames.len() {
                    self.state = State::Lost;
                    return;
                }
                sink.enter(&self.path(), is_list);
                self.frames.push(Frame { key: self.key, is_list });
                self.state = if is_list { State::Value } else { State::Name };
            }
            b']' => self.leave(),
            _ if byte.is_ascii_alphanumeric() || byte == b'-' => {
                self.word.push(byte);
                self.state = State::Plain;
            }
            _ => self.state = State::Lost,
        }
    }

    fn after(&mut self, byte: u8) {
        let is_list = self.frames.last().map(|frame| frame.is_list);
        match (byte, is_list) {
            (b',', Some(true)) => self.state = State::Value,
            (b',', Some(false)) => self.state = State::Name,
            (b']', Some(true)) | (b'}', Some(false)) => self.leave(),
            _ => self.state = State::Lost,
        }
    }

    /// Out of an object or a list.
    fn leave(&mut self) {
        if let Some(frame) = self.frames.pop() {
            // In a list its name goes on to hold; in an object the next one is read first.
            self.key = frame.key;
            self.state = State::After;
        } else {
            self.state = State::Lost;
        }
    }

    fn plain(&mut self, sink: &mut impl Sink) {
        let word = self.word.take();
        match word.text() {
            "true" => sink.truth(&self.path(), true),
            "false" => sink.truth(&self.path(), false),
            text => {
                // A fraction is cut off: tokens are whole.
                let whole = text.split(['.', 'e', 'E']).next().unwrap_or_default();
                if let Ok(number) = whole.parse() {
                    sink.number(&self.path(), number);
                }
            }
        }
    }

    fn escape(&mut self, byte: u8, is_name: bool, sink: &mut impl Sink) {
        if byte == b'u' {
            self.state = State::Hex { is_name, left: 4, code: 0 };
            return;
        }
        let meant = match byte {
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'b' | b'f' => b' ',
            other => other,
        };
        self.put(&[meant], is_name, sink);
    }

    fn hex(&mut self, byte: u8, (is_name, left, code): (bool, u8, u32), sink: &mut impl Sink) {
        let Some(digit) = char::from(byte).to_digit(16) else {
            self.state = State::Lost;
            return;
        };
        let code = (code << 4) | digit;
        if 1 < left {
            self.state = State::Hex { is_name, left: left.saturating_sub(1), code };
            return;
        }
        let code = match (self.high.take(), code) {
            (Some(high), 0xdc00..=0xdfff) => {
                0x1_0000_u32.saturating_add((high & 0x3ff) << 10).saturating_add(code & 0x3ff)
            }
            (_, 0xd800..=0xdbff) => {
                self.high = Some(code);
                self.state = if is_name { State::InName } else { State::Text };
                return;
            }
            _ => code,
        };
        let mut room = [0; 4];
        let meant = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
        let text = meant.encode_utf8(&mut room);
        self.put(text.as_bytes(), is_name, sink);
    }

    /// Goes on in the name or string in which `bytes` stood as an escape.
    fn put(&mut self, bytes: &[u8], is_name: bool, sink: &mut impl Sink) {
        if is_name {
            for byte in bytes {
                self.word.push(*byte);
            }
            self.state = State::InName;
        } else {
            self.state = State::Text;
            sink.text(&self.path(), bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// All that is told, in words.
    #[derive(Debug, Default, Eq, PartialEq)]
    struct Told {
        words: Vec<String>,
        text: Vec<u8>,
    }

    impl Sink for Told {
        fn enter(&mut self, path: &Path<'_>, is_list: bool) {
            self.words.push(format!("{:?} {} {is_list}", path.key(), path.depth()));
        }

        fn named(&mut self, path: &Path<'_>) {
            self.words.push(format!("{:?}:", path.key()));
        }

        fn text(&mut self, _: &Path<'_>, bytes: &[u8]) {
            self.text.extend_from_slice(bytes);
        }

        fn text_end(&mut self, path: &Path<'_>) {
            let text = String::from_utf8_lossy(&std::mem::take(&mut self.text)).into_owned();
            self.words.push(format!("{:?}/{:?} {text:?}", path.top(), path.key()));
        }

        fn number(&mut self, path: &Path<'_>, number: u64) {
            self.words.push(format!("{:?} {number}", path.key()));
        }

        fn truth(&mut self, path: &Path<'_>, is_true: bool) {
            self.words.push(format!("{:?} {is_true}", path.key()));
        }
    }

    fn told(pieces: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Vec<String> {
        let (mut scan, mut told) = (Scan::default(), Told::default());
        for piece in pieces {
            scan.feed(piece.as_ref(), &mut told);
        }
        scan.end(&mut told);
        told.words
    }

    const DOCUMENT: &str = r#" {"messages":[{"role":"user","content":[{"type":"text","text":"a\n\"\u00e9\ud83d\ude00\\"},
        "b"]}],"stream" : true, "x":{"usage":null,"max_tokens":12.0}, "max_tokens":7}"#;

    #[test]
    fn what_stands_where_is_told_whatever_the_pieces() {
        let whole = told([DOCUMENT.as_bytes()]);
        let expected = [
            "Other 0 false",
            "Messages:",
            "Messages 1 true",
            "Messages 2 false",
            "Role:",
            "Messages/Role \"user\"",
            "Content:",
            "Content 3 true",
            "Content 4 false",
            "Type:",
            "Messages/Type \"text\"",
            "Text:",
            "Messages/Text \"a\\n\\\"é😀\\\\\"",
            "Messages/Content \"b\"",
            "Stream:",
            "Stream true",
            "Other:",
            "Other 1 false",
            "Usage:",
            "MaxTokens:",
            "MaxTokens 12",
            "MaxTokens:",
            "MaxTokens 7",
        ];
        assert_eq!(whole, expected);
        for size in 1..DOCUMENT.len() {
            assert_eq!(told(DOCUMENT.as_bytes().chunks(size)), whole, "{size}");
        }
    }

    #[test]
    fn what_is_nested_too_deep_or_is_no_json_ends_the_reading() {
        let deep = "[".repeat(DEPTH_MAX + 1);
        assert_eq!(told([deep.as_bytes()]).len(), DEPTH_MAX);
        assert_eq!(told([&br#"{"stream":true]"max_tokens":1}"#[..]]).len(), 3);
        assert_eq!(told([&b"42"[..]]), ["Other 42"]);
        assert!(told([&b"]"[..]]).is_empty() && told([&b"\"a"[..]]).is_empty());
        let long = format!(r#"{{"{}":1}}"#, "stream".repeat(WORD_BYTES_MAX));
        assert_eq!(told([long.as_bytes()]), ["Other 0 false", "Other:", "Other 1"]);
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(
            text in "([\\[\\]{}:,\"\\\\ u0d8fa-]|\"content\"|\"usage\"|\\\\ud83d|true|12|é){0,60}",
            size in 1_usize..9,
        ) {
            prop_assert_eq!(told(text.as_bytes().chunks(size)), told([text.as_bytes()]));
        }
    }
}
