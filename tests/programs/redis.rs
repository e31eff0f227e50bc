//! Redis, with its data in a volume.
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use suite::need::{programs, require};
use suite::run::{PATIENCE, patience};
use suite::{Need, Running, World};

const JOB: &str = r#"
job "redis" {
  group "redis" {
    network {
      port "redis" {}
    }

    volume "data" {
      type   = "host"
      source = "redis"
    }

    restart {
      delay = "1s"
    }

    task "redis" {
      driver = "exec"
      user   = "redis"

      config {
        command = "redis-server"
        args = [
          "--port", "${NOMAD_PORT_redis}", "--bind", "${NOMAD_IP_redis}", "--dir", "/data", "--appendonly", "yes",
          "--appendfsync", "always",
        ]
      }

      volume_mount {
        volume      = "data"
        destination = "/data"
      }

      kill_signal  = "SIGTERM"
      kill_timeout = "20s"
    }
  }
}
"#;

#[test]
fn redis_keeps_its_data_in_a_volume_over_a_crash_and_a_stop() {
    let needs = [Need::Root, Need::Cgroup, Need::DetachedMounts];
    if !require(&needs) || !programs(&["redis-server".to_owned()]) {
        return;
    }
    let world = World::shared();
    let volume = volume(world.directory());
    let running = start(&world, &volume);
    let (pid, port) = started(&running);
    assert_eq!(ask(port, "SET greeting hello"), "+OK");
    kill_process(pid, Signal::KILL).unwrap();
    running.wait_for_stderr("restarting in");
    assert_eq!(ask(port, "EXISTS greeting"), ":1", "after a crash");
    stop(running);
    let running = start(&world, &volume);
    assert_eq!(
        ask(started(&running).1, "STRLEN greeting"),
        ":5",
        "after a stop"
    );
    stop(running);
}

/// A directory of the user redis, below one that everybody may enter.
fn volume(directory: &Path) -> PathBuf {
    let volume = directory.join("volume");
    std::fs::create_dir(&volume).unwrap();
    let done = Command::new("chown")
        .arg("redis:redis")
        .arg(&volume)
        .status();
    assert!(done.unwrap().success());
    volume
}

fn start(world: &World, volume: &Path) -> Running {
    let node = format!(
        "client {{\n  host_volume \"redis\" {{\n    path = {:?}\n  }}\n}}\n",
        volume.to_str().unwrap()
    );
    let file = world.directory().join("node.hcl");
    std::fs::write(&file, node).unwrap();
    Running::start(world.command_of_text(JOB).arg("-c").arg(file))
}

/// From the line that says who and where the task is.
fn started(running: &Running) -> (Pid, u16) {
    let told = running.wait_for_stderr("started, pid");
    let pid = number(&told, "started, pid ");
    let port = number(&told, "redis=127.0.0.1:");
    (Pid::from_raw(pid).unwrap(), u16::try_from(port).unwrap())
}

fn number(told: &str, behind: &str) -> i32 {
    let (_, rest) = told.split_once(behind).unwrap();
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

/// Asks until it answers, and has read its data.
fn ask(port: u16, command: &str) -> String {
    let deadline = Instant::now() + patience(PATIENCE) / 2;
    loop {
        match answer(port, command) {
            Ok(line) if !line.is_empty() && !line.starts_with("-LOADING") => return line,
            other => assert!(Instant::now() < deadline, "{command}: {other:?}"),
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn answer(port: u16, command: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(stream, "{command}\r\n")?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    Ok(line.trim_end().to_owned())
}

fn stop(running: Running) {
    running.signal(Signal::INT);
    let outcome = running.wait().exited(0);
    assert!(outcome.stdout.contains("ready to exit"), "{outcome}");
}
