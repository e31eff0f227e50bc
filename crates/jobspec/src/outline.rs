//! The brackets of a file that the parser could not read: which blocks are open at the place of the mistake, and
//! whether a string, a heredoc or a comment before it never ends.

use crate::Span;

/// What is known without a syntax tree.
#[derive(Debug, Default)]
pub(crate) struct Outline {
    /// The braces open at the place, from the outermost to the innermost.
    pub(crate) open: Vec<Open>,
    /// The first thing that never ends.
    pub(crate) broken: Option<Broken>,
}

/// An open brace.
#[derive(Debug, Clone)]
pub(crate) struct Open {
    /// What stands before it: `task "python"`, or `env =` for an object.
    pub(crate) header: Span,
    /// The brace itself.
    pub(crate) brace: usize,
}

/// Something without an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Broken {
    /// A quoted string that reaches over a line's end.
    String(Span),
    /// A heredoc without its closing word.
    Heredoc(Span),
    /// A `/*` without its `*/`.
    Comment(Span),
}

impl Broken {
    pub(crate) fn span(&self) -> &Span {
        let (Broken::String(span) | Broken::Heredoc(span) | Broken::Comment(span)) = self;
        span
    }
}

impl Outline {
    /// Reads `text` and remembers what is open at `place`.
    pub(crate) fn of(text: &str, place: usize) -> Self {
        Scan::new(text, place).run()
    }

    /// The headers of the open blocks.
    pub(crate) fn blocks(&self, text: &str) -> Vec<String> {
        let headers = self.open.iter().map(|open| &text[open.header.clone()]);
        headers
            .take_while(|header| !header.contains(['=', ':']))
            .map(str::to_owned)
            .collect()
    }
}

enum Frame {
    Brace(Open),
    Bracket,
    String { start: usize },
    Interpolation,
}

struct Scan<'a> {
    text: &'a str,
    place: usize,
    at: usize,
    statement: usize,
    frames: Vec<Frame>,
    outline: Option<Vec<Open>>,
    broken: Option<Broken>,
}

impl<'a> Scan<'a> {
    fn new(text: &'a str, place: usize) -> Self {
        Self {
            text,
            place,
            at: 0,
            statement: 0,
            frames: Vec::new(),
            outline: None,
            broken: None,
        }
    }

    fn run(mut self) -> Outline {
        while self.at < self.text.len() {
            self.remember();
            match self.frames.last() {
                Some(&Frame::String { start }) => self.in_string(start),
                _ => self.in_body(),
            }
        }
        self.place = 0;
        self.remember();
        if let Some(Frame::String { start }) = self.frames.last() {
            self.broken
                .get_or_insert(Broken::String(*start..self.text.len()));
        }
        Outline {
            open: self.outline.unwrap_or_default(),
            broken: self.broken,
        }
    }

    fn remember(&mut self) {
        if self.at >= self.place && self.outline.is_none() {
            let braces = self.frames.iter().filter_map(|frame| match frame {
                Frame::Brace(open) => Some(open.clone()),
                _ => None,
            });
            self.outline = Some(braces.collect());
        }
    }

    fn rest(&self) -> &'a [u8] {
        &self.text.as_bytes()[self.at..]
    }

    fn in_string(&mut self, start: usize) {
        match self.rest() {
            [b'$', b'$', b'{', ..] | [b'%', b'%', b'{', ..] => self.at += 3,
            [b'$' | b'%', b'{', ..] => {
                self.frames.push(Frame::Interpolation);
                self.at += 2;
            }
            [b'\\', ..] => self.at += 2,
            [b'"', ..] => {
                self.frames.pop();
                self.at += 1;
            }
            [b'\n', ..] => {
                self.broken.get_or_insert(Broken::String(start..self.at));
                self.frames.pop();
            }
            _ => self.at += 1,
        }
    }

    fn in_body(&mut self) {
        match self.rest() {
            [b'#', ..] | [b'/', b'/', ..] => self.at = self.line_end(),
            [b'/', b'*', ..] => self.comment(),
            [b'<', b'<', ..] => self.heredoc(),
            [b'"', ..] => self.push(Frame::String { start: self.at }),
            [b'[' | b'(', ..] => self.push(Frame::Bracket),
            [b'{', ..] => self.open_brace(),
            [b'}', ..] => {
                let closes =
                    |frame: &mut Frame| matches!(frame, Frame::Brace(_) | Frame::Interpolation);
                self.frames.pop_if(closes);
                self.next_statement();
            }
            [b']' | b')', ..] => {
                self.frames.pop_if(|frame| matches!(frame, Frame::Bracket));
                self.at += 1;
            }
            [b'\n' | b',', ..] => self.next_statement(),
            _ => self.at += 1,
        }
    }

    fn push(&mut self, frame: Frame) {
        self.frames.push(frame);
        self.at += 1;
    }

    fn next_statement(&mut self) {
        self.at += 1;
        self.statement = self.at;
    }

    fn open_brace(&mut self) {
        let before = &self.text[self.statement..self.at];
        let start = self.statement + before.len() - before.trim_start().len();
        let header = start..start + before.trim().len();
        let brace = self.at;
        self.frames.push(Frame::Brace(Open { header, brace }));
        self.next_statement();
    }

    fn comment(&mut self) {
        match self.text[self.at..].find("*/") {
            Some(end) => self.at += end + 2,
            None => {
                let opening = Broken::Comment(self.at..self.line_end());
                self.broken.get_or_insert(opening);
                self.at = self.text.len();
            }
        }
    }

    fn heredoc(&mut self) {
        let line_end = self.line_end();
        let word = self.text[self.at + 2..line_end].trim_end();
        let word = word.strip_prefix('-').unwrap_or(word);
        if word.is_empty() || !word.chars().all(is_word) {
            self.at += 2;
            return;
        }
        let mut start = self.text.len().min(line_end + 1);
        for line in self.text[start..].split_inclusive('\n') {
            let indentation = line.len() - line.trim_start().len();
            let after = line.trim_start().strip_prefix(word);
            if after.is_some_and(|after| !after.starts_with(is_word)) {
                self.at = start + indentation + word.len();
                return;
            }
            start += line.len();
        }
        self.broken
            .get_or_insert(Broken::Heredoc(self.at..line_end));
        self.at = self.text.len();
    }

    /// Where the line's newline is, or the text's end.
    fn line_end(&self) -> usize {
        let rest = &self.text[self.at..];
        self.at + rest.find('\n').unwrap_or(rest.len())
    }
}

/// Whether a character may belong to a name.
pub(crate) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '-'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(text: &str) -> Vec<String> {
        let place = text.find('@').unwrap_or(text.len());
        Outline::of(text, place).blocks(text)
    }

    fn broken(text: &str) -> Option<Broken> {
        Outline::of(text, text.len()).broken
    }

    #[test]
    fn open_blocks_are_named_by_their_headers() {
        assert_eq!(
            blocks("job \"a\" {\n task \"b\" {\n config {\n  @"),
            ["job \"a\"", "task \"b\"", "config"]
        );
        assert_eq!(blocks("a {\n}\nb { c = [1, @"), ["b"]);
        assert_eq!(blocks("a { b = {\n c = 1\n @"), ["a"]);
    }

    #[test]
    fn brackets_in_strings_heredocs_and_comments_do_not_count() {
        for hidden in [
            "\"{\"",
            "\"\\\"{\"",
            "\"${\"{\"}{\"",
            "# {",
            "// {",
            "/* { */",
            "<<E\n{\nE",
            "<<-E\n {\n E",
        ] {
            assert_eq!(
                blocks(&format!("a {{\n x = {hidden}\n @")),
                ["a"],
                "{hidden}"
            );
        }
    }

    #[test]
    fn what_never_ends_is_found() {
        assert_eq!(broken("a = \"b\nc = 1\n"), Some(Broken::String(4..6)));
        assert_eq!(broken("a = \"b"), Some(Broken::String(4..6)));
        assert_eq!(broken("a = <<EOT\nb\n"), Some(Broken::Heredoc(4..9)));
        assert_eq!(broken("a = 1 /* b\n"), Some(Broken::Comment(6..10)));
        assert_eq!(broken("a = \"b\"\nc = <<EOT\n\"\nEOT\n"), None);
        assert_eq!(broken("a = \"\\é"), Some(Broken::String(4..8)));
    }
}
