//! The names that Nomad's job specification knows: those taken here and those that are for later.

use crate::suggest::nearest;

/// The names of one kind of block.
pub(crate) struct Schema {
    /// Arguments that are read.
    pub(crate) arguments: &'static [&'static str],
    /// Blocks that are read.
    pub(crate) blocks: &'static [Nested],
    /// Arguments that Nomad knows and that are refused for now.
    pub(crate) later_arguments: &'static [&'static str],
    /// Blocks that Nomad knows and that are refused for now.
    pub(crate) later_blocks: &'static [&'static str],
}

/// A kind of block inside another.
pub(crate) struct Nested {
    pub(crate) name: &'static str,
    /// Whether there may be more than one.
    pub(crate) many: bool,
}

pub(crate) const fn one(name: &'static str) -> Nested {
    Nested { name, many: false }
}

pub(crate) const fn many(name: &'static str) -> Nested {
    Nested { name, many: true }
}

impl Schema {
    pub(crate) fn block(&self, name: &str) -> Option<&'static Nested> {
        self.blocks.iter().find(|block| block.name == name)
    }

    pub(crate) fn is_block(&self, name: &str) -> bool {
        self.block(name).is_some() || self.later_blocks.contains(&name)
    }

    pub(crate) fn is_argument(&self, name: &str) -> bool {
        self.arguments.contains(&name) || self.later_arguments.contains(&name)
    }

    pub(crate) fn is_later(&self, name: &str) -> bool {
        self.later_arguments.contains(&name) || self.later_blocks.contains(&name)
    }

    pub(crate) fn nearest_argument(&self, given: &str) -> Option<&'static str> {
        let names = self.arguments.iter().chain(self.later_arguments);
        nearest(given, names.copied())
    }

    pub(crate) fn nearest_block(&self, given: &str) -> Option<&'static str> {
        let read = self.blocks.iter().map(|block| block.name);
        nearest(given, read.chain(self.later_blocks.iter().copied()))
    }
}

/// The file itself.
pub(crate) const FILE: Schema = Schema {
    arguments: &[],
    blocks: &[
        one("job"),
        many("variable"),
        many("variables"),
        many("locals"),
    ],
    later_arguments: &[],
    later_blocks: &[],
};

pub(crate) const VARIABLE: Schema = Schema {
    arguments: &["default", "description", "type"],
    blocks: &[many("validation")],
    later_arguments: &[],
    later_blocks: &[],
};

pub(crate) const VALIDATION: Schema = Schema {
    arguments: &["condition", "error_message"],
    blocks: &[],
    later_arguments: &[],
    later_blocks: &[],
};

/// Taken apart before anything else is read.
pub(crate) const DYNAMIC: Schema = Schema {
    arguments: &["for_each", "iterator", "labels"],
    blocks: &[one("content")],
    later_arguments: &[],
    later_blocks: &[],
};

pub(crate) const JOB: Schema = Schema {
    arguments: &[
        "all_at_once",
        "datacenters",
        "id",
        "meta",
        "name",
        "namespace",
        "node_pool",
        "priority",
        "region",
        "type",
    ],
    blocks: &[
        many("group"),
        many("task"),
        one("meta"),
        many("affinity"),
        many("constraint"),
        one("migrate"),
        one("multiregion"),
        one("reschedule"),
        many("spread"),
        one("ui"),
        one("update"),
        one("vault"),
    ],
    later_arguments: &[],
    later_blocks: &["parameterized", "periodic", "secret"],
};

pub(crate) const GROUP: Schema = Schema {
    arguments: &[
        "count",
        "max_client_disconnect",
        "max_run_duration",
        "meta",
        "prevent_reschedule_on_lost",
        "shutdown_delay",
        "stop_after_client_disconnect",
    ],
    blocks: &[
        many("task"),
        many("volume"),
        one("restart"),
        one("meta"),
        many("affinity"),
        many("constraint"),
        one("consul"),
        one("disconnect"),
        one("ephemeral_disk"),
        one("migrate"),
        one("network"),
        one("reschedule"),
        one("scaling"),
        many("spread"),
        one("update"),
        one("vault"),
    ],
    later_arguments: &[],
    later_blocks: &["secret", "service"],
};

pub(crate) const TASK: Schema = Schema {
    arguments: &[
        "driver",
        "user",
        "env",
        "meta",
        "kill_signal",
        "kill_timeout",
        "kind",
        "leader",
        "shutdown_delay",
    ],
    blocks: &[
        many("artifact"),
        one("config"),
        one("env"),
        one("lifecycle"),
        one("logs"),
        one("meta"),
        one("resources"),
        one("restart"),
        many("template"),
        many("volume_mount"),
        many("action"),
        many("affinity"),
        many("constraint"),
        one("consul"),
        one("csi_plugin"),
        many("identity"),
        many("scaling"),
        one("schedule"),
        one("vault"),
    ],
    later_arguments: &[],
    later_blocks: &["dispatch_payload", "secret", "service"],
};

pub(crate) const RESOURCES: Schema = Schema {
    arguments: &["cores", "cpu", "disk", "iops", "memory", "memory_max"],
    blocks: &[many("device"), many("network"), one("numa")],
    later_arguments: &["secrets"],
    later_blocks: &[],
};

pub(crate) const RESTART: Schema = Schema {
    arguments: &["attempts", "delay", "interval", "mode", "render_templates"],
    blocks: &[],
    later_arguments: &[],
    later_blocks: &[],
};

pub(crate) const LIFECYCLE: Schema = Schema {
    arguments: &["hook", "sidecar"],
    blocks: &[],
    later_arguments: &[],
    later_blocks: &[],
};

pub(crate) const LOGS: Schema = Schema {
    arguments: &["disabled", "max_file_size", "max_files"],
    blocks: &[],
    // Of former versions of Nomad's specification.
    later_arguments: &["enabled"],
    later_blocks: &[],
};

pub(crate) const VOLUME: Schema = Schema {
    arguments: &[
        "access_mode",
        "attachment_mode",
        "per_alloc",
        "read_only",
        "source",
        "sticky",
        "type",
    ],
    blocks: &[],
    later_arguments: &[],
    later_blocks: &["mount_options"],
};

pub(crate) const VOLUME_MOUNT: Schema = Schema {
    arguments: &[
        "destination",
        "propagation_mode",
        "read_only",
        "selinux_label",
        "volume",
    ],
    blocks: &[],
    later_arguments: &[],
    later_blocks: &[],
};

pub(crate) const CONSTRAINT: Schema = Schema {
    arguments: &[
        "attribute",
        "distinct_hosts",
        "distinct_property",
        "is_not_set",
        "is_set",
        "operator",
        "regexp",
        "semver",
        "set_contains",
        "set_contains_all",
        "set_contains_any",
        "value",
        "version",
    ],
    blocks: &[],
    later_arguments: &[],
    later_blocks: &[],
};

pub(crate) const NETWORK: Schema = Schema {
    arguments: &["cidr", "device", "hostname", "ip", "mbits", "mode"],
    blocks: &[one("cni"), one("dns"), many("port")],
    later_arguments: &[],
    later_blocks: &["reserved_ports"],
};

pub(crate) const PORT: Schema = Schema {
    arguments: &["host_network", "ignore_collision", "static", "to"],
    blocks: &[],
    later_arguments: &[],
    later_blocks: &[],
};

pub(crate) const DNS: Schema = Schema {
    arguments: &["options", "searches", "servers"],
    blocks: &[],
    later_arguments: &[],
    later_blocks: &[],
};

pub(crate) const ARTIFACT: Schema = Schema {
    arguments: &[
        "chown",
        "destination",
        "headers",
        "insecure",
        "mode",
        "options",
        "source",
    ],
    blocks: &[one("headers"), one("options")],
    later_arguments: &[],
    later_blocks: &[],
};
