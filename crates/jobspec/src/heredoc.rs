//! The text of a heredoc.
//!
//! It is read from the file again, not from the tree: the parser has taken away the indentation by another rule than
//! HCL's own, and with it the line endings.

use crate::Span;

/// The value of a heredoc: escapes replaced and, for `<<-`, the common indentation taken away.
pub(crate) fn value(raw: &str, indented: bool) -> String {
    let mut lines: Vec<&str> = raw.split_inclusive('\n').collect();
    if indented {
        dedent(&mut lines, Markers::Text);
    }
    unescape(&lines.concat())
}

/// The place of each line without its indentation and its end; `at` is the place of the first byte.
pub(crate) fn lines(raw: &str, at: usize, indented: bool) -> Vec<Span> {
    let dedented = Dedented::of(raw, indented);
    let mut start = 0;
    let lines = dedented.text.split_inclusive('\n').map(|line| {
        let first = at + dedented.written(start);
        start += line.len();
        first..first + line.trim_end_matches(['\r', '\n']).len()
    });
    lines.collect()
}

/// A heredoc's text with the indentation of `<<-` taken away, and the way back from it to the text as it was written.
#[derive(Debug)]
pub(crate) struct Dedented {
    pub(crate) text: String,
    /// Where each line starts: in this text, and in the one that was written.
    lines: Vec<(usize, usize)>,
}

impl Dedented {
    pub(crate) fn of(raw: &str, indented: bool) -> Self {
        let mut lines: Vec<&str> = raw.split_inclusive('\n').collect();
        let lengths: Vec<usize> = lines.iter().map(|line| line.len()).collect();
        if indented {
            dedent(&mut lines, Markers::Strip);
        }
        let (mut start, mut end) = (0, 0);
        let mut starts = Vec::with_capacity(lines.len());
        for (line, length) in lines.iter().zip(lengths) {
            end += length;
            starts.push((start, end - line.len()));
            start += line.len();
        }
        Dedented {
            text: lines.concat(),
            lines: starts,
        }
    }

    /// Where something of this text stands in the one that was written.
    pub(crate) fn written(&self, offset: usize) -> usize {
        let line = self.lines.partition_point(|(start, _)| *start <= offset);
        match line.checked_sub(1).and_then(|line| self.lines.get(line)) {
            Some((start, written)) => written + (offset - start),
            None => offset,
        }
    }
}

/// Whether `~` beside a brace takes space away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Markers {
    Strip,
    /// There is no template: it is a text like any other.
    Text,
}

/// Takes away the leading space that all lines have in common. Blank lines neither count nor change.
///
/// HCL lets `~` take its space away first: what stands before `%{~` counts as no space at all, and behind a line that ends with `~}`
/// no line begins.
fn dedent(lines: &mut [&str], markers: Markers) {
    let indentation = |line: &str| line.len() - line.trim_start().len();
    let blank = |line: &str| line.trim_start().is_empty();
    let strips = markers == Markers::Strip;
    let mut joined = false;
    let counts: Vec<bool> = lines
        .iter()
        .map(|line| {
            let counted = !joined && !blank(line);
            let before = line.trim_end().strip_suffix("~}");
            joined = strips
                && before.is_some_and(|before| before.contains("${") || before.contains("%{"));
            counted
        })
        .collect();
    let starts = |line: &str| {
        ["${~", "%{~"]
            .iter()
            .any(|marker| line.trim_start().starts_with(marker))
    };
    let width = lines
        .iter()
        .zip(&counts)
        .filter(|(_, counted)| **counted)
        .map(|(line, _)| match strips && starts(line) {
            true => 0,
            false => line[..indentation(line)].chars().count(),
        })
        .min()
        .unwrap_or(0);
    for (line, _) in lines
        .iter_mut()
        .zip(&counts)
        .filter(|(_, counted)| **counted)
    {
        let cut = line
            .char_indices()
            .nth(width)
            .map_or(line.len(), |(at, _)| at);
        *line = &line[cut..];
    }
}

/// `$${` and `%%{` are the only escapes of a heredoc.
fn unescape(text: &str) -> String {
    text.replace("$${", "${").replace("%%{", "%{")
}

#[cfg(test)]
mod tests {
    use super::{Dedented, value};

    #[test]
    fn plain_heredocs_are_kept_as_they_are() {
        assert_eq!(value("", false), "");
        assert_eq!(value("  a\n b\n", false), "  a\n b\n");
        assert_eq!(value("a \\n \"q\"\r\nb\r\n", false), "a \\n \"q\"\r\nb\r\n");
    }

    #[test]
    fn the_common_indentation_goes() {
        assert_eq!(value("    a\n      b\n    c\n", true), "a\n  b\nc\n");
        assert_eq!(value("  a\nb\n", true), "  a\nb\n");
        assert_eq!(value("\ta\n\t\tb\n", true), "a\n\tb\n");
    }

    #[test]
    fn blank_lines_neither_count_nor_change() {
        assert_eq!(value("    a\n\n  \n    b\n", true), "a\n\n  \nb\n");
        assert_eq!(value("  \n", true), "  \n");
    }

    #[test]
    fn dedented_lines_keep_their_ending() {
        assert_eq!(value("  a\r\n  b\r\n", true), "a\r\nb\r\n");
    }

    #[test]
    fn places_are_found_again_in_what_was_written() {
        let raw = "    a${x}\r\n\n      ${y}\n";
        let dedented = Dedented::of(raw, true);
        assert_eq!(dedented.text, "a${x}\r\n\n  ${y}\n");
        for name in ["a", "${x}", "${y}"] {
            let place = dedented.text.find(name).unwrap_or_default();
            assert_eq!(Some(dedented.written(place)), raw.find(name), "{name}");
        }
        assert_eq!(dedented.written(dedented.text.len()), raw.len());
        assert_eq!(Dedented::of("", true).written(0), 0);
    }

    #[test]
    fn escapes_become_their_text() {
        assert_eq!(
            value("$${A:-x} %%{if} $$ %% $A\n", false),
            "${A:-x} %{if} $$ %% $A\n"
        );
        assert_eq!(value("$$${A}\n", false), "$${A}\n");
    }
}
