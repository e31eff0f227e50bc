//! What can be said about a job before anything is made: which task, which driver, which mistakes.
use cgroup::CpuSet;
use driver::options::{self, Values};
use driver::{Allowed, Asker, ConfigError, Driver, Kind, Place, StartError, Warning};
use jobspec::{Diagnostic, Group, Job, Task};
use shim::Lifetime;

use crate::allocation::{Allocation, Member, STATE};
use crate::compute::compute;
use crate::config::{self, Code, diagnostic};
use crate::error::{Error, Subject};
use crate::node::Node;
use crate::settings::Settings;
use crate::{placement, signals, volumes};

/// The one task of a job, with its driver.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    pub(crate) job: &'a Job,
    pub(crate) group: &'a Group,
    pub(crate) task: &'a Task,
    pub(crate) kind: Kind,
}

impl<'a> Plan<'a> {
    pub(crate) fn of(job: &'a Job) -> Result<Plan<'a>, Error> {
        let (group, task) = only_task(job)?;
        let subject = subject(task);
        let driver = task.driver.value.clone();
        let kind = Kind::from_name(&driver).ok_or(Error::UnknownDriver { subject, driver })?;
        check_kill_signal(task)?;
        check_user(task)?;
        check_network(group)?;
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
        let place = Place {
            state_dir: allocation.run_dir.join(STATE),
            lifetime: Lifetime::Foreground,
            compute: allocation.compute,
            hidden: settings.hidden(),
        };
        Driver::new(
            self.kind,
            &operator_config(self.kind, &settings.node),
            place,
        )
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
        settings: &Settings,
    ) -> Result<(), Error> {
        placement::user(self, &settings.node)?;
        let user = self.user_before_claim(driver, settings);
        match driver.lower(&self.task_config(driver, allocation, &user)?) {
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
        user: &str,
    ) -> Result<driver::TaskConfig, Error> {
        let isolation = driver.features().fs_isolation;
        let member = Member {
            job: self.job,
            group: self.group,
            task: self.task,
        };
        allocation
            .task_config(member, isolation, user)
            .map_err(Error::Job)
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

/// What is to be said about a job that is right.
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
pub fn check(job: &Job, settings: &Settings) -> Result<Checked, Error> {
    let plan = Plan::of(job)?;
    let mut allocation =
        Allocation::plan(crate::ids::uuid()?, &plan.task.name, settings, compute());
    allocation.volumes = volumes::known(plan.group, plan.task, &settings.node)?;
    allocation.cores = plan.cores_before_claim();
    let driver = plan.driver(settings, &allocation)?;
    match plan.check(&driver, &allocation, settings) {
        // What this host lacks is no mistake of the job's.
        Err(Error::Start { .. }) => Ok(plan.checked(&driver, None, vec![])),
        Err(other) => Err(other),
        Ok(()) => {
            let user = plan.user_before_claim(&driver, settings);
            let task = plan.task_config(&driver, &allocation, &user)?;
            let warnings = driver.warnings(&task).unwrap_or_default();
            Ok(plan.checked(&driver, driver.allowed(&task).ok(), warnings))
        }
    }
}

/// What the node's operator decided, with two things filled in: whoever runs a job here owns the machine and decides
/// what it may unveil, and `chroot_env` is the client's, where Nomad has it, unless the plugin has its own.
pub fn operator_config(kind: Kind, node: &Node) -> Values {
    let mut values = node.plugins.get(&kind).cloned().unwrap_or_default();
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

fn only_task(job: &Job) -> Result<(&Group, &Task), Error> {
    let mut tasks = job
        .groups
        .iter()
        .flat_map(|group| group.tasks.iter().map(move |task| (group, task)));
    let Some(first) = tasks.next() else {
        return Err(Error::Job(vec![not_yet(
            "a job without a task".to_owned(),
            0..0,
            format!("job {:?}", job.id),
        )]));
    };
    let others: Vec<Diagnostic> = tasks
        .map(|(group, task)| another_task(group, task))
        .collect();
    if others.is_empty() {
        Ok(first)
    } else {
        Err(Error::Job(others))
    }
}

fn another_task(group: &Group, task: &Task) -> Diagnostic {
    let detail = format!(
        "task {:?}: more than one task in a job is not supported yet; run it as a job of its own",
        task.name
    );
    not_yet(detail, task.span.clone(), format!("group {:?}", group.name))
}

fn not_yet(detail: String, span: jobspec::Span, within: String) -> Diagnostic {
    diagnostic(Code::NotYet, detail, span, within)
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

fn check_network(group: &Group) -> Result<(), Error> {
    let Some(network) = &group.network else {
        return Ok(());
    };
    Err(Error::Job(vec![not_yet(
        "network is not supported yet".to_owned(),
        network.span.clone(),
        format!("group {:?}", group.name),
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
