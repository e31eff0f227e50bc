//! An error in words, with everything that it comes from.
use std::error::Error;

/// The words of an error and of its sources, outermost first. What the words before end with already is not said twice.
pub fn causes(error: &dyn Error) -> Vec<String> {
    let mut words = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !words.last().is_some_and(|said| said.ends_with(&more)) {
            words.push(more);
        }
        cause = error.source();
    }
    words
}

/// The same in one line, joined by `: `.
pub fn in_one_line(error: &dyn Error) -> String {
    causes(error).join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("mount /proc")]
    struct Outer(#[source] std::io::Error);

    #[derive(Debug, thiserror::Error)]
    #[error("start: {0}")]
    struct Repeating(#[from] Outer);

    #[derive(Debug, thiserror::Error)]
    #[error("run the task")]
    struct Outermost(#[source] Repeating);

    fn denied() -> Outer {
        Outer(std::io::Error::other("not permitted"))
    }

    #[test]
    fn every_cause_is_told_and_none_twice() {
        assert_eq!(causes(&denied()), ["mount /proc", "not permitted"]);
        assert_eq!(in_one_line(&denied()), "mount /proc: not permitted");
        let repeating = Repeating(denied());
        assert_eq!(in_one_line(&repeating), "start: mount /proc: not permitted");
        assert_eq!(
            causes(&Outermost(repeating)),
            ["run the task", "start: mount /proc", "not permitted"]
        );
    }
}
