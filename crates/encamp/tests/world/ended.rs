//! The end of a command.
use std::process::Output;

#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    pub(crate) fn of(output: Output) -> Ended {
        Ended {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    #[track_caller]
    pub(crate) fn exited(self, code: i32) -> Ended {
        let Ended { stdout, stderr, .. } = &self;
        assert_eq!(
            self.code,
            Some(code),
            "stdout:\n{stdout}\nstderr:\n{stderr}"
        );
        self
    }

    /// On standard error.
    #[track_caller]
    pub(crate) fn says(&self, words: &str) -> &Ended {
        let Ended { stderr, .. } = self;
        assert!(stderr.contains(words), "{words:?} is not in:\n{stderr}");
        self
    }

    #[track_caller]
    pub(crate) fn says_all(&self, words: &[&str]) {
        for words in words {
            self.says(words);
        }
    }
}
