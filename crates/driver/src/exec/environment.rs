//! The environment of an `exec` task.
use std::collections::BTreeMap;

use crate::lower::Given;

/// Nomad's client hands a driver with a root of its own no environment of the host's, so `PATH` comes from here.
pub(crate) const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// The task's environment, with references to what the client left out filled in, and the user's three names on top.
pub(super) fn environment(given: Given<'_>) -> BTreeMap<String, String> {
    let offered: BTreeMap<_, _> = given.agent.offered().collect();
    let path = offered
        .get(&"PATH".to_owned())
        .map_or(DEFAULT_PATH, |path| path.as_str());
    let user = given.user;
    let home = if user.home.is_empty() {
        "/"
    } else {
        &user.home
    };
    let host = [
        ("PATH", path),
        ("HOME", home),
        ("USER", &user.name),
        ("LOGNAME", &user.name),
    ];
    let mut env: BTreeMap<String, String> = given
        .task
        .env
        .iter()
        .filter(|(name, value)| !given.agent.withholds(name, value))
        .map(|(name, value)| (name.clone(), expand(value, &host)))
        .collect();
    for (name, value) in &offered {
        env.entry((*name).clone())
            .or_insert_with(|| (*value).clone());
    }
    env.entry("PATH".to_owned())
        .or_insert_with(|| path.to_owned());
    for (name, value) in &host[1..] {
        env.insert((*name).to_owned(), (*value).to_owned());
    }
    env
}

/// `${NAME}` of these names only: anything else stays as Nomad's client left it.
fn expand(value: &str, names: &[(&str, &str)]) -> String {
    names.iter().fold(value.to_owned(), |value, (name, with)| {
        value.replace(&format!("${{{name}}}"), with)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_to_the_hosts_environment_are_filled_in() {
        let names = [("PATH", "/bin"), ("HOME", "/h")];
        assert_eq!(expand("/opt:${PATH}", &names), "/opt:/bin");
        assert_eq!(expand("${HOME}/${X} $PATH", &names), "/h/${X} $PATH");
    }
}
