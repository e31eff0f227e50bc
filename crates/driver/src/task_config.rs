//! What StartTask carries, written by hand: one task, host paths resolved, driver options still in job words.
use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::options::Values;

/// One task as Nomad's client hands it to a driver. Field for field the `TaskConfig` of Nomad's driver protocol.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TaskConfig {
    /// `<alloc id>/<task>/<8 hex>`, new for every start; holds `/`.
    pub id: String,
    /// Task name.
    pub name: String,
    /// Group name.
    pub task_group_name: String,
    /// Job name.
    pub job_name: String,
    /// Job id.
    pub job_id: String,
    /// Parent job id, of dispatched and periodic jobs.
    pub parent_job_id: String,
    /// Namespace.
    pub namespace: String,
    /// Node name.
    pub node_name: String,
    /// Node id.
    pub node_id: String,
    /// Allocation id.
    pub alloc_id: String,
    /// The `config {}` block. Empty when a task is recovered after an agent restart.
    pub driver_config: Values,
    /// The whole environment, interpolated.
    pub env: BTreeMap<String, String>,
    /// The part of it that device plugins set.
    pub device_env: BTreeMap<String, String>,
    /// Limits.
    pub resources: Resources,
    /// Volumes, in the job's order.
    pub mounts: Vec<Mount>,
    /// Devices.
    pub devices: Vec<Device>,
    /// A name, `nomad-<uid>`, or empty.
    pub user: String,
    /// The allocation's directory on the host; the task directory is `alloc_dir/name`.
    pub alloc_dir: PathBuf,
    /// What the task reads. Nomad's protocol has no word for it, so a plugin's tasks have nothing there.
    pub stdin: Stdin,
    /// A FIFO or `/dev/null`.
    pub stdout_path: PathBuf,
    /// A FIFO or `/dev/null`.
    pub stderr_path: PathBuf,
    /// A network namespace to join; `None`: the host's.
    pub network_isolation: Option<NetworkIsolation>,
    /// `network.dns`, or what CNI returned.
    pub dns: Option<Dns>,
}

/// A task's descriptor 0. With a pipe or a terminal [`crate::Task::take_input`] has the other end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stdin {
    /// `/dev/null`.
    #[default]
    Null,
    /// A pipe.
    Pipe,
    /// A terminal of the task's own; what it prints goes there, too.
    Terminal {
        /// Lines.
        rows: u16,
        /// Characters in a line.
        columns: u16,
    },
}

/// Limits, as the client computed them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Resources {
    /// MHz.
    pub cpu_shares: i64,
    /// MB.
    pub memory_mb: i64,
    /// MB; 0: none, -1: unlimited.
    pub memory_max_mb: i64,
    /// Reserved cores, `2,3`; empty without `cores`.
    pub cpuset_cpus: String,
    /// v2: the task's whole cgroup. v1: its cpuset (shared by all tasks without `cores`).
    pub cpuset_cgroup: String,
    /// Not set by Nomad; kept for completeness of the wire.
    pub cpu_period: i64,
    /// Not set by Nomad.
    pub cpu_quota: i64,
    /// max(memory, memory_max) in bytes; wrong for -1, so not used.
    pub memory_limit_bytes: i64,
    /// Not set by Nomad.
    pub oom_score_adj: i64,
    /// `cpu` over the node's usable compute.
    pub percent_ticks: f64,
    /// Port labels with host port, port inside and host address.
    pub ports: Vec<Port>,
}

/// One port mapping.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "Nomad's PortMapping, name for name")]
pub struct Port {
    pub label: String,
    pub value: i32,
    pub to: i32,
    pub host_ip: String,
}

/// A volume.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// Inside the task.
    pub task_path: String,
    /// On the host.
    pub host_path: PathBuf,
    /// Read-only.
    pub readonly: bool,
    /// ``, `private`, `host-to-task` or `bidirectional`.
    pub propagation_mode: String,
    /// Ignored.
    pub selinux_label: String,
    /// The volume request's name.
    pub request_name: String,
}

/// A device.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Inside the task.
    pub task_path: String,
    /// On the host.
    pub host_path: PathBuf,
    /// Letters of `rwm`.
    pub cgroup_permissions: String,
}

/// A network namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkIsolation {
    /// What kind.
    pub mode: NetworkMode,
    /// `/var/run/netns/<alloc>`.
    pub path: PathBuf,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Host name and address for `/etc/hosts`.
    pub hosts: Option<Hosts>,
}

/// Nomad's NetIsolationMode.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "Nomad's words")]
pub enum NetworkMode {
    #[default]
    Host,
    Group,
    Task,
    None,
}

/// Nomad's HostsConfig.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "Nomad's words")]
pub struct Hosts {
    pub hostname: String,
    pub address: String,
}

/// Nomad's DNSConfig.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "Nomad's words")]
pub struct Dns {
    pub servers: Vec<String>,
    pub searches: Vec<String>,
    pub options: Vec<String>,
}
