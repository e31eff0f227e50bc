//! A real task through `driver::Driver`, without a job file: everything that a `TaskConfig` can say is tried by saying it.
//!
//! Directories, pipes and a cgroup are made as a client makes them. Change the public fields, then start.
use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{FileTypeExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cgroup::{Cgroup, Host};
use driver::options::{Value, Values};
use driver::task_config::Resources;
use driver::{Driver, Kind, Place, StartError, Task, TaskConfig};
use rustix::fs::{CWD, FileType, Mode};

use crate::faces::{DYNAMIC_USER, Site};
use crate::run::Stream;
use crate::{Outcome, World};

/// Both drivers.
pub const KINDS: [Kind; 2] = [Kind::Exec, Kind::Exec2];

/// How long a task that is stopped, or left, may take to end.
const GRACE: Duration = Duration::from_secs(10);

/// Modes of a task's own directories, as Nomad's client makes them.
const DIRECTORIES: [(&str, u32); 4] = [
    ("local", 0o777),
    ("secrets", 0o777),
    ("private", 0o777),
    ("tmp", 0o1777),
];

/// A task that has not been started; all of it goes when this is dropped.
#[derive(Debug)]
pub struct Driven<'a> {
    /// Which driver.
    pub kind: Kind,
    /// What the driver is handed.
    pub task: TaskConfig,
    /// `plugin "…" { config {} }`. For `exec2` it begins with `unveil_by_task = true`.
    pub operator: Values,
    /// What no task may see, besides the state directory.
    pub hidden: Vec<PathBuf>,
    root: PathBuf,
    parent: String,
    cgroup: cgroup::Paths,
    _world: &'a World,
}

/// A task that runs. Dropping it ends it.
#[derive(Debug)]
pub struct Live<'a> {
    task: Task,
    stdout: Stream,
    stderr: Stream,
    _of: &'a Driven<'a>,
}

impl<'a> Driven<'a> {
    /// A task that runs the probe with these arguments.
    #[must_use]
    pub fn new(world: &'a World, kind: Kind, args: &[&str]) -> Driven<'a> {
        Driven::of(world, kind, world.probe(), args)
    }

    /// A task that runs a command.
    #[must_use]
    pub fn of(world: &'a World, kind: Kind, command: &str, args: &[&str]) -> Driven<'a> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let alloc = format!("driven-{}-{count}", std::process::id());
        let parent = format!("encamp-test-{alloc}");
        let host = Host::detect().unwrap();
        let (cgroup, handed) = host
            .standalone(Some(&parent), &format!("{alloc}.web"))
            .unwrap();
        Cgroup::create(&cgroup).unwrap();
        // Not below /tmp: exec2 gives a task one of its own.
        let root = PathBuf::from(format!("/var/tmp/encamp-{alloc}"));
        let mut driven = Driven {
            kind,
            task: task(kind, &alloc, &root, &handed),
            operator: Values::new(),
            hidden: Vec::new(),
            root,
            parent,
            cgroup,
            _world: world,
        };
        driven.make_directories();
        driven.config("command", command.into());
        driven.config("args", args.into());
        if kind == Kind::Exec2 {
            driven.operate("unveil_by_task", true.into());
        }
        driven
    }

    fn make_directories(&self) {
        let (own, shared) = (self.task_dir(), self.alloc_dir());
        for (name, mode) in DIRECTORIES {
            directory(&own.join(name), mode);
        }
        for name in ["", "logs", "tmp", "data"] {
            directory(&shared.join(name), 0o777);
        }
        directory(&self.mounts_dir(), 0o711);
        for pipe in [&self.task.stdout_path, &self.task.stderr_path] {
            rustix::fs::mknodat(CWD, pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        }
    }

    /// One option of `config {}`.
    pub fn config(&mut self, option: &str, value: Value) -> &mut Self {
        self.task.driver_config.insert(option.to_owned(), value);
        self
    }

    /// One option of the operator's.
    pub fn operate(&mut self, option: &str, value: Value) -> &mut Self {
        self.operator.insert(option.to_owned(), value);
        self
    }

    /// The probe's arguments.
    pub fn args(&mut self, args: &[&str]) -> &mut Self {
        self.config("args", args.into())
    }

    /// A directory of this test's on the host, which is removed with everything else.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The task directory on the host.
    #[must_use]
    pub fn task_dir(&self) -> PathBuf {
        self.task.alloc_dir.join(&self.task.name)
    }

    /// The allocation's shared directory on the host.
    #[must_use]
    pub fn alloc_dir(&self) -> PathBuf {
        self.task.alloc_dir.join("alloc")
    }

    /// The task directory as an `exec2` task sees it.
    #[must_use]
    pub fn mounts_dir(&self) -> PathBuf {
        let name = format!("{}-{}", self.task.alloc_id, self.task.name);
        self.root.join("mounts").join(name)
    }

    /// Where this path, given as one below the task directory (`local/x`), is for the task.
    #[must_use]
    pub fn inside(&self, path: &str) -> String {
        let own = match self.kind {
            Kind::Exec => PathBuf::from("/"),
            Kind::Exec2 => self.mounts_dir(),
        };
        own.join(path).to_str().unwrap().to_owned()
    }

    /// The driver, configured.
    #[must_use]
    pub fn driver(&self) -> Driver {
        let place = Place {
            state_dir: self.root.join("state"),
            lifetime: shim::Lifetime::Detached,
            compute: Site::COMPUTE,
            hidden: self.hidden.clone(),
            agent_env: None,
        };
        Driver::new(self.kind, &self.operator, place).unwrap()
    }

    /// An unveil task's directory is its user's.
    fn give_directory(&self) {
        if self.kind == Kind::Exec2
            && let Ok(user) = self.driver().user(&self.task)
        {
            let own = self.task_dir();
            chown(&own, Some(user.uid), Some(user.gid)).unwrap();
            fs::set_permissions(&own, Permissions::from_mode(0o710)).unwrap();
        }
    }

    /// What a start that failed left may still be about to close the old ones, and their readers would take that for the end.
    fn renew_pipes(&self) {
        for pipe in [&self.task.stdout_path, &self.task.stderr_path] {
            let made = pipe.symlink_metadata();
            if made.is_ok_and(|made| made.file_type().is_fifo()) {
                fs::remove_file(pipe).unwrap();
                rustix::fs::mknodat(CWD, pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
            }
        }
    }

    /// Starts the task.
    ///
    /// # Errors
    /// The driver's.
    pub fn try_start(&self) -> Result<Live<'_>, StartError> {
        self.give_directory();
        self.renew_pipes();
        let streams = [&self.task.stdout_path, &self.task.stderr_path].map(|pipe| {
            let pipe = pipe.clone();
            Stream::open(move || fs::File::open(pipe).unwrap())
        });
        let [stdout, stderr] = streams;
        let task = self.driver().start(&self.task)?;
        Ok(Live {
            task,
            stdout,
            stderr,
            _of: self,
        })
    }

    /// Starts the task.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    #[track_caller]
    pub fn start(&self) -> Live<'_> {
        self.try_start()
            .unwrap_or_else(|error| panic!("{}: {}", self.kind.name(), chain(&error)))
    }

    /// Starts the task and waits for its end.
    #[track_caller]
    pub fn run(&self) -> Outcome {
        self.start().wait()
    }

    /// Why the task does not start, with all reasons: `set the flags of …: Invalid argument (os error 22)`.
    ///
    /// # Panics
    /// When it starts, or leaves a cgroup or a state directory behind.
    #[must_use]
    #[track_caller]
    pub fn refused(&self) -> String {
        let Err(error) = self.try_start() else {
            panic!("{}: the task was started", self.kind.name())
        };
        let left: Vec<_> = fs::read_dir(self.root.join("state"))
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .collect();
        assert_eq!(left, Vec::<PathBuf>::new(), "left by a start that failed");
        chain(&error)
    }
}

/// An error and its sources, as the faces print them.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

fn task(kind: Kind, alloc: &str, root: &Path, cgroup: &Path) -> TaskConfig {
    let inside = root.join("mounts").join(format!("{alloc}-web"));
    let own = |name: &str| inside.join(name).display().to_string();
    let (env, user) = match kind {
        Kind::Exec => (BTreeMap::new(), String::new()),
        Kind::Exec2 => (
            BTreeMap::from([("NOMAD_TASK_DIR".to_owned(), own("local"))]),
            DYNAMIC_USER.to_owned(),
        ),
    };
    TaskConfig {
        id: format!("{alloc}/web/12345678"),
        name: "web".to_owned(),
        alloc_id: alloc.to_owned(),
        env,
        resources: Resources {
            cpu_shares: 500,
            memory_mb: 64,
            cpuset_cgroup: cgroup.display().to_string(),
            ..Resources::default()
        },
        user,
        alloc_dir: root.join("alloc").join(alloc),
        stdout_path: root.join("stdout.fifo"),
        stderr_path: root.join("stderr.fifo"),
        ..TaskConfig::default()
    }
}

fn directory(path: &Path, mode: u32) {
    fs::create_dir_all(path).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

impl Live<'_> {
    /// The driver's task.
    #[must_use]
    pub fn task(&self) -> &Task {
        &self.task
    }

    /// The host pid.
    #[must_use]
    pub fn pid(&self) -> i32 {
        let attributes = self.task.inspect().unwrap().attributes;
        attributes["pid"].parse().unwrap()
    }

    /// Waits until standard output holds `text`.
    #[track_caller]
    pub fn wait_for_stdout(&self, text: &str) -> String {
        self.stdout.wait_for(text, || self.stderr.text())
    }

    /// Runs a command beside the task, in its sandbox; both of its streams come as one, the last 4096 bytes.
    #[track_caller]
    pub fn enter(&self, command: &[&str]) -> Outcome {
        let command: Vec<_> = command.iter().map(|&word| word.to_owned()).collect();
        let ran = self.task.exec(&command, Some(crate::run::PATIENCE));
        let ran = ran.unwrap_or_else(|error| panic!("{command:?}: {}", chain(&error)));
        Outcome {
            code: Some(ran.result.exit_code),
            signal: (ran.result.signal != 0).then_some(ran.result.signal),
            stdout: String::from_utf8_lossy(&ran.output).into_owned(),
            stderr: String::new(),
        }
    }

    /// Waits for the task's end and forgets the task. The code of one that was killed is 128 and the signal.
    #[track_caller]
    pub fn wait(mut self) -> Outcome {
        let end = self.task.wait().unwrap();
        self.task.destroy(false).unwrap();
        assert_eq!(end.error, None, "what became of the task");
        Outcome {
            code: Some(end.exit_code),
            signal: (end.signal != 0).then_some(end.signal),
            stdout: self.stdout.finish(),
            stderr: self.stderr.finish(),
        }
    }

    /// Stops the task at once, as its last act.
    #[track_caller]
    pub fn stop(self) -> Outcome {
        self.task.stop("SIGKILL", GRACE).unwrap();
        self.wait()
    }
}

impl Drop for Live<'_> {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.task.destroy(true);
    }
}

impl Drop for Driven<'_> {
    fn drop(&mut self) {
        let cgroup = Cgroup::at(&self.cgroup);
        let _ = cgroup.empty(GRACE);
        let _ = cgroup.remove();
        let _ = Host::detect().unwrap().sweep(Some(&self.parent));
        let _ = fs::remove_dir_all(&self.root);
    }
}
