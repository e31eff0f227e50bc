//! The start of a task. Each act registers its undoing before it is done; a failed start leaves nothing.
use std::error::Error as Cause;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cgroup::{Cgroup, Limits, Paths};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use sandbox::Spec;
use sandbox::spec::Mount;
use shim::{Found, Launch, Lifetime, Running, SpawnError};

use crate::api::{Driver, Kind, Operator, StartError, Task};
use crate::denials::{Watch, Watched};
use crate::handle::{Handle, Started};
use crate::remembered::Reserved;
use crate::stats::{self, Sample};
use crate::task_config::TaskConfig;
use crate::{
    device_rules, exec, exec2, fingerprint, given_cgroup, limits, lookup, lower, orphans, signals,
    state_dir,
};

/// How long what a crashed predecessor left in the cgroup may take to die.
const EMPTYING: Duration = Duration::from_secs(10);

/// Limits of our own making: no job asks for them.
const UNASKED: [&str; 3] = [
    "memory.oom.group",
    "memory.swap.max",
    "memory.memsw.limit_in_bytes",
];

impl Driver {
    /// Starts a task; returns once its command has been executed. Applies limits, empties its cgroup first.
    ///
    /// # Errors
    /// Nothing is left of it then: no process, no directory, no cgroup, no waiting log reader.
    pub fn start(&self, task: &TaskConfig) -> Result<Task, StartError> {
        let task = &*self.0.remembered.restore(task);
        let started = self.attempt(task);
        if started.is_err() {
            release_reader(&task.stdout_path);
            release_reader(&task.stderr_path);
        }
        started
    }

    fn attempt(&self, task: &TaskConfig) -> Result<Task, StartError> {
        let watch = self.watching();
        let spec = logged(self.lower(task)?, watch.as_ref());
        if !rustix::process::geteuid().is_root() {
            return Err(host("start a task", "driver must run as root"));
        }
        // Before anything else can fail: what an earlier start left must not run on while this one is said to have failed.
        let state = self.claim_state(task)?;
        self.check_host(task, &spec)?;
        let devices = device_rules::rules(self.kind(), task, &spec)?;
        let given = given_cgroup::find(task)?;
        let mut undo = Undo {
            state: &state,
            made: &given.made,
            armed: true,
        };
        let cgroup =
            Cgroup::create(&given.paths).map_err(|error| host("make the task's cgroup", error))?;
        cgroup.empty(EMPTYING).map_err(|error| {
            host(
                "empty the task's cgroup of what an earlier start left in it",
                error,
            )
        })?;
        let limits = Limits {
            devices: Some(devices),
            ..limits::limits(self.kind(), &task.resources, self.0.place.compute)
        };
        let refused = cgroup
            .apply(&limits)
            .map_err(|error| host("limit the task's cgroup", error))?;
        let baseline = stats::cpu(&cgroup.stats().unwrap_or_default());
        let title = title(task);
        let launch = Launch {
            spec: &spec,
            cgroup: &given.paths,
            state: &state,
            lifetime: self.0.place.lifetime,
            title: &title,
        };
        let spawned =
            shim::spawn(&launch).map_err(|error| spawn_error(error, self.kind(), &spec))?;
        undo.armed = false;
        if self.0.place.lifetime == Lifetime::Detached {
            orphans::note(&state, &task.alloc_dir, &given.made);
        }
        let started = Started {
            kind: self.kind(),
            id: task.id.clone(),
            name: task.name.clone(),
            state: state.clone(),
            cgroup: given.paths.clone(),
            made: given.made.clone(),
            baseline,
            compute: self.0.place.compute,
            env: spec.command.env.clone(),
            cwd: spec.command.cwd.clone(),
            refusals: told(&refused, |file| !UNASKED.contains(&file)),
            lacking: told(&refused, |file| UNASKED.contains(&file)),
            reserved: Reserved::of(task),
            home: watch.as_ref().and_then(|_| exec2::home(task)),
        };
        self.0.remembered.keep(&started.reserved);
        let lifeline = (self.0.place.lifetime == Lifetime::Foreground).then_some(spawned.shim);
        let handle = Handle::new(started, &spawned.running);
        let watched = watch.and_then(|watch| self.watched(&watch, &handle, &spawned.running));
        Ok(Task {
            input: Mutex::new(spawned.near),
            watched: Mutex::new(watched),
            ..Task::new(handle, lifeline)
        })
    }

    /// Who reads what tasks of this driver are denied.
    pub(crate) fn watching(&self) -> Option<Arc<Watch>> {
        let watch = self.0.watch.lock().unwrap_or_else(PoisonError::into_inner);
        watch.upgrade().filter(|_| self.kind() == Kind::Exec2)
    }

    /// A task whose denials are recorded, in whichever process it was started.
    pub(crate) fn watched(
        &self,
        watch: &Arc<Watch>,
        handle: &Handle,
        running: &Running,
    ) -> Option<Watched> {
        let Operator::Exec2(operator) = &self.0.operator else {
            return None;
        };
        let means = exec2::means(handle.home.as_deref()?, operator);
        Some(Watched::new(watch, running.init_pid, means, &handle.state))
    }

    /// What can only be told on the host itself.
    fn check_host(&self, task: &TaskConfig, spec: &Spec) -> Result<(), StartError> {
        match self.kind() {
            Kind::Exec => {
                let at = lower::directories(task)?;
                exec::shared::redirect(&at).map_err(|error| {
                    let (from, to) = (at.task.join("alloc"), at.alloc.display());
                    let act = format!("bring what lies in {} to {to}", from.display());
                    host(act, error)
                })
            }
            Kind::Exec2 if sandbox::landlock::abi().is_none() => {
                Err(host("confine the task", fingerprint::NO_LANDLOCK))
            }
            Kind::Exec2 => exec2::reach::check_work_dir(spec, task)
                .and_then(|()| exec2::reach::check_entries(spec, task))
                .and_then(|()| exec2::reach::check_command(spec)),
        }
    }

    /// The shim's directory for this task, with no trace of a predecessor of the same id. One that still runs detached is ended: whoever
    /// starts it again does not know of it, as an agent whose plugin died before it could answer, and which asks the next one.
    fn claim_state(&self, task: &TaskConfig) -> Result<PathBuf, StartError> {
        let place = &self.0.place.state_dir;
        make_state_place(place).map_err(|error| {
            host(
                format!("make the state directory {}", place.display()),
                error,
            )
        })?;
        let state = state_dir::of(place, &task.id);
        if state.symlink_metadata().is_err() {
            return Ok(state);
        }
        let act = || format!("look at the state directory {}", state.display());
        match shim::attach(&state).map_err(|error| host(act(), error))? {
            Found::Alive(shim, _) if self.0.place.lifetime == Lifetime::Detached => shim
                .stop(signals::KILL, Duration::ZERO)
                .map_err(|error| host("end what an earlier start left running", error))?,
            Found::Alive(..) => {
                return Err(host(
                    format!("task with ID {:?} already started", task.id),
                    format!("its shim answers in {}", state.display()),
                ));
            }
            Found::Ended(_) | Found::Lost => {}
        }
        shim::forget(&state).map_err(|error| host(act(), error))?;
        Ok(state)
    }
}

/// Denials are recorded only where somebody reads: whoever is denied much fills the log of whoever else does.
fn logged(mut spec: Spec, watch: Option<&Arc<Watch>>) -> Spec {
    if let Some(landlock) = &mut spec.landlock {
        landlock.logged = watch.is_some();
    }
    spec
}

impl Task {
    pub(crate) fn new(handle: Handle, lifeline: Option<shim::Shim>) -> Task {
        let sample = Sample {
            at: handle.started_at,
            cpu: handle.baseline,
        };
        Task {
            handle,
            _lifeline: lifeline,
            input: Mutex::default(),
            ended: Mutex::new(None),
            sample: Mutex::new(sample),
            processes: Mutex::default(),
            watched: Mutex::default(),
        }
    }
}

/// Its parents may hold what tasks can see; itself only root enters.
fn make_state_place(place: &Path) -> std::io::Result<()> {
    if let Some(parent) = place.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(place)
}

/// Those of the cgroup's refusals that are of such files, in words.
fn told(refused: &[cgroup::Refusal], is_wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let wanted = refused.iter().filter(|refusal| is_wanted(&refusal.file));
    wanted
        .map(|refusal| format!("{}: {}", refusal.file, refusal.reason))
        .collect()
}

/// What a failed start takes back. The shim leaves nothing of its own when it does not start.
struct Undo<'a> {
    state: &'a Path,
    made: &'a Paths,
    armed: bool,
}

impl Drop for Undo<'_> {
    fn drop(&mut self) {
        if self.armed {
            // The error that led here is the one to tell.
            let _ = shim::forget(self.state);
            let _ = Cgroup::at(self.made).remove();
        }
    }
}

/// A failure of the host or the sandbox.
pub(crate) fn host(
    act: impl Into<String>,
    source: impl Into<Box<dyn Cause + Send + Sync>>,
) -> StartError {
    StartError::Host {
        act: act.into(),
        source: source.into(),
    }
}

/// Each driver in the words of its original.
fn spawn_error(error: SpawnError, kind: Kind, spec: &Spec) -> StartError {
    match (error, kind) {
        (SpawnError::NotFound(_), Kind::Exec2) => {
            StartError::NotFound(exec2::reach::not_found(spec))
        }
        (SpawnError::NotExecutable { path, message }, Kind::Exec2) => {
            let reason = not_executable(&path, message, &spec.mounts);
            StartError::NotExecutable(exec2::reach::not_executable(spec, &reason))
        }
        (SpawnError::NotFound(message), Kind::Exec) => StartError::NotFound(message),
        (SpawnError::NotExecutable { path, message }, Kind::Exec) => {
            StartError::NotExecutable(not_executable(&path, message, &spec.mounts))
        }
        (other, _) if is_ramdisk(&other) => host(format!("start the task ({RAMDISK})"), other),
        (other, _) => host("start the task", other),
    }
}

/// Where nothing at all is executed, as in Nomad's `secrets`, the way out comes with it.
fn not_executable(path: &Path, reason: String, mounts: &[Mount]) -> String {
    match lookup::covering(mounts, path) {
        Some(mount) if mount.flags.noexec => format!(
            "{reason}: nothing below {} is ever executed (noexec); put it into local/",
            mount.target.display()
        ),
        _ => reason,
    }
}

/// The way out where pivot_root(2) fails.
const RAMDISK: &str = "pivot_root cannot leave a root on a ramdisk: no_pivot_root = true in the driver's configuration does without it";

/// pivot_root(2), NOTES: "The rootfs (initial ramfs) cannot be pivot_root()ed"; it says EINVAL.
fn is_ramdisk(error: &SpawnError) -> bool {
    matches!(error, SpawnError::Step { step, source, .. }
        if step.starts_with("pivot_root") && source.raw_os_error() == Some(Errno::INVAL.raw_os_error()))
}

/// For ps(1): eight characters of the allocation, as Nomad shows them, and the task.
fn title(task: &TaskConfig) -> String {
    let alloc: String = task.alloc_id.chars().take(8).collect();
    format!("{alloc}/{}", task.name)
}

/// Nomad's log reader waits seconds for a first writer before it lets the task be stopped.
fn release_reader(path: &Path) {
    if path
        .symlink_metadata()
        .is_ok_and(|metadata| metadata.file_type().is_fifo())
    {
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        // Without a reader it fails, and nobody waits.
        drop(rustix::fs::open(path, flags, Mode::empty()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_where_nothing_is_executed_is_told_so() {
        let mut secrets = lower::bind("/T/secrets", "/secrets");
        secrets.flags.noexec = true;
        let mounts = [
            lower::bind("/T/sec", "/sec"),
            secrets,
            lower::bind("/T/secrets-of-mine", "/secrets-of-mine"),
        ];
        let told = |path: &str| {
            not_executable(
                Path::new(path),
                format!("{path} cannot be executed"),
                &mounts,
            )
        };
        assert!(told("/secrets/x").ends_with("(noexec); put it into local/"));
        for path in ["/sec/x", "/secrets-of-mine/x", "/elsewhere/secrets/x"] {
            assert_eq!(told(path), format!("{path} cannot be executed"));
        }
    }
}
