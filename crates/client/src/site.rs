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
use crate::error::{Error, HostError, Subject};
use crate::event::{Event, Tell};
use crate::here::Here;
use crate::journal::Journal;
use crate::plan::{Plan, User, dynamic_name};
use crate::ports::Ports;
use crate::run_dir::{self, RunDir};
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
            ..
        } = alloc;
        let recorded: Result<(), HostError> = run_dir.record(|journal| journal.keep = keep);
        let cleared = recorded.map_err(Error::from).and_then(|()| run_dir.clear());
        let mut left: Vec<Error> = cleared.err().into_iter().collect();
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

    /// T on the host.
    pub(crate) fn task_dir(&self, allocation: &Allocation) -> PathBuf {
        allocation.alloc_dir.join(&self.plan.task.name)
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
