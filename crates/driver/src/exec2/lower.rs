//! From an `exec2` task to the description of its process.
use std::path::{Path, PathBuf};

use sandbox::Spec;
use sandbox::spec::{
    Access, Command, Executable, Identity, Init, Landlock, Mount, Namespaces, Root, Sharing,
};

use super::layout::Layout;
use super::survey::Survey;
use super::unveil::Entry;
use super::{Config, Operator, environment, mounts, rules, search};
use crate::api::StartError;
use crate::lower::{self, Given};
use crate::{capabilities, hosts, network, seccomp};

/// Nomad's umask for a task.
const UMASK: u32 = 0o022;

/// What operator and task grant beyond the defaults, with paths as the task sees them.
#[derive(Debug)]
pub(super) struct Grants(pub(super) Vec<Grant>);

/// One of them.
#[derive(Debug)]
pub(super) struct Grant {
    pub(super) path: PathBuf,
    pub(super) access: Access,
    pub(super) writes: bool,
    pub(super) is_directory: bool,
}

impl Grants {
    /// Whether exactly this path is granted.
    pub(super) fn name(&self, path: &str) -> bool {
        self.0.iter().any(|grant| grant.path == Path::new(path))
    }

    fn writable_root(&self) -> bool {
        self.0
            .iter()
            .any(|grant| grant.writes && grant.path == Path::new("/"))
    }
}

impl Grant {
    /// Whether the flags of a mount say all that its letters say: below a directory that is granted whole, Landlock takes nothing
    /// away.
    pub(super) fn fits_a_mount(&self) -> bool {
        let writes = self.access.contains(Access::WRITE);
        let creates = self.access.contains(Access::CREATE);
        self.access.contains(Access::READ) && (!self.is_directory || writes == creates)
    }

    /// Where its path lies on the host.
    pub(super) fn host_path(&self, layout: &Layout) -> PathBuf {
        layout.own(&self.path).unwrap_or_else(|| self.path.clone())
    }
}

/// Where entries are looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) given: Given<'a>,
    pub(super) layout: &'a Layout,
    pub(super) survey: &'a Survey,
}

/// A pure function: everything that has to be looked up is given.
pub(crate) fn lower(
    given: Given<'_>,
    config: &Config,
    operator: &Operator,
    survey: &Survey,
) -> Result<Spec, StartError> {
    let layout = Layout::of(given.task)?;
    let (cwd, outside) = work_dir(config, operator, &layout)?;
    let place = Place {
        given,
        layout: &layout,
        survey,
    };
    let grants = grants(place, config, operator, outside)?;
    let mounts = mounts::mounts(place, operator, &grants)?;
    let stdio = lower::stdio(given.task);
    let landlock = Landlock {
        rules: rules::rules(given, operator, &layout, &grants, &stdio, &mounts),
        scoped: true,
        network: config.network_rules.clone(),
        // A start says whether somebody reads.
        logged: false,
    };
    let command = command(given, config, &layout, cwd, &mounts)?;
    let user = given.user;
    // A mount that arrives later is as writable as on the host, and Landlock does not mediate chmod and chown: only for who can do
    // neither to what is not its own.
    let capabilities = capabilities::sets(config.granted, user.uid);
    Ok(Spec {
        command,
        namespaces: Namespaces {
            pid: Sharing::Private,
            ipc: Sharing::Private,
            net: network::network(given.task)?,
            hostname: hosts::hostname(given.task)?,
        },
        init: Init::Ours,
        root: Root::Host {
            read_only: !grants.writable_root(),
            slave: capabilities.permitted.0 == 0 && user.uid != 0,
        },
        mounts,
        masked: lower::paths(&lower::MASKED_PROC),
        read_only: lower::paths(&lower::READ_ONLY_PROC),
        landlock: Some(landlock),
        // Upstream's tasks have no supplementary groups.
        identity: Identity {
            uid: user.uid,
            gid: user.gid,
            groups: Vec::new(),
        },
        capabilities,
        no_new_privs: true,
        seccomp: seccomp::filter(
            operator.seccomp,
            config.granted,
            config.network_rules.is_some(),
        ),
        umask: UMASK,
        // Written even when it is 0, lest the agent's own be inherited.
        oom_score_adj: Some(config.oom_score_adj),
        stdio,
    })
}

fn command(
    given: Given<'_>,
    config: &Config,
    layout: &Layout,
    cwd: PathBuf,
    mounts: &[Mount],
) -> Result<Command, StartError> {
    if config.command.is_empty() {
        return Err(StartError::NotFound("the command is empty".to_owned()));
    }
    let mut env = environment::environment(given, layout);
    if config.work_dir.is_some() {
        env.insert(
            "NOMAD_WORK_DIR".to_owned(),
            cwd.to_string_lossy().into_owned(),
        );
    }
    let path = env.get("PATH").map_or("", String::as_str);
    let candidates = search::candidates(&config.command, path, &cwd, mounts);
    let executable = Executable {
        name: config.command.clone(),
        candidates,
    };
    Ok(Command {
        executable,
        args: config.args.clone(),
        env,
        cwd,
        create_cwd: false,
    })
}

/// The working directory, and whether it lies outside the task's own directories and must be granted.
fn work_dir(
    config: &Config,
    operator: &Operator,
    layout: &Layout,
) -> Result<(PathBuf, bool), StartError> {
    let Some(given) = &config.work_dir else {
        return Ok((layout.inside.clone(), false));
    };
    let path = lower::clean(&layout.inside.join(given));
    let outside = layout.own(&path).is_none();
    if outside && !operator.unveil_by_task {
        return Err(lower::value(
            "work_dir",
            "task set work_dir outside sandbox but driver config does not allow this",
        ));
    }
    Ok((path, outside))
}

fn grants(
    place: Place<'_>,
    config: &Config,
    operator: &Operator,
    work_dir: bool,
) -> Result<Grants, StartError> {
    let entries = operator
        .unveil_paths
        .iter()
        .map(|entry| ("unveil_paths", entry))
        .chain(config.unveil.iter().map(|entry| ("unveil", entry)));
    let mut grants = entries
        .map(|(option, entry)| grant(place, option, entry))
        .collect::<Result<Vec<_>, _>>()?;
    if let Some(path) = config.work_dir.as_ref().filter(|_| work_dir) {
        let entry = Entry::parse(&format!("rwxc:{path}"))
            .map_err(|message| lower::value("work_dir", message))?;
        grants.push(grant(place, "work_dir", &entry)?);
    }
    Ok(Grants(joined(grants)))
}

/// A grant is one of where the entry leads: a link is followed here, by rules of root's making, and never again.
fn grant(place: Place<'_>, option: &'static str, entry: &Entry) -> Result<Grant, StartError> {
    let named = lower::clean(&place.layout.inside.join(&entry.path));
    let lead = place.survey.lead(named);
    let path = lead.real;
    let mut hidden = place.given.hidden.iter();
    let hidden = hidden.find(|hidden| path.starts_with(hidden));
    match hidden.filter(|_| place.layout.own(&path).is_none()) {
        Some(hidden) => Err(lower::value(
            option,
            format!(
                "unveil entry {:?} lies in {}, which no task may see",
                entry.text,
                hidden.display()
            ),
        )),
        None => Ok(Grant {
            path,
            access: entry.access,
            writes: entry.writes(),
            is_directory: lead.is_directory,
        }),
    }
}

/// One grant for each path, in the order of the first.
fn joined(grants: Vec<Grant>) -> Vec<Grant> {
    let mut joined: Vec<Grant> = Vec::new();
    for grant in grants {
        match joined.iter_mut().find(|known| known.path == grant.path) {
            Some(known) => {
                known.access |= grant.access;
                known.writes |= grant.writes;
            }
            None => joined.push(grant),
        }
    }
    joined
}
