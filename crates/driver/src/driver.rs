//! A driver, configured: what it can do, whether this host can run it, and how it describes a task.
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use sandbox::Spec;

use crate::agent_env::AgentEnv;
use crate::api::{
    ConfigError, Configured, Driver, Features, Fingerprint, FsIsolation, Kind, Operator, Place,
    StartError,
};
use crate::capabilities::Supported;
use crate::denials::{Left, Watch};
use crate::exec::placed::Placed;
use crate::lower::Given;
use crate::options::{self, Opt, Values, tables};
use crate::remembered::Remembered;
use crate::resolver::Resolver;
use crate::start::host;
use crate::task_config::{NetworkMode, TaskConfig};
use crate::users::{self, NoUser, User};
use crate::{exec, exec2, fingerprint, handle, lower};

/// What a task gets of no agent.
static NO_AGENT: BTreeMap<String, String> = BTreeMap::new();

/// The owner of a directory that no client has given to a task.
const NOBODY: u32 = 65534;

impl Kind {
    /// `exec` or `exec2`.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Exec => "exec",
            Kind::Exec2 => "exec2",
        }
    }

    /// By Nomad's name.
    pub fn from_name(name: &str) -> Option<Kind> {
        [Kind::Exec, Kind::Exec2]
            .into_iter()
            .find(|kind| kind.name() == name)
    }

    /// The options of a task's `config {}`.
    pub fn task_options(self) -> &'static [Opt] {
        match self {
            Kind::Exec => tables::EXEC_TASK,
            Kind::Exec2 => tables::EXEC2_TASK,
        }
    }

    /// The options of the operator's `plugin "…" { config {} }`.
    pub fn operator_options(self) -> &'static [Opt] {
        match self {
            Kind::Exec => tables::EXEC_OPERATOR,
            Kind::Exec2 => tables::EXEC2_OPERATOR,
        }
    }
}

impl Driver {
    /// Checks the operator's configuration (absent options get their defaults) and keeps it.
    ///
    /// # Errors
    /// The first mistake in it.
    pub fn new(kind: Kind, config: &Values, place: Place) -> Result<Driver, ConfigError> {
        let values = options::decode(kind.operator_options(), config).map_err(first)?;
        let supported = Supported::of_this_kernel();
        let operator = match kind {
            Kind::Exec => Operator::Exec(exec::Operator::read(&values, supported)?),
            Kind::Exec2 => Operator::Exec2(exec2::Operator::read(&values, supported)?),
        };
        let hidden = outermost(&place);
        // Read while there are descriptors: a handle without it would be taken for one of another boot.
        handle::boot_id();
        Ok(Driver(Arc::new(Configured {
            operator,
            place,
            hidden,
            inherited: inherited(),
            remembered: Remembered::default(),
            watch: Mutex::default(),
        })))
    }

    /// Has what tasks started or recovered from now on are denied read as long as somebody keeps `watch`, so that [`crate::Task::denials`] can
    /// tell it. The last call counts.
    pub fn watch(&self, watch: &Arc<Watch>) {
        let mut kept = self.0.watch.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = Arc::downgrade(watch);
    }

    /// Whether its operator lets kernel audit be switched on for that. `None`: nothing of what its tasks are denied is ever recorded.
    pub fn audit(&self) -> Option<Left> {
        match &self.0.operator {
            Operator::Exec(_) => None,
            Operator::Exec2(operator) => Some(operator.audit),
        }
    }

    /// Names of what the client gave a task of the agent's environment and `agent_env` does not let through.
    pub fn withheld(&self, task: &TaskConfig) -> Vec<String> {
        let agent = self.agent_env();
        let withheld = |(name, value): &(&String, &String)| agent.withholds(name, value);
        let names = task.env.iter().filter(withheld);
        names.map(|(name, _)| name.clone()).collect()
    }

    fn agent_env(&self) -> AgentEnv<'_> {
        AgentEnv {
            patterns: match &self.0.operator {
                Operator::Exec(operator) => &operator.agent_env,
                Operator::Exec2(operator) => &operator.agent_env,
            },
            isolation: self.features().fs_isolation,
            variables: self.0.place.agent_env.as_ref().unwrap_or(&NO_AGENT),
        }
    }

    /// Which of the two.
    pub fn kind(&self) -> Kind {
        match self.0.operator {
            Operator::Exec(_) => Kind::Exec,
            Operator::Exec2(_) => Kind::Exec2,
        }
    }

    /// What it can do.
    pub fn features(&self) -> Features {
        let (fs_isolation, network_isolation_modes, dynamic_workload_users) = match &self.0.operator
        {
            Operator::Exec(operator) => (
                operator.fs_isolation,
                vec![NetworkMode::Host, NetworkMode::Group],
                false,
            ),
            Operator::Exec2(_) => (
                FsIsolation::Unveil,
                vec![NetworkMode::None, NetworkMode::Host, NetworkMode::Group],
                true,
            ),
        };
        Features {
            send_signals: true,
            exec: true,
            fs_isolation,
            network_isolation_modes,
            must_create_network: false,
            dynamic_workload_users,
        }
    }

    /// Whether this host can run it. No side effects.
    pub fn fingerprint(&self) -> Fingerprint {
        fingerprint::fingerprint(&self.0.operator, &self.0.place)
    }

    /// Whether this host has every system call that a start needs. No side effects; a start looks by itself, but a client makes directories before.
    ///
    /// # Errors
    /// [`StartError::Host`] with the name of the first that is missing.
    pub fn check_calls(&self) -> Result<(), StartError> {
        sandbox::required::check().map_err(|error| crate::start::host("start a task", error))
    }

    /// The user that a task runs as: Nomad's defaults for an empty name, and the operator's denials.
    ///
    /// # Errors
    /// [`StartError::User`].
    pub fn user(&self, task: &TaskConfig) -> Result<User, StartError> {
        match &self.0.operator {
            Operator::Exec(operator) => exec_user(task, operator),
            Operator::Exec2(_) => exec2_user(task),
        }
    }

    /// The description of a task's process: a pure function of the task, the operator's configuration and the user that was looked up.
    ///
    /// # Errors
    /// Mistakes in the task's configuration, and users that are unknown or denied.
    pub fn lower(&self, task: &TaskConfig) -> Result<Spec, StartError> {
        self.describe(task, &self.user(task)?, &Resolver::of_host())
    }

    /// The same with the user given, for a host of which no resolver is known.
    ///
    /// # Errors
    /// Mistakes in the task's configuration.
    pub fn lower_as(&self, task: &TaskConfig, user: &User) -> Result<Spec, StartError> {
        self.describe(task, user, &Resolver::default())
    }

    fn describe(
        &self,
        task: &TaskConfig,
        user: &User,
        resolver: &Resolver,
    ) -> Result<Spec, StartError> {
        let values =
            options::decode(self.kind().task_options(), &task.driver_config).map_err(first)?;
        let Configured {
            operator,
            hidden,
            inherited,
            ..
        } = &*self.0;
        let given = |placed| Given {
            task,
            user,
            hidden,
            placed,
            resolver,
            inherited,
            agent: self.agent_env(),
        };
        match operator {
            Operator::Exec(operator) => {
                let config = exec::Config::read(&values, operator)?;
                let placed = exec::placed::survey(&lower::directories(task)?.task, operator)?;
                exec::lower(given(&placed), &config, operator)
            }
            Operator::Exec2(operator) => {
                let config = exec2::Config::read(&values, operator)?;
                let survey = exec2::survey::survey(task, user, &config, operator)?;
                exec2::lower(given(&Placed::default()), &config, operator, &survey)
            }
        }
    }
}

/// What no task may see, the state directory included; what lies below another one goes with it.
fn outermost(place: &Place) -> Vec<PathBuf> {
    let mut hidden = [place.hidden.clone(), vec![place.state_dir.clone()]].concat();
    hidden.sort();
    // Sorted by components, so that what lies below a directory comes right after it.
    hidden.dedup_by(|next, kept| next.starts_with(kept));
    hidden
}

/// The faces tell one mistake after the other, as Nomad does.
fn first(mut mismatches: Vec<options::Mismatch>) -> options::Mismatch {
    mismatches.swap_remove(0)
}

fn inherited() -> BTreeMap<String, String> {
    let variable = |name: &str| {
        std::env::var(name)
            .ok()
            .map(|value| (name.to_owned(), value))
    };
    ["HOME", "USER", "TMPDIR"]
        .into_iter()
        .filter_map(variable)
        .collect()
}

fn exec_user(task: &TaskConfig, operator: &exec::Operator) -> Result<User, StartError> {
    let name = if task.user.is_empty() {
        "nobody"
    } else {
        &task.user
    };
    let refuse =
        |reason: String| StartError::User(format!("failed host user validation: {reason}"));
    let unknown = |told: String| refuse(format!("failed to identify user {name:?}: {told}"));
    let user = users::by_name(name).map_err(|error| no_user(error, unknown))?;
    operator.admit(&user).map_err(refuse)?;
    Ok(user)
}

fn exec2_user(task: &TaskConfig) -> Result<User, StartError> {
    if task.user.is_empty() {
        return owner(task);
    }
    if let Some(user) = users::dynamic(&task.user) {
        return Ok(user);
    }
    let unknown = |told: String| {
        StartError::User(format!(
            "failed to lookup user: error looking up user {:?}: {told}",
            task.user
        ))
    };
    users::by_name(&task.user).map_err(|error| no_user(error, unknown))
}

/// A name that nobody has is the job's mistake; a database that cannot be asked is the host's trouble, and may pass.
fn no_user(error: NoUser, unknown: impl Fn(String) -> StartError) -> StartError {
    match error {
        NoUser::Unknown(_) => unknown(error.to_string()),
        NoUser::Unreadable { .. } => host("look the task's user up", error),
    }
}

/// Nomad's client forgets the dynamic user at a restart, but the task directory is still that user's.
fn owner(task: &TaskConfig) -> Result<User, StartError> {
    let directory: &Path = &lower::directories(task)?.task;
    let owner = std::fs::symlink_metadata(directory)
        .ok()
        .filter(|metadata| ![0, NOBODY].contains(&metadata.uid()));
    let user = owner.map(|metadata| users::numbered(metadata.uid(), metadata.gid()));
    user.ok_or_else(|| StartError::User("user must be set".to_owned()))
}
