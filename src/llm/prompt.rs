//! What a request asks of a language model: about how many tokens its prompt has, how many it
//! wants back at most, and whether it wants them as a stream.
//!
//! Known are requests of `OpenAI`'s Chat Completions, Completions, Embeddings and Responses, of
//! Anthropic's Messages and of Google's Vertex AI. Texts are [estimated](crate::llm::estimate);
//! each message has [`MESSAGE_TOKENS`] more for its frame, an image [`IMAGE_TOKENS`], and prompts
//! that are lists of tokens are counted. Sound is not counted.

use crate::llm::estimate::Estimate;
use crate::llm::json::{Key, Path, Scan, Sink};

/// The tokens that say who a message is from, and where it ends.
pub const MESSAGE_TOKENS: u64 = 4;
/// The tokens that say that an answer begins.
pub const ANSWER_TOKENS: u64 = 3;
/// The tokens of an image: the most that one has, as API Management counts it.
pub const IMAGE_TOKENS: u64 = 1_200;
/// What a text may begin with that is no part of it.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// What a body in several parts, such as a form, begins with.
const PARTS: &[u8] = b"--";

/// What a request asks of a language model.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Prompt {
    /// How many tokens the prompt has, about.
    pub tokens: u64,
    /// Whether the answer is to come as a stream.
    pub is_streamed: bool,
    /// How many tokens the answer may have, if the request says so.
    pub answer_max: Option<u64>,
}

impl Prompt {
    /// Reads the body of a request. Somebody else may read more in one that is no whole object of
    /// JSON: it counts as the text that it is at least, and its answer as a stream. Of one in
    /// several parts nothing is known.
    pub fn of(body: &[u8]) -> Self {
        let body = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
        let mut reader = Reader::default();
        let mut scan = Scan::default();
        scan.feed(body, &mut reader);
        let is_whole = scan.end(&mut reader);
        let Reader { mut prompt, text } = reader;
        prompt.tokens = text.tokens();
        let is_read = is_whole && body.trim_ascii_start().starts_with(b"{");
        if !body.is_empty() && !is_read && !body.starts_with(PARTS) {
            prompt.tokens = prompt.tokens.max(Estimate::of(body));
            prompt.is_streamed = true;
        }
        prompt
    }
}

#[derive(Debug, Default)]
struct Reader {
    prompt: Prompt,
    text: Estimate,
}

/// Whether what stands there is part of the prompt.
pub(super) fn is_prompt(path: &Path<'_>) -> bool {
    matches!(
        path.top(),
        Key::Messages
            | Key::Contents
            | Key::Documents
            | Key::Functions
            | Key::Input
            | Key::Instructions
            | Key::Prompt
            | Key::System
            | Key::SystemInstruction
            | Key::SystemInstructionSnake
            | Key::Tools
    )
}

/// Whether it is in what no text is: images, sounds.
pub(super) fn is_media(path: &Path<'_>) -> bool {
    const MEDIA: [Key; 4] = [Key::ImageUrl, Key::InlineData, Key::InputAudio, Key::Source];
    MEDIA.iter().any(|media| path.key() == *media || path.is_within(*media))
}

fn is_tool(path: &Path<'_>) -> bool {
    matches!(path.top(), Key::Tools | Key::Functions)
}

impl Sink for Reader {
    fn enter(&mut self, path: &Path<'_>, is_list: bool) {
        let is_message = matches!(path.key(), Key::Messages | Key::Contents)
            && path.depth() == 2
            && path.is_in_list()
            && !is_list;
        if is_message {
            self.text.add(MESSAGE_TOKENS);
        } else if path.depth() == 1 && matches!(path.key(), Key::Messages | Key::Contents) {
            self.text.add(ANSWER_TOKENS);
        }
    }

    fn named(&mut self, path: &Path<'_>) {
        if !is_prompt(path) {
            return;
        }
        if is_tool(path) && 1 < path.depth() {
            self.text.add(1);
        } else if matches!(path.key(), Key::ImageUrl | Key::InlineData | Key::Source)
            // The address in an image is not another one.
            && !path.is_within(path.key())
        {
            self.text.add(IMAGE_TOKENS);
        }
    }

    fn text(&mut self, path: &Path<'_>, bytes: &[u8]) {
        let is_frame = matches!(path.key(), Key::Role | Key::Type) && !is_tool(path);
        if is_prompt(path) && !is_frame && !is_media(path) {
            self.text.feed(bytes);
        }
    }

    fn text_end(&mut self, _path: &Path<'_>) {
        self.text.cut();
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "no other number says something")]
    fn number(&mut self, path: &Path<'_>, number: u64) {
        match path.key() {
            Key::MaxTokens | Key::MaxCompletionTokens | Key::MaxOutputTokens
                if path.depth() == 1 =>
            {
                let known = self.prompt.answer_max.unwrap_or(0);
                self.prompt.answer_max = Some(number.max(known));
            }
            Key::Prompt | Key::Input if path.is_in_list() => self.text.add(1),
            _ => (),
        }
    }

    fn truth(&mut self, path: &Path<'_>, is_true: bool) {
        if path.key() == Key::Stream && path.depth() == 1 {
            self.prompt.is_streamed = is_true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(body: &str) -> u64 {
        Prompt::of(body.as_bytes()).tokens
    }

    #[test]
    fn prompts_of_every_api_are_read() {
        for (body, expected) in [
            (r#"{"messages":[{"role":"user","content":"Hello, world!"}]}"#, 4 + 4 + 3),
            (
                r#"{"messages":[{"role":"system","content":"Hi"},
                {"role":"user","content":[{"type":"text","text":"Hello, world!"}]}]}"#,
                (4 + 1) + (4 + 4) + 3,
            ),
            (r#"{"prompt":"Hello, world!"}"#, 4),
            (r#"{"prompt":["Hello, world!","Hi"]}"#, 5),
            (r#"{"input":[[1,2,3],[4]]}"#, 4),
            (r#"{"input":"Hi","instructions":"Hello, world!"}"#, 5),
            (
                r#"{"system":"Hi","messages":[{"role":"user","content":"Hi"}],"max_tokens":9}"#,
                1 + 4 + 1 + 3,
            ),
            (r#"{"contents":[{"role":"user","parts":[{"text":"Hi"}]}]}"#, 4 + 1 + 3),
            (r#"{"tools":[{"name":"now"}]}"#, 2),
            (r#"{"metadata":{"prompt":"Hello"},"model":"m"}"#, 0),
            (
                r#"{"systemInstruction":{"role":"system","parts":[{"text":"Hi"}]},"contents":[]}"#,
                1 + 3,
            ),
            (r#"{"system_instruction":{"parts":[{"text":"Hi"}]}}"#, 1),
            ("Hello", 1),
            ("\u{feff}{\"prompt\":\"Hello, world!\"}", 4),
            ("\u{feff}", 0),
            ("--b\r\n\r\nHello\r\n--b--", 0),
            // What cannot be read hides nothing.
            (r#"{"prompt":"Hello, world!""#, 8),
            ("", 0),
        ] {
            assert_eq!(tokens(body), expected, "{body}");
        }
    }

    #[test]
    fn an_image_counts_as_the_largest_and_its_bytes_do_not() {
        let image =
            |part: &str| format!(r#"{{"messages":[{{"role":"user","content":[{part}]}}]}}"#);
        let bytes = "A".repeat(10_000);
        for part in [
            format!(r#"{{"type":"image_url","image_url":{{"url":"data:;base64,{bytes}"}}}}"#),
            format!(r#"{{"type":"input_image","image_url":"data:;base64,{bytes}"}}"#),
            format!(r#"{{"type":"image","source":{{"type":"base64","data":"{bytes}"}}}}"#),
        ] {
            assert_eq!(tokens(&image(&part)), 4 + 3 + IMAGE_TOKENS, "{part:.40}");
        }
    }

    #[test]
    fn what_is_wanted_back_is_read() {
        let of = |body: &str| {
            let Prompt { is_streamed, answer_max, .. } = Prompt::of(body.as_bytes());
            (is_streamed, answer_max)
        };
        assert_eq!(of(r#"{"stream":true,"max_tokens":5}"#), (true, Some(5)));
        assert_eq!(of(r#"{"max_tokens":5,"max_completion_tokens":9}"#), (false, Some(9)));
        assert_eq!(of(r#"{"max_output_tokens":7,"stream":false}"#), (false, Some(7)));
        assert_eq!(of(r#"{"a":{"stream":true,"max_tokens":5}}"#), (false, None));
        assert_eq!(of(r#"{"max_tokens":-5}"#), (false, None));
        assert_eq!(of("\u{feff}{\"stream\":true,\"max_tokens\":5}"), (true, Some(5)));
        for unread in ["Hello", r#"{"stream":false"#, "[1]", r#"{"stream":false}{}"#] {
            assert_eq!(of(unread), (true, None), "{unread}");
        }
        assert_eq!((of(""), of("--b--")), ((false, None), (false, None)));
    }
}
