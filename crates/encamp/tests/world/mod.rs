//! A data and a run directory of a test's own, `encamp` in them, and what is left of it.
#![allow(dead_code, unused_imports, reason = "no test program uses all of it")]

mod ended;
mod running;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use need::Need;

pub(crate) use ended::Ended;
pub(crate) use running::{Running, until};

/// What runs leave behind on purpose, beside allocations that are kept.
const FIXED: [(&str, &[&str]); 6] = [
    ("data/alloc", &[]),
    ("data/alloc_mounts", &[]),
    ("data/users", &["resting"]),
    ("data/cores", &[".lock", ".sharing"]),
    ("data/ports", &[".lock"]),
    ("run", &[".lock"]),
];

static NEXT: AtomicU32 = AtomicU32::new(0);

/// True with root; otherwise says loudly that the test was skipped, or fails where that is asked for.
pub(crate) fn root() -> bool {
    need::require(&[Need::Root])
}

/// A world for real tasks; `None`, as [`root`] says it, without root.
pub(crate) fn world() -> Option<World> {
    root().then(World::new)
}

/// Gone with everything in it at the end of a test that passes.
pub(crate) struct World {
    pub(crate) dir: PathBuf,
}

impl World {
    pub(crate) fn new() -> World {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("encamp-cli-{}-{number}", std::process::id());
        let dir = Path::new("/var/tmp").join(name);
        std::fs::create_dir(&dir).unwrap();
        // Tasks of any uid pass through on the way to their own directories.
        std::fs::set_permissions(&dir, PermissionsExt::from_mode(0o755)).unwrap();
        World { dir }
    }

    /// Writes a file of this name, with its directories.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.dir.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Writes a job file under a name of its own.
    pub(crate) fn file(&self, text: &str) -> PathBuf {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        self.write(&format!("{number}.nomad.hcl"), text)
    }

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

    /// `encamp run` with these flags and a file of this text.
    pub(crate) fn job_command(&self, text: &str, flags: &[&str]) -> Command {
        let mut command = self.encamp(&["run"]);
        command.args(flags).arg(self.file(text));
        command
    }

    pub(crate) fn run_job(&self, text: &str, flags: &[&str]) -> Ended {
        Ended::of(self.job_command(text, flags).output().unwrap())
    }

    /// A run that goes on beside the test.
    pub(crate) fn start_job(&self, text: &str) -> Running {
        Running::start(&mut self.job_command(text, &["--rm"]))
    }

    /// What is left of runs: allocations, claims, run directories, mounts.
    pub(crate) fn left(&self) -> Vec<String> {
        let mut left = Vec::new();
        for (place, fixed) in FIXED {
            let entries = std::fs::read_dir(self.dir.join(place))
                .into_iter()
                .flatten();
            let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            let names = names.filter(|name| !fixed.contains(&name.as_str()));
            left.extend(names.map(|name| format!("{place}/{name}")));
        }
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        // With the slash: one name may begin as another.
        let own = format!("{}/", self.dir.display());
        left.extend(
            mounts
                .lines()
                .filter(|line| line.contains(&own))
                .map(str::to_owned),
        );
        left.sort();
        left
    }

    #[track_caller]
    pub(crate) fn assert_clean(&self) {
        assert_eq!(self.left(), [""; 0]);
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
