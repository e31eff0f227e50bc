//! What a task will be able to do, in words and for machines.
use client::Checked;
use driver::Allowed;
use serde_json::{Value, json};

/// A few lines for people; none where it depends on the host.
pub(crate) fn lines(checked: &Checked) -> String {
    let Some(allowed) = &checked.allowed else {
        return String::new();
    };
    let mut text = format!(
        "  task {:?}: driver {}, {}, capabilities {}\n",
        checked.task,
        checked.driver.name(),
        user(checked, allowed),
        capabilities(allowed),
    );
    text += &format!("    {}\n", namespaces(allowed).join(", "));
    for (what, list) in [("volume", &allowed.volumes), ("unveil", &allowed.unveiled)] {
        for one in list {
            text += &format!("    {what} {one}\n");
        }
    }
    text
}

/// The same for machines.
pub(crate) fn document(checked: &Checked) -> Value {
    let Some(allowed) = &checked.allowed else {
        return Value::Null;
    };
    json!({
        "name": checked.task,
        "driver": checked.driver.name(),
        "uid": (!checked.dynamic_user).then_some(allowed.uid),
        "gid": (!checked.dynamic_user).then_some(allowed.gid),
        "capabilities": allowed.capabilities,
        "no_new_privs": allowed.no_new_privs,
        "host_pid": allowed.host_pid,
        "host_ipc": allowed.host_ipc,
        "host_network": allowed.host_network,
        "volumes": allowed.volumes,
        "unveil": allowed.unveiled,
    })
}

fn user(checked: &Checked, allowed: &Allowed) -> String {
    if checked.dynamic_user {
        "a user of its own".to_owned()
    } else {
        format!("uid {}, gid {}", allowed.uid, allowed.gid)
    }
}

fn capabilities(allowed: &Allowed) -> String {
    if allowed.capabilities.is_empty() {
        "none".to_owned()
    } else {
        allowed.capabilities.join(" ")
    }
}

fn namespaces(allowed: &Allowed) -> Vec<String> {
    let whose = |name: &str, host: bool| {
        let whose = if host { "the host's" } else { "its own" };
        format!("{name} {whose}")
    };
    vec![
        whose("pids", allowed.host_pid),
        whose("ipc", allowed.host_ipc),
        whose("network", allowed.host_network),
    ]
}
