//! Lines with `*` in them, and `...` for any number of lines.

/// Whether the lines are exactly what is expected.
pub(crate) fn all(expected: &[String], lines: &[&str]) -> bool {
    match expected.split_first() {
        None => lines.is_empty(),
        Some((any, rest)) if any == "..." => {
            (0..=lines.len()).any(|skipped| all(rest, &lines[skipped..]))
        }
        Some((pattern, rest)) => lines
            .split_first()
            .is_some_and(|(line, others)| one(pattern, line) && all(rest, others)),
    }
}

/// The first of the expected lines that does not come, in their order; others may come between.
pub(crate) fn missing<'e>(expected: &'e [String], lines: &[&str]) -> Option<&'e str> {
    let mut lines = lines.iter();
    expected
        .iter()
        .find(|pattern| !lines.any(|line| one(pattern, line)))
        .map(String::as_str)
}

fn one(pattern: &str, line: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == line,
        Some((start, rest)) => line.strip_prefix(start).is_some_and(|line| {
            let ends = line.char_indices().map(|(at, _)| at).chain([line.len()]);
            let mut ends = ends.map(|at| &line[at..]);
            ends.any(|end| one(rest, end))
        }),
    }
}

#[test]
fn a_star_is_anything_and_dots_are_any_lines() {
    let expected = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    assert!(all(&expected("a*c\n...\nend"), &["abc", "x", "y", "end"]));
    assert!(all(&expected("...\nend"), &["end"]));
    assert!(!all(&expected("a*c"), &["abd"]));
    assert!(!all(&expected("a"), &["a", "b"]));
    assert_eq!(missing(&expected("b\na"), &["a", "b"]), Some("a"));
    assert_eq!(missing(&expected("*b*"), &["a", "abc"]), None);
}
