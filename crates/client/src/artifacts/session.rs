//! The side of whoever wants the artifacts: one fetcher after the other, and what becomes of what they bring.
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use jobspec::Artifact;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Gid, OFlags, Uid};

use super::confine::{self, Fetcher, Pivot};
use super::fetcher::VARIABLES;
use super::heard::Heard;
use super::launcher::{Ended, Orders, frame};
use super::order::{Limits, Order, REPORT};
use super::resolve::{Resolved, resolve};
use super::roles::LAUNCHER;
use super::{Failure, place};
use crate::dirs::{Dir, Owner, ROOT};
use crate::error::{Attempt, HostError};
use crate::event::TaskEvent;
use crate::node::ArtifactLimits;
use crate::place::Views;
use crate::runner::hook::Stopping;
use crate::{tree, users_file};

/// How often a fetcher's report is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// What it gets beyond its own time to say that this is over, and to be gone when it was killed.
const GRACE: Duration = Duration::from_secs(30);

/// Where artifacts of one task go, and what they may cost.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    /// The alloc directory.
    pub(crate) alloc_dir: PathBuf,
    pub(crate) views: Views,
    /// Who gets what comes.
    pub(crate) owner: Owner,
    /// Where the fetcher is kept: the task's own, so that whatever clears that up takes it along.
    pub(crate) cgroup: cgroup::Paths,
    pub(crate) limits: ArtifactLimits,
    /// Whether the host runs from a RAM disk, where no root can be pivoted.
    pub(crate) no_pivot_root: bool,
}

/// The artifacts of one task, some of which may be there already.
#[derive(Debug)]
pub(crate) struct Session {
    site: Site,
    fetched: usize,
}

impl Session {
    pub(crate) fn new(site: Site) -> Session {
        Session { site, fetched: 0 }
    }

    /// Fetches what is not there yet, in the order of the job file. After a failure it can be asked again and goes on with
    /// the one that failed.
    pub(crate) fn fetch<'v>(
        &mut self,
        artifacts: &[Artifact],
        known: impl Fn(&str) -> Option<&'v str>,
        stopping: &Stopping,
        tell: &dyn Fn(TaskEvent<'_>),
    ) -> Result<(), Failure> {
        // All of them are looked at before the first is fetched.
        let limits = self.limits();
        let resolved: Vec<Resolved> = artifacts
            .iter()
            .map(|artifact| resolve(artifact, &self.site.views, limits, &known))
            .collect::<Result<_, _>>()?;
        for one in resolved.iter().skip(self.fetched) {
            self.one(one, stopping, tell)?;
            self.fetched += 1;
        }
        Ok(())
    }

    /// The operator's.
    fn limits(&self) -> Limits {
        let limits = &self.site.limits;
        Limits {
            download: limits.http_max_size,
            unpacked: limits.decompression_size_limit,
            files: limits.decompression_file_count_limit,
            room: None,
            time: limits.http_read_timeout,
        }
    }

    /// What the disk can take now: a twentieth of what is free stays free.
    fn room(&self) -> Result<u64, HostError> {
        let path = &self.site.alloc_dir;
        let free = rustix::fs::statvfs(path).attempt(|| format!("ask how full {path:?} is"))?;
        let bytes = free.f_bavail.saturating_mul(free.f_frsize);
        Ok(bytes - bytes / 20)
    }

    fn one(
        &self,
        resolved: &Resolved,
        stopping: &Stopping,
        tell: &dyn Fn(TaskEvent<'_>),
    ) -> Result<(), Failure> {
        let began = Instant::now();
        let source = resolved.shown.as_str();
        let staging = Staging::make(&self.site)?;
        let mut order = resolved.order.clone();
        order.limits.room = Some(self.room()?);
        let mut fetching = Fetching::start(&program()?, &self.site, &staging, &order)?;
        let bytes = fetching.attend(&order, source, stopping, tell)?;
        drop(fetching);
        let base = Dir::open(&self.site.alloc_dir)?;
        place::place(&staging.inner, &base, &self.site, &resolved.target).map_err(|reason| {
            Failure::Fetch {
                from: source.to_owned(),
                reason,
            }
        })?;
        tell(TaskEvent::Fetched {
            source,
            bytes,
            took: began.elapsed(),
        });
        Ok(())
    }
}

/// A directory that no task can reach: what the fetcher writes to, and where its root is put together. Gone with this.
#[derive(Debug)]
struct Staging {
    above: Dir,
    name: String,
    outer: PathBuf,
    inner: Dir,
    report: File,
    owner: Owner,
}

const INNER: &str = "staging";
const SCRATCH: &str = "root";

impl Staging {
    fn make(site: &Site) -> Result<Staging, HostError> {
        let owner = users_file::nobody();
        let above = Dir::open(&site.alloc_dir)?;
        let name = format!(".artifacts-{}", site.views.task);
        tree::remove(above.as_fd(), &name).attempt(|| format!("remove an old {name}"))?;
        let outer = above.make(&name, 0o700, ROOT)?;
        let inner = outer.make(INNER, 0o700, owner)?;
        let report = inner.file(REPORT, OFlags::RDWR | OFlags::CREATE | OFlags::EXCL)?;
        rustix::fs::fchown(
            &report,
            Some(Uid::from_raw(owner.uid)),
            Some(Gid::from_raw(owner.gid)),
        )
        .attempt(|| "give a report to its writer".to_owned())?;
        Ok(Staging {
            outer: outer.path().to_owned(),
            above,
            name,
            inner,
            report,
            owner,
        })
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // What stays is removed with the alloc directory.
        let _ = tree::remove(self.above.as_fd(), &self.name);
    }
}

/// A launcher at work, with the fetcher behind it.
#[derive(Debug)]
struct Fetching {
    launcher: Child,
    /// Closed, it ends the fetcher.
    tie: Option<ChildStdin>,
    cgroup: cgroup::Paths,
    report: Heard,
}

impl Fetching {
    fn start(
        program: &Path,
        site: &Site,
        staging: &Staging,
        order: &Order,
    ) -> Result<Fetching, HostError> {
        let what = || "start the process that fetches artifacts".to_owned();
        let orders = orders(program, site, staging, order).attempt(what)?;
        let report = Heard::of(&staging.report).attempt(what)?;
        let mut launcher = Command::new(program)
            .arg(LAUNCHER)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .attempt(what)?;
        // A launcher that does not listen any more says why when its end is awaited.
        let mut tie = launcher.stdin.take();
        tie = tie.take_if(|tie| tie.write_all(&orders).is_ok());
        Ok(Fetching {
            launcher,
            tie,
            cgroup: site.cgroup.clone(),
            report,
        })
    }

    /// Waits for the end; says how many bytes came.
    fn attend(
        &mut self,
        order: &Order,
        source: &str,
        stopping: &Stopping,
        tell: &dyn Fn(TaskEvent<'_>),
    ) -> Result<u64, Failure> {
        let failed = |reason: String| Failure::Fetch {
            from: source.to_owned(),
            reason,
        };
        let end = order.limits.time.map(|time| Instant::now() + time + GRACE);
        let mut given_up: Option<Instant> = None;
        while !self.is_over()? {
            self.report.pass_on(source, tell);
            let is_late = end.is_some_and(|end| Instant::now() >= end);
            if given_up.is_none() && (stopping.is_asked() || is_late) {
                given_up = Some(Instant::now());
                self.tie = None;
            }
            if given_up.is_some_and(|since| since.elapsed() > GRACE) {
                let _ = self.launcher.kill();
            }
        }
        let ended = self.ended();
        self.report.pass_on(source, tell);
        if stopping.is_asked() {
            return Err(Failure::Aborted);
        }
        self.empty().map_err(failed)?;
        match (self.report.last.take(), ended) {
            (Some(Ok(bytes)), Ok(Ended::Exited(0))) if given_up.is_none() => Ok(bytes),
            (Some(Err(reason)), _) => Err(failed(reason)),
            _ if given_up.is_some() => Err(failed("it took longer than http_read_timeout".into())),
            (_, Ok(Ended::Failed(reason))) => Err(failed(format!(
                "the process that fetches could not be started: {reason}"
            ))),
            (_, Ok(Ended::Killed(signal))) => Err(failed(format!(
                "the process that fetches was ended by signal {signal}: it may use 1 GiB of memory and write no more than the limits say"
            ))),
            (_, Ok(Ended::Exited(code))) => Err(failed(format!(
                "the process that fetches broke off with exit code {code}"
            ))),
            (_, Err(lost)) => Err(failed(lost)),
        }
    }

    /// Waits a moment for the launcher's last word.
    fn is_over(&self) -> Result<bool, HostError> {
        let Some(output) = &self.launcher.stdout else {
            return Ok(true);
        };
        let mut ends = [PollFd::new(output, PollFlags::IN)];
        let pause = Timespec {
            tv_sec: 0,
            tv_nsec: i64::from(LOOK.subsec_nanos()),
        };
        match poll(&mut ends, Some(&pause)) {
            Err(rustix::io::Errno::INTR) | Ok(0) => Ok(false),
            Ok(_) => Ok(true),
            Err(error) => Err(error).attempt(|| "wait for a download".to_owned()),
        }
    }

    /// The launcher's last word, or how it went without one.
    fn ended(&mut self) -> Result<Ended, String> {
        let mut text = Vec::new();
        if let Some(output) = &mut self.launcher.stdout {
            let _ = output.read_to_end(&mut text);
        }
        self.tie = None;
        let status = self.launcher.wait();
        serde_json::from_slice(&text).map_err(|_| match status {
            Ok(status) => format!("the process that launches the fetcher was lost: {status}"),
            Err(error) => format!("the process that launches the fetcher was lost: {error}"),
        })
    }

    /// A launcher that was killed takes nobody along, so whoever is left of the fetcher is ended here. Nobody else is in the
    /// task's cgroup before the task.
    fn empty(&self) -> Result<(), String> {
        let emptied = cgroup::Cgroup::at(&self.cgroup).empty(GRACE);
        emptied.map_err(|error| format!("the process that fetches cannot be ended: {error}"))
    }
}

impl Drop for Fetching {
    fn drop(&mut self) {
        // Whatever went wrong here, nobody is left behind.
        self.tie = None;
        let _ = self.launcher.wait();
        let _ = self.empty();
    }
}

/// What the launcher is told.
fn orders(
    program: &Path,
    site: &Site,
    staging: &Staging,
    order: &Order,
) -> serde_json::Result<Vec<u8>> {
    let spec = confine::spec(Fetcher {
        program,
        order: serde_json::to_string(order)?,
        staging: staging.inner.path(),
        scratch: &staging.outer.join(SCRATCH),
        owner: staging.owner,
        env: environment(),
        pivot: if site.no_pivot_root {
            Pivot::Move
        } else {
            Pivot::Root
        },
    });
    frame(&Orders {
        spec,
        cgroup: site.cgroup.clone(),
    })
}

/// This program's file, if it is still the one that runs.
fn program() -> Result<PathBuf, HostError> {
    let what = || "find this program's file (was it replaced while it ran?)".to_owned();
    let path = std::env::current_exe().attempt(what)?;
    let running = rustix::fs::stat("/proc/self/exe").attempt(what)?;
    let found = rustix::fs::stat(&path).attempt(what)?;
    if (running.st_dev, running.st_ino) == (found.st_dev, found.st_ino) {
        return Ok(path);
    }
    Err(rustix::io::Errno::STALE).attempt(what)
}

fn environment() -> std::collections::BTreeMap<String, String> {
    let set = VARIABLES.into_iter().filter_map(|name| {
        let value = std::env::var(name).ok()?;
        Some((name.to_owned(), value))
    });
    set.collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::artifacts::order::Outcome;
    use crate::environment::Directories;
    use crate::testing::{Scratch, root};

    fn site(scratch: &Scratch) -> Site {
        Site {
            alloc_dir: scratch.path().to_owned(),
            views: Views {
                task: "t".to_owned(),
                directories: Directories::at("/alloc", "/local", "/secrets"),
            },
            owner: ROOT,
            // Nobody is in a cgroup that is not there.
            cgroup: cgroup::Paths::default(),
            limits: ArtifactLimits::default(),
            no_pivot_root: false,
        }
    }

    #[test]
    fn a_launcher_that_does_not_listen_is_awaited_and_told_of() {
        if !root() {
            return;
        }
        let scratch = Scratch::new();
        let site = site(&scratch);
        let order = Order {
            url: "http://h/".to_owned(),
            // More than a pipe holds.
            headers: vec![("x".to_owned(), "x".repeat(1 << 20))],
            insecure: false,
            sum: None,
            archive: None,
            result: Outcome::File,
            limits: Limits::default(),
        };
        let staging = Staging::make(&site).unwrap();
        let program = Path::new("/bin/false");
        let mut fetching = Fetching::start(program, &site, &staging, &order).unwrap();
        let pid = fetching.launcher.id();
        let stopping = Stopping::default();
        let failure = fetching
            .attend(&order, "x", &stopping, &|_| {})
            .unwrap_err();
        assert!(
            failure.to_string().contains("was lost: exit status: 1"),
            "{failure}"
        );
        assert!(!Path::new(&format!("/proc/{pid}/exe")).exists());
    }

    #[test]
    fn orders_that_cannot_be_written_are_not_sent() {
        use std::os::unix::ffi::OsStrExt;
        let name = std::ffi::OsStr::from_bytes(b"/\xff");
        let orders = Orders {
            spec: confine::spec(Fetcher {
                program: Path::new(name),
                order: String::new(),
                staging: Path::new("/"),
                scratch: Path::new("/"),
                owner: ROOT,
                env: environment(),
                pivot: Pivot::Root,
            }),
            cgroup: cgroup::Paths::default(),
        };
        assert!(frame(&orders).is_err());
    }
}
