//! What the fetcher is, in kernel words.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sandbox::spec::{
    Access, Candidate, Capabilities, Command, Condition, Executable, Identity, Init, Input,
    Landlock, Missing, Mount, MountFlags, Namespaces, Output, Propagation, Refused, Root, Rule,
    Seccomp, Sharing, Source, Spec, Stdio, Unexecutable,
};

use super::order::{ORDER, STAGING};
use super::roles::FETCHER;
use crate::dirs::Owner;

/// Where this program is in the fetcher's root.
const PROGRAM: &str = "/encamp";

/// What a program needs to start and to find a server: libraries, names, and the system's CAs by all the ways that lead
/// to them.
const VISIBLE: [&str; 22] = [
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/nix/store",
    "/gnu/store",
    "/etc/ld.so.cache",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/gai.conf",
    "/etc/nsswitch.conf",
    "/etc/resolv.conf",
    "/etc/services",
    "/etc/ssl",
    "/etc/pki",
    "/etc/ca-certificates",
    "/etc/crypto-policies",
    "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates",
    "/usr/share/ssl",
    "/usr/local/ssl",
    "/var/lib/ca-certificates",
];

/// What the operator's variables may name beside those.
const NAMED: [&str; 2] = ["SSL_CERT_FILE", "SSL_CERT_DIR"];

/// Everything that differs from one fetcher to the next.
#[derive(Debug)]
pub(super) struct Fetcher<'a> {
    /// This program's file.
    pub(super) program: &'a Path,
    /// The order as it is written down.
    pub(super) order: String,
    /// The directory on this host that it may write to.
    pub(super) staging: &'a Path,
    /// Where its root is put together.
    pub(super) scratch: &'a Path,
    pub(super) owner: Owner,
    /// Proxies and CAs.
    pub(super) env: BTreeMap<String, String>,
    pub(super) pivot: Pivot,
}

/// How a root is entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pivot {
    /// As it should be.
    Root,
    /// Where the host runs from a RAM disk.
    Move,
}

/// Describes it.
pub(super) fn spec(fetcher: Fetcher<'_>) -> Spec {
    let mounts = mounts(&fetcher);
    Spec {
        command: Command {
            executable: Executable {
                name: PROGRAM.to_owned(),
                candidates: vec![Candidate {
                    target: PROGRAM.into(),
                    unexecutable: Unexecutable::Refuse,
                }],
            },
            args: vec![FETCHER.to_owned()],
            env: fetcher.env,
            cwd: "/".into(),
            create_cwd: false,
        },
        namespaces: Namespaces {
            pid: Sharing::Private,
            ipc: Sharing::Private,
            net: None,
            hostname: None,
        },
        init: Init::Process,
        root: Root::Directory {
            scratch: fetcher.scratch.to_owned(),
            no_pivot_root: fetcher.pivot == Pivot::Move,
        },
        mounts,
        masked: Vec::new(),
        read_only: Vec::new(),
        landlock: landlock(),
        identity: Identity {
            uid: fetcher.owner.uid,
            gid: fetcher.owner.gid,
            groups: Vec::new(),
        },
        capabilities: Capabilities::default(),
        no_new_privs: true,
        seccomp: Some(Seccomp { rules: refused() }),
        umask: 0o022,
        oom_score_adj: None,
        stdio: Stdio {
            stdin: Input::Null,
            stdout: Output::Null,
            stderr: Output::Null,
        },
    }
}

fn mounts(fetcher: &Fetcher<'_>) -> Vec<Mount> {
    let seen = MountFlags {
        read_only: true,
        nosuid: true,
        nodev: true,
        noexec: false,
        propagation: Propagation::Private,
    };
    let bind = |path: &Path, target: &Path, flags, missing| Mount {
        target: target.to_owned(),
        source: Source::Bind {
            path: path.to_owned(),
            recursive: false,
        },
        flags,
        missing,
    };
    let mut mounts: Vec<Mount> = visible(&fetcher.env)
        .iter()
        .map(|path| bind(path, path, seen, Missing::Skip))
        .collect();
    mounts.push(bind(
        fetcher.program,
        Path::new(PROGRAM),
        seen,
        Missing::Refuse,
    ));
    mounts.push(Mount {
        target: ORDER.into(),
        source: Source::File {
            contents: fetcher.order.clone(),
            mode: 0o444,
        },
        flags: seen,
        missing: Missing::Refuse,
    });
    let written = MountFlags {
        read_only: false,
        noexec: true,
        ..seen
    };
    mounts.push(bind(
        fetcher.staging,
        Path::new(STAGING),
        written,
        Missing::Refuse,
    ));
    mounts
}

/// What is below something else in the list is there already.
fn visible(env: &BTreeMap<String, String>) -> Vec<PathBuf> {
    let named = NAMED.into_iter().filter_map(|name| env.get(name));
    let named = named.flat_map(|list| list.split(':')).map(PathBuf::from);
    let mut paths: Vec<PathBuf> = VISIBLE.iter().map(PathBuf::from).collect();
    for path in named {
        let covered = paths.iter().any(|above| path.starts_with(above));
        if path.is_absolute() && path.exists() && !covered {
            paths.push(path);
        }
    }
    paths
}

/// The root holds little enough; what can be had of Landlock on top of it is taken.
fn landlock() -> Option<Landlock> {
    let rule = |path: &str, access| Rule {
        path: path.into(),
        access,
        missing: Missing::Refuse,
        inside: true,
    };
    sandbox::landlock::abi().map(|_| Landlock {
        rules: vec![
            rule("/", Access::READ | Access::EXECUTE),
            rule(STAGING, Access::READ | Access::WRITE | Access::CREATE),
        ],
        scoped: true,
        logged: false,
        network: None,
    })
}

/// Beside what every task is refused, what somebody who reads from a server and writes files has no use for. Links and
/// nodes above all: what the fetcher leaves behind is moved on by root.
fn refused() -> Vec<Refused> {
    let refuse = |syscalls: &[&str], when, errno: rustix::io::Errno| Refused {
        syscalls: syscalls.iter().map(|name| (*name).to_owned()).collect(),
        when,
        errno: errno.raw_os_error(),
    };
    let always = [
        "link",
        "linkat",
        "symlink",
        "symlinkat",
        "mknod",
        "mknodat",
        "fork",
        "vfork",
        "ptrace",
        "process_vm_readv",
        "process_vm_writev",
        "pidfd_getfd",
        "unshare",
        "socketcall",
    ];
    let one = |argument, mask, value| {
        Some(Condition {
            argument,
            mask,
            value,
        })
    };
    let mut rules = driver::seccomp::of_nobody();
    // Threads, and no processes.
    rules.push(refuse(
        &["clone"],
        one(0, CLONE_THREAD, 0),
        rustix::io::Errno::PERM,
    ));
    rules.push(refuse(&always, None, rustix::io::Errno::PERM));
    // Sockets of this host's own: the network is all that there is to talk to.
    for family in [AF_UNIX, AF_VSOCK, AF_ALG, AF_PACKET] {
        let when = one(0, u32::MAX, family);
        rules.push(refuse(&["socket"], when, rustix::io::Errno::AFNOSUPPORT));
    }
    rules
}

/// linux/sched.h.
const CLONE_THREAD: u32 = 0x0001_0000;
/// linux/socket.h.
const AF_UNIX: u32 = 1;
const AF_PACKET: u32 = 17;
const AF_ALG: u32 = 38;
const AF_VSOCK: u32 = 40;
