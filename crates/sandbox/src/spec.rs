//! The description: plain data, serialisable, kernel words only.
//!
//! Paths named `target` are as the process will see them; every other path is the host's.
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Everything about a process before it exists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// What is executed.
    pub command: Command,
    /// Which namespaces are its own.
    pub namespaces: Namespaces,
    /// Who is PID 1 of a private pid namespace.
    pub init: Init,
    /// What `/` is.
    pub root: Root,
    /// Attached in this order, once the root stands.
    pub mounts: Vec<Mount>,
    /// Paths that are made unreadable: a file becomes `/dev/null`, a directory an empty read-only one. Missing ones are skipped.
    pub masked: Vec<PathBuf>,
    /// Paths that are bound on themselves read-only. Missing ones are skipped.
    pub read_only: Vec<PathBuf>,
    /// The Landlock domain, if there is one.
    pub landlock: Option<Landlock>,
    /// Who it is.
    pub identity: Identity,
    /// Its capability sets at exec.
    pub capabilities: Capabilities,
    /// `PR_SET_NO_NEW_PRIVS`.
    pub no_new_privs: bool,
    /// The system call filter, if there is one.
    pub seccomp: Option<Seccomp>,
    /// `umask(2)`.
    pub umask: u32,
    /// `/proc/self/oom_score_adj`. Lowering may be refused by the kernel and is then reported, not fatal.
    pub oom_score_adj: Option<i32>,
    /// Descriptors 0, 1 and 2; there are no others.
    pub stdio: Stdio,
}

/// What is executed, and with what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// Where the executable is looked for; the first that exists wins.
    pub executable: Executable,
    /// `argv[1..]`; `argv[0]` is the path that was found, as the process sees it.
    pub args: Vec<String>,
    /// The whole environment.
    pub env: BTreeMap<String, String>,
    /// The working directory, as the process sees it.
    pub cwd: PathBuf,
    /// Make `cwd` (0755, root) when it is missing, as Nomad's runtime does.
    pub create_cwd: bool,
}

/// How the executable is found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Executable {
    /// As it was asked for, for messages.
    pub name: String,
    /// Tried in this order.
    pub candidates: Vec<Candidate>,
}

/// One place where the executable may be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// Path as the process sees it.
    pub target: PathBuf,
    /// What to do when it is a regular file without execute permission.
    pub unexecutable: Unexecutable,
}

/// What to do with a regular file that nobody may execute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unexecutable {
    /// Add the execute bits through a descriptor, unless a link led there: the file is on a tree that was placed for this process, or
    /// the layer over it keeps the change.
    Chmod,
    /// Refuse (the file is the host's).
    Refuse,
    /// Look further, as a search along `PATH` does.
    PassOver,
}

/// Namespaces. The mount namespace is always its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Namespaces {
    /// `CLONE_NEWPID`.
    pub pid: Sharing,
    /// `CLONE_NEWIPC`.
    pub ipc: Sharing,
    /// `None`: the host's.
    pub net: Option<Network>,
    /// A UTS namespace with this host name; `None`: the host's.
    pub hostname: Option<String>,
}

/// A network that is not the host's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Network {
    /// Joined by its path (`/var/run/netns/x`).
    Join(PathBuf),
    /// `CLONE_NEWNET`: nothing but a loopback device, which is up.
    Private,
}

/// Whether a namespace is new or the host's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "two words of namespaces(7)")]
pub enum Sharing {
    Private,
    Host,
}

/// Who is PID 1 of the private pid namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Init {
    /// The process itself.
    Process,
    /// Ours: it stays root, enters the Landlock domain, forks the process, reaps, and ends with it.
    Ours,
}

/// What becomes `/`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Root {
    /// The host's root; recursively read-only when asked, only what is attached after that is writable.
    Host {
        /// `mount_setattr(2)` with `AT_RECURSIVE`.
        read_only: bool,
        /// What the host mounts later arrives, and as writable as it is there; otherwise it never does.
        slave: bool,
    },
    /// A directory of our own that becomes `/` by pivot_root(2). It is nodev: nodes work below a [`Source::Dev`] only.
    Directory {
        /// Made if missing, 0700 and root's; holds `root` (what becomes `/`), `upper` and `work`.
        scratch: PathBuf,
        /// Use `MS_MOVE` and chroot(2) where pivot_root(2) cannot work.
        no_pivot_root: bool,
    },
}

/// Something attached to the tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// Where, as the process sees it. Missing mount points are made in a `Root::Directory`, and in whatever was attached before
    /// (a `Bind`, `Tmpfs` or `Cover`); never in the host's own root.
    pub target: PathBuf,
    /// What.
    pub source: Source,
    /// How.
    pub flags: MountFlags,
    /// What to do when the source does not exist.
    pub missing: Missing,
}

/// What is attached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// A host directory or file, with its submounts when `recursive`.
    Bind {
        /// On the host.
        path: PathBuf,
        /// Submounts too.
        recursive: bool,
    },
    /// A writable layer over a host directory; writes stay in the root's scratch. A symlink stays a symlink, a file is bound
    /// read-only, a mount point below it gets its own layer at the same place.
    Layer {
        /// The lower directory, on the host.
        path: PathBuf,
    },
    /// A new tmpfs.
    Tmpfs {
        /// `size=`.
        size_bytes: Option<u64>,
        /// Of its root.
        mode: u32,
    },
    /// A small file of root's that exists only here, read-only. With [`Missing::Skip`]: only where there is or can be a mount point.
    File {
        /// What is in it.
        contents: String,
        /// Of the file.
        mode: u32,
    },
    /// A device node of the host's, itself: whatever else is there is refused, a link too. Read-only, which leaves the device
    /// writable: mode and owner are the host's. Never `nodev`.
    Node {
        /// On the host.
        path: PathBuf,
    },
    /// An empty directory (0755) that hides what is there; skipped where there is nothing to hide. Read-only once all mounts are
    /// made: mount points of later ones may lie in it.
    Cover,
    /// proc(5) of the process's pid namespace.
    Proc,
    /// sysfs(5) of its network namespace.
    Sysfs,
    /// POSIX message queues of its ipc namespace.
    Mqueue,
    /// A minimal `/dev`: tmpfs with nodes, links, a `devpts` of its own.
    Dev {
        /// Nodes beside the six standard ones.
        devices: Vec<Device>,
    },
}

/// Flags of one mount.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are mount(8)'s")]
pub struct MountFlags {
    pub read_only: bool,
    pub nosuid: bool,
    pub nodev: bool,
    pub noexec: bool,
    pub propagation: Propagation,
}

/// mount_namespaces(7).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are the kernel's")]
pub enum Propagation {
    #[default]
    Private,
    Slave,
    Shared,
}

/// What to do when something does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Missing {
    /// An error that names it.
    Refuse,
    /// Go on without it.
    Skip,
}

/// A device node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Where, as the process sees it.
    pub target: PathBuf,
    /// The host's node it copies: type, numbers, mode, owner.
    pub path: PathBuf,
    /// Letters of `rwm` for the device cgroup.
    pub access: String,
}

/// A Landlock ruleset at the highest ABI the kernel has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Landlock {
    /// A union; a narrower rule below a wider one takes nothing away.
    pub rules: Vec<Rule>,
    /// Scope signals and abstract sockets to the domain, where the kernel can.
    pub scoped: bool,
    /// TCP ports, where they are limited. The launch fails where the kernel cannot.
    pub network: Option<Ports>,
    /// Denials become records of the kernel's audit, where the kernel can (ABI 7) and audit is on.
    #[serde(default, skip_serializing_if = "is_false")]
    pub logged: bool,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// TCP ports that may be used, with MPTCP and SMC as far as they can be told; `None`: any.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ports {
    /// bind(2); port 0 is one of the kernel's choice.
    pub bind: Option<Vec<RangeInclusive<u16>>>,
    /// connect(2).
    pub connect: Option<Vec<RangeInclusive<u16>>>,
}

/// Access below one path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// The path, on the host; `inside` says when it only exists after the mounts.
    pub path: PathBuf,
    /// Rights.
    pub access: Access,
    /// What to do when the path does not exist.
    pub missing: Missing,
    /// Looked up in the finished tree (its own procfs), not on the host.
    pub inside: bool,
}

bitflags::bitflags! {
    /// Groups of Landlock rights; which rights each has depends on whether the path is a directory and on the ABI.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(transparent)]
    pub struct Access: u8 {
        /// READ_FILE; READ_DIR on a directory.
        const READ = 1;
        /// WRITE_FILE; TRUNCATE (ABI 3), RESOLVE_UNIX (ABI 9).
        const WRITE = 2;
        /// EXECUTE.
        const EXECUTE = 4;
        /// MAKE_REG, _DIR, _SYM, _SOCK, _FIFO, REMOVE_FILE, REMOVE_DIR, REFER (ABI 2); nothing on a file.
        const CREATE = 8;
        /// IOCTL_DEV (ABI 5).
        const IOCTL = 16;
    }
}

/// A seccomp(2) filter. What no rule names is let through; so that it cannot be gone around, each rule holds for all ABIs of the kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seccomp {
    /// The first that fits a call decides.
    pub rules: Vec<Refused>,
}

/// System calls that are answered with an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// By their names in the kernel's tables.
    pub syscalls: Vec<String>,
    /// Only calls like this; `None`: every call.
    pub when: Option<Condition>,
    /// The answer.
    pub errno: i32,
}

/// One argument of a call, after a mask, has a value. Its lower half alone counts: that is all the kernel itself takes of an `int`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// 0 to 5.
    pub argument: u8,
    /// Bits that count.
    pub mask: u32,
    /// What they are.
    pub value: u32,
}

/// credentials(7), set together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Real, effective, saved, file system.
    pub uid: u32,
    /// Real, effective, saved, file system.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
}

/// A set of capabilities: bit n is capability n of capabilities(7).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CapabilitySet(pub u64);

/// The five sets. What the launcher itself does not hold cannot be given and is left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are capabilities(7)'s")]
pub struct Capabilities {
    pub bounding: CapabilitySet,
    pub permitted: CapabilitySet,
    pub effective: CapabilitySet,
    pub inheritable: CapabilitySet,
    pub ambient: CapabilitySet,
}

/// Descriptors 0, 1 and 2.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stdio {
    /// Descriptor 0, and with a terminal all three.
    #[serde(default, skip_serializing_if = "Input::is_null")]
    pub stdin: Input,
    /// Descriptor 1.
    pub stdout: Output,
    /// Descriptor 2.
    pub stderr: Output,
}

/// Where input comes from. Never from a descriptor of the launcher's: what the process gets is made for it, and the launcher keeps
/// the near end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Input {
    /// `/dev/null`.
    #[default]
    Null,
    /// A new pipe.
    Pipe,
    /// A new terminal of this size, which the process controls; outputs go there, too.
    Terminal {
        /// Lines.
        rows: u16,
        /// Characters in a line.
        columns: u16,
    },
}

impl Input {
    fn is_null(&self) -> bool {
        *self == Input::Null
    }
}

/// Where output goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Output {
    /// `/dev/null`.
    Null,
    /// A FIFO, opened without following links; given to the identity so that `/dev/stdout` opens by path.
    Fifo(PathBuf),
}
