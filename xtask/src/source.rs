//! Rust text as the checks read it: code without comments and strings, and without what is only for tests.
use std::path::{Path, PathBuf};

/// One file of the working copy.
#[derive(Debug)]
pub(crate) struct Source {
    /// Relative to the repository.
    pub(crate) path: PathBuf,
    /// As it is.
    pub(crate) text: String,
    /// The same bytes, those of comments and of string and character literals blank; line breaks stay.
    pub(crate) code: String,
}

impl Source {
    pub(crate) fn new(path: impl Into<PathBuf>, text: impl Into<String>) -> Source {
        let text = text.into();
        Source {
            path: path.into(),
            code: strip(&text),
            text,
        }
    }

    /// Reads every `*.rs` below `directory`, build output left out, in the order of their names.
    pub(crate) fn all(root: &Path, directory: &str) -> std::io::Result<Vec<Source>> {
        let mut found = Vec::new();
        walk(&root.join(directory), &mut |path| {
            if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(path)?;
                found.push(Source::new(path.strip_prefix(root).unwrap_or(path), text));
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// Whether the whole file is only for tests, by where it lies.
    pub(crate) fn is_test(&self) -> bool {
        let in_directory = self
            .path
            .components()
            .any(|part| part.as_os_str() == "tests" || part.as_os_str() == "benches");
        let stem = self.path.file_stem().unwrap_or_default().to_string_lossy();
        in_directory || stem == "tests" || stem.ends_with("_tests")
    }

    /// Whether a generator wrote it (the mark that prost-build leaves in its first line).
    pub(crate) fn is_generated(&self) -> bool {
        self.text
            .lines()
            .next()
            .is_some_and(|line| line.contains("@generated"))
    }

    /// The lines of code that are not only for tests: number from 1, stripped, as written.
    pub(crate) fn production(&self) -> Vec<(usize, &str, &str)> {
        let hidden = test_ranges(&self.code);
        let mut offset = 0;
        let mut lines = Vec::new();
        for (index, (code, text)) in self.code.split('\n').zip(self.text.split('\n')).enumerate() {
            if !hidden.iter().any(|range| range.contains(&offset)) {
                lines.push((index + 1, code, text));
            }
            offset += code.len() + 1;
        }
        if self.text.ends_with('\n') {
            lines.pop_if(|(_, code, _)| code.is_empty());
        }
        lines
    }

    /// Files that a `#[cfg(test)] mod name;` of this file makes files for tests.
    pub(crate) fn test_modules(&self) -> Vec<PathBuf> {
        let hidden = test_ranges(&self.code);
        let items = hidden
            .iter()
            .filter_map(|range| self.code.get(range.clone()));
        let names = items.filter_map(|item| {
            item.strip_suffix(';')?
                .split_whitespace()
                .collect::<Vec<_>>()
                .windows(2)
                .find_map(module)
        });
        names.flat_map(|name| self.files_of(&name)).collect()
    }

    /// Where the module `name`, declared here, may lie.
    fn files_of(&self, name: &str) -> [PathBuf; 2] {
        let directory = self.path.parent().unwrap_or(Path::new(""));
        let stem = self.path.file_stem().unwrap_or_default();
        let below = if ["lib", "main", "mod"].iter().any(|root| stem == *root) {
            directory.to_owned()
        } else {
            directory.join(stem)
        };
        [
            below.join(format!("{name}.rs")),
            below.join(name).join("mod.rs"),
        ]
    }

    /// Every identifier with its line number from 1, tests included.
    pub(crate) fn identifiers(&self) -> Vec<Identifier<'_>> {
        identifiers(&self.code)
    }
}

fn module(words: &[&str]) -> Option<String> {
    (words[0] == "mod").then(|| words[1].to_owned())
}

/// A word of the code.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Identifier<'a> {
    pub(crate) name: &'a str,
    pub(crate) line: usize,
    /// Part of a path: `::` stands before or after it.
    pub(crate) in_path: bool,
}

/// Calls `each` for every file below `directory`; `target` and hidden directories are left out.
pub(crate) fn walk(
    directory: &Path,
    each: &mut dyn FnMut(&Path) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let mut entries = std::fs::read_dir(directory)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name();
        let hidden = name.to_string_lossy().starts_with('.');
        match entry.file_type()? {
            kind if kind.is_dir() && !hidden && name != "target" => walk(&entry.path(), each)?,
            kind if kind.is_file() => each(&entry.path())?,
            _ => {}
        }
    }
    Ok(())
}

fn identifiers(code: &str) -> Vec<Identifier<'_>> {
    let bytes = code.as_bytes();
    let is_word = |byte: u8| byte == b'_' || byte.is_ascii_alphanumeric() || byte >= 0x80;
    let (mut at, mut line, mut found) = (0, 1, Vec::new());
    while at < bytes.len() {
        let start = at;
        while at < bytes.len() && is_word(bytes[at]) {
            at += 1;
        }
        if at == start {
            line += usize::from(bytes[at] == b'\n');
            at += 1;
        } else if !bytes[start].is_ascii_digit() {
            let in_path = code[..start].ends_with("::") || code[at..].starts_with("::");
            found.push(Identifier {
                name: &code[start..at],
                line,
                in_path,
            });
        }
    }
    found
}

/// The byte ranges of items under `#[cfg(test)]`, and of everything after an inner `#![cfg(test)]`.
fn test_ranges(code: &str) -> Vec<std::ops::Range<usize>> {
    let mut ranges: Vec<std::ops::Range<usize>> = Vec::new();
    for (start, _) in code.match_indices("cfg(") {
        let is_test = code[start..]
            .lines()
            .next()
            .is_some_and(|line| line.starts_with("cfg(test)") || line.starts_with("cfg(all(test"));
        if !is_test || ranges.last().is_some_and(|range| range.contains(&start)) {
            continue;
        }
        if code[..start].ends_with("#![") {
            ranges.push(0..code.len() + 1);
        } else if code[..start].ends_with("#[") {
            ranges.push(start - 2..end_of_item(code, start));
        }
    }
    ranges
}

/// Where the item that begins at an attribute ends: at its `;`, or at the brace that closes its first one.
fn end_of_item(code: &str, attribute: usize) -> usize {
    let (mut depth, mut nested) = (0_usize, 0_usize);
    for (offset, byte) in code.bytes().enumerate().skip(attribute) {
        match byte {
            b'(' | b'[' => nested += 1,
            b')' | b']' => nested = nested.saturating_sub(1),
            b'{' => depth += 1,
            b'}' if depth <= 1 => return offset + 1,
            b'}' => depth -= 1,
            b';' if depth == 0 && nested == 0 => return offset + 1,
            _ => {}
        }
    }
    code.len()
}

/// Blanks comments and literals, byte for byte.
pub(crate) fn strip(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let end = end_of_blank(bytes, at);
        if end == at {
            out.push(bytes[at]);
            at += 1;
        } else {
            out.extend(
                bytes[at..end]
                    .iter()
                    .map(|byte| if *byte == b'\n' { b'\n' } else { b' ' }),
            );
            at = end;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Where the comment or literal that begins at `at` ends; `at` itself when none does.
fn end_of_blank(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    let after_word = at > 0 && (bytes[at - 1] == b'_' || bytes[at - 1].is_ascii_alphanumeric());
    if rest.starts_with(b"//") {
        return at
            + rest
                .iter()
                .position(|byte| *byte == b'\n')
                .unwrap_or(rest.len());
    }
    if rest.starts_with(b"/*") {
        return at + block_comment(rest);
    }
    if rest[0] == b'"' {
        return at + quoted(rest, b'"');
    }
    if rest[0] == b'\'' {
        return at + character(rest);
    }
    if !after_word && let Some(length) = raw_string(rest) {
        return at + length;
    }
    at
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest[at..].starts_with(b"*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                break;
            }
        } else {
            at += 1;
        }
    }
    at
}

fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

/// A character literal's length; 0 for a lifetime.
fn character(rest: &[u8]) -> usize {
    if rest.get(1) == Some(&b'\\') {
        return quoted(rest, b'\'');
    }
    // A character is at most four bytes long; a lifetime has no quote behind its first character.
    let text = String::from_utf8_lossy(&rest[1..rest.len().min(6)]).into_owned();
    match text.chars().next() {
        Some(first) if rest.get(1 + first.len_utf8()) == Some(&b'\'') => first.len_utf8() + 2,
        _ => 0,
    }
}

/// `r"…"`, `r#"…"#` and the same with `b` or `c` before it.
fn raw_string(rest: &[u8]) -> Option<usize> {
    let mut at = usize::from(matches!(rest[0], b'b' | b'c'));
    if rest.get(at) != Some(&b'r') {
        return None;
    }
    at += 1;
    let hashes = rest[at..].iter().take_while(|byte| **byte == b'#').count();
    at += hashes;
    if rest.get(at) != Some(&b'"') {
        return None;
    }
    let close = [b"\"".as_slice(), &vec![b'#'; hashes]].concat();
    let length = rest[at + 1..]
        .windows(close.len())
        .position(|window| window == close);
    Some(length.map_or(rest.len(), |length| at + 1 + length + close.len()))
}

#[cfg(test)]
mod tests {
    use super::{Source, strip};

    fn words(text: &str) -> Vec<String> {
        strip(text).split_whitespace().map(String::from).collect()
    }

    #[test]
    fn comments_and_literals_are_blank() {
        assert_eq!(words("a // b\nc /* d /* e */ f */ g"), ["a", "c", "g"]);
        assert_eq!(
            words(r##"a "b \" c" d r#"e " f"# g br"h" i b"j" k"##),
            ["a", "d", "g", "i", "b", "k"]
        );
        assert_eq!(
            words(r"a 'b' c '\'' d 'ü' e &'life f"),
            ["a", "c", "d", "e", "&'life", "f"]
        );
        assert_eq!(words("for_r\"x\" y"), ["for_r", "y"]);
    }

    #[test]
    fn lines_stay_where_they_are() {
        let text = "a\n/* b\n c */ d\n\"e\nf\" g\n";
        assert_eq!(
            strip(text).lines().map(str::trim).collect::<Vec<_>>(),
            ["a", "", "d", "", "g"]
        );
        assert_eq!(strip(text).len(), text.len());
    }

    #[test]
    fn what_is_only_for_tests_is_no_production() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n  fn b() { {} }\n}\nfn c() {}\n#[cfg(test)]\nuse d;\nfn e() {}\n";
        let source = Source::new("src/x.rs", text);
        let lines: Vec<_> = source
            .production()
            .iter()
            .map(|(number, ..)| *number)
            .collect();
        assert_eq!(lines, [1, 6, 9]);
    }

    #[test]
    fn a_cfg_that_is_not_of_tests_stays() {
        let source = Source::new(
            "src/x.rs",
            "#[cfg(feature = \"image\")]\nfn a() {}\n#[cfg(not(test))]\nfn b() {}\n",
        );
        assert_eq!(source.production().len(), 4);
    }

    #[test]
    fn a_file_for_tests_is_known_by_its_place() {
        for path in [
            "crates/a/tests/x.rs",
            "crates/a/src/tests.rs",
            "crates/a/src/child_tests.rs",
            "tests/isolation/main.rs",
        ] {
            assert!(Source::new(path, "").is_test(), "{path}");
        }
        assert!(!Source::new("crates/a/src/attests.rs", "").is_test());
    }

    #[test]
    fn a_module_for_tests_in_a_file_of_its_own_is_known() {
        let text = "mod a;\n#[cfg(test)]\nmod testing;\n#[cfg(test)]\nmod inline { mod b; }\n#[cfg(test)]\npub(crate) mod other;\n";
        let found = |path: &str| Source::new(path, text).test_modules();
        let paths = [
            "crates/a/src/testing.rs",
            "crates/a/src/testing/mod.rs",
            "crates/a/src/other.rs",
            "crates/a/src/other/mod.rs",
        ];
        assert_eq!(
            found("crates/a/src/lib.rs"),
            paths.map(std::path::PathBuf::from)
        );
        assert_eq!(
            found("crates/a/src/x.rs")[0],
            std::path::Path::new("crates/a/src/x/testing.rs")
        );
    }

    #[test]
    fn identifiers_come_with_their_lines() {
        let source = Source::new("x.rs", "use alloc::x;\nlet y2 = 3u8;");
        let names: Vec<_> = source
            .identifiers()
            .iter()
            .map(|found| (found.name, found.line, found.in_path))
            .collect();
        let expected = [
            ("use", 1, false),
            ("alloc", 1, true),
            ("x", 1, true),
            ("let", 2, false),
            ("y2", 2, false),
        ];
        assert_eq!(names, expected);
    }
}
