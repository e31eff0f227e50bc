//! One act between clone and exec, as data.
use std::ffi::CString;
use std::fmt;
use std::os::fd::RawFd;

use serde::{Deserialize, Serialize};

use crate::seccomp::Instruction;

/// Which file system a step makes, because it belongs to a namespace that only the new process has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are the kernel's")]
pub enum Filesystem {
    Proc,
    Sysfs,
    Mqueue,
}

impl Filesystem {
    /// Its name for fsopen(2).
    pub fn name(self) -> &'static str {
        match self {
            Filesystem::Proc => "proc",
            Filesystem::Sysfs => "sysfs",
            Filesystem::Mqueue => "mqueue",
        }
    }
}

/// One act. Descriptors are numbers that the process inherits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// Write `0` to a v1 `tasks` file: this thread moves itself.
    JoinCgroup {
        /// The open file.
        threads: RawFd,
    },
    /// setsid(2).
    NewSession,
    /// keyctl(2) with `KEYCTL_JOIN_SESSION_KEYRING` and no name: a new one.
    NewKeyring,
    /// Write `/proc/self/oom_score_adj`, through the host's procfs.
    OomScoreAdj {
        /// The value.
        value: i32,
    },
    /// setns(2).
    JoinNamespace {
        /// A namespace or a pidfd.
        fd: RawFd,
        /// `CLONE_NEW*`, several with a pidfd.
        kinds: u32,
        /// For messages.
        name: CString,
    },
    /// Bring the loopback device of a new network namespace up.
    Loopback,
    /// sethostname(2).
    Hostname {
        /// The name.
        name: CString,
    },
    /// Nothing that is mounted from here on reaches the host; what the host mounts later still arrives.
    SlaveMounts,
    /// Nothing that is mounted from here on reaches the host, and nothing that the host mounts later arrives.
    PrivateMounts,
    /// The whole tree becomes read-only, recursively.
    ReadOnlyTree,
    /// Attach the new root over `/`, change into it, pivot_root(2), detach the old one.
    PivotRoot {
        /// The detached mount that becomes `/`.
        root: RawFd,
    },
    /// The same where pivot_root(2) cannot work: move over `/` and chroot(2).
    MoveRoot {
        /// The detached mount that becomes `/`.
        root: RawFd,
    },
    /// Attach a detached mount.
    Attach {
        /// The mount.
        mount: RawFd,
        /// Where.
        target: CString,
    },
    /// Make and attach a file system of a namespace that only exists now.
    Mount {
        /// Which.
        filesystem: Filesystem,
        /// Where.
        target: CString,
        /// `MOUNT_ATTR_*`.
        attributes: u32,
    },
    /// Make one mount read-only, now that whatever lies on it is there.
    Seal {
        /// Where it is attached.
        target: CString,
    },
    /// Hide a path: a directory under an empty read-only one, a file under `/dev/null`. Missing is fine.
    Mask {
        /// The path.
        target: CString,
    },
    /// Bind a path on itself read-only. Missing is fine.
    ReadOnlyPath {
        /// The path.
        target: CString,
    },
    /// Add a Landlock rule for something that exists only now.
    LandlockRule {
        /// The ruleset.
        ruleset: RawFd,
        /// The path.
        target: CString,
        /// `LANDLOCK_ACCESS_FS_*`, for a directory.
        access: u64,
        /// What of it a file can have.
        file_access: u64,
        /// Missing is fine.
        optional: bool,
    },
    /// landlock_restrict_self(2). The last step that may mount.
    Restrict {
        /// The ruleset.
        ruleset: RawFd,
        /// `LANDLOCK_RESTRICT_SELF_LOG_*`.
        flags: u32,
    },
    /// chdir(2), making the directory first when asked.
    ChangeDirectory {
        /// Where to.
        target: CString,
        /// mkdir -p, 0755.
        create: bool,
    },
    /// Descriptors 0, 1 and 2.
    Stdio {
        /// The three, in order.
        fds: [RawFd; 3],
    },
    /// Make descriptor 0 the controlling terminal.
    ControllingTerminal,
    /// umask(2).
    Umask {
        /// The mask.
        mask: u32,
    },
    /// Drop from the bounding set all but these.
    Bounding {
        /// What stays.
        keep: u64,
    },
    /// Groups, gid and uid, in that order, keeping permitted capabilities over the change.
    Identity {
        /// Real, effective, saved.
        uid: u32,
        /// Real, effective, saved.
        gid: u32,
        /// Supplementary groups.
        groups: Vec<u32>,
    },
    /// capset(2), then the ambient set.
    Capabilities {
        /// Permitted.
        permitted: u64,
        /// Effective.
        effective: u64,
        /// Inheritable.
        inheritable: u64,
        /// Ambient.
        ambient: u64,
    },
    /// `PR_SET_NO_NEW_PRIVS`.
    NoNewPrivs,
    /// seccomp(2). Needs `NoNewPrivs` before it, or CAP_SYS_ADMIN.
    Seccomp {
        /// The program.
        filter: Vec<Instruction>,
    },
    /// `PR_SET_PDEATHSIG` SIGKILL; ends at once when the parent is already gone.
    DeathSignal,
    /// Default dispositions, nothing blocked.
    DefaultSignals,
    /// Every descriptor above 2 closes at exec.
    CloseDescriptors,
    /// execve(2).
    Execute {
        /// The block that holds path, argv and environment.
        block: RawFd,
    },
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |c: &CString| c.to_string_lossy().into_owned();
        match self {
            Step::JoinCgroup { .. } => f.write_str("enter the cgroup"),
            Step::NewSession => f.write_str("start a new session"),
            Step::NewKeyring => f.write_str("make a session keyring of its own"),
            Step::OomScoreAdj { value } => write!(f, "set oom_score_adj to {value}"),
            Step::JoinNamespace { name, .. } => write!(f, "join the namespace {}", text(name)),
            Step::Loopback => f.write_str("bring the loopback device up"),
            Step::Hostname { name } => write!(f, "set the host name {}", text(name)),
            Step::SlaveMounts => f.write_str("make all mounts slaves of the host's"),
            Step::PrivateMounts => f.write_str("make all mounts private"),
            Step::ReadOnlyTree => f.write_str("make the host's tree read-only"),
            Step::PivotRoot { .. } => f.write_str("pivot_root into the new root"),
            Step::MoveRoot { .. } => f.write_str("move and chroot into the new root"),
            Step::Attach { target, .. } => write!(f, "attach the mount at {}", text(target)),
            Step::Mount {
                filesystem, target, ..
            } => write!(f, "mount {} at {}", filesystem.name(), text(target)),
            Step::Seal { target } => write!(f, "make the mount at {} read-only", text(target)),
            Step::Mask { target } => write!(f, "mask {}", text(target)),
            Step::ReadOnlyPath { target } => write!(f, "make {} read-only", text(target)),
            Step::LandlockRule { target, .. } => {
                write!(f, "add the Landlock rule for {}", text(target))
            }
            Step::Restrict { .. } => f.write_str("enter the Landlock domain"),
            Step::ChangeDirectory { target, .. } => {
                write!(f, "change the directory to {}", text(target))
            }
            Step::Stdio { .. } => f.write_str("set descriptors 0, 1 and 2"),
            Step::ControllingTerminal => f.write_str("take the controlling terminal"),
            Step::Umask { mask } => write!(f, "set the umask {mask:03o}"),
            Step::Bounding { .. } => f.write_str("reduce the bounding set"),
            Step::Identity { uid, gid, .. } => write!(f, "become uid {uid}, gid {gid}"),
            Step::Capabilities { .. } => f.write_str("set the capabilities"),
            Step::NoNewPrivs => f.write_str("set no_new_privs"),
            Step::Seccomp { .. } => f.write_str("install the system call filter"),
            Step::DeathSignal => f.write_str("set the parent-death signal"),
            Step::DefaultSignals => f.write_str("reset the signals"),
            Step::CloseDescriptors => f.write_str("close descriptors"),
            Step::Execute { .. } => f.write_str("execute the command"),
        }
    }
}
