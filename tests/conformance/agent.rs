//! Nomad's client as the plugin meets it: a job in the messages of go-plugin's wire.
use std::collections::BTreeMap;

use client::Allotment;
use driver::options::{self, Opt, Value, Values};
use driver::{Driver, TaskConfig};
use jobspec::Scope;
use plugin::proto::drivers as wire;
use prost::Message;
use serde_json::Value as Json;
use shim::Lifetime;
use suite::{JobFile, Site, faces};

/// The driver as an agent configures it, and what StartTask brings.
pub(crate) fn by_plugin(
    file: &JobFile,
    site: &Site,
    env: &BTreeMap<String, String>,
) -> (Driver, TaskConfig) {
    let bytes = message(file, site, env).encode_to_vec();
    let task = plugin::task_config(&bytes).unwrap();
    (driver(file, site), task)
}

/// The same operator's choices as on the command line, as SetConfig brings them.
fn driver(file: &JobFile, site: &Site) -> Driver {
    let configured = client::operator_config(file.kind, &faces::node());
    let sent = msgpack(file.kind.operator_options(), &configured);
    let operator = options::from_msgpack(&sent).unwrap();
    site.driver(file.kind, &operator, Lifetime::Detached)
}

/// What an agent sends for this job, given its ids, directories, user, environment and cgroup.
pub(crate) fn message(
    file: &JobFile,
    site: &Site,
    env: &BTreeMap<String, String>,
) -> wire::TaskConfig {
    let (job, task) = (&file.job, file.task());
    let (allocation, allotment) = (site.allocation(file), site.allotment(file));
    let scope = Scope {
        env: env.clone(),
        ..(*allocation.node).clone()
    };
    let config = client::values(task, &scope).unwrap();
    let path = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    wire::TaskConfig {
        id: site.task_id(file),
        name: task.name.clone(),
        msgpack_driver_config: msgpack(file.kind.task_options(), &config),
        env: env.clone(),
        device_env: BTreeMap::new(),
        resources: Some(resources(file, &allotment)),
        mounts: mounts(file),
        devices: Vec::new(),
        user: file.user(),
        alloc_dir: path(&allocation.alloc_dir),
        stdout_path: path(&allotment.stdout),
        stderr_path: path(&allotment.stderr),
        task_group_name: file.group().name.clone(),
        job_name: job.name.clone(),
        alloc_id: allocation.id.clone(),
        network_isolation_spec: None,
        dns: None,
        job_id: job.id.clone(),
        namespace: job.namespace.clone(),
        node_name: allocation.node_name.clone(),
        node_id: String::new(),
        parent_job_id: String::new(),
    }
}

/// What Nomad's client makes of the volumes.
fn mounts(file: &JobFile) -> Vec<wire::Mount> {
    let node = faces::node();
    let mounts = file.task().volume_mounts.iter().map(|mount| {
        let mut requests = file.group().volumes.iter();
        let request = requests
            .find(|request| request.name.value == mount.volume.value)
            .unwrap();
        let host = &node.host_volumes[&request.source.value];
        wire::Mount {
            task_path: mount.destination.value.clone(),
            host_path: host.path.display().to_string(),
            readonly: host.read_only || request.read_only || mount.read_only,
            propagation_mode: mount.propagation_mode.clone(),
            selinux_label: mount.selinux_label.clone(),
            request_name: request.name.value.clone(),
        }
    });
    mounts.collect()
}

fn resources(file: &JobFile, allotment: &Allotment) -> wire::Resources {
    let asked = &file.task().resources;
    let cpu = i64::try_from(asked.cpu).unwrap();
    let memory_mb = i64::try_from(asked.memory).unwrap();
    wire::Resources {
        allocated_resources: Some(wire::AllocatedTaskResources {
            cpu: Some(wire::AllocatedCpuResources { cpu_shares: cpu }),
            memory: Some(wire::AllocatedMemoryResources {
                memory_mb,
                memory_max_mb: asked.memory_max,
            }),
            networks: Vec::new(),
        }),
        linux_resources: Some(wire::LinuxResources {
            cpu_shares: cpu,
            memory_limit_bytes: memory_mb.max(asked.memory_max) * 1024 * 1024,
            percent_ticks: asked.cpu as f64 / Site::COMPUTE.total_mhz as f64,
            cpuset_cgroup: path_of(allotment),
            ..wire::LinuxResources::default()
        }),
        ports: file.ports().into_iter().map(port).collect(),
    }
}

fn port(port: client::Mapping) -> wire::PortMapping {
    wire::PortMapping {
        label: port.label,
        value: port.value.into(),
        to: port.to.into(),
        host_ip: port.host_ip.to_string(),
    }
}

fn path_of(allotment: &Allotment) -> String {
    allotment.cpuset_cgroup.to_str().unwrap().to_owned()
}

/// As hcldec and cty send it: every option of the schema, of its type, nil where nothing was said and there is no default.
fn msgpack(schema: &[Opt], values: &Values) -> Vec<u8> {
    let decoded = options::decode(schema, values).unwrap();
    let all: serde_json::Map<String, Json> = schema
        .iter()
        .map(|option| (option.name.to_owned(), json(decoded.get(option.name))))
        .collect();
    rmp_serde::to_vec(&all).unwrap()
}

fn json(value: Option<&Value>) -> Json {
    match value {
        None | Some(Value::Null) => Json::Null,
        Some(Value::Bool(yes)) => (*yes).into(),
        // cty sends whole numbers as integers.
        Some(Value::Number(number)) if number.fract() == 0.0 => (*number as i64).into(),
        Some(Value::Number(number)) => (*number).into(),
        Some(Value::String(text)) => text.as_str().into(),
        Some(Value::List(items)) => items.iter().map(|item| json(Some(item))).collect(),
        Some(Value::Map(entries)) => entries
            .iter()
            .map(|(key, value)| (key.clone(), json(Some(value))))
            .collect(),
    }
}

/// What the plugin makes of a message.
pub(crate) fn decode(message: &wire::TaskConfig) -> Result<TaskConfig, plugin::NotATask> {
    plugin::task_config(&message.encode_to_vec())
}

/// Each message that differs from the job's in one field, with the field's name.
pub(crate) fn altered(
    file: &JobFile,
    site: &Site,
    env: &BTreeMap<String, String>,
) -> Vec<(&'static str, wire::TaskConfig)> {
    let original = message(file, site, env);
    ALTERATIONS
        .iter()
        .map(|(field, alter)| {
            let mut message = original.clone();
            alter(&mut message);
            assert_ne!(message, original, "{field} was not altered");
            (*field, message)
        })
        .collect()
}

type Alter = fn(&mut wire::TaskConfig);

/// One for each field that a driver is handed; `cpu_shares` of `linux_resources` says again what `allocated_resources` says.
const ALTERATIONS: &[(&str, Alter)] = &[
    ("id", |m| m.id.push('x')),
    ("name", |m| m.name.push('x')),
    ("task_group_name", |m| m.task_group_name.push('x')),
    ("job_name", |m| m.job_name.push('x')),
    ("job_id", |m| m.job_id.push('x')),
    ("parent_job_id", |m| m.parent_job_id.push('x')),
    ("namespace", |m| m.namespace.push('x')),
    ("node_name", |m| m.node_name.push('x')),
    ("node_id", |m| m.node_id.push('x')),
    ("alloc_id", |m| m.alloc_id.push('x')),
    ("user", |m| m.user.push('x')),
    ("alloc_dir", |m| m.alloc_dir.push('x')),
    ("stdout_path", |m| m.stdout_path.push('x')),
    ("stderr_path", |m| m.stderr_path.push('x')),
    ("env", |m| drop(m.env.insert("X".into(), "x".into()))),
    ("env value", |m| {
        m.env.values_mut().next().unwrap().push('x')
    }),
    ("device_env", |m| {
        drop(m.device_env.insert("X".into(), "x".into()));
    }),
    ("mounts", |m| m.mounts.push(wire::Mount::default())),
    ("devices", |m| m.devices.push(wire::Device::default())),
    ("network_isolation_spec", |m| {
        m.network_isolation_spec = Some(wire::NetworkIsolationSpec::default());
    }),
    ("dns", |m| m.dns = Some(wire::DnsConfig::default())),
    ("msgpack_driver_config", |m| {
        m.msgpack_driver_config = b"\x81\xa7command\xa1x".to_vec();
    }),
    ("resources", |m| m.resources = None),
    ("ports", |m| {
        resources_of(m).ports.push(wire::PortMapping::default());
    }),
    ("cpu_shares", |m| {
        allocated(m).cpu.as_mut().unwrap().cpu_shares += 1;
    }),
    ("memory_mb", |m| {
        allocated(m).memory.as_mut().unwrap().memory_mb += 1;
    }),
    ("memory_max_mb", |m| {
        allocated(m).memory.as_mut().unwrap().memory_max_mb += 1;
    }),
    ("cpu_period", |m| linux(m).cpu_period += 1),
    ("cpu_quota", |m| linux(m).cpu_quota += 1),
    ("memory_limit_bytes", |m| linux(m).memory_limit_bytes += 1),
    ("oom_score_adj", |m| linux(m).oom_score_adj += 1),
    ("cpuset_cpus", |m| linux(m).cpuset_cpus.push('1')),
    ("cpuset_cgroup", |m| linux(m).cpuset_cgroup.push('x')),
    ("percent_ticks", |m| linux(m).percent_ticks *= 2.0),
];

fn resources_of(message: &mut wire::TaskConfig) -> &mut wire::Resources {
    message.resources.as_mut().unwrap()
}

fn allocated(message: &mut wire::TaskConfig) -> &mut wire::AllocatedTaskResources {
    resources_of(message).allocated_resources.as_mut().unwrap()
}

fn linux(message: &mut wire::TaskConfig) -> &mut wire::LinuxResources {
    resources_of(message).linux_resources.as_mut().unwrap()
}
