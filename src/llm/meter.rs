//! Counts the tokens of an answer while it passes.
//!
//! An answer is one JSON document, or a stream of server-sent events with a document each. Its
//! `usage` counts; of a stream, the most that any of its events says, since some models repeat it
//! and some say it in two parts. Where there is none, the prompt counts as it was estimated, and
//! the text of the answer is estimated, of a stream event by event. So is the text of a stream that
//! comes after the last count of its answer, where no event says the sum: it may have been left
//! early.

use crate::llm::estimate::Estimate;
use crate::llm::json::{Key, Path, Scan, Sink};

/// The longest name of a kind of event, in bytes.
const TYPE_BYTES_MAX: usize = 64;

/// What a call cost.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Spent {
    /// Tokens of the prompt.
    pub prompt: u64,
    /// Tokens of the answer.
    pub answer: u64,
    /// All of them, as the model counts them.
    pub total: u64,
    /// Whether the model said so; else it is estimated.
    pub is_reported: bool,
}

impl Spent {
    /// What two calls cost together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        if self == Self::default() {
            return other;
        }
        if other == Self::default() {
            return self;
        }
        Self {
            prompt: self.prompt.saturating_add(other.prompt),
            answer: self.answer.saturating_add(other.answer),
            total: self.total.saturating_add(other.total),
            is_reported: self.is_reported && other.is_reported,
        }
    }
}

/// Counts the tokens of one answer.
#[derive(Debug)]
pub struct Meter {
    form: Form,
    /// Whether the backend did what it was asked.
    is_answer: bool,
    scan: Scan,
    reader: Reader,
}

/// How the answer is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Form {
    Document,
    Events(Line),
    /// In a way that cannot be read.
    Opaque,
}

/// Where in a line of a stream the next byte stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Line {
    /// So many bytes of `data:` were there.
    Field(usize),
    /// Behind it, where one space may be.
    Begin,
    Data,
    /// Of something else.
    Skip,
}

const DATA: &[u8] = b"data:";

/// What is read of an answer.
#[derive(Debug, Default)]
struct Reader {
    prompt: Option<u64>,
    answer: Option<u64>,
    total: Option<u64>,
    /// Of the prompt, what was read from a cache, which is not in what it has.
    cache_read: Option<u64>,
    /// What was written to it.
    cache_written: Option<u64>,
    /// Of `text`, what had come when the answer was last counted.
    counted: u64,
    /// Whether the document that is read counts the answer.
    is_counted: bool,
    /// Texts of documents that are over.
    text: u64,
    /// The text of the document that is read.
    here: Estimate,
    kind: Vec<u8>,
}

impl Meter {
    /// A meter of the answer with this status, `Content-Type` and `Content-Encoding`.
    pub fn new(status: u16, content_type: &str, coding: &str) -> Self {
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        let is = |known: &str| essence.eq_ignore_ascii_case(known);
        let is_plain = coding.is_empty() || coding.eq_ignore_ascii_case("identity");
        let is_document = is("application/json")
            || essence
                .len()
                .checked_sub(5)
                .and_then(|at| essence.get(at..))
                .is_some_and(|end| end.eq_ignore_ascii_case("+json"));
        let form = if !is_plain {
            Form::Opaque
        } else if is("text/event-stream") {
            Form::Events(Line::Field(0))
        } else if is_document {
            Form::Document
        } else {
            Form::Opaque
        };
        let is_answer = (200..300).contains(&status);
        Self { form, is_answer, scan: Scan::default(), reader: Reader::default() }
    }

    /// Whether all that is to be known comes with one document.
    pub fn is_document(&self) -> bool {
        self.is_answer && self.form == Form::Document
    }

    /// Some of the body passes.
    pub fn feed(&mut self, mut piece: &[u8]) {
        match self.form {
            Form::Opaque => (),
            Form::Document => self.scan.feed(piece, &mut self.reader),
            Form::Events(mut line) => {
                while !piece.is_empty() {
                    (line, piece) = self.event(line, piece);
                }
                self.form = Form::Events(line);
            }
        }
    }

    /// What the call cost as far as is known, with `prompt` tokens estimated of what was asked. A
    /// backend that did not do what it was asked cost nothing, unless it says so.
    pub fn spent(&self, prompt: u64) -> Spent {
        let said = self.reader.asked();
        let Reader { answer, total, text, here, .. } = &self.reader;
        if said.is_none() && answer.is_none() && total.is_none() {
            if !self.is_answer {
                return Spent::default();
            }
            let answer = text.saturating_add(here.tokens());
            let total = prompt.saturating_add(answer);
            return Spent { prompt, answer, total, is_reported: false };
        }
        let answer = match (self.form, total) {
            (Form::Events(_), None) => {
                Some(answer.unwrap_or(0).saturating_add(self.reader.uncounted()))
            }
            (Form::Events(_) | Form::Document | Form::Opaque, _) => *answer,
        };
        let sum = said.unwrap_or(0).saturating_add(answer.unwrap_or(0));
        let total = total.unwrap_or(sum).max(sum);
        let prompt = said.unwrap_or_else(|| total.saturating_sub(answer.unwrap_or(0)));
        let answer = answer.unwrap_or_else(|| total.saturating_sub(prompt));
        Spent { prompt, answer, total, is_reported: true }
    }

    /// Reads a part of a stream that belongs together; what is left.
    fn event<'p>(&mut self, line: Line, piece: &'p [u8]) -> (Line, &'p [u8]) {
        let is_end = |byte: &u8| matches!(byte, b'\n' | b'\r');
        match line {
            Line::Field(read) => {
                let (first, rest) = piece.split_at(1);
                let next = match first.first() {
                    Some(b'\n' | b'\r') => Line::Field(0),
                    byte if byte == DATA.get(read) => {
                        let read = read.saturating_add(1);
                        if read == DATA.len() {
                            // Each line of data is a document: no model writes one in several.
                            self.next_document();
                            Line::Begin
                        } else {
                            Line::Field(read)
                        }
                    }
                    _ => Line::Skip,
                };
                (next, rest)
            }
            Line::Begin => match piece.split_first() {
                Some((b' ', rest)) => (Line::Data, rest),
                _ => (Line::Data, piece),
            },
            Line::Data | Line::Skip => {
                let end = piece.iter().position(is_end);
                let (read, rest) = piece.split_at(end.unwrap_or(piece.len()));
                if line == Line::Data {
                    self.scan.feed(read, &mut self.reader);
                }
                if end.is_none() {
                    return (line, rest);
                }
                if line == Line::Data {
                    self.scan.end(&mut self.reader);
                    self.reader.close();
                }
                (Line::Field(0), rest.get(1..).unwrap_or_default())
            }
        }
    }

    fn next_document(&mut self) {
        self.reader.close();
        self.scan = Scan::default();
    }
}

impl Reader {
    /// The document is over.
    fn close(&mut self) {
        let kind = std::mem::take(&mut self.kind);
        // Other events of the Responses API repeat what those have told.
        let repeats = kind.starts_with(b"response.") && !kind.ends_with(b".delta");
        let here = std::mem::take(&mut self.here).tokens();
        if !repeats {
            self.text = self.text.saturating_add(here);
        }
        if std::mem::take(&mut self.is_counted) {
            self.counted = self.text;
        }
    }

    /// What the model says that the prompt had, with what a cache did for it.
    fn asked(&self) -> Option<u64> {
        let parts = [self.prompt, self.cache_read, self.cache_written];
        parts.into_iter().flatten().reduce(u64::saturating_add)
    }

    /// The tokens of the text since the answer was last counted, about.
    fn uncounted(&self) -> u64 {
        if self.is_counted {
            return 0;
        }
        self.text.saturating_add(self.here.tokens()).saturating_sub(self.counted)
    }

    fn count_answer(&mut self, number: u64) {
        if self.answer.is_none_or(|known| known <= number) {
            self.is_counted = true;
        }
        Self::report(&mut self.answer, number);
    }

    fn report(slot: &mut Option<u64>, number: u64) {
        *slot = Some(slot.unwrap_or(0).max(number));
    }
}

/// Whether what stands there is text of the answer.
pub(super) fn is_answer(path: &Path<'_>) -> bool {
    let is_place = matches!(
        path.top(),
        Key::Choices | Key::Output | Key::Content | Key::Delta | Key::Candidates
    );
    is_place
        && matches!(
            path.key(),
            Key::Content
                | Key::Text
                | Key::Arguments
                | Key::Refusal
                | Key::ReasoningContent
                | Key::Thinking
                | Key::PartialJson
                | Key::Delta
        )
}

impl Sink for Reader {
    fn enter(&mut self, _path: &Path<'_>, _is_list: bool) {}

    fn named(&mut self, _path: &Path<'_>) {}

    fn text(&mut self, path: &Path<'_>, bytes: &[u8]) {
        if path.key() == Key::Type && path.depth() == 1 {
            let room = TYPE_BYTES_MAX.saturating_sub(self.kind.len()).min(bytes.len());
            self.kind.extend_from_slice(bytes.get(..room).unwrap_or_default());
        } else if is_answer(path) {
            self.here.feed(bytes);
        }
    }

    fn text_end(&mut self, _path: &Path<'_>) {
        self.here.cut();
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "no other number counts tokens")]
    fn number(&mut self, path: &Path<'_>, number: u64) {
        let is_usage = matches!(path.parent(), Key::Usage | Key::UsageMetadata)
            && (path.depth() == 2
                || path.depth() == 3 && matches!(path.top(), Key::Response | Key::Message));
        if !is_usage {
            return;
        }
        match path.key() {
            Key::PromptTokens | Key::InputTokens | Key::PromptTokenCount => {
                Self::report(&mut self.prompt, number);
            }
            Key::CompletionTokens | Key::OutputTokens | Key::CandidatesTokenCount => {
                self.count_answer(number);
            }
            Key::CacheReadInputTokens => Self::report(&mut self.cache_read, number),
            Key::CacheCreationInputTokens => Self::report(&mut self.cache_written, number),
            Key::TotalTokens | Key::TotalTokenCount => Self::report(&mut self.total, number),
            _ => (),
        }
    }

    fn truth(&mut self, _path: &Path<'_>, _is_true: bool) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STREAM: &str = "text/event-stream; charset=utf-8";

    fn spent(kind: &str, body: &str, size: usize) -> Spent {
        let mut meter = Meter::new(200, kind, "");
        body.as_bytes().chunks(size).for_each(|piece| meter.feed(piece));
        meter.spent(100)
    }

    fn reported(prompt: u64, answer: u64, total: u64) -> Spent {
        Spent { prompt, answer, total, is_reported: true }
    }

    fn estimated(answer: u64) -> Spent {
        Spent { prompt: 100, answer, total: 100 + answer, is_reported: false }
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn usage_is_read_in_the_answers_of_every_api_whatever_their_pieces() {
        let cases = [
            // Chat completions: what a model writes cannot say what it cost.
            (
                "application/json",
                r#"{"choices":[{"message":{"role":"assistant","content":"{\"usage\":{\"total_tokens\":1}}"}}],
                "usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12,"completion_tokens_details":{"reasoning_tokens":2}}}"#,
                reported(9, 3, 12),
            ),
            // Embeddings.
            (
                "application/json; charset=utf-8",
                r#"{"data":[{"embedding":[0.1,-2e-3]}],"usage":{"prompt_tokens":8,"total_tokens":8}}"#,
                reported(8, 0, 8),
            ),
            // Responses.
            (
                "application/json",
                r#"{"output":[{"content":[{"text":"Hi"}]}],"usage":{"input_tokens":5,"output_tokens":2,"total_tokens":7}}"#,
                reported(5, 2, 7),
            ),
            // Chat completions as a stream, with and without usage.
            (
                STREAM,
                "data: {\"choices\":[{\"delta\":{\"content\":\"Hello\"}}],\"usage\":null}\n\n\
                 data: {\"choices\":[],\"usage\":{\"prompt_tokens\":4,\"completion_tokens\":6,\"total_tokens\":10}}\n\n\
                 data: [DONE]\n\n",
                reported(4, 6, 10),
            ),
            (
                STREAM,
                ": hello\r\nevent: x\r\ndata:{\"choices\":[{\"delta\":{\"content\":\"Hello\"}}]}\r\n\r\n\
                 data: {\"choices\":[{\"delta\":{\"content\":\", world!\"}}]}\r\n\r\ndata: [DONE]",
                estimated(1 + 3),
            ),
            // Responses as a stream.
            (
                STREAM,
                "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"Hi\"}\n\n\
                 data: {\"type\":\"response.output_text.done\",\"delta\":\"Hi\",\"text\":\"Hi\"}\n\n",
                estimated(1),
            ),
            (
                STREAM,
                "data: {\"type\":\"response.completed\",\"response\":{\"usage\":{\"input_tokens\":3,\"output_tokens\":4,\"total_tokens\":7}}}\n\n",
                reported(3, 4, 7),
            ),
            // Messages as a stream: in two parts.
            (
                STREAM,
                "data: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":25,\"output_tokens\":1}}}\n\n\
                 data: {\"type\":\"content_block_delta\",\"delta\":{\"text\":\"Hello\"}}\n\n\
                 data: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":15}}\n\n",
                reported(25, 15, 40),
            ),
            // Left early, after one count of the answer.
            (
                STREAM,
                "data: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":25,\"output_tokens\":1}}}\n\n\
                 data: {\"type\":\"content_block_delta\",\"delta\":{\"text\":\"Hello\"}}\n\n\
                 data: {\"type\":\"content_block_delta\",\"delta\":{\"text\":\", world!\"}}\n\n",
                reported(25, 1 + 1 + 3, 30),
            ),
            // With a cache.
            (
                "application/json",
                r#"{"content":[{"type":"text","text":"Hi"}],"usage":{"input_tokens":5,"cache_creation_input_tokens":100,"cache_read_input_tokens":1000,"output_tokens":2}}"#,
                reported(1_105, 2, 1_107),
            ),
            (
                STREAM,
                "data: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":5,\"cache_read_input_tokens\":10,\"output_tokens\":1}}}\n\n\
                 data: {\"type\":\"message_delta\",\"usage\":{\"cache_read_input_tokens\":10,\"output_tokens\":7}}\n\n",
                reported(15, 7, 22),
            ),
            // Vertex.
            (
                "application/json",
                r#"{"candidates":[{"content":{"parts":[{"text":"Hi"}]}}],"usageMetadata":{"promptTokenCount":2,"candidatesTokenCount":3,"totalTokenCount":9}}"#,
                reported(2, 3, 9),
            ),
            // Vertex, as a list that comes bit by bit.
            (
                "application/json",
                r#"[{"candidates":[{"content":{"parts":[{"text":"H"}]}}],"usageMetadata":{"promptTokenCount":2}},
                {"candidates":[{"content":{"parts":[{"text":"i"}]}}],"usageMetadata":{"promptTokenCount":2,"candidatesTokenCount":3,"totalTokenCount":5}}]"#,
                reported(2, 3, 5),
            ),
            // No usage.
            (
                "application/json",
                r#"{"choices":[{"message":{"content":"Hello, world!"}},{"text":"Hi"}]}"#,
                estimated(5),
            ),
            ("application/problem+json", r#"{"title":"content"}"#, estimated(0)),
            ("audio/mpeg", "{\"usage\":{\"total_tokens\":1}}", estimated(0)),
        ];
        for (kind, body, expected) in cases {
            for size in 1..=body.len() {
                assert_eq!(spent(kind, body, size), expected, "{size}: {body}");
            }
        }
    }

    #[test]
    fn an_error_costs_nothing_unless_it_says_so() {
        let mut meter = Meter::new(429, "application/json", "");
        meter.feed(br#"{"error":{"message":"no"}}"#);
        assert_eq!(meter.spent(100), Spent::default());
        let mut meter = Meter::new(400, "application/json", "");
        meter.feed(br#"{"usage":{"prompt_tokens":3}}"#);
        assert_eq!(meter.spent(100), reported(3, 0, 3));
    }

    #[test]
    fn what_is_coded_cannot_be_read_and_the_prompt_counts() {
        let mut meter = Meter::new(200, "application/json", "gzip");
        meter.feed(br#"{"usage":{"prompt_tokens":3}}"#);
        assert_eq!(meter.spent(100), estimated(0));
        assert!(!meter.is_document());
        assert!(Meter::new(200, "application/json", "identity").is_document());
        assert!(!Meter::new(500, "application/json", "").is_document());
    }

    #[test]
    fn a_hostile_answer_is_worth_no_more_than_numbers_hold() {
        let body = format!(
            r#"{{"usage":{{"prompt_tokens":{0},"completion_tokens":{0},"total_tokens":1}}}}"#,
            u64::MAX
        );
        let most = spent("application/json", &body, 7);
        assert_eq!((most.total, most.answer), (u64::MAX, u64::MAX));
        let endless = format!("data: {{\"type\":\"{}\"}}\n\n", "x".repeat(100_000));
        assert_eq!(spent(STREAM, &endless, 1_000), estimated(0));
    }

    proptest! {
        #[test]
        fn pieces_of_a_stream_do_not_matter(
            body in "(data:|data: |event: x|\n|\r\n|\\{\"usage\":\\{\"total_tokens\":[1-9]\\}\\}|\\{\"delta\":\"a b\"\\}|x){0,30}",
            size in 1_usize..9,
        ) {
            prop_assert_eq!(spent(STREAM, &body, size), spent(STREAM, &body, body.len().max(1)));
        }
    }
}
