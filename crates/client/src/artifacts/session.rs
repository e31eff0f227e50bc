//! The side of whoever wants the artifacts: one fetcher after the other, and what becomes of what they bring.
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use jobspec::Artifact;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Gid, OFlags, Uid};

use super::confine::{self, Fetcher, Pivot};
use super::fetcher::VARIABLES;
use super::launcher::{Ended, Orders, frame};
use super::order::{Limits, Line, Order, REPORT};
use super::resolve::{Resolved, resolve};
use super::roles::LAUNCHER;
use super::{Failure, Views, place};
use crate::dirs::{Dir, Owner, ROOT};
use crate::error::{Attempt, HostError};
use crate::node::ArtifactLimits;
use crate::runner::hook::Stopping;
use crate::{tree, users_file};

/// What a fetcher gets to say at most; an honest one that takes 30 minutes says less.
const REPORT_BYTES: u64 = 8 << 20;
/// How often its report is looked at.
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

/// How it goes. Sources are shown without credentials.
#[derive(Debug)]
pub(crate) enum Progress<'a> {
    /// So much has come.
    Coming {
        source: &'a str,
        bytes: u64,
        total: Option<u64>,
    },
    /// Entries of an archive that were not made.
    LeftOut {
        source: &'a str,
        count: u64,
        first: &'a str,
    },
    /// It is where it belongs.
    Done {
        source: &'a str,
        bytes: u64,
        took: Duration,
    },
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
        tell: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(), Failure> {
        // All of them are looked at before the first is fetched.
        let limits = self.limits()?;
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

    /// The operator's limits, and what the disk can take: a twentieth of what is free stays free.
    fn limits(&self) -> Result<Limits, Failure> {
        let path = &self.site.alloc_dir;
        let free = rustix::fs::statvfs(path).attempt(|| format!("ask how full {path:?} is"))?;
        let bytes = free.f_bavail.saturating_mul(free.f_frsize);
        let limits = &self.site.limits;
        Ok(Limits {
            download: limits.http_max_size,
            unpacked: limits.decompression_size_limit,
            files: limits.decompression_file_count_limit,
            room: Some(bytes - bytes / 20),
            time: limits.http_read_timeout,
        })
    }

    fn one(
        &self,
        resolved: &Resolved,
        stopping: &Stopping,
        tell: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(), Failure> {
        let began = Instant::now();
        let source = resolved.shown.as_str();
        let staging = Staging::make(&self.site)?;
        let order = serde_json::to_string(&resolved.order)
            .map_err(std::io::Error::from)
            .attempt(|| "write down what is to be fetched".to_owned())?;
        let mut fetching = Fetching::start(&self.site, &staging, order)?;
        let bytes = fetching.attend(&resolved.order, source, stopping, tell)?;
        let base = Dir::open(&self.site.alloc_dir)?;
        place::place(&staging.inner, &base, &self.site, &resolved.target).map_err(|reason| {
            Failure::Fetch {
                from: source.to_owned(),
                reason,
            }
        })?;
        tell(Progress::Done {
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
    report: Report,
}

impl Fetching {
    fn start(site: &Site, staging: &Staging, order: String) -> Result<Fetching, HostError> {
        let program = program()?;
        let spec = confine::spec(Fetcher {
            program: &program,
            order,
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
        let orders = frame(&Orders {
            spec,
            cgroup: site.cgroup.clone(),
        });
        let what = || "start the process that fetches artifacts".to_owned();
        let mut launcher = Command::new(&program)
            .arg(LAUNCHER)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .attempt(what)?;
        let mut tie = launcher.stdin.take();
        let report = Report::of(&staging.report).attempt(what)?;
        if let Some(tie) = &mut tie {
            tie.write_all(&orders).attempt(what)?;
        }
        Ok(Fetching {
            launcher,
            tie,
            report,
        })
    }

    /// Waits for the end; says how many bytes came.
    fn attend(
        &mut self,
        order: &Order,
        source: &str,
        stopping: &Stopping,
        tell: &mut dyn FnMut(Progress<'_>),
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
        match (self.report.last.take(), ended) {
            (Some(Ok(bytes)), _) if given_up.is_none() => Ok(bytes),
            (Some(Err(reason)), _) => Err(failed(reason)),
            _ if given_up.is_some() => Err(failed("it took longer than http_read_timeout".into())),
            (_, Some(Ended::Failed(reason))) => Err(failed(format!(
                "the process that fetches could not be started: {reason}"
            ))),
            (_, Some(Ended::Killed(signal))) => Err(failed(format!(
                "the process that fetches was ended by signal {signal}: it may use 1 GiB of memory and write no more than the limits say"
            ))),
            (_, ended) => Err(failed(format!(
                "the process that fetches broke off: {ended:?}"
            ))),
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

    fn ended(&mut self) -> Option<Ended> {
        let mut text = Vec::new();
        if let Some(output) = &mut self.launcher.stdout {
            let _ = output.read_to_end(&mut text);
        }
        self.tie = None;
        let _ = self.launcher.wait();
        serde_json::from_slice(&text).ok()
    }
}

impl Drop for Fetching {
    fn drop(&mut self) {
        // Whatever went wrong here, nobody is left behind.
        self.tie = None;
        let _ = self.launcher.wait();
    }
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

/// What the fetcher has said so far.
#[derive(Debug)]
struct Report {
    file: File,
    read: u64,
    rest: Vec<u8>,
    /// How it ended, by its own words.
    last: Option<Result<u64, String>>,
}

impl Report {
    fn of(file: &File) -> std::io::Result<Report> {
        Ok(Report {
            file: file.try_clone()?,
            read: 0,
            rest: Vec::new(),
            last: None,
        })
    }

    fn pass_on(&mut self, source: &str, tell: &mut dyn FnMut(Progress<'_>)) {
        use std::os::unix::fs::FileExt;
        let mut chunk = [0; 4096];
        while self.read < REPORT_BYTES {
            match self.file.read_at(&mut chunk, self.read) {
                Ok(got) if got > 0 => {
                    self.read += got as u64;
                    self.rest.extend(&chunk[..got]);
                }
                _ => break,
            }
        }
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            if let Ok(line) = serde_json::from_slice(&line) {
                self.line(line, source, tell);
            }
        }
    }

    fn line(&mut self, line: Line, source: &str, tell: &mut dyn FnMut(Progress<'_>)) {
        match line {
            Line::Progress { bytes, total } => tell(Progress::Coming {
                source,
                bytes,
                total,
            }),
            Line::Unpacking => {}
            Line::LeftOut { count, first } => tell(Progress::LeftOut {
                source,
                count,
                first: &printable(&first),
            }),
            Line::Done { bytes } => self.last = Some(Ok(bytes)),
            Line::Failed { reason } => self.last = Some(Err(printable(&reason))),
        }
    }
}

/// What a stranger says must not move anybody's cursor, nor go on for ever.
fn printable(text: &str) -> String {
    let plain = |c: char| if c.is_control() { '?' } else { c };
    text.chars().take(1000).map(plain).collect()
}
