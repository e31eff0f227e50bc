//! What can be said about a job before anything is made: which tasks, which drivers, which mistakes.
use cgroup::CpuSet;
use driver::options::{self, Values};
use driver::{Allowed, Asker, ConfigError, Driver, FsIsolation, Kind, StartError, Warning};
use jobspec::{Diagnostic, Group, Job, Task};

use crate::allocation::{Allocation, Allotment, Member, STATE};
use crate::config::{self, Code, diagnostic};
use crate::environment::value_of;
use crate::error::{Error, Subject};
use crate::here::Here;
use crate::node::Node;
use crate::place::Views;
use crate::settings::Settings;
use crate::{artifacts, drivers, placement, ports, signals, template, volumes};

/// A task of a job, with its driver.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan<'a> {
    pub(crate) job: &'a Job,
    pub(crate) group: &'a Group,
    pub(crate) task: &'a Task,
    pub(crate) kind: Kind,
}

impl<'a> Plan<'a> {
    /// Every task of a job, in the order of the file.
    pub(crate) fn all(job: &'a Job) -> Result<Vec<Plan<'a>>, Error> {
        let tasks = |group: &'a Group| group.tasks.iter().map(move |task| (group, task));
        each(job.groups.iter().flat_map(tasks), |(group, task)| {
            Plan::of(job, group, task)
        })
    }

    fn of(job: &'a Job, group: &'a Group, task: &'a Task) -> Result<Plan<'a>, Error> {
        let subject = subject(task);
        let driver = task.driver.value.clone();
        let kind = Kind::from_name(&driver).ok_or(Error::UnknownDriver { subject, driver })?;
        check_kill_signal(task)?;
        check_user(task)?;
        Ok(Plan {
            job,
            group,
            task,
            kind,
        })
    }

    pub(crate) fn subject(&self) -> Subject {
        subject(self.task)
    }

    /// The driver, as the owner of this machine has it: what a job asks to see is granted.
    pub(crate) fn driver(
        &self,
        settings: &Settings,
        allocation: &Allocation,
    ) -> Result<Driver, ConfigError> {
        let state_dir = allocation.run_dir.join(STATE);
        drivers::configured(self.kind, settings, state_dir, allocation.compute)
    }

    /// Who the driver is told to run the task as, when no uid has been claimed yet.
    pub(crate) fn user(&self, driver: &Driver) -> User {
        match &self.task.user {
            Some(user) => User::Named(user.value.clone()),
            None if driver.features().dynamic_workload_users => User::Dynamic,
            None => User::Named(String::new()),
        }
    }

    /// Mistakes that only the driver can see, found by describing the task's process without making anything.
    pub(crate) fn check(
        &self,
        driver: &Driver,
        allocation: &Allocation,
        allotment: &Allotment,
        settings: &Settings,
    ) -> Result<(), Error> {
        placement::user(self, &settings.node)?;
        let user = self.user_before_claim(driver, settings);
        let task = self
            .task_config(driver, allocation, allotment, &user)
            .map_err(Error::Job)?;
        let views = self.views(allocation, allotment, driver.features().fs_isolation);
        let known = |name: &str| value_of(name, &task.env, &allocation.node);
        let mut mistakes = template::mistakes(self.task, &views, known);
        mistakes.extend(artifacts::mistakes(self.task, &views, known));
        if !mistakes.is_empty() {
            return Err(Error::Job(mistakes));
        }
        match driver.lower(&task) {
            Ok(_) => Ok(()),
            Err(error) => Err(self.start_failed(error)),
        }
    }

    fn user_before_claim(&self, driver: &Driver, settings: &Settings) -> String {
        match self.user(driver) {
            User::Named(name) => name,
            User::Dynamic => dynamic_name(*settings.node.dynamic_users.start()),
        }
    }

    /// As many cores as the task will have, so that what is said of them can be checked before they are claimed.
    pub(crate) fn cores_before_claim(&self) -> CpuSet {
        let count = self
            .task
            .resources
            .cores
            .as_ref()
            .map_or(0, |cores| cores.value);
        (0..u32::try_from(count).unwrap_or(0)).collect()
    }

    fn checked(
        &self,
        driver: &Driver,
        allowed: Option<Allowed>,
        warnings: Vec<Warning>,
    ) -> Checked {
        let (by_task, operator_warnings): (Vec<_>, Vec<_>) = warnings
            .into_iter()
            .partition(|warning| warning.asked_by == Asker::Task);
        Checked {
            task: self.task.name.clone(),
            driver: self.kind,
            dynamic_user: self.user(driver) == User::Dynamic,
            allowed,
            warnings: by_task
                .iter()
                .map(|warning| config::warning(warning, self.task))
                .collect(),
            operator_warnings,
        }
    }

    pub(crate) fn task_config(
        &self,
        driver: &Driver,
        allocation: &Allocation,
        allotment: &Allotment,
        user: &str,
    ) -> Result<driver::TaskConfig, Vec<Diagnostic>> {
        let isolation = driver.features().fs_isolation;
        allocation.task_config(self.member(), allotment, isolation, user)
    }

    /// How the task names its directories.
    pub(crate) fn views(
        &self,
        allocation: &Allocation,
        allotment: &Allotment,
        isolation: FsIsolation,
    ) -> Views {
        let name = &self.task.name;
        Views {
            task: name.clone(),
            directories: allocation.directories(name, allotment, isolation),
        }
    }

    pub(crate) fn member(&self) -> Member<'a> {
        Member {
            job: self.job,
            group: self.group,
            task: self.task,
        }
    }

    /// A driver's refusal, with its place where the job file is to blame.
    pub(crate) fn start_failed(&self, source: StartError) -> Error {
        match config::mistake(&source, self.task) {
            Some(mistake) => Error::Job(vec![mistake]),
            None => Error::Start {
                subject: Subject {
                    span: config::to_blame(&source, self.task),
                    ..self.subject()
                },
                source,
            },
        }
    }
}

/// Does this for each; mistakes in the job file are collected, anything else ends it at once.
pub(crate) fn each<T, U>(
    all: impl Iterator<Item = T>,
    mut act: impl FnMut(T) -> Result<U, Error>,
) -> Result<Vec<U>, Error> {
    let (mut done, mut mistakes) = (Vec::new(), Vec::new());
    for one in all {
        match act(one) {
            Ok(result) => done.push(result),
            Err(Error::Job(more)) => mistakes.extend(more),
            Err(error) => return Err(error),
        }
    }
    if mistakes.is_empty() {
        Ok(done)
    } else {
        Err(Error::Job(mistakes))
    }
}

/// Who a task runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum User {
    /// By name; empty is the driver's choice.
    Named(String),
    /// A uid of ours.
    Dynamic,
}

/// Nomad's name for a uid without an account.
pub(crate) fn dynamic_name(uid: u32) -> String {
    format!("nomad-{uid}")
}

/// What is to be said about a task that is right.
#[derive(Debug)]
pub struct Checked {
    /// The task.
    pub task: String,
    /// Its driver.
    pub driver: Kind,
    /// Whether the task gets a uid of its own.
    pub dynamic_user: bool,
    /// What it will be able to do; `None` where that depends on the host.
    pub allowed: Option<Allowed>,
    /// What the job asks for and has a price, with its place.
    pub warnings: Vec<Diagnostic>,
    /// The same of the operator's configuration.
    pub operator_warnings: Vec<Warning>,
}

/// Checks a job as far as that is possible without root and without side effects.
///
/// # Errors
/// What is wrong with the job.
pub fn check(job: &Job, settings: &Settings) -> Result<Vec<Checked>, Error> {
    let plans = Plan::all(job)?;
    let here = Here::look(settings);
    each(plans.iter(), |plan| plan.look(settings, &here))
}

impl Plan<'_> {
    fn look(&self, settings: &Settings, here: &Here) -> Result<Checked, Error> {
        let mut allocation = Allocation::plan(crate::ids::uuid()?, 0, settings, here);
        allocation.ports = ports::before_claim(self.group, &settings.node);
        let mut allotment = allocation.allot(&self.task.name, settings);
        allotment.volumes = volumes::known(self.group, self.task, &settings.node)?;
        allotment.cores = self.cores_before_claim();
        let driver = self.driver(settings, &allocation)?;
        match self.check(&driver, &allocation, &allotment, settings) {
            // What this host lacks is no mistake of the job's.
            Err(Error::Start { .. }) => Ok(self.checked(&driver, None, vec![])),
            Err(other) => Err(other),
            Ok(()) => {
                let user = self.user_before_claim(&driver, settings);
                let task = self.task_config(&driver, &allocation, &allotment, &user);
                let task = task.map_err(Error::Job)?;
                let warnings = driver.warnings(&task).unwrap_or_default();
                Ok(self.checked(&driver, driver.allowed(&task).ok(), warnings))
            }
        }
    }
}

/// What the node's operator decided, with two things filled in: whoever runs a job here owns the machine and decides
/// what it may unveil, and `chroot_env` is the client's, where Nomad has it, unless the plugin has its own.
pub fn operator_config(kind: Kind, node: &Node) -> Values {
    let mut values = node.plugins.get(&kind).cloned().unwrap_or_default();
    // Nomad's client would fill the root under `chroot`; here the driver makes it.
    let chroot = |value: &&mut options::Value| **value == "chroot".into();
    if let Some(isolation) = values.get_mut("fs_isolation").filter(chroot) {
        *isolation = "image".into();
    }
    match kind {
        Kind::Exec if node.chroot_env.is_empty() => {}
        Kind::Exec => {
            let text = |(from, to): (&String, &String)| (from.clone(), to.as_str().into());
            let map = options::Value::Map(node.chroot_env.iter().map(text).collect());
            values.entry("chroot_env".to_owned()).or_insert(map);
        }
        Kind::Exec2 => {
            values
                .entry("unveil_by_task".to_owned())
                .or_insert(options::Value::Bool(true));
        }
    }
    values
}

fn subject(task: &Task) -> Subject {
    Subject {
        task: task.name.clone(),
        span: task.span.clone(),
    }
}

/// A uid of the pool is claimed, never asked for: it may be another running task's.
fn check_user(task: &Task) -> Result<(), Error> {
    let Some(user) = task
        .user
        .as_ref()
        .filter(|user| driver::users::dynamic(&user.value).is_some())
    else {
        return Ok(());
    };
    let detail = format!(
        "user {:?} is a name for uids that are given to tasks without a user; leave user out to get one",
        user.value
    );
    Err(Error::Job(vec![diagnostic(
        Code::User,
        detail,
        user.span.clone(),
        format!("task {:?}", task.name),
    )]))
}

fn check_kill_signal(task: &Task) -> Result<(), Error> {
    let Some(signal) = task
        .kill_signal
        .as_ref()
        .filter(|signal| !signals::is_known(&signal.value))
    else {
        return Ok(());
    };
    let detail = format!(
        "kill_signal {:?} is no signal; SIGINT, SIGTERM and SIGQUIT are",
        signal.value
    );
    Err(Error::Job(vec![diagnostic(
        Code::KillSignal,
        detail,
        signal.span.clone(),
        format!("task {:?}", task.name),
    )]))
}
