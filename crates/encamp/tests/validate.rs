//! `encamp validate`: warnings, what a job will be allowed, and the document for machines.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "tests")]
use std::io::Write;
use std::process::{Command, Output, Stdio};

const PID: &str = "other processes running as the same user will be able to access sensitive process information like environment variables";
const IPC: &str = "other processes running as the same user will be able to make use of IPC features, like sending unexpected POSIX signals";

fn validate(text: &str, flags: &[&str]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_encamp"))
        .args(["validate", "-"])
        .args(flags)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    child.wait_with_output().unwrap()
}

fn job(driver: &str, config: &str) -> String {
    format!(
        "job \"a\" {{\n  group \"g\" {{\n    task \"t\" {{\n      driver = {driver:?}\n      user = \"nobody\"\n      config {{\n        command = \"/bin/true\"\n        {config}\n      }}\n    }}\n  }}\n}}\n"
    )
}

fn told(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn the_hosts_pid_and_ipc_namespaces_are_warned_of_where_the_job_asks_for_them() {
    for (option, price) in [("pid_mode", PID), ("ipc_mode", IPC)] {
        let output = validate(&job("exec", &format!("{option} = \"host\"")), &[]);
        assert_eq!(output.status.code(), Some(0));
        let told = told(&output);
        assert!(told.contains("Warning: <stdin>:8,"), "{told}");
        assert!(told.contains(option) && told.contains(price), "{told}");
    }
    let quiet = told(&validate(&job("exec", "pid_mode = \"private\""), &[]));
    assert!(!quiet.contains("Warning"), "{quiet}");
}

#[test]
fn it_says_what_the_task_will_be_allowed() {
    let exec = told(&validate(
        &job("exec", "cap_drop = [\"all\"]\n cap_add = [\"chown\"]"),
        &[],
    ));
    assert!(exec.contains("driver exec, uid 65534"), "{exec}");
    assert!(exec.contains("capabilities chown\n"), "{exec}");
    let exec2 = told(&validate(
        &job("exec2", "unveil = [\"r:/etc/mime.types\", \"rwc:/srv\"]"),
        &[],
    ));
    for words in [
        "capabilities none",
        "unveil r:/etc/mime.types",
        "unveil rwc:/srv",
    ] {
        assert!(exec2.contains(words), "{words} in {exec2}");
    }
}

#[test]
fn machines_get_mistakes_with_their_places() {
    let output = validate(&job("exec", "comand = 1"), &["--json"]);
    assert_eq!(output.status.code(), Some(1));
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["valid"], false);
    let first = &document["diagnostics"][0];
    assert_eq!(first["severity"], "error");
    assert_eq!(first["range"]["line"], 8);
    assert!(first["detail"].as_str().unwrap().contains("comand"));
}

#[test]
fn machines_get_what_a_right_job_is_allowed() {
    let output = validate(&job("exec", "pid_mode = \"host\""), &["--json"]);
    assert_eq!(output.status.code(), Some(0));
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["valid"], true);
    assert_eq!(document["diagnostics"][0]["severity"], "warning");
    assert_eq!(document["tasks"][0]["host_pid"], true);
    assert_eq!(document["tasks"][0]["uid"], 65534);
}

#[test]
fn strict_takes_every_warning_for_an_error_also_what_only_a_driver_knows() {
    let text = job("exec", "pid_mode = \"host\"");
    let refused = validate(&text, &["--strict"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(told(&refused).contains(PID), "{}", told(&refused));
    let right = validate(&job("exec", "pid_mode = \"private\""), &["--strict"]);
    assert_eq!(right.status.code(), Some(0), "{}", told(&right));
    let path = std::env::temp_dir().join(format!("encamp-strict-{}", std::process::id()));
    std::fs::write(&path, text).unwrap();
    let run = Command::new(env!("CARGO_BIN_EXE_encamp"))
        .args(["run", "--strict"])
        .arg(&path)
        .output()
        .unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(run.status.code(), Some(1));
    assert!(told(&run).contains(PID), "{}", told(&run));
}
