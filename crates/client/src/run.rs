//! One job in the foreground: everything is settled, then made, then run, then unmade.
use std::time::Instant;

use cgroup::{Cgroup, Host, Partition};
use driver::{Driver, Health};
use jobspec::{Job, Restart, RestartMode};

use crate::alloc_dir::{self, DataDir, Layout};
use crate::allocation::{Allocation, STDERR, STDOUT, mounts_name};
use crate::compute::compute;
use crate::cores::Cores;
use crate::dirs::Owner;
use crate::error::{Error, HostError, Subject, Unavailable};
use crate::event::Event;
use crate::journal::Journal;
use crate::message::Inbox;
use crate::node::Node;
use crate::output::{Output, Pumps};
use crate::plan::{Plan, User, dynamic_name};
use crate::restart::Tracker;
use crate::run_dir::{self, RunDir};
use crate::settings::{Keep, Restarting, Settings};
use crate::supervise::{Failure, Outcome, Stop, Supervision};
use crate::{cores, feasible, ids, placement, signals, users, volumes};

/// What Nomad sends when a job names no signal.
const KILL_SIGNAL: &str = "SIGINT";

/// Who is told.
type Tell<'a> = &'a mut dyn FnMut(Event<'_>);

/// Runs a job's task to its end and leaves nothing behind but what `settings.keep` says.
///
/// # Errors
/// The job, the host or the start is at fault; [`Error::exit_code`] says how a command ends then.
pub fn run(job: &Job, settings: &Settings, output: Output, tell: Tell<'_>) -> Result<u8, Error> {
    let plan = Plan::of(job)?;
    check_first(&plan, settings)?;
    let mut inbox = Inbox::new();
    let _listening = signals::listen(inbox.sender())?;
    let mut site = Site::prepare(&plan, settings, tell)?;
    let ended = site.run(&plan, settings, output, &mut inbox, tell);
    let kept = site.clear(tell);
    if let Some(path) = kept {
        tell(Event::Kept(&path));
    }
    ended
}

/// Everything that can fail before anything is made.
fn check_first(plan: &Plan<'_>, settings: &Settings) -> Result<(), Error> {
    placement::driver(plan, &settings.node)?;
    let mut allocation = Allocation::plan(ids::uuid()?, &plan.task.name, settings, compute());
    feasible::constraints(plan.job, &allocation.node, settings)?;
    let driver = plan.driver(settings, &allocation)?;
    require_driver(plan, &driver)?;
    driver
        .check_calls()
        .map_err(|error| plan.start_failed(error))?;
    allocation.volumes = volumes::volumes(plan.group, plan.task, &settings.node)?;
    allocation.cores = plan.cores_before_claim();
    plan.check(&driver, &allocation, settings)
}

fn require_driver(plan: &Plan<'_>, driver: &Driver) -> Result<(), Error> {
    let fingerprint = driver.fingerprint();
    if fingerprint.health == Health::Healthy {
        return Ok(());
    }
    Err(Error::MissingDriver {
        subject: plan.subject(),
        source: unavailable(plan.kind.name(), fingerprint.description),
    })
}

/// The drivers' words are Nomad's; what exactly is missing comes with them here.
fn unavailable(driver: &str, description: String) -> Unavailable {
    let (reason, way_out) = if !rustix::process::geteuid().is_root() {
        (description, Some("run it as root: sudo encamp run FILE"))
    } else if let Err(error) = Host::detect() {
        let way_out = "mount one: mount -t cgroup2 none /sys/fs/cgroup";
        (format!("{description}: {error}"), Some(way_out))
    } else {
        (
            description,
            Some("encamp doctor says what else this host lacks"),
        )
    };
    Unavailable {
        driver: driver.to_owned(),
        reason,
        way_out,
    }
}

/// What a run has made, and what it runs with.
struct Site {
    allocation: Allocation,
    driver: Driver,
    data: DataDir,
    run_dir: RunDir,
    boot_id: String,
    cgroup: cgroup::Paths,
    claim: Option<users::Claim>,
    host: Host,
    node: Node,
    on: Option<On>,
    keep: bool,
}

/// The cores that the task runs on.
#[derive(Debug)]
enum On {
    Its(cores::Claim),
    Shared(#[expect(dead_code, reason = "held, not read")] cores::Sharing),
}

impl Site {
    /// Takes the directories that all runs share, clears up behind killed runs, and takes a name. Makes nothing of
    /// the task's yet.
    fn prepare(plan: &Plan<'_>, settings: &Settings, tell: Tell<'_>) -> Result<Site, Error> {
        let data = DataDir::ensure(&settings.data_dir)?;
        let base = run_dir::ensure(&settings.run_dir)?;
        let settings = Settings {
            data_dir: data.path.clone(),
            run_dir: base.path().to_owned(),
            ..settings.clone()
        };
        let mut left = run_dir::sweep(&base);
        left.extend(run_dir::sweep_other_boots(&data).err());
        left.extend(users::sweep(&data.users).err().map(Error::from));
        let host = Host::detect()?;
        let node = &settings.node;
        let cores = Cores {
            dir: &data.cores,
            host: &host,
            node,
        };
        left.extend(cores.sweep().err());
        left.iter().for_each(|error| tell(Event::Left(error)));
        let boot_id = ids::boot_id()?;
        let compute = compute();
        let parent = node.cgroup_parent.as_deref();
        loop {
            let mut allocation =
                Allocation::plan(ids::uuid()?, &plan.task.name, &settings, compute);
            let (cgroup, cpuset_cgroup) =
                host.standalone_in(partition(plan), parent, &allocation.scope(&plan.task.name))?;
            allocation.cpuset_cgroup = cpuset_cgroup;
            allocation.volumes = volumes::volumes(plan.group, plan.task, node)?;
            let driver = plan.driver(&settings, &allocation)?;
            let journal = journal(&allocation, &data, &boot_id, &plan.task.name, &cgroup);
            // A name that another run has is rare, and another UUID is near.
            if let Some(run_dir) = RunDir::create(&base, ids::short(&allocation.id), journal)? {
                return Ok(Site {
                    allocation,
                    driver,
                    data,
                    run_dir,
                    boot_id,
                    cgroup,
                    claim: None,
                    host,
                    node: settings.node,
                    on: None,
                    keep: false,
                });
            }
        }
    }

    fn run(
        &mut self,
        plan: &Plan<'_>,
        settings: &Settings,
        output: Output,
        inbox: &mut Inbox,
        tell: Tell<'_>,
    ) -> Result<u8, Error> {
        let user = self.settle_user(plan)?;
        self.settle_cores(plan)?;
        let task = plan.task_config(&self.driver, &self.allocation, &user)?;
        let owner = self.make(plan, &task)?;
        let pumps = Pumps::start(
            output,
            &self.allocation.stdout,
            &self.allocation.stderr,
            inbox,
        )?;
        tell(Event::Placed {
            alloc_id: &self.allocation.id,
            user: &user,
            uid: owner.uid,
        });
        let stop = stop(plan, settings, tell);
        let policy = policy(plan, settings);
        let tracker = Tracker::new(policy.clone(), plan.job.kind, Instant::now());
        let mut supervision = Supervision {
            driver: &self.driver,
            task,
            stop,
            policy,
            tracker,
            pumps: &pumps,
            inbox,
            tell,
            ran: false,
        };
        let ended = supervision.run();
        let ran = supervision.ran;
        self.keep = ran && keeps(settings.keep, &ended);
        ended
            .map(|outcome| outcome.code)
            .map_err(|failure| explain(plan, failure))
    }

    fn settle_user(&mut self, plan: &Plan<'_>) -> Result<String, Error> {
        match plan.user(&self.driver) {
            User::Named(name) => Ok(name),
            User::Dynamic => {
                let claim =
                    users::claim(&self.data.users, &self.node.dynamic_users, ids::random()?)?;
                let uid = claim.uid;
                self.claim = Some(claim);
                self.run_dir.record(|journal| journal.uid = Some(uid))?;
                Ok(dynamic_name(uid))
            }
        }
    }

    /// Claims what the task runs on, or a place among those that share.
    fn settle_cores(&mut self, plan: &Plan<'_>) -> Result<(), Error> {
        let cores = Cores {
            dir: &self.data.cores,
            host: &self.host,
            node: &self.node,
        };
        let base = self.run_dir.base()?;
        let clear = &mut || drop(run_dir::sweep(&base));
        let Some(wanted) = &plan.task.resources.cores else {
            self.on = Some(On::Shared(cores.share(&plan.subject(), clear)?));
            return Ok(());
        };
        let subject = Subject {
            span: wanted.span.clone(),
            ..plan.subject()
        };
        let holder = self.holder(plan);
        let claim = cores.claim(wanted.value, &subject, &holder, clear)?;
        self.allocation.cores = claim.cpus.clone();
        self.on = Some(On::Its(claim));
        Ok(())
    }

    fn holder(&self, plan: &Plan<'_>) -> cores::Holder {
        cores::Holder {
            job: plan.job.id.clone(),
            task: plan.task.name.clone(),
            alloc: ids::short(&self.allocation.id).to_owned(),
            pid: std::process::id(),
            run_dir: self.allocation.run_dir.clone(),
        }
    }

    /// Directories, mounts, fifos and the cgroup; all of it stands in the journal already. Says who the task runs as.
    fn make(&mut self, plan: &Plan<'_>, task: &driver::TaskConfig) -> Result<Owner, Error> {
        let spec = self
            .driver
            .lower(task)
            .map_err(|error| plan.start_failed(error))?;
        let owner = Owner {
            uid: spec.identity.uid,
            gid: spec.identity.gid,
        };
        let layout = Layout::of(self.driver.features().fs_isolation, owner);
        alloc_dir::build(
            &self.data,
            &self.allocation.id,
            &self.boot_id,
            &plan.task.name,
            layout,
        )?;
        self.run_dir.dir().make_fifo(STDOUT)?;
        self.run_dir.dir().make_fifo(STDERR)?;
        Cgroup::create(&self.cgroup)?;
        Ok(owner)
    }

    /// Unmakes everything, and gives back the alloc directory's path if that stays.
    fn clear(mut self, tell: Tell<'_>) -> Option<std::path::PathBuf> {
        let keep = self.keep;
        let recorded: Result<(), HostError> = self.run_dir.record(|journal| journal.keep = keep);
        let cleared = recorded
            .map_err(Error::from)
            .and_then(|()| self.run_dir.clear());
        // Held until nothing of its owner runs any more: nobody else gets the uid meanwhile.
        let released = self.claim.take().map_or(Ok(()), |claim| {
            let uid = claim.uid;
            drop(claim);
            users::release(&self.data.users, uid).map_err(Error::from)
        });
        let cores = match self.on.take() {
            Some(On::Its(claim)) => Cores {
                dir: &self.data.cores,
                host: &self.host,
                node: &self.node,
            }
            .release(claim),
            _ => Ok(()),
        };
        for error in [cleared.err(), released.err(), cores.err()]
            .into_iter()
            .flatten()
        {
            tell(Event::Left(&error));
        }
        keep.then_some(self.allocation.alloc_dir)
    }
}

fn journal(
    allocation: &Allocation,
    data: &DataDir,
    boot_id: &str,
    task: &str,
    cgroup: &cgroup::Paths,
) -> Journal {
    Journal {
        boot_id: boot_id.to_owned(),
        data_dir: data.path.clone(),
        alloc: Some(allocation.id.clone()),
        mounts: Some(mounts_name(&allocation.id, task)),
        cgroup: Some(cgroup.clone()),
        ..Journal::default()
    }
}

fn partition(plan: &Plan<'_>) -> Partition {
    match plan.task.resources.cores {
        Some(_) => Partition::Reserve,
        None => Partition::Share,
    }
}

fn stop(plan: &Plan<'_>, settings: &Settings, tell: Tell<'_>) -> Stop {
    let kill_timeout = plan.task.kill_timeout;
    let cap = settings.node.max_kill_timeout;
    if kill_timeout > cap {
        tell(Event::Capped { kill_timeout, cap });
    }
    let signal = plan
        .task
        .kill_signal
        .as_ref()
        .map_or(KILL_SIGNAL, |signal| signal.value.as_str());
    Stop {
        signal: signal.to_owned(),
        grace: kill_timeout.min(cap),
    }
}

fn policy(plan: &Plan<'_>, settings: &Settings) -> Restart {
    match settings.restart {
        Restarting::AsTheJobSays => plan.task.restart.clone(),
        Restarting::Never => Restart {
            attempts: 0,
            mode: RestartMode::Fail,
            ..plan.task.restart.clone()
        },
    }
}

/// An end that somebody asked for is no failure, whatever its code.
fn keeps(keep: Keep, ended: &Result<Outcome, Failure>) -> bool {
    let failed = !matches!(ended, Ok(outcome) if outcome.stopped || outcome.code == 0);
    match keep {
        Keep::Failed => failed,
        Keep::Always => true,
        Keep::Never => false,
    }
}

fn explain(plan: &Plan<'_>, failure: Failure) -> Error {
    match failure {
        Failure::Start(source) => plan.start_failed(source),
        Failure::Lost(source) => Error::Lost {
            subject: plan.subject(),
            source,
        },
        Failure::Host(error) => error.into(),
    }
}
