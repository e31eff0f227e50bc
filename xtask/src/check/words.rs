//! A crate does not know the words of a layer above it.
use crate::source::{Identifier, Source};

/// Directories and the words that none of their identifiers holds, as whole words of snake or camel case, plural included.
const FORBIDDEN: &[(&str, &[&str])] = &[
    (
        "crates/sandbox/",
        &["nomad", "alloc", "task", "job", "driver", "unveil"],
    ),
    (
        "crates/cgroup/",
        &["nomad", "alloc", "task", "job", "driver", "unveil"],
    ),
    (
        "crates/jobspec/",
        &[
            "pivot_root",
            "clone3",
            "cgroup",
            "seccomp",
            "landlock",
            "mount_setattr",
        ],
    ),
];

/// Rust's own uses of a forbidden word: the identifier, and why it is not ours.
const RUSTS_OWN: &[(&str, &str)] = &[
    (
        "alloc",
        "the crate of Rust's standard library; in a path only",
    ),
    ("GlobalAlloc", "the trait of std::alloc"),
    ("alloc_zeroed", "a method of GlobalAlloc"),
];

/// Checks every identifier, tests included: a test's name is a sentence about its crate.
pub(crate) fn check(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for (directory, words) in FORBIDDEN {
        for source in sources
            .iter()
            .filter(|source| source.path.starts_with(directory))
        {
            found.extend(in_file(source, words));
        }
    }
    found
}

fn in_file(source: &Source, words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for identifier in source.identifiers() {
        let parts = parts(identifier.name);
        for word in words
            .iter()
            .filter(|word| holds(&parts, word) && !is_rusts_own(&identifier))
        {
            let (path, line) = (source.path.display(), identifier.line);
            found.push(format!(
                "{path}:{line}: {:?} holds {word:?}, a word of another layer",
                identifier.name
            ));
        }
    }
    found
}

fn is_rusts_own(identifier: &Identifier<'_>) -> bool {
    RUSTS_OWN.iter().any(|(name, _)| *name == identifier.name)
        && (identifier.name != "alloc" || identifier.in_path)
}

/// `_`, then the words of an identifier in lower case with `_` between and behind them.
fn parts(identifier: &str) -> String {
    let characters: Vec<char> = identifier.chars().collect();
    let mut out = String::from("_");
    for (at, character) in characters.iter().enumerate() {
        let after_lower = at > 0 && !characters[at - 1].is_uppercase();
        let before_lower = characters
            .get(at + 1)
            .is_some_and(|next| next.is_lowercase());
        if character.is_uppercase() && (after_lower || before_lower) && !out.ends_with('_') {
            out.push('_');
        }
        out.extend(character.to_lowercase());
    }
    out + "_"
}

fn holds(parts: &str, word: &str) -> bool {
    parts.contains(&format!("_{word}_")) || parts.contains(&format!("_{word}s_"))
}

#[cfg(test)]
mod tests {
    use super::{Source, check, parts};

    fn found(path: &str, text: &str) -> usize {
        check(&[Source::new(path, text)]).len()
    }

    #[test]
    fn identifiers_fall_into_words() {
        assert_eq!(parts("TaskID"), "_task_id_");
        assert_eq!(parts("HTTPServer2x"), "_http_server2x_");
        assert_eq!(parts("MOUNT_ATTR"), "_mount_attr_");
    }

    #[test]
    fn words_of_the_upper_layers_are_found_in_the_core() {
        for text in [
            "struct TaskConfig;",
            "fn job_name() {}",
            "let tasks = 1;",
            "mod nomad;",
            "const UNVEIL: u8 = 1;",
            "fn of_Driver() {}",
        ] {
            assert_eq!(found("crates/sandbox/src/x.rs", text), 1, "{text}");
            assert_eq!(found("crates/cgroup/src/x.rs", text), 1, "{text}");
            assert_eq!(found("crates/driver/src/x.rs", text), 0, "{text}");
        }
    }

    #[test]
    fn parts_of_other_words_comments_and_strings_are_fine() {
        for text in [
            "fn multitasking() {}",
            "let allocator = 1;",
            "// the task",
            "let x = \"cgroup.tasks\";",
            "/// a job\nfn f() {}",
        ] {
            assert_eq!(found("crates/sandbox/src/x.rs", text), 0, "{text}");
        }
    }

    #[test]
    fn kernel_words_are_found_in_jobspec() {
        for text in [
            "fn pivot_root() {}",
            "let no_pivot_root = 1;",
            "struct CgroupParent;",
            "fn clone3() {}",
            "let landlock = 1;",
        ] {
            assert_eq!(found("crates/jobspec/src/x.rs", text), 1, "{text}");
        }
        assert_eq!(
            found("crates/jobspec/src/x.rs", "fn pivot(root: u8) { clone(); }"),
            0
        );
    }

    #[test]
    fn rusts_own_alloc_is_fine_and_ours_is_not() {
        assert_eq!(
            found(
                "crates/sandbox/src/x.rs",
                "use std::alloc::GlobalAlloc; use alloc::vec;"
            ),
            0
        );
        assert_eq!(found("crates/sandbox/src/x.rs", "let alloc = 1;"), 1);
        assert_eq!(found("crates/sandbox/src/x.rs", "let alloc_dir = 1;"), 1);
    }
}
