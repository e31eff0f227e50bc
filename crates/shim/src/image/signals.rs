//! Whether a process would hear a signal.
use std::fs;

/// Signals whose default action does not end a process (signal(7)).
const HARMLESS: [i32; 8] = [
    libc::SIGCHLD,
    libc::SIGCONT,
    libc::SIGURG,
    libc::SIGWINCH,
    libc::SIGSTOP,
    libc::SIGTSTP,
    libc::SIGTTIN,
    libc::SIGTTOU,
];

/// Whether PID 1 of a pid namespace would neither catch, ignore nor wait for a signal that would end any other process: the kernel then
/// drops it (pid_namespaces(7)), and waiting for an effect is in vain.
pub(crate) fn is_deaf_to(host_pid: i32, signal: i32) -> bool {
    if !(1..=64).contains(&signal) || HARMLESS.contains(&signal) || signal == libc::SIGKILL {
        return false;
    }
    let Ok(status) = fs::read_to_string(format!("/proc/{host_pid}/status")) else {
        return false;
    };
    let sets = ["SigCgt:", "SigIgn:", "SigBlk:"].map(|name| set(&status, name));
    sets.iter()
        .all(|set| set.is_some_and(|set| set & (1 << (signal - 1)) == 0))
}

fn set(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    u64::from_str_radix(line.trim(), 16).ok()
}
