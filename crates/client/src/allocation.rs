//! One run of a group: its id and every path, settled before anything is made; and what each of its tasks gets of it.
//!
//! ```text
//! <data dir>/                 0711
//!   alloc/                    0711
//!     <alloc id>/             0700   A: nobody but root enters by this way
//!       alloc/{logs,tmp,data}        shared between the tasks
//!       <task>/                      T: local, secrets, private, tmp
//!   alloc_mounts/             0711
//!     <alloc id>-<task>/             M: empty; where an unveil task sees T
//!   users/                    0700   claims of uids
//!   cores/                    0700   claims of cores
//!   ports/                    0700   claims of ports
//! <run dir>/<short id>/       0700   lock, journal, what became of its tasks, fifos, the driver's state
//! ```
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use cgroup::CpuSet;
use driver::task_config::{Mount, Resources};
use driver::{Compute, FsIsolation, TaskConfig};
use jobspec::{Diagnostic, Group, Job, Scope, Task};

use crate::environment::{self, Directories};
use crate::here::Here;
use crate::interpolate::replace;
use crate::node::Node;
use crate::ports::Mapping;
use crate::{attributes, config, cores, ids, network, placement, settings::Settings, volumes};

/// A task with what it is part of.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "the three levels of a job file")]
pub struct Member<'a> {
    pub job: &'a Job,
    pub group: &'a Group,
    pub task: &'a Task,
}

/// One run of a group, with all that the client decides about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Allocation {
    /// A UUID.
    pub id: String,
    /// Which of its group's allocations it is, from 0.
    pub index: u32,
    /// A.
    pub alloc_dir: PathBuf,
    /// This run's own directory below the run directory.
    pub run_dir: PathBuf,
    /// What `NOMAD_PARENT_CGROUP` says.
    pub parent_cgroup: String,
    /// What the task gets of the caller's environment.
    pub host_env: BTreeMap<String, String>,
    /// This host's name.
    pub node_name: String,
    /// What a job can ask of this node.
    pub node: Arc<Scope>,
    /// The node's datacenter, where it was configured.
    pub datacenter: Option<String>,
    /// The node's region, where it was configured.
    pub region: Option<String>,
    /// The node's compute.
    pub compute: Compute,
    /// The group's ports.
    pub ports: Vec<Mapping>,
}

/// What one task of an allocation gets.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Allotment {
    /// M.
    pub mounts_dir: PathBuf,
    /// What goes into `resources.cpuset_cgroup`.
    pub cpuset_cgroup: PathBuf,
    /// A FIFO.
    pub stdout: PathBuf,
    /// A FIFO.
    pub stderr: PathBuf,
    /// Its volumes.
    pub volumes: Vec<Mount>,
    /// Its own cores.
    pub cores: CpuSet,
    /// What hooks have found for its environment, over everything else.
    pub env: BTreeMap<String, String>,
}

impl Allocation {
    /// Settles the names of a new run.
    pub(crate) fn plan(id: String, index: u32, settings: &Settings, here: &Here) -> Allocation {
        let run_dir = settings.run_dir.join(ids::short(&id));
        Allocation {
            alloc_dir: settings.data_dir.join(ALLOC).join(&id),
            parent_cgroup: here.cgroup_parent.clone(),
            host_env: host_env(settings),
            node_name: settings
                .node
                .name
                .clone()
                .unwrap_or_else(attributes::hostname),
            node: Arc::clone(&here.scope),
            datacenter: configured(&settings.node.datacenter, &Node::default().datacenter),
            region: configured(&settings.node.region, &Node::default().region),
            compute: here.compute,
            ports: Vec::new(),
            run_dir,
            index,
            id,
        }
    }

    /// Settles the names of what a task gets. The cgroup is not known yet.
    pub(crate) fn allot(&self, task: &str, settings: &Settings) -> Allotment {
        let mounts = settings.data_dir.join(ALLOC_MOUNTS);
        Allotment {
            mounts_dir: mounts.join(mounts_name(&self.id, task)),
            stdout: self.run_dir.join(fifo_name(task, STDOUT)),
            stderr: self.run_dir.join(fifo_name(task, STDERR)),
            ..Allotment::default()
        }
    }

    /// `job.group[0]`.
    pub(crate) fn name(&self, job: &Job, group: &Group) -> String {
        format!("{}.{}[{}]", job.id, group.name, self.index)
    }

    /// `<alloc>.<task>`, the name of a task's cgroup.
    pub(crate) fn scope(&self, task: &str) -> String {
        format!("{}.{task}", self.id)
    }

    /// Where a task finds its directories.
    pub(crate) fn directories(
        &self,
        task: &str,
        allotment: &Allotment,
        isolation: FsIsolation,
    ) -> Directories {
        match isolation {
            FsIsolation::Chroot | FsIsolation::Image => {
                Directories::at("/alloc", "/local", "/secrets")
            }
            FsIsolation::Unveil => Directories::below(&allotment.mounts_dir, &allotment.mounts_dir),
            FsIsolation::None => Directories::below(&self.alloc_dir, &self.alloc_dir.join(task)),
        }
    }

    /// What StartTask would carry for one task of this run: a pure function. The id is new for every start, so it
    /// is not set here.
    ///
    /// # Errors
    /// What `config` says that cannot be evaluated with this environment.
    pub fn task_config(
        &self,
        member: Member<'_>,
        allotment: &Allotment,
        isolation: FsIsolation,
        user: &str,
    ) -> Result<TaskConfig, Vec<Diagnostic>> {
        let Member { job, group, task } = member;
        let scope = Scope {
            env: self.environment(member, allotment, isolation),
            ..Scope::clone(&self.node)
        };
        let known =
            |text: &str| replace(text, |name| environment::value_of(name, &scope.env, &scope));
        Ok(TaskConfig {
            network_isolation: network::isolation(group, &self.run_dir, known),
            dns: network::dns(group, known),
            name: task.name.clone(),
            task_group_name: group.name.clone(),
            job_name: job.name.clone(),
            job_id: job.id.clone(),
            namespace: job.namespace.clone(),
            node_name: self.node_name.clone(),
            alloc_id: self.id.clone(),
            driver_config: config::values(task, &scope)?,
            env: scope.env.clone(),
            resources: self.resources(task, allotment),
            mounts: volumes::placed(&allotment.volumes, task, known)?,
            user: user.to_owned(),
            alloc_dir: self.alloc_dir.clone(),
            stdout_path: allotment.stdout.clone(),
            stderr_path: allotment.stderr.clone(),
            ..TaskConfig::default()
        })
    }

    /// The whole environment of one task of this run.
    pub(crate) fn environment(
        &self,
        member: Member<'_>,
        allotment: &Allotment,
        isolation: FsIsolation,
    ) -> BTreeMap<String, String> {
        let directories = self.directories(&member.task.name, allotment, isolation);
        let mut env = environment::of_task(member, self, allotment, &directories);
        env.extend(allotment.env.clone());
        env
    }

    /// What the task asks for: MHz, or those of whole cores.
    pub(crate) fn mhz(&self, task: &Task) -> u64 {
        match &task.resources.cores {
            Some(cores) => cores.value * (self.compute.total_mhz / self.compute.cores.max(1)),
            None => task.resources.cpu,
        }
    }

    fn resources(&self, task: &Task, allotment: &Allotment) -> Resources {
        let asked = &task.resources;
        let memory_mb = i64::try_from(asked.memory).unwrap_or(i64::MAX);
        let mhz = self.mhz(task);
        Resources {
            cpu_shares: i64::try_from(mhz).unwrap_or(i64::MAX),
            memory_mb,
            memory_max_mb: asked.memory_max,
            cpuset_cpus: cores::list(&allotment.cores),
            cpuset_cgroup: allotment.cpuset_cgroup.to_string_lossy().into_owned(),
            memory_limit_bytes: memory_mb.max(asked.memory_max).saturating_mul(1 << 20),
            ports: network::mappings(&self.ports),
            percent_ticks: mhz as f64 / self.compute.total_mhz.max(1) as f64,
            ..Resources::default()
        }
    }
}

/// Below the data directory.
pub(crate) const ALLOC: &str = "alloc";
pub(crate) const ALLOC_MOUNTS: &str = "alloc_mounts";
pub(crate) const USERS: &str = "users";
pub(crate) const CORES: &str = "cores";
pub(crate) const PORTS: &str = "ports";
/// Below a run's own directory.
pub(crate) const STDOUT: &str = "stdout";
pub(crate) const STDERR: &str = "stderr";
pub(crate) const STATE: &str = "state";

/// `<task>.stdout.fifo`: no name of anything else there ends so.
pub(crate) fn fifo_name(task: &str, stream: &str) -> String {
    format!("{task}.{stream}.fifo")
}

pub(crate) fn mounts_name(alloc_id: &str, task: &str) -> String {
    format!("{alloc_id}-{task}")
}

/// What was not left at its default.
fn configured(value: &str, default: &str) -> Option<String> {
    (value != default).then(|| value.to_owned())
}

fn host_env(settings: &Settings) -> BTreeMap<String, String> {
    let denied = placement::denied_variables(&settings.node);
    let mut env = environment::of_caller(std::env::vars_os());
    env.retain(|name, _| !denied.contains(name));
    env
}
