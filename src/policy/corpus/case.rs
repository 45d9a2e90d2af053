//! The files of the corpus: cases, and the blocks that a case is written in.

use std::fmt;

/// A file of the corpus.
#[derive(Clone, Debug)]
pub(super) struct File {
    pub(super) name: String,
    /// What stands before the first case, for whoever reads the file.
    pub(super) preamble: String,
    pub(super) cases: Vec<Case>,
}

/// A case.
#[derive(Clone, Debug)]
pub(super) struct Case {
    /// Where it begins, from 1.
    pub(super) line: usize,
    pub(super) title: String,
    pub(super) blocks: Vec<Block>,
}

/// A part of a case.
#[derive(Clone, Debug)]
pub(super) struct Block {
    pub(super) label: String,
    /// Its lines, without empty ones at the end.
    pub(super) text: String,
}

impl File {
    /// Reads a file; the error says where it is malformed, and how.
    pub(super) fn parse(name: &str, text: &str) -> Result<Self, String> {
        let mut file =
            Self { name: name.to_owned(), preamble: String::new(), cases: Vec::<Case>::new() };
        for (index, line) in text.lines().enumerate() {
            let number = index + 1;
            if let Some(title) = line.strip_prefix("=== ") {
                let title = title.trim().to_owned();
                if file.cases.iter().any(|case| case.title == title) {
                    return Err(format!("{name}:{number}: two cases have this title: {title}"));
                }
                file.cases.push(Case { line: number, title, blocks: Vec::new() });
            } else if let Some(label) = line.strip_prefix("--- ") {
                let Some(case) = file.cases.last_mut() else {
                    return Err(format!("{name}:{number}: a block stands before the first case"));
                };
                let label = label.trim().to_owned();
                case.blocks.push(Block { label, text: String::new() });
            } else {
                let text = match file.cases.last_mut().map(|case| case.blocks.last_mut()) {
                    None => &mut file.preamble,
                    Some(Some(block)) => &mut block.text,
                    Some(None) if line.trim().is_empty() => continue,
                    Some(None) => {
                        return Err(format!("{name}:{number}: text stands outside of a block"));
                    }
                };
                text.push_str(line);
                text.push('\n');
            }
        }
        let blocks = file.cases.iter_mut().flat_map(|case| &mut case.blocks);
        for text in blocks.map(|block| &mut block.text).chain([&mut file.preamble]) {
            text.truncate(text.trim_end().len());
        }
        if file.cases.is_empty() {
            return Err(format!("{name}: there is no case in it"));
        }
        Ok(file)
    }
}

impl Case {
    /// Whether one of its documents has the policy `name`.
    pub(super) fn uses(&self, name: &str) -> bool {
        let opens = |after: &str| {
            after.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '\n', '>', '/']))
        };
        self.blocks.iter().any(|block| block.text.split('<').any(opens))
    }

    /// Whether it ends in a fault, or an error is raised on its way.
    pub(super) fn goes_wrong(&self) -> bool {
        let raised = |text: &str| text.lines().any(|line| line.starts_with("error "));
        let mut then = self.blocks.iter().filter(|block| block.label == "then");
        self.is_faulty() || then.any(|block| raised(&block.text))
    }

    /// Whether it is about what is wrong with its documents.
    pub(super) fn is_faulty(&self) -> bool {
        self.blocks.iter().any(|block| block.label == "faults")
    }
}

impl fmt::Display for File {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let preamble = (!self.preamble.is_empty()).then(|| format!("{}\n", self.preamble));
        let cases = self.cases.iter().map(ToString::to_string);
        let parts: Vec<String> = preamble.into_iter().chain(cases).collect();
        formatter.write_str(&parts.join("\n"))
    }
}

impl fmt::Display for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "=== {}", self.title)?;
        for block in &self.blocks {
            writeln!(formatter, "--- {}", block.label)?;
            if !block.text.is_empty() {
                writeln!(formatter, "{}", block.text)?;
            }
        }
        Ok(())
    }
}

#[test]
fn a_file_is_written_as_it_is_read() {
    let text = "About.\n\n=== one\n--- inbound\n<a>\n\n  b\n--- GET /\n\n=== two\n--- faults\nx\n";
    assert_eq!(File::parse("f", text).unwrap().to_string(), text);
}

#[test]
fn what_is_no_file_says_where() {
    let refused = |text: &str| File::parse("f", text).unwrap_err();
    assert_eq!(refused(""), "f: there is no case in it");
    assert_eq!(refused("--- inbound"), "f:1: a block stands before the first case");
    assert_eq!(refused("=== a\n\nx"), "f:3: text stands outside of a block");
    assert_eq!(refused("=== a\n=== a"), "f:2: two cases have this title: a");
}
