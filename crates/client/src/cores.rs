//! Cores for one task alone, claimed across runs; everybody else's tasks are kept off them.
//!
//! A core is claimed by a lock on `<core>.lock`, which says who holds it; the kernel drops the lock when its holder
//! dies, however it dies. Claims change under the lock of `.lock`. A run without cores holds a shared lock on
//! `.sharing` as long as it has a task: the last core that is left to such runs cannot be claimed meanwhile.
//!
//! A lock file that nobody holds is of a killed run. Its task may live for another moment, so its core counts as taken
//! until the run has been cleared, which ends the task and takes the run's directory away.
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use cgroup::{CpuSet, Host};
use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::dirs::{Dir, is};
use crate::error::{Attempt, Error, HostError, Subject};
use crate::node::Node;

const ALL: &str = ".lock";
const SHARING: &str = ".sharing";
/// Holds the cores that were left to the others, when those were not all.
const LEFT: &str = ".left";
/// How long the task of a killed run may take to end.
const DYING: Duration = Duration::from_secs(10);

/// Who has a core.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Holder {
    pub(crate) job: String,
    pub(crate) task: String,
    pub(crate) alloc: String,
    /// Of the command.
    pub(crate) pid: u32,
    /// The run's directory: as long as it is there, the run has not been cleared.
    pub(crate) run_dir: PathBuf,
}

/// The cores of this node, and where they are claimed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cores<'a> {
    pub(crate) dir: &'a Dir,
    pub(crate) host: &'a Host,
    pub(crate) node: &'a Node,
}

/// Cores that are ours as long as this lives.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) cpus: CpuSet,
    locks: Vec<File>,
}

/// The right to run on the cores that nobody has claimed, as long as this lives.
#[derive(Debug)]
pub(crate) struct Sharing(#[expect(dead_code, reason = "held, not read")] File);

/// Whether killed runs may still be waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Patience {
    Left,
    Over,
}

/// The claims of all runs, looked through under their lock.
#[derive(Default)]
struct Claims {
    taken: Vec<(u32, Option<Holder>)>,
    dying: Vec<u32>,
}

impl Claims {
    fn cpus(&self) -> CpuSet {
        let taken = self.taken.iter().map(|(core, _)| *core);
        taken.chain(self.dying.iter().copied()).collect()
    }
}

/// Keeps other runs from claiming cores as long as it is held.
pub(crate) fn lock(dir: &Dir) -> Result<Dir, HostError> {
    // Opened anew: the lock ends when this is closed, and not with the last copy of `dir`.
    let own = dir.child(".")?;
    flock(&own, FlockOperation::LockExclusive)
        .attempt(|| format!("lock {}", dir.path().display()))?;
    Ok(own)
}

impl Cores<'_> {
    /// Claims so many cores for a task, all or none. `clear` clears up behind killed runs.
    pub(crate) fn claim(
        &self,
        wanted: u64,
        subject: &Subject,
        holder: &Holder,
        clear: &mut dyn FnMut(),
    ) -> Result<Claim, Error> {
        retry(clear, |patience| {
            self.attempt(wanted, subject, holder, patience)
        })
    }

    /// `None`: some core's killed run has not been cleared yet.
    fn attempt(
        &self,
        wanted: u64,
        subject: &Subject,
        holder: &Holder,
        patience: Patience,
    ) -> Result<Option<Claim>, Error> {
        let usable = self.usable(subject)?;
        let _all = self.lock_all()?;
        let claims = self.claims()?;
        let ours = usable.difference(&self.node.reserved_cores);
        let free = ours.difference(&claims.cpus());
        let picked = highest(&free, wanted);
        if (picked.len() as u64) < wanted {
            if !claims.dying.is_empty() && patience == Patience::Left {
                return Ok(None);
            }
            return Err(self.exhausted(wanted, &usable, &free, &claims, subject));
        }
        let left = free.difference(&picked);
        if left.is_empty() && self.is_shared()? {
            return Err(placement(
                subject,
                format!(
                    "the {wanted} cores asked for are the last that {} left to the tasks without cores, and some of those are running",
                    if claims.taken.is_empty() {
                        "are"
                    } else {
                        "other tasks have"
                    }
                ),
            ));
        }
        let claim = self.take(picked, holder)?;
        let Err(error) = self.leave(&left) else {
            return Ok(Some(claim));
        };
        self.drop_locked(claim)?;
        // The share of a run that was killed holds its task for another moment.
        match error {
            Error::Cgroup(cgroup::Error::Unusable { .. }) if patience == Patience::Left => Ok(None),
            error => Err(error),
        }
    }

    /// Lets a task without cores in, on the cores that are left. `clear` clears up behind killed runs.
    pub(crate) fn share(
        &self,
        subject: &Subject,
        clear: &mut dyn FnMut(),
    ) -> Result<Sharing, Error> {
        retry(clear, |patience| self.attempt_to_share(subject, patience))
    }

    /// `None`: some core's killed run has not been cleared yet.
    fn attempt_to_share(
        &self,
        subject: &Subject,
        patience: Patience,
    ) -> Result<Option<Sharing>, Error> {
        let _all = self.lock_all()?;
        let claims = self.claims()?;
        let sharing = self.dir.file(SHARING, OFlags::RDWR | OFlags::CREATE)?;
        let bounded = !self.node.reserved_cores.is_empty() || !claims.cpus().is_empty();
        if bounded || self.was_bounded()? {
            let usable = self.usable(subject)?;
            let ours = usable.difference(&self.node.reserved_cores);
            let left = ours.difference(&claims.cpus());
            if left.is_empty() && !claims.dying.is_empty() && patience == Patience::Left {
                return Ok(None);
            }
            if left.is_empty() {
                let reason = format!("all cores are reserved: {}", self.who(&usable, &claims));
                return Err(placement(subject, reason));
            }
            self.leave(&left)?;
        }
        flock(&sharing, FlockOperation::LockShared).attempt(|| "lock the cores".to_owned())?;
        Ok(Some(Sharing(sharing)))
    }

    /// Gives cores back, once nothing runs on them any more.
    pub(crate) fn release(&self, claim: Claim) -> Result<(), Error> {
        let _all = self.lock_all()?;
        self.drop_locked(claim)?;
        self.leave_the_rest()
    }

    /// Forgets the claims of killed runs that have been cleared.
    pub(crate) fn sweep(&self) -> Result<(), Error> {
        if self.dir.names()?.iter().all(|name| core_of(name).is_none()) {
            return Ok(());
        }
        let _all = self.lock_all()?;
        self.claims().map(drop)?;
        Ok(())
    }

    fn usable(&self, subject: &Subject) -> Result<CpuSet, Error> {
        self.host
            .usable_cpus()
            .map_err(|error| placement(subject, error.to_string()))
    }

    fn lock_all(&self) -> Result<File, HostError> {
        let file = self.dir.file(ALL, OFlags::RDWR | OFlags::CREATE)?;
        flock(&file, FlockOperation::LockExclusive)
            .attempt(|| format!("lock {}", self.dir.path().display()))?;
        Ok(file)
    }

    /// Looks at every lock file, and removes those that mean nothing any more.
    fn claims(&self) -> Result<Claims, HostError> {
        let mut claims = Claims::default();
        for name in self.dir.names()? {
            let Some(core) = core_of(&name) else { continue };
            let mut file = self.dir.file(&name, OFlags::RDWR)?;
            let holder = holder(&mut file);
            if !try_lock(&file)? {
                claims.taken.push((core, holder));
            } else if holder.is_some_and(|holder| holder.run_dir.exists()) {
                claims.dying.push(core);
            } else {
                self.dir.unlink(&name)?;
            }
        }
        claims.taken.sort_by_key(|(core, _)| *core);
        Ok(claims)
    }

    /// Whether a task without cores may be running.
    fn is_shared(&self) -> Result<bool, HostError> {
        let file = self.dir.file(SHARING, OFlags::RDWR | OFlags::CREATE)?;
        Ok(!try_lock(&file)?)
    }

    fn take(&self, cpus: CpuSet, holder: &Holder) -> Result<Claim, HostError> {
        let text = serde_json::to_string(holder)
            .map_err(std::io::Error::from)
            .attempt(|| "write down who has cores".to_owned())?;
        let locks: Result<Vec<File>, HostError> = cpus
            .iter()
            .map(|core| {
                let name = format!("{core}.lock");
                let mut file = self.dir.file(&name, OFlags::RDWR | OFlags::CREATE)?;
                try_lock(&file)?;
                file.set_len(0)
                    .and_then(|()| file.write_all(text.as_bytes()))
                    .attempt(|| format!("write {}", self.dir.path().join(&name).display()))?;
                Ok(file)
            })
            .collect();
        Ok(Claim {
            cpus,
            locks: locks?,
        })
    }

    fn drop_locked(&self, claim: Claim) -> Result<(), HostError> {
        for core in claim.cpus.iter() {
            self.dir.unlink(&format!("{core}.lock"))?;
        }
        drop(claim.locks);
        Ok(())
    }

    fn was_bounded(&self) -> Result<bool, HostError> {
        match self.dir.file(LEFT, OFlags::RDONLY) {
            Ok(_) => Ok(true),
            Err(error) if is(&error, Errno::NOENT) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn leave_the_rest(&self) -> Result<(), Error> {
        let claims = self.claims()?;
        let usable = self.host.usable_cpus()?;
        let ours = usable.difference(&self.node.reserved_cores);
        self.leave(&ours.difference(&claims.cpus()))
    }

    /// Says which cores all others have, to the kernel and to the next run.
    fn leave(&self, left: &CpuSet) -> Result<(), Error> {
        let parent = self.node.cgroup_parent.as_deref();
        self.host.share_cpus(parent, left)?;
        if *left == self.host.usable_cpus()? {
            self.dir.unlink(LEFT)?;
        } else {
            self.dir.replace(LEFT, &left.to_string())?;
        }
        Ok(())
    }

    fn exhausted(
        &self,
        wanted: u64,
        usable: &CpuSet,
        free: &CpuSet,
        claims: &Claims,
        subject: &Subject,
    ) -> Error {
        let who = self.who(usable, claims);
        let mut reason = format!(
            "{wanted} cores asked for, {} of {} are free",
            free.len(),
            usable.len()
        );
        if !who.is_empty() {
            reason = format!("{reason}: {who}");
        }
        placement(subject, reason)
    }

    /// Who has the cores that are not free.
    fn who(&self, usable: &CpuSet, claims: &Claims) -> String {
        let mut words: Vec<String> = claims
            .taken
            .iter()
            .map(|(core, holder)| match holder {
                Some(Holder { job, task, alloc, pid, .. }) => {
                    format!("core {core} is held by task {task:?} of job {job:?} (alloc {alloc}, pid {pid})")
                }
                None => format!("core {core} is being claimed"),
            })
            .collect();
        let dying = claims.dying.iter();
        words.extend(dying.map(|core| format!("core {core} is left by a run that was killed")));
        let reserved = &self.node.reserved_cores;
        if !reserved.is_empty() && reserved.is_subset(usable) {
            words.push(format!("client.reserved.cores keeps {reserved}"));
        }
        words.join("; ")
    }
}

/// Attempts it until it gives something, clearing up behind killed runs in between; the last attempt is told so.
fn retry<T>(
    clear: &mut dyn FnMut(),
    mut attempt: impl FnMut(Patience) -> Result<Option<T>, Error>,
) -> Result<T, Error> {
    let deadline = Instant::now() + DYING;
    loop {
        let patience = if Instant::now() > deadline {
            Patience::Over
        } else {
            Patience::Left
        };
        if let Some(got) = attempt(patience)? {
            return Ok(got);
        }
        clear();
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn placement(subject: &Subject, reason: String) -> Error {
    Error::Placement {
        subject: subject.clone(),
        constraint: "* Dimension \"cores\" exhausted on 1 nodes".to_owned(),
        reason,
    }
}

/// The highest ones: the lowest core has the most interrupts to serve, and is left to those who share.
fn highest(free: &CpuSet, wanted: u64) -> CpuSet {
    let mut cores: Vec<u32> = free.iter().collect();
    let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
    cores
        .split_off(cores.len().saturating_sub(wanted))
        .into_iter()
        .collect()
}

/// As Nomad hands a set of cores over: each by its number.
pub(crate) fn list(cpus: &CpuSet) -> String {
    let numbers: Vec<String> = cpus.iter().map(|core| core.to_string()).collect();
    numbers.join(",")
}

fn core_of(name: &str) -> Option<u32> {
    name.strip_suffix(".lock")?.parse().ok()
}

fn holder(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

fn try_lock(file: &File) -> Result<bool, HostError> {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error).attempt(|| "lock a core".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::testing::{Scratch, root};

    /// Claims below a scratch directory, in cgroups of this test's own.
    struct Stage {
        _scratch: Scratch,
        dir: Dir,
        host: Host,
        node: Node,
    }

    impl Stage {
        /// With so many cores. `None`: this host cannot reserve them, or has fewer.
        fn with(count: usize, name: &str) -> Option<Stage> {
            let host = Host::detect().ok().filter(|_| root())?;
            let usable = host.usable_cpus().ok()?;
            let scratch = Scratch::new();
            let node = Node {
                cgroup_parent: Some(format!("encamp-claims-{name}-{}", std::process::id())),
                reserved_cores: usable.iter().skip(count).collect(),
                ..Node::default()
            };
            (usable.len() >= count).then(|| Stage {
                dir: Dir::open(scratch.path()).unwrap(),
                _scratch: scratch,
                host,
                node,
            })
        }

        fn cores(&self) -> Cores<'_> {
            Cores {
                dir: &self.dir,
                host: &self.host,
                node: &self.node,
            }
        }

        fn claim(&self, wanted: u64, run_dir: &str) -> Result<Claim, Error> {
            let holder = Holder {
                job: "j".to_owned(),
                task: "t".to_owned(),
                alloc: "0af996ed".to_owned(),
                pid: 7,
                run_dir: run_dir.into(),
            };
            self.cores().claim(wanted, &subject(), &holder, &mut || {})
        }
    }

    impl Drop for Stage {
        fn drop(&mut self) {
            let _ = self.host.sweep(self.node.cgroup_parent.as_deref());
        }
    }

    fn subject() -> Subject {
        Subject {
            task: "t".to_owned(),
            span: 0..1,
        }
    }

    fn reason(error: Error) -> String {
        match error {
            Error::Placement { reason, .. } => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_highest_free_cores_are_taken() {
        let free: CpuSet = "0-2,5".parse().unwrap();
        assert_eq!(list(&highest(&free, 2)), "2,5");
        assert_eq!(list(&highest(&free, 9)), "0,1,2,5");
        assert_eq!(list(&CpuSet::default()), "");
    }

    #[test]
    fn two_runs_never_have_one_core_and_the_third_is_told_who_has_them() {
        let Some(stage) = Stage::with(2, "third") else {
            return;
        };
        let (one, two) = (stage.claim(1, "/a").unwrap(), stage.claim(1, "/b").unwrap());
        assert!(one.cpus.difference(&two.cpus) == one.cpus);
        let told = reason(stage.claim(1, "/c").unwrap_err());
        assert!(
            told.contains("is held by task \"t\" of job \"j\" (alloc 0af996ed, pid 7)"),
            "{told}"
        );
        stage.cores().release(one).unwrap();
        stage
            .cores()
            .release(stage.claim(1, "/c").unwrap())
            .unwrap();
        stage.cores().release(two).unwrap();
    }

    #[test]
    fn the_last_core_is_left_to_those_who_share() {
        let Some(stage) = Stage::with(2, "share") else {
            return;
        };
        let sharing = stage.cores().share(&subject(), &mut || ()).unwrap();
        stage
            .cores()
            .release(stage.claim(1, "/a").unwrap())
            .unwrap();
        assert!(reason(stage.claim(2, "/a").unwrap_err()).contains("without cores"));
        drop(sharing);
        let both = stage.claim(2, "/a").unwrap();
        let told = reason(stage.cores().share(&subject(), &mut || ()).unwrap_err());
        assert!(told.starts_with("all cores are reserved: core "), "{told}");
        stage.cores().release(both).unwrap();
        stage.cores().share(&subject(), &mut || ()).unwrap();
    }

    #[test]
    fn a_killed_runs_cores_are_taken_until_it_was_cleared() {
        let Some(stage) = Stage::with(2, "killed") else {
            return;
        };
        let run_dir = stage.dir.path().join("run");
        let killed = || {
            std::fs::create_dir(&run_dir).unwrap();
            drop(stage.claim(2, run_dir.to_str().unwrap()).unwrap());
            stage.cores().sweep().unwrap();
        };
        let mut cleared = 0;
        let clear = &mut || {
            cleared += 1;
            std::fs::remove_dir(&run_dir).unwrap();
        };
        let holder = Holder {
            job: String::new(),
            task: String::new(),
            alloc: String::new(),
            pid: 8,
            run_dir: "/b".into(),
        };
        killed();
        drop(stage.cores().share(&subject(), clear).unwrap());
        killed();
        let claim = stage.cores().claim(2, &subject(), &holder, clear).unwrap();
        assert_eq!(cleared, 2);
        stage.cores().release(claim).unwrap();
    }

    #[test]
    fn a_lock_file_of_nobody_is_swept() {
        let Some(stage) = Stage::with(1, "nobody") else {
            return;
        };
        std::fs::write(stage.dir.path().join("0.lock"), "nonsense").unwrap();
        stage.cores().sweep().unwrap();
        assert_eq!(stage.dir.names().unwrap(), [ALL]);
    }
}
