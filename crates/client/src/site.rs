//! What a run makes on this host: for each allocation its directories, users, cores and cgroups. All of it is written
//! down before it is made, all claims are taken before anything starts, and all of it is given back.
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cgroup::{Cgroup, Host, Partition};
use driver::denials::{LOCK, sweep};
use driver::{Driver, FsIsolation, TaskConfig};
use jobspec::{Diagnostic, Group, Job};
use sandbox::spec::Identity;

use crate::alloc_dir::{self, DataDir, Layout};
use crate::allocation::{Allocation, Allotment, STDERR, STDOUT, fifo_name, mounts_name};
use crate::cores::Cores;
use crate::dirs::{Dir, Owner, ROOT};
use crate::error::{Error, Subject};
use crate::event::{Event, Tell};
use crate::here::Here;
use crate::journal::Journal;
use crate::plan::{Plan, User, dynamic_name};
use crate::ports::Ports;
use crate::run_dir::{self, RunDir};
use crate::runs::await_readers;
use crate::settings::Settings;
use crate::{cores, ids, network, ports, users, volumes};

/// What a run has made, and what it runs with.
pub(crate) struct Site<'p> {
    pub(crate) settings: Settings,
    here: Here,
    data: DataDir,
    base: Dir,
    boot_id: String,
    host: Host,
    /// Held while cores are claimed for one task after the other, so that two runs do not end up with a half each.
    claiming: Option<Dir>,
    /// The right of the tasks without cores of their own to run on what is left.
    sharing: Option<cores::Sharing>,
    pub(crate) allocs: Vec<AllocSite<'p>>,
}

/// One allocation of it.
pub(crate) struct AllocSite<'p> {
    pub(crate) job: &'p Job,
    pub(crate) group: &'p Group,
    pub(crate) allocation: Allocation,
    pub(crate) run_dir: RunDir,
    pub(crate) tasks: Vec<TaskSite<'p>>,
    /// Held open since before any task ran.
    pub(crate) logs: Option<Arc<Dir>>,
    ports: ports::Claim,
    /// Whether the alloc directory stays.
    pub(crate) keep: bool,
}

/// One task of it.
pub(crate) struct TaskSite<'p> {
    pub(crate) plan: Plan<'p>,
    pub(crate) driver: Driver,
    pub(crate) allotment: Allotment,
    /// As the driver is told.
    pub(crate) user: String,
    /// Who that is.
    pub(crate) owner: Owner,
    /// In which groups beside its own.
    pub(crate) groups: Vec<u32>,
    pub(crate) cgroup: cgroup::Paths,
    claim: Option<users::Claim>,
    cores: Option<cores::Claim>,
}

impl<'p> Site<'p> {
    /// Takes the directories that all runs share, and clears up behind killed runs.
    pub(crate) fn open(settings: &Settings, here: Here, tell: Tell<'_>) -> Result<Site<'p>, Error> {
        let data = DataDir::ensure(&settings.data_dir)?;
        let base = run_dir::ensure(&settings.run_dir)?;
        let settings = Settings {
            data_dir: data.path.clone(),
            run_dir: base.path().to_owned(),
            ..settings.clone()
        };
        let site = Site {
            settings,
            here,
            data,
            base,
            boot_id: ids::boot_id()?,
            host: Host::detect()?,
            claiming: None,
            sharing: None,
            allocs: Vec::new(),
        };
        let mut left = run_dir::sweep(&site.base);
        left.extend(run_dir::sweep_other_boots(&site.data).err());
        left.extend(users::sweep(&site.data.users).err().map(Error::from));
        left.extend(site.cores().sweep().err());
        left.extend(site.ports().sweep().err().map(Error::from));
        left.extend(sweep(Path::new(LOCK)).err().map(Error::Audit));
        left.iter().for_each(|error| tell(Event::Left(error)));
        Ok(site)
    }

    fn cores(&self) -> Cores<'_> {
        Cores {
            dir: &self.data.cores,
            host: &self.host,
            node: &self.settings.node,
        }
    }

    fn ports(&self) -> Ports<'_> {
        Ports::of(&self.data.ports, &self.settings.node)
    }

    /// Makes everything that these tasks run with. What was made before a failure is there to be cleared.
    pub(crate) fn build(&mut self, plans: &[Plan<'p>]) -> Result<(), Error> {
        for tasks in plans.chunk_by(|one, next| std::ptr::eq(one.group, next.group)) {
            for index in 0..tasks[0].group.count {
                let alloc = self.enter(tasks, index)?;
                self.allocs.push(alloc);
            }
        }
        self.claim()?;
        self.claiming = None;
        let (data, boot_id) = (&self.data, &self.boot_id);
        self.allocs
            .iter_mut()
            .try_for_each(|alloc| alloc.make(data, boot_id))
    }

    /// Takes a name, and makes nothing but the run directory yet.
    fn enter(&self, plans: &[Plan<'p>], index: u32) -> Result<AllocSite<'p>, Error> {
        loop {
            let allocation = Allocation::plan(ids::uuid()?, index, &self.settings, &self.here);
            let tasks: Result<Vec<_>, Error> = plans
                .iter()
                .map(|plan| self.task(plan, &allocation))
                .collect();
            let tasks = tasks?;
            let journal = self.journal(&allocation, &tasks);
            // A name that another run has is rare, and another UUID is near.
            let name = ids::short(&allocation.id);
            if let Some(run_dir) = RunDir::create(&self.base, name, journal)? {
                return Ok(AllocSite {
                    job: plans[0].job,
                    group: plans[0].group,
                    allocation,
                    run_dir,
                    tasks,
                    logs: None,
                    ports: ports::Claim::default(),
                    keep: false,
                });
            }
        }
    }

    fn task(&self, plan: &Plan<'p>, allocation: &Allocation) -> Result<TaskSite<'p>, Error> {
        let node = &self.settings.node;
        let name = &plan.task.name;
        let partition = match plan.task.resources.cores {
            Some(_) => Partition::Reserve,
            None => Partition::Share,
        };
        let parent = node.cgroup_parent.as_deref();
        let scope = allocation.scope(name);
        let (cgroup, cpuset_cgroup) = self.host.standalone_in(partition, parent, &scope)?;
        Ok(TaskSite {
            plan: *plan,
            driver: plan.driver(&self.settings, allocation)?,
            allotment: Allotment {
                cpuset_cgroup,
                volumes: volumes::volumes(plan.group, plan.task, allocation.index, node)?,
                ..allocation.allot(name, &self.settings)
            },
            user: String::new(),
            owner: ROOT,
            groups: Vec::new(),
            cgroup,
            claim: None,
            cores: None,
        })
    }

    fn journal(&self, allocation: &Allocation, tasks: &[TaskSite<'_>]) -> Journal {
        let mounts = |task: &TaskSite<'_>| mounts_name(&allocation.id, &task.plan.task.name);
        Journal {
            boot_id: self.boot_id.clone(),
            data_dir: self.data.path.clone(),
            alloc: Some(allocation.id.clone()),
            mounts: tasks.iter().map(mounts).collect(),
            cgroups: tasks.iter().map(|task| task.cgroup.clone()).collect(),
            ..Journal::default()
        }
    }

    /// Claims ports for all groups, users and cores for all tasks, and a place among those that share for those without cores.
    fn claim(&mut self) -> Result<(), Error> {
        if plans_cores(&self.allocs) {
            self.claiming = Some(cores::lock(&self.data.cores)?);
        }
        let cores = Cores {
            dir: &self.data.cores,
            host: &self.host,
            node: &self.settings.node,
        };
        let clear = &mut || drop(run_dir::sweep(&self.base));
        let ports = Ports::of(&self.data.ports, &self.settings.node);
        let mut shares = None;
        for alloc in &mut self.allocs {
            alloc.claim_ports(&ports, clear)?;
            for place in 0..alloc.tasks.len() {
                alloc.claim_user(place, &self.data, &self.settings)?;
                if !alloc.claim_cores(place, &cores, clear)? {
                    shares = shares.or(Some(alloc.tasks[place].plan.subject()));
                }
            }
        }
        if let Some(subject) = shares {
            self.sharing = Some(cores.share(&subject, clear)?);
        }
        Ok(())
    }

    /// Unmakes everything, and gives back the paths of the alloc directories that stay.
    pub(crate) fn clear(mut self, tell: Tell<'_>) -> Vec<PathBuf> {
        let mut kept = Vec::new();
        for alloc in std::mem::take(&mut self.allocs) {
            let path = alloc.allocation.alloc_dir.clone();
            let keep = alloc.keep;
            for error in self.clear_one(alloc) {
                tell(Event::Left(&error));
            }
            kept.extend(keep.then_some(path));
        }
        kept
    }

    fn clear_one(&self, alloc: AllocSite<'p>) -> Vec<Error> {
        let AllocSite {
            mut run_dir,
            tasks,
            ports,
            keep,
            logs,
            ..
        } = alloc;
        let mut left: Vec<Error> = Vec::new();
        if keep {
            // For whoever has to finish this; where it cannot be written down, it is undone all the same.
            let recorded = run_dir.record(|journal| journal.keep = true);
            left.extend(recorded.err().map(Error::from));
        } else {
            logs.iter().for_each(|logs| await_readers(logs));
        }
        if let Err(error) = run_dir.clear() {
            left.push(error);
            // Something may live on what it has claimed: that is given back by whoever clears it at last.
            return left;
        }
        let released = self.ports().release(ports);
        left.extend(released.err().map(Error::from));
        for task in tasks {
            // Held until nothing of its owner runs any more: nobody else gets the uid meanwhile.
            if let Some(claim) = task.claim {
                let uid = claim.uid;
                drop(claim);
                left.extend(users::release(&self.data.users, uid).err().map(Error::from));
            }
            let cores = task.cores.map(|claim| self.cores().release(claim));
            left.extend(cores.and_then(Result::err));
        }
        left
    }
}

/// Whether any task wants cores of its own.
fn plans_cores(allocs: &[AllocSite<'_>]) -> bool {
    let mut tasks = allocs.iter().flat_map(|alloc| &alloc.tasks);
    tasks.any(|task| task.plan.task.resources.cores.is_some())
}

impl AllocSite<'_> {
    fn claim_user(
        &mut self,
        place: usize,
        data: &DataDir,
        settings: &Settings,
    ) -> Result<(), Error> {
        let task = &mut self.tasks[place];
        task.user = match task.plan.user(&task.driver) {
            User::Named(name) => name,
            User::Dynamic => {
                let pool = &settings.node.dynamic_users;
                let claim = users::claim(&data.users, pool, ids::random()?)?;
                let uid = claim.uid;
                task.claim = Some(claim);
                self.run_dir.record(|journal| journal.uids.push(uid))?;
                dynamic_name(uid)
            }
        };
        Ok(())
    }

    fn claim_ports(&mut self, ports: &Ports<'_>, clear: &mut dyn FnMut()) -> Result<(), Error> {
        let holder = self.holder("");
        self.ports = ports.claim(self.group, &holder, clear)?;
        self.allocation.ports = self.ports.ports.clone();
        Ok(())
    }

    /// Who has what is claimed.
    fn holder(&self, task: &str) -> cores::Holder {
        cores::Holder {
            job: self.job.id.clone(),
            task: task.to_owned(),
            alloc: ids::short(&self.allocation.id).to_owned(),
            pid: std::process::id(),
            run_dir: self.allocation.run_dir.clone(),
        }
    }

    /// False when the task has none of its own.
    fn claim_cores(
        &mut self,
        place: usize,
        cores: &Cores<'_>,
        clear: &mut dyn FnMut(),
    ) -> Result<bool, Error> {
        let plan = self.tasks[place].plan;
        let Some(wanted) = &plan.task.resources.cores else {
            return Ok(false);
        };
        let subject = Subject {
            span: wanted.span.clone(),
            ..plan.subject()
        };
        let holder = self.holder(&plan.task.name);
        let claim = cores.claim(wanted.value, &subject, &holder, clear)?;
        self.tasks[place].allotment.cores = claim.cpus.clone();
        self.tasks[place].cores = Some(claim);
        Ok(true)
    }

    /// Directories, mounts, fifos and cgroups; all of it stands in the journal already.
    fn make(&mut self, data: &DataDir, boot_id: &str) -> Result<(), Error> {
        let dir = alloc_dir::build(data, &self.allocation.id, boot_id)?;
        network::make(self.group, self.run_dir.dir().path())?;
        for task in &mut self.tasks {
            let identity = task.identity(&self.allocation)?;
            task.owner = Owner {
                uid: identity.uid,
                gid: identity.gid,
            };
            task.groups = identity.groups;
            let layout = Layout::of(task.isolation(), task.owner);
            let name = &task.plan.task.name;
            dir.task(data, name, layout)?;
            self.run_dir.dir().make_fifo(&fifo_name(name, STDOUT))?;
            self.run_dir.dir().make_fifo(&fifo_name(name, STDERR))?;
            Cgroup::create(&task.cgroup)?;
        }
        self.logs = Some(dir.logs);
        Ok(())
    }
}

impl TaskSite<'_> {
    pub(crate) fn isolation(&self) -> FsIsolation {
        self.driver.features().fs_isolation
    }

    /// What the task is started with.
    pub(crate) fn config(
        &self,
        allocation: &Allocation,
        allotment: &Allotment,
    ) -> Result<TaskConfig, Vec<Diagnostic>> {
        self.plan
            .task_config(&self.driver, allocation, allotment, &self.user)
    }

    fn identity(&self, allocation: &Allocation) -> Result<Identity, Error> {
        let config = self
            .config(allocation, &self.allotment)
            .map_err(Error::Job)?;
        let spec = self.driver.lower(&config);
        Ok(spec
            .map_err(|error| self.plan.start_failed(error))?
            .identity)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use jobspec::{Network, NetworkMode, Port, Spanned};

    use super::*;
    use crate::samples;
    use crate::testing::{Scratch, root};

    /// A run with one port and no task.
    struct World<'p> {
        site: Site<'p>,
        alloc: AllocSite<'p>,
    }

    fn job() -> Job {
        let mut job = samples::job();
        let label = Spanned {
            value: "http".to_owned(),
            span: 0..1,
        };
        job.groups[0].network = Some(Network {
            span: 0..1,
            mode: NetworkMode::Host,
            ports: vec![Port {
                label,
                static_port: None,
                to: None,
                host_network: None,
                ignore_collision: false,
            }],
            dns: None,
            hostname: None,
        });
        job
    }

    fn world<'p>(scratch: &Scratch, job: &'p Job, data_dir: &Path) -> World<'p> {
        let settings = Settings {
            data_dir: scratch.path().join("data"),
            run_dir: scratch.path().join("run"),
            ..Settings::default()
        };
        let here = Here::look(&settings);
        let site = Site::open(&settings, here.clone(), &|_| {}).unwrap();
        let allocation = Allocation::plan(ids::uuid().unwrap(), 0, &settings, &here);
        let journal = Journal {
            data_dir: data_dir.to_owned(),
            ..site.journal(&allocation, &[])
        };
        let run_dir = RunDir::create(&site.base, ids::short(&allocation.id), journal);
        let mut alloc = AllocSite {
            job,
            group: &job.groups[0],
            allocation,
            run_dir: run_dir.unwrap().unwrap(),
            tasks: vec![],
            logs: None,
            ports: ports::Claim::default(),
            keep: true,
        };
        alloc.claim_ports(&site.ports(), &mut || {}).unwrap();
        alloc.make(&site.data, &site.boot_id).unwrap();
        World { site, alloc }
    }

    fn claimed(site: &Site<'_>) -> usize {
        let names = site.data.ports.names().unwrap().into_iter();
        let is_port = |name: &String| name.trim_end_matches(".lock").parse::<u16>().is_ok();
        names.filter(is_port).count()
    }

    #[test]
    fn what_cannot_be_written_down_is_undone_all_the_same() {
        if !root() {
            return;
        }
        let (scratch, job) = (Scratch::new(), job());
        let World { site, alloc } = world(&scratch, &job, &scratch.path().join("data"));
        let run_dir = alloc.run_dir.dir().path().to_owned();
        // No file takes the place of a directory.
        let journal = run_dir.join("run.json");
        std::fs::remove_file(&journal).unwrap();
        std::fs::create_dir(&journal).unwrap();
        let left = site.clear_one(alloc);
        assert_eq!(left.len(), 1, "{left:?}");
        assert!(!run_dir.exists());
        assert_eq!(claimed(&site), 0);
    }

    #[test]
    fn what_a_run_has_claimed_is_not_given_back_before_it_is_cleared() {
        if !root() {
            return;
        }
        let (scratch, job) = (Scratch::new(), job());
        let file = scratch.path().join("file");
        std::fs::write(&file, "").unwrap();
        let World { site, alloc } = world(&scratch, &job, &file);
        let run_dir = alloc.run_dir.dir().path().to_owned();
        let left = site.clear_one(alloc);
        assert_eq!(left.len(), 1, "{left:?}");
        assert!(run_dir.exists());
        assert_eq!(claimed(&site), 1);
    }
}
