//! A task that is handed straight to a driver, whose operator decided something of their own: the command line lets jobs unveil.
use std::fs::{self, Permissions};
use std::io::Read;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use cgroup::{Cgroup, Host};
use driver::options::{Value as Setting, Values};
use driver::task_config::{Resources, TaskConfig};
use driver::{Compute, Driver, Kind, Place, StartError, Task};
use serde_json::Value;
use suite::World;

/// Who the task is.
pub(crate) const UID: u32 = 80_900;

/// Directories, cgroup and pipes; all of it goes with it.
pub(crate) struct Handed {
    pub(crate) task: TaskConfig,
    pub(crate) driver: Driver,
    pub(crate) root: PathBuf,
    cgroup: cgroup::Paths,
    parent: String,
}

pub(crate) fn list(items: &[&str]) -> Setting {
    items.into()
}

pub(crate) fn values(pairs: &[(&str, Setting)]) -> Values {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect()
}

impl Handed {
    /// A task of the probe under an operator's configuration.
    pub(crate) fn new(world: &World, operator: &[(&str, Setting)], words: &[&str]) -> Handed {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let alloc = format!("handed-{}-{count}", std::process::id());
        let parent = format!("encamp-{alloc}");
        let root = PathBuf::from(format!("/var/tmp/encamp-{alloc}"));
        let inside = root.join("mounts").join(format!("{alloc}-t"));
        furnish(&root, &alloc, &inside);
        let (cgroup, handed) = Host::detect()
            .unwrap()
            .standalone(Some(&parent), &format!("{alloc}.t"))
            .unwrap();
        Cgroup::create(&cgroup).unwrap();
        let inside = |name: &str| inside.join(name).display().to_string();
        let env = [
            ("NOMAD_TASK_DIR", inside("local")),
            ("NOMAD_ALLOC_DIR", inside("alloc")),
        ];
        let logs = root.join("alloc").join(&alloc).join("alloc/logs");
        let task = TaskConfig {
            id: format!("{alloc}/t/12345678"),
            name: "t".into(),
            alloc_id: alloc.clone(),
            driver_config: values(&[("command", world.probe().into()), ("args", list(words))]),
            env: env.map(|(name, value)| (name.to_owned(), value)).into(),
            resources: Resources {
                cpu_shares: 500,
                memory_mb: 64,
                cpuset_cgroup: handed.display().to_string(),
                ..Resources::default()
            },
            user: format!("nomad-{UID}"),
            alloc_dir: root.join("alloc").join(&alloc),
            stdout_path: logs.join(".t.stdout.fifo"),
            stderr_path: logs.join(".t.stderr.fifo"),
            ..TaskConfig::default()
        };
        let place = Place {
            state_dir: root.join("state"),
            lifetime: shim::Lifetime::Detached,
            compute: Compute {
                total_mhz: 4000,
                cores: 2,
            },
            hidden: vec![root.join("hidden")],
            agent_env: None,
        };
        let driver = Driver::new(Kind::Exec2, &values(operator), place).unwrap();
        Handed {
            task,
            driver,
            root,
            cgroup,
            parent,
        }
    }

    /// With an option of the task's own.
    pub(crate) fn config(mut self, name: &str, value: Setting) -> Handed {
        self.task.driver_config.insert(name.to_owned(), value);
        self
    }

    /// Another user, to whom the directories belong as the client would make them; one that does not exist has none.
    pub(crate) fn user(mut self, user: &str) -> Handed {
        user.clone_into(&mut self.task.user);
        if let Ok(user) = self.driver.user(&self.task) {
            let task = self.task.alloc_dir.join("t");
            for path in [task.join("secrets"), task] {
                chown(path, Some(user.uid), Some(user.gid)).unwrap();
            }
        }
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Handed {
        self.task.env.insert(name.to_owned(), value.to_owned());
        self
    }

    /// New log pipes with somebody who reads them, as for each start of Nomad's client.
    pub(crate) fn pipes(&self) -> [JoinHandle<String>; 2] {
        [&self.task.stdout_path, &self.task.stderr_path].map(|path| {
            let _ = fs::remove_file(path);
            rustix::fs::mknodat(
                rustix::fs::CWD,
                path,
                rustix::fs::FileType::Fifo,
                0o600.into(),
                0,
            )
            .unwrap();
            reader(path)
        })
    }

    /// Starts it, somebody reading.
    pub(crate) fn start(&self) -> Result<(Task, [JoinHandle<String>; 2]), StartError> {
        let pipes = self.pipes();
        self.driver.start(&self.task).map(|task| (task, pipes))
    }

    /// The lines of the probe, to its end.
    #[track_caller]
    pub(crate) fn lines(&self) -> Vec<Value> {
        let (task, [stdout, stderr]) = self.start().unwrap_or_else(|error| {
            panic!(
                "{error}: {:?}",
                std::error::Error::source(&error).map(ToString::to_string)
            )
        });
        let end = task.wait().unwrap();
        task.destroy(false).unwrap();
        let (stdout, stderr) = (stdout.join().unwrap(), stderr.join().unwrap());
        assert_eq!(end.exit_code, 0, "{end:?}\n{stdout}\n{stderr}");
        stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// What each attempt met.
    #[track_caller]
    pub(crate) fn errnos(&self) -> Vec<Option<i64>> {
        self.lines()
            .iter()
            .map(|line| line["errno"].as_i64())
            .collect()
    }

    /// Why it does not start.
    #[track_caller]
    pub(crate) fn refusal(&self) -> StartError {
        match self.start() {
            Ok(_) => panic!("it was started"),
            Err(error) => error,
        }
    }
}

/// As Nomad's client does it.
fn furnish(root: &Path, alloc: &str, inside: &Path) {
    let alloc_dir = root.join("alloc").join(alloc);
    let task = alloc_dir.join("t");
    for directory in ["local", "secrets", "private", "tmp"] {
        fs::create_dir_all(task.join(directory)).unwrap();
    }
    for directory in ["alloc/logs", "alloc/data"] {
        fs::create_dir_all(alloc_dir.join(directory)).unwrap();
    }
    for directory in [inside, &root.join("hidden")] {
        fs::create_dir_all(directory).unwrap();
    }
    for (path, mode) in [
        (task.join("local"), 0o777),
        (task.join("tmp"), 0o1777),
        (alloc_dir.join("alloc"), 0o777),
        (alloc_dir.join("alloc/logs"), 0o777),
        (task.clone(), 0o710),
        (task.join("secrets"), 0o710),
    ] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    }
    for path in [&task, &task.join("secrets")] {
        chown(path, Some(UID), Some(UID)).unwrap();
    }
}

/// Reads a pipe to its end in a thread.
fn reader(path: &Path) -> JoinHandle<String> {
    let path = path.to_owned();
    std::thread::spawn(move || {
        let mut text = Vec::new();
        fs::File::open(path)
            .unwrap()
            .read_to_end(&mut text)
            .unwrap();
        String::from_utf8_lossy(&text).into_owned()
    })
}

impl Drop for Handed {
    fn drop(&mut self) {
        let cgroup = Cgroup::at(&self.cgroup);
        let _ = cgroup.empty(Duration::from_secs(5));
        let _ = cgroup.remove();
        let _ = Host::detect().unwrap().sweep(Some(&self.parent));
        let _ = fs::remove_dir_all(&self.root);
    }
}
