//! A host that starts the plugin as an agent does, and talks to it.
#![allow(dead_code, reason = "each suite uses a part of it")]

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint};

pub const COOKIE: (&str, &str) = (
    "NOMAD_PLUGIN_MAGIC_COOKIE",
    "e4327c2e01eabfd75a8a67adb114fb34a757d57eee7728d857a8cec6e91a7255",
);

/// The example that serves. Built here: cargo does that for a whole package only, not for one suite of it.
pub fn program() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let deps = std::env::current_exe()
            .unwrap()
            .parent()
            .unwrap()
            .to_owned();
        let profile = deps.parent().unwrap();
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args([
            "build",
            "--quiet",
            "--package",
            "plugin",
            "--example",
            "serve",
        ]);
        if profile.ends_with("release") {
            cargo.arg("--release");
        }
        assert!(
            cargo
                .current_dir(env!("CARGO_MANIFEST_DIR"))
                .status()
                .unwrap()
                .success()
        );
        profile.join("examples/serve")
    })
}

/// A command with nothing in its environment but what is named.
pub fn command(kind: &str, variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(program());
    command
        .arg(kind)
        .env_clear()
        .envs(variables.iter().copied());
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A running plugin; killed when the test ends before it.
pub struct Host {
    pub child: Child,
    pub line: String,
    pub started: Duration,
}

impl Host {
    pub fn start(kind: &str, variables: &[(&str, &str)]) -> Host {
        program();
        let all = [&[COOKIE], variables].concat();
        let before = Instant::now();
        let mut child = command(kind, &all).spawn().unwrap();
        let mut line = String::new();
        // One byte at a time, so that what follows the line stays in the pipe.
        let stdout = child.stdout.as_mut().unwrap();
        BufReader::with_capacity(1, stdout)
            .read_line(&mut line)
            .unwrap();
        Host {
            child,
            line,
            started: before.elapsed(),
        }
    }

    pub fn socket(&self) -> &Path {
        Path::new(self.line.split('|').nth(3).unwrap())
    }

    pub async fn connect(&self) -> Channel {
        let socket = self.socket().to_owned();
        let connector = tower::service_fn(move |_| {
            let socket = socket.clone();
            async move {
                UnixStream::connect(socket)
                    .await
                    .map(hyper_util::rt::TokioIo::new)
            }
        });
        Endpoint::from_static("http://unused")
            .connect_with_connector(connector)
            .await
            .unwrap()
    }

    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-s", name, &pid])
                .status()
                .unwrap()
                .success()
        );
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// How it ended, which it must within the limit, and what was left in its two pipes.
    pub fn ended(mut self, limit: Duration) -> (ExitStatus, String, String) {
        let before = Instant::now();
        while self.is_running() {
            assert!(
                before.elapsed() < limit,
                "the plugin is still there after {limit:?}"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
        let (mut stdout, mut stderr) = (String::new(), String::new());
        self.child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut stdout)
            .unwrap();
        self.child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut stderr)
            .unwrap();
        (self.child.wait().unwrap(), stdout, stderr)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(directory) = self
            .line
            .split('|')
            .nth(3)
            .and_then(|path| Path::new(path).parent())
        {
            let _ = std::fs::remove_dir_all(directory);
        }
    }
}

/// Asserts that the agent can take every line for one of hclog's.
pub fn assert_hclog(stderr: &str) {
    for line in stderr.lines() {
        let object: serde_json::Value = serde_json::from_str(line).unwrap();
        let object = object.as_object().unwrap();
        assert!(object.values().all(serde_json::Value::is_string), "{line}");
        let time = object["@timestamp"].as_str().unwrap();
        assert!(
            time.len() == "2006-01-02T15:04:05.000000Z".len() && time.ends_with('Z'),
            "{line}"
        );
        assert!(
            object.contains_key("@level") && object.contains_key("@message"),
            "{line}"
        );
    }
}
