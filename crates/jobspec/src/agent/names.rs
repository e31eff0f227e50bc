//! Quoted names of arguments, which the older HCL has and the newer refuses, made into names of the same length: every
//! place in the text stays what it was, and the name itself is read from the file as it was written.

use crate::outline::is_word;

/// Replaces each quoted name of an argument. Keys of objects (`x = { "a" = 1 }`) are left: they may be quoted.
pub(super) fn unquote(text: &str) -> String {
    let mut scan = Scan {
        text,
        at: 0,
        objects: Vec::new(),
        before: None,
        out: text.as_bytes().to_vec(),
        count: 0,
    };
    while scan.at < text.len() {
        scan.step();
    }
    // Only whole ASCII-quoted names were replaced, by ASCII of the same length.
    String::from_utf8(scan.out).unwrap_or_else(|_| text.to_owned())
}

struct Scan<'a> {
    text: &'a str,
    at: usize,
    /// For each open brace, whether it opened an object.
    objects: Vec<bool>,
    /// The last byte that was neither space nor comment; a newline counts.
    before: Option<u8>,
    out: Vec<u8>,
    count: usize,
}

impl Scan<'_> {
    fn step(&mut self) {
        let rest = &self.text.as_bytes()[self.at..];
        match rest {
            [b'#', ..] | [b'/', b'/', ..] => self.skip_to("\n", 0),
            [b'/', b'*', ..] => self.skip_to("*/", 2),
            [b'<', b'<', ..] => self.heredoc(),
            [b'"', ..] => self.string(),
            [b'{', ..] => {
                let object = matches!(self.before, Some(b'=' | b':' | b',' | b'[' | b'('));
                self.objects.push(object);
                self.token(b'{');
            }
            [b'}', ..] => {
                self.objects.pop();
                self.token(b'}');
            }
            [b' ' | b'\t' | b'\r', ..] => self.at += 1,
            [byte, ..] => self.token(*byte),
            [] => {}
        }
    }

    fn token(&mut self, byte: u8) {
        // A newline inside brackets or behind an operator ends nothing, but no name can follow it there either.
        self.before = Some(byte);
        self.at += 1;
    }

    fn skip_to(&mut self, end: &str, behind: usize) {
        let found = self.text[self.at..].find(end);
        self.at = found.map_or(self.text.len(), |found| self.at + found + behind);
    }

    /// The lines of a heredoc up to its closing word.
    fn heredoc(&mut self) {
        let rest = &self.text[self.at + 2..];
        let line = rest.lines().next().unwrap_or_default();
        let word = line.trim_start_matches('-').trim();
        self.before = Some(b'<');
        self.at += 2 + line.len();
        if word.is_empty() || !word.chars().all(is_word) {
            self.at -= line.len();
            return;
        }
        for line in self.text[self.at..].split_inclusive('\n') {
            self.at += line.len();
            if line.trim() == word {
                self.before = Some(b'\n');
                return;
            }
        }
    }

    fn string(&mut self) {
        let start = self.at;
        let Some(end) = self.string_end() else {
            return self.token(b'"');
        };
        self.at = end;
        let starts = matches!(self.before, None | Some(b'\n' | b'{'));
        let in_body = !self.objects.last().copied().unwrap_or(false);
        if starts && in_body && self.is_assigned() {
            self.replace(start, end);
        }
        self.before = Some(b'"');
    }

    /// Behind the closing quote, on the same line.
    fn string_end(&self) -> Option<usize> {
        let mut escaped = false;
        for (at, byte) in self.text.bytes().enumerate().skip(self.at + 1) {
            match byte {
                b'\n' => return None,
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => return Some(at + 1),
                _ => {}
            }
        }
        None
    }

    fn is_assigned(&self) -> bool {
        let rest = self.text[self.at..].trim_start_matches([' ', '\t']);
        rest.starts_with('=') && !rest.starts_with("==")
    }

    /// A plain name loses its quotes; any other becomes a name that nobody uses. An empty one stays, for the parser
    /// to refuse, and so does one with an escape, which no option and no path needs.
    fn replace(&mut self, start: usize, end: usize) {
        let name = &self.text[start + 1..end - 1];
        let first = name.chars().next();
        if name.is_empty() || name.contains('\\') {
            return;
        }
        if name.chars().all(is_word) && first.is_some_and(|c| c.is_ascii_alphabetic() || c == '_') {
            self.out[start] = b' ';
            self.out[end - 1] = b' ';
            return;
        }
        let unused = unused(self.count, end - start);
        self.count += 1;
        if let Some(unused) = unused {
            self.out[start..end].copy_from_slice(unused.as_bytes());
        }
    }
}

/// A name of that length for each number. `None`: there are more such names than letters for them.
fn unused(number: usize, length: usize) -> Option<String> {
    let digits = format!("{number:x}");
    let fill = length.checked_sub(digits.len() + 1)?;
    Some(format!("q{}{digits}", "-".repeat(fill)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_arguments_lose_their_quotes_and_nothing_moves() {
        for (text, expected) in [
            ("\"a\" = 1\n", " a  = 1\n"),
            ("m {\n  \"/bin\" = \"/x\"\n}", "m {\n  q----0 = \"/x\"\n}"),
            ("m { \"a.b\" = 1 }", "m { q---0 = 1 }"),
            (
                "m {\n \"a.b\" = 1\n \"a.c\"=2\n}",
                "m {\n q---0 = 1\n q---1=2\n}",
            ),
            ("a = 1 # x\n\"b.c\" = 2", "a = 1 # x\nq---0 = 2"),
        ] {
            assert_eq!(unquote(text), expected, "{text}");
        }
    }

    #[test]
    fn everything_else_stays() {
        for text in [
            "m = {\n  \"/bin\" = \"/x\"\n}\n",
            "m = { n = { \"a.b\" = 1 } }\n",
            "p \"exec\" {\n}\n",
            "# \"a.b\" = 1\n",
            "/* \n\"a.b\" = 1\n*/",
            "a = <<EOT\n\"a.b\" = 1\nEOT\n",
            "a = <<-EOT\n  \"a.b\" = 1\n  EOT\n",
            "l = [\n  \"a.b\",\n]\n",
            "\"\" = 1",
            "\"a\\\"b\" = 1",
            "\"open = 1\n",
            "a = \"x \\\" \\\\\"\n",
            "x = \"é\"\n",
        ] {
            assert_eq!(unquote(text), text, "{text}");
        }
    }

    #[test]
    fn a_comment_before_a_name_does_not_hide_it() {
        assert_eq!(
            unquote("m { # x\n/* y */ \"a.b\" = 1\n}"),
            "m { # x\n/* y */ q---0 = 1\n}"
        );
    }
}
