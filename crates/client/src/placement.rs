//! Whether this node takes a job: which drivers and users its operator lets in.

use driver::Kind;

use crate::config::{Code, diagnostic};
use crate::error::{Error, Unavailable};
use crate::node::Node;
use crate::plan::Plan;

/// The drivers whose users are checked where the operator does not say, as in Nomad.
const CHECKED_DRIVERS: &str = "exec,qemu,java";

/// Refuses a driver that the operator's lists leave out.
pub(crate) fn driver(plan: &Plan<'_>, node: &Node) -> Result<(), Error> {
    match barred(plan.kind, node) {
        Some(option) => Err(Error::MissingDriver {
            subject: plan.subject(),
            source: Unavailable {
                driver: plan.kind.name().to_owned(),
                reason: format!("client.options {option}"),
                way_out: None,
            },
        }),
        None => Ok(()),
    }
}

fn barred(kind: Kind, node: &Node) -> Option<String> {
    let allowed = list(node, ["driver.allowlist", "driver.whitelist"]);
    let denied = list(node, ["driver.denylist", "driver.blacklist"]);
    let name = kind.name();
    if let Some((option, names)) = allowed
        && !names.is_empty()
        && !holds(&names, name)
    {
        return Some(format!("\"{option}\" has only {}", names.join(", ")));
    }
    let (option, _) = denied.filter(|(_, names)| holds(names, name))?;
    Some(format!("\"{option}\" has it"))
}

/// Refuses a user that the operator denies to tasks of this driver, in Nomad's words.
pub(crate) fn user(plan: &Plan<'_>, node: &Node) -> Result<(), Error> {
    let Some(user) = &plan.task.user else {
        return Ok(());
    };
    let denied = list(node, ["user.denylist", "user.blacklist"]);
    let checked = list(node, ["user.checked_drivers", ""]);
    let checked = checked.map_or_else(|| split(CHECKED_DRIVERS), |(_, names)| names);
    let is_denied = denied.is_some_and(|(_, names)| holds(&names, &user.value));
    if !(is_denied && holds(&checked, plan.kind.name())) {
        return Ok(());
    }
    Err(Error::Job(vec![diagnostic(
        Code::User,
        format!(
            "running as user {:?} is disallowed (client.options \"user.denylist\")",
            user.value
        ),
        user.span.clone(),
        format!("task {:?}", plan.task.name),
    )]))
}

/// The names of variables that no task takes over from the caller.
pub(crate) fn denied_variables(node: &Node) -> Vec<String> {
    list(node, ["env.denylist", "env.blacklist"]).map_or_else(Vec::new, |(_, names)| names)
}

/// An option by its present or its former name.
fn list(node: &Node, names: [&'static str; 2]) -> Option<(&'static str, Vec<String>)> {
    let found = names
        .into_iter()
        .find_map(|name| Some((name, node.options.get(name)?)));
    found.map(|(name, value)| (name, split(value)))
}

fn split(list: &str) -> Vec<String> {
    let names = list.split(',').map(str::trim);
    names
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

fn holds(names: &[String], name: &str) -> bool {
    names.iter().any(|known| known == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(option: &str, value: &str) -> Node {
        let mut node = Node::default();
        node.options.insert(option.to_owned(), value.to_owned());
        node
    }

    #[test]
    fn lists_of_drivers_let_in_and_keep_out() {
        for (option, value, exec, exec2) in [
            ("driver.allowlist", "exec", true, false),
            ("driver.allowlist", " exec2 , docker", false, true),
            ("driver.allowlist", "", true, true),
            ("driver.whitelist", "exec2", false, true),
            ("driver.denylist", "exec", false, true),
            ("driver.denylist", "docker", true, true),
            ("driver.blacklist", "exec,exec2", false, false),
        ] {
            let node = node(option, value);
            let lets = |kind| barred(kind, &node).is_none();
            assert_eq!(
                (lets(Kind::Exec), lets(Kind::Exec2)),
                (exec, exec2),
                "{option} {value}"
            );
        }
    }

    #[test]
    fn why_a_driver_is_kept_out_is_told() {
        assert_eq!(
            barred(Kind::Exec, &node("driver.allowlist", "exec2,docker")).as_deref(),
            Some("\"driver.allowlist\" has only exec2, docker")
        );
        assert_eq!(
            barred(Kind::Exec, &node("driver.denylist", "exec")).as_deref(),
            Some("\"driver.denylist\" has it")
        );
    }
}
