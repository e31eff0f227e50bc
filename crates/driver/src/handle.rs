//! What is kept of a started task so that another process finds it again: JSON, versioned, and everything that is needed later,
//! since Nomad's client does not give the task's configuration back.
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::SystemTime;

use sandbox::Enforcement;
use serde::{Deserialize, Serialize};

use crate::api::{Compute, Kind};
use crate::remembered::Reserved;

const VERSION: u32 = 1;

/// A started task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Handle {
    version: u32,
    /// `exec` or `exec2`.
    pub(crate) driver: String,
    /// Task id.
    pub(crate) id: String,
    /// Task name.
    pub(crate) name: String,
    /// The shim's directory.
    pub(crate) state: PathBuf,
    /// `/proc/sys/kernel/random/boot_id`: pids mean nothing after a reboot.
    pub(crate) boot_id: String,
    /// Who runs.
    pub(crate) process: Process,
    /// When it was started.
    pub(crate) started_at: SystemTime,
    /// The cgroup.
    pub(crate) cgroup: cgroup::Paths,
    /// The directories of it that the driver made, and removes.
    pub(crate) made: cgroup::Paths,
    /// Nanoseconds that the cgroup had used before the start.
    pub(crate) baseline: Baseline,
    /// For ticks.
    pub(crate) total_mhz: u64,
    /// For ticks.
    pub(crate) cores: u64,
    /// For commands that run beside it.
    pub(crate) env: BTreeMap<String, String>,
    /// For commands that run beside it.
    pub(crate) cwd: PathBuf,
    /// What was wanted and could not be had.
    pub(crate) refusals: Vec<String>,
    /// What nobody wanted by name and could not be had.
    #[serde(default)]
    pub(crate) lacking: Vec<String>,
    /// What its Landlock domain restricts.
    #[serde(default)]
    pub(crate) landlock: Option<Enforcement>,
    /// What the client will not tell again.
    #[serde(default, skip_serializing_if = "Reserved::is_empty")]
    pub(crate) reserved: Reserved,
    /// The task directory as the task sees it, if its denials are recorded.
    #[serde(default)]
    pub(crate) home: Option<PathBuf>,
}

/// Pids with start times: never a bare pid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    pub(crate) start_time: u64,
    pub(crate) shim_pid: i32,
    pub(crate) shim_start_time: u64,
}

/// Counters of a cgroup that an earlier task may have used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Baseline {
    pub(crate) usage_nsec: u64,
    pub(crate) user_nsec: u64,
    pub(crate) system_nsec: u64,
}

/// What is known once a task has been started.
pub(crate) struct Started {
    pub(crate) kind: Kind,
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) state: PathBuf,
    pub(crate) cgroup: cgroup::Paths,
    pub(crate) made: cgroup::Paths,
    pub(crate) baseline: Baseline,
    pub(crate) compute: Compute,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) cwd: PathBuf,
    pub(crate) refusals: Vec<String>,
    pub(crate) lacking: Vec<String>,
    pub(crate) reserved: Reserved,
    pub(crate) home: Option<PathBuf>,
}

impl From<&shim::Running> for Process {
    fn from(running: &shim::Running) -> Process {
        Process {
            pid: running.pid,
            start_time: running.start_time,
            shim_pid: running.shim_pid,
            shim_start_time: running.shim_start_time,
        }
    }
}

impl Handle {
    /// Of a task that runs.
    pub(crate) fn new(started: Started, running: &shim::Running) -> Handle {
        Handle {
            version: VERSION,
            driver: started.kind.name().to_owned(),
            id: started.id,
            name: started.name,
            state: started.state,
            boot_id: boot_id(),
            process: Process::from(running),
            started_at: running.started_at,
            cgroup: started.cgroup,
            made: started.made,
            baseline: started.baseline,
            total_mhz: started.compute.total_mhz,
            cores: started.compute.cores,
            env: started.env,
            cwd: started.cwd,
            refusals: [started.refusals, running.refusals.clone()].concat(),
            lacking: started.lacking,
            landlock: running.landlock.clone(),
            reserved: started.reserved,
            home: started.home,
        }
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        // reason: a struct of strings, numbers and string-keyed maps always serialises.
        serde_json::to_vec(self).expect("a handle is plain data")
    }

    /// Of a driver's own kind and version.
    ///
    /// # Errors
    /// In words.
    pub(crate) fn from_bytes(bytes: &[u8], kind: Kind) -> Result<Handle, String> {
        if bytes.first() != Some(&b'{') {
            return Err(
                "it was not written by this driver (Nomad's own exec and exec2 write msgpack)"
                    .to_owned(),
            );
        }
        let value: serde_json::Value =
            serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        let version = value.get("version").and_then(serde_json::Value::as_u64);
        if version != Some(VERSION.into()) {
            return Err(format!(
                "its version is {}, not {VERSION}",
                version.map_or("missing".to_owned(), |version| version.to_string())
            ));
        }
        let handle: Handle = serde_json::from_value(value).map_err(|error| error.to_string())?;
        if handle.driver != kind.name() {
            return Err(format!(
                "it is of the driver {:?}, not {:?}",
                handle.driver,
                kind.name()
            ));
        }
        Ok(handle)
    }
}

/// Of this boot; empty when the kernel does not tell, and then equal to that of the next start only by the same silence. What was read
/// once is kept: short of descriptors, the kernel would seem to tell nothing.
pub(crate) fn boot_id() -> String {
    static READ: OnceLock<String> = OnceLock::new();
    if let Some(id) = READ.get() {
        return id.clone();
    }
    let read = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    let id = read.map(|id| id.trim().to_owned()).unwrap_or_default();
    if !id.is_empty() {
        READ.get_or_init(|| id.clone());
    }
    id
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn handle() -> Handle {
        let started = Started {
            kind: Kind::Exec,
            id: "alloc/web/12345678".into(),
            name: "web".into(),
            state: "/run/encamp/0".into(),
            cgroup: cgroup::Paths::default(),
            made: cgroup::Paths::default(),
            baseline: Baseline::default(),
            compute: Compute {
                total_mhz: 8000,
                cores: 4,
            },
            env: BTreeMap::from([("A".into(), "b".into())]),
            cwd: "/".into(),
            refusals: vec!["one".into()],
            lacking: vec!["three".into()],
            reserved: Reserved::default(),
            home: Some("/alloc_mounts/a-web".into()),
        };
        let running = shim::Running {
            pid: 7,
            start_time: 70,
            shim_pid: 6,
            shim_start_time: 60,
            init_pid: 0,
            started_at: SystemTime::UNIX_EPOCH,
            refusals: vec!["two".into()],
            landlock: None,
        };
        Handle::new(started, &running)
    }

    #[test]
    fn a_handle_survives_its_bytes() {
        let handle = handle();
        assert_eq!(
            Handle::from_bytes(&handle.to_bytes(), Kind::Exec),
            Ok(handle.clone())
        );
        assert_eq!(handle.refusals, ["one", "two"]);
    }

    #[test]
    fn a_handle_from_before_the_record_is_still_one() {
        let mut value: serde_json::Value = serde_json::from_slice(&handle().to_bytes()).unwrap();
        let fields = value.as_object_mut().unwrap();
        for field in ["lacking", "landlock", "home"] {
            assert!(fields.remove(field).is_some(), "{field}");
        }
        let bytes = serde_json::to_vec(&value).unwrap();
        assert_eq!(
            Handle::from_bytes(&bytes, Kind::Exec).unwrap().landlock,
            None
        );
    }

    #[test]
    fn strange_bytes_are_refused_in_words() {
        let told = |bytes: &[u8]| Handle::from_bytes(bytes, Kind::Exec).unwrap_err();
        assert!(told(b"").contains("not written by this driver"));
        assert!(told(&[0x84, 0xae]).contains("msgpack"));
        assert_eq!(told(b"{\"version\":2}"), "its version is 2, not 1");
        assert_eq!(told(b"{}"), "its version is missing, not 1");
        assert!(told(b"{\"version\":1}").contains("missing field"));
        let bytes = handle().to_bytes();
        assert!(told(&bytes[..bytes.len() / 2]).contains("EOF"));
        assert_eq!(
            Handle::from_bytes(&bytes, Kind::Exec2),
            Err("it is of the driver \"exec\", not \"exec2\"".to_owned())
        );
    }
}
