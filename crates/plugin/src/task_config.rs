//! StartTask's message → [`TaskConfig`], field by field.
use driver::TaskConfig;
use driver::options::{Values, from_msgpack};
use driver::task_config::{
    Device, Dns, Hosts, Mount, NetworkIsolation, NetworkMode, Port, Resources, Stdin,
};
use prost::Message;

use crate::proto::drivers as wire;
use crate::proto::drivers::network_isolation_spec::NetworkIsolationMode;

/// Bytes that do not describe a task.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotATask {
    /// Not the message.
    #[error("failed to decode the task")]
    Message(#[from] prost::DecodeError),
    /// Nothing to call it by: the next would have no name either.
    #[error("the task has no id")]
    NoId,
    /// Its `config {}` does not fit the driver.
    #[error("failed to decode driver config")]
    Config(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Decodes a task as it is on the wire.
///
/// # Errors
/// Bytes that are not the message, a `config {}` that is not msgpack, no id.
pub fn task_config(message: &[u8]) -> Result<TaskConfig, NotATask> {
    wire::TaskConfig::decode(message)?.try_into()
}

impl TryFrom<wire::TaskConfig> for TaskConfig {
    type Error = NotATask;

    fn try_from(task: wire::TaskConfig) -> Result<TaskConfig, NotATask> {
        let driver_config = driver_config(&task.msgpack_driver_config)?;
        if task.id.is_empty() {
            return Err(NotATask::NoId);
        }
        Ok(TaskConfig {
            id: task.id,
            name: task.name,
            task_group_name: task.task_group_name,
            job_name: task.job_name,
            job_id: task.job_id,
            parent_job_id: task.parent_job_id,
            namespace: task.namespace,
            node_name: task.node_name,
            node_id: task.node_id,
            alloc_id: task.alloc_id,
            driver_config,
            env: task.env,
            device_env: task.device_env,
            resources: task.resources.map(resources).unwrap_or_default(),
            mounts: task.mounts.into_iter().map(mount).collect(),
            devices: task.devices.into_iter().map(device).collect(),
            user: task.user,
            alloc_dir: task.alloc_dir.into(),
            stdin: Stdin::Null,
            stdout_path: task.stdout_path.into(),
            stderr_path: task.stderr_path.into(),
            network_isolation: task.network_isolation_spec.map(network_isolation),
            dns: task.dns.map(dns),
        })
    }
}

/// Empty in a handle that an agent kept over its own restart.
fn driver_config(msgpack: &[u8]) -> Result<Values, NotATask> {
    from_msgpack(msgpack).map_err(|error| NotATask::Config(error.into()))
}

fn resources(resources: wire::Resources) -> Resources {
    let allocated = resources.allocated_resources.unwrap_or_default();
    let memory = allocated.memory.unwrap_or_default();
    let linux = resources.linux_resources.unwrap_or_default();
    Resources {
        cpu_shares: allocated.cpu.unwrap_or_default().cpu_shares,
        memory_mb: memory.memory_mb,
        memory_max_mb: memory.memory_max_mb,
        cpuset_cpus: linux.cpuset_cpus,
        cpuset_cgroup: linux.cpuset_cgroup,
        cpu_period: linux.cpu_period,
        cpu_quota: linux.cpu_quota,
        memory_limit_bytes: linux.memory_limit_bytes,
        oom_score_adj: linux.oom_score_adj,
        percent_ticks: linux.percent_ticks,
        ports: resources.ports.into_iter().map(port).collect(),
    }
}

fn port(port: wire::PortMapping) -> Port {
    Port {
        label: port.label,
        value: port.value,
        to: port.to,
        host_ip: port.host_ip,
    }
}

fn mount(mount: wire::Mount) -> Mount {
    Mount {
        task_path: mount.task_path,
        host_path: mount.host_path.into(),
        readonly: mount.readonly,
        propagation_mode: mount.propagation_mode,
        selinux_label: mount.selinux_label,
        request_name: mount.request_name,
    }
}

fn device(device: wire::Device) -> Device {
    Device {
        task_path: device.task_path,
        host_path: device.host_path.into(),
        cgroup_permissions: device.cgroup_permissions,
    }
}

fn network_isolation(spec: wire::NetworkIsolationSpec) -> NetworkIsolation {
    NetworkIsolation {
        mode: network_mode(spec.mode()),
        path: spec.path.into(),
        labels: spec.labels,
        hosts: spec.hosts_config.map(|hosts| Hosts {
            hostname: hosts.hostname,
            address: hosts.address,
        }),
    }
}

fn network_mode(mode: NetworkIsolationMode) -> NetworkMode {
    match mode {
        NetworkIsolationMode::Host => NetworkMode::Host,
        NetworkIsolationMode::Group => NetworkMode::Group,
        NetworkIsolationMode::Task => NetworkMode::Task,
        NetworkIsolationMode::None => NetworkMode::None,
    }
}

fn dns(dns: wire::DnsConfig) -> Dns {
    Dns {
        servers: dns.servers,
        searches: dns.searches,
        options: dns.options,
    }
}
