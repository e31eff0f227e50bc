//! The job files that every face must understand alike, and the command line's way from one of them to what a driver is handed.
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use client::{Allocation, Allotment, Mapping, Settings};
use driver::options::Values;
use driver::{Compute, Driver, Kind, Place, TaskConfig};
use jobspec::{Group, Job, Port, Scope, Task};
use shim::Lifetime;

use crate::binaries::repository;

/// The uid that the client claims for a task of a driver with dynamic users.
pub const DYNAMIC_USER: &str = "nomad-80017";

/// Where job files of users and of the suites lie, in the repository.
const DIRECTORIES: [&str; 2] = ["examples", "tests/golden/jobs"];

/// How the names of job files end.
const SUFFIX: &str = ".nomad.hcl";

/// One task of a job file that was parsed.
#[derive(Debug, Clone)]
pub struct JobFile {
    /// The file's name without its end; where there are several tasks, a dot and the task's.
    pub name: String,
    /// What is in it.
    pub job: Job,
    /// The task's driver.
    pub kind: Kind,
    /// The places of its group in the job, and of itself in the group.
    place: (usize, usize),
}

impl JobFile {
    /// Every task of the examples and of the suites' own jobs, by name.
    #[must_use]
    pub fn all() -> Vec<JobFile> {
        let mut files: Vec<_> = DIRECTORIES
            .iter()
            .flat_map(|directory| std::fs::read_dir(repository().join(directory)).unwrap())
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.to_string_lossy().ends_with(SUFFIX))
            .flat_map(|path| JobFile::read(&path))
            .collect();
        files.sort_by(|one, other| one.name.cmp(&other.name));
        assert!(
            files.windows(2).all(|pair| pair[0].name != pair[1].name),
            "two job files have one name"
        );
        files
    }

    fn read(path: &Path) -> Vec<JobFile> {
        let file = path.file_name().unwrap().to_string_lossy();
        let text = std::fs::read_to_string(path).unwrap();
        let job = jobspec::parse(&file, &text)
            .unwrap_or_else(|mistakes| panic!("{}: {mistakes:?}", path.display()));
        let name = file.strip_suffix(SUFFIX).unwrap();
        let groups = job.groups.iter().enumerate();
        let places: Vec<_> = groups
            .flat_map(|(at, group)| (0..group.tasks.len()).map(move |place| (at, place)))
            .collect();
        let several = places.len() > 1;
        let one = |place: (usize, usize)| {
            let task = &job.groups[place.0].tasks[place.1];
            let suffix = several.then(|| format!(".{}", task.name));
            JobFile {
                name: format!("{name}{}", suffix.unwrap_or_default()),
                kind: Kind::from_name(&task.driver.value).unwrap(),
                job: job.clone(),
                place,
            }
        };
        places.into_iter().map(one).collect()
    }

    /// The task's group.
    #[must_use]
    pub fn group(&self) -> &Group {
        &self.job.groups[self.place.0]
    }

    /// The task.
    #[must_use]
    pub fn task(&self) -> &Task {
        &self.group().tasks[self.place.1]
    }

    /// The same, to be altered.
    pub fn task_mut(&mut self) -> &mut Task {
        &mut self.job.groups[self.place.0].tasks[self.place.1]
    }

    /// The ports of its group as one node may have given them.
    #[must_use]
    pub fn ports(&self) -> Vec<Mapping> {
        let ports = self
            .group()
            .network
            .iter()
            .flat_map(|network| &network.ports);
        let given = |(port, next): (&Port, u16)| Mapping {
            label: port.label.value.clone(),
            value: port
                .static_port
                .as_ref()
                .map_or(next, |number| number.value),
            to: 0,
            host_ip: Ipv4Addr::LOCALHOST.into(),
        };
        ports.zip(20_000..).map(given).collect()
    }

    /// Who the client says the task runs as.
    #[must_use]
    pub fn user(&self) -> String {
        match &self.task().user {
            Some(user) => user.value.clone(),
            None if self.kind == Kind::Exec2 => DYNAMIC_USER.to_owned(),
            None => String::new(),
        }
    }
}

/// All about a run that does not come from its job file.
#[derive(Debug, Clone)]
pub struct Site {
    /// The allocation's id.
    pub alloc_id: String,
    /// Where allocations lie.
    pub data_dir: PathBuf,
    /// What lives as long as a run.
    pub run_dir: PathBuf,
    /// What the client hands over as the task's cgroup.
    pub cgroup: PathBuf,
}

impl Site {
    /// The allocation as the client has it.
    #[must_use]
    pub fn allocation(&self, file: &JobFile) -> Allocation {
        Allocation {
            id: self.alloc_id.clone(),
            index: 0,
            alloc_dir: self.data_dir.join("alloc").join(&self.alloc_id),
            parent_cgroup: "encamp.slice".to_owned(),
            host_env: BTreeMap::from([("LANG".to_owned(), "C.UTF-8".to_owned())]),
            node_name: "node".to_owned(),
            node: Arc::new(Site::node()),
            datacenter: None,
            region: None,
            compute: Site::COMPUTE,
            ports: file.ports(),
            run_dir: self.run_dir.join("run"),
        }
    }

    /// What the task gets of it.
    #[must_use]
    pub fn allotment(&self, file: &JobFile) -> Allotment {
        let mounts = format!("{}-{}", self.alloc_id, file.task().name);
        let run_dir = self.run_dir.join("run");
        Allotment {
            mounts_dir: self.data_dir.join("alloc_mounts").join(mounts),
            cpuset_cgroup: self.cgroup.clone(),
            stdout: run_dir.join("stdout.fifo"),
            stderr: run_dir.join("stderr.fifo"),
            volumes: client::volumes(file.group(), file.task(), 0, &node()).unwrap(),
            ..Allotment::default()
        }
    }

    /// What jobs can ask of the node, whatever the host is.
    fn node() -> Scope {
        let map = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
        Scope {
            env: BTreeMap::new(),
            attr: map("kernel.name", "linux"),
            node: map("unique.name", "node"),
            meta: map("rack", "7"),
        }
    }

    /// The node's compute, whatever the host has.
    pub const COMPUTE: Compute = Compute {
        total_mhz: 8000,
        cores: 4,
    };

    /// Where a driver keeps its things.
    #[must_use]
    pub fn place(&self, lifetime: Lifetime) -> Place {
        let settings = Settings {
            data_dir: self.data_dir.clone(),
            run_dir: self.run_dir.clone(),
            ..Settings::default()
        };
        Place {
            state_dir: self.run_dir.join("state"),
            lifetime,
            compute: Site::COMPUTE,
            hidden: settings.hidden(),
            agent_env: None,
        }
    }

    /// The id of the only start.
    #[must_use]
    pub fn task_id(&self, file: &JobFile) -> String {
        format!("{}/{}/12345678", self.alloc_id, file.task().name)
    }

    /// A driver with its operator's configuration.
    #[must_use]
    pub fn driver(&self, kind: Kind, operator: &Values, lifetime: Lifetime) -> Driver {
        Driver::new(kind, operator, self.place(lifetime)).unwrap()
    }
}

/// The node of the examples' configuration.
#[must_use]
pub fn node() -> client::Node {
    let entries = std::fs::read_dir(repository().join("examples/encamp.d")).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let read = |path: PathBuf| client::ConfigFile {
        text: std::fs::read_to_string(&path).unwrap(),
        name: path.display().to_string(),
    };
    let files: Vec<_> = paths.into_iter().map(read).collect();
    client::configure(&files)
        .unwrap_or_else(|mistakes| panic!("{mistakes:?}"))
        .node
}

/// The driver as the command line configures it, and what it is handed.
#[must_use]
pub fn by_command_line(file: &JobFile, site: &Site) -> (Driver, TaskConfig) {
    let operator = client::operator_config(file.kind, &node());
    let driver = site.driver(file.kind, &operator, Lifetime::Foreground);
    let task = site.allocation(file).task_config(
        client::Member {
            job: &file.job,
            group: file.group(),
            task: file.task(),
        },
        &site.allotment(file),
        driver.features().fs_isolation,
        &file.user(),
    );
    let task = task.unwrap_or_else(|mistakes| panic!("{}: {mistakes:?}", file.name));
    let id = site.task_id(file);
    (driver, TaskConfig { id, ..task })
}
