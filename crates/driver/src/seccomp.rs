//! Which system calls a task is refused, and which capability gives them back.
//!
//! A list of what is denied, not of what is allowed: a call that is not named here is let through, so that programs written for a newer
//! kernel run. On the list is what no task needs by default and no capability guards well enough: ways to new privilege (user
//! namespaces), what is not divided by namespaces (keys, the kernel log), ways around this filter (io_uring), and what a kernel's
//! mistakes are most often reached through.
use sandbox::spec::{CapabilitySet, Condition, Refused, Seccomp};

/// linux/capability.h.
const DAC_READ_SEARCH: u8 = 2;
const SYS_MODULE: u8 = 16;
const SYS_PTRACE: u8 = 19;
const SYS_PACCT: u8 = 20;
const SYS_ADMIN: u8 = 21;
const SYS_BOOT: u8 = 22;
const SYS_TTY_CONFIG: u8 = 26;
const SYSLOG: u8 = 34;
const PERFMON: u8 = 38;
const BPF: u8 = 39;

/// Calls that are denied together.
struct Denied {
    calls: &'static [&'static str],
    when: Option<Condition>,
    errno: i32,
    /// Any one of them is enough.
    lifted_by: &'static [u8],
}

const fn denied(calls: &'static [&'static str], lifted_by: &'static [u8]) -> Denied {
    Denied {
        calls,
        when: None,
        errno: libc::EPERM,
        lifted_by,
    }
}

const fn denied_when(
    calls: &'static [&'static str],
    when: Condition,
    lifted_by: &'static [u8],
) -> Denied {
    Denied {
        when: Some(when),
        ..denied(calls, lifted_by)
    }
}

/// The argument has this bit.
const fn bit(argument: u8, value: u32) -> Condition {
    Condition {
        argument,
        mask: value,
        value,
    }
}

/// The argument is this number.
const fn equal(argument: u8, value: u32) -> Condition {
    Condition {
        argument,
        mask: u32::MAX,
        value,
    }
}

const LIST: &[Denied] = &[
    // Its flags lie in memory, where no filter can look. ENOSYS makes C libraries use clone, EPERM would be the end of their threads.
    Denied {
        errno: libc::ENOSYS,
        ..denied(&["clone3"], &[SYS_ADMIN])
    },
    // A user namespace has every capability over what is made in it: mounts of cgroupfs among them, and most of the kernel's mistakes.
    denied_when(
        &["clone", "unshare"],
        bit(0, libc::CLONE_NEWUSER as u32),
        &[SYS_ADMIN],
    ),
    // The kind of namespace may be left to the descriptor, so this is refused whole. All but user namespaces need CAP_SYS_ADMIN anyway.
    denied(&["setns"], &[SYS_ADMIN]),
    denied(
        &[
            "mount",
            "umount",
            "umount2",
            "pivot_root",
            "open_tree",
            "open_tree_attr",
            "move_mount",
            "fsopen",
            "fsconfig",
            "fsmount",
            "fspick",
            "mount_setattr",
        ],
        &[SYS_ADMIN],
    ),
    denied(&["swapon", "swapoff"], &[SYS_ADMIN]),
    // Keys of a uid are those of every task of that uid.
    denied(&["keyctl", "add_key", "request_key"], &[]),
    // Whatever is asked for through a ring passes by every filter.
    denied(
        &["io_uring_setup", "io_uring_enter", "io_uring_register"],
        &[],
    ),
    denied(&["bpf"], &[BPF, SYS_ADMIN]),
    denied(&["perf_event_open"], &[PERFMON, SYS_ADMIN]),
    denied(&["userfaultfd"], &[SYS_PTRACE]),
    denied(
        &["init_module", "finit_module", "delete_module"],
        &[SYS_MODULE],
    ),
    denied(&["reboot", "kexec_load", "kexec_file_load"], &[SYS_BOOT]),
    denied(&["acct"], &[SYS_PACCT]),
    // Opens a file by number, past every directory on the way. To ask for the number (name_to_handle_at) does no harm, and systemd's
    // libraries and findmnt do.
    denied(&["open_by_handle_at"], &[DAC_READ_SEARCH]),
    // The kernel's log tells of the whole host, where kernel.dmesg_restrict is 0.
    denied(&["syslog"], &[SYSLOG, SYS_ADMIN]),
    // Both put words into the mouth of whoever sits at the terminal.
    denied_when(&["ioctl"], equal(1, libc::TIOCSTI as u32), &[SYS_ADMIN]),
    denied_when(
        &["ioctl"],
        equal(1, libc::TIOCLINUX as u32),
        &[SYS_ADMIN, SYS_TTY_CONFIG],
    ),
];

/// Landlock's TCP ports do not see these (tried on 6.18): MPTCP and SMC, which speak TCP in the end, and a connection opened by sending.
const PAST_PORTS: &[Denied] = &[
    Denied {
        errno: libc::EPROTONOSUPPORT,
        ..denied_when(&["socket"], equal(2, libc::IPPROTO_MPTCP as u32), &[])
    },
    Denied {
        errno: libc::EAFNOSUPPORT,
        ..denied_when(&["socket"], equal(0, AF_SMC), &[])
    },
    Denied {
        errno: libc::EPROTONOSUPPORT,
        ..denied_when(&["socket"], equal(2, IPPROTO_SMC), &[])
    },
    Denied {
        errno: libc::EOPNOTSUPP,
        ..denied_when(
            &["sendto", "sendmmsg"],
            bit(3, libc::MSG_FASTOPEN as u32),
            &[],
        )
    },
    Denied {
        errno: libc::EOPNOTSUPP,
        ..denied_when(&["sendmsg"], bit(2, libc::MSG_FASTOPEN as u32), &[])
    },
    // i386 has one call for all of them, with its arguments in memory; C libraries use the single ones since Linux 4.3.
    Denied {
        errno: libc::ENOSYS,
        ..denied(&["socketcall"], &[])
    },
];

/// linux/socket.h, linux/smc.h.
const AF_SMC: u32 = 43;
const IPPROTO_SMC: u32 = 256;

/// The filter of a task that holds these capabilities. Without the list (the operator's `seccomp = false`) there is one only where
/// limits on TCP ports need it.
pub(crate) fn filter(list: bool, granted: CapabilitySet, limits_ports: bool) -> Option<Seccomp> {
    let list = if list { LIST } else { &[] };
    let ports = if limits_ports { PAST_PORTS } else { &[] };
    let holds = |capability: &u8| granted.0 & (1 << capability) != 0;
    let rules: Vec<Refused> = list
        .iter()
        .chain(ports)
        .filter(|denied| !denied.lifted_by.iter().any(holds))
        .map(refused)
        .collect();
    (!rules.is_empty()).then_some(Seccomp { rules })
}

/// What is refused whoever holds no capability at all; for processes of encamp's own that serve a stranger.
#[must_use]
pub fn of_nobody() -> Vec<Refused> {
    LIST.iter().map(refused).collect()
}

fn refused(denied: &Denied) -> Refused {
    Refused {
        syscalls: denied.calls.iter().map(|&call| call.to_owned()).collect(),
        when: denied.when,
        errno: denied.errno,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::capabilities::{NOMAD_DEFAULTS, Supported};

    fn with(names: &[&str]) -> CapabilitySet {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        Supported::up_to(40).parse(&names).unwrap()
    }

    fn calls(granted: CapabilitySet) -> Vec<String> {
        let filter = filter(true, granted, false).unwrap();
        let rules = filter.rules.into_iter();
        rules.flat_map(|rule| rule.syscalls).collect()
    }

    #[test]
    fn nomads_default_capabilities_lift_nothing() {
        assert_eq!(calls(NOMAD_DEFAULTS), calls(CapabilitySet(0)));
    }

    #[test]
    fn a_capability_lifts_its_own_calls_and_no_others() {
        let all = calls(CapabilitySet(0));
        let lifted = |name: &str| {
            let left = calls(with(&[name]));
            let gone: Vec<_> = all.iter().filter(|call| !left.contains(call)).collect();
            gone.iter()
                .map(|call| call.as_str())
                .collect::<Vec<_>>()
                .join(" ")
        };
        for (name, calls) in [
            ("bpf", "bpf"),
            ("perfmon", "perf_event_open"),
            ("sys_ptrace", "userfaultfd"),
            ("sys_module", "init_module finit_module delete_module"),
            ("sys_boot", "reboot kexec_load kexec_file_load"),
            ("sys_pacct", "acct"),
            ("dac_read_search", "open_by_handle_at"),
            ("syslog", "syslog"),
            ("net_admin", ""),
        ] {
            assert_eq!(lifted(name), calls, "{name}");
        }
        let admin = lifted("sys_admin");
        for call in [
            "clone3", "unshare", "setns", "mount", "swapon", "bpf", "syslog",
        ] {
            assert!(admin.split(' ').any(|one| one == call), "{call} in {admin}");
        }
    }

    #[test]
    fn no_capability_gives_keys_and_rings() {
        let all = calls(with(&["all"])).join(" ");
        let rest = "keyctl add_key request_key io_uring_setup io_uring_enter io_uring_register";
        assert_eq!(all, rest);
    }

    #[test]
    fn limits_on_ports_bring_their_own_even_without_the_list() {
        let none = CapabilitySet(0);
        assert_eq!(filter(false, none, false), None);
        let filter = filter(false, none, true).unwrap();
        assert_eq!(filter.rules.len(), PAST_PORTS.len());
    }

    #[test]
    fn every_list_compiles() {
        for granted in [CapabilitySet(0), NOMAD_DEFAULTS, with(&["all"])] {
            let filter = filter(true, granted, true).unwrap();
            let length = sandbox::seccomp::compile(&filter).unwrap().len();
            assert!(length < 4096, "BPF_MAXINSNS");
        }
    }
}
