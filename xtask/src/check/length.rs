//! A file is short enough to be read at once.
use crate::source::Source;

/// Lines of production code in one file, comments and blank lines included, tests not.
const LIMIT: usize = 500;

/// Finds files that are longer.
pub(crate) fn check(sources: &[&Source]) -> Vec<String> {
    let lengths = sources
        .iter()
        .map(|source| (source.path.display(), source.production().len()));
    let long = lengths.filter(|(_, lines)| *lines > LIMIT);
    long.map(|(path, lines)| {
        format!("{path}: {lines} lines of production code, the limit is {LIMIT}")
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::{LIMIT, Source, check};

    #[test]
    fn a_file_at_the_limit_passes_and_one_line_more_does_not() {
        let at = Source::new("a.rs", "x();\n".repeat(LIMIT));
        let over = Source::new("b.rs", "x();\n".repeat(LIMIT + 1));
        assert_eq!(
            check(&[&at, &over]),
            ["b.rs: 501 lines of production code, the limit is 500"]
        );
    }

    #[test]
    fn tests_do_not_count() {
        let tests = format!(
            "fn a() {{}}\n#[cfg(test)]\nmod tests {{\n{}}}\n",
            "x();\n".repeat(LIMIT)
        );
        assert_eq!(check(&[&Source::new("a.rs", tests)]).len(), 0);
    }
}
