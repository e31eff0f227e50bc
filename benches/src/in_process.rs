//! The drivers as functions, in this process: what Nomad's client would have prepared is made before the clock runs.
use std::collections::BTreeMap;
use std::error::Error;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use cgroup::{Cgroup, Controller, Host, Version};
use driver::options::{Value, Values};
use driver::task_config::Resources;
use driver::{Compute, Driver, Kind, Place, TaskConfig};

use crate::programs::Programs;

/// An id of the dynamic range that no run of encamp takes first.
const DYNAMIC_USER: &str = "nomad-89999";

const TASK: &str = "t";

/// Starts one task after the other, each in an allocation of its own.
pub(crate) struct InProcess {
    driver: Driver,
    command: PathBuf,
    directory: PathBuf,
    count: usize,
}

/// What Nomad's client prepares for one start.
struct Prepared {
    config: TaskConfig,
    alloc_dir: PathBuf,
    cgroup: cgroup::Paths,
}

impl InProcess {
    /// With the operator's defaults.
    pub(crate) fn new(name: &str, programs: &Programs) -> Result<InProcess, Box<dyn Error>> {
        let directory = programs.directory().join(name);
        std::fs::create_dir(&directory)?;
        let state_dir = directory.join("state");
        std::fs::create_dir(&state_dir)?;
        let place = Place {
            state_dir,
            lifetime: shim::Lifetime::Foreground,
            compute: Compute {
                total_mhz: 4000,
                cores: 2,
            },
            hidden: Vec::new(),
            agent_env: None,
        };
        let kind = if name == "exec" {
            Kind::Exec
        } else {
            Kind::Exec2
        };
        let driver = Driver::new(kind, &Values::new(), place)?;
        Ok(InProcess {
            driver,
            command: programs.nothing.clone(),
            directory,
            count: 0,
        })
    }

    /// One start: the cgroup is made, the task runs and ends, is destroyed, the cgroup is removed. As the floor, and no more.
    pub(crate) fn start(&mut self) -> Result<Duration, Box<dyn Error>> {
        self.count += 1;
        let prepared = self.prepare()?;
        let begin = Instant::now();
        let cgroup = Cgroup::create(&prepared.cgroup)?;
        let ended = self.live(&prepared.config);
        cgroup.remove()?;
        let took = begin.elapsed();
        std::fs::remove_dir_all(&prepared.alloc_dir)?;
        ended.map(|()| took)
    }

    fn live(&self, config: &TaskConfig) -> Result<(), Box<dyn Error>> {
        let task = self.driver.start(config).map_err(chain)?;
        let result = task.wait()?;
        task.destroy(true)?;
        if result.exit_code == 0 {
            Ok(())
        } else {
            Err(format!("{result:?}").into())
        }
    }

    fn prepare(&self) -> Result<Prepared, Box<dyn Error>> {
        let alloc_id = format!("bench-{}-{}", std::process::id(), self.count);
        let alloc_dir = self.directory.join(&alloc_id);
        directories(&alloc_dir)?;
        let (cgroup, cpuset_cgroup) = cgroup_paths(&Host::detect()?, &format!("{alloc_id}.{TASK}"));
        let config = TaskConfig {
            id: format!("{alloc_id}/{TASK}/00000000"),
            name: TASK.to_owned(),
            alloc_id,
            driver_config: Values::from([(
                "command".to_owned(),
                Value::String(self.command.to_string_lossy().into_owned()),
            )]),
            env: self.environment(&alloc_dir)?,
            resources: Resources {
                cpu_shares: 100,
                memory_mb: 300,
                cpuset_cgroup,
                ..Resources::default()
            },
            user: if self.driver.kind() == Kind::Exec {
                "nobody"
            } else {
                DYNAMIC_USER
            }
            .to_owned(),
            alloc_dir: alloc_dir.clone(),
            stdout_path: "/dev/null".into(),
            stderr_path: "/dev/null".into(),
            ..TaskConfig::default()
        };
        Ok(Prepared {
            config,
            alloc_dir,
            cgroup,
        })
    }

    /// The directories as the driver's file system isolation has them.
    fn environment(&self, alloc_dir: &Path) -> Result<BTreeMap<String, String>, Box<dyn Error>> {
        let base = if self.driver.kind() == Kind::Exec {
            PathBuf::from("/")
        } else {
            // Its name is what the driver knows it by.
            let alloc = alloc_dir.file_name().unwrap_or_default().to_string_lossy();
            let mounts = alloc_dir.join(format!("{alloc}-{TASK}"));
            std::fs::create_dir(&mounts)?;
            mounts
        };
        let at = |name: &str| base.join(name).to_string_lossy().into_owned();
        Ok(BTreeMap::from([
            ("NOMAD_ALLOC_DIR".to_owned(), at("alloc")),
            ("NOMAD_TASK_DIR".to_owned(), at("local")),
            ("NOMAD_SECRETS_DIR".to_owned(), at("secrets")),
            ("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned()),
        ]))
    }
}

/// A and T as Nomad's client lays them out.
fn directories(alloc_dir: &Path) -> std::io::Result<()> {
    for (name, mode) in [
        ("alloc/logs", 0o777),
        ("alloc/data", 0o777),
        ("alloc/tmp", 0o1777),
        ("t/local", 0o777),
        ("t/secrets", 0o777),
        ("t/tmp", 0o1777),
        ("t/private", 0o700),
    ] {
        let path = alloc_dir.join(name);
        std::fs::create_dir_all(&path)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode))?;
    }
    Ok(())
}

/// What the client makes, and what it says of it: on v2 the task's cgroup; on v1 a cpuset that tasks share, and three directories beside.
fn cgroup_paths(host: &Host, leaf: &str) -> (cgroup::Paths, String) {
    if host.version == Version::V2 {
        let paths =
            host.paths(&Path::new("encamp.slice/share.slice").join(format!("{leaf}.scope")));
        let told = paths.unified.clone().unwrap_or_default();
        return (paths, told.to_string_lossy().into_owned());
    }
    let at = |controller: Controller, relative: &str| {
        host.v1
            .get(&controller)
            .map(|mount| mount.join("encamp").join(relative))
    };
    let shared = at(Controller::Cpuset, "share").unwrap_or_default();
    let made = [Controller::Cpu, Controller::Freezer, Controller::Memory];
    let paths = cgroup::Paths {
        unified: None,
        v1: made
            .into_iter()
            .filter_map(|controller| Some((controller, at(controller, leaf)?)))
            .collect(),
        shared: BTreeMap::from([(Controller::Cpuset, shared.clone())]),
    };
    (paths, shared.to_string_lossy().into_owned())
}

/// The whole reason of a start that failed, in one line.
fn chain(error: driver::StartError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(reason) = source {
        text = format!("{text}: {reason}");
        source = reason.source();
    }
    text
}
