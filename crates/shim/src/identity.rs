//! Who a process is on the host: pid and start time. A pid alone may be somebody else's tomorrow.
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// The host's pid of a pidfd: in a private pid namespace only its fdinfo knows (proc_pid_fdinfo(5)). `/proc` is the host's.
///
/// # Errors
/// read(2); `ESRCH` when the process is gone.
pub fn host_pid(pidfd: BorrowedFd<'_>) -> io::Result<i32> {
    let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd()))?;
    let pid = text
        .lines()
        .find_map(|line| line.strip_prefix("Pid:")?.trim().parse().ok());
    pid.filter(|pid| *pid > 0)
        .ok_or(io::Error::from_raw_os_error(libc::ESRCH))
}

/// Field 22 of `/proc/<pid>/stat`: clock ticks since boot (proc_pid_stat(5)). `pid` may be `self`.
///
/// # Errors
/// read(2).
pub fn start_time(pid: &str) -> io::Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    parse_start_time(&text).ok_or(io::Error::from_raw_os_error(libc::EINVAL))
}

/// The command's name, field 2, may hold blanks and parentheses: fields count from the last one.
fn parse_start_time(stat: &str) -> Option<u64> {
    stat.rsplit_once(')')?
        .1
        .split_ascii_whitespace()
        .nth(19)?
        .parse()
        .ok()
}

/// The pid of this process as the host's `/proc` has it.
///
/// # Errors
/// readlink(2).
pub fn own_pid() -> io::Result<i32> {
    let link = std::fs::read_link("/proc/self")?;
    link.to_str()
        .and_then(|name| name.parse().ok())
        .ok_or(io::Error::from_raw_os_error(libc::EINVAL))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_command_name_with_parentheses_does_not_shift_the_fields() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 4242 1 1";
        assert_eq!(super::parse_start_time(stat), Some(4242));
    }
}
