//! The four tables.
use super::{Kind, Opt};

/// Docker's default capabilities without NET_RAW, as an HCL list.
const DEFAULT_CAPS: &str = r#"["audit_write", "chown", "dac_override", "fowner", "fsetid", "kill", "mknod", "net_bind_service", "setfcap", "setgid", "setpcap", "setuid", "sys_chroot"]"#;

const fn required(name: &'static str, kind: Kind) -> Opt {
    Opt {
        name,
        kind,
        required: true,
        default: None,
    }
}

const fn optional(name: &'static str, kind: Kind) -> Opt {
    Opt {
        name,
        kind,
        required: false,
        default: None,
    }
}

const fn defaulted(name: &'static str, kind: Kind, default: &'static str) -> Opt {
    Opt {
        name,
        kind,
        required: false,
        default: Some(default),
    }
}

/// `config {}` of a task with `driver = "exec"`.
pub(crate) const EXEC_TASK: &[Opt] = &[
    required("command", Kind::String),
    optional("args", Kind::Strings),
    optional("pid_mode", Kind::String),
    optional("ipc_mode", Kind::String),
    optional("cap_add", Kind::Strings),
    optional("cap_drop", Kind::Strings),
    optional("work_dir", Kind::String),
];

/// `plugin "exec" { config {} }`.
pub(crate) const EXEC_OPERATOR: &[Opt] = &[
    defaulted("no_pivot_root", Kind::Bool, "false"),
    defaulted("default_pid_mode", Kind::String, r#""private""#),
    defaulted("default_ipc_mode", Kind::String, r#""private""#),
    defaulted("allow_caps", Kind::Strings, DEFAULT_CAPS),
    optional("denied_host_uids", Kind::String),
    optional("denied_host_gids", Kind::String),
    // Not Nomad's: `client.chroot_env` never reaches a driver whose fs isolation is `image`.
    optional("chroot_env", Kind::StringMap),
    // Not Nomad's: its exec has no filter.
    defaulted("seccomp", Kind::Bool, "true"),
    // Not Nomad's: there the client decides, and its own exec says `chroot`.
    defaulted("fs_isolation", Kind::String, r#""image""#),
    // Not Nomad's: there a task gets all of it.
    defaulted("agent_env", Kind::Strings, crate::agent_env::DEFAULT),
];

/// `config {}` of a task with `driver = "exec2"`.
pub(crate) const EXEC2_TASK: &[Opt] = &[
    required("command", Kind::String),
    optional("args", Kind::Strings),
    optional("unveil", Kind::Strings),
    optional("oom_score_adj", Kind::Integer),
    optional("cap_add", Kind::Strings),
    optional("cap_drop", Kind::Strings),
    optional("work_dir", Kind::String),
    // Not the original's.
    optional("network_rules", Kind::Strings),
];

/// `plugin "nomad-driver-exec2" { config {} }`.
pub(crate) const EXEC2_OPERATOR: &[Opt] = &[
    defaulted("unveil_defaults", Kind::Bool, "true"),
    defaulted("unveil_by_task", Kind::Bool, "false"),
    optional("unveil_paths", Kind::Strings),
    defaulted("allow_caps", Kind::Strings, DEFAULT_CAPS),
    // Not the original's, all four.
    defaulted("seccomp", Kind::Bool, "true"),
    optional("network_rules", Kind::Strings),
    defaulted("audit", Kind::Bool, "true"),
    defaulted("agent_env", Kind::Strings, crate::agent_env::DEFAULT),
];
