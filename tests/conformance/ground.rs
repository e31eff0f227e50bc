//! Real ground for a task: directories, pipes and a cgroup as a client makes them, under the same names each time.
use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io::Read;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use cgroup::{Cgroup, Host};
use driver::{Driver, ExitResult, Kind, Task, TaskConfig};
use jobspec::JobType;
use rustix::fs::{CWD, FileType, Mode};
use suite::{JobFile, Site};

/// Files of a cgroup that say how its processes are limited, on v1 and v2.
const LIMITS: [&str; 10] = [
    "cpu.cfs_period_us",
    "cpu.cfs_quota_us",
    "cpu.max",
    "cpu.shares",
    "cpu.weight",
    "cpuset.cpus",
    "memory.limit_in_bytes",
    "memory.max",
    "memory.soft_limit_in_bytes",
    "memory.low",
];

/// How long a task that is stopped has.
const GRACE: Duration = Duration::from_secs(10);

/// Where one job's task runs, once for each face.
pub(crate) struct Ground {
    /// Its names.
    pub(crate) site: Site,
    root: PathBuf,
    parent: String,
    cgroup: cgroup::Paths,
}

/// What came of one start.
#[derive(Debug, PartialEq)]
pub(crate) struct Ran {
    /// Code, signal, oom, error; the time is not compared.
    pub(crate) end: (i32, i32, bool, Option<String>),
    /// What it printed.
    pub(crate) stdout: String,
    /// What it printed.
    pub(crate) stderr: String,
    /// What its cgroup's files said, by path.
    pub(crate) limits: BTreeMap<PathBuf, String>,
    /// What could not be had.
    pub(crate) refusals: Vec<String>,
}

impl Ground {
    /// Names for everything; nothing is made yet.
    pub(crate) fn new(file: &JobFile) -> Ground {
        let own = format!("encamp-conformance-{}-{}", std::process::id(), file.name);
        // Not below /tmp: exec2 gives a task one of its own.
        let root = Path::new("/var/tmp").join(&own);
        let alloc_id = "0af996ed-1111-2222-3333-444444444444".to_owned();
        let scope = format!("{alloc_id}.{}", file.task().name);
        let host = Host::detect().unwrap();
        let (cgroup, handed) = host.standalone(Some(&own), &scope).unwrap();
        let site = Site {
            alloc_id,
            data_dir: root.join("data"),
            run_dir: root.join("run"),
            cgroup: handed,
        };
        Ground {
            site,
            root,
            parent: own,
            cgroup,
        }
    }

    /// Makes everything, runs the task to its end, takes everything away.
    pub(crate) fn run(&self, file: &JobFile, driver: &Driver, task: &TaskConfig) -> Ran {
        self.make(file, driver, task);
        let pipes = [reader(&task.stdout_path), reader(&task.stderr_path)];
        let started = driver
            .start(task)
            .unwrap_or_else(|error| panic!("{}: {error:?}", file.name));
        if file.job.kind == JobType::Service {
            stop(file, &started);
        }
        let end = started.wait().unwrap();
        let refusals = started.inspect().unwrap().refusals;
        let limits = self.limits();
        started.destroy(false).unwrap();
        let [stdout, stderr] = pipes.map(|pipe| pipe.join().unwrap());
        self.clear();
        Ran {
            end: outcome(&end),
            stdout,
            stderr,
            limits,
            refusals,
        }
    }

    fn make(&self, file: &JobFile, driver: &Driver, task: &TaskConfig) {
        let (allocation, allotment) = (self.site.allocation(file), self.site.allotment(file));
        let own = allocation.alloc_dir.join(&task.name);
        for directory in ["local", "tmp", "secrets"] {
            open_to_all(&own.join(directory));
        }
        for directory in ["logs", "tmp", "data"] {
            open_to_all(&allocation.alloc_dir.join("alloc").join(directory));
        }
        open_to_all(&allocation.alloc_dir.join("alloc"));
        fs::create_dir_all(&allotment.mounts_dir).unwrap();
        fs::create_dir_all(&allocation.run_dir).unwrap();
        if driver.kind() == Kind::Exec2 {
            let user = driver.user(task).unwrap();
            chown(&own, Some(user.uid), Some(user.gid)).unwrap();
            fs::set_permissions(&own, Permissions::from_mode(0o710)).unwrap();
        }
        for pipe in [&task.stdout_path, &task.stderr_path] {
            rustix::fs::mknodat(CWD, pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        }
        Cgroup::create(&self.cgroup).unwrap();
    }

    fn limits(&self) -> BTreeMap<PathBuf, String> {
        let directories = self.cgroup.unified.iter().chain(self.cgroup.v1.values());
        directories
            .flat_map(|directory| LIMITS.map(|name| directory.join(name)))
            .filter_map(|path| Some((path.clone(), fs::read_to_string(path).ok()?)))
            .collect()
    }

    fn clear(&self) {
        let cgroup = Cgroup::at(&self.cgroup);
        let _ = cgroup.empty(Duration::from_secs(5));
        let _ = cgroup.remove();
        let _ = Host::detect().unwrap().sweep(Some(&self.parent));
        let _ = fs::remove_dir_all(&self.root);
    }
}

/// After a test that failed half-way.
impl Drop for Ground {
    fn drop(&mut self) {
        self.clear();
    }
}

fn open_to_all(directory: &Path) {
    fs::create_dir_all(directory).unwrap();
    fs::set_permissions(directory, Permissions::from_mode(0o777)).unwrap();
}

/// As the client does when it is told to stop. A job that names a signal catches it, which is waited for first.
fn stop(file: &JobFile, task: &Task) {
    let named = file.task().kill_signal.as_ref();
    if let Some(signal) = named {
        wait_until_caught(task, driver::signals::parse(&signal.value).unwrap());
    }
    let signal = named.map_or("SIGINT", |signal| signal.value.as_str());
    task.stop(signal, GRACE).unwrap();
}

/// By `SigCgt` of proc_pid_status(5).
fn wait_until_caught(task: &Task, signal: i32) {
    let pid = task.inspect().unwrap().attributes["pid"].clone();
    let deadline = Instant::now() + GRACE;
    loop {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let caught = u64::from_str_radix(caught.unwrap().trim(), 16).unwrap();
        if caught & (1 << (signal - 1)) != 0 {
            return;
        }
        assert!(Instant::now() < deadline, "signal {signal} is never caught");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn outcome(end: &ExitResult) -> (i32, i32, bool, Option<String>) {
    (end.exit_code, end.signal, end.oom_killed, end.error.clone())
}

/// Reads a pipe to its end.
fn reader(path: &Path) -> JoinHandle<String> {
    let path = path.to_owned();
    std::thread::spawn(move || {
        let mut text = Vec::new();
        fs::File::open(path)
            .unwrap()
            .read_to_end(&mut text)
            .unwrap();
        String::from_utf8_lossy(&text).into_owned()
    })
}
