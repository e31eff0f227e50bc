//! From an `exec` task to the description of its process.
use sandbox::Spec;
use sandbox::spec::{Command, Executable, Identity, Init, Namespaces, Root};

use super::{Config, Operator, candidates, environment, root};
use crate::api::StartError;
use crate::lower::{self, Given};
use crate::{capabilities, hosts, network};

/// Nomad's umask for a task.
const UMASK: u32 = 0o022;

/// A pure function: everything that has to be looked up is given.
pub(crate) fn lower(
    given: Given<'_>,
    config: &Config,
    operator: &Operator,
) -> Result<Spec, StartError> {
    let at = lower::directories(given.task)?;
    let mounts = root::mounts(given, operator, &at)?;
    let user = given.user;
    Ok(Spec {
        command: Command {
            executable: executable(given, config, &mounts)?,
            args: config.args.clone(),
            env: environment::environment(given),
            cwd: config.work_dir.clone(),
            create_cwd: true,
        },
        namespaces: Namespaces {
            pid: config.pid,
            ipc: config.ipc,
            net: network::network(given.task)?,
            hostname: hosts::hostname(given.task)?,
        },
        init: Init::Process,
        root: Root::Directory {
            scratch: at.task.join(root::SCRATCH),
            no_pivot_root: operator.no_pivot_root,
        },
        mounts,
        masked: lower::paths(
            &[
                &lower::MASKED_PROC[..],
                &["/sys/firmware", "/sys/devices/virtual/powercap"],
            ]
            .concat(),
        ),
        read_only: lower::paths(&lower::READ_ONLY_PROC),
        landlock: None,
        identity: Identity {
            uid: user.uid,
            gid: user.gid,
            groups: user.groups.clone(),
        },
        capabilities: capabilities::sets(config.granted, user.uid),
        // Nomad sets none, and setuid programs inside work with it: within the bounding set.
        no_new_privs: false,
        umask: UMASK,
        // Written even so, lest the agent's own be inherited.
        oom_score_adj: Some(0),
        stdio: lower::stdio(given.task),
    })
}

fn executable(
    given: Given<'_>,
    config: &Config,
    mounts: &[sandbox::spec::Mount],
) -> Result<Executable, StartError> {
    if config.command.is_empty() {
        return Err(StartError::NotFound("the command is empty".to_owned()));
    }
    let candidates = candidates::candidates(&config.command, &given.task.mounts, mounts);
    Ok(Executable {
        name: config.command.clone(),
        candidates,
    })
}
