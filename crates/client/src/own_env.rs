//! A task's own `env`, whose values may refer to each other.
//!
//! Nomad takes them in no particular order, so that there a value may or may not see another of the same block. Here a
//! value comes after those it refers to, and one that was escaped in the job file (`$${X}`) refers to nothing.
use std::collections::{BTreeMap, VecDeque};

use jobspec::Task;

use crate::interpolate::replace;

/// Linux takes no more than 6 MiB of arguments and environment for a new program (execve(2)): a task with more than
/// this cannot start, so nothing is made longer then.
const MAX_BYTES: usize = 8 << 20;

/// The values with all known names replaced.
pub(crate) fn resolve<'v>(
    task: &'v Task,
    known: impl Fn(&str) -> Option<&'v str>,
) -> BTreeMap<String, String> {
    let mut own: BTreeMap<String, String> = BTreeMap::new();
    let mut bytes = 0;
    for name in order(task) {
        if bytes > MAX_BYTES {
            own.insert(name.to_owned(), task.env[name].clone());
            continue;
        }
        let value = replace(&task.env[name], |wanted| {
            let others = refers(task, name, wanted)
                .then(|| own.get(wanted))
                .flatten();
            others.map(String::as_str).or_else(|| known(wanted))
        });
        bytes += value.len();
        own.insert(name.to_owned(), value);
    }
    own
}

/// Whether a value needs another of the same block. `PATH = "${PATH}:/x"` means the one from before.
fn refers(task: &Task, name: &str, wanted: &str) -> bool {
    let references = task.env_references.get(name);
    name != wanted && references.is_some_and(|names| names.contains(wanted))
}

/// Each behind those it refers to; what refers to itself in a circle comes last, by name.
fn order(task: &Task) -> Vec<&str> {
    let mut waiting: BTreeMap<&str, usize> = BTreeMap::new();
    let mut users: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for name in task.env.keys() {
        let references = task.env_references.get(name).into_iter().flatten();
        let others = references.filter(|other| *other != name && task.env.contains_key(*other));
        let mut count = 0;
        for other in others {
            users.entry(other).or_default().push(name);
            count += 1;
        }
        waiting.insert(name, count);
    }
    let free = waiting.iter().filter(|(_, count)| **count == 0);
    let mut ready: VecDeque<&str> = free.map(|(name, _)| *name).collect();
    let mut order = Vec::new();
    while let Some(name) = ready.pop_front() {
        waiting.remove(name);
        order.push(name);
        for user in users.get(name).into_iter().flatten() {
            if let Some(count) = waiting.get_mut(user) {
                *count -= 1;
                if *count == 0 {
                    ready.push_back(user);
                }
            }
        }
    }
    order.extend(waiting.into_keys());
    order
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::samples;

    /// Name, value, and what it refers to.
    type Written<'a> = (&'a str, &'a str, &'a [&'a str]);

    fn resolved(written: &[Written<'_>]) -> BTreeMap<String, String> {
        let mut task = samples::task();
        for (name, value, references) in written {
            task.env.insert((*name).to_owned(), (*value).to_owned());
            let references: BTreeSet<_> = references.iter().map(|&name| name.to_owned()).collect();
            task.env_references.insert((*name).to_owned(), references);
        }
        resolve(&task, |name| (name == "PATH").then_some("/bin"))
    }

    #[test]
    fn a_value_sees_those_it_refers_to_wherever_they_stand() {
        let own = resolved(&[
            ("A", "${B}x", &["B"]),
            ("B", "${Z}y", &["Z"]),
            ("Z", "z", &[]),
        ]);
        assert_eq!((own["A"].as_str(), own["B"].as_str()), ("zyx", "zy"));
    }

    #[test]
    fn what_was_escaped_refers_to_nothing_of_the_block() {
        let own = resolved(&[("A", "a", &[]), ("B", "${A}x", &[]), ("C", "${PATH}", &[])]);
        assert_eq!(own["B"], "${A}x");
        assert_eq!(own["C"], "/bin");
    }

    #[test]
    fn a_name_in_its_own_value_is_the_one_from_before() {
        let own = resolved(&[("PATH", "${PATH}:/x", &["PATH"]), ("A", "${A}", &["A"])]);
        assert_eq!(own["PATH"], "/bin:/x");
        assert_eq!(own["A"], "${A}");
    }

    #[test]
    fn circles_end() {
        let own = resolved(&[
            ("A", "${B}", &["B"]),
            ("B", "${A}", &["A"]),
            ("C", "${B}", &["B"]),
        ]);
        assert_eq!(own["A"], "${B}");
        assert_eq!(own["B"], "${B}");
        assert_eq!(own["C"], "${B}");
    }

    #[test]
    fn long_chains_and_doublings_end() {
        let mut task = samples::task();
        for index in 0..20_000 {
            let next = format!("V{:05}", index + 1);
            task.env
                .insert(format!("V{index:05}"), format!("${{{next}}}${{{next}}}"));
            task.env_references
                .insert(format!("V{index:05}"), BTreeSet::from([next]));
        }
        task.env.insert("V20000".to_owned(), "x".to_owned());
        let own = resolve(&task, |_| None);
        assert_eq!(own["V19999"], "xx");
        let bytes: usize = own.values().map(String::len).sum();
        assert!(bytes < 2 * MAX_BYTES, "{bytes}");
    }
}
