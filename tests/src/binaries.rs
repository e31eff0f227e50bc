//! The programs that are tested and that test, built when they are first asked for.
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use need::PROGRAMS;

/// Takes the place of the binary that the suite would build.
pub const ENCAMP_BIN: &str = "ENCAMP_BIN";

/// What a probe that stays behind would be known by.
pub const PROBE_PREFIX: &str = "encamp-probe-";

/// Both drivers have this directory in every task: `exec` below its layer of `/usr`, `exec2` in its default list.
const PROBE_DIRECTORY: &str = "/usr/local/bin";

/// The repository.
#[must_use]
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the suite lies in the repository")
}

/// The one program: `ENCAMP_BIN`, or what `cargo build -p encamp` makes.
pub fn encamp() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        std::env::var_os(ENCAMP_BIN)
            .map(PathBuf::from)
            .or_else(|| prebuilt("encamp"))
            .unwrap_or_else(build_encamp)
    })
}

/// A program of [`PROGRAMS`], where that is said.
fn prebuilt(name: &str) -> Option<PathBuf> {
    Some(Path::new(&std::env::var_os(PROGRAMS)?).join(name))
}

fn build_encamp() -> PathBuf {
    cargo(&["build", "--quiet", "--package", "encamp"], None);
    target_directory().join("debug/encamp")
}

/// The probe, linked statically, as it was built; see [`Probe`] for one that a task can reach.
pub fn probe() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| prebuilt("probe").unwrap_or_else(build_probe))
}

fn build_probe() -> PathBuf {
    let own = target_directory().join("probe");
    let directory = own.to_str().expect("a path of UTF-8");
    let triple = "x86_64-unknown-linux-gnu";
    // With a target named, the flags are for the probe alone and not for its build scripts.
    let arguments = [
        "build",
        "--quiet",
        "--release",
        "--package",
        "probe",
        "--target",
        triple,
        "--target-dir",
        directory,
    ];
    cargo(&arguments, Some("-C target-feature=+crt-static"));
    own.join(triple).join("release/probe")
}

/// A program of one C file (`isolation/hide.c`), static, so that it runs inside of tasks and on other machines too.
///
/// # Panics
/// When it cannot be compiled.
pub fn c_program(source: &str) -> PathBuf {
    static BUILDING: Mutex<()> = Mutex::new(());
    let name = Path::new(source).file_stem().expect("a file's name");
    let name = name.to_str().expect("a path of UTF-8");
    prebuilt(name).unwrap_or_else(|| {
        let _one_at_a_time = BUILDING.lock().unwrap_or_else(PoisonError::into_inner);
        let source = repository().join("tests").join(source);
        let built = target_directory().join("c").join(name);
        if modified(&built) <= modified(&source) {
            compile(&source, &built);
        }
        built
    })
}

fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().ok()?.modified().ok()
}

/// Under another name first: other processes may be running or building it.
fn compile(source: &Path, built: &Path) {
    std::fs::create_dir_all(built.parent().expect("a directory")).unwrap();
    let new = built.with_extension(std::process::id().to_string());
    let status = Command::new("cc")
        .args(["-static", "-O1", "-Wall", "-Werror", "-o"])
        .arg(&new)
        .arg(source)
        .status()
        .unwrap_or_else(|error| panic!("cc: {error}"));
    assert!(status.success(), "cc {}: {status}", source.display());
    std::fs::rename(&new, built).unwrap();
}

fn cargo(arguments: &[&str], rustflags: Option<&str>) {
    let mut command = Command::new(env!("CARGO"));
    command.args(arguments).current_dir(repository());
    if let Some(flags) = rustflags {
        command
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .env("RUSTFLAGS", flags);
    }
    let status = command
        .status()
        .unwrap_or_else(|error| panic!("cargo {}: {error}", arguments.join(" ")));
    assert!(status.success(), "cargo {}: {status}", arguments.join(" "));
}

/// Where cargo builds: the test binary itself lies in `<target>/<profile>/deps`.
fn target_directory() -> PathBuf {
    let own = std::env::current_exe().expect("the test has a path");
    own.ancestors()
        .nth(3)
        .expect("target/<profile>/deps/<test>")
        .to_owned()
}

/// A copy of the probe where a task can reach it; removed when dropped.
#[derive(Debug)]
pub struct Probe {
    path: PathBuf,
}

impl Probe {
    /// Installs one under a name of its own.
    pub fn install() -> Probe {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        sweep();
        let name = format!(
            "{PROBE_PREFIX}{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let path = Path::new(PROBE_DIRECTORY).join(name);
        std::fs::create_dir_all(PROBE_DIRECTORY).unwrap();
        std::fs::copy(probe(), &path)
            .unwrap_or_else(|error| panic!("install {}: {error}", path.display()));
        Probe { path }
    }

    /// Its path, on the host and in a task.
    #[must_use]
    pub fn path(&self) -> &str {
        self.path.to_str().expect("a path of UTF-8")
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// A file beside the probe, with content that a test can recognise; removed when dropped.
#[derive(Debug)]
pub struct Canary {
    path: PathBuf,
    metadata: std::fs::Metadata,
}

impl Canary {
    /// Mode of every canary.
    const MODE: u32 = 0o644;

    /// What is in it.
    const TEXT: &'static str = "canary";

    pub(crate) fn place() -> Canary {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "{PROBE_PREFIX}{}-canary-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let path = Path::new(PROBE_DIRECTORY).join(name);
        std::fs::write(&path, Canary::TEXT).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(Canary::MODE)).unwrap();
        let metadata = std::fs::metadata(&path).unwrap();
        Canary { path, metadata }
    }

    /// Its path, on the host and in a task.
    #[must_use]
    pub fn path(&self) -> &str {
        self.path.to_str().expect("a path of UTF-8")
    }

    /// Checks that the host's file is what it was: the same inode, text, mode, owner.
    ///
    /// # Panics
    /// When it is not.
    #[track_caller]
    pub fn assert_untouched(&self) {
        let now = std::fs::metadata(&self.path).expect("the canary is gone");
        let facts =
            |found: &std::fs::Metadata| (found.ino(), found.mode(), found.uid(), found.gid());
        assert_eq!(
            facts(&now),
            facts(&self.metadata),
            "inode, mode, uid, gid of the canary"
        );
        assert_eq!(std::fs::read_to_string(&self.path).unwrap(), Canary::TEXT);
    }
}

impl Drop for Canary {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// No test runs longer.
const LONGEST_RUN: Duration = Duration::from_secs(3600);

/// Removes probes and canaries of test processes that were killed.
fn sweep() {
    for entry in std::fs::read_dir(PROBE_DIRECTORY)
        .into_iter()
        .flatten()
        .flatten()
    {
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name
            .strip_prefix(PROBE_PREFIX)
            .and_then(|rest| rest.split('-').next());
        // In another pid namespace other tests may have other pids.
        let young = entry
            .metadata()
            .and_then(|metadata| metadata.modified())
            .is_ok_and(|made| made.elapsed().is_ok_and(|age| age < LONGEST_RUN));
        if !young && owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}
