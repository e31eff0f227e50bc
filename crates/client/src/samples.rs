//! A job and an allocation for tests to vary.
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use driver::Compute;
use jobspec::{
    Config, Group, Job, JobType, Logs, Resources, Restart, RestartMode, Scope, Spanned, Task,
};

use crate::allocation::Allocation;

pub(crate) fn job() -> Job {
    Job {
        id: "hello".to_owned(),
        name: "hello".to_owned(),
        kind: JobType::Batch,
        region: "global".to_owned(),
        namespace: "default".to_owned(),
        datacenters: vec!["*".to_owned()],
        datacenters_span: None,
        region_span: None,
        node_pool: None,
        constraints: vec![],
        meta: BTreeMap::new(),
        groups: vec![Group {
            name: "web".to_owned(),
            span: 0..1,
            constraints: vec![],
            network: None,
            count: 1,
            shutdown_delay: Duration::ZERO,
            max_run_duration: None,
            volumes: vec![],
            tasks: vec![task()],
        }],
        warnings: vec![],
    }
}

pub(crate) fn task() -> Task {
    Task {
        name: "python".to_owned(),
        span: 0..1,
        constraints: vec![],
        driver: Spanned {
            value: "exec".to_owned(),
            span: 0..1,
        },
        user: None,
        config: Config::default(),
        env: BTreeMap::new(),
        env_references: BTreeMap::new(),
        meta: BTreeMap::new(),
        artifacts: vec![],
        volume_mounts: vec![],
        templates: vec![],
        resources: Resources {
            cpu: 100,
            cores: None,
            memory: 300,
            memory_max: 0,
        },
        restart: restart(),
        kill_signal: None,
        kill_timeout: Duration::from_secs(5),
        shutdown_delay: Duration::ZERO,
        leader: false,
        lifecycle: None,
        logs: Logs::default(),
    }
}

pub(crate) fn restart() -> Restart {
    Restart {
        attempts: 2,
        interval: Duration::from_secs(1800),
        delay: Duration::from_secs(15),
        mode: RestartMode::Fail,
        render_templates: false,
    }
}

fn node() -> Scope {
    let map = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
    Scope {
        env: BTreeMap::new(),
        attr: map("kernel.name", "linux"),
        node: map("class", "small"),
        meta: map("rack", "7"),
    }
}

pub(crate) fn allocation() -> Allocation {
    let id = "0af996ed-0000-4000-8000-000000000001";
    Allocation {
        id: id.to_owned(),
        index: 0,
        alloc_dir: format!("/var/lib/encamp/alloc/{id}").into(),
        run_dir: "/run/encamp/0af996ed".into(),
        parent_cgroup: "encamp.slice".to_owned(),
        host_env: BTreeMap::from([("LANG".to_owned(), "de_AT.UTF-8".to_owned())]),
        node_name: "host".to_owned(),
        node: Arc::new(node()),
        datacenter: None,
        region: None,
        compute: Compute {
            total_mhz: 6000,
            cores: 2,
        },
        ports: vec![],
    }
}
