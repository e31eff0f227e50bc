//! What a run of the test harness printed.
use std::collections::BTreeSet;

/// Precedes what the suite wrote to standard error, where both are in one stream.
pub(crate) const STDERR: &str = "stderr: ";

/// The very last line of a guest's results.
pub(crate) const DONE: &str = "kernels: done";

/// The last line of each of a guest's runs of the suite, with the exit code.
pub(crate) const EXIT: &str = "kernels: exit ";

/// A test that its needs kept from running: on a machine like this one, and on one of another kind.
const SKIPPED: [&str; 2] = ["SKIPPED ", "ELSEWHERE "];

/// How cargo announces the test binary that this is about.
const OURS: &str = "Running isolation/main.rs";

/// How many lines of a run that broke off are shown.
const TAIL: usize = 60;

/// What became of each test.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// Those that ran and passed.
    pub(crate) passed: BTreeSet<String>,
    /// Those that did not run, with the reason.
    pub(crate) skipped: BTreeSet<(String, String)>,
    failed: BTreeSet<String>,
    /// Why there is no whole run, with the end of what there is.
    broken: Option<String>,
    /// Everything, for who has to find out.
    text: String,
}

impl Log {
    /// Of one or more runs of the harness; `broken` says why the last did not come to its end.
    pub(crate) fn new(text: &str, broken: Option<String>) -> Log {
        let mut log = Log {
            broken,
            text: text.to_owned(),
            ..Log::default()
        };
        text.lines().for_each(|line| log.line(line.trim_end()));
        let skipped: BTreeSet<_> = log.skipped.iter().map(|(name, _)| name.clone()).collect();
        log.passed.retain(|name| !skipped.contains(name));
        // Where one run skips a test and another one does not, it has run; see `Log::add`.
        log
    }

    /// Of the output of `cargo test --workspace`, both streams.
    pub(crate) fn of_cargo(text: &str) -> Log {
        let begin = text.find(OURS).unwrap_or(text.len());
        let rest = &text[begin..];
        let end = rest[OURS.len().min(rest.len())..]
            .find("Running ")
            .map_or(rest.len(), |at| at + OURS.len());
        Log::new(&rest[..end], None)
    }

    /// Adds another run on the same kernel.
    pub(crate) fn add(&mut self, other: Log) {
        self.passed.extend(other.passed);
        self.failed.extend(other.failed);
        self.skipped.extend(other.skipped);
        let passed = &self.passed;
        self.skipped.retain(|(name, _)| !passed.contains(name));
        self.broken = self.broken.take().or(other.broken);
        self.text.push_str(&other.text);
    }

    fn line(&mut self, line: &str) {
        let words = line.strip_prefix(STDERR).unwrap_or(line);
        for word in SKIPPED {
            if let Some((name, reason)) = words
                .strip_prefix(word)
                .and_then(|rest| rest.split_once(": "))
            {
                self.skipped.insert((name.to_owned(), reason.to_owned()));
            }
        }
        let test = line
            .strip_prefix("test ")
            .and_then(|rest| rest.rsplit_once(" ... "));
        match test {
            Some((name, "ok")) => drop(self.passed.insert(name.to_owned())),
            Some((name, "FAILED")) => drop(self.failed.insert(name.to_owned())),
            _ => {}
        }
    }

    /// In a few words.
    pub(crate) fn summary(&self) -> String {
        format!(
            "{} passed, {} failed, {} not run",
            self.passed.len(),
            self.failed.len(),
            self.skipped.len()
        )
    }

    /// What is wrong with the run itself, whatever the list says.
    pub(crate) fn faults(&self, row: &str) -> Vec<String> {
        let mut found: Vec<_> = self
            .failed
            .iter()
            .map(|name| format!("{row}: {name} failed"))
            .collect();
        found.extend(self.broken.iter().map(|why| format!("{row}: {why}")));
        if self.passed.is_empty() && found.is_empty() {
            found.push(format!("{row}: no test ran"));
        }
        if !found.is_empty() {
            found.insert(0, self.explanation());
        }
        found
    }

    /// What the harness says of failed tests; the end, where it did not come that far.
    fn explanation(&self) -> String {
        match self.text.find("\nfailures:") {
            Some(at) => self.text[at..].to_owned(),
            None => tail(&self.text),
        }
    }
}

/// The last lines of a text.
pub(crate) fn tail(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = "running 4 tests\ntest a::one ... ok\r\ntest a::two ... FAILED\ntest a::three ... ok\ntest a::four ... ok\n\
        stderr: SKIPPED a::three: no cc: none\nELSEWHERE a::four: systemd is not PID 1\n";

    #[test]
    fn a_test_that_was_skipped_has_not_run() {
        let log = Log::new(RUN, None);
        assert_eq!(log.summary(), "1 passed, 1 failed, 2 not run");
        assert!(log.passed.contains("a::one"));
    }

    #[test]
    fn what_failed_or_broke_off_or_never_began_is_a_fault() {
        assert!(
            Log::new(RUN, None)
                .faults("x")
                .contains(&"x: a::two failed".to_owned())
        );
        let broken = Log::new("test a ... ok", Some("hung".to_owned()));
        assert!(broken.faults("x").contains(&"x: hung".to_owned()));
        assert!(
            Log::new("", None)
                .faults("x")
                .contains(&"x: no test ran".to_owned())
        );
        assert!(Log::new("test a ... ok", None).faults("x").is_empty());
    }

    #[test]
    fn a_test_that_one_of_two_runs_skips_has_run() {
        let mut log = Log::new("SKIPPED a: x\ntest a ... ok", None);
        log.add(Log::new("test a ... ok", None));
        assert_eq!(log.summary(), "1 passed, 0 failed, 0 not run");
    }

    #[test]
    fn of_all_suites_only_ours_is_read() {
        let text = "     Running golden/main.rs (x)\ntest g ... ok\n     Running isolation/main.rs (x)\ntest i ... ok\n     Running plugin/main.rs (x)\ntest p ... ok\n";
        let passed: Vec<_> = Log::of_cargo(text).passed.into_iter().collect();
        assert_eq!(passed, ["i"]);
        assert!(Log::of_cargo("").passed.is_empty());
    }
}
