//! What the operator of this machine decided, in the words of Nomad's agent configuration.
use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};
use std::path::PathBuf;
use std::time::Duration;

use cgroup::CpuSet;
use driver::Kind;
use driver::options::Values;

/// The part of an agent's configuration that a single machine has a use for.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// `name`; `None`: this host's.
    pub name: Option<String>,
    /// `datacenter`.
    pub datacenter: String,
    /// `region`.
    pub region: String,
    /// `client.node_class`.
    pub class: String,
    /// `client.node_pool`.
    pub pool: String,
    /// `client.meta`.
    pub meta: BTreeMap<String, String>,
    /// `client.options`.
    pub options: BTreeMap<String, String>,
    /// `client.chroot_env`; empty: the default list.
    pub chroot_env: BTreeMap<String, String>,
    /// `client.host_volume`, by label.
    pub host_volumes: BTreeMap<String, HostVolume>,
    /// `client.reserved.cores`: never given to a task.
    pub reserved_cores: CpuSet,
    /// `client.reserved.reserved_ports`: never given to a task.
    pub reserved_ports: Vec<RangeInclusive<u16>>,
    /// `client.min_dynamic_port`, and `client.max_dynamic_port`, which is the first that is not given.
    pub dynamic_ports: Range<u16>,
    /// `client.network_interface`, whose address tasks are told; `None`: the loopback device.
    pub network_interface: Option<String>,
    /// `client.cgroup_parent`; `None`: `encamp.slice`, `/encamp` on v1.
    pub cgroup_parent: Option<String>,
    /// `client.max_kill_timeout`.
    pub max_kill_timeout: Duration,
    /// `client.artifact`.
    pub artifact: ArtifactLimits,
    /// `client.users`: the uids of tasks without `user`.
    pub dynamic_users: RangeInclusive<u32>,
    /// `plugin "…" { config {} }`, by driver.
    pub plugins: BTreeMap<Kind, Values>,
}

/// What fetching may cost; `None` is no limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArtifactLimits {
    /// `http_read_timeout`: how long one artifact may take.
    pub http_read_timeout: Option<Duration>,
    /// `http_max_size`, in bytes.
    pub http_max_size: Option<u64>,
    /// `decompression_size_limit`, in bytes.
    pub decompression_size_limit: Option<u64>,
    /// `decompression_file_count_limit`.
    pub decompression_file_count_limit: Option<u64>,
}

impl Default for ArtifactLimits {
    fn default() -> Self {
        ArtifactLimits {
            http_read_timeout: Some(Duration::from_secs(30 * 60)),
            http_max_size: Some(100_000_000_000),
            decompression_size_limit: Some(100_000_000_000),
            decompression_file_count_limit: Some(4096),
        }
    }
}

/// A `host_volume` block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostVolume {
    /// On the host, absolute.
    pub path: PathBuf,
    /// Whether every task gets it read-only.
    pub read_only: bool,
}

impl Default for Node {
    /// What Nomad's client has without a configuration.
    fn default() -> Self {
        Node {
            name: None,
            datacenter: "dc1".to_owned(),
            region: "global".to_owned(),
            class: String::new(),
            pool: "default".to_owned(),
            meta: BTreeMap::new(),
            options: BTreeMap::new(),
            chroot_env: BTreeMap::new(),
            host_volumes: BTreeMap::new(),
            reserved_cores: CpuSet::default(),
            reserved_ports: Vec::new(),
            dynamic_ports: 20_000..32_000,
            network_interface: None,
            cgroup_parent: None,
            max_kill_timeout: Duration::from_secs(30),
            artifact: ArtifactLimits::default(),
            dynamic_users: 80_000..=89_999,
            plugins: BTreeMap::new(),
        }
    }
}
