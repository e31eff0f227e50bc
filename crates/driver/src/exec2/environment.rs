//! The environment of an `exec2` task.
use std::collections::BTreeMap;

use super::layout::Layout;
use crate::lower::Given;

/// Where the client passes on no `PATH`.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Of no use to a task, and dropped by upstream too.
const DROPPED: [&str; 5] = ["LS_COLORS", "XAUTHORITY", "DISPLAY", "COLORTERM", "MAIL"];

/// The task's environment without what upstream drops. `USER`, `HOME` and `TMPDIR` are the task's own unless the job sets them:
/// Nomad's client passes the agent's on, so a value that is this process's too is taken for that.
pub(super) fn environment(given: Given<'_>, layout: &Layout) -> BTreeMap<String, String> {
    let mut env = given.task.env.clone();
    env.retain(|name, value| {
        let dropped = DROPPED.contains(&name.as_str()) || name.starts_with("LD_");
        !dropped && !given.agent.withholds(name, value)
    });
    env.entry("PATH".to_owned())
        .or_insert_with(|| DEFAULT_PATH.to_owned());
    let tmp = layout.inside.join("tmp").to_string_lossy().into_owned();
    for (name, value) in [
        ("USER", given.user.name.clone()),
        ("HOME", given.user.home.clone()),
        ("TMPDIR", tmp),
    ] {
        if env
            .get(name)
            .is_none_or(|set| given.inherited.get(name) == Some(set))
        {
            env.insert(name.to_owned(), value);
        }
    }
    env
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::agent_env::{AgentEnv, Patterns};
    use crate::api::FsIsolation;
    use crate::exec::placed::Placed;
    use crate::task_config::TaskConfig;
    use crate::users;

    fn environment_of(set: &[(&str, &str)]) -> BTreeMap<String, String> {
        let own = |pairs: &[(&str, &str)]| {
            pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect()
        };
        let task = TaskConfig {
            name: "t".into(),
            alloc_dir: "/a/1".into(),
            env: own(set),
            ..TaskConfig::default()
        };
        let (user, inherited) = (
            users::dynamic("nomad-80001").unwrap(),
            own(&[("HOME", "/root"), ("USER", "root")]),
        );
        let given = Given {
            task: &task,
            user: &user,
            hidden: &[],
            placed: &Placed::default(),
            resolver: &crate::resolver::Resolver::default(),
            inherited: &inherited,
            agent: AgentEnv {
                patterns: &Patterns::default(),
                isolation: FsIsolation::Unveil,
                variables: &own(&[("SECRET", "s")]),
            },
        };
        environment(given, &Layout::of(&task).unwrap())
    }

    #[test]
    fn the_agents_own_user_and_home_are_replaced() {
        let env = environment_of(&[("HOME", "/root"), ("USER", "root")]);
        assert_eq!(
            (env["HOME"].as_str(), env["USER"].as_str()),
            ("/nonexistent", "nomad-80001")
        );
        assert_eq!(
            (env["TMPDIR"].as_str(), env["PATH"].as_str()),
            ("/a/1/t/tmp", DEFAULT_PATH)
        );
    }

    #[test]
    fn what_the_job_sets_stays() {
        let env = environment_of(&[
            ("HOME", "/srv"),
            ("TMPDIR", "/x"),
            ("EMPTY", ""),
            ("PATH", "/opt"),
        ]);
        assert_eq!(
            (
                env["HOME"].as_str(),
                env["TMPDIR"].as_str(),
                env["PATH"].as_str()
            ),
            ("/srv", "/x", "/opt")
        );
        assert_eq!(env["EMPTY"], "");
    }

    #[test]
    fn what_is_the_agents_alone_is_dropped() {
        assert!(!environment_of(&[("SECRET", "s")]).contains_key("SECRET"));
        assert_eq!(environment_of(&[("SECRET", "own")])["SECRET"], "own");
    }

    #[test]
    fn what_upstream_drops_is_dropped() {
        let env = environment_of(&[
            ("LD_PRELOAD", "x"),
            ("DISPLAY", ":0"),
            ("MAIL", "x"),
            ("LDX", "kept"),
        ]);
        assert_eq!(
            env.keys()
                .filter(|name| ["LD_PRELOAD", "DISPLAY", "MAIL"].contains(&name.as_str()))
                .count(),
            0
        );
        assert!(env.contains_key("LDX"));
    }
}
