//! seccomp(2): what a task is refused in every table of system calls that the kernel has, and what it is not.
use serde_json::json;
use suite::World;
use suite::need::{Need, require};

use crate::call::Call;
use crate::{DRIVERS, facts};

/// Errnos.
const PERM: i32 = 1;
const NOSYS: i32 = 38;

/// `__X32_SYSCALL_BIT`.
const X32: u32 = 0x4000_0000;

/// x32 has some numbers of its own.
const IOCTL_OF_X32: u32 = 514;
const KEXEC_LOAD_OF_X32: u32 = 528;

/// Name, numbers on x86-64 and on i386 (`asm/unistd_{64,32}.h`), arguments, and the errno.
type Denied = (&'static str, Option<u32>, Option<u32>, &'static str, i32);

/// Were a call let through, its arguments would do no harm.
const DENIED: &[Denied] = &[
    ("clone3", Some(435), Some(435), "0:0", NOSYS),
    (
        "clone with CLONE_NEWUSER",
        Some(56),
        Some(120),
        "0x10000200:0:0:0:0",
        PERM,
    ),
    (
        "unshare with CLONE_NEWUSER",
        Some(272),
        Some(310),
        "0x10008000",
        PERM,
    ),
    (
        "unshare with more bits than an int",
        Some(272),
        None,
        "0x7fff000010000000",
        PERM,
    ),
    ("setns", Some(308), Some(346), "-1:0", PERM),
    ("mount", Some(165), Some(21), "0:0:0:0:0", PERM),
    ("umount of i386", None, Some(22), "0", PERM),
    ("umount2", Some(166), Some(52), "0:0", PERM),
    ("pivot_root", Some(155), Some(217), "0:0", PERM),
    ("open_tree", Some(428), Some(428), "-1:0:0", PERM),
    ("open_tree_attr", Some(467), Some(467), "-1:0:0:0:0", PERM),
    ("move_mount", Some(429), Some(429), "-1:0:-1:0:0", PERM),
    ("fsopen", Some(430), Some(430), "0:0", PERM),
    ("fsconfig", Some(431), Some(431), "-1:0:0:0:0", PERM),
    ("fsmount", Some(432), Some(432), "-1:0:0", PERM),
    ("fspick", Some(433), Some(433), "-1:0:0", PERM),
    ("mount_setattr", Some(442), Some(442), "-1:0:0:0:0", PERM),
    ("swapon", Some(167), Some(87), "0:0", PERM),
    ("swapoff", Some(168), Some(115), "0", PERM),
    ("keyctl", Some(250), Some(288), "0:-3:0", PERM),
    ("add_key", Some(248), Some(286), "0:0:0:0:0", PERM),
    ("request_key", Some(249), Some(287), "0:0:0:0", PERM),
    ("io_uring_setup", Some(425), Some(425), "0:0", PERM),
    ("io_uring_enter", Some(426), Some(426), "-1:0:0:0:0", PERM),
    ("io_uring_register", Some(427), Some(427), "-1:0:0:0", PERM),
    ("bpf", Some(321), Some(357), "-1:0:0", PERM),
    ("perf_event_open", Some(298), Some(336), "0:0:0:0:0", PERM),
    ("userfaultfd", Some(323), Some(374), "-1", PERM),
    ("init_module", Some(175), Some(128), "0:0:0", PERM),
    ("finit_module", Some(313), Some(350), "-1:0:0", PERM),
    ("delete_module", Some(176), Some(129), "0:0", PERM),
    ("reboot", Some(169), Some(88), "0:0:0:0", PERM),
    ("kexec_load", Some(246), Some(283), "0:-1:0:-1", PERM),
    ("kexec_file_load", Some(320), None, "-1:-1:0:0:0", PERM),
    ("acct", Some(163), Some(51), "1", PERM),
    ("open_by_handle_at", Some(304), Some(342), "-1:0:0", PERM),
    ("syslog", Some(103), Some(103), "-1:0:0", PERM),
    ("ioctl TIOCSTI", Some(16), Some(54), "-1:0x5412:0", PERM),
    (
        "ioctl TIOCSTI with more bits than an int",
        Some(16),
        None,
        "-1:0x100005412:0",
        PERM,
    ),
    ("ioctl TIOCLINUX", Some(16), Some(54), "-1:0x541c:0", PERM),
];

/// What must work, or be answered by the kernel itself: name, attempt, errno.
const LET_THROUGH: &[(&str, &str, i32)] = &[
    ("threads and processes of a C library", "threads", 0),
    ("unshare of descriptors", "64:272:0x400", 0),
    ("clone without a user namespace: EINVAL", "64:56:0x800", 22),
    ("name_to_handle_at: EFAULT", "64:303:-1:0:0:0:0", 14),
    ("ioctl TCGETS: EBADF", "64:16:-1:0x5401", 9),
    ("ioctl TCGETS of i386: EBADF", "32:54:-1:0x5401", 9),
    ("personality", "64:135:0xffffffff", 0),
    ("ptrace: ESRCH", "64:101:16:0:0:0", 3),
    ("a number that no kernel has: ENOSYS", "64:9999", 38),
    ("one of i386: ENOSYS", "32:9999", 38),
    // 250 is keyctl on x86-64 and fadvise64 on i386.
    ("fadvise64 of i386: EBADF", "32:250:-1:0:0:0", 9),
];

const NEEDS: &[Need] = &[
    Need::Root,
    Need::Cgroup,
    Need::DetachedMounts,
    Need::Landlock,
    Need::Cc,
];

/// Every denied call in every table that has it: what is attempted, how that is written, and the errno.
fn denied() -> Vec<(String, String, i32)> {
    let mut all = vec![];
    for (name, native, compat, arguments, errno) in DENIED {
        let mut add = |table: &str, abi: u32, number: Option<u32>| {
            all.extend(number.map(|number| {
                let attempt = format!("{abi}:{number}:{arguments}");
                (format!("{name} of {table}"), attempt, *errno)
            }));
        };
        add("x86-64", 64, *native);
        add("x32", 64, native.map(|number| number | X32));
        add("i386", 32, *compat);
        match *native {
            Some(16) => add("x32", 64, Some(IOCTL_OF_X32 | X32)),
            Some(246) => add("x32", 64, Some(KEXEC_LOAD_OF_X32 | X32)),
            _ => {}
        }
    }
    all
}

#[test]
fn what_is_denied_is_denied_in_every_table_to_root_too() {
    if !require(NEEDS) {
        return;
    }
    let (world, call) = (World::shared(), Call::install());
    let denied = denied();
    let attempts: Vec<&str> = denied
        .iter()
        .map(|(_, attempt, _)| attempt.as_str())
        .collect();
    for driver in DRIVERS {
        for user in [None, Some("root")] {
            let job = call.job(driver, &attempts);
            let job = user.map_or(job.clone(), |user| job.user(user));
            let met = call.met(&world, &job);
            assert_eq!(met.len(), denied.len());
            for ((name, _, errno), met) in denied.iter().zip(met) {
                assert_eq!(met, *errno, "{name}, {driver}, user {user:?}");
            }
        }
    }
}

#[test]
fn what_is_not_on_the_list_is_let_through() {
    if !require(NEEDS) {
        return;
    }
    let (world, call) = (World::shared(), Call::install());
    let attempts: Vec<&str> = LET_THROUGH.iter().map(|(_, attempt, _)| *attempt).collect();
    for driver in DRIVERS {
        let met = call.met(&world, &call.job(driver, &attempts));
        assert_eq!(met.len(), LET_THROUGH.len());
        for ((name, _, errno), met) in LET_THROUGH.iter().zip(met) {
            assert_eq!(met, *errno, "{name}, {driver}");
        }
    }
}

#[test]
fn one_filter_is_there_with_no_new_privs_under_exec2_and_without_under_exec() {
    if !require(NEEDS) {
        return;
    }
    let world = World::shared();
    let own = own_filters();
    for driver in DRIVERS {
        let facts = facts(&world, &world.job(driver, &[]));
        assert_eq!(facts["seccomp"], json!(2), "{driver}");
        assert_eq!(facts["seccomp_filters"], json!(own + 1), "{driver}");
        assert_eq!(facts["no_new_privs"], json!(driver == "exec2"), "{driver}");
    }
}

/// How many filters this process has itself, which its children inherit.
fn own_filters() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("Seccomp_filters:"));
    line.and_then(|number| number.trim().parse().ok())
        .unwrap_or(0)
}
