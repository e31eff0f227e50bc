//! Each field of StartTask's message has its place in the driver's.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use std::collections::BTreeMap;

use driver::options::Value;
use driver::task_config::{self as ours, NetworkMode};
use plugin::proto::drivers as wire;
use plugin::{NotATask, task_config};
use prost::Message;

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

fn resources() -> wire::Resources {
    wire::Resources {
        allocated_resources: Some(wire::AllocatedTaskResources {
            cpu: Some(wire::AllocatedCpuResources { cpu_shares: 500 }),
            memory: Some(wire::AllocatedMemoryResources {
                memory_mb: 300,
                memory_max_mb: -1,
            }),
            networks: Vec::new(),
        }),
        linux_resources: Some(wire::LinuxResources {
            cpu_period: 1,
            cpu_quota: 2,
            cpu_shares: 500,
            memory_limit_bytes: 3,
            oom_score_adj: 4,
            cpuset_cpus: "2,3".into(),
            percent_ticks: 0.5,
            cpuset_cgroup: "/sys/fs/cgroup/x".into(),
        }),
        ports: vec![wire::PortMapping {
            label: "http".into(),
            value: 8080,
            to: 80,
            host_ip: "10.0.0.1".into(),
        }],
    }
}

fn full() -> wire::TaskConfig {
    wire::TaskConfig {
        id: "alloc/task/1".into(),
        name: "task".into(),
        // {"command": "/bin/sleep", "args": ["7"], "work_dir": nil}
        msgpack_driver_config: b"\x83\xa7command\xaa/bin/sleep\xa4args\x91\xa17\xa8work_dir\xc0"
            .to_vec(),
        env: map(&[("A", "b")]),
        device_env: map(&[("GPU", "0")]),
        resources: Some(resources()),
        mounts: vec![wire::Mount {
            task_path: "/data".into(),
            host_path: "/srv".into(),
            readonly: true,
            propagation_mode: "private".into(),
            selinux_label: "z".into(),
            request_name: "vol".into(),
        }],
        devices: vec![wire::Device {
            task_path: "/dev/a".into(),
            host_path: "/dev/b".into(),
            cgroup_permissions: "rw".into(),
        }],
        user: "nomad-80000".into(),
        alloc_dir: "/alloc".into(),
        stdout_path: "/out".into(),
        stderr_path: "/err".into(),
        task_group_name: "group".into(),
        job_name: "job".into(),
        alloc_id: "alloc".into(),
        network_isolation_spec: Some(wire::NetworkIsolationSpec {
            mode: wire::network_isolation_spec::NetworkIsolationMode::Group.into(),
            path: "/var/run/netns/a".into(),
            labels: map(&[("l", "1")]),
            hosts_config: Some(wire::HostsConfig {
                hostname: "h".into(),
                address: "10.0.0.2".into(),
            }),
        }),
        dns: Some(wire::DnsConfig {
            servers: vec!["1.1.1.1".into()],
            searches: vec!["s".into()],
            options: vec!["o".into()],
        }),
        job_id: "job-id".into(),
        namespace: "ns".into(),
        node_name: "node".into(),
        node_id: "node-id".into(),
        parent_job_id: "parent".into(),
    }
}

fn expected() -> driver::TaskConfig {
    driver::TaskConfig {
        id: "alloc/task/1".into(),
        name: "task".into(),
        task_group_name: "group".into(),
        job_name: "job".into(),
        job_id: "job-id".into(),
        parent_job_id: "parent".into(),
        namespace: "ns".into(),
        node_name: "node".into(),
        node_id: "node-id".into(),
        alloc_id: "alloc".into(),
        driver_config: BTreeMap::from([
            ("command".to_owned(), Value::String("/bin/sleep".into())),
            (
                "args".to_owned(),
                Value::List(vec![Value::String("7".into())]),
            ),
            ("work_dir".to_owned(), Value::Null),
        ]),
        env: map(&[("A", "b")]),
        device_env: map(&[("GPU", "0")]),
        resources: ours::Resources {
            cpu_shares: 500,
            memory_mb: 300,
            memory_max_mb: -1,
            cpuset_cpus: "2,3".into(),
            cpuset_cgroup: "/sys/fs/cgroup/x".into(),
            cpu_period: 1,
            cpu_quota: 2,
            memory_limit_bytes: 3,
            oom_score_adj: 4,
            percent_ticks: 0.5,
            ports: vec![ours::Port {
                label: "http".into(),
                value: 8080,
                to: 80,
                host_ip: "10.0.0.1".into(),
            }],
        },
        mounts: vec![ours::Mount {
            task_path: "/data".into(),
            host_path: "/srv".into(),
            readonly: true,
            propagation_mode: "private".into(),
            selinux_label: "z".into(),
            request_name: "vol".into(),
        }],
        devices: vec![ours::Device {
            task_path: "/dev/a".into(),
            host_path: "/dev/b".into(),
            cgroup_permissions: "rw".into(),
        }],
        user: "nomad-80000".into(),
        alloc_dir: "/alloc".into(),
        stdin: ours::Stdin::Null,
        stdout_path: "/out".into(),
        stderr_path: "/err".into(),
        network_isolation: Some(ours::NetworkIsolation {
            mode: NetworkMode::Group,
            path: "/var/run/netns/a".into(),
            labels: map(&[("l", "1")]),
            hosts: Some(ours::Hosts {
                hostname: "h".into(),
                address: "10.0.0.2".into(),
            }),
        }),
        dns: Some(ours::Dns {
            servers: vec!["1.1.1.1".into()],
            searches: vec!["s".into()],
            options: vec!["o".into()],
        }),
    }
}

#[test]
fn every_field_arrives() {
    assert_eq!(task_config(&full().encode_to_vec()).unwrap(), expected());
}

#[test]
fn what_is_absent_is_empty() {
    let bare = wire::TaskConfig {
        id: "a/t/1".into(),
        ..Default::default()
    };
    let wanted = driver::TaskConfig {
        id: "a/t/1".into(),
        ..Default::default()
    };
    assert_eq!(task_config(&bare.encode_to_vec()).unwrap(), wanted);
}

#[test]
fn other_bytes_are_no_task() {
    assert!(matches!(task_config(&[0xff]), Err(NotATask::Message(_))));
    let garbled = wire::TaskConfig {
        msgpack_driver_config: vec![0xc1],
        ..Default::default()
    };
    assert!(matches!(
        task_config(&garbled.encode_to_vec()),
        Err(NotATask::Config(_))
    ));
    assert!(matches!(task_config(&[]), Err(NotATask::NoId)));
}
