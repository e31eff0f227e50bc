//! A data and a run directory of a test's own, and `encamp` in them.
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::{Pid, geteuid};

use super::server::Server;

static NEXT: AtomicU32 = AtomicU32::new(0);

pub(crate) struct World {
    pub(crate) dir: PathBuf,
}

impl World {
    pub(crate) fn new() -> World {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("encamp-artifacts-{}-{number}", std::process::id());
        let dir = Path::new("/var/tmp").join(name);
        std::fs::create_dir(&dir).unwrap();
        // Tasks of any uid pass through on the way to their own directories.
        std::fs::set_permissions(&dir, PermissionsExt::from_mode(0o755)).unwrap();
        World { dir }
    }

    pub(crate) fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.dir.join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// What a program of coreutils says of it.
    pub(crate) fn sum(&self, program: &str, content: &[u8]) -> String {
        let mut child = Command::new(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(content).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.split_whitespace().next().unwrap().to_owned()
    }

    pub(crate) fn prepare(&self, command: &str, text: &str) -> Command {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let file = self.write(&format!("{number}.nomad.hcl"), text.as_bytes());
        let mut encamp = Command::new(env!("CARGO_BIN_EXE_encamp"));
        encamp.stdin(Stdio::null()).arg(command).arg(file);
        encamp.arg("--data-dir").arg(self.dir.join("data"));
        encamp.arg("--run-dir").arg(self.dir.join("run"));
        if command == "run" {
            encamp.arg("--rm");
        }
        encamp
    }

    pub(crate) fn command(&self, command: &str, text: &str) -> Ended {
        Ended::of(self.prepare(command, text).output().unwrap())
    }

    pub(crate) fn run(&self, text: &str) -> Ended {
        self.command("run", text)
    }

    /// Neither allocations nor run directories, mounts or cgroups of them.
    #[track_caller]
    pub(crate) fn assert_clean(&self) {
        let mut left = BTreeSet::new();
        for dir in ["data/alloc", "data/alloc_mounts", "run"] {
            let entries = std::fs::read_dir(self.dir.join(dir)).into_iter().flatten();
            left.extend(
                entries
                    .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                    .filter(|name| !name.starts_with(".lock")),
            );
        }
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        let ours = self.dir.display().to_string();
        left.extend(
            mounts
                .lines()
                .filter(|line| line.contains(&ours))
                .map(str::to_owned),
        );
        assert_eq!(left, BTreeSet::new());
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = std::fs::remove_dir_all(&self.dir);
        }
    }
}

/// The end of a command.
#[derive(Debug)]
pub(crate) struct Ended {
    code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    pub(crate) fn of(output: Output) -> Ended {
        Ended {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    #[track_caller]
    pub(crate) fn exited(self, code: i32) -> Ended {
        let Ended { stdout, stderr, .. } = &self;
        assert_eq!(
            self.code,
            Some(code),
            "stdout:\n{stdout}\nstderr:\n{stderr}"
        );
        self
    }

    #[track_caller]
    pub(crate) fn says(&self, words: &[&str]) {
        for word in words {
            assert!(
                self.stderr.contains(word),
                "{word:?} is not in:\n{}",
                self.stderr
            );
        }
    }
}

/// True with root; otherwise says loudly that the test was skipped, or fails where that is asked for.
pub(crate) fn root() -> bool {
    if geteuid().is_root() {
        return true;
    }
    let required = std::env::var("ENCAMP_TEST_REQUIRE").unwrap_or_default();
    let is_required = |word: &str| matches!(word.trim(), "all" | "root");
    assert!(
        !required.split(',').any(is_required),
        "this test needs root"
    );
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let _ = writeln!(std::io::stderr(), "SKIPPED {test}: not root");
    false
}

/// A batch job of one task that is not restarted; `more` goes into the task.
pub(crate) fn job(driver: &str, command: &str, args: &[&str], more: &str) -> String {
    format!(
        "job \"j\" {{\n type = \"batch\"\n group \"g\" {{\n restart {{\n attempts = 0\n interval = \"1h\"\n mode = \"fail\"\n }}\n task \"t\" {{\n driver = \
         {driver:?}\n config {{\n command = {command:?}\n args = {args:?}\n }}\n {more}\n }}\n }}\n }}\n"
    )
}

/// A file of a process's.
pub(crate) fn proc(pid: Pid, name: &str) -> String {
    format!("/proc/{}/{name}", pid.as_raw_nonzero())
}

/// Whether a process has a connection to this port of this host.
pub(crate) fn is_connected(pid: Pid, port: u16) -> bool {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let remote = format!("0100007F:{port:04X}");
    let sockets: Vec<String> = table
        .lines()
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            (words.get(2) == Some(&remote.as_str())).then(|| format!("socket:[{}]", words[9]))
        })
        .collect();
    let fds = std::fs::read_dir(proc(pid, "fd")).into_iter().flatten();
    fds.flatten()
        .filter_map(|entry| std::fs::read_link(entry.path()).ok())
        .any(|target| sockets.iter().any(|socket| target == Path::new(socket)))
}

/// A proxy that answers for every server itself.
pub(crate) fn proxy(body: &'static [u8]) -> Server {
    Server::start_on(
        "http",
        |_, _| {},
        move |mut stream| {
            let connect = read_head(&mut stream)?;
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").ok()?;
            read_head(&mut stream)?;
            super::server::ok(&mut stream, body);
            // Whoever counts heads gets that of CONNECT.
            Some(Box::new(Tunnel {
                head: connect,
                stream,
                at: 0,
            }))
        },
    )
}

fn read_head(stream: &mut impl Read) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    Some(head)
}

/// A connection whose first head was read already.
struct Tunnel {
    head: Vec<u8>,
    stream: std::net::TcpStream,
    at: usize,
}

impl Read for Tunnel {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let got = (&self.head[self.at..]).read(buffer)?;
        self.at += got;
        Ok(got)
    }
}

impl Write for Tunnel {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.stream.flush()
    }
}
