//! Who has bound a port: proc_pid_net(5) has the socket's number, and some process has a descriptor of that number.
use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::bound::Protocol;

/// A process that has a port, as far as this host tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Process {
    /// Its command and pid; nothing without the right to look at others' descriptors.
    command: Option<(String, u32)>,
    uid: u32,
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.command {
            Some((name, pid)) => write!(f, "{name} (pid {pid}, uid {})", self.uid),
            None => write!(f, "a process of uid {}", self.uid),
        }
    }
}

/// Looks for whoever has a port.
pub(super) fn of(protocol: Protocol, port: u16) -> Option<Process> {
    let tables = match protocol {
        Protocol::Tcp => ["tcp", "tcp6"],
        Protocol::Udp => ["udp", "udp6"],
    };
    let mut entries: Vec<Entry> = tables
        .iter()
        .filter_map(|table| std::fs::read_to_string(format!("/proc/self/net/{table}")).ok())
        .flat_map(|table| entries(&table, port))
        .collect();
    // Who listens is the one, not who talks with somebody there.
    entries.sort_by_key(|entry| !entry.listens);
    let entry = entries.into_iter().find(|entry| entry.inode != 0)?;
    let found = process(entry.inode);
    Some(Process {
        uid: found.as_ref().map_or(entry.uid, |(_, _, uid)| *uid),
        command: found.map(|(name, pid, _)| (name, pid)),
    })
}

/// A line of /proc/net/tcp.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    inode: u64,
    uid: u32,
    listens: bool,
}

/// TCP_LISTEN of the kernel's states.
const LISTEN: &str = "0A";

fn entries(table: &str, port: u16) -> Vec<Entry> {
    let line = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (_, number) = fields.get(1)?.rsplit_once(':')?;
        (u16::from_str_radix(number, 16).ok()? == port).then_some(())?;
        Some(Entry {
            listens: *fields.get(3)? == LISTEN,
            uid: fields.get(7)?.parse().ok()?,
            inode: fields.get(9)?.parse().ok()?,
        })
    };
    table.lines().skip(1).filter_map(line).collect()
}

/// The first process that has a descriptor of a socket: its command, pid and uid.
fn process(inode: u64) -> Option<(String, u32, u32)> {
    let wanted = format!("socket:[{inode}]");
    let processes = std::fs::read_dir("/proc").ok()?;
    for process in processes.flatten() {
        let Some(pid) = process
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        if has(&process.path(), &wanted) {
            let name = std::fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            let uid = process.metadata().ok()?.uid();
            return Some((printable(name.trim_end()), pid, uid));
        }
    }
    None
}

fn has(process: &Path, wanted: &str) -> bool {
    let Ok(descriptors) = std::fs::read_dir(process.join("fd")) else {
        return false;
    };
    descriptors.flatten().any(|descriptor| {
        std::fs::read_link(descriptor.path()).is_ok_and(|target| target.as_os_str() == wanted)
    })
}

/// A process calls itself what it likes.
fn printable(name: &str) -> String {
    name.chars().flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::net::{TcpListener, UdpSocket};

    use super::*;

    const TABLE: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1FF5 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0000000000000000 100 0 0 10 0
   1: 0100007F:1FF5 0100007F:D431 06 00000000:00000000 03:00001770 00000000     0        0 0 3 0000000000000000
   2: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 0:0 00:0 0 33 0 12 1 0
nonsense
";

    #[test]
    fn the_kernels_table_is_read_by_its_columns() {
        let found = entries(TABLE, 8181);
        assert_eq!(found.len(), 2);
        assert_eq!(
            found[0],
            Entry {
                inode: 4711,
                uid: 1000,
                listens: true
            }
        );
        assert!(!found[1].listens);
        assert_eq!(entries(TABLE, 80)[0].uid, 33);
        assert_eq!(entries(TABLE, 81), []);
    }

    #[test]
    fn whoever_has_a_port_is_named() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        for (protocol, port) in [
            (Protocol::Tcp, listener.local_addr().unwrap().port()),
            (Protocol::Udp, socket.local_addr().unwrap().port()),
        ] {
            let found = of(protocol, port).unwrap();
            let (name, pid) = found.command.clone().unwrap();
            assert_eq!(pid, std::process::id());
            assert_eq!(found.uid, rustix::process::geteuid().as_raw());
            assert_eq!(
                found.to_string(),
                format!("{name} (pid {pid}, uid {})", found.uid)
            );
        }
    }

    #[test]
    fn without_the_right_to_look_there_is_still_a_uid() {
        let process = Process {
            command: None,
            uid: 33,
        };
        assert_eq!(process.to_string(), "a process of uid 33");
        assert_eq!(printable("a\u{1b}[31m\n"), "a\\u{1b}[31m\\n");
    }
}
