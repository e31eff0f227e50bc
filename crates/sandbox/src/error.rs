//! Why a description cannot be carried out, found out before anything is cloned.
use std::io;
use std::path::PathBuf;

/// A failed act of [`crate::prepare()`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A system call on a path failed.
    #[error("{act} {}", path.display())]
    Path {
        /// What was attempted: `open`, `make directory`.
        act: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A system call without a path failed.
    #[error("{act}")]
    Call {
        /// What was attempted.
        act: String,
        /// Why it failed.
        source: io::Error,
    },
    /// A path is not what it has to be.
    #[error("{} {problem}", path.display())]
    Unfit {
        /// The path.
        path: PathBuf,
        /// What is wrong with it, and the way out.
        problem: String,
    },
    /// System calls that every supported kernel has are not there.
    #[error(
        "not available: {}; the kernel is older than that, or a seccomp filter around this program hides them (a container's: run outside of it, or let them through)",
        calls.join(", ")
    )]
    NoCalls {
        /// Each with the Linux that brought it.
        calls: Vec<String>,
    },
    /// The kernel has no Landlock, or it is switched off.
    #[error(
        "landlock not available: this kernel does not offer it (since Linux 5.13; `lsm=` must list landlock)"
    )]
    NoLandlock,
    /// The Landlock ruleset could not be built.
    #[error("build the Landlock ruleset")]
    Ruleset {
        /// Why.
        source: io::Error,
    },
    /// The kernel's Landlock cannot do what was asked for.
    #[error(
        "{what} needs Landlock ABI {since}, this kernel has {abi}: ask for less, or use a newer kernel"
    )]
    Landlock {
        /// What was asked for.
        what: &'static str,
        /// Since which ABI it can be had.
        since: u32,
        /// The kernel's.
        abi: u32,
    },
    /// A system call filter cannot be built.
    #[error("the system call {syscall} in a filter {problem}")]
    Filter {
        /// The call.
        syscall: String,
        /// What is wrong.
        problem: String,
    },
    /// None of the places holds the executable.
    #[error("file {name} not found under path /; looked in {}", searched.join(", "))]
    NotFound {
        /// As it was asked for.
        name: String,
        /// Paths inside, in order.
        searched: Vec<String>,
    },
    /// The executable is there and cannot be executed.
    #[error("{} cannot be executed: {reason}", path.display())]
    NotExecutable {
        /// Path inside.
        path: PathBuf,
        /// Why, and the way out.
        reason: String,
    },
    /// A string that has to become a C string holds a NUL byte.
    #[error("{what} holds a NUL byte")]
    Nul {
        /// Which string.
        what: String,
    },
    /// The cgroup cannot be entered.
    #[error(transparent)]
    Cgroup(#[from] cgroup::Error),
}

impl Error {
    pub(crate) fn path(
        act: &'static str,
        path: impl Into<PathBuf>,
        source: impl Into<io::Error>,
    ) -> Error {
        Error::Path {
            act,
            path: path.into(),
            source: source.into(),
        }
    }

    /// Whether there is no mount point and none can be made: nothing is there, or what is there is read-only. Want of descriptors or memory says
    /// nothing about the place.
    pub(crate) fn is_no_place(&self) -> bool {
        const ERRNOS: [i32; 4] = [libc::ENOENT, libc::ENOTDIR, libc::ELOOP, libc::EROFS];
        match self {
            Error::Unfit { .. } => true,
            Error::Path { source, .. } => source
                .raw_os_error()
                .is_some_and(|errno| ERRNOS.contains(&errno)),
            _ => false,
        }
    }

    pub(crate) fn call(act: impl Into<String>, source: impl Into<io::Error>) -> Error {
        Error::Call {
            act: act.into(),
            source: source.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn os() -> io::Error {
        io::Error::from_raw_os_error(libc::ENOENT)
    }

    /// The text, and whether a source says why.
    fn told(error: Error) -> (String, bool) {
        (
            error.to_string(),
            std::error::Error::source(&error).is_some(),
        )
    }

    #[test]
    fn a_failed_call_says_what_was_attempted_and_leaves_the_reason_to_its_source() {
        assert_eq!(
            told(Error::path("open", "/a b", os())),
            ("open /a b".to_owned(), true)
        );
        assert_eq!(
            told(Error::call("make a tmpfs", os())),
            ("make a tmpfs".to_owned(), true)
        );
        assert_eq!(
            told(Error::Ruleset { source: os() }),
            ("build the Landlock ruleset".to_owned(), true)
        );
    }

    #[test]
    fn an_unfit_path_says_what_is_wrong_with_it() {
        let error = Error::Unfit {
            path: "/x".into(),
            problem: "is not below /dev".to_owned(),
        };
        assert_eq!(told(error), ("/x is not below /dev".to_owned(), false));
    }

    #[test]
    fn a_missing_landlock_says_where_to_look() {
        let text = told(Error::NoLandlock).0;
        assert_eq!(
            text,
            "landlock not available: this kernel does not offer it (since Linux 5.13; `lsm=` must list landlock)"
        );
    }

    #[test]
    fn a_missing_executable_says_where_it_was_looked_for() {
        let error = Error::NotFound {
            name: "x".to_owned(),
            searched: vec!["/bin/x".to_owned(), "/usr/bin/x".to_owned()],
        };
        assert_eq!(
            told(error).0,
            "file x not found under path /; looked in /bin/x, /usr/bin/x"
        );
    }

    #[test]
    fn an_executable_that_is_none_says_why() {
        let error = Error::NotExecutable {
            path: "/bin".into(),
            reason: "it is a directory, not a regular file".to_owned(),
        };
        assert_eq!(
            told(error).0,
            "/bin cannot be executed: it is a directory, not a regular file"
        );
    }

    #[test]
    fn a_nul_says_in_what() {
        let what = "the host name".to_owned();
        assert_eq!(
            told(Error::Nul { what }).0,
            "the host name holds a NUL byte"
        );
    }

    #[test]
    fn a_cgroup_error_speaks_for_itself() {
        let error = cgroup::Error::NoHierarchy {
            reason: "x".to_owned(),
        };
        let text = error.to_string();
        assert_eq!(told(Error::from(error)).0, text);
    }
}
