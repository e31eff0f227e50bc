//! The environment of a task, in Nomad's order: a later entry wins, except that what comes from the caller only fills gaps.
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use jobspec::{Scope, Task};

use crate::allocation::{Allocation, Allotment, Member};
use crate::interpolate::replace;
use crate::{cores, ids, network, own_env};

/// What a task finds commands by unless its job says otherwise; the caller's own is not taken, so that a job behaves
/// alike for everybody.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";
/// Nomad's name for a datacenter that nobody named.
const DATACENTER: &str = "dc1";
/// Nomad's name for a region that nobody named.
const REGION: &str = "global";
const META: &str = "NOMAD_META_";
/// Names that begin so are made fit for a shell.
const CLEANED: [&str; 5] = [
    "NOMAD_ADDR_",
    "NOMAD_IP_",
    "NOMAD_PORT_",
    "NOMAD_HOST_PORT_",
    META,
];

/// Where a task finds its directories, as it sees them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Directories {
    /// What all tasks of the allocation share.
    pub(crate) alloc: String,
    /// `local`.
    pub(crate) local: String,
    /// `secrets`.
    pub(crate) secrets: String,
}

impl Directories {
    pub(crate) fn at(alloc: &str, local: &str, secrets: &str) -> Directories {
        Directories {
            alloc: alloc.to_owned(),
            local: local.to_owned(),
            secrets: secrets.to_owned(),
        }
    }

    pub(crate) fn below(shared: &Path, task: &Path) -> Directories {
        let name = |path: std::path::PathBuf| path.to_string_lossy().into_owned();
        Directories {
            alloc: name(shared.join("alloc")),
            local: name(task.join("local")),
            secrets: name(task.join("secrets")),
        }
    }

    /// What a task sees around its `local`, if not its own root.
    pub(crate) fn root(&self) -> Option<&Path> {
        let root = Path::new(&self.local).parent()?;
        (root != Path::new("/")).then_some(root)
    }
}

/// The part of the caller's environment that a task may have: its language and its time zone. Not the rest, which in
/// a shell holds tokens and sockets.
pub(crate) fn of_caller(
    all: impl Iterator<Item = (OsString, OsString)>,
) -> BTreeMap<String, String> {
    all.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| name == "LANG" || name == "TZ" || name.starts_with("LC_"))
        .collect()
}

/// The whole environment that the driver is handed.
pub(crate) fn of_task(
    member: Member<'_>,
    allocation: &Allocation,
    allotment: &Allotment,
    directories: &Directories,
) -> BTreeMap<String, String> {
    let task = member.task;
    let mut env = BTreeMap::new();
    env.extend(of_directories(directories));
    env.extend(of_limits(task, allocation, allotment));
    env.extend(of_names(member, allocation));
    env.extend(network::variables(&allocation.ports));
    let known = |text: &str| replace(text, |name| value_of(name, &env, &allocation.node));
    let meta: Vec<_> = of_meta(&task.meta)
        .map(|(name, value)| (known(&name), known(&value)))
        .collect();
    env.extend(meta);
    for (name, value) in &allocation.host_env {
        env.entry(name.clone()).or_insert_with(|| value.clone());
    }
    env.entry("PATH".to_owned())
        .or_insert_with(|| PATH.to_owned());
    let own = own_env::resolve(task, |name| value_of(name, &env, &allocation.node));
    env.extend(own);
    env.into_iter()
        .map(|(name, value)| (clean(name), value))
        .collect()
}

/// What a name stands for in `env`, `meta`, templates and artifacts: what the node is comes first, as in Nomad.
pub(crate) fn value_of<'e>(
    name: &str,
    env: &'e BTreeMap<String, String>,
    node: &'e Scope,
) -> Option<&'e str> {
    let of_node = name.split_once('.').and_then(|(root, rest)| match root {
        "attr" => node.attr.get(rest),
        "meta" => node.meta.get(rest),
        "node" => node.node.get(rest),
        _ => None,
    });
    of_node.or_else(|| env.get(name)).map(String::as_str)
}

fn of_directories(directories: &Directories) -> [(String, String); 3] {
    [
        ("NOMAD_ALLOC_DIR".to_owned(), directories.alloc.clone()),
        ("NOMAD_TASK_DIR".to_owned(), directories.local.clone()),
        ("NOMAD_SECRETS_DIR".to_owned(), directories.secrets.clone()),
    ]
}

fn of_limits(
    task: &Task,
    allocation: &Allocation,
    allotment: &Allotment,
) -> impl Iterator<Item = (String, String)> + use<> {
    let asked = &task.resources;
    let all = [
        ("NOMAD_CPU_LIMIT", allocation.mhz(task).to_string()),
        ("NOMAD_CPU_CORES", cores::list(&allotment.cores)),
        ("NOMAD_MEMORY_LIMIT", asked.memory.to_string()),
        ("NOMAD_MEMORY_MAX_LIMIT", asked.memory_max.to_string()),
    ];
    all.into_iter()
        .filter(|(name, value)| !value.is_empty() && (value != "0" || *name == "NOMAD_CPU_CORES"))
        .map(|(name, value)| (name.to_owned(), value))
}

fn of_names(
    member: Member<'_>,
    allocation: &Allocation,
) -> impl Iterator<Item = (String, String)> + use<> {
    let Member { job, group, task } = member;
    let all = [
        ("NOMAD_ALLOC_ID", allocation.id.clone()),
        (
            "NOMAD_SHORT_ALLOC_ID",
            ids::short(&allocation.id).to_owned(),
        ),
        ("NOMAD_ALLOC_NAME", allocation.name(job, group)),
        ("NOMAD_ALLOC_INDEX", allocation.index.to_string()),
        ("NOMAD_GROUP_NAME", group.name.clone()),
        ("NOMAD_TASK_NAME", task.name.clone()),
        ("NOMAD_JOB_ID", job.id.clone()),
        ("NOMAD_JOB_NAME", job.name.clone()),
        ("NOMAD_DC", datacenter(&job.datacenters, allocation)),
        ("NOMAD_REGION", region(&job.region, allocation)),
        ("NOMAD_NAMESPACE", job.namespace.clone()),
        ("NOMAD_PARENT_CGROUP", allocation.parent_cgroup.clone()),
    ];
    all.into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name.to_owned(), value))
}

/// The node's, when it has one of its own; else the first of the job's that is a name and no pattern.
fn datacenter(wanted: &[String], allocation: &Allocation) -> String {
    if let Some(own) = &allocation.datacenter {
        return own.clone();
    }
    let name = wanted.iter().find(|name| !name.contains(['*', '?', '[']));
    name.map_or(DATACENTER, String::as_str).to_owned()
}

/// A job that names no region runs in the node's.
fn region(asked: &str, allocation: &Allocation) -> String {
    let own = allocation.region.as_deref().filter(|_| asked == REGION);
    own.unwrap_or(asked).to_owned()
}

/// Each key as it is written and in capitals.
fn of_meta(meta: &BTreeMap<String, String>) -> impl Iterator<Item = (String, String)> {
    let named = |(key, value): (&String, &String)| {
        [
            (format!("{META}{}", key.to_uppercase()), value.clone()),
            (format!("{META}{key}"), value.clone()),
        ]
    };
    meta.iter().flat_map(named)
}

fn clean(name: String) -> String {
    if !CLEANED.iter().any(|prefix| name.starts_with(prefix)) {
        return name;
    }
    // Byte by byte, as Nomad does: a letter of two bytes becomes two underscores.
    let fit = |byte: u8| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.') {
            char::from(byte)
        } else {
            '_'
        }
    };
    name.bytes().map(fit).collect()
}

#[cfg(test)]
mod tests {
    use jobspec::Job;

    use super::*;
    use crate::samples;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn environment(job: &Job, allocation: &Allocation) -> BTreeMap<String, String> {
        let group = &job.groups[0];
        let member = Member {
            job,
            group,
            task: &group.tasks[0],
        };
        of_task(
            member,
            allocation,
            &Allotment::default(),
            &Directories::at("/alloc", "/local", "/secrets"),
        )
    }

    #[test]
    fn a_task_sees_exactly_this() {
        let expected = map(&[
            ("LANG", "de_AT.UTF-8"),
            ("NOMAD_ALLOC_DIR", "/alloc"),
            ("NOMAD_ALLOC_ID", "0af996ed-0000-4000-8000-000000000001"),
            ("NOMAD_ALLOC_INDEX", "0"),
            ("NOMAD_ALLOC_NAME", "hello.web[0]"),
            ("NOMAD_CPU_LIMIT", "100"),
            ("NOMAD_DC", "dc1"),
            ("NOMAD_GROUP_NAME", "web"),
            ("NOMAD_JOB_ID", "hello"),
            ("NOMAD_JOB_NAME", "hello"),
            ("NOMAD_MEMORY_LIMIT", "300"),
            ("NOMAD_NAMESPACE", "default"),
            ("NOMAD_PARENT_CGROUP", "encamp.slice"),
            ("NOMAD_REGION", "global"),
            ("NOMAD_SECRETS_DIR", "/secrets"),
            ("NOMAD_SHORT_ALLOC_ID", "0af996ed"),
            ("NOMAD_TASK_DIR", "/local"),
            ("NOMAD_TASK_NAME", "python"),
            ("PATH", "/usr/local/bin:/usr/bin:/bin"),
        ]);
        assert_eq!(
            environment(&samples::job(), &samples::allocation()),
            expected
        );
    }

    #[test]
    fn meta_is_there_as_written_and_in_capitals_with_fit_names() {
        let mut job = samples::job();
        job.groups[0].tasks[0].meta = map(&[("some-key.é", "v"), ("UP", "u")]);
        let env = environment(&job, &samples::allocation());
        let meta: Vec<&str> = env
            .keys()
            .filter_map(|name| name.strip_prefix(META))
            .collect();
        assert_eq!(meta, ["SOME_KEY.__", "UP", "some_key.__"]);
    }

    #[test]
    fn the_task_has_the_last_word() {
        let mut job = samples::job();
        job.groups[0].tasks[0].env = map(&[
            ("PATH", "/opt/bin"),
            ("LANG", "C"),
            ("NOMAD_REGION", "mine"),
            ("a-b", "kept"),
        ]);
        let env = environment(&job, &samples::allocation());
        let values: Vec<&str> = ["PATH", "LANG", "NOMAD_REGION", "a-b"]
            .iter()
            .map(|name| env[*name].as_str())
            .collect();
        assert_eq!(values, ["/opt/bin", "C", "mine", "kept"]);
    }

    #[test]
    fn known_names_in_env_and_meta_are_replaced_and_others_stay() {
        let mut job = samples::job();
        let task = &mut job.groups[0].tasks[0];
        task.meta = map(&[("dir", "${NOMAD_TASK_DIR}"), ("${node.class}", "${nope}")]);
        task.env = map(&[
            ("A", "${NOMAD_META_dir}/a"),
            (
                "B",
                "${attr.kernel.name} ${meta.rack} ${node.class} ${attr.nope}",
            ),
            ("C", "${B}${X:-y} ${env.A}"),
            ("PATH", "${PATH}:/x"),
        ]);
        task.env_references = BTreeMap::from([("C".to_owned(), ["B".to_owned()].into())]);
        let env = environment(&job, &samples::allocation());
        assert_eq!(env["NOMAD_META_dir"], "/local");
        assert_eq!(env["NOMAD_META_small"], "${nope}");
        assert_eq!(env["A"], "/local/a");
        assert_eq!(env["B"], "linux 7 small ${attr.nope}");
        assert_eq!(env["C"], "linux 7 small ${attr.nope}${X:-y} ${env.A}");
        assert_eq!(env["PATH"], "/usr/local/bin:/usr/bin:/bin:/x");
    }

    #[test]
    fn memory_max_is_told_when_there_is_one() {
        let mut job = samples::job();
        job.groups[0].tasks[0].resources.memory_max = -1;
        assert_eq!(
            environment(&job, &samples::allocation())["NOMAD_MEMORY_MAX_LIMIT"],
            "-1"
        );
    }

    #[test]
    fn a_datacenter_that_was_named_is_told() {
        let mut job = samples::job();
        job.datacenters = vec!["eu-*".to_owned(), "vienna".to_owned()];
        assert_eq!(
            environment(&job, &samples::allocation())["NOMAD_DC"],
            "vienna"
        );
    }

    #[test]
    fn only_language_and_time_zone_come_from_the_caller() {
        let all = [
            ("LANG", "C"),
            ("LC_ALL", "C"),
            ("TZ", "UTC"),
            ("PATH", "/x"),
            ("GITHUB_TOKEN", "t"),
            ("LD_PRELOAD", "l"),
        ];
        let caller = of_caller(all.iter().map(|(name, value)| (name.into(), value.into())));
        assert_eq!(
            caller,
            map(&[("LANG", "C"), ("LC_ALL", "C"), ("TZ", "UTC")])
        );
    }
}
