//! `encamp doctor`, on this host and on hosts that lack something.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "tests")]

mod world;

use std::process::{Command, Output, Stdio};

use world::root;

/// The names that Nomad's documentation of `exec` lists from /proc/cgroups.
const NOMADS_CGROUPS: [&str; 12] = [
    "cpuset",
    "cpu",
    "cpuacct",
    "blkio",
    "memory",
    "devices",
    "freezer",
    "net_cls",
    "perf_event",
    "net_prio",
    "hugetlb",
    "pids",
];

fn doctor(before: &[&str], flags: &[&str]) -> Output {
    let mut words = before.to_vec();
    words.extend([env!("CARGO_BIN_EXE_encamp"), "doctor"]);
    words.extend(flags);
    Command::new(words[0])
        .args(&words[1..])
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Whether the last column of /proc/cgroups is 1.
fn enabled(name: &str) -> bool {
    let cgroups = std::fs::read_to_string("/proc/cgroups").unwrap();
    let line = cgroups
        .lines()
        .find(|line| line.split_whitespace().next() == Some(name));
    line.is_some_and(|line| line.split_whitespace().last() == Some("1"))
}

#[test]
fn the_twelve_cgroups_of_nomads_documentation_are_listed_as_the_kernel_has_them() {
    let told = text(&doctor(&[], &[]));
    for name in NOMADS_CGROUPS {
        let line = told
            .lines()
            .find(|line| line.contains(&format!("cgroup {name}: ")))
            .unwrap_or_else(|| panic!("no {name} in\n{told}"));
        assert_eq!(line.contains(": enabled"), enabled(name), "{line}");
    }
}

#[test]
fn a_host_that_runs_both_drivers_is_0_and_says_so() {
    if !root() {
        return;
    }
    let output = doctor(&[], &[]);
    let told = text(&output);
    assert_eq!(output.status.code(), Some(0), "{told}");
    for driver in ["exec", "exec2"] {
        assert!(
            told.contains(&format!("[ok]   driver \"{driver}\" is healthy")),
            "{told}"
        );
    }
    assert!(told.contains("driver.exec=1"), "{told}");
    assert!(told.contains("driver.exec2.landlock.abi="), "{told}");
}

#[test]
fn without_cgroups_it_is_1_and_names_what_to_do() {
    if !root() {
        return;
    }
    let script = "umount -R /sys/fs/cgroup && exec \"$@\"";
    let output = doctor(&["unshare", "-m", "sh", "-c", script, "sh"], &["-q"]);
    let told = text(&output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    for words in [
        "[fail]",
        "mount -t cgroup2",
        "driver \"exec\" is unhealthy: Failed to discover cgroup mount point",
    ] {
        assert!(told.contains(words), "{words} in\n{told}");
    }
    assert!(!told.contains("[ok]"), "-q says what is wrong only\n{told}");
}

#[test]
fn the_document_for_machines_has_a_level_and_a_text_for_each_check() {
    let document: serde_json::Value =
        serde_json::from_slice(&doctor(&[], &["--json"]).stdout).unwrap();
    let findings = document["findings"].as_array().unwrap();
    for finding in findings {
        assert!(["ok", "warn", "fail"].contains(&finding["level"].as_str().unwrap()));
        assert!(finding["text"].is_string() && finding["check"].is_string());
    }
    assert!(
        findings
            .iter()
            .any(|finding| finding["check"] == "cgroup.memory")
    );
}
