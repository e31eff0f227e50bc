//! The names that a Nomad agent's configuration knows: those read here, and those that are let through.

use crate::schema::{Schema, many, one};

/// The file itself.
pub(super) const FILE: Schema = Schema {
    arguments: &["data_dir", "datacenter", "name", "region"],
    blocks: &[one("client"), many("plugin")],
    later_arguments: &[
        "bind_addr",
        "disable_anonymous_signature",
        "disable_update_check",
        "enable_debug",
        "enable_syslog",
        "leave_on_interrupt",
        "leave_on_terminate",
        "log_file",
        "log_include_location",
        "log_json",
        "log_level",
        "log_rotate_bytes",
        "log_rotate_duration",
        "log_rotate_max_files",
        "plugin_dir",
        "syslog_facility",
    ],
    later_blocks: &[
        "acl",
        "addresses",
        "advertise",
        "audit",
        "autopilot",
        "consul",
        "eventlog",
        "http_api_response_headers",
        "keyring",
        "license",
        "limits",
        "ports",
        "reporting",
        "rpc",
        "sentinel",
        "server",
        "telemetry",
        "tls",
        "ui",
        "vault",
    ],
};

pub(super) const CLIENT: Schema = Schema {
    arguments: &[
        "cgroup_parent",
        "chroot_env",
        "max_dynamic_port",
        "max_kill_timeout",
        "meta",
        "min_dynamic_port",
        "network_interface",
        "node_class",
        "node_pool",
        "options",
    ],
    blocks: &[
        one("artifact"),
        one("chroot_env"),
        many("host_volume"),
        one("meta"),
        one("options"),
        one("reserved"),
        one("users"),
    ],
    later_arguments: &[
        "alloc_dir",
        "alloc_mounts_dir",
        "bind_wildcard_default_host_network",
        "bridge_network_hairpin_mode",
        "bridge_network_name",
        "bridge_network_subnet",
        "bridge_network_subnet_ipv6",
        "client_max_port",
        "client_min_port",
        "cni_config_dir",
        "cni_path",
        "common_plugin_dir",
        "cpu_disable_dmidecode",
        "cpu_total_compute",
        "disable_remote_exec",
        "disk_free_mb",
        "disk_total_mb",
        "enabled",
        "gc_disk_usage_threshold",
        "gc_inode_usage_threshold",
        "gc_interval",
        "gc_max_allocs",
        "gc_parallel_destroys",
        "gc_volumes_on_node_gc",
        "host_volume_plugin_dir",
        "host_volumes_dir",
        "intro_token",
        "memory_total_mb",
        "mounts_dir",
        "network_speed",
        "no_host_uuid",
        "node_max_allocs",
        "nomad_service_discovery",
        "preferred_address_family",
        "servers",
        "state_dir",
    ],
    later_blocks: &[
        "drain_on_shutdown",
        "fingerprint",
        "host_network",
        "server_join",
        "template",
    ],
};

pub(super) const HOST_VOLUME: Schema = Schema {
    arguments: &["path", "read_only"],
    blocks: &[],
    later_arguments: &[],
    later_blocks: &[],
};

pub(super) const RESERVED: Schema = Schema {
    arguments: &["cores", "cpu", "disk", "memory", "reserved_ports"],
    blocks: &[],
    later_arguments: &[],
    later_blocks: &[],
};

pub(super) const ARTIFACT: Schema = Schema {
    arguments: &[
        "decompression_file_count_limit",
        "decompression_size_limit",
        "http_max_size",
        "http_read_timeout",
    ],
    blocks: &[],
    later_arguments: &[
        "disable_artifact_inspection",
        "disable_filesystem_isolation",
        "filesystem_isolation_extra_paths",
        "gcs_timeout",
        "git_timeout",
        "hg_timeout",
        "s3_timeout",
        "set_environment_variables",
    ],
    later_blocks: &[],
};

pub(super) const USERS: Schema = Schema {
    arguments: &["dynamic_user_max", "dynamic_user_min"],
    blocks: &[],
    later_arguments: &[],
    later_blocks: &[],
};

pub(super) const PLUGIN: Schema = Schema {
    arguments: &["args"],
    blocks: &[one("config")],
    later_arguments: &[],
    later_blocks: &[],
};

/// The `options` that are honoured, by their present and their former names.
pub(super) const OPTIONS: [&str; 9] = [
    "driver.allowlist",
    "driver.blacklist",
    "driver.denylist",
    "driver.whitelist",
    "env.blacklist",
    "env.denylist",
    "user.blacklist",
    "user.checked_drivers",
    "user.denylist",
];
