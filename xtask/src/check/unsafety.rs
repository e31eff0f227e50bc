//! `unsafe` lives where the architecture says, and every other crate forbids it.
use std::path::Path;

use crate::source::Source;

/// The files that may be unsafe: one `sys.rs` for each crate that needs raw system calls, and the fork path beside the core's.
const UNSAFE_FILES: &[&str] = &[
    "crates/cgroup/src/sys.rs",
    "crates/sandbox/src/sys.rs",
    "crates/sandbox/src/child.rs",
    "crates/shim/src/sys.rs",
];

/// Their crates: deny at the root, allow in the files above.
const UNSAFE_CRATES: &[&str] = &["crates/cgroup", "crates/sandbox", "crates/shim"];

/// Finds the keyword anywhere else.
pub(crate) fn check_tokens(sources: &[Source]) -> Vec<String> {
    let elsewhere = sources
        .iter()
        .filter(|source| !UNSAFE_FILES.iter().any(|file| same(&source.path, file)));
    elsewhere.flat_map(tokens).collect()
}

fn tokens(source: &Source) -> Vec<String> {
    let keywords = source
        .identifiers()
        .into_iter()
        .filter(|identifier| identifier.name == "unsafe");
    keywords
        .map(|found| {
            format!(
                "{}:{}: unsafe outside sys.rs",
                source.path.display(),
                found.line
            )
        })
        .collect()
}

/// Finds crate roots without the attribute.
pub(crate) fn check_roots(roots: &[Source]) -> Vec<String> {
    roots.iter().filter_map(root).collect()
}

fn root(source: &Source) -> Option<String> {
    let has = |attribute: &str| {
        source
            .code
            .split_whitespace()
            .collect::<String>()
            .contains(attribute)
    };
    let may_be_unsafe = UNSAFE_CRATES
        .iter()
        .any(|directory| source.path.starts_with(directory));
    if has("#![forbid(unsafe_code)]") || (may_be_unsafe && has("#![deny(unsafe_code)]")) {
        return None;
    }
    let wanted = if may_be_unsafe { "deny" } else { "forbid" };
    Some(format!(
        "{}: the crate root lacks #![{wanted}(unsafe_code)]",
        source.path.display()
    ))
}

fn same(path: &Path, file: &str) -> bool {
    path.strip_prefix(".").unwrap_or(path) == Path::new(file)
}

#[cfg(test)]
mod tests {
    use super::{Source, check_roots, check_tokens};

    #[test]
    fn unsafe_is_allowed_in_the_files_named() {
        let text = "fn f() { unsafe { g() } }";
        assert_eq!(
            check_tokens(&[Source::new("crates/sandbox/src/sys.rs", text)]).len(),
            0
        );
        assert_eq!(
            check_tokens(&[Source::new("./crates/shim/src/sys.rs", text)]).len(),
            0
        );
    }

    #[test]
    fn unsafe_anywhere_else_is_found() {
        for path in [
            "crates/sandbox/src/mounts.rs",
            "crates/client/src/sys.rs",
            "tests/probe/src/main.rs",
            "benches/src/main.rs",
        ] {
            let text = "fn f() {\n    unsafe { g() }\n}";
            assert_eq!(
                check_tokens(&[Source::new(path, text)]),
                [format!("{path}:2: unsafe outside sys.rs")]
            );
        }
    }

    #[test]
    fn the_word_in_comments_and_attributes_is_fine() {
        let text = "// unsafe\n#![forbid(unsafe_code)]\nlet x = \"unsafe\";";
        assert_eq!(
            check_tokens(&[Source::new("crates/client/src/x.rs", text)]).len(),
            0
        );
    }

    #[test]
    fn a_root_without_forbid_is_found() {
        assert_eq!(
            check_roots(&[Source::new("crates/client/src/lib.rs", "//! Words.\n")]).len(),
            1
        );
        assert_eq!(
            check_roots(&[Source::new(
                "crates/client/src/lib.rs",
                "#![deny(unsafe_code)]"
            )])
            .len(),
            1
        );
        assert_eq!(
            check_roots(&[Source::new(
                "crates/client/src/lib.rs",
                "// #![forbid(unsafe_code)]"
            )])
            .len(),
            1
        );
        assert_eq!(
            check_roots(&[Source::new(
                "crates/client/src/lib.rs",
                "#![forbid(unsafe_code)]"
            )])
            .len(),
            0
        );
    }

    #[test]
    fn the_crates_with_system_calls_deny_at_least() {
        assert_eq!(
            check_roots(&[Source::new(
                "crates/shim/src/lib.rs",
                "#![deny(unsafe_code)]"
            )])
            .len(),
            0
        );
        assert_eq!(
            check_roots(&[Source::new("crates/shim/src/image/main.rs", "")]).len(),
            1
        );
    }
}
