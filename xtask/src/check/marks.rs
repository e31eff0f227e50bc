//! Nothing unfinished is committed, and nothing gives up without saying why it may.
use std::path::Path;

use crate::source::{Source, walk};

/// Marks of unfinished work. Spelled in two parts, so that this file passes its own check.
const UNFINISHED: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X:"),
    concat!("todo", "!("),
    concat!("unimplemented", "!("),
];

/// Kinds of files that are written by hand.
const WRITTEN: &[&str] = &["rs", "c", "go", "hcl", "toml", "sh", "md", "proto"];

/// What gives up when it should not.
const GIVING_UP: &[&str] = &[".unwrap()", ".expect("];

/// Reads every file written by hand, with its path relative to the repository.
pub(crate) fn texts(root: &Path) -> std::io::Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    walk(root, &mut |path| {
        if path
            .extension()
            .is_some_and(|extension| WRITTEN.iter().any(|written| extension == *written))
        {
            let relative = path
                .strip_prefix(root)
                .unwrap_or(path)
                .display()
                .to_string();
            found.push((relative, std::fs::read_to_string(path)?));
        }
        Ok(())
    })?;
    Ok(found)
}

/// Finds marks of unfinished work, in comments too.
pub(crate) fn check_unfinished(texts: &[(String, String)]) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in texts {
        for (number, line) in text.lines().enumerate() {
            let marks = UNFINISHED.iter().filter(|mark| line.contains(**mark));
            found.extend(marks.map(|mark| format!("{path}:{}: unfinished: {mark}", number + 1)));
        }
    }
    found
}

/// Finds production code that gives up without `reason:` on the line or in the comment above it.
pub(crate) fn check_unwraps(sources: &[&Source]) -> Vec<String> {
    sources.iter().flat_map(|source| unwraps(source)).collect()
}

fn unwraps(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    let mut above = "";
    for (number, code, text) in source.production() {
        let reason_above = above.trim_start().starts_with("//") && above.contains("reason:");
        let reasoned = text.contains("reason:") || reason_above;
        let giving_up = GIVING_UP
            .iter()
            .filter(|call| !reasoned && code.contains(**call));
        found.extend(giving_up.map(|call| {
            format!(
                "{}:{number}: {call} without a `// reason:`",
                source.path.display()
            )
        }));
        above = text;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{Source, UNFINISHED, check_unfinished, check_unwraps};

    fn unwraps(text: &str) -> usize {
        check_unwraps(&[&Source::new("crates/a/src/x.rs", text)]).len()
    }

    #[test]
    fn every_mark_of_unfinished_work_is_found() {
        for mark in UNFINISHED {
            let text = format!("fn f() {{}}\n// {mark} later\n");
            let found = check_unfinished(&[("a.rs".to_owned(), text)]);
            assert_eq!(found, [format!("a.rs:2: unfinished: {mark}")]);
        }
    }

    #[test]
    fn finished_work_passes() {
        assert_eq!(
            check_unfinished(&[("a.rs".to_owned(), "// the todo list of others\n".to_owned())])
                .len(),
            0
        );
    }

    #[test]
    fn giving_up_without_a_reason_is_found() {
        assert_eq!(unwraps("fn f() { x.unwrap(); }"), 1);
        assert_eq!(unwraps("fn f() { x.expect(\"y\"); }"), 1);
        assert_eq!(unwraps("let s = \".unwrap()\"; // .expect("), 0);
        assert_eq!(unwraps("x.unwrap_or(1); y.expect_err(2);"), 0);
    }

    #[test]
    fn giving_up_with_a_reason_passes() {
        assert_eq!(
            unwraps("x.unwrap(); // reason: the lock is never poisoned"),
            0
        );
        assert_eq!(
            unwraps("// reason: the lock is never poisoned\nx.unwrap();"),
            0
        );
    }

    #[test]
    fn tests_may_give_up() {
        assert_eq!(
            unwraps("#[cfg(test)]\nmod tests {\n    fn f() { x.unwrap(); }\n}\n"),
            0
        );
    }
}
