//! What the probe sees as the task, without what differs from start to start.
use std::fs;

use jobspec::{Attribute, JobType, Value as Written};
use serde_json::{Value, json};
use suite::JobFile;

/// Of the host while it shares its pids: they are new for every process.
const PIDS: [&str; 5] = ["pid", "ppid", "sid", "pgid", "pids"];

/// Where a process finds its own open files.
const DESCRIPTORS: &str = "/proc/self/fd/";

/// The same job, with the probe in the place of its command.
pub(crate) fn asking(mut file: JobFile, probe: &str) -> JobFile {
    // It ends by itself.
    file.job.kind = JobType::Batch;
    let attributes = &mut file.task_mut().config.attributes;
    attributes.insert(
        "command".to_owned(),
        attribute(Written::String(probe.into())),
    );
    attributes.remove("args");
    file
}

fn attribute(value: Written) -> Attribute {
    Attribute {
        name_span: 0..0,
        value_span: 0..0,
        value,
        origins: Vec::new(),
    }
}

/// The probe's sheet of facts. Namespaces are compared by whether they are the host's; pids only where they are the task's own.
pub(crate) fn of(stdout: &str) -> Value {
    let mut facts: Value =
        serde_json::from_str(stdout).unwrap_or_else(|error| panic!("{error}: {stdout}"));
    let namespaces = facts["namespaces"].as_object_mut().unwrap();
    for (name, link) in namespaces.iter_mut() {
        *link = json!(*link == json!(fs::read_link(format!("/proc/self/ns/{name}")).unwrap()));
    }
    if facts["namespaces"]["pid"] == json!(true) {
        for name in PIDS {
            assert!(!facts[name].is_null(), "no {name} in {stdout}");
            facts[name] = json!("the host's");
        }
    }
    for mount in facts["mounts"].as_array_mut().unwrap() {
        for option in mount["super_options"].as_array_mut().unwrap() {
            *option = json!(without_descriptor(option.as_str().unwrap()));
        }
    }
    facts
}

/// A layer's directories are named by descriptors of whoever mounted it, and their numbers say nothing.
fn without_descriptor(option: &str) -> String {
    match option.split_once(DESCRIPTORS) {
        Some((name, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("{name}{DESCRIPTORS}")
        }
        _ => option.to_owned(),
    }
}

/// The host's mounts, as `exec2`'s tasks see them too.
pub(crate) fn host_mounts() -> String {
    fs::read_to_string("/proc/self/mountinfo").unwrap()
}
