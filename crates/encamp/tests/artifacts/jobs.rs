//! Jobs with artifacts, and servers for them.
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::Pid;

use super::server::Server;
use super::world::{Ended, World};

impl World {
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
        let mut encamp = self.encamp(&[command]);
        encamp.arg(self.file(text));
        if command == "run" {
            encamp.arg("--rm");
        }
        encamp
    }

    pub(crate) fn command(&self, command: &str, text: &str) -> Ended {
        Ended::of(self.prepare(command, text).output().unwrap())
    }

    pub(crate) fn run_text(&self, text: &str) -> Ended {
        self.command("run", text)
    }
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
