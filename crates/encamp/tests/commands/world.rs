//! A data and a run directory of a test's own, and what runs there.
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

static NEXT: AtomicU32 = AtomicU32::new(0);

pub(crate) struct World {
    pub(crate) dir: PathBuf,
}

/// `None`, loudly, without root; `ENCAMP_TEST_REQUIRE` makes that a failure.
pub(crate) fn world() -> Option<World> {
    if !rustix::process::geteuid().is_root() {
        let required = std::env::var_os("ENCAMP_TEST_REQUIRE").is_some();
        assert!(!required, "these tests need root");
        eprintln!("SKIPPED: needs root");
        return None;
    }
    let name = format!(
        "encamp-commands-{}-{}",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    );
    let dir = Path::new("/var/tmp").join(name);
    std::fs::create_dir(&dir).unwrap();
    // Tasks of any uid pass through on the way to their own directories.
    std::fs::set_permissions(&dir, PermissionsExt::from_mode(0o755)).unwrap();
    Some(World { dir })
}

impl World {
    /// `encamp` with these arguments, in this world.
    pub(crate) fn encamp(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_encamp"));
        command.stdin(Stdio::null());
        // Behind the command's name: what follows `--` is none of encamp's.
        command.arg(arguments[0]);
        command.arg("--data-dir").arg(self.dir.join("data"));
        command.arg("--run-dir").arg(self.dir.join("run"));
        command.args(&arguments[1..]);
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        Ended::of(self.encamp(arguments).output().unwrap())
    }

    /// What is left of runs.
    pub(crate) fn left(&self) -> Vec<String> {
        let mut left = Vec::new();
        for place in ["data/alloc", "data/alloc_mounts", "run"] {
            let entries = std::fs::read_dir(self.dir.join(place))
                .into_iter()
                .flatten();
            let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            left.extend(
                names
                    .filter(|name| name != ".lock")
                    .map(|name| format!("{place}/{name}")),
            );
        }
        left
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // A run that the test has killed has left mounts and cgroups.
            let _ = self.encamp(&["gc"]).output();
            let _ = std::fs::remove_dir_all(&self.dir);
        }
    }
}

/// The end of a command.
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

    #[track_caller]
    pub(crate) fn says(self, words: &str) -> Ended {
        assert!(
            self.stderr.contains(words),
            "{words:?} is not in:\n{}",
            self.stderr
        );
        self
    }
}
