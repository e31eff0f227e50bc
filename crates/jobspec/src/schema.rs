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
    blocks: &[one("job")],
    later_arguments: &[],
    later_blocks: &["variable", "variables", "locals"],
};

pub(crate) const JOB: Schema = Schema {
    arguments: &["name", "type", "region", "namespace", "datacenters", "meta"],
    blocks: &[many("group"), many("task"), one("meta")],
    later_arguments: &["id", "priority", "all_at_once", "node_pool"],
    later_blocks: &[
        "affinity",
        "constraint",
        "dynamic",
        "migrate",
        "multiregion",
        "parameterized",
        "periodic",
        "reschedule",
        "secret",
        "spread",
        "ui",
        "update",
        "vault",
    ],
};

pub(crate) const GROUP: Schema = Schema {
    arguments: &["count", "meta"],
    blocks: &[many("task"), many("volume"), one("restart"), one("meta")],
    later_arguments: &[
        "max_client_disconnect",
        "max_run_duration",
        "prevent_reschedule_on_lost",
        "shutdown_delay",
        "stop_after_client_disconnect",
    ],
    later_blocks: &[
        "affinity",
        "constraint",
        "consul",
        "disconnect",
        "dynamic",
        "ephemeral_disk",
        "migrate",
        "network",
        "reschedule",
        "scaling",
        "secret",
        "service",
        "spread",
        "update",
        "vault",
    ],
};

pub(crate) const TASK: Schema = Schema {
    arguments: &[
        "driver",
        "user",
        "env",
        "meta",
        "kill_signal",
        "kill_timeout",
    ],
    blocks: &[
        one("config"),
        one("env"),
        one("meta"),
        one("resources"),
        one("restart"),
        many("volume_mount"),
    ],
    later_arguments: &["kind", "leader", "shutdown_delay"],
    later_blocks: &[
        "action",
        "affinity",
        "artifact",
        "constraint",
        "consul",
        "csi_plugin",
        "dispatch_payload",
        "dynamic",
        "identity",
        "lifecycle",
        "logs",
        "scaling",
        "schedule",
        "secret",
        "service",
        "template",
        "vault",
    ],
};

pub(crate) const RESOURCES: Schema = Schema {
    arguments: &["cores", "cpu", "memory", "memory_max"],
    blocks: &[],
    later_arguments: &["disk", "iops", "secrets"],
    later_blocks: &["device", "dynamic", "network", "numa"],
};

pub(crate) const RESTART: Schema = Schema {
    arguments: &["attempts", "delay", "interval", "mode"],
    blocks: &[],
    later_arguments: &["render_templates"],
    later_blocks: &["dynamic"],
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
