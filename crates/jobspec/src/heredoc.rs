//! The text of a heredoc without interpolations.
//!
//! It is read from the file again, not from the tree: the parser has taken away the indentation by another rule than
//! HCL's own, and with it the line endings.

/// The value of a heredoc: escapes replaced and, for `<<-`, the common indentation taken away.
pub(crate) fn value(raw: &str, indented: bool) -> String {
    let mut lines: Vec<&str> = raw.split_inclusive('\n').collect();
    if indented {
        dedent(&mut lines);
    }
    unescape(&lines.concat())
}

/// Takes away the leading space that all lines have in common. Blank lines neither count nor change.
fn dedent(lines: &mut [&str]) {
    let indentation = |line: &str| line.len() - line.trim_start().len();
    let blank = |line: &str| line.trim_start().is_empty();
    let width = lines
        .iter()
        .filter(|line| !blank(line))
        .map(|line| line[..indentation(line)].chars().count())
        .min()
        .unwrap_or(0);
    for line in lines.iter_mut().filter(|line| !blank(line)) {
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
    use super::value;

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
    fn escapes_become_their_text() {
        assert_eq!(
            value("$${A:-x} %%{if} $$ %% $A\n", false),
            "${A:-x} %{if} $$ %% $A\n"
        );
        assert_eq!(value("$$${A}\n", false), "$${A}\n");
    }
}
